"""Keys that hold what neither mintd nor mintctl writes there (N-13): each command that meets one says which
key it is, what it has to be and what to do, and the doctor finds each of them. What it advises helps."""
import json

import pytest

from support.clients import G, basic
from support.mintctl import Mintctl
from support.oauth import minted, post, row, rows, sha256_phc, use, wait_until

ENTRY = json.dumps({"clients": [{"id": "new", "secrets": [sha256_phc("s-3cret")]}]})
EVERYBODY = ["token", "revoke-all", "--everybody", "--yes"]


@pytest.fixture
def ctl(own_redis):
    return Mintctl(own_redis)


def finding(ctl, check, status=1):
    """The first of a check that is not well; this Redis keeps nothing, which is a problem of its own."""
    found = [f for f in ctl.json("doctor", status=status)["findings"] if f["check"] == check and f["result"] != "ok"]
    return found[0] if found else None


def says(done, key):
    """One sentence: the key, what is wrong, what to do; and not in the words of Redis."""
    assert done.err.count("the key %s is no " % key) == 1 and ";" in done.err, done.err
    assert "WRONGTYPE" not in done.err and "ERR " not in done.err, done.err


CLIENTS = {"list": ["client", "list"], "export": ["client", "export"], "add": ["client", "add", "new"], "status": ["status"],
           "apply": ["client", "apply", "-"], "prune": ["client", "apply", "-", "--prune", "--yes"]}


@rows("N-13", **CLIENTS)
def test_the_ids_of_clients_are_no_set(own_redis, ctl, case):
    own_redis.cli("SET", "mintd:clients", "x")
    done = ctl(*case, stdin=ENTRY, status=3)
    says(done, "mintd:clients")
    assert done.out == "" and not own_redis.cli("EXISTS", "mintd:client:new"), done.out  # not listed, it would be missed


@row("N-13")
def test_a_client_is_removed_where_the_ids_are_no_set(own_redis, ctl):
    """The one that leaks is kept out whatever else is wrong."""
    own_redis.cli("SET", "mintd:clients", "x")
    done = ctl("client", "remove", "svc-a", "--yes", status=3)
    says(done, "mintd:clients")
    assert "svc-a: removed" in done.out and not own_redis.cli("EXISTS", "mintd:client:svc-a")


@row("N-13")
def test_doctor_finds_that_the_ids_of_clients_are_no_set(own_redis, ctl):
    own_redis.cli("SET", "mintd:clients", "x")
    found = finding(ctl, "clients")
    assert found["result"] == "problem" and "mintd:clients is no set" in found["text"], found
    own_redis.cli("RENAME", "mintd:clients", "aside")
    for key in own_redis.keys("mintd:client:*"):
        own_redis.cli("SADD", "mintd:clients", key.removeprefix("mintd:client:"))
    assert finding(ctl, "clients") is None and "svc-a" in ctl("client", "list").out


GENERATIONS = {"text": ["SET", "abc"], "hash": ["HSET", "a", "b"], "below": ["SET", "-5"],
               "above": ["SET", str(2**63 - 1)], "over": ["SET", str(2**53)]}


@rows("N-13", **GENERATIONS)
def test_the_generation_of_everybody_is_no_number(own_redis, own_mintd, ctl, case):
    token = minted(own_mintd)[0]
    own_redis.cli(case[0], "mintd:generation", *case[1:])
    says(ctl(*EVERYBODY, status=3), "mintd:generation")
    says(ctl("token", "mint", "svc-a", status=3), "mintd:generation")
    told = ctl("explain", "-", stdin=token, status=1).out
    assert "refused  everybody    the key mintd:generation is no number" in told, told
    found = finding(ctl, "generation")
    assert found["result"] == "problem" and "mintd:generation is no number" in found["text"], found
    wait_until(lambda: use(own_mintd, token).status == 503, 10, "mintd says what the advice says")
    own_redis.cli("SET", "mintd:generation", "1700000000")
    wait_until(lambda: use(own_mintd, token).status == 401, 10, "with that it has ended")
    assert use(own_mintd, ctl.secret("token", "mint", "svc-a")).status == 200
    assert finding(ctl, "generation") is None and "everybody" in ctl(*EVERYBODY).out


@row("N-13")
def test_the_generation_of_a_client_is_no_number(own_redis, ctl):
    own_redis.cli("HSET", "mintd:client:svc-a", "gen", "abc")
    done = ctl("token", "revoke-all", "svc-a", status=3)
    says(done, "mintd:client:svc-a")
    assert "client show" in done.err and "abc" in ctl("client", "show", "svc-a").out


@rows("N-13", text=["SET", "x"], hash=["HSET", "a", "b"])
def test_the_record_of_a_token_is_none(own_redis, ctl, case):
    token = ctl.secret("token", "mint", "svc-a")
    key = ctl("token", "key", "-", stdin=token).out.strip()
    own_redis.cli("DEL", key)
    own_redis.cli(case[0], key, *case[1:])
    says(ctl("token", "show", "-", stdin=token, status=1), key)
    assert "refused  record       the key %s is no record" % key in ctl("explain", "-", stdin=token, status=1).out
    ctl("token", "revoke", "-", stdin=token)
    assert not own_redis.cli("EXISTS", key)


@rows("N-13", text=["SET", "x"], field=["HSET", "secret:1", "x", "ttl", "soon"])
def test_the_record_of_a_client_is_none(own_redis, ctl, case):
    own_redis.cli("DEL", "mintd:client:svc-a")
    own_redis.cli(case[0], "mintd:client:svc-a", *case[1:])
    told = ctl("explain", "-", stdin="%s: %s" % basic("svc-a", "s-3cret"), status=1).out
    assert "refused  client       the key mintd:client:svc-a is no record" in told, told


@row("N-13")
def test_the_names_of_instances_are_no_set(own_redis, start_mintd, ctl):
    own_redis.cli("SET", "mintd:instances", "x")
    done = ctl("status", status=1)
    says(done, "mintd:instances")
    assert "clients    " in done.out and "their list is unreadable" in done.out, done.out
    assert ctl.json("status", status=1)["complete"] is False
    says(ctl("client", "remove", "nogrant", "--yes"), "mintd:instances")
    found = finding(ctl, "instances")
    assert found["result"] == "warning" and "mintd:instances is no set" in found["text"], found
    instance = start_mintd(redis=own_redis, name="here")
    instance.wait_for_store()
    own_redis.cli("DEL", "mintd:instances")
    wait_until(lambda: "here" in ctl("status").out, 10, "it writes its name again")
    assert finding(ctl, "instances") is None


@rows("N-13", text=["SET", "no JSON"], hash=["HSET", "a", "b"])
def test_a_heartbeat_is_none(own_redis, ctl, case):
    for name in ("one", "two"):
        own_redis.cli(case[0], "mintd:instance:" + name, *case[1:])
        own_redis.cli("SADD", "mintd:instances", name)
    done = ctl("status")
    assert "the key mintd:instance:" in done.err and "no heartbeat" in done.err and done.err.strip().endswith(": 1"), done.err
    found = finding(ctl, "instances")
    assert found["result"] == "warning" and "mintd:instance:" in found["text"] and "1 more" in found["text"], found
    own_redis.cli("DEL", "mintd:instance:one", "mintd:instance:two")
    assert finding(ctl, "instances") is None and ctl("status").err == ""


@row("N-13")
def test_the_identity_is_no_string(own_redis, start_mintd, ctl):
    own_redis.cli("HSET", "mintd:identity", "a", "b")
    found = finding(ctl, "identity")
    assert found["result"] == "warning" and "mintd:identity is no string" in found["text"], found
    own_redis.cli("DEL", "mintd:identity")
    start_mintd(redis=own_redis).wait_for_store()
    wait_until(lambda: finding(ctl, "identity") is None, 10, "mintd has made another")


@row("N-13")
def test_the_version_of_the_layout_is_no_string(own_redis, start_mintd, ctl):
    """As good as another version: mintd and mintctl keep their hands off."""
    own_redis.cli("DEL", "mintd:schema")
    own_redis.cli("HSET", "mintd:schema", "a", "b")
    done = ctl("client", "list", status=3)
    assert "mintd:schema" in done.err and "doctor" in done.err and "WRONGTYPE" not in done.err, done.err
    found = finding(ctl, "layout")
    assert found["result"] == "problem" and "mintd:schema is no string" in found["text"], found
    instance = start_mintd(redis=own_redis)
    line = instance.wait_for_log(lambda line: "another version" in line["message"])
    assert line["level"] == "error" and line["found"] == "no string", line
    assert post(instance, "/token", G, basic("svc-a", "x")).status == 503
    own_redis.cli("DEL", "mintd:schema")
    own_redis.cli("SET", "mintd:schema", "1")
    instance.wait_for_log("store is up", timeout=20)
    assert finding(ctl, "layout") is None and "svc-a" in ctl("client", "list").out
