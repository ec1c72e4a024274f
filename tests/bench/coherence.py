"""How soon a revocation is seen by another instance, and how long memory is trusted when Redis is silent."""
import contextlib
import os
import subprocess
import threading
import time

import exchange
import tokens
from exchange import Connection, form
from load import Target
from peers import Mintd
from plan import Stage
from processes import BenchError, LOAD_CORES
from scenarios import PATIENT, live_token, secret

GIVE_UP_SECONDS = 10
PRIORITY = -15
# Between two questions of the watcher: it is not to be the load itself.
ASK_AGAIN_SECONDS = 0.0001
# Before each revocation, so that it meets an instance that is as busy as the load can make it.
PAUSE_SECONDS = 0.01


@contextlib.contextmanager
def ahead_of_the_load(plan, *servers):
    """This thread and the servers do not wait for a core behind the load, as if they had one of their own."""
    threads = [threading.get_native_id(), *(thread for server in servers for thread in server.threads())]
    before = {thread: os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
    try:
        for thread in threads:
            os.setpriority(os.PRIO_PROCESS, thread, PRIORITY)
    except PermissionError:
        plan.say("  without root all wait behind the load: what is measured is more than the truth")
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            for thread, priority in before.items():
                os.setpriority(os.PRIO_PROCESS, thread, priority)


class Watched:
    """How busy a server was, from start on."""

    def __init__(self, server):
        self._server = server
        self._cpu, self._started = server.cpu_seconds(), time.monotonic()

    def share(self):
        return (self._server.cpu_seconds() - self._cpu) / (time.monotonic() - self._started)


class Watcher:
    """Asks instance B with a token, over and over."""

    def __init__(self, mintd):
        self._port = mintd.port
        self._connection = Connection(mintd)

    def status(self, token):
        return self._connection.ask(secret(token).bytes(self._port))[0]

    def accepted(self, token):
        """Twice, so that the second answer is from memory where there is one."""
        statuses = [self.status(token), self.status(token)]
        if statuses != [200, 200]:
            raise BenchError("a live token was answered %d and %d" % tuple(statuses))

    def seconds_until_refused(self, token, since):
        while True:
            status = self.status(token)
            now = time.monotonic()
            if status == 401:
                break
            if status != 200 or now - since > GIVE_UP_SECONDS:
                raise BenchError("a revoked token was answered %d after %.1f s" % (status, now - since))
            time.sleep(ASK_AGAIN_SECONDS)
        if self.status(token) != 401:
            raise BenchError("a revoked token was refused, and then accepted again")
        return now - since


def by_revoke(mintd):
    """POST /revoke at that instance."""
    connection = Connection(mintd)

    def revoke(token):
        request = form("/revoke", "token=" + token.decode(), "{}")
        status, answer = connection.ask(request.bytes(mintd.port))
        if status != 200:
            raise BenchError("/revoke was answered %r" % answer[:300])

    return revoke


def by_del(redis):
    def revoke(token):
        if redis.cli("DEL", tokens.key_of(token)) != 1:
            raise BenchError("Redis had no such token")

    return revoke


def revoke_each(watcher, revoke, texts):
    """Seconds from the start of each revocation to the first refusal."""
    latencies = []
    for token in texts:
        watcher.accepted(token)
        time.sleep(PAUSE_SECONDS)
        started = time.monotonic()
        revoke(token)
        latencies.append(watcher.seconds_until_refused(token, started))
    return latencies


class BackgroundLoad:
    """wrk on an instance, until the block ends; its answers are looked at then."""

    def __init__(self, target):
        self._target = target
        self._done = threading.Event()
        self._problem = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._done.is_set():
                self._target.load(1)
        except (BenchError, subprocess.SubprocessError) as problem:
            self._problem = problem

    def __enter__(self):
        self._target.check()
        self._thread.start()

    def __exit__(self, kind, *_):
        self._done.set()
        self._thread.join()
        if self._problem and kind is None:
            raise self._problem


def revocation(plan):
    """A, which revokes, is beside Redis and the load; B, which is asked, has the other core for itself.
    A, Redis and the watcher go ahead of the load, as if they had a core of their own."""
    with Stage() as stage:
        redis = stage.redis()
        texts = tokens.make(4 * plan.revocations)
        tokens.write(redis, texts)
        a = stage.start(Mintd, redis, *PATIENT, cores=LOAD_CORES)
        b = stage.start(Mintd, redis, *PATIENT)
        load = Target("load on B", b, secret(live_token(redis)))
        ways = (("/revoke", by_revoke(a)), ("DEL", by_del(redis)))
        watcher, rows = Watcher(b), {}
        for state in ("idle", "loaded"):
            with BackgroundLoad(load) if state == "loaded" else contextlib.nullcontext():
                for way, revoke in ways:
                    mine = [texts.pop() for _ in range(plan.revocations)]
                    with ahead_of_the_load(plan, a, redis):
                        watched = Watched(b)
                        latencies = sorted(revoke_each(watcher, revoke, mine))
                        busy = watched.share()
                    rows["%s, %s" % (way, state)] = row = {**percentiles(latencies), "busy": busy}
                    plan.say("  %s, %s: p50 %.2f ms, p99 %.2f ms; B's core %.0f %% in use"
                             % (way, state, row["p50"] * 1e3, row["p99"] * 1e3, busy * 100))
        return rows


def percentiles(ordered):
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100],
            "max": ordered[-1], "count": len(ordered), "all": [round(each, 7) for each in ordered]}


def silence(plan):
    """Redis stops (SIGSTOP: its connections stay, nothing is answered). Seconds from then to the last
    answer that was still given."""
    with Stage() as stage:
        redis = stage.redis()
        mintd = stage.start(Mintd, redis)
        token = live_token(redis)
        trusted = []
        for _ in range(plan.silences):
            watcher = Watcher(mintd)
            watcher.accepted(token)
            redis.pause()
            trusted.append(seconds_trusted(watcher, token))
            redis.resume()
            await_ready(mintd)
        plan.say("  trusted for %s s" % ", ".join("%.3f" % each for each in trusted))
        return {"max": max(trusted), "all": trusted}


def seconds_trusted(watcher, token):
    started = last = time.monotonic()
    while True:
        status = watcher.status(token)
        now = time.monotonic()
        if status == 503:
            return last - started
        if status != 200 or now - started > GIVE_UP_SECONDS:
            raise BenchError("Redis silent for %.1f s: answered %d" % (now - started, status))
        last = now
        time.sleep(0.001)


def await_ready(mintd):
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while exchange.status_or_none(mintd, "/readyz") != 200:
        if time.monotonic() > deadline:
            raise BenchError("mintd did not become ready again")
        time.sleep(0.02)
