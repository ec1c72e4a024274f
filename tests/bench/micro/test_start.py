"""mintd is ready, which is a write to Redis, 50 ms after its start, where Redis is there. script/bench measures
the time on a machine that is quiet; here it is the CPU time of all its threads until then, the best of some
starts: a start waits for nothing else."""
import glob
import time

from support.http import exchange, request_bytes
from support.mintd import Mintd
from support.redis_server import RedisServer, free_port
from support.timing import scaled

STARTS, READY_S, GIVE_UP_S = 10, 0.05, 10


def is_ready(address):
    try:
        return exchange(address, request_bytes("GET", "/readyz")).status == 200
    except OSError:
        return False


def cpu_seconds(mintd):
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % mintd.pid):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def start(redis):
    """Seconds until it is ready, and of CPU."""
    address = ("127.0.0.1", free_port())
    began = time.monotonic()
    mintd = Mintd(redis=redis, listen=("%s:%d" % address,), wait=False)
    while not is_ready(address):
        assert mintd.is_alive and time.monotonic() - began < scaled(GIVE_UP_S), mintd.log_text
        time.sleep(0.001)
    taken = time.monotonic() - began, cpu_seconds(mintd)
    mintd.stop()
    return taken


def test_it_is_ready_soon():
    with RedisServer() as redis:
        passed, cpu = (min(numbers) for numbers in zip(*(start(redis) for _ in range(STARTS))))
    print("ready after %.0f ms, %.0f ms of CPU" % (passed * 1e3, cpu * 1e3))
    assert cpu <= scaled(READY_S)
