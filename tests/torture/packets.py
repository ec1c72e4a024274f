"""The network between mintd and Redis fails: packet by packet, by rules of iptables between two namespaces, or by being slow."""
import collections
import contextlib
import subprocess
import time

from goal import LONG_OF_CI, AtLeast, AtMost, Goal, NotHere, Quiet
from resources import MINT
from stage import RedisServer, Stage, install_clients, scaled, seconds_until
from support.clients import bearer, token_key
from support.http import request_bytes
from support.mintd import Mintd
from support.network import Network
from support.slow_link import SlowLink
from support.wire import Wire

DROPPED = ["-j", "DROP"]
HALF = ["-m", "statistic", "--mode", "random", "--probability", "0.5", *DROPPED]
RESET = ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
# Of each: what happens to packets that come to Redis, and to those that come to mintd.
FAULTS = {"dropped": (DROPPED, DROPPED), "dropped on their way to Redis": (DROPPED, None),
          "dropped on their way from Redis": (None, DROPPED), "half of them dropped": (HALF, HALF), "reset": (RESET, None)}
# How long a copy in memory may be trusted without a word from Redis: docs/redis.md.
TRUSTED_S = 2.0
LATE_S = 2


class Distant:
    """A Redis and a mintd with a network between them; both are asked past it, through sockets in the file system."""

    def __init__(self, stack):
        self.network = Network()
        stack.callback(self.network.close)
        self.redis = stack.enter_context(RedisServer("--bind", Network.FAR, "--protected-mode", "no", runner=self.network.far))
        install_clients(self.redis)
        subprocess.run([*self.network.near, "iptables", "--wait", "-A", "OUTPUT", "-o", "wire", "-p", "tcp", "--syn"], check=True)
        self.mintd = Mintd(redis="redis://%s:%d" % (Network.FAR, self.redis.port),
                           env={"MINTD_REDIS_TIMEOUT": "250"}, listen=("unix:%s/mintd.sock" % self.redis.directory,),
                           runner=self.network.near)
        stack.callback(self.mintd.kill)
        self.mintd.wait_for_store()

    def attempts(self):
        """Packets that began a connection to Redis; those that are sent again too."""
        listed = subprocess.run([*self.network.near, "iptables", "--wait", "-vnxL", "OUTPUT"], check=True, capture_output=True,
                                text=True).stdout
        return int(listed.splitlines()[2].split()[0])

    def _rules(self, verb, rules):
        for runner, rule in zip((self.network.far, self.network.near), rules):
            if rule:
                subprocess.run([*runner, "iptables", "--wait", verb, "INPUT", "-i", "wire", *rule], check=True)

    @contextlib.contextmanager
    def fault(self, rules):
        self._rules("-A", rules)
        try:
            yield
        finally:
            self._rules("-D", rules)


class Late:
    """A Redis and a mintd with a slow wire between them."""

    def __init__(self, stage, stack):
        self.redis, self._link = stage.redis, stack.enter_context(SlowLink(stage.redis.port, 0))
        self.mintd = stage.mintd(redis=self._link.url, env={"MINTD_REDIS_TIMEOUT": "250"})

    def attempts(self):
        return self._link.accepted

    @contextlib.contextmanager
    def fault(self, each_way_s):
        self._link.seconds = 2 * each_way_s
        try:
            yield
        finally:
            self._link.seconds = 0


def ask_for(token):
    return request_bytes("GET", "/secret", [bearer(token)])


def minted(wire):
    status, body = wire.ask(MINT)
    assert status == 200, body
    token = body.split(b'"access_token":"')[1].split(b'"')[0].decode()
    assert wire.ask(ask_for(token))[0] == 200  # there is a copy of it
    return token


def answers(wire, token, until):
    """(when it was asked, status), again and again."""
    while (now := time.monotonic()) < until:
        yield now, wire.ask(ask_for(token))[0]
        time.sleep(0.005)


def endure(distant, wire, rules, seconds):
    """What one fault of so many seconds comes to."""
    good, revoked = minted(wire), minted(wire)
    connects = distant.attempts()
    late = refused_good = 0
    noticed = None
    with distant.fault(rules):
        distant.redis.cli("DEL", token_key(revoked))
        began = time.monotonic()
        for asked, status in answers(wire, revoked, began + seconds):
            late += status == 200 and asked - began > TRUSTED_S + scaled(0.1)
            noticed = asked - began if noticed is None and status != 200 else noticed
        refused_good = wire.ask(ask_for(good))[0] == 401
        took = time.monotonic() - began
    connects = distant.attempts() - connects
    back = seconds_until(lambda: wire.ask(MINT)[0] == 200, 10)
    wrong = wire.ask(ask_for(revoked))[0] == 200 or wire.ask(ask_for(good))[0] != 200
    return {"late": late, "noticed": noticed if noticed is not None else took, "refused": refused_good,
            "rate": connects / took, "back": back, "wrong": wrong}


def between_hosts(stack):
    try:
        return Distant(stack)
    except BaseException as why:  # pytest's way to skip is one
        if type(why).__name__ == "Skipped":
            raise NotHere(str(why)) from why
        raise


def failing(run):
    seconds, seen = run.size(3, 30), collections.defaultdict(list)

    def face(place, wire, name, fault):
        result = endure(place, wire, fault, seconds)
        for key, value in result.items():
            seen[key].append(value)
        run.say("packets are %s: noticed after %.2f s, back %.2f s after it, %.1f attempts to connect a second" % (
            name, result["noticed"], result["back"], result["rate"]))

    with contextlib.ExitStack() as stack:
        distant = between_hosts(stack)
        with Wire(distant.mintd.address) as wire:
            for name, rules in FAULTS.items():
                face(distant, wire, name, rules)
        assert distant.mintd.is_alive
    with Stage() as stage, contextlib.ExitStack() as stack:
        late = Late(stage, stack)
        wire = stack.enter_context(Wire(late.mintd.address))
        face(late, wire, "%d s late, each way" % LATE_S, LATE_S)
    return {"faults": len(seen["late"]), "answers too late": sum(seen["late"]), "good tokens refused": sum(seen["refused"]),
            "wrong answers afterwards": sum(seen["wrong"]), "s until it is noticed": max(seen["noticed"]),
            "attempts to connect a second": max(seen["rate"]), "s until it serves again": max(seen["back"])}


GOALS = [
    Goal("G-26", "a network that fails is noticed", "between two hosts (namespaces) packets are dropped both ways, one way, "
         "the other way, by half, or reset, 3 s (full: 30 s) each, and a token is revoked meanwhile, which mintd cannot hear of. "
         "Then each byte comes 2 s late",
         {"faults": AtLeast(len(FAULTS) + 1), "answers too late": AtMost(0), "good tokens refused": AtMost(0),
          "wrong answers afterwards": AtMost(0), "s until it is noticed": Quiet(AtMost(TRUSTED_S + 0.1)), "attempts to connect a second": AtMost(10),
          "s until it serves again": Quiet(AtMost(2.5))}, failing, ci=LONG_OF_CI,
         missing="other links than those to Redis"),
]
