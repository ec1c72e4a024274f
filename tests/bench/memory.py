"""What memory is taken: by an idle mintd, by an idle connection, and by a token in Redis."""
import resource
import statistics
import sys
import time

import tokens
from exchange import Connection
from peers import Mintd, Redis, RespConnection
from plan import Stage
from processes import BenchError
from scenarios import CROWDED, PATIENT, live_token, secret

IDLE_CONNECTIONS, IDLE_TLS = 10000, 2000
SPARE_FILES = 500
SOURCES = 8  # addresses of ours; each has some 28,000 ports
SETTLE_SECONDS = 1


def process(plan):
    with Stage() as stage:
        redis = stage.redis()
        row = {}
        for workers in (1, 2):
            mintd = stage.start(Mintd, redis, workers=workers)
            time.sleep(SETTLE_SECONDS)
            row["%d workers" % workers] = mintd.resident_bytes()
        plan.say("  idle: %s" % ", ".join("%s %.1f MiB" % (name, size / 2**20) for name, size in row.items()))
        return row


def idle_connections(plan):
    """Bytes of mintd a connection: of those that have sent nothing, and of the same after a request each."""
    with Stage() as stage:
        redis = stage.redis()
        mintd = stage.start(Mintd, redis, *PATIENT, *CROWDED)
        request = secret(live_token(redis)).bytes(mintd.port)
        Connection(mintd).ask(request)
        empty = mintd.resident_bytes()
        connections = []
        try:
            for _ in range(IDLE_CONNECTIONS):
                connections.append(Connection(mintd))
            time.sleep(SETTLE_SECONDS)
            row = {"silent": (mintd.resident_bytes() - empty) / IDLE_CONNECTIONS}
            for connection in connections:
                status, answer = connection.ask(request)
                if status != 200:
                    raise BenchError("one of the connections was answered %r" % answer[:300])
            row["after a request"] = (mintd.resident_bytes() - empty) / IDLE_CONNECTIONS
        finally:
            for connection in connections:
                connection.close()
        plan.say("  a connection: %.0f bytes silent, %.0f after a request"
                 % (row["silent"], row["after a request"]))
        return row


def idle_tls(plan):
    """Bytes of mintd a TLS connection that has had one answer."""
    with Stage() as stage:
        redis = stage.redis()
        mintd = stage.start(Mintd, redis, *PATIENT, *CROWDED, certificate=stage.certificate())
        request = secret(live_token(redis)).bytes(mintd.port)
        connections = [Connection(mintd)]
        connections[0].ask(request)
        empty = mintd.resident_bytes()
        try:
            for _ in range(IDLE_TLS):
                connections.append(Connection(mintd))
                status, answer = connections[-1].ask(request)
                if status != 200:
                    raise BenchError("one of the connections was answered %r" % answer[:300])
            time.sleep(SETTLE_SECONDS)
            row = {"connections": IDLE_TLS, "bytes": (mintd.resident_bytes() - empty) / IDLE_TLS}
        finally:
            for connection in connections:
                connection.close()
        plan.say("  a TLS connection: %.0f bytes after a request" % row["bytes"])
        return row


def _raise_open_files(wanted):
    """The limit that processes started from now on have: what is wanted, or what may be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((max(soft, wanted), max(hard, wanted)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return limit[0]
        except (ValueError, OSError):
            pass
    return soft


def idle_many(plan):
    """Resident memory of mintd with as many connections as the limit of open files allows, from several addresses,
    each of which was answered."""
    with Stage() as stage:
        count = min(plan.many_idle, _raise_open_files(plan.many_idle + SPARE_FILES) - SPARE_FILES)
        redis = stage.redis()
        mintd = stage.start(Mintd, redis, *PATIENT, "--max-connections", str(count + 100),
                            "--max-connections-per-address", "0")
        request = secret(live_token(redis)).bytes(mintd.port)
        connections = [Connection(mintd)]
        connections[0].ask(request)
        empty = mintd.resident_bytes()
        try:
            for number in range(count):
                connections.append(Connection(mintd, "127.0.0.%d" % (2 + number % SOURCES)))
                status, answer = connections[-1].ask(request)
                if status != 200:
                    raise BenchError("one of the connections was answered %r" % answer[:300])
            time.sleep(SETTLE_SECONDS)
            row = {"connections": count, "empty": empty, "resident": mintd.resident_bytes()}
        finally:
            for connection in connections:
                connection.close()
        plan.say("  %(connections)d connections: %(resident)d bytes" % row)
        return row


def start(plan):
    """From the start of the process to readiness, which is a write to Redis: the middle of many."""
    with Stage() as stage:
        redis = stage.redis()
        ready = []
        for _ in range(plan.starts):
            # A process that is forked from this one pays for its size, unless nothing runs before exec.
            mintd = stage.start(Mintd, redis, prepared=False)
            ready.append(mintd.seconds_to_ready)
            mintd.stop()
        row = {"ready_ms": statistics.median(ready) * 1e3, "most_ms": max(ready) * 1e3}
        plan.say("  ready after %(ready_ms).1f ms (%(most_ms).1f at most)" % row)
        return row


def token_in_redis(plan):
    count = max(plan.token_counts)
    with Stage() as stage:
        row = measure_tokens(stage.redis(), count)
        plan.say("  a token in Redis at %d: %.0f bytes" % (count, row["bytes"]))
        return row


# Tokens by their keys alone: nobody asks with these, and millions are made faster inside Redis.
_WRITE_MANY = """
    local last
    for number = ARGV[1], ARGV[2] do
        last = 'mintd:token:' .. redis.sha1hex(number):sub(1, 32)
        redis.call('SETEX', last, ARGV[3], ARGV[4])
    end
    return last"""
_BATCH = 10**4


def measure_tokens(redis, count):
    """Redis' memory for each of so many tokens; MEMORY USAGE of one, which leaves the tables out."""
    before = int(redis.info("memory")["used_memory"])
    record = tokens.record(int(time.time()))
    for first in range(1, count + 1, _BATCH):
        last = redis.cli("EVAL", _WRITE_MANY, 0, first, min(first + _BATCH - 1, count), tokens.LIFE, record)
    used = int(redis.info("memory")["used_memory"]) - before
    return {"tokens": count, "bytes": used / count,
            "memory_usage": redis.cli("MEMORY", "USAGE", last), "resident": redis.resident_bytes()}


def measure_tracking(redis, count, trackers):
    """Redis' memory for each tracked key, with so many connections that have read all of them."""
    texts = tokens.make(count)
    tokens.write(redis, texts)
    keys = [tokens.key_of(text) for text in texts]
    connections, before = [], int(redis.info("memory")["used_memory"])
    rows = {}
    for number in range(1, max(trackers) + 1):
        connections.append(_tracker(redis, keys))
        if number in trackers:
            rows[number] = (int(redis.info("memory")["used_memory"]) - before) / count
    assert int(redis.info("stats")["tracking_total_keys"]) == count
    return rows


def _tracker(redis, keys, batch=1000):
    connection = RespConnection(redis.socket_path)
    # RESP2 has no pushes; Redis keeps the same table for a client that has them redirected.
    assert connection.command("CLIENT", "TRACKING", "ON", "REDIRECT",
                              connection.command("CLIENT", "ID")) == "OK"
    for at in range(0, len(keys), batch):
        for key in keys[at:at + batch]:
            connection.send("GET", key)
        for _ in keys[at:at + batch]:
            assert connection.receive() is not None
    return connection


def main():
    """memory.py TOKENS: the numbers of docs/scaling.md, which a run of the bench does not measure."""
    redis = Redis()
    try:
        print(measure_tokens(redis, int(sys.argv[1])))
    finally:
        redis.close()
    redis = Redis()
    try:
        print(measure_tracking(redis, 10**5, (1, 2, 4)))
    finally:
        redis.close()


if __name__ == "__main__":
    main()
