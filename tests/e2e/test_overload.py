"""Too much work: mints are refused before they cost anything, what is in memory is answered (B-4).
src/http/lag.h has the law, and tests/unit/test_http_lag.c what is no overload."""
import contextlib
import os
import re
import resource
import select
import signal
import time

import pytest

from support import prometheus
from support.clients import BA, G, bearer, token_of
from support.expect import row
from support.http import form_request, request_bytes
from support.oauth import wait_until
from support.slow_link import SlowLink
from support.timing import scaled
from support.wire import Wire

CROWD = 1024  # LAG_CROWD: so many may wait in any case
ROUND_TRIP = 0.6  # seconds: over the patience of 200 ms
MINT = form_request("/token", G, [BA])
PLENTY = ("--max-connections", "4000", "--max-connections-per-address", "4000", "--redis-timeout", "10000")


def refusals(mintd):
    samples = prometheus.parse(mintd.exchange(request_bytes("GET", "/metrics"), timeout=scaled(60)).body.decode())
    return sum(sample.value for sample in samples["mintd_refusals_total"].samples if sample.labels["reason"] == "overloaded")


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("no 3,000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_at_once(wires, seconds):
    """The answer of one that did not wait for Redis; None: there is none yet."""
    poll = select.poll()  # select() knows no descriptor over 1,023
    for wire in wires:
        poll.register(wire, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
    return next((wire for wire in wires if wire.fileno() in ready), None)


def refused_mint(mintd, crowd, stack):
    """(status, body) of a mint that came while all of the crowd waited; None where none was refused."""
    for wire in crowd:
        wire.send(MINT)
    began, late = time.monotonic(), []
    while time.monotonic() - began < ROUND_TRIP:
        late.append(stack.enter_context(Wire(mintd.address, 60)))
        late[-1].send(MINT)
        if answered := first_at_once(late, 0.02):
            status, body = answered.read()
            return (status, body) if status == 503 else None
    return None


@row("B-4")
@pytest.mark.usefixtures("many_files")
def test_a_crowd_that_waits_is_not_joined(start_mintd, own_redis):
    with SlowLink(own_redis.port, ROUND_TRIP) as link, contextlib.ExitStack() as stack:
        mintd = start_mintd(*PLENTY, redis=link.url, workers=1)
        mintd.wait_for_store()
        validation = request_bytes("GET", "/secret", [bearer(token_of(mintd))])
        wait_until(lambda: mintd.exchange(validation, timeout=scaled(60)).status == 200)
        crowd = [stack.enter_context(Wire(mintd.address, 60)) for _ in range(CROWD + 100)]
        refused, deadline = None, time.monotonic() + scaled(30)
        while refused is None:
            assert time.monotonic() < deadline, "no mint was refused"
            refused = refused_mint(mintd, crowd, stack)
            # What is in memory is answered: as long as it is trusted, which on a busy machine it may not be.
            wait_until(lambda: mintd.exchange(validation, timeout=scaled(60)).status == 200)
            statuses = {wire.read()[0] for wire in crowd}
            assert 200 in statuses <= {200, 503}
        assert b'"error":"temporarily_unavailable"' in refused[1] and b"overloaded" in refused[1], refused
        assert refusals(mintd) > 0
        wait_until(lambda: "requests wait for too long" in mintd.log_text)
        # It is over as soon as the crowd has gone: this one is not late.
        wait_until(lambda: mintd.exchange(MINT, timeout=scaled(60)).status == 200)


@row("B-4-hiccup")
def test_what_gathers_while_it_stands_still_is_answered(start_mintd, own_redis):
    mintd = start_mintd(redis=own_redis, workers=1)
    mintd.wait_for_store()
    validation = request_bytes("GET", "/secret", [bearer(token_of(mintd))])
    assert mintd.exchange(validation).status == 200
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(mintd.address, 60)) for _ in range(200)]
        os.kill(mintd.pid, signal.SIGSTOP)
        try:
            for wire in wires:
                wire.send(validation)
            time.sleep(0.3)  # what is tested
        finally:
            os.kill(mintd.pid, signal.SIGCONT)
        assert {wire.read()[0] for wire in wires} == {200}
    assert refusals(mintd) == 0
