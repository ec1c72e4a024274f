"""Goals that other tests show: their rows and scripts are run, and their numbers told."""
import collections
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

from goal import AtLeast, AtMost, Goal, NotHere, least
from stage import TESTS

ROOT = os.path.dirname(TESTS)
AT_ONCE = 4  # they mostly wait
TESTS_OF_CI = "all tests, with AddressSanitizer and UBSan"


def command(words, allowed=(0, 1), env=None):
    """(status, output); what it says is told where it fails."""
    done = subprocess.run(words, cwd=ROOT, text=True, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print("\n".join("      " + line for line in done.stdout.splitlines()[-40:]), flush=True)
    if done.returncode not in allowed:
        raise RuntimeError("%s ended with status %d" % (words[0], done.returncode))
    return done.returncode, done.stdout


# ---- rows of the end-to-end tests ----


def counted(report):
    """Numbers of a report of pytest."""
    counts, slowest = collections.Counter(), 0.0
    for case in ElementTree.parse(report).iter("testcase"):
        counts["rows"] += 1
        counts["failed"] += case.find("failure") is not None or case.find("error") is not None
        counts["skipped"] += case.find("skipped") is not None
        slowest = max(slowest, float(case.get("time", 0)))
    return {"rows": counts["rows"], "failed": counts["failed"], "skipped": counts["skipped"], "s for the slowest": slowest}


def rows(words, *files, short=None, full=None):
    """The rows with these words in their names; short, full: environment of either form."""

    def measure(run):
        with tempfile.TemporaryDirectory(prefix="torture.") as place:
            report = os.path.join(place, "rows.xml")
            words_of_pytest = [sys.executable, "-m", "pytest", "-q", "--junit-xml", report, "-k", words,
                               *(os.path.join("tests", "e2e", file) for file in files or ("",))]
            try:
                import xdist  # noqa: F401 # pylint: disable=import-outside-toplevel,unused-import
                words_of_pytest += ["-n", str(AT_ONCE)]
            except ImportError:
                pass
            command(words_of_pytest, env=run.size(short, full))
            return counted(report)

    return measure


def goal_of_rows(name, promise, words, *files, at_least, short=None, full=None, missing=""):
    return Goal(name, promise, "the rows `%s` of tests/e2e" % words + (" (full: %s)" % ", ".join(
        "%s=%s" % pair for pair in full.items()) if full else ""),
                {"rows": AtLeast(at_least), "failed": AtMost(0), "skipped": AtMost(0)}, rows(words, *files, short=short, full=full),
                ci=TESTS_OF_CI, missing=missing)


# ---- scripts ----


def numbers(pattern, text):
    """All numbers that the groups of the pattern find, summed by group."""
    found = re.findall(pattern, text)
    rows_found = [one if isinstance(one, tuple) else (one,) for one in found]
    return [sum(int(number.replace(",", "")) for number in column) for column in zip(*rows_found)] or [0]


def fuzzing(run):
    status, said = command(["script/fuzz", "--seconds", str(run.size(6, 3600))])
    done = re.findall(r"^\w+: (\d+) inputs, nothing broke$", said, re.M)
    return {"targets": len(done) + said.count(": BROKEN"), "inputs": sum(map(int, done)),
            "broken": max(said.count(": BROKEN"), status)}


def consistency(run):
    asked, offences, bad = 0, 0, 0
    for topology in run.size(("standalone",), ("standalone", "sentinel", "cluster")):
        status, said = command(["script/consistency", "--topology", topology, "--seconds", str(run.size(20, 600)),
                                "--seed", str(run.seed)])
        bad += status != 0
        asked += numbers(r"done: (\d+) requests", said)[0]
        offences += numbers(r"(?m)^(\d+) offences$", said)[0]
    return {"requests judged": asked, "offences": offences, "runs that were not good": bad}


def timing(run):
    status, said = command(["script/timing", "--seed", str(run.seed), *run.size(("--samples", "20000"),
                                                                                 ("--samples", "1000000"))])
    largest = max((abs(float(t)) for t in re.findall(r"against \S+ +t +(-?[0-9.]+)", said.split("# refusals")[-1])),
                  default=0.0)
    return {"t between refusals, at most": largest, "pairs told apart in each of 4 runs": max(said.count("FAILED: "), status)}


def matrix(run):
    _, said = command(["script/matrix", *run.size(("system",), ("system", "redis8", "valkey"))])
    passed, failed = numbers(r"(?m)^(\d+) passed, (\d+) failed$", said)
    return {"rows": passed + failed, "failed": failed}


def elsewhere(why, *full):
    """Not in the short form; the long one runs these, where there are any."""

    def measure(run):
        if not run.full or not full:
            raise NotHere(why)
        return {"failed": sum(command(words)[0] for words in full)}

    return measure


GOALS = [
    Goal("G-06", "no input breaks a parser", "script/fuzz: each target for 6 s (full: 1 h). What the seeds reach of the parsers "
         "is told by `script/fuzz --coverage`",
         {"targets": AtLeast(17), "inputs": least(100_000, 1_000_000_000), "broken": AtMost(0)}, fuzzing, ci="fuzzing, 6 s for each target",
         missing="10⁹ inputs each"),
    Goal("G-09", "sanitizers, valgrind and analyzers find nothing", "steps of .ci/run: script/test with AddressSanitizer and "
         "UBSan, gcc's analyzer, clang-tidy, cppcheck; by turns what threads share with ThreadSanitizer, and two endpoints "
         "under valgrind (full: script/test whole with each of the three)", {"failed": AtMost(0)},
         elsewhere("steps of .ci/run", ["script/test"], ["script/test", "--tsan"], ["script/test", "--valgrind"]), ci=TESTS_OF_CI),
    goal_of_rows("G-12", "an error of Redis is 503, and no token", "G-12", "test_faults.py", at_least=60),
    goal_of_rows("G-13", "a fail-over is followed", "test_fail_overs_under_load", "test_sentinel.py",
                 at_least=1, short={"MINTD_FAIL_OVERS": "2"}, full={"MINTD_FAIL_OVERS": "50"},
                 missing="how long the Sentinels take to agree"),
    Goal("G-14", "nothing revoked is accepted beyond its bound", "script/consistency: five instances under load and faults, their history "
         "judged: 20 s (full: 600 s on one Redis, Sentinels and a cluster each)",
         {"requests judged": least(10_000, 1_000_000), "offences": AtMost(0), "runs that were not good": AtMost(0)}, consistency,
         ci="consistency of five instances under load and faults"),
    goal_of_rows("G-15", "clocks that are wrong decide nothing", "B-5", "test_clocks.py", at_least=10,
                 missing="a clock of Redis that jumps, and leap seconds that are smeared"),
    Goal("G-17", "time does not tell why a client was refused", "script/timing: 20,000 (full: 10⁶) samples a class",
         {"pairs told apart in each of 4 runs": AtMost(0)}, timing, ci="the time of refusals",
         missing="an instance without memory: TI-4 of docs/security.md"),
    goal_of_rows("G-27", "a log that nobody reads blocks nothing", "G-27", "test_logs.py", at_least=2,
                 missing="a full disk: tests/unit/test_log.c; mintd has no mode in which it stops where a line is lost"),
    Goal("G-29", "it is the same everywhere", "script/matrix: the whole job, the loss of a Redis in it, on one Redis, behind "
         "Sentinels and in a cluster, with one instance and with three, on the system's Redis (full: Redis 8 and Valkey too)",
         {"rows": least(6, 12), "failed": AtMost(0)}, matrix, ci="the main job on each form of Redis",
         missing="Redis 7.0 on Debian 13, which has none; clients and gateways of others: script/peers"),
]
