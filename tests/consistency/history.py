"""What happened, as the checker saw it: requests, changes, faults. Times are of one monotonic clock."""
import dataclasses
import functools
import json

from support.clients import token_key
from support.cluster import slot_of

EVERYBODY = -1  # for an instance: Redis itself, or all of them
NOBODY = -2  # what happens is nothing that an instance may let anyone feel
FOREVER = float("inf")
GENERATION = "mintd:generation"
INSPECTOR = "inspector"

slot_of_key = functools.lru_cache(maxsize=None)(slot_of)


def slot_of_client(client):
    return slot_of_key("mintd:client:" + client)


def slot_of_token(token):
    return slot_of_key(token_key(token))


class Reach:
    """Of what befalls a part of a cluster: `slots` are those that it is about, None all there are."""

    def instance_may_feel(self, instance):
        return getattr(self, "instance", EVERYBODY) in (EVERYBODY, instance)

    def is_about(self, slots):
        """One of these, or it is not known which (None)."""
        return self.slots is None or slots is None or not self.slots.isdisjoint(slots)


@dataclasses.dataclass(slots=True)
class Ask:
    """One request and its answer.

    op: "secret", "verify", "introspect" (of a token); "mint", "authenticate" (of a client)
    answer: "yes", "no" (401, or active: false), "unavailable" (503), "none" (no answer), else what came
    secret: the number of the client's secret that it was asked with
    """

    op: str
    instance: int
    token: str
    client: str
    start: float
    end: float
    answer: str
    secret: int = 0

    @property
    def places(self):
        """The slots of all that decides it, its token's first. None: also of a token that nobody knows."""
        if not self.token:
            return None
        inspector = (slot_of_client(INSPECTOR),) if self.op == "introspect" else ()
        return (slot_of_token(self.token), *self.places_of_terms, *inspector)

    @property
    def places_of_terms(self):
        return slot_of_client(self.client), slot_of_key(GENERATION)


@dataclasses.dataclass(slots=True)
class Change:
    """Something that ends tokens or clients, or brings a client back.

    kind: "revoke" (through an instance), "delete" (of the key), "bump" (a client's generation),
    "everybody" (the global one), "remove", "flush"; "disable", and what ends it: "enable", "create";
    "replace": of a client's secret of this number by the next one;
    "lost": of the token's record, by a fail-over (journal.py)
    until: from then on nothing is certain about it: a fail-over has undone it
    """

    kind: str
    instance: int
    token: str
    client: str
    start: float
    end: float
    acknowledged: bool = True
    secret: int = 0
    until: float = FOREVER

    @property
    def places(self):
        """The slot of what it changes; None: all."""
        if self.token:
            return (slot_of_token(self.token),)
        if self.client:
            return (slot_of_client(self.client),)
        return (slot_of_key(GENERATION),) if self.kind == "everybody" else None


@dataclasses.dataclass(slots=True)
class Fault(Reach):
    """Something that keeps instances from Redis. start, began: before and after it was caused; end: all is
    well again. silent: connections stay open, so that an instance learns of it by its patience alone. vanishes:
    packets do, so that it takes longer until an instance is connected again. known: by then each instance names no new
    token after a node that is lost; None: 2 s after it began."""

    kind: str
    instance: int
    silent: bool
    start: float
    began: float
    end: float
    slots: frozenset = None
    vanishes: bool = False
    known: float = None


@dataclasses.dataclass(slots=True)
class Move(Reach):
    """A slot of a cluster went to another node. end: all nodes say so. at_once: what was written between the copy of
    its keys and the end of it may be lost, and nobody but the traffic has written then. beside: the slots of the node
    that it goes to."""

    kind: str
    at_once: bool
    start: float
    end: float
    slots: frozenset
    beside: frozenset = frozenset()


@dataclasses.dataclass(slots=True)
class FailOver(Reach):
    """Another Redis became the master. named: the first one (a Sentinel, a node: `by`) says so. until: by then every
    instance has to have heard of it. Between start and until an instance may be on the old one or on the new one.
    followed: the new one has a replica. old, new: logs of what they wrote (journal.Log). lost_mints,
    lost_revocations: what Redis did not copy; undone: these revocations. went_back: a Sentinel gave it up at first, and
    the new one copied all of the old one once more. group: of which master and its replicas."""

    kind: str
    start: float
    named: float = FOREVER
    until: float = FOREVER
    followed: float = FOREVER
    old: object = None
    new: object = None
    went_back: bool = False
    lost_mints: int = 0
    lost_revocations: int = 0
    undone: list = dataclasses.field(default_factory=list)
    slots: frozenset = None
    group: int = 0
    by: str = "a Sentinel"

    def overlaps(self, event):
        return event.end >= self.start and event.start <= self.until


@dataclasses.dataclass
class History:
    asks: list = dataclasses.field(default_factory=list)
    changes: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)
    failovers: list = dataclasses.field(default_factory=list)
    moves: list = dataclasses.field(default_factory=list)
    in_parts: bool = False  # what is done to all of Redis is done to one node after the other
    waits: bool = False  # revocations were acknowledged once a replica had them

    def about(self, ask, last=4):
        """The lines that tell what led to an answer: changes, faults, the mint, and the last requests for
        the token at that instance."""
        changes = [c for c in self.changes if c.token in ("", ask.token) and c.client in ("", ask.client)]
        faults = [f for f in self.faults if f.instance in (EVERYBODY, ask.instance)]
        mints = [a for a in self.asks if a.op == "mint" and a.token == ask.token and ask.token]
        asks = [a for a in self.asks if a.op != "mint" and a.token == ask.token and ask.token
                and a.instance == ask.instance and a.start <= ask.start and a is not ask]
        asks = sorted(asks, key=lambda a: a.start)[-last:]
        since = min((m.start for m in mints), default=ask.start - 10)
        causes = [e for e in (*changes, *faults, *self.failovers, *self.moves) if since - 5 <= e.start <= ask.end]
        return [line(e) for e in (*sorted((*causes, *mints, *asks), key=lambda e: e.start), ask)]

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            events = (*self.asks, *self.changes, *self.faults, *self.failovers, *self.moves)
            for event in sorted(events, key=lambda e: e.start):
                file.write(line(event) + "\n")


def line(event):
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    fields = {k: round(v, 6) if isinstance(v, float) else v for k, v in fields.items()
              if k not in ("old", "new", "slots", "beside", "undone")}
    if isinstance(event, Move):
        fields["slots"] = sorted(event.slots)
    return json.dumps({"event": type(event).__name__.lower(), **fields})
