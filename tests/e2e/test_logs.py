"""The log: the exact reason of each refusal under its request id, one line an event, no secret."""
import base64
import datetime
import json
import os
import re
import subprocess
import threading
import time

import pytest

from support.clients import BA, CLIENTS, G, basic, bearer
from support.http import Connection, form_request, request_bytes
from support.mintd import command_line, environment
from support.oauth import (check_err, check_tok, forged_token, jti, make_client, minted, post, row, rows,
                           sha256_phc, unique, wait_until)
from support.process import leashed
from support.timing import scaled


def refusal(instance, raw):
    """The answer to the request, and the one line that the log has of it."""
    request_id = unique("log-test")
    response = instance.exchange(raw.replace(b"\r\n\r\n",
                                             b"\r\nX-Request-Id: %s\r\n\r\n" % request_id.encode(), 1))
    assert response.get("X-Request-Id") == request_id
    line = instance.wait_for_log("refused", request_id=request_id)
    assert instance.find_log("refused", request_id=request_id) == [line]
    return response, line


def mint_as(name, secret, endpoint="/token", body=G):
    return form_request(endpoint, body, [basic(name, secret)])


# ---- refusals ----


@rows("REASON", unknown=("nobody", "x", "unknown client"), wrong=("svc-a", "wrong", "wrong secret"))
def test_reason_of_a_refused_client(pair, case):
    name, secret, reason = case
    for endpoint in ("/token", "/auth"):
        response, line = refusal(pair.a, mint_as(name, secret, endpoint))
        check_err(response, 401, "invalid_client")
        assert line["level"] == "info" and line["error"] == "invalid_client", line
        assert line["endpoint"].strip("/") == endpoint[1:] and line["reason"] == reason, line
        assert line["client"] == name and line["peer"] == "127.0.0.1", line


@rows("F-29", space=("a b:x", "a b"), escaped=("urn%3Asvc%3Aa:x", "urn%3Asvc%3Aa"))
def test_reason_of_an_id_with_another_character(pair, case):
    """The log tells the operator; the caller is told what a wrong secret is told."""
    text, name = case
    raw = base64.b64encode(text.encode()).decode()
    response, line = refusal(pair.a, form_request("/token", G, [("Authorization", "Basic " + raw)]))
    wrong, _ = refusal(pair.a, mint_as("svc-a", "wrong"))
    check_err(response, 401, "invalid_client")
    assert response.body == wrong.body
    assert line["reason"] == "client id has a character that mintd does not take", line
    assert name not in json.dumps(line), line


@row("REASON")
def test_reason_of_a_disabled_client(pair, redis):
    name = unique("disabled")
    make_client(redis, name, disabled="1")
    _, line = refusal(pair.a, mint_as(name, "s-3cret"))
    assert line["reason"] == "client disabled" and line["client"] == name, line


@row("REASON")
def test_reason_of_an_expired_secret(pair, redis):
    name = unique("expired")
    make_client(redis, name, secret_2=sha256_phc("old"),
                secret_2_expires=str(int(time.time()) - 3 * 3600 - 5))
    _, line = refusal(pair.a, mint_as(name, "old"))
    assert "expired" in line["reason"] and "secret 2 expired" in json.dumps(line), line


@row("REASON")
def test_reason_of_no_authentication(pair):
    _, line = refusal(pair.a, form_request("/token", G))
    assert line["error"] == "invalid_client" and line["reason"], line
    assert not line.get("client"), line


@rows("REASON", grant=(b"grant_type=foo", "unsupported_grant_type"),
      scope=(G + b"&scope=admin", "invalid_scope"),
      target=(G + b"&resource=https://x.example/", "invalid_target"),
      form=(b"grant_type=%zz", "invalid_request"),
      no_grant=(b"scope=read", "invalid_request"))
def test_reason_of_a_refused_grant(pair, case):
    body, error = case
    response, line = refusal(pair.a, form_request("/token", body, [BA]))
    assert response.error == line["error"] == error and line["reason"], line


@rows("REASON", none=([], None), nope=([bearer("nope")], "invalid_token"),
      forged=([bearer(forged_token())], "invalid_token"),
      malformed=([("Authorization", "Bearer")], "invalid_request"))
def test_reason_at_the_protected_resource(pair, case):
    fields, error = case
    _, line = refusal(pair.a, request_bytes("GET", "/secret", fields))
    assert line["endpoint"].strip("/") == "secret" and line["reason"], line
    if error:
        assert line["error"] == error, line


@row("REASON")
def test_reason_when_a_token_is_refused_says_which_client(pair, redis):
    name = unique("gone")
    make_client(redis, name, scope="read")
    token, _ = minted(pair.a, "/token", G, basic(name, "s-3cret"))
    redis.cli("HINCRBY", "mintd:client:" + name, "gen", 1)
    _, line = refusal(pair.a, request_bytes("GET", "/secret", [bearer(token)]))
    assert line["error"] == "invalid_token" and line.get("client") == name, line


# ---- mints ----


@rows("MINTED", token="/token", auth="/auth")
def test_each_mint_is_told(pair, case):
    mark = pair.a.mark()
    token, _ = minted(pair.a, case, G + b"&ttl=77")
    line = pair.a.wait_for_log("token minted", since=mark, jti=jti(token))
    assert line["client"] == "svc-a" and line["ttl_s"] == 77 and line["level"] == "info", line


@row("MINTED")
def test_a_hundred_mints_are_a_hundred_lines(pair):
    mark = pair.a.mark()
    wanted = {jti(minted(pair.a)[0]) for _ in range(100)}
    pair.a.wait_for_log("token minted", since=mark, count=100)
    lines = pair.a.find_log("token minted", since=mark)
    assert {line["jti"] for line in lines} == wanted and len(lines) == 100


# ---- request ids ----


@rows("ID", short="a", letters="Az09._-", longest="x" * 64)
def test_sane_request_id_is_kept(pair, case):
    response = pair.a.request("GET", "/secret", [("X-Request-Id", case)])
    assert response.get("X-Request-Id") == case
    pair.a.wait_for_log("refused", request_id=case)


@rows("ID", empty="", too_long="x" * 65, space="a b", quote='a"b', latin="\xe9", slash="a/b",
      control_like="a%0d%0ab",
      json='{"a":1}')
def test_other_request_ids_are_replaced(pair, case):
    response = pair.a.request("GET", "/secret", [("X-Request-Id", case)])
    ours = response.get("X-Request-Id")
    assert ours != case and re.fullmatch("[A-Za-z0-9._-]{1,64}", ours)
    pair.a.wait_for_log("refused", request_id=ours)


@row("ID")
def test_our_ids_differ(pair):
    ids = {pair.a.request("GET", "/healthz").get("X-Request-Id") for _ in range(50)}
    assert len(ids) == 50


# ---- the line itself ----


@row("LINE")
def test_every_line_has_time_level_and_message(pair):
    minted(pair.a)
    pair.a.request("GET", "/secret")
    for line in pair.a.log:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line
        stamp = datetime.datetime.fromisoformat(line["time"][:-1] + "+00:00").timestamp()
        assert abs(stamp - time.time()) < 3600
        assert line["level"] in ("debug", "info", "warning", "error") and line["message"]


HOSTILE = ["\r\nInjected: yes", "\n{\"message\":\"forged\"}", "\x1b[31mred\x1b[0m", "\u202eevil", '"quoted"',
           "back\\slash", "nul\x00",
           "tab\t", "\x7f", "\x85", "\u2028", "</script>", "%s%n%x", "${jndi:x}", "a" * 255, "\U0001f4a9"]


@row("G-19")
def test_hostile_ids_stay_within_their_line(pair):
    """Every way to break a line: as a client id, in both ways to give it, as path, query and header."""
    mark = pair.a.mark()
    sent = 0
    for text in HOSTILE:
        data = text.encode()
        for client in (data, data + b"\xff\xc0\xaf", bytes(reversed(data))):
            escaped = b"".join(b"%%%02X" % byte for byte in client)
            post(pair.a, "/token", G + b"&client_id=" + escaped + b"&client_secret=x")
            post(pair.a, "/token", G, basic(client.decode("latin-1"), "x"))
            pair.a.request("GET", b"/" + escaped)
            pair.a.request("GET", b"/secret?" + escaped, [("X-Request-Id", "hostile")])
            sent += 2
    last = pair.a.request("GET", "/secret").get("X-Request-Id")
    pair.a.wait_for_log("refused", request_id=last)
    lines = pair.a.log[mark:]
    assert len([x for x in lines if x["message"] == "refused"]) >= sent
    assert not [x for x in lines if x["message"] == "forged" or "Injected" in x]
    for line in pair.a.log_text.split("\n"):
        assert not re.search("[\x00-\x1f\x7f\x80-\x9f]", line), line
        assert isinstance(json.loads(line), dict)


@row("G-19")
def test_random_bytes_stay_within_their_line(pair):
    for _ in range(200):
        noise = os.urandom(40)
        pair.a.exchange(form_request("/token", G, [basic(noise.decode("latin-1"), "x")]))
    last = pair.a.request("GET", "/secret").get("X-Request-Id")
    pair.a.wait_for_log("refused", request_id=last)
    pair.a.check_log()  # each line is a JSON object


# ---- secrets ----


@rows("G-18", **{"%s-%s" % (level, form): (level, form)
                 for level in ("debug", "info", "warning", "error") for form in ("json", "text")})
def test_no_secret_at_any_level(redis, case):
    """Everything that a request may carry in secret, on every path; the whole output is searched."""
    level, form = case
    process = subprocess.Popen(
        leashed(*command_line("--listen", "127.0.0.1:0", "--redis", redis.url, "--workers", "1", "--log-level",
                              level, "--log-format", form, "--listen",
                              "unix:%s/%s.sock" % (redis.directory, unique("log")))),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    path = process.args[-1][len("unix:"):]
    canary, tokens = "canary-%s-secret" % unique("c"), []
    deadline = time.monotonic() + scaled(20)

    def ask(raw):
        with Connection(path) as connection:
            connection.send(raw)
            return connection.read_response()

    def is_ready():
        try:
            return ask(request_bytes("GET", "/readyz")).status == 200
        except OSError:
            return False

    try:
        while not is_ready():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        for endpoint in ("/token", "/auth"):
            for client in CLIENTS[:2]:
                tokens.append(ask(form_request(endpoint, G, [client.basic()])).json()["access_token"])
            for raw in (form_request(endpoint, G, [basic("svc-a", canary)]),
                        form_request(endpoint, G + b"&client_id=svc-a&client_secret=" + canary.encode()),
                        form_request(endpoint, b"client_secret=" + canary.encode()),
                        form_request(endpoint + "?client_secret=" + canary, G),
                        form_request(endpoint, G, [("Authorization", "Bearer " + canary)]),
                        form_request(endpoint, G, [("Authorization", "Basic " + canary)]),
                        form_request(endpoint, G, [basic("nobody", canary)]),
                        request_bytes("POST", endpoint, [BA], canary.encode())):
                assert canary not in repr(ask(raw))
        for token in [*tokens, forged_token(), canary]:
            for raw in (request_bytes("GET", "/secret", [bearer(token)]),
                        request_bytes("GET", "/secret?access_token=" + token),
                        request_bytes("GET", "/nope/" + token),
                        request_bytes("GET", "/secret", [bearer(token)] * 2),
                        request_bytes("GET", "/secret",
                                      [("X-Forwarded-Uri", "/?t=" + token), ("Cookie", token)])):
                assert token not in repr(ask(raw))
    finally:
        process.terminate()
        output = process.communicate(timeout=scaled(15))[0].decode()
    assert process.returncode == 0, output
    for needle in [*tokens, *(t[4:-6] for t in tokens), forged_token(), canary,
                   *(c.secret for c in CLIENTS if len(c.secret) > 4)]:
        assert needle not in output, needle


# ---- flags of the log ----


@rows("LEVEL", debug=("debug", True, True), info=("info", True, True), warning=("warning", False, False),
      error=("error", False, False))
def test_log_level(redis, start_mintd, case):
    level, tells_mints, tells_start = case
    socket_path = "%s/%s.sock" % (redis.directory, unique("level"))
    instance = start_mintd("--log-level", level, redis=redis, listen=("unix:" + socket_path,), wait=False)
    deadline = time.monotonic() + scaled(20)
    while True:
        try:
            with Connection(socket_path) as connection:
                connection.send(request_bytes("GET", "/readyz"))
                if connection.read_response().status == 200:
                    break
        except OSError:
            pass
        assert time.monotonic() < deadline and instance.is_alive, instance.log_text
        time.sleep(0.02)
    with Connection(socket_path) as connection:
        connection.send(form_request("/token", G, [BA]))
        token = check_tok(connection.read_response(), "/token")
    if tells_mints:
        instance.wait_for_log("token minted", jti=jti(token))
    instance.signal(15)
    assert instance.wait() == 0
    assert bool(instance.find_log("listening")) == tells_start
    assert bool(instance.find_log("token minted")) == tells_mints
    order = ["debug", "info", "warning", "error"]
    assert all(order.index(x["level"]) >= order.index(level) for x in instance.log)


@row("FORMAT")
def test_text_lines(redis):
    """One line an event here too, with message and fields, without colour where nobody looks."""
    process = subprocess.Popen(leashed(*command_line("--listen", "127.0.0.1:0", "--redis", redis.url,
                                                     "--log-format", "text")),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    try:
        seen = b""
        while b"listening" not in seen or not seen.endswith(b"\n"):
            data = process.stderr.readline()
            assert data, seen
            seen += data
    finally:
        process.terminate()
        out, err = process.communicate(timeout=scaled(15))
    text = (seen + err).decode()
    assert process.returncode == 0 and not out, text
    assert re.search(r"listening.*127\.0\.0\.1:\d+", text), text
    assert "\x1b" not in text and "stopped" in text
    for line in text.splitlines():
        with pytest.raises(ValueError):
            json.loads(line)


# ---- warnings at start ----


def warning(instance, *words):
    return instance.wait_for_log(lambda line: line["level"] == "warning"
                                 and all(w in json.dumps(line).lower() for w in words))


@rows("T-39", all="0.0.0.0:0")
def test_listener_that_others_reach_gives_a_warning(redis, start_mintd, case):
    # Nothing is sent to it: that it listens is enough.
    instance = start_mintd(redis=redis, listen=(case,))
    line = warning(instance, "tls")
    assert "0.0.0.0" in json.dumps(line), line


@row("T-39")
def test_loopback_and_unix_listeners_give_none(redis, start_mintd):
    path = "%s/%s.sock" % (redis.directory, unique("quiet"))
    instance = start_mintd(redis=redis, listen=("127.0.0.1:0", "unix:" + path))
    instance.wait_for_store()
    instance.stop()  # the log is whole
    assert not [x for x in instance.log if "listener" in x["message"] or "TLS" in x["message"]], instance.log_text


@row("WARN")
def test_secret_on_the_command_line_gives_a_warning(redis, start_mintd):
    instance = start_mintd("--client", unique("argv") + ":canary-on-argv:read", redis=redis)
    line = warning(instance, "command line")
    assert "MINTD_CLIENT_FILE" in json.dumps(line), line
    instance.wait_for_log("client made")
    assert "canary-on-argv" not in instance.log_text


@row("WARN")
def test_secret_from_a_file_gives_none(redis, start_mintd, tmp_path):
    (tmp_path / "client").write_text(unique("file") + ":canary-in-a-file:read\n")
    instance = start_mintd(redis=redis, env={"MINTD_CLIENT_FILE": str(tmp_path / "client")})
    instance.wait_for_log("client made")
    assert not [x for x in instance.log if "command line" in x["message"]], instance.log_text
    assert "canary-in-a-file" not in instance.log_text


@row("WARN")
def test_local_store_is_told(start_mintd):
    instance = start_mintd("--client", "m:canary-in-memory:read", redis="memory:")
    warning(instance, "memory")


# ---- a sink that blocks ----


def listens_on(path, process):
    """The log cannot be asked: nobody reads it."""
    assert process.poll() is None
    try:
        Connection(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


# ---- strangers do not fill it ----


def flood(instance, raw, count):
    """All on one connection; each is refused."""
    with Connection(instance.address) as connection:
        for _ in range(count // 50):
            connection.send(raw * 50)
            assert {connection.read_response().status for _ in range(50)} <= {401, 403}


def told(instance, reason):
    """How many refusals for this reason the log tells: one by one, summed, and in how many lines."""
    single = len(instance.find_log("refused", reason=reason))
    sums = [line["refusals"] for line in instance.find_log("refusals summed", reason=reason)]
    return single, sum(sums), single + len(sums)


BAD_TOKENS = {"garbage": request_bytes("GET", "/secret", [bearer("x")]), "none": request_bytes("GET", "/verify"),
              "unknown": request_bytes("GET", "/secret", [bearer(forged_token())]),
              "client": mint_as("nobody-at-all", "x")}


@rows("F-20", **BAD_TOKENS)
def test_refusals_of_strangers_are_summed(redis, start_mintd, case):
    """Each is counted once, whichever worker refused it, and whether it got a line or not."""
    instance = start_mintd("--log-refusals", "20", redis=redis, workers=2)
    instance.wait_for_store()
    started = time.monotonic()
    flood(instance, case, 2000)
    seconds = int(time.monotonic() - started) + 2
    reason = instance.wait_for_log("refused")["reason"]
    wait_until(lambda: sum(told(instance, reason)[:2]) == 2000, 10, "all refusals are told")
    single, _, lines = told(instance, reason)
    assert 20 <= single <= 20 * seconds and lines <= 21 * seconds, (single, lines, seconds)


@row("F-20")
def test_what_is_summed_is_told_at_the_end(redis, start_mintd):
    instance = start_mintd("--log-refusals", "20", redis=redis)
    instance.wait_for_store()
    flood(instance, BAD_TOKENS["none"], 500)
    instance.stop()
    assert sum(told(instance, "no token")[:2]) == 500


@row("F-20")
def test_each_reason_is_summed_for_itself(redis, start_mintd):
    instance = start_mintd("--log-refusals", "20", redis=redis)
    instance.wait_for_store()
    flood(instance, BAD_TOKENS["none"], 1000)
    response = instance.exchange(BAD_TOKENS["garbage"])
    assert response.status == 401
    line = instance.wait_for_log("refused", reason="token not of our form")
    assert line["request_id"] == response.get("X-Request-Id")


@row("F-20")
def test_refusals_of_clients_are_each_told(redis, start_mintd):
    """Who authenticated itself is known, and an operator wants to see each of them."""
    instance = start_mintd("--log-refusals", "20", redis=redis)
    instance.wait_for_store()
    raw = form_request("/token", G + b"&scope=never", [BA])
    with Connection(instance.address) as connection:
        connection.send(raw * 100)
        assert {connection.read_response().status for _ in range(100)} == {400}
    instance.wait_for_log("refused", reason="scope not allowed", count=100)
    token, _ = minted(instance)
    raw = request_bytes("GET", "/verify?scope=never", [bearer(token)])
    flood(instance, raw, 100)
    instance.wait_for_log("refused", reason="scope missing", count=100)
    assert not instance.find_log("refusals summed")


@row("F-20")
def test_twenty_a_second_unless_said_otherwise(redis, start_mintd):
    """For each reason, over all connections and workers together."""
    instance = start_mintd(redis=redis, workers=2, env={"MINTD_LOG_REFUSALS": ""})
    instance.wait_for_store()
    started = time.monotonic()
    connections = [Connection(instance.address) for _ in range(8)]
    for _ in range(5):
        for connection in connections:
            connection.send((BAD_TOKENS["none"] + BAD_TOKENS["garbage"]) * 25)
        for connection in connections:
            assert {connection.read_response().status for _ in range(50)} == {401}
    seconds = int(time.monotonic() - started) + 2  # that it has touched
    for connection in connections:
        connection.close()
    for reason in ("no token", "token not of our form"):
        wait_until(lambda: sum(told(instance, reason)[:2]) == 1000, 10, "all refusals are told")
        single, _, lines = told(instance, reason)
        assert 20 <= single <= 20 * seconds and lines <= 21 * seconds, (single, lines, seconds)


@row("G-27")
def test_blocked_sink_never_blocks_a_request(redis):
    """Nobody reads standard error: a pipe's worth and the queue fill, requests go on."""
    path = "%s/%s.sock" % (redis.directory, unique("blocked"))
    process = subprocess.Popen(leashed(*command_line("--listen", "unix:" + path, "--redis", redis.url,
                                                     "--log-level", "debug", "--workers", "1", "--log-format",
                                                     "json")),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=environment())
    try:
        wait_until(lambda: listens_on(path, process), 20, "it listens")
        with Connection(path) as connection:
            worst = 0.0
            # Each refusal is a line of 150 bytes at least: 4,000 of them are twice pipe and queue.
            for _ in range(80):
                started = time.monotonic()
                connection.send(request_bytes("GET", "/secret", [("X-Request-Id", "x" * 64)]) * 50)
                for _ in range(50):
                    assert connection.read_response().status == 401
                worst = max(worst, time.monotonic() - started)
        assert worst < scaled(1), worst
        # The reader comes back: whole lines, and the log works again.
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        reader.start()
        with Connection(path) as connection:
            deadline = time.monotonic() + scaled(10)
            while not any(b'"after-the-block"' in line for line in list(lines)):
                assert time.monotonic() < deadline
                connection.send(request_bytes("GET", "/secret", [("X-Request-Id", "after-the-block")]))
                connection.read_response()
                time.sleep(0.01)
    finally:
        process.terminate()
        status = process.wait(scaled(15))
    reader.join(scaled(5))
    assert status == 0, lines[-20:]
    for line in lines:
        assert isinstance(json.loads(line), dict)


@row("G-27")
def test_closed_sink_ends_nothing(redis):
    """Standard error is closed on the other side (the log's reader died)."""
    path = "%s/%s.sock" % (redis.directory, unique("closed"))
    process = subprocess.Popen(leashed(*command_line("--listen", "unix:" + path, "--redis", redis.url,
                                                     "--workers", "1")),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=environment())
    try:
        process.stderr.close()
        wait_until(lambda: listens_on(path, process), 20, "it listens")
        for _ in range(50):
            with Connection(path) as connection:
                connection.send(request_bytes("GET", "/secret"))
                assert connection.read_response().status == 401
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(scaled(15)) == 0
