"""A rolling restart: an instance goes and another one comes, behind a balancer, or on the same port."""
import collections
import threading
import time

from goal import LONG_OF_CI, AtLeast, AtMost, ByForm, Goal
from open_loop import Load, may_open, unserved
from proxies import gateways, started
from resources import MINT
from stage import Stage, is_ready, scaled, seconds_until
from support.clients import bearer, token_of
from support.http import request_bytes
from support.redis_server import free_port
from support.wire import Wire

# ---- behind HAProxy ----

RATE = 500  # requests a second
CALLERS = 8
KEPT = 25  # requests of a connection, then a new one


class Callers:
    """They ask at their times, whatever the answers take; the time of each runs from when it was due."""

    def __init__(self, address):
        self._address, self._stop = address, threading.Event()
        self.counts, self.slowest = collections.Counter(), 0.0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def _call(self, number):
        due, wire, asked = time.monotonic() + number / RATE, None, 0
        while not self._stop.wait(max(0, due - time.monotonic())):
            try:
                if asked % KEPT == 0 and wire:
                    wire.close()
                    wire = None
                asked += 1
                wire = wire or Wire(self._address)
                status = wire.ask(MINT)[0]
            except (OSError, ValueError):
                status, wire = "no answer", None
            with self._lock:
                self.counts[status] += 1
                self.slowest = max(self.slowest, time.monotonic() - due)
            due += CALLERS / RATE
        if wire:
            wire.close()

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(scaled(15))


def restart(stage, mintds, number, arguments):
    """SIGTERM, its exit status, and another on its port."""
    address = mintds[number].address
    status = mintds[number].end()
    mintds[number] = stage.quiet_mintd(*arguments, port=address[1])
    return status


def behind_a_balancer(run):
    arguments = ("--log-level", "error", "--workers", "1", "--drain-delay", "2")
    rounds, bad = run.size(4, 100), 0
    with Stage() as stage:
        mintds = [stage.quiet_mintd(*arguments) for _ in range(2)]
        with started(lambda: gateways.Balancer(gateways.MACHINES, mintds)) as balancer:
            front = ("127.0.0.1", balancer.port)
            seconds_until(lambda: is_ready(front), 20)
            callers = Callers(front)
            try:
                for turn in range(rounds):
                    bad += restart(stage, mintds, turn % 2, arguments) != 0
                    before = callers.counts[200]
                    seconds_until(lambda was=before: callers.counts[200] > was + 2 * RATE, 20)  # HAProxy has seen it
            finally:
                callers.end()
    good = callers.counts.pop(200)
    run.say("what failed: %s; slowest %.0f ms after it was due" % (dict(callers.counts) or "nothing", 1000 * callers.slowest))
    return {"restarts": rounds, "ends that were not good": bad, "requests answered": good,
            "failed": sum(callers.counts.values())}


# ---- on one port ----

SHARING = ("--reuse-port", "--log-level", "error", "--workers", "2", "--max-connections", "16000", "--max-connections-per-address", "0")
EVERY_S = 1.2  # a restart: its kept connections are back


class OnePort:
    """The program that serves a port, and the one that comes after it."""

    def __init__(self, stage):
        self._stage, self._port = stage, free_port()
        self.bad = self.restarts = 0
        self.mintd = self._start()

    def _start(self):
        """It serves, asked at an address of its own."""
        own = ("127.0.0.1", free_port())
        mintd = self._stage.quiet_mintd(*SHARING, "--metrics-listen", "%s:%d" % own, port=self._port, ready=own)
        return mintd

    def restart(self):
        old, self.mintd = self.mintd, self._start()
        self.bad += old.end() != 0
        self.restarts += 1


def on_one_port(run):
    fresh, kept, seconds = run.size((1000, 1000, 8), (10_000, 10_000, 150))
    may_open(kept + 3000)
    with Stage() as stage:
        place = OnePort(stage)
        requests = [MINT, request_bytes("GET", "/secret", [bearer(token_of(place.mintd))])]
        with Load(place.mintd.address, requests, [(kept / 10, seconds)], kept, "--resend") as keeping, \
                Load(place.mintd.address, requests, [(fresh, seconds)], 2000, "--fresh") as coming:
            while coming.is_running() and keeping.is_running():
                due = time.monotonic() + EVERY_S
                place.restart()
                time.sleep(max(0, due - time.monotonic()))
            there, new = keeping.phases()[0], coming.phases()[0]
        assert place.mintd.end() == 0
    failed = {name: unserved(phase) for name, phase in (("kept", there), ("new", new))}
    run.say("one port: on kept connections %s, on new ones %s; %d sent again, on a connection that was just closed; the load was %.0f ms late at most"
            % (failed["kept"][1] or "nothing failed", failed["new"][1] or "nothing failed", there["resent"],
               max(there["late_ms"], new["late_ms"])))
    return {"restarts on one port": place.restarts, "ends there that were not good": place.bad,
            "new connections": new["due"], "requests on kept ones": there["due"], "failed there": failed["kept"][0] + failed["new"][0]}


def rolling(run):
    return {**behind_a_balancer(run), **on_one_port(run)}


GOALS = [
    Goal("G-20", "an instance that goes is not missed", "4 (full: 100) rolling restarts of two instances behind HAProxy "
         "(deploy/examples/haproxy-replicas.cfg), with 500 mints a second on connections that are kept for 25 requests. Then "
         "restarts on one port (--reuse-port), with 1,000 (full: 10,000) kept connections and as many new ones a second, "
         "8 s (full: 150 s); a request on a kept connection that was just closed is sent once more",
         {"restarts": AtLeast(4), "ends that were not good": AtMost(0), "requests answered": AtLeast(2000), "failed": AtMost(0),
          "restarts on one port": ByForm(AtLeast(3), AtLeast(100)), "ends there that were not good": AtMost(0),
          "new connections": ByForm(AtLeast(5000), AtLeast(1_000_000)), "requests on kept ones": AtLeast(500), "failed there": AtMost(0)},
         rolling, ci=LONG_OF_CI),
]
