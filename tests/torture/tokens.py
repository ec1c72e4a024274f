"""Tokens: how random, how hard to guess, and what it costs when very many end at once."""
import array
import collections
import itertools
import math
import re
import shutil
import subprocess
import time

from goal import AtLeast, AtMost, Goal, Quiet, least
from pump import Pump
from resources import high
from stage import Stage
from support.clients import BA, G, bearer, token_key, token_of
from support.http import form_request, request_bytes
from support.oauth import BASE62, checksum

_TOKEN = re.compile(rb'"access_token":"(mtd_[0-9A-Za-z]{49})"')
_DIGIT = {ord(digit): number for number, digit in enumerate(BASE62)}
EVEN_BYTES = 31  # of 43 digits: below these 248 bits every value is as likely as any other, as nearly as can be told
SHORT_LIVED = form_request("/token", G + b"&ttl=2", [BA])

# ---- G-16 ----


def number_of(token):
    """Its random part: 43 digits, each for itself."""
    number = 0
    for digit in token[4:47]:
        number = number * 62 + _DIGIT[digit]
    return number


class Pool:
    """Tokens by a hash of 64 bits, which chance alone makes equal in 3 of 10,000 runs of 10⁸."""

    def __init__(self):
        self._parts = [array.array("q") for _ in range(256)]

    def add(self, token):
        number = hash(token)
        self._parts[number & 255].append(number)

    def count(self):
        return sum(map(len, self._parts))

    def duplicates(self):
        return sum(len(part) - len(set(part)) for part in self._parts)


def unevenness(data):
    """In standard deviations: how far the counts of bytes are from even, and how many bits are ones."""
    counts, mean = collections.Counter(data), len(data) / 256
    chi = sum((counts[byte] - mean) ** 2 / mean for byte in range(256))
    ones = sum(byte.bit_count() * count for byte, count in counts.items())
    return abs(chi - 255) / math.sqrt(2 * 255), abs(ones - len(data) * 4) / math.sqrt(len(data) * 2)


def correlation(data):
    """Of each byte with the next, in standard deviations."""
    mean = sum(data) / len(data)
    variance = sum((byte - mean) ** 2 for byte in data)
    along = sum((one - mean) * (other - mean) for one, other in itertools.pairwise(data))
    return abs(along / variance) * math.sqrt(len(data))


def ent(data):
    """What Debian's ent says of it: bits of entropy a byte; None where it is not there."""
    if not shutil.which("ent"):
        return None
    done = subprocess.run(["ent", "-t"], input=data, capture_output=True, check=True)
    return float(done.stdout.decode().splitlines()[1].split(",")[2])


def randomness(run):
    """Three instances of two workers, side by side."""
    count, sample, wrong = run.size(200_000, 100_000_000), [], collections.Counter()
    pool = Pool()

    def judge(_, status, body, __):
        found = _TOKEN.search(body)
        if status != 200 or not found:
            wrong[status] += 1
            return
        pool.add(found[1])
        if len(sample) < 200_000:
            number = number_of(found[1])
            sample.append((number % (1 << 8 * EVEN_BYTES)).to_bytes(EVEN_BYTES, "big"))

    with Stage() as stage:
        mintds = [stage.quiet_mintd("--log-level", "error", "--workers", "2") for _ in range(3)]
        Pump([mintd.address for mintd in mintds], itertools.repeat((SHORT_LIVED, None), count), judge, connections=12).run()
    data = b"".join(sample)
    bytes_, ones = unevenness(data)
    seen = {"tokens": pool.count(), "not minted": sum(wrong.values()),
            "duplicates": pool.duplicates(),
            "σ of bytes": bytes_, "σ of ones": ones, "σ of neighbours": correlation(data)}
    entropy = ent(data)
    if entropy is None:
        run.say("ent is not installed: its word is missing")
    else:
        seen["missing bits a byte, says ent"] = 8 - entropy
    return seen


# ---- G-25 ----


def made_up(random, count):
    """Tokens of our form in every respect: (request, None)."""
    for _ in range(count):
        head = "mtd_" + "".join(random.choices(BASE62, k=43))
        yield request_bytes("GET", random.choice(("/secret", "/verify")), [bearer(head + checksum(head))]), None


def guesses(mintd, requests):
    """Answers to them, by status."""
    statuses = collections.Counter()

    def judge(_, status, __, ___):
        statuses[status] += 1

    Pump([mintd.address], requests, judge).run()
    return statuses


def guessing(run):
    count = run.size(100_000, 1_000_000)
    with Stage() as stage:
        mintd = stage.quiet_mintd("--log-level", "error")
        live = [token_of(mintd) for _ in range(100)]
        statuses = guesses(mintd, made_up(run.random, count))
        control = guesses(mintd, [(request_bytes("GET", "/secret", [bearer(token)]), None) for token in live])
    return {"guesses refused": statuses[401], "hits": statuses[200],
            "other answers": sum(statuses.values()) - statuses[401] - statuses[200],
            "of 100 good tokens, taken": control[200]}


# ---- G-28 ----

_FILL = """
    for number = ARGV[1], ARGV[2] do
        local key = ARGV[3] .. redis.sha1hex(ARGV[5] .. number):sub(1, 32)
        redis.call('SET', key, ARGV[4])
        if ARGV[6] ~= '0' then redis.call('PEXPIREAT', key, ARGV[6]) end
    end"""
_BATCH = 10_000


def fill(redis, name, count, record, at_ms):
    for first in range(1, count + 1, _BATCH):
        redis.cli("EVAL", _FILL, 0, first, min(first + _BATCH - 1, count), "mintd:token:", record, name, at_ms)


def asked_for(mintd, token, seconds):
    """How long each answer took; more than 200 are none that it should give."""
    taken, wrong = [], collections.Counter()
    until = time.monotonic() + seconds

    def judge(_, status, __, took):
        taken.append(took)
        wrong[status] += 1

    raw = request_bytes("GET", "/secret", [bearer(token)]), None
    Pump([mintd.address], itertools.repeat(raw), judge, connections=4, depth=1).run(until)
    return taken, sum(wrong.values()) - wrong[200]


def mass_expiry(run):
    """No memory of its own, so that each request waits for the Redis that throws so much away."""
    live, ending = run.size((200_000, 100_000), (9_000_000, 1_000_000))
    watched = 4
    with Stage() as stage:
        mintd = stage.quiet_mintd("--log-level", "error", "--cache-size", "0")
        token = token_of(mintd)
        record = stage.redis.cli("GET", token_key(token))
        began = time.time()
        fill(stage.redis, "live", live, record, 0)
        # In the middle of what is watched, once all are there: it may take twice as long as those before did.
        at = time.time() + (time.time() - began) * ending / live * 2 + watched + 2
        fill(stage.redis, "ending", ending, record, int(at * 1000))
        usual, wrong = asked_for(mintd, token, watched)
        there = int(stage.redis.cli("DBSIZE"))
        time.sleep(max(0, at - 0.2 - time.time()))
        then, more = asked_for(mintd, token, watched)
        until = time.monotonic() + run.size(0, 30)  # Redis takes some seconds to throw away a million
        while (gone := there - int(stage.redis.cli("DBSIZE"))) < ending and time.monotonic() < until:
            _, late = asked_for(mintd, token, 0.5)
            more += late
    run.say("p99 %.2f ms before, %.2f ms while they end; longest %.1f ms" % (high(usual), high(then), 1000 * max(then)))
    return {"keys that ended": gone, "requests meanwhile": len(then), "wrong answers": wrong + more,
            "times the usual p99": high(then) / high(usual)}


GOALS = [
    Goal("G-16", "tokens are random", "200,000 tokens (full: 10⁸) of three instances with two workers each: none twice, "
         "and of 6 MB of their bytes how even they are, in standard deviations, and what ent says",
         {"tokens": least(200_000, 100_000_000), "not minted": AtMost(0), "duplicates": AtMost(0), "σ of bytes": AtMost(5),
          "σ of ones": AtMost(5), "σ of neighbours": AtMost(5)}, randomness,
         missing="dieharder; forks: mintd's only one, for --redis-password-command, runs a shell at once"),
    Goal("G-25", "nobody guesses a token", "100,000 (full: 10⁶) made-up tokens of the right form and checksum, at "
         "/secret and /verify, with 100 live ones", {"guesses refused": least(100_000, 1_000_000), "hits": AtMost(0),
                                                     "other answers": AtMost(0), "of 100 good tokens, taken": AtLeast(100)},
         guessing, missing="limits of wrong secrets: the rows G-25 and T-35 of tests/e2e"),
    Goal("G-28", "many tokens that end at once disturb nobody", "100,000 of 300,000 tokens in Redis (full: 10⁶ of 10⁷) "
         "expire in one moment, while each request asks Redis",
         {"keys that ended": least(100_000, 1_000_000), "requests meanwhile": AtLeast(1000), "wrong answers": AtMost(0),
          "times the usual p99": Quiet(AtMost(2))}, mass_expiry),
]
