"""A run that lacks what it has to contain is convicted, whatever else it says."""
import collections

import pytest

from floor import (CHANGES, CLUSTER_FAULTS, CUT_OFF, LOSSES, REDIS_FAULTS, RULES, SENTINEL_FAULTS, SHORT, VALIDATIONS,
                   WHOLE, Floor)
from history import EVERYBODY, Ask, Change, Fault, History
from verdict import Verdict

INSTANCES = range(3)
LITTLE = 0.1  # seconds: ten requests


def mints():
    return [Ask("mint", i, "token-%d" % i, "c", 1.0, 1.1, "yes") for i in INSTANCES]


def uses(start, answer):
    return [Ask(op, i, "token-2", "c", start, start + 0.001, answer) for i in INSTANCES for op in VALIDATIONS]


def changes():
    """Each a second after the one before; a token of its own for what ends tokens."""
    tokens = {"revoke": "token-0", "delete": "token-1"}
    everybody = ("everybody", "flush")
    order = ("revoke", "delete", "bump", "everybody", "disable", "enable", "replace", "remove", "flush",
             "create")
    return [Change(kind, 0 if kind == "revoke" else EVERYBODY, tokens.get(kind, ""),
                   "" if kind in everybody else "c", 2.0 + at, 2.01 + at) for at, kind in enumerate(order)]


def whole():
    return History([*mints(), *uses(1.2, "yes"), *uses(20.0, "no")], changes())


def convicted_for(history, what, **more):
    verdict = Verdict(history, Floor(LITTLE, len(INSTANCES), **{"faults": None, **more}))
    assert not verdict.offences, verdict.report()
    assert not verdict.is_good and any(what in line for line in verdict.missing), verdict.report()
    assert "MISSING from the run: " in verdict.report()


def test_what_contains_all_is_good():
    verdict = Verdict(whole(), Floor(LITTLE, len(INSTANCES), faults=None))
    assert verdict.is_good and {c.kind for c in changes()} == set(CHANGES), verdict.report()


def test_an_empty_history_is_convicted():
    for seconds in (0, LITTLE, WHOLE):
        verdict = Verdict(History(), Floor(seconds, len(INSTANCES)))
        assert not verdict.is_good and "0 requests" in verdict.report()


@pytest.mark.parametrize("kind", CHANGES)
def test_one_without_this_change_is_convicted(kind):
    history = whole()
    history.changes = [c for c in history.changes if c.kind != kind]
    convicted_for(history, "'%s'" % kind)


def test_a_change_without_an_acknowledgement_is_none():
    history = whole()
    history.changes[0].acknowledged = False
    convicted_for(history, "'revoke'")


ANSWERS = ("mint", "yes"), *((op, answer) for op in VALIDATIONS for answer in ("yes", "no"))


@pytest.mark.parametrize("op,answer", ANSWERS)
def test_one_without_this_answer_of_an_instance_is_convicted(op, answer):
    history = whole()
    history.asks = [a for a in history.asks if (a.op, a.answer, a.instance) != (op, answer, 1)]
    convicted_for(history, "no '%s' that instance 1 answered with %s" % (op, answer))


def test_too_few_requests_and_no_eviction():
    missing = Floor(1, len(INSTANCES), faults=None).missing(whole(), {})
    assert missing == ["21 requests in 1 s, which should be 100 at least"]
    convicted_for(whole(), "evicted", evicted=0)


def test_an_instance_that_is_not_of_its_kind():
    convicted_for(whole(), "instance 2 is not of its kind", pretenders=[2])


def of_faults(*kinds):
    return History(faults=[Fault(kind, EVERYBODY, False, 1.0, 1.0, 2.0) for kind in kinds])


def missing_faults(seconds, *kinds, of=REDIS_FAULTS):
    lines = Floor(seconds, 3, faults=of).missing(of_faults(*kinds), collections.Counter(RULES))
    return [line for line in lines if "fault" in line]


def test_faults_are_asked_for_as_far_as_there_was_time():
    assert missing_faults(SHORT - 1) == []
    assert missing_faults(SHORT) == ["no fault 'stop' or 'kill -9'", "no fault 'silence' or 'SIGSTOP'"]
    assert missing_faults(SHORT, "kill -9", "silence") == []
    assert len(missing_faults(SHORT, of=SENTINEL_FAULTS)) == 3


@pytest.mark.parametrize("of", [REDIS_FAULTS, SENTINEL_FAULTS, CLUSTER_FAULTS, REDIS_FAULTS.and_others(*LOSSES),
                                CLUSTER_FAULTS.and_others(*LOSSES, CUT_OFF)])
def test_a_whole_run_has_each_kind_of_fault(of):
    assert missing_faults(WHOLE, *of.all, of=of) == []
    for kind in of.all:
        assert missing_faults(WHOLE, *(k for k in of.all if k != kind), of=of) == ["no fault '%s'" % kind]


@pytest.mark.parametrize("of", [SENTINEL_FAULTS, CLUSTER_FAULTS])
def test_a_run_with_fail_overs_judges_what_is_behind_them(of):
    missing = Floor(SHORT, 3, faults=of).missing(History(), collections.Counter(RULES))
    assert {"never judged: " + rule for rule in of.rules} < set(missing)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_was_never_tried_is_missing(rule):
    checks = collections.Counter(r for r in RULES if r != rule)
    assert "never judged: " + rule in Floor(SHORT, 3).missing(History(), checks)
