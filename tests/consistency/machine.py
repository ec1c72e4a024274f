"""How long each process waited for a core, or for a disk: /proc/PID/task/*/schedstat and /proc/PID/stat, read every
20 ms by a thread. Redis writes with appendfsync always here, and answers nobody meanwhile: it counts where it takes
longer than a usual disk, three looks in a row. And how long the checker's own loop stood still (LoopWatch)."""
import asyncio
import bisect
import os
import threading
import time

PERIOD = 0.020
LOOKS = 3


def is_blocked(stat):
    """Whether it can do nothing but wait, which a signal would not end: for a disk."""
    return stat.rpartition(")")[2].split()[0] == "D"


class LoopWatch:
    """How late the running loop is, told to a Machine under a name: the proxies of some instances are in it."""

    def __init__(self, machine, name):
        self._machine, self._name = machine, name
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(PERIOD)
            late = time.monotonic() - before - PERIOD
            if late > PERIOD:
                self._machine.add(self._name, late)

    def end(self):
        self._task.cancel()


class Machine:
    """names: a function that gives the pid of each process now, by name. A process that is started
    anew goes on under its name."""

    def __init__(self, pids):
        self._pids = pids
        self._last = {}  # (pid, thread): nanoseconds
        self._looks = {}  # pid: in how many of the last, one after the other, it was blocked
        self._added = {}  # name: seconds since the last look
        self._times = []
        self._totals = {}  # name: seconds up to each time
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, name, seconds):
        """From any thread: this waited for so long until now."""
        self._added[name] = self._added.get(name, 0.0) + seconds

    def _read(self, pid, since_last):
        """The longest wait of one of its threads since the last look."""
        longest = 0
        try:
            for task in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/schedstat" % (pid, task), encoding="ascii") as file:
                    waits = int(file.read().split()[1])
                longest = max(longest, waits - self._last.get((pid, task), waits))
                self._last[pid, task] = waits
            with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
                self._looks[pid] = self._looks.get(pid, 0) + 1 if is_blocked(file.read()) else 0
        except (OSError, IndexError):
            return longest / 1e9  # it has just ended
        return max(longest / 1e9, since_last if self._looks[pid] >= LOOKS else 0.0)

    def _run(self):
        looked = time.monotonic()
        while not self._ended.wait(PERIOD):
            since_last, looked = time.monotonic() - looked, time.monotonic()
            added, self._added = self._added, {}
            new = {**{name: self._read(pid, since_last) for name, pid in self._pids().items()}, **added}
            for name in {*self._totals, *new}:
                totals = self._totals.setdefault(name, [0.0] * len(self._times))
                totals.append((totals[-1] if totals else 0.0) + new.get(name, 0.0))
            self._times.append(time.monotonic())

    def end(self):
        self._ended.set()
        self._thread.join()

    def waited(self, names, start, end):
        """Seconds, of each."""
        first = max(0, bisect.bisect_left(self._times, start) - 1)
        last = bisect.bisect_right(self._times, end) + 2  # what ended just now is told by the look behind it
        return [self._between(self._totals.get(name), first, last) for name in names]

    @staticmethod
    def _between(totals, first, last):
        if not totals:
            return 0.0
        last = min(len(totals) - 1, last)
        return totals[last] - totals[min(first, last)]

    def total(self, name):
        return (self._totals.get(name) or [0.0])[-1]
