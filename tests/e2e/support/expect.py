"""Expectations that many HTTP tests share."""
import pytest

from .clients import BA, G
from .http import Closed, Connection, form_request, request_bytes

HEALTH = request_bytes("GET", "/healthz")
# What follows a refused request on its connection, and must never be taken for a request.
SMUGGLED = request_bytes("GET", "/healthz", [("X-Request-Id", "smuggled")])


def row(*ids):
    """Puts the row of CONFORMANCE that a test serves into its id: test_x[H-05]."""
    return pytest.mark.parametrize((), [pytest.param(id=one) for one in ids])


def refused(mintd, raw, *statuses, tail=SMUGGLED):
    """The request gets one response with one of these statuses that says close; FIN follows within
    a second, and what stands behind the request is not answered. Returns the response."""
    with Connection(mintd.address) as connection:
        connection.send(raw + tail)
        response = connection.read_response()
        assert response.status in statuses, response
        assert response.says_close, response
        connection.expect_close(within=1)
    return response


def healthy_answer(mintd, raw):
    """The request, whatever its dress, is GET /healthz and gets its 200; the next one its own."""
    response = mintd.exchange(raw)
    assert response.status == 200, response
    return response


def is_token(response):
    """TOK: a token was given, in the form of RFC 6749 section 5.1."""
    assert response.status == 200, response
    assert response.get("Content-Type").replace(" ", "").lower() in (
        "application/json", "application/json;charset=utf-8"), response
    assert not response.get("Content-Type").startswith("application/json "), response
    assert response.get("Cache-Control") == "no-store", response
    assert response.get("Pragma") == "no-cache", response
    document = response.json()
    assert document["token_type"] == "Bearer", document
    assert isinstance(document["access_token"], str) and document["access_token"], document
    assert type(document["expires_in"]) is int and document["expires_in"] > 0, document
    assert isinstance(document.get("scope", ""), str) and "refresh_token" not in document, document
    return document["access_token"]


def token_request(fields=(), body=G, **more):
    """T-01 with more fields: a request that gets a token."""
    return form_request("/token", body, [BA, *fields], **more)


def chunked_request(data, fields=(), **more):
    """T-01 with its body as these raw chunked bytes."""
    return request_bytes("POST", "/token",
                         [BA, ("Content-Type", "application/x-www-form-urlencoded"), *fields,
                          ("Transfer-Encoding", "chunked")], data, **more)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def one_response_or_close(connection, head=False):
    """The response, or None where the peer just closed; a part of a response is an error."""
    try:
        return connection.read_response(head)
    except Closed as end:
        assert not end.got, end
        return None
