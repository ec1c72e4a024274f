"""How long to wait: every deadline of the harness goes through scaled()."""
import os
import time

TIME_SCALE = float(os.environ.get("MINTD_TIME_SCALE", "1"))


def scaled(seconds):
    """Seconds, stretched by MINTD_TIME_SCALE: for waits that end early when all is well."""
    return seconds * TIME_SCALE


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
