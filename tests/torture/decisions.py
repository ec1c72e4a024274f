"""Are the decisions tested? Which mutants of them live, and which of their branches no test takes (tests/mutants)."""
import glob
import os
import sys

from existing import ROOT, command
from goal import LONG_OF_CI, AtLeast, AtMost, ByForm, Goal, least
from stage import TESTS
from support.mintd import binary

sys.path.append(os.path.join(TESTS, "mutants"))
import mutants as tool  # noqa: E402
from named import named_branches, named_mutants  # noqa: E402
from reached import Reached, branches_of  # noqa: E402
from trial import Build, Trials, beside_each_other  # noqa: E402

JOBS, SAMPLE = 2, 24


def tried(mutants, run, with_rows=True):
    trials = Trials(Build(os.path.dirname(os.path.dirname(binary()))), with_rows)
    return tool.numbers(tool.tried(mutants, trials, JOBS, run.say), named_mutants())


def cover(folder):
    """Runs all tests with a build that counts."""
    cores = str(os.cpu_count())
    command(["cmake", "-S", ".", "-B", folder, "-DCMAKE_BUILD_TYPE=Debug", "-DMINTD_TESTS=ON", "-DMINTD_COVERAGE=ON"], (0,))
    command(["cmake", "--build", folder, "-j", cores], (0,))
    for old in glob.glob(os.path.join(ROOT, folder, "**", "*.gcda"), recursive=True):
        os.remove(old)
    command(["ctest", "--test-dir", folder, "-j", "6"], allowed=(0, 8))
    command([sys.executable, "-m", "pytest", "-q", "tests/e2e", *beside_each_other(4)],
            env={"MINTD_BINARY": os.path.join(ROOT, folder, "bin", "mintd"),
                 "MINTCTL_BINARY": os.path.join(ROOT, folder, "bin", "mintctl")})


def share_of_branches(reached, named, say):
    """(% of src/oauth, how many of the others are not named)"""
    total, missed = branches_of(reached, "src/oauth")
    for name in missed:
        if name not in named:
            say("not taken: " + name)
    return 100.0 * (total - len(missed)) / total, sum(name not in named for name in missed)


def measure(run):
    mutants = list(tool.all_mutants())
    seen = tried(mutants if run.full else tool.sample(mutants, SAMPLE, run.seed), run)
    if run.full:
        cover("build-coverage")
        reached = Reached("build-coverage")
        seen["% branches of src/oauth"], seen["branches not named"] = share_of_branches(reached, named_branches(), run.say)
        seen["% lines"] = reached.share_of_lines()
    return seen


GOALS = [
    Goal("G-08", "each decision is tested", "24 mutants (full: all) of the files that tests/mutants/covered.py lists, each "
         "against the tests that cover it: what lives is named in alive.txt. Full: branches of src/oauth and lines of all "
         "that unit, integration and end-to-end tests reach; unreached.txt names the branches that they do not",
         {"mutants": least(12, 200), "% killed": AtLeast(95), "alive and not named": AtMost(0),
          "% branches of src/oauth": ByForm(None, AtLeast(95)), "branches not named": ByForm(None, AtMost(0)),
          "% lines": ByForm(None, AtLeast(95))}, measure, ci=LONG_OF_CI,
         missing="pairs of conditions (MC/DC); mutants of src/store but for its coherent cache, and of src/http"),
]
