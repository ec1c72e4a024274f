"""How long answers take, by class of request; in a process of its own, so that nothing of the tests
gets between question and answer.

    times = measure(mintd.address, {"wrong": raw, "unknown": raw, …}, samples=1000)   # or seconds=6
    times["wrong"]                      # nanoseconds, one for each sample
    for name, t in compare(times, "wrong").items(): …       # Welch's t of each against "wrong"
    smallest(times, "wrong", "unknown") # the difference in ns that would be called one (|t| = 4.5)

All classes are asked in turn in rounds, each round in an order of its own, over one keep-alive
connection, so that whatever slows the machine down falls on all of them alike. Before the comparison
all that is slower than nine tenths of all samples together is left out, as dudect does: what is lost
there is what the scheduler did.
"""
import array
import base64
import gc
import json
import math
import os
import random
import socket
import subprocess
import sys
import time

KEPT = 0.9  # of all samples together
T_MAX = 4.5


# ---- in the tests ----


def measure(address, requests, samples=None, seconds=None, warm_up=50, timeout=3600):
    """samples: of each class. seconds: as many as fit."""
    question = {"address": address, "samples": samples, "seconds": seconds, "warm_up": warm_up,
                "requests": [base64.b64encode(raw).decode() for raw in requests.values()]}
    done = subprocess.run([sys.executable, os.path.abspath(__file__)], input=json.dumps(question).encode(),
                          stdout=subprocess.PIPE, timeout=timeout, check=True)
    numbers = array.array("q")
    numbers.frombytes(done.stdout)
    return {name: numbers[at::len(requests)] for at, name in enumerate(requests)}


def limit_of(times):
    everything = sorted(t for one in times.values() for t in one)
    return everything[max(0, int(len(everything) * KEPT) - 1)]


def _summary(numbers):
    count = len(numbers)
    mean = sum(numbers) / count
    return count, mean, sum((n - mean) ** 2 for n in numbers) / (count - 1)


def welch(one, other):
    """(t, difference of the means, its standard error)."""
    (n1, mean1, variance1), (n2, mean2, variance2) = _summary(one), _summary(other)
    error = math.sqrt(variance1 / n1 + variance2 / n2)
    return (mean1 - mean2) / error, mean1 - mean2, error


def compare(times, base):
    """{class: (t, difference in ns, its standard error)} of each class against the base."""
    limit = limit_of(times)
    kept = {name: [t for t in one if t <= limit] for name, one in times.items()}
    # A class that lies beyond the limit as a whole is as different as can be.
    if min(map(len, kept.values())) < 5:
        kept = times
    return {name: welch(one, kept[base]) for name, one in kept.items() if name != base}


# ---- in its own process ----


def _main():
    question = json.load(sys.stdin)
    requests = [base64.b64decode(raw) for raw in question["requests"]]
    connection = socket.create_connection(tuple(question["address"]), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sizes = [_size_of(connection, raw) for raw in requests]
    assert len(set(sizes)) == 1, "answers of different length: %r" % sizes
    buffer = memoryview(bytearray(sizes[0]))
    clock, send, order = time.perf_counter_ns, connection.sendall, list(range(len(requests)))
    numbers = array.array("q")
    gc.disable()
    rounds, ends = 0, None
    while True:
        if rounds == question["warm_up"]:
            del numbers[:]
            ends = question["seconds"] and time.monotonic() + question["seconds"]
        if rounds >= question["warm_up"]:
            if question["samples"] and rounds - question["warm_up"] >= question["samples"]:
                break
            if ends and time.monotonic() >= ends:
                break
        rounds += 1
        row = [0] * len(order)
        random.shuffle(order)
        for at in order:
            raw = requests[at]
            started = clock()
            send(raw)
            got = connection.recv_into(buffer)
            ended = clock()
            while got < len(buffer):
                more = connection.recv_into(buffer[got:])
                assert more, "closed"
                got, ended = got + more, clock()
            row[at] = ended - started
        numbers.extend(row)
    sys.stdout.buffer.write(numbers.tobytes())


def _size_of(connection, raw):
    """How long its answer is."""
    connection.sendall(raw)
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        assert more, "closed"
        data += more
    head = data.partition(b"\r\n\r\n")[0]
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")][0]
    size = len(head) + 4 + int(length[15:])
    while len(data) < size:
        data += connection.recv(65536)
    assert len(data) == size
    return size


if __name__ == "__main__":
    _main()
