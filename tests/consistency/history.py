"""What happened, as the checker saw it: requests, changes, faults. Times are of one monotonic clock."""
import dataclasses
import json

EVERYBODY = -1  # for an instance: Redis itself, or all of them


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


@dataclasses.dataclass(slots=True)
class Change:
    """Something that ends tokens or clients, or brings a client back.

    kind: "revoke" (through an instance), "delete" (of the key), "bump" (a client's generation),
    "everybody" (the global one), "remove", "flush"; "disable", and what ends it: "enable", "create";
    "replace": of a client's secret of this number by the next one
    """

    kind: str
    instance: int
    token: str
    client: str
    start: float
    end: float
    acknowledged: bool = True
    secret: int = 0


@dataclasses.dataclass(slots=True)
class Fault:
    """Something that keeps instances from Redis. start, began: before and after it was caused; end: all is
    well again. silent: connections stay open, so that an instance learns of it by its patience alone."""

    kind: str
    instance: int
    silent: bool
    start: float
    began: float
    end: float


@dataclasses.dataclass
class History:
    asks: list = dataclasses.field(default_factory=list)
    changes: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)

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
        causes = [e for e in (*changes, *faults) if since - 5 <= e.start <= ask.end]
        return [line(e) for e in (*sorted((*causes, *mints, *asks), key=lambda e: e.start), ask)]

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            for event in sorted((*self.asks, *self.changes, *self.faults), key=lambda e: e.start):
                file.write(line(event) + "\n")


def line(event):
    fields = {k: round(v, 6) if isinstance(v, float) else v for k, v in dataclasses.asdict(event).items()}
    return json.dumps({"event": type(event).__name__.lower(), **fields})
