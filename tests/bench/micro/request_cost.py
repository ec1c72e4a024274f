"""Counts the instructions of a whole request, in the process that a user runs.

usage: request_cost.py [secret | verify | mint | silent-mint]…

callgrind runs mintd (MINTD_BINARY, a release build) with one worker and one Redis. One connection asks
one thing after the other: 1,000 times, then 6,000 times in another run. The difference, less what an
idle process does in that time, is the requests' own. The kernel's part is not in it; libc's and OpenSSL's
choices for the processor are taken away, as run.py does. A silent mint is one without its line in the log.
Two runs differ by 0.3 %; to compare two commits, give the binary of each."""
import contextlib
import os
import re
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))

from support.clients import Client, bearer, install_client  # noqa: E402
from support.http import Connection, exchange, form_request, request_bytes  # noqa: E402
from support.mintd import Mintd  # noqa: E402
from support.oauth import wait_until  # noqa: E402
from support.redis_server import RedisServer, free_port  # noqa: E402
from run import STEADY  # noqa: E402

FEW, MANY, IDLE_S, START_S = 1000, 6000, 6, 120
# Its secret has the form of a generated one: SHA-256, not scrypt.
CLIENT = Client("svc-g", "mts_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc24bnKa", (("scope", "read write"),))
MINT = form_request("/auth", {"grant_type": "client_credentials"}, [CLIENT.basic()])
KINDS = ("secret", "verify", "mint", "silent-mint")
SILENT = ("--log-level", "warning")


def is_ready(address):
    try:
        return exchange(address, request_bytes("GET", "/readyz"), timeout=30).status == 200
    except OSError:
        return False


def ask(connection, raw):
    connection.send(raw)
    response = connection.read_response(check=False)
    assert response.status == 200, response
    return response


def ask_many(connections, raw, count):
    """So many requests, one at a time on each connection."""
    for _ in range(count // len(connections)):
        for connection in connections:
            connection.send(raw)
        for connection in connections:
            response = connection.read_response(check=False)
            assert response.status == 200, response


def run(redis, kind, count, idle_s=0, at_once=1):
    """Instructions of a process that answers so many requests, and how many seconds they took."""
    with tempfile.TemporaryDirectory() as folder:
        file, address = os.path.join(folder, "counted"), ("127.0.0.1", free_port())
        mintd = Mintd(*(SILENT if kind == "silent-mint" else ()), redis=redis, listen=("%s:%d" % address,), wait=False,
                      env={**STEADY, "MINTD_REDIS_TIMEOUT": "5s",
                           "MINTD_SANDBOX": "off"},  # valgrind knows no seccomp(2)
                      runner=("valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + file))
        wait_until(lambda: is_ready(address), START_S, "/readyz")
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(Connection(address, 30)) for _ in range(at_once)]
            token = ask(connections[0], MINT).json()["access_token"]
            raw = MINT if kind.endswith("mint") else request_bytes("GET", "/" + kind, [bearer(token)])
            ask_many(connections, raw, at_once)
            began = time.monotonic()
            ask_many(connections, raw, count)
            took = time.monotonic() - began
        time.sleep(idle_s)  # what is measured here is time that passes
        mintd.signal(signal.SIGTERM)
        assert mintd.wait() == 0, mintd.log_text
        with open(file, encoding="utf-8") as counted:
            return int(re.search(r"^(?:totals|summary): (\d+)", counted.read(), re.M).group(1)), took


def idle_a_second(redis):
    """Instructions of a process that nobody asks."""
    return (run(redis, "secret", 0, IDLE_S)[0] - run(redis, "secret", 0)[0]) / IDLE_S


def cost(redis, kind, idle, few=FEW, many=MANY, at_once=1):
    """Instructions of one request."""
    (less, less_s), (more, more_s) = (run(redis, kind, count, at_once=at_once) for count in (few, many))
    return (more - less - idle * (more_s - less_s)) / (many - few)


def main(kinds):
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong:
        sys.exit("no such request: %s; there are %s" % (wrong[0], ", ".join(KINDS)))
    with RedisServer() as redis:
        install_client(redis, CLIENT)
        idle = idle_a_second(redis)
        for kind in kinds or KINDS:
            print("%-11s %7.0f" % (kind, cost(redis, kind, idle)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
