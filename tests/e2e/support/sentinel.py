"""Sentinels: real ones around a master and its replica, and one that says what a test wants.

    with Sentinels() as group:      # a master, a replica, three Sentinels that know both
        group.url                   # redis+sentinel://...
        group.master, group.replica # RedisServers, by what they are now
        group.fail_over()           # as an operator asks for it; returns once all Sentinels agree
    Sentinels(tls=(issued, ca))     # all of them over TLS, with this certificate: rediss+sentinel://...
    with FakeSentinel() as fake:    # fake.answers("mymaster", port, epoch=3)
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from .clients import token_key
from .oauth import wait_until
from .process import leashed
from .redis_server import RedisError, RedisServer, RespConnection, TlsRedis, free_port, server_program

NAME = "mymaster"
DOWN_AFTER_MS = 1000


class Sentinel:
    """One, on a port and a socket of its own."""

    def __init__(self, redis_port, quorum=2, config=(), tls=None, source=None):
        """source: the address that it connects from."""
        self.directory = tempfile.mkdtemp(prefix="mintd-e2e-sentinel-")
        self.socket_path = os.path.join(self.directory, "sentinel.sock")
        self._program = os.path.join(self.directory, "redis-sentinel")
        self._file = os.path.join(self.directory, "sentinel.conf")
        self.port, self.source = free_port(), source
        os.symlink(server_program(), self._program)
        monitor = [] if redis_port is None else ["sentinel monitor %s 127.0.0.1 %d %d" % (NAME, redis_port, quorum),
                                                 *self.timing()]
        with open(self._file, "w", encoding="ascii") as file:
            file.write("\n".join([*self._ports(tls), "bind 127.0.0.1", "unixsocket " + self.socket_path,
                                  "dir " + self.directory, *monitor, *self._source(), *config]) + "\n")
        self._process = None
        self._password = None
        self.start()

    def _ports(self, tls):
        if tls is None:
            return ["port %d" % self.port]
        issued, ca = tls
        return ["port 0", "tls-port %d" % self.port, "tls-cert-file " + issued.file, "tls-key-file " + issued.key,
                "tls-ca-cert-file " + ca, "tls-auth-clients no", "tls-replication yes"]

    def _source(self):
        return ["bind-source-addr " + self.source, "sentinel announce-ip 127.0.0.1",
                "protected-mode no"] if self.source else []

    @staticmethod
    def timing():
        return ["sentinel down-after-milliseconds %s %d" % (NAME, DOWN_AFTER_MS),
                "sentinel failover-timeout %s 4000" % NAME]

    def start(self):
        self._process = subprocess.Popen(leashed(self._program, self._file), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = []
        for line in self._process.stdout:
            output.append(line)
            if re.search(rb"Sentinel ID is|Sentinel new configuration saved", line):
                threading.Thread(target=self._swallow, args=(self._process.stdout,), daemon=True).start()
                break
        else:
            raise RuntimeError("redis-sentinel did not start: " + b"".join(output).decode())

    @staticmethod
    def _swallow(pipe):
        for _ in pipe:
            pass

    def authenticate(self, *words):
        self._password = words

    def cli(self, *arguments):
        connection = RespConnection(self.socket_path)
        try:
            if self._password:
                connection.command("AUTH", *self._password)
            return connection.command(*arguments)
        finally:
            connection.close()

    def names(self):
        """The port of the master that it names."""
        return int(self.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def state(self):
        flat = self.cli("SENTINEL", "MASTER", NAME)
        return dict(zip(flat[::2], flat[1::2]))

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Sentinels:
    def __init__(self, count=3, tls=None, options=(), sources=(), **more):
        """options: more of them for either Redis. sources: addresses; each Redis and each Sentinel connects from one of
        its own."""
        self._scheme = "redis" if tls is None else "rediss"
        sources = iter(sources)
        self.servers = [self._make_server(tls, next(sources, None), "--repl-diskless-sync-delay", "0", *options)
                        for _ in range(2)]
        first, second = self.servers
        second.cli("REPLICAOF", "127.0.0.1", str(first.port))
        wait_until(lambda: "master_link_status:up" in second.cli("INFO", "replication"), 20, "the replica")
        self.each = [Sentinel(first.port, tls=tls, source=next(sources, None), **more) for _ in range(count)]
        wait_until(self.are_ready, 20, "the Sentinels know each other and the replica")

    @staticmethod
    def _make_server(tls, source, *options):
        if tls is None:
            return RedisServer(*options, source=source)
        return TlsRedis(*tls, "--tls-replication", "yes", *options, alone=True)

    def are_ready(self):
        others = str(len(self.each) - 1)
        return all(state["num-other-sentinels"] == others and state["num-slaves"] == "1" and state["flags"] == "master"
                   for state in (sentinel.state() for sentinel in self.each))

    def _server(self, port):
        return next(server for server in self.servers if server.port == port)

    @staticmethod
    def ask(server, *arguments):
        """Over a connection of its own: Sentinels close those of a Redis whose role they change."""
        connection = RespConnection(server.socket_path)
        try:
            return connection.command(*arguments)
        finally:
            connection.close()

    def has_copy(self, server, *tokens):
        return lambda: self.ask(server, "EXISTS", *map(token_key, tokens)) == len(tokens)

    @property
    def url(self):
        return self.url_of(*self.each, scheme=self._scheme)

    @staticmethod
    def url_of(*sentinels, name=NAME, scheme="redis"):
        return "%s+sentinel://%s/%s" % (scheme, ",".join("127.0.0.1:%d" % one.port for one in sentinels), name)

    @property
    def master(self):
        return self._server(self.each[0].names())

    @property
    def replica(self):
        return next(server for server in self.servers if server is not self.master)

    def agree_on(self, server):
        return all(sentinel.names() == server.port for sentinel in self.each)

    def wait_until_named(self, server):
        """By one of them. One that found no majority tries again after twice its failover-timeout."""
        wait_until(lambda: any(sentinel.names() == server.port for sentinel in self.each), 15,
                   "a Sentinel names the new master")

    def settle(self):
        """Until the replica copies from the master, and all are ready for the next fail-over."""
        def settled():
            try:
                return self.are_ready() and "master_link_status:up" in self.ask(self.replica, "INFO", "replication")
            except OSError:  # its role is being changed right now
                return False

        wait_until(settled, 30, "the old master is a replica")

    def fail_over(self):
        """The one asked for it leads; the others hear of it within seconds."""
        promoted, old = self.replica, self.master
        wait_until(lambda: self.agree_on(promoted) or self._begin(old), 60, "the Sentinels agree")
        self.ask(old, "REPLICAOF", "127.0.0.1", promoted.port)  # they would do so ten seconds later

    def _begin(self, old):
        self.begin_fail_over(old)
        time.sleep(0.05)  # each look asks all three

    def begin_fail_over(self, old):
        """Asks the first Sentinel for one, unless one is under way or done. A Sentinel on a busy machine gives one up, so
        this is to be asked again until the others agree. Whether it has begun."""
        first = self.each[0]
        if first.names() != old.port or "failover_in_progress" in first.state()["flags"]:
            return True
        try:
            first.cli("SENTINEL", "FAILOVER", NAME)
            return True
        except RedisError as refused:
            assert "INPROG" in str(refused) or "NOGOODSLAVE" in str(refused), refused
            return False

    def close(self):
        for one in [*self.each, *self.servers]:
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeSentinel:
    """Says of every name what the test sets: an address and an epoch; None: it knows no such name."""

    def __init__(self, host="127.0.0.1", port=None, epoch=0):
        self.host, self.master_port, self.epoch = host, port, epoch
        self.error = None
        self.commands = []
        self.speaks = threading.Event()  # cleared: questions get no answer
        self.speaks.set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def names(self, port, epoch):
        with self._lock:
            self.master_port, self.epoch = port, epoch

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while head := stream.readline():
                words = []
                for _ in range(int(head[1:])):
                    size = int(stream.readline()[1:])
                    words.append(stream.read(size + 2)[:-2].decode())
                if words[0] == "SENTINEL":
                    self.speaks.wait()
                connection.sendall(self._reply(words).encode())
        except (OSError, ValueError):
            pass

    def _reply(self, words):
        with self._lock:
            self.commands.append(words)
            if words[0] == "HELLO":
                return "%2\r\n+role\r\n+sentinel\r\n+proto\r\n:3\r\n"
            if words[0] != "SENTINEL":
                return "+OK\r\n"
            if self.error:
                return "-%s\r\n" % self.error
            if words[1] == "MASTER":
                return ("-ERR No such master with that name\r\n" if self.master_port is None else
                        "%%1\r\n+config-epoch\r\n+%d\r\n" % self.epoch)
            return ("_\r\n" if self.master_port is None else
                    "*2\r\n+%s\r\n+%d\r\n" % (self.host, self.master_port))

    def questions(self):
        with self._lock:
            return sum(words[:2] == ["SENTINEL", "GET-MASTER-ADDR-BY-NAME"] for words in self.commands)

    def close(self):
        self.speaks.set()
        for each in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # whoever waits for it holds it open
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
