"""What G-01 has to convict of a running process."""
import os
import signal
import subprocess

import pytest

import allocations
import starved_mintctl
import starving
from fake_server import GET, Server
from scenarios import status
from stage import Stage
from starving import LATE_ONE, LOST, REFUSED, RIGHT, Control, Player, Scenario, Stand, Tally

ERROR = b'{"error":"temporarily_unavailable"}'


def answers(address, want, starved=True):
    """What a player notes of one answer."""
    class Process:
        is_alive = True

    Process.address = address
    stand = type("Stand", (), {"redis": None, "mintd": Process, "tls": None})
    player = Player(stand, starved=starved, endless=True)
    player.ask(GET, want)
    return player


@pytest.mark.parametrize("answer, outcome", [
    ((401, b""), RIGHT), ((503, ERROR), REFUSED), ((500, ERROR), REFUSED), ((200, b""), "200 for 401"), (None, LOST), ("", LATE_ONE),
    ((400, ERROR), "400 for 401"), ((503, b"{}"), "503 for 401")])
def test_an_answer(answer, outcome, monkeypatch):
    monkeypatch.setattr(starving, "CHECKED", False)  # the server of the test says no more than that
    with Server(lambda _: answer) as server:
        player = answers(server.address, status(401))
    assert player.outcomes == [outcome]
    assert player.wrong() == ([] if outcome in (RIGHT, REFUSED, LOST, LATE_ONE) else [outcome])
    player.starved = False
    assert bool(player.wrong()) == (outcome != RIGHT)


def test_how_a_process_ends():
    tally = Tally()
    tally.end("x", 1, "…\nmintd: " + starving.EXITS[0])
    assert not tally.numbers and sum(tally.listed.values()) == 1
    for code in (-signal.SIGSEGV, -signal.SIGABRT, 0, 1, 99):
        tally.end("x", code, "")
    assert tally.numbers == {"crashes": 5}
    tally.end("x", None, "")
    assert tally.numbers["hangs"] == 1


def judged(place, play, number=1, last=starving.EVER):
    """(tally, whether the allocation was reached) of one case of a scenario against mintd."""
    tally = Tally()
    with Stage() as stage, Control(os.path.join(str(place), "control")) as control:
        stand = Stand(Scenario("planted", play), str(place), stage.redis, control, tally, {"LD_PRELOAD": allocations.LIBRARY})
        try:
            stand.start()
            stand.settle()
            return tally, stand.case(number, last)
        finally:
            stand.end()


def test_memory_is_short_and_nothing_else_happens(tmp_path):
    tally, reached = judged(tmp_path, lambda player: player.ask(GET, status(404)))
    assert reached and tally.numbers["answers " + LOST] == 1 and not tally.told
    assert not judged(tmp_path, lambda player: player.ask(GET, status(404)), number=1000)[1]


def test_a_wrong_answer(tmp_path):
    tally, _ = judged(tmp_path, lambda player: player.ask(GET, status(401 if player.starved else 404)), number=1000)
    assert tally.numbers["wrong answers"] == 1 and "404 for 401" in tally.told[0]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash(tmp_path, number):
    def play(player):
        if player.starved:
            os.kill(player.mintd.pid, number)
        player.ask(GET, status(404))

    tally, _ = judged(tmp_path, play)
    assert tally.numbers["crashes"] == 1, tally.told


def test_it_does_not_serve_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(starving, "BACK", 0.1)
    starved = []

    def play(player):
        starved.append(player.starved)
        player.ask(GET, status(405 if any(starved) else 404))

    tally, _ = judged(tmp_path, play, number=1000)
    assert tally.numbers["hangs"] == 1


@pytest.mark.parametrize("line", ["no JSON", '{"token":"mtd_%s"}' % ("x" * 49), '["a list"]'])
def test_a_line_of_the_log(tmp_path, line):
    def play(player):
        with open(player.mintd.log_path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        player.ask(GET, status(404))

    assert judged(tmp_path, play, number=1000)[0].numbers["lines of the log that are broken"]


def test_a_descriptor_is_left(tmp_path):
    left = []

    def play(player):
        if player.starved:
            left.append(player.connect())
        player.ask(GET, status(404))

    assert judged(tmp_path, play, number=1000)[0].numbers["descriptors left"] == 1


@pytest.mark.parametrize("code, out, err, is_wrong", [
    (0, "id 1", "", False), (0, "id 2", "", False), (0, "", "", True), (1, "", "not enough memory", False),
    (3, "", "not enough memory", False), (1, "", "", True), (2, "", "usage", True), (-signal.SIGABRT, "", "", True)])
def test_a_command_of_mintctl(code, out, err, is_wrong):
    def done(*what):
        return subprocess.CompletedProcess((), *what)

    assert bool(starved_mintctl.flaw(done(code, out, err), done(0, "id 1", ""))) == is_wrong
