"""Counts the instructions of one step of each scenario, and compares them with a baseline.

usage: run.py [--update | --self-test] [--baseline FILE] [SCENARIO…]

  --update     writes what was counted as the new baseline
  --self-test  compares with baselines that make what was counted 1 % more than is allowed, which has to be
               refused for every scenario, and 1 % less, which has to be accepted

callgrind runs the program `micro` (MICRO_BINARY), and counts what happens below micro_counted().
Instructions do not depend on the machine's speed or load, so one run is enough; what still differs
from machine to machine is which variants libc and OpenSSL choose by what the processor can do, and
those choices are taken from them.

The baseline says which compiler and libraries it was taken with. With the same ones a scenario may
take 5 % more: two runs of one build differ by 0.01 %, a change elsewhere that only moves code by 0.1 %,
what happens to be inlined by some percent. With others 25 %: what they do otherwise is no regression.
Exit status: 0; 1 where a scenario takes more, or the baseline does not fit the scenarios; 2 where
nothing could be counted; 77 on another processor than x86-64, for which there is no baseline."""
import glob
import os
import platform
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTED = "micro_counted"
TOLERANCE, TOLERANCE_OF_OTHERS = 0.05, 0.25
FEWER = 0.10  # the baseline is worth renewing
EDGE = 0.01  # so near to what is allowed the self-test goes, on both sides
TOO_MANY, UNKNOWN = "TOO MANY", "NOT IN THE BASELINE"
STEADY = {"OPENSSL_ia32cap": "0", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-BMI2,-ERMS,-FSRM"}


class Trouble(Exception):
    """str() says what."""


def output_of(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise Trouble("%s: status %d\n%s%s" % (command[0], done.returncode, done.stdout, done.stderr))
    return done.stdout


def toolchain():
    """What chooses the instructions, as one line; without what a security update changes."""
    return "gcc %s, %s, OpenSSL %s" % (
        output_of("cc", "-dumpversion").strip(), " ".join(platform.libc_ver()),
        output_of("openssl", "version").split()[1].rpartition(".")[0])


def part_total(path):
    with open(path, encoding="utf-8") as part:
        return int(re.search(r"^totals: (\d+)$", part.read(), re.M)[1])


def count(scenarios):
    """Instructions of one step, by scenario."""
    with tempfile.TemporaryDirectory(prefix="mintd-micro-") as folder:
        out = os.path.join(folder, "out")
        told = output_of(
            "valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=" + COUNTED,
            "--dump-after=" + COUNTED, "--callgrind-out-file=" + out, os.environ["MICRO_BINARY"],
            *scenarios, timeout=60, env={**os.environ, **STEADY})
        told = [line.split() for line in told.splitlines()]
        parts = sorted(glob.glob(out + ".*"), key=lambda path: int(path.rsplit(".", 1)[1]))
        if len(parts) != len(told) or not told or (scenarios and len(scenarios) != len(told)):
            raise Trouble("%d scenarios ran, %d were counted: is one unknown?" % (len(told), len(parts)))
        return {name: round(part_total(path) / int(times)) for (name, times), path in zip(told, parts)}


def read_baseline(path):
    """(the toolchain it was taken with, instructions by scenario)"""
    with open(path, encoding="utf-8") as file:
        first, *lines = file.read().splitlines()
    return first.removeprefix("# "), {name: int(number) for name, number in map(str.split, lines)}


def write_baseline(path, counted, taken_with):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# %s\n" % taken_with)
        file.writelines("%s %d\n" % item for item in counted.items())


def verdict(counted, allowed, tolerance):
    if allowed is None:
        return UNKNOWN
    if counted > allowed * (1 + tolerance):
        return TOO_MANY
    return "fewer: --update" if counted < allowed * (1 - FEWER) else ""


def compare(counted, baseline, tolerance):
    """Prints the table; the scenarios that fail."""
    print("%-26s %12s %12s %8s" % ("scenario", "instructions", "baseline", "change"))
    failed = []
    for name, number in counted.items():
        allowed = baseline.get(name)
        said = verdict(number, allowed, tolerance)
        change = "" if allowed is None else "%+.1f %%" % (100 * (number / allowed - 1))
        print("%-26s %12d %12s %8s  %s" % (name, number, "" if allowed is None else allowed, change, said))
        if said in (TOO_MANY, UNKNOWN):
            failed.append(name)
    return failed


def judge(counted, path, whole):
    """Compares with the baseline of this file; the scenarios that fail. whole: all of them should have run."""
    taken_with, baseline = read_baseline(path)
    tolerance = TOLERANCE
    if taken_with != toolchain():
        tolerance = TOLERANCE_OF_OTHERS
        print("The baseline was taken with %s; here is %s." % (taken_with, toolchain()))
    failed = compare(counted, baseline, tolerance)
    if whole:
        failed += ["%s (in the baseline, and did not run)" % name for name in baseline.keys() - counted.keys()]
    print("up to %d %% more than the baseline are allowed" % (100 * tolerance))
    if failed:
        print("over it, or not comparable: " + ", ".join(failed))
    return failed


def self_test(counted):
    """Whether a little more than is allowed is refused, and a little less is not: with the baseline's
    compiler and libraries, and with others."""
    wrong = []
    for taken_with, tolerance in ((toolchain(), TOLERANCE), ("something else", TOLERANCE_OF_OTHERS)):
        for edge, refused in ((1 + EDGE, list(counted)), (1 - EDGE, [])):
            with tempfile.NamedTemporaryFile(prefix="mintd-micro-") as file:
                write_baseline(file.name, {name: round(number / (1 + tolerance) / edge)
                                           for name, number in counted.items()}, taken_with)
                if judge(counted, file.name, True) != refused:
                    wrong.append("%g of what %s allows" % (edge, taken_with))
    print("wrongly judged: " + ", ".join(wrong) if wrong else "judged as it should be")
    return wrong


def main(arguments):
    path = os.path.join(HERE, "baseline")
    if "--baseline" in arguments:
        at = arguments.index("--baseline")
        path = arguments[at + 1]
        del arguments[at : at + 2]
    options = {argument for argument in arguments if argument.startswith("--")}
    scenarios = [argument for argument in arguments if argument not in options]
    if options - {"--update", "--self-test"} or len(options) > 1 or ("--update" in options and scenarios):
        print(__doc__, file=sys.stderr)
        return 2
    if platform.machine() != "x86_64":
        print("the baseline is for x86-64, and this is %s" % platform.machine())
        return 77
    counted = count(scenarios)
    if "--self-test" in options:
        return 1 if self_test(counted) else 0
    if "--update" in options:
        write_baseline(path, counted, toolchain())
    return 1 if judge(counted, path, not scenarios) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Trouble as trouble:
        print("run.py: %s" % trouble, file=sys.stderr)
        sys.exit(2)
