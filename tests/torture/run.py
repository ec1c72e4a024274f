#!/usr/bin/python3
"""run.py [GOAL…] [--full] [--ci] [--seed N] [--json FILE] [--list]: the numeric goals, each measured and judged.

A line for each: goal, number, allowed, verdict. The last lines say how to run again what broke. Status 1 if
anything did. MINTD_BINARY and MINTCTL_BINARY name the programs.

--full   the long form: minutes to hours
--ci     those that no other step of .ci/run shows
--seed   of all that is random; without it a new one
--json   default: torture.json beside bin/ of the program
--list   what there is, and what of it is not measured
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from goal import NotHere, Run, bounds, broken, told  # noqa: E402
from goals import GOALS  # noqa: E402
from stage import TESTS, scaled  # noqa: E402
from support.mintd import binary  # noqa: E402

KEPT, BROKEN, NOT_RUN = "kept", "BROKEN", "not run"
BUSY = 1.5  # so many times as long as on a machine of its own


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", TESTS, *words], capture_output=True, text=True, check=False).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if git("status", "--porcelain", "-uno") else "")


def again(goal, run):
    return "script/torture %s%s --seed %d" % (goal.name, " --full" if run.full else "", run.seed)


def judge(goal, run):
    """(verdict, number, what is wrong)"""
    try:
        seen = goal.measure(run)
    except NotHere as reason:
        return NOT_RUN, str(reason), []
    except Exception:  # pylint: disable=broad-except # whatever it is, the goal was not shown
        return BROKEN, "it could not be measured", traceback.format_exc().splitlines()[-12:]
    wrong = list(broken(goal, seen, is_quiet=scaled(1) < BUSY, is_full=run.full))
    return BROKEN if wrong else KEPT, seen, wrong


def measure(goal, run, at):
    began = time.monotonic()
    verdict, seen, wrong = judge(goal, run)
    seconds = time.monotonic() - began
    text = seen if isinstance(seen, str) else told(seen)
    print("%s  %s  allowed: %s  %s (%.0f s)" % (goal.name, text, bounds(goal) or "-", verdict, seconds), flush=True)
    for line in wrong:
        print("      " + line, flush=True)
    return {"goal": goal.name, "promise": goal.promise, "number": text, "allowed": bounds(goal), "verdict": verdict,
            "numbers": {} if isinstance(seen, str) else seen, "wrong": wrong, "missing": goal.missing,
            "seconds": round(seconds, 1), "form": "full" if run.full else "short", "commit": at, "seed": run.seed,
            "busy": round(scaled(1), 1), "command": again(goal, run)}


def tell(goals):
    for goal in goals:
        print("%s  %s\n      %s" % (goal.name, goal.promise, goal.method))
        for word, text in (("allowed", bounds(goal)), ("in CI", goal.ci or "script/torture --ci"),
                           ("not measured", goal.missing)):
            if text:
                print("      %s: %s" % (word, text))


def main():
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=", ".join(goal.name for goal in GOALS))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--json", default=os.path.join(os.path.dirname(os.path.dirname(binary())), "torture.json"))
    options = parser.parse_args()
    if unknown := set(options.goals) - {goal.name for goal in GOALS}:
        parser.error("no such goal: " + ", ".join(sorted(unknown)))
    chosen = [goal for goal in GOALS if (not options.goals or goal.name in options.goals)
              and not (options.ci and goal.ci)]
    if options.list:
        return tell(chosen)
    at, results, began = commit(), [], time.monotonic()
    print("commit %s, seed %d, %s form" % (at, options.seed, "full" if options.full else "short"), flush=True)
    for goal in chosen:
        run = Run(options.full, options.seed, lambda text: print("      " + text, flush=True))
        results.append(measure(goal, run, at))
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1, ensure_ascii=False)
    lost = [result for result in results if result["verdict"] == BROKEN]
    for result in lost:
        print("again: git checkout %s && %s" % (at.rstrip("+"), result["command"]))
    print("%d kept, %d broken, %d not run (%.0f s); again: script/torture --seed %d at commit %s"
          % (sum(result["verdict"] == KEPT for result in results), len(lost),
             sum(result["verdict"] == NOT_RUN for result in results), time.monotonic() - began, options.seed, at))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
