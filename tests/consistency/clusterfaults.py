"""What befalls a cluster of three masters with a replica each, and its instances: masters that die, sleep or change
places with their replica, slots that go to another node and come back, an instance that is killed. One after the
other; slots move in the time between the faults too, while clients and secrets change."""
import asyncio
import time

from chaos import Restless
from failovers import FollowedFaults
from floor import CUT_OFF
from history import FOREVER, GENERATION, NOBODY, Fault, Move
from journal import Files
from support.clients import token_key
from support.cluster import slot_of
from support.oauth import wait_until
from support.redis_server import RedisError
from support.timing import scaled
from traffic import CLIENTS
from verdict import KILLED, SILENCE

FOLLOW = 2.0  # so long a worker trusts what the master of before has said of its slots
PATIENCE = 40.0
WATCH = 0.02
VICTIM = 0  # the instance that is killed


class ClusterFaults(FollowedFaults):
    def __init__(self, topology, *more):
        super().__init__(topology, *more)
        self.cluster = topology.cluster
        self.pairs = [list(pair) for pair in topology.pairs]  # [master, replica]
        self._look()

    def _look(self):
        """All is well. The files that each writes to."""
        self._files = {server: Files(server) for server in self.cluster.nodes}

    # ---- what is asked of the nodes ----

    @staticmethod
    def _names(node, slot, port):
        try:
            return any(first <= slot <= last and owner == port for first, last, owner, _ in node.map())
        except (OSError, RedisError):
            return False

    def _named_by(self, nodes):
        return sum(self._names(node, self._slot, self.new.port) for node in nodes)

    def _slots_of(self, node):
        return frozenset(slot for first, last, port, _ in node.map() if port == node.port
                         for slot in range(first, last + 1))

    def _are_written(self):
        return all("aof_rewrite_in_progress:0" in text and "aof_rewrite_scheduled:0" in text
                   for text in self.cluster.everywhere("INFO", "persistence"))

    def _is_settled(self):
        try:
            # The files last: a replica begins a new one with its copy of all.
            return (self.cluster.agree() and self._are_written()
                    and all(self.cluster.replicas_of(master) == [replica] for master, replica in self.pairs))
        except (OSError, RedisError):
            return False

    def _describe(self):
        def told(node):
            try:
                return node.cli("CLUSTER", "NODES")
            except (OSError, RedisError) as problem:
                return repr(problem)

        return "\n".join("%s:\n%s" % (node.address, told(node)) for node in self.cluster.running)

    async def _be_well(self):
        try:
            await self.blocking(lambda: wait_until(self._is_settled, PATIENCE))
        except AssertionError as late:
            raise Restless("the nodes do not agree: " + await self.blocking(self._describe)) from late

    # ---- a fail-over ----

    def _choose(self):
        self.group = self.random.randrange(len(self.pairs))
        self.old, self.new = self.pairs[self.group]
        self._of_it = self._slots_of(self.old)
        self._slot = min(self._of_it)

    def _wait_for_copies(self, tokens):
        for master, _ in self.pairs:
            wait_until(lambda: master.cli("WAIT", 1, 1000) == 1, PATIENCE, "the copies")

    async def _follow(self, failover, fault):
        """Until all nodes name the new master but the old one, which may not know it."""
        failover.slots = fault.slots = self._of_it
        failover.group, failover.by = self.group, "a node"
        nodes = [node for node in self.cluster.nodes if node is not self.old]
        deadline = time.monotonic() + scaled(PATIENCE)
        while (named := await self.blocking(lambda: self._named_by(nodes))) < len(nodes):
            if time.monotonic() > deadline:
                raise Restless("nobody takes over: " + await self.blocking(self._describe))
            if named:
                failover.named = min(failover.named, time.monotonic())
            await asyncio.sleep(WATCH)
        now = time.monotonic()
        failover.named = min(failover.named, now)
        self.pairs[self.group] = [self.new, self.old]
        self.topology.set_masters(self.pairs, without_replica=self.new)
        failover.until = now + FOLLOW
        self._release_calm_within(FOLLOW)
        fault.end = max(failover.named, fault.began + SILENCE if fault.silent else 0)
        failover.old, failover.new = self._files[self.old], self._files[self.new]

    async def _settle(self, failover):
        await asyncio.sleep(max(0.0, failover.until - time.monotonic()))
        await asyncio.gather(*self._users)
        await self._be_well()
        failover.followed = time.monotonic()
        failover.went_back = await self.blocking(failover.new.look_again)
        self.topology.set_masters(self.pairs)
        await self.blocking(self._look)

    async def _kill(self):
        self._choose()
        failover, fault = await self._cause("master kill -9", self.old.kill)
        await self._follow(failover, fault)
        await self._late(failover)
        await self.blocking(self.old.start)  # it takes itself for the master of before
        await self._settle(failover)

    async def _pause(self):
        self._choose()
        failover, fault = await self._cause("master SIGSTOP", self.old.pause, silent=True)
        await self._follow(failover, fault)
        await self._late(failover)
        self.old.resume()
        await self._settle(failover)

    async def _cut(self):
        """It goes on until it misses most of the others, and answers CLUSTERDOWN then."""
        self._choose()
        others = [node for node in self.cluster.nodes if node is not self.old]
        failover, fault = await self._cause(CUT_OFF, lambda: self._cut_off(others))
        fault.known = FOREVER  # it is there, and refuses
        await self._follow(failover, fault)
        await self._late(failover)
        await self.blocking(self.network.heal)
        await self._settle(failover)

    def _any_master(self):
        master, _ = self.random.choice(self.pairs)
        return master, self._slots_of(master)

    async def _ask(self):
        """With a handshake, which loses nothing, or without."""
        self._choose()
        how = self.random.choice(([], ["FORCE"]))
        failover, fault = await self._cause("CLUSTER FAILOVER", lambda: self.new.cli("CLUSTER", "FAILOVER", *how))
        await self._follow(failover, fault)
        await self._settle(failover)

    # ---- slots ----

    def _key_to_move(self, of_many):
        keys = ["mintd:client:" + self.random.choice(CLIENTS), GENERATION]
        if of_many:
            keys += [token_key(token) for token in self.traffic.some_tokens(2)] + ["mintd:identity", "mintd:schema"]
        return self.random.choice(keys)

    def _move(self, slot, target, at_once):
        """Nothing is left that a replica does not have."""
        source = self.cluster.settled_owner(slot)
        (self.cluster.hand_over if at_once else self.cluster.move_slot)(slot, target)
        self.cluster.settled_owner(slot)
        for node in (source, target):
            node.cli("PING")
            wait_until(lambda: node.cli("WAIT", 1, 1000) == 1, PATIENCE, "the copies")

    async def _go(self, slot, target, at_once):
        """What the checker itself would write is not lost: key by key it follows, and FLUSHALL waits; at once there
        is none."""
        changer = self.topology.changer
        async with changer.calm if at_once else changer.still:
            move = Move("at once" if at_once else "key by key", at_once, time.monotonic(), float("inf"),
                        frozenset([slot]), self._slots_of(target))
            self.history.moves.append(move)
            await self.blocking(lambda: self._move(slot, target, at_once))
            move.end = time.monotonic()

    async def _there_and_back(self, at_once):
        slot = slot_of(self._key_to_move(not at_once))
        home = await self.blocking(lambda: self.cluster.settled_owner(slot))
        away = self.random.choice([master for master, _ in self.pairs if master is not home])
        await self._go(slot, away, at_once)
        await asyncio.sleep(self.random.choice((0, self.random.uniform(0, 0.7), self.random.uniform(1, 2.5))))
        await self._go(slot, home, at_once)

    async def _slots(self, at_once):
        start = time.monotonic()
        fault = Fault("slots at once" if at_once else "slots key by key", NOBODY, False, start, start, float("inf"))
        self.history.faults.append(fault)
        for _ in range(2):
            await self._there_and_back(at_once)
        fault.end = time.monotonic()

    async def _slots_at_once(self):
        await self._slots(True)

    async def _slots_key_by_key(self):
        await self._slots(False)

    # ---- an instance ----

    async def _kill_instance(self):
        async def kill():
            self.mintd.kill(VICTIM)

        async def start():
            await self.mintd.start(VICTIM)

        await self._fault(KILLED, VICTIM, False, kill, start, self.random.uniform(0, 1))

    # ---- all of it ----

    async def _rest(self):
        until = time.monotonic() + self.random.uniform(0.5, 2)
        await self._there_and_back(False)
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    def _first_kinds(self):
        """Each kind, in a random order; but first one of each group that also a short run has to have."""
        groups = [[self._kill, self._pause], [self._slots_at_once, self._slots_key_by_key],
                  [self._ask], [self._kill_instance, self._silence]]
        for group in groups:
            self.random.shuffle(group)
        first = [group.pop() for group in groups]
        rest = [*(kind for group in groups for kind in group), *self._losses()]
        if self.network:
            rest.append(self._cut)
        self.random.shuffle(first)
        self.random.shuffle(rest)
        return first + rest
