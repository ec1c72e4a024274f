"""A proxy between mintd and Redis that reads both sides' RESP, and misbehaves on demand.

It passes everything on until a rule is set. A rule is called with each command (a list of byte
strings) and returns None (pass on) or one of the actions below.
"""

import queue
import socket
import threading
import time
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Replace:
    """Redis never sees the command; mintd gets these bytes for a reply."""

    reply: bytes


@dataclass(frozen=True)
class Delay:
    """The reply comes so long after its command at the soonest, and all behind it after it."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """Redis runs the command; mintd gets the first bytes of the reply, then the link is cut."""

    size: int


@dataclass(frozen=True)
class Call:
    """Redis runs the command; the function runs before the reply goes out."""

    function: Callable


def frame_end(data, start=0):
    """Where the RESP2/RESP3 value that begins at start ends; None while it is incomplete."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, line, end = data[start : start + 1], data[start + 1 : line_end], line_end + 2
    if kind in b"$=!":
        size = int(line)
        if size < 0:
            return end
        return end + size + 2 if len(data) >= end + size + 2 else None
    if kind in b"*~>%|":
        for _ in range(max(int(line), 0) * (2 if kind in b"%|" else 1)):
            end = frame_end(data, end)
            if end is None:
                return None
        return end
    return end


def parse_command(data):
    """The arguments of a command, an array of bulk strings."""
    arguments = []
    rest = data[data.index(b"\r\n") + 2 :]
    while rest:
        size, _, rest = rest[1:].partition(b"\r\n")
        arguments.append(rest[: int(size)])
        rest = rest[int(size) + 2 :]
    return arguments


def is_push(frame):
    return frame[:1] == b">"


def key_is(command, *kinds):
    """Whether the command's key is one of these kinds: b"token", b"client", b"generation" …"""
    return len(command) > 1 and any(b":" + kind in command[1] for kind in kinds)


def is_mint(command):
    """The one write of a mint (there are other SETEXs: an instance's heartbeat)."""
    return command[0].upper() == b"SETEX" and key_is(command, b"token")


class Link:
    """One connection of mintd's, and ours to Redis."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.actions = queue.Queue()
        self.threads = [
            threading.Thread(target=self.run, args=(near, self.on_command), daemon=True),
            threading.Thread(target=self.run, args=(far, self.on_reply), daemon=True),
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, source, on_frame):
        data = b""
        try:
            while chunk := source.recv(65536):
                data += chunk
                while data and (end := frame_end(data)) is not None:
                    on_frame(data[:end])
                    data = data[end:]
        except OSError:
            pass
        self.cut()

    def on_command(self, frame):
        command = parse_command(frame)
        rule = self.proxy.rule
        action = rule(command) if rule is not None else None
        self.proxy.commands.append(command)
        self.actions.put((action, time.monotonic()))
        # A reply is due for each command, so that replies stay in order.
        self.far.sendall(b"*1\r\n$4\r\nPING\r\n" if isinstance(action, Replace) else frame)

    def on_reply(self, frame):
        if is_push(frame):
            self.near.sendall(frame)
            return
        action, asked = self.actions.get()
        self.proxy.replies.append(frame)
        if isinstance(action, Replace):
            frame = action.reply
        elif isinstance(action, Delay):
            time.sleep(max(0, asked + action.seconds - time.monotonic()))
        elif isinstance(action, Call):
            action.function()
        elif isinstance(action, Cut):
            self.near.sendall(frame[: action.size])
            self.cut()
            raise OSError("cut")
        self.near.sendall(frame)

    def cut(self):
        for end in (self.near, self.far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut()
        for thread in self.threads:
            thread.join(5)
        self.near.close()
        self.far.close()


class RedisProxy:
    """Listens on a free port of 127.0.0.1, and forwards to Redis at port `redis_port`."""

    def __init__(self, redis_port):
        self.redis_port = redis_port
        self.rule = None
        self.commands = []  # every command seen
        self.replies = []  # every reply of Redis, whole, pushes left out
        self.links = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.redis_port), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links.append(Link(self, near, far))  # known to cut() before anything passes
            self.links[-1].start()

    def cut(self):
        """Cuts every connection now; new ones are accepted."""
        for link in list(self.links):
            link.cut()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        for link in self.links:
            link.close()
