"""Counts the instructions of a whole request, in the process that a user runs.

usage: request_cost.py [secret | verify | introspect | mint | silent-mint]…
       request_cost.py --budget     against nginx' constant answer; fails where a goal is missed

callgrind runs mintd (MINTD_BINARY, a release build) with one worker and one Redis. One connection asks
one thing after the other: 1,000 times, then 6,000 times in another run. The difference, less what an
idle process does in that time, is the requests' own. The kernel's part is not in it; libc's and OpenSSL's
choices for the processor are taken away, as run.py does; not so for the budget, which is about what users
have, as far as valgrind knows their processor (not SHA-NI). A silent mint is one without its line in the log.
Two runs differ by 0.3 %; to compare two commits, give the binary of each."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))

from support.clients import Client, bearer, install_client  # noqa: E402
from support.http import Connection, form_request, request_bytes  # noqa: E402
from support.mintd import Mintd  # noqa: E402
from support.oauth import wait_until  # noqa: E402
from support.process import leashed  # noqa: E402
from support.redis_server import RedisServer, free_port  # noqa: E402
from run import STEADY  # noqa: E402

FEW, MORE, MANY, IDLE_S, START_S = 1000, 3000, 6000, 6, 120
# Its secret has the form of a generated one: SHA-256, not scrypt.
CLIENT = Client("svc-g", "mts_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc24bnKa", (("scope", "read write"),))
MINT = form_request("/auth", {"grant_type": "client_credentials"}, [CLIENT.basic()])
KINDS = ("secret", "verify", "introspect", "mint", "silent-mint")
BUDGET = {"secret": 1.40, "verify": 1.50, "introspect": 2.75}  # times nginx'
BODY = '{"message":"Welcome to the secret area!","client":{"id":"svc-g"},"scope":"read write","expires_in":3599}'
NGINX = """daemon off; master_process off; pid nginx.pid; error_log error.log;
events { worker_connections 100; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    server { listen 127.0.0.1:%d; default_type application/json; location / { return 200 '%s'; } }
}"""
SILENT = ("--log-level", "warning")


def answers(address, raw):
    try:
        with Connection(address, 30) as connection:
            connection.send(raw)
            return connection.read_response(check=False).status == 200
    except OSError:
        return False


def is_ready(address):
    return answers(address, request_bytes("GET", "/readyz"))


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


def request_of(kind, token):
    if kind.endswith("mint"):
        return MINT
    if kind == "introspect":
        return form_request("/introspect", {"token": token}, [CLIENT.basic()])
    return request_bytes("GET", "/" + kind, [bearer(token)])


def total(file):
    with open(file, encoding="utf-8") as counted:
        return int(re.search(r"^(?:totals|summary): (\d+)", counted.read(), re.M).group(1))


def under_callgrind(file):
    return ("valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + file)


def end(nginx):
    """Asks again until it has ended: valgrind runs the handler of a signal that comes while nginx works ahead of
    its next epoll_wait(), which then waits for ever."""
    def has_ended():
        nginx.terminate()
        return nginx.poll() is not None

    try:
        wait_until(has_ended, START_S, "nginx ends")
    except AssertionError:
        nginx.kill()
        raise


def run_nginx(count):
    """Instructions of an nginx of one process that gives so many constant answers."""
    with tempfile.TemporaryDirectory() as folder:
        file, address = os.path.join(folder, "counted"), ("127.0.0.1", free_port())
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as configuration:
            configuration.write(NGINX % (address[1], BODY))
        nginx = subprocess.Popen(leashed(*under_callgrind(file), "nginx", "-p", folder, "-e", folder + "/error.log",
                                         "-c", folder + "/nginx.conf"), stdin=subprocess.DEVNULL)
        try:
            raw = request_of("secret", "mtd_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc24bnKa")
            wait_until(lambda: answers(address, raw), START_S, "nginx")
            with Connection(address, 30) as connection:
                ask_many([connection], raw, count)
        finally:
            end(nginx)
        return total(file)


def run(redis, kind, count, idle_s=0, at_once=1, steady=STEADY):
    """Instructions of a process that answers so many requests, and how many seconds they took."""
    with tempfile.TemporaryDirectory() as folder:
        file, address = os.path.join(folder, "counted"), ("127.0.0.1", free_port())
        mintd = Mintd(*(SILENT if kind == "silent-mint" else ()), redis=redis, listen=("%s:%d" % address,), wait=False,
                      env={**steady, "MINTD_REDIS_TIMEOUT": "5s",
                           "MINTD_SANDBOX": "off"},  # valgrind knows no seccomp(2)
                      runner=under_callgrind(file))
        wait_until(lambda: is_ready(address), START_S, "/readyz")
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(Connection(address, 30)) for _ in range(at_once)]
            token = ask(connections[0], MINT).json()["access_token"]
            raw = request_of(kind, token)
            ask_many(connections, raw, at_once)
            began = time.monotonic()
            ask_many(connections, raw, count)
            took = time.monotonic() - began
        time.sleep(idle_s)  # what is measured here is time that passes
        mintd.signal(signal.SIGTERM)
        assert mintd.wait() == 0, mintd.log_text
        return total(file), took


def idle_a_second(redis):
    """Instructions of a process that nobody asks."""
    return (run(redis, "secret", 0, IDLE_S)[0] - run(redis, "secret", 0)[0]) / IDLE_S


def cost(redis, kind, idle, few=FEW, many=MANY, at_once=1):
    """Instructions of one request."""
    (less, less_s), (more, more_s) = (run(redis, kind, count, at_once=at_once) for count in (few, many))
    return (more - less - idle * (more_s - less_s)) / (many - few)


def budget():
    """Whether each kind keeps to its part of what nginx takes. An idle process does next to nothing in that time."""
    nginx = (run_nginx(MORE) - run_nginx(FEW)) / (MORE - FEW)
    print("%-11s %7.0f" % ("nginx", nginx), flush=True)
    missed = []
    with RedisServer() as redis:
        install_client(redis, CLIENT)
        for kind, allowed in BUDGET.items():
            few, more = (run(redis, kind, count, steady={})[0] for count in (FEW, MORE))
            ratio = (more - few) / (MORE - FEW) / nginx
            print("%-11s %7.0f  %.2f times nginx, %.2f allowed" % (kind, ratio * nginx, ratio, allowed), flush=True)
            missed += [kind] if ratio > allowed else []
    return not missed


def main(kinds):
    if kinds == ["--budget"]:
        sys.exit(0 if budget() else "over the budget")
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
