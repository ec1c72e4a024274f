"""script/bench: mintd and its peers side by side, in one run. See docs/performance.md."""
import argparse
import datetime
import os
import resource
import signal
import sys
import traceback

import coherence
import history
import machine
import memory
import report
import scenarios
from plan import Plan
from processes import ALL_CORES, LOAD_CORES

SCENARIOS = {
    "cached": scenarios.cached,
    "cached-quiet": scenarios.cached_quiet,
    "uncached": scenarios.uncached,
    "mint": scenarios.minting,
    "tls": scenarios.secure,
    "handshakes": scenarios.handshakes,
    "cold": scenarios.cold,
    "topologies": scenarios.topologies,
    "two-workers": scenarios.two_workers,
    "connections": scenarios.connections,
    "pipelined": scenarios.pipelined,
    "tokens": scenarios.live_tokens,
    "revocation": coherence.revocation,
    "silence": coherence.silence,
    "process": memory.process,
    "start": memory.start,
    "idle-connections": memory.idle_connections,
    "idle-tls": memory.idle_tls,
    "idle-many": memory.idle_many,
    "redis-memory": memory.token_in_redis,
}
OPEN_FILES = 20000


def number(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it is a number from 1 on")
    return value


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench", epilog="scenarios: " + ", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter, fewer tokens")
    parser.add_argument("--only", metavar="SCENARIO", choices=SCENARIOS, action="append",
                        help="this scenario alone (repeatable); docs/performance.md is left as it is")
    parser.add_argument("--rounds", type=number, help="how often each server has its turn")
    parser.add_argument("--seconds", type=number, help="how long a turn lasts")
    parser.add_argument("--note", action="store_true",
                        help="adds the ratios to docs/performance/history.json, with --only too")
    parser.add_argument("--go-on", action="store_true", help="keeps what build-release/bench.json has, and runs the rest")
    return parser.parse_args()


def prepare():
    """This process, and with it Redis and the load, stays off the servers' core."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    if not ALL_CORES <= os.sched_getaffinity(0):
        sys.exit("bench: this needs two cores, 0 and 1")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        sys.exit("bench: this needs a limit of %d open files; the hard limit here is %d" % (OPEN_FILES, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, OPEN_FILES), hard))
    os.sched_setaffinity(0, LOAD_CORES)


def run_all(names, plan, run):
    """Adds each scenario's result to the run, and saves it, or what went wrong."""
    for name in names:
        if name in run["results"]:
            continue
        try:
            plan.begin(name)
            run["results"][name] = SCENARIOS[name](plan)
            run["phases"][name] = plan.phase(name)
        except Exception as problem:  # pylint: disable=broad-except
            traceback.print_exc()
            run["failures"].append("%s: %s: %s" % (name, type(problem).__name__, problem))
            plan.say("  FAILED: " + run["failures"][-1])
        report.save_raw(run)


def main():
    chosen = arguments()
    prepare()
    plan = Plan.quick() if chosen.quick else Plan()
    plan.rounds, plan.seconds = chosen.rounds or plan.rounds, chosen.seconds or plan.seconds
    started = datetime.datetime.now(datetime.timezone.utc)
    run = {"date": started.strftime("%Y-%m-%d %H:%M UTC"), "command": " ".join(["script/bench", *sys.argv[1:]]),
           "quick": chosen.quick, "rounds": plan.rounds, "seconds": plan.seconds,
           "machine": machine.describe(), "results": {}, "spoilt": plan.spoilt, "phases": {}}
    if chosen.go_on:
        run = report.earlier(run)
        plan.spoilt = run["spoilt"]
    run["failures"] = failures = []
    try:
        run_all(chosen.only or SCENARIOS, plan, run)
    finally:
        plan.end()
    if not failures and (chosen.note or not (chosen.quick or chosen.only)):
        history.add(run)
    print(report.text(run))
    if failures:
        sys.exit("bench: nothing is written to docs/, since these failed:\n" + "\n".join(failures))
    if not chosen.only:
        report.write_page(run)


if __name__ == "__main__":
    main()
