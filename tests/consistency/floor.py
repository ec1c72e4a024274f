"""What a run has to contain: a history that lacks it proves nothing, however innocent it is."""
import collections

REQUESTS_A_SECOND = 100  # real runs make over 2,000, and 800 beside twelve busy loops on two cores
SHORT = 20  # seconds: a shorter run has no room for faults, nor for each rule to be tried on each change
WHOLE = 60  # seconds: so long that each kind of fault comes, however the dice fall
VALIDATIONS = ("secret", "verify", "introspect")
ENDS = ("revoke", "delete", "bump", "everybody", "remove", "flush", "disable", "replace")
CHANGES = (*ENDS, "enable", "create")
FAULTS = ("stop", "kill -9", "SIGSTOP", "CLIENT KILL", "silence")
RULES = ("forged", "lost: token", "lost: client", "replaced under way",
         "stale: revoke, same instance", "stale: on replaced terms", *("stale: " + kind for kind in ENDS))


class Floor:
    def __init__(self, seconds, instances, *, faults=True, evicted=1, pretenders=()):
        """seconds: that the run was meant to take. faults: whether there were to be any. evicted: how many
        answers the instance with little memory has forgotten for want of room. pretenders:
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
            lines += ["never judged: " + rule for rule in RULES if not checks[rule]]
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
            return ["no fault '%s'" % kind for kind in FAULTS if kind not in seen]
        if self._seconds < SHORT:
            return []
        return ["no fault '%s'" % "' or '".join(kinds)
                for kinds in (("stop", "kill -9"), ("silence", "SIGSTOP")) if not seen.intersection(kinds)]
