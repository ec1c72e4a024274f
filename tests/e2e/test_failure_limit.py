"""Failed authentications are limited: T-35, I-12, K-11, G-25.

A limit of N a minute for each pair of client and address: the one after these is told to wait, and
so is the right secret from then on. Ids that do not exist share ten times as many for each address.
The counts are in Redis, so all instances share them; an instance remembers for a minute who has to
wait, so each test comes from addresses of its own.
"""
import itertools
import re
import time

import pytest

from support import http
from support.clients import BA, G, SVC_B, basic, bearer
from support.http import form_request, request_bytes
from support.inquiry import check_identity, verify
from support.mintd import Mintd
from support.oauth import (brief, check_err, check_fresh, check_json, check_silent, check_tok, check_unavailable,
                           make_client, minted, row, rows, unique, wait_until)
from support.timing import scaled
from support.wire import Wire

LIMIT = 10
TARGETS = ("/token", "/auth", "/introspect", "/revoke")
_addresses = itertools.count(2)


def fresh_address():
    number = next(_addresses)
    return "127.35.%d.%d" % (number // 250, number % 250 + 1)


@pytest.fixture(scope="module")
def limited(redis):
    """Two instances with the default limit, which the harness takes away."""
    started = [Mintd("--failure-limit", str(LIMIT), redis=redis) for _ in range(2)]
    for instance in started:
        instance.wait_for_store()
    yield started
    for instance in started:
        instance.stop()


class Guesser:
    """Somebody at an address of this test alone, and a client of this test alone."""

    def __init__(self, redis):
        self.redis, self.name = redis, unique("limit")
        self.here, self.elsewhere = fresh_address(), fresh_address()
        make_client(redis, self.name, scope="read")

    def send(self, instance, raw, source=None):
        return http.exchange(instance.address, raw, source=source or self.here)

    def ask(self, instance, secret="s-3cret", target="/token", who=None, source=None):
        return self.send(instance, request(who or self.name, secret, target), source)

    def wrong(self, instance, target="/token", who=None, source=None):
        """A wrong secret that is told so."""
        check_err(self.ask(instance, "wrong", target, who, source), 401, "invalid_client")

    def exhaust(self, instance, source=None):
        for _ in range(LIMIT):
            self.wrong(instance, source=source)
        check_limited(self.ask(instance, "wrong", source=source))

    def wire(self, instance, source=None):
        return Wire(instance.address, source=source or self.here)

    def key(self, who=None, source=None):
        return "mintd:fail:%s:%s" % (who or self.name, source or self.here)

    def count(self, who=None, source=None):
        return int(self.redis.cli("GET", self.key(who, source)) or 0)


@pytest.fixture
def guesser(redis):
    guesser = Guesser(redis)
    yield guesser
    redis.cli("DEL", "mintd:client:" + guesser.name, *redis.keys("mintd:fail:*"))


def request(who, secret="wrong", target="/token"):
    return form_request(target, G + b"&token=x", [basic(who, secret)])


def check_limited(response):
    """429 and when to come back; nothing that a guesser could learn from."""
    assert (response.status, response.error) == (429, "temporarily_unavailable"), response
    check_fresh(response)
    assert sorted(check_json(response)) == ["error", "error_description"], response
    assert re.fullmatch(r"[1-9][0-9]?", response.get("Retry-After")), response
    assert int(response.get("Retry-After")) <= 60, response
    assert response.get("WWW-Authenticate") is None, response
    check_silent(response)


# ---- the limit ----


@pytest.mark.parametrize("instances", [1, 2])
@pytest.mark.parametrize("target", [pytest.param("/token", id="T-35-token"), pytest.param("/auth", id="T-35-auth"),
                                    pytest.param("/introspect", id="I-12"), pytest.param("/revoke", id="K-11")])
def test_limit(limited, guesser, target, instances):
    """The failures on one instance, or in turn on two; each of them refuses from then on."""
    asked = limited[:instances]
    for number in range(LIMIT):
        guesser.wrong(asked[number % instances], target)
        assert guesser.count() == number + 1
    for instance in asked:
        for secret in ("wrong", "s-3cret", "wrong", "s-3cret"):
            check_limited(guesser.ask(instance, secret, target))
        for other in TARGETS:
            check_limited(guesser.ask(instance, target=other))


@row("T-35")
def test_the_last_one_of_the_limit_may_still_be_right(limited, guesser):
    for _ in range(LIMIT - 1):
        guesser.wrong(limited[0])
    check_tok(guesser.ask(limited[0]), "/token")
    guesser.wrong(limited[0])
    check_limited(guesser.ask(limited[0], "wrong"))


@row("T-35")
def test_hundred_guesses(limited, guesser):
    """As the row has it: 100 in a few seconds from one address, then the right one from another."""
    started = time.monotonic()
    with guesser.wire(limited[0]) as one, guesser.wire(limited[1]) as other:
        answers = [wire.ask(request(guesser.name))[0] for _ in range(50) for wire in (one, other)]
    assert time.monotonic() - started < scaled(10)
    assert set(answers) == {401, 429} and answers.count(429) >= 80, answers
    assert answers.count(401) == LIMIT, answers
    for instance in limited:
        check_limited(guesser.ask(instance))
        check_tok(guesser.ask(instance, source=guesser.elsewhere), "/token")


@row("T-35")
def test_at_once(limited, guesser):
    """A hundred guesses under way at the same time do not get past the count."""
    wires = [guesser.wire(instance) for instance in limited for _ in range(50)]
    for wire in wires:
        wire.send(request(guesser.name))
    answers = [wire.read()[0] for wire in wires]
    for wire in wires:
        wire.close()
    assert answers.count(401) == LIMIT and answers.count(429) == 90, answers


@row("T-35")
def test_instances_share_the_count(limited, guesser):
    for number in range(LIMIT):
        guesser.wrong(limited[number % 2])
    assert guesser.count() == LIMIT
    for instance in limited:
        check_limited(guesser.ask(instance, "wrong"))
        check_limited(guesser.ask(instance))


@row("T-35")
def test_a_new_instance_knows_of_it(limited, guesser, redis, start_mintd):
    guesser.exhaust(limited[0])
    fresh = start_mintd("--failure-limit", str(LIMIT), redis=redis)
    fresh.wait_for_store()
    check_limited(guesser.ask(fresh, "wrong"))
    check_limited(guesser.ask(fresh))


@row("T-35")
def test_workers_share_the_count(guesser, redis, start_mintd):
    many = start_mintd("--failure-limit", str(LIMIT), redis=redis, workers=4)
    many.wait_for_store()
    answers = [guesser.ask(many, "wrong").status for _ in range(60)]
    assert answers == [401] * LIMIT + [429] * 50, answers


@row("T-35")
def test_endpoints_share_the_count(limited, guesser):
    for number in range(LIMIT):
        guesser.wrong(limited[0], TARGETS[number % 4])
    for target in TARGETS:
        check_limited(guesser.ask(limited[0], "wrong", target))


@row("T-35")
def test_both_ways_of_authentication_share_the_count(limited, guesser):
    in_body = form_request("/token", G + b"&client_id=%s&client_secret=wrong" % guesser.name.encode())
    for number in range(LIMIT):
        response = guesser.send(limited[0], request(guesser.name) if number % 2 else in_body)
        check_err(response, 401, "invalid_client")
    check_limited(guesser.send(limited[0], in_body))


@row("T-35")
def test_slow_hash(guesser, redis, start_mintd):
    """A guess that is refused for its number costs no slow hash."""
    instance = start_mintd("--failure-limit", str(LIMIT), redis=redis)
    instance.wait_for_store()
    redis.cli("HSET", "mintd:client:" + guesser.name, *SVC_B.hash_fields()[0])
    guesser.exhaust(instance)

    before = slow_checks(instance)
    assert before >= LIMIT
    for _ in range(20):
        check_limited(guesser.ask(instance, "another wrong one"))
        check_limited(guesser.ask(instance, SVC_B.secret))
    assert slow_checks(instance) == before


@row("T-35")
def test_limit_of_one_and_none(guesser, redis, start_mintd):
    one, none = (start_mintd("--failure-limit", n, redis=redis) for n in ("1", "0"))
    for instance in (one, none):
        instance.wait_for_store()
    for _ in range(30):
        guesser.wrong(none)
    assert not redis.keys("mintd:fail:*")
    guesser.wrong(one)
    check_limited(guesser.ask(one, "wrong"))
    check_limited(guesser.ask(one))
    check_tok(guesser.ask(none), "/token")


# ---- nobody else suffers ----


@row("G-25")
def test_a_stranger_locks_nobody_out(limited, guesser):
    for instance in limited:
        guesser.ask(instance, "wrong", source=guesser.elsewhere)
    for instance in limited * LIMIT:
        guesser.ask(instance, "wrong", source=guesser.elsewhere)
    for instance in limited:
        check_limited(guesser.ask(instance, source=guesser.elsewhere))
        check_tok(guesser.ask(instance), "/token")
        guesser.wrong(instance)
    assert guesser.count() == 2


@row("G-25")
def test_others_at_the_same_address_go_on(limited, guesser, redis):
    other = unique("limit")
    make_client(redis, other, scope="read")
    guesser.exhaust(limited[0])
    for instance in limited:
        check_tok(guesser.ask(instance, who=other), "/token")
        guesser.wrong(instance, who=other)
        check_tok(guesser.send(instance, form_request("/token", G, [BA])), "/token")
    redis.cli("DEL", "mintd:client:" + other)


@row("G-25")
def test_tokens_of_a_limited_client_are_good(limited, guesser):
    token, _ = minted(limited[0], "/token", G, basic(guesser.name, "s-3cret"))
    guesser.exhaust(limited[0])
    check_limited(guesser.ask(limited[0]))
    for raw in (request_bytes("GET", "/secret", [bearer(token)]), request_bytes("GET", "/verify", [bearer(token)])):
        assert guesser.send(limited[0], raw).status == 200
    check_identity(verify(limited[1], bearer(token)), guesser.name)


@row("G-25")
def test_bad_tokens_are_not_failures_of_a_client(limited, guesser, redis):
    for _ in range(3 * LIMIT):
        assert guesser.send(limited[0], request_bytes("GET", "/secret", [bearer("nope")])).status == 401
    assert not redis.keys("mintd:fail:*")


def slow_checks(instance):
    text = instance.request("GET", "/metrics").body.decode()
    return int(re.search(r"^mintd_secret_slow_checks_total ([0-9]+)", text, re.MULTILINE)[1])


@row("G-25")
def test_bound_over_workers_and_instances(guesser, redis, start_mintd):
    """Two instances of two workers. One guess after the other, each on a connection of its own: as many
    are called wrong as the limit says, however they are spread; all others are told to wait. Each worker
    looks at one guess over the limit, and at none from then on. The client itself, at another address,
    is served by every worker."""
    workers, guesses = 2, 100
    instances = [start_mintd("--failure-limit", str(LIMIT), redis=redis, workers=workers) for _ in range(2)]
    for instance in instances:
        instance.wait_for_store()
    redis.cli("HSET", "mintd:client:" + guesser.name, *SVC_B.hash_fields()[0])  # a slow hash: counted
    answers = [guesser.ask(instances[n % 2], "wrong %d" % n) for n in range(guesses)]
    for response in answers[:LIMIT]:
        check_err(response, 401, "invalid_client")
    for response in answers[LIMIT:]:
        check_limited(response)
    looked_at = sum(slow_checks(instance) for instance in instances)
    print("G-25: of %d guesses %d were looked at" % (guesses, looked_at))
    assert LIMIT < looked_at <= LIMIT + workers * len(instances), looked_at
    for _ in range(20):  # whichever worker takes the connection
        for instance in instances:
            check_tok(guesser.ask(instance, SVC_B.secret, source=guesser.elsewhere), "/token")


# ---- ids that do not exist ----


@row("G-25")
def test_made_up_ids_share_one_count(limited, guesser, redis):
    for number in range(3 * LIMIT):
        guesser.wrong(limited[number % 2], who="made-up-%d" % number)
    assert redis.keys("mintd:fail:*") == [guesser.key("!")]
    assert guesser.count("!") == 3 * LIMIT


@row("G-25")
def test_made_up_ids_have_ten_times_the_limit(limited, guesser, redis):
    with guesser.wire(limited[0]) as one, guesser.wire(limited[1]) as other:
        answers = [(one, other)[n % 2].ask(request("made-up-%d" % n))[0] for n in range(10 * LIMIT)]
    assert set(answers) == {401}, answers
    for instance in limited:
        check_limited(guesser.ask(instance, who="made-up-again"))
        check_tok(guesser.ask(instance), "/token")  # who exists is not among them
        guesser.wrong(instance)
        guesser.wrong(instance, who="made-up", source=guesser.elsewhere)
    assert set(redis.keys("mintd:fail:*")) == {guesser.key("!"), guesser.key("!", guesser.elsewhere), guesser.key()}


@rows("G-25", bang="!", colon="a:b", star="*", slash="../x", space="a b", long="x" * 300, longest="x" * 255,
      high="\u00e9", newline="a\nb", key="svc-a:127.0.0.9")
def test_odd_ids_make_no_keys_of_their_own(limited, guesser, redis, case):
    for instance in limited:
        guesser.wrong(instance, who=case)
        body = [("grant_type", "client_credentials"), ("client_id", case), ("client_secret", "x")]
        response = guesser.send(instance, form_request("/token", body))
        assert response.status == (400 if len(case) > 255 else 401), response
    # The first colon ends the id: "a:b" is the client "a".
    who = case.partition(":")[0]
    allowed = {guesser.key("!"), *([guesser.key("svc-a")] if who == "svc-a" else [])}
    assert set(redis.keys("mintd:fail:*")) <= allowed


@row("G-25")
def test_disabled_client_has_a_count_too(limited, guesser, redis):
    redis.cli("HSET", "mintd:client:" + guesser.name, "disabled", "1")
    for _ in range(LIMIT):
        check_err(guesser.ask(limited[0]), 401, "invalid_client")
    assert guesser.count() + guesser.count("!") == LIMIT


@row("G-25")
def test_what_is_no_guess_is_not_counted(limited, guesser):
    """Requests that are wrong in another way than by their secret fill no count."""
    right, wrong = basic(guesser.name, "s-3cret"), basic(guesser.name, "wrong")
    for raw in (form_request("/token", b"grant_type=foo", [right]), form_request("/token", b"", [right]),
                form_request("/token", G + b"&scope=admin", [right]), form_request("/token", b"a=%zz", [right]),
                form_request("/token", G + b"&client_secret=x", [right]), form_request("/token?client_secret=x", G),
                request_bytes("GET", "/token", [wrong]), request_bytes("GET", "/secret", [wrong]),
                request_bytes("POST", "/token", [wrong, ("Content-Type", "text/plain")], G),
                form_request("/revoke", b"", [right]), form_request("/introspect", b"", [right])):
        for _ in range(2):
            assert guesser.send(limited[0], raw).status in (400, 401, 405)
    assert guesser.count() == 0
    check_tok(guesser.ask(limited[0]), "/token")


# ---- the count in Redis ----


@row("T-35")
def test_every_count_has_an_end(limited, guesser, redis):
    """From the first failure on, and no failure puts it off for ever."""
    for number in range(LIMIT + 5):
        guesser.ask(limited[number % 2], "wrong")
        guesser.ask(limited[number % 2], who="made-up")
        for key in redis.keys("mintd:fail:*"):
            assert 0 < redis.cli("TTL", key) <= 60, key
            assert redis.cli("TYPE", key) == "string"
        if number == 3:
            redis.cli("EXPIRE", guesser.key(), 30)
    assert redis.cli("TTL", guesser.key()) <= 30


@row("T-35")
def test_good_again_when_the_minute_is_over(guesser, redis, start_mintd):
    """The minute is made shorter in Redis, before anybody has been told to wait."""
    instance = start_mintd("--failure-limit", "3", redis=redis)
    instance.wait_for_store()
    for _ in range(3):
        guesser.wrong(instance)
    redis.cli("PEXPIRE", guesser.key(), 100)
    wait_until(lambda: guesser.count() == 0, 2)
    for _ in range(3):
        guesser.wrong(instance)
    check_limited(guesser.ask(instance, "wrong"))


@pytest.mark.lengthy
@row("T-35")
def test_a_whole_minute(limited, guesser):
    for instance in limited:
        guesser.ask(instance, "wrong")
    guesser.ask(limited[0], "wrong")
    for instance in limited * LIMIT:
        response = guesser.ask(instance, "wrong")
    check_limited(response)
    told, wait = time.monotonic(), int(response.get("Retry-After"))
    while time.monotonic() < told + wait - 2:
        for instance in limited:
            check_limited(guesser.ask(instance))
        time.sleep(1)
    time.sleep(max(0, told + wait - time.monotonic()))
    for instance in limited:
        check_tok(guesser.ask(instance), "/token")


@row("T-35")
def test_success_costs_no_command(limited, guesser, redis, start_mintd):
    """What Redis is asked for a mint is the same with a limit and without one, failures or none. (When
    a secret was last used is written now and then, in a transaction, and the client's record read again behind
    that, with the global generation ahead of it.)"""
    note = ("MULTI", "HSET", "HEXISTS", "EXEC", "HGETALL")
    unlimited = start_mintd(redis=redis)
    unlimited.wait_for_store()

    def commands(instance):
        with redis.monitor() as seen:
            for _ in range(5):
                check_tok(guesser.ask(instance), "/token")
            asked = seen.requests()
        assert not [c for c in asked if "fail" in repr(c)], asked
        return [c[0].upper() for c in asked
                if c[0].upper() not in note and c[1] != "mintd:generation"]

    for instance in (limited[0], unlimited):
        check_tok(guesser.ask(instance), "/token")  # whatever is to be remembered is remembered
    alike = commands(unlimited)
    assert commands(limited[0]) == alike and alike.count("SETEX") == 5
    guesser.wrong(limited[0])
    assert commands(limited[0]) == alike
    assert guesser.count() == 1  # a success takes nothing back


@row("T-35")
def test_waiting_costs_no_command(limited, guesser, redis):
    """Whoever has been told to wait is refused from memory."""
    guesser.exhaust(limited[0])
    with redis.monitor() as seen:
        for _ in range(10):
            check_limited(guesser.ask(limited[0], "wrong"))
        assert not [c for c in seen.commands() if "fail" in repr(c)]


@rows("T-35", list=("LPUSH", "a"), hash=("HSET", "a", "b"), text=("SET", "many"))
def test_count_that_is_none(limited, guesser, redis, case):
    """A key of that name with something else in it: nobody is let in for it, and the right secret is
    not called wrong."""
    redis.cli(case[0], guesser.key(), *case[1:])
    response = guesser.ask(limited[0], "wrong")
    assert response.status in (401, 429, 503), response
    assert guesser.ask(limited[0]).status in (200, 429, 503)


@brief
@row("T-35")
def test_redis_away(own_redis, start_mintd):
    """A failure that cannot be counted is no verdict on the secret."""
    instance = start_mintd("--failure-limit", "10", redis=own_redis)
    instance.wait_for_store()
    guesser = Guesser(own_redis)
    check_tok(guesser.ask(instance), "/token")
    guesser.wrong(instance)
    own_redis.pause()
    for who in (guesser.name, "nobody"):
        wait_until(lambda: guesser.ask(instance, "wrong", who=who).status == 503, 3)
        check_unavailable(guesser.ask(instance, "wrong", who=who))
    check_unavailable(guesser.ask(instance))
    own_redis.resume()


@row("T-35")
def test_redis_that_takes_no_writes(own_redis, start_mintd):
    """Read-only: a wrong secret is refused, or told to come back; it never gets more guesses so."""
    instance = start_mintd("--failure-limit", "3", redis=own_redis)
    instance.wait_for_store()
    guesser = Guesser(own_redis)
    own_redis.cli("REPLICAOF", "127.0.0.1", "1")
    answers = [guesser.ask(instance, "wrong").status for _ in range(20)]
    assert answers.count(401) <= 3 and set(answers) <= {401, 429, 503}, answers
    own_redis.cli("REPLICAOF", "NO", "ONE")


# ---- the log ----


@row("T-35")
def test_log_and_metrics_tell(limited, guesser):
    guesser.exhaust(limited[0])
    mark = limited[0].mark()
    check_limited(guesser.ask(limited[0], "wrong"))
    line = limited[0].wait_for_log("refused", since=mark, client=guesser.name, reason="too many failures")
    assert line["error"] == "temporarily_unavailable", line
    assert line["peer"] == guesser.here, line
    text = limited[0].request("GET", "/metrics").body.decode()
    assert re.search(r'^mintd_refusals_total\{reason="too_many_failures"\} [1-9]', text, re.MULTILINE), text
