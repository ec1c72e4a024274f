"""The whole checker, for a few seconds each: with an instance that is made to err it has to convict."""
import asyncio
import os
import sys
import time
from types import SimpleNamespace

import pytest

import run
from chaos import Restless
from floor import Floor
from run import INSTANCES, Session
from verdict import Verdict

SECONDS = 4


class ForgetfulProxy:
    """Before an instance: gives an old 200 again for some time after the instance first refuses."""

    def __init__(self, seconds):
        self._seconds, self._old, self._refused = seconds, {}, {}
        self.replayed = 0

    async def start(self, port):
        self._port = port
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    @staticmethod
    async def _read(reader):
        head = await reader.readuntil(b"\r\n\r\n")
        mark = head.lower().find(b"\r\ncontent-length:")
        length = int(head[mark + 17 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        return head + await reader.readexactly(length)

    def _judge(self, request, answer):
        if request.startswith(b"POST /token "):
            return answer  # a token that is given again is no old yes, and the verdict does not know it
        if answer.startswith(b"HTTP/1.1 200"):
            self._old[request] = answer
        elif answer.startswith(b"HTTP/1.1 401") and request in self._old:
            first = self._refused.setdefault(request, time.monotonic())
            if time.monotonic() - first < self._seconds:
                self.replayed += 1
                return self._old[request]
        return answer

    async def _accept(self, near_reader, near):
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                request = await self._read(near_reader)
                far.write(request)
                near.write(self._judge(request, await self._read(far_reader)))
        except (OSError, asyncio.IncompleteReadError):
            near.close()
            far.close()


def convicted(seconds):
    """The offences found with a proxy that remembers for so long, and how often it did."""
    proxy = ForgetfulProxy(seconds)
    verdict = asyncio.run(Session(1, faults=None, front=proxy).run(SECONDS))
    assert len(verdict.history.asks) > 500 and verdict.checks["lost: token"] > 100, verdict.report()
    return verdict, proxy.replayed


def test_an_honest_instance_is_acquitted():
    verdict, replayed = convicted(0)
    assert verdict.is_good and replayed == 0, verdict.report()


def test_a_run_of_which_a_part_is_missing_is_convicted():
    verdict, _ = convicted(0)
    assert not verdict.missing, verdict.report()
    history = verdict.history
    history.changes = [change for change in history.changes if change.kind != "flush"]
    without = Verdict(history, Floor(SECONDS, INSTANCES, faults=None))
    assert not without.is_good and "no 'flush' that was acknowledged" in without.missing, without.report()


@pytest.mark.parametrize("seconds", [0.3, 5.0])
def test_an_instance_that_obeys_too_late_is_convicted(seconds):
    verdict, replayed = convicted(seconds)
    assert replayed and verdict.offences, verdict.report()
    assert {rule for rule, _, _ in verdict.offences} == {"stale"}, verdict.report()
    assert {ask.instance for _, ask, _ in verdict.offences} == {0}, verdict.report()
    whys = " ".join(why for _, _, why in verdict.offences)
    assert "same instance" in whys and "delete" in whys, verdict.report()


def test_a_short_memory_is_seen_where_there_may_be_none():
    verdict, replayed = convicted(0.02)
    assert replayed and verdict.offences, verdict.report()
    assert any("same instance" in why for _, _, why in verdict.offences), verdict.report()


@pytest.mark.parametrize("outcomes, status", [([Restless, True], 0), ([Restless, False], 1), ([Restless, Restless], 1),
                                              ([False], 1)])
def test_a_run_without_a_verdict_is_repeated_once(monkeypatch, outcomes, status):
    seeds = []

    class Scripted(Session):
        async def run(self, _):
            seeds.append(self.seed)
            self.topology.close()
            if (outcome := outcomes.pop(0)) is Restless:
                raise Restless("scripted")
            return SimpleNamespace(is_good=outcome, report=lambda: "scripted", offences=[])

        def what_was_done(self):
            return "nothing"

    monkeypatch.setattr(run, "Session", Scripted)
    monkeypatch.setattr(run, "page", lambda *_: "")
    monkeypatch.setattr(sys, "argv", ["consistency", "--seed", "5", "--page", os.devnull])
    assert run.main() == status
    assert seeds == list(range(5, 5 + len(seeds))) and not outcomes
