"""Client authentication with Basic: CONFORMANCE 1.2 (RFC 7617; RFC 6749 2.3.1 and appendix B)."""
import base64
import hashlib
import re
import time

from support.clients import BA, G, SVC_A, basic, bearer, token_of
from support.http import form_request
from support.oauth import (ask, check_err, check_tok, make_client, on_both, parse_challenge, post,
                           row, rows, unique)
from support.timing import scaled


def authorization(value):
    return "Authorization", value


def encoded(data):
    return authorization(b"Basic " + base64.b64encode(data))


@on_both("C-01", mixed="bAsIc   c3ZjLWE6czNjcmV0LUFfMS54fg==", upper="BASIC c3ZjLWE6czNjcmV0LUFfMS54fg==",
         trailing="Basic c3ZjLWE6czNjcmV0LUFfMS54fg==   ")
def test_scheme_in_any_case(ask, endpoint, case):
    ask.granted(endpoint, G, authorization(case))


@on_both("C-02", all=b"svc%2Da:s3cret%2DA%5F1%2Ex%7E", lower=b"svc%2da:s3cret%2dA%5f1%2ex%7e",
         some=b"svc-a:s3cret-A_1%2Ex~")
def test_form_encoded_credentials(ask, endpoint, case):
    ask.granted(endpoint, G, encoded(case))


@row("C-02")
def test_as_oauth4webapi_sends_it(ask):
    ask.granted("/token", G, authorization("Basic c3ZjJTJEYTpzM2NyZXQlMkRBJTVGMSUyRXglN0U="))


@on_both("C-03", plus="Basic c3ZjLWI6cCU0MHMlMkJzK3clMjVyZCUzQSVDMyVBOQ==",
         percent_20="Basic " + base64.b64encode(b"svc-b:p%40s%2Bs%20w%25rd%3A%C3%A9").decode())
def test_awkward_characters(ask, endpoint, case):
    ask.granted(endpoint, G, authorization(case), client="svc-b")


@on_both("C-04")
def test_raw_utf8_secret(ask, endpoint):
    ask.granted(endpoint, G, authorization("Basic c3ZjLWI6cEBzK3MgdyVyZDrDqQ=="), client="svc-b")


@on_both("C-04", plus="a+b", percent="100%", escape="a%41b", space="a b", hash="%23%zz")
def test_raw_secret_that_looks_encoded(ask, redis, endpoint, case):
    name = unique("raw")
    make_client(redis, name, case, scope="read")
    ask.granted(endpoint, G, basic(name, case), client=name)


@on_both("C-05")
def test_raw_latin1_secret(ask, endpoint):
    ask.refused(endpoint, G, authorization("Basic c3ZjLWI6cEBzK3MgdyVyZDrp"),
                status=401, error="invalid_client")


@on_both("C-06", one="a:b", many=":::", ends="a:")
def test_first_colon_splits(ask, redis, endpoint, case):
    name = unique("colon")
    make_client(redis, name, case, scope="read")
    ask.granted(endpoint, G, basic(name, case), client=name)


@on_both("C-07", no_colon="Basic c3ZjLWE=", percent="Basic %%%",
         no_padding="Basic c3ZjLWE6czNjcmV0LUFfMS54fg",
         one_pad="Basic c3ZjLWE6czNjcmV0LUFfMS54fg=", bare="Basic", blank="Basic  ",
         three_pads="Basic c3ZjLWE6czNjcmV0LUFfMS54fg===", inner_space="Basic c3ZjLWE6 czNjcmV0LUFfMS54fg==",
         comma="Basic c3ZjLWE6czNjcmV0LUFfMS54fg==, x", unused_bits="Basic c3ZjLWE6czNjcmV0LUFfMS54fh==",
         equals="Basic ====", no_space="Basicc3ZjLWE6czNjcmV0LUFfMS54fg==",
         tab="Basic\tc3ZjLWE6czNjcmV0LUFfMS54fg==")
def test_malformed_credentials(ask, endpoint, case):
    ask.refused(endpoint, G, authorization(case), status=401, error="invalid_client")


@on_both("C-07")
def test_url_safe_alphabet(ask, redis, endpoint):
    name = unique("urlsafe")
    secret = "~~~???>>>"
    make_client(redis, name, secret, scope="read")
    standard = base64.b64encode((name + ":" + secret).encode()).decode()
    url_safe = standard.replace("+", "-").replace("/", "_")
    assert url_safe != standard
    ask.refused(endpoint, G, authorization("Basic " + url_safe), status=401, error="invalid_client")
    ask.granted(endpoint, G, authorization("Basic " + standard), client=name)


@on_both("C-08", nul="Basic c3ZjLWEAOnMzY3JldC1BXzEueH4=", newline="Basic c3ZjLWE6czNjcmV0LUFfMS54fgo=",
         nul_behind="Basic " + base64.b64encode(b"svc-a:s3cret-A_1.x~\0").decode(),
         escaped_nul="Basic " + base64.b64encode(b"svc-a:s3cret-A_1.x~%00").decode(),
         escaped_newline="Basic " + base64.b64encode(b"svc-a%0A:s3cret-A_1.x~").decode(),
         delete="Basic " + base64.b64encode(b"svc-a\x7f:s3cret-A_1.x~").decode())
def test_control_characters(ask, endpoint, case):
    ask.refused(endpoint, G, authorization(case), status=401, error="invalid_client")


@on_both("C-09", no_id="Basic OnMzY3JldC1BXzEueH4=", no_secret="Basic c3ZjLWE6",
         neither="Basic Og==")
def test_empty_half(ask, endpoint, case):
    ask.refused(endpoint, G, authorization(case), status=401, error="invalid_client")


@on_both("C-10", shorter="s3cret-A_1.x", longer="s3cret-A_1.x~~", upper="S3CRET-A_1.X~",
         space="s3cret-A_1.x~ ", leading=" s3cret-A_1.x~", first="x", twice="s3cret-A_1.x~s3cret-A_1.x~")
def test_almost_the_secret(ask, endpoint, case):
    ask.refused(endpoint, G, basic("svc-a", case), status=401, error="invalid_client")


@on_both("C-10", upper="SVC-A", longer="svc-aa", shorter="svc-", space="svc-a ", prefix="mintd:client:svc-a",
         glob="svc-*", other="svc-b")
def test_almost_the_id(ask, endpoint, case):
    ask.refused(endpoint, G, basic(case, SVC_A.secret), status=401, error="invalid_client")


@on_both("C-10", stored=True, digest=False)
def test_what_redis_holds_is_no_secret(ask, endpoint, case):
    digest = hashlib.sha256(SVC_A.secret.encode()).hexdigest()
    ask.refused(endpoint, G, basic("svc-a", "$sha256$" + digest if case else digest),
                status=401, error="invalid_client")


@on_both("C-11")
def test_challenge(pair, endpoint):
    for instance in pair:
        value = post(instance, endpoint, G, basic("svc-a", "wrong")).get("WWW-Authenticate")
        assert re.fullmatch(r'Basic realm="[^"\\]*", charset="UTF-8"', value), value
        assert parse_challenge(value) == ("Basic", {"realm": "mintd", "charset": "UTF-8"})


@on_both("C-12", digest="Digest x", negotiate="Negotiate x", empty="",
         unknown="Foo c3ZjLWE6czNjcmV0LUFfMS54fg==")
def test_other_schemes(ask, endpoint, case):
    ask.refused(endpoint, G, authorization(case), status=401, error="invalid_client")


@on_both("C-12")
def test_bearer_token_is_no_client_authentication(ask, pair, endpoint):
    ask.refused(endpoint, G, bearer(token_of(pair.a)), status=401, error="invalid_client")


@on_both("C-13", same=(BA, BA), other=(BA, basic("svc-b", "p@s+s w%rd:\u00e9")),
         bearer=(BA, ("Authorization", "Bearer x")), empty=(BA, ("Authorization", "")))
def test_two_authorization_lines(ask, endpoint, case):
    ask.refused(endpoint, G, *case)


@on_both("C-14")
def test_large_credentials(ask, endpoint):
    ask.refused(endpoint, G, encoded(b"svc-a:" + b"x" * (7 * 1024 * 3 // 4)),
                status=401, error="invalid_client")


@on_both("C-14")
def test_huge_credentials(pair, endpoint):
    for instance in pair:
        with instance.connect() as connection:
            head = form_request(endpoint, G, [encoded(b"svc-a:" + b"x" * (64 * 1024 * 3 // 4))])
            connection.send_all_we_can(head)
            response = connection.read_response()
            assert response.status == 431 and response.says_close, response
            connection.expect_close(reset_ok=True)


# ---- secrets that people chose: scrypt ----


def slow_phc(secret, cost=15):
    def plain(data):
        return base64.b64encode(data).decode().rstrip("=")

    salt = b"sixteen bytes of"
    key = hashlib.scrypt(secret.encode(), salt=salt, n=1 << cost, r=8, p=1, maxmem=1 << 27, dklen=32)
    return "$scrypt$ln=%d,r=8,p=1$%s$%s" % (cost, plain(salt), plain(key))


def make_slow_client(redis, name, secret):
    redis.cli("HSET", "mintd:client:" + name, "secret:1", slow_phc(secret), "scope", "read")


@on_both("SLOW")
def test_scrypt_secret(ask, redis, endpoint):
    name = unique("slow")
    make_slow_client(redis, name, "a person chose this")
    ask.granted(endpoint, G, basic(name, "a person chose this"), client=name)
    ask.refused(endpoint, G, basic(name, "a person chose that"), status=401, error="invalid_client")


@row("SLOW")
def test_scrypt_is_paid_once(pair, redis):
    name = unique("slow")
    make_slow_client(redis, name, "only here is this one used")

    def cost():
        started = time.monotonic()
        check_tok(post(pair.a, "/token", G, basic(name, "only here is this one used")), "/token")
        return time.monotonic() - started

    first, later = cost(), sorted(cost() for _ in range(9))[4]
    assert later < first / 3, (first, later)


@row("SLOW")
def test_remembered_secret_dies_with_its_hash(ask, redis):
    name = unique("slow")
    make_slow_client(redis, name, "the old one")
    ask.granted("/token", G, basic(name, "the old one"), client=name)
    make_slow_client(redis, name, "the new one")
    ask.refused("/token", G, basic(name, "the old one"), status=401, error="invalid_client")
    ask.granted("/token", G, basic(name, "the new one"), client=name)


@rows("SLOW", garbage="$scrypt$", unknown="$md5$abc", plain="s-3cret", empty="", sha="$sha256$00",
      costly="$scrypt$ln=31,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43)
def test_stored_secret_that_makes_no_sense(ask, redis, case):
    name = unique("odd")
    redis.cli("HSET", "mintd:client:" + name, "secret:1", case, "scope", "read")
    for secret in ("s-3cret", "$scrypt$", "x"):
        ask.refused("/token", G, basic(name, secret), status=401, error="invalid_client")


@row("SLOW")
def test_slow_secrets_never_stop_the_loop(pair, redis):
    """Forty logins with a slow hash at once: others are served meanwhile, each is answered."""
    name = unique("slow")
    make_slow_client(redis, name, "a person chose this")
    connections = [pair.a.connect(timeout=30) for _ in range(40)]
    for number, connection in enumerate(connections):
        connection.send(form_request("/token", G, [basic(name, "wrong %d" % number)]))
    worst = 0.0
    for _ in range(20):
        started = time.monotonic()
        assert pair.a.request("GET", "/healthz").status == 200
        worst = max(worst, time.monotonic() - started)
    for connection in connections:
        response = connection.read_response()
        # The queue is bounded: what is over it is told to come back.
        if response.status == 503:
            assert response.get("Retry-After")
        else:
            check_err(response, 401, "invalid_client")
        connection.close()
    assert worst < scaled(0.25), worst
