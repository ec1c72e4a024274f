"""What an OAuth answer has to be (TOK, ERR, WB, WR of CONFORMANCE 1.0), and how rows become tests.

    @row("R-03")                            # test_x[R-03]
    @on_both("T-01")                        # test_x[T-01-token] and test_x[T-01-auth], with `endpoint`
    @on_both("T-14", password=b"…", …)      # test_x[T-14-password-token] …, with `endpoint` and `case`

    post(mintd, "/token", b"grant_type=…", BA)   # the Response
    check_tok(response, "/auth")                 # its token
    check_err(response, 400, "invalid_scope")
    check_bearer(response, 401, "invalid_token")
    check_unavailable(response)
    ask.granted(…), ask.refused(…)               # fixture: mint on A, use on A and on B; refused by both
"""
import datetime
import hashlib
import itertools
import math
import re
import time
import zlib

import pytest

from .clients import BA, SECRETS, G, bearer, token_key
from .http import form_request
from .timing import scale, scaled

REDIS_TIMEOUT = 0.25  # seconds; mintd's default, which a test about it gets by `brief`

ENDPOINTS = ("/token", "/auth")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN = re.compile(r"mtd_[0-9A-Za-z]{49}")
WB = 'Basic realm="mintd", charset="UTF-8"'
RFC_MEMBERS = ["access_token", "token_type", "expires_in", "scope"]
TUTORIAL_MEMBERS = ["accessToken", "accessTokenExpiresAt", "client", "user"]
_PARAMETER = re.compile(r'([a-z_]+)="([^"\\]*)"')
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_ids = itertools.count(1)


# ---- rows ----


def row(name):
    return pytest.mark.parametrize((), [pytest.param(id=name)])


def rows(name, /, **cases):
    return pytest.mark.parametrize("case", [pytest.param(value, id="%s-%s" % (name, label))
                                            for label, value in cases.items()])


def on_both(name, /, **cases):
    """At both token endpoints, with each case."""
    if not cases:
        return pytest.mark.parametrize(
            "endpoint", [pytest.param(e, id="%s-%s" % (name, e[1:])) for e in ENDPOINTS])
    return pytest.mark.parametrize("endpoint,case", [
        pytest.param(e, value, id="%s-%s-%s" % (name, label, e[1:]))
        for label, value in cases.items() for e in ENDPOINTS])


# Redis has as long as it has by default: for tests that wait until it is too long. The instances of all others
# are more patient (mintd.PATIENT), so that a busy machine makes no 503.
brief = pytest.mark.redis_timeout(250)


# ---- requests ----


def post(mintd, endpoint, body, *fields):
    return mintd.exchange(form_request(endpoint, body, fields))


def use(mintd, token, method="GET"):
    return mintd.request(method, "/secret", [bearer(token)])


def minted(mintd, endpoint="/token", body=G, *fields):
    """A token and the members it came with; svc-a's unless said otherwise. What goes before a test,
    not what it tests: where the machine stood still for the default deadline, once more; a crowded one
    does so more often."""
    for _ in range(1 + math.ceil(scale())):
        started = time.monotonic()
        response = post(mintd, endpoint, body, *(fields or (BA,)))
        if response.status != 503 or time.monotonic() - started < REDIS_TIMEOUT * 0.9:
            break
    assert response.status == 200, response
    document = response.json()
    return document["access_token"], document


# ---- clients of one test ----


def sha256_phc(secret):
    data = secret if isinstance(secret, bytes) else secret.encode()
    return "$sha256$" + hashlib.sha256(data).hexdigest()


def unique(prefix):
    return "%s-%d" % (prefix, next(_ids))


def make_client(redis, name, secret="s-3cret", **fields):
    """HSET alone. A field that is called secret_2 is secret:2, secret_2_expires secret:2:expires."""
    flat = ["secret:1", sha256_phc(secret)]
    for field, value in fields.items():
        if field.startswith("secret_"):
            field = field.replace("_", ":")
        flat += [field, value]
    redis.cli("HSET", b"mintd:client:" + (name if isinstance(name, bytes) else name.encode()), *flat)


# ---- tokens ----


def checksum(text):
    """CRC-32 as six base62 digits."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def forged_token(filler="A"):
    """Of our form in every respect, and never minted."""
    return (head := "mtd_" + filler * 43) + checksum(head)


def check_token_form(token):
    assert TOKEN.fullmatch(token), token
    assert checksum(token[:-6]) == token[-6:], token


def jti(token):
    return token_key(token).rpartition(":")[2]


def epoch(text):
    """Of "2026-11-23T21:02:37.272Z"."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00").timestamp()


# ---- answers ----


def check_fresh(response):
    """Not to be stored, each field once."""
    assert response.all("Cache-Control") == ["no-store"], response
    assert response.all("Pragma") == ["no-cache"], response


def check_json(response):
    kind = response.get("Content-Type")
    assert re.fullmatch(r"application/json(; ?charset=utf-8)?", kind, re.IGNORECASE), kind
    return response.json()


def check_tok(response, endpoint, scope="read", ttl=range(1, 3601)):
    """TOK; returns the token. `scope`: a text with spaces, compared as a set; "" for none."""
    assert response.status == 200, response
    check_fresh(response)
    document = check_json(response)
    wanted = [m for m in RFC_MEMBERS if scope or m != "scope"]
    if endpoint == "/auth":
        wanted += TUTORIAL_MEMBERS
    assert sorted(document) == sorted(wanted), document
    assert document["token_type"] == "Bearer"
    assert type(document["expires_in"]) is int and document["expires_in"] in ttl, document
    check_token_form(document["access_token"])
    if scope:
        got = document["scope"].split(" ")
        assert sorted(got) == sorted(scope.split()), document
    if endpoint == "/auth":
        assert document["accessToken"] == document["access_token"]
        assert list(document["client"]) == ["id"] and document["user"] == {}, document
        left = epoch(document["accessTokenExpiresAt"]) - time.time()
        assert abs(left - document["expires_in"]) <= 1 + scaled(1), document
    return document["access_token"]


def check_silent(response):
    """Nothing secret in head or body."""
    text = repr(response)
    assert not re.search(r"mt[ds]_[0-9A-Za-z]{49}", text), response
    for secret in SECRETS:
        assert secret not in text, response


def check_err(response, status, error):
    """ERR(status, error), with WB where it is 401."""
    assert (response.status, response.error) == (status, error), response
    check_fresh(response)
    document = check_json(response)
    assert sorted(document) == ["error", "error_description"], document
    assert _DESCRIPTION.fullmatch(document["error_description"]), document
    check_silent(response)
    assert response.all("WWW-Authenticate") == ([WB] if status == 401 else []), response


def parse_challenge(value):
    """(scheme, parameters) of a WWW-Authenticate field, by the grammar of R-11."""
    scheme, space, rest = value.partition(" ")
    assert space and rest, value
    parameters = rest.split(", ")
    assert all(_PARAMETER.fullmatch(p) for p in parameters), value
    pairs = [_PARAMETER.fullmatch(p).groups() for p in parameters]
    named = dict(pairs)
    assert len(named) == len(pairs), "a parameter stands twice: " + value
    allowed = {"Basic": {"realm", "charset"},
               "Bearer": {"realm", "scope", "error", "error_description", "error_uri",
                          "resource_metadata"}}
    assert named.keys() <= allowed[scheme], value
    if "error_description" in named:
        assert _DESCRIPTION.fullmatch(named["error_description"]), value
    if "scope" in named:
        assert _SCOPE.fullmatch(named["scope"]), value
    return scheme, named


def check_bearer(response, status, error=None):
    """A refusal of /secret: WR or WR(error)."""
    assert response.status == status, response
    scheme, parameters = parse_challenge(response.get("WWW-Authenticate"))
    assert scheme == "Bearer" and parameters["realm"] == "mintd", response
    assert parameters.get("error") == error, response
    assert ("error_description" in parameters) <= ("error" in parameters), response
    assert response.all("Cache-Control") == ["no-store"], response
    check_silent(response)
    if response.body:
        document = check_json(response)
        assert document.get("error") == error, document
        assert error is None or _DESCRIPTION.fullmatch(document["error_description"]), document
    else:
        assert response.head or error is None, response


def check_welcome(response, client="svc-a", scope="read"):
    assert response.status == 200, response
    assert "no-store" in response.get("Cache-Control"), response
    document = check_json(response)
    assert document["message"] == "Welcome to the secret area!"
    assert document["client"] == {"id": client}, document
    assert sorted(document.get("scope", "").split()) == sorted(scope.split()), document
    assert type(document["expires_in"]) is int and document["expires_in"] >= 0, document
    assert document.keys() <= {"message", "client", "scope", "expires_in"}, document
    return document


def check_unavailable(response):
    """The store is away: 503, and when to come back."""
    assert (response.status, response.error) == (503, "temporarily_unavailable"), response
    assert re.fullmatch(r"[1-9][0-9]*", response.get("Retry-After", "")), response
    assert response.get("Cache-Control") == "no-store", response
    assert response.json()["error_description"]
    check_silent(response)
    for inside in ("hiredis", "errno", "ECONN", "OOM", "READONLY", "NOAUTH", "WRONGPASS",
                   "127.0.0.1"):
        assert inside not in response.body.decode(), response


# ---- waiting ----


def wait_until(condition, within=5.0, what="it"):
    """Asks again and again until the condition gives something true, less often the longer it takes; returns
    that."""
    deadline, pause = time.monotonic() + scaled(within), 0.002
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, "not within %.2f s: %s" % (within, what)
        time.sleep(pause)
        pause = min(pause * 1.25, 0.03)


def wait_refused(mintd, token, within=0.1):
    """The token is refused as invalid soon: nothing between 200 and that refusal is seen."""
    def refused():
        response = use(mintd, token)
        if response.status == 200:
            return False
        check_bearer(response, 401, "invalid_token")
        return True

    wait_until(refused, within, "the token is refused")
    assert use(mintd, token).status == 401


def wait_status(mintd, status, target="/readyz", within=1.0):
    return wait_until(lambda: mintd.request("GET", target).status == status, within,
                      "%s is %d" % (target, status))


# ---- mint on A, use on B ----


class Ask:
    def __init__(self, pair, redis):
        self.pair, self.redis = pair, redis

    def granted(self, endpoint, body, *fields, **more):
        return self.granted_raw(endpoint, form_request(endpoint, body, fields), **more)

    def granted_raw(self, endpoint, raw, client="svc-a", scope="read", ttl=range(1, 3601)):
        """A mints, one key comes of it, A and B let the token in; the members of A's answer."""
        before = self.redis.tokens()
        response = self.pair.a.exchange(raw)
        token = check_tok(response, endpoint, scope, ttl)
        assert self.redis.tokens() - before == {token_key(token)}
        if endpoint == "/auth":
            assert response.json()["client"]["id"] == client
        for instance in self.pair:
            check_welcome(use(instance, token), client, scope)
        return response.json()

    def refused(self, endpoint, body, *fields, status=400, error="invalid_request"):
        """Both refuse, alike, and nothing comes of it; A's answer."""
        return self.refused_raw(form_request(endpoint, body, fields), status, error)

    def refused_raw(self, raw, status, error):
        """error: the code, or those that are as good."""
        before = self.redis.tokens()
        answers = [instance.exchange(raw) for instance in self.pair]
        for answer in answers:
            check_err(answer, status, error if isinstance(error, str) else answer.error)
            assert answer.error == error or answer.error in error, answer
        assert answers[0].body == answers[1].body
        assert not self.redis.tokens() - before
        return answers[0]


@pytest.fixture
def ask(pair, redis):
    return Ask(pair, redis)


