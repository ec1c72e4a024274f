"""/status and /status.json: where they are, what they say, what they cost. What is seen: tests/page."""
import base64
import hashlib
import json
import re
import threading
import time

import pytest

from support.clients import mint
from support.expect import row
from support.http import exchange, request_bytes
from support.mintd import Mintd
from support.oauth import brief, rows, wait_until
from support.redis_server import RedisServer, free_port
from support.status import Watched, instance

CSP = ("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; img-src data:; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


@pytest.fixture
def watched(start_mintd, own_redis):
    one = Watched(start_mintd, own_redis)
    one.mintd.wait_for_store()
    return one


# ---- where ----


@rows("STATUS", page="/status", json="/status.json")
def test_the_main_listeners_do_not_have_it(watched, mintd, case):
    assert watched.mintd.request("GET", case).status == 404
    assert mintd.request("GET", case).status == 404, "without an operations listener there is none"
    assert watched.get(case).status == 200
    assert watched.get(case, "HEAD").status == 200
    assert watched.get(case, "POST").status == 405
    assert watched.get(case + "/").status == 404


# ---- the page ----


@row("STATUS")
def test_the_page_may_do_nothing_but_ask_for_its_own_numbers(watched):
    response = watched.get("/status")
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    assert response.get("X-Content-Type-Options") == "nosniff" and response.get("Referrer-Policy") == "no-referrer"
    assert len(response.body) < 30 * 1024
    page = response.body.decode("ascii")

    def digest(tag):
        inside = re.findall("<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
        assert len(inside) == 1
        return base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()

    assert response.get("Content-Security-Policy") == CSP % (digest("style"), digest("script"))
    assert not re.search(r"\bon\w+=|style=|innerHTML|eval\(|<(link|script|img|iframe)[^>]*(src|href)=.(?!data:)", page)


# ---- what it says ----


@row("STATUS")
def test_it_says_what_there_is(start_mintd, own_redis, watched):
    start_mintd(redis=own_redis, name="other").wait_for_store()
    wait_until(lambda: instance(watched.status(), "other"), 15, "the other instance")
    wait_until(lambda: mint(watched.mintd).status == 200 and watched.status()["history"]["minted"][-1:] > [0], 15,
               "a rate")
    status = watched.status()
    assert status["name"] == "watched" and status["ready"] is True and "reason" not in status
    assert abs(status["now"] / 1000 - time.time()) < 3600
    assert status["redis"] == {"kind": "standalone", "nodes": [
        {"address": "127.0.0.1:%d" % own_redis.port, "role": "master", "up": True}]}
    own, other = instance(status, "watched"), instance(status, "other")
    assert own["self"] and not other["self"] and not status["instances"]["more"]
    assert "error" not in status["instances"]
    for one in own, other:
        assert one["version"] == status["version"] and one["commit"] and one["host"], one
        assert one["workers"] == one["links"] == 1 and not one["gone"] and not one["draining"], one
        assert one["age"] < 12 and set(one["rates"]) == {"minted", "validated", "refused", "answered"}, one
    history = status["history"]
    assert {len(history[name]) for name in history if name != "every"} == {len(history["at"])}
    assert max(history["p50_ms"]) > 0 and max(history["p99_ms"]) >= max(history["p50_ms"])
    assert status["troubles"] == []


@row("STATUS")
def test_an_instance_that_left_is_not_shown_and_one_that_was_killed_is(start_mintd, own_redis, watched):
    killed, left = (start_mintd(redis=own_redis, name=name) for name in ("killed", "left"))
    wait_until(lambda: instance(watched.status(), "killed") and instance(watched.status(), "left"), 15, "both")
    left.stop()
    wait_until(lambda: not instance(watched.status(), "left"), 15, "its leaving")
    killed.kill()
    wait_until(lambda: instance(watched.status(), "killed")["gone"], 40, "the end of its record")


@brief
@row("STATUS")
def test_it_answers_while_redis_is_away(watched, own_redis):
    wait_until(lambda: watched.status()["instances"]["read"], 10, "a first look")
    own_redis.kill()
    wait_until(lambda: watched.status()["redis"].get("error") == "disconnected", 10, "the loss")
    status = watched.status()
    assert not status["ready"] and status["reason"] == "disconnected"
    assert status["redis"]["nodes"][0]["up"] is False and "role" not in status["redis"]["nodes"][0]
    assert status["instances"]["error"] == "disconnected" and instance(status, "watched")
    trouble = wait_until(lambda: watched.status()["troubles"], 10, "the trouble")[0]
    assert trouble["reason"] == "disconnected" and trouble["last"] >= trouble["first"]
    own_redis.restart()
    wait_until(lambda: watched.status()["ready"] and "error" not in watched.status()["instances"], 15, "its return")


@brief
@row("STATUS")
def test_it_answers_while_redis_stands_still(watched, own_redis):
    own_redis.pause()
    try:
        wait_until(lambda: watched.status()["troubles"], 10, "a trouble")
        assert "error" in watched.status()["instances"]
    finally:
        own_redis.resume()
    wait_until(lambda: watched.status()["ready"], 10, "its return")


@row("STATUS")
def test_without_the_right_to_see_the_others_it_shows_itself(watched, own_redis):
    own_redis.cli("ACL", "SETUSER", "default", "-srandmember")
    wait_until(lambda: watched.status()["instances"].get("error") == "noperm", 10, "the word")
    assert [one["name"] for one in watched.status()["instances"]["list"]] == ["watched"]
    assert watched.status()["ready"] is True


@row("STATUS")
def test_a_store_in_memory_has_one_instance(start_mintd):
    one = Watched(start_mintd, "memory:")
    wait_until(lambda: one.status()["ready"], 10, "readiness")
    status = one.status()
    assert status["redis"] == {"nodes": [], "kind": "memory"}
    assert [x["name"] for x in status["instances"]["list"]] == ["watched"]


# ---- what others wrote into Redis ----


@rows("STATUS", no_json="}{", list="[]", number="7", deep="[" * 5000, long=json.dumps({"version": "x" * 20000}),
      wrong=json.dumps({"version": 7, "rates": 3, "workers": -1, "notices": ["<b>", 5], "seen": 1e300, "uptime": "x"}),
      control=json.dumps({"version": "\x00\x1b[31m\"</script>", "host": "\u202e", "commit": "\ud800"}))
def test_a_strange_record_harms_nothing(watched, own_redis, case):
    own_redis.cli("SADD", "mintd:instances", "strange", "", "a b", "x" * 200, "\u00e9")
    own_redis.cli("SET", "mintd:instance:strange", case)
    wait_until(lambda: watched.status()["instances"]["read"], 10, "a look")
    time_read = watched.status()["instances"]["read"]
    wait_until(lambda: watched.status()["instances"]["read"] > time_read, 10, "another look")
    names = {one["name"] for one in watched.status()["instances"]["list"]}
    assert names <= {"watched", "strange"}, names
    watched.mintd.check_log()


@row("STATUS")
def test_the_list_of_instances_is_bounded(watched, own_redis):
    names = ["many-%03d" % number for number in range(300)]
    own_redis.cli("SADD", "mintd:instances", *names)
    for name in names:
        own_redis.cli("SET", "mintd:instance:" + name, json.dumps({"version": "1", "notices": ["n" * 100] * 9}))
    wait_until(lambda: watched.status()["instances"]["more"], 10, "a look")
    wait_until(lambda: len(watched.status()["instances"]["list"]) == 65, 10, "64 others")
    wait_until(lambda: len(watched.status()["instances"]["list"]) == 65, 10, "64 others, again")


# ---- what it costs, and what it hides ----


@row("STATUS")
def test_many_viewers_cost_redis_no_more_than_one(watched, own_redis):
    wait_until(lambda: watched.status()["instances"]["read"], 10, "a look")

    def asked():
        return int(re.search(r"cmdstat_srandmember:calls=(\d+)", own_redis.cli("INFO", "commandstats"))[1])

    before, began = asked(), time.monotonic()
    viewers = [threading.Thread(target=lambda: [watched.status() for _ in range(25)]) for _ in range(8)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert asked() - before <= 2 + time.monotonic() - began


@row("STATUS")
def test_no_secret_is_in_it(start_mintd):
    with RedisServer() as server:
        server.cli("ACL", "SETUSER", "mintd", "on", ">canary-password", "~*", "+@all", "&*")
        port = free_port()
        with Mintd("--metrics-listen", "127.0.0.1:%d" % port, "--client", "seed:canary-secret",
                   redis="redis://mintd:canary-password@127.0.0.1:%d" % server.port, name="hides") as mintd:
            mintd.wait_for_store()
            body = exchange(("127.0.0.1", port), request_bytes("GET", "/status.json")).body
            assert b"canary" not in body and b'"hides"' in body
