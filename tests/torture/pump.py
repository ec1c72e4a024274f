"""Many requests on few connections, so many in a row that a program in Python is fast enough.

    seen = collections.Counter()
    def judge(tag, status, body, seconds): seen[status] += 1     # LOST: the connection was, ahead of the answer;
                                                                 # IN_VAIN: and nothing had come on it
    Pump([mintd.address], ((raw, tag) for …), judge, depth=16).run()

Each answer meets its request: HTTP answers a connection in order. The next requests go out as answers come. With
depth=1 `seconds` is the time of that request alone.
"""
import collections
import re
import selectors
import socket
import time

_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n(?:[^\r]*\r\n)*?[Cc]ontent-[Ll]ength: (\d+)\r\n(?:[^\r]+\r\n)*\r\n")


LOST, IN_VAIN = 0, -1


class _Line:
    """One connection. pending: (tag, when it was sent), oldest first."""

    def __init__(self, address):
        self.address = address
        self.pending, self.out, self.got, self.answers = collections.deque(), b"", b"", False
        self.socket = socket.create_connection(address, 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)


class Pump:
    def __init__(self, addresses, requests, judge, connections=8, depth=16):
        self._requests, self._judge, self._depth = iter(requests), judge, depth
        self._more = True
        self._selector = selectors.DefaultSelector()
        self._lines = []
        for number in range(connections):
            self._open(addresses[number % len(addresses)])

    def _open(self, address):
        line = _Line(address)
        self._selector.register(line.socket, selectors.EVENT_READ, line)
        self._lines.append(line)
        return line

    def _fill(self, line):
        if len(line.pending) > self._depth // 2 or not self._more:
            return
        now = time.monotonic()
        while len(line.pending) < self._depth:
            request = next(self._requests, None)
            if request is None:
                self._more = False
                break
            line.out += request[0]
            line.pending.append((request[1], now))

    def _push(self, line):
        try:
            if line.out:
                line.out = line.out[line.socket.send(line.out):]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.out else 0)
        if self._selector.get_key(line.socket).events != events:
            self._selector.modify(line.socket, events, line)

    def _take(self, line):
        """False: it is lost."""
        try:
            data = line.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        line.got += data
        at, now = 0, time.monotonic()
        while found := _ANSWER.match(line.got, at):
            end = found.end() + int(found[2])
            if end > len(line.got):
                break
            line.answers = True
            tag, sent = line.pending.popleft()
            self._judge(tag, int(found[1]), line.got[found.end():end], now - sent)
            at = end
        line.got = line.got[at:]
        return bool(data)

    def _lose(self, line):
        self._selector.unregister(line.socket)
        line.socket.close()
        self._lines.remove(line)
        now = time.monotonic()
        for tag, sent in line.pending:
            self._judge(tag, LOST if line.answers else IN_VAIN, b"", now - sent)

    def _serve(self, line, events):
        try:
            kept = not events & selectors.EVENT_READ or self._take(line)
            if kept:
                self._fill(line)
                self._push(line)
                return
        except OSError:
            pass
        self._lose(line)
        if self._more:
            self._reopen(line.address)

    def _reopen(self, address):
        """The instance may be on its way back."""
        try:
            line = self._open(address)
        except OSError:
            self._away.append((time.monotonic() + 0.02, address))
            return
        self._fill(line)
        try:
            self._push(line)
        except OSError:
            self._lose(line)
            self._away.append((time.monotonic() + 0.02, address))

    def run(self, until=None):
        """Until the requests are at their end, or that time (monotonic) has come; what is under way is waited for."""
        self._away = collections.deque()
        for line in self._lines:
            self._fill(line)
            self._push(line)
        while any(line.pending for line in self._lines) or (self._away and self._more):
            if until is not None and time.monotonic() > until:
                self._more = False
            while self._away and self._away[0][0] <= time.monotonic():
                self._reopen(self._away.popleft()[1])
            for key, events in self._selector.select(0.02 if self._away else 1):
                self._serve(key.data, events)
        for line in self._lines:
            self._selector.unregister(line.socket)
            line.socket.close()
        self._selector.close()
