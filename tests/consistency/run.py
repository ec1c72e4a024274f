#!/usr/bin/python3
"""run.py [--seconds N] [--seed N] [--history FILE]: does every instance obey what happened at another one?

Five instances of two workers each on one Redis. The second has so little memory for answers that it evicts,
the third is behind a proxy that can go silent, the fourth has no memory. The fifth meets a Redis without
HELLO: it speaks RESP2 and has no memory either. Tokens are minted, used and revoked everywhere, clients come
and go, their secrets are replaced, Redis is stopped, killed and paused (traffic.py, chaos.py). Afterwards the
history is judged: verdict.py has the rules, floor.py what a run has to contain. MINTD_BINARY names the
program.
"""
import argparse
import asyncio
import concurrent.futures
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from chaos import PROXIED, Changes, Faults, client_fields  # noqa: E402
from floor import Floor  # noqa: E402
from history import History  # noqa: E402
from instance import Instance  # noqa: E402
from machine import Machine  # noqa: E402
from support.redis_server import RedisServer  # noqa: E402
from traffic import CLIENTS, INSPECTOR, Traffic  # noqa: E402
from verdict import REDIS_TIMEOUT, Verdict  # noqa: E402
from wire import Redis, SilentProxy  # noqa: E402

INSTANCES, WORKERS = 5, 2
SMALL, SMALL_CACHE = 1, "128k"  # the instance that evicts; no worker may have less than 64 KiB
MEMORYLESS, RESP2 = 3, 4
CACHE_SIZES = {SMALL: SMALL_CACHE, MEMORYLESS: "0"}
TOLD_OF_RESP2 = "going on in RESP2"
IMMEDIATE = (MEMORYLESS, RESP2)  # they ask Redis each time


def start_instance(number, redis_url):
    more = ["--cache-size", CACHE_SIZES[number]] if number in CACHE_SIZES else []
    return Instance("--redis-timeout", "%d" % (REDIS_TIMEOUT * 1000), "--workers", str(WORKERS),
                    "--redis", redis_url, "--name", "mintd-%d" % number, *more)


def start_instances(server, proxies):
    return [start_instance(number, proxies.get(number, server).url) for number in range(INSTANCES)]


async def wait_for_links(instances):
    deadline = time.monotonic() + 20
    for instance in instances:
        while not await asyncio.to_thread(instance.has_links, WORKERS):
            if time.monotonic() > deadline:
                raise RuntimeError("an instance has no link to Redis:\n" + instance.log())
            await asyncio.sleep(0.05)


class Session:
    """One run: history, verdict, and what was counted."""

    def __init__(self, seed, with_faults=True, front=None):
        """front: an HTTP proxy before the first instance (front.start(port) gives its port): for tests."""
        self.random = random.Random(seed)
        self.seed, self.with_faults, self.front = seed, with_faults, front
        self.history = History()
        self.instances, self.machine, self.evicted, self.pretenders = [], None, None, []

    async def run(self, seconds):
        with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server, \
                concurrent.futures.ThreadPoolExecutor(1) as starter:
            try:
                await self._run(server, starter, seconds)
            finally:
                for instance in self.instances:
                    instance.kill()
        floor = Floor(seconds, INSTANCES, faults=self.with_faults, evicted=self.evicted,
                      pretenders=self.pretenders)
        return Verdict(self.history, floor, self._waited, IMMEDIATE)

    async def _run(self, server, starter, seconds):
        for client in (INSPECTOR, *CLIENTS):
            server.cli("HSET", "mintd:client:" + client, *client_fields(client, self.random.randrange(1 << 31)))
        proxies = {PROXIED: SilentProxy(server.port), RESP2: SilentProxy(server.port, without_hello=True)}
        for proxy in proxies.values():
            await proxy.start()
        self.instances = start_instances(server, proxies)
        await wait_for_links(self.instances)
        ports = [instance.port for instance in self.instances]
        if self.front:
            ports[0] = await self.front.start(ports[0])
        redis = Redis(server.socket_path)
        self.machine = Machine(lambda: self._pids(server))
        self.traffic = Traffic(ports, redis, self.history, self.seed)
        await self.traffic.start()
        await self._all(server, starter, redis, proxies, time.monotonic() + seconds)
        self.machine.end()
        self.traffic.close()
        redis.close()
        self.evicted = await asyncio.to_thread(self.instances[SMALL].metric, "mintd_cache_evicted_total")
        self.pretenders = await asyncio.to_thread(self._pretenders)
        for instance in self.instances:
            if problem := await asyncio.to_thread(instance.stop):
                raise RuntimeError(problem)
        for proxy in proxies.values():
            proxy.close()

    async def _all(self, server, starter, redis, proxies, until):
        """An end to everything at `until`; any of them that fails ends the run."""
        loop = asyncio.get_running_loop()
        # In a thread that stays: a child of the harness dies with the thread that started it.
        faults = Faults(server, redis, proxies[PROXIED], lambda f: loop.run_in_executor(starter, f), self.history,
                        self.random)
        self.changes = Changes(redis, self.traffic, self.history, self.random, RESP2, proxies[RESP2])
        traffic = asyncio.create_task(self.traffic.run())
        causes = [self.changes.run(until), *([faults.run(until)] if self.with_faults else [])]
        causes = asyncio.gather(*causes, asyncio.sleep(until - time.monotonic()))
        await asyncio.wait({traffic, causes}, return_when=asyncio.FIRST_COMPLETED)
        self.traffic.ends = True
        await asyncio.wait_for(traffic, 60)
        await causes

    def _pretenders(self):
        """The instances that are not what they should be."""
        found = [number for number, instance in enumerate(self.instances)
                 if (instance.metric("mintd_cache_hits_total") == 0) != (number in IMMEDIATE)]
        # Another one may have been without HELLO for a while: behind a fault it is not certain of it.
        return found if TOLD_OF_RESP2 in self.instances[RESP2].log() else [*found, RESP2]

    def _pids(self, server):
        process = server._process
        return {**{"mintd-%d" % n: i.pid for n, i in enumerate(self.instances)},
                **({"redis": process.pid} if process else {})}

    def _waited(self, instance, start, end):
        return (self.machine.waited("redis", start, end)
                + self.machine.waited("mintd-%d" % instance, start, end))

    def what_was_done(self):
        kinds = {}
        for event in (*self.history.changes, *self.history.faults):
            kinds[event.kind] = kinds.get(event.kind, 0) + 1
        waits = ", ".join("%s %.1f s" % (name, self.machine.total(name))
                          for name in ("redis", *("mintd-%d" % n for n in range(INSTANCES))))
        return "done: %d requests; %s; evicted %d\nwaited for a core: %s" % (
            len(self.history.asks), ", ".join("%s %d" % pair for pair in sorted(kinds.items())),
            self.evicted, waits)


def main():
    parser = argparse.ArgumentParser(prog="consistency")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--history", help="a file to write the history to")
    options = parser.parse_args()
    print("seed %d, %g s" % (options.seed, options.seconds), flush=True)
    session = Session(options.seed)
    verdict = asyncio.run(session.run(options.seconds))
    if options.history:
        session.history.write(options.history)
    print(session.what_was_done())
    print(verdict.report())
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
