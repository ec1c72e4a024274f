"""Load: one target for some seconds, and what each request cost; several targets in turns."""
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import time

import exchange
from peers import BENCH, ROOT
from processes import BenchError, LOAD_CORES, WrongAnswers, on_cores

HANDSHAKES = os.path.join(ROOT, "build-release", "bench-handshakes")

WARM_UP_SECONDS = 1
# A slow answer counts as slow; only one that never comes counts as a failure.
TIMEOUT = "20s"
# wrk counts from the first connection on, and opening so many takes a while.
MANY_CONNECTIONS, MANY_SECONDS = 1000, 4
MOST_SPOILT = 3


@dataclasses.dataclass
class Target:
    """A server, what it is asked, and over how many connections."""

    title: str
    server: object
    request: exchange.Request
    redis: object = None  # whose CPU is counted too
    connections: int = 64
    settings: dict = dataclasses.field(default_factory=dict)  # of load.lua
    probe: exchange.Request = None  # where the request is a pattern: one of it
    is_beside: bool = False  # the load is on the server's own cores: a thread of it and so many connections for each

    @property
    def load_cores(self):
        return self.server.cores if self.is_beside else LOAD_CORES

    def check(self):
        """Asks once, and looks at the answer."""
        request = self.probe or self.request
        status, answer = exchange.ask(self.server, request)
        if status != 200 or request.expected.encode() not in answer:
            raise BenchError("%s: %s %s was answered %r"
                             % (self.title, request.method, request.path, answer[:300]))

    def load(self, seconds):
        """Requests for so long, longer where there are many connections, with wrk; what wrk counted."""
        if self.connections >= MANY_CONNECTIONS:
            seconds = max(seconds, MANY_SECONDS)
        request = self.request
        threads = len(self.load_cores)
        command = ["wrk", "-t%d" % threads, "-c%d" % (self.connections * threads), "-d%ds" % seconds]
        for field in request.headers:
            command += ["-H", "%s: %s" % field]
        command += ["--timeout", TIMEOUT, "-s", os.path.join(BENCH, "load.lua"),
                    "%s://127.0.0.1:%d%s" % ("http" if self.server.tls is None else "https", self.server.port,
                                          request.path)]
        settings = {"BENCH_METHOD": request.method, **self.settings}
        if request.body:
            settings["BENCH_BODY"] = request.body
        return self._run(command, seconds, settings)

    def _run(self, command, seconds, settings=None, given=""):
        done = subprocess.run(command, env={**os.environ, **(settings or {})}, input=given, capture_output=True,
                              text=True, timeout=seconds + 60, preexec_fn=on_cores(self.load_cores), check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("bench ")]
        if done.returncode != 0 or len(lines) != 1:
            raise BenchError("%s: %s ended with status %d: %s" % (
                self.title, os.path.basename(command[0]), done.returncode, (done.stdout + done.stderr)[-300:]))
        counted = json.loads(lines[0][len("bench "):])
        check_counts(self.title, counted)
        return counted

    def measure(self, seconds):
        self.check()
        meter = Meter(self.server, self.redis)
        sample = meter.sample(self.load(seconds))
        self.check()
        return sample


@dataclasses.dataclass
class HandshakeTarget(Target):
    """A request is a connection of its own here: TCP, the handshake, the request, and the end."""

    connections: int = 8
    kind: str = "full"  # or "resumed"

    def load(self, seconds):
        request = dataclasses.replace(self.request, headers=(*self.request.headers, ("Connection", "close")))
        return self._run([HANDSHAKES, str(self.server.port), str(seconds), str(self.connections), self.kind],
                         seconds, given=request.bytes(self.server.port).decode())


def check_counts(title, counted):
    if counted["refused"] or counted["broken"] or counted["timeouts"]:
        raise WrongAnswers("%(title)s: of %(requests)d requests %(refused)d were answered otherwise than 2xx; "
                         "%(broken)d connections broke; %(timeouts)d timed out" % {"title": title, **counted})
    if counted["requests"] == 0:
        raise BenchError(title + ": no request was answered")


class Meter:
    """CPU of a server and its Redis, and what Redis was asked, from start on."""

    def __init__(self, server, redis):
        self._server, self._redis = server, redis
        self._traffic = _traffic(redis)
        self._redis_cpu = redis.cpu_seconds() if redis else 0
        self._cpu = server.cpu_seconds()
        self._started = time.monotonic()

    def sample(self, counted):
        """What wrk counted, as one measurement; times in microseconds."""
        passed = time.monotonic() - self._started
        cpu = self._server.cpu_seconds() - self._cpu
        requests = counted["requests"]
        sample = {"rate": requests / counted["seconds"], "p50": counted["p50"], "p99": counted["p99"],
                  "cpu": cpu / requests * 1e6, "busy": cpu / passed,
                  "resident": self._server.resident_bytes()}
        if self._redis:
            sample["redis_cpu"] = (self._redis.cpu_seconds() - self._redis_cpu) / requests * 1e6
            now = _traffic(self._redis)
            now["commands"] -= 1  # the question before
            for name, count in now.items():
                sample["redis_" + name] = (count - self._traffic[name]) / requests
        return sample


def _traffic(redis):
    if redis is None:
        return {}
    return redis.traffic() if hasattr(redis, "traffic") else {"commands": redis.commands()}


@dataclasses.dataclass
class RedisTarget:
    """Redis itself, asked by redis-benchmark: what any server in front of it adds to."""

    title: str
    server: object
    command: tuple
    connections: int = 64
    rate: int = 100000  # what it is taken to do a second; redis-benchmark counts requests, not time

    def check(self):
        """redis-benchmark counts errors as answers; asked this way they raise."""
        if not self.server.cli(*self.command):
            raise BenchError(self.title + ": Redis has no answer")

    def load(self, seconds):
        arguments = ["redis-benchmark", "-p", str(self.server.port), "-c", str(self.connections),
                     "-n", str(seconds * self.rate), "-r", "1000000000", "--csv", *self.command]
        started = time.monotonic()
        done = subprocess.run(arguments, capture_output=True, text=True, check=False,
                              timeout=seconds * 20 + 60, preexec_fn=on_cores(LOAD_CORES))
        passed = time.monotonic() - started
        rows = [line.strip('"').split('","') for line in done.stdout.splitlines()]
        if done.returncode != 0 or len(rows) != 2:
            raise BenchError("%s: redis-benchmark: %s" % (self.title, (done.stdout + done.stderr)[-300:]))
        row = dict(zip(*rows))
        return {"requests": seconds * self.rate, "seconds": passed, "rate": float(row["rps"]),
                "p50": float(row["p50_latency_ms"]) * 1000, "p99": float(row["p99_latency_ms"]) * 1000}

    def measure(self, seconds):
        self.check()
        meter = Meter(self.server, None)
        counted = self.load(seconds)
        self.check()
        return {**meter.sample(counted), "rate": counted["rate"]}


def medians(samples):
    """One row: of each number the median, and all rounds beside it."""
    row = {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
    return {**row, "rounds": samples}


def measure(target, plan):
    """A turn with a wrong answer is made again, and told of, a few times in a run: with default flags a machine
    that stands still for 250 ms is enough for a 503."""
    try:
        return target.measure(plan.seconds)
    except WrongAnswers as problem:
        plan.spoilt.append(str(problem))
        plan.say("  AGAIN: %s" % problem)
        if len(plan.spoilt) > MOST_SPOILT:
            raise
        return target.measure(plan.seconds)


def take_turns(targets, plan):
    """Rows by title. The targets are measured in turns (A B C A B C …), so that a machine that is slower for
    a while is so for all."""
    samples = {target.title: [] for target in targets}
    for target in targets:
        target.check()
        with contextlib.suppress(WrongAnswers):  # of a cold server; a measured turn has to be right
            target.load(WARM_UP_SECONDS)
    for number in range(plan.rounds):
        plan.look_at_phase()
        for target in targets:
            sample = measure(target, plan)
            samples[target.title].append(sample)
            plan.say("  round %d: %-34s %8.0f requests/s, %6.2f us of CPU each"
                     % (number + 1, target.title, sample["rate"], sample["cpu"]))
    return {title: medians(rows) for title, rows in samples.items()}
