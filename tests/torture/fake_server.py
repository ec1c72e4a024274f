"""A server that misbehaves, for the tests of what judges servers."""
import itertools
import socket
import threading

from support.http import request_bytes

GET = request_bytes("GET", "/")


class Server:
    """Answers each request with what answer(number) gives: (status, body); None: it closes, "": it says nothing; bytes: it
    says them and closes."""

    def __init__(self, answer):
        self._answer, self._count = answer, itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        got = b""
        with one:
            while data := one.recv(65536):
                got += data
                while b"\r\n\r\n" in got:
                    got = got.split(b"\r\n\r\n", 1)[1]
                    answer = self._answer(next(self._count))
                    if answer is None or isinstance(answer, bytes):
                        one.sendall(answer or b"")
                        return
                    if answer:
                        one.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (answer[0], len(answer[1]), answer[1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
