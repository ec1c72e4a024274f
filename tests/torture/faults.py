"""Redis stands still or dies, an instance dies: no answer is another's, nothing that was acknowledged is lost."""
import collections
import itertools
import json
import re
import threading
import time

from goal import AtLeast, AtMost, Goal, Quiet, least
from pump import IN_VAIN, LOST, Pump
from resources import MINT, serves
from stage import Stage, scaled, seconds_until
from support.clients import G, basic, bearer, token_key
from support.http import form_request, request_bytes
from support.oauth import forged_token, make_client
from support.wire import Wire

_TOKEN = re.compile(rb'"access_token":"(mtd_[0-9A-Za-z]{49})"')


# ---- G-11 ----

OWNERS = 50
TIMEOUT_MS = 250


def owners(stage, mintd):
    """Tokens by the name of whose they are: each client has a scope of its own name."""
    tokens = {}
    for number in range(OWNERS):
        name = "owner-%d" % number
        make_client(stage.redis, name, "secret-of-" + name, scope=name)
        with Wire(mintd.address) as wire:
            status, body = wire.ask(form_request("/token", G, [basic(name, "secret-of-" + name)]))
        assert status == 200, body
        tokens[name] = json.loads(body)["access_token"]
    return tokens


def is_anothers(name, status, body):
    """Whether an answer cannot be that of this owner; None: of a token that nobody has."""
    if status == 200:
        return name is None or b'"%s"' % name.encode() not in body
    return status == 401 and name is not None


def pauses(redis, random, stop, counts):
    """Stands still for less and for more than what it is waited for, again and again."""
    while not stop.wait(random.uniform(0.1, 0.4)):
        redis.pause()
        stop.wait(random.uniform(0.05, 0.6))
        redis.resume()
        counts["pauses"] += 1


def refusal(mintd, raw):
    """(whether it is 503, seconds until then)"""
    with Wire(mintd.address) as wire:
        asked = time.monotonic()
        return wire.ask(raw)[0] == 503, time.monotonic() - asked


def crossed(run):
    count, counts, slowest = run.size(100_000, 1_000_000), collections.Counter(), [0.0]
    with Stage() as stage:
        mintd = stage.quiet_mintd("--log-level", "error", "--cache-size", "0", "--workers", "2",
                                  env={"MINTD_REDIS_TIMEOUT": str(TIMEOUT_MS)})
        tokens = owners(stage, mintd)
        raws = {name: request_bytes("GET", "/secret", [bearer(token)]) for name, token in tokens.items()}
        raws[None] = request_bytes("GET", "/secret", [bearer(forged_token("q"))])
        names = [*tokens, None]

        def judge(name, status, body, seconds):
            counts[status] += 1
            counts["crossed"] += is_anothers(name, status, body)
            slowest[0] = max(slowest[0], seconds)

        def requests():
            """Until so many have been answered with something else than "not now"."""
            while counts[200] + counts[401] < count:
                name = run.random.choice(names)
                yield raws[name], name

        stop = threading.Event()
        pauser = threading.Thread(target=pauses, args=(stage.redis, run.random, stop, counts))
        pauser.start()
        try:
            Pump([mintd.address], requests(), judge, connections=16, depth=4).run()
        finally:
            stop.set()
            pauser.join()
        health = request_bytes("GET", "/healthz")
        stage.redis.pause()
        refused, waited = refusal(mintd, raws["owner-1"])
        healthy = serves(mintd.address, health)
        time.sleep(run.size(3, 30))
        later, still = refusal(mintd, raws["owner-1"])
        stage.redis.resume()
        back = seconds_until(lambda: serves(mintd.address), 3)
        assert mintd.end() == 0
    run.say("slowest answer %.0f ms while it comes and goes" % (1000 * slowest[0]))
    return {"crossed": counts["crossed"], "answers": counts[200] + counts[401], "refused meanwhile": counts[503],
            "lost": counts[LOST] + counts[IN_VAIN], "pauses": counts["pauses"], "of 3 right answers while it stands": refused + later + healthy,
            "ms until then": 1000 * max(waited, still), "s until it serves again": back}


# ---- G-10 ----


KILLS_OF_ONE = 20  # a Redis with much in its file takes long to read it again


def minted_into(tokens):
    """A judge that keeps what was acknowledged."""

    def judge(_, status, body, __):
        if status == 200:
            tokens.append(_TOKEN.search(body)[1].decode())

    return judge


def missing(redis, tokens):
    """Of these, how many Redis does not have."""
    connection, lost = redis._connect(), 0  # pylint: disable=protected-access
    for first in range(0, len(tokens), 1000):
        part = tokens[first:first + 1000]
        for token in part:
            connection.send("EXISTS", token_key(token))
        lost += sum(connection.receive() == 0 for _ in part)
    connection.close()
    return lost


def kill_round(stage, mintd, random, each):
    """Tokens are minted until Redis dies by kill -9 in the middle of it: (acknowledged, lost)."""
    tokens = []
    stop = threading.Event()
    requests = itertools.takewhile(lambda _: not stop.is_set(), itertools.repeat((MINT, None)))
    pump = threading.Thread(target=Pump([mintd.address], requests, minted_into(tokens), connections=16, depth=4).run)
    pump.start()
    seconds_until(lambda: len(tokens) >= each or not pump.is_alive(), 20)
    time.sleep(random.uniform(0, 0.01))
    stage.redis.kill()
    stop.set()
    pump.join()
    stage.redis.start()
    lost = missing(stage.redis, tokens)
    return len(tokens), lost


def killed(run, rounds, each, *options):
    """(acknowledged, lost) over so many kills."""
    count = lost = 0
    for first in range(0, rounds, KILLS_OF_ONE):
        with Stage(*options) as stage:
            mintd = stage.quiet_mintd("--log-level", "error", "--workers", "2")
            for _ in range(first, min(rounds, first + KILLS_OF_ONE)):
                seconds_until(lambda: serves(mintd.address), 5)
                more, gone = kill_round(stage, mintd, run.random, each)
                count += more
                lost += gone
            assert mintd.is_alive
    return count, lost


def acknowledged(run):
    """The control is a Redis that writes nothing down: there the same count has to find a loss."""
    rounds, each = run.size((5, 2000), (200, 5000))
    count, lost = killed(run, rounds, each, "--appendonly", "yes", "--appendfsync", "always")
    some, some_lost = killed(run, run.size(2, 20), each, "--appendonly", "yes", "--appendfsync", "everysec")
    _, all_lost = killed(run, 1, 500)
    run.say("appendfsync everysec: %d of %d lost, by a kill of the process alone" % (some_lost, some))
    return {"lost": lost, "tokens acknowledged": count, "kills": rounds, "lost without persistence": all_lost}


# ---- G-21 ----


class Fleet:
    """Three instances, asked all the while; failures are counted by instance."""

    def __init__(self, stage):
        self._stage = stage
        self.mintds = [self._start() for _ in range(3)]
        self.failed, self.answered, self.vain = (collections.Counter() for _ in range(3))
        self.tokens, self._stop = [], threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(3)]
        for thread in self._threads:
            thread.start()

    def _start(self, port=None):
        return self._stage.quiet_mintd("--log-level", "error", "--workers", "1", port=port)

    def _ask(self, number):
        def judge(_, status, body, __):
            self.answered[number] += status == 200
            self.vain[number] += status == IN_VAIN
            self.failed[number] += status not in (200, IN_VAIN)
            if status == 200 and len(self.tokens) < 200_000:
                self.tokens.append(_TOKEN.search(body)[1].decode())

        requests = itertools.takewhile(lambda _: not self._stop.is_set(), itertools.repeat((MINT, None)))
        Pump([self.mintds[number].address], requests, judge, connections=CONNECTIONS, depth=1).run()

    def lose(self, number):
        """kill -9 in the middle of it; back on its port. What failed at others, and there. (Who connects while the kernel
        takes the process apart connects in vain: nothing of his was under way.)"""
        seconds_until(lambda answered=self.answered[number]: self.answered[number] > answered + 50, 10)
        others = [n for n in range(3) if n != number]
        before = {n: self.failed[n] + (self.vain[n] if n != number else 0) for n in range(3)}
        answered = [self.answered[n] for n in others]
        self.mintds[number].kill()
        seconds_until(lambda: all(self.answered[n] > was + 50 for n, was in zip(others, answered)), 10)
        failed = self.failed[number] - before[number]
        self.mintds[number] = self._start(self.mintds[number].address[1])
        return sum(self.failed[n] + self.vain[n] - before[n] for n in others), failed

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(scaled(10))


CONNECTIONS = 4


def instance_lost(run):
    kills, elsewhere, there = run.size(5, 200), 0, 0
    with Stage() as stage:
        fleet = Fleet(stage)
        try:
            for turn in range(kills):
                others, failed = fleet.lose(turn % 3)
                elsewhere += others
                there = max(there, failed)
        finally:
            fleet.end()
        lost = missing(stage.redis, fleet.tokens)
        refused = sum(not serves(fleet.mintds[turn % 3].address, request_bytes("GET", "/secret", [bearer(token)]))
                      for turn, token in enumerate(run.random.sample(fleet.tokens, 200)))
    return {"kills": kills, "requests answered": sum(fleet.answered.values()), "failed elsewhere": elsewhere,
            "failed there, of %d connections" % CONNECTIONS: there, "tokens lost": lost,
            "of 200 tokens, refused afterwards": refused}


GOALS = [
    Goal("G-10", "what was acknowledged is there", "Redis dies by kill -9 in the middle of minting, 5 times (full: 200, "
         "10⁶ tokens), with appendfsync always; each token that was answered 200 is looked for. A Redis without "
         "persistence is the control: there losses have to be found",
         {"lost": AtMost(0), "tokens acknowledged": least(10_000, 1_000_000),
          "kills": least(5, 200),
          "lost without persistence": AtLeast(1)}, acknowledged,
         missing="a machine that loses its power; how much min-replicas-to-write saves; WAIT and Sentinels are judged by "
                 "script/consistency --wait"),
    Goal("G-11", "a Redis that stands still crosses no replies", "100,000 answers (full: 10⁶) for tokens of 50 owners, "
         "while Redis is stopped for 50 to 600 ms again and again; then once for 3 s (full: 30 s)",
         {"crossed": AtMost(0), "answers": least(100_000, 1_000_000), "refused meanwhile": AtLeast(1), "lost": AtMost(0),
          "pauses": AtLeast(3), "of 3 right answers while it stands": AtLeast(3), "ms until then": Quiet(AtMost(TIMEOUT_MS + 50)),
          "s until it serves again": Quiet(AtMost(1))}, crossed),
    Goal("G-21", "an instance that dies takes only its own requests along", "kill -9 of one of three, 5 times (full: "
         "200), each with 4 connections that mint all the while",
         {"kills": least(5, 200), "requests answered": AtLeast(1000), "failed elsewhere": AtMost(0),
          "failed there, of %d connections" % CONNECTIONS: AtMost(CONNECTIONS), "tokens lost": AtMost(0),
          "of 200 tokens, refused afterwards": AtMost(0)}, instance_lost),
]
