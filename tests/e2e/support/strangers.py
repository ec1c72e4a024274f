"""Strangers who ask for clients that do not exist, from many addresses, as soon as they are answered.

    with Strangers(mintd.address, addresses=20, connections=8) as strangers:   # 8 of each address
        …                                                                      # pause=1: seconds after a 503
    strangers.statuses                # {401: 120, 503: 9000}: how often each was the answer
    strangers.slowest                 # seconds that the slowest answer took
    strangers.without_retry_after     # answers of 503 that do not say when to come back

They are a process of their own, so that the test has its interpreter for itself.
"""
import base64
import collections
import json
import os
import random
import resource
import selectors
import socket
import subprocess
import sys
import time

from .process import leashed

_BODY = b"grant_type=client_credentials"


def source(number):
    return "127.1.0.%d" % (number + 1)


class Strangers:
    def __init__(self, address, addresses, connections, pause=0):
        self._command = [sys.executable, "-m", "support.strangers", address[0],
                         *map(str, (address[1], addresses, connections, pause))]
        self.statuses, self.slowest, self.without_retry_after = {}, 0.0, 0

    def __enter__(self):
        self._process = subprocess.Popen(
            leashed(*self._command), cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        """They leave, and tell what they saw."""
        output, _ = self._process.communicate("")
        assert self._process.returncode == 0
        seen = json.loads(output)
        self.statuses = {int(status): count for status, count in seen["statuses"].items()}
        self.slowest, self.without_retry_after = seen["slowest"], seen["without_retry_after"]


class _Stranger:
    def __init__(self, address, source_address):
        self.socket = socket.create_connection(address, timeout=30, source_address=(source_address, 0))
        self.socket.setblocking(False)

    def ask(self):
        name = base64.b64encode(b"x%d:wrong" % random.randrange(10**9))
        self.asked, self.answer = time.monotonic(), b""
        self.socket.send(b"POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Type: "
                         b"application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
                         % (name, len(_BODY), _BODY))

    def read(self):
        """Whether the answer is whole."""
        self.answer += self.socket.recv(4096)
        return self.answer.endswith(b"}")


class _Crowd:
    def __init__(self, pause):
        self._pause, self._selector, self._pausing = pause, selectors.DefaultSelector(), collections.deque()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._statuses, self._slowest, self._without_retry_after = collections.Counter(), 0.0, 0

    def add(self, stranger):
        self._selector.register(stranger.socket, selectors.EVENT_READ, stranger)
        stranger.ask()

    def _note(self, stranger):
        status = int(stranger.answer[9:12])
        self._statuses[status] += 1
        self._slowest = max(self._slowest, time.monotonic() - stranger.asked)
        self._without_retry_after += status == 503 and b"\r\nRetry-After: " not in stranger.answer
        if status == 503 and self._pause:
            self._pausing.append((time.monotonic() + self._pause, stranger))
        else:
            stranger.ask()

    def _go_on(self):
        while self._pausing and self._pausing[0][0] <= time.monotonic():
            self._pausing.popleft()[1].ask()

    def run(self):
        """Until the input ends; what was seen."""
        while True:
            self._go_on()
            for key, _ in self._selector.select(0.05 if self._pausing else None):
                if key.data is None:
                    return {"statuses": self._statuses, "slowest": self._slowest,
                            "without_retry_after": self._without_retry_after}
                if key.data.read():
                    self._note(key.data)


def _main(host, port, addresses, connections, pause):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    crowd = _Crowd(float(pause))
    for number in range(int(addresses) * int(connections)):
        crowd.add(_Stranger((host, int(port)), source(number % int(addresses))))
    print("ready", flush=True)
    print(json.dumps(crowd.run()))


if __name__ == "__main__":
    _main(*sys.argv[1:])
