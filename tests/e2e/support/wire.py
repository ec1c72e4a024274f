"""A keep-alive connection that is fast rather than strict: for load, races and stop-watches.

    with Wire(mintd.address) as wire:
        wire.send(raw + raw)               # pipelined
        status, body = wire.read()         # of each in turn
        status, body = wire.ask(raw)       # both at once
"""
import socket

from .timing import scaled


class Wire:
    def __init__(self, address, timeout=10.0, source=None):
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(scaled(timeout))
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, scaled(timeout), source and (source, 0))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def fileno(self):
        return self._socket.fileno()

    def send(self, raw):
        self._socket.sendall(raw)

    def _more(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed after %r" % self._buffer[:200])
        self._buffer += data

    def read(self):
        """(status, body) of the next response."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more()
        head = self._buffer[:end].lower()
        at = head.index(b"\r\ncontent-length:") + 17
        size = end + 4 + int(head[at : (head + b"\r\n").index(b"\r\n", at)])
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
        return int(head[9:12]), body

    def ask(self, raw):
        self.send(raw)
        return self.read()

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
