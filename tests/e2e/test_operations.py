"""Liveness, readiness, metrics, and the end of a process (CONFORMANCE 1.10)."""
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import prometheus
from support.clients import BA, G, basic, bearer, install_clients, mint, token_of
from support.expect import HEALTH, is_token, row, token_request
from support.http import Closed, Connection, form_request, request_bytes
from support.oauth import brief, check_err
from support.redis_server import RedisServer, free_port
from support.timing import scaled


def eventually(check, within, every=0.02):
    """Asks again until check() is true; what is asked about cannot tell by itself."""
    deadline = time.monotonic() + scaled(within)
    while True:
        if check():
            return
        assert time.monotonic() < deadline, "not within %.1f s" % within
        time.sleep(every)


def readiness(mintd):
    response = mintd.request("GET", "/readyz")
    assert response.status in (200, 503), response
    if response.status == 503:
        reason = response.json()["reason"]
        assert re.fullmatch(r"[a-z][a-z0-9_]*", reason), response
    return response


def becomes_ready(mintd, within=1.0):
    eventually(lambda: readiness(mintd).status == 200, within)


def becomes_unready(mintd, within=3.0):
    eventually(lambda: readiness(mintd).status == 503, within)


# ---- O-01, O-02 ----


@row("O-01")
def test_healthz(mintd):
    response = mintd.request("GET", "/healthz")
    assert response.status == 200 and response.get("Content-Type").startswith("application/json")


@brief
@pytest.mark.parametrize("breaking", [
    pytest.param(RedisServer.kill, id="O-01-redis-killed"),
    pytest.param(RedisServer.pause, id="O-01-redis-paused")])
def test_healthz_without_redis(own_mintd, own_redis, breaking):
    breaking(own_redis)
    for _ in range(3):
        assert own_mintd.request("GET", "/healthz").status == 200
    becomes_unready(own_mintd)
    assert own_mintd.request("GET", "/healthz").status == 200
    assert own_mintd.request("HEAD", "/healthz").status == 200
    own_redis.resume()


@row("O-02")
def test_readyz(mintd):
    assert readiness(mintd).status == 200


@row("O-02")
def test_readyz_when_redis_is_killed(own_mintd, own_redis):
    """And comes back, empty, on the same port."""
    own_redis.kill()
    becomes_unready(own_mintd, within=1)
    own_redis.restart()
    becomes_ready(own_mintd)
    install_clients(own_redis)
    eventually(lambda: mint(own_mintd).status == 200, within=1)


@row("O-02")
def test_log_tells_of_the_store(own_mintd, own_redis):
    """An outage that is long enough to be seen has its two lines."""
    mark = own_mintd.mark()
    own_redis.kill()
    own_mintd.wait_for_log(lambda line: line["message"].startswith("store is away"), since=mark)
    mark = own_mintd.mark()
    own_redis.start()
    own_mintd.wait_for_store(since=mark)
    assert readiness(own_mintd).status == 200


@brief
@row("O-02")
def test_readyz_when_redis_is_paused(own_mintd, own_redis):
    token = token_of(own_mintd)
    own_redis.pause()
    becomes_unready(own_mintd)
    own_redis.resume()
    becomes_ready(own_mintd)
    assert own_mintd.request("GET", "/secret", [bearer(token)]).status == 200


@row("O-02")
def test_readyz_when_redis_comes_late(start_mintd, own_redis):
    """Redis is away at the start."""
    own_redis.kill()
    mintd = start_mintd(redis=own_redis)
    assert readiness(mintd).status == 503
    assert mintd.request("GET", "/healthz").status == 200
    assert mint(mintd).status == 503
    own_redis.start()
    becomes_ready(mintd)
    install_clients(own_redis)
    eventually(lambda: mint(mintd).status == 200, within=1)


@row("O-02")
def test_readyz_when_redis_flaps(own_mintd, own_redis):
    """Five times away and back."""
    for _ in range(5):
        own_redis.kill()
        becomes_unready(own_mintd, within=1)
        own_redis.start()
        becomes_ready(own_mintd)


def readonly(redis):
    redis.cli("REPLICAOF", "127.0.0.1", free_port())
    return lambda: redis.cli("REPLICAOF", "NO", "ONE")


def out_of_memory(redis):
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    return lambda: redis.cli("CONFIG", "SET", "maxmemory", "0")


def no_authentication(redis):
    redis.cli("CONFIG", "SET", "requirepass", "of-the-test")
    redis.cli("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
    return lambda: redis.cli("CONFIG", "SET", "requirepass", "")


def no_permission(redis):
    redis.cli("ACL", "SETUSER", "default", "-setex", "-set")
    return lambda: redis.cli("ACL", "SETUSER", "default", "+@all")


@pytest.mark.parametrize("breaking", [
    pytest.param(readonly, id="O-02-readonly"),
    pytest.param(out_of_memory, id="O-02-oom"),
    pytest.param(no_authentication, id="O-02-noauth"),
    pytest.param(no_permission, id="O-02-noperm"),
])
def test_readyz_when_redis_refuses(own_mintd, own_redis, breaking):
    repair = breaking(own_redis)
    becomes_unready(own_mintd)
    reason = readiness(own_mintd).json()["reason"]
    response = mint(own_mintd)
    assert response.status == 503 and response.error == "temporarily_unavailable", response
    assert response.get("Retry-After"), response
    repair()
    becomes_ready(own_mintd)
    is_token(mint(own_mintd))
    assert reason not in ("unknown", "error"), reason


@row("O-02")
def test_readyz_while_redis_loads(own_mintd, own_redis):
    """A real LOADING: a slow start from a snapshot."""
    for n in range(2000):
        own_redis.cli("SET", "filler:%d" % n, "x" * 100)
    own_redis.cli("SAVE")
    own_redis.kill()
    becomes_unready(own_mintd, within=1)
    own_redis.start("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024",
                    until=b"Loading RDB")
    refusals, done = 0, False
    while not done:
        status = readiness(own_mintd).status
        done = _loaded(own_redis)
        assert status == 503 or done
        refusals += status == 503
        time.sleep(0.05)
    assert refusals > 5
    becomes_ready(own_mintd)
    eventually(lambda: mint(own_mintd).status == 200, within=1)


def _loaded(redis):
    return "\nloading:0" in redis.cli("INFO", "persistence")  # async_loading is another


@row("O-02")
def test_readyz_is_503_from_sigterm_on(own_mintd):
    """A probe that is under way when the signal comes."""
    probe = request_bytes("GET", "/readyz")
    with own_mintd.connect() as connection, own_mintd.connect() as control:
        connection.send(probe[:-2])
        for _ in range(2):
            control.expect_in_step()  # it has been read
        own_mintd.signal(signal.SIGTERM)
        control.expect_close(within=2)  # it drains
        connection.send(probe[-2:])
        response = connection.read_response()
        assert response.status == 503 and response.says_close, response
        assert response.json()["reason"], response
        connection.expect_close()
    own_mintd.check_end(own_mintd.wait(timeout=10))


# ---- O-03, O-04 ----


def scrape(mintd, address=None):
    if address is None:
        response = mintd.request("GET", "/metrics")
    else:
        with Connection(address) as connection:
            connection.send(request_bytes("GET", "/metrics"))
            response = connection.read_response()
    assert response.status == 200, response
    assert response.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8", response
    return prometheus.parse(response.body)


def families(metrics, kind, *words, labels=()):
    """The families of this type whose name holds one of the words and that carry these labels."""
    return [f for f in metrics.values() if f.type == kind and any(w in f.name for w in words)
            and all(set(labels) <= set(s.labels) for s in f.samples)]


def total(found, **labels):
    return sum(f.value(**labels) for f in found)


@row("O-03")
def test_metrics_format(mintd):
    """Parsed strictly; every name is ours (or the process's, as Prometheus names them)."""
    for name in scrape(mintd):
        assert name.startswith(("mintd_", "process_")), name


@row("O-03")
def test_metrics_cover(mintd):
    """What an operator has to see."""
    token_of(mintd)
    metrics = scrape(mintd)
    assert families(metrics, "counter", "request", "response", labels=["endpoint", "status"])
    assert families(metrics, "counter", "mint", "token", "issued")
    assert families(metrics, "counter", "refus", "reject", "denied", labels=["reason"])
    assert families(metrics, "histogram", "redis", "store")
    assert families(metrics, "gauge", "redis", "store", "link")
    assert families(metrics, "gauge", "connections")
    lag = [f for f in metrics.values() if "lag" in f.name and f.type in ("gauge", "histogram")]
    assert lag, sorted(metrics)
    build = metrics["mintd_build_info"]
    assert build.type == "gauge" and [s.value for s in build.samples] == [1.0], build
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+\S*", build.samples[0].labels["version"]), build
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?", build.samples[0].labels["commit"]), build


@row("O-03")
def test_metrics_count_requests(mintd):
    """By endpoint and status, each once."""
    def counts():
        found = families(scrape(mintd), "counter", "request", "response", labels=["endpoint", "status"])
        return {tuple(sorted(s.labels.items())): s.value for f in found for s in f.samples}

    before = counts()
    for _ in range(7):
        is_token(mint(mintd))
    for _ in range(3):
        mintd.exchange(form_request("/token", b"scope=read", [BA]))
    after = counts()
    rises = {}
    for labels, value in after.items():
        named = dict(labels)
        if "token" == named["endpoint"].strip("/"):
            rises[named["status"]] = rises.get(named["status"], 0) + value - before.get(labels, 0)
    assert {status: n for status, n in rises.items() if n} == {"200": 7, "400": 3}, rises


@row("O-03")
def test_metrics_count_mints_and_refusals(mintd):
    before = scrape(mintd)
    for _ in range(5):
        is_token(mint(mintd))
    for _ in range(4):
        assert mintd.request("GET", "/secret", [bearer("nope")]).status == 401
    after = scrape(mintd)
    minted = [f.name for f in families(after, "counter", "mint", "issued")
              if f.value() - before[f.name].value() == 5]
    assert minted, {f.name: f.value() for f in families(after, "counter", "mint", "issued")}
    refused = [f.name for f in families(after, "counter", "refus", "reject", labels=["reason"])
               if f.value() - before[f.name].value() == 4]
    assert refused, {f.name: f.value() for f in families(after, "counter", "refus", "reject")}


@row("O-03")
def test_metrics_of_redis(own_mintd, own_redis):
    """Round trips are timed, the link's state is told."""
    before = families(scrape(own_mintd), "histogram", "redis", "store")
    token_of(own_mintd)
    after = families(scrape(own_mintd), "histogram", "redis", "store")

    def trips(found):
        return sum(s.value for f in found for s in f.samples if s.name.endswith("_count"))

    assert trips(after) > trips(before)

    def links_up():
        found = [f for f in families(scrape(own_mintd), "gauge", "redis", "store", "link")
                 if re.search(r"_up$|connected|state|ready", f.name)]
        assert found
        return tuple(sorted((f.name, f.value()) for f in found))

    up = links_up()
    own_redis.kill()
    becomes_unready(own_mintd)
    assert links_up() != up
    own_redis.start()
    becomes_ready(own_mintd)
    assert links_up() == up


@row("O-03")
def test_metrics_of_connections(own_mintd):
    """The gauge follows."""
    def opened():
        return max(f.value() for f in families(scrape(own_mintd), "gauge", "connections")
                   if "max" not in f.name and "limit" not in f.name)

    base = opened()
    held = [own_mintd.connect() for _ in range(10)]
    for connection in held:
        connection.expect_in_step()
    assert opened() == base + 10
    for connection in held:
        connection.close()
    eventually(lambda: opened() == base, within=2)


@row("O-03")
def test_metrics_never_fall(mintd):
    """Between two looks, whatever happens between them."""
    seen = scrape(mintd)
    for raw in (HEALTH, token_request(), request_bytes("GET", "/nope"), b"x\r\n\r\n",
                request_bytes("GET", "/secret", [bearer("nope")]), request_bytes("GET", "/verify")):
        mintd.exchange(raw)
        now = scrape(mintd)
        prometheus.check_never_falls(seen, now)
        seen = now


@row("O-03")
def test_metrics_hold_nothing_of_the_caller(mintd):
    """No label whose values a caller can make up."""
    def series():
        return {(s.name, tuple(sorted(s.labels.items())))
                for f in scrape(mintd).values() for s in f.samples}

    canary = "canary5d1e"
    requests = [request_bytes("GET", "/" + canary), request_bytes("GET", "/verify/" + canary),
                request_bytes("GET", "/secret", [bearer(canary)]),
                request_bytes("GET", "/healthz", [("X-Request-Id", canary)], host=canary),
                form_request("/token", G + b"&scope=" + canary.encode(), [BA]),
                form_request("/token", b"grant_type=" + canary.encode(), [BA]),
                form_request("/token", G + b"&client_id=%s&client_secret=x" % canary.encode())]
    for raw in requests:
        mintd.exchange(raw)
    series()  # it is an answer itself, that the next one tells of
    before = series()
    for raw in requests:
        mintd.exchange(raw.replace(canary.encode(), canary.encode()[::-1]))
    assert series() == before
    assert canary not in repr(before)


@row("O-03")
def test_metrics_sum_over_workers(start_mintd, own_redis):
    """One look sees what all workers did, whichever answers."""
    mintd = start_mintd(redis=own_redis, workers=3)
    mintd.wait_for_store()
    becomes_ready(mintd)

    def served():
        found = families(scrape(mintd), "counter", "request", "response", labels=["endpoint", "status"])
        return sum(s.value for f in found for s in f.samples
                   if s.labels["endpoint"].strip("/") == "secret" and s.labels["status"] == "401")

    before = served()
    for _ in range(60):
        assert mintd.request("GET", "/secret").status == 401
    assert served() == before + 60


@row("O-04")
def test_metrics_on_a_listener_of_their_own(start_mintd, own_redis):
    """Then not on the public one."""
    port = free_port()
    mintd = start_mintd("--metrics-listen", "127.0.0.1:%d" % port, redis=own_redis)
    mintd.wait_for_store()
    public = next(a for a in mintd.addresses() if a[1] != port)
    with Connection(public) as connection:
        connection.send(request_bytes("GET", "/metrics"))
        assert connection.read_response().status == 404
    assert "mintd_build_info" in scrape(mintd, ("127.0.0.1", port))
    with Connection(("127.0.0.1", port)) as connection:
        connection.send(token_request())
        assert connection.read_response().status == 404


# ---- O-05 ----


def refuses_connections(address):
    try:
        socket.create_connection(address, timeout=scaled(5)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


class Caller(threading.Thread):
    """Asks again and again on one connection until it is told to go, and writes down how each
    request that went out before the signal ended."""

    def __init__(self, address, raw):
        super().__init__(daemon=True)
        self._address, self._raw = address, raw
        self.answered, self.problems, self.signalled, self.late = 0, [], None, 0

    def run(self):
        connection = Connection(self._address)
        while True:
            try:
                connection.send(self._raw)
            except OSError:
                return  # nothing went out
            sent = time.monotonic()
            try:
                response = connection.read_response()
            except Closed as end:
                # A request may meet the close of an idle connection; one sent before may not.
                if end.got or self.signalled is None or sent < self.signalled:
                    self.problems.append(repr(end))
                return
            except (AssertionError, OSError) as problem:
                self.problems.append(repr(problem))
                return
            if response.status != 200:
                self.problems.append(repr(response))
            self.answered += 1
            if response.says_close:
                self.late += 1
                connection.close()
                return
            time.sleep(0.02)


@row("O-05")
def test_sigterm_under_load(own_mintd):
    """Over 200 requests a second; each that was sent is answered, the exit is 0."""
    token = token_of(own_mintd)
    kinds = [token_request(), HEALTH, request_bytes("GET", "/secret", [bearer(token)])]
    callers = [Caller(own_mintd.address, kinds[n % len(kinds)]) for n in range(12)]
    for caller in callers:
        caller.start()
    eventually(lambda: all(c.answered >= 10 for c in callers), within=10)
    now = time.monotonic()
    for caller in callers:
        caller.signalled = now
    own_mintd.signal(signal.SIGTERM)
    own_mintd.check_end(own_mintd.wait(timeout=10))
    for caller in callers:
        caller.join(scaled(5))
        assert not caller.is_alive() and not caller.problems, caller.problems


@row("O-05")
def test_sigterm_waits_for_requests_under_way(start_mintd, own_redis):
    """Requests that wait for Redis when the signal comes get their answers."""
    mintd = start_mintd("--redis-timeout", "5000", redis=own_redis)
    mintd.wait_for_store()
    token_of(mintd)
    connections = [mintd.connect() for _ in range(5)]
    control = mintd.connect()
    for connection in connections:
        connection.expect_in_step()
    control.expect_in_step()
    own_redis.pause()
    for connection in connections:
        connection.send(token_request())
    for _ in range(2):
        control.expect_in_step()
    mintd.signal(signal.SIGTERM)
    control.expect_close(within=2)
    eventually(lambda: refuses_connections(mintd.address), within=2)
    assert mintd.is_alive
    own_redis.resume()
    for connection in connections:
        response = connection.read_response()
        is_token(response)
        assert response.says_close, response
        connection.expect_close()
        connection.close()
    mintd.check_end(mintd.wait(timeout=10))


@pytest.mark.lengthy
@row("O-05")
def test_sigterm_with_connections_that_hang(own_mintd):
    """Idle, half a head, half a body, unread answers: gone within 10 s."""
    idle, fresh, head, body, deaf = (own_mintd.connect() for _ in range(5))
    idle.expect_in_step()
    head.send(b"GET /healthz HTTP/1.1\r\nHo")
    body.send(token_request([("Content-Length", "29")], body=None) + G[:10])
    deaf.socket.settimeout(0.2)
    try:
        deaf.socket.sendall(request_bytes("GET", "/metrics") * 20_000)
    except TimeoutError:
        pass
    idle.expect_in_step()
    start = time.monotonic()
    own_mintd.signal(signal.SIGTERM)
    idle.expect_close(within=2)
    fresh.expect_close(within=10)
    own_mintd.check_end(own_mintd.wait(timeout=11))
    assert time.monotonic() - start <= scaled(10.5)
    for connection in (idle, fresh, head, body, deaf):
        connection.close()


def slow_checks(mintd):
    text = mintd.request("GET", "/metrics").body.decode()
    return int(re.search(r"^mintd_secret_slow_checks_total ([0-9]+)", text, re.MULTILINE)[1])


def answer_of_the_end(connection):
    """401: checked; 503: given back; None, where it was being checked when the end came. And when."""
    with connection:
        try:
            response = connection.read_response()
        except Closed as closed:
            assert not closed.got, closed
            return None, time.monotonic()
        except ConnectionError:
            return None, time.monotonic()
    if response.status == 401:
        check_err(response, 401, "invalid_client")
    else:
        check_err(response, 503, "temporarily_unavailable")
    return response.status, time.monotonic()


def end_with_slow_secrets(mintd, redis, *signals):
    """The end, while as many slow secrets wait as one address may have; after how many seconds they were given
    back. After that those that are being checked are waited for, and no other: two, and where each worker gives
    back its own, two more may begin between one worker's and the next."""
    redis.cli("HSET", "mintd:client:slow", "secret:1", "$scrypt$ln=15,r=8,p=10$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43)
    mintd.wait_for_store()
    with ThreadPoolExecutor(34) as callers:
        answers = []
        for number in range(34):
            connection = mintd.connect(timeout=30)
            connection.send(form_request("/token", G, [basic("slow", "wrong %d" % number)]))
            answers.append(callers.submit(answer_of_the_end, connection))
        eventually(lambda: slow_checks(mintd) >= 34, within=5)
        start = time.monotonic()
        for number in signals:
            mintd.signal(number)
            mintd.wait_for_log("draining")
        mintd.check_end(mintd.wait(timeout=60))
        answers = [answer.result() for answer in answers]
    given_back = [when for status, when in answers if status == 503]
    assert given_back and sum(status is None for status, _ in answers) <= 2, answers
    reasons = [line["reason"] for line in mintd.find_log("refused")]
    behind = reasons[reasons.index("too many secrets to check"):]
    assert len(behind) - behind.count("too many secrets to check") <= 4, reasons
    return max(given_back) - start


@row("O-05")
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_with_a_queue_of_slow_secrets(start_mintd, own_redis, workers):
    """Those that were not begun when their time is up are not waited for: they get a 503."""
    mintd = start_mintd("--failure-limit", "0", redis=own_redis, workers=workers)
    took = end_with_slow_secrets(mintd, own_redis, signal.SIGTERM)
    assert took <= scaled(9.5), took


@row("O-05")
def test_second_sigterm_with_a_queue_of_slow_secrets(start_mintd, own_redis):
    """Ends it at once: but for the secrets that are being checked."""
    mintd = start_mintd("--failure-limit", "0", redis=own_redis)
    took = end_with_slow_secrets(mintd, own_redis, signal.SIGTERM, signal.SIGTERM)
    assert took <= scaled(2), took


@row("O-05")
def test_sigterm_when_nothing_goes_on(own_mintd):
    """Then there is nothing to wait for."""
    own_mintd.stop(timeout=2)


@brief
@pytest.mark.parametrize("breaking", [
    pytest.param(RedisServer.kill, id="O-05-redis-killed"),
    pytest.param(RedisServer.pause, id="O-05-redis-paused")])
def test_sigterm_without_redis(own_mintd, own_redis, breaking):
    breaking(own_redis)
    becomes_unready(own_mintd)
    own_mintd.stop(timeout=5)


@row("O-05")
def test_sigterm_right_after_the_start(start_mintd, own_redis):
    """Before the store is up, or just then."""
    for _ in range(5):
        start_mintd(redis=own_redis).stop(timeout=5)


@row("O-05")
@pytest.mark.parametrize("hanging", [False, True])
def test_more_sigterms(own_mintd, hanging):
    """An impatient supervisor: whenever the signals come, the exit status is 0."""
    with own_mintd.connect() as connection:
        connection.send(b"GET /hea" if hanging else HEALTH)
        own_mintd.request("GET", "/healthz")
        while own_mintd.is_alive:
            own_mintd.signal(signal.SIGTERM)
            time.sleep(0.0005)
    own_mintd.check_end(own_mintd.wait(timeout=10))


@row("O-05")
def test_sigint_ends_too(own_mintd):
    """As typed at a terminal."""
    own_mintd.signal(signal.SIGINT)
    own_mintd.check_end(own_mintd.wait(timeout=10))
