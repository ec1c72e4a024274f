"""Message grammar and framing: what is well-formed, what could smuggle (CONFORMANCE 1.9)."""
import pytest

from support.clients import BA, G
from support.expect import (HEALTH, chunk, chunked_request, healthy_answer, is_token, refused,
                            row, token_request)
from support.http import FORM, request_bytes

HOST = b"Host: h\r\n"


def rows(*pairs):
    """Parameters from (id, value, …) tuples."""
    return [pytest.param(*values, id=name) for name, *values in pairs]


def get(*field_lines):
    """GET /healthz with these raw lines behind its Host."""
    return b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(field_lines) + b"\r\n"


# ---- the request line ----


@pytest.mark.parametrize("raw", rows(
    ("H-31-trailing-space", b"GET /healthz HTTP/1.1 \r\n" + HOST + b"\r\n"),
    ("H-31-tabs", b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-no-version", b"GET /healthz\r\n" + HOST + b"\r\n"),
    ("H-31-no-version-alone", b"GET /healthz\r\n\r\n"),
    ("H-31-space-in-target", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-not-a-target", b"GET ! HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-no-target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-control-in-target", b"GET /healthz\x01 HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-nul-in-target", b"GET /healthz\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-31-high-byte-in-target", b"GET /healthz\xe9 HTTP/1.1\r\n" + HOST + b"\r\n"),
))
def test_request_line_that_is_none(mintd, raw):
    refused(mintd, raw, 400)


@row("H-31")
def test_two_spaces_in_the_request_line(mintd):
    """Refused, or read as one."""
    with mintd.connect() as connection:
        connection.send(b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        response = connection.read_response()
        if response.status == 200:
            connection.expect_in_step()
        else:
            assert response.status == 400 and response.says_close, response
            connection.expect_close()


@pytest.mark.parametrize("version", rows(
    ("H-32-http-2.0", b"HTTP/2.0"),
    ("H-32-http-9.9", b"HTTP/9.9"),
    ("H-32-http-0.9", b"HTTP/0.9"),
    ("H-32-http-1.10", b"HTTP/1.10"),
    ("H-32-lower-case", b"http/1.1"),
    ("H-32-huge", b"HTTP/4294967295.255"),
    ("H-32-no-minor", b"HTTP/1"),
    ("H-32-rtsp", b"RTSP/1.0"),
    ("H-32-ice", b"ICE/1.0"),
))
def test_version_that_is_not_ours(mintd, version):
    refused(mintd, b"GET /healthz " + version + b"\r\n" + HOST + b"\r\n", 400, 505)


@pytest.mark.parametrize("raw", rows(
    ("H-32-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("H-32-preface-and-settings",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")))
def test_http2_preface(mintd, raw):
    refused(mintd, raw, 400, 505, tail=b"")


@row("H-32")
def test_higher_minor_version(mintd):
    """HTTP/1.2 is served as 1.1, or refused."""
    with mintd.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.2\r\n" + HOST + b"\r\n")
        response = connection.read_response()
        assert response.status in (200, 400, 505), response
        if response.status != 200:
            assert response.says_close, response
            connection.expect_close()


@pytest.mark.parametrize("lead", rows(
    ("H-30-one-empty-line", b"\r\n"), ("H-30-two-empty-lines", b"\r\n\r\n")))
def test_empty_lines_before_the_request(mintd, lead):
    healthy_answer(mintd, lead + HEALTH)


@row("H-30")
def test_empty_line_between_requests(mintd):
    """Also on a kept connection, behind a body."""
    with mintd.connect() as connection:
        connection.send(token_request() + b"\r\n" + HEALTH)
        is_token(connection.read_response())
        assert connection.read_response().status == 200
        connection.expect_in_step()


# ---- Host ----


@pytest.mark.parametrize("raw", rows(
    ("H-01-no-host", b"GET /healthz HTTP/1.1\r\n\r\n"),
    ("H-01-no-host-other-field", b"GET /healthz HTTP/1.1\r\nX: a\r\n\r\n"),
    ("H-01-no-host-absolute-form", b"GET http://h/healthz HTTP/1.1\r\n\r\n"),
    ("H-01-no-host-post", request_bytes("POST", "/token", [BA, FORM], G, host=None)),
    ("H-02-two-equal", get(b"Host: h\r\n")),
    ("H-02-two-different", get(b"Host: other\r\n")),
    ("H-02-two-apart", get(b"X: a\r\n", b"hOST: h\r\n")),
    ("H-02-two-in-1.0", b"GET /healthz HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n"),
))
def test_host_missing_or_repeated(mintd, raw):
    refused(mintd, raw, 400)


@pytest.mark.parametrize("host", rows(
    ("H-03-space", b"a b"),
    ("H-03-slash", b"a/b"),
    ("H-03-at-sign", b"a@b"),
    ("H-03-port-not-a-number", b"a:b"),
    ("H-03-open-bracket", b"[::1"),
    ("H-03-question-mark", b"a?x"),
    ("H-03-hash", b"a#x"),
    ("H-03-nul", b"a\x00"),
    ("H-03-quotes", b'"a"'),
    ("H-03-high-byte", b"a\xe9"),
    ("H-04-empty", b""),
))
def test_invalid_host(mintd, host):
    refused(mintd, request_bytes("GET", "/healthz", host=host), 400)


@pytest.mark.parametrize("host", rows(
    ("H-04-name", b"h"),
    ("H-04-port", b"h:8080"),
    ("H-04-upper-case-and-dot", b"H.EXAMPLE."),
    ("H-04-ipv6", b"[::1]:80"),
    ("H-04-empty-port", b"h:"),
    ("H-04-ipv4", b"127.0.0.1:4001"),
))
def test_valid_host(mintd, host):
    healthy_answer(mintd, request_bytes("GET", "/healthz", host=host))


@row("H-05")
def test_http_1_0_closes(mintd):
    """No Host needed; answered as 1.1 with a length, then the end."""
    with mintd.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        response = connection.read_response()
        assert response.status == 200 and not response.all("Transfer-Encoding"), response
        connection.expect_close()


@row("H-05")
def test_http_1_0_keep_alive(mintd):
    """Kept where it asks for that."""
    with mintd.connect() as connection:
        for _ in range(3):
            connection.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            response = connection.read_response()
            assert response.status == 200, response
            assert response.get("Connection", "").lower() == "keep-alive", response
        connection.expect_in_step()


# ---- fields ----


@pytest.mark.parametrize("raw", rows(
    ("H-24-space-before-colon",
     b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nhello"),
    ("H-24-tab-before-colon", get(b"X\t: a\r\n")),
    ("H-24-host", b"GET /healthz HTTP/1.1\r\nHost : h\r\n\r\n"),
    ("H-25-space-before-first-field", b"GET /healthz HTTP/1.1\r\n Host: h\r\n\r\n"),
    ("H-25-tab-before-first-field", b"GET /healthz HTTP/1.1\r\n\tHost: h\r\n\r\n"),
    ("H-25-space-then-host", b"GET /healthz HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n"),
    ("H-26-fold-space", get(b"X: a\r\n b\r\n")),
    ("H-26-fold-tab", get(b"X: a\r\n\tb\r\n")),
    ("H-26-fold-empty", get(b"X: a\r\n \r\n")),
    ("H-26-fold-length",
     b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n 5\r\n\r\nhello"),
    ("H-27-cr-in-value", get(b"X: a\rb\r\n")),
    ("H-27-nul-in-value", get(b"X: a\x00b\r\n")),
    ("H-27-lf-in-value", get(b"X: a\nb\r\n")),
    ("H-27-lf-ends-a-line", get(b"X: a\nY: b\r\n")),
    ("H-27-all-lf", b"GET /healthz HTTP/1.1\nHost: h\n\n"),
    ("H-27-lf-ends-the-head", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\n"),
    ("H-27-cr-ends-the-head", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\rX: a\r\n\r\n"),
    ("H-27-cr-alone-ends-a-line", b"GET /healthz HTTP/1.1\rHost: h\r\r"
     b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("H-28-empty-name", get(b": x\r\n")),
    ("H-28-brackets", get(b"X[]: a\r\n")),
    ("H-28-high-byte", get(b"X\x80: a\r\n")),
    ("H-28-space", get(b"X Y: a\r\n")),
    ("H-28-no-colon", get(b"Xabc\r\n")),
    ("H-28-nul", get(b"X\x00: a\r\n")),
    ("H-29-bell", get(b"X: \x07\r\n")),
    ("H-29-delete", get(b"X: a\x7f\r\n")),
))
def test_malformed_field(mintd, raw):
    refused(mintd, raw, 400)


@pytest.mark.parametrize("line", rows(
    ("H-29-obs-text", b"X: \xe9\r\n"),
    ("H-29-utf-8", "X: \u00e9\u20ac\r\n".encode()),
    ("H-29-tab-inside", b"X: a\tb\r\n"),
    ("H-29-empty-value", b"X:\r\n"),
    ("H-29-spaces-around", b"X: \t a \t \r\n"),
    ("H-28-every-token-character", b"!#$%&'*+-.^_`|~09azAZ: a\r\n"),
))
def test_unusual_field(mintd, line):
    healthy_answer(mintd, get(line))


# ---- Content-Length ----


def with_lengths(*values):
    lines = b"".join(b"Content-Length: " + value + b"\r\n" for value in values)
    head = b"POST /token HTTP/1.1\r\n" + HOST + b"%s: %s\r\n" % (b"Authorization", BA[1].encode())
    return head + b"Content-Type: application/x-www-form-urlencoded\r\n" + lines + b"\r\n"


@pytest.mark.parametrize("value", rows(
    ("H-15-2-to-the-64", b"18446744073709551617"),
    ("H-15-2-to-the-64-exactly", b"18446744073709551616"),
    ("H-15-2-to-the-32", b"4294967325"),
    ("H-15-40-digits", b"9" * 40),
    ("H-15-wraps-to-29", b"18446744073709551645"),
))
def test_content_length_never_wraps(mintd, value):
    refused(mintd, with_lengths(value) + G, 400, 413)


@pytest.mark.parametrize("values", rows(
    ("H-16-plus", [b"+5"]),
    ("H-16-minus", [b"-1"]),
    ("H-16-hexadecimal", [b"0x5"]),
    ("H-16-two-numbers", [b"5 5"]),
    ("H-16-list-different", [b"5,6"]),
    ("H-16-underscore", [b"1_0"]),
    ("H-16-empty", [b""]),
    ("H-16-nul", [b"5\x00"]),
    ("H-16-letter", [b"5a"]),
    ("H-16-fraction", [b"5.0"]),
    ("H-16-two-lines-different", [b"0", b"31"]),
    ("H-16-two-lines-different-swapped", [b"31", b"0"]),
    ("H-17-list-equal", [b"5, 5"]),
    ("H-17-two-lines-equal", [b"5", b"5"]),
))
def test_invalid_content_length(mintd, values):
    refused(mintd, with_lengths(*values) + b"hello", 400)


@pytest.mark.parametrize("value", rows(("H-17-leading-zero", b"029"), ("H-17-zeros", b"00000029")))
def test_leading_zeros_of_content_length(mintd, value):
    is_token(mintd.exchange(with_lengths(value) + G))


# ---- Transfer-Encoding ----

SECRET_BEHIND = b"0\r\n\r\nGET /secret HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("fields", rows(
    ("H-18-length-first", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]),
    ("H-18-coding-first", [("Transfer-Encoding", "chunked"), ("Content-Length", "5")]),
    ("H-18-length-apart", [("Content-Length", "5"), ("X", "y"), ("Transfer-Encoding", "chunked")]),
    ("H-18-other-coding", [("Content-Length", "5"), ("Transfer-Encoding", "identity")]),
))
def test_length_and_coding(mintd, fields):
    refused(mintd, request_bytes("POST", "/token", [BA, FORM, *fields], SECRET_BEHIND), 400, 501)


@row("H-18")
def test_length_and_coding_never_501(mintd):
    """With `chunked` itself it is 400."""
    fields = [BA, FORM, ("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
    refused(mintd, request_bytes("POST", "/token", fields, SECRET_BEHIND), 400)


BODY = chunk(G) + b"0\r\n\r\n"


@pytest.mark.parametrize("raw", rows(
    ("H-19-one-chunk", chunked_request(BODY)),
    ("H-19-chunk-a-byte", chunked_request(b"".join(chunk(bytes([b])) for b in G) + b"0\r\n\r\n")),
    ("H-19-upper-case-hex", chunked_request(b"1D\r\n" + G + b"\r\n0\r\n\r\n")),
    ("H-19-leading-zeros", chunked_request(b"0001d\r\n" + G + b"\r\n000\r\n\r\n")),
    ("H-19-extension", chunked_request(b"1d;ext=1\r\n" + G + b"\r\n0;last\r\n\r\n")),
    ("H-19-quoted-extension", chunked_request(b'1d;ext="a b"\r\n' + G + b"\r\n0\r\n\r\n")),
    ("H-19-three-trailers",
     chunked_request(chunk(G) + b"0\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n\r\n")),
    ("H-19-coding-in-capitals", chunked_request(BODY).replace(b": chunked", b": CHUNKED")),
))
def test_chunked_body(mintd, raw):
    is_token(mintd.exchange(raw))


@row("H-19")
def test_chunked_body_chunk_by_chunk(mintd):
    """Each chunk in a segment of its own."""
    head, _, _ = chunked_request(BODY).partition(b"\r\n\r\n")
    pieces = [head + b"\r\n\r\n", *(chunk(G[at : at + 7]) for at in range(0, len(G), 7)), b"0\r\n\r\n"]
    with mintd.connect() as connection, mintd.connect() as control:
        for piece in pieces:
            connection.send(piece)
            control.expect_in_step()
        is_token(connection.read_response())
        connection.expect_in_step()


@pytest.mark.parametrize("codings", rows(
    ("H-20-gzip-chunked", [b"gzip, chunked"]),
    ("H-20-chunked-gzip", [b"chunked, gzip"]),
    ("H-20-identity", [b"identity"]),
    ("H-20-xchunked", [b"xchunked"]),
    ("H-20-chunkedx", [b"chunkedx"]),
    ("H-20-chunked-twice", [b"chunked, chunked"]),
    ("H-20-two-lines", [b"chunked", b"chunked"]),
    ("H-20-two-lines-different", [b"gzip", b"chunked"]),
    ("H-20-two-lines-empty-first", [b"", b"chunked"]),
    ("H-20-vertical-tab", [b"\x0bchunked"]),
    ("H-20-empty-member", [b",chunked"]),
    ("H-20-empty", [b""]),
    ("H-20-quoted", [b'"chunked"']),
    ("H-20-parameter", [b"chunked;a=b"]),
))
def test_coding_other_than_chunked(mintd, codings):
    fields = [BA, FORM, *((b"Transfer-Encoding", coding) for coding in codings)]
    refused(mintd, request_bytes("POST", "/token", fields, BODY), 400, 501)


@row("H-21")
def test_coding_in_http_1_0(mintd):
    refused(mintd, chunked_request(BODY, version="HTTP/1.0"), 400)
    refused(mintd, chunked_request(BODY, [("Connection", "keep-alive")], version="HTTP/1.0"), 400)


@pytest.mark.parametrize("data, statuses", rows(
    ("H-22-0x", b"0x5\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-minus", b"-1\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-underscore", b"5_\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-17-digits", b"1" * 17 + b"\r\nhello\r\n0\r\n\r\n", (400, 413)),
    ("H-22-wraps-to-29", b"1000000000000001d\r\n" + G + b"\r\n0\r\n\r\n", (400, 413)),
    ("H-22-cr-cr", b"5\r\r;a\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-cr-x", b"5\rX\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-lf-only", b"5\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-lf-only-behind-extension", b"5;a\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-no-crlf-behind-data", b"5\r\nhelloX0\r\n\r\n", (400,)),
    ("H-22-lf-behind-data", b"5\r\nhello\n0\r\n\r\n", (400,)),
    ("H-22-empty-size", b"\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-space-before-size", b" 5\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-not-hex", b"g\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-nul-in-extension", b"5;a=\x00\r\nhello\r\n0\r\n\r\n", (400,)),
    ("H-22-extension-of-64-KiB", b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n", (413, 400)),
    ("H-22-extensions-without-end", b"1;aaaaaaaaaaaaaaaa\r\nx\r\n" * 8000, (413, 400)),
    ("H-22-lf-ends-trailers", b"5\r\nhello\r\n0\r\nX: a\n\r\n", (400,)),
    ("H-22-folded-trailer", b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n", (400,)),
    ("H-22-length-in-trailers", b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", (400,)),
    ("H-22-trailers-of-64-KiB", b"5\r\nhello\r\n0\r\nX: " + b"a" * 65536 + b"\r\n\r\n",
     (400, 413, 431)),
    ("H-22-trailers-without-number", b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * 400 + b"\r\n",
     (400, 413, 431)),
))
def test_bad_chunk(mintd, data, statuses):
    refused(mintd, chunked_request(data), *statuses)


@row("H-23")
def test_trailers_are_not_fields(mintd):
    """Credentials in a trailer authenticate nobody."""
    raw = request_bytes("POST", "/token", [FORM, ("Transfer-Encoding", "chunked")],
                        chunk(G) + b"0\r\nAuthorization: " + BA[1].encode() + b"\r\n\r\n")
    response = mintd.exchange(raw)
    assert response.status == 401 and response.error == "invalid_client", response
    assert response.get("WWW-Authenticate").startswith("Basic "), response
