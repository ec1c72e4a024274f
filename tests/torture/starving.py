"""Allocations of a running process that fail: the harness. Scenarios are in scenarios.py.

    control = Control(path)                   # what tests/support/starve.c has mapped, too
    control.arm(7, 7)                         # the 7th allocation from now on fails; arm(7): all from then on
    control.disarm(); control.calls; control.failed; control.failed_at

A scenario is played by a Player against a process of its own. In a clean play each answer has to be right. In a
starved one it may also be a refusal, 500 or 503 with an error, or a connection that is closed: an answer that is
neither is wrong. Afterwards the process serves, or has ended as it may: a clean play has to pass, and there are as
many open files as before.
"""
import collections
import dataclasses
import json
import mmap
import os
import re
import signal
import subprocess
import time

from stage import QuietMintd, Stage, comes_true, is_ready, open_files, scaled, seconds_until
from support.http import Closed, Connection, ProtocolError
from support.mintd import TOKEN

EVER = (1 << 63) - 1
STACK_MAX = 24
REDIS_TIMEOUT_MS = 250
LATE = 1.0  # s beyond what Redis may take
PATIENCE = 0.3  # s for an answer where all allocations fail: nobody need be answered meanwhile
SETTLES = 0.1  # s
BACK = 3.0  # s until all is well again
CHECKED = True  # what holds for every answer of mintd
# libuv and libc end a process that has no memory for these; by the function of mintd's that asked.
ABORTS = {}
SANITIZERS = 99  # what they end it with
EXITS = ("not enough memory for an event loop",)  # behind the program's name


class Control:
    FIRST, LAST, CALLS, FAILED, LIVE, STACKS = range(6)

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as file:
            file.truncate(4096)
            self._map = mmap.mmap(file.fileno(), 4096)
        self._words = memoryview(self._map).cast("Q")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._words.release()
        self._map.close()

    def arm(self, first, last=EVER):
        for at in range(self.STACKS + 2 * STACK_MAX):
            if at not in (self.FIRST, self.LIVE):
                self._words[at] = 0
        self._words[self.LAST] = last
        self._words[self.FIRST] = first

    def count(self):
        self.arm(EVER)

    def disarm(self):
        self._words[self.FIRST] = 0

    calls = property(lambda self: self._words[self.CALLS])
    failed = property(lambda self: self._words[self.FAILED])
    live = property(lambda self: self._words[self.LIVE])

    def _stack(self, number):
        first = self.STACKS + number * STACK_MAX
        return [address for address in self._words[first:first + STACK_MAX] if address]

    failed_at = property(lambda self: self._stack(0))
    ended_at = property(lambda self: self._stack(1))


# ---- names of addresses ----


class Maps:
    """Where the files of a process lie."""

    def __init__(self, pid):
        self._parts = []
        try:
            with open("/proc/%d/maps" % pid, encoding="utf-8") as file:
                for line in file:
                    if found := re.match(r"(\w+)-(\w+) \S+ (\w+) \S+ \S+ +(/\S+)", line):
                        first, end, offset = (int(found[number], 16) for number in (1, 2, 3))
                        self._parts.append((first, end, offset, found[4]))
        except OSError:
            pass  # it may not be looked into: addresses stay numbers

    def names(self, addresses):
        """["malloc", "uv_poll_init (libuv.so.1)", …], innermost first."""
        found = []
        for address in addresses:
            part = next((part for part in self._parts if part[0] <= address < part[1]), None)
            if part is None:
                found.append(hex(address))
                continue
            done = subprocess.run(["addr2line", "-f", "-e", part[3], hex(address - 1 - part[0] + part[2])],
                                  capture_output=True, text=True, check=False)
            found.append("%s (%s)" % ((done.stdout.split("\n") + [""])[0], os.path.basename(part[3])))
        return found


# ---- what is judged ----


def without_name(line):
    return line.split(": ", 1)[-1]


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


class Tally:
    def __init__(self):
        self.numbers, self.listed, self.told = collections.Counter(), collections.Counter(), []

    def blame(self, kind, where, what=""):
        self.numbers[kind] += 1
        self.told.append("%s: %s %s" % (kind, where, what))

    def end(self, where, status, said, caller=""):
        """How a process ended that had to go on. caller: the function of mintd's on the stack of abort()."""
        last = (said.strip().splitlines() or [""])[-1]
        if status == -signal.SIGABRT and caller in ABORTS:
            self.listed["abort in " + caller] += 1
        elif status == 1 and without_name(last) in EXITS:
            self.listed[without_name(last)] += 1
        elif status is None:
            self.blame("hangs", where, "it does not end")
        else:
            name = signal.Signals(-status).name if status < 0 else "status %d" % status
            what = said[-2500:] if status == SANITIZERS else last[-300:]
            self.blame("crashes", where, "%s in %s: %s" % (name, caller or "?", what))


RIGHT, REFUSED, LOST, LATE_ONE = "right", "refused", "lost", "late"
BEFORE = "still as before"


def is_refusal(response):
    """A proper one: 500 or 503 and an error that JSON names. Answers to HEAD and of /verify have no body."""
    return response.status in (500, 503) and (not response.body or bool(response.error))


def outcome_of(response, want):
    """RIGHT, REFUSED, or what is wrong. want: (response) -> None, or what is wrong."""
    flaw = want(response)
    if flaw is None:
        return RIGHT
    return REFUSED if is_refusal(response) else flaw


# ---- one play ----


@dataclasses.dataclass
class Scenario:
    name: str
    play: object  # (player)
    prepare: object = None  # (player): ahead of it, where nothing fails; what it returns is player.given
    options: tuple = ()  # of mintd; or (stand) -> such
    is_fresh: bool = False  # a process for each play: what is kept between requests is made anew
    ends: bool = False  # the process ends in it
    server: object = None  # () -> a context manager that is what tokens lie in: .url, .cli(); None: a Redis
    url: object = None  # (stand) -> what --redis is, where it is not that of the server; "": none
    env: dict = dataclasses.field(default_factory=dict)
    tls: object = None  # (stand) -> the context of its clients

    def fresh(self):
        return dataclasses.replace(self, name=self.name + ", in a new process", is_fresh=True)


class Player:
    """What a scenario asks, and what came of it. A clean one (starved False) wants all to be right."""

    def __init__(self, stand, starved=False, endless=False):
        self.stand, self.redis, self.mintd = stand, stand.redis, stand.mintd
        self.starved, self.endless, self.given = starved, endless, None
        self.outcomes = []

    @property
    def limit(self):
        return PATIENCE / scaled(1) if self.endless else LATE + REDIS_TIMEOUT_MS / 1000

    def note(self, outcome):
        self.outcomes.append(outcome)
        return outcome == RIGHT

    def connect(self, address=None, **more):
        return Connection(address or self.mintd.address, **{"timeout": self.limit, "tls": self.stand.tls, **more})

    def talk(self, parts, wants, **more):
        """Sends these parts on a connection of its own, and reads an answer for each of `wants`. Whether all were right."""
        try:
            with self.connect(**more) as connection:
                for part in parts:
                    connection.send(part)
                return all([self.read(connection, want) for want in wants])
        except TimeoutError:
            return self.note(LATE_ONE)
        except (OSError, Closed):
            return self.note(LOST)

    def read(self, connection, want):
        try:
            response = connection.read_response(getattr(want, "head", False), CHECKED)
        except (ProtocolError, AssertionError, ValueError) as problem:
            return self.note("no right answer: %s" % problem)
        return self.note(outcome_of(response, want))

    def ask(self, raw, want, **more):
        return self.talk([raw], [want], **more)

    def until(self, raw, want, within=2.0, before=None):
        """Asks until it is right. Refusals may come before it, and what `before` takes for right; where allocations
        fail, that may last as long as they do."""
        limit = time.monotonic() + (self.limit if self.endless else scaled(within))
        while True:
            asked, self.outcomes = self.outcomes, []
            is_right = self.ask(raw, lambda response: want(response) if before is None or before(response) else BEFORE)
            last, self.outcomes = self.outcomes, asked
            if is_right or set(last) - {BEFORE, REFUSED, LOST, LATE_ONE}:
                break
            if time.monotonic() > limit or not self.mintd.is_alive:
                break
            time.sleep(0.01)
        self.outcomes += last
        return is_right

    def together(self, raws, want):
        """Each on a connection of its own, all of which are open at once."""
        connections = []
        try:
            for raw in raws:
                connections.append(self.connect())
            for connection, raw in zip(connections, raws):
                self._exchange(connection, raw, want)
        except OSError:
            self.note(LOST)
        for connection in connections:
            connection.close()

    def _exchange(self, connection, raw, want):
        try:
            connection.send(raw)
            self.read(connection, want)
        except TimeoutError:
            self.note(LATE_ONE)
        except (OSError, Closed):
            self.note(LOST)

    def closes(self, raw, want, **more):
        """No answer is right, and that the connection is closed."""
        self.talk([raw], [want], **more)
        self.outcomes[-1:] = [RIGHT if one == LOST else one for one in self.outcomes[-1:]]

    def hear(self, *messages):
        """Sends SIGHUP and waits for one of these in the log; where allocations fail it may say something else."""
        mark = len(self.mintd.log())
        self.mintd.process.send_signal(signal.SIGHUP)

        def said():
            return any(message in self.mintd.log()[mark:] for message in messages) or not self.mintd.is_alive

        within = PATIENCE if self.starved else 2
        if not comes_true(said, within) and not self.starved:
            self.note("not said: %s" % (messages,))

    def wrong(self):
        good = (RIGHT, REFUSED, LOST, LATE_ONE) if self.starved else (RIGHT,)
        return [outcome for outcome in self.outcomes if outcome not in good]


class Stand:
    """A scenario, the process that it is played against, and what it shares with others."""

    def __init__(self, scenario, place, redis, control, tally, env):
        self.scenario, self.place, self.redis, self.control, self.tally = scenario, place, redis, control, tally
        self._env = {**env, "MINTD_STARVE": control.path, "MINTD_REDIS_TIMEOUT": str(REDIS_TIMEOUT_MS), **scenario.env}
        self._options = scenario.options(self) if callable(scenario.options) else scenario.options
        self.url = scenario.url(self) if scenario.url else redis.url
        self._env = {name: value(self) if callable(value) else value for name, value in self._env.items()}
        self.tls = scenario.tls(self) if scenario.tls else None
        self.mintd = self.maps = self.files = None
        self._count = 0

    def start(self):
        self.end()
        self.control.disarm()
        self._count += 1
        path = "%s/%d.log" % (self.place, self._count)
        options = self._options if "--workers" in self._options else ("--workers", "1", *self._options)
        self.mintd = QuietMintd(*options, redis=self.url or None, log=path, env=self._env)
        address = self.mintd.address
        if self.tls:
            seconds_until(lambda: "store is up" in self.mintd.log() or not self.mintd.is_alive, 10)
        else:
            seconds_until(lambda: is_ready(address) or not self.mintd.is_alive, 10)
        if "2" in options and self.mintd.is_alive:  # workers, each with a link
            seconds_until(lambda: Stage.metric(self.mintd, "mintd_store_links_up") == 2, 10)
        if not self.mintd.is_alive:
            raise RuntimeError("%s: it does not start: %s" % (self.scenario.name, self.mintd.log()[-1000:]))
        self.maps = Maps(self.mintd.pid)

    def prepare(self, player):
        """Not each worker may have its link back yet."""
        until = time.monotonic() + scaled(BACK)
        while self.scenario.prepare:
            try:
                player.given = self.scenario.prepare(player)
                return
            except (AssertionError, OSError, Closed) as problem:
                if not self.mintd.is_alive:
                    return
                if time.monotonic() > until:
                    player.note("it cannot be prepared: %s" % problem)
                    return
                time.sleep(0.01)

    def play(self, first=0, last=EVER):
        """A Player that has played. first 0: nothing fails."""
        player = Player(self, starved=first != 0, endless=first != 0 and last == EVER)
        self.prepare(player)
        if first:
            self.control.arm(first, last)
        try:
            self.scenario.play(player)
        finally:
            if first:
                self.control.disarm()
        return player

    def clean(self, where):
        """Plays until all is right; False, and it has been blamed, where that takes too long."""
        until = time.monotonic() + scaled(BACK)
        while True:
            player = self.play()
            if player.outcomes and set(player.outcomes) == {RIGHT}:
                return True
            if not self.scenario.ends and not self.mintd.is_alive:
                self.ended(where)
                return False
            if time.monotonic() > until or self.scenario.ends:
                break
            time.sleep(0.01)
        self.tally.blame("hangs", where, "it does not serve afterwards: %s" % (player.outcomes or "nothing was asked"))
        return False

    def count(self):
        """Allocations of a clean play."""
        if self.mintd is None or self.scenario.is_fresh or self.scenario.ends:
            self.start()
        player = Player(self)
        self.prepare(player)
        self.control.count()
        self.scenario.play(player)
        calls = self.control.calls
        self.control.disarm()
        if set(player.outcomes) != {RIGHT}:
            raise RuntimeError("%s: where nothing fails, it is not right: %s; %s" % (self.scenario.name, player.outcomes,
                                                                                self.mintd.log()[-500:]))
        return calls

    def settle(self):
        """As many open files as there are without clients: the fewest for a while, as those that were here go."""
        seen, until = [], time.monotonic() + scaled(SETTLES)
        while time.monotonic() < until:
            seen.append(open_files(self.mintd.pid))
            time.sleep(0.01)
        self.files = min(seen)

    def case(self, number, last):
        """Whether so many allocations were reached."""
        if self.mintd is None or not self.mintd.is_alive or self.scenario.is_fresh or self.scenario.ends:
            self.start()
        where = "%s, allocation %d%s" % (self.scenario.name, number, "" if last == number else " and all later ones")
        player = self.play(number, last)
        failed = self.control.failed
        self.tally.numbers["allocations that failed"] += failed
        self.tally.numbers["cases"] += failed != 0
        for outcome in player.outcomes:
            self.tally.numbers["answers " + outcome if outcome in (RIGHT, REFUSED, LOST, LATE_ONE) else "wrong"] += 1
        self.judge(where, player)
        return failed != 0

    def at(self):
        return " < ".join(name.split(" ")[0] for name in self.maps.names(self.control.failed_at[2:14]))

    def judge(self, where, player):
        for outcome in player.wrong():
            self.tally.blame("wrong answers", where, "%s; at %s" % (outcome, self.at()))
        if LATE_ONE in player.outcomes and not player.endless:
            self.tally.blame("late answers", where, "at " + self.at())
        if self.scenario.ends:
            self.ended(where, may_end=True)
            return
        if not self.mintd.is_alive:
            self.ended(where)
            return
        at = self.control.failed_at
        if not self.clean(where):
            self.tally.told[-1] += "; at " + " < ".join(self.maps.names(at[2:14]))
            if self.mintd.is_alive:
                self.mintd.kill()
        elif not self.scenario.is_fresh and not comes_true(lambda: open_files(self.mintd.pid) <= self.files, 1):
            self.tally.blame("descriptors left", where, "%d, were %d" % (open_files(self.mintd.pid), self.files))
            self.mintd.kill()

    def ended(self, where, may_end=False):
        try:
            status = self.mintd.process.wait(scaled(12))
        except subprocess.TimeoutExpired:
            self.mintd.kill()
            status = None
        if may_end and status == 0:
            return
        names = self.maps.names(self.control.ended_at)
        caller = next((name.split(" ")[0] for name in names if "(mintd" in name), "")
        self.tally.end(where, status, self.mintd.log(), caller)
        self.tally.told[-1:] = [line + "\n        " + " < ".join(names) for line in self.tally.told[-1:]]

    def check_log(self):
        for line in self.mintd.log().splitlines():
            if without_name(line) not in EXITS and (not line.isprintable() or not is_object(line) or TOKEN.search(line)):
                self.tally.blame("lines of the log that are broken", self.scenario.name, repr(line[:200]))

    def end(self):
        """Ends the process, which has to end well, and have logged well."""
        if self.mintd is None:
            return
        if self.mintd.is_alive:
            status = self.mintd.end()
            if status != 0:
                self.tally.end(self.scenario.name + ", its end", status, self.mintd.log())
        if self.mintd.process.returncode in (0, 1):
            self.check_log()
        os.unlink(self.mintd.log_path)
        self.mintd = None
