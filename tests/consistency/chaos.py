"""What befalls clients, and what befalls Redis: each on its own, one after the other."""
import asyncio
import collections
import hashlib
import time

from floor import LOSSES
from history import EVERYBODY, Change, Fault
from network import MINTD, both_ways, place_of
from traffic import CLIENTS, INSPECTOR, secret_of
from wire import Lost

PROXIED = 2  # the instance that a silence strikes
DIRECT = (0, 1, 3)  # those without a proxy: packets between them and Redis can vanish
FAR_S = 0.03  # so far is Redis from one instance while a secret is replaced
LAST_TOKENS = 20  # of those that were minted while a secret was replaced: they are used behind it


def _stored(client, secret):
    return "$sha256$" + hashlib.sha256(secret_of(client, secret).encode()).hexdigest()


def client_fields(client, generation, secret=0):
    more = ["permissions", "introspect"] if client == INSPECTOR else []
    return ["secret:1", _stored(client, secret), "scope", "read", "gen", str(generation), *more]


class Changes:
    def __init__(self, redis, traffic, history, random, far, line):
        """far: an instance without memory; line: its way to Redis."""
        self.redis, self.traffic, self.history, self.random = redis, traffic, history, random
        self.far, self.line = far, line
        self.counts = {}

    async def _change(self, kind, client, *command, secret=0):
        """Until Redis has acknowledged it."""
        start = time.monotonic()
        while True:
            try:
                await self.redis(*command)
                break
            except Lost:
                await asyncio.sleep(0.05)
        self.history.changes.append(Change(kind, EVERYBODY, "", client, start, time.monotonic(),
                                           secret=secret))

    async def create(self, client):
        generation = self.random.randrange(1 << 31)
        fields = client_fields(client, generation, self.traffic.secrets[client])
        await self._change("create", client, "HSET", "mintd:client:" + client, *fields)

    async def _disable(self):
        client = self.random.choice(CLIENTS)
        key = "mintd:client:" + client
        await self._change("disable", client, "HSET", key, "disabled", "1")
        await asyncio.sleep(self.random.uniform(0.01, 0.5))
        await self._change("enable", client, "HSET", key, "disabled", "0")

    async def _bump(self, client=None):
        client = client or self.random.choice(CLIENTS)
        await self._change("bump", client, "HINCRBY", "mintd:client:" + client, "gen", 1)

    async def _everybody(self):
        await self._change("everybody", "", "INCR", "mintd:generation")

    async def _mint_until(self, done, client, secret, instance, tokens):
        while not done.is_set():
            if token := await self.traffic.mint(client, secret, instance):
                tokens.append(token)
            else:
                await asyncio.sleep(0.005)

    async def _replace(self):
        """A secret, and behind it the generation, while who knows the old one mints everywhere. One instance is
        far from Redis then: between two answers to it both changes have room, so that a mint which reads the
        generation behind the client is caught."""
        self.line.far_s = FAR_S
        client = self.random.choice(CLIENTS)
        old = self.traffic.secrets[client]
        done, tokens = asyncio.Event(), collections.deque(maxlen=LAST_TOKENS)
        instances = range(len(self.traffic.ports))
        mints = asyncio.gather(*(self._mint_until(done, client, old, instance, tokens)
                                 for instance in (*instances, *instances, *[self.far] * 6)))
        await asyncio.sleep(self.random.uniform(2, 4) * FAR_S)
        await self._change("replace", client, "HSET", "mintd:client:" + client, "secret:1",
                           _stored(client, old + 1), secret=old)
        self.traffic.secrets[client] = old + 1
        await (self._bump(client) if self.random.random() < 0.3 else self._everybody())
        await asyncio.sleep(4 * FAR_S)
        done.set()
        await mints
        self.line.far_s = 0.0
        await asyncio.gather(*(self.traffic.use(token) for token in tokens),
                             *(self.traffic.mint(client, old, i) for i in instances))

    async def _remove(self):
        client = self.random.choice(CLIENTS)
        await self._change("remove", client, "DEL", "mintd:client:" + client)
        await asyncio.sleep(self.random.uniform(0.01, 0.3))
        await self.create(client)

    async def _flush(self):
        await self._change("flush", "", "FLUSHALL")
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        for client in (INSPECTOR, *CLIENTS):
            await self.create(client)

    async def run(self, until):
        """Each kind once in quick succession, so that no run is without one; then as it comes."""
        weights = {self._disable: 8, self._bump: 5, self._remove: 4, self._replace: 4, self._everybody: 1,
                   self._flush: 1}
        first = self.random.sample(list(weights), len(weights))
        while first or time.monotonic() < until:
            await asyncio.sleep(self.random.uniform(0.1, 0.4 if first else 0.8))
            change = first.pop() if first else self.random.choices(list(weights), list(weights.values()))[0]
            self.counts[change.__name__[1:]] = self.counts.get(change.__name__[1:], 0) + 1
            async with self.redis.calm:
                await change()


class Restless(Exception):
    """Redis, its Sentinels or its cluster did not come to rest after a fault: nobody can tell what the instances had to
    do. That is no verdict on them."""


class Faults:
    """One after the other: what there may be is a subclass's (kinds)."""

    def __init__(self, line, blocking, history, random):
        """line: that of the instance that a silence strikes; blocking: runs a function elsewhere. mintd: the
        instances, where they are killed and started: kill(number), await start(number). network: ours, where
        packets can vanish."""
        self.mintd, self.network = None, None
        self.line, self.blocking, self.history, self.random = line, blocking, history, random

    async def _fault(self, kind, instance, silent, cause, end, seconds):
        # Noted at once, so that one which does not end is not forgotten.
        start = time.monotonic()
        fault = Fault(kind, instance, silent, start, start, float("inf"))
        self.history.faults.append(fault)
        await cause()
        fault.began = time.monotonic()
        await asyncio.sleep(seconds)
        await end()
        fault.end = time.monotonic()

    async def _silence(self):
        async def clear():
            self.line.flows.clear()

        async def flow():
            self.line.flows.set()

        await self._fault("silence", PROXIED, True, clear, flow, self.random.uniform(0.5, 4))

    async def _lose(self, kind, ways, slots, seconds=None):
        """ways: between the instances and a server, which has these slots."""
        start = time.monotonic()
        faults = [Fault(kind, instance, True, start, start, float("inf"), slots, True) for instance in DIRECT]
        self.history.faults += faults
        await self.blocking(lambda: self.network.lose(ways))
        for fault in faults:
            fault.began = time.monotonic()
        await asyncio.sleep(seconds or self.random.uniform(0.5, 4))
        await self.blocking(self.network.heal)
        for fault in faults:
            fault.end = time.monotonic()

    def _any_master(self):
        """(a server, its slots or None)"""
        return self.server, None

    async def _lose_packets(self, seconds=None):
        server, slots = self._any_master()
        await self._lose(LOSSES[0], both_ways(MINTD, [place_of(server)]), slots, seconds)

    async def _lose_one_way(self):
        server, slots = self._any_master()
        ways = both_ways(MINTD, [place_of(server)])
        await self._lose(LOSSES[1], [self.random.choice(ways)], slots)

    def _losses(self):
        return [self._lose_packets, self._lose_one_way] if self.network else []

    async def _rest(self):
        # Long enough that there are times without any fault, recovery and silence included.
        await asyncio.sleep(self.random.uniform(1.5, 4.5))

    def _least(self, seconds):
        """So many faults come, also where a run of so many seconds takes longer then."""
        return 0

    async def run(self, until):
        kinds = self._first_kinds()
        count, least = 0, self._least(until - time.monotonic())
        while time.monotonic() < until or count < least:
            await self._rest()
            if count and count % len(kinds) == 0:
                self.random.shuffle(kinds)
            await kinds[count % len(kinds)]()
            count += 1


class RedisFaults(Faults):
    """server: the one RedisServer there is."""

    def __init__(self, server, redis, *more):
        super().__init__(*more)
        self.server, self.redis = server, redis

    async def _stop(self):
        await self._fault("stop", EVERYBODY, False, lambda: self.blocking(self.server.stop),
                          lambda: self.blocking(self.server.start), self.random.uniform(0, 0.5))

    async def _kill(self):
        await self._fault("kill -9", EVERYBODY, False, lambda: self.blocking(self.server.kill),
                          lambda: self.blocking(self.server.start), self.random.uniform(0, 0.5))

    async def _pause(self):
        await self._fault("SIGSTOP", EVERYBODY, True, lambda: self.blocking(self.server.pause),
                          lambda: self.blocking(self.server.resume), self.random.uniform(1, 3))

    async def _kill_clients(self):
        async def kill():
            try:
                await self.redis("CLIENT", "KILL", "TYPE", "normal")
            except Lost:
                pass

        async def nothing():
            pass

        await self._fault("CLIENT KILL", EVERYBODY, False, kill, nothing, 0)

    def _first_kinds(self):
        """Each kind, in a random order; but a restart and a silence first, so that short runs have them."""
        restarts, silences = [self._stop, self._kill], [self._silence, self._pause]
        self.random.shuffle(restarts)
        self.random.shuffle(silences)
        first = [restarts.pop(), silences.pop()]
        rest = [*restarts, *silences, self._silence, self._kill_clients, *self._losses()]
        self.random.shuffle(first)
        self.random.shuffle(rest)
        return first + rest
