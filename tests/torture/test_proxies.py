"""What G-24 has to convict."""
import socket
import threading

import proxies
import pytest
from goal import NotHere
from stage import Stage
from support.oauth import make_client


class Relay:
    """A proxy of bytes: on_request makes of each read what goes to mintd, on_answer what comes back."""

    program = "relay"
    on_request = on_answer = staticmethod(lambda data: data)

    def __init__(self, mintd, _):
        host, port = mintd.split(":")
        self._mintd = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                wire = self._listener.accept()[0]
            except OSError:
                return
            onward = socket.create_connection(self._mintd)
            for source, target, change in ((wire, onward, self.on_request), (onward, wire, self.on_answer)):
                threading.Thread(target=self._copy, args=(source, target, change), daemon=True).start()

    @staticmethod
    def _copy(source, target, change):
        try:
            while data := source.recv(1 << 20):
                target.sendall(change(data))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def close(self):
        self._listener.close()


class Doubling(Relay):
    on_request = staticmethod(lambda data: data * 2 if b"/healthz" in data else data)
    on_answer = staticmethod(lambda data: data[:data.rindex(b"HTTP/1.1")] if data.count(b"HTTP/1.1") > 1 else data)


class Mixing(Relay):
    on_answer = staticmethod(lambda data: data.replace(b"neighbour", b"another-1"))


def seen_through(kind, tmp_path):
    said = []
    with Stage() as stage:
        make_client(stage.redis, proxies.OWN, "secret-of-" + proxies.OWN, scope="read")
        behind = proxies.Behind(kind, stage, str(tmp_path))
        try:
            behind.send("a request", proxies.messages.HEALTH, said.append)
        finally:
            behind.end()
    return behind.counts, said


def test_bytes_as_they_are(tmp_path):
    counts, said = seen_through(Relay, tmp_path)
    assert counts["sent"] == counts["that mintd saw"] == 1 and not said
    assert not counts["neighbours that were disturbed"] and not counts["requests without an answer of their own"]


def test_a_request_that_was_made_two(tmp_path):
    counts, said = seen_through(Doubling, tmp_path)
    assert counts["requests without an answer of their own"] == 1 and said


def test_anothers_answer(tmp_path):
    counts, said = seen_through(Mixing, tmp_path)
    assert counts["neighbours that were disturbed"] == 1 and said


def test_the_vectors_are_there():
    names = [name for name, _ in proxies.vectors()]
    assert len(names) >= 150 and {"H-16-plus", "H-22-0x", "CL.TE"} <= set(names)
    assert all(isinstance(raw, bytes) for _, raw in proxies.vectors())


def test_a_program_that_is_missing():
    class Missing(proxies.HAProxyBefore):
        program = "no-such-proxy"

    with pytest.raises(NotHere):
        proxies.started(lambda: Missing("127.0.0.1:1", None))
