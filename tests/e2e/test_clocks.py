"""Machines whose clocks are wrong: B-5. libfaketime gives an instance another wall clock.

What instances write into tokens for each other goes by Redis' clock, and every wait by the monotonic
one: no clock of a machine makes a good token bad, or keeps anybody out for longer. (These instances
are killed: libfaketime takes the log's last wait, by the monotonic clock, for one by the other.)
"""
import calendar
import glob
import json
import re
import time

import pytest

from support import mintctl, prometheus
from support.clients import G, basic, bearer, token_of
from support.http import form_request
from support.inquiry import introspect, verify
from support.mintctl import Mintctl
from support.mintd import ASAN_OPTIONS
from support.oauth import make_client, minted, post, row, rows, sha256_phc, unique, use, wait_until
from support.timing import scaled

HOUR = 3600
APART = ("the clocks of this machine and of redis are apart: run NTP on both; tokens go by that of "
         "redis")
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
BEHIND = ":verify_asan_link_order=0"  # a sanitizer's library comes after libfaketime
pytestmark = pytest.mark.skipif(not FAKETIME, reason="no libfaketime: script/packages test")


class Clock:
    """The wall clock of an instance, so many seconds ahead of this machine's."""

    def __init__(self, folder, ahead):
        self._file = folder / "ahead"
        self.set(ahead)
        self.env = {"LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": ASAN_OPTIONS + BEHIND}

    def set(self, ahead):
        self._file.write_text("%+.3f" % ahead)


def skew(instance):
    """In seconds; None: it does not know."""
    families = prometheus.parse(instance.request("GET", "/metrics").body)
    family = families.get("mintd_clock_skew_seconds")
    return family and family.value()


def is_told_by_doctor(redis, which):
    """By the heartbeat, which comes every 5 s."""
    findings = json.loads(Mintctl(redis).run("doctor", "--json").out)["findings"]
    return [f for f in findings if f["check"] == "clock" and which + " that of Redis" in f["text"]]


@rows("B-5", ahead=HOUR, behind=-HOUR)
def test_instance_with_another_clock(start_mintd, pair, redis, tmp_path, case):
    name = unique("odd")
    odd = start_mintd(redis=redis, name=name, env=Clock(tmp_path, case).env)
    odd.wait_for_store()
    ours, theirs = token_of(pair.a), token_of(odd)
    for instance in (odd, pair.a):
        for token in (ours, theirs):
            assert use(instance, token).status == 200
            assert verify(instance, bearer(token)).status == 200
            document = introspect(instance, token).json()
            assert document["active"] and abs(document["iat"] - time.time()) < 60, document
            assert document["exp"] - document["iat"] == HOUR, document
    line = odd.wait_for_log(APART)
    assert abs(int(line["skew_ms"]) - case * 1000) < 5000, line
    assert abs(skew(odd) - case) < 5 and abs(skew(pair.a)) < 2
    wait_until(lambda: is_told_by_doctor(redis, "ahead of" if case > 0 else "behind"), 20, "doctor tells it")
    seen = [i["seen"] for i in Mintctl(redis).json("status")["instances"] if i["name"] == name]
    assert abs(seen[0] - time.time()) < 60, seen
    odd.kill()


def doctors_word(redis, name):
    """Of doctor, about the clock of this instance, once its heartbeat is there."""
    wait_until(lambda: redis.cli("GET", "mintd:instance:" + name), 10, "a heartbeat")
    findings = json.loads(Mintctl(redis).run("doctor", "--json").out)["findings"]
    return [f["text"] for f in findings if f["check"] == "clock" and "instance " + name in f["text"]]


@rows("B-5-apart", ahead=1.5, behind=-1.5)
def test_a_little_apart_is_silent(start_mintd, own_redis, tmp_path, case):
    """A second and a half: no warning, nor does doctor say anything; the metric has it."""
    instance = start_mintd(redis=own_redis, name="near", env=Clock(tmp_path, case).env)
    instance.wait_for_store()
    assert abs(skew(instance) - case) < scaled(0.2)
    assert not doctors_word(own_redis, "near")
    assert not instance.find_log(APART), instance.log_text
    instance.kill()


@rows("B-5-apart", far_ahead=3, far_behind=-3)
def test_too_far_apart_is_told(start_mintd, own_redis, tmp_path, case):
    """Three seconds: a warning, once; the metric and doctor have it; and that they agree again is told."""
    clock = Clock(tmp_path, case)
    instance = start_mintd(redis=own_redis, name="far", env=clock.env)
    line = instance.wait_for_log(APART)
    assert line["level"] == "warning" and abs(int(line["skew_ms"]) / 1000 - case) < scaled(0.2), line
    instance.wait_for_store()
    assert abs(skew(instance) - case) < scaled(0.2)
    word, = doctors_word(own_redis, "far")
    assert ("ahead of" if case > 0 else "behind") in word, word
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back")
    assert len(instance.find_log(APART)) == 1
    clock.set(0)
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("the clocks of this machine and of redis agree again")
    assert abs(skew(instance)) < scaled(0.2)
    instance.kill()


@row("B-5-asked")
def test_redis_is_asked_for_the_time_once_a_minute(start_mintd, own_redis):
    """By one of the workers; not with each heartbeat."""
    def calls(command):
        asked = re.search(r"cmdstat_%s:calls=(\d+)" % command, own_redis.cli("INFO", "commandstats"))
        return int(asked[1]) if asked else 0

    instance = start_mintd(redis=own_redis, workers=4)
    instance.wait_for_log("redis is connected", count=4)
    wait_until(lambda: calls("setex") >= 2, 20, "two heartbeats")
    assert calls("time") == 1


@rows("B-5", forward=HOUR, back=-HOUR)
def test_clock_that_steps(start_mintd, own_redis, tmp_path, case):
    """A bar stays as long as it was, and a good token stays good, at once and without a question."""
    clock, name = Clock(tmp_path, 0), unique("stepped")
    instance = start_mintd("--failure-limit", "3", redis=own_redis, env=clock.env)
    instance.wait_for_store()
    make_client(own_redis, name, scope="read")
    token = minted(instance)[0]
    ask = form_request("/token", b"grant_type=client_credentials", [basic(name, "wrong")])
    wait_until(lambda: instance.exchange(ask).status == 429, 20)
    clock.set(case)
    wait_until(lambda: abs(skew(instance) - case) < 5, 10, "the step is seen")
    barred = instance.exchange(ask)
    assert barred.status == 429 and 1 <= int(barred.get("Retry-After")) <= 60, barred
    assert use(instance, token).status == 200
    assert abs(introspect(instance, minted(instance)[0]).json()["iat"] - time.time()) < 60
    instance.kill()


@row("B-5")
def test_redis_that_may_not_be_asked(start_mintd, own_redis):
    """Nothing is said of it, and the instance goes by its own clock."""
    own_redis.cli("ACL", "SETUSER", "timeless", "on", ">pw", "~*", "&*", "+@all", "-time")
    instance = start_mintd(redis=own_redis.url.replace("redis://", "redis://timeless:pw@"))
    instance.wait_for_store()
    assert use(instance, token_of(instance)).status == 200
    assert skew(instance) is None and "clock" not in instance.log_text, instance.log_text


def ctl_with(redis, folder, ahead):
    return Mintctl(redis, env={**Clock(folder, ahead).env, "ASAN_OPTIONS": mintctl.ASAN_OPTIONS + BEHIND})


def seconds_of(text):
    """Since the epoch, of the first "2026-11-23T21:02:37Z" in it."""
    return calendar.timegm(time.strptime(re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)[0], "%Y-%m-%dT%H:%M:%SZ"))


OTHER_CLOCKS = {"ahead": 2 * HOUR, "behind": -2 * HOUR}


@rows("B-5", **OTHER_CLOCKS)
def test_rotation_on_a_machine_with_another_clock(pair, redis, tmp_path, case):
    """The old secret goes on for the grace and no longer; a client is made now."""
    ctl, name = ctl_with(redis, tmp_path, case), unique("rotated")
    old = ctl.secret("client", "add", name, "--scope", "read")
    done = ctl.run("client", "rotate", name, "--grace", "1h")
    assert done.status == 0 and abs(seconds_of(done.err) - time.time() - HOUR) < 60, done.err
    first, second = ctl.json("client", "show", name)["secrets"]
    assert abs(first["expires"] - time.time() - HOUR) < 60 and not first["expired"], first
    assert abs(first["made"] - time.time()) < 60 and abs(second["made"] - time.time()) < 60, (first, second)
    assert abs(int(redis.cli("HGET", "mintd:client:" + name, "created")) - time.time()) < 60
    assert post(pair.a, "/token", G, basic(name, old)).status == 200
    assert "secret 1" in ctl("explain", "-", stdin="%s: %s" % basic(name, old)).out
    ctl.run("client", "rotate", name, "--grace", "1s")
    wait_until(lambda: post(pair.a, "/token", G, basic(name, old)).status == 401, 20, "the grace is over")
    done = ctl("explain", "-", stdin="%s: %s" % basic(name, old), status=1)
    assert re.search(r"secret 1, which expired at \S+, \d+ s ago", done.out), done.out
    assert [s["expired"] for s in ctl.json("client", "show", name)["secrets"]][:1] == [True]


@rows("B-5", **OTHER_CLOCKS)
def test_clients_of_a_file_on_a_machine_with_another_clock(redis, tmp_path, case):
    name = unique("applied")
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"clients": [{"id": name, "secrets": [sha256_phc("s-3cret")]}]}))
    ctl_with(redis, tmp_path, case)("client", "apply", str(path))
    for field in ("created", "secret:1:made"):
        assert abs(int(redis.cli("HGET", "mintd:client:" + name, field)) - time.time()) < 60, field


@rows("B-5", **OTHER_CLOCKS)
def test_tokens_on_a_machine_with_another_clock(pair, redis, tmp_path, case):
    """One that it mints has the right end, and of one that mintd minted it tells what is left."""
    ctl = ctl_with(redis, tmp_path, case)
    token = ctl.secret("token", "mint", "svc-a", "--ttl", "30m")
    document = introspect(pair.a, token).json()
    assert document["active"] and document["exp"] - document["iat"] == HOUR / 2, document
    assert abs(document["iat"] - time.time()) < 60, document
    assert use(pair.a, token).status == 200
    assert re.search(r"expiry +at \S+, in (29|30) min$", ctl("explain", "-", stdin=token).out, re.MULTILINE)
    assert re.search(r"expires .*\((29|30) min\)$", ctl("token", "show", "-", stdin=token).out, re.MULTILINE)
    assert re.search(r"expiry +at \S+, in (59|60) min$", ctl("explain", "-", stdin=minted(pair.a)[0]).out, re.MULTILINE)


@rows("B-5", **OTHER_CLOCKS)
def test_status_on_a_machine_with_another_clock(pair, redis, tmp_path, case):
    assert pair.a.request("GET", "/readyz").status == 200
    text = ctl_with(redis, tmp_path, case)("status").out
    up, seen = re.search(r"^a +\S+ +(\d+ \S+) +(\d+ \S+) ", text, re.MULTILINE).groups()
    assert seen.endswith(" s") and not up.endswith((" h", " d")), text


@row("B-5")
def test_mintctl_that_may_not_ask_goes_by_its_own_clock(own_redis, tmp_path):
    own_redis.cli("ACL", "SETUSER", "timeless", "on", ">pw", "~*", "&*", "+@all", "-time")
    ctl = ctl_with(own_redis.url.replace("redis://", "redis://timeless:pw@"), tmp_path, 2 * HOUR)
    done = ctl.run("client", "rotate", "svc-a", "--grace", "1h")
    assert done.status == 0 and abs(seconds_of(done.err) - time.time() - 3 * HOUR) < 60, done.err
    assert "TIME" not in done.err and "noperm" not in done.err, done.err


@row("B-5")
def test_mintctl_asks_for_the_time_once(own_redis):
    ctl = Mintctl(own_redis)
    for words in (["client", "list"], ["client", "rotate", "svc-a"], ["token", "mint", "svc-a"]):
        with own_redis.monitor() as seen:
            assert ctl.run(*words).status == 0
            assert [c[0].upper() for c in seen.commands()].count("TIME") == 1, words
