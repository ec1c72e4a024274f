"""GET /secret: CONFORMANCE 1.3 (RFC 6750)."""
import json

from support.clients import BA, G, basic, bearer, token_key
from support.http import FORM, Connection, request_bytes
from support.oauth import (ask, check_bearer, check_welcome, forged_token, make_client, minted,
                           parse_challenge, post, row, rows, unique, use, wait_refused, wait_until)


def secret(instance, *fields, method="GET", target="/secret", body=None):
    return instance.request(method, target, fields, body)


def authorization(value):
    return "Authorization", value


@row("R-01")
def test_a_token_lets_in(pair):
    token, _ = minted(pair.a)
    for instance in pair:
        document = check_welcome(use(instance, token))
        assert sorted(document) == ["client", "expires_in", "message", "scope"]
        assert 3590 <= document["expires_in"] <= 3600


@row("R-01")
def test_a_token_of_every_client_names_that_client(pair, redis):
    for number in range(5):
        name = unique("welcome")
        make_client(redis, name, scope="s%d" % number)
        token, _ = minted(pair.a, "/token", G, basic(name, "s-3cret"))
        check_welcome(use(pair.b, token), name, "s%d" % number)


@rows("R-02", lower="bearer  %s", upper="BEARER %s", mixed="bEaReR   %s", trailing="Bearer %s  ")
def test_scheme_in_any_case(pair, case):
    token, _ = minted(pair.a)
    for instance in pair:
        check_welcome(secret(instance, authorization(case % token)))


@row("R-03")
def test_no_credentials(pair):
    for instance in pair:
        response = secret(instance)
        check_bearer(response, 401)
        _, parameters = parse_challenge(response.get("WWW-Authenticate"))
        assert parameters.keys() <= {"realm", "resource_metadata"}


@row("R-03-resource-metadata")
def test_challenge_points_to_the_metadata(pair):
    for response in (secret(instance, *fields, **more) for instance in pair for fields, more in
                     (([], {}), ([bearer("nope")], {}), ([], {"target": "/secret?access_token=x"}))):
        _, parameters = parse_challenge(response.get("WWW-Authenticate"))
        assert parameters["resource_metadata"].startswith(("http://", "https://"))
        assert parameters["resource_metadata"].endswith("/.well-known/oauth-protected-resource/secret")


@rows("R-04", basic=BA[1], digest="Digest x", unknown="Foo bar", negotiate="Negotiate YII=",
      glued="Bearerx", prefix="Bear x")
def test_other_schemes_are_no_credentials(pair, case):
    for instance in pair:
        check_bearer(secret(instance, authorization(case)), 401)


def expired_token(pair, redis):
    """Expired by its record, though the key is there still."""
    token, _ = minted(pair.a)
    record = json.loads(redis.cli("GET", token_key(token)))
    record["exp"] = record["iat"] - 1
    redis.cli("SETEX", token_key(token), 60, json.dumps(record))
    return token


def gone_token(pair, redis):
    """Expired by Redis."""
    token, _ = minted(pair.a, "/token", G + b"&ttl=1")
    wait_until(lambda: not redis.cli("EXISTS", token_key(token)), 3)
    return token


def revoked_token(pair, redis):
    token, _ = minted(pair.a)
    redis.cli("DEL", token_key(token))
    return token


@row("R-05")
def test_all_bad_tokens_look_alike(pair, redis):
    tokens = {"nope": "nope", "unknown": forged_token(), "gone": gone_token(pair, redis),
              "expired": expired_token(pair, redis), "revoked": revoked_token(pair, redis)}
    for instance in pair:
        answers = set()
        for name, token in tokens.items():
            wait_refused(instance, token)
            response = use(instance, token)
            check_bearer(response, 401, "invalid_token")
            fields = tuple((n, v) for n, v in response.fields if n not in ("Date", "X-Request-Id"))
            answers.add((fields, response.body))
        assert len(answers) == 1, answers


@row("R-05")
def test_token_of_another_deployment(pair, redis, start_mintd):
    other = start_mintd("--redis-prefix", unique("other") + ":", "--client", "svc-a:s3cret-A_1.x~:read",
                        redis=redis)
    other.wait_for_store()
    other.wait_for_log("client made")
    token, _ = minted(other)
    check_welcome(use(other, token))
    for instance in pair:
        check_bearer(use(instance, token), 401, "invalid_token")


@rows("R-05", shorter=lambda t: t[:-1], longer=lambda t: t + "0", swapped=lambda t: t[:4] + t[4:].swapcase(),
      prefix=lambda t: "mts_" + t[4:], bare=lambda t: t[4:], checksum=lambda t: t[:-6] + "000000",
      one_bit=lambda t: t[:10] + ("0" if t[10] != "0" else "1") + t[11:], jti=lambda t: token_key(t)[-32:],
      padded=lambda t: t + "=", huge=lambda t: t + "x" * 7000, slash=lambda t: t + "/../" )
def test_almost_a_token(pair, case):
    token, _ = minted(pair.a)
    for instance in pair:
        check_bearer(use(instance, case(token)), 401, "invalid_token")


@rows("R-06", bare="Bearer", blank="Bearer ", two="Bearer a b", quoted='Bearer "x"', latin=b"Bearer \xc3\xa9",
      comma="Bearer a, b", parameter='Bearer realm="x"', equals_inside="Bearer a=b", at="Bearer a@b",
      only_equals="Bearer =")
def test_malformed_credentials(pair, case):
    for instance in pair:
        check_bearer(secret(instance, authorization(case)), 400, "invalid_request")


@row("R-08")
def test_two_methods(pair):
    token, _ = minted(pair.a)
    for instance in pair:
        response = secret(instance, bearer(token), target="/secret?access_token=" + token)
        check_bearer(response, 400, "invalid_request")


@rows("R-09", alone="access_token=%s", second="x=1&access_token=%s", last="x&access_token=%s&y")
def test_token_in_the_query(pair, case):
    token, _ = minted(pair.a)
    for instance in pair:
        response = secret(instance, target="/secret?" + case % token)
        check_bearer(response, 400, "invalid_request")
        assert token not in instance.log_text and token[4:-6] not in instance.log_text


@row("R-10")
def test_token_in_a_form(pair):
    token, _ = minted(pair.a)
    body = b"access_token=" + token.encode()
    for instance in pair:
        check_bearer(secret(instance, FORM, body=body), 401)


@rows("R-12", post="POST", put="PUT", delete="DELETE", patch="PATCH")
def test_wrong_method(pair, case):
    token, _ = minted(pair.a)
    for instance in pair:
        response = secret(instance, bearer(token), method=case)
        assert response.status == 405 and response.get("Allow") == "GET, HEAD, OPTIONS", response


@row("R-13")
def test_head(pair):
    token, _ = minted(pair.a)

    def rest(response):
        return [(n, v) for n, v in response.fields if n not in ("Date", "X-Request-Id")]

    for instance in pair:
        for fields, status in (([bearer(token)], 200), ([], 401), ([bearer("nope")], 401),
                               ([authorization("Bearer")], 400)):
            head, get = (secret(instance, *fields, method=m) for m in ("HEAD", "GET"))
            assert head.status == get.status == status
            assert rest(head) == rest(get) and head.body == b""
            assert status == 200 or get.get("WWW-Authenticate"), get


@row("R-15")
def test_lifetime_audience_and_scope_are_limited(pair, redis):
    name = unique("limited")
    make_client(redis, name, scope="a b", default_scope="a", aud="https://rs1.example/")
    token, document = minted(pair.a, "/token", G, basic(name, "s-3cret"))
    record = json.loads(redis.cli("GET", token_key(token)))
    assert document["expires_in"] <= 3600 and record["exp"] - record["iat"] <= 3600
    assert record["scope"] == "a" and "https://rs1.example/" in record["aud"]
    for instance in pair:
        assert check_welcome(use(instance, token), name, "a")["expires_in"] <= 3600


@rows("R-16", same=lambda t: (bearer(t), bearer(t)), basic=lambda t: (bearer(t), BA),
      basic_first=lambda t: (BA, bearer(t)), other=lambda t: (bearer(t), bearer("nope")),
      empty=lambda t: (bearer(t), ("Authorization", "")))
def test_two_authorization_lines(pair, case):
    token, _ = minted(pair.a)
    for instance in pair:
        check_bearer(secret(instance, *case(token)), 400, "invalid_request")


@rows("R-17", slash="/secret/", double="//secret", dot="/./secret", nul="/secret%00", parameter="/secret;x",
      upper="/SECRET", escaped="/%73ecret", up="/x/../secret", backslash="/\\secret",
      escaped_slash="/%2Fsecret",
      absolute="http://h/secret", question="/secret?", healthz="/healthz/../secret")
def test_path_aliases(pair, case):
    for instance in pair:
        response = secret(instance, target=case)
        assert response.status in (400, 401, 404), response
        assert b"Welcome" not in response.body


# ---- tokens that live on every instance, and die on every instance ----


@row("PAIR")
def test_token_of_a_is_good_on_b_at_once(pair):
    for number in range(200):
        one, other = (pair.a, pair.b) if number % 2 else (pair.b, pair.a)
        token, _ = minted(one, ("/token", "/auth")[number % 3 == 0])
        assert use(other, token).status == 200


@row("PAIR")
def test_one_connection_may_ask_for_many(pair):
    """What one request brought is not remembered for the next on its connection."""
    token, _ = minted(pair.a)
    with Connection(pair.b.address) as connection:
        for fields, status in (([bearer(token)], 200), ([], 401), ([bearer("nope")], 401),
                               ([bearer(token)], 200),
                               ([BA], 401), ([bearer(forged_token())], 401), ([], 401)):
            connection.send(request_bytes("GET", "/secret", fields))
            assert connection.read_response().status == status
        connection.expect_in_step()


@row("R-11")
def test_every_challenge_keeps_to_the_grammar(pair):
    """check_bearer() takes each apart; here, one of each kind, and once the name of a scope in it."""
    token, _ = minted(pair.a)
    for instance in pair:
        for fields, target, status, error in (
                ([], "/secret", 401, None), ([BA], "/secret", 401, None),
                ([bearer("nope")], "/secret", 401, "invalid_token"),
                ([authorization("Bearer")], "/secret", 400, "invalid_request"),
                ([bearer(token), bearer(token)], "/secret", 400, "invalid_request"),
                ([bearer(token)], "/secret?access_token=x", 400, "invalid_request")):
            response = secret(instance, *fields, target=target)
            check_bearer(response, status, error)
            assert len(response.all("WWW-Authenticate")) == 1, response
        refused = secret(instance, bearer(token), target="/verify?scope=write")
        _, parameters = parse_challenge(refused.get("WWW-Authenticate"))
        assert parameters["scope"] == "write" and parameters["error"] == "insufficient_scope", refused


@row("R-11")
def test_scope_in_the_answer_survives_every_character(pair, redis):
    """Each byte that a scope may have: in the record, in /secret, in the token's answer."""
    characters = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"\\')
    name = unique("scope")
    make_client(redis, name, scope=characters + " read")
    response = post(pair.a, "/auth", G, basic(name, "s-3cret"))
    assert sorted(response.json()["scope"].split()) == sorted([characters, "read"])
    check_welcome(use(pair.b, response.json()["access_token"]), name, characters + " read")
