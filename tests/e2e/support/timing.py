"""How long to wait: every deadline of the harness goes through scaled(), which stretches it by itself.

scale() is the product of three, each at least 1:
    the kind     what mintd runs under: 2 with ThreadSanitizer, 10 with valgrind
    the machine  the CPU time of a fixed task, measured once, against what a slow server takes
    the crowd    how many want a core for each core there is, followed while the tests run
So one test is exact on an idle machine and patient on a busy one, and nobody has to know a variable.
Upper bounds only are stretched: what must not be earlier is compared with the plain number.
"""
import collections
import os
import shlex
import threading
import time

_TASK_SECONDS = 0.02  # CPU time of _task() up to which a machine is as fast as the bounds want it
_TSAN, _VALGRIND = 2.0, 10.0
_EVERY, _REMEMBERED = 0.1, 15.0  # seconds
_AVERAGED = 10  # samples: one second


def _kind():
    """MINTD_TIME_SCALE overrules what can be seen of the program and its runner."""
    if given := os.environ.get("MINTD_TIME_SCALE"):
        return max(1.0, float(given))
    if "valgrind" in " ".join(shlex.split(os.environ.get("MINTD_RUNNER", ""))[:1]):
        return _VALGRIND
    program = os.environ.get("MINTD_BINARY", "")
    try:
        with open(program, "rb") as file:
            return _TSAN if b"__tsan_init" in file.read() else 1.0
    except OSError:
        return 1.0


def _task():
    started = time.thread_time()
    sum(number % 7 for number in range(100_000))
    return time.thread_time() - started


def cores():
    """Those that this process may use: by its affinity, and by its cgroup's quota."""
    count = len(os.sched_getaffinity(0))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return count if quota == "max" else min(count, int(quota) / int(period))
    except (OSError, ValueError):
        return count


class _Crowd(threading.Thread):
    """Looks ten times a second how many threads of the machine want a core."""

    def __init__(self):
        super().__init__(daemon=True)
        self._cores = cores()
        self._samples = collections.deque(maxlen=_AVERAGED)
        # The first moments are judged by the last minute.
        self._averages = collections.deque([os.getloadavg()[0]], maxlen=int(_REMEMBERED / _EVERY))

    def look(self):
        try:
            with open("/proc/loadavg", encoding="ascii") as file:
                ready = int(file.read().split()[3].partition("/")[0])
        except (OSError, ValueError):
            return
        self._samples.append(ready - 1)  # this one looks
        self._averages.append(sum(self._samples) / len(self._samples))

    def run(self):
        while True:
            time.sleep(_EVERY)
            self.look()

    def now(self):
        """The worst of the last moments: a bound is judged after what it bounds."""
        return max(1.0, max(self._averages.copy()) / self._cores)


def earliest():
    """The least that mintd's wall clock may say from now on, in seconds: it is a coarse one, up to 10 ms
    behind, and may be reckoned from another coarse one (src/base/clock.c)."""
    return time.time() - 0.02


_lock = threading.Lock()
_steady, _crowd = 0.0, None


def scale():
    """By how much a wait is stretched, now."""
    global _steady, _crowd
    with _lock:
        if _crowd is None:
            _steady = _kind() * max(1.0, min(_task() for _ in range(3)) / _TASK_SECONDS)
            _crowd = _Crowd()
            _crowd.start()
    return _steady * _crowd.now()


def scaled(seconds):
    """Seconds, stretched: for waits that end early when all is well, and for upper bounds."""
    return seconds * scale()


def _waits_for_a_core(pid):
    """Seconds that each thread was ready to run while others had the cores; nothing where the kernel
    does not count them."""
    waits, tasks = {}, "/proc/%d/task" % pid
    for task in os.listdir(tasks):
        try:
            with open("%s/%s/schedstat" % (tasks, task), encoding="ascii") as file:
                waits[pid, task] = int(file.read().split()[1]) / 1e9
        except OSError:
            pass  # the thread has ended, or there is no such file
    return waits


class Clock:
    """Seconds from its making to taken(), without those that this process, or the process `pid`, waited
    for a core that others had: what was theirs is not the server's to answer for.

        clock = Clock(mintd.pid); …; assert clock.taken() <= scaled(0.3)
    """

    def __init__(self, pid):
        self._pids = (os.getpid(), pid)
        self._before = self._waits()
        self._started = time.monotonic()

    def _waits(self):
        return {task: wait for pid in self._pids for task, wait in _waits_for_a_core(pid).items()}

    def taken(self):
        passed = time.monotonic() - self._started
        return passed - sum(wait - self._before.get(task, 0) for task, wait in self._waits().items())
