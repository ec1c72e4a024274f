"""A warm server allocates nothing for a request.

The release build runs with count_allocations.so ahead of libc. After a warm-up REQUESTS requests of one
kind go over CONNECTIONS connections that stay open, and the counter must not have moved. What memory does
not have is read from Redis and kept, which does allocate: a round in which that happened (an entry lives
60 s, and a secret's last use is written once a minute, which changes its client) is run again."""
import glob
import mmap
import os
import re
import signal
import struct

import pytest

from support.clients import G, SVC_B, Client, bearer, install_client
from support.http import Connection, exchange, form_request, request_bytes
from support.mintd import Mintd
from support.oauth import wait_until
from support.redis_server import RedisServer, free_port

REQUESTS, WARM_UP, CONNECTIONS, ROUNDS = 1000, 400, 8, 3
# With a secret in the form of a generated one; SVC_B's was chosen by a person, and is stored with scrypt.
CLIENT = Client("svc-g", "mts_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc24bnKa",
                (("scope", "read write"), ("gen", "1234567890123456")))
_FILLED = re.compile(rb"^mintd_cache_(misses|joined|invalidated|emptied|evicted)_total (\d+)$", re.M)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Server:
    """mintd with its allocations counted, and connections to it."""

    def __init__(self, redis, folder):
        path = os.path.join(folder, "allocations")
        with open(path, "w+b") as file:
            file.write(bytes(8))
            file.flush()
            self._counter = mmap.mmap(file.fileno(), 8)
        self.address = ("127.0.0.1", free_port())
        self.process = Mintd(
            "--log-level", "warning", redis=redis, listen=("%s:%d" % self.address,), wait=False,
            env={"LD_PRELOAD": os.environ["COUNT_ALLOCATIONS"], "MINTD_ALLOCATIONS": path})
        wait_until(self._is_ready, 10, "/readyz")
        self._connections = [Connection(self.address) for _ in range(CONNECTIONS)]
        self.send_at_once(request_bytes("GET", "/healthz"))

    def _is_ready(self):
        assert self.process.is_alive, self.process.log_text
        try:
            return exchange(self.address, request_bytes("GET", "/readyz")).status == 200
        except OSError:
            return False

    @property
    def allocations(self):
        return struct.unpack("=Q", self._counter[:8])[0]

    def memory_filled(self):
        """Changes whenever something is read from Redis to be kept."""
        found = _FILLED.findall(exchange(self.address, request_bytes("GET", "/metrics")).body)
        assert len(found) == 5, found
        return found

    def send(self, raw, times):
        """So many requests, one at a time on each of the connections; all must succeed."""
        for _ in range(times // CONNECTIONS):
            for connection in self._connections:
                connection.send(raw)
            self._read_responses()

    def send_at_once(self, raw):
        """One request on each connection, all of them there when the server looks: no turn of its loop
        needs more than this one."""
        self.process.signal(signal.SIGSTOP)
        wait_until(self._is_stopped, 5, "SIGSTOP")
        for connection in self._connections:
            connection.send(raw)
        self.process.signal(signal.SIGCONT)
        self._read_responses()

    def _is_stopped(self):
        tasks = glob.glob("/proc/%d/task/*/stat" % self.process.pid)
        return all(") T " in read(task) for task in tasks)

    def _read_responses(self):
        for connection in self._connections:
            response = connection.read_response(check=False)
            assert response.status == 200, response

    def allocated_by(self, raw):
        """The allocations of REQUESTS such requests, once warm."""
        self.send(raw, WARM_UP)
        self.send_at_once(raw)
        for _ in range(ROUNDS):
            filled, before = self.memory_filled(), self.allocations
            self.send(raw, REQUESTS)
            allocated = self.allocations - before
            if self.memory_filled() == filled:
                return allocated
        raise AssertionError("memory was filled in each of %d rounds" % ROUNDS)

    def token(self, client):
        return exchange(self.address, form_request("/token", G, [client.basic()])).json()["access_token"]

    def stop(self):
        for connection in self._connections:
            connection.close()
        self.process.signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.process.log_text
        self.process.check_log()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer() as redis:
        install_client(redis, CLIENT)
        install_client(redis, SVC_B)
        server = Server(redis, str(tmp_path_factory.mktemp("allocations")))
        try:
            yield server
            server.stop()
        finally:
            server.process.kill()


def requests_of(server, client):
    token = server.token(client)
    return {
        "secret": request_bytes("GET", "/secret", [bearer(token)]),
        "verify": request_bytes("GET", "/verify", [bearer(token)]),
        "introspect": form_request("/introspect", b"token=" + token.encode(), [client.basic()]),
        "auth": form_request("/auth", G, [client.basic()]),
        "token": form_request("/token", G, [client.basic()]),
    }


def test_the_counter_counts(server):
    """The first use of a token is kept in memory: that is an allocation."""
    raw = requests_of(server, CLIENT)["secret"]
    before = server.allocations
    server.send(raw, CONNECTIONS)
    assert server.allocations > before > 0


@pytest.mark.parametrize("kind", ["secret", "verify", "introspect", "auth", "token"])
def test_nothing_is_allocated(server, kind):
    assert server.allocated_by(requests_of(server, CLIENT)[kind]) == 0


@pytest.mark.parametrize("kind", ["introspect", "auth"])
def test_slow_secrets_are_measured(server, kind):
    """What a remembered slow secret costs, told and not judged: OpenSSL's HMAC copies its context."""
    allocated = server.allocated_by(requests_of(server, SVC_B)[kind])
    print("\n%s of a client whose secret is stored with scrypt: %g allocations a request"
          % (kind, allocated / REQUESTS))
