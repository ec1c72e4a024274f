"""System calls that fail: strace puts an error in their place, and mintd has to live with it.

A case is (call, error, when): the nth call of each thread fails, or all from the nth on ("3+"). Calls of a running
process are hit by a strace that attaches to it: while requests come, whose answers may be refusals or lost
connections, but late or wrong they may not be; afterwards it serves. Calls of a start are hit from its first
instruction on: it serves, or says why it does not and ends with a status of its own.

mintd has no abort() of its own: SIGABRT is libuv's or libc's, which give up where the kernel says what it never
says. Those are told by call, and ABORTS lists those that are known.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from goal import LONG_OF_CI, AtMost, Goal, NotHere, least
from resources import MINT, many_kinds, serves
from stage import QuietMintd, Stage, comes_true, is_ready, scaled, seconds_until
from support.process import leashed
from support.wire import Wire

ERRORS = ("EMFILE", "ENFILE", "ENOMEM", "EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOSPC", "ENOBUFS")
SERVING = ("accept4", "recvfrom", "read", "sendto", "write", "epoll_wait", "epoll_ctl", "poll", "close", "connect", "socket",
           "setsockopt", "getsockopt", "ioctl", "mprotect", "futex")
# Not brk: the kernel has no error number for it, and libc takes one for an address.
STARTING = ("openat", "mmap", "munmap", "newfstatat", "fcntl", "eventfd2", "pipe2", "epoll_create1", "bind", "listen", "getsockname", "clone3",
            "getrandom", "socket", "epoll_ctl", "setsockopt")
MOST = 50  # n of the full form
# libuv: what it waits with, and the pipe for signals that its first loop makes; libc: its locks.
ABORTS = {"epoll_ctl": ERRORS, "epoll_wait": tuple(error for error in ERRORS if error != "EINTR"), "futex": ERRORS,
          "pipe2": ERRORS}
LATE = 1.0  # s beyond what Redis may take
REDIS_TIMEOUT_MS = 250
TOKENS_ASKED = 200
IN_MAIN = "PR_SET_DUMPABLE"  # what it asks the kernel for first


STOPPED = re.compile(r"^(\d+) +--- stopped by SIGSTOP ---$", re.M)
STOPS = 1 << 20  # so near to a trace's end its threads stop


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def injected(call, error, when):
    return ["-e", "trace=%s,prctl" % call, "-e", "inject=%s:error=%s:when=%s" % (call, error, when)]


class Tally:
    def __init__(self):
        self.numbers, self.aborts, self.told = collections.Counter(), collections.Counter(), []

    def blame(self, kind, case, what=""):
        self.numbers[kind] += 1
        self.told.append("%s: %s %s" % (kind, "%s:%s:when=%s" % case, what))

    def end(self, case, status, said):
        """How a process ended that had to go on, or to say why not."""
        if status == -signal.SIGABRT:
            self.aborts[case[0]] += 1
            if case[1] not in ABORTS.get(case[0], ()):
                self.blame("aborts that are not listed", case, said[-200:])
        elif status is None:
            self.blame("hangs", case)
        elif status < 0:
            self.blame("crashes", case, signal.Signals(-status).name)


# ---- of a running process ----


class Tracer:
    def __init__(self, mintd, case, trace):
        self._mintd, self._trace = mintd, trace
        self._process = subprocess.Popen(leashed("strace", "-f", "-o", trace, *injected(*case), "-p",
                                                 str(mintd.pid)),
                                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if "attached" not in (line := self._process.stderr.readline()):
            self._process.kill()
            self._close()
            raise NotHere("strace may not look into mintd: " + line.strip())

    def _close(self):
        try:
            self._process.wait(scaled(10))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()

    def _stands(self):
        """Each of its threads: none is within a call."""
        return set(os.listdir("/proc/%d/task" % self._mintd.pid)) <= set(STOPPED.findall(read(self._trace)[-STOPS:]))

    def end(self):
        """It lets go of a process that stands still: a call that waits for its error would say ENOSYS."""
        self._mintd.process.send_signal(signal.SIGSTOP)
        comes_true(lambda: not self._mintd.is_alive or self._stands(), 10)
        if self._mintd.is_alive:
            self._process.terminate()
        else:  # one that waits for what has ended does not hear SIGTERM
            self._process.kill()
        self._close()
        self._mintd.process.send_signal(signal.SIGCONT)


def visit(address, raw, wanted, limit):
    """One request on a connection of its own: "ok", "refused", "lost", "late", or what is wrong."""
    try:
        with Wire(address, limit / scaled(1)) as wire:
            status = wire.ask(raw)[0]
    except TimeoutError:
        return "late"
    except (OSError, ValueError):
        return "lost"
    if status == wanted:
        return "ok"
    return "refused" if status >= 400 else "%d for %d" % (status, wanted)


def judge_visit(tally, case, outcome):
    """From the nth on for ever: nobody need be answered meanwhile."""
    if outcome == "late" and not case[2].endswith("+"):
        tally.blame("late answers", case)
    elif outcome not in ("ok", "refused", "lost", "late"):
        tally.blame("wrong answers", case, outcome)


def disturb(stage, mintd, kinds, case, tally, trace):
    tracer = Tracer(mintd, case, trace)
    try:
        stage.redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # a link that is made anew has calls, too
        limit = scaled(LATE + REDIS_TIMEOUT_MS / 1000)
        for raw, wanted in kinds:
            judge_visit(tally, case, visit(mintd.address, raw, wanted, 0.3 if case[2].endswith("+") else limit))
            if not mintd.is_alive:
                break
    finally:
        tracer.end()
    if mintd.is_alive and not comes_true(lambda: serves(mintd.address) or not mintd.is_alive, 2):
        tally.blame("hangs", case, "it does not serve afterwards")
        mintd.kill()
    elif not mintd.is_alive:
        tally.end(case, mintd.process.returncode, mintd.log())


def disturb_all(stage, place, series, tally):
    mintd, kinds, trace = None, None, place + "/trace"
    for number, case in enumerate(reached(series, trace, tally)):
        if mintd is None or not mintd.is_alive:
            mintd = stage.quiet_mintd("--workers", "1", log="%s/%d" % (place, number),
                                      env={"MINTD_REDIS_TIMEOUT": str(REDIS_TIMEOUT_MS)})
            kinds = many_kinds(stage, mintd)
        disturb(stage, mintd, kinds, case, tally, trace)
    if mintd is not None and mintd.is_alive:
        tally.end(("exit", "-", "-"), mintd.end(), mintd.log())


def reached(series, trace, tally):
    """Of each series of nths those up to the first that is not reached: later ones are not, either."""
    for call, error, whens in series:
        for when in whens:
            yield call, error, when
            tally.numbers["cases"] += 1
            hits = read(trace).count("INJECTED")
            tally.numbers["calls that failed"] += hits
            if not hits:
                break


# ---- of a start ----


def start(stage, place, number, case, tally, trace):
    mintd = QuietMintd("--workers", "1", redis=stage.redis, log="%s/start-%d" % (place, number),
                       runner=["strace", "-D", "-f", "-qq", "-o", trace, *injected(*case)])
    try:
        if not comes_true(lambda: is_ready(mintd.address, 1) or not mintd.is_alive, 5):
            if not case[2].endswith("+"):
                tally.blame("hangs", case, "it neither ends nor serves: " + mintd.log()[-200:])
            return
        if mintd.is_alive:
            tally.numbers["starts that served"] += 1
            tally.end(case, mintd.end(), mintd.log())
            return
        status, said = mintd.process.wait(), mintd.log()
        if IN_MAIN not in read(trace):
            tally.numbers["starts that libc's loader gave up"] += 1
            return
        if status == 0 or (status > 0 and not said.strip()):
            tally.blame("silent ends", case, "status %d" % status)
        tally.end(case, status, said)
    finally:
        mintd.kill()


# ---- no randomness ----


def tokens_without_randomness(stage, place):
    """Tokens that it hands out where neither getrandom() nor a device gives a byte."""
    runner = ["strace", "-D", "-f", "-qq", "-o", place + "/trace", *injected("getrandom", "EIO", "1+")]
    if os.geteuid() == 0 or subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode == 0:
        runner = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                  'mount -t tmpfs none /dev && : >/dev/null && exec "$@"', "sh", *runner]
    mintd = QuietMintd("--workers", "1", redis=stage.redis, log=place + "/random", runner=runner)
    try:
        seconds_until(lambda: is_ready(mintd.address, 1) or not mintd.is_alive, 5)
        return sum(visit(mintd.address, MINT, 200, scaled(1)) == "ok" for _ in range(TOKENS_ASKED)), mintd.log()
    finally:
        mintd.kill()


def series_of(run):
    """(those of a running process, those of starts): [(call, error, nths), …]; in the short form an error by chance."""
    def each(call):
        return ERRORS if run.full else (run.random.choice(ERRORS),)

    serving = [(call, error, ("1+", "3+", *map(str, range(1, 1 + run.size(4, MOST))))) for call in SERVING
               for error in each(call)]
    starting = [(call, error, tuple(map(str, range(1, 1 + run.size(3, MOST))))) for call in STARTING
                for error in each(call)]
    return serving, starting


def failing(run):
    if not shutil.which("strace"):
        raise NotHere("there is no strace")
    serving, starting = series_of(run)
    tally, began = Tally(), time.monotonic()
    with Stage() as stage, tempfile.TemporaryDirectory(prefix="torture.") as place:
        disturb_all(stage, place, serving, tally)
        trace = place + "/start"
        for number, case in enumerate(reached(starting, trace, tally)):
            start(stage, place, number, case, tally, trace)
        tokens, said = tokens_without_randomness(stage, place)
    run.say("without randomness: " + (said.strip().splitlines() or ["it says nothing"])[-1][:200])
    run.say("aborts of libuv or libc: %s (%.0f s)" % (", ".join("%s %d" % pair for pair in sorted(tally.aborts.items()))
                                                     or "none", time.monotonic() - began))
    for line in tally.told[:20]:
        run.say(line)
    return {**{name: tally.numbers[name] for name in ("cases", "calls that failed", "starts that served",
                                                      "starts that libc's loader gave up")},
            "aborts that are listed": sum(tally.aborts.values()) - tally.numbers["aborts that are not listed"],
            **{name: tally.numbers[name] for name in ("crashes", "hangs", "late answers", "wrong answers", "silent ends",
                                                      "aborts that are not listed")},
            "tokens without randomness": tokens}


GOALS = [
    Goal("G-02", "a system call that fails ends nothing", "strace puts each of ten errors in place of %d calls: the "
         "nth, n up to 4 (full: 50), or all, of a running process, with requests and a lost link to Redis, or of a "
         "start; short: one error for each call, by chance. And a start without getrandom() and /dev"
         % len({*SERVING, *STARTING}), {"calls that failed": least(60, 10_000), **{name: AtMost(0) for name in ("crashes", "hangs", "late answers", "wrong answers",
                                                                "silent ends", "aborts that are not listed",
                                                                "tokens without randomness")}}, failing,
         ci=LONG_OF_CI),
]
