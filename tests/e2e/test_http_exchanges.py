"""How requests and responses follow each other, and what stands in every response (CONFORMANCE 1.9)."""
import re
import time

import pytest

from support.clients import BA, CODECADEMY, G, RS_1, SVC_A, SVC_B, bearer, token_of
from support.expect import (HEALTH, chunk, is_token, one_response_or_close, refused, row, token_request)
from support.http import FORM, curl, form_request, request_bytes
from support.timing import scaled

EXPECT = ("Expect", "100-continue")


def head_only(raw):
    head, _, _ = raw.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n"


# ---- Expect ----


@pytest.mark.parametrize("value", [
    pytest.param("100-continue", id="H-34-continue"), pytest.param("100-Continue", id="H-34-capitals")])
def test_expect_continue(mintd, value):
    with mintd.connect() as connection:
        connection.send(head_only(token_request([("Expect", value)])))
        start = time.monotonic()
        connection.wait_for_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert time.monotonic() - start <= scaled(0.1)
        connection.send(G)
        response = connection.read_response()
        is_token(response)
        assert response.informational == [100], response
        connection.expect_in_step()


@row("H-34")
def test_expect_continue_chunked(mintd):
    fields = [BA, FORM, ("Transfer-Encoding", "chunked"), EXPECT]
    with mintd.connect() as connection:
        connection.send(request_bytes("POST", "/token", fields, b""))
        connection.wait_for_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(chunk(G) + b"0\r\n\r\n")
        is_token(connection.read_response())
        connection.expect_in_step()


@row("H-34")
def test_expect_continue_with_the_body_at_once(mintd):
    """100 may be left out; the answer is the same."""
    is_token(mintd.exchange(token_request([EXPECT])))


@row("H-34")
def test_expect_continue_without_a_body(mintd):
    """Nothing to go on with, so no 100 (RFC 9110 section 10.1.1)."""
    response = mintd.request("GET", "/healthz", [EXPECT])
    assert response.status == 200 and not response.informational, response


@row("H-34")
def test_expect_continue_pipelined(mintd):
    """100 comes behind the answers before it."""
    with mintd.connect() as connection:
        connection.send(HEALTH + head_only(token_request([EXPECT])))
        first = connection.read_response()
        assert first.status == 200 and not first.informational, first
        connection.wait_for_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(G + HEALTH)
        is_token(connection.read_response())
        assert connection.read_response().status == 200


@row("H-34")
def test_curl_waits_for_100(mintd):
    """As curl does it; it would wait 1 s without a 100."""
    status, output, error = curl("-H", "Expect: 100-continue", "-H", ": ".join(BA), "-d", G.decode(),
                                 "--expect100-timeout", "30", mintd.url + "/token")
    assert status == 0 and b"access_token" in output, error


@pytest.mark.parametrize("raw, status", [
    pytest.param(request_bytes("POST", "/nope", [EXPECT, FORM, ("Content-Length", "29")]), 404,
                 id="H-35-404"),
    pytest.param(token_request([EXPECT, ("Content-Length", "1048577")], body=None), 413, id="H-35-413"),
    pytest.param(request_bytes("POST", "/token", [BA, EXPECT, ("Content-Type", "application/json"),
                                                  ("Content-Length", "35")]), 400, id="H-35-json"),
    pytest.param(request_bytes("POST", "/secret", [EXPECT, FORM, ("Content-Length", "29")]), 405,
                 id="H-35-405"),
])
def test_final_status_instead_of_100(mintd, raw, status):
    response = refused(mintd, raw, status, tail=b"")
    assert not response.informational, response


@pytest.mark.parametrize("keep", [
    pytest.param([], id="H-36-close"), pytest.param([("Connection", "keep-alive")], id="H-36-keep")])
def test_expect_in_http_1_0(mintd, keep):
    with mintd.connect() as connection, mintd.connect() as control:
        connection.send(head_only(token_request([EXPECT, *keep], version="HTTP/1.0")))
        for _ in range(3):
            control.expect_in_step()
        assert connection.has_nothing()
        connection.send(G)
        response = connection.read_response()
        is_token(response)
        assert not response.informational, response
        if keep:
            connection.expect_in_step()
        else:
            connection.expect_close()


@pytest.mark.parametrize("raw", [
    pytest.param(token_request([("Expect", "x")]), id="H-37-token"),
    pytest.param(request_bytes("GET", "/healthz", [("Expect", "x")]), id="H-37-healthz"),
    pytest.param(token_request([("Expect", "100-continue, x")]), id="H-37-list"),
])
def test_unknown_expectation(mintd, raw):
    refused(mintd, raw, 417)


# ---- order ----


@row("H-38")
def test_pipelined_answers_keep_their_order(mintd):
    count = 100
    raw = b"".join(
        request_bytes("GET", "/nope" if n % 2 else "/healthz", [("X-Request-Id", "n-%d" % n)])
        for n in range(count))
    with mintd.connect() as connection:
        connection.send(raw)
        for n in range(count):
            response = connection.read_response()
            assert response.status == (404 if n % 2 else 200), (n, response)
            assert response.get("X-Request-Id") == "n-%d" % n, (n, response)
        connection.expect_in_step()


@row("H-38")
def test_pipelined_tokens_belong_to_their_clients(mintd):
    """Three clients in one segment, the slowest to authenticate first."""
    clients = [SVC_B, SVC_A, CODECADEMY]
    raw = b"".join(form_request("/token", G, [client.basic()]) for client in clients)
    with mintd.connect() as connection:
        connection.send(raw)
        tokens = [is_token(connection.read_response()) for _ in clients]
        connection.expect_in_step()
    for client, token in zip(clients, tokens):
        body = [("token", token)]
        document = mintd.exchange(form_request("/introspect", body, [RS_1.basic()])).json()
        assert document["active"] is True and document["client_id"] == client.id, document


@row("H-38")
def test_many_pipelined_mixed_requests(mintd):
    """300 requests that need Redis and that do not, in one go."""
    token = token_of(mintd)
    kinds = [(token_request(), 200), (request_bytes("GET", "/secret", [bearer(token)]), 200),
             (request_bytes("GET", "/secret"), 401), (HEALTH, 200), (request_bytes("GET", "/nope"), 404)]
    with mintd.connect() as connection:
        connection.send(b"".join(raw for raw, _ in kinds) * 60)
        for n in range(300):
            response = connection.read_response()
            assert response.status == kinds[n % len(kinds)][1], (n, response)
        connection.expect_in_step()


@pytest.mark.parametrize("value", [
    pytest.param("close", id="H-39-close"), pytest.param("Close", id="H-39-capitals"),
    pytest.param("keep-alive, close", id="H-39-list"), pytest.param("x-y,close", id="H-39-member")])
def test_nothing_behind_connection_close(mintd, redis, value):
    before = redis.tokens()
    with mintd.connect() as connection:
        connection.send(token_request([("Connection", value)]) + token_request())
        response = connection.read_response()
        is_token(response)
        assert response.says_close, response
        connection.expect_close()
    assert len(redis.tokens() - before) == 1


# ---- bodies ----


@pytest.mark.parametrize("method, path", [
    pytest.param("POST", "/nope", id="H-40-404"),
    pytest.param("PUT", "/secret", id="H-40-405"),
    pytest.param("POST", "/revoke", id="H-40-400"),
    pytest.param("POST", "/verify", id="H-40-verify"),
    pytest.param("GET", "/secret", id="H-40-get"),
])
def test_unread_body_is_no_request(mintd, method, path):
    body = request_bytes("GET", "/healthz", [("X-Request-Id", "smuggled"), ("X", "y" * 30)])
    with mintd.connect() as connection:
        connection.send(request_bytes(method, path, body=body))
        response = connection.read_response()
        assert response.status in (400, 401, 404, 405), response
        if response.says_close:
            connection.expect_close()
        else:
            connection.expect_in_step()


@pytest.mark.parametrize("raw", [
    pytest.param(token_request([("Content-Length", "29")], body=None) + G[:20], id="H-41-20-of-29"),
    pytest.param(token_request([("Content-Length", "29")], body=None), id="H-41-none-of-29"),
    pytest.param(head_only(token_request())[:-2], id="H-41-head"),
    pytest.param(request_bytes("POST", "/token", [BA, FORM, ("Transfer-Encoding", "chunked")],
                               chunk(G)), id="H-41-no-last-chunk"),
    pytest.param(request_bytes("POST", "/token", [BA, FORM, ("Transfer-Encoding", "chunked")],
                               chunk(G) + b"0\r\n"), id="H-41-no-end-of-trailers"),
])
def test_incomplete_request(mintd, redis, raw):
    before = redis.tokens()
    with mintd.connect() as connection:
        connection.send(raw)
        connection.end()
        response = one_response_or_close(connection)
        if response:
            assert response.status == 400, response
            connection.expect_close()
    assert not redis.tokens() - before


@pytest.mark.parametrize("raw, status", [
    pytest.param(token_request(), 200, id="H-48-token"),
    pytest.param(HEALTH, 200, id="H-48-healthz"),
    pytest.param(request_bytes("GET", "/secret"), 401, id="H-48-secret"),
    pytest.param(form_request("/token", G, [SVC_B.basic()]), 200, id="H-48-slow-hash"),
])
def test_half_closed_client_is_answered(mintd, raw, status):
    with mintd.connect() as connection:
        connection.send(raw)
        connection.end()
        assert connection.read_response().status == status
        connection.expect_close()


@row("H-48")
def test_half_closed_client_with_pipeline(mintd):
    """All that was asked is answered."""
    with mintd.connect() as connection:
        connection.send((HEALTH + token_request()) * 20)
        connection.end()
        for _ in range(20):
            assert connection.read_response().status == 200
            is_token(connection.read_response())
        connection.expect_close()


# ---- what stands in every response ----


@pytest.mark.parametrize("raw, status", [
    pytest.param(HEALTH, 200, id="H-42-200"),
    pytest.param(request_bytes("OPTIONS", "*"), 204, id="H-42-204"),
    pytest.param(request_bytes("GET", "/healthz", host=None), 400, id="H-42-400"),
    pytest.param(request_bytes("GET", "/secret"), 401, id="H-42-401"),
    pytest.param(request_bytes("GET", "/nope"), 404, id="H-42-404"),
    pytest.param(request_bytes("PUT", "/secret"), 405, id="H-42-405"),
    pytest.param(request_bytes("GET", "/" + "a" * 9000), 414, id="H-42-414"),
    pytest.param(request_bytes("GET", "/", [("X", "a" * 20000)]), 431, id="H-42-431"),
])
def test_date(mintd, raw, status):
    """read_response() has looked at it; here it also stays true as time goes on."""
    for _ in range(2):
        response = mintd.exchange(raw)
        assert response.status == status and response.all("Date"), response


@row("H-42")
def test_date_follows_the_clock(mintd):
    """Within a second and a bit, on a quiet connection."""
    with mintd.connect() as connection:
        first, deadline = None, time.monotonic() + scaled(2.5)
        while time.monotonic() < deadline:
            connection.send(HEALTH)
            date = connection.read_response().get("Date")
            if first is not None and date != first:
                return
            first = date
            time.sleep(0.05)
    raise AssertionError("Date stands still at " + first)


@row("H-43")
def test_content_length_and_type(mintd):
    """None on 204 and 100; both on content."""
    assert mintd.request("OPTIONS", "/token").all("Content-Length") == []
    response = mintd.request("GET", "/nope")
    assert int(response.get("Content-Length")) == len(response.body) > 0
    assert response.get("Content-Type").split(";")[0] == "application/json"


@pytest.mark.parametrize("raw, scheme", [
    pytest.param(request_bytes("GET", "/secret"), "Bearer", id="H-44-secret"),
    pytest.param(request_bytes("GET", "/verify"), "Bearer", id="H-44-verify"),
    pytest.param(request_bytes("GET", "/secret", [bearer("nope")]), "Bearer", id="H-44-bad-token"),
    pytest.param(form_request("/token", G), "Basic", id="H-44-token"),
    pytest.param(form_request("/auth", G), "Basic", id="H-44-auth"),
    pytest.param(form_request("/introspect", b"token=x"), "Basic", id="H-44-introspect"),
    pytest.param(form_request("/revoke", b"token=x"), "Basic", id="H-44-revoke"),
])
def test_401_has_a_challenge(mintd, raw, scheme):
    response = mintd.exchange(raw)
    assert response.status == 401, response
    assert [v.split(" ")[0] for v in response.all("WWW-Authenticate")] == [scheme], response


@row("H-45")
def test_no_version_is_told(mintd):
    """In no header of any kind of answer."""
    for raw in (HEALTH, request_bytes("GET", "/nope"), b"x\r\n\r\n", request_bytes("GET", "/secret")):
        response = mintd.exchange(raw)
        for name, value in response.fields:
            assert not re.search(r"(?i)mintd/|libuv|llhttp|openssl", value), (name, value)
        assert not response.all("X-Powered-By"), response


INJECTION = "%0d%0aX-Injected:1"


@pytest.mark.parametrize("raw", [
    pytest.param(request_bytes("GET", "/healthz" + INJECTION), id="H-46-path"),
    pytest.param(request_bytes("GET", "/healthz?a=" + INJECTION), id="H-46-query"),
    pytest.param(request_bytes("GET", "/verify?scope=" + INJECTION), id="H-46-verify-scope"),
    pytest.param(form_request("/token", b"grant_type=" + INJECTION.encode(), [BA]), id="H-46-parameter"),
    pytest.param(form_request("/token", G + b"&scope=" + INJECTION.encode(), [BA]), id="H-46-scope"),
    pytest.param(form_request("/token", G + b"&client_id=a" + INJECTION.encode() + b"&client_secret=b"),
                 id="H-46-client-id"),
    pytest.param(request_bytes("GET", "/healthz", [("X-Request-Id", "a" + INJECTION)]),
                 id="H-46-request-id"),
    pytest.param(request_bytes("GET", "/healthz", host="h%0d%0aX-Injected"), id="H-46-host"),
])
def test_no_response_splitting(mintd, raw):
    response = mintd.exchange(raw)
    assert not response.all("X-Injected"), response
    assert not any("injected" in value.lower() for _, value in response.fields), response


@pytest.mark.parametrize("sent", [
    pytest.param("abc.DEF_123-x", id="H-46-id-kept"), pytest.param("a", id="H-46-id-short"),
    pytest.param("a" * 64, id="H-46-id-longest")])
def test_sane_request_id_is_echoed(mintd, sent):
    assert mintd.request("GET", "/nope", [("X-Request-Id", sent)]).get("X-Request-Id") == sent


@pytest.mark.parametrize("sent", [
    pytest.param("a b", id="H-46-id-space"), pytest.param("a" * 65, id="H-46-id-too-long"),
    pytest.param("", id="H-46-id-empty"), pytest.param("a;b", id="H-46-id-semicolon"),
    pytest.param(b"\xc3\xa9", id="H-46-id-utf-8"), pytest.param('a"b', id="H-46-id-quote"),
    pytest.param("a\tb", id="H-46-id-tab"), pytest.param("a/b", id="H-46-id-slash"),
    pytest.param("mtd_" + "a" * 49, id="H-46-id-token"),
    pytest.param("a-mts_" + "b" * 49, id="H-46-id-secret")])
def test_other_request_id_is_replaced(mintd, sent):
    """read_response() has looked at its form."""
    first = mintd.request("GET", "/nope", [("X-Request-Id", sent)]).get("X-Request-Id")
    second = mintd.request("GET", "/nope", [("X-Request-Id", sent)]).get("X-Request-Id")
    plain = sent.decode("latin-1") if isinstance(sent, bytes) else sent
    assert plain not in (first, second) and first != second


@row("H-46")
def test_request_id_with_line_end(mintd):
    """CR LF behind it is the end of the field, bare CR no field at all."""
    raw = b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Request-Id: a\r\n\r\n"
    assert mintd.exchange(raw).get("X-Request-Id") == "a"
    refused(mintd, raw.replace(b"a\r\n\r\n", b"a\rX-Injected: 1\r\n\r\n"), 400)


@row("H-46")
def test_own_request_ids_differ(mintd):
    """A request without an id gets one of its own."""
    with mintd.connect() as connection:
        connection.send(HEALTH * 50)
        seen = {connection.read_response().get("X-Request-Id") for _ in range(50)}
    assert len(seen) == 50
