"""--reuse-port: a new program on the port of the old one (docs/configuration.md)."""
import os
import signal
import socket
import threading

import pytest

from support.clients import BA, G, bearer, mint, token_of
from support.expect import row
from support.http import Closed, exchange, form_request, request_bytes
from support.mintd import run
from support.oauth import wait_until
from support.redis_server import free_port

BEAT = 5  # seconds between two heartbeats
NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def start_on(start_mintd, own_redis):
    """start_on(port, "--name", "new"): an instance that shares the port."""

    def start(port, *arguments, **more):
        instance = start_mintd("--reuse-port", *arguments, redis=own_redis, listen=("127.0.0.1:%d" % port,), **more)
        instance.wait_for_store()
        return instance

    return start


class Asking:
    """The request, on a connection of its own, again and again; statuses: what came back."""

    def __init__(self, address, raw):
        self.statuses, self._stop = [], threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(address, raw))
        self._thread.start()

    def _ask(self, address, raw):
        while not self._stop.is_set():
            try:
                self.statuses.append(exchange(address, raw).status)
            except (OSError, Closed) as problem:
                self.statuses.append(repr(problem))

    def more(self, count):
        before = len(self.statuses)
        wait_until(lambda: len(self.statuses) >= before + count, 20, "%d answers" % count)

    def end(self):
        self._stop.set()
        self._thread.join()
        return self.statuses


@pytest.mark.parametrize("workers", [pytest.param(1, id="G-20-one-worker"), pytest.param(2, id="G-20-two-workers")])
def test_an_upgrade_on_one_port(start_on, workers):
    """A mint on each new connection: none is refused while one program follows another."""
    port = free_port()
    instance = start_on(port, workers=workers)
    asking = Asking(instance.address, form_request("/token", G, [BA, ("Connection", "close")]))
    try:
        for _ in range(3):
            asking.more(50)
            follower = start_on(port, workers=workers)
            asking.more(50)  # to either
            instance.signal(signal.SIGTERM)
            instance.check_end(instance.wait(10))
            instance = follower
        asking.more(50)
    finally:
        statuses = asking.end()
    assert set(statuses) == {200}, statuses


def is_refused(path):
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(path) != 0


@row("G-20")
def test_kept_connections_of_the_old_one_are_told(start_on, tmp_path):
    """What was under way is answered, with "close", by the old one; the next connection is the new one's."""
    port, path = free_port(), str(tmp_path / "mintd.sock")
    old = start_on(port, "--listen", "unix:" + path)
    token = token_of(old)
    with old.connect() as halfway:
        halfway.send(b"GET /secret HTTP/1.1\r\nHost: h\r\n")
        wait_until(lambda: b"\nmintd_connections_open 2\n" in old.request("GET", "/metrics").body, 5, "it is there")
        new = start_on(port)
        old.signal(signal.SIGTERM)
        wait_until(lambda: not os.path.exists(path) or is_refused(path), 5, "its listeners are closed")
        halfway.send(b"Authorization: %s\r\n\r\n" % dict([bearer(token)])["Authorization"].encode())
        answer = halfway.read_response()
        assert answer.status == 200 and answer.says_close, answer
    old.check_end(old.wait(10))
    assert new.request("GET", "/secret", [bearer(token)]).status == 200


@row("CLI-listen")
def test_the_port_of_the_metrics_is_not_shared(start_on):
    """Whoever looks there would see now the one and now the other."""
    port, metrics = free_port(), "127.0.0.1:%d" % free_port()
    old = start_on(port, "--metrics-listen", metrics)
    done = run("--reuse-port", "--listen", "127.0.0.1:%d" % port, "--metrics-listen", metrics, "--redis", NOWHERE)
    assert done.returncode == 1 and metrics + ": already in use" in done.stderr, done
    assert {mint(old).status for _ in range(50)} == {200}


@pytest.mark.parametrize("old, new", [
    pytest.param((), ("--reuse-port",), id="CLI-listen-old-does-not-share"),
    pytest.param(("--reuse-port",), (), id="CLI-listen-new-does-not-share")])
def test_both_have_to_share(start_mintd, redis, old, new):
    instance = start_mintd(*old, redis=redis)
    address = "127.0.0.1:%d" % instance.address[1]
    done = run("--listen", address, "--redis", redis.url, *new)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert address in done.stderr and "use" in done.stderr and ("--reuse-port" in done.stderr) == bool(new), done
    assert instance.request("GET", "/healthz").status == 200


@row("CLI-listen")
def test_a_path_is_not_shared(start_mintd, redis, tmp_path):
    path = "unix:%s/mintd.sock" % tmp_path
    start_mintd("--reuse-port", redis=redis, listen=(path,))
    done = run("--reuse-port", "--listen", path, "--redis", redis.url)
    assert done.returncode == 1 and "already in use" in done.stderr, done


@row("N-05")
def test_the_old_one_takes_its_own_record_away_only(start_on, own_redis):
    """Both bear the name of host and port. Who leaves does not take the record of who has come."""
    port = free_port()
    old = start_on(port, "--name", "one", "--issuer", "https://old.example")
    start_on(port, "--name", "one", "--issuer", "https://new.example")

    def is_of(which):
        return '"issuer":"https://%s.example"' % which in (own_redis.cli("GET", "mintd:instance:one") or "")

    wait_until(lambda: is_of("old"), 2 * BEAT + 3, "a beat of the old one")
    wait_until(lambda: is_of("new"), 2 * BEAT + 3, "a beat of the new one")
    old.stop()
    assert is_of("new") and own_redis.cli("SMEMBERS", "mintd:instances") == ["one"]


@row("G-20")
def test_alone_on_its_port_it_listens_at_once(start_mintd):
    instance = start_mintd("--reuse-port", redis=NOWHERE)
    assert instance.request("GET", "/healthz").status == 200
    assert instance.request("GET", "/readyz").status == 503


@row("G-20")
def test_one_that_has_no_redis_takes_no_client(start_on, start_mintd):
    """The old one serves them all; and the new one ends as it should."""
    port, metrics = free_port(), free_port()
    old = start_on(port)
    new = start_mintd("--reuse-port", "--metrics-listen", "127.0.0.1:%d" % metrics, redis=NOWHERE,
                      listen=("127.0.0.1:%d" % port,), workers=2, wait=False)
    new.wait_for_log(lambda line: "store is away" in line["message"])
    assert exchange(("127.0.0.1", metrics), request_bytes("GET", "/readyz")).status == 503
    assert {mint(old).status for _ in range(50)} == {200}
    assert not new.find_log("listening")
    new.signal(signal.SIGHUP)
    new.wait_for_log("reloading")
    new.stop()
    assert not new.find_log("listening")


@row("CLI-listen")
def test_an_address_that_is_given_twice(redis):
    """The kernel would spread connections over both."""
    address = "127.0.0.1:%d" % free_port()
    same = address.replace("127.0.0.1", "localhost")
    done = run("--reuse-port", "--listen", address, "--listen", same, "--redis", redis.url)
    assert done.returncode == 1 and "mintd: %s: it is given twice" % address in done.stderr, done
    done = run("--reuse-port", "--listen", address, "--metrics-listen", same, "--redis", redis.url)
    assert done.returncode == 1 and address + ", of %s: already in use" % same in done.stderr, done


@row("G-20")
def test_a_path_beside_a_port_that_is_shared_is_served_at_once(start_on, start_mintd, tmp_path):
    port, path = free_port(), str(tmp_path / "mintd.sock")
    old = start_on(port)
    new = start_mintd("--reuse-port", "--listen", "unix:" + path, redis=NOWHERE, listen=("127.0.0.1:%d" % port,), wait=False)
    wait_until(lambda: os.path.exists(path) and not is_refused(path), 5, "the path is there")
    assert exchange(path, form_request("/token", G, [BA])).status == 503
    assert mint(old).status == 200
    new.stop()


@row("G-20")
def test_the_kernel_is_asked_to_hand_over(start_mintd, redis):
    with open("/proc/sys/net/ipv4/tcp_migrate_req", encoding="ascii") as setting:
        is_set = setting.read() == "1\n"
    instance = start_mintd("--reuse-port", redis=redis)
    assert bool(instance.find_log(lambda line: "tcp_migrate_req=1" in line["message"])) != is_set
