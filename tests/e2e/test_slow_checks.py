"""Secrets that a person chose take a slow hash, and threads for these are few: who waits for one, and for how
long (B-3, N-10). Strangers ask for clients that do not exist; each of them costs a slow hash too, so that time
does not tell."""
import base64
import hashlib
import time

import pytest

from support import prometheus
from support.clients import G, basic
from support.http import form_request, request_bytes
from support.mintd import binary
from support.oauth import check_tok, row, unique
from support.strangers import Strangers
from support.timing import scaled

ADDRESSES = 20
CHOSEN = "a person chose this"


def make_chosen(redis, times=1):
    """A new client with a slow secret that costs what mintd's own ones cost, or so many times as much; its
    name."""
    name = unique("slow")
    salt = name.encode()[:16].ljust(16, b"-")
    key = hashlib.scrypt(CHOSEN.encode(), salt=salt, n=1 << 15, r=8, p=times, maxmem=1 << 26, dklen=32)
    parts = [base64.b64encode(part).decode().rstrip("=") for part in (salt, key)]
    redis.cli("HSET", "mintd:client:" + name, "secret:1", "$scrypt$ln=15,r=8,p=%d$%s$%s" % (times, *parts),
              "scope", "read")
    return name


def ask(mintd, name, secret=CHOSEN):
    return mintd.exchange(form_request("/token", G, [basic(name, secret)]), timeout=scaled(60))


def ask_patiently(mintd, name):
    """As a client does that is told to come back. So many requests are an overload on a busy machine (B-4)."""
    deadline = time.monotonic() + scaled(30)
    while (response := ask(mintd, name)).status == 503 and b"overloaded" in response.body:
        assert time.monotonic() < deadline, response
        time.sleep(int(response.get("Retry-After")))
    return response


def metrics(mintd):
    raw = request_bytes("GET", "/metrics")
    return prometheus.parse(mintd.exchange(raw, timeout=scaled(60)).body.decode())


def waiting(mintd):
    """Slow checks that wait, by lane."""
    return {sample.labels["lane"]: sample.value for sample in metrics(mintd)["mintd_slow_checks_waiting"].samples}


def eventually(check, within):
    deadline = time.monotonic() + scaled(within)
    while not check():
        assert time.monotonic() < deadline, "not within %.1f s" % within
        time.sleep(0.05)


@pytest.fixture
def mintd(start_mintd, own_redis):
    """Slow secrets are in use: from now on each refusal takes a slow check."""
    instance = start_mintd("--redis-timeout", "5000", redis=own_redis, workers=1)
    instance.wait_for_store()
    check_tok(ask(instance, make_chosen(own_redis)), "/token")
    return instance


def is_sanitized():
    with open(binary(), "rb") as program:
        return b"__asan_init" in program.read()


@pytest.mark.lengthy
@pytest.mark.parametrize("connections, pause", [pytest.param(8, 0, id="B-3-without-a-pause"),
                                                pytest.param(150, 1, id="B-3-many-connections")])
def test_strangers_keep_no_client_out(mintd, own_redis, connections, pause):
    """Clients that were not seen before, all from one address that was not seen before either. No answer of 503
    is without a time to come back. Under a sanitizer the many are a third as many: what they cost there
    is the reading of requests, and not the slow checks; and so are the clients."""
    clients = 20
    if is_sanitized():
        connections, clients = min(connections, 50), 7
    names = [make_chosen(own_redis) for _ in range(clients)]
    took = []
    with Strangers(mintd.address, ADDRESSES, connections, pause) as strangers:
        eventually(lambda: waiting(mintd) == {"ahead": 0, "behind": 32}, within=20)
        for name in names:
            started = time.monotonic()
            check_tok(ask_patiently(mintd, name), "/token")
            took.append(time.monotonic() - started)
    print("B-3: %.2f s at worst; strangers: %s, %.1f s at worst" % (max(took), strangers.statuses, strangers.slowest))
    assert max(took) <= scaled(2.5), took
    assert set(strangers.statuses) <= {401, 503} and strangers.statuses[503], strangers.statuses
    assert not strangers.without_retry_after


@row("N-10")
def test_a_wait_has_an_end(mintd, own_redis):
    """More at once than can be checked within the deadline: 401 or 503, and the rest in time."""
    slow = make_chosen(own_redis, times=4)
    started, connections = time.monotonic(), []
    for number in range(30):
        connections.append(mintd.connect(timeout=scaled(60)))
        connections[-1].send(form_request("/token", G, [basic(slow, "wrong %d" % number)]))
    answers = []
    for connection in connections:
        with connection:
            response = connection.read_response(check=False)
            answers.append(response.status)
            if response.status == 503:
                assert response.error == "temporarily_unavailable" and response.get("Retry-After"), response
                assert response.get("WWW-Authenticate") is None
    print("N-10: %d of 30 were checked, all answered after %.1f s" % (answers.count(401), time.monotonic() - started))
    assert set(answers) == {401, 503}, answers
    eventually(lambda: waiting(mintd) == {"ahead": 0, "behind": 0}, within=2)


@row("N-10")
def test_waits_are_measured(mintd):
    """One wait for each slow check that was begun."""
    for _ in range(3):
        assert ask(mintd, "nobody", "wrong").status == 401
    families = metrics(mintd)
    samples = {sample.name: sample.value for sample in families["mintd_slow_check_wait_seconds"].samples}
    assert families["mintd_slow_check_wait_seconds"].type == "histogram"
    checks = families["mintd_secret_slow_checks_total"].samples[0].value
    assert samples["mintd_slow_check_wait_seconds_count"] == checks >= 1 + 3
    assert families["mintd_slow_checks_waiting"].type == "gauge"


@row("SLOW")
def test_the_same_secret_at_once_is_checked_once(mintd, own_redis):
    """A client that starts with many connections pays for one check: those that come while it goes on
    share it, and those that come later find it in memory."""
    name = make_chosen(own_redis, times=4)
    connections = [mintd.connect(timeout=scaled(60)) for _ in range(20)]
    for connection in connections:
        connection.send(form_request("/token", G, [basic(name, CHOSEN)]))
    for connection in connections:
        with connection:
            check_tok(connection.read_response(), "/token")
    counts = [metrics(mintd)["mintd_secret_%s_checks_total" % kind].samples[0].value
              for kind in ("slow", "shared", "remembered")]
    print("SLOW: %d slow checks, %d shared, %d remembered" % tuple(counts))
    assert counts[0] == 2 and counts[1] > 0, counts
