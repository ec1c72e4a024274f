"""The servers that are measured: mintd and its peers, each with a private folder and a free port."""
import os
import re
import shutil
import sys
import tempfile
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(BENCH))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from support.cluster import Cluster  # noqa: E402
from support.redis_server import RedisError, RedisServer, RespConnection, TlsRedis, free_port  # noqa: E402,F401
from support.sentinel import Sentinels  # noqa: E402
from support.tls import Authority, Certificate  # noqa: E402

import exchange  # noqa: E402
import tokens  # noqa: E402
from processes import (BenchError, Child, LOAD_CORES, SERVER_CORES, cpu_seconds,  # noqa: E402
                       move, resident_bytes, threads)

MINTD = os.path.join(ROOT, "build-release", "bin", "mintd")
START_SECONDS = 10


class Server:
    """A server on a port of 127.0.0.1. stop() ends it and removes its folder. tls: the context of its clients,
    where it speaks TLS."""

    name = ""
    tls = None
    ready_path = "/"
    ready_status = (200,)

    def __init__(self, redis=None, workers=1, cores=frozenset(SERVER_CORES), prepared=True):
        self.redis = redis
        self.workers = workers
        self.cores = cores
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="mintd-bench-")
        # nginx' workers run as nobody, and want to pass.
        os.chmod(self.folder, 0o755)
        try:
            began = time.monotonic()
            self.child = Child(self.name, self.arguments(), self.path("log"), cores, self.environment(), prepared)
            self._wait()
            self.seconds_to_ready = time.monotonic() - began
        except BaseException:
            self.stop()
            raise

    def arguments(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.child.check_alive()
            status = exchange.status_or_none(self, self.ready_path)
            if status in self.ready_status:
                return
            if time.monotonic() > deadline:
                raise BenchError("%s did not get ready: status %s" % (self.name, status))
            time.sleep(0.001)

    @property
    def pid(self):
        return self.child.pid

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def resident_bytes(self):
        return resident_bytes(self.pid)

    def threads(self):
        return threads(self.pid)

    def stop(self):
        if hasattr(self, "child"):
            self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mintd(Server):
    """With default flags but address, Redis and `options`: the log is a file's, as a service manager has it.
    There is a worker for each core that it may use, which is the default."""

    name = "mintd"
    ready_path = "/readyz"

    def __init__(self, redis, *options, certificate=None, **more):
        self._options = list(options)
        if certificate is not None:
            self._options += ["--tls-cert", certificate.file, "--tls-key", certificate.key]
            self.tls = certificate.trusting()
        super().__init__(redis, **more)

    def arguments(self):
        workers = [] if self.workers == len(self.cores) else ["--workers", str(self.workers)]
        return [MINTD, "--listen", "127.0.0.1:%d" % self.port, "--redis", self.redis.url, *workers, *self._options]


class Nginx(Server):
    """Answers every request with the same 200 and body. Its access log is that of Debian's nginx.conf, but
    buffered, which costs it less; log=False: none."""

    name = "nginx"

    def __init__(self, body, log=True, certificate=None, **more):
        self._body = body
        self._log = "access.log combined buffer=64k flush=1s" if log else "off"
        self._secure, self._tls = "", ""
        if certificate is not None:
            self._secure = " ssl"
            self._tls = "ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3;" % (
                certificate.file, certificate.key)
            self.tls = certificate.trusting()
        super().__init__(**more)

    def arguments(self):
        configuration = """
            daemon off;
            worker_processes %d;
            worker_rlimit_nofile 16384;
            pid nginx.pid;
            error_log error.log;
            events { worker_connections 12000; }
            http {
                access_log %s;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                keepalive_requests 1000000000;
                server {
                    listen 127.0.0.1:%d backlog=4096%s%s;
                    %s
                    default_type application/json;
                    location / { return 200 '%s'; }
                }
            }
            """ % (self.workers, self._log, self.port, " reuseport" if self.workers > 1 else "", self._secure,
                   self._tls, self._body)
        return ["nginx", "-p", self.folder, "-e", self.path("error.log"),
                "-c", self.write("nginx.conf", configuration)]


class Webdis(Server):
    name = "webdis"
    ready_path = "/PING"

    def arguments(self):
        configuration = """{
            "redis_host": "127.0.0.1", "redis_port": %d, "http_host": "127.0.0.1", "http_port": %d,
            "threads": %d, "daemonize": false, "database": 0, "acl": [], "verbosity": 0,
            "logfile": "%s"}""" % (self.redis.port, self.port, self.workers, self.path("webdis.log"))
        return ["webdis", self.write("webdis.json", configuration)]


class Express(Server):
    """The tutorial's server: see node/server.js."""

    name = "Express"
    ready_path = "/secret"
    ready_status = (401,)

    def arguments(self):
        return ["node", os.path.join(BENCH, "node", "server.js"), str(self.port), self.redis.url]

    def environment(self):
        return {"NODE_ENV": "production", "BENCH_SECRET": tokens.SECRET}


class MeasuredRedis:
    """What is measured of a Redis of the bench's own, with the client installed."""

    name = "Redis"

    def settle(self, cores):
        self.cores = cores
        move(self.pid, cores)
        tokens.install_client(self)

    def info(self, section):
        lines = self.cli("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def resident_bytes(self):
        return resident_bytes(self.pid)

    def threads(self):
        return threads(self.pid)

    def commands(self):
        """The commands that it has processed so far, without this one."""
        return int(self.info("stats")["total_commands_processed"])

    def wakes(self):
        """How often it has gone to sleep, and so was woken."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", file.read(), re.M).group(1))

    def traffic(self):
        """Commands, bytes both ways, reads of a connection, and wake-ups so far. They have this question in
        them."""
        stats = self.info("stats")
        return {"commands": int(stats["total_commands_processed"]),
                "bytes": int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"]),
                "reads": int(stats["total_reads_processed"]), "wakes": self.wakes()}


class Redis(MeasuredRedis, RedisServer):
    def __init__(self, cores=frozenset(LOAD_CORES)):
        super().__init__()
        self.settle(cores)


class RedisOverTls(MeasuredRedis, TlsRedis):
    """authority: the file of who has signed its certificate."""

    def __init__(self, cores=frozenset(LOAD_CORES)):
        self._folder = tempfile.mkdtemp(prefix="mintd-bench-")
        authority = Authority(self._folder, "authority")
        self.authority = authority.file
        super().__init__(authority.issue("redis", "IP:127.0.0.1"), authority.file)
        self.settle(cores)

    def close(self):
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


class RedisOfMany:
    """What is measured of all that has the data."""

    def take(self, nodes, cores):
        self.cores = cores
        self.pids = [node.pid for node in nodes]
        for pid in self.pids:
            move(pid, cores)
        tokens.install_client(self)

    def cpu_seconds(self):
        return sum(cpu_seconds(pid) for pid in self.pids)

    def commands(self):
        """The commands that all of them have processed so far, without this one."""
        counted = 0
        for node in self.measured():
            lines = node.cli("INFO", "stats").splitlines()
            counted += int(dict(line.split(":", 1) for line in lines if ":" in line)["total_commands_processed"])
        return counted - (len(self.measured()) - 1) * self._asked()

    def _asked(self):
        """Each of the others counts the INFO of every time that it was asked."""
        self._times = getattr(self, "_times", 0) + 1
        return self._times


class RedisCluster(RedisOfMany, Cluster):
    """So many masters, without replicas."""

    def __init__(self, masters, cores=frozenset(LOAD_CORES)):
        super().__init__(masters)
        self.take(self.nodes, cores)

    def measured(self):
        return self.nodes


class RedisBehindSentinels(RedisOfMany, Sentinels):
    """A master, its replica and three Sentinels."""

    def __init__(self, cores=frozenset(LOAD_CORES)):
        super().__init__()
        self.take([self.master], cores)

    def cli(self, *arguments):
        return self.master.cli(*arguments)

    def measured(self):
        return [self.master]
