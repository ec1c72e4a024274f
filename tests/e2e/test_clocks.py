"""Machines whose clocks are wrong: B-5. libfaketime gives an instance another wall clock.

What instances write into tokens for each other goes by Redis' clock, and every wait by the monotonic
one: no clock of a machine makes a good token bad, or keeps anybody out for longer. (These instances
are killed: libfaketime takes the log's last wait, by the monotonic clock, for one by the other.)
"""
import glob
import json
import time

import pytest

from support import prometheus
from support.clients import basic, bearer, token_of
from support.http import form_request
from support.inquiry import introspect, verify
from support.mintctl import Mintctl
from support.mintd import ASAN_OPTIONS
from support.oauth import make_client, minted, row, rows, unique, use, wait_until

HOUR = 3600
APART = ("the clocks of this machine and of redis are apart: run NTP on both; tokens go by that of "
         "redis")
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
pytestmark = pytest.mark.skipif(not FAKETIME, reason="no libfaketime: script/packages test")


class Clock:
    """The wall clock of an instance, so many seconds ahead of this machine's."""

    def __init__(self, folder, ahead):
        self._file = folder / "ahead"
        self.set(ahead)
        self.env = {"LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": ASAN_OPTIONS + ":verify_asan_link_order=0"}

    def set(self, ahead):
        self._file.write_text("%+d" % ahead)


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
    odd = start_mintd(redis=redis, env=Clock(tmp_path, case).env)
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
    odd.kill()


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
