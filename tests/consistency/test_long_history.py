"""A long history is judged by the few changes that each request has to do with: that must decide nothing."""
import random

import pytest

import verdict
from history import EVERYBODY, Ask, Change, FailOver, Fault, History, Move, slot_of_client, slot_of_token

SECONDS, ASKS = 300, 3000
CLIENTS = ("a", "b")
KINDS = ("bump", "disable", "enable", "remove", "create", "everybody", "flush", "revoke", "delete", "replace")


def moments(some, every, longest):
    at = 0.0
    while (at := at + some.expovariate(1 / every)) < SECONDS:
        yield at, at + some.uniform(0.0, longest)


def changes(some, tokens):
    secrets = dict.fromkeys(CLIENTS, 0)
    for start, end in moments(some, 0.5, 0.4):
        kind, client, token = some.choice(KINDS), some.choice(CLIENTS), ""
        if kind in ("revoke", "delete"):
            token, client = some.choice(tokens)
        elif kind in ("everybody", "flush"):
            client = ""
        yield Change(kind, some.randrange(3) if kind == "revoke" else EVERYBODY, token, client, start, end,
                     some.random() < 0.9, secrets.get(client, 0))
        if kind == "replace":
            secrets[client] += 1


def any_history(seed):
    """No Redis would have answered so: each rule finds its offences."""
    some = random.Random(seed)
    tokens = [("t%d" % n, some.choice(CLIENTS)) for n in range(300)]
    history = History()
    for token, client in tokens:
        start = some.uniform(0, SECONDS)
        history.asks.append(Ask("mint", some.randrange(3), token, client, start, start + some.uniform(0, 0.5), "yes",
                                some.randrange(4)))
    for _ in range(ASKS):
        (token, client), start = some.choice(tokens), some.uniform(0, SECONDS)
        op = some.choice(("secret", "verify", "introspect", "mint", "authenticate"))
        history.asks.append(Ask(op, some.randrange(3), "" if op in ("mint", "authenticate") else token, client, start,
                                start + some.uniform(0, 0.1), some.choice(("yes", "no", "unavailable")), some.randrange(4)))
    history.changes = list(changes(some, tokens))
    for change in some.sample(history.changes, 50):  # a fail-over has undone them
        change.until = change.end + some.uniform(0, 60)
    slots = [frozenset((slot_of_client(c),)) for c in CLIENTS] + [frozenset((slot_of_token(t),)) for t, _ in tokens[:5]]
    for start, end in moments(some, 10, 4):
        history.faults.append(Fault("silence", some.choice((EVERYBODY, 0, 1)), some.random() < 0.5, start, start, end))
    for start, end in moments(some, 10, 4):
        history.moves.append(Move("slot", False, start, end, some.choice(slots)))
    for start, end in moments(some, 30, 15):
        history.failovers.append(FailOver("kill -9", start, start, end, slots=some.choice([None, *slots])))
    return history


class Everything(verdict.TimeLine):
    def between(self, since, until=verdict.FOREVER):
        return self._items


class Slowly(verdict.Verdict):
    """Looks at all there is."""

    def _ends_of(self, mint):
        found = self._of_token.get(mint.token, []) + [
            c for c in self._of_client[mint.client].between(0)
            if c.kind in ("bump", "everybody", "remove", "flush") and self._limit(c, mint.instance, mint.start) >= mint.start]
        return found, [c for c in found if c.acknowledged and c.start > self._terms(mint)]


def judged(how, history, seed):
    some = random.Random(seed)
    waits = [some.uniform(0.0, 0.02) for _ in range(SECONDS)]

    def waited(_, start, end):
        return sum(waits[int(start):int(end)])

    seen = how(history, None, waited, immediate=(2,))
    return [(rule, id(ask), why) for rule, ask, why in seen.offences], seen.checks, seen.staleness, seen.excuses


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_out_decides_nothing(seed, monkeypatch):
    history = any_history(seed)
    quickly = judged(verdict.Verdict, history, seed)
    monkeypatch.setattr(verdict, "TimeLine", Everything)
    assert {rule for rule, _, _ in quickly[0]} >= {"stale", "lost", "down"}
    monkeypatch.setattr(verdict, "Verdict", Slowly)
    assert quickly == judged(Slowly, history, seed)
