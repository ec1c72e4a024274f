"""The real mintd as a child: its log is read as it comes, its end is checked.

    mintd = Mintd(redis=redis)            # listens on a free port of 127.0.0.1, one worker
    mintd.address                         # ("127.0.0.1", 41234), told by the log
    mintd.wait_for_store()                # "store is up"
    mark = mintd.mark(); …; mintd.wait_for_log("store is up", since=mark)
    mintd.request("GET", "/healthz")      # one request on a connection of its own
    mintd.stop()                          # SIGTERM; exit status 0, no sanitizer report, clean log
    mintd.kill()                          # kill -9, nothing checked

Environment: MINTD_BINARY (default build-test/bin/mintd in the repository), MINTD_RUNNER (a command
line to run it under: "valgrind -q --error-exitcode=99 --leak-check=full").

Every line on standard error has to be a JSON object; what a sanitizer or valgrind says is collected
and fails the test. No line may hold a token or one of the secrets of clients.py.
Start it in the main thread: it dies with the thread that started it.
"""
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time

from . import http
from .clients import SECRETS
from .process import leashed
from .timing import scaled

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
TOKEN = re.compile(r"mt[ds]_[0-9A-Za-z]{49}")
_RUNNER_WARNING = re.compile(r"(==|--)[0-9]+(==|--) +Warning:")
ASAN_OPTIONS = "exitcode=99:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
# What ends at once takes its leaks with it; to look for them takes as long as a start.
_NO_LEAKS = ASAN_OPTIONS.replace("detect_leaks=1", "detect_leaks=0")
PATIENT = "2000"  # ms that Redis may take, where a test does not say otherwise: see oauth.brief
_DEFAULT_OPTIONS = {
    "ASAN_OPTIONS": ASAN_OPTIONS,
    "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=99:suppressions=" + os.path.join(os.path.dirname(__file__), "tsan.supp"),
}


def binary():
    return os.path.abspath(os.environ.get("MINTD_BINARY")
                           or os.path.join(REPOSITORY, "build-test", "bin", "mintd"))


def command_line(*arguments):
    return [*shlex.split(os.environ.get("MINTD_RUNNER", "")), binary(), *arguments]


def environment(extra=None):
    """The test's environment without any MINTD_… setting of the outside, plus `extra`. Failed
    authentications are not limited, each refusal is logged, and Redis has time, unless a test says so."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MINTD_")}
    if os.environ.get("MINTD_RUNNER"):  # valgrind knows no seccomp(2), and says so
        kept["MINTD_SANDBOX"] = "off"
    return {**_DEFAULT_OPTIONS, **kept, "MINTD_FAILURE_LIMIT": "0", "MINTD_LOG_REFUSALS": "0",
            "MINTD_REDIS_TIMEOUT": PATIENT, **(extra or {})}


def run(*arguments, env=None, timeout=10):
    """mintd that ends by itself (--help, --check, a wrong flag): a CompletedProcess with texts."""
    return subprocess.run(command_line(*arguments), capture_output=True, text=True, check=False, timeout=scaled(timeout),
                          env=environment({"ASAN_OPTIONS": _NO_LEAKS, **(env or {})}), stdin=subprocess.DEVNULL)


class Mintd:
    def __init__(self, *arguments, redis=None, env=None, listen=("127.0.0.1:0",), workers=1,
                 name=None, wait=True, certificate=None, runner=()):
        """arguments: more of the command line, as it is. redis: a RedisServer or a URL; None leaves
        --redis out. wait: until every listener is open. certificate: a tls.Certificate; what speaks
        to this instance speaks TLS then. runner: a command that runs another one."""
        parts = ["--log-format", "json", "--workers", str(workers)]
        for address in listen:
            parts += ["--listen", address]
        if redis is not None:
            parts += ["--redis", getattr(redis, "url", redis)]
        if name is not None:
            parts += ["--name", name]
        self._workers = workers
        self.tls = certificate.trusting() if certificate else None
        if certificate is not None:
            parts += ["--tls-cert", certificate.file, "--tls-key", certificate.key]
        self._changed = threading.Condition()
        self._lines = []  # parsed objects
        self._foreign = []  # lines that are not JSON
        self._raw = []
        self._ended = False
        self._checked = 0  # lines that check_log() has seen
        self._process = subprocess.Popen(
            leashed(*runner, *command_line(*parts, *arguments)), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(env))
        self._readers = [threading.Thread(target=self._read_log, daemon=True),
                         threading.Thread(target=self._read_output, daemon=True)]
        for reader in self._readers:
            reader.start()
        if wait:
            try:
                for count in range(len(listen)):
                    self.wait_for_log("listening", count=count + 1, timeout=20)
            except AssertionError:
                self.kill()
                raise

    # ---- log ----

    def _read_log(self):
        for line in self._process.stderr:
            text = line.decode("utf-8", "surrogateescape").rstrip("\n")
            try:
                parsed = json.loads(text)
                good = isinstance(parsed, dict) and text.isprintable()
            except ValueError:
                good = False
            with self._changed:
                self._raw.append(text)
                if good:
                    self._lines.append(parsed)
                elif not _RUNNER_WARNING.match(text):
                    self._foreign.append(text)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_output(self):
        for line in self._process.stdout:
            with self._changed:
                self._foreign.append("on standard output: " + line.decode("utf-8", "replace"))

    @property
    def log(self):
        """The lines so far, parsed."""
        with self._changed:
            return list(self._lines)

    @property
    def log_text(self):
        """Everything on standard error so far, as it came."""
        with self._changed:
            return "\n".join(self._raw)

    def mark(self):
        """A place in the log, for `since`."""
        with self._changed:
            return len(self._lines)

    def find_log(self, message, since=0, **fields):
        """The lines with this message (a text, or a predicate of the line) and these fields."""
        test = message if callable(message) else lambda line: line.get("message") == message
        return [line for line in self.log[since:]
                if test(line) and all(line.get(k) == v for k, v in fields.items())]

    def wait_for_log(self, message, timeout=5.0, since=0, count=1, **fields):
        """Waits until `count` such lines stand behind `since`; returns the last of these."""
        deadline = time.monotonic() + scaled(timeout)
        with self._changed:
            while True:
                found = self._find_locked(message, since, fields)
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "mintd ended" if self._ended else "not within %.1f s" % timeout
                    raise AssertionError("no log line %r (%s); the log:\n%s"
                                         % (message, why, "\n".join(self._raw[-40:])))
                self._changed.wait(left)

    def _find_locked(self, message, since, fields):
        test = message if callable(message) else lambda line: line.get("message") == message
        return [line for line in self._lines[since:]
                if test(line) and all(line.get(k) == v for k, v in fields.items())]

    def wait_for_store(self, since=0, timeout=10.0):
        """The log says it once a worker is there; at the start all of them are waited for, where they are told of."""
        said = self.wait_for_log("store is up", timeout=timeout, since=since)
        deadline = time.monotonic() + scaled(timeout)
        while since == 0 and self._workers > 1:
            response = self.request("GET", "/metrics")
            if response.status != 200 or b"\nmintd_store_links_up %d\n" % self._workers in response.body:
                break
            assert time.monotonic() < deadline, "not every worker has a link to Redis"
            time.sleep(0.01)
        return said

    def check_log(self):
        """No foreign line, no secret; each line with time, level and message."""
        with self._changed:
            foreign, fresh = list(self._foreign), self._raw[self._checked :]
            lines = list(self._lines)
            self._checked = len(self._raw)
        assert not foreign, "not of the log:\n" + "\n".join(foreign)
        for text in fresh:
            assert not TOKEN.search(text), "a token in the log: " + text
            for secret in SECRETS:
                assert secret not in text, "a secret in the log: " + text
        for line in lines[-len(fresh) :] if fresh else ():
            assert {"time", "level", "message"} <= line.keys(), line
            assert line["level"] in ("debug", "info", "warning", "error"), line

    # ---- use ----

    def addresses(self):
        """Of every listener in the order told: (host, port), or the path of a unix socket."""
        return [self._address(line["address"]) for line in self.find_log("listening")]

    @staticmethod
    def _address(text):
        if text.startswith("unix:"):
            return text[len("unix:"):]
        host, port = text.rsplit(":", 1)
        return host.strip("[]"), int(port)

    @property
    def address(self):
        return self.addresses()[0]

    @property
    def url(self):
        """http://127.0.0.1:port, for curl."""
        return "%s://%s:%d" % ("https" if self.tls else "http", *self.address)

    @property
    def pid(self):
        return self._process.pid

    @property
    def is_alive(self):
        return self._process.poll() is None

    def connect(self, timeout=5.0, **more):
        return http.Connection(self.address, timeout, **{"tls": self.tls, **more})

    def exchange(self, raw, head=False, timeout=5.0):
        """One request, as bytes, on a connection of its own: see http.exchange()."""
        return http.exchange(self.address, raw, head, timeout, tls=self.tls)

    def request(self, method, target, fields=(), body=None, **more):
        """The same from its parts: see http.request_bytes()."""
        raw = http.request_bytes(method, target, fields, body, **more)
        return self.exchange(raw, head=method == "HEAD")

    def check_health(self):
        """Alive, answering on a new connection, its log clean."""
        assert self.is_alive, "mintd ended: status %r, log:\n%s" % (self._process.poll(), self.log_text)
        assert self.request("GET", "/healthz").status == 200
        self.check_log()

    # ---- end ----

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout=12.0):
        """Its exit status, once it has ended and its whole log is in."""
        try:
            status = self._process.wait(scaled(timeout))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("still there after %.1f s; the log:\n%s"
                                 % (timeout, self.log_text)) from None
        for reader in self._readers:
            reader.join(scaled(5))
        return status

    def stop(self, timeout=12.0):
        """SIGTERM; asserts a clean end."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        self.check_end(self.wait(timeout))

    def check_end(self, status):
        """What has to be true of an orderly end: status 0, "stopped" in the log, nothing foreign."""
        assert status == 0, "exit status %r; the log:\n%s" % (status, self.log_text)
        assert self.find_log("stopped"), "no \"stopped\" in the log:\n" + self.log_text
        self.check_log()

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(scaled(5))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()
