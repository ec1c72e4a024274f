"""The record of an instance in Redis, the list of their names, and what /readyz costs."""
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.clients import bearer, mint, token_of
from support.http import request_bytes
from support.mintctl import Mintctl
from support.oauth import REDIS_TIMEOUT, brief, row, wait_until
from support.redis_server import RedisServer
from support.timing import scaled

BEAT = 5  # seconds
KEY = "mintd:instance:one"
PROBE = request_bytes("GET", "/readyz")


@pytest.fixture
def one(start_mintd, own_redis):
    instance = start_mintd(redis=own_redis, name="one")
    instance.wait_for_store()
    return instance


def record_of(redis, name="one"):
    text = redis.cli("GET", "mintd:instance:" + name)
    return json.loads(text) if text else None


def names(redis):
    return sorted(redis.cli("SMEMBERS", "mintd:instances"))


def calls(redis, command):
    """How often Redis was asked this since CONFIG RESETSTAT."""
    for line in redis.cli("INFO", "commandstats").splitlines():
        if line.startswith("cmdstat_%s:" % command):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


# ---- the record ----


@row("F-09")
def test_it_beats_by_itself(one, own_redis):
    """Nobody asks /readyz; and what is taken away is there again with the next beat."""
    for _ in range(2):
        wait_until(lambda: record_of(own_redis) and names(own_redis) == ["one"], BEAT + 3, "a heartbeat")
        assert 15 <= own_redis.cli("TTL", KEY) <= 20
        own_redis.cli("DEL", KEY, "mintd:instances")
    assert not one.find_log(lambda line: line["level"] == "warning")


@row("N-05")
def test_what_the_record_says(start_mintd, own_redis):
    instance = start_mintd("--client", "seed:a-chosen-canary:read", "--issuer", "https://mintd.example",
                           redis=own_redis, name="one", workers=2, listen=("127.0.0.1:0", "127.0.0.1:0"))
    instance.wait_for_store()
    instance.wait_for_log("client made")
    token = token_of(instance)
    for _ in range(9):
        assert mint(instance).status == 200
    for _ in range(5):
        assert instance.request("GET", "/secret", [bearer(token)]).status == 200
    assert instance.request("GET", "/secret", [bearer("nope")]).status == 401
    wait_until(lambda: (record_of(own_redis) or {}).get("totals", {}).get("refused") == 1, BEAT + 3, "a beat")
    record = record_of(own_redis)
    assert record["totals"]["minted"] == 10 and record["totals"]["validated"] == 5, record
    assert record["totals"]["answered"] >= 16, record
    assert set(record["rates"]) == set(record["totals"]), record
    assert record["workers"] == 2 and record["links"] == 2 and record["caching"] == 2, record
    assert record["listen"] == ["127.0.0.1:0"] * 2 and record["tls"] is False, record
    assert record["issuer"] == "https://mintd.example" and record["client"] == "seed", record
    assert record["notices"] == [] and record["draining"] is False, record
    assert abs(record["seen"] - time.time()) < scaled(10) and record["started"] <= record["seen"], record
    assert "canary" not in repr(record)


@row("N-05")
def test_an_instance_that_ends_leaves_nothing(one, own_redis):
    wait_until(lambda: names(own_redis) == ["one"], BEAT + 3, "a heartbeat")
    one.stop()
    assert own_redis.keys("mintd:instance*") == []


@pytest.mark.parametrize("breaking", [
    pytest.param(RedisServer.kill, id="N-05-redis-killed"),
    pytest.param(RedisServer.pause, id="N-05-redis-paused")])
def test_an_end_without_redis_is_not_held_up(one, own_redis, breaking):
    wait_until(lambda: names(own_redis) == ["one"], BEAT + 3, "a heartbeat")
    breaking(own_redis)
    one.stop(timeout=3)


@row("N-05")
def test_a_user_who_may_not_list_it(own_redis, start_mintd):
    """It serves; that nobody sees it is said once, and doctor says it too."""
    own_redis.cli("ACL", "SETUSER", "default", "-sadd", "-srem")
    instance = start_mintd(redis=own_redis, name="one")
    instance.wait_for_store()
    told = instance.wait_for_log(lambda line: "SADD and SREM" in line["message"], timeout=BEAT + 3)
    assert told["level"] == "warning"
    assert mint(instance).status == 200
    uptime = record_of(own_redis)["uptime"]
    wait_until(lambda: record_of(own_redis)["uptime"] > uptime, BEAT + 3, "the next beat")
    assert len(instance.find_log(lambda line: "SADD and SREM" in line["message"])) == 1


@pytest.mark.lengthy
@row("N-05")
def test_two_of_one_name_are_told(one, start_mintd, own_redis):
    other = start_mintd(redis=own_redis, name="one")

    def told(instance):
        return instance.find_log(lambda line: "the same name" in line["message"], name="one")

    # Either may be the first whose record is overwritten twice.
    wait_until(lambda: told(one) or told(other), 4 * BEAT, "the warning")


# ---- mintctl sees them ----


@row("N-05")
def test_status_sees_an_instance_that_nobody_asked(one, own_redis):
    ctl = Mintctl(own_redis)
    assert mint(one).status == 200
    wait_until(lambda: (record_of(own_redis) or {}).get("totals", {}).get("minted") == 1, BEAT + 3, "a beat")
    (instance,) = ctl.json("status")["instances"]
    assert instance["name"] == "one" and instance["totals"]["minted"] == 1, instance
    line = next(l for l in ctl("status").out.splitlines() if l.startswith("one "))
    assert " on " in line and " no " in line and line.endswith(" 127.0.0.1:0"), line


@row("N-05")
def test_status_among_very_many_keys(one):
    """It asks for names, and looks through no keys."""
    with RedisServer("--enable-debug-command", "yes") as server:
        server.cli("DEBUG", "POPULATE", "300000", "mintd:token", "10")
        server.cli("SADD", "mintd:instances", "one")
        server.cli("SETEX", KEY, "60", "{}")
        server.cli("CONFIG", "RESETSTAT")
        status = Mintctl(server).json("status")
        assert [i["name"] for i in status["instances"]] == ["one"] and status["complete"] is True
        assert Mintctl(server)("doctor", status=1).out
        assert calls(server, "scan") == calls(server, "keys") == 0
    assert one.is_alive


@row("N-05")
def test_status_cleans_the_list(own_redis):
    """A name whose heartbeat is gone is taken out; more names than one page or one reply has."""
    own_redis.cli("SADD", "mintd:instances", *("gone-%d" % n for n in range(700)))
    for n in range(70):
        own_redis.cli("SETEX", "mintd:instance:here-%d" % n, "60", '{"version":"1"}')
        own_redis.cli("SADD", "mintd:instances", "here-%d" % n)
    status = Mintctl(own_redis).json("status")
    assert len(status["instances"]) == 70 and status["complete"] is True
    assert own_redis.cli("SCARD", "mintd:instances") == 70
    own_redis.cli("SADD", "mintd:instances", "gone")
    assert "instances" in Mintctl(own_redis)("doctor", status=1).out
    assert own_redis.cli("SCARD", "mintd:instances") == 71  # the doctor changes nothing


@row("N-05")
def test_status_of_a_user_who_may_not_clean(own_redis):
    own_redis.cli("ACL", "SETUSER", "reader", "on", ">canary-pass", "~mintd:*", "+get", "+sscan", "+scard", "+multi",
                  "+exec", "+ping")
    own_redis.cli("SET", "mintd:schema", "1")
    own_redis.cli("SADD", "mintd:instances", "gone", "here")
    own_redis.cli("SETEX", "mintd:instance:here", "60", "{}")
    ctl = Mintctl(own_redis.url.replace("//", "//reader:canary-pass@"), canaries=["canary-pass"])
    assert [i["name"] for i in ctl.json("status")["instances"]] == ["here"]
    assert names(own_redis) == ["gone", "here"]


# ---- /readyz ----


def flood(instance, count):
    """So many probes, pipelined over one connection; their statuses."""
    with instance.connect() as connection:
        for begin in range(0, count, 100):
            connection.send(PROBE * min(100, count - begin))
            for _ in range(min(100, count - begin)):
                yield connection.read_response().status


@row("F-08")
def test_many_probes_are_few_writes(start_mintd, own_redis):
    """Whoever asks: a write a second for each worker, and the beats."""
    workers = 2
    instance = start_mintd(redis=own_redis, name="one", workers=workers)
    instance.wait_for_store()
    own_redis.cli("CONFIG", "RESETSTAT")
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as askers:
        for statuses in askers.map(lambda _: list(flood(instance, 2500)), range(4)):
            assert set(statuses) == {200} and len(statuses) == 2500
    took = time.monotonic() - begun
    assert calls(own_redis, "setex") <= (workers + 1) * (took + 1) + 1


@row("F-08")
def test_a_flood_while_redis_refuses(own_mintd, own_redis):
    """A no is not asked for again and again either."""
    own_redis.cli("CONFIG", "SET", "maxmemory", "1")
    wait_until(lambda: own_mintd.request("GET", "/readyz").status == 503, 3, "not ready")
    own_redis.cli("CONFIG", "RESETSTAT")
    begun = time.monotonic()
    assert set(flood(own_mintd, 2000)) == {503}
    took = time.monotonic() - begun
    refused = int(own_redis.cli("INFO", "stats").split("total_error_replies:")[1].split()[0])
    assert refused <= 6 * (took + 1)
    own_redis.cli("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: own_mintd.request("GET", "/readyz").status == 200, 3, "ready again")


@brief
@row("F-08-age")
def test_a_yes_is_a_second_old_at_most(own_mintd, own_redis):
    """Redis stands still: ready for a second more at most, and as long as a probe may take."""
    assert own_mintd.request("GET", "/readyz").status == 200
    own_redis.pause()
    wait_until(lambda: own_mintd.request("GET", "/readyz").status == 503, 1 + REDIS_TIMEOUT + 0.25, "not ready")
    for _ in range(20):
        assert own_mintd.request("GET", "/readyz").status == 503
    own_redis.resume()
    wait_until(lambda: own_mintd.request("GET", "/readyz").status == 200, 5, "ready again")


@row("F-08")
def test_who_asks_meanwhile_joins_the_probe(own_mintd, own_redis):
    """Redis answers nobody: many wait for one answer, and all of them get it."""
    connections = [own_mintd.connect() for _ in range(30)]
    time.sleep(1.1)  # the last answer is too old
    own_redis.cli("CONFIG", "RESETSTAT")
    own_redis.pause()
    for connection in connections:
        connection.send(PROBE)
    connections[0].close()  # one does not wait
    assert {c.read_response().status for c in connections[1:]} == {503}
    own_redis.resume()
    wait_until(lambda: own_mintd.request("GET", "/readyz").status == 200, 5, "ready again")
    assert calls(own_redis, "setex") <= 6
    for connection in connections[1:]:
        connection.send(PROBE)
        assert connection.read_response().status == 200
        connection.close()
