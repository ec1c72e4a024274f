"""GET /verify, what proxies ask: CONFORMANCE 1.4, and R-07 and X-05 there."""
import json
import time
import urllib.parse

import pytest

from support.clients import BA, G, basic, bearer, token_key
from support.http import Connection, request_bytes
from support.inquiry import (RS1, RS2, between, check_identity, check_turned_away, mint_for, two, verify)
from support.oauth import (brief, check_unavailable, check_welcome, forged_token, make_client, minted, parse_challenge,
                           row, rows, unique, use, wait_status, wait_until)
from support.stopwatch import measure
from support.timing import scaled


def authorization(value):
    return "Authorization", value


def required(scope=None, audience=None):
    fields = [("X-Auth-Require-Scope", scope), ("X-Auth-Require-Audience", audience)]
    return [(name, value) for name, value in fields if value is not None]


def response_error(response):
    value = response.get("WWW-Authenticate")
    for error in ("invalid_token", "invalid_request", "insufficient_scope"):
        if 'error="%s"' % error in value:
            return error
    return None


@pytest.fixture
def aimed(redis, between):
    """(user, a token for rs1 alone, one for both, one for none): all of scope read."""
    maker, user = between
    one, both = unique("aimed"), unique("aimed")
    make_client(redis, one, scope="read", aud=RS1)
    make_client(redis, both, scope="read", aud=RS1 + " " + RS2)
    two_resources = G + b"&resource=%s&resource=%s" % (RS1.encode(), RS2.encode())
    yield user, mint_for(maker, one), mint_for(maker, both, two_resources), mint_for(maker, both)
    redis.cli("DEL", "mintd:client:" + one, "mintd:client:" + both)


# ---- who is let in ----


@row("V-01")
def test_a_token_lets_in(between, redis):
    maker, user = between
    token, _ = minted(maker)
    expires = check_identity(verify(user, bearer(token)))
    assert expires == json.loads(redis.cli("GET", token_key(token)))["exp"]
    assert 3598 <= expires - time.time() <= 3601


@row("V-01")
def test_identity_is_the_tokens(between, redis):
    """Each of its parts comes from the record of this token."""
    maker, user = between
    name = unique("v-01.~@/x")
    make_client(redis, name, scope="a b:c z", default_scope="z", aud=RS1 + " " + RS2)
    check_identity(verify(user, bearer(mint_for(maker, name))), name, "z")
    body = G + b"&scope=b:c+a&ttl=77&resource=" + RS2.encode()
    expires = check_identity(verify(user, bearer(mint_for(maker, name, body))), name, "a b:c", RS2)
    assert 75 <= expires - time.time() <= 78
    redis.cli("DEL", "mintd:client:" + name)


@rows("V-02", **{m.lower(): m for m in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
                                        "MKCOL", "REPORT", "LOCK", "TRACE")})
def test_any_method(between, case):
    maker, user = between
    token, _ = minted(maker)
    wanted = verify(user, bearer(token))
    for target in ("/verify", "/verify/some/path?x=1"):
        got = verify(user, bearer(token), method=case, target=target)
        check_identity(got)
        assert [n for n, _ in got.fields] == [n for n, _ in wanted.fields]
        check_turned_away(verify(user, method=case, target=target), 401)
        check_turned_away(verify(user, bearer("nope"), method=case, target=target), 401, "invalid_token")


@row("V-02")
def test_post_with_a_body(between):
    """The body is nobody's: neither form nor credentials are read from it."""
    maker, user = between
    token, _ = minted(maker)
    form = ("Content-Type", "application/x-www-form-urlencoded")
    check_identity(verify(user, bearer(token), form, method="POST", body=b"scope=admin&x=%zz"))
    check_turned_away(verify(user, form, method="POST", body=b"access_token=" + token.encode()), 401)


@rows("V-03", slash="/verify/", path="/verify/a/b?x=1", deep="/verify" + "/x" * 2000, query="/verify?",
      other="/verify?x=1&y", dots="/verify/a/../../healthz", escaped="/verify/%00%ff%zz", double="/verify//",
      token_below="/verify/p?access_token=x&scope=admin")
def test_any_suffix(between, case):
    maker, user = between
    check_identity(verify(user, bearer(minted(maker)[0]), target=case))
    check_turned_away(verify(user, target=case), 401)


@rows("V-03", longer="/verifyx", upper="/VERIFY", shorter="/verif", before="/x/verify", semicolon="/verify;x",
      escaped="/%76erify", double="//verify")
def test_other_paths(between, case):
    maker, user = between
    response = verify(user, bearer(minted(maker)[0]), target=case)
    assert response.status == 404 and not response.get("X-Auth-Client-Id"), response


# ---- who is not ----


@rows("V-04", none=([], None), basic=([BA], None), digest=([authorization("Digest x")], None),
      nope=([bearer("nope")], "invalid_token"), forged=([bearer(forged_token())], "invalid_token"),
      huge=([bearer("x" * 7000)], "invalid_token"))
def test_refused(between, case):
    fields, error = case
    for target in ("/verify", "/verify/a?b", "/verify?scope=write"):
        check_turned_away(verify(between[1], *fields, target=target), 401, error)


@rows("V-04", bare="Bearer", blank="Bearer ", two="Bearer a b", quoted='Bearer "x"', latin=b"Bearer \xc3\xa9",
      comma="Bearer a, b", empty="")
def test_malformed_credentials(between, case):
    response = verify(between[1], authorization(case))
    assert response.status == 401, response
    check_turned_away(response, 401, response_error(response))


@rows("V-04", same=lambda t: (bearer(t), bearer(t)), basic=lambda t: (bearer(t), BA),
      basic_first=lambda t: (BA, bearer(t)), other=lambda t: (bearer(t), bearer("nope")),
      empty=lambda t: (bearer(t), ("Authorization", "")))
def test_two_authorization_lines(between, case):
    maker, user = between
    response = verify(user, *case(minted(maker)[0]))
    check_turned_away(response, 401, response_error(response))
    assert response_error(response), response


@rows("V-04", alone=False, with_header=True)
def test_token_in_the_query(between, case):
    maker, user = between
    token, _ = minted(maker)
    for target in ("/verify?access_token=", "/verify?scope=read&access_token="):
        response = verify(user, *([bearer(token)] if case else []), target=target + token)
        check_turned_away(response, 401, response_error(response))
    assert token not in user.log_text


@row("V-04")
def test_below_verify_the_token_of_the_query_is_the_applications(between):
    maker, user = between
    token, _ = minted(maker)
    check_turned_away(verify(user, target="/verify/app?access_token=" + token), 401)
    check_identity(verify(user, bearer(token), target="/verify/app?access_token=whatever"))
    assert token not in user.log_text


@rows("V-04", deleted=lambda r, n, t: r.cli("DEL", token_key(t)),
      disabled=lambda r, n, t: r.cli("HSET", "mintd:client:" + n, "disabled", "1"),
      removed=lambda r, n, t: r.cli("DEL", "mintd:client:" + n),
      generation=lambda r, n, t: r.cli("HINCRBY", "mintd:client:" + n, "gen", 1))
def test_dead_tokens(between, redis, case):
    maker, user = between
    name = unique("dead")
    make_client(redis, name, scope="read")
    token = mint_for(maker, name)
    check_identity(verify(user, bearer(token)), name)
    case(redis, name, token)
    wait_until(lambda: verify(user, bearer(token)).status == 401, 0.1)
    check_turned_away(verify(user, bearer(token)), 401, "invalid_token")


@row("V-04")
def test_a_bare_cr_or_nul_never_gets_in(between):
    """What is not HTTP is refused before it is asked for: the one case that is not 401 or 403."""
    maker, user = between
    token, _ = minted(maker)
    for line in (b"X: a\rb", b"X: a\x00b", b"Content-Length: 1\r\nTransfer-Encoding: chunked"):
        raw = b"GET /verify HTTP/1.1\r\nHost: h\r\n%s\r\nAuthorization: Bearer %s\r\n\r\n" % (line, token.encode())
        with Connection(user.address) as connection:
            connection.send(raw)
            response = connection.read_response()
        assert response.status == 400 and not response.get("X-Auth-Client-Id"), response


# ---- what more may be asked for ----


@rows("V-05-R-07", query="/verify?scope=write", both="/verify?scope=read%20write", plus="/verify?scope=write+read",
      twice="/verify?scope=read&scope=write", last="/verify?x=1&y&scope=write", escaped="/verify?%73cope=writ%65",
      capital="/verify?scope=READ", prefix="/verify?scope=rea", longer="/verify?scope=reads",
      unknown="/verify?scope=admin")
def test_scope_missing(between, case):
    maker, user = between
    response = verify(user, bearer(minted(maker)[0]), target=case)
    check_turned_away(response, 403, "insufficient_scope")
    assert 'scope="' in response.get("WWW-Authenticate"), response


@row("R-07")
def test_the_challenge_names_the_scope(between):
    maker, user = between
    token, _ = minted(maker)
    for answer in (verify(user, bearer(token), target="/verify?scope=write"),
                   verify(user, bearer(token), *required("write")),
                   verify(user, bearer(token), *required("write"), target="/verify/app?scope=read")):
        check_turned_away(answer, 403, "insufficient_scope", scope="write")


METADATA = "https://mcp.example/.well-known/oauth-protected-resource/mcp"


@rows("V-15", header=dict(fields=[("X-Auth-Resource-Metadata", METADATA)], query=""),
      query=dict(fields=[], query="&resource_metadata=" + METADATA),
      escaped=dict(fields=[], query="&resource%5Fmetadata=" + urllib.parse.quote(METADATA, safe="")),
      first_counts=dict(fields=[("X-Auth-Resource-Metadata", METADATA),
                                ("X-Auth-Resource-Metadata", "https://evil.example/")],
                        query="&resource_metadata=https://evil.example/"))
def test_challenges_lead_to_the_metadata_of_the_resource(between, case):
    """As clients of MCP want it: 401 and 403 name scope and resource_metadata."""
    maker, user = between
    token, _ = minted(maker)
    target = "/verify?scope=write" + case["query"]
    for fields, status, error in (([], 401, None), ([bearer("nope")], 401, "invalid_token"),
                                  ([bearer(token)], 403, "insufficient_scope")):
        answer = verify(user, *fields, *case["fields"], target=target)
        assert answer.status == status, answer
        _, named = parse_challenge(answer.get("WWW-Authenticate"))
        assert named["resource_metadata"] == METADATA and named["scope"] == "write", answer
        assert named.get("error") == error
    check_identity(verify(user, bearer(token), *case["fields"], target=target.replace("scope=write", "x")))


@rows("V-15", path="/x", scheme="ftp://h/", quote='https://h/"', space="https://h/a b", backslash="https://h\\x",
      empty="", long="https://h/" + "x" * 600)
def test_what_is_no_url_of_metadata_is_left_out(between, case):
    _, user = between
    encoded = urllib.parse.quote(case, safe="")
    for answer in (verify(user, ("X-Auth-Resource-Metadata", case)),
                   verify(user, target="/verify?resource_metadata=" + encoded),
                   verify(user, target="/verify/app?resource_metadata=" + METADATA)):
        check_turned_away(answer, 401)


@rows("V-05-R-07", read="/verify?scope=read", both="/verify?scope=read%20write", plus="/verify?scope=write+read",
      twice="/verify?scope=read&scope=write&scope=read", none="/verify?scope=", bare="/verify?scope",
      other="/verify?Scope=admin&scopes=admin")
def test_scope_there(between, case):
    maker, user = between
    token, _ = minted(maker, "/token", G + b"&scope=read+write")
    check_identity(verify(user, bearer(token), target=case), scope="read write")


@rows("V-05-R-07", spaces="/verify?scope=%20%20write%20", escape="/verify?scope=%zz", quote="/verify?scope=%22",
      control="/verify?scope=read%0d%0aX-Evil:%201", high="/verify?scope=%ff", nul="/verify?scope=read%00",
      backslash="/verify?scope=re%5cad")
def test_malformed_scope_lets_nobody_in(between, case):
    maker, user = between
    response = verify(user, bearer(minted(maker)[0]), target=case)
    check_turned_away(response, response.status, response_error(response))


@rows("V-05-R-07", read=(["read"], 200), write=(["write"], 403), both=(["read write"], 403),
      two_lines=(["read", "write"], 403), other_order=(["write", "read"], 403), empty=([""], 200),
      empty_and_write=(["", "write"], 403))
def test_scope_asked_for_in_the_header(between, case):
    values, status = case
    maker, user = between
    token, _ = minted(maker)
    for target in ("/verify", "/verify/", "/verify/app?scope=admin&x"):
        fields = [("X-Auth-Require-Scope", v) for v in values]
        response = verify(user, bearer(token), *fields, target=target)
        if status == 200:
            check_identity(response)
        else:
            check_turned_away(response, 403, "insufficient_scope")


# Those that are said again among them: each is looked for among the ones ahead of it.
WORDS_MAX = 64
DISTINCT = ["%x" % number for number in range(3000)]
FEW_AND_ONE = DISTINCT[:256] + ["ff"] * 4000


@rows("V-05-R-07", scope=("scope", "read"), audience=("audience", RS1))
def test_so_many_words_may_be_required(aimed, case):
    user, token = aimed[:2]
    name, word = case
    for count, status in ((WORDS_MAX, 200), (WORDS_MAX + 1, 403)):
        field, = required(**{name: " ".join([word] * count)})
        query = "/verify?" + "&".join(["%s=%s" % (name, word)] * (count - 1))
        for response in (verify(user, bearer(token), field),
                         verify(user, bearer(token), *required(**{name: word}), target=query)):
            if status == 200:
                assert response.status == 200, response
            else:
                check_turned_away(response, 403, "insufficient_scope")


@rows("TD-2", scope=("X-Auth-Require-Scope", " ".join(DISTINCT)[:15000]),
      audience=("X-Auth-Require-Audience", " ".join(DISTINCT)[:15000]),
      the_same=("X-Auth-Require-Scope", " ".join(FEW_AND_ONE)[:15000]),
      query=(None, "&".join("audience=" + word for word in DISTINCT)[:8000]))
def test_what_is_required_costs_a_stranger_as_much_as_us(between, case):
    """As many words as a head has room for, without a token. They took 2,000 times as long as another field of that
    size: each was looked for among up to 1,024 bytes of others."""
    name, words = case
    if name:
        asks = {"words": request_bytes("GET", "/verify", [(name, words)]),
                "other": request_bytes("GET", "/verify", [("X-Other", words)])}
    else:
        asks = {"words": request_bytes("GET", "/verify?" + words),
                "other": request_bytes("GET", "/verify?" + words.replace("audience", "audienxe"))}
    times = measure(between[1].address, asks, samples=60, warm_up=5)
    assert min(times["words"]) < 20 * min(times["other"]), {name: min(each) for name, each in times.items()}


@rows("X-05", query="/verify?audience=" + RS2, escaped="/verify?audience=https%3A%2F%2Frs2.example%2Fapi",
      both="/verify?audience=%s&audience=%s" % (RS1, RS2), twice="/verify?audience=%s&audience=%s" % (RS2, RS2),
      prefix="/verify?audience=https://rs1.example", longer=RS1.join(("/verify?audience=", "x")),
      capital="/verify?audience=" + RS1.upper())
def test_audience_missing(aimed, case):
    user, for_one, _, for_none = aimed
    for token in (for_one, for_none):
        check_turned_away(verify(user, bearer(token), target=case), 401, "invalid_token")


@rows("X-05", header=([RS2], "/verify"), both=([RS1 + " " + RS2], "/verify"), lines=([RS1, RS2], "/verify"),
      below=([RS2], "/verify/app?audience=" + RS1), union=([RS1], "/verify?audience=" + RS2),
      other=([RS2], "/verify?audience=" + RS1))
def test_audience_missing_by_the_header(aimed, case):
    values, target = case
    user, for_one, for_both, for_none = aimed
    fields = [("X-Auth-Require-Audience", v) for v in values]
    for token in (for_one, for_none):
        check_turned_away(verify(user, bearer(token), *fields, target=target), 401, "invalid_token")
    assert verify(user, bearer(for_both), *fields, target=target).status == 200


@row("X-05")
def test_audience_there(aimed):
    user, for_one, for_both, for_none = aimed
    for token, audience in ((for_one, RS1), (for_both, RS1 + " " + RS2)):
        response = verify(user, bearer(token), target="/verify?audience=" + RS1)
        assert response.status == 200 and response.get("X-Auth-Audience").split(" ")[0] in audience, response
        assert verify(user, bearer(token), *required(audience=RS1)).status == 200
    both = verify(user, bearer(for_both), target="/verify?audience=%s&audience=%s" % (RS2, RS1))
    assert sorted(both.get("X-Auth-Audience").split(" ")) == [RS1, RS2]
    for target in ("/verify", "/verify?audience=", "/verify?audience", "/verify/app?audience=" + RS2):
        response = verify(user, bearer(for_none), target=target)
        assert response.status == 200 and response.get("X-Auth-Audience") == "-", response


@row("X-05")
def test_scope_and_audience_together(aimed):
    user, for_one, _, _ = aimed
    target = "/verify?scope=read&audience=" + RS1
    assert verify(user, bearer(for_one), target=target).status == 200
    assert verify(user, bearer(for_one), target=target + "&scope=write").status == 403
    assert verify(user, bearer(for_one), target="/verify?scope=read&audience=" + RS2).status == 401
    assert verify(user, bearer(for_one), target="/verify?scope=write&audience=" + RS2).status in (401, 403)


@rows("V-09", empty="?scope=", read="?scope=read", first="?scope=&scope=read&aud=x", twice="?scope=read&scope=read",
      broken="?scope=%zz", require="?X-Auth-Require-Scope=read", long="?" + "scope=read&" * 400)
def test_a_caller_can_only_tighten(between, case):
    """The proxy asks for write; whatever the caller's query adds, read is not enough."""
    maker, user = between
    token, _ = minted(maker)
    # Caddy appends the caller's query to its own /verify, Envoy the whole path and query.
    for target in ("/verify" + case, "/verify?scope=write&" + case[1:], "/verify/app" + case):
        fields = [] if "write" in target else required("write")
        response = verify(user, bearer(token), *fields, target=target)
        check_turned_away(response, response.status, response_error(response))
        assert response.status == 403 or "%zz" in case, response


@rows("V-09", spaces="/verify?scope=" + "read%20" * 1100 + "write", repeated="/verify?" + "scope=read&" * 700 + "scope=write",
      empties="/verify?" + "scope=&" * 1100 + "scope=write", unknown="/verify?" + "x&" * 3900 + "scope=write",
      long="/verify?scope=" + "w" * 7900, audience="/verify?" + "audience=a&" * 700,
      long_audience="/verify?audience=https://" + "a" * 7900)
def test_what_does_not_fit_lets_nobody_in(between, case):
    maker, user = between
    token, _ = minted(maker)
    response = verify(user, bearer(token), target=case)
    assert response.status in (401, 403) and not response.get("X-Auth-Client-Id"), response


@rows("V-09", words="read " * 1600 + "write", lines=["read"] * 90 + ["write"], one="w" * 8000)
def test_what_does_not_fit_in_the_header_lets_nobody_in(between, case):
    maker, user = between
    token, _ = minted(maker)
    fields = [("X-Auth-Require-Scope", v) for v in (case if isinstance(case, list) else [case])]
    response = verify(user, bearer(token), *fields)
    # Too many lines are too large a head (431), as everywhere.
    assert response.status in (401, 403, 431) and not response.get("X-Auth-Client-Id"), response


@row("V-09")
def test_what_one_request_required_is_not_remembered_for_the_next(between):
    maker, user = between
    token, _ = minted(maker)
    with Connection(user.address) as connection:
        for fields, target, status in ((required("write"), "/verify", 403), ([], "/verify", 200),
                                       ([], "/verify?scope=write", 403), ([], "/verify/x", 200),
                                       (required(audience=RS1), "/verify", 401), ([], "/verify", 200)):
            connection.send(request_bytes("GET", target, [bearer(token), *fields]))
            assert connection.read_response().status == status
        connection.expect_in_step()


# ---- identity ----


@rows("V-10", evil=[("X-Auth-Client-Id", "evil"), ("X-Auth-Scope", "admin"), ("X-Auth-Audience", RS2),
                    ("X-Auth-Expires-At", "9")],
      twice=[("X-Auth-Client-Id", "evil"), ("x-auth-client-id", "worse")], user=[("X-Auth-User", "root")])
def test_the_callers_own_identity_is_ignored(between, case):
    maker, user = between
    expires = check_identity(verify(user, bearer(minted(maker)[0]), *case))
    assert expires > time.time()
    check_turned_away(verify(user, *case), 401)


@row("V-11")
def test_every_header_is_there_and_not_empty(between, redis):
    maker, user = between
    name = unique("bare")
    make_client(redis, name)
    response = verify(user, bearer(mint_for(maker, name)))
    check_identity(response, name, scope="", audience="")
    assert response.get("X-Auth-Scope") == response.get("X-Auth-Audience") == "-"
    redis.cli("DEL", "mintd:client:" + name)


@rows("V-12", uri=("X-Forwarded-Uri", "/x?access_token=%s"), original=("X-Original-URI", "/x?access_token=%s"),
      url=("X-Original-URL", "http://h/x?access_token=%s"), envoy=("X-Envoy-Original-Path", "/x?access_token=%s"),
      rewrite=("X-Rewrite-URL", "/x?access_token=%s"), method=("X-Forwarded-Method", "%s"),
      referer=("Referer", "https://h/?access_token=%s"), cookie=("Cookie", "access_token=%s"),
      proxy=("Proxy-Authorization", "Bearer %s"), forwarded=("X-Forwarded-Authorization", "Bearer %s"))
def test_forwarded_fields_decide_nothing(between, case):
    maker, user = between
    name, value = case
    token, _ = minted(maker)
    check_turned_away(verify(user, (name, value % token)), 401)
    check_identity(verify(user, bearer(token), (name, value % "a-canary-of-a-field")))
    check_identity(verify(user, bearer(token), (name, value % "x"), ("X-Forwarded-Uri", "/verify?scope=admin")))
    assert token not in user.log_text and "a-canary-of-a-field" not in user.log_text


@rows("V-13", scope=("scope", "read\r\nX-Evil: 1"), audience=("aud", "https://rs1.example/\r\nX-Evil:1"),
      nul=("scope", "read\0x"), escape=("scope", "re\x1b[31mad"), high=("scope", "l\u00e9"))
def test_nothing_unprintable_reaches_a_header(between, redis, case):
    maker, user = between
    name = unique("ctl")
    make_client(redis, name, **{case[0]: case[1]})
    minting = maker.exchange(request_bytes("POST", "/token", [
        basic(name, "s-3cret"), ("Content-Type", "application/x-www-form-urlencoded")], G))
    assert not minting.get("X-Evil")
    if minting.status == 200:
        response = verify(user, bearer(minting.json()["access_token"]))  # a strict reader
        assert not response.get("X-Evil"), response
    record = {"client": name, "scope": "", "aud": "", "iat": 1, "exp": 4000000000, "gen": 0, "ggen": 0}
    token = forged_token("V")
    redis.cli("SETEX", token_key(token), 60, json.dumps({**record, case[0]: case[1]}))
    response = verify(user, bearer(token))
    assert response.status in (401, 503) and not response.get("X-Evil"), response
    redis.cli("DEL", token_key(token), "mintd:client:" + name)


# ---- as proxies speak ----


@rows("V-07", nginx=("HTTP/1.0", [("Content-Length", "11")]), big=("HTTP/1.0", [("Content-Length", "1073741824")]),
      typed=("HTTP/1.0", [("Content-Length", "11"), ("Content-Type", "application/json")]))
def test_decided_at_the_end_of_the_head(between, case):
    """nginx announces the body of the request that it asks about, and never sends it."""
    version, fields = case
    maker, user = between
    token, _ = minted(maker)
    took = []
    for method in ("GET", "POST", "GET", "PUT", "GET"):
        with Connection(user.address) as connection:
            started = time.monotonic()
            connection.send(request_bytes(method, "/verify", [bearer(token), *fields], version=version))
            check_identity(connection.read_response())
            took.append(time.monotonic() - started)
            connection.expect_close()
    assert min(took) <= scaled(0.05), took
    with Connection(user.address) as connection:
        connection.send(request_bytes("GET", "/verify", fields, version=version))
        check_turned_away(connection.read_response(), 401)
        connection.expect_close()


@rows("V-07", length=[("Content-Length", "11")], chunked=[("Transfer-Encoding", "chunked")],
      big=[("Content-Length", "1073741824")])
def test_decided_at_the_end_of_the_head_in_1_1(between, case):
    maker, user = between
    token, _ = minted(maker)
    for fields, check in (([bearer(token)], check_identity), ([], lambda r: check_turned_away(r, 401))):
        with Connection(user.address) as connection:
            connection.send(request_bytes("POST", "/verify/upload", [*fields, *case]))
            response = connection.read_response()
            check(response)
            if response.says_close:
                connection.expect_close()
                continue
            assert "1073741824" not in repr(case), "would have to read a gigabyte: %r" % response
            connection.send(b"hello world" if case[0][0] == "Content-Length" else b"b\r\nhello world\r\n0\r\n\r\n")
            connection.expect_in_step()


@rows("V-07", gzip=[("Content-Encoding", "gzip"), ("Content-Length", "11")], upgrade=[("Upgrade", "websocket")],
      conditional=[("If-None-Match", "*"), ("Range", "bytes=0-0")], accept=[("Accept", "text/html")],
      json=[("Content-Type", "application/json"), ("Content-Length", "2")], origin=[("Origin", "https://x.example")])
def test_fields_of_the_request_asked_about_mean_nothing_here(between, case):
    maker, user = between
    token, _ = minted(maker)
    with Connection(user.address) as connection:
        connection.send(request_bytes("GET", "/verify", [bearer(token), *case], version="HTTP/1.0"))
        check_identity(connection.read_response())
        connection.expect_close()


@row("V-08")
def test_http_1_0(between):
    maker, user = between
    token, _ = minted(maker)
    for fields in ([("Connection", "close")], []):
        with Connection(user.address) as connection:
            connection.send(request_bytes("GET", "/verify", [*fields, bearer(token)], host="m", version="HTTP/1.0"))
            response = connection.read_response()
            check_identity(response)
            assert response.says_close
            connection.expect_close()


@row("V-08")
def test_keep_alive(between):
    maker, user = between
    token, _ = minted(maker)
    good, bad = (request_bytes("GET", "/verify/a", [f]) for f in (bearer(token), bearer("nope")))
    with Connection(user.address) as connection:
        connection.send((good + bad) * 50)
        for _ in range(50):
            check_identity(connection.read_response())
            check_turned_away(connection.read_response(), 401, "invalid_token")
        connection.expect_in_step()


# ---- Redis away ----


@brief
@rows("V-06", stopped="pause", killed="kill")
def test_fails_closed(two, own_redis, case):
    tokens = [minted(instance)[0] for instance in two]
    for instance in two:
        check_identity(verify(instance, bearer(tokens[0])))
    getattr(own_redis, case)()
    for instance in two:
        for token in (*tokens, forged_token()):
            # What is in memory may be trusted for 2 s, and no longer.
            wait_until(lambda: verify(instance, bearer(token)).status != 200, 2.1)
            started = time.monotonic()
            response = verify(instance, bearer(token))
            assert time.monotonic() - started <= scaled(0.25 + 0.05) + 0.1
            check_unavailable(response)
            assert not [n for n, _ in response.fields if n.lower().startswith("x-auth-")], response
            assert response.get("WWW-Authenticate") is None, response
        check_turned_away(verify(instance), 401)  # needs no store to know
        check_turned_away(verify(instance, bearer("nope")), 401, "invalid_token")
    if case == "pause":
        own_redis.resume()
        for instance in two:
            wait_status(instance, 200)
            check_identity(verify(instance, bearer(tokens[0])))
            check_welcome(use(instance, tokens[1]))
