"""mintctl where an allocation fails: it does what it does otherwise, or says what is wrong and ends with 1 or 3."""
import os
import re
import signal
import subprocess

from starving import Control
from support.clients import BA, install_clients
from support.mintd import environment
from support.redis_server import RedisServer
from support.timing import scaled

COMMANDS = (("client", "list"), ("client", "list", "--json"), ("client", "show", "svc-a"), ("client", "export"),
            ("client", "set", "svc-a", "--ttl", "60"), ("token", "show", "0" * 32), ("explain", BA[1]),
            ("explain", "--json", BA[1]), ("acl",), ("status", "--json"))
REFUSED, USAGE, AWAY = 1, 2, 3


def binary():
    return os.path.abspath(os.environ["MINTCTL_BINARY"])


def ask(redis, words, env):
    return subprocess.run([binary(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=scaled(20), env=environment({"MINTD_REDIS": redis.url, **env}))


def without_numbers(text):
    """Ages and sizes of a moment."""
    return re.sub(r"[0-9]+", "0", text)


def flaw(done, clean):
    """What is wrong with how a starved one ended, or None."""
    if done.returncode < 0:
        return "crash: " + signal.Signals(-done.returncode).name
    if done.returncode == clean.returncode:
        return None if without_numbers(done.stdout) == without_numbers(clean.stdout) else "it says something else: %s" % done.stdout[-200:]
    if done.returncode not in (REFUSED, AWAY):
        return "status %d" % done.returncode
    return None if done.stderr.strip() else "it says nothing"


def play(place, library, numbers_of, tally):
    """Each command; numbers_of(count): which of its allocations fail, each once."""
    with RedisServer() as redis, Control(os.path.join(place, "mintctl")) as control:
        install_clients(redis)
        env = {"LD_PRELOAD": library, "MINTD_STARVE": control.path}
        for words in COMMANDS:
            control.count()
            ask(redis, words, env)  # what it changes, it changes once
            control.count()
            clean = ask(redis, words, env)
            count = control.calls
            for number in numbers_of(count):
                control.arm(number, number)
                done = ask(redis, words, env)
                tally.numbers["commands of mintctl"] += control.failed != 0
                if problem := flaw(done, clean):
                    tally.blame("commands that ended wrongly", "mintctl %s, allocation %d" % (" ".join(words[:3]), number),
                                problem + "; " + done.stderr.strip()[-200:])
