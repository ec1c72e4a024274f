"""Hand-made histories: the guilty are convicted, by the right rule, and the others are not."""
import pytest

from history import EVERYBODY, Ask, Change, Fault, History
from verdict import Verdict

MINTED = Ask("mint", 0, "t", "c", 1.0, 1.1, "yes")


def ask(start, answer="yes", *, instance=1, token="t", client="c", op="secret", took=0.001):
    return Ask(op, instance, token, client, start, start + took, answer)


def change(kind, start=2.0, end=2.01, *, instance=EVERYBODY, token="", client="c", acknowledged=True):
    return Change(kind, instance, token, client, start, end, acknowledged)


def revoked(**more):
    return change("revoke", instance=0, token="t", **more)


def mint_with(secret, start, answer):
    return Ask("mint", 1, "u" if answer == "yes" else "", "c", start, start + 0.001, answer, secret)


def silence(start=1.9, end=6.0, *, instance=1, silent=True, kind="silence"):
    return Fault(kind, instance, silent, start, start, end)


def vanished(start=1.9, end=6.0):
    """Packets between instance 1 and Redis"""
    return Fault("packets lost", 1, True, start, start, end, None, True)


def judge(*events, waited=None, immediate=()):
    """Without a floor: what it lacks is the business of test_floor.py."""
    history = History()
    for event in events:
        {Ask: history.asks, Change: history.changes, Fault: history.faults}[type(event)].append(event)
    return Verdict(history, None, waited, immediate)


def rules(verdict):
    return [rule for rule, _, _ in verdict.offences]


ALL = change("everybody", client="")
FLUSHED = change("flush", client="")
REPLACED = change("replace", 0.99, 1.0)
SLOWLY_MINTED = Ask("mint", 0, "t", "c", 0.98, 3.0, "yes")
GUILTY = {
    # revoked: known to the others after 50 ms (and 20 ms of slack), at the instance that answered at once
    "revoked-elsewhere": ("stale", MINTED, revoked(), ask(2.09)),
    "revoked-elsewhere-long-ago": ("stale", MINTED, revoked(), ask(60)),
    "revoked-here-at-once": ("stale", MINTED, revoked(), ask(2.0101, instance=0)),
    "revoked-here-and-deleted-before": ("stale", MINTED, change("delete", 1.95, 1.96, token="t"), revoked(),
                                        ask(2.0101, instance=0)),
    "revoked-verify": ("stale", MINTED, revoked(), ask(2.09, op="verify")),
    "revoked-introspect": ("stale", MINTED, revoked(), ask(2.09, op="introspect")),
    "deleted": ("stale", MINTED, change("delete", token="t"), ask(2.09)),
    "bumped": ("stale", MINTED, change("bump"), ask(2.09)),
    "everybody": ("stale", MINTED, ALL, ask(2.09)),
    "flushed": ("stale", MINTED, FLUSHED, ask(2.09)),
    "disabled": ("stale", MINTED, change("disable"), ask(2.09)),
    "disabled-then-enabled-later": ("stale", MINTED, change("disable"), change("enable", 3, 3.01), ask(2.09)),
    "disabled-client-mints": ("stale", change("disable"), ask(2.09, op="mint", token="u")),
    "removed": ("stale", MINTED, change("remove"), ask(2.09)),
    "removed-and-made-again": ("stale", MINTED, change("remove"), change("create", 2.1, 2.11), ask(5)),
    "revived-by-flush-and-create": ("stale", MINTED, FLUSHED, change("create", 2.1, 2.11), ask(5)),
    "replaced-secret-mints": ("stale", REPLACED, ask(1.09, op="mint", token="u")),
    "replaced-secret-authenticates": ("stale", REPLACED, ask(60, op="authenticate", token="")),
    "minted-on-replaced-terms-bumped": ("stale", REPLACED, change("bump"), SLOWLY_MINTED, ask(5)),
    "minted-on-replaced-terms-everybody": ("stale", REPLACED, ALL, SLOWLY_MINTED, ask(5)),
    # a fault allows 2 s at the instances that it strikes, from its beginning on
    "silent-for-over-2-s": ("stale", MINTED, silence(), revoked(), ask(3.98)),
    "silent-elsewhere": ("stale", MINTED, silence(instance=2), revoked(), ask(2.09)),
    "cut-is-not-silent": ("stale", MINTED, silence(silent=False), revoked(), ask(2.09)),
    "silence-is-no-excuse-here": ("stale", MINTED, silence(instance=0), revoked(), ask(2.0101, instance=0)),
    "vanished-for-over-2-s": ("stale", MINTED, vanished(), revoked(), ask(3.98)),
    "vanished-elsewhere": ("stale", MINTED, vanished(), revoked(), ask(2.09, instance=2)),
    "silence-began-long-before": ("stale", MINTED, silence(start=0.0), revoked(), ask(2.2)),
    # good ones
    "lost-at-once": ("lost", MINTED, ask(1.2, "no")),
    "lost-inactive": ("lost", MINTED, ask(1.2, "no", op="introspect")),
    "lost-in-a-fault": ("lost", MINTED, silence(), ask(2.2, "no")),
    "lost-another-was-revoked": ("lost", MINTED, change("revoke", token="other"), ask(2.2, "no")),
    "lost-another-client-was-bumped": ("lost", MINTED, change("bump", client="d"), ask(2.2, "no")),
    "lost-before-the-revocation": ("lost", MINTED, revoked(), ask(1.9, "no")),
    "lost-after-enable": ("lost", MINTED, change("disable"), change("enable", 3, 3.01), ask(3.2, "no")),
    "lost-bump-long-before": ("lost", change("bump", 0.5, 0.51), MINTED, ask(1.2, "no")),
    "lost-client": ("lost", ask(1.2, "no", op="mint", token="")),
    "lost-client-authentication": ("lost", ask(1.2, "no", op="authenticate", token="")),
    "lost-client-made-again": ("lost", change("remove"), change("create", 3, 3.01),
                               ask(3.2, "no", op="mint", token="")),
    "lost-new-secret": ("lost", REPLACED, mint_with(1, 1.2, "no")),
    "lost-another-client's-secret": ("lost", change("replace", client="d"), mint_with(0, 2.2, "no")),
    "lost-token-of-a-replaced-secret": ("lost", MINTED, change("replace"), ask(5, "no")),
    # 503
    "down-without-a-fault": ("down", MINTED, ask(1.2, "unavailable")),
    "down-long-after": ("down", MINTED, silence(end=3.0), ask(4.1, "unavailable")),
    "down-elsewhere": ("down", MINTED, silence(instance=2), ask(2.2, "unavailable")),
    "down-long-after-packets-vanished": ("down", MINTED, vanished(end=3.0), ask(5.1, "unavailable")),
    "down-where-no-packets-vanished": ("down", MINTED, vanished(), ask(2.2, "unavailable", instance=2)),
    "lost-while-packets-vanish": ("lost", MINTED, vanished(), ask(2.2, "no")),
    "down-before": ("down", MINTED, silence(), ask(1.8, "unavailable")),
    # the rest
    "forged": ("forged", ask(1.2, token="never")),
    "forged-minted-without-an-answer": ("forged", ask(1.2, token="")),
    "no-answer": ("answered", MINTED, ask(1.2, "none: nothing came")),
    "odd-answer": ("answered", MINTED, ask(1.2, "status 500")),
}
INNOCENT = {
    "used": (MINTED, ask(1.2)),
    "refused-after-the-revocation": (MINTED, revoked(), ask(2.0101, "no"), ask(2.0101, "no", instance=0)),
    "within-the-bound": (MINTED, revoked(), ask(2.055)),
    "within-the-slack": (MINTED, revoked(), ask(2.075)),
    "started-before-the-acknowledgement": (MINTED, revoked(), ask(2.009, instance=0, took=3.0)),
    "refused-while-it-is-revoked": (MINTED, revoked(), ask(2.005, "no"), ask(1.9, "no", took=0.2)),
    "revocation-without-an-answer-accepted": (MINTED, revoked(acknowledged=False), ask(9)),
    "revocation-without-an-answer-refused": (MINTED, revoked(acknowledged=False), ask(9, "no")),
    "silent-for-under-2-s": (MINTED, silence(), revoked(), ask(3.85)),
    "paused": (MINTED, silence(instance=EVERYBODY, kind="SIGSTOP"), revoked(), ask(3.85)),
    "enabled-again": (MINTED, change("disable"), change("enable", 3, 3.01), ask(3.005), ask(3.005, "no"),
                      ask(3.05, "no"), ask(4)),
    "enable-not-heard-of": (MINTED, change("disable", 1.5, 1.51), silence(), change("enable", 2, 2.01),
                            ask(3.8, "no")),
    "bumped-while-it-was-minted": (MINTED, change("bump", 0.9, 1.05), ask(5), ask(6, "no")),
    "minted-with-what-was-known": (change("bump", 0.9, 0.97), MINTED, ask(5, "no")),
    "minted-after-the-bump": (change("bump", 0.5, 0.51), MINTED, ask(5)),
    "used-before-the-mint-was-acknowledged": (MINTED, ask(1.05, "no")),
    "removed-client-is-refused": (change("remove"), ask(2.005, "no", op="mint", token=""),
                                  ask(5, "no", op="mint", token="")),
    "replaced-secret-is-refused": (REPLACED, mint_with(0, 1.0101, "no"), mint_with(0, 0.995, "no")),
    "replaced-secret-within-the-bound": (REPLACED, mint_with(0, 1.045, "yes")),
    "new-secret-mints": (REPLACED, mint_with(1, 1.0101, "yes"), mint_with(1, 1.02, "no")),
    "token-outlives-its-secret": (MINTED, change("replace"), ask(5)),
    "ended-before-its-secret-was-replaced": (change("bump", 0.985, 0.988), REPLACED, SLOWLY_MINTED, ask(5)),
    "ended-while-its-secret-was-replaced": (change("bump", 0.985, 1.5), REPLACED, SLOWLY_MINTED, ask(5)),
    "replacement-without-an-answer": (change("replace", 0.99, 1.0, acknowledged=False), ALL, SLOWLY_MINTED,
                                      ask(5)),
    "minted-slowly-with-the-new-secret": (change("replace", 0.9, 0.97), ALL,
                                          Ask("mint", 0, "t", "c", 0.98, 3.0, "yes", 1), ask(5)),
    "down-in-a-fault": (MINTED, silence(), ask(2.2, "unavailable")),
    "down-soon-after": (MINTED, silence(end=3.0), ask(3.9, "unavailable")),
    "vanished-for-under-2-s": (MINTED, vanished(), revoked(), ask(3.85)),
    "down-until-packets-arrive-again": (MINTED, vanished(end=3.0), ask(2.2, "unavailable"), ask(4.9, "unavailable")),
    "down-begun-before": (MINTED, silence(), ask(1.8, "unavailable", took=0.2)),
    "forged-is-refused": (ask(1.2, "no", token="never"),),
}


@pytest.mark.parametrize("rule,events", [pytest.param(e[0], e[1:], id=name) for name, e in GUILTY.items()])
def test_guilty(rule, events):
    verdict = judge(*events)
    assert rules(verdict) and set(rules(verdict)) == {rule}, verdict.report()
    assert not verdict.is_good and "OFFENCE against '%s'" % rule in verdict.report()


@pytest.mark.parametrize("events", [pytest.param(e, id=name) for name, e in INNOCENT.items()])
def test_innocent(events):
    verdict = judge(*events)
    assert verdict.is_good, verdict.report()


def test_without_memory_there_is_no_bound():
    for end in (revoked(), change("bump"), ALL, change("disable")):
        assert rules(judge(MINTED, end, ask(2.0101), ask(2.009), immediate=[1])) == ["stale"]
        assert rules(judge(MINTED, end, ask(2.0101), immediate=[2])) == []
    # Neither a silence nor a wait for a core excuses what was asked of Redis afterwards.
    excused = {"waited": steadily(0.9), "immediate": [1]}
    assert rules(judge(MINTED, silence(start=1.9), revoked(), ask(2.0101), **excused)) == ["stale"]
    assert rules(judge(change("disable", 1, 1.01), change("enable"), ask(2.0101, "no", op="mint", token=""),
                       **excused)) == ["lost"]


def test_a_secret_that_is_replaced_under_way_is_counted():
    verdict = judge(REPLACED, Ask("mint", 0, "", "c", 0.98, 1.1, "no"), mint_with(0, 1.2, "no"))
    assert verdict.is_good and verdict.checks["replaced under way"] == 1, verdict.report()


def steadily(share):
    """So much of all time is waited for a core."""
    return lambda instance, start, end: share * (end - start)


def test_waiting_for_a_core_excuses_as_much_as_was_waited():
    assert rules(judge(MINTED, revoked(), ask(2.13), waited=steadily(0.5))) == []
    assert rules(judge(MINTED, revoked(), ask(2.17), waited=steadily(0.5))) == ["stale"]
    assert rules(judge(MINTED, revoked(), ask(9), waited=steadily(0.5))) == ["stale"]
    # What was waited after the limit comes too late to excuse anything.
    late = lambda instance, start, end: max(0.0, end - 3)  # noqa: E731
    assert rules(judge(MINTED, revoked(), ask(4), waited=late)) == ["stale"]
    # At the instance that answered nothing excuses.
    assert rules(judge(MINTED, revoked(), ask(2.011, instance=0), waited=steadily(0.9))) == ["stale"]


def test_a_503_while_the_machine_stands_still_is_counted():
    verdict = judge(MINTED, ask(1.2, "unavailable", took=1.1), waited=steadily(0.9))
    assert not verdict.offences and verdict.stood_still == 1 and verdict.excuses == 1
    assert rules(judge(MINTED, ask(1.2, "unavailable", took=0.1), waited=steadily(0.9))) == ["down"]


def test_a_machine_that_excuses_more_than_a_little_was_too_busy():
    late, others = ask(2.13), [ask(3 + number / 1000, "no") for number in range(400)]
    few = judge(MINTED, revoked(), late, *others, waited=steadily(0.5))
    assert few.excuses == 1 and few.is_good, few.report()
    many = judge(MINTED, revoked(), late, late, *others, waited=steadily(0.5))
    assert many.excuses == 2 and not many.offences and not many.is_good
    assert "TOO BUSY" in many.report()
    # What would have been good anyhow needs no excuse.
    idle = judge(MINTED, revoked(), ask(2.055), *others, waited=steadily(0.5))
    assert idle.excuses == 0 and idle.is_good, idle.report()


def test_a_good_token_that_only_waiting_lets_refuse_needs_an_excuse():
    events = change("disable", 1.5, 1.51), change("enable", 2, 2.01), MINTED, ask(2.1, "no")
    assert rules(judge(*events)) == ["lost"]
    assert judge(*events, waited=steadily(0.5)).excuses == 1


def test_staleness_is_the_last_yes_of_each_instance():
    verdict = judge(MINTED, revoked(), ask(2.02), ask(2.05), ask(2.06, "no"), ask(2.02, "no", instance=2))
    found = {instance: round(s, 3) for (_, instance, _), s in verdict.staleness.items()}
    assert found == {1: 0.04, 2: 0.0}
    assert verdict.checks["stale: revoke"] == 4


def test_the_history_of_an_offence_is_shown():
    report = judge(MINTED, revoked(), change("bump", client="other"), ask(2.5)).report()
    assert '"op": "mint"' in report and '"kind": "revoke"' in report and "other" not in report
