"""The page of a history that was not good."""
import xml.etree.ElementTree as ElementTree

from history import EVERYBODY, Ask, Change, FailOver, Fault, History, Move
from page import TimeLine, page
from verdict import Verdict

MINTED = Ask("mint", 0, "t<&", "c", 1.0, 1.1, "yes")
LATE = Ask("secret", 1, "t<&", "c", 9.0, 9.01, "yes")


def bad_history():
    return History(
        asks=[MINTED, Ask("secret", 1, "t<&", "c", 1.5, 1.51, "unavailable"), LATE, Ask("secret", 1, "other", "d", 3, 3.1, "yes")],
        changes=[Change("revoke", 0, "t<&", "c", 2.0, 2.01)],
        faults=[Fault("pause", EVERYBODY, True, 1.4, 1.41, 1.6)],
        failovers=[FailOver("kill", 3.0, 3.5, 4.0)], moves=[Move("slot", False, 2.5, 2.6, frozenset({1}))])


def test_each_offence_has_a_time_line():
    history = bad_history()
    verdict = Verdict(history, None)
    assert [rule for rule, _, _ in verdict.offences] == ["stale", "forged"]
    text = page("standalone, seed 1", history, verdict, 5)
    assert text.count("<svg") == 2 and "<h2>stale</h2>" in text and "seed 1" in text
    assert "t<&" not in text  # as it is: it would be markup


def test_what_is_drawn():
    drawing = ElementTree.fromstring(TimeLine(bad_history(), LATE, 5).svg())
    assert [text.text for text in drawing.iter("text")][:6] == ["all", *("mintd-%d" % n for n in range(5))]
    assert len(list(drawing.iter("circle"))) == 3  # and not the other token's
    assert len(list(drawing.iter("rect"))) == 3
    assert len([one for one in drawing.iter("line") if one.get("class") == "change"]) == 1
    bad, = (one for one in drawing.iter("circle") if one.get("class") == "bad")
    assert '"start": 9.0' in bad.find("title").text and bad.get("fill") == "#1a7f37"
    at = [float(one.get("cx")) for one in drawing.iter("circle")]
    assert at == sorted(at) and 90 <= at[0] and at[-1] <= 1100


def test_the_longest_is_told_by_fault():
    verdict = Verdict(bad_history(), None)
    assert set(verdict.longest) == {"slot", "fail-over: kill"}
    assert abs(verdict.longest["slot"] - 6.99) < 0.001
    assert "6990.0" in verdict.report()
