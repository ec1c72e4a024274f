"""Failed authentications are limited: T-35, I-12, K-11, G-25.

A limit of N a minute for each pair of client and address; ids that do not exist share ten times as
many for each address. The counts are in Redis, so all instances share them.
"""
import re
import time

import pytest

from support import http
from support.clients import BA, G, SVC_A, SVC_B, basic, bearer
from support.http import form_request, request_bytes
from support.inquiry import check_identity, verify
from support.mintd import Mintd
from support.oauth import (check_err, check_fresh, check_json, check_silent, check_tok, check_unavailable,
                           make_client, minted, row, rows, unique, use, wait_until)
from support.timing import scaled
from support.wire import Wire

LIMIT = 10
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
TARGETS = ("/token", "/auth", "/introspect", "/revoke")


@pytest.fixture(scope="module")
def limited(redis):
    """Two instances with the default limit, which the harness takes away."""
    started = [Mintd("--failure-limit", str(LIMIT), redis=redis) for _ in range(2)]
    for instance in started:
        instance.wait_for_store()
    yield started
    for instance in started:
        instance.stop()


@pytest.fixture
def name(redis):
    """A client of this test alone."""
    name = unique("limit")
    make_client(redis, name, scope="read")
    yield name
    redis.cli("DEL", "mintd:client:" + name)
    if failures := redis.keys("mintd:fail:*"):
        redis.cli("DEL", *failures)


def request(who, secret="wrong", target="/token"):
    return form_request(target, G + b"&token=x", [basic(who, secret)])


def ask(instance, who, secret="s-3cret", target="/token", source=HERE):
    return http.exchange(instance.address, request(who, secret, target), source=source)


def check_limited(response):
    """429 and when to come back; nothing that a guesser could learn from."""
    assert (response.status, response.error) == (429, "temporarily_unavailable"), response
    check_fresh(response)
    assert sorted(check_json(response)) == ["error", "error_description"], response
    assert re.fullmatch(r"[1-9][0-9]?", response.get("Retry-After")), response
    assert int(response.get("Retry-After")) <= 60, response
    assert response.get("WWW-Authenticate") is None, response
    check_silent(response)


def count(redis, who, address=HERE):
    return int(redis.cli("GET", "mintd:fail:%s:%s" % (who, address)) or 0)


def exhaust(instance, who, source=HERE):
    for _ in range(LIMIT):
        check_err(ask(instance, who, "wrong", source=source), 401, "invalid_client")


# ---- the limit ----


@rows("T-35", token="/token", auth="/auth", introspect="/introspect", revoke="/revoke")
def test_limit(limited, redis, name, case):
    """I-12 and K-11 are the last two."""
    for number in range(LIMIT):
        check_err(ask(limited[0], name, "wrong %d" % number, case), 401, "invalid_client")
        assert count(redis, name) == number + 1
    for secret in ("wrong", "s-3cret", "wrong", "s-3cret"):
        check_limited(ask(limited[0], name, secret, case))
    for target in TARGETS:
        check_limited(ask(limited[0], name, "s-3cret", target))


@row("T-35")
def test_hundred_guesses(limited, redis, name):
    """As the row has it: 100 in a few seconds from one address, then the right one from another."""
    for instance in limited:
        instance.exchange(request(name, "s-3cret"))
    started = time.monotonic()
    with Wire(limited[0].address) as one, Wire(limited[1].address) as other:
        answers = [wire.ask(request(name))[0] for _ in range(50) for wire in (one, other)]
    assert time.monotonic() - started < scaled(10)
    assert set(answers) == {401, 429} and answers.count(429) >= 80, answers
    assert answers.count(401) <= LIMIT, answers
    for instance in limited:
        check_limited(ask(instance, name, "s-3cret"))
        check_tok(ask(instance, name, "s-3cret", source=ELSEWHERE), "/token")


@row("T-35")
def test_at_once(limited, redis, name):
    """A hundred guesses under way at the same time do not get past the count."""
    wires = [Wire(instance.address) for instance in limited for _ in range(50)]
    for wire in wires:
        wire.send(request(name))
    answers = [wire.read()[0] for wire in wires]
    for wire in wires:
        wire.close()
    assert answers.count(401) <= LIMIT and answers.count(429) >= 80, answers


@row("T-35")
def test_instances_share_the_count(limited, redis, name):
    for number in range(LIMIT):
        check_err(ask(limited[number % 2], name, "wrong"), 401, "invalid_client")
    assert count(redis, name) == LIMIT
    for instance in limited:
        check_limited(ask(instance, name, "wrong"))
        check_limited(ask(instance, name, "s-3cret"))


@row("T-35")
def test_a_new_instance_knows_of_it(limited, redis, name, start_mintd):
    exhaust(limited[0], name)
    fresh = start_mintd("--failure-limit", str(LIMIT), redis=redis)
    fresh.wait_for_store()
    check_limited(ask(fresh, name, "wrong"))
    check_limited(ask(fresh, name, "s-3cret"))


@row("T-35")
def test_endpoints_share_the_count(limited, redis, name):
    for number in range(LIMIT):
        check_err(ask(limited[0], name, "wrong", TARGETS[number % 4]), 401, "invalid_client")
    for target in TARGETS:
        check_limited(ask(limited[0], name, "wrong", target))


@row("T-35")
def test_both_ways_of_authentication_share_the_count(limited, redis, name):
    in_body = form_request("/token", G + b"&client_id=%s&client_secret=wrong" % name.encode())
    for number in range(LIMIT):
        response = limited[0].exchange(request(name) if number % 2 else in_body)
        check_err(response, 401, "invalid_client")
    check_limited(limited[0].exchange(in_body))


@row("T-35")
def test_slow_hash(limited, redis, name):
    """A guess that is refused for its number costs no slow hash."""
    redis.cli("HSET", "mintd:client:" + name, "secret:1", SVC_B.hash_fields()[0][1])
    exhaust(limited[0], name)
    check_limited(ask(limited[0], name, "wrong"))

    def checks():
        text = limited[0].request("GET", "/metrics").body.decode()
        return float(re.search(r"^mintd_secret_slow_checks_total (\S+)", text, re.MULTILINE)[1])

    before = checks()
    for _ in range(20):
        check_limited(ask(limited[0], name, "another wrong one"))
    assert checks() == before


@row("T-35")
def test_limit_of_one_and_none(redis, name, start_mintd):
    one, none = (start_mintd("--failure-limit", n, redis=redis) for n in ("1", "0"))
    for instance in (one, none):
        instance.wait_for_store()
    for _ in range(30):
        check_err(ask(none, name, "wrong"), 401, "invalid_client")
    assert not redis.keys("mintd:fail:*")
    check_err(ask(one, name, "wrong"), 401, "invalid_client")
    check_limited(ask(one, name, "s-3cret"))
    check_tok(ask(none, name, "s-3cret"), "/token")


# ---- nobody else suffers ----


@row("G-25")
def test_a_stranger_locks_nobody_out(limited, redis, name):
    exhaust(limited[0], name, ELSEWHERE)
    check_limited(ask(limited[0], name, "s-3cret", source=ELSEWHERE))
    for instance in limited:
        check_tok(ask(instance, name, "s-3cret"), "/token")
        check_err(ask(instance, name, "wrong"), 401, "invalid_client")
    assert count(redis, name) == 2 and count(redis, name, ELSEWHERE) >= LIMIT


@row("G-25")
def test_others_at_the_same_address_go_on(limited, redis, name):
    other = unique("limit")
    make_client(redis, other, scope="read")
    exhaust(limited[0], name)
    check_limited(ask(limited[0], name, "wrong"))
    for instance in limited:
        check_tok(ask(instance, other), "/token")
        check_err(ask(instance, other, "wrong"), 401, "invalid_client")
        check_tok(instance.exchange(form_request("/token", G, [BA])), "/token")
    redis.cli("DEL", "mintd:client:" + other)


@row("G-25")
def test_tokens_of_a_limited_client_are_good(limited, redis, name):
    token, _ = minted(limited[0], "/token", G, basic(name, "s-3cret"))
    exhaust(limited[0], name)
    check_limited(ask(limited[0], name, "s-3cret"))
    for instance in limited:
        assert use(instance, token).status == 200
        check_identity(verify(instance, bearer(token)), name)


@row("G-25")
def test_bad_tokens_are_not_counted_as_failures_of_a_client(limited, redis, name):
    for _ in range(3 * LIMIT):
        assert use(limited[0], "nope").status == 401
    assert not redis.keys("mintd:fail:*")


# ---- ids that do not exist ----


@row("G-25")
def test_made_up_ids_share_one_count(limited, redis, name):
    for number in range(3 * LIMIT):
        check_err(ask(limited[number % 2], "made-up-%d" % number, "x"), 401, "invalid_client")
    assert redis.keys("mintd:fail:*") == ["mintd:fail:!:" + HERE]
    assert count(redis, "!") == 3 * LIMIT


@row("G-25")
def test_made_up_ids_have_ten_times_the_limit(limited, redis, name):
    with Wire(limited[0].address) as one, Wire(limited[1].address) as other:
        answers = [(one, other)[n % 2].ask(request("made-up-%d" % n))[0] for n in range(10 * LIMIT)]
    assert set(answers) == {401}, answers
    for instance in limited:
        check_limited(ask(instance, "made-up-again", "x"))
        check_tok(ask(instance, name), "/token")  # who exists is not among them
        check_err(ask(instance, name, "wrong"), 401, "invalid_client")
        check_err(ask(instance, "made-up", "x", source=ELSEWHERE), 401, "invalid_client")
    assert redis.keys("mintd:fail:*") == sorted(["mintd:fail:!:" + HERE, "mintd:fail:!:" + ELSEWHERE,
                                                 "mintd:fail:%s:%s" % (name, HERE)])


@rows("G-25", bang="!", colon="a:b", star="*", slash="../x", space="a b", long="x" * 300, longest="x" * 255,
      high="\u00e9", newline="a\nb", key="svc-a:127.0.0.9")
def test_odd_ids_make_no_keys_of_their_own(limited, redis, name, case):
    for instance in limited:
        check_err(ask(instance, case, "wrong"), 401, "invalid_client")
        body = [("grant_type", "client_credentials"), ("client_id", case), ("client_secret", "x")]
        check_err(instance.exchange(form_request("/token", body)), 401, "invalid_client")
    allowed = {"mintd:fail:!:" + HERE, "mintd:fail:a:" + HERE, "mintd:fail:svc-a:" + HERE}
    assert set(redis.keys("mintd:fail:*")) <= allowed


@row("G-25")
def test_disabled_client_has_a_count_too(limited, redis, name):
    redis.cli("HSET", "mintd:client:" + name, "disabled", "1")
    for _ in range(LIMIT):
        check_err(ask(limited[0], name), 401, "invalid_client")
    assert count(redis, name) + count(redis, "!") == LIMIT


@row("G-25")
def test_what_is_no_guess_is_not_counted(limited, redis, name):
    """Requests that are wrong in another way than by their secret fill no count."""
    right = basic(name, "s-3cret")
    for raw in (form_request("/token", b"grant_type=foo", [right]), form_request("/token", b"", [right]),
                form_request("/token", G + b"&scope=admin", [right]), form_request("/token", b"a=%zz", [right]),
                form_request("/token", G + b"&client_secret=x", [right]), form_request("/token?client_secret=x", G),
                request_bytes("GET", "/token", [basic(name, "wrong")]),
                request_bytes("POST", "/token", [basic(name, "wrong"), ("Content-Type", "text/plain")], G),
                form_request("/revoke", b"", [right]), form_request("/introspect", b"", [right])):
        for _ in range(2):
            assert limited[0].exchange(raw).status in (400, 405)
    assert count(redis, name) == 0
    check_tok(ask(limited[0], name), "/token")


# ---- the count in Redis ----


@row("T-35")
def test_every_count_has_an_end(limited, redis, name):
    """From the first failure on, and no failure puts it off for ever."""
    for number in range(LIMIT + 5):
        ask(limited[number % 2], name, "wrong")
        ask(limited[number % 2], "made-up", "wrong")
        for key in redis.keys("mintd:fail:*"):
            assert 0 < redis.cli("TTL", key) <= 60, key
            assert redis.cli("TYPE", key) == "string"


@row("T-35")
def test_retry_after_is_what_is_left(limited, redis, name):
    key = "mintd:fail:%s:%s" % (name, HERE)
    exhaust(limited[0], name)
    redis.cli("EXPIRE", key, 31)
    response = ask(limited[1], name, "wrong")
    check_limited(response)
    assert 1 <= int(response.get("Retry-After")) <= 60


@row("T-35")
def test_good_again_when_the_minute_is_over(redis, name, start_mintd):
    """The minute is made shorter in Redis, before anybody has been told of it."""
    instance = start_mintd("--failure-limit", "3", redis=redis)
    instance.wait_for_store()
    for _ in range(3):
        check_err(ask(instance, name, "wrong"), 401, "invalid_client")
    redis.cli("PEXPIRE", "mintd:fail:%s:%s" % (name, HERE), 300)
    wait_until(lambda: count(redis, name) == 0, 2)
    for _ in range(3):
        check_err(ask(instance, name, "wrong"), 401, "invalid_client")
    check_limited(ask(instance, name, "wrong"))


@row("T-35")
def test_success_costs_no_command(limited, redis, name, start_mintd):
    """What Redis is asked for a mint is the same with a limit and without one, failures or none."""
    unlimited = start_mintd(redis=redis)
    unlimited.wait_for_store()
    instances = [limited[0], unlimited]

    def commands(instance):
        with redis.monitor() as seen:
            for _ in range(5):
                check_tok(ask(instance, name), "/token")
            port_free = [c for c in seen.commands() if c[0].upper() not in ("PING", "CLIENT", "HELLO")]
        assert not [c for c in port_free if "fail" in repr(c)], port_free
        return [c[0].upper() for c in port_free if "instance" not in repr(c)]

    for instance in instances:
        check_tok(ask(instance, name), "/token")  # whatever is to be remembered is remembered
    alike = commands(unlimited)
    assert commands(limited[0]) == alike and alike.count("SETEX") == 5
    check_err(ask(limited[0], name, "wrong"), 401, "invalid_client")
    assert commands(limited[0]) == alike
    assert count(redis, name) == 1  # a success takes nothing back


@rows("T-35", list=("LPUSH", "a"), hash=("HSET", "a", "b"), text=("SET", "many"))
def test_count_that_is_none(limited, redis, name, case):
    """A key of that name with something else in it: a wrong secret is not let in for it, a right one
    is not refused as wrong."""
    redis.cli(case[0], "mintd:fail:%s:%s" % (name, HERE), *case[1:])
    response = ask(limited[0], name, "wrong")
    assert response.status in (401, 429, 503), response
    assert ask(limited[0], name).status in (200, 429, 503)


@row("T-35")
def test_redis_away(own_redis, start_mintd):
    """A failure that cannot be counted is no verdict on the secret."""
    instance = start_mintd("--failure-limit", "10", redis=own_redis)
    instance.wait_for_store()
    make_client(own_redis, "limit-away", scope="read")
    check_tok(ask(instance, "limit-away"), "/token")
    check_err(ask(instance, "limit-away", "wrong"), 401, "invalid_client")
    own_redis.pause()
    for who in ("limit-away", "nobody"):
        wait_until(lambda: ask(instance, who, "wrong").status == 503, 3)
        check_unavailable(ask(instance, who, "wrong"))
    check_unavailable(ask(instance, "limit-away"))
    own_redis.resume()


# ---- the log ----


@row("T-35")
def test_log_and_metrics_tell(limited, redis, name):
    exhaust(limited[0], name)
    mark = limited[0].mark()
    check_limited(ask(limited[0], name, "wrong"))
    line = limited[0].wait_for_log("refused", since=mark, client=name)
    assert line["error"] == "temporarily_unavailable" and line["reason"] == "too many failures", line
    assert line["peer"] == HERE, line
    text = limited[0].request("GET", "/metrics").body.decode()
    assert re.search(r'^mintd_refusals_total\{reason="too many failures"\} [1-9]', text, re.MULTILINE), text


