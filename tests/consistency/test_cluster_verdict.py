"""Hand-made histories of a cluster: what befalls one node or one slot excuses nothing that lies elsewhere."""
import asyncio

import pytest

from history import (EVERYBODY, FOREVER, GENERATION, Ask, Change, FailOver, Fault, History, Move, slot_of_client,
                     slot_of_key, slot_of_token)
from journal import Log, tell_losses
from run import Session
from support.clients import token_key
from support.cluster import SLOTS
from test_conviction import ForgetfulProxy
from verdict import KILLED, SILENCE, Verdict

MEMORYLESS = 3
OF_THE_TOKEN = frozenset([slot_of_token("t")])
OF_THE_CLIENT = frozenset([slot_of_client("c")])
OF_THE_GENERATION = frozenset([slot_of_key(GENERATION)])
ELSEWHERE = frozenset(range(SLOTS)) - OF_THE_TOKEN - OF_THE_CLIENT - OF_THE_GENERATION
EARLY = Ask("mint", 0, "t", "c", 1.0, 1.1, "yes")


def ask(start, answer="yes", *, instance=1, token="t", op="secret"):
    return Ask(op, instance, token, "c", start, start + 0.001, answer)


def mint(start, answer):
    return ask(start, answer, token="", op="mint")


def revoked(start, **more):
    return Change("revoke", more.get("instance", 0), "t", "c", start, start + 0.01)


def disabled(start):
    return Change("disable", EVERYBODY, "", "c", start, start + 0.01)


def everybody(start):
    return Change("everybody", EVERYBODY, "", "", start, start + 0.01)


def lost(slots, *, silent=False):
    """A node, from 10 to 14"""
    return Fault("node", EVERYBODY, silent, 10.0, 10.0, 14.0, slots)


def vanished(slots):
    """Packets between instance 1 and a node, from 10 to 14"""
    return Fault("packets lost", 1, True, 10.0, 10.0, 14.0, slots, True)


def cut_off(slots, known=FOREVER):
    return Fault("master cut off", EVERYBODY, False, 10.0, 10.0, 14.0, slots, False, known)


def failed_over(slots, old="w", new="w"):
    old, new = (Log([token_key("t")] * ("w" in what), [token_key("t")] * ("d" in what)) for what in (old, new))
    return FailOver("node", 10.0, named=12.0, until=14.0, old=old, new=new, slots=slots)


def moved(slots, at_once=False):
    return Move("moved", at_once, 10.0, 11.0, slots)


def arrived(beside, start=14.001):
    """The generation, at the node that has these"""
    return Move("moved", False, start, start + 0.01, OF_THE_GENERATION, beside)


def killed(instance=1):
    return Fault(KILLED, instance, False, 10.0, 10.0, 12.0)


def flushed(start):
    """All nodes, one after the other."""
    return Change("flush", EVERYBODY, "", "", start, start + 0.3)


def judge(*events):
    history = History(in_parts=True)
    for event in events:
        {Ask: history.asks, Change: history.changes, Fault: history.faults, FailOver: history.failovers,
         Move: history.moves}[type(event)].append(event)
    tell_losses(history)
    return Verdict(history, None, None, (MEMORYLESS,))


GUILTY = {
    # 503
    "down-beside-a-lost-node": ("down", EARLY, lost(ELSEWHERE), ask(11.0, "unavailable")),
    "down-beside-packets-that-vanish": ("down", EARLY, vanished(ELSEWHERE), ask(11.0, "unavailable")),
    "down-long-after-packets-vanished": ("down", EARLY, vanished(OF_THE_TOKEN), ask(16.1, "unavailable")),
    "refused-while-packets-vanish": ("lost", EARLY, vanished(OF_THE_TOKEN), ask(11.0, "no")),
    "down-beside-one-that-is-cut-off": ("down", EARLY, cut_off(ELSEWHERE), ask(11.0, "unavailable")),
    "down-for-want-of-a-place-and-known": ("down", EARLY, cut_off(ELSEWHERE, 12.9), mint(13.0, "unavailable")),
    "down-for-want-of-a-place": ("down", EARLY, lost(ELSEWHERE), mint(10.1 + SILENCE, "unavailable")),
    "down-while-its-slot-moves": ("down", EARLY, moved(OF_THE_TOKEN), ask(10.5, "unavailable")),
    "down-after-the-node-is-back": ("down", EARLY, lost(OF_THE_TOKEN), ask(15.1, "unavailable")),
    "down-of-what-came-to-another-node": ("down", EARLY, vanished(ELSEWHERE), arrived(OF_THE_CLIENT), ask(14.1, "unavailable")),
    "down-of-what-came-long-before": ("down", EARLY, vanished(ELSEWHERE), arrived(ELSEWHERE, 9.0), ask(14.1, "unavailable")),
    "down-of-what-came-when-all-was-well": ("down", EARLY, vanished(ELSEWHERE), arrived(ELSEWHERE, 16.2), ask(16.3, "unavailable")),
    # slots that move
    "refused-while-its-slot-moves": ("lost", EARLY, moved(OF_THE_TOKEN), ask(10.5, "no")),
    "refused-while-it-moves-at-once": ("lost", EARLY, moved(OF_THE_TOKEN, True), ask(10.5, "no")),
    "client-refused-while-its-slot-moves": ("lost", EARLY, moved(OF_THE_CLIENT), mint(10.5, "no")),
    "revoked-while-another-slot-moves": ("stale", EARLY, moved(ELSEWHERE), revoked(10.5), ask(10.7)),
    "disabled-while-the-tokens-slot-moves": ("stale", EARLY, moved(OF_THE_TOKEN), disabled(10.5), ask(10.7)),
    "everybody-while-the-tokens-slot-moves": ("stale", EARLY, moved(OF_THE_TOKEN), everybody(10.5), ask(10.7)),
    "revoked-long-before-it-moved": ("stale", EARLY, moved(OF_THE_TOKEN), revoked(5.0), ask(10.5)),
    "revoked-behind-a-move": ("stale", EARLY, moved(OF_THE_TOKEN), revoked(11.1), ask(11.2 + SILENCE)),
    "revoked-long-behind-a-move": ("stale", EARLY, moved(OF_THE_TOKEN), revoked(14.0), ask(14.2)),
    "revoked-here-while-it-moves": ("stale", EARLY, moved(OF_THE_TOKEN), revoked(10.5), ask(10.6, instance=0)),
    "revoked-while-it-moves-without-memory": ("stale", EARLY, moved(OF_THE_TOKEN), revoked(10.5),
                                              ask(10.6, instance=MEMORYLESS)),
    "everybody-and-then-flushed": ("stale", EARLY, everybody(10.5), flushed(12.0), ask(11.0)),
    "brought-back-for-long": ("stale", EARLY, everybody(10.5), flushed(12.0), ask(12.5)),
    # nodes that are lost, or replaced
    "revoked-while-another-node-is-silent": ("stale", EARLY, lost(ELSEWHERE, silent=True), revoked(10.5), ask(10.7)),
    "revoked-while-packets-vanish-elsewhere": ("stale", EARLY, vanished(ELSEWHERE), revoked(10.5), ask(10.7)),
    "revoked-while-packets-vanish-for-long": ("stale", EARLY, vanished(OF_THE_TOKEN), revoked(10.5), ask(12.1)),
    "revoked-while-another-node-fails-over": ("stale", EARLY, failed_over(ELSEWHERE), revoked(10.5), ask(10.7)),
    "refused-while-another-node-fails-over": (
        "lost", Ask("mint", 0, "t", "c", 10.5, 10.6, "yes"), failed_over(ELSEWHERE), ask(11.0, "no")),
    # instances
    "no-answer-of-another-one": ("answered", EARLY, killed(0), ask(10.5, "none: the connection ended")),
    "no-answer-long-after": ("answered", EARLY, killed(), ask(12.5, "none: the connection ended")),
    "refused-by-the-next-one": ("lost", EARLY, killed(), ask(12.5, "no")),
}
INNOCENT = {
    "down-of-a-lost-node": (EARLY, lost(OF_THE_TOKEN), ask(11.0, "unavailable")),
    "down-while-packets-vanish": (EARLY, vanished(OF_THE_TOKEN), ask(11.0, "unavailable"), ask(15.9, "unavailable")),
    "a-mint-that-was-named-after-one-that-is-cut-off": (EARLY, cut_off(ELSEWHERE), mint(13.0, "unavailable")),
    "revoked-while-packets-vanish": (EARLY, vanished(OF_THE_TOKEN), revoked(10.5), ask(11.9)),
    "down-of-what-came-to-a-node-not-found-again": (EARLY, vanished(ELSEWHERE), arrived(ELSEWHERE), ask(14.1, "unavailable")),
    "down-of-its-client": (EARLY, lost(OF_THE_CLIENT), ask(11.0, "unavailable"), mint(13.0, "unavailable")),
    "down-of-all": (EARLY, lost(OF_THE_GENERATION), ask(11.0, "unavailable"), mint(13.0, "unavailable")),
    "a-mint-that-was-on-its-way": (EARLY, lost(ELSEWHERE), mint(10.5, "unavailable")),
    "revoked-while-its-slot-moves": (EARLY, moved(OF_THE_TOKEN), revoked(10.5), ask(12.0), ask(13.1, "no")),
    "disabled-while-its-slot-moves": (EARLY, moved(OF_THE_CLIENT), disabled(10.5), ask(12.0), ask(13.1, "no")),
    "everybody-while-the-generation-moves": (EARLY, moved(OF_THE_GENERATION), everybody(11.5), ask(12.9)),
    "revoked-while-its-node-fails-over": (EARLY, failed_over(OF_THE_TOKEN, "w", "wd"), revoked(12.5), ask(13.9)),
    "brought-back-by-half-a-flush": (EARLY, everybody(10.5), flushed(12.0), ask(11.0, "no"), ask(12.1)),
    "minted-while-it-moves-at-once": (Ask("mint", 0, "t", "c", 10.5, 10.6, "yes"), moved(OF_THE_TOKEN, True),
                                      ask(11.5, "no")),
    "revoked-while-it-moves-at-once": (EARLY, moved(OF_THE_TOKEN, True), revoked(10.5), ask(20.0)),
    "no-answer-of-a-killed-one": (EARLY, killed(), ask(9.9995, "none: the connection ended"),
                                  ask(11.0, "none: refused"), ask(12.5, "unavailable"), ask(13.5)),
}


@pytest.mark.parametrize("rule,events", [pytest.param(e[0], e[1:], id=n) for n, e in GUILTY.items()])
def test_guilty(rule, events):
    verdict = judge(*events)
    assert {rule} == {found for found, _, _ in verdict.offences}, verdict.report()


@pytest.mark.parametrize("events", [pytest.param(e, id=n) for n, e in INNOCENT.items()])
def test_innocent(events):
    verdict = judge(*events)
    assert verdict.is_good, verdict.report()


def test_what_left_with_its_slot_was_not_revoked():
    """And what came back is there again: a file is read in its order."""
    log = Log()
    key = token_key("t")
    name = b"$%d\r\n%s\r\n" % (len(key), key.encode())
    log.add(b"*4\r\n$5\r\nSETEX\r\n" + name + b"$1\r\n9\r\n$1\r\nx\r\n" b"*2\r\n$3\r\nDEL\r\n" + name)
    assert log.written == {key} and log.deleted == {key}
    log.add(b"*4\r\n$14\r\nRESTORE-ASKING\r\n" + name + b"$1\r\n9\r\n$1\r\nx\r\n")
    assert log.written == {key} and log.deleted == set()


async def once(faults, _):
    """A slot goes and comes back, a master is lost, and time behind it."""
    await asyncio.sleep(1)
    await faults._slots_key_by_key()
    await faults._ask()
    await asyncio.sleep(2)


def cluster_beside(seconds):
    """A run of which the first instance gives an old yes for so long."""
    proxy = ForgetfulProxy(seconds)
    verdict = asyncio.run(Session(1, "cluster", faults=once, front=proxy).run(12))
    assert len(verdict.history.failovers) == 1 and len(verdict.history.moves) == 4, verdict.report()
    return verdict, proxy.replayed


def test_an_honest_instance_is_acquitted_of_a_cluster():
    verdict, replayed = cluster_beside(0)
    assert verdict.is_good and replayed == 0, verdict.report()
    assert verdict.checks["lost: while a slot moves"] and verdict.checks["stale: after a move"], verdict.report()


def test_an_instance_that_obeys_too_late_is_convicted_of_it():
    verdict, replayed = cluster_beside(SILENCE + 1)
    assert replayed and {rule for rule, _, _ in verdict.offences} == {"stale"}, verdict.report()
    assert {ask.instance for _, ask, _ in verdict.offences} == {0}, verdict.report()
