"""B-2: answers that a client does not read: they cost little, and not for long (CONFORMANCE 1.9)."""
import re
import select
import socket
import subprocess
import threading
import time

import pytest

from support.expect import row
from support.http import request_bytes
from support.timing import scaled

LIMIT = 10.0  # seconds for a client to take its answers
METADATA = "/.well-known/oauth-authorization-server"
MANY = request_bytes("GET", METADATA) * 1000
_MEMORY = re.compile(r"skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),")


def kernel_memory(port):
    """What each socket of the server's holds in the kernel, in bytes; also of those that it has closed."""
    listing = subprocess.run(["ss", "-tanmHO", "state", "connected", "sport", "=", ":%d" % port],
                             capture_output=True, text=True, check=True).stdout
    return [sum(map(int, held)) for held in _MEMORY.findall(listing)]


class Client:
    """Sends many requests at once. It has little room for answers, and reads none by itself."""

    def __init__(self, address, requests=MANY, ends=False):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.settimeout(scaled(5))
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.socket.send(requests)
        if ends:
            self.socket.shutdown(socket.SHUT_WR)

    def sip(self):
        try:
            self.socket.recv(1)
        except OSError:
            pass

    def is_let_go(self):
        poll = select.poll()
        poll.register(self.socket, 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def metric(mintd, name):
    with mintd.connect(timeout=60) as connection:  # it has all the others to answer first
        connection.send(request_bytes("GET", "/metrics"))
        text = connection.read_response(check=False).body.decode()
    return int(re.search(r"^%s (\d+)$" % re.escape(name), text, re.M)[1])


def open_connections(mintd):
    """Without the one that asks."""
    return metric(mintd, "mintd_connections_open") - 1


def wait_until_at_rest(mintd):
    """Until mintd has answered what it can of what was asked."""
    name, before = 'mintd_http_responses_total{endpoint="metadata",status="200"}', -1
    while (now := metric(mintd, name)) != before:
        before = now
        time.sleep(0.5)


@pytest.mark.lengthy
@row("B-2")
def test_unread_answers(start_mintd, redis, tmp_path):
    """300 connections that never read, and each other way not to take one's answers: under 100 KB of kernel
    memory each, none of it there at the limit and a second; readers of one byte a second go, too."""
    path = str(tmp_path / "socket")
    mintd = start_mintd(redis=redis, listen=("127.0.0.1:0", "unix:" + path), workers=2)
    port = mintd.address[1]
    started = time.monotonic()
    clients = [Client(mintd.address) for _ in range(300)]
    sippers = [Client(mintd.address) for _ in range(20)]
    others = [Client(mintd.address, ends=True) for _ in range(20)]  # half-closed
    others += [Client(mintd.address, MANY + b"GET /heal") for _ in range(20)]  # and a head that does not end
    others += [Client(path) for _ in range(20)]
    wait_until_at_rest(mintd)
    at_rest = time.monotonic()
    held = kernel_memory(port)
    print("kernel memory: %d sockets, %d bytes at most" % (len(held), max(held)))
    assert len(held) >= 340 and max(held) < 100_000, held

    while time.monotonic() < started + LIMIT - 2:
        time.sleep(1)
        for client in sippers:
            client.sip()
    assert open_connections(mintd) >= 340  # they have their time
    deadline = at_rest + LIMIT + 1 + scaled(0.5)
    while kernel_memory(port) or open_connections(mintd):
        assert time.monotonic() < deadline, (len(kernel_memory(port)), open_connections(mintd))
        time.sleep(0.1)
        for client in sippers:
            client.sip()
    assert all(client.is_let_go() for client in clients + sippers)
    for client in clients + sippers + others:
        client.socket.close()


@pytest.mark.lengthy
@row("B-2")
def test_a_reader_that_takes_its_time(start_mintd, redis):
    """Who takes 32 KiB in ten seconds stays, however long it takes for all."""
    mintd = start_mintd(redis=redis)
    with mintd.connect(receive_buffer=4096, timeout=60) as connection:
        requests = 600
        sender = threading.Thread(target=connection.send, args=(request_bytes("GET", "/metrics") * requests,))
        sender.start()
        started = time.monotonic()
        count = 0
        while time.monotonic() - started < LIMIT + 4:
            assert connection.read_response(check=False).status == 200
            count += 1
            time.sleep(0.5)  # some 20 KB a second
        connection.socket.shutdown(socket.SHUT_RDWR)
        sender.join()
    assert count > 10
