"""An allocation that fails: each of a start (tests/check_start), and those of a running process, by scenario."""
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import scenarios
import starved_mintctl
from existing import command, numbers
from goal import AtLeast, AtMost, ByForm, Goal, least
from stage import TESTS, RedisServer, install_clients
from starving import EVER, Control, Stand, Tally
from support.mintd import binary

AT_ONCE = 2
MOST_SANITIZED = 50
CASES = 3  # of a scenario, in the short form
MOST = 250  # in the full one, of either kind: TLS takes thousands of allocations, of which these are spread
FOLDER = os.path.dirname(os.path.dirname(binary()))
LIBRARY = os.path.join(FOLDER, "lib", "starve.so")


def starts(run):
    """(allocations that failed, starts that ended wrongly)"""
    part = run.size("%d/32" % (run.seed % 32 + 1), "1/1")
    status, said = command([os.path.join(TESTS, "check_start"), FOLDER, part])
    early, late, wrong = numbers(r": (\d+) allocations up to the first event loop failed, each once, and (\d+) after it"
                                 r".* (\d+) times it did not end as it should", said)
    return early + late, max(wrong, status)


def all_cases(stand, count, random, most=MOST):
    """Up to the first that is not reached; a few more may come than were counted."""
    step = 1 + count // most
    for last in (None, EVER):
        number, missed = random.randint(1, step), 0
        while missed < 2 and number < 2 * count + 50:
            missed = 0 if stand.case(number, last or number) else missed + 1
            number += step


def some_cases(stand, count, random):
    for _ in range(CASES):
        number = random.randint(1, max(count, 1))
        stand.case(number, random.choice((number, EVER)))


def mintctl(run, tally):
    def numbers_of(count):
        return run.size(run.random.sample(range(1, count + 1), CASES),
                        range(run.random.randint(1, 1 + count // MOST), count + 1, 1 + count // MOST))

    with tempfile.TemporaryDirectory(prefix="torture.") as place:
        starved_mintctl.play(place, LIBRARY, numbers_of, tally)


def play(scenario, place, tally, run_of, env):
    began = time.monotonic()
    with (scenario.server or RedisServer)() as redis, Control(os.path.join(place, "control")) as control:
        install_clients(redis)
        stand = Stand(scenario, place, redis, control, tally, env)
        try:
            stand.start()
            count = stand.count()
            stand.settle()
            run_of(stand, count)
        finally:
            stand.end()
    return scenario.name, time.monotonic() - began


def play_all(run, jobs, tally, cases, env):
    def each(scenario):
        random = type(run.random)("%d %s" % (run.seed, scenario.name))
        with tempfile.TemporaryDirectory(prefix="torture.") as place:
            return play(scenario, place, tally, lambda stand, count: cases(stand, count, random), env)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        took = sorted(pool.map(each, jobs), key=lambda pair: -pair[1])
    run.say("longest: " + ", ".join("%s %.0f s" % pair for pair in took[:4]))


def serving(run, tally):
    """In the full form each scenario against a process that serves on, and against new ones."""
    new = [scenario.fresh() for scenario in scenarios.ALL if not scenario.is_fresh]
    play_all(run, run.size(scenarios.ALL, scenarios.ALL + new), tally, run.size(some_cases, all_cases), {"LD_PRELOAD": LIBRARY})
    tally.numbers["scenarios"] = len(scenarios.ALL)


def with_sanitizers(run, tally):
    """In the full form, by the program that script/torture has built for it: they see leaks and what is used too late."""
    if not run.full or not os.path.exists(os.environ.get("MINTD_STARVED", "")):
        return
    release, before = os.environ.get("MINTD_BINARY", ""), tally.numbers["cases"]
    os.environ["MINTD_BINARY"] = os.environ["MINTD_STARVED"]
    play_all(run, scenarios.ALL, tally, lambda *what: all_cases(*what, most=MOST_SANITIZED), {})
    os.environ["MINTD_BINARY"] = release
    tally.numbers["cases with sanitizers"] = tally.numbers["cases"] - before


FLAWS = ("crashes", "hangs", "late answers", "wrong answers", "descriptors left", "lines of the log that are broken", "commands that ended wrongly")


def failing(run):
    of_starts, wrong = starts(run)
    began = time.monotonic()
    tally = Tally()
    serving(run, tally)
    mintctl(run, tally)
    with_sanitizers(run, tally)
    run.say("ends of libuv or libc: %s (%.0f s)" % (", ".join("%s %d" % pair for pair in sorted(tally.listed.items()))
                                                   or "none", time.monotonic() - began))
    for line in tally.told[:20]:
        run.say(line)
    return {"allocations of starts that failed": of_starts, "starts that ended wrongly": wrong,
            **{name: tally.numbers[name] for name in ("scenarios", "cases", "cases with sanitizers", "allocations that failed", "answers right",
                                                      "answers refused", "answers lost", "commands of mintctl", *FLAWS)},
            "ends that are listed": sum(tally.listed.values())}


GOALS = [
    Goal("G-01", "an allocation that fails ends nothing", "tests/check_start: each allocation of a start (full; short: one "
         "of 32) fails once, of a plain one and of one with Redis, TLS and a client. And %d scripted scenarios of a running "
         "process: the nth allocation fails, or all from it on, for some n (full: each, of thousands %d that are spread; "
         "against a process that serves on, against new ones, and with AddressSanitizer). And commands of mintctl"
         % (len(scenarios.ALL), MOST),
         {"allocations of starts that failed": AtLeast(20), "starts that ended wrongly": AtMost(0),
          "scenarios": AtLeast(40), "cases": least(60, 5000), "cases with sanitizers": ByForm(None, AtLeast(60)), "answers right": AtLeast(60),
          "answers refused": AtLeast(1), "commands of mintctl": AtLeast(20), **{name: AtMost(0) for name in FLAWS}}, failing,
         missing="time-outs of idle and slow clients, and a log that nobody reads, where memory is short; starts to which no "
                 "memory is given from one allocation on"),
]
