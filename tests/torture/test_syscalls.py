"""What G-02 has to convict."""
import signal

import pytest

import syscalls
from fake_server import GET, Server


@pytest.mark.parametrize("answer, outcome", [((200, b""), "200 for 401"), ((503, b""), "refused"), (None, "lost"),
                                             ("", "late"), ((401, b""), "ok")])
def test_a_visit(answer, outcome):
    with Server(lambda _: answer) as server:
        assert syscalls.visit(server.address, GET, 401, 0.3 if outcome == "late" else 20) == outcome


def test_what_becomes_of_a_process():
    tally = syscalls.Tally()
    case = ("accept4", "ENOMEM", "1")
    tally.end(case, 0, "")
    assert not tally.numbers
    for status, kind in ((-signal.SIGSEGV, "crashes"), (-signal.SIGABRT, "aborts that are not listed"), (None, "hangs")):
        tally.end(case, status, "")
        assert tally.numbers[kind] == 1, kind
    for outcome, kind in (("late", "late answers"), ("200 for 401", "wrong answers")):
        syscalls.judge_visit(tally, case, outcome)
        assert tally.numbers[kind] == 1, kind
    tally = syscalls.Tally()
    syscalls.judge_visit(tally, ("accept4", "ENOMEM", "1+"), "late")
    assert not tally.numbers
