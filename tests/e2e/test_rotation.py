"""A client's secret is exchanged while the client is at work: CONFORMANCE has no row; SPEC of secrets.

An old and a new secret are valid side by side; the old one is given an end. Whoever uses it up to
then is never refused, whoever uses it after that always is.
"""
import contextlib
import json
import threading
import time

import pytest

from support import prometheus
from support.clients import basic, scrypt_phc
from support.clients import G
from support.http import form_request
from support.inquiry import use
from support.oauth import (check_err, check_tok, make_client, post, row, rows, sha256_phc, unique,
                           wait_until)
from support.timing import scaled
from support.wire import Wire

OLD, NEW = "s-3cret", "the new one of the two"


@pytest.fixture
def name(redis):
    name = unique("rotated")
    make_client(redis, name, OLD, scope="read")
    yield name
    redis.cli("DEL", "mintd:client:" + name)


class Load:
    """Mints with one secret on one instance, again and again: (asked, answered, status) by the wall
    clock, which is what an end is compared with."""

    def __init__(self, instance, name, secret):
        self._raw = form_request("/token", G, [basic(name, secret)])
        self._address, self._stop, self.seen, self.problem = instance.address, threading.Event(), [], None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            with Wire(self._address) as wire:
                while not self._stop.is_set():
                    asked = time.time()
                    status, _ = wire.ask(self._raw)
                    self.seen.append((asked, time.time(), status))
                    time.sleep(0.001)
        except Exception as problem:  # told to the test
            self.problem = problem

    def stop(self):
        self._stop.set()
        self._thread.join()
        assert self.problem is None, self.problem
        return self.seen


@rows("ROTATE", generated=sha256_phc, chosen=scrypt_phc)
def test_overlap_under_load(pair, redis, name, case):
    key = "mintd:client:" + name
    redis.cli("HSET", key, "secret:1", case(OLD))
    for instance in pair:
        check_tok(post(instance, "/token", G, basic(name, OLD)), "/token")
    old = [Load(instance, name, OLD) for instance in pair]

    def settled(load):
        """Written by hand: known to every instance within moments."""
        return [s for asked, _, s in list(load.seen) if asked > added + scaled(0.1)]

    try:
        wait_until(lambda: all(len(load.seen) > 100 for load in old), 20)
        redis.cli("HSET", key, "secret:2", case(NEW))
        added = time.time()
        new = [Load(instance, name, NEW) for instance in pair]
        try:
            time.sleep(0.1)
            until = int(time.time()) + 2
            redis.cli("HSET", key, "secret:1:expires", until)
            # A refusal costs a slow hash here: it takes its time.
            wait_until(lambda: all(load.seen[-1][0] >= until + 1 for load in old), 20)
            wait_until(lambda: all(len(settled(load)) > 200 for load in new), 20)
        finally:
            for load in new:
                load.stop()
    finally:
        with_old = [load.stop() for load in old]
    for seen in with_old:
        within = [s for _, answered, s in seen if answered < until]
        after = [s for asked, _, s in seen if asked >= until + 1]
        assert len(within) > 100 and set(within) == {200}, {s: within.count(s) for s in within}
        assert len(after) >= 1 and set(after) == {401}, {s: after.count(s) for s in after}
        statuses = [s for _, _, s in seen]
        assert statuses == sorted(statuses), "refused, and let in again"
    for load in new:
        statuses = settled(load)
        assert len(statuses) > 100 and set(statuses) == {200}, {s: statuses.count(s) for s in statuses}
    for instance in pair:
        mark = instance.mark()
        check_err(post(instance, "/token", G, basic(name, OLD)), 401, "invalid_client")
        line = instance.wait_for_log("refused", since=mark, client=name)
        assert line["reason"].startswith("secret 1 expired") or "secret 1 expired" in repr(line), line


@rows("ROTATE", generated=sha256_phc, chosen=scrypt_phc)
def test_removed_at_once(pair, redis, name, case):
    """A secret that leaked is taken away without grace; what an instance remembers of it dies too."""
    key = "mintd:client:" + name
    redis.cli("HSET", key, "secret:1", case(OLD), "secret:2", case(NEW))
    for instance in pair:
        for secret in (OLD, NEW, OLD):
            check_tok(post(instance, "/token", G, basic(name, secret)), "/token")
    redis.cli("HDEL", key, "secret:1")
    time.sleep(scaled(0.1))
    for instance in pair:
        check_err(post(instance, "/token", G, basic(name, OLD)), 401, "invalid_client")
        check_tok(post(instance, "/token", G, basic(name, NEW)), "/token")


@rows("ROTATE", generated=sha256_phc, chosen=scrypt_phc)
def test_exchanged_in_place(pair, redis, name, case):
    """The same field, another secret: nothing that was remembered of the first one is good."""
    key = "mintd:client:" + name
    redis.cli("HSET", key, "secret:1", case(OLD))
    for instance in pair:
        for _ in range(2):
            check_tok(post(instance, "/token", G, basic(name, OLD)), "/token")
    redis.cli("HSET", key, "secret:1", case(NEW))
    time.sleep(scaled(0.1))
    for instance in pair:
        check_err(post(instance, "/token", G, basic(name, OLD)), 401, "invalid_client")
        check_tok(post(instance, "/token", G, basic(name, NEW)), "/token")
    redis.cli("HSET", key, "secret:1", case(OLD))
    time.sleep(scaled(0.1))
    for instance in pair:
        check_tok(post(instance, "/token", G, basic(name, OLD)), "/token")
        check_err(post(instance, "/token", G, basic(name, NEW)), 401, "invalid_client")


AT_ONCE, THIEVES, ROUNDS = 8, 2, 8
LEAKED = """redis.call('HSET', KEYS[1], 'secret:1', ARGV[1]) return redis.call('HINCRBY', KEYS[1], 'gen', 1)"""


def mint_until_refused(instance, raw, tokens):
    """Some requests at once, so that there is always one whose token is being stored."""
    with Wire(instance.address) as wire:
        while True:
            wire.send(raw * AT_ONCE)
            for _ in range(AT_ONCE):
                status, body = wire.read()
                if status != 200:
                    return  # the rest is not worth a slow hash each
                tokens.append(json.loads(body)["access_token"])


@row("ROTATE")
def test_secret_that_leaked_leaves_no_token(pair, redis):
    """The secret is exchanged and all tokens end, in one moment, while a thief mints with it: the token
    that was being stored does not take the new generation for its own."""
    for turn in range(ROUNDS):
        name, tokens = unique("leaked"), []
        key = "mintd:client:" + name
        make_client(redis, name, OLD, scope="read")
        raw = form_request("/token", G, [basic(name, OLD)])
        thieves = [threading.Thread(target=mint_until_refused, args=(pair.a, raw, tokens)) for _ in range(THIEVES)]
        for thief in thieves:
            thief.start()
        wait_until(lambda: len(tokens) > AT_ONCE * THIEVES, 5)
        redis.cli("EVAL", LEAKED, 1, key, sha256_phc(NEW))
        for thief in thieves:
            thief.join()
        # Those that were under way are the last.
        survivors = [token for token in tokens[-AT_ONCE * THIEVES:] if use(pair.b, token).status != 401]
        redis.cli("DEL", key)
        assert survivors == [], (turn, len(survivors), len(tokens))


TOGETHER, TIMES = 20, 4  # mints that a change finds under way; 80 in all
MADE = """for i, key in ipairs(KEYS) do redis.call('HSET', key, 'secret:1', ARGV[i], 'scope', 'read') end"""
EXCHANGED = """for _, key in ipairs(KEYS) do redis.call('HSET', key, 'secret:1', ARGV[1]) end
return redis.call('INCR', 'mintd:generation')"""


def slow_checks(instance):
    families = prometheus.parse(instance.request("GET", "/metrics").body)
    return families["mintd_secret_slow_checks_total"].value()


def minted_across_exchange(instance, redis):
    """The tokens of mints whose secrets are being checked, slowly, as all that changes. A secret that
    was checked before would be remembered: each client has one of its own."""
    names = [unique("exchanged") for _ in range(TOGETHER)]
    keys = ["mintd:client:" + name for name in names]
    redis.cli("EVAL", MADE, len(keys), *keys, *(scrypt_phc(name, 11) for name in names))
    before = slow_checks(instance)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(instance.address, 60)) for _ in names]
        for wire, name in zip(wires, names):
            wire.send(form_request("/token", G, [basic(name, name)]))
        wait_until(lambda: slow_checks(instance) >= before + TOGETHER, 5)
        redis.cli("EVAL", EXCHANGED, len(keys), *keys, sha256_phc(NEW))
        answers = [wire.read() for wire in wires]
    assert {status for status, _ in answers} <= {200, 401, 503}, answers
    return [json.loads(body)["access_token"] for status, body in answers if status == 200]


@pytest.mark.lengthy
@rows("L5", without_memory=["--cache-size", "0"], with_memory=[])
def test_secret_exchanged_while_it_is_checked(start_mintd, own_redis, case):
    """A secret that leaked is replaced and all tokens are revoked, while mints with it wait for the slow
    hash: no token of theirs outlives it. What is read of the client must not be older than the
    generation that the token is given."""
    instance = start_mintd(*case, redis=own_redis)
    instance.wait_for_store()
    statuses = []
    for _ in range(TIMES):
        tokens = minted_across_exchange(instance, own_redis)
        statuses += [use(instance, token).status for token in tokens]
    assert set(statuses) <= {401}, (statuses.count(200), len(statuses))
    # Where changes are heard of, most get no token at all.
    assert len(statuses) > TIMES * TOGETHER / 4 or not case, len(statuses)


@row("ROTATE")
def test_rotated_round_and_round(pair, redis, name):
    """Many rotations, each with an overlap: a client that follows is never refused."""
    key, secrets = "mintd:client:" + name, [OLD]
    for turn in range(20):
        secrets.append("number %d of a long row" % turn)
        place, last = turn % 4, (turn + 1) % 4
        redis.cli("HSET", key, "secret:%d" % (last + 1), sha256_phc(secrets[-1]))
        redis.cli("HSET", key, "secret:%d:expires" % (place + 1), int(time.time()) + 60)
        redis.cli("HDEL", key, "secret:%d:expires" % (last + 1))
        time.sleep(scaled(0.02))
        for instance in pair:
            for secret in secrets[-2:]:
                check_tok(post(instance, "/token", G, basic(name, secret)), "/token")
        if len(secrets) > 5:
            check_err(post(pair.a, "/token", G, basic(name, secrets[-6])), 401, "invalid_client")
