"""Packets vanish between two places, one way or both, and between no others; and what is made to err while they do is
convicted."""
import asyncio
import contextlib
import socket

import pytest

from chaos import DIRECT
from floor import CUT_OFF, LOSSES
from network import MINTD, Network, Place, both_ways, is_own
from run import Session
from test_conviction import ForgetfulProxy
from verdict import SILENCE

pytestmark = pytest.mark.skipif(not is_own(), reason="this machine gives nobody a network of his own")
HERE, A, B = "127.0.0.1", "127.3.0.1", "127.3.0.2"
PATIENCE = 20
FELT = 0.3  # seconds that a request takes
QUIET = 0.7  # TCP tries again after 0.2 s


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()


class Pair:
    """A connection between two places: near has made it."""

    def __init__(self, stack, source):
        listener = stack.enter_context(socket.create_server((HERE, 0)))
        self.near = stack.enter_context(socket.socket())
        self.near.bind((source, 0))
        self.near.connect(listener.getsockname())
        self.far, _ = listener.accept()
        stack.enter_context(self.far)
        self.place = Place("127.3.0.9", (listener.getsockname()[1],))

    def passes(self, *, to_far, within=PATIENCE):
        sender, receiver = (self.near, self.far) if to_far else (self.far, self.near)
        sender.sendall(b"x")
        return self.arrives(receiver, within)

    @staticmethod
    def arrives(receiver, within=PATIENCE):
        receiver.settimeout(within)
        try:
            return receiver.recv(1) == b"x"
        except TimeoutError:
            return False


@pytest.fixture
def pairs():
    """From A, and from B."""
    with contextlib.ExitStack() as stack:
        yield Pair(stack, A), Pair(stack, B)


def test_packets_vanish_between_these_two_alone(network, pairs):
    cut, other = pairs
    network.lose(both_ways(Place(A), [cut.place, other.place]))
    assert not cut.passes(to_far=True, within=QUIET) and not cut.passes(to_far=False, within=QUIET)
    assert other.passes(to_far=True) and other.passes(to_far=False)
    network.heal()
    assert cut.arrives(cut.far) and cut.arrives(cut.near), "TCP sends again what was lost"


@pytest.mark.parametrize("lost_to_far", [True, False])
def test_one_way_alone(network, pairs, lost_to_far):
    cut, _ = pairs
    network.lose([both_ways(Place(A), [cut.place])[not lost_to_far]])
    assert not cut.passes(to_far=lost_to_far, within=QUIET)
    assert cut.passes(to_far=not lost_to_far)


def test_nobody_is_told_of_a_connection_that_cannot_be_made(network, pairs):
    cut, _ = pairs
    network.lose(both_ways(Place(A), [cut.place]))
    with socket.socket() as silent:
        silent.bind((A, 0))
        silent.settimeout(QUIET)
        with pytest.raises(TimeoutError):
            silent.connect((HERE, cut.place.ports[0]))


def test_what_loses_nothing_is_an_error(network):
    with pytest.raises(AssertionError):
        network.lose(both_ways(MINTD, [Place(A)]))


def once(*names):
    async def run(faults, _):
        await asyncio.sleep(1)
        for name in names:
            await getattr(faults, name)()
        await asyncio.sleep(2)

    return run


LOST = "_lose_packets", "_lose_one_way"


def beside(topology, seconds, *names):
    """A run of which the first instance gives an old yes for so long."""
    proxy = ForgetfulProxy(seconds)
    verdict = asyncio.run(Session(1, topology, faults=once(*names), front=proxy).run(12))
    return verdict, proxy.replayed


def test_an_honest_instance_is_acquitted_of_what_the_network_loses():
    verdict, replayed = beside("standalone", 0, *LOST)
    assert verdict.is_good and replayed == 0, verdict.report()
    for kind in LOSSES:
        faults = [fault for fault in verdict.history.faults if fault.kind == kind]
        assert {fault.instance for fault in faults} == set(DIRECT)
        for fault in faults:
            asks = [a for a in verdict.history.asks if a.instance == fault.instance and fault.start < a.start < fault.end]
            assert any(a.answer == "unavailable" or a.end - a.start > FELT for a in asks), "an instance has not felt it"


@pytest.mark.parametrize("topology,names", [("standalone", LOST), ("sentinel", ["_cut"]), ("cluster", ["_cut"])])
def test_one_that_obeys_too_late_is_convicted_of_it(topology, names):
    verdict, replayed = beside(topology, SILENCE + 1, *names)
    if "_cut" in names:
        assert [failover.kind for failover in verdict.history.failovers] == [CUT_OFF], verdict.report()
    assert replayed and {rule for rule, _, _ in verdict.offences} == {"stale"}, verdict.report()
    assert {ask.instance for _, ask, _ in verdict.offences} == {0}, verdict.report()


async def long_lost(faults, _):
    await asyncio.sleep(1)
    await faults._lose_packets(3)


class RefusingProxy(ForgetfulProxy):
    """Calls every token bad while the instance answers 503."""

    def _judge(self, request, answer):
        if answer.startswith(b"HTTP/1.1 503") and request.startswith(b"GET "):
            self.replayed += 1
            return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
        return answer


def test_one_that_calls_no_answer_a_no_is_convicted():
    proxy = RefusingProxy(0)
    verdict = asyncio.run(Session(1, faults=long_lost, front=proxy).run(8))
    assert proxy.replayed and {rule for rule, _, _ in verdict.offences} == {"lost"}, verdict.report()
    assert {ask.instance for _, ask, _ in verdict.offences} == {0}, verdict.report()
