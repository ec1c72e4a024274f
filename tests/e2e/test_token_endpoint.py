"""POST /token and POST /auth: CONFORMANCE 1.1 and 1.8, the grant's parameters, the two shapes."""
import http.client
import json
import time

import pytest

from support.clients import BA, G, NOGRANT, SVC_A, basic, token_key
from support.http import FORM, request_bytes
from support.oauth import (RFC_MEMBERS, TUTORIAL_MEMBERS, ask, check_bearer, check_err,
                           check_token_form, check_tok, epoch, make_client, minted,
                           on_both, post, row, unique, use)
from support.timing import earliest, scaled

BODY_A = b"client_id=svc-a&client_secret=s3cret-A_1.x~"
RS1, RS2 = "https://rs1.example/", "https://rs2.example/api"


def record(redis, token):
    """What Redis holds of a token."""
    return json.loads(redis.cli("GET", token_key(token)))


def same_but_date_and_id(one, other):
    def rest(response):
        fields = [(n, v) for n, v in response.fields if n.lower() not in ("date", "x-request-id")]
        return response.status, response.reason, fields, response.body

    assert rest(one) == rest(other)


# ---- client authentication and the answer's shape ----


@on_both("T-01")
def test_basic(ask, endpoint):
    ask.granted(endpoint, G, BA)


@on_both("T-02")
def test_secret_in_the_body(ask, endpoint):
    ask.granted(endpoint, G + b"&" + BODY_A)


@on_both("T-03")
def test_tokens_are_distinct_and_well_formed(pair, redis, endpoint):
    tokens = []
    client = http.client.HTTPConnection(*pair.a.address, timeout=scaled(10))
    for _ in range(1000):
        client.request("POST", endpoint, G, dict([FORM, BA]))
        answer = client.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200, document
        tokens.append(document["access_token"])
    client.close()
    for token in tokens:
        check_token_form(token)
    assert len(set(tokens)) == len(tokens)
    # Each character stands at each place sooner or later: 62 symbols, 1,000 draws.
    for place in range(4, 47):
        assert len({token[place] for token in tokens}) >= 55, place
    redis.cli("DEL", *map(token_key, tokens))


@on_both("T-04")
def test_token_type(ask, endpoint):
    assert ask.granted(endpoint, G, BA)["token_type"] == "Bearer"


@on_both("T-05")
def test_expires_in_is_the_ttl_in_redis(ask, redis, endpoint):
    document = ask.granted(endpoint, G, BA)
    assert document["expires_in"] == 3600
    assert abs(redis.cli("TTL", token_key(document["access_token"])) - 3600) <= 1


@on_both("T-06")
def test_no_refresh_token(ask, endpoint):
    assert "refresh_token" not in ask.granted(endpoint, G, BA)


@on_both("T-07")
def test_not_to_be_stored(ask, pair, endpoint):
    for instance in pair:
        for secret in (SVC_A.secret, "no"):
            response = post(instance, endpoint, G, basic("svc-a", secret))
            assert response.all("Cache-Control") == ["no-store"]
            assert response.all("Pragma") == ["no-cache"]


@on_both("T-08")
def test_json(pair, endpoint):
    for instance in pair:
        response = post(instance, endpoint, G, BA)
        assert response.get("Content-Type").split(";")[0] == "application/json"  # byte for byte
        assert response.body.startswith(b"{") and response.body.decode("ascii")


def test_the_two_shapes(ask):
    rfc, both = ask.granted("/token", G, BA), ask.granted("/auth", G, BA)
    assert sorted(rfc) == sorted(RFC_MEMBERS)
    assert sorted(both) == sorted(RFC_MEMBERS + TUTORIAL_MEMBERS)


def test_accessTokenExpiresAt_is_no_later_than_the_record(pair, redis):
    before = earliest()
    token, document = minted(pair.a, "/auth")
    promised = epoch(document["accessTokenExpiresAt"])
    assert before + 3600 <= promised <= time.time() + 3600
    exp = record(redis, token)["exp"]
    assert promised <= exp < promised + 1  # exp is rounded up


# ---- form and grant ----


@on_both("T-09")
def test_grant_type_is_required(ask, endpoint):
    ask.refused(endpoint, b"scope=read", BA)


@on_both("T-10")
def test_empty_grant_type_is_none(ask, endpoint):
    ask.refused(endpoint, b"grant_type=", BA)


@on_both("T-11", empty=b"&scope=", bare=b"&scope", all=b"&scope=&resource=&ttl=&audience=")
def test_empty_parameter_counts_as_absent(ask, endpoint, case):
    ask.granted(endpoint, G + case, BA, scope="read")


@on_both("T-12", some=b"&foo=1&foo=2&x", many=b"".join(b"&n%d=%d" % (i, i) for i in range(1000)),
         alike=b"&SCOPE=x&Grant_Type=y&client_assertion_type=z")
def test_unknown_parameters_are_ignored(ask, endpoint, case):
    ask.granted(endpoint, G + case, BA)


@on_both("T-13", grant_type=(G + b"&" + G, True), scope=(G + b"&scope=read&scope=read", True),
         ttl=(G + b"&ttl=5&ttl=5", True), escaped=(b"grant%5Ftype=x&" + G, True),
         client_id=(G + b"&client_id=svc-a&" + BODY_A, False),
         client_secret=(G + b"&" + BODY_A + b"&client_secret=s3cret-A_1.x~", False))
def test_repeated_parameter(ask, endpoint, case):
    body, with_basic = case
    ask.refused(endpoint, body, *([BA] if with_basic else []))


@on_both("T-14", password=b"password", code=b"authorization_code", refresh=b"refresh_token",
         jwt=b"urn:ietf:params:oauth:grant-type:jwt-bearer", upper=b"CLIENT_CREDENTIALS",
         space=b"client_credentials%20", foo=b"foo")
def test_unsupported_grant(ask, endpoint, case):
    ask.refused(endpoint, b"grant_type=" + case + b"&username=u&password=p&code=c", BA,
                error="unsupported_grant_type")


@on_both("T-15")
def test_client_without_the_grant(ask, endpoint):
    ask.refused(endpoint, G, NOGRANT.basic(), error="unauthorized_client")


@on_both("T-15", named="client_credentials", among="none client_credentials")
def test_client_with_the_grant_named(ask, redis, endpoint, case):
    name = unique("grants")
    make_client(redis, name, scope="read", grants=case)
    if case == "client_credentials":
        ask.granted(endpoint, G, basic(name, "s-3cret"), client=name)


@on_both("T-16", plus=b"grant_type=client%5Fcredentials&scope=read+write",
         percent=G + b"&scope=read%20write", lower=G + b"&scope=re%61d%20%77rite",
         name=b"grant%5Ftype=client_credentials&s%63ope=read+write")
def test_form_decoding(ask, endpoint, case):
    ask.granted(endpoint, case, BA, scope="read write")


@on_both("T-17", letters=b"grant_type=%zz", cut=b"grant_type=%2", bare=b"grant_type=%")
def test_malformed_escape(ask, endpoint, case):
    ask.refused(endpoint, case, BA)


@on_both("T-17", lone=b"%ff", overlong=b"%c0%af", nul=b"a%00b", surrogate=b"%ed%a0%80",
         beyond=b"%f4%90%80%80")
def test_malformed_text_in_scope(ask, endpoint, case):
    ask.refused(endpoint, G + b"&scope=" + case, BA, error=("invalid_request", "invalid_scope"))


@on_both("T-18")
def test_empty_parts_are_harmless(ask, endpoint):
    ask.granted(endpoint, b"&&" + G + b"&=x&", BA)


@on_both("T-18")
def test_semicolon_separates_nothing(ask, endpoint):
    ask.refused(endpoint, b"grant_type=client_credentials;scope=read", BA,
                error="unsupported_grant_type")


@on_both("T-19")
def test_get_is_refused(pair, redis, endpoint):
    before = redis.tokens()
    for instance in pair:
        response = instance.request("GET", endpoint + "?grant_type=client_credentials", [BA])
        assert response.status == 405 and response.get("Allow") == "POST, OPTIONS", response
    assert not redis.tokens() - before


# ---- refused clients ----


@on_both("T-20")
def test_wrong_secret(ask, endpoint):
    ask.refused(endpoint, G, basic("svc-a", "wrong"), status=401, error="invalid_client")


@on_both("T-21")
def test_all_refused_clients_look_alike(ask, redis, endpoint):
    disabled, expired = unique("disabled"), unique("expired")
    make_client(redis, disabled, scope="read", disabled="1")
    make_client(redis, expired, scope="read", secret_1_expires="1")
    wrong = ask.refused(endpoint, G, basic("svc-a", "wrong"), status=401, error="invalid_client")
    for name in ("nobody", disabled, expired):
        for secret in ("s-3cret", "x"):
            other = ask.refused(endpoint, G, basic(name, secret), status=401, error="invalid_client")
            same_but_date_and_id(wrong, other)


@on_both("T-22")
def test_wrong_secret_in_the_body(ask, endpoint):
    ask.refused(endpoint, G + b"&client_id=svc-a&client_secret=bad", status=401,
                error="invalid_client")


@on_both("T-23")
def test_no_client_authentication(ask, endpoint):
    ask.refused(endpoint, G, status=401, error="invalid_client")


@on_both("T-24", alone=b"&client_id=svc-a", empty=b"&client_id=svc-a&client_secret=")
def test_client_id_alone_proves_nothing(ask, endpoint, case):
    ask.refused(endpoint, G + case, status=401, error="invalid_client")


@on_both("T-25", right=b"&" + BODY_A, wrong=b"&client_id=svc-a&client_secret=bad",
         alone=b"&client_secret=s3cret-A_1.x~")
def test_two_secrets_at_once(ask, endpoint, case):
    ask.refused(endpoint, G + case, BA)


@on_both("T-26")
def test_basic_and_the_same_client_id(ask, endpoint):
    ask.granted(endpoint, G + b"&client_id=svc-a", BA)


@on_both("T-26")
def test_basic_and_another_client_id(ask, endpoint):
    ask.refused(endpoint, G + b"&client_id=svc-b", BA)


@on_both("T-27", both=b"client_id=svc-a&client_secret=s3cret-A_1.x~",
         secret=b"client_secret=s3cret-A_1.x~", escaped=b"client%5Fsecret=s3cret-A_1.x~",
         token=b"access_token=whatever-t27")
def test_credentials_in_the_query(ask, pair, endpoint, case):
    ask.refused(endpoint + "?" + case.decode(), G)
    for instance in pair:
        assert "s3cret-A" not in instance.log_text and "whatever-t27" not in instance.log_text


@on_both("T-28", grant=b"scope=read", whole=G)
def test_parameters_in_the_query(ask, endpoint, case):
    ask.refused(endpoint + "?grant_type=client_credentials", case, BA)


# ---- scope ----


@on_both("T-29", none=(b"", "read"), other=(b"&scope=write", "write"),
         both=(b"&scope=write+read", "read write"),
         twice=(b"&scope=write+read+read", "read write"))
def test_scope_granted(ask, redis, endpoint, case):
    body, scope = case
    document = ask.granted(endpoint, G + body, BA, scope=scope)
    kept = record(redis, document["access_token"])["scope"]
    assert sorted(kept.split()) == scope.split()


@on_both("T-30", unknown=b"admin", case=b"READ", one_too_many=b"read+admin", quote=b"a%22b",
         backslash=b"a%5Cb", delete=b"a%7Fb", latin=b"%C3%A9", two_spaces=b"read++write",
         leading=b"+read", trailing=b"read+", tab=b"read%09write", prefix=b"rea", longer=b"reads",
         newline=b"read%0Awrite")
def test_scope_refused(ask, endpoint, case):
    ask.refused(endpoint, G + b"&scope=" + case, BA, error="invalid_scope")


@on_both("B-06")
def test_default_scope_and_no_more(ask, redis, endpoint):
    name = unique("least")
    make_client(redis, name, scope="read write admin", default_scope="read")
    document = ask.granted(endpoint, G, basic(name, "s-3cret"), client=name, scope="read")
    assert record(redis, document["access_token"])["scope"] == "read"


@on_both("B-06")
def test_no_default_scope_gives_all(ask, redis, endpoint):
    name = unique("all")
    make_client(redis, name, scope="a b c")
    ask.granted(endpoint, G, basic(name, "s-3cret"), client=name, scope="a b c")


@on_both("T-29")
def test_client_without_scope(ask, redis, endpoint):
    name = unique("bare")
    make_client(redis, name)
    document = ask.granted(endpoint, G, basic(name, "s-3cret"), client=name, scope="")
    assert "scope" not in document
    ask.refused(endpoint, G + b"&scope=read", basic(name, "s-3cret"), error="invalid_scope")


# ---- media type and body ----


def typed(endpoint, kind, body):
    fields = [BA] + ([("Content-Type", kind)] if kind else [])
    return request_bytes("POST", endpoint, fields, body)


@on_both("T-32", json=("application/json", b'{"grant_type":"client_credentials"}'),
         plain=("text/plain", G), multipart=("multipart/form-data; boundary=x", G), none=(None, G),
         longer=("application/x-www-form-urlencodedx", G), other=("application/x-www-form", G))
def test_wrong_media_type(ask, endpoint, case):
    ask.refused_raw(typed(endpoint, *case), 400, "invalid_request")


@on_both("T-33", mixed="Application/X-WWW-Form-URLEncoded;charset=UTF-8",
         spaced="application/x-www-form-urlencoded ; charset=utf-8",
         more="application/x-www-form-urlencoded; charset=UTF-8; x=y")
def test_media_type_in_any_case(ask, endpoint, case):
    ask.granted_raw(endpoint, typed(endpoint, case, G))


@on_both("T-34", zero=b"", absent=None)
def test_empty_body(ask, endpoint, case):
    ask.refused_raw(request_bytes("POST", endpoint, [FORM, BA], case), 400, "invalid_request")


# ---- life of a token ----


@on_both("T-38")
def test_expiry(pair, redis, endpoint):
    token, document = minted(pair.a, endpoint, G + b"&ttl=2")
    answered = time.time()
    assert document["expires_in"] == 2
    # What a client that looks at its own clock may count on.
    good_until = epoch(document["accessTokenExpiresAt"]) if endpoint == "/auth" else answered + 1
    seen_good = 0
    while True:
        asked = time.time()
        status = {instance: use(instance, token) for instance in pair}
        heard = time.time()
        if heard < good_until:
            assert all(r.status == 200 for r in status.values()), (status, good_until - heard)
            seen_good += 1
        elif asked > answered + 2 + 1:
            for response in status.values():
                check_bearer(response, 401, "invalid_token")
            break
        else:
            assert all(r.status in (200, 401) for r in status.values()), status
        time.sleep(0.02)
    assert seen_good > 3


@on_both("TTL", shorter=("60", 60), most=("120", 120), more=("121", 120), far=("4000000000", 120))
def test_ttl_is_cut_to_max_ttl(ask, redis, endpoint, case):
    asked, wanted = case
    name = unique("ttl")
    make_client(redis, name, scope="read", ttl="90", max_ttl="120")
    document = ask.granted(endpoint, G + b"&ttl=" + asked.encode(), basic(name, "s-3cret"),
                           client=name, ttl=[wanted])
    assert abs(redis.cli("TTL", token_key(document["access_token"])) - wanted) <= 1
    kept = record(redis, document["access_token"])
    assert wanted <= kept["exp"] - kept["iat"] <= wanted + 1


@on_both("TTL", none=(b"", 90), more=(b"&ttl=91", 90), less=(b"&ttl=89", 89))
def test_ttl_without_max_ttl(ask, redis, endpoint, case):
    body, wanted = case
    name = unique("ttl")
    make_client(redis, name, scope="read", ttl="90")
    ask.granted(endpoint, G + body, basic(name, "s-3cret"), client=name, ttl=[wanted])


@on_both("TTL", word=b"abc", negative=b"-1", zero=b"0", part=b"1.5", unit=b"60s", space=b"+60",
         plus=b"%2B60", hex=b"0x10", exponent=b"1e3", nul=b"6%000")
def test_ttl_malformed(ask, endpoint, case):
    ask.refused(endpoint, G + b"&ttl=" + case, BA)


@on_both("TTL")
def test_ttl_beyond_64_bits(pair, endpoint):
    response = post(pair.a, endpoint, G + b"&ttl=" + b"9" * 40, BA)
    if response.status == 200:
        check_tok(response, endpoint, ttl=[3600])
    else:
        check_err(response, 400, "invalid_request")


# ---- sizes ----


def percent_encoded(text):
    return b"".join(b"%%%02X" % byte for byte in text.encode())


# Form-encoded, each byte of the secret is three: the longest that a client may have to send.
LONGEST_ID, LONGEST_SECRET = "i" * 255, "%+&=" * 256


@pytest.fixture
def longest(redis):
    make_client(redis, LONGEST_ID, LONGEST_SECRET, scope="read")
    yield basic(LONGEST_ID, LONGEST_SECRET)
    redis.cli("DEL", "mintd:client:" + LONGEST_ID)


@on_both("T-40")
def test_longest_id_and_secret(ask, longest, endpoint):
    ask.granted(endpoint, G, longest, client=LONGEST_ID)


@on_both("T-40")
def test_longest_id_and_secret_in_the_body(ask, longest, endpoint):
    body = b"&client_id=%s&client_secret=%s" % (LONGEST_ID.encode(), percent_encoded(LONGEST_SECRET))
    ask.granted(endpoint, G + body, client=LONGEST_ID)


@on_both("T-40")
def test_longest_id_and_secret_form_encoded_in_basic(ask, longest, endpoint):
    encoded = basic(LONGEST_ID, percent_encoded(LONGEST_SECRET).decode())
    ask.granted(endpoint, G, encoded, client=LONGEST_ID)


@on_both("T-40", id=("i" * 256, LONGEST_SECRET), secret=(LONGEST_ID, LONGEST_SECRET + "x"),
         huge_id=("i" * 5000, "x"), huge_secret=("svc-a", "x" * 4000))
def test_one_byte_too_long(ask, redis, longest, endpoint, case):
    name, secret = case
    too_long = "i" * 256
    make_client(redis, too_long, LONGEST_SECRET, scope="read")
    in_body = b"&client_id=%s&client_secret=%s" % (name.encode(), percent_encoded(secret))
    ask.refused(endpoint, G, basic(name, secret), status=401, error="invalid_client")
    for instance in ask.pair:
        response = post(instance, endpoint, G + in_body)
        assert response.status in (400, 401), response
        check_err(response, response.status, response.error)
        assert response.error in ("invalid_client", "invalid_request")
    redis.cli("DEL", "mintd:client:" + too_long)


# ---- audience (RFC 8707) ----


@pytest.fixture
def audiences(redis):
    """A client of one audience and one of two; their Basic headers."""
    one, two = unique("aud-one"), unique("aud-two")
    make_client(redis, one, scope="read", aud=RS1)
    make_client(redis, two, scope="read", aud=RS1 + " " + RS2)
    return one, two


def audience_of(redis, document):
    aud = record(redis, document["access_token"])["aud"]
    return sorted(aud if isinstance(aud, list) else aud.split())


@on_both("X-01", relative=b"foo", path=b"/x", fragment=b"https://rs1.example/%23f", space=b"%20",
         no_host=b"https://", bare_fragment=b"https://rs1.example/%23")
def test_resource_is_an_absolute_uri(ask, audiences, endpoint, case):
    for client in (SVC_A.basic(), basic(audiences[0], "s-3cret")):
        ask.refused(endpoint, G + b"&resource=" + case, client, error="invalid_target")


@on_both("X-02", other=b"https://other.example/", longer=b"https://rs1.example/x",
         shorter=b"https://rs1.example", case=b"https://RS1.example/", two=b"https://rs1.example/+x")
def test_target_not_allowed(ask, audiences, endpoint, case):
    for parameter in (b"&resource=", b"&audience="):
        ask.refused(endpoint, G + parameter + case, basic(audiences[0], "s-3cret"),
                    error="invalid_target")


@on_both("X-03", resource=b"&resource=", audience=b"&audience=")
def test_token_for_one_target(ask, redis, audiences, endpoint, case):
    for client in audiences:
        document = ask.granted(endpoint, G + case + b"https%3A%2F%2Frs1.example%2F",
                               basic(client, "s-3cret"), client=client)
        assert audience_of(redis, document) == [RS1]


OWN = "https://mintd.example/secret"


@on_both("X-02", resource=b"&resource=", audience=b"&audience=")
def test_own_resource_may_be_asked_for_by_every_client(ask, redis, audiences, endpoint, case):
    """The one that our RFC 9728 document names: the client needs no right to it."""
    body = G + case + OWN.encode()
    document = ask.granted(endpoint, body, SVC_A.basic())
    assert audience_of(redis, document) == [OWN]
    document = ask.granted(endpoint, body + b"&resource=" + RS1.encode(), basic(audiences[0], "s-3cret"),
                           client=audiences[0])
    assert audience_of(redis, document) == sorted([OWN, RS1])
    ask.refused(endpoint, G + case + OWN.encode() + b"/", SVC_A.basic(), error="invalid_target")


@on_both("X-04")
def test_several_targets(ask, redis, audiences, endpoint):
    body = G + b"&resource=" + RS2.encode() + b"&resource=" + RS1.encode()
    document = ask.granted(endpoint, body, basic(audiences[1], "s-3cret"), client=audiences[1])
    assert audience_of(redis, document) == [RS1, RS2]


@on_both("X-04")
def test_one_target_of_several_not_allowed(ask, audiences, endpoint):
    body = G + b"&resource=" + RS1.encode() + b"&resource=https://other.example/"
    ask.refused(endpoint, body, basic(audiences[1], "s-3cret"), error="invalid_target")


@on_both("X-04")
def test_the_same_target_twice_counts_once(ask, redis, audiences, endpoint):
    body = G + b"&resource=" + RS1.encode() + b"&resource=" + RS1.encode()
    document = ask.granted(endpoint, body, basic(audiences[1], "s-3cret"), client=audiences[1])
    assert audience_of(redis, document) == [RS1]


@on_both("X-06")
def test_no_target(ask, redis, audiences, endpoint):
    one, two = audiences
    document = ask.granted(endpoint, G, basic(one, "s-3cret"), client=one)
    assert audience_of(redis, document) == [RS1]
    for client in (basic(two, "s-3cret"), BA):
        document = ask.granted(endpoint, G, client, client=two if client != BA else "svc-a")
        assert audience_of(redis, document) == []


# ---- order of checks, and what else holds ----


@on_both("ORDER", media_before_form=(("text/plain", b"grant_type=%zz", "svc-a:wrong"), 400, "invalid_request"),
         form_before_client=((FORM[1], b"grant_type=%zz", "svc-a:wrong"), 400, "invalid_request"),
         client_before_grant=((FORM[1], b"grant_type=foo", "svc-a:wrong"), 401, "invalid_client"),
         grant_before_right=((FORM[1], b"grant_type=foo", "nogrant:x3"), 400, "unsupported_grant_type"),
         right_before_scope=((FORM[1], G + b"&scope=admin", "nogrant:x3"), 400, "unauthorized_client"),
         scope_before_resource=((FORM[1], G + b"&scope=admin&resource=foo", "svc-a:s3cret-A_1.x~"), 400,
                                "invalid_scope"))
def test_order_of_checks(ask, endpoint, case):
    (kind, body, credentials), status, error = case
    fields = [("Content-Type", kind), basic(*credentials.split(":"))]
    ask.refused_raw(request_bytes("POST", endpoint, fields, body), status, error)


@on_both("B-08")
def test_no_cors(pair, endpoint):
    """check_common() looks for Access-Control-* in each answer."""
    origin = ("Origin", "https://x.example")
    for instance in pair:
        assert post(instance, endpoint, G, BA, origin).status == 200
        for fields in ([origin], [origin, ("Access-Control-Request-Method", "POST"),
                                  ("Access-Control-Request-Headers", "authorization")]):
            response = instance.request("OPTIONS", endpoint, fields)
            assert response.status == 204 and response.get("Allow") == "POST, OPTIONS", response


@on_both("T-31", quote=b"grant_type=%22%5C%0d%0a", latin=b"grant_type=%C3%A9%7F", none=b"x=%22",
         broken=b"grant_type=%zz", scope=G + b"&scope=%22%5C%C3%A9", resource=G + b"&resource=%22%5C%0a",
         ttl=G + b"&ttl=%22%5C", twice=G + b"&" + G, client=G + b"&client_id=%22&client_secret=%5C")
def test_errors_are_plain_ascii_and_echo_nothing(pair, endpoint, case):
    """check_err() looks at the characters of every refusal; here, whatever odd bytes brought it about."""
    for instance in pair:
        for fields in ([BA], [basic('"\\', "\u00e9")]):
            response = post(instance, endpoint, case, *fields)
            assert response.status in (400, 401), response
            check_err(response, response.status, response.error)
            for part in (b"%22", b"%zz", b"\xc3", b"\\"):
                assert part not in response.body, response


@on_both("B-05")
def test_no_token_is_bound_to_a_key(ask, endpoint):
    """DPoP and certificates are not there yet: nothing is promised of them, nothing is made of them."""
    document = ask.granted(endpoint, G, BA, ("DPoP", "eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.c2ln"))
    assert document["token_type"] == "Bearer"
    for instance in ask.pair:
        check_bearer(instance.request("GET", "/secret", [
            ("Authorization", "DPoP " + document["access_token"]), ("DPoP", "x")]), 401)
        promised = instance.request("GET", "/.well-known/oauth-authorization-server").json()
        promised |= instance.request("GET", "/.well-known/oauth-protected-resource/secret").json()
        assert not [member for member in promised if "dpop" in member or "tls_client" in member], promised


@row("B-01")
def test_no_password_grant(ask):
    ask.refused("/token", b"grant_type=password&username=codecademy&password=codec%40demy", BA,
                error="unsupported_grant_type")
