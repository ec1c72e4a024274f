"""POST /introspect: CONFORMANCE 1.5 (RFC 7662), and what its answers prove of tokens (R-15, X-03, B-02)."""
import json
import time

import pytest

from support.clients import BA, CODECADEMY, G, RS_1, SVC_A, SVC_B, basic, bearer, token_key
from support.http import form_request, request_bytes
from support.inquiry import (RS1, RS2, between, check_active, check_inactive, dead_soon, introspect, mint_for, revoke,
                             two)
from support.oauth import (check_err, check_unavailable, forged_token, make_client, minted, row, rows,
                           unique, wait_status, wait_until)

BASIC_WRONG = basic("rs-1", "wrong")


@pytest.fixture
def names(redis):
    """Makes clients that are gone after the test: names("x", scope=…) gives a name."""
    made = []

    def make(prefix="intro", **fields):
        made.append(unique(prefix))
        make_client(redis, made[-1], **fields)
        return made[-1]

    yield make
    redis.cli("DEL", *["mintd:client:" + name for name in made], "mintd:none")


def record(redis, token):
    return json.loads(redis.cli("GET", token_key(token)))


def refused(instances, raw, status, error):
    """Alike by all of these instances."""
    for instance in instances:
        check_err(instance.exchange(raw), status, error)


# ---- active ----


@row("I-01")
def test_active(between, redis):
    maker, user = between
    token, _ = minted(maker)
    kept = record(redis, token)
    document = check_active(introspect(user, token), token)
    assert (document["iat"], document["exp"]) == (kept["iat"], kept["exp"])


@row("I-01")
def test_caller_in_the_body(between):
    maker, user = between
    token, _ = minted(maker)
    body = [("client_id", "rs-1"), ("client_secret", "rs-secret"), ("token", token)]
    check_active(user.exchange(form_request("/introspect", body)), token)


@rows("I-01", basic=SVC_A, scrypt=SVC_B)
def test_own_token(between, case):
    maker, user = between
    token, _ = minted(maker, "/auth", G + b"&scope=read+write", case.basic())
    check_active(introspect(user, token, caller=case.basic()), token, case.id, "read write")


@row("I-01")
def test_members_that_have_nothing_to_say_are_absent(between, names):
    maker, user = between
    name = names()
    token = mint_for(maker, name)
    check_active(introspect(user, token), token, name, scope="", audience="")


@row("I-14")
def test_types(between):
    maker, user = between
    token, _ = minted(maker, "/token", G + b"&ttl=600")
    document = introspect(user, token).json()
    assert not [m for m in document if document[m] is None]
    for member in ("iat", "exp"):
        assert type(document[member]) is int
    assert 600 <= document["exp"] - document["iat"] <= 601
    assert abs(document["iat"] - time.time()) <= 2
    for member in ("client_id", "sub", "scope", "token_type", "jti", "iss"):
        assert isinstance(document[member], str) and document[member]


@row("R-15")
def test_lifetime_scope_and_audience_are_limited(between, names):
    maker, user = between
    name = names(scope="a b", default_scope="a", aud=RS1)
    token = mint_for(maker, name)
    document = check_active(introspect(user, token), token, name, "a", RS1)
    assert document["exp"] - document["iat"] <= 3601
    token, _ = minted(maker)
    document = check_active(introspect(user, token), token)
    assert document["exp"] - document["iat"] <= 3601


@rows("X-03", resource=b"&resource=", audience=b"&audience=")
def test_audience_that_was_asked_for(between, names, case):
    maker, user = between
    name = names(scope="read", aud=RS1 + " " + RS2)
    token = mint_for(maker, name, G + case + RS1.encode())
    check_active(introspect(user, token), token, name, audience=RS1)
    token = mint_for(maker, name, G + b"&resource=%s&resource=%s" % (RS1.encode(), RS2.encode()))
    check_active(introspect(user, token), token, name, audience=RS1 + " " + RS2)


@row("B-02")
def test_sub_is_the_client(between, redis, names):
    """Nothing that an operator writes of a client, or a caller sends, turns it into somebody else."""
    maker, user = between
    name = names(scope="read", sub="root", client_id="svc-a", user="root", iss="x", username="root")
    redis.cli("HSET", "mintd:client:" + name, "name", "Root")
    token = mint_for(maker, name, G + b"&sub=root&username=root&user=root")
    check_active(introspect(user, token), token, name)


@rows("I-07", refresh="refresh_token", other="zzz", access="access_token", empty="", odd="a b\"\\")
def test_hint_changes_nothing(between, case):
    maker, user = between
    token, _ = minted(maker)
    check_active(introspect(user, token, more=[("token_type_hint", case)]), token)
    check_inactive(introspect(user, "nope", more=[("token_type_hint", case)]))


@rows("I-13", jwt="application/token-introspection+jwt", html="text/html")
def test_plain_json_whatever_is_accepted(between, case):
    maker, user = between
    token, _ = minted(maker)
    check_active(introspect(user, token, ("Accept", case)), token)


@row("I-01")
def test_unknown_parameters_are_ignored(between):
    maker, user = between
    token, _ = minted(maker)
    check_active(introspect(user, token, more=[("foo", "1"), ("foo", "2"), ("scope", "admin")]), token)


# ---- inactive ----


def deleted(redis, name, token):
    redis.cli("DEL", token_key(token))


def gone_by_its_exp(redis, name, token):
    kept = record(redis, token)
    redis.cli("SETEX", token_key(token), 60, json.dumps({**kept, "exp": kept["iat"] - 1}))


@rows("I-10", deleted=deleted, exp=gone_by_its_exp,
      disabled=lambda r, n, t: r.cli("HSET", "mintd:client:" + n, "disabled", "1"),
      removed=lambda r, n, t: r.cli("DEL", "mintd:client:" + n),
      generation=lambda r, n, t: r.cli("HINCRBY", "mintd:client:" + n, "gen", 1))
def test_dead_tokens(between, redis, names, case):
    maker, user = between
    name = names(scope="read")
    token = mint_for(maker, name)
    check_active(introspect(user, token), token, name)
    case(redis, name, token)
    wait_until(lambda: introspect(user, token).json() == {"active": False}, 0.1)
    check_inactive(introspect(user, token))


@row("I-10")
def test_revoked_on_another_instance(between):
    maker, user = between
    for turn in range(20):
        token, _ = minted(maker)
        check_active(introspect(user, token), token)
        assert revoke(maker, token).status == 200
        dead_soon([user], token)


@row("I-10")
def test_expired(between, redis):
    maker, user = between
    token, _ = minted(maker, "/token", G + b"&ttl=1")
    expires = record(redis, token)["exp"]
    while time.time() < expires + 1:
        answer = introspect(user, token)
        if not answer.json()["active"]:
            break
        check_active(answer, token)
        time.sleep(0.02)
    check_inactive(introspect(user, token))


@rows("I-02", nope="nope", nul="\0", bytes=b"\xff\xfe", huge="x" * 8192, forged=forged_token(), empty_form="mtd_",
      jti="0" * 32, key="mintd:client:svc-a", crlf="a\r\nb", secret="mts_" + "A" * 49,
      checksum=forged_token()[:-1] + "_", long=forged_token() + "A", wildcard="*")
def test_never_an_error(between, case):
    response = introspect(between[1], case)
    check_inactive(response)


@row("I-02")
def test_all_inactive_answers_are_the_same(between):
    maker, user = between
    token, _ = minted(maker)
    revoke(maker, token)
    other, _ = minted(maker, "/token", G, SVC_B.basic())
    seen = set()
    for asked, caller in ((token, RS_1), ("nope", RS_1), (forged_token(), RS_1), ("\0", RS_1), (other, SVC_A)):
        response = introspect(user, asked, caller=caller.basic())
        check_inactive(response)
        seen.add(tuple(f for f in response.fields if f[0] not in ("Date", "X-Request-Id")))
    assert len(seen) == 1, seen


# ---- who may ask ----


@rows("I-03", none=[], wrong=[BASIC_WRONG], unknown=[basic("nobody", "x")], digest=[("Authorization", "Digest x")],
      broken=[("Authorization", "Basic %%%")])
def test_caller_is_nobody(between, case):
    maker, user = between
    token, _ = minted(maker)
    refused([user], form_request("/introspect", [("token", token)], case), 401, "invalid_client")


@rows("I-03", disabled=dict(disabled="1"), expired=dict(secret_1_expires="1"))
def test_caller_that_may_no_more(between, names, case):
    maker, user = between
    token, _ = minted(maker)
    name = names(permissions="introspect", **case)
    refused([user], form_request("/introspect", [("token", token)], [basic(name, "s-3cret")]), 401,
            "invalid_client")


@row("I-04")
def test_bearer_is_no_way_to_authenticate(between):
    maker, user = between
    token, _ = minted(maker)
    refused([user], form_request("/introspect", [("token", token)], [bearer(token)]), 401, "invalid_client")


@rows("I-05", other=lambda name: basic(name, "s-3cret"), svc_a=lambda name: BA,
      tutorial=lambda name: CODECADEMY.basic())
def test_others_tokens_without_the_permission(between, names, case):
    maker, user = between
    token, _ = minted(maker, "/token", G, SVC_B.basic())
    check_inactive(introspect(user, token, caller=case(names(scope="read"))))
    check_active(introspect(user, token, caller=SVC_B.basic()), token, "svc-b")


@rows("I-05", other="introspection", longer="introspect-all", capital="Introspect", prefix="intro", empty="",
      several=("mint  introspect_ x", False), among=("mint introspect x", True), alone=("introspect", True))
def test_the_permission_is_one_word_of_a_list(between, names, case):
    text, may = case if isinstance(case, tuple) else (case, False)
    maker, user = between
    token, _ = minted(maker)
    response = introspect(user, token, caller=basic(names(permissions=text), "s-3cret"))
    check_active(response, token) if may else check_inactive(response)


@row("I-05")
def test_the_permission_can_be_taken_away(between, redis, names):
    maker, user = between
    token, _ = minted(maker)
    name = names(permissions="introspect")
    check_active(introspect(user, token, caller=basic(name, "s-3cret")), token)
    redis.cli("HDEL", "mintd:client:" + name, "permissions")
    wait_until(lambda: introspect(user, token, caller=basic(name, "s-3cret")).json() == {"active": False}, 0.1)


@row("I-09")
def test_only_tokens_that_are_meant_for_the_caller(between, names):
    maker, user = between
    owner = names(scope="read", aud=RS1 + " " + RS2)
    for_1, for_2, for_both = (mint_for(maker, owner, G + b"".join(b"&resource=" + r.encode() for r in asked))
                              for asked in ([RS1], [RS2], [RS1, RS2]))
    for_none, _ = minted(maker)
    rs_1, rs_2, rs_both, rs_any, rs_3 = (
        basic(names(permissions="introspect", **({"aud": aud} if aud else {})), "s-3cret")
        for aud in (RS1, RS2, RS1 + " " + RS2, None, "https://rs3.example/"))
    for caller, known in ((rs_1, {for_1, for_both, for_none}), (rs_2, {for_2, for_both, for_none}),
                          (rs_both, {for_1, for_2, for_both, for_none}), (rs_3, {for_none}),
                          (rs_any, {for_1, for_2, for_both, for_none}), (RS_1.basic(), {for_1, for_both, for_none})):
        for token in (for_1, for_2, for_both, for_none):
            response = introspect(user, token, caller=caller)
            if token in known:
                assert response.json()["active"] is True, response
            else:
                check_inactive(response)
    check_active(introspect(user, for_2, caller=basic(owner, "s-3cret")), for_2, owner, audience=RS2)


@rows("I-09", longer="https://rs1.example/x", shorter="https://rs1.example", capital="https://RS1.example/")
def test_audiences_are_compared_whole(between, names, case):
    maker, user = between
    token = mint_for(maker, names(scope="read", aud=RS1))
    check_inactive(introspect(user, token, caller=basic(names(permissions="introspect", aud=case), "s-3cret")))


# ---- the request ----


@rows("I-06", empty=b"", no_token=b"foo=1", no_value=b"token=", bare=b"token", twice=b"token=a&token=b",
      same=b"token=a&token=a", escaped=b"token=a&%74oken=a",
      escape=b"token=%zz", cut=b"token=%4")
def test_malformed_requests(between, case):
    refused([between[1]], form_request("/introspect", case, [RS_1.basic()]), 400, "invalid_request")


@row("I-06")
def test_two_secrets_at_once(between):
    body = b"token=a&client_id=rs-1&client_secret=rs-secret"
    refused([between[1]], form_request("/introspect", body, [RS_1.basic()]), 400, "invalid_request")
    body = b"token=nope&client_id=rs-1"
    check_inactive(between[1].exchange(form_request("/introspect", body, [RS_1.basic()])))


@rows("I-06", json=("application/json", b'{"token":"x"}'), plain=("text/plain", b"token=x"), none=(None, b"token=x"))
def test_wrong_media_type(between, case):
    kind, body = case
    fields = [RS_1.basic()] + ([("Content-Type", kind)] if kind else [])
    refused([between[1]], request_bytes("POST", "/introspect", fields, body), 400, "invalid_request")


@row("I-06")
def test_the_callers_right_is_looked_at_before_the_token(between):
    refused([between[1]], form_request("/introspect", b"", [BASIC_WRONG]), 401, "invalid_client")


@rows("I-08", get="GET", head="HEAD", put="PUT", delete="DELETE")
def test_other_methods(between, case):
    maker, user = between
    token, _ = minted(maker)
    response = user.request(case, "/introspect?token=" + token, [RS_1.basic()])
    assert response.status == 405 and response.get("Allow") == "POST, OPTIONS", response
    assert token not in user.log_text


@rows("I-08", secret="client_id=rs-1&client_secret=rs-secret", token="access_token=%s")
def test_credentials_in_the_query(between, case):
    maker, user = between
    token, _ = minted(maker)
    target = "/introspect?" + case.replace("%s", token)
    refused([user], form_request(target, [("token", token)]), 400, "invalid_request")
    assert token not in user.log_text and "rs-secret" not in user.log_text


@row("B-08")
def test_no_cors(between):
    for target in ("/introspect", "/revoke"):
        response = between[1].request("OPTIONS", target, [("Origin", "https://x.example"),
                                                          ("Access-Control-Request-Method", "POST")])
        assert response.status == 204 and response.get("Allow") == "POST, OPTIONS", response


# ---- Redis away ----


@rows("I-11", stopped="pause", killed="kill")
def test_never_a_verdict_without_redis(two, own_redis, case):
    own, of_b = minted(two[0])[0], minted(two[1], "/token", G, SVC_B.basic())[0]
    for instance in two:
        check_active(introspect(instance, own), own, issuer=introspect(instance, own).json()["iss"])
        assert introspect(instance, own, caller=BA).json()["active"] is True
    getattr(own_redis, case)()
    for instance in two:
        for caller, token in ((RS_1, own), (SVC_A, own), (SVC_A, of_b), (SVC_B, of_b), (RS_1, forged_token())):
            def answer():
                return introspect(instance, token, caller=caller.basic())
            wait_until(lambda: answer().status != 200, 2.1)  # memory may be trusted for 2 s
            check_unavailable(answer())
            assert b"active\"" not in answer().body
    if case == "pause":
        own_redis.resume()
        for instance in two:
            wait_status(instance, 200)
            assert introspect(instance, own).json()["active"] is True


