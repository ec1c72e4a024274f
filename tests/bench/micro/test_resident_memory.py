"""What a busy moment needed goes back to the system. (Of the release build: sanitizers keep memory.)"""
import re

from support.clients import bearer
from support.http import request_bytes
from support.mintd import Mintd
from support.oauth import forged_token, wait_status, wait_until
from support.redis_server import RedisServer

CLIENTS = 800  # an exchange each
MIB = 1024 * 1024


def resident(process_id):
    with open("/proc/%d/status" % process_id, encoding="ascii") as file:
        return int(re.search(r"^VmRSS:\s*(\d+) kB", file.read(), re.M).group(1)) * 1024


def test_memory_of_a_busy_moment_goes_back():
    with RedisServer() as redis, Mintd(redis=redis) as instance:
        wait_status(instance, 200, within=10)
        before = resident(instance.pid)
        redis.pause()
        connections = [instance.connect() for _ in range(CLIENTS)]
        for connection in connections:
            connection.send(request_bytes("GET", "/secret", [bearer(forged_token())]))
        for connection in connections:
            assert connection.read_response().status == 503
        assert resident(instance.pid) > before + 5 * MIB
        redis.resume()
        wait_until(lambda: resident(instance.pid) < before + 2 * MIB, 15, "it is given back")
        for connection in connections:
            connection.close()
        wait_status(instance, 200, within=5)
