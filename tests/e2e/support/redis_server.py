"""A real redis-server of the tests' own: free port, unix socket, private directory, no persistence.

    redis = RedisServer()            # runs, and has said that it is ready
    redis.cli("HSET", "mintd:client:x", "scope", "read")   # over a RESP connection that stays open
    redis.url, redis.unix_url        # for mintd --redis
    redis = TlsRedis(issued, ca)     # the same with TLS: redis.url is rediss://, redis.plain_url not
    redis.show(issued)               # new connections see another certificate
    redis.pause(); redis.resume()    # SIGSTOP, SIGCONT
    redis.kill(); redis.restart()    # kill -9; again on the same port, empty
    with redis.monitor() as seen:    # what clients send, as lists of arguments
        ...
        seen.commands()
    redis.close()

Debian packs the server into redis-tools as redis-check-rdb: the name it is started by decides what
it is. Environment: MINTD_REDIS_SERVER, the program of another one, like /usr/bin/valkey-server.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from .process import leashed
from .timing import scaled


class RedisError(Exception):
    """An error reply: str() is its text ("WRONGTYPE …")."""


class RespConnection:
    """One connection to Redis speaking RESP2. Replies: str, int, list or None; errors raise. address: the path
    of a socket, or a port of 127.0.0.1."""

    def __init__(self, address, timeout=5.0):
        if isinstance(address, int):
            self._socket = socket.create_connection(("127.0.0.1", address), scaled(timeout))
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(scaled(timeout))
            self._socket.connect(address)
        self._file = self._socket.makefile("rb")

    def send(self, *arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self._socket.sendall(b"".join(parts))

    def receive(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2].decode("utf-8", "replace")
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.receive() for _ in range(count)]
        raise RedisError("not RESP2: %r" % line)

    def command(self, *arguments):
        self.send(*arguments)
        return self.receive()

    def close(self):
        self._file.close()
        self._socket.close()


_MONITOR_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Monitor:
    """What Redis is asked from now on. commands() is complete up to the moment of its call."""

    def __init__(self, redis):
        self._redis = redis
        self._connection = RespConnection(redis.socket_path)
        assert self._connection.command("MONITOR") == "OK"
        self._seen = []

    def commands(self):
        """All commands so far but the harness's own over the unix socket: [["SETEX", key, …], …]."""
        mark = "monitor-mark-%d" % id(object())
        self._redis.cli("ECHO", mark)
        while True:
            line = self._connection.receive()
            if mark in line:
                return list(self._seen)
            origin = line[line.index("[") + 1 : line.index("]")]
            if "unix:" not in origin:
                self._seen.append(_MONITOR_ARGUMENT.findall(line[line.index("]") + 1 :]))

    def requests(self):
        """Of commands(), those that a request may have caused: not what an instance asks for itself."""
        own = ("HELLO", "AUTH", "SELECT", "CLIENT", "CLUSTER", "PING", "ROLE", "TIME")
        # MULTI and EXEC stand alone.
        return [c for c in self.commands() if c[0].upper() not in own
                and not "".join(c[1:2]).startswith(("mintd:instance", "mintd:identity", "mintd:schema"))]

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def server_program():
    """What to link to by the name that it is to have: redis-server, redis-sentinel."""
    found = os.environ.get("MINTD_REDIS_SERVER") or shutil.which("redis-server") or shutil.which("redis-check-rdb")
    assert found, "no redis-server: apt-get install redis-tools"
    return os.path.abspath(found)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    def __init__(self, *options, runner=(), source=None):
        """Starts it; `options` go to redis-server's command line as they are. runner: a command that
        runs another one. source: the address that it connects from; others may come from such a one then."""
        self._runner = runner
        self.source = source
        self._options = options if source is None else (
            *options, "--bind-source-addr", source, "--replica-announce-ip", "127.0.0.1", "--protected-mode", "no")
        self._process = None
        self._connection = None
        self.directory = tempfile.mkdtemp(prefix="mintd-e2e-redis-")
        self.socket_path = os.path.join(self.directory, "redis.sock")
        self._program = os.path.join(self.directory, "redis-server")
        os.symlink(server_program(), self._program)
        self._start_somewhere()

    def _start_somewhere(self):
        for attempt in range(5):
            self.port = free_port()
            try:
                return self.start()
            except RuntimeError:  # somebody took the port in between
                if attempt == 4:
                    raise

    # ---- life ----

    def start(self, *options, until=rb"ready to accept connections at|accept connections unix"):
        """Starts it on its port, with more options; returns when it has said `until`, an expression:
        that it is ready (this is said last, of the unix socket; Redis 7 and 8 word it otherwise), or
        something earlier."""
        assert self._process is None, "runs already"
        self._process = subprocess.Popen(
            leashed(*self._runner, self._program, "--port", str(self.port), "--bind", "127.0.0.1",
                    "--unixsocket", self.socket_path, "--save", "", "--appendonly", "no",
                    "--dir", self.directory, *self._options, *options),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = []
        for line in self._process.stdout:
            output.append(line)
            if re.search(until, line):
                threading.Thread(target=self._swallow, args=(self._process.stdout,),
                                 daemon=True).start()
                return
        self._forget()
        raise RuntimeError("redis-server did not start: " + b"".join(output).decode())

    @staticmethod
    def _swallow(pipe):
        for _ in pipe:
            pass

    def _forget(self):
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._process:
            self._process.wait()
            self._process = None

    def _signal(self, number):
        if self._process:
            self._process.send_signal(number)

    def stop(self):
        """Ends it in order (SIGTERM)."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        self._forget()

    def kill(self):
        """kill -9: connections to it are reset or closed, new ones refused."""
        self._signal(signal.SIGKILL)
        self._forget()

    def restart(self):
        """Ends it if it runs, and starts it on the same port, empty."""
        self.kill()
        self.start()

    def pause(self):
        """SIGSTOP: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self):
        """None: it does not run."""
        return self._process.pid if self._process else None

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None

    # ---- use ----

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    @property
    def unix_url(self):
        return "unix://" + self.socket_path

    def _connect(self):
        return RespConnection(self.socket_path)

    def cli(self, *arguments):
        """One command as redis-cli would send it, over a connection that stays open; the reply."""
        if self._connection is None:
            self._connection = self._connect()
        try:
            return self._connection.command(*arguments)
        except (OSError, ConnectionError):
            self._connection.close()
            self._connection = None
            raise

    def redis_cli(self, *arguments):
        """The real redis-cli, for tests of what an operator types; its output without the newline."""
        done = subprocess.run(["redis-cli", "-s", self.socket_path, *arguments], check=True,
                              capture_output=True, text=True, timeout=scaled(10))
        return done.stdout.rstrip("\n")

    def keys(self, pattern):
        """All keys that match, sorted."""
        return sorted(self.cli("KEYS", pattern))

    def tokens(self, prefix="mintd:"):
        """The keys of tokens, as a set. One may end at any time: `tokens() - before` are those that were
        made since."""
        return set(self.keys(prefix + "token:*"))

    def monitor(self):
        return Monitor(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TlsRedis(RedisServer):
    """issued: its certificate, tls.Files; ca: the file of who may have signed those of its clients, which it
    asks for where asks is "yes"; options: more of the command line; alone: there is no port without TLS."""

    def __init__(self, issued, ca, *options, asks="no", alone=False):
        self._alone = alone
        self._tls_port = free_port()
        super().__init__("--tls-cert-file", issued.file, "--tls-key-file", issued.key, "--tls-ca-cert-file", ca,
                         "--tls-auth-clients", asks, *options)

    @property
    def tls_port(self):
        return self.port if self._alone else self._tls_port

    def start(self, *options, **more):
        plain = ("--port", "0") if self._alone else ()
        return super().start(*plain, "--tls-port", str(self.tls_port), *options, **more)

    def show(self, issued):
        assert self.cli("CONFIG", "SET", "tls-cert-file", issued.file, "tls-key-file", issued.key) == "OK"

    def drop_clients(self):
        """All but this one."""
        self.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    @property
    def plain_url(self):
        return super().url

    @property
    def url(self):
        return "rediss://127.0.0.1:%d" % self.tls_port
