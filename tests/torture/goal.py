"""What a goal is, what was seen of it, and whether that is allowed.

    Goal("G-03", promise, method, {"exits": AtMost(0), "connects": AtLeast(2000)}, measure)
    measure(run) -> {"exits": 0, "connects": 2000}          # raises NotHere where this machine cannot do it

Each number has a name and a bound; a number without one is told and not judged. AtLeast keeps a run that did
nothing from being good. Quiet(bound) is judged only where nobody else wants the cores: elsewhere it is told.
ByForm(short, full) has another bound in each form; None: that form does not measure it. least(5, 200) is
ByForm(AtLeast(5), AtLeast(200)).
"""
import dataclasses
import random

LONG_OF_CI = "long goals of reliability, by turns"  # the step of .ci/run


class NotHere(Exception):
    """This machine, or this form, cannot do it: str() says why."""


@dataclasses.dataclass(frozen=True)
class AtMost:
    bound: float
    sign = "≤"

    def holds(self, number):
        return number <= self.bound

    def text(self):
        return "%s %s" % (self.sign, spell(self.bound))


@dataclasses.dataclass(frozen=True)
class AtLeast(AtMost):
    sign = "≥"

    def holds(self, number):
        return number >= self.bound


@dataclasses.dataclass(frozen=True)
class Quiet:
    of: AtMost

    def holds(self, number):
        return self.of.holds(number)

    def text(self):
        return self.of.text() + " on a quiet machine"


@dataclasses.dataclass(frozen=True)
class ByForm:
    short: AtMost
    full: AtMost

    def text(self):
        return (self.short.text() + " " if self.short else "") + "(full: %s)" % self.full.text()


def least(short, full):
    return ByForm(AtLeast(short), AtLeast(full))


@dataclasses.dataclass(frozen=True)
class Goal:
    name: str
    promise: str
    method: str
    allowed: dict
    measure: object
    ci: str = ""  # the step of .ci/run that shows it; empty: script/torture --ci does
    missing: str = ""  # what of the goal is not measured


class Run:
    """One turn of one goal. say(text) tells what is worth a line beside the numbers."""

    def __init__(self, full, seed, say=print):
        self.full, self.seed, self.say = full, seed, say
        self.random = random.Random(seed)

    def size(self, short, full):
        return full if self.full else short


def spell(number):
    return "{:,}".format(number) if isinstance(number, int) else "%.3g" % number if number < 100 else "%.0f" % number


def told(seen):
    return ", ".join("%s %s" % (spell(number), name) for name, number in seen.items())


def bounds(goal):
    return ", ".join("%s %s" % (bound.text(), name) for name, bound in goal.allowed.items())


def broken(goal, seen, is_quiet, is_full=False):
    """What is not as it has to be, line by line. A number that is missing is none that holds."""
    for name, bound in goal.allowed.items():
        if isinstance(bound, ByForm):
            bound = bound.full if is_full else bound.short
        if bound is None:
            continue
        if name not in seen:
            yield "%s was not measured" % name
        elif not bound.holds(seen[name]) and (is_quiet or not isinstance(bound, Quiet)):
            yield "%s %s, allowed %s" % (spell(seen[name]), name, bound.text())
