"""Descriptors, memory, and what a long run does to both."""
import collections
import itertools
import socket
import subprocess
import time

from goal import LONG_OF_CI, AtLeast, AtMost, Goal, NotHere, Quiet, least
from pump import Pump
from stage import Stage, cpu_seconds, open_files, resident_bytes, seconds_until
from support.clients import BA, G, basic, bearer, token_of
from support.http import form_request, request_bytes
from support.oauth import forged_token
from support.wire import Wire

MIB = 1 << 20

# ---- G-03 ----

FILES, CONNECTS, WATCHED_SECONDS = 64, 2000, 3
MINT = form_request("/token", G, [BA])


def serves(address, raw=MINT):
    try:
        with Wire(address, 1) as wire:
            return wire.ask(raw)[0] == 200
    except (OSError, ValueError):
        return False


def attempts(address, count):
    """Sockets that want to be connected, whether they are taken or not."""
    held = []
    for _ in range(count):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(address)
        held.append(one)
        if len(held) % 100 == 0:
            time.sleep(0.01)  # the kernel's queue is shorter than all of them
    return held


def besiege(mintd):
    """(CPU in % of a core while it is full, seconds until it serves once all have gone, open files meanwhile)"""
    held = attempts(mintd.address, CONNECTS)
    try:
        before, began = cpu_seconds(mintd.pid), time.monotonic()
        time.sleep(WATCHED_SECONDS)
        share = 100 * (cpu_seconds(mintd.pid) - before) / (time.monotonic() - began)
        files = open_files(mintd.pid)
    finally:
        for one in held:
            one.close()
    return share, seconds_until(lambda: serves(mintd.address), 5), files


def descriptors(run):
    """Full by the bound that it sets itself at the start; then another one, by a limit that falls while it runs."""
    shares, backs, lost, ended = [], [], 0, 0
    with Stage() as stage:
        for limit in (FILES, 1024):
            mintd = stage.quiet_mintd("--workers", "1", "--max-connections-per-address", str(CONNECTS), "--log-level",
                                      "error", runner=["prlimit", "--nofile=%d" % limit])
            links = stage.metric(mintd, "mintd_store_connects_total")
            if limit != FILES:
                subprocess.run(["prlimit", "--pid", str(mintd.pid), "--nofile=%d" % FILES], check=True)
            share, back, files = besiege(mintd)
            shares.append(share)
            backs.append(back)
            lost += int(stage.metric(mintd, "mintd_store_connects_total") - links)
            ended += mintd.end() != 0
    run.say("of a core: %.1f %% at its own bound, %.1f %% at the kernel's" % tuple(shares))
    return {"exits": ended, "connects": 2 * CONNECTS, "open files when full": files, "% of a core while full": max(shares),
            "links to Redis lost": lost, "s until it serves again": max(backs)}


# ---- G-04 ----

IDLE_CONNECTIONS = 10_000


def settled(mintd):
    time.sleep(1)
    return resident_bytes(mintd.pid)


def many_kinds(stage, mintd):
    """What is asked for, round and round: yes and no, reads and writes."""
    token = token_of(mintd)
    mint = form_request("/token", G + b"&ttl=5", [BA])
    return [(request_bytes("GET", "/secret", [bearer(token)]), 200), (mint, 200),
            (request_bytes("GET", "/secret", [bearer(forged_token("Z"))]), 401),
            (request_bytes("GET", "/verify", [bearer(token)]), 200),
            (form_request("/introspect", [("token", token)], [BA]), 200),
            (form_request("/token", G, [basic("svc-a", "wrong")]), 401), (request_bytes("GET", "/healthz"), 200)]


def ask(mintd, kinds, count, wrong, seconds=None, depth=16):
    """So many of them; wrong, a Counter, gets what was not answered as it should be."""

    def judge(wanted, status, _, taken):
        if status != wanted:
            wrong["%d for %d" % (status, wanted)] += 1
        if seconds is not None:
            seconds.append(taken)

    Pump([mintd.address], itertools.islice(itertools.cycle(kinds), count), judge, depth=depth).run()


def memory(run):
    count, wrong, quiet = run.size(300_000, 10_000_000), collections.Counter(), ("--log-level", "error", "--workers", "1")
    with Stage() as stage:
        mintd = stage.quiet_mintd(*quiet, "--max-connections-per-address", str(IDLE_CONNECTIONS))
        idle = settled(mintd)
        Pump([mintd.address], many_kinds(stage, mintd), lambda *_: None).run()
        before, held = settled(mintd), []
        try:
            try:
                for _ in range(IDLE_CONNECTIONS):
                    held.append(socket.create_connection(mintd.address))
            except OSError as problem:
                raise NotHere("no %d connections: %s" % (IDLE_CONNECTIONS, problem)) from None
            seconds_until(lambda: open_files(mintd.pid) > IDLE_CONNECTIONS, 5)
            full = settled(mintd)
        finally:
            for one in held:
                one.close()
        fresh = stage.quiet_mintd(*quiet)
        kinds = many_kinds(stage, fresh)
        ask(fresh, kinds, count // 5, wrong)  # its caches and pools have their size
        warm = settled(fresh)
        ask(fresh, kinds, count, wrong)
        grown = settled(fresh) - warm
    run.say("after %d requests: %.2f MiB more than after the first fifth" % (count, grown / MIB))
    return {"MiB idle": idle / MIB, "bytes an idle connection": int((full - before) / IDLE_CONNECTIONS),
            "MiB with 10,000 connections": full / MIB, "MiB grown": grown / MIB, "requests": count,
            "wrong answers": sum(wrong.values())}


# ---- G-22 ----

SLICES = 12


def slope(values):
    """Of the line through the values, in units of a step."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    return (sum((at - middle) * (value - mean) for at, value in enumerate(values))
            / sum((at - middle) ** 2 for at in range(count)))


def high(seconds):
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000


def soak(run):
    length, count = run.size((60, 0), (0, 100_000_000))
    wrong, answered, slices = collections.Counter(), 0, []
    with Stage() as stage:
        mintd = stage.quiet_mintd("--log-level", "error", "--workers", "2")
        kinds = many_kinds(stage, mintd)
        ask(mintd, kinds, 50_000, wrong)
        files = open_files(mintd.pid)
        for _ in range(SLICES):
            until, enough, seconds = time.monotonic() + length / SLICES, answered + count / SLICES, []
            while time.monotonic() < until or answered < enough:
                ask(mintd, kinds, 7000, wrong, seconds if len(seconds) < 200_000 else None, depth=4)
                answered += 7000
            slices.append((resident_bytes(mintd.pid) / 1024, high(seconds)))
        seconds_until(lambda: open_files(mintd.pid) <= files, 2)
        left = open_files(mintd.pid) - files
        assert mintd.end() == 0, "it did not end well"
    later = [size for size, _ in slices[SLICES // 4:]]
    first, last = (sum(p99 for _, p99 in part) / len(part) for part in (slices[:3], slices[-3:]))
    run.say("KiB resident: %s; p99 ms: %s" % (" ".join("%.0f" % size for size, _ in slices),
                                             " ".join("%.1f" % p99 for _, p99 in slices)))
    return {"requests": answered, "wrong answers": sum(wrong.values()), "descriptors more": left,
            "KiB grown in the last three quarters": slope(later) * (len(later) - 1),
            "% drift of p99": 100 * (last / first - 1)}


GOALS = [
    Goal("G-03", "short of descriptors, it waits", "%d connects to a process that may have %d open files: by the bound "
         "that it sets itself for that, and by the kernel's, lowered while it runs" % (CONNECTS, FILES),
         {"exits": AtMost(0), "connects": AtLeast(CONNECTS), "open files when full": AtLeast(FILES - 1), "% of a core while full": AtMost(20),
          "links to Redis lost": AtMost(0), "s until it serves again": AtMost(1)}, descriptors),
    Goal("G-04", "memory is small, and does not grow", "resident pages of one worker: idle, with 10,000 connections, "
         "and after 300,000 (full: 10⁷) requests of seven kinds",
         {"MiB idle": AtMost(8), "bytes an idle connection": AtMost(1024), "MiB with 10,000 connections": AtMost(24),
          "MiB grown": AtMost(1), "requests": least(300_000, 10_000_000), "wrong answers": AtMost(0)}, memory),
    Goal("G-22", "a long run changes nothing", "60 s (full: 10⁸ requests) of seven kinds, two workers: memory, "
         "descriptors and p99 in twelve slices",
         {"requests": least(50_000, 100_000_000), "wrong answers": AtMost(0), "descriptors more": AtMost(0),
          "KiB grown in the last three quarters": AtMost(1024), "% drift of p99": Quiet(AtMost(10))}, soak,
         ci=LONG_OF_CI),
]
