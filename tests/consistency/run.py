#!/usr/bin/python3
"""run.py [--topology T] [--wait] [--seconds N] [--seed N] [--history FILE]
[--page FILE]: does every instance obey what happened
at another one?

Five instances of two workers each on one Redis, or (T is sentinel) on a master with a replica and three
Sentinels, or (T is cluster) on three masters with a replica each. The second has so little memory for answers
that it evicts, the third is behind a proxy that can go silent, the fourth has no memory. The fifth meets a Redis
without HELLO: it speaks RESP2 and has no memory either. Tokens are minted, used and revoked everywhere, clients
come and go, their secrets are replaced, Redis is stopped, killed and paused (traffic.py, chaos.py), fails over
(failovers.py), or has its slots moved about (clusterfaults.py), and packets vanish (network.py). Afterwards the history is judged: verdict.py has
the rules, floor.py what a run has to contain, journal.py what Redis lost. MINTD_BINARY names the program.
"""
import argparse
import asyncio
import concurrent.futures
import gc
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from chaos import Changes, Restless, client_fields  # noqa: E402
from floor import Floor  # noqa: E402
from history import History  # noqa: E402
from instance import Instance  # noqa: E402
from journal import tell_losses  # noqa: E402
from machine import LoopWatch, Machine  # noqa: E402
from page import page  # noqa: E402
from support.mintd import binary  # noqa: E402
from topology import PROXIED, RESP2, TOPOLOGIES  # noqa: E402
from traffic import CLIENTS, INSPECTOR, Traffic  # noqa: E402
from verdict import REDIS_TIMEOUT, Verdict  # noqa: E402

INSTANCES, WORKERS = 5, 2
SMALL, SMALL_CACHE = 1, "128k"  # the instance that evicts; no worker may have less than 64 KiB
MEMORYLESS = 3
CACHE_SIZES = {SMALL: SMALL_CACHE, MEMORYLESS: "0"}
TOLD_OF_RESP2 = "going on in RESP2"
IMMEDIATE = (MEMORYLESS, RESP2)  # they ask Redis each time
BEHIND_PROXIES = (PROXIED, RESP2)
OURSELVES = "the checker"
# The history has millions of objects, none of which is garbage: a look at all of them would stand still for a second,
# and the proxies with it.
NO_FULL_COLLECTIONS = 700, 10, 1 << 30
LOGS_TOLD, LINES_TOLD = 2, 8  # of offences, and of each
TOLD_AROUND = 1.0, 0.5  # seconds before and behind an offence: what its instance logged


def start_instance(number, redis_url, waits, port=None):
    more = ["--cache-size", CACHE_SIZES[number]] if number in CACHE_SIZES else []
    more += ["--redis-wait", "1"] if waits else []
    return Instance("--redis-timeout", "%d" % (REDIS_TIMEOUT * 1000), "--workers", str(WORKERS),
                    "--redis", redis_url, "--name", "mintd-%d" % number, *more, port=port)


async def wait_for_links(instances, waits, nodes):
    deadline = time.monotonic() + 20
    for instance in instances:
        while not await asyncio.to_thread(instance.has_links, WORKERS, waits, nodes):
            if time.monotonic() > deadline:
                raise RuntimeError("an instance has no link to Redis:\n" + instance.log())
            await asyncio.sleep(0.05)


async def every_fault(faults, until):
    await faults.run(until)


class Session:
    """One run: history, verdict, and what was counted."""

    def __init__(self, seed, topology="standalone", faults=every_fault, front=None, waits=False):
        """faults: what runs them, or None. front: an HTTP proxy before the first instance (front.start(port)
        gives its port). Both are for tests. waits: revocations wait for a replica."""
        self.random = random.Random(seed)
        self.seed, self.faults, self.front = seed, faults, front
        self.history = History(waits=waits)
        self.instances, self.machine, self.evicted, self.pretenders = [], None, None, []
        self.troubles = []  # of each instance, as it logged them: [(when, line)]
        self.topology = TOPOLOGIES[topology]()
        self.history.in_parts = self.topology.nodes > 0

    async def run(self, seconds):
        with concurrent.futures.ThreadPoolExecutor(1) as starter:
            try:
                await self._run(starter, seconds)
            finally:
                offset = time.time() - time.monotonic()
                for instance in self.instances:
                    self.troubles.append([(when - offset, line) for when, line in instance.troubles()])
                    instance.kill()
                self.topology.close()
        for failover in self.history.failovers:
            failover.old, failover.new = failover.old.read(), failover.new.read()
        tell_losses(self.history)
        kinds = self.topology.fault_kinds if self.faults is every_fault else None
        floor = Floor(seconds, INSTANCES, faults=kinds, evicted=self.evicted, pretenders=self.pretenders)
        return Verdict(self.history, floor, self._waited, IMMEDIATE)

    async def _run(self, starter, seconds):
        for client in (INSPECTOR, *CLIENTS):
            await self.topology.redis("HSET", "mintd:client:" + client,
                                      *client_fields(client, self.random.randrange(1 << 31)))
        await self.topology.start()
        waits = self.history.waits
        self.instances = [start_instance(number, self.topology.url(number), waits) for number in range(INSTANCES)]
        await wait_for_links(self.instances, waits, self.topology.nodes)
        ports = [instance.port for instance in self.instances]
        if self.front:
            ports[0] = await self.front.start(ports[0])
        self.machine = Machine(self._pids)
        watch = LoopWatch(self.machine, OURSELVES)
        self.traffic = Traffic(ports, self.by_hand, self.history, self.seed)
        await self.traffic.start()
        await self._all(starter, time.monotonic() + seconds)
        watch.end()
        self.machine.end()
        self.traffic.close()
        self.evicted = await asyncio.to_thread(self.instances[SMALL].metric, "mintd_cache_evicted_total")
        self.pretenders = await asyncio.to_thread(self._pretenders)
        for instance in self.instances:
            if problem := await asyncio.to_thread(instance.stop):
                raise RuntimeError(problem)
        self.topology.end()

    @property
    def by_hand(self):
        """What deletes tokens beside the instances. With `waits` that is counted as having waited, so it does."""
        return self.topology.changer if self.history.waits else self.topology.redis

    def kill(self, number):
        self.instances[number].kill()

    async def start(self, number):
        """It is there again once it has all its links. (From this thread, which stays.)"""
        self.instances[number] = start_instance(number, self.topology.url(number), self.history.waits,
                                                self.instances[number].port)
        await wait_for_links(self.instances[number:number + 1], self.history.waits, self.topology.nodes)

    async def _all(self, starter, until):
        """An end to everything at `until`; any of them that fails ends the run."""
        loop = asyncio.get_running_loop()
        # In a thread that stays: a child of the harness dies with the thread that started it.
        faults = self.topology.faults(self.traffic, lambda f: loop.run_in_executor(starter, f), self.history,
                                      self.random)
        faults.mintd, faults.network = self, self.topology.network
        self.changes = Changes(self.topology.changer, self.traffic, self.history, self.random, RESP2,
                               self.topology.lines[RESP2])
        traffic = asyncio.create_task(self.traffic.run())
        causes = [self.changes.run(until), *([self.faults(faults, until)] if self.faults else [])]
        causes = asyncio.gather(*causes, asyncio.sleep(until - time.monotonic()))
        await asyncio.wait({traffic, causes}, return_when=asyncio.FIRST_COMPLETED)
        self.traffic.ends = True
        if causes.done():
            await causes  # what went wrong there comes first
        await asyncio.wait_for(traffic, 60)
        await causes

    def _pretenders(self):
        """The instances that are not what they should be."""
        found = [number for number, instance in enumerate(self.instances)
                 if (instance.metric("mintd_cache_hits_total") == 0) != (number in IMMEDIATE)]
        # Another one may have been without HELLO for a while: behind a fault it is not certain of it.
        return found if TOLD_OF_RESP2 in self.instances[RESP2].log() else [*found, RESP2]

    def _pids(self):
        servers = {"redis-%d" % n: server.pid for n, server in enumerate(self.topology.servers) if server.pid}
        return {**{"mintd-%d" % n: i.pid for n, i in enumerate(self.instances)}, **servers}

    @property
    def _names(self):
        return ["redis-%d" % n for n in range(len(self.topology.servers))]

    def _waited(self, instance, start, end):
        """What is done goes through the instance, a master and its replica; not through all there are."""
        servers = sorted(self.machine.waited(self._names, start, end))
        others = ["mintd-%d" % instance, *([OURSELVES] if instance in BEHIND_PROXIES else [])]
        return sum(servers[-2:]) + sum(self.machine.waited(others, start, end))

    def told_around(self, ask):
        """What its instance logged of troubles then."""
        before, behind = TOLD_AROUND
        return [line for when, line in self.troubles[ask.instance] if ask.start - before <= when <= ask.end + behind]

    def what_was_done(self):
        kinds = {}
        for event in (*self.history.changes, *self.history.faults, *self.history.moves):
            kinds[event.kind] = kinds.get(event.kind, 0) + 1
        waits = ", ".join("%s %.1f s" % (name, self.machine.total(name))
                          for name in (*self._names, *("mintd-%d" % n for n in range(INSTANCES)), OURSELVES))
        return "done: %d requests; %s; evicted %d\nwaited for a core: %s" % (
            len(self.history.asks), ", ".join("%s %d" % pair for pair in sorted(kinds.items())),
            self.evicted, waits)


def read_options():
    parser = argparse.ArgumentParser(prog="consistency")
    parser.add_argument("--topology", choices=list(TOPOLOGIES), default="standalone")
    parser.add_argument("--wait", action="store_true", help="with a replica: revocations wait for it (--redis-wait 1)")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--history", help="a file to write the history to")
    parser.add_argument("--page", default=os.path.join(os.path.dirname(os.path.dirname(binary())), "consistency.html"),
                        help="a file for a page with time lines, where something was wrong")
    options = parser.parse_args()
    if options.wait and options.topology == "standalone":
        parser.error("--wait: there is no replica to wait for")
    return options


def judge(options):
    """Whether all was as it has to be; None: nobody can tell."""
    title = "%s%s, seed %d, %g s" % (options.topology, ", revocations wait" if options.wait else "", options.seed,
                                     options.seconds)
    print(title, flush=True)
    session = Session(options.seed, options.topology, waits=options.wait)
    if not session.topology.network:
        print("PARTITIONS LEFT OUT: this machine gives nobody a network of his own", flush=True)
    try:
        verdict = asyncio.run(session.run(options.seconds))
    except Restless as restless:
        print("NO VERDICT, Redis did not come to rest: %s" % restless, flush=True)
        return None
    if options.history:
        session.history.write(options.history)
    print(session.what_was_done())
    print(verdict.report())
    for ask in [ask for _, ask, _ in verdict.offences][:LOGS_TOLD]:
        print("mintd-%d logged around %.6f:" % (ask.instance, ask.start))
        print("\n".join("  " + line for line in session.told_around(ask)[:LINES_TOLD]))
    if not verdict.is_good:
        with open(options.page, "w", encoding="utf-8") as file:
            file.write(page(title, session.history, verdict, INSTANCES))
        print("time lines: " + options.page)
    return verdict.is_good


def main():
    """A run without a verdict is repeated once, with another seed; one with an offence never is."""
    options = read_options()
    gc.set_threshold(*NO_FULL_COLLECTIONS)
    is_good = judge(options)
    if is_good is None:
        options.seed += 1
        is_good = judge(options)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
