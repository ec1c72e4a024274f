"""What breaks: Redis stops, dies, lies, stutters; clients vanish; SIGTERM comes at the worst moment.

Whatever happens: no answer is late, no answer is wrong (an unknown is 503, never 401 and never 200),
mintd lives on, and service is back by itself as soon as Redis is.
"""
import os
import random
import signal
import threading
import time

import pytest

from support.clients import BA, G, basic, bearer, install_clients, token_key
from support.http import Closed, Connection, form_request, request_bytes
from support.oauth import (REDIS_TIMEOUT, brief, check_bearer, check_tok, check_unavailable, check_welcome, forged_token,
                           make_client, minted, post, row, rows, use, wait_status, wait_until)
from support.redis_proxy import Call, Cut, Delay, RedisProxy, Replace, is_mint, key_is
from support.redis_server import RedisServer
from support.timing import Clock, scaled
from support.wire import Wire

BACK_WITHIN = 1.0
pytestmark = brief


def requests_of(token):
    """One request to each endpoint that asks Redis, without failing logins: (what it gets, bytes)."""
    return {"token": (200, form_request("/token", G, [BA])), "auth": (200, form_request("/auth", G, [BA])),
            "token_body": (200, form_request("/token", G + b"&client_id=svc-a&client_secret=s3cret-A_1.x~")),
            "secret": (200, request_bytes("GET", "/secret", [bearer(token)])),
            "secret_unknown": (401, request_bytes("GET", "/secret", [bearer(forged_token())]))}


MINTS = ("token", "auth", "token_body")


def all_requests_of(token):
    """Those, failing logins, and every other endpoint that asks Redis. Nothing is revoked by them."""
    return {**requests_of(token), "token_wrong": (401, form_request("/token", G, [basic("svc-a", "wrong")])),
            "token_unknown": (401, form_request("/token", G, [basic("nobody", "x")])),
            "verify": (200, request_bytes("GET", "/verify", [bearer(token)])),
            "verify_below": (200, request_bytes("POST", "/verify/app", [bearer(token)])),
            "verify_unknown": (401, request_bytes("GET", "/verify", [bearer(forged_token())])),
            "introspect": (200, form_request("/introspect", [("token", token)], [BA])),
            "introspect_unknown": (200, form_request("/introspect", [("token", forged_token())], [BA])),
            "revoke_unknown": (200, form_request("/revoke", [("token", forged_token())], [BA]))}


def timed(instance, raw):
    """The answer and the seconds it took, connecting left out."""
    with instance.connect() as connection:
        clock = Clock(instance.pid)
        connection.send(raw)
        response = connection.read_response()
        return response, clock.taken()


def check_service_is_away(instance, token, limit=REDIS_TIMEOUT + 0.05):
    """Each endpoint says so, and in time; what needs no Redis works."""
    for name, (_, raw) in all_requests_of(token).items():
        response, took = timed(instance, raw)
        check_unavailable(response)
        assert took <= scaled(limit), (name, took)
    response, took = timed(instance, request_bytes("GET", "/readyz"))
    assert response.status == 503 and took <= scaled(limit), (response, took)
    assert response.json()
    for raw, status in ((request_bytes("GET", "/healthz"), 200), (request_bytes("GET", "/nope"), 404),
                        (request_bytes("GET", "/secret"), 401),
                        (form_request("/token", b"grant_type=%zz", [BA]), 400),
                        (request_bytes("GET", "/secret", [bearer("nope")]), 401)):
        response, took = timed(instance, raw)
        assert response.status == status and took <= scaled(0.1), (response, took)


def check_service_is_back(instance, within=BACK_WITHIN):
    """/readyz may say what was true a second ago: a mint tells."""
    wait_until(lambda: post(instance, "/token", G, BA).status == 200, within, "a token is minted again")
    wait_status(instance, 200, within=2)
    token, _ = minted(instance, "/auth")
    check_welcome(use(instance, token))
    check_bearer(use(instance, forged_token()), 401, "invalid_token")


def open_files(instance):
    return len(os.listdir("/proc/%d/fd" % instance.pid))


@pytest.fixture
def two(start_mintd, own_redis):
    """Two instances on a Redis of this test alone."""
    instances = [start_mintd(redis=own_redis) for _ in range(2)]
    for instance in instances:
        instance.wait_for_store()
    return instances


@pytest.fixture
def proxy(own_redis):
    proxy = RedisProxy(own_redis.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def fleet(start_mintd, own_redis):
    """Instances that reach one Redis, each through a proxy of its own: [(instance, proxy)]. They
    remember nothing: each request asks."""
    proxies = [RedisProxy(own_redis.port) for _ in range(8)]
    instances = [start_mintd("--cache-size", "0", redis=proxy.url, wait=False) for proxy in proxies]
    for instance in instances:
        instance.wait_for_store()
    yield list(zip(instances, proxies))
    for proxy in proxies:
        proxy.stop()


def side_by_side(fleet, items, work):
    """work(instance, proxy, item) for each item, an instance taking one after the other: a lost link
    is made anew after up to 500 ms, and that is waited for in many places at once."""
    problems = []

    def run(number):
        try:
            for item in items[number :: len(fleet)]:
                work(*fleet[number], item)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(fleet))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def wait_ready(instance, within=BACK_WITHIN):
    """As wait_status() does, on one connection: cheap enough for many at a time."""
    ready = request_bytes("GET", "/readyz")
    with Wire(instance.address) as wire:
        deadline = time.monotonic() + scaled(within)
        while wire.ask(ready)[0] != 200:
            assert time.monotonic() < deadline, "not ready within %.2f s" % within
            time.sleep(0.01)


@pytest.fixture
def proxied(start_mintd, proxy):
    """One instance that reaches Redis through the proxy, and remembers nothing: each request asks."""
    instance = start_mintd("--cache-size", "0", redis=proxy.url)
    instance.wait_for_store()
    return instance


@pytest.fixture
def remembering(start_mintd, proxy):
    """The same with its memory."""
    instance = start_mintd(redis=proxy.url)
    instance.wait_for_store()
    return instance


# ---- Redis stops ----


@row("G-11-stopped")
def test_stopped_redis(two, own_redis):
    token, _ = minted(two[0])
    check_welcome(use(two[1], token))
    own_redis.pause()
    for instance in two:
        check_service_is_away(instance, token)
        check_service_is_away(instance, token)  # the first time, and once it is known
    own_redis.resume()
    for instance in two:
        check_service_is_back(instance)
        check_welcome(use(instance, token))


@row("G-11-stopped-under-load")
def test_stopped_redis_under_load(own_mintd, own_redis):
    """Many requests at once, some under way as Redis stops: each is answered. (How soon is measured
    where nothing else runs; here 24 threads of Python take turns.)"""
    token, _ = minted(own_mintd)
    requests = [raw for _, raw in requests_of(token).values()]
    pace = threading.Event()
    problems, counts = [], {}

    def worker(number):
        try:
            with own_mintd.connect() as connection:
                turn = number
                while not pace.is_set():
                    turn += 1
                    started = time.monotonic()
                    connection.send(requests[turn % len(requests)])
                    response = connection.read_response()
                    took = time.monotonic() - started
                    counts[response.status] = counts.get(response.status, 0) + 1
                    if took > scaled(REDIS_TIMEOUT + 1):
                        problems.append("%.3f s for %r" % (took, response))
        except Exception as problem:
            problems.append(repr(problem))

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    wait_until(lambda: counts.get(200, 0) > 100, 10)
    own_redis.pause()
    wait_until(lambda: counts.get(503, 0) > 200, 10)
    own_redis.resume()
    before = counts.get(200, 0)
    wait_until(lambda: counts.get(200, 0) > before + 100, 10)
    pace.set()
    for thread in threads:
        thread.join()
    assert not problems, problems[:5]
    assert counts.keys() <= {200, 401, 503}, counts
    check_service_is_back(own_mintd)


@row("G-11-long-stop")
def test_long_stop(own_mintd, own_redis):
    """Longer than a silent link is trusted: it is dropped, and made anew."""
    token, _ = minted(own_mintd)
    own_redis.pause()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        response, took = timed(own_mintd, request_bytes("GET", "/secret", [bearer(token)]))
        check_unavailable(response)
        assert took <= scaled(REDIS_TIMEOUT + 0.05), took
    own_redis.resume()
    check_service_is_back(own_mintd)
    check_welcome(use(own_mintd, token))


@row("T-36")
def test_redis_killed(two, own_redis):
    token, _ = minted(two[0])
    own_redis.kill()
    for instance in two:
        check_service_is_away(instance, token)
    own_redis.start()
    install_clients(own_redis)
    for instance in two:
        check_service_is_back(instance)
        # It lived in the memory of the Redis that died.
        check_bearer(use(instance, token), 401, "invalid_token")


@row("G-10a")
def test_redis_killed_again_and_again(two, own_redis):
    """Each token that was acknowledged while Redis lived was in it."""
    for _ in range(5):
        for instance in two:
            check_service_is_back(instance, within=2)
        tokens = []
        for number in range(20):
            response = post(two[number % 2], "/token", G, BA)
            tokens.append(check_tok(response, "/token"))
        assert all(own_redis.cli("EXISTS", token_key(t)) for t in tokens)
        own_redis.kill()
        for instance in two:
            check_unavailable(post(instance, "/token", G, BA))
        own_redis.start()
        install_clients(own_redis)


@row("G-10b")
def test_tokens_survive_a_restart_of_a_redis_that_writes_them_down(start_mintd):
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        install_clients(server)
        instance = start_mintd(redis=server)
        instance.wait_for_store()
        tokens = [minted(instance)[0] for _ in range(50)]
        server.kill()
        check_unavailable(use(instance, tokens[0]))
        server.start()
        wait_status(instance, 200, within=2)
        for token in tokens:
            check_welcome(use(instance, token))


@row("R-14")
def test_good_token_is_never_called_invalid(two, own_redis):
    """Redis comes and goes while a live token is used all the time: 200 or 503, never 401."""
    token, _ = minted(two[0])
    seen, stop = [], threading.Event()

    def worker(instance):
        try:
            while not stop.is_set():
                seen.append(use(instance, token))
        except Exception as problem:
            seen.append(problem)

    threads = [threading.Thread(target=worker, args=(i,)) for i in two]
    for thread in threads:
        thread.start()
    for _ in range(4):
        before = len(seen)
        own_redis.pause()
        wait_until(lambda: any(r.status == 503 for r in seen[before:]), 5)
        own_redis.resume()
        before = len(seen)
        wait_until(lambda: any(r.status == 200 for r in seen[before:]), 5)
    stop.set()
    for thread in threads:
        thread.join()
    assert {r.status for r in seen} == {200, 503}
    for response in seen:
        if response.status == 503:
            check_unavailable(response)


@row("O-01")
def test_health_needs_no_redis(start_mintd, own_redis):
    own_redis.kill()
    instance = start_mintd(redis=own_redis)
    for _ in range(20):
        response, took = timed(instance, request_bytes("GET", "/healthz"))
        assert response.status == 200 and took < scaled(0.1)
    check_service_is_away(instance, forged_token())


@row("FAULT-redis-timeout-flag")
def test_redis_timeout_flag(start_mintd, own_redis):
    instance = start_mintd("--redis-timeout", "100", redis=own_redis)
    instance.wait_for_store()
    token, _ = minted(instance)
    own_redis.pause()
    check_service_is_away(instance, token, limit=0.15)
    own_redis.resume()
    check_service_is_back(instance)


# ---- Redis is slow ----


@row("FAULT-slow")
def test_slow_redis_is_waited_for(proxied, proxy):
    """Slower than usual and faster than the deadline."""
    proxy.rule = lambda command: Delay(0.02)
    token, _ = minted(proxied)
    check_welcome(use(proxied, token))


@rows("FAULT-slow", token="token", client="client", setex="SETEX", all="")
def test_too_slow_redis(proxied, proxy, case):
    """The deadline is the request's, however many commands it takes."""
    token, _ = minted(proxied)

    def rule(command):
        if case == "SETEX":
            return Delay(0.6) if is_mint(command) else None
        return Delay(0.6 if case else 0.2) if key_is(command, case.encode()) else None

    proxy.rule = rule
    for name, (good, raw) in all_requests_of(token).items():
        response, took = timed(proxied, raw)
        assert took <= scaled(REDIS_TIMEOUT + 0.05), (name, took)
        if response.status == 503:
            check_unavailable(response)
        else:
            assert response.status == good, (name, response)
    proxy.rule = None
    check_service_is_back(proxied, within=3)


@pytest.mark.lengthy
@row("G-11-crossed")
def test_late_replies_reach_nobody(proxied, proxy, own_redis):
    """Replies that come after their deadline, while many clients use many tokens: no answer ever
    names another's client, scope or token."""
    names = ["owner-%d" % n for n in range(20)]
    for name in names:
        make_client(own_redis, name, "secret-of-" + name, scope=name)
    tokens = {n: [minted(proxied, "/token", G,
                         basic(n, "secret-of-" + n))[0] for _ in range(5)] for n in names}
    chance = random.Random(11)
    proxy.rule = lambda command: Delay(0.3) if chance.random() < 0.004 else None
    problems, counts, lock = [], {}, threading.Lock()

    def count(status):
        with lock:
            counts[status] = counts.get(status, 0) + 1

    def worker(number):
        dice = random.Random(number)
        try:
            with proxied.connect() as connection:
                for turn in range(300):
                    name = dice.choice(names)
                    if turn % 4:
                        connection.send(request_bytes("GET", "/secret", [bearer(dice.choice(tokens[name]))]))
                    elif turn % 8:
                        connection.send(form_request("/auth", G, [basic(name, "secret-of-" + name)]))
                    else:
                        connection.send(request_bytes("GET", "/secret",
                                                      [bearer(forged_token(dice.choice("abcdefgh")))]))
                    response = connection.read_response()
                    count(response.status)
                    assert response.status in ((200, 503) if turn % 8 else (401, 503)), response
                    if response.status == 200:
                        document = response.json()
                        assert document["client"]["id"] == name and document["scope"] == name, response
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proxy.rule = None
    assert not problems, problems[:3]
    assert counts.get(503, 0) > 10 and counts[200] > 200, counts
    check_service_is_back(proxied, within=3)
    # What each token says in Redis is what it was given for.
    for name in names:
        for token in tokens[name]:
            check_welcome(use(proxied, token), name, name)


# ---- Redis dies between a write and its reply ----


@row("T-37")
def test_link_cut_between_setex_and_its_reply(proxied, proxy):
    minted(proxied)
    for size in range(len(b"+OK\r\n")):
        proxy.rule = lambda command: Cut(size) if is_mint(command) else None
        for endpoint in ("/token", "/auth"):
            check_unavailable(post(proxied, endpoint, G, BA))
            wait_status(proxied, 200, within=2)
    proxy.rule = None
    check_service_is_back(proxied)


@row("T-37")
def test_redis_killed_between_setex_and_its_reply(proxied, proxy, own_redis):
    minted(proxied)
    proxy.rule = lambda command: Call(own_redis.kill) if is_mint(command) else None
    # The reply is on its way as Redis dies: either answer is true, and both come in time.
    response, took = timed(proxied, form_request("/auth", G, [BA]))
    assert response.status in (200, 503) and took <= scaled(REDIS_TIMEOUT + 0.05), (response, took)
    proxy.rule = None
    check_service_is_away(proxied, forged_token())


@pytest.mark.lengthy
@rows("FAULT-cut", client="client", token="token", generation="generation", setex="SETEX")
def test_link_cut_at_every_byte_of_a_reply(fleet, own_redis, case):
    """Half an answer is no answer."""
    instance, proxy = fleet[0]
    token, _ = minted(instance)
    own_redis.cli("SETNX", "mintd:generation", "0")

    def matches(command):
        return is_mint(command) if case == "SETEX" else (
            key_is(command, case.encode()) and not is_mint(command))

    sizes = []

    def watch(command):
        return Call(lambda: sizes.append(len(proxy.replies[-1]))) if matches(command) else None

    proxy.rule = watch
    name = "secret" if case == "token" else "token"
    raw = requests_of(token)[name][1]
    assert instance.exchange(raw).status == 200
    proxy.rule = None
    if not sizes:
        pytest.skip("this request does not read it")

    def cut(instance, proxy, size):
        proxy.rule = lambda command: Cut(size) if matches(command) else None
        response, took = timed(instance, raw)
        check_unavailable(response)
        assert took <= scaled(REDIS_TIMEOUT + 0.05), (size, took)
        proxy.rule = None
        wait_ready(instance, within=2)

    side_by_side(fleet, range(max(sizes)), cut)
    for instance, _ in fleet:
        assert instance.exchange(raw).status == 200


@pytest.mark.lengthy
@row("FAULT-cut-hello")
def test_link_cut_at_every_byte_of_the_greeting(fleet):
    """Connecting again after each; in the end it does."""
    _, proxy = fleet[0]
    greetings = []
    proxy.rule = lambda command: Call(
        lambda: greetings.append(proxy.replies[-1])) if command[0].upper() == b"HELLO" else None
    proxy.cut()
    wait_until(lambda: greetings, 5, "it greets")
    whole = min(len(greeting) for greeting in greetings)
    wait_ready(fleet[0][0], within=2)

    def cut(instance, proxy, size):
        done = threading.Event()

        def rule(command):
            if command[0].upper() != b"HELLO" or done.is_set():
                return None
            done.set()
            return Cut(size)

        proxy.rule = rule
        proxy.cut()
        assert done.wait(scaled(5)), "it did not greet"
        wait_ready(instance, within=3)

    side_by_side(fleet, range(whole), cut)
    for instance, proxy in fleet:
        proxy.rule = None
        check_service_is_back(instance, within=3)


# ---- Redis refuses, or talks nonsense ----

ERRORS = {
    "OOM": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "READONLY": b"-READONLY You can't write against a read only replica.\r\n",
    "LOADING": b"-LOADING Redis is loading the dataset in memory\r\n",
    "NOAUTH": b"-NOAUTH Authentication required.\r\n",
    "WRONGPASS": b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    "NOPERM": b"-NOPERM this user has no permissions to run the command\r\n",
    "MISCONF": b"-MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.\r\n",
    "MASTERDOWN": b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "CLUSTERDOWN": b"-CLUSTERDOWN Hash slot not served\r\n",
    "MOVED": b"-MOVED 3999 127.0.0.1:1\r\n",
    "ASK": b"-ASK 3999 127.0.0.1:1\r\n",
    "TRYAGAIN": b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    "BUSY": b"-BUSY Redis is busy running a script.\r\n",
    "NOREPLICAS": b"-NOREPLICAS Not enough good replicas to write.\r\n",
    "WRONGTYPE": b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    "max_clients": b"-ERR max number of clients reached\r\n",
    "unknown_command": b"-ERR unknown command\r\n",
    "EXECABORT": b"-EXECABORT x\r\n",
    "empty_error": b"-\r\n",
    "blob_error": b"!21\r\nSYNTAX invalid syntax\r\n",
}
NONSENSE = {
    "garbage": b"HTTP/1.1 200 OK\r\n\r\n", "binary": bytes(range(256)), "newlines": b"\r\n\r\n\r\n",
    "nul": b"\0" * 64,
    "bad_length": b"$-5\r\n", "bad_number": b":abc\r\n", "huge_bulk": b"$999999999999\r\n",
    "huge_array": b"*2147483647\r\n",
    "deep": b"*1\r\n" * 64, "overflow": b"$99999999999999999999999\r\n", "truncated_bulk": b"$100\r\nabc",
    "truncated_line": b"+O", "truncated_array": b"*2\r\n$1\r\na\r\n", "long_line": b"+" + b"x" * 200000,
}
ODD_TYPES = {
    "integer": b":1\r\n", "negative": b":-1\r\n", "other_status": b"+QUEUED\r\n", "empty_status": b"+\r\n",
    "true": b"#t\r\n", "double": b",1.5\r\n",
    "big": b"(12345678901234567890123\r\n", "empty_array": b"*0\r\n", "array_of_nil": b"*2\r\n$-1\r\n$-1\r\n",
    "odd_array": b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "map_of_maps": b"%1\r\n%0\r\n%0\r\n",
    "verbatim": b"=7\r\ntxt:abc\r\n", "set": b"~1\r\n$1\r\na\r\n",
}


def check_refusals(instance, proxy, replacement, token, allowed=(503,), remembers=False):
    """Each command about our keys gets the replacement for a reply; then none does. What is in memory
    may be answered as it should be."""
    proxy.rule = lambda command: Replace(replacement) if key_is(command, b"token", b"client",
                                                                b"generation") else None
    for name, (good, raw) in all_requests_of(token).items():
        response, took = timed(instance, raw)
        assert took <= scaled(REDIS_TIMEOUT + 0.05), (name, took)
        right = (good,) if remembers and name not in MINTS else ()
        assert response.status in allowed + right, (name, response)
        if response.status == 503:
            check_unavailable(response)
    assert instance.request("GET", "/healthz").status == 200
    # What was believed, if it could be believed, is forgotten with the link.
    proxy.rule = lambda command: Replace(b"?") if key_is(command, b"token") else None
    check_unavailable(use(instance, forged_token()))
    proxy.rule = None
    wait_status(instance, 200, within=3)
    # A write alone fails: no token is given out.
    proxy.rule = lambda command: Replace(replacement) if is_mint(command) else None
    for endpoint in ("/token", "/auth"):
        response = instance.exchange(form_request(endpoint, G, [BA]), timeout=5)
        check_unavailable(response)
        wait_status(instance, 200, "/healthz")
    proxy.rule = None
    # A line without an end swallows the reply behind it, and the link seems alive for 2 s more.
    check_service_is_back(instance, within=5)
    check_welcome(use(instance, token))


@rows("G-12", **ERRORS)
def test_error_reply(proxied, proxy, case):
    check_refusals(proxied, proxy, case, minted(proxied)[0])


@rows("G-12", **NONSENSE)
def test_nonsense_for_a_reply(proxied, proxy, case):
    check_refusals(proxied, proxy, case, minted(proxied)[0])


@rows("G-12", **ODD_TYPES)
def test_reply_of_another_type(proxied, proxy, case):
    """Well-formed and never asked for. An empty array may be a hash without fields, a verbatim string a
    token's record: those are a no."""
    allowed = (401, 503) if case[:1] in b"*=" else (503,)
    check_refusals(proxied, proxy, case, minted(proxied)[0], allowed)


@rows("G-12-memory", **ERRORS, **NONSENSE, **ODD_TYPES)
def test_bad_reply_with_memory(remembering, proxy, case):
    """Right from memory, or 503; and a write that was not acknowledged gives out no token."""
    token, _ = minted(remembering)
    assert use(remembering, token).status == 200
    assert remembering.exchange(all_requests_of(token)["token_unknown"][1]).status == 401
    allowed = (401, 503) if case in ODD_TYPES.values() and case[:1] in b"*=" else (503,)
    check_refusals(remembering, proxy, case, token, allowed, remembers=True)


@row("G-12-unasked")
def test_reply_that_nobody_asked_for(proxied, proxy):
    token, _ = minted(proxied)
    proxy.rule = lambda command: Replace(b"+OK\r\n" * 3) if is_mint(command) else None
    for _ in range(5):
        # The first may pass for the reply; what follows it must not pass for another's.
        response = post(proxied, "/token", G, BA)
        assert response.status in (200, 503), response
        response = use(proxied, token)
        assert response.status in (200, 503), response
        response = use(proxied, forged_token())
        assert response.status in (401, 503), response
        wait_status(proxied, 200, within=2)
    proxy.rule = None
    check_service_is_back(proxied, within=2)


@rows("G-12-hello", **ERRORS, **NONSENSE)
def test_greeting_refused(start_mintd, proxy, case):
    """mintd stays up and says so; it serves as soon as Redis lets it in."""
    refuse = lambda command: Replace(case) if command[0].upper() in (b"HELLO",
                                                                     b"AUTH") else None  # noqa: E731
    proxy.rule = refuse
    instance = start_mintd(redis=proxy.url)
    # A refused HELLO may mean an older Redis: then it may do without.
    wait_until(lambda: instance.find_log("store is up")
               or len([c for c in proxy.commands if c[0].upper() == b"HELLO"]) >= 2, 10, "it tries again")
    if not instance.find_log("store is up"):
        check_service_is_away(instance, forged_token())
    proxy.rule = None
    check_service_is_back(instance, within=3)


@row("FAULT-back-off")
def test_connects_at_a_decent_pace(start_mintd, proxy):
    """A Redis that hangs up at once is not stormed: 10 connects a second at most, in the long run."""
    proxy.rule = lambda command: Cut(0)
    start_mintd(redis=proxy.url)
    wait_until(lambda: len(proxy.links) >= 3, 5)
    before, started = len(proxy.links), time.monotonic()
    wait_until(lambda: time.monotonic() - started > 3, 10)
    assert 2 <= len(proxy.links) - before <= 30, len(proxy.links) - before


@row("FAULT-password")
def test_redis_password_that_is_changed(start_mintd):
    with RedisServer("--requirepass", "canary-of-redis") as server:
        instance = start_mintd(redis="redis://:canary-of-redis@127.0.0.1:%d" % server.port)
        instance.wait_for_store()
        server.cli("AUTH", "canary-of-redis")
        install_clients(server)
        check_service_is_back(instance)
        server.cli("CONFIG", "SET", "requirepass", "another-canary")
        server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        instance.wait_for_log(lambda line: line.get("trouble") == "noauth")
        assert instance.request("GET", "/readyz").status == 503
        check_unavailable(post(instance, "/token", G, BA))
        server.cli("CONFIG", "SET", "requirepass", "canary-of-redis")
        check_service_is_back(instance, within=2)
        assert "canary" not in instance.log_text


@row("FAULT-oom")
def test_redis_out_of_memory(own_mintd, own_redis):
    """The real thing: reads go on, mints do not."""
    token, _ = minted(own_mintd)
    own_redis.cli("CONFIG", "SET", "maxmemory", "1")
    for endpoint in ("/token", "/auth"):
        check_unavailable(post(own_mintd, endpoint, G, BA))
    check_welcome(use(own_mintd, token))
    own_redis.cli("CONFIG", "SET", "maxmemory", "0")
    check_service_is_back(own_mintd)


@row("FAULT-readonly")
def test_redis_becomes_a_replica(own_mintd, own_redis):
    token, _ = minted(own_mintd)
    own_redis.cli("REPLICAOF", "127.0.0.1", "1")
    check_unavailable(post(own_mintd, "/token", G, BA))
    response = use(own_mintd, token)
    assert response.status in (200, 503), response
    own_redis.cli("REPLICAOF", "NO", "ONE")
    check_service_is_back(own_mintd)


@row("FAULT-client-kill")
def test_redis_closes_the_link(two, own_redis):
    token, _ = minted(two[0])
    for _ in range(10):
        own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for instance in two:
            response = use(instance, token)
            assert response.status in (200, 503), response
        for instance in two:
            check_service_is_back(instance)


@row("FAULT-flapping")
def test_flapping_link(proxied, proxy):
    """Cut at random moments under load: only true answers, and no file left open."""
    token, _ = minted(proxied)
    before = open_files(proxied)
    stop, counts, problems = threading.Event(), {}, []

    def worker(number):
        try:
            with proxied.connect() as connection:
                good, raw = list(requests_of(token).values())[number]
                while not stop.is_set():
                    connection.send(raw)
                    response = connection.read_response()
                    counts[response.status] = counts.get(response.status, 0) + 1
                    if response.status not in (good, 503):
                        problems.append(response)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    dice = random.Random(3)
    for _ in range(60):
        time.sleep(dice.random() * 0.05)
        proxy.cut()
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
    assert counts.keys() == {200, 401, 503}, counts
    check_service_is_back(proxied, within=2)
    wait_until(lambda: open_files(proxied) <= before, 5, "no file is left open")


# ---- clients vanish ----


@rows("FAULT-vanish", auth=lambda token: form_request("/auth", G, [BA]),
      secret=lambda token: request_bytes("GET", "/secret", [bearer(token)]),
      slow=lambda token: form_request("/auth", G, [basic("svc-b", "wrong")]))
def test_client_that_vanishes_at_every_byte(own_mintd, case):
    """With FIN and with RST, after each byte of a request, whole ones among them."""
    token, _ = minted(own_mintd)
    raw = case(token)
    own_mintd.request("GET", "/healthz")
    before = open_files(own_mintd)
    for size in range(len(raw) + 1):
        for reset in (False, True):
            connection = own_mintd.connect()
            connection.send(raw[:size])
            if reset:
                connection.reset()
            else:
                connection.close()
    assert own_mintd.is_alive
    wait_until(lambda: open_files(own_mintd) <= before, 5, "every connection is closed")
    check_service_is_back(own_mintd)


@row("FAULT-vanish")
def test_clients_that_vanish_while_redis_is_slow(proxied, proxy):
    """The answer comes to a connection that is gone."""
    token, _ = minted(proxied)
    before = open_files(proxied)
    proxy.rule = lambda command: Delay(0.03)
    for turn in range(60):
        connection = proxied.connect()
        connection.send(list(requests_of(token).values())[turn % 5][1] * (1 + turn % 3))
        if turn % 2:
            connection.reset()
        else:
            connection.close()
    proxy.rule = None
    check_service_is_back(proxied, within=5)
    wait_until(lambda: open_files(proxied) <= before, 5, "every connection is closed")


@row("FAULT-vanish")
def test_clients_that_vanish_while_redis_is_stopped(own_mintd, own_redis):
    token, _ = minted(own_mintd)
    before = open_files(own_mintd)
    own_redis.pause()
    for turn in range(100):
        connection = own_mintd.connect()
        connection.send(list(requests_of(token).values())[turn % 5][1])
        connection.reset()
    check_unavailable(use(own_mintd, token))
    own_redis.resume()
    check_service_is_back(own_mintd)
    wait_until(lambda: open_files(own_mintd) <= before, 5, "every connection is closed")


# ---- SIGTERM ----


@pytest.mark.parametrize("turn", [pytest.param(n, id="O-05-%d" % n) for n in range(20)])
def test_sigterm_under_load(start_mintd, redis, turn):
    """At a random moment: exit 0 in time, each answer that was begun is whole and right."""
    instance = start_mintd(redis=redis, workers=1 + turn % 2)
    instance.wait_for_store()
    token, _ = minted(instance)
    address, requests = instance.address, requests_of(token)
    problems, counts, stop = [], {}, threading.Event()

    def worker(number):
        dice = random.Random(turn * 100 + number)
        while not stop.is_set():
            try:
                with Connection(address) as connection:
                    for _ in range(dice.randrange(1, 30)):
                        name = dice.choice(list(requests))
                        good, raw = requests[name]
                        connection.send(raw)
                        response = connection.read_response()
                        counts[response.status] = counts.get(response.status, 0) + 1
                        if response.status not in (good, 503):
                            problems.append((name, response))
                        if response.says_close:
                            break
            except Closed as closed:
                if closed.got:  # an answer that was begun and not ended
                    problems.append(closed)
            except ConnectionError:
                if not instance.is_alive:
                    return
                time.sleep(0.01)
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: counts.get(200, 0) > 5, 10)
    time.sleep(random.Random(turn).random() * 0.2)
    started = time.monotonic()
    instance.signal(signal.SIGTERM)
    status = instance.wait(12)
    took = time.monotonic() - started
    stop.set()
    for thread in threads:
        thread.join()
    instance.check_end(status)
    assert not problems, problems[:3]
    assert took <= scaled(10), took


@row("O-05-idle")
def test_sigterm_closes_idle_connections(start_mintd, redis):
    """Between requests at once; where none has come yet soon, but one that comes is answered."""
    instance = start_mintd(redis=redis)
    instance.wait_for_store()
    idle, fresh = [[instance.connect() for _ in range(25)] for _ in range(2)]
    for connection in idle:
        connection.expect_in_step()
    started = time.monotonic()
    instance.signal(signal.SIGTERM)
    for connection in idle:
        connection.expect_close(within=1)
    instance.wait_for_log("draining")
    for connection in fresh:
        try:
            connection.send(form_request("/token", G, [BA]))
            response = connection.read_response()
            assert response.says_close, response
            check_tok(response, "/token")
        except (Closed, ConnectionError):
            pass  # closed before the request came
    instance.check_end(instance.wait())
    assert time.monotonic() - started < scaled(5)
    for connection in idle + fresh:
        connection.close()


@row("O-05-stopped-redis")
def test_sigterm_while_redis_is_stopped(own_mintd, own_redis):
    own_redis.pause()
    connections = [own_mintd.connect() for _ in range(20)]
    for connection in connections:
        connection.send(form_request("/token", G, [BA]))
    for _ in range(2):  # its loop has gone round: they are under way
        assert own_mintd.request("GET", "/healthz").status == 200
    own_mintd.signal(signal.SIGTERM)
    for connection in connections:
        response = connection.read_response()
        check_unavailable(response)
        connection.close()
    own_mintd.check_end(own_mintd.wait())
    own_redis.resume()


@row("O-05-no-redis")
def test_sigterm_while_redis_is_away(start_mintd, own_redis):
    own_redis.kill()
    instance = start_mintd(redis=own_redis)
    started = time.monotonic()
    instance.stop()
    assert time.monotonic() - started < scaled(2)


@row("O-05-twice")
def test_sigterm_twice_and_sigint(start_mintd, redis):
    instance = start_mintd(redis=redis)
    instance.signal(signal.SIGTERM)
    try:
        instance.signal(signal.SIGTERM)
    except ProcessLookupError:
        pass
    instance.check_end(instance.wait())
    other = start_mintd(redis=redis)
    other.signal(signal.SIGINT)
    other.check_end(other.wait())
