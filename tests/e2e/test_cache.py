"""Answers from memory: as fast as memory, and never older than promised.

What one instance revokes is refused by all its workers from the answer on, by every other instance
within 50 ms; whatever happens to Redis, no copy is trusted for over 2 s after it was last heard.
"""
import random
import time

import pytest

from support import prometheus
from support.clients import BA, G, basic, bearer, install_clients, token_key
from support.http import form_request, request_bytes
from support.network import Network
from support.oauth import brief, forged_token, make_client, minted, row, rows, unique, wait_status, wait_until
from support.redis_proxy import Delay, RedisProxy
from support.redis_server import RedisServer
from support.timing import scaled
from support.wire import Wire

TOLD_WITHIN = 0.05  # seconds, of a change of Redis
TRUST = 2.0
WIRES = 10  # to each instance: enough that each of two workers has some


def ask_for(token):
    return request_bytes("GET", "/secret", [bearer(token)])


def mint_on(wire, name=None):
    status, body = wire.ask(form_request("/token", G, [basic(name, "s-3cret") if name else BA]))
    assert status == 200, body
    return body.split(b'"access_token":"')[1][:53].decode()


def cache_metrics(instance):
    families = prometheus.parse(instance.request("GET", "/metrics").body)
    return {name[len("mintd_cache_"):]: family.value() for name, family in families.items()
            if name.startswith("mintd_cache_")}


def warm(wires, token):
    """In the memory of each worker."""
    for _ in range(2):
        for wire in wires:
            status, body = wire.ask(ask_for(token))
            assert status == 200, body


def seconds_until(wires, token, status, since):
    """Asks all at once, again and again, until each gets this answer; all get it then. How long after
    `since` the last request began that got another one; 0: none did."""
    raw, last, others = ask_for(token), since, True
    while others:
        asked = time.monotonic()
        for wire in wires:
            wire.send(raw)
        others = [got for wire in wires if (got := wire.read()[0]) != status]
        last = asked if others else last
        assert asked - since < scaled(5), others
    assert all(wire.ask(raw)[0] == status for wire in wires)
    return last - since


def check_moments(taken):
    """Seconds of many changes: half of them far below the bound, nine of ten within."""
    taken = sorted(taken)
    assert taken[len(taken) // 2] <= scaled(TOLD_WITHIN) / 2, taken
    assert taken[len(taken) * 9 // 10] <= scaled(TOLD_WITHIN), taken


@pytest.fixture
def lanes(start_mintd, own_redis):
    """Two instances of two workers, and many warm connections to each."""
    instances = [start_mintd(redis=own_redis, workers=2) for _ in range(2)]
    for instance in instances:
        instance.wait_for_store()
        wait_until(lambda: cache_metrics(instance)["on"] == 2, 5, "both workers remember")
    wires = [[Wire(instance.address) for _ in range(WIRES)] for instance in instances]
    yield wires
    for wire in wires[0] + wires[1]:
        wire.close()


@pytest.fixture
def one(start_mintd, own_redis):
    """An instance that remembers, with one worker."""
    instance = start_mintd(redis=own_redis)
    instance.wait_for_store()
    wait_until(lambda: cache_metrics(instance)["on"] == 1, 5, "it remembers")
    return instance


# ---- changes ----


@row("CACHE-revoke")
def test_revoked_at_once_here_and_within_moments_there(lanes):
    dice, taken = random.Random(7), []
    for _ in range(60):
        here = dice.randrange(2)
        token = mint_on(dice.choice(dice.choice(lanes)))
        warm(lanes[0] + lanes[1], token)
        assert dice.choice(lanes[here]).ask(form_request("/revoke", [("token", token)], [BA]))[0] == 200
        revoked = time.monotonic()
        assert all(wire.ask(ask_for(token))[0] == 401 for wire in lanes[here])
        taken.append(seconds_until(lanes[1 - here], token, 401, revoked))
    check_moments(taken)


CHANGES = {
    "token_deleted": lambda r, name, token: r.cli("DEL", token_key(token)),
    "token_ends": lambda r, name, token: r.cli("EXPIRE", token_key(token), 0),
    "token_renamed": lambda r, name, token: r.cli("RENAME", token_key(token), "elsewhere"),
    "disabled": lambda r, name, token: r.cli("HSET", "mintd:client:" + name, "disabled", "1"),
    "generation": lambda r, name, token: r.cli("HINCRBY", "mintd:client:" + name, "gen", 1),
    "everybody": lambda r, name, token: r.cli("INCR", "mintd:generation"),
    "client_deleted": lambda r, name, token: r.cli("DEL", "mintd:client:" + name),
    "last_secret_deleted": lambda r, name, token: r.cli("HDEL", "mintd:client:" + name, "secret:1"),
    "flushall": lambda r, name, token: r.cli("FLUSHALL"),
    "flushdb": lambda r, name, token: r.cli("FLUSHDB"),
}


@rows("CACHE-by-hand", **CHANGES)
def test_changed_by_hand(lanes, own_redis, case):
    """What an operator types is known to every worker of every instance within moments."""
    taken = []
    for _ in range(15):
        name = unique("changed")
        make_client(own_redis, name, scope="read")
        token = mint_on(lanes[0][0], name)
        warm(lanes[0] + lanes[1], token)
        case(own_redis, name, token)
        taken.append(seconds_until(lanes[0] + lanes[1], token, 401, time.monotonic()))
    install_clients(own_redis)
    check_moments(taken)


@row("CACHE-swapdb")
def test_swapped_databases(lanes, own_redis):
    """Of this Redis tells nobody: who does it closes the connections, and all is read anew."""
    token = mint_on(lanes[0][0])
    warm(lanes[0] + lanes[1], token)
    own_redis.cli("SWAPDB", "0", "1")
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    for wire in lanes[0] + lanes[1]:
        wait_until(lambda: wire.ask(ask_for(token))[0] == 401, 3, "it is refused")
    own_redis.cli("SWAPDB", "0", "1")


@row("CACHE-enable")
def test_enabled_again_at_once(lanes, own_redis):
    """What memory still says no about is asked for before anybody is refused."""
    name = unique("switched")
    make_client(own_redis, name, scope="read")
    token = mint_on(lanes[0][0], name)
    for _ in range(50):
        own_redis.cli("HSET", "mintd:client:" + name, "disabled", "1")
        seconds_until(lanes[0] + lanes[1], token, 401, time.monotonic())
        own_redis.cli("HSET", "mintd:client:" + name, "disabled", "0")
        assert {wire.ask(ask_for(token))[0] for wire in lanes[0] + lanes[1]} == {200}
        mint_on(lanes[1][0], name)


@row("CACHE-new-secret")
def test_new_secret_is_good_at_once(lanes, own_redis):
    name = unique("rotated")
    for turn in range(50):
        make_client(own_redis, name, secret="s-3cret-%d" % turn, scope="read")
        raw = form_request("/token", G, [basic(name, "s-3cret-%d" % turn)])
        assert {wire.ask(raw)[0] for wire in lanes[turn % 2]} == {200}


@rows("CACHE-generation", client=lambda r, name: r.cli("HINCRBY", "mintd:client:" + name, "gen", 1),
      everybody=lambda r, name: r.cli("INCR", "mintd:generation"))
def test_token_of_a_new_generation_is_good_at_once(lanes, own_redis, case):
    """Minted right behind the change by one instance, used at once at the other; what was minted
    before is refused."""
    name, old = unique("generation"), None
    make_client(own_redis, name, scope="read")
    for turn in range(200):
        maker, user = lanes[turn % 2], lanes[1 - turn % 2]
        case(own_redis, name)
        token = mint_on(maker[turn % WIRES], name)
        assert user[turn % WIRES].ask(ask_for(token))[0] == 200
        assert maker[-1 - turn % WIRES].ask(ask_for(token))[0] == 200
        if old is not None:
            seconds_until(lanes[0] + lanes[1], old, 401, time.monotonic())
        old = token


@row("CACHE-exp")
def test_expiry_needs_no_redis(one):
    """A token in memory is good until its end, and refused within a second after."""
    with Wire(one.address) as wire:
        status, body = wire.ask(form_request("/token", G + b"&ttl=2", [BA]))
        given = time.monotonic()
        token = body.split(b'"access_token":"')[1][:53].decode()
        last_good = given
        while time.monotonic() - given < 4:
            asked = time.monotonic()
            status, _ = wire.ask(ask_for(token))
            if status != 200:
                break
            last_good = asked
        assert status == 401
        assert 1.9 <= asked - given and last_good - given <= 3 + scaled(0.1), (asked - given, last_good - given)


# ---- cheap ----


def is_read(command):
    return command[0].upper() in ("GET", "HGETALL")


@row("CACHE-hits")
def test_hot_token_costs_no_command(lanes, own_redis):
    token = mint_on(lanes[0][0])
    warm(lanes[0] + lanes[1], token)
    with own_redis.monitor() as seen:
        for _ in range(20):
            for wire in lanes[0] + lanes[1]:
                assert wire.ask(ask_for(token))[0] == 200
        asked = [c for c in seen.requests() if is_read(c)]
    # (When svc-a's secret was last used is written now and then: its record is read again behind that.)
    assert not [c for c in asked if c[1] != "mintd:client:svc-a"], asked
    assert len(asked) <= 8, asked


@row("CACHE-metrics")
def test_metrics_tell_of_it(one, own_redis):
    token, _ = minted(one)
    name = unique("metrics")
    make_client(own_redis, name, scope="read")
    with Wire(one.address) as wire:
        token = mint_on(wire, name)
        warm([wire], token)
        before = cache_metrics(one)
        for _ in range(100):
            assert wire.ask(ask_for(token))[0] == 200
        after = cache_metrics(one)
        assert after["hits_total"] - before["hits_total"] == 300
        # (An instance looks whose its name is, soon after its start.)
        assert after["misses_total"] <= before["misses_total"] + 1
        assert after["entries"] >= 3 and after["bytes"] > 300
        own_redis.cli("DEL", token_key(token))
        seconds_until([wire], token, 401, time.monotonic())
        assert cache_metrics(one)["invalidated_total"] > before["invalidated_total"]
        own_redis.cli("FLUSHALL")
        wait_until(lambda: cache_metrics(one)["emptied_total"] > before["emptied_total"], 1)
    install_clients(own_redis)


@row("CACHE-off")
def test_without_a_cache_each_request_asks(start_mintd, own_redis):
    instance = start_mintd("--cache-size", "0", redis=own_redis)
    instance.wait_for_store()
    with Wire(instance.address) as wire:
        token = mint_on(wire)
        with own_redis.monitor() as seen:
            for _ in range(10):
                assert wire.ask(ask_for(token))[0] == 200
            asked = [c[0].upper() for c in seen.requests() if is_read(c)]
        assert asked == ["GET", "GET", "HGETALL"] * 10
        own_redis.cli("DEL", token_key(token))
        assert wire.ask(ask_for(token))[0] == 401
    assert {k for k, v in cache_metrics(instance).items() if v} == {"misses_total"}


@rows("CACHE-refused", hello="HELLO", client="CLIENT")
def test_redis_that_does_not_tell_of_changes(start_mintd, case):
    """What is not there cannot be trusted: each request asks, and the log says why, once."""
    with RedisServer("--rename-command", case, "") as server:
        install_clients(server)
        instance = start_mintd(redis=server)
        instance.wait_for_store()
        with Wire(instance.address) as wire:
            token = mint_on(wire)
            with server.monitor() as seen:
                for _ in range(5):
                    assert wire.ask(ask_for(token))[0] == 200
                asked = [c[0].upper() for c in seen.requests() if is_read(c)]
            assert asked == ["GET", "GET", "HGETALL"] * 5
            server.cli("DEL", token_key(token))
            assert wire.ask(ask_for(token))[0] == 401
        assert b"\nmintd_cache_on 0\n" in instance.request("GET", "/metrics").body
        told = instance.find_log(lambda line: "CLIENT TRACKING" in line["message"])
        assert [line["level"] for line in told] == ["warning"], told
        assert ("RESP2" if case == "HELLO" else "unknown command 'CLIENT'") in told[0]["reply"], told


@row("CACHE-small")
def test_small_cache_keeps_its_bound(start_mintd, own_redis):
    """Thousands of tokens in 64 KiB: right all the same."""
    instance = start_mintd("--cache-size", "64k", redis=own_redis)
    instance.wait_for_store()
    with Wire(instance.address) as wire:
        tokens = []
        for _ in range(30):
            wire.send(form_request("/token", G, [BA]) * 100)
            tokens += [wire.read()[1].split(b'"access_token":"')[1][:53].decode() for _ in range(100)]
        gone = set(tokens[::7])
        for turn in range(2):
            for start in range(0, len(tokens), 100):
                some = tokens[start : start + 100]
                wire.send(b"".join(ask_for(token) for token in some))
                for token in some:
                    assert wire.read()[0] == (401 if turn and token in gone else 200)
                assert cache_metrics(instance)["bytes"] <= 65536
            if not turn:
                own_redis.cli("DEL", *map(token_key, gone))
                time_of_change = time.monotonic()
                seconds_until([wire], tokens[-1 - (len(tokens) - 1) % 7], 401, time_of_change)
        for filler in "abcdefghijklmnopqrstuvwxyz":
            assert wire.ask(ask_for(forged_token(filler)))[0] == 401
    assert cache_metrics(instance)["evicted_total"] > 2000


# ---- Redis is away ----


def watch(wire, token, seconds):
    """What the token gets, and when: [(seconds since the start, status)], of the request's beginning."""
    seen, started = [], time.monotonic()
    while (now := time.monotonic() - started) < seconds:
        seen.append((now, wire.ask(ask_for(token))[0]))
    return seen


def check_trusted_for_moments(seen):
    """From memory for a while, 2 s at most, then 503; never a no."""
    assert {status for _, status in seen} == {200, 503}, seen[-1]
    last = max(at for at, status in seen if status == 200)
    assert 0.5 < last <= TRUST + scaled(0.1), last
    assert all(status == 200 for at, status in seen if at <= last)


@brief
@row("CACHE-stopped")
def test_stopped_redis(one, own_redis):
    with Wire(one.address) as wire:
        token = mint_on(wire)
        warm([wire], token)
        for _ in range(2):
            own_redis.pause()
            seen = watch(wire, token, 3)
            own_redis.resume()
            resumed = time.monotonic()
            check_trusted_for_moments(seen)
            assert seconds_until([wire], token, 200, resumed) <= scaled(1)


@brief
@row("CACHE-silent")
def test_silent_network(start_mintd, own_redis):
    """Nothing comes through, neither replies nor invalidations; nobody closes anything."""
    proxy = RedisProxy(own_redis.port)
    instance = start_mintd(redis=proxy.url)
    instance.wait_for_store()
    with Wire(instance.address) as wire:
        token, other = mint_on(wire), mint_on(wire)
        warm([wire], token)
        warm([wire], other)
        held = []
        proxy.rule = lambda command: held.append(command) or Delay(5)
        # The first reply that is held back holds back all that follows, this invalidation too.
        wait_until(lambda: held and len(proxy.replies) == len(proxy.commands), 5, "a reply is held back")
        own_redis.cli("DEL", token_key(token))
        seen = watch(wire, token, 3)
        assert {status for _, status in seen} <= {200, 503}
        last = max((at for at, status in seen if status == 200), default=0)
        assert last <= TRUST + scaled(0.1) and seen[-1][1] == 503, last
        proxy.rule = None
        proxy.cut()
        wait_status(instance, 200, within=3)
        assert wire.ask(ask_for(token))[0] == 401 and wire.ask(ask_for(other))[0] == 200
    instance.stop()
    proxy.stop()


@pytest.fixture
def distant_redis():
    """On another host: a RedisServer, its URL there, and the network between."""
    network = Network()
    server = RedisServer("--bind", network.FAR, "--protected-mode", "no", runner=network.far)
    install_clients(server)
    yield server, "redis://%s:%d" % (network.FAR, server.port), network
    server.close()
    network.close()


@brief
@row("CACHE-dropped-packets")
def test_dropped_packets(start_mintd, distant_redis):
    """The network dies between two hosts, which are not told: packets vanish, connections stay."""
    server, url, network = distant_redis
    instance = start_mintd(redis=url, listen=("unix:%s/mintd.sock" % server.directory,),
                           runner=network.near)
    instance.wait_for_store()
    with Wire(instance.address) as wire:
        token, other = mint_on(wire), mint_on(wire)
        warm([wire], token)
        warm([wire], other)
        network.cut()
        server.cli("DEL", token_key(token))
        check_trusted_for_moments(watch(wire, token, 3))
        network.heal()
        wait_status(instance, 200, within=5)
        assert wire.ask(ask_for(token))[0] == 401 and wire.ask(ask_for(other))[0] == 200


@row("CACHE-killed-link")
def test_lost_link_forgets(lanes, own_redis):
    """What changes while nobody tells us is read anew."""
    token, other = mint_on(lanes[0][0]), mint_on(lanes[0][0])
    for one_of_them in (token, other):
        warm(lanes[0] + lanes[1], one_of_them)
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    own_redis.cli("DEL", token_key(token))
    gone = time.monotonic()
    for wire in lanes[0] + lanes[1]:
        while (status := wire.ask(ask_for(token))[0]) != 401:
            assert status == 503 or time.monotonic() - gone < scaled(TOLD_WITHIN), status
        wait_until(lambda: wire.ask(ask_for(other))[0] == 200, 2, "the other is good")


@row("CACHE-restart")
def test_restarted_redis(one, own_redis):
    """It comes back empty, and so does memory."""
    with Wire(one.address) as wire:
        token = mint_on(wire)
        warm([wire], token)
        own_redis.restart()
        install_clients(own_redis)
        wait_until(lambda: wire.ask(ask_for(token))[0] == 401, 3, "it is refused")
        warm([wire], mint_on(wire))
        assert wire.ask(ask_for(token))[0] == 401
