"""What G-20 has to convict."""
import contextlib
import itertools
import socket
import threading

from open_loop import Load, unserved
from support.http import request_bytes

HEALTH = request_bytes("GET", "/healthz")


class Server:
    """Answers so many requests of each connection, and then does `then` with it."""

    def __init__(self, answers, then):
        self._answers, self._then = answers, then
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                wire = self._listener.accept()[0]
            except OSError:
                return
            with wire, contextlib.suppress(OSError):
                for _ in range(next(self._answers)):
                    wire.recv(4096)
                    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self._then(wire)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def seen(server, *options):
    with Load(server.address, [HEALTH], [(50, 1)], 1, *options) as load:
        phase = load.phases()[0]
    server.close()
    return phase


def test_a_new_connection_that_is_not_answered():
    phase = seen(Server(itertools.repeat(0), lambda wire: wire.recv(4096)), "--fresh")
    assert phase["due"] == 50 and unserved(phase) == (50, {"broken": 50})


def test_a_kept_connection_that_is_closed_is_asked_anew():
    """Nothing of an answer had come, and the next connection answers."""
    phase = seen(Server(itertools.repeat(1), lambda wire: wire.recv(4096)), "--resend")
    assert phase["resent"] > 5 and unserved(phase) == (0, {})


def test_a_kept_connection_that_is_cut_in_an_answer_is_not():
    phase = seen(Server(itertools.repeat(1), lambda wire: (wire.recv(4096), wire.sendall(b"HTTP/1.1 2"))), "--resend")
    assert phase["resent"] == 0 and unserved(phase)[1]["broken"] > 5


def test_a_request_is_sent_again_once():
    phase = seen(Server(itertools.repeat(0), lambda wire: wire.recv(4096)), "--resend")
    assert phase["resent"] > 5 and unserved(phase)[1]["broken"] >= phase["resent"] - 1
