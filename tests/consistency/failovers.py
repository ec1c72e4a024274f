"""What befalls a master, its replica and three Sentinels (a cluster's part: clusterfaults.py). Each fail-over is
followed until all is as before, with the roles changed; what the Sentinels do on their own is noticed and judged
the same way."""
import asyncio
import time

from chaos import Faults, Restless
from floor import CUT_OFF, SHORT, WHOLE
from history import EVERYBODY, NOBODY, FailOver, Fault
from journal import Files
from network import both_ways, place_of
from support.oauth import wait_until
from support.redis_server import RedisError
from support.timing import scaled
from traffic import CLIENTS
from verdict import RECOVERY, SILENCE

FOLLOW = 2.0  # a worker asks one Sentinel each second, in turn; one of them may be away
UNNOTICED = 5.0  # so long before we see one that nobody asked for it may have begun
PATIENCE = 40.0  # for all Sentinels to agree; one that found no majority tries again
WATCH = 0.02
USERS = 4  # of tokens from before the fail-over, during it
# Not the first, which is asked for fail-overs. One that slept for long (TILT) helps nobody for 30 s: always the same.
KILLED, STALE = 1, 2


class FollowedFaults(Faults):
    """Among them fail-overs, which are followed. _wait_for_copies(tokens): until those who may take over have them."""

    def __init__(self, topology, traffic, *more):
        super().__init__(*more)
        self.topology, self.traffic = topology, traffic
        self._users, self._holds_calm = [], False

    def _begin(self, kind, start, silent=False):
        # Noted at once, so that one which does not end is not forgotten.
        failover = FailOver(kind, start)
        fault = Fault(kind, EVERYBODY, silent, start, start, float("inf"))
        self.history.failovers.append(failover)
        self.history.faults.append(fault)
        return failover, fault

    async def _mint(self):
        """Tokens that the replica has, and that nothing ends as long as all is calm."""
        tokens = [token for _ in range(2) for client in CLIENTS if (token := await self.traffic.mint(client))]
        await self.blocking(lambda: self._wait_for_copies(tokens))
        return tokens

    async def _use(self, tokens, failover):
        while tokens and time.monotonic() < failover.until and not self.traffic.ends:
            await self.traffic.use(self.random.choice(tokens))
            await asyncio.sleep(0.002)

    async def _cause(self, kind, cause, silent=False):
        """No change comes in between, until some time after all agree (_release_calm_within)."""
        await self.topology.changer.calm.acquire()
        self._holds_calm = True
        tokens = await self._mint()
        failover, fault = self._begin(kind, time.monotonic(), silent)
        self._users = [asyncio.create_task(self._use(tokens, failover)) for _ in range(USERS)]
        await self.blocking(cause)
        fault.began = time.monotonic()
        return failover, fault

    def _cut_off(self, others):
        """Of the old master; the instances reach it as before."""
        self.network.lose(both_ways(place_of(self.old), map(place_of, others)))

    def _release_calm_within(self, seconds):
        if self._holds_calm:
            self._holds_calm = False
            calm = self.random.uniform(0.25, 0.75) * seconds
            asyncio.get_running_loop().call_later(calm, self.topology.changer.calm.release)

    async def _late(self, failover):
        """Half of the times: when all have to know the new master, and a while later."""
        if self.random.random() < 0.5:
            await asyncio.sleep(max(0.0, failover.until - time.monotonic()) + self.random.uniform(0.2, 1))

    def _least(self, seconds):
        """One of each group, or each kind: on a busy machine it takes them long to agree."""
        kinds = self.topology.fault_kinds
        wanted = {SHORT: len(kinds.groups), WHOLE: len(kinds.all)}
        return max((number for least, number in wanted.items() if seconds > least - 1), default=0)


class SentinelFaults(FollowedFaults):
    def __init__(self, topology, *more):
        super().__init__(topology, *more)
        self.group = topology.group
        self._look()

    def _look(self):
        """All is well. Who is what, and the files that each writes to."""
        self.old = self.topology.server
        self.new = next(server for server in self.group.servers if server is not self.old)
        self._files = {server: Files(server) for server in self.group.servers}

    # ---- what is asked of Redis and the Sentinels ----

    @staticmethod
    def _await(condition, what):
        """What mintd has no part in."""
        try:
            wait_until(condition, PATIENCE, what)
        except AssertionError as late:
            raise Restless(str(late)) from late

    def _is_master(self, server):
        try:
            return self.group.ask(server, "ROLE")[0] == "master"
        except OSError:
            return False

    @staticmethod
    def _names(sentinel):
        try:
            return sentinel.names()
        except OSError:
            return 0

    def _named_by(self, sentinels):
        """How many of them name the new master."""
        return sum(self._names(sentinel) == self.new.port for sentinel in sentinels)

    def _ask_leader(self):
        try:
            return self.group.begin_fail_over(self.old)
        except OSError:  # it writes its state to a disk that is slow
            return False

    def _is_settled(self):
        master, replica = self.topology.server, self.new if self.topology.server is self.old else self.old
        try:
            copies = "master_link_status:up" in self.group.ask(replica, "INFO", "replication")
            written = [self.group.ask(server, "INFO", "persistence") for server in (master, replica)]
            return (copies and all("aof_rewrite_in_progress:0" in text and "aof_rewrite_scheduled:0" in text
                                   for text in written)
                    and self.group.agree_on(master) and self.group.are_ready())
        except OSError:
            return False

    def _has_moved_on(self):
        """The Sentinels have led one more fail-over, that nobody asked for."""
        return all(self._names(sentinel) not in (0, self.topology.server.port) for sentinel in self.group.each)

    def _describe(self):
        def state(ask):
            try:
                return str(ask())
            except OSError as problem:
                return repr(problem)

        return "\n".join([*(state(sentinel.state) for sentinel in self.group.each),
                          *(state(lambda: self.group.ask(server, "INFO", "replication")) for server in self.group.servers)])

    def _demote(self, server, master):
        try:
            self.group.ask(server, "REPLICAOF", "127.0.0.1", str(master.port))
        except (OSError, RedisError):  # the connection may end with the role; it may be loading what it copies
            pass

    # ---- a fail-over ----

    def _wait_for_copies(self, tokens):
        has_copy = self.group.has_copy(self.new, *tokens)

        def has():
            try:
                return has_copy()
            except (OSError, RedisError):  # it is loading what it copies
                return False

        self._await(has, "the copies")

    async def _follow(self, failover, fault, sentinels, asked=False):
        """Until these Sentinels agree; then the time runs in which every instance has to follow. asked: nothing ails the
        old master, so that one which gives the fail-over up has to be asked again."""
        deadline = time.monotonic() + scaled(PATIENCE)
        while (named := await self.blocking(lambda: self._named_by(sentinels))) < len(sentinels):
            if time.monotonic() > deadline:
                raise Restless("the Sentinels do not agree within %g s: %s" % (
                    scaled(PATIENCE), await self.blocking(self._describe)))
            if named:
                failover.named = min(failover.named, time.monotonic())
            if self.topology.server is self.old and await self.blocking(lambda: self._is_master(self.new)):
                self._move()
            if asked:
                await self.blocking(self._ask_leader)
            await asyncio.sleep(WATCH)
        now = time.monotonic()
        failover.named = min(failover.named, now)
        if self.topology.server is self.old:
            self._move()
        failover.until = now + FOLLOW
        self._release_calm_within(FOLLOW)
        # Who sees the old master yet goes on with it, and leaves it later: without it nobody may take so long.
        ends = max(failover.named, fault.began + SILENCE if fault.silent else 0)
        fault.end = ends if fault.kind.endswith("kill -9") or fault.silent else failover.until - RECOVERY
        failover.old, failover.new = self._files[self.old], self._files[self.new]

    def _move(self):
        self.topology.server = self.new
        self.topology.changer.has_replica = False
        self.topology.move(self.new)

    async def _settle(self, failover):
        await asyncio.sleep(max(0.0, failover.until - time.monotonic()))
        await asyncio.gather(*self._users)
        try:
            await self.blocking(lambda: wait_until(lambda: self._is_settled() or self._has_moved_on(), PATIENCE))
        except AssertionError as late:
            raise Restless("the old master is no replica: " + await self.blocking(self._describe)) from late
        moved_on = await self.blocking(self._has_moved_on)
        self.topology.changer.has_replica = not moved_on
        failover.followed = time.monotonic()
        failover.went_back = await self.blocking(failover.new.look_again)
        await self.blocking(self._look)  # it reads folders
        if moved_on:
            await self._notice()

    async def _kill(self):
        failover, fault = await self._cause("master kill -9", self.old.kill)
        await self._follow(failover, fault, self.group.each)
        old, new = self.old, self.new
        if self.random.random() < 0.5:
            await self.blocking(lambda: old.start("--replicaof", "127.0.0.1 %d" % new.port))
        else:  # it takes itself for the master of before
            await self._late(failover)
            await self.blocking(old.start)
            await asyncio.sleep(self.random.uniform(0.2, 1))
            await self.blocking(lambda: self._demote(old, new))
        await self._settle(failover)

    async def _pause(self):
        failover, fault = await self._cause("master SIGSTOP", self.old.pause, silent=True)
        await self._follow(failover, fault, self.group.each)
        await self._late(failover)
        self.old.resume()
        if time.monotonic() < failover.until:  # it serves who has not heard yet, until the next question to a Sentinel
            fault.end = max(fault.end, time.monotonic())
        await asyncio.sleep(self.random.uniform(0, 1))
        await self.blocking(lambda: self._demote(self.old, self.new))
        await self._settle(failover)

    def _any_master(self):
        return self.topology.server, None

    async def _cut(self):
        """It takes itself for the master until it is reached again."""
        others = [self.new, *self.group.each]
        failover, fault = await self._cause(CUT_OFF, lambda: self._cut_off(others))
        await self._follow(failover, fault, self.group.each)
        await self._late(failover)
        await self.blocking(self.network.heal)
        await asyncio.sleep(self.random.uniform(0, 1))
        await self.blocking(lambda: self._demote(self.old, self.new))
        await self._settle(failover)

    def _until_asked(self):
        # It is busy with the last one for a while.
        self._await(self._ask_leader, "a Sentinel that begins a fail-over")

    async def _ask(self):
        failover, fault = await self._cause("SENTINEL FAILOVER", self._until_asked)
        await self._follow(failover, fault, self.group.each, asked=True)
        await self._late(failover)
        await self.blocking(lambda: self._demote(self.old, self.new))
        await self._settle(failover)

    async def _ask_beside_a_stale_one(self):
        """It sleeps through the fail-over, and on waking names the old master, which takes itself for one yet."""
        stale = self.group.each[STALE]
        stale.pause()
        failover, fault = await self._cause("stale sentinel", self._until_asked)
        await self._follow(failover, fault, [one for one in self.group.each if one is not stale],
                           asked=True)
        await asyncio.sleep(max(0.0, failover.until - time.monotonic()))
        stale.resume()
        await asyncio.sleep(self.random.uniform(0.5, 1.5))
        await self.blocking(lambda: self._demote(self.old, self.new))
        await self._settle(failover)

    async def _notice(self):
        """One that nobody asked for: on a busy machine a master may seem to be down."""
        if not await self.blocking(lambda: self._named_by(self.group.each)):
            return
        failover, fault = self._begin("unasked", time.monotonic() - UNNOTICED)
        await self._follow(failover, fault, self.group.each)
        await self.blocking(lambda: self._demote(self.old, self.new))
        await self._settle(failover)

    # ---- a Sentinel ----

    async def _kill_sentinel(self):
        async def start():
            await self.blocking(sentinel.start)

        sentinel = self.group.each[KILLED]
        await self._fault("sentinel kill -9", NOBODY, False, lambda: self.blocking(sentinel.kill), start,
                          self.random.uniform(1, 3))

    async def _pause_sentinel(self):
        sentinel = self.group.each[STALE]
        await self._fault("sentinel SIGSTOP", NOBODY, True, lambda: self.blocking(sentinel.pause),
                          lambda: self.blocking(sentinel.resume), self.random.uniform(1, 3))

    # ---- all of it ----

    async def _rest(self):
        until = time.monotonic() + self.random.uniform(1.5, 3)
        while time.monotonic() < until:
            await self._notice()
            await asyncio.sleep(0.25)

    def _first_kinds(self):
        """Each kind, in a random order; but first one of each group that also a short run has to have."""
        groups = [[self._kill, self._pause], [self._ask, self._ask_beside_a_stale_one],
                  [self._kill_sentinel, self._pause_sentinel]]
        for group in groups:
            self.random.shuffle(group)
        first = [group.pop() for group in groups]
        rest = [*(kind for group in groups for kind in group), self._silence, *self._losses()]
        if self.network:
            rest.append(self._cut)
        self.random.shuffle(first)
        self.random.shuffle(rest)
        return first + rest
