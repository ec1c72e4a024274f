"""HTTP requests one at a time over a connection that stays open: as bytes, since these are timed."""
import base64
import dataclasses
import socket

import tokens

TIMEOUT = 10


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked, and what counts as its answer: status 200 and this text anywhere in it."""

    path: str
    method: str = "GET"
    headers: tuple = ()
    body: str = ""
    expected: str = ""

    def bytes(self, port):
        lines = ["%s %s HTTP/1.1" % (self.method, self.path), "Host: 127.0.0.1:%d" % port,
                 *("%s: %s" % field for field in self.headers)]
        if self.body:
            lines.append("Content-Length: %d" % len(self.body))
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


def bearer(path, token, expected):
    return Request(path, headers=(("Authorization", "Bearer " + token.decode()),), expected=expected)


def form(path, body, expected):
    """A form that the client sends with its id and secret."""
    pair = base64.b64encode(("%s:%s" % (tokens.CLIENT, tokens.SECRET)).encode()).decode()
    return Request(path, "POST", (("Authorization", "Basic " + pair),
                                  ("Content-Type", "application/x-www-form-urlencoded")), body, expected)


class Connection:
    """To a server. source: the address that it comes from."""

    def __init__(self, server, source="127.0.0.1"):
        self._socket = socket.create_connection(("127.0.0.1", server.port), TIMEOUT, (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.tls is not None:
            self._socket = server.tls.wrap_socket(self._socket, server_hostname="localhost")

    def ask(self, data):
        """Sends the bytes of one request; the status, and the whole answer."""
        self._socket.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                missing = int(line[15:]) - len(body)
                while missing > 0:
                    more = self._receive()
                    answer += more
                    missing -= len(more)
        return int(head[9:12]), answer

    def _receive(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self):
        self._socket.close()


def ask(server, request):
    connection = Connection(server)
    try:
        return connection.ask(request.bytes(server.port))
    finally:
        connection.close()


def status_or_none(server, path):
    try:
        return ask(server, Request(path))[0]
    except OSError:
        return None
