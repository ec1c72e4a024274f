"""What G-26 has to convict."""
import contextlib
import time

import packets
from fake_server import GET, Server
from support.slow_link import SlowLink
from support.wire import Wire


class Nowhere:
    """A network and a Redis that do nothing."""

    redis = None
    attempts = staticmethod(lambda: 0)

    def __init__(self):
        self.redis = self

    def cli(self, *_):
        pass

    @contextlib.contextmanager
    def fault(self, _):
        yield


class Believer:
    """A mintd that takes every token for ever, or none."""

    def __init__(self, *statuses):
        self._statuses, self._minted = list(statuses), 0

    def ask(self, raw):
        if raw == packets.MINT:
            self._minted += 1
            return 200, b'{"access_token":"mtd_%d"}' % self._minted
        return (self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]), b""


def test_a_revoked_token_that_is_taken_too_long():
    result = packets.endure(Nowhere(), Believer(200), None, packets.TRUSTED_S + packets.scaled(0.1) + 0.2)
    assert result["late"] >= 1 and result["wrong"]
    assert result["noticed"] > packets.TRUSTED_S


def test_a_good_token_that_is_refused():
    result = packets.endure(Nowhere(), Believer(200, 200, 401), None, 0.05)
    assert result["refused"] and result["wrong"] and not result["late"] and result["noticed"] < 0.05


def test_bytes_come_late_and_in_order():
    with Server(lambda number: (200, b"%d" % number)) as server, SlowLink(server.address[1], 0) as link, \
            Wire(("127.0.0.1", link.port)) as wire:
        began = time.monotonic()
        assert wire.ask(GET) == (200, b"0")
        quick = time.monotonic() - began
        link.seconds = 0.6
        began = time.monotonic()
        assert wire.ask(GET) == (200, b"1") and time.monotonic() - began >= 0.6 > quick
        link.seconds = 0
        assert wire.ask(GET) == (200, b"2") and link.accepted == 1
