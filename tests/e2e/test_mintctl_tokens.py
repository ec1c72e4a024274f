"""mintctl token … and explain: what Redis holds of a token, and why it is accepted or refused."""
import base64
import json
import time
import urllib.parse

import pytest

from support.clients import CODECADEMY, G, SVC_A, SVC_B, basic, bearer, token_key, token_of
from support.mintctl import Mintctl
from support.oauth import (check_bearer, check_err, check_welcome, forged_token, jti, make_client,
                           minted, post, row, rows, unique, use, wait_refused, wait_until)
from support.timing import scaled


@pytest.fixture
def ctl(redis):
    return Mintctl(redis, canaries=[SVC_A.secret, SVC_B.secret])


@pytest.fixture
def client(redis):
    """A client of this test alone, its secret "s-3cret"."""
    name = unique("ctlt")
    make_client(redis, name, scope="read write", default_scope="read")
    yield name
    redis.cli("DEL", "mintd:client:" + name)


@row("L5")
def test_generation_is_read_ahead_of_the_client(redis, ctl, client):
    """So a token of a client that changes meanwhile, and then everybody's generation, is dead."""
    with redis.monitor() as seen:
        ctl.secret("token", "mint", client)
        asked = [command[1] for command in seen.commands() if len(command) > 1]
    assert asked.index("mintd:generation") < asked.index("mintd:client:" + client), asked


def mint_for(instance, name):
    return minted(instance, "/token", G, basic(name, "s-3cret"))[0]


# ---- mint ----


@row("CTL")
def test_mint(pair, redis, ctl, client):
    token = ctl.secret("token", "mint", client)
    check_welcome(use(pair.a, token), client, "read")
    record = json.loads(redis.cli("GET", token_key(token)))
    of_mintd = json.loads(redis.cli("GET", token_key(mint_for(pair.a, client))))
    assert list(record) == list(of_mintd)
    for member in ("client", "scope", "aud", "gen", "ggen"):
        assert record[member] == of_mintd[member]
    assert abs(record["iat"] - of_mintd["iat"]) <= 1 + scaled(1)
    assert record["exp"] - record["iat"] == 3600
    assert 3595 <= redis.cli("TTL", token_key(token)) <= 3600


@row("CTL")
def test_mint_what_was_asked_for(pair, redis, ctl, client):
    redis.cli("HSET", "mintd:client:" + client, "aud", "urn:a:1 urn:b:2 plain", "max_ttl", "100",
              "ttl", "50")
    token = ctl.secret("token", "mint", client, "--scope", "write", "--ttl", "70", "--audience",
                       "urn:a:1", "--audience", "urn:b:2")
    check_welcome(use(pair.a, token), client, "write")
    record = json.loads(redis.cli("GET", token_key(token)))
    assert record["aud"] == "urn:a:1 urn:b:2" and record["exp"] - record["iat"] == 70
    token = ctl.secret("token", "mint", client, "--audience", "plain")
    record = json.loads(redis.cli("GET", token_key(token)))
    assert record["aud"] == "plain" and record["exp"] - record["iat"] == 50
    cut = ctl.run("token", "mint", client, "--ttl", "5000")
    assert cut.status == 0 and "cut to 100 s" in cut.err, cut
    record = json.loads(redis.cli("GET", token_key(cut.out.strip())))
    assert record["exp"] - record["iat"] == 100


@rows("CTL", scope=(["--scope", "admin"], 1), malformed=(["--scope", "a  b"], 1),
      audience=(["--audience", "urn:other"], 1), ttl=(["--ttl", "0"], 2), word=(["--ttl", "1w"], 2))
def test_mint_what_the_client_may_not_have(redis, ctl, client, case):
    before = redis.tokens()
    ctl("token", "mint", client, *case[0], status=case[1])
    assert not redis.tokens() - before


@row("CTL")
def test_mint_for_whom_auth_would_refuse(redis, ctl, client):
    ctl("token", "mint", "nobody-here", status=1)
    ctl("token", "mint", "nogrant", status=1)
    redis.cli("HSET", "mintd:client:" + client, "disabled", "1")
    assert "disabled" in ctl("token", "mint", client, status=1).err


# ---- show, key ----


@row("CTL")
def test_show(pair, ctl):
    token, document = minted(pair.a, "/token", G + b"&scope=read+write")
    for operand, stdin in (("-", token), ("-", token + "\n"), (jti(token), None),
                           (jti(token).upper(), None)):
        shown = ctl.json("token", "show", operand, stdin=stdin)
        assert shown["jti"] == jti(token) and shown["client"] == "svc-a", shown
        assert shown["scope"].split() == ["read", "write"]
        assert abs(shown["expires"] - time.time() - document["expires_in"]) <= 2 + scaled(1)
    text = ctl("token", "show", jti(token)).out
    assert "svc-a" in text and "read write" in text and jti(token) in text, text


@row("CTL")
def test_key(ctl):
    token = forged_token()
    nowhere = Mintctl("redis://127.0.0.1:1")
    assert nowhere("token", "key", "-", stdin=token).out == token_key(token) + "\n"
    done = nowhere("token", "key", "-", "--redis-prefix", "other:", stdin=token)
    assert done.out == token_key(token, "other:") + "\n"
    assert nowhere.json("token", "key", "-", stdin=token) == {"key": token_key(token)}
    nowhere("token", "key", "-", stdin=token[:-1] + "_", status=2)


@row("CTL")
def test_a_token_on_the_command_line_is_warned_about(pair, ctl):
    token = token_of(pair.a)
    for command in (("token", "show"), ("token", "key"), ("explain",), ("token", "revoke")):
        done = ctl(*command, token)
        assert "warning" in done.err and "standard input" in done.err, done
    assert ctl("token", "show", jti(token), status=1).err.count("warning") == 0


@rows("CTL", empty="", word="nonsense", short="mtd_x", hex="0" * 31, long="f" * 300)
def test_what_is_no_token(ctl, case):
    for command in ("show", "revoke"):
        ctl("token", command, "-", stdin=case, status=2)


@row("CTL")
def test_a_token_that_is_not_there(ctl):
    for command in ("show", "revoke"):
        assert "no such token" in ctl("token", command, "-", stdin=forged_token(), status=1).err
        ctl("token", command, "0" * 32, status=1)


# ---- revoke ----


@row("CTL")
def test_revoke(pair, redis, ctl):
    for operand in (lambda t: ("-", t), lambda t: (jti(t), None)):
        token, other = token_of(pair.a), token_of(pair.a)
        for instance in pair:
            check_welcome(use(instance, token))
        text, stdin = operand(token)
        ctl("token", "revoke", text, stdin=stdin)
        for instance in pair:
            wait_refused(instance, token, 0.5)
            check_welcome(use(instance, other))
        ctl("token", "revoke", text, stdin=stdin, status=1)


@row("CTL")
def test_revoke_all_of_a_client(pair, redis, ctl, client):
    token, other = mint_for(pair.a, client), token_of(pair.a)
    for instance in pair:
        check_welcome(use(instance, token), client)
    ctl("token", "revoke-all", client)
    for instance in pair:
        wait_refused(instance, token, 0.5)
        check_welcome(use(instance, other))
    check_welcome(use(pair.b, mint_for(pair.a, client)), client)
    ctl("token", "revoke-all", "nobody-here", status=1)
    assert not redis.cli("EXISTS", "mintd:client:nobody-here")


@row("CTL")
def test_revoke_all_of_everybody(own_redis, own_mintd):
    ctl = Mintctl(own_redis)
    tokens = [(SVC_A, token_of(own_mintd)), (CODECADEMY, token_of(own_mintd, CODECADEMY))]
    for one, token in tokens:
        check_welcome(use(own_mintd, token), one.id)
    assert "--yes" in ctl("token", "revoke-all", "--everybody", status=2).err  # N-16
    for one, token in tokens:
        check_welcome(use(own_mintd, token), one.id)
    ctl("token", "revoke-all", "--everybody", "--yes")
    for _, token in tokens:
        wait_refused(own_mintd, token, 0.5)
    check_welcome(use(own_mintd, token_of(own_mintd)))


@row("N-16")
def test_revoke_all_of_everybody_asks_on_a_terminal(own_redis):
    ctl = Mintctl(own_redis)
    for answer, status, generation in (("n\n", 1, None), ("\n", 1, None), ("y\n", 0, "1")):
        with ctl.terminal("token", "revoke-all", "--everybody") as terminal:
            terminal.expect("[y/N]")
            terminal.send(answer)
            terminal.end(status)
        assert own_redis.cli("GET", "mintd:generation") == generation


@rows("CTL", neither=[], both=["svc-a", "--everybody"])
def test_revoke_all_of_whom(ctl, case):
    ctl("token", "revoke-all", *case, status=2)


# ---- explain: tokens ----


def explained(ctl, text, status):
    """The document of an explanation; text and JSON agree."""
    document = ctl.json("explain", "-", stdin=text, status=status)
    lines = ctl("explain", "-", stdin=text, status=status).out.splitlines()
    assert document["accepted"] == (status == 0)
    assert len(lines) == len(document["steps"]) + 1
    for line, step in zip(lines, document["steps"]):
        assert line.split()[:2] == [step["result"], step["step"].split()[0]], (line, step)
    assert lines[-1].startswith("accepted" if status == 0 else "refused: " + document["reason"])
    assert [s["result"] for s in document["steps"]].count("refused") == (status != 0)
    return document


def failed_at(ctl, text, step, reason):
    document = explained(ctl, text, 1)
    last = document["steps"][-1]
    assert (last["step"], document["reason"]) == (step, reason), document
    return document


def agree(instance, token, document):
    """mintd refuses it for the reason that was told, and says so in its log."""
    mark = instance.mark()
    response = use(instance, token)
    assert response.status == (401 if document["error"] == "invalid_token" else 503), response
    instance.wait_for_log("refused", since=mark, reason=document["reason"])


@row("CTL")
def test_explain_a_good_token(pair, ctl):
    token = token_of(pair.a)
    for text in (token, " %s \n" % token, "Bearer " + token, "bearer   %s" % token,
                 "Authorization: Bearer " + token, "AUTHORIZATION:bearer " + token):
        document = explained(ctl, text, 0)
        steps = [s["step"] for s in document["steps"]]
        assert steps[-9:] == ["form", "checksum", "key", "record", "expiry", "client", "disabled",
                              "generation", "everybody"], steps
        assert token_key(token) in json.dumps(document)


MALFORMED = {
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "prefix"),
    "secret": ("mts_" + forged_token()[4:], "prefix"),
    "other": ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "prefix"),
    "short": (forged_token()[:-1], "form"),
    "long": (forged_token() + "A", "form"),
    "character": (forged_token()[:20] + "-" + forged_token()[21:], "form"),
    "checksum": (forged_token()[:20] + "B" + forged_token()[21:], "checksum"),
}


@rows("CTL", **MALFORMED)
def test_explain_what_has_not_our_form(pair, ctl, case):
    document = failed_at(ctl, case[0], case[1], "token not of our form")
    agree(pair.a, case[0], document)


@row("CTL")
def test_explain_needs_no_redis_for_the_form():
    nowhere = Mintctl("redis://127.0.0.1:1")
    nowhere("explain", "-", stdin="eyJ", status=1)
    done = nowhere("explain", "-", stdin=forged_token(), status=3)
    assert "checksum" in done.out and "127.0.0.1:1" in done.err, done


@rows("CTL", two="Bearer a b", quoted='Bearer "x"', nothing="Bearer ", variable="Bearer ${TOKEN}")
def test_explain_a_malformed_header(pair, ctl, case):
    failed_at(ctl, case, "header", "malformed Authorization")


@row("CTL")
def test_explain_another_scheme(ctl):
    failed_at(ctl, "Digest username=x", "header", "no token")


@row("CTL")
def test_explain_refusals(pair, redis, ctl, client):
    key = "mintd:client:" + client

    def check(step, reason):
        document = failed_at(ctl, token, step, reason)
        wait_until(lambda: use(pair.a, token).status != 200, 0.5, "refused")
        agree(pair.a, token, document)

    token = forged_token()
    check("record", "token unknown, expired or deleted")

    token = mint_for(pair.a, client)
    redis.cli("HSET", key, "disabled", "1")
    check("disabled", "client of the token disabled")
    redis.cli("HSET", key, "disabled", "0")
    redis.cli("HINCRBY", key, "gen", "1")
    check("generation", "token of a revoked generation")

    token = mint_for(pair.a, client)
    record = json.loads(redis.cli("GET", token_key(token)))
    redis.cli("SET", token_key(token), json.dumps({**record, "exp": int(time.time()) - 100}))
    check("expiry", "token expired")
    redis.cli("SET", token_key(token), json.dumps({**record, "ggen": 12345}))
    check("everybody", "token of a revoked generation")
    redis.cli("SET", token_key(token), "no JSON")
    check("record", "record in the store is unreadable")
    redis.cli("SET", token_key(token), json.dumps(record))
    redis.cli("HSET", key, "gen", "soon")
    check("client", "record in the store is unreadable")
    redis.cli("DEL", key)
    check("client", "client of the token removed")
    redis.cli("HSET", key, "secret:1:used", "1")  # a late write: still no client
    check("client", "client of the token removed")
    redis.cli("DEL", token_key(token))


@row("CTL")
def test_explain_a_global_generation_that_is_none(own_redis, own_mintd):
    token = token_of(own_mintd)
    own_redis.cli("SET", "mintd:generation", "many")
    document = failed_at(Mintctl(own_redis), token, "everybody", "record in the store is unreadable")
    wait_until(lambda: use(own_mintd, token).status == 503, 0.5, "unavailable")
    agree(own_mintd, token, document)


# ---- explain: Basic ----


def header(data):
    data = data.encode() if isinstance(data, str) else data
    return "Basic " + base64.b64encode(data).decode()


def refused_alike(instance, text, document):
    """mintd refuses these credentials for the same reason."""
    mark = instance.mark()
    check_err(post(instance, "/token", G, ("Authorization", text)), 401, "invalid_client")
    instance.wait_for_log("refused", since=mark, reason=document["reason"])


@row("CTL")
def test_explain_a_good_secret(pair, ctl):
    quoted = urllib.parse.quote_plus(SVC_B.secret)
    for text, reading in ((header("svc-a:" + SVC_A.secret), "as it was sent"),
                          ("Authorization: " + header("svc-a:" + SVC_A.secret), "as it was sent"),
                          (header("svc-b:" + SVC_B.secret), "as it was sent"),
                          (header("svc-b:" + quoted), "form-decoded")):
        ctl.canaries += [text, text[6:], quoted]
        document = explained(ctl, text, 0)
        assert reading in document["steps"][3]["text"], document
        assert "secret 1" in document["steps"][3]["text"], document


@row("CTL")
def test_explain_which_secret(pair, redis, ctl, client):
    second = ctl.secret("client", "rotate", client, "--grace", "1h")
    for secret, number in (("s-3cret", 1), (second, 2)):
        document = explained(ctl, header("%s:%s" % (client, secret)), 0)
        assert "secret %d" % number in document["steps"][3]["text"]
    redis.cli("HSET", "mintd:client:" + client, "secret:1:expires", "1500000000")
    text = header(client + ":s-3cret")
    document = failed_at(ctl, text, "secret", "secret expired")
    assert "secret 1, which expired at 2017-07-14T02:40:00Z" in document["steps"][-1]["text"]
    refused_alike(pair.a, text, document)


@rows("CTL", padding=("Basic c3ZjLWE6eA", "base64"), url_safe=("Basic __-_", "base64"),
      nothing=("Basic", "base64"), no_colon=(header("svc-a"), "colon"),
      no_id=(header(":x"), "id"), empty=(header("svc-a:"), "secret"),
      line=(header("svc-a:s3cret-A_1.x~\n"), "secret"), control=(header("svc-a:a\x01b"), "secret"))
def test_explain_malformed_credentials(pair, ctl, case):
    document = failed_at(ctl, case[0], case[1], "malformed credentials")
    refused_alike(pair.a, case[0], document)


@row("F-29")
def test_explain_an_id_with_another_character(pair, ctl):
    text = header("a b:x")
    document = failed_at(ctl, text, "id", "client id has a character that mintd does not take")
    refused_alike(pair.a, text, document)


@row("CTL")
def test_explain_refused_credentials(pair, redis, ctl, client):
    text = header("nobody-here:whatever")
    refused_alike(pair.a, text, failed_at(ctl, text, "client", "unknown client"))
    ctl.canaries.append("not-the-secret")
    text = header(client + ":not-the-secret")
    refused_alike(pair.a, text, failed_at(ctl, text, "secret", "wrong secret"))
    redis.cli("HSET", "mintd:client:" + client, "disabled", "1")
    text = header(client + ":s-3cret")
    wait_until(lambda: post(pair.a, "/token", G, basic(client, "s-3cret")).status == 401, 0.5)
    refused_alike(pair.a, text, failed_at(ctl, text, "disabled", "client disabled"))


@row("CTL")
def test_explain_tells_of_missing_grants(ctl):
    document = explained(ctl, header("nogrant:x3"), 0)
    assert document["steps"][-1]["result"] == "note"
