"""What is judged: bounds, the end of a run, what other tests say, and that answers meet their requests."""
import json
import os
import re
import subprocess
import sys

import pytest

import existing
from fake_server import GET, Server
from goal import LONG_OF_CI, AtLeast, AtMost, Goal, Quiet, broken
from goals import GOALS
from pump import IN_VAIN, LOST, Pump


def test_bounds():
    goal = Goal("G-00", "", "", {"lost": AtMost(0), "asked": AtLeast(10), "ms": Quiet(AtMost(5))}, None)
    assert not list(broken(goal, {"lost": 0, "asked": 10, "ms": 9}, is_quiet=False))
    for wrong, words in (({"lost": 1, "asked": 10, "ms": 1}, "1 lost"), ({"lost": 0, "asked": 9, "ms": 1}, "9 asked"),
                         ({"lost": 0, "asked": 10, "ms": 6}, "6 ms"), ({"asked": 10, "ms": 1}, "was not measured")):
        assert [line for line in broken(goal, wrong, is_quiet=True) if words in line], wrong


def test_every_goal_has_a_row():
    assert [goal.name for goal in GOALS] == ["G-%02d" % number for number in range(1, 30)]
    for goal in GOALS:  # what measures nothing is not good
        assert list(broken(goal, {}, is_quiet=True)) or not goal.allowed, goal.name


def read(*path):
    with open(os.path.join(existing.ROOT, *path), encoding="utf-8") as file:
        return file.read()


def plain(text):
    """Without what Markdown adds."""
    return " ".join(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "").split())


def test_the_page_has_them_all_and_ci_its_steps():
    page, steps = read("docs", "reliability.md"), read(".ci", "run")
    for goal in GOALS:
        assert "\n| %s | " % goal.name in page and "`script/torture %s`" % goal.name in page, goal.name
        assert not goal.ci or goal.ci in steps, goal.ci
        lacking = "- %s: %s." % (goal.name, goal.missing)
        assert not goal.missing or plain(lacking) in plain(page), lacking
    turns = [line.split(" script/torture ")[1].split() for line in steps.splitlines() if LONG_OF_CI in line]
    assert sorted(name for turn in turns for name in turn) == [goal.name for goal in GOALS if goal.ci == LONG_OF_CI]


def test_a_broken_goal_ends_with_1(tmp_path):
    script = ("import sys; sys.argv[1:] = ['G-08', '--json', %r]; import goals, run\n"
              "from goal import AtMost, Goal\n"
              "run.GOALS[:] = [Goal('G-08', 'p', 'm', {'lost': AtMost(0)}, lambda run: {'lost': %%s})]; sys.exit(run.main())"
              % str(tmp_path / "out.json"))
    for lost, status, verdict in ((0, 0, "kept"), (3, 1, "BROKEN"), ("1 / 0", 1, "BROKEN")):
        done = subprocess.run([sys.executable, "-c", script % lost], cwd=os.path.dirname(os.path.abspath(__file__)),
                              capture_output=True, text=True, check=False)
        assert done.returncode == status and "  %s (" % verdict in done.stdout, done
        assert ("again: git checkout" in done.stdout) == (status == 1)
        assert json.loads((tmp_path / "out.json").read_text())[0]["verdict"] == verdict


def test_answers_meet_their_requests():
    seen = []
    with Server(lambda number: None if number == 5 else (200, b"%d" % number)) as server:
        Pump([server.address], ((GET, number) for number in range(10)), lambda *what: seen.append(what[:3]),
             connections=1, depth=3).run()
    assert sorted(tag for tag, _, _ in seen) == list(range(10))
    assert {status for _, status, _ in seen} == {LOST, 200}
    assert [body for tag, _, body in seen if tag < 5] == [b"%d" % number for number in range(5)]


def test_a_connection_in_vain():
    seen, chances = [], iter((None, None))
    with Server(lambda _: next(chances, (200, b""))) as server:
        Pump([server.address], ((GET, number) for number in range(4)), lambda *what: seen.append(what[1]),
             connections=1, depth=1).run()
    assert seen == [IN_VAIN, IN_VAIN, 200, 200]


def test_a_row_that_fails(tmp_path):
    report = tmp_path / "rows.xml"
    report.write_text('<testsuites><testsuite><testcase time="2.5"/><testcase time="1"><failure/></testcase>'
                      '<testcase time="0"><skipped/></testcase><testcase time="0"><error/></testcase></testsuite></testsuites>')
    assert existing.counted(report) == {"rows": 4, "failed": 2, "skipped": 1, "s for the slowest": 2.5}


def test_numbers_of_what_scripts_say():
    assert existing.numbers(r"(\d+) a, (\d+) b", "1 a, 2 b\n10 a, 20 b") == [11, 22]
    with pytest.raises(RuntimeError):
        existing.command(["sh", "-c", "exit 7"])
    assert existing.command(["sh", "-c", "exit 1"])[0] == 1
