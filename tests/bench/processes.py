"""Processes under measurement: started on named cores, ended with the run, and what they cost."""
import ctypes
import os
import signal
import subprocess

SERVER_CORES = {0}
LOAD_CORES = {1}
ALL_CORES = SERVER_CORES | LOAD_CORES

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class BenchError(Exception):
    """A measurement that cannot be trusted: str() says which and why."""


class WrongAnswers(BenchError):
    """Some requests of a turn were not answered as they should have been."""


def on_cores(cores):
    """A preexec_fn: the child runs on these cores, and is asked to end when this process does."""

    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, cores)

    return prepare


class Child:
    """One server process with its workers. Its output goes to log_path. prepared: False where it is not to end
    with this process, but to start as fast as can be."""

    def __init__(self, name, arguments, log_path, cores, environment=None, prepared=True):
        self.name = name
        self.log_path = log_path
        ours = os.sched_getaffinity(0)
        if not prepared:
            os.sched_setaffinity(0, cores)
        with open(log_path, "wb") as log:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, preexec_fn=on_cores(cores) if prepared else None)
        os.sched_setaffinity(0, ours)
        self.pid = self._process.pid

    def check_alive(self):
        if self._process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise BenchError("%s ended with status %d: %s"
                                 % (self.name, self._process.returncode, log.read()[-500:]))

    def stop(self):
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            for pid in family(self.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()


def family(pid):
    """The process and all its descendants."""
    pids = [pid]
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                children = file.read().split()
        except FileNotFoundError:
            continue  # the thread has ended
        for child in children:
            pids += family(int(child))
    return pids


def cpu_seconds(pid):
    """User and system time so far of all threads of the process and its descendants, to the nanosecond."""
    total = 0
    for each in family(pid):
        for task in os.listdir("/proc/%d/task" % each):
            try:
                with open("/proc/%d/task/%s/schedstat" % (each, task), encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                pass  # the thread has ended
    return total / 1e9


def resident_bytes(pid):
    """Resident memory of the process and its descendants; pages that they share count for each."""
    total = 0
    for each in family(pid):
        with open("/proc/%d/statm" % each, encoding="ascii") as file:
            total += int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return total


def threads(pid):
    """The ids of its threads now."""
    return [int(task) for task in os.listdir("/proc/%d/task" % pid)]


def move(pid, cores):
    """Puts a running process, all threads of it, on other cores."""
    for thread in threads(pid):
        os.sched_setaffinity(thread, cores)
