"""What a run has to contain: a history that lacks it proves nothing, however innocent it is."""
import collections
import typing

REQUESTS_A_SECOND = 100  # real runs make over 2,000, and 800 beside twelve busy loops on two cores
SHORT = 20  # seconds: a shorter run has no room for faults, nor for each rule to be tried on each change
WHOLE = 60  # seconds: so long that each kind of fault comes, however the dice fall
VALIDATIONS = ("secret", "verify", "introspect")
ENDS = ("revoke", "delete", "bump", "everybody", "remove", "flush", "disable", "replace")
CHANGES = (*ENDS, "enable", "create")
RULES = ("forged", "lost: token", "lost: client", "replaced under way",
         "stale: revoke, same instance", "stale: on replaced terms", *("stale: " + kind for kind in ENDS))


class FaultKinds(typing.NamedTuple):
    """groups: a run has one of each, and a whole one all of all and of the others. rules: tried because of them."""

    groups: tuple
    others: tuple = ()
    rules: tuple = ()

    @property
    def all(self):
        return [*(kind for group in self.groups for kind in group), *self.others]

    def and_others(self, *kinds):
        return self._replace(others=(*self.others, *kinds))


CUT_OFF = "master cut off"  # from all but the instances
LOSSES = ("packets lost", "requests lost or replies")  # between instances and a master that all others reach
REDIS_FAULTS = FaultKinds((("stop", "kill -9"), ("silence", "SIGSTOP")), ("CLIENT KILL",))
SENTINEL_FAULTS = FaultKinds((("master kill -9", "master SIGSTOP"), ("SENTINEL FAILOVER", "stale sentinel"),
                              ("sentinel kill -9", "sentinel SIGSTOP")), ("silence",),
                             ("stale: after a fail-over", "lost: through a fail-over"))
CLUSTER_FAULTS = FaultKinds((("master kill -9", "master SIGSTOP"), ("slots at once", "slots key by key"),
                             ("CLUSTER FAILOVER",), ("mintd kill -9", "silence")), (),
                            ("stale: after a fail-over", "lost: through a fail-over", "stale: after a move",
                             "lost: while a slot moves"))


class Floor:
    def __init__(self, seconds, instances, *, faults=REDIS_FAULTS, evicted=1, pretenders=()):
        """seconds: that the run was meant to take. faults: the kinds that there were to be, or None. evicted: how
        many answers the instance with little memory has forgotten for want of room. pretenders:
        instances that have a memory and should have none, or the other way round, or do not speak RESP2."""
        self._seconds, self._instances, self._faults, self._evicted = seconds, instances, faults, evicted
        self._pretenders = pretenders

    def missing(self, history, checks):
        """A line for each thing that is missing. checks: how often each rule was tried."""
        lines = list(self._missing_answers(history.asks))
        done = {c.kind for c in history.changes if c.acknowledged}
        lines += ["no '%s' that was acknowledged" % kind for kind in CHANGES if kind not in done]
        if not self._evicted:
            lines.append("nothing was evicted at the instance with little memory")
        lines += ["instance %d is not of its kind" % number for number in self._pretenders]
        if self._seconds >= SHORT:
            rules = (*RULES, *(self._faults.rules if self._faults else ()))
            lines += ["never judged: " + rule for rule in rules if not checks[rule]]
        if self._faults:
            lines += self._missing_faults(history.faults)
        return lines

    def _missing_answers(self, asks):
        least = max(1, int(self._seconds * REQUESTS_A_SECOND))
        if len(asks) < least:
            yield "%d requests in %g s, which should be %d at least" % (len(asks), self._seconds, least)
        seen = collections.Counter((a.op, a.instance, a.answer) for a in asks)
        for instance in range(self._instances):
            wanted = [("mint", "yes"), *((op, answer) for op in VALIDATIONS for answer in ("yes", "no"))]
            for op, answer in wanted:
                if not seen[op, instance, answer]:
                    yield "no '%s' that instance %d answered with %s" % (op, instance, answer)

    def _missing_faults(self, faults):
        seen = {f.kind for f in faults}
        if self._seconds >= WHOLE:
            return ["no fault '%s'" % kind for kind in self._faults.all if kind not in seen]
        if self._seconds < SHORT:
            return []
        return ["no fault '%s'" % "' or '".join(kinds) for kinds in self._faults.groups
                if not seen.intersection(kinds)]
