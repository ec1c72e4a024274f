"""What G-08 has to convict."""
import types

import pytest

import decisions
from decisions import tool
from goal import Run, broken
from mutate import Mutant, mutants_of
from named import named_mutants, read_named
from trial import ROOT

SCOPE = "src/oauth/scope.c"
SOURCE = """/* x && y */
#define LIMIT 4u
static bool is_good(int a, int b) {
    if (a < 3 && !b) {
        return true;
    }
    tell(a);
    return a == b ? true : b;
}
"""


def planted(old, new):
    with open("%s/%s" % (ROOT, SCOPE), encoding="utf-8") as file:
        text = file.read()
    assert text.count(old) == 1
    return Mutant(SCOPE, "f", 1, old, new, 1, text.replace(old, new))


def test_what_is_changed():
    changed = {mutant.after for mutant in mutants_of("a.c", SOURCE)}
    assert changed >= {"#define LIMIT 5u", "if (a <= 3 && !b) {", "if (a < (3 + 1) && !b) {", "if (a < 3 || !b) {",
                       "if (a < 3 && b) {", "if (!(a < 3 && !b)) {", "return false;", ";", "return a != b ? true : b;",
                       "return a == b ? b : true;"}
    for mutant in mutants_of("a.c", SOURCE):
        assert mutant.source != SOURCE and mutant.source.count("\n") == SOURCE.count("\n"), mutant.name


def test_verdicts():
    killed = planted("c > ' ' && c < 0x7f", "c >= ' ' && c < 0x7f")
    alive = planted("if (uri.data[i] <= ' '", "if (i == 31337 || uri.data[i] <= ' '")
    same = planted("char c = scheme.data[i];", "char c = (scheme.data[i]);")
    no_program = planted("char c = scheme.data[i];", "char c = scheme.date[i];")
    said = []
    seen = decisions.tried([killed, alive, same, no_program], Run(False, 1, said.append), with_rows=False)
    assert seen == {"mutants": 2, "% killed": 50.0, "alive and not named": 1, "equivalent": 0, "dropped": 2}
    assert said == ["alive: line 1, " + alive.name]
    wrong = list(broken(decisions.GOALS[0], seen, is_quiet=True))
    assert any("% killed" in line for line in wrong) and any("not named" in line for line in wrong)


def test_what_is_equivalent_counts_for_nothing():
    mutant = planted("c > ' ' && c < 0x7f", "c >= ' ' && c < 0x7f")
    results = [(mutant, tool.ALIVE, "")] + [(mutant, tool.KILLED, "scope")] * 4
    assert tool.numbers(results, {mutant.name: "equivalent: x"})["% killed"] == 100
    assert tool.numbers(results, {mutant.name: "x"})["% killed"] == 80
    assert tool.numbers(results, {})["alive and not named"] == 1


def test_a_name_has_a_reason(tmp_path):
    path = tmp_path / "named"
    path.write_text("# what\na => b\n    equivalent:\n    x\n")
    assert read_named(path) == {"a => b": "equivalent: x"}
    for wrong in ("a => b\nc => d\n    x\n", "    x\n"):
        path.write_text(wrong)
        with pytest.raises(ValueError):
            read_named(path)


def test_what_is_named_is_there():
    assert not set(named_mutants()) - {mutant.name for mutant in tool.all_mutants()}


def test_branches_that_nobody_takes():
    line = next(number for number, text in enumerate(open("%s/%s" % (ROOT, SCOPE), encoding="utf-8"), 1)
                if "oauth_scope_is_valid(requested)" in text)
    reached = types.SimpleNamespace(branches={SCOPE: {line: [7, 0]}, "src/api/form.c": {1: [0, 0]}})
    name = "src/oauth/scope.c: if (!oauth_scope_is_valid(requested)) {: branch 2 of 2"
    for named, unnamed in (((), 1), ((name,), 0)):
        said = []
        assert decisions.share_of_branches(reached, named, said.append) == (50.0, unnamed)
        assert said == ["not taken: " + name] * unnamed
