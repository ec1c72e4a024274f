"""H-47: however TCP cuts a request, and whatever stands before it, its answer is the same."""
import pytest

from support.clients import BA, G, RS_1, SVC_A, SVC_B, bearer, token_of
from support.expect import HEALTH, chunk, chunked_request, row, token_request
from support.fragments import (Case, check_byte_by_byte, check_every_split, check_fresh_byte_by_byte,
                               check_pipelined, check_pipelined_splits)
from support.http import form_request, request_bytes

BODY = chunk(G) + b"0\r\n\r\n"
TOKEN = b"mtd_" + b"0" * 49  # stands in a case's bytes for a live token
NOBODYS = "mtd_" + "a" * 49  # of the right length, and wrong


def get(*fields, target="/healthz", host="h"):
    return request_bytes("GET", target, fields, host=host)


CASES = [
    Case("H-04-port", get(host="h:8080")),
    Case("H-04-upper-case", get(host="H.EXAMPLE.")),
    Case("H-04-ipv6", get(host="[::1]:80")),
    Case("H-04-empty-port", get(host="h:")),
    Case("H-05-http-1.0", b"GET /healthz HTTP/1.0\r\n\r\n"),
    Case("H-05-http-1.0-kept", b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    Case("H-06-absolute-form", get(target="http://other/healthz")),
    Case("H-08-options-asterisk", request_bytes("OPTIONS", "*")),
    Case("H-08-options-token", request_bytes("OPTIONS", "/token")),
    Case("H-09-put", request_bytes("PUT", "/secret")),
    Case("H-11-head-healthz", request_bytes("HEAD", "/healthz"), head=True),
    Case("H-11-head-secret", request_bytes("HEAD", "/secret"), head=True),
    Case("H-11-head-metadata", request_bytes("HEAD", "/.well-known/oauth-authorization-server"),
         head=True),
    Case("H-13-40-fields", get(*(("X-%d" % n, "a") for n in range(40)))),
    Case("H-17-leading-zero", token_request([("Content-Length", "029")])),
    Case("H-19-one-chunk", chunked_request(BODY)),
    Case("H-19-chunk-a-byte", chunked_request(b"".join(chunk(bytes([b])) for b in G) + b"0\r\n\r\n")),
    Case("H-19-upper-case-hex", chunked_request(b"1D\r\n" + G + b"\r\n0\r\n\r\n")),
    Case("H-19-extension", chunked_request(b"1d;ext=1\r\n" + G + b"\r\n0\r\n\r\n")),
    Case("H-19-trailers", chunked_request(chunk(G) + b"0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")),
    Case("H-23-trailer", request_bytes(
        "POST", "/token", [("Content-Type", "application/x-www-form-urlencoded"),
                           ("Transfer-Encoding", "chunked")],
        chunk(G) + b"0\r\nAuthorization: " + BA[1].encode() + b"\r\n\r\n")),
    Case("H-29-obs-text", get(("X", b"\xe9"))),
    Case("H-30-empty-line", b"\r\n" + HEALTH),
    Case("H-34-expect", token_request([("Expect", "100-continue")])),
    Case("H-36-expect-1.0", token_request([("Expect", "100-continue")], version="HTTP/1.0")),
    Case("H-39-close", token_request([("Connection", "close")])),
    Case("H-46-request-id", get(("X-Request-Id", "abc.DEF-123"))),
    Case("H-51-upgrade", get(("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                             ("HTTP2-Settings", "AAMAAABkAAQAAP__"))),
    Case("H-53-ignored", get(("Accept", "text/xml"), ("Range", "bytes=0-0"), ("If-None-Match", "*"))),
    Case("H-54-get-with-body", request_bytes("GET", "/healthz", body=b"hello")),
    Case("H-56-unknown-path", get(target="/%2e%2e/")),
    Case("T-01", token_request()),
    Case("T-01-auth", form_request("/auth", G, [BA])),
    Case("T-02", form_request("/token", G + b"&client_id=svc-a&client_secret=s3cret-A_1.x~")),
    Case("T-09", token_request(body=b"scope=read")),
    Case("T-12", token_request(body=G + b"&foo=1&foo=2&x")),
    Case("T-16", token_request(body=b"grant%5Ftype=client%5Fcredentials&scope=read%20write")),
    Case("T-23", form_request("/token", G)),
    Case("T-33", request_bytes("POST", "/token", [
        BA, ("Content-Type", "Application/X-WWW-Form-URLEncoded;charset=UTF-8")], G)),
    Case("C-01", form_request("/token", G, [("Authorization", BA[1].replace("Basic ", "bAsIc   "))])),
    Case("C-02", form_request("/token", G, [
        ("Authorization", "Basic c3ZjJTJEYTpzM2NyZXQlMkRBJTVGMSUyRXglN0U=")])),
    Case("C-04", form_request("/token", G, [SVC_B.basic()])),
    Case("R-01", get(bearer(TOKEN.decode()), target="/secret")),
    Case("R-02", get(("Authorization", "bearer  " + TOKEN.decode()), target="/secret")),
    Case("R-03", get(target="/secret")),
    Case("R-05", get(bearer(NOBODYS), target="/secret")),
    Case("V-01", get(bearer(TOKEN.decode()), target="/verify")),
    Case("V-03", get(bearer(TOKEN.decode()), target="/verify/a/b?x=1")),
    Case("V-08", request_bytes("GET", "/verify", [bearer(TOKEN.decode()), ("Connection", "close")])),
    Case("I-01", form_request("/introspect", b"token=" + TOKEN, [RS_1.basic()])),
    Case("I-02", form_request("/introspect", b"token=nope", [RS_1.basic()])),
    Case("K-02", form_request("/revoke", b"token=nope", [SVC_A.basic()])),
    Case("M-01", get(target="/.well-known/oauth-authorization-server")),
    Case("P-01", get(target="/.well-known/oauth-protected-resource/secret")),
    Case("O-02", get(target="/readyz")),
    Case("O-03", get(target="/metrics"), body=False),
]
LONG = Case("H-12-long-target", get(target="/healthz?" + "a" * 7960))
SOME = [case for case in CASES if case.name in ("T-01", "H-19-trailers", "R-01", "H-30-empty-line",
                                                "H-11-head-healthz", "H-05-http-1.0")]


@pytest.fixture(scope="module")
def live_token(_instances):
    return token_of(_instances.a).encode()


@pytest.fixture
def live(live_token):
    def fill(case):
        return Case(case.name, case.raw.replace(TOKEN, live_token), case.head, case.body)

    return fill


def with_ids(cases):
    return pytest.mark.parametrize("case", [pytest.param(c, id="H-47-" + c.name) for c in cases])


@row("H-47")
def test_byte_by_byte(mintd, live):
    """All cases side by side."""
    check_byte_by_byte(mintd, [live(case) for case in CASES])


@with_ids(SOME)
def test_byte_by_byte_on_a_fresh_connection(mintd, live, case):
    check_fresh_byte_by_byte(mintd, live(case))


@with_ids(CASES)
def test_every_split(mintd, live, case):
    check_every_split(mintd, live(case))


@row("H-47")
def test_every_split_of_a_long_target(mintd):
    """At the ends at every offset, in between at every 16th."""
    ends = {*range(1, 64), *range(len(LONG.raw) - 64, len(LONG.raw))}
    check_every_split(mintd, LONG, sorted(ends | set(range(64, len(LONG.raw) - 64, 16))))


@with_ids([*CASES, LONG])
def test_pipelined(mintd, live, case):
    check_pipelined(mintd, live(case))


@with_ids(SOME)
def test_every_split_behind_another(mintd, live, case):
    check_pipelined_splits(mintd, live(case))
