"""Sizes and times: what is too long, too much, too slow (CONFORMANCE 1.9)."""
import os
import time

import pytest

from support.clients import BA, G
from support.expect import (HEALTH, chunk, chunked_request, healthy_answer, is_token,
                            one_response_or_close, refused, row, token_request)
from support.http import FORM, Closed, request_bytes
from support.timing import scaled

KIB = 1024
MIB = 1024 * KIB


# ---- sizes ----


def target_of(size):
    return "/healthz?" + "a" * (size - len("/healthz?"))


@pytest.mark.parametrize("size", [
    pytest.param(7970, id="H-12-line-of-8000"), pytest.param(8 * KIB, id="H-12-at-the-limit")])
def test_long_target(mintd, size):
    healthy_answer(mintd, request_bytes("GET", target_of(size)))


@pytest.mark.parametrize("size", [
    pytest.param(8 * KIB + 1, id="H-12-one-over"), pytest.param(12 * KIB, id="H-12-12-KiB"),
    pytest.param(70_000, id="H-12-70000")])
def test_too_long_target(mintd, size):
    refused(mintd, request_bytes("GET", target_of(size)), 414)


@row("H-12")
def test_too_long_target_without_end(mintd):
    """Refused before the line has ended."""
    refused(mintd, b"GET /" + b"a" * 70_000, 414, tail=b"")


def small_fields(count):
    return [("X-%d" % n, "a") for n in range(count)]


@pytest.mark.parametrize("count", [
    pytest.param(99, id="H-13-99-fields"), pytest.param(100, id="H-13-100-fields")])
def test_many_fields(mintd, count):
    healthy_answer(mintd, request_bytes("GET", "/healthz", small_fields(count - 1)))


@pytest.mark.parametrize("fields", [
    pytest.param(small_fields(100), id="H-13-101-fields"),
    pytest.param(small_fields(3000), id="H-13-3001-fields"),
    pytest.param([("X", "a" * 40 * KIB)], id="H-13-one-of-40-KiB"),
    pytest.param([("X" * 40 * KIB, "a")], id="H-13-name-of-40-KiB"),
    pytest.param([("X-%d" % n, "a" * 300) for n in range(60)], id="H-13-together"),
    pytest.param([("Authorization", "Basic " + "a" * 64 * KIB)], id="H-13-authorization"),
])
def test_too_large_head(mintd, fields):
    refused(mintd, request_bytes("GET", "/healthz", fields), 431)


def head_of(size):
    bare = len(request_bytes("GET", "/healthz", [("X", "")]))
    return request_bytes("GET", "/healthz", [("X", "a" * (size - bare))])


@row("H-13")
def test_head_limit_is_16_kib(mintd):
    healthy_answer(mintd, head_of(16 * KIB - 200))
    refused(mintd, head_of(16 * KIB + 200), 431)


@row("H-13")
def test_too_large_head_without_end(mintd):
    """Refused before it has ended."""
    refused(mintd, b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40 * KIB, 431, tail=b"")


def padded(size):
    return G + b"&" + b"x" * (size - len(G) - 1)


def chunks(data, size=1000):
    return b"".join(chunk(data[at : at + size]) for at in range(0, len(data), size)) + b"0\r\n\r\n"


@pytest.mark.parametrize("raw", [
    pytest.param(token_request(body=padded(16 * KIB)), id="H-14-length-at-the-limit"),
    pytest.param(chunked_request(chunks(padded(16 * KIB))), id="H-14-chunked-at-the-limit"),
])
def test_large_body(mintd, raw):
    is_token(mintd.exchange(raw))


@pytest.mark.parametrize("raw", [
    pytest.param(token_request([("Content-Length", "1048577")], body=None), id="H-14-announced"),
    pytest.param(token_request([("Content-Length", "16385")], body=None), id="H-14-one-over"),
    pytest.param(token_request(body=padded(16 * KIB + 1)), id="H-14-one-over-sent"),
    pytest.param(chunked_request(chunks(padded(16 * KIB + 1))), id="H-14-chunked-one-over"),
    pytest.param(chunked_request(chunks(padded(64 * KIB))), id="H-14-chunked"),
    pytest.param(chunked_request(b"100000\r\n"), id="H-14-chunk-announced"),
])
def test_too_large_body(mintd, raw):
    response = refused(mintd, raw, 413)
    assert response.error, response


@row("H-14")
def test_too_large_body_is_refused_from_the_head_alone(mintd):
    """Nothing of the body is waited for."""
    with mintd.connect() as connection:
        connection.send(token_request([("Content-Length", "1048577")], body=None))
        response = connection.read_response()
        assert response.status == 413 and response.says_close, response
        connection.expect_close()


# ---- garbage ----

TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(32)) + b"\x00" * 130


def resident_kib(mintd):
    with open("/proc/%d/status" % mintd.pid, encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def open_files(mintd):
    return len(os.listdir("/proc/%d/fd" % mintd.pid))


@pytest.mark.parametrize("raw", [
    pytest.param(TLS_HELLO, id="H-33-tls-hello"),
    pytest.param(b"\x00" * MIB, id="H-33-nul"),
    pytest.param(b"a" * MIB, id="H-33-letters"),
    pytest.param(b"GET /" + b"a" * MIB, id="H-33-no-newline"),
    pytest.param(b"GET /healthz HTTP/1.1\r\nHost: h\r\n" + b"X: a\r\n" * (MIB // 6), id="H-33-fields"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="H-33-ssh"),
    pytest.param(b"*1\r\n$4\r\nPING\r\n", id="H-33-redis"),
    pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + HEALTH, id="H-33-proxy-protocol"),
])
def test_garbage(mintd, raw):
    before = resident_kib(mintd)
    for _ in range(8):
        with mintd.connect() as connection:
            connection.send_all_we_can(raw)
            try:
                response = one_response_or_close(connection)
            except Closed as end:
                raise AssertionError("no whole answer: %r" % end) from None
            if response:
                assert response.status in (400, 414, 431, 501, 505), response
                assert response.says_close, response
                connection.expect_close(within=1, reset_ok=True)
    assert resident_kib(mintd) - before < 16 * KIB


@pytest.mark.parametrize("raw", [
    pytest.param(token_request([("Content-Length", str(MIB))], body=None) + b"x" * MIB,
                 id="H-49-length"),
    pytest.param(chunked_request(chunks(b"x" * MIB, 8000)), id="H-49-chunked"),
    pytest.param(request_bytes("POST", "/nope", [FORM], b"x" * MIB), id="H-49-404"),
    pytest.param(request_bytes("GET", "/healthz", [("X", "a" * MIB)]), id="H-49-431"),
])
def test_early_answer_is_readable(mintd, raw):
    """The client writes it all first and reads then; a reset would take the answer away."""
    with mintd.connect() as connection:
        sent = connection.send_all_we_can(raw)
        response = connection.read_response()
        assert response.status in (404, 413, 431) and response.says_close, response
        assert sent == len(raw), "the peer stopped listening after %d bytes" % sent
        connection.expect_close(within=3, reset_ok=True)


# ---- times ----


def slow(mintd, name, first, drip=b""):
    connection = mintd.connect(timeout=15)
    connection.send(first)
    return {"name": name, "connection": connection, "drip": drip, "sent": time.monotonic()}


def answered(mintd, name, complete, first):
    """A whole request, answered; then the start of another."""
    one = slow(mintd, name, complete)
    assert one["connection"].read_response().status in (200, 404)
    one["connection"].send(first)
    one["sent"] = time.monotonic()
    return one


HEAD_10 = 10.0


@pytest.mark.lengthy
@row("H-50")
def test_slow_requests(mintd):
    """Heads and bodies that do not end within 10 s, however they come, get 408 and close; all
    at once, so that the deadline is waited for once."""
    body_head = token_request([("Content-Length", "29")], body=None)
    chunked_head = chunked_request(b"")
    cases = [
        slow(mintd, "line", b"GET /hea"),
        slow(mintd, "one byte", b"G"),
        slow(mintd, "head", b"GET /healthz HTTP/1.1\r\nHost: h\r\n"),
        slow(mintd, "head, one byte short", HEALTH[:-1]),
        slow(mintd, "head that drips", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: a", b"a"),
        slow(mintd, "body", body_head),
        slow(mintd, "body, one byte short", body_head + G[:-1]),
        slow(mintd, "body that drips", token_request([("Content-Length", "999")], body=None), b"x"),
        slow(mintd, "chunked body", chunked_head + b"5\r\nhel"),
        slow(mintd, "chunked body that drips", chunked_head, chunk(b"x")),
        slow(mintd, "chunked body without last chunk", chunked_head + chunk(G)),
        answered(mintd, "second head", HEALTH, b"GET /he"),
        answered(mintd, "pipelined head", HEALTH + b"GET /hea", b"l"),
    ]
    pending, problems = list(cases), []
    start = time.monotonic()
    while pending and time.monotonic() - start < HEAD_10 + scaled(3):
        time.sleep(0.25)  # the pace of the drip
        for case in list(pending):
            if not case["connection"].has_nothing():
                case["after"] = time.monotonic() - case["sent"]
                pending.remove(case)
            elif case["drip"]:
                case["connection"].send_all_we_can(case["drip"])
    for case in pending:
        problems.append("%s: nothing within %.1f s" % (case["name"], HEAD_10 + scaled(3)))
    for case in cases:
        if case in pending:
            continue
        try:
            response = case["connection"].read_response()
            assert response.status == 408 and response.says_close, response
            case["connection"].expect_close(within=1, reset_ok=bool(case["drip"]))
            assert 9.5 <= case["after"] <= 11 + scaled(0.5), "after %.1f s" % case["after"]
        except (AssertionError, Closed) as problem:
            problems.append("%s: %s" % (case["name"], problem))
    for case in cases:
        case["connection"].close()
    assert not problems, "\n".join(problems)


@pytest.mark.lengthy
@row("H-50")
def test_slow_reader(mintd):
    """A peer that does not read its answers is let go 10 s after the last progress."""
    requests = request_bytes("GET", "/metrics") * 1000
    with mintd.connect(receive_buffer=4096) as connection:
        connection.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):  # it reads no more: its answers are not taken
            while sent < 64 * MIB:
                sent += connection.socket.send(requests[sent % len(requests) :])
        files, stuck = open_files(mintd), time.monotonic()
        while open_files(mintd) >= files:
            assert time.monotonic() - stuck < HEAD_10 + scaled(2), "it is not let go"
            time.sleep(0.05)
        assert time.monotonic() - stuck > HEAD_10 - 2  # it may have begun to wait before we did
        connection.socket.settimeout(scaled(5))
        answers = 0
        with pytest.raises(Closed):
            while True:
                connection.read_response(check=False)
                answers += 1
        assert answers < sent // len(request_bytes("GET", "/metrics"))


@row("H-55")
def test_ten_thousand_requests_on_one_connection(mintd):
    with mintd.connect() as connection:
        for count in range(10_000):
            connection.send(HEALTH)
            response = connection.read_response(check=count % 100 == 0)
            assert response.status == 200 and not response.says_close, (count, response)
        connection.expect_in_step()


@row("H-14")
def test_body_of_another_type_is_not_read(mintd):
    """Whatever its type, the size is refused first where it is known."""
    raw = request_bytes("POST", "/token", [BA, ("Content-Type", "application/json"),
                                           ("Content-Length", "1048577")])
    refused(mintd, raw, 413)
