"""A rolling restart: an instance goes and another one comes, behind a balancer, or on the same port."""
import contextlib
import json
import subprocess
import sys
import time

from goal import LONG_OF_CI, AtLeast, AtMost, ByForm, Goal, Run, least
from open_loop import Load, may_open, unserved
from proxies import gateways, started
from resources import MINT
from stage import Stage, is_ready, seconds_until
from support.clients import bearer, token_of
from support.http import request_bytes
from support.redis_server import free_port

# ---- behind HAProxy ----

# HAProxy opens a descriptor for each side of a connection: of 20,000 that a process may have here.
MAXCONN = "maxconn 4096", "maxconn 9800"
AT_ONCE = 6000  # new connections, where the load is late
GOING = ("--log-level", "error", "--workers", "1", "--drain-delay", "2")


class Front:
    """HAProxy, with two instances behind it that take turns in going."""

    def __init__(self, stage, stack):
        self._stage, self.bad, self.restarts = stage, 0, 0
        self._mintds = [stage.quiet_mintd(*GOING) for _ in range(2)]
        file, replacements = gateways.MACHINES
        balancer = stack.enter_context(started(
            lambda: gateways.Balancer((file, {**replacements, MAXCONN[0]: MAXCONN[1]}), self._mintds)))
        self.address = ("127.0.0.1", balancer.port)
        seconds_until(lambda: is_ready(self.address), 20)

    def token(self):
        return token_of(self._mintds[0])

    def restart(self, is_asked):
        """SIGTERM, and another on its port, which HAProxy has taken in once it mints."""
        number = self.restarts % 2
        port = self._mintds[number].address[1]
        self.bad += self._mintds[number].end() != 0
        self._mintds[number] = new = self._stage.quiet_mintd(*GOING, port=port)
        seconds_until(lambda: not is_asked() or self._stage.metric(new, "mintd_tokens_minted_total") > 0, 20)
        self.restarts += 1


def told(run, where, kept, fresh):
    """How many failed; what of them is worth a line."""
    failed, new = unserved(kept), unserved(fresh)
    run.say("%s: on kept connections %s, on new ones %s; %d sent again, on a connection that was just closed; the load was %.0f ms late at most"
            % (where, failed[1] or "nothing failed", new[1] or "nothing failed", kept["resent"], max(kept["late_ms"], fresh["late_ms"])))
    return failed[0] + new[0]


def restarted(run, where, place, kept, fresh, seconds, every_s=0):
    """So many connections that are kept and ask every five seconds, and so many new ones a second, while it restarts again and
    again: what is told of it."""
    requests = [MINT, request_bytes("GET", "/secret", [bearer(place.token())])]
    with Load(place.address, requests, [(kept / 5, seconds)], kept, "--resend") as keeping, \
            Load(place.address, requests, [(fresh, seconds)], AT_ONCE, "--fresh") as coming:
        while keeping.is_running() and coming.is_running():
            due = time.monotonic() + every_s
            place.restart(coming.is_running)
            time.sleep(max(0, due - time.monotonic()))
        there, new = keeping.phases()[0], coming.phases()[0]
    return {"restarts " + where: place.restarts, "ends that were not good " + where: place.bad,
            "new connections " + where: new["due"], "requests on kept ones " + where: there["due"],
            "failed " + where: told(run, where, there, new), "% sent again " + where: 100 * there["resent"] / there["due"]}


BEHIND = "behind HAProxy"


def behind_a_balancer(run):
    may_open(12_000)
    with Stage() as stage, contextlib.ExitStack() as stack:
        return restarted(run, BEHIND, Front(stage, stack), *run.size((500, 500, 14), (9_000, 5_000, 400)))


# ---- on one port ----

SHARING = ("--reuse-port", "--log-level", "error", "--workers", "2", "--max-connections", "16000", "--max-connections-per-address", "0")
EVERY_S = 1.2  # a restart: its kept connections are back
ON_ONE = "on one port"


class OnePort:
    """The program that serves a port, and the one that comes after it."""

    def __init__(self, stage):
        self._stage, self._port = stage, free_port()
        self.bad = self.restarts = 0
        self.address = ("127.0.0.1", self._port)
        self._mintd = self._start()

    def _start(self):
        """It serves, asked at an address of its own."""
        own = ("127.0.0.1", free_port())
        return self._stage.quiet_mintd(*SHARING, "--metrics-listen", "%s:%d" % own, port=self._port, ready=own)

    def token(self):
        return token_of(self._mintd)

    def end(self):
        return self._mintd.end()

    def restart(self, _):
        old, self._mintd = self._mintd, self._start()
        self.bad += old.end() != 0
        self.restarts += 1


# A network of its own, where the kernel hands over what a socket that closes has not accepted yet, if $1 is 1.
_ALONE = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c",
          'ip link set lo up && echo "$1" >/proc/sys/net/ipv4/tcp_migrate_req && shift && exec "$@"', "sh"]


def hands_over(how):
    """The beginning of a command; nothing where no user may have namespaces: as the kernel's default is."""
    possible = subprocess.run([*_ALONE, how, "true"], capture_output=True, check=False).returncode == 0
    return [*_ALONE, how] if possible else []


def on_one_port_alone(run, how, *sizes):
    """In a process of its own: this file as a program."""
    words = [*hands_over(how), sys.executable, __file__, *map(str, sizes)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    *said, seen = done.stdout.splitlines()
    for line in said:
        run.say(line)
    return json.loads(seen)


def on_one_port(run):
    seen = on_one_port_alone(run, "1", *run.size((1000, 1000, 8), (10_000, 10_000, 240)))
    if run.full:
        without = on_one_port_alone(run, "0", 10_000, 10_000, 100)
        seen["of %d failed without tcp_migrate_req" % without["new connections " + ON_ONE]] = without["failed " + ON_ONE]
    return seen


def one_port(run, *sizes):
    may_open(13_000)
    with Stage() as stage:
        place = OnePort(stage)
        seen = restarted(run, ON_ONE, place, *sizes, every_s=EVERY_S)
        assert place.end() == 0
    return seen


def rolling(run):
    return {**behind_a_balancer(run), **on_one_port(run)}


def bounds(where, restarts):
    return {"restarts " + where: least(restarts, 75), "ends that were not good " + where: AtMost(0),
            "new connections " + where: least(5000, 1_000_000),
            "requests on kept ones " + where: AtLeast(500), "failed " + where: AtMost(0), "% sent again " + where: ByForm(AtMost(10), AtMost(25))}


GOALS = [
    Goal("G-20", "an instance that goes is not missed", "restarts again and again of two instances behind HAProxy "
         "(deploy/examples/haproxy-replicas.cfg), 14 s (full: 400 s), then on one port (--reuse-port, tcp_migrate_req), 8 s (full: 240 s). Meanwhile "
         "500 connections are kept behind HAProxy and 1,000 on one port (full: 9,000 and 10,000: more open files than 20,000 "
         "are not to be had) and ask each five seconds, and as many new ones come a second (full: 5,000 and 10,000), with "
         "mints and validations; a request that crosses the end of a kept connection is sent once more",
         {**bounds(BEHIND, 2), **bounds(ON_ONE, 3)}, rolling, ci=LONG_OF_CI),
]

if __name__ == "__main__":
    print(json.dumps(one_port(Run(False, 0), *map(int, sys.argv[1:]))))
