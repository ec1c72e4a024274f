"""mintd with its calls counted: the release build with count_calls.so ahead of libc."""
import contextlib
import glob
import mmap
import os
import re
import signal
import struct

from support.clients import G, SVC_B, Client, install_client
from support.http import Connection, exchange, form_request, request_bytes
from support.mintd import Mintd
from support.oauth import wait_until
from support.redis_server import RedisServer, free_port

CONNECTIONS = 8
# With a secret in the form of a generated one; SVC_B's was chosen by a person, and is stored with scrypt.
CLIENT = Client("svc-g", "mts_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc24bnKa",
                (("scope", "read write"), ("gen", "1234567890123456")))
_COUNTERS = struct.Struct("=QQ")
_FILLED = re.compile(rb"^mintd_cache_(misses|joined|invalidated|emptied|evicted)_total (\d+)$", re.M)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Server:
    """mintd, what it has called, and connections to it that stay open. It is ready, and has answered on each
    of them."""

    def __init__(self, redis, folder, connections=CONNECTIONS):
        path = os.path.join(folder, "calls")
        with open(path, "w+b") as file:
            file.write(bytes(_COUNTERS.size))
            file.flush()
            self._counters = mmap.mmap(file.fileno(), _COUNTERS.size)
        self.address = ("127.0.0.1", free_port())
        self.process = Mintd(
            "--log-level", "warning", redis=redis, listen=("%s:%d" % self.address,), wait=False,
            env={"LD_PRELOAD": os.environ["COUNT_CALLS"], "MINTD_CALLS": path})
        wait_until(self._is_ready, 10, "/readyz")
        self._connections = [Connection(self.address) for _ in range(connections)]
        self.send_at_once(request_bytes("GET", "/healthz"))

    def _is_ready(self):
        assert self.process.is_alive, self.process.log_text
        try:
            return exchange(self.address, request_bytes("GET", "/readyz")).status == 200
        except OSError:
            return False

    @property
    def allocations(self):
        return _COUNTERS.unpack(self._counters[:])[0]

    @property
    def sends(self):
        """Calls that send, on TCP sockets."""
        return _COUNTERS.unpack(self._counters[:])[1]

    def memory_filled(self):
        """Changes whenever something is read from Redis to be kept."""
        found = _FILLED.findall(exchange(self.address, request_bytes("GET", "/metrics")).body)
        assert len(found) == 5, found
        return found

    def send(self, raw, times):
        """So many requests, one at a time on each of the connections; all must succeed."""
        for _ in range(times // len(self._connections)):
            for connection in self._connections:
                connection.send(raw)
            self._read_responses()

    def send_at_once(self, raw):
        """One request on each connection, all of them there when the server looks: no turn of its loop
        needs more than this one."""
        with self._standing_still():
            for connection in self._connections:
                connection.send(raw)
        self._read_responses()

    def send_in_one_piece(self, raw, times):
        """So many requests on one connection, all of them there when the server looks."""
        connection = self._connections[0]
        with self._standing_still():
            connection.send(raw * times)
        for _ in range(times):
            self._read_response(connection)

    @contextlib.contextmanager
    def _standing_still(self):
        self.process.signal(signal.SIGSTOP)
        wait_until(self._is_stopped, 5, "SIGSTOP")
        yield
        self.process.signal(signal.SIGCONT)

    def _is_stopped(self):
        tasks = glob.glob("/proc/%d/task/*/stat" % self.process.pid)
        return all(") T " in read(task) for task in tasks)

    def _read_responses(self):
        for connection in self._connections:
            self._read_response(connection)

    @staticmethod
    def _read_response(connection):
        response = connection.read_response(check=False)
        assert response.status == 200, response

    def token(self, client):
        return exchange(self.address, form_request("/token", G, [client.basic()])).json()["access_token"]

    def stop(self):
        for connection in self._connections:
            connection.close()
        self.process.signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.process.log_text
        self.process.check_log()


@contextlib.contextmanager
def running(folder, way="url", connections=CONNECTIONS):
    """A Server on a Redis of its own, `redis`. way: "url", or "unix_url"."""
    with RedisServer() as redis:
        install_client(redis, CLIENT)
        install_client(redis, SVC_B)
        server = Server(getattr(redis, way), folder, connections)
        server.redis = redis
        try:
            yield server
            server.stop()
        finally:
            server.process.kill()
