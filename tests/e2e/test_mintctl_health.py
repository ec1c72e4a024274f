"""mintctl health: plain, TLS, unix sockets; by URL, or as mintd's own environment says (F-02, F-07)."""
import json
import socket
import threading
import time

import pytest

from support.mintctl import Mintctl
from support.oauth import row, rows
from support.redis_server import free_port
from support.timing import scaled
from support.tls import Certificate

NOTHING = Mintctl()


def beside(**variables):
    return Mintctl(env={k: v for k, v in variables.items()})


def test_the_body_is_printed_as_it_came(pair):
    assert json.loads(NOTHING("health", pair.a.url).out)["status"] == "ready"
    refusal = NOTHING("health", pair.a.url + "/nothing-here", status=1).err
    assert json.loads(refusal[refusal.index("{"):])["error"] == "not_found"


@row("F-07")
def test_without_a_path_it_is_readyz(pair):
    for url in (pair.a.url, pair.a.url + "/", pair.a.url + "/readyz"):
        assert "ready" in NOTHING("health", url).out
    NOTHING("health", pair.a.url + "/nothing-here", status=1)
    assert "no connection" in NOTHING("health", "http://127.0.0.1:1", status=1).err


@rows("F-07", ftp="ftp://x", word="x", nothing="", port="http://x:y", host="http://:80", blank="http://x/a b",
      bracket="http://[::1", unix="unix:")
def test_what_is_no_url(case):
    NOTHING("health", case, status=2)


@row("F-07")
def test_every_address_of_a_name_is_tried(start_mintd, redis, pair):
    """Of localhost both are, whichever of them somebody listens on, and whatever a resolver says."""
    assert "ready" in NOTHING("health", "http://localhost:%d" % pair.a.address[1]).out
    port = free_port()
    six = start_mintd(redis=redis, listen=("[::1]:%d" % port,))
    six.wait_for_store()
    for name in ("localhost", "LOCALHOST.", "mintd.localhost"):
        assert "ready" in NOTHING("health", "http://%s:%d" % (name, port)).out


@rows("F-02", v4="127.0.0.1:%d", any_v4="0.0.0.0:%d", port=":%d", several="127.0.0.1:1 127.0.0.1:%d")
def test_what_the_environment_says(start_mintd, redis, case):
    port = free_port()
    mintd = start_mintd(redis=redis, listen=("127.0.0.1:%d" % port,))
    mintd.wait_for_store()
    assert "ready" in beside(MINTD_LISTEN=case % port)("health").out
    beside(MINTD_LISTEN=case % 1)("health", status=1)


@row("F-02")
def test_a_unix_socket(start_mintd, redis, tmp_path):
    path = "unix:%s/mintd.sock" % tmp_path
    mintd = start_mintd(redis=redis, listen=(path,))
    mintd.wait_for_log("store is up")
    assert "ready" in NOTHING("health", path).out
    assert "ready" in beside(MINTD_LISTEN=path, MINTD_TLS_CERT="/nonexistent")("health").out  # no TLS there
    NOTHING("health", path + ".other", status=1)
    beside(MINTD_LISTEN="nonsense")("health", status=2)


@row("F-02")
def test_a_unix_socket_of_this_folder(start_mintd, redis, tmp_path, monkeypatch):
    """mintd takes a relative path, and so does what asks it."""
    monkeypatch.chdir(tmp_path)
    mintd = start_mintd(redis=redis, listen=("unix:mintd.sock",))
    mintd.wait_for_log("store is up")
    assert "ready" in NOTHING("health", "unix:mintd.sock").out
    assert "ready" in beside(MINTD_LISTEN="unix:mintd.sock")("health").out
    beside(MINTD_LISTEN="unix:")("health", status=2)


@row("F-02")
def test_tls_by_url(secure, certificate, folder):
    url = "https://127.0.0.1:%d" % secure.address[1]
    assert "ready" in NOTHING("health", url, "--ca", certificate.file).out
    assert "ready" in NOTHING("health", url.replace("127.0.0.1", "localhost"), "--ca", certificate.file).out
    assert "ready" in NOTHING("health", url, "--insecure").out
    assert "not believed" in NOTHING("health", url, status=1).err
    other = Certificate(folder, "other-health")
    assert "not believed" in NOTHING("health", url, "--ca", other.file, status=1).err
    assert "/nonexistent" in NOTHING("health", url, "--ca", "/nonexistent", status=1).err
    wrong_host = url.replace("127.0.0.1", "127.0.0.2")
    NOTHING("health", wrong_host, "--ca", certificate.file, status=1)
    NOTHING("health", "http://127.0.0.1:%d" % secure.address[1], status=1)


@row("F-02")
def test_tls_of_the_instance_beside(secure, certificate, folder):
    """Its certificate names no loopback address, mostly: it is compared, and another one is a word."""
    listen = "127.0.0.1:%d" % secure.address[1]
    done = beside(MINTD_LISTEN=listen, MINTD_TLS_CERT=certificate.file)("health")
    assert "ready" in done.out and done.err == "", done
    other = Certificate(folder, "renewed-health")
    done = beside(MINTD_LISTEN=listen, MINTD_TLS_CERT=other.file)("health")
    assert "ready" in done.out and "warning" in done.err and other.file in done.err, done
    beside(MINTD_LISTEN=listen)("health", "--insecure", status=2)


@pytest.mark.lengthy
@row("F-02")
def test_every_wait_ends():
    """Nobody answers; or a byte now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def drip():
            connection, _ = server.accept()
            try:
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.1)
            except OSError:
                pass

        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        before = time.monotonic()
        NOTHING("health", url, status=1)
        NOTHING("health", url.replace("http", "https"), "--insecure", status=1)
        threading.Thread(target=lambda: [server.accept(), server.accept(), drip()], daemon=True).start()
        NOTHING("health", url, status=1)
        assert time.monotonic() - before < scaled(15)


@row("F-07")
def test_as_json(pair, tmp_path):
    """An object on standard output whatever comes; the exit status says the same as ever."""
    assert NOTHING.json("health", pair.a.url) == {
        "address": pair.a.url, "ready": True, "status": 200, "answer": {"status": "ready"}}
    refused = NOTHING.json("health", pair.a.url + "/nothing-here", status=1)
    assert refused["status"] == 404 and not refused["ready"] and refused["answer"]["error"] == "not_found"
    assert NOTHING.json("health", "http://127.0.0.1:1", status=1) == {"address": "http://127.0.0.1:1", "ready": False}
    listen = "%s:%d" % pair.a.address
    assert beside(MINTD_LISTEN=listen).json("health")["address"] == listen
    assert NOTHING("health", "nonsense", "--json", status=2).out == ""


@row("F-07")
def test_an_answer_that_is_no_json_is_a_text():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            for body in (b"HTTP/1.1 503 x\r\n\r\nnot \x1b[31m\"ready\n", b"what?"):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(body)

        thread = threading.Thread(target=answer)
        thread.start()
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        found = NOTHING.json("health", url, status=1)
        assert found == {"address": url, "ready": False, "status": 503, "answer": "not \x1b[31m\"ready"}
        assert NOTHING.json("health", url, status=1) == {"address": url, "ready": False}
        thread.join()
