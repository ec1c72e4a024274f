"""TLS on the listeners: nothing else changes by it; handshakes that fail, ends, a new certificate,
settings. What is spoken is in test_tls_protocol.py."""
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest

from support.clients import BA, G, basic, token_of
from support.http import Connection, exchange, form_request, request_bytes
from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import check_unavailable, check_welcome, post, row, rows, unique, use, wait_until
from support.timing import scaled
from support.tls import Certificate, name_of

NOWHERE = "redis://127.0.0.1:1"


# ---- nothing else changes ----


@row("TLS-across")
def test_minted_on_one_used_on_the_other(secure, start_mintd, redis, certificate):
    other = start_mintd(redis=redis, certificate=certificate)
    other.wait_for_store()
    for a, b in ((secure, other), (other, secure)):
        token = token_of(a)
        check_welcome(use(b, token))


def shape(response):
    return response.status, response.body, [
        (name, value if name not in ("Date", "X-Request-Id") else "") for name, value in response.fields]


@row("TLS-answers")
def test_answers_are_the_same_as_without(start_mintd, redis, mintd, certificate):
    secure = start_mintd("--issuer", "https://mintd.example", redis=redis, certificate=certificate)
    secure.wait_for_store()
    wrong = [form_request("/token", G, [basic("svc-a", "wrong")]), form_request("/token", b"x=y", [BA]),
             request_bytes("GET", "/secret"), request_bytes("GET", "/nowhere"),
             request_bytes("DELETE", "/token"), request_bytes("GET", "/healthz"),
             form_request("/token", b"x" * 16385, [BA]), form_request("/token", b"x" * 16384, [BA]),
             request_bytes("GET", "/" + "x" * 9000), b"BAD\r\n\r\n"]
    for raw in wrong:
        assert shape(secure.exchange(raw)) == shape(mintd.exchange(raw)), raw[:60]


@row("TLS-away")
def test_503_while_redis_is_away(start_mintd, own_redis, certificate):
    instance = start_mintd(redis=own_redis, certificate=certificate)
    instance.wait_for_store()
    token = token_of(instance)
    own_redis.kill()
    check_unavailable(post(instance, "/token", G, BA))
    check_unavailable(use(instance, token))


@row("TLS-pipeline")
def test_pipelined_requests_in_few_records(secure):
    with secure.connect() as c:
        c.send(b"".join(request_bytes("GET", "/healthz", [("X-Request-Id", "p-%d" % i)])
                        for i in range(1000)))
        assert [c.read_response().get("X-Request-Id") for _ in range(1000)] == \
            ["p-%d" % i for i in range(1000)]
        c.expect_in_step()


@row("TLS-local")
def test_unix_sockets_and_metrics_stay_plain(start_mintd, redis, certificate):
    path = "%s/%s.sock" % (redis.directory, unique("tls"))
    instance = start_mintd("--metrics-listen", "127.0.0.1:0", redis=redis, certificate=certificate,
                           listen=("127.0.0.1:0", "unix:" + path))
    instance.wait_for_log("listening", count=3)
    instance.wait_for_store()
    assert instance.request("GET", "/healthz").status == 200
    assert exchange(path, request_bytes("GET", "/healthz")).status == 200
    assert exchange(instance.addresses()[2], request_bytes("GET", "/readyz")).status == 200
    metrics = exchange(instance.addresses()[2], request_bytes("GET", "/metrics"))
    assert b'\nmintd_tls_handshakes_total{result="failed"} 0\n' in metrics.body


@row("TLS-says")
def test_issuer_warning_and_heartbeat(own_redis, start_mintd, certificate):
    instance = start_mintd(redis=own_redis, certificate=certificate, listen=("0.0.0.0:0",), name="secure")
    instance.wait_for_store()
    port = instance.address[1]
    local = ("127.0.0.1", port)
    metadata = exchange(local, request_bytes("GET", "/.well-known/oauth-authorization-server"),
                        tls=instance.tls).json()
    assert metadata["issuer"] == "https://localhost:%d" % port
    assert exchange(local, request_bytes("GET", "/readyz"), tls=instance.tls).status == 200
    assert json.loads(own_redis.cli("GET", "mintd:instance:secure"))["tls"] is True
    instance.wait_for_log(lambda line: "--issuer" in line["message"])
    warnings = [line["message"] for line in instance.log if line["level"] == "warning"]
    assert len(warnings) == 1 and "--issuer" in warnings[0], warnings
    found = json.loads(Mintctl(own_redis)("doctor", "--json", status=1).out)["findings"]
    assert [f["result"] for f in found if f["check"] == "listeners"] == ["ok"], found


# ---- handshakes that fail, and ends ----


def metric(mintd, name):
    body = mintd.request("GET", "/metrics").body.decode()
    return int(re.search(r"^%s (\d+)$" % name, body, re.M)[1])


@row("TLS-failures")
def test_failed_handshakes_are_counted_and_not_logged(secure):
    mark = secure.mark()
    for raw in (request_bytes("GET", "/healthz"), b"\x16\x03\x01\xff\xff\x01", b"\x00" * 100):
        with Connection(secure.address) as c:
            c.send(raw)
            deadline = time.monotonic() + scaled(2)
            answer = c.socket.recv(100)
            assert answer == b"" or answer[0] == 0x15, answer
            while answer:
                answer = c.socket.recv(100)
            assert time.monotonic() < deadline
    stranger = ssl.create_default_context()  # that trusts others
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(secure.address, tls=stranger)
    wait_until(lambda: metric(secure, 'mintd_tls_handshakes_total{result="failed"}') == 4)
    assert not secure.log[mark:], secure.log[mark:]


@row("TLS-plain-port")
def test_a_hello_at_a_plain_port(mintd):
    with pytest.raises(ssl.SSLError):
        Connection(mintd.address, tls=ssl.create_default_context())
    mintd.check_health()


@pytest.mark.lengthy
@row("TLS-stall")
def test_a_handshake_that_stalls_is_closed_at_its_deadline(secure):
    started = time.monotonic()
    with Connection(secure.address, timeout=30) as silent, Connection(secure.address, timeout=30) as halfway:
        halfway.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        silent.expect_close(within=13)
        halfway.expect_close(within=13)
    assert time.monotonic() - started > 9.5
    assert metric(secure, "mintd_connections_timed_out_total") == 2


@row("TLS-half-close")
def test_a_half_closed_client_is_answered(secure, certificate):
    raw = socket.create_connection(secure.address, timeout=scaled(5))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificate.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")

    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                data = raw.recv(65536)
                incoming.write(data) if data else incoming.write_eof()
            finally:
                raw.sendall(outgoing.read())

    pump(client.do_handshake)
    pump(lambda: client.write(request_bytes("GET", "/healthz")))
    raw.shutdown(socket.SHUT_WR)  # FIN alone
    assert b'"alive"' in client_text(client, incoming, raw)
    raw.close()


def client_text(client, incoming, raw):
    text = b""
    while True:
        try:
            data = client.read(65536)
        except ssl.SSLWantReadError:
            more = raw.recv(65536)
            assert more, "no close_notify"
            incoming.write(more)
            continue
        except ssl.SSLZeroReturnError:
            return text
        if not data:
            return text
        text += data


@row("TLS-drain")
def test_drain_says_goodbye(secure):
    with secure.connect() as idle:
        idle.expect_in_step()
        secure.signal(signal.SIGTERM)
        idle.expect_close(within=5)  # with close_notify, or this is an error
    secure.check_end(secure.wait())


# ---- a new certificate ----


@row("TLS-reload")
def test_reload_under_load(start_mintd, redis, folder):
    names = ["reload-%d" % i for i in range(3)]
    used = Certificate(folder, "used")
    fresh = [Certificate(folder, name) for name in names]
    instance = start_mintd(redis=redis, certificate=used, workers=2)
    instance.wait_for_store()
    instance.tls = everybody = used.trusting(*fresh)
    stop, seen, problems = threading.Event(), set(), []

    def knock():
        while not stop.is_set():
            try:
                with Connection(instance.address, tls=everybody) as c:
                    seen.add(name_of(c))
                    c.expect_in_step()
            except Exception as problem:
                problems.append(repr(problem))

    def stay():
        try:
            with Connection(instance.address, tls=everybody) as c:
                while not stop.is_set():
                    c.expect_in_step()
                    time.sleep(0.002)
        except Exception as problem:
            problems.append(repr(problem))

    clients = [threading.Thread(target=work, daemon=True) for work in (knock, knock, stay, stay)]
    for client in clients:
        client.start()
    try:
        for i, certificate in enumerate(fresh):
            used.install(certificate)
            mark = instance.mark()
            instance.signal(signal.SIGHUP)
            instance.wait_for_log("certificate in use", since=mark)
            wait_until(lambda i=i: names[i] in seen, 5, "the new certificate")
    finally:
        stop.set()
        for client in clients:
            client.join(scaled(10))
    assert not problems, problems[:3]
    assert seen == {"used", *names}
    with instance.connect() as c:
        assert name_of(c) == names[-1]


@row("TLS-reload-bad")
def test_a_bad_file_keeps_the_old_certificate(start_mintd, redis, folder):
    used = Certificate(folder, "kept")
    other = Certificate(folder, "other")
    instance = start_mintd(redis=redis, certificate=used)
    instance.wait_for_store()

    def reload(problem):
        mark = instance.mark()
        instance.signal(signal.SIGHUP)
        line = instance.wait_for_log(lambda line: line["level"] == "error", since=mark)
        assert "SIGHUP again" in line["message"] and problem in line["problem"], line
        with instance.connect() as c:
            assert name_of(c) == "kept"
            c.expect_in_step()

    os.rename(used.key, used.key + ".away")
    reload("No such file")
    with open(used.key, "wb") as file:
        file.write(b"no key\n")
    reload("no private key")
    os.replace(other.key, used.key)
    reload("does not belong")
    os.replace(used.key + ".away", used.key)
    mark = instance.mark()
    instance.signal(signal.SIGHUP)
    instance.wait_for_log("certificate in use", since=mark)
    with instance.connect() as c:
        assert name_of(c) == "kept"


@row("F-11")
def test_swapped_files_are_served_without_a_signal(start_mintd, redis, folder):
    """F-11: a link to the folder of both files is swapped, as Kubernetes does it. (Files that cannot be used:
    tests/integration/test_certificate_watch.c.)"""
    base = os.path.join(folder, unique("mount"))
    pairs = {}
    for name, days in (("v1", 30), ("v2", 60)):
        os.makedirs(os.path.join(base, name))
        pairs[name] = made = Certificate(os.path.join(base, name), name, days=days)
        os.rename(made.file, os.path.join(base, name, "tls.crt"))
        os.rename(made.key, os.path.join(base, name, "tls.key"))
        made.file, made.key = (os.path.join(base, "..data", part) for part in ("tls.crt", "tls.key"))

    def swap(name):
        os.symlink(name, os.path.join(base, "..next"))
        os.replace(os.path.join(base, "..next"), os.path.join(base, "..data"))

    everybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in pairs:
        everybody.load_verify_locations(os.path.join(base, name, "tls.crt"))

    def served():
        with Connection(instance.address, tls=everybody) as c:
            return name_of(c)

    swap("v1")
    instance = start_mintd(redis=redis, certificate=pairs["v1"])
    instance.tls = everybody
    instance.wait_for_store()
    first = metric(instance, "mintd_tls_certificate_expiry_seconds")
    assert served() == "v1" and first > time.time()
    swap("v2")
    wait_until(lambda: served() == "v2", 60, "the new certificate")
    assert metric(instance, "mintd_tls_certificate_expiry_seconds") > first + 29 * 86400


# ---- settings ----


def refused(done, *words):
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("mintd: "), done
    assert all(word in done.stderr for word in words), done


@rows("TLS-settings", run=(), check=("--check",))
def test_wrong_files(certificate, folder, case):
    more = [*case, "--listen", "127.0.0.1:0", "--redis", NOWHERE]
    other = Certificate(folder, unique("other"))
    refused(run("--tls-cert", certificate.file, *more), "--tls-cert", "--tls-key")
    refused(run("--tls-key", certificate.key, *more), "--tls-key", "--tls-cert")
    refused(run("--tls-cert", "", "--tls-key", certificate.key, *more), "--tls-cert")
    refused(run(*more, env={"MINTD_TLS_CERT": certificate.file}), "--tls-key")
    for cert, key, said in (("/no/cert", certificate.key, "/no/cert: No such file"),
                            (certificate.file, "/no/key", "/no/key: No such file"),
                            (certificate.file, other.key, "does not belong"),
                            (certificate.key, certificate.key, "no certificate"),
                            (folder, certificate.key, folder)):
        refused(run("--tls-cert", cert, "--tls-key", key, *more), said)


@row("TLS-settings-good")
def test_good_files(certificate):
    environment = {"MINTD_TLS_CERT": certificate.file, "MINTD_TLS_KEY": certificate.key}
    assert run("--check", env=environment).returncode == 0
    assert run("--check", "--tls-cert", certificate.file, "--tls-key=" + certificate.key).returncode == 0
    assert run("--check", env={"MINTD_TLS_CERT": "", "MINTD_TLS_KEY": ""}).returncode == 0
