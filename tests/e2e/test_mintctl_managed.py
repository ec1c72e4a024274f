"""mintctl on a Redis of a provider, where much may not be asked: what it cannot see it says, and nothing more."""
import json
import re

import pytest

from support.mintctl import Mintctl
from support.oauth import row, rows, wait_until
from support.redis_server import RedisServer
from test_mintctl_operations import FAKE, FakeRedis, bulk, findings, found

CANARY = "canary-managed"
BLIND = ["version", "eviction", "memory", "persistence", "replicas"]  # what only INFO tells


@pytest.fixture
def provided():
    """A Redis whose user may all but look after it; of it, and a function that takes away more."""
    with RedisServer() as server:
        server.cli("SET", "mintd:schema", "1")
        server.cli("SET", "mintd:identity", "one")

        def ctl_without(*refused):
            server.cli("ACL", "SETUSER", "app", "reset", "on", ">" + CANARY, "~*", "&*", "+@all", *refused)
            return Mintctl(server.url.replace("//", "//app:%s@" % CANARY), canaries=[CANARY])

        yield ctl_without


@row("MANAGED-doctor")
def test_doctor_where_config_acl_and_info_are_refused(provided):
    """No problem, no warning: each of them is not checked, and what to look at is said."""
    result = findings(provided("-config", "-acl", "-info"))
    assert {name for name, one in result.items() if one["result"] != "ok"} == {
        *BLIND, "password", "rights", "least rights", "listeners"}, result  # no instance runs
    assert {one["result"] for one in result.values()} == {"ok", "not checked"}, result
    assert "maxmemory-policy is noeviction" in result["eviction"]["advice"] and "console" in result["eviction"]["advice"]
    assert "appendonly is yes" in result["persistence"]["advice"] and "console" in result["persistence"]["advice"]


@rows("MANAGED-doctor-each", config=["-config"], acl=["-acl"], info=["-info"], time=["-time"], role=["-role"],
      client=["-client"], sscan=["-sscan"], hello=["-hello"], all=["-@admin", "-@dangerous"])
def test_nothing_that_is_refused_is_a_problem(provided, case):
    """Without persistence there is one, where it can be seen."""
    done = json.loads(provided(*case).run("doctor", "--json").out)
    problems = {one["check"]: one["text"] for one in done["findings"] if one["result"] == "problem"}
    assert set(problems) <= {"persistence"}, problems
    assert "persistence" not in problems or "a restart of Redis loses all" in problems["persistence"], problems


@row("MANAGED-short-info")
def test_doctor_where_info_is_short():
    """It may be asked, and does not say: neither a reason that is wrong, nor a warning for want of a line."""
    with FakeRedis({**FAKE, "INFO": bulk("# Server\r\nredis_version:7.1.0\r\n")}) as fake:
        result = findings(Mintctl(fake))
    assert result["version"]["result"] == "ok", result
    for name in BLIND[1:]:
        assert result[name]["result"] == "not checked" and "INFO does not say" in result[name]["text"], result[name]


@rows("MANAGED-tracking", elasticache="ERR unknown subcommand 'tracking'. Try CLIENT HELP.",
      enterprise="ERR client|tracking not allowed", memorystore="NOPERM this user has no permissions")
def test_doctor_where_tracking_is_refused(case):
    """In the words of three providers: a warning, for all works."""
    with FakeRedis({**FAKE, "CLIENT TRACKING": b"-%s\r\n" % case.encode()}) as fake:
        ctl = Mintctl(fake)
        found(ctl, "tracking", "warning", "mintd cannot answer from memory")
        assert "each request asks Redis" in findings(ctl)["tracking"]["advice"]


@row("MANAGED-status")
def test_status_says_how_requests_are_answered(own_redis, start_mintd):
    """From memory, or from Redis each time; and of how many workers, where it differs."""
    def said():
        return re.search(r"^answers +(.*)$", Mintctl(own_redis)("status").out, re.MULTILINE)

    def wait(text):
        wait_until(lambda: said() and said()[1] == text, 15, text)

    assert said() is None  # nobody runs
    start_mintd("--name", "one", redis=own_redis.url, workers=1).wait_for_store()
    wait("from memory")
    start_mintd("--name", "two", "--cache-size", "0", redis=own_redis.url, workers=2).wait_for_store()
    wait("from memory at 1 of 3 workers; at the others each request asks Redis")


@row("MANAGED-status-off")
def test_status_says_that_each_request_asks_redis(own_redis, start_mintd):
    start_mintd("--cache-size", "0", redis=own_redis.url, workers=2).wait_for_store()
    wait_until(lambda: "answers    each request asks Redis (mintctl doctor says why)" in Mintctl(own_redis)("status").out, 15)
