"""A client's secret is exchanged while the client is at work: CONFORMANCE has no row; SPEC of secrets.

An old and a new secret are valid side by side; the old one is given an end. Whoever uses it up to
then is never refused, whoever uses it after that always is.
"""
import json
import threading
import time

import pytest

from support.clients import _scrypt, basic
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


@rows("ROTATE", generated=sha256_phc, chosen=_scrypt)
def test_overlap_under_load(pair, redis, name, case):
    key = "mintd:client:" + name
    redis.cli("HSET", key, "secret:1", case(OLD))
    for instance in pair:
        check_tok(post(instance, "/token", G, basic(name, OLD)), "/token")
    old = [Load(instance, name, OLD) for instance in pair]
    try:
        time.sleep(0.1)
        redis.cli("HSET", key, "secret:2", case(NEW))
        added = time.time()
        new = [Load(instance, name, NEW) for instance in pair]
        try:
            time.sleep(0.1)
            until = int(time.time()) + 2
            redis.cli("HSET", key, "secret:1:expires", until)
            # A refusal costs a slow hash here: it takes its time.
            wait_until(lambda: all(load.seen[-1][0] >= until + 1 for load in old), 20)
        finally:
            with_new = [load.stop() for load in new]
    finally:
        with_old = [load.stop() for load in old]
    for seen in with_old:
        within = [s for _, answered, s in seen if answered < until]
        after = [s for asked, _, s in seen if asked >= until + 1]
        assert len(within) > 100 and set(within) == {200}, {s: within.count(s) for s in within}
        assert len(after) >= 1 and set(after) == {401}, {s: after.count(s) for s in after}
        statuses = [s for _, _, s in seen]
        assert statuses == sorted(statuses), "refused, and let in again"
    for seen in with_new:
        # Written by hand: known to every instance within moments.
        settled = [s for asked, _, s in seen if asked > added + scaled(0.1)]
        assert len(settled) > 100 and set(settled) == {200}, {s: settled.count(s) for s in settled}
    for instance in pair:
        mark = instance.mark()
        check_err(post(instance, "/token", G, basic(name, OLD)), 401, "invalid_client")
        line = instance.wait_for_log("refused", since=mark, client=name)
        assert line["reason"].startswith("secret 1 expired") or "secret 1 expired" in repr(line), line


@rows("ROTATE", generated=sha256_phc, chosen=_scrypt)
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


@rows("ROTATE", generated=sha256_phc, chosen=_scrypt)
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
