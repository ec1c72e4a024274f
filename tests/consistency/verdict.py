"""Judges a history. The rules:

stale     no token is accepted, and no client, by a request that started later than the acknowledgement of
          what ended it, and a bound. The bound is 50 ms; at the instance that answered the /revoke itself it
          is 0, and at one without memory, which asks Redis each time, too. One with memory that hears
          nothing (a silent fault) may go on for 2 s after the fault began.
          A token that was minted with a secret is on no later terms than that secret: what ends all
          tokens of the client, and began after the secret had been replaced, has ended it too, even
          while it was still being minted.
lost      no good token and no good client is refused: minted, acknowledged, and nothing that could end it
          had begun.
down      503 comes while a fault is on and for 1 s after, and never else. Where packets vanished it is 2 s: TCP
          itself tries again a second later, an attempt of mintd ends after 2 s, and the next is 0.5 s later.
forged    what was never issued is not accepted.
answered  each request gets one answer, of a kind that is known, unless its instance was killed.

A fail-over has a time in which an instance may be on the old master or on the new one (history.FailOver): what
was acknowledged in it has no bound but its end, and a token that was minted in it may be refused until then. What
Redis did not copy is counted (journal.py): such a token has ended, such a revocation is undone. All else holds
through a fail-over.

In a cluster a fault or a fail-over of one node is about its keys alone: of all others nothing is excused. (A new
token may be named after a node that is lost until that is noticed.) A slot that moves excuses no 503
(but to a node that an instance has not found again it brings the fault of that node) and no refusal; but who has
copies of it from the node that had it may trust them for 2 s more.

Only what is certain is judged: what overlaps counts for the instance. To each bound but the 0 comes the slack:
20 ms, and the time in which Redis or that instance was ready to run while others had the cores, as the kernel
counts it, or waited for a disk (machine.py): an invalidation goes through both. Where more than a few answers need that excuse, the
machine was too busy to judge by. And a history without what it has to contain (floor.py) proves nothing.
"""
import bisect
import collections
import dataclasses
import functools
import itertools

from history import EVERYBODY, FOREVER, line

BOUND = 0.050
SILENCE = 2.0
RECOVERY = 1.0
RECOVERY_OF_PACKETS = 2.0
SLACK = 0.020
REDIS_TIMEOUT = 1.0  # of the instances: script/consistency starts them so
KILLED = "mintd kill -9"
OFF, ON = ("disable", "remove", "flush"), ("enable", "create")
LONG = 10.0  # later than this nothing excuses anything
# Of the answers about what had ended, and of the 503s. Real runs need none, with twelve busy loops beside
# them on two cores neither; this has room for the requests that one standstill of the machine strikes.
EXCUSED_SHARE = 0.003


class TimeLine:
    """What is in the order of its start, and settled at some time. A long history has thousands of them, and each
    request to do with few."""

    def __init__(self, items, start, settled):
        self._items = sorted(items, key=start)
        self._starts = [start(item) for item in self._items]
        self._settled = list(itertools.accumulate(map(settled, self._items), max))

    def between(self, since, until=FOREVER):
        """All that start by `until` and are settled at `since` or later, and maybe some that are settled before."""
        return self._items[bisect.bisect_left(self._settled, since):bisect.bisect_right(self._starts, until)]


@dataclasses.dataclass
class Period:
    """A client is away: from change `off` to change `on`, which may not be there yet."""

    off: object
    on: object


class Verdict:
    def __init__(self, history, floor, waited=None, immediate=()):
        """floor: what the history has to contain, or None: this is but a piece of one. waited: the seconds
        between two times that Redis and an instance waited for a core. immediate: instances without
        memory."""
        self._immediate = immediate
        # Asked for each answer, mostly of the same times: those of a change.
        self.history, self.waited = history, functools.lru_cache(1 << 16)(waited or (lambda instance, start, end: 0.0))
        self.checks = collections.Counter()
        self.offences = []  # (rule, ask, why)
        self.stood_still = 0  # 503s while the whole machine did
        self.staleness = {}  # (kind, instance, id of the change): seconds
        self.longest = collections.defaultdict(float)  # that what had ended was taken, by the fault meanwhile: seconds
        self.excused = 0.0  # the most that silence or slack allowed beyond the bound
        self._failovers = TimeLine(history.failovers, lambda f: f.start, lambda f: f.until)
        self._first_over = min((f.until for f in history.failovers), default=FOREVER)
        self._silences = TimeLine((f for f in history.faults if f.silent), lambda f: f.start, lambda f: f.began + SILENCE)
        self._over = self._ends_of_failovers()
        self._sort_changes()
        self._mints = {a.token: a for a in history.asks if a.op == "mint" and a.answer == "yes"}
        self._ends = {}
        for ask in history.asks:
            self._judge(ask)
        self.missing = floor.missing(history, self.checks) if floor else []
        # What would be an offence if there were no waiting for a core.
        strict = Verdict(history, None, None, immediate) if waited else self
        self.excuses = len(strict.offences) - len(self.offences)

    def _ends_of_failovers(self):
        """By when the last instance has to be on the new master, whatever it waited for, of each."""
        instances, end = {a.instance for a in self.history.asks}, max((a.end for a in self.history.asks), default=0.0)
        return {id(f): max((self._until(f, i, end) for i in instances), default=f.until) for f in self.history.failovers}

    # ---- what ended what ----

    def _sort_changes(self):
        by_client, self._of_token = collections.defaultdict(list), collections.defaultdict(list)
        for change in sorted(self.history.changes, key=lambda c: c.start):
            (self._of_token[change.token] if change.token else by_client[change.client]).append(change)
        common = by_client.pop("", [])
        names = {*by_client, *(a.client for a in self.history.asks)}
        of_client = {name: sorted(by_client.get(name, []) + common, key=lambda c: c.start) for name in names}
        self._of_client = {name: TimeLine(changes, lambda c: c.start, self._settled) for name, changes in of_client.items()}
        self._away = {name: TimeLine(self._periods(changes), lambda p: p.off.start,
                                     lambda p: self._settled(p.on) if p.on else FOREVER)
                      for name, changes in of_client.items()}
        self._moves = TimeLine(self.history.moves, lambda m: m.start, lambda m: m.end + SILENCE)
        self._replaced, self._secret_away = {}, collections.defaultdict(list)
        for change in self.history.changes:
            if change.kind == "replace":
                self._replaced[change.client, change.secret] = change
                self._secret_away[change.client, change.secret].append(Period(change, None))
                self._secret_away[change.client, change.secret + 1].append(Period(change, change))

    def _settled(self, change):
        """From then on no instance may be without it, whatever has happened."""
        limit = max((self._over[id(f)] for f in self._failovers_around(change)), default=change.end)
        return limit + BOUND + LONG

    def _failovers_around(self, change):
        return (f for f in self._failovers.between(change.end, change.end) if f.start <= change.end <= f.until)

    @staticmethod
    def _periods(changes):
        for position, off in enumerate(changes):
            if off.kind in OFF:
                # Who was removed is back when made anew, and not before.
                back = ON if off.kind == "disable" else ("create",)
                yield Period(off, next((c for c in changes[position:] if c.kind in back), None))

    def _ends_of(self, mint):
        """What ended a token for good: all that may have, and those that did for certain."""
        if mint.token not in self._ends:
            found, terms = list(self._of_token.get(mint.token, [])), self._terms(mint)
            for change in self._of_client[mint.client].between(mint.start):
                if change.kind not in ("bump", "everybody", "remove", "flush"):
                    continue
                # Long before the token: it was minted with what the change left behind.
                if change.end >= mint.start or self._limit(change, mint.instance, mint.start) >= mint.start:
                    found.append(change)
                if change.start > self._ended_by(found, terms):
                    break  # and what is later ends nothing more
            self._ends[mint.token] = found, [c for c in found if c.acknowledged and c.start > terms]
        return self._ends[mint.token]

    @staticmethod
    def _ended_by(found, terms):
        return min((c.end for c in found if c.acknowledged and c.start > terms and c.until == FOREVER), default=FOREVER)

    def _terms(self, mint):
        """Later than this the terms of a token are not: of its client nothing was read after its secret was
        replaced, and its generation was read ahead of its client."""
        replaced = self._replaced.get((mint.client, mint.secret))
        return min(mint.end, replaced.end) if replaced and replaced.acknowledged else mint.end

    # ---- bounds ----

    def _limit(self, change, instance, at):
        """Until when an instance may not know of a change; it is asked at `at`."""
        limit = self._followed(change, instance, at)
        if instance in self._immediate:
            return limit
        limit = max(limit, change.end + BOUND)
        if at > limit + LONG:
            return limit
        for fault in self._silences.between(limit, at):
            if fault.instance in (EVERYBODY, instance) and fault.start < at and fault.is_about(change.places):
                limit = max(limit, fault.began + SILENCE)
        for move in self._moves_around(change.end):
            if move.is_about(change.places):
                limit = max(limit, move.end + SILENCE)
        return limit if limit >= at else self._stretched(instance, change.end, limit + SLACK, at)

    def _moves_around(self, at):
        """Those of which an instance may not know then."""
        return (m for m in self._moves.between(at, at) if m.start <= at <= m.end + SILENCE)

    def _followed(self, change, instance, at):
        """Until when an instance may be on another master than the one that acknowledged this."""
        return max((self._until(f, instance, at) for f in self._failovers_around(change) if f.is_about(change.places)),
                   default=change.end)

    def _until(self, failover, instance, at):
        return self._stretched(instance, failover.start, failover.until + SLACK, at)

    def _stretched(self, instance, start, limit, at):
        """A limit that is later by what was waited for a core before it (and before `at`)."""
        later = limit
        while later < at:
            stretched = limit + self.waited(instance, start, later)
            if stretched <= later + 0.001:
                break
            later = stretched
        return later

    # ---- rules ----

    def _offend(self, rule, ask, why):
        self.offences.append((rule, ask, why))

    def _judge(self, ask):
        self.checks["answered"] += 1
        if ask.answer.startswith("none") and self._was_killed(ask):
            self.checks["killed with it"] += 1
        elif ask.answer not in ("yes", "no", "unavailable"):
            self._offend("answered", ask, "answer: " + ask.answer)
        elif ask.answer == "unavailable":
            self._judge_down(ask)
        elif ask.op in ("mint", "authenticate"):
            self._judge_client(ask)
        elif ask.token in self._mints:
            self._judge_token(ask, self._mints[ask.token])
        else:
            self.checks["forged"] += 1
            if ask.answer == "yes":
                self._offend("forged", ask, "was never issued")

    def _waits_in_vain(self, ask):
        """A revocation (no other request with a client's secret writes) waits for a replica, and the new master
        has none yet."""
        return self.history.waits and ask.op == "authenticate" and any(
            f.start <= ask.end and ask.start <= f.followed + RECOVERY for f in self.history.failovers)

    def _was_killed(self, ask):
        return any(f.kind == KILLED and f.instance == ask.instance and f.start <= ask.end and ask.start <= f.end
                   for f in self.history.faults)

    def _is_about(self, fault, places):
        """One of them, or one that has come to its node meanwhile."""
        return fault.is_about(places) or any(
            move.is_about(places) and not move.beside.isdisjoint(fault.slots) and move.end >= fault.start
            for move in self._moves.between(fault.start, fault.end + RECOVERY_OF_PACKETS))

    def _may_strike(self, fault, ask):
        if fault.instance not in (EVERYBODY, ask.instance) or fault.start > ask.end:
            return False
        if ask.op != "mint":
            return self._is_about(fault, ask.places)
        # Its name may lie there, until that is noticed; and again once the node is back, which may step down then.
        known = fault.began + SILENCE if fault.known is None else fault.known
        return self._is_about(fault, ask.places_of_terms) or not known < ask.start < fault.end

    def _judge_down(self, ask):
        self.checks["down"] += 1
        if self._waits_in_vain(ask):
            return
        for fault in self.history.faults:
            if self._may_strike(fault, ask):
                limit = fault.end + (RECOVERY_OF_PACKETS if fault.vanishes else RECOVERY)
                if ask.start <= self._stretched(ask.instance, fault.end, limit, ask.start):
                    return
        if self.waited(ask.instance, ask.start, ask.end) > REDIS_TIMEOUT / 2:
            self.stood_still += 1
            return
        self._offend("down", ask, "there was no fault")

    def _time_by_fault(self, ask, change, late):
        """Under each of the faults that were on meanwhile, for it may be any of them."""
        if late == 0:
            return
        kinds = {f.kind for f in (*self.history.faults, *self.history.moves)
                 if f.instance_may_feel(ask.instance) and f.start <= ask.end and f.end >= change.start}
        kinds |= {"fail-over: " + f.kind for f in self.history.failovers if f.start <= ask.end and f.until >= change.start}
        for kind in kinds or {"no fault"}:
            self.longest[kind] = max(late, self.longest[kind])

    def _judge_stale(self, ask, change, until=FOREVER):
        """The change is in force until something that began at `until`."""
        if ask.start <= change.end or ask.end >= until:
            return
        own = change.kind == "revoke" and change.instance == ask.instance
        kind = "revoke, same instance" if own else change.kind
        self.checks["stale: " + kind] += 1
        key = kind, ask.instance, id(change)
        self.checks["stale: after a fail-over"] += self._first_over < change.start
        late = ask.start - change.end if ask.answer == "yes" else 0.0
        self.staleness[key] = max(late, self.staleness.get(key, 0.0))
        self._time_by_fault(ask, change, late)
        self.checks["stale: after a move"] += any(m.is_about(change.places) for m in self._moves_around(change.start))
        limit = self._followed if own else self._limit
        if late and ask.start > limit(change, ask.instance, ask.start):
            self._offend("stale", ask, "%.1f ms after %s" % (late * 1000, kind))
        elif late > BOUND:
            self.excused = max(self.excused, late - BOUND)

    def _judge_away(self, ask, periods=None):
        """Of the client, or of its secret; whether it may have been away for this instance."""
        doubt = False
        for period in self._away[ask.client].between(ask.start, ask.end) if periods is None else periods:
            on = period.on.start if period.on else FOREVER
            if period.off.acknowledged:
                self._judge_stale(ask, period.off, on)
            doubt = doubt or (period.off.start <= ask.end and (
                not period.on or ask.start <= self._limit(period.on, ask.instance, ask.start)))
        return doubt

    def _judge_client(self, ask):
        doubt = self._judge_away(ask)
        doubt = self._judge_away(ask, self._secret_away.get((ask.client, ask.secret), ())) or doubt
        replaced = self._replaced.get((ask.client, ask.secret))
        if replaced and ask.op == "mint" and ask.start < replaced.start and ask.end > replaced.end:
            self.checks["replaced under way"] += 1
        if not doubt:
            self.checks["lost: client"] += 1
            if ask.answer == "no":
                self._offend("lost", ask, "a good client was refused")

    def _judge_token(self, ask, mint):
        found, certain = self._ends_of(mint)
        certain = [c for c in certain if ask.end < c.until]
        if certain:
            first = min(certain, key=lambda c: c.end)
            own = [c for c in certain if c.kind == "revoke" and c.instance == ask.instance and c is not first]
            self.checks["stale: on replaced terms"] += first.start <= mint.end and ask.start > first.end
            for change in (first, *own):
                self._judge_stale(ask, change)
        doubt = self._judge_away(ask) or any(c.start <= ask.end for c in found) or self._is_elsewhere(ask, mint)
        if not doubt and mint.end <= ask.start:
            self.checks["lost: token"] += 1
            self.checks["lost: through a fail-over"] += any(
                mint.end < f.start and f.named < ask.start for f in self._failovers.between(mint.end, ask.start))
            self.checks["lost: while a slot moves"] += any(m.is_about(ask.places)
                                                           for m in self._moves_around(ask.start))
            if ask.answer == "no":
                self._offend("lost", ask, "a good token was refused")

    def _is_elsewhere(self, ask, mint):
        """The token may be on another master than the instance."""
        return any(f.overlaps(mint) and f.is_about(mint.places[:1]) and ask.end >= f.start
                   and ask.start <= self._until(f, ask.instance, ask.start)
                   for f in self._failovers.between(mint.start, mint.end))

    # ---- telling ----

    @property
    def _excusable(self):
        return sum(number for rule, number in self.checks.items() if rule.startswith(("stale", "down")))

    @property
    def was_too_busy(self):
        return self.excuses > EXCUSED_SHARE * self._excusable

    @property
    def undone(self):
        """Revocations that a replica had, as was said, and that a fail-over undid."""
        return sum(f.lost_revocations for f in self.history.failovers) if self.history.waits else 0

    @property
    def is_good(self):
        return not (self.offences or self.missing or self.undone or self.was_too_busy)

    def _told_fail_overs(self):
        for f in self.history.failovers:
            down = [a.end for a in self.history.asks if a.answer == "unavailable" and f.start <= a.start <= f.until]
            back = max(down, default=f.start)
            yield ("fail-over (%s): %s named the new master after %.2f s, the last 503 was %.2f s behind that; "
                   "lost by replication: %d mints, %d revocations" % (
                       f.kind, f.by, f.named - f.start, max(0.0, back - f.named), f.lost_mints, f.lost_revocations))
        if self.history.failovers:
            yield "lost by replication: %d mints, %d revocations, in %d fail-overs" % (
                sum(f.lost_mints for f in self.history.failovers),
                sum(f.lost_revocations for f in self.history.failovers), len(self.history.failovers))

    def report(self):
        lines = ["checks:"]
        lines += ["  %-32s %8d" % pair for pair in sorted(self.checks.items())]
        lines.append("staleness (last yes after the acknowledgement, for each change and instance), ms:")
        by_kind = collections.defaultdict(list)
        for (kind, _, _), seconds in self.staleness.items():
            by_kind[kind].append(seconds * 1000)
        for kind, values in sorted(by_kind.items()):
            values.sort()
            lines.append("  %-32s n %6d  p50 %7.1f  p99 %7.1f  max %7.1f" % (
                kind, len(values), values[len(values) // 2], values[len(values) * 99 // 100], values[-1]))
        lines.append("the longest that what had ended was taken, by the fault meanwhile, ms:")
        lines += ["  %-32s %7.1f" % (kind, 1000 * seconds) for kind, seconds in sorted(self.longest.items())]
        lines.append("503 while the machine stood still: %d; allowed beyond the bound for silence or slack: "
                     "%.1f ms at most" % (self.stood_still, self.excused * 1000))
        lines += self._told_fail_overs()
        lines.append("answers that only waiting for a core excuses: %d of %d" % (self.excuses, self._excusable))
        for rule, ask, why in self.offences[:10]:
            lines.append("OFFENCE against %r: %s" % (rule, why))
            lines += ["  " + text for text in self.history.about(ask)]
        if self.undone:
            lines.append("UNDONE: %d revocations that had waited for a replica" % self.undone)
            lines += ["  " + line(change) for f in self.history.failovers for change in f.undone[:10]]
        if self.was_too_busy:
            lines.append("MACHINE TOO BUSY TO JUDGE: %g %% of these answers may need the excuse"
                         % (EXCUSED_SHARE * 100))
        lines += ["MISSING from the run: " + what for what in self.missing]
        lines.append("%d offences" % len(self.offences))
        return "\n".join(lines)
