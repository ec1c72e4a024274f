"""What a goal is measured on: a Redis of its own with the clients of the end-to-end tests, and instances.

    with Stage() as stage:                       # Stage("--appendonly", "yes"): more options of redis-server
        mintd = stage.mintd("--workers", "2")    # serves; ends with the stage
        mintd = stage.quiet_mintd(path)          # the same, with its log in a file that nobody reads meanwhile
        stage.metric(mintd, "mintd_store_connects_total")
"""
import contextlib
import os
import re
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "e2e"))
sys.path.append(os.path.join(TESTS, "bench"))
from processes import cpu_seconds, resident_bytes  # noqa: E402,F401
from support.clients import install_clients  # noqa: E402
from support.http import exchange, request_bytes  # noqa: E402
from support.mintd import Mintd, binary, command_line, environment  # noqa: E402,F401
from support.process import leashed  # noqa: E402
from support.redis_server import RedisServer, free_port  # noqa: E402
from support.timing import scaled  # noqa: E402
from support.wire import Wire  # noqa: E402

READY = request_bytes("GET", "/readyz")


def is_ready(address, timeout=5):
    try:
        with Wire(address, timeout) as wire:
            return wire.ask(READY)[0] == 200
    except (OSError, ValueError):
        return False


def seconds_until(condition, within):
    """How long it took until it was true; `within`, stretched, where it never was."""
    began, limit = time.monotonic(), scaled(within)
    while not condition():
        if time.monotonic() - began > limit:
            return limit
        time.sleep(0.005)
    return time.monotonic() - began


def comes_true(condition, within):
    """Whether it does in time; how far that is stretched may change meanwhile, so seconds do not tell."""
    seen = []
    seconds_until(lambda: seen.append(bool(condition())) or seen[-1], within)
    return seen[-1]


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class QuietMintd:
    """One that the harness does not listen to."""

    def __init__(self, *arguments, redis, log, port=None, runner=(), env=None):
        self.address = ("127.0.0.1", port or free_port())
        self.log_path = log
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                leashed(*runner, *command_line("--log-format", "json", "--listen", "%s:%d" % self.address,
                                               *(() if redis is None else ("--redis", getattr(redis, "url", redis))),
                                               *arguments)),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, env=environment(env))

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_alive(self):
        return self.process.poll() is None

    def exchange(self, raw):
        return exchange(self.address, raw)

    def wait_until_ready(self, at=None, within=10):
        """at: an address of its own, where it shares the other."""
        at = at or self.address
        seconds_until(lambda: is_ready(at) or not self.is_alive, within)
        if not is_ready(at):
            raise RuntimeError("not ready: " + self.log()[-2000:])
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self, within=15):
        """SIGTERM; its exit status."""
        if self.is_alive:
            self.process.terminate()
        try:
            return self.process.wait(scaled(within))
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.is_alive:
            self.process.kill()
        self.process.wait()


class Stage:
    def __init__(self, *redis_options):
        self._stack = contextlib.ExitStack()
        self.redis = self._stack.enter_context(RedisServer(*redis_options))
        install_clients(self.redis)

    def mintd(self, *arguments, **more):
        mintd = Mintd(*arguments, **{"redis": self.redis, **more})
        self._stack.callback(mintd.kill)
        mintd.wait_for_store()
        return mintd

    def quiet_mintd(self, *arguments, ready=None, **more):
        mintd = QuietMintd(*arguments, **{"redis": self.redis, "log": os.devnull, **more})
        self._stack.callback(mintd.kill)
        return mintd.wait_until_ready(ready)

    @staticmethod
    def metric(mintd, name):
        with Wire(mintd.address) as wire:
            text = wire.ask(request_bytes("GET", "/metrics"))[1].decode()
        return float(re.search(r"^%s (\S+)$" % re.escape(name), text, re.M)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()
