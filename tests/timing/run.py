#!/usr/bin/python3
"""run.py [--samples N] [--seed N] [--pinned] [--slow]: does time tell why a client was refused?

A release build with one worker, a Redis of its own, and the sampler (sampler.c says how it measures and
judges). First two controls: that a good secret is told from a wrong one, and that a class is not told from
itself. Then an unknown client, a wrong secret, and a disabled client with its own secret and with a wrong
one, each against each other. MINTD_BINARY and SAMPLER name the programs.

What differs is measured again, with other clients and another process, up to three times: where something lies
in memory makes a class slower or faster by some tens of nanoseconds, for as long as a process runs. What mintd
does is there each time: the same two classes, and the same one slower. Only that counts.

--pinned: mintd has the first core, the sampler and Redis share the second.
--slow: the clients' secrets are of the kind that takes a slow hash, so each refusal takes one.
"""
import argparse
import base64
import hashlib
import os
import random
import re
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from support.process import leashed  # noqa: E402
from support.redis_server import RedisServer, free_port  # noqa: E402

MINTD, SAMPLER = os.environ["MINTD_BINARY"], os.environ["SAMPLER"]
CLIENTS = 32  # of each kind: what is one client's alone evens out
CONTROL_SAMPLES = 20000
SAMPLES, SLOW_SAMPLES = 100000, 200
ROUNDS = 4


def stored_fast(secret):
    return "$sha256$" + hashlib.sha256(secret.encode()).hexdigest()


def stored_slow(secret):
    """At the cost that mintctl gives it."""
    salt = os.urandom(16)
    key = hashlib.scrypt(secret.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)
    return "$scrypt$ln=15,r=8,p=1$%s$%s" % tuple(
        base64.b64encode(part).decode().rstrip("=") for part in (salt, key))


def install(redis, draw, stored_of):
    """Clients that are there and that are not; requests by class: [(id, secret), …]. No two classes that are
    compared share a client: what is asked for twice as often is nearer to the processor."""
    def word(prefix, size):
        return prefix + "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=size))

    kinds = {kind: [(word("client-", 12), word("mts_", 49)) for _ in range(CLIENTS)]
             for kind in ("there", "disabled", "disabled too", "unknown")}
    for kind in ("there", "disabled", "disabled too"):
        for name, secret in kinds[kind]:
            stored = stored_of(secret)
            # The shape of one that mintctl made, and that has been used: all have it, since what a
            # record holds takes its time to read.
            redis.cli("HSET", "mintd:client:" + name, "scope", "read write", "gen", "1", "created",
                      "1750000000", "secret:1", stored, "secret:1:made", "1750000000", "secret:1:used",
                      "%d" % time.time(), "disabled", "0" if kind == "there" else "1")
    wrong = {kind: [(name, word("mts_", 49)) for name, _ in kinds[kind]] for kind in kinds}
    return {"good": kinds["there"], "wrong-secret": wrong["there"], "unknown": wrong["unknown"],
            "disabled": kinds["disabled"], "disabled,wrong-secret": wrong["disabled too"]}


def start_mintd(redis, pinned):
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("MINTD_")}
    # All as it is by default but the limit of failures, and patience where the whole machine stands
    # still; what is logged goes nowhere.
    process = subprocess.Popen(
        leashed(*(["taskset", "-c", "0"] if pinned else []), MINTD, "--workers", "1", "--failure-limit", "0",
                "--redis-timeout", "10000", "--listen", "127.0.0.1:%d" % port, "--redis", redis.url),
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(200):
        try:
            opener.open("http://127.0.0.1:%d/readyz" % port, timeout=5).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    process.kill()
    sys.exit("timing: mintd does not become ready")


def sample(port, samples, seed, classes):
    """What the sampler told apart: {(slower class, faster class), …}. It prints what it saw."""
    lines = ["%s %s" % (name, base64.b64encode(("%s:%s" % pair).encode()).decode())
             for name, pairs in classes for pair in pairs]
    expected = "different" if classes[0][0] == "good" else "same"  # whether it compares the answers
    done = subprocess.run(leashed(SAMPLER, str(port), str(samples), str(seed), expected), text=True,
                          check=False, input="\n".join(lines) + "\n", stdout=subprocess.PIPE, timeout=1800)
    print(done.stdout, end="", flush=True)
    if done.returncode not in (0, 1):
        sys.exit("timing: the sampler could not measure")
    return told_apart(done.stdout)


def told_apart(text):
    found, name = set(), None
    for line in text.splitlines():
        if match := re.match(r"  (\S+) +n ", line):
            name = match[1]
        elif match := re.match(r"    against (\S+) +t +(-?)\S+ .*<-- told apart", line):
            found.add((match[1], name) if match[2] else (name, match[1]))
    return found


def measure(port, requests, samples, seed):
    """What is not as it should be, as a set."""
    control = min(samples, CONTROL_SAMPLES)
    print("# control: a good secret and a wrong one differ")
    problems = set()
    if not sample(port, control, seed, (("good", requests["good"]), ("wrong-secret", requests["wrong-secret"]))):
        problems.add("the sampler sees no difference where there is one")
    print("# control: the same requests twice do not")
    if sample(port, control, seed, (("wrong-secret", requests["wrong-secret"]),
                                    ("the-same", requests["wrong-secret"]))):
        problems.add("the sampler sees a difference where there is none")
    print("# refusals")
    names = ("unknown", "wrong-secret", "disabled", "disabled,wrong-secret")
    return problems | {"%s is slower than %s" % pair
                       for pair in sample(port, samples, seed, [(name, requests[name]) for name in names])}


def run(options):
    print("#### %s, %s secrets, %d samples a class, seed %d"
          % ("pinned" if options.pinned else "not pinned", "slow" if options.slow else "fast", options.samples,
             options.seed))
    free = os.sched_getaffinity(0)
    if options.pinned:
        os.sched_setaffinity(0, {1})  # for what is started here: Redis, the sampler
    process = None
    try:
        with RedisServer() as redis:
            requests = install(redis, random.Random(options.seed), stored_slow if options.slow else stored_fast)
            process, port = start_mintd(redis, options.pinned)
            problems = measure(port, requests, options.samples, options.seed)
            process.terminate()
            if process.wait(15) != 0:
                sys.exit("timing: mintd ended with status %d" % process.returncode)
    finally:
        if process is not None and process.poll() is None:
            process.kill()
        os.sched_setaffinity(0, free)
    return problems


def main():
    parser = argparse.ArgumentParser(prog="timing")
    parser.add_argument("--samples", type=int, help="of each class: %d, slow ones %d" % (SAMPLES, SLOW_SAMPLES))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--pinned", action="store_true")
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    options.samples = options.samples or (SLOW_SAMPLES if options.slow else SAMPLES)
    if options.pinned and not {0, 1} <= os.sched_getaffinity(0):
        parser.error("--pinned needs two cores")
    problems = run(options)
    for _ in range(ROUNDS - 1):
        if problems:
            print("# again, since " + ", ".join(sorted(problems)))
            options.seed += 1
            problems &= run(options)
    for problem in sorted(problems):
        print("FAILED: %s, in each of %d runs" % (problem, ROUNDS))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
