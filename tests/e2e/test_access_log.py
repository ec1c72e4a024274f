"""The access log, and the trace that a request belongs to."""
import json
import signal

import pytest

from support.clients import BA, G, bearer
from support.expect import row
from support.http import request_bytes
from support.oauth import jti, minted, post, rows, unique

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = ("traceparent", "00-%s-%s-01" % (TRACE, SPAN))


@pytest.fixture
def telling(start_mintd, redis):
    instance = start_mintd("--access-log", redis=redis)
    instance.wait_for_store()
    return instance


def told(instance, method, target, fields=(), body=None):
    """The answer to a request, and the line that the access log has of it."""
    name = unique("access")
    response = instance.exchange(request_bytes(method, target, [*fields, ("X-Request-Id", name)], body),
                                 head=method == "HEAD")
    line = instance.wait_for_log("request", request_id=name)
    assert instance.find_log("request", request_id=name) == [line]
    return response, line


# ---- traces ----


@row("TRACE")
def test_the_ids_of_a_trace_are_in_each_line_of_its_request(telling):
    mark = telling.mark()
    token, _ = minted(telling, "/token", G, BA, TRACEPARENT)
    line = telling.wait_for_log("token minted", since=mark, jti=jti(token))
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN), line
    post(telling, "/revoke", b"token=" + token.encode(), BA, TRACEPARENT)
    line = telling.wait_for_log("token revoked", since=mark, jti=jti(token))
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN), line
    telling.request("GET", "/secret", [bearer(token), TRACEPARENT])
    line = telling.wait_for_log("refused", since=mark)
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN), line
    telling.wait_for_log("request", since=mark, count=3, trace_id=TRACE, span_id=SPAN)


@rows("TRACE", none=[], upper=[("traceparent", TRACEPARENT[1].upper())],
      twice=[TRACEPARENT, ("traceparent", "00-%s-%s-00" % (TRACE[::-1], SPAN))],
      later_version=[("traceparent", "01" + TRACEPARENT[1][2:])],
      zeros=[("traceparent", "00-%s-%s-01" % ("0" * 32, SPAN))],
      cut=[("traceparent", TRACEPARENT[1][:-1])], more=[("traceparent", TRACEPARENT[1] + "-x")])
def test_a_trace_that_is_not_well_formed_is_none(telling, case):
    _, line = told(telling, "GET", "/healthz", case)
    assert "trace_id" not in line and "span_id" not in line, line


# ---- the access log ----


@row("ACCESS")
def test_a_request_is_a_line(telling):
    token, _ = minted(telling)
    for method, target, fields, endpoint, status, client in (
            ("GET", "/secret", [bearer(token)], "secret", 200, "svc-a"),
            ("GET", "/verify", [bearer(token)], "verify", 200, "svc-a"),
            ("PUT", "/verify/x", [bearer(token)], "verify", 200, "svc-a"),
            ("GET", "/secret", [], "secret", 401, None),
            ("HEAD", "/healthz", [], "healthz", 200, None),
            ("OPTIONS", "/token", [], "token", 204, None),
            ("GET", "/token", [], "token", 405, None),
            ("GET", "/nowhere", [], "none", 404, None)):
        _, line = told(telling, method, target, fields)
        assert line["level"] == "info" and line["peer"] == "127.0.0.1", line
        assert line["method"] == ("other" if method == "PUT" else method), line
        assert (line["endpoint"], line["status"], line.get("client")) == (endpoint, status, client), line
        assert isinstance(line["duration_ms"], float) and 0 < line["duration_ms"] < 60000, line


@row("ACCESS")
def test_the_client_of_each_endpoint_is_told(telling):
    form = ("Content-Type", "application/x-www-form-urlencoded")
    token, _ = minted(telling)
    for target, body in (("/token", G), ("/auth", G), ("/introspect", b"token=" + token.encode()),
                         ("/revoke", b"token=" + token.encode()), ("/token", b"grant_type=foo")):
        _, line = told(telling, "POST", target, [BA, form], body)
        assert line["client"] == "svc-a" and line["method"] == "POST", line


@row("ACCESS")
def test_what_the_server_itself_refuses_is_told(telling):
    mark = telling.mark()
    telling.exchange(b"GET /healthz HTTP/1.1\r\n\r\n")
    line = telling.wait_for_log("request", since=mark)
    assert line["status"] == 400 and line["endpoint"] == "none" and "client" not in line, line


@row("ACCESS")
def test_no_query_and_no_token_is_in_the_access_log(telling):
    token, _ = minted(telling)
    canary = "canary-" + unique("q")
    for target, fields in (("/secret?access_token=" + canary, []), ("/verify?access_token=" + canary, []),
                           ("/%s?x=%s" % (canary, canary), []), ("/secret?" + token, [bearer(token)]),
                           ("/secret", [bearer(canary)])):
        told(telling, "GET", target, fields)
    assert canary not in telling.log_text and token not in telling.log_text
    telling.check_log()


@row("ACCESS")
def test_sighup_leaves_the_access_log_on(telling):
    mark = telling.mark()
    telling.signal(signal.SIGHUP)
    telling.wait_for_log("reloading", since=mark)
    told(telling, "GET", "/healthz")


@row("ACCESS")
def test_the_access_log_is_off_unless_asked_for(start_mintd, redis):
    silent = start_mintd(redis=redis)
    asked = start_mintd(redis=redis, env={"MINTD_ACCESS_LOG": "yes"})
    asked.wait_for_store()
    told(asked, "GET", "/healthz")
    assert silent.request("GET", "/healthz").status == 200
    silent.stop()
    assert not silent.find_log("request")
    assert "duration_ms" not in json.dumps(silent.log)
