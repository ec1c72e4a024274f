"""Methods, targets, representations: what is asked of which path (CONFORMANCE 1.9)."""
import pytest

from support.clients import bearer, token_of
from support.expect import HEALTH, healthy_answer, is_token, refused, row, token_request
from support.http import curl, form_request, request_bytes

AS_METADATA = "/.well-known/oauth-authorization-server"
RESOURCE_METADATA = "/.well-known/oauth-protected-resource/secret"
READ = ("/secret", AS_METADATA, RESOURCE_METADATA, "/healthz", "/readyz", "/metrics")
WRITE = ("/auth", "/token", "/introspect", "/revoke")
ALLOW = {**{path: "GET, HEAD, OPTIONS" for path in READ}, **{path: "POST, OPTIONS" for path in WRITE}}


def case(row, method, path):
    return pytest.param(method, path, id="%s-%s-%s" % (row, method, path.strip("/").replace("/", "-")))


# ---- targets ----


@pytest.mark.parametrize("target", [
    pytest.param("http://other/healthz", id="H-06-absolute-form"),
    pytest.param("http://other:8080/healthz?a=b", id="H-06-port-and-query"),
    pytest.param("HTTP://OTHER/healthz", id="H-06-capitals"),
    pytest.param("https://other/healthz", id="H-06-https"),
])
def test_absolute_form(mintd, target):
    healthy_answer(mintd, request_bytes("GET", target))


@row("H-06")
def test_absolute_form_without_path(mintd):
    """Its path is "/", which is nobody's."""
    assert mintd.request("GET", "http://other").status == 404


@pytest.mark.parametrize("raw, statuses", [
    pytest.param(request_bytes("GET", "*"), (400,), id="H-07-get-asterisk"),
    pytest.param(request_bytes("POST", "*", body=b"x"), (400,), id="H-07-post-asterisk"),
    pytest.param(request_bytes("GET", "h:80", host="h:80"), (400,), id="H-07-get-authority"),
    pytest.param(request_bytes("GET", "healthz"), (400,), id="H-07-no-slash"),
    pytest.param(request_bytes("CONNECT", "h:80", host="h:80"), (501, 405), id="H-07-connect"),
    pytest.param(request_bytes("CONNECT", "127.0.0.1:6379"), (501, 405), id="H-07-connect-redis"),
])
def test_other_forms_of_target(mintd, raw, statuses):
    refused(mintd, raw, *statuses)


@pytest.mark.parametrize("target", [
    pytest.param("/nope", id="H-56-nope"),
    pytest.param("/", id="H-56-root"),
    pytest.param("/../etc/passwd", id="H-56-dot-dot"),
    pytest.param("/%2e%2e/", id="H-56-encoded-dot-dot"),
    pytest.param("/healthz/", id="H-56-trailing-slash"),
    pytest.param("//healthz", id="H-56-double-slash"),
    pytest.param("/HEALTHZ", id="H-56-capitals"),
    pytest.param("/healthz/../healthz", id="H-56-dot-segments"),
    pytest.param("/verifyx", id="H-56-verifyx"),
    pytest.param("/.well-known/oauth-authorization-server/", id="H-56-metadata-slash"),
    pytest.param("/.well-known/nope", id="H-56-well-known"),
])
def test_unknown_path(mintd, target):
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        body = b"a=b" if method == "POST" else None
        response = mintd.request(method, target, body=body)
        assert response.status == 404, (method, response)
        if method != "HEAD":
            assert response.get("Content-Type").split(";")[0] == "application/json", response
            assert response.error, response
    canary = mintd.request("GET", target + "?canary-7f3a=canary-7f3a")
    assert canary.status == 404 and b"canary" not in canary.body, canary
    assert len(target) < 3 or target.encode() not in canary.body, canary


# ---- methods ----


@row("H-08")
def test_options_asterisk(mintd):
    response = mintd.request("OPTIONS", "*")
    assert response.status == 204 and response.body == b"", response
    assert response.get("Allow") == "GET, HEAD, POST, OPTIONS", response


@pytest.mark.parametrize("method, path", [case("H-08", "OPTIONS", path) for path in ALLOW])
def test_options_of_a_path(mintd, method, path):
    response = mintd.request(method, path)
    assert response.status == 204 and response.all("Content-Length") == [], response
    assert response.get("Allow") == ALLOW[path], response


@pytest.mark.parametrize("method, path", [
    *(case("H-09", method, path) for path in ALLOW for method in ("PUT", "DELETE", "PATCH", "TRACE")),
    *(case("H-09", "POST", path) for path in READ),
    *(case("H-09", method, path) for path in WRITE for method in ("GET", "HEAD")),
    case("H-09", "PROPFIND", "/secret"),
])
def test_method_not_allowed(mintd, method, path):
    canary = "canary-91c2"
    response = mintd.request(method, path, [("X-Canary", canary)])
    assert response.status == 405, response
    assert response.get("Allow") == ALLOW[path], response
    assert canary.encode() not in response.body, response
    if method != "HEAD":
        assert response.error, response


@row("H-09")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "POST"])
def test_method_not_allowed_with_body(mintd, method):
    """A body does not change it, nor does it become a request."""
    with mintd.connect() as connection:
        connection.send(request_bytes(method, "/secret", body=HEALTH))
        response = connection.read_response()
        assert response.status in ((405, 400) if method == "TRACE" else (405,)), response
        if response.says_close:
            connection.expect_close()
        else:
            connection.expect_in_step()


@pytest.mark.parametrize("line", [
    pytest.param(b"FOO /token", id="H-10-unknown"),
    pytest.param(b"A" * 64 + b" /token", id="H-10-long"),
    pytest.param(b"get /healthz", id="H-10-lower-case"),
    pytest.param(b"GETX /healthz", id="H-10-longer-than-known"),
    pytest.param(b"GE /healthz", id="H-10-shorter-than-known"),
])
def test_unknown_method(mintd, line):
    refused(mintd, line + b" HTTP/1.1\r\nHost: h\r\n\r\n", 501, 400)


@pytest.mark.parametrize("method, path", [
    case("H-11", "HEAD", path) for path in ("/healthz", "/readyz", "/metrics", AS_METADATA,
                                            RESOURCE_METADATA, "/secret", "/nope")])
def test_head(mintd, method, path):
    with mintd.connect() as connection:
        connection.send(request_bytes("GET", path) + request_bytes(method, path) + HEALTH)
        full = connection.read_response()
        empty = connection.read_response(head=True)
        assert connection.read_response().status == 200
        connection.expect_in_step()
    assert empty.status == full.status, (full, empty)
    assert empty.get("Content-Type") == full.get("Content-Type"), (full, empty)
    assert empty.all("WWW-Authenticate") == full.all("WWW-Authenticate"), (full, empty)
    if path != "/metrics":  # its length may change with every look
        assert empty.get("Content-Length") in (None, full.get("Content-Length")), (full, empty)


# ---- what is ignored, what is not ----


@pytest.mark.parametrize("fields", [
    pytest.param([("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                  ("HTTP2-Settings", "AAMAAABkAAQAAP__")], id="H-51-h2c"),
    pytest.param([("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                  ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")], id="H-51-websocket"),
    pytest.param([("Upgrade", "h2c")], id="H-51-without-connection"),
    pytest.param([("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")], id="H-51-tls"),
])
def test_upgrade_is_ignored(mintd, fields):
    healthy_answer(mintd, request_bytes("GET", "/healthz", fields))
    is_token(mintd.exchange(token_request(fields)))


@row("H-51")
def test_curl_http2_upgrade(mintd):
    """As curl --http2 asks for it."""
    status, output, error = curl("--http2", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                                 mintd.url + "/healthz")
    assert (status, output) == (0, b"200 1.1"), error


@pytest.mark.parametrize("coding", [
    pytest.param("gzip", id="H-52-gzip"), pytest.param("deflate, br", id="H-52-list"),
    pytest.param("x", id="H-52-unknown")])
def test_content_encoding(mintd, coding):
    with mintd.connect() as connection:
        connection.send(token_request([("Content-Encoding", coding)]))
        response = connection.read_response()
        assert response.status == 415, response
        assert response.get("Accept-Encoding") == "identity", response
        assert response.error == "invalid_request", response
        if response.says_close:
            connection.expect_close()
        else:
            connection.expect_in_step()


@pytest.mark.parametrize("fields", [
    pytest.param([("Accept", "text/xml")], id="H-53-accept"),
    pytest.param([("Range", "bytes=0-0")], id="H-53-range"),
    pytest.param([("If-None-Match", "*")], id="H-53-if-none-match"),
    pytest.param([("If-Match", '"x"'), ("If-Modified-Since", "Sat, 29 Oct 2044 19:43:31 GMT"),
                  ("If-Unmodified-Since", "Sat, 29 Oct 1994 19:43:31 GMT")], id="H-53-conditions"),
    pytest.param([("Accept-Encoding", "gzip, br"), ("Accept-Charset", "x"), ("Accept-Language", "x"),
                  ("TE", "trailers, deflate")], id="H-53-codings"),
])
def test_negotiation_is_ignored(mintd, fields):
    plain = mintd.request("GET", "/healthz")
    response = mintd.request("GET", "/healthz", fields)
    assert (response.status, response.body) == (200, plain.body), response
    assert not response.all("Content-Encoding") and not response.all("Content-Range"), response
    is_token(mintd.exchange(token_request(fields)))
    metadata = mintd.request("GET", AS_METADATA, fields)
    assert metadata.status == 200 and metadata.get("Content-Type").startswith("application/json")


@pytest.mark.parametrize("path", [
    pytest.param("/healthz", id="H-54-healthz"), pytest.param("/secret", id="H-54-secret"),
    pytest.param("/secret-with-token", id="H-54-secret-with-token"),
    pytest.param("/metrics", id="H-54-metrics")])
@pytest.mark.parametrize("framing", [
    pytest.param(lambda: ([], b"hello"), id="length"),
    pytest.param(lambda: ([("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n0\r\n\r\n"), id="chunked"),
    pytest.param(lambda: ([], HEALTH), id="a-request-as-body"),
])
def test_get_with_body(mintd, path, framing):
    fields, body = framing()
    if path == "/secret-with-token":
        path, fields = "/secret", [bearer(token_of(mintd)), *fields]
    expected = mintd.request("GET", path, [f for f in fields if f[0] == "Authorization"]).status
    with mintd.connect() as connection:
        second = request_bytes("GET", "/healthz", [("X-Request-Id", "second")])
        connection.send(request_bytes("GET", path, fields, body) + second)
        response = connection.read_response()
        if response.status == 400:
            assert response.says_close, response
            return connection.expect_close()
        assert response.status == expected and not response.says_close, response
        response = connection.read_response()
        assert response.status == 200 and response.get("X-Request-Id") == "second", response
        connection.expect_in_step()
    return None


@row("H-56")
def test_form_is_not_needed_for_404(mintd):
    """POST with a form to an unknown path."""
    response = mintd.exchange(form_request("/nope", b"a=b"))
    assert response.status == 404 and response.error, response
