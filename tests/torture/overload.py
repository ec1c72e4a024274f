"""More requests than mintd can answer, by the clock (open loop): tests/bench/open_loop.c."""
import contextlib
import os
import subprocess
import threading
import time

import existing
from goal import AtLeast, AtMost, ByForm, Goal, NotHere, Quiet
from open_loop import Load, may_open
from stage import Stage
from support.clients import BA, G, bearer, token_of
from support.http import form_request, request_bytes

CONNECTIONS = 6000
SERVER_CORE, LOAD_CORE = "0", "1"
STANDS_S, RUNS_S = 0.018, 0.002  # a Redis that is slow
SLOW_RATE = 20_000  # a second: more than it takes
SLOW_HASHES = "B-3-without or N-10"


def load(address, requests, phases, connections=CONNECTIONS, patient=True):
    """What was seen in each phase, (rate, seconds)."""
    with Load(address, requests, phases, connections, *(["--patient"] if patient else []), runner=["taskset", "-c", LOAD_CORE]) as running:
        return running.phases()


def sums(phases, kind=0):
    """Over some phases, of one kind of request: how many were served and refused; the slowest p99 and median."""
    seen = [phase["kinds"][kind] for phase in phases]

    def most(outcome, name):
        return max((one[outcome].get(name, 0) for one in seen), default=0)

    return {"refused": sum(one["refused"]["count"] for one in seen),
            "other": sum(one["other"]["count"] for one in seen) + sum(phase["broken"] + phase["unanswered"] for phase in phases),
            "served_ms": most("served", "p99_ms"), "refused_ms": most("refused", "p50_ms"), "refused_p99_ms": most("refused", "p99_ms")}


@contextlib.contextmanager
def slowed(redis):
    """It stands most of the time."""
    done = threading.Event()

    def stop_and_go():
        while not done.is_set():
            redis.pause()
            time.sleep(STANDS_S)
            redis.resume()
            time.sleep(RUNS_S)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def overload(run):
    if len(os.sched_getaffinity(0)) < 2:
        raise NotHere("server and load need a core each")
    may_open(CONNECTIONS + 500)
    seconds = run.size(3, 30)
    with Stage() as stage:
        subprocess.run(["taskset", "-apc", SERVER_CORE, str(stage.redis.pid)], stdout=subprocess.DEVNULL, check=True)
        mintd = stage.quiet_mintd("--workers", "1", "--max-connections", "8000", "--max-connections-per-address", "8000",
                                  runner=["taskset", "-c", SERVER_CORE])
        mint, validation = form_request("/token", G, [BA]), request_bytes("GET", "/secret", [bearer(token_of(mintd))])
        capacity = load(mintd.address, [mint], [(200_000, 2)], connections=64)[0]["served_within_per_s"]
        peak = max(phase["served_within_per_s"] for phase in load(
            mintd.address, [mint], [(capacity * part, 1) for part in (0.4, 0.6, 0.8, 1)]))
        quiet, twice, ten = capacity / 4, 2 * capacity, 10 * capacity
        seen = load(mintd.address, [mint], [(quiet, 1), (twice, 1), (twice, seconds), (ten, seconds), (quiet, 1), (quiet, 1)])
        mixed = load(mintd.address, [mint, validation], [(twice, 2)])
        stubborn = load(mintd.address, [mint], [(twice, seconds)], patient=False)
        with slowed(stage.redis):
            slow = load(mintd.address, [mint], [(1000, 1), (SLOW_RATE, 1), (SLOW_RATE, seconds)])
        assert mintd.end() == 0, "it did not end well"
    steady, after, memory, slow_redis = sums(seen[2:4]), sums(seen[5:]), sums(mixed, kind=1), sums(slow[2:])
    run.say("capacity %d/s, of 64 connections %d/s; at 2 x %d/s, at 10 x %d/s; clients that do not keep to Retry-After: %d/s served, %d/s refused"
            % (peak, capacity, seen[2]["served_within_per_s"], seen[3]["served_within_per_s"],
               stubborn[0]["served_within_per_s"], stubborn[0]["refused_within_per_s"]))
    run.say("in the first second of it: p99 %.0f ms; the load was %.0f ms late at most"
            % (sums(seen[1:2])["served_ms"], max(phase["late_ms"] for phase in seen)))
    rows = existing.rows(SLOW_HASHES, "test_slow_checks.py")(run) if run.full else {}
    return {"% of capacity at 2 x": 100 * seen[2]["served_within_per_s"] / peak,
            "% at 10 x": 100 * seen[3]["served_within_per_s"] / peak, "ms p99 of what is served": steady["served_ms"],
            "refused": steady["refused"], "ms median until refused": steady["refused_ms"],
            "ms p99 a second after": after["served_ms"], "refused then": after["refused"],
            "refused where Redis is slow": slow_redis["refused"], "ms p99 until refused there": slow_redis["refused_p99_ms"],
            "ms p99 of what is served there": slow_redis["served_ms"],
            "cached validations not answered": memory["refused"] + memory["other"],
            "wrong answers": sums(seen)["other"], **({"rows": rows["rows"], "rows failed": rows["failed"] + rows["skipped"]} if rows else {})}


GOALS = [
    Goal("G-23", "too much is refused in time", "6,000 connections, open loop, mints at 2 and 10 times "
         "what 64 connections get, against the most that so many connections get, 3 s (full: 30 s) each behind a second for it to begin; clients keep to "
         "Retry-After; mintd and Redis on one core, the load on another. Then 20,000 a second with a Redis that "
         "stands for 18 ms in 20. Full: too many slow hashes, too, the rows `%s` of tests/e2e" % SLOW_HASHES,
         {"% of capacity at 2 x": ByForm(Quiet(AtLeast(40)), Quiet(AtLeast(75))),
          "% at 10 x": ByForm(Quiet(AtLeast(40)), Quiet(AtLeast(75))),
          "ms p99 of what is served": ByForm(Quiet(AtMost(1000)), Quiet(AtMost(200))),
          "ms median until refused": ByForm(Quiet(AtMost(200)), Quiet(AtMost(100))),
          "ms p99 a second after": Quiet(AtMost(100)), "refused then": Quiet(AtMost(0)),
          "ms p99 until refused there": ByForm(Quiet(AtMost(100)), Quiet(AtMost(50))),
          "ms p99 of what is served there": ByForm(Quiet(AtMost(1500)), Quiet(AtMost(800))),
          "cached validations not answered": AtMost(0), "wrong answers": AtMost(0),
          "rows failed": ByForm(None, AtMost(0)), "rows": ByForm(None, AtLeast(3))}, overload,
         missing="90 % of the capacity and p99 of 200 ms in each run, and 50 ms for each refusal: [why](performance.md#overload)"),
]
