"""Hand-made fail-overs: what Redis lost is no offence and hides none, and what mintd did wrong is convicted."""
import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from history import EVERYBODY, FOREVER, NOBODY, Ask, Change, FailOver, Fault, History
from journal import Files, Log, commands, tell_losses
from run import Session
from support.clients import token_key
from test_conviction import ForgetfulProxy
from verdict import Verdict
from wire import Lost

EARLY = Ask("mint", 0, "t", "c", 1.0, 1.1, "yes")  # long before
JUST = Ask("mint", 0, "t", "c", 9.8, 9.9, "yes")
MEANWHILE = Ask("mint", 0, "t", "c", 11.0, 11.1, "yes")
LATE = Ask("mint", 0, "t", "c", 15.0, 15.1, "yes")  # when all have to know the new master


def ask(start, answer="yes", *, instance=1, token="t", op="secret"):
    return Ask(op, instance, token, "c", start, start + 0.001, answer)


def revoked(start, *, instance=0, kind="revoke"):
    return Change(kind, instance, "t", "c", start, start + 0.01)


def change(kind, start):
    return Change(kind, EVERYBODY, "", "c", start, start + 0.01)


def log(what):
    """"w": the token was written, "d": it was deleted"""
    return Log([token_key("t")] * ("w" in what), [token_key("t")] * ("d" in what))


def judge(old, new, *events, immediate=(), waits=False, followed=FOREVER, went_back=False):
    failover = FailOver("kill", 10.0, named=12.0, until=14.0, followed=followed, went_back=went_back, old=log(old),
                        new=log(new))
    history = History(waits=waits, failovers=[failover],
                      faults=[Fault("kill", EVERYBODY, False, 10.0, 10.0, 12.0)])
    for event in events:
        {Ask: history.asks, Change: history.changes, Fault: history.faults}[type(event)].append(event)
    tell_losses(history)
    return Verdict(history, None, None, immediate)


GUILTY = {
    # what ended on the new master
    "revoked-on-the-new-one": ("stale", "w", "wd", EARLY, revoked(15.0), ask(15.1)),
    "revoked-on-the-new-one-here": ("stale", "w", "wd", EARLY, revoked(15.0), ask(15.02, instance=0)),
    "revoked-meanwhile-and-accepted-late": ("stale", "w", "wd", EARLY, revoked(12.5), ask(14.1)),
    "deleted-on-the-new-one": ("stale", "w", "wd", EARLY, revoked(15.0, kind="delete"), ask(15.1)),
    "bumped-on-the-new-one": ("stale", "w", "w", EARLY, change("bump", 15.0), ask(15.1)),
    "disabled-meanwhile": ("stale", "w", "w", EARLY, change("disable", 13.0), ask(14.1)),
    "revoked-without-a-delete": ("stale", "w", "w", EARLY, revoked(9.0), ask(15.0)),
    "revoked-meanwhile-without-a-delete": ("stale", "w", "w", EARLY, revoked(12.5), ask(15.0)),
    "revoked-and-copied": ("stale", "wd", "wd", EARLY, revoked(9.0), ask(13.0)),
    "revoked-long-before-and-accepted-then": ("stale", "wd", "w", EARLY, revoked(5.0), ask(6.0)),
    "revoked-on-the-old-one-too-late": ("stale", "wd", "w", EARLY, revoked(15.0), ask(15.1)),
    "bumped-behind-a-lost-revocation": ("stale", "wd", "w", EARLY, revoked(9.0), change("bump", 15.0), ask(15.1)),
    # tokens
    "lost-though-it-was-copied": ("lost", "w", "w", EARLY, ask(13.0, "no")),
    "lost-though-it-was-copied-just-so": ("lost", "w", "w", JUST, ask(10.5, "no")),
    "lost-and-never-written": ("lost", "", "", JUST, ask(13.0, "no")),
    "lost-before-the-fail-over": ("lost", "w", "", EARLY, ask(9.0, "no")),
    "lost-minted-meanwhile-on-the-new-one": ("lost", "", "w", MEANWHILE, ask(14.1, "no")),
    "lost-minted-on-the-old-one-too-late": ("lost", "w", "", LATE, ask(16.0, "no")),
    "lost-since-another-was-deleted": ("lost", "w", "wd", EARLY, ask(15.0, "no")),
    "kept-though-redis-lost-it": ("stale", "w", "", JUST, ask(14.1)),
    "kept-though-redis-lost-it-meanwhile": ("stale", "w", "", MEANWHILE, ask(14.1)),
    "kept-on-the-master-that-is-cut-off": ("stale", "wd", "w", EARLY, revoked(14.5, kind="delete"), ask(14.7)),
    "lost-client": ("lost", "", "", ask(13.0, "no", op="mint", token="")),
    # 503
    "down-after-it": ("down", "w", "w", EARLY, ask(14.0, "unavailable")),
    "down-for-want-of-a-sentinel": ("down", "w", "w", EARLY, Fault("sentinel kill -9", NOBODY, False, 5, 5, 8),
                                    ask(6.0, "unavailable")),
    "old-one-for-want-of-a-sentinel": ("stale", "w", "wd", EARLY, Fault("sentinel SIGSTOP", NOBODY, True, 4.9, 4.9, 8),
                                       revoked(5.0), ask(5.1)),
}
INNOCENT = {
    "survived": ("w", "w", EARLY, ask(11.0), ask(13.0), ask(20.0)),
    "lost-by-redis": ("w", "", JUST, ask(10.5), ask(12.0, "no"), ask(13.9), ask(14.1, "no"), ask(20, "no")),
    "minted-on-the-old-one-meanwhile": ("w", "", MEANWHILE, ask(12.0, "no"), ask(13.0), ask(20, "no")),
    "minted-on-the-new-one-meanwhile": ("", "w", MEANWHILE, ask(12.0, "no"), ask(13.0), ask(20)),
    "undone-by-redis": ("wd", "w", EARLY, revoked(9.9), ask(9.95, "no"), ask(12.0), ask(20), ask(20, "no")),
    "revoked-on-the-old-one-that-never-knew-it": ("", "w", MEANWHILE, revoked(12.5), ask(20)),
    "revoked-meanwhile": ("w", "wd", EARLY, revoked(12.5), ask(13.0), ask(13.9, instance=0), ask(14.1, "no")),
    "bumped-meanwhile": ("w", "w", EARLY, change("bump", 12.5), ask(13.9), ask(14.1, "no")),
    "down-meanwhile": ("w", "w", EARLY, ask(12.5, "unavailable")),
}


@pytest.mark.parametrize("rule,old,new,events", [pytest.param(*e[:3], e[3:], id=n) for n, e in GUILTY.items()])
def test_guilty(rule, old, new, events):
    for immediate in ((), (0, 1)):
        verdict = judge(old, new, *events, immediate=immediate)
        assert {rule} == {found for found, _, _ in verdict.offences}, verdict.report()


@pytest.mark.parametrize("old,new,events", [pytest.param(*e[:2], e[2:], id=n) for n, e in INNOCENT.items()])
def test_innocent(old, new, events):
    for immediate in ((), (0, 1)):
        verdict = judge(old, new, *events, immediate=immediate)
        assert verdict.is_good, verdict.report()


def test_what_redis_lost_is_counted():
    report = judge("w", "", JUST).report()
    assert "lost by replication: 1 mints, 0 revocations, in 1 fail-overs" in report, report
    report = judge("wd", "w", EARLY, revoked(9.9)).report()
    assert "lost by replication: 0 mints, 1 revocations, in 1 fail-overs" in report, report
    assert "(kill): a Sentinel named the new master after 2.00 s" in report, report


def test_what_the_new_one_did_before_it_went_back_is_undone():
    assert judge("w", "w", EARLY, revoked(12.5), ask(15.0), went_back=True).is_good
    assert not judge("w", "w", EARLY, revoked(12.5), ask(15.0)).is_good
    assert not judge("w", "w", EARLY, revoked(14.5), ask(15.0), went_back=True).is_good


def test_files_of_one_that_copied_its_master_anew_are_found(tmp_path):
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "a.1.incr.aof").write_bytes(b"*2\r\n$3\r\nDEL\r\n$1\r\nx\r\n")
    files = Files(SimpleNamespace(directory=str(tmp_path)))
    assert not files.look_again()
    (folder / "a.1.incr.aof").unlink()
    (folder / "a.2.base.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n")
    assert files.look_again() and not files.look_again()
    read = files.read()
    assert read.written == {"x"} and not read.deleted


def test_what_has_waited_may_not_be_undone():
    """Whether or not anybody uses the token afterwards."""
    undone = judge("wd", "w", EARLY, revoked(9.9), waits=True)
    assert not undone.is_good and "UNDONE: 1 revocations" in undone.report(), undone.report()
    assert '"kind": "revoke"' in undone.report(), undone.report()
    used = judge("wd", "w", EARLY, revoked(9.9), ask(20), waits=True)
    assert {rule for rule, _, _ in used.offences} == {"stale"}, used.report()
    refused = ask(16.0, "unavailable", op="authenticate", token="")
    assert judge("w", "w", EARLY, refused, waits=True).is_good  # the new master has no replica so far
    for one in (judge("w", "w", EARLY, refused), judge("w", "w", EARLY, refused, waits=True, followed=14.5),
                judge("w", "w", EARLY, ask(16.0, "unavailable"), waits=True)):
        assert {rule for rule, _, _ in one.offences} == {"down"}, one.report()
    kept = judge("wd", "wd", EARLY, revoked(9.9), ask(20, "no"), waits=True)
    assert kept.is_good, kept.report()


@pytest.mark.parametrize("waits", (False, True))
def test_what_is_counted_as_having_waited_has_waited(waits):
    """Deletions of the checker's own too."""
    session = Session(1, "sentinel", waits=waits)
    replica = next(server for server in session.topology.servers if server is not session.topology.server)
    replica.pause()
    try:
        with pytest.raises(Lost) if waits else contextlib.nullcontext():
            asyncio.run(session.by_hand("DEL", token_key("t")))
    finally:
        replica.resume()
        session.topology.close()


def test_a_log_is_read_as_far_as_it_was_written():
    data = b"#TS:1\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n"
    data += b"*3\r\n$3\r\ndel\r\n$1\r\nb\r\n$1\r\nc\r\n"
    read = Log()
    read.add(data)
    assert read.written == {"a"} and read.deleted == {"b", "c"}
    whole = list(commands(data))
    for length in range(len(data)):
        assert list(commands(data[:length])) == whole[: len(list(commands(data[:length])))]
    assert len(list(commands(data[:-1]))) == 2


async def once(faults, _):
    """One fail-over, and time behind it."""
    await asyncio.sleep(1)
    await faults._ask()
    await asyncio.sleep(3)


async def behind_our_back(faults, until):
    """The Sentinels decide on their own, as they do where a busy machine lets a master seem to be down."""
    await faults.blocking(faults._until_asked)
    while not faults.history.failovers:
        assert asyncio.get_running_loop().time() < until + 30
        await faults._rest()


def fail_over_beside(seconds, faults=once):
    """A run of which the first instance gives an old yes for so long."""
    proxy = ForgetfulProxy(seconds)
    verdict = asyncio.run(Session(1, "sentinel", faults=faults, front=proxy).run(12))
    assert len(verdict.history.failovers) == 1 and verdict.checks["stale: after a fail-over"], verdict.report()
    return verdict, proxy.replayed


def test_an_honest_instance_is_acquitted_of_a_fail_over():
    verdict, replayed = fail_over_beside(0)
    assert verdict.is_good and replayed == 0, verdict.report()
    assert verdict.checks["lost: through a fail-over"], verdict.report()


def test_a_fail_over_that_nobody_asked_for_is_noticed():
    verdict, _ = fail_over_beside(0, behind_our_back)
    assert verdict.is_good and [f.kind for f in verdict.history.failovers] == ["unasked"], verdict.report()


def test_what_was_revoked_on_the_new_master_and_is_accepted_is_convicted():
    verdict, replayed = fail_over_beside(0.5)
    assert replayed and {rule for rule, _, _ in verdict.offences} == {"stale"}, verdict.report()
    assert {ask.instance for _, ask, _ in verdict.offences} == {0}, verdict.report()
    until = verdict.history.failovers[0].until
    assert any(ask.start > until + 0.5 and "after revoke" in why for _, ask, why in verdict.offences), verdict.report()
