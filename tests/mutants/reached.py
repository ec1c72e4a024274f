"""What the tests reach, of a build with MINTD_COVERAGE: gcov's counts, summed over all objects of a source.

A line with assert() or unreachable branches of it is left out: an assertion has one side.
Of src/oauth, unreached.txt names each branch that no test takes, with the reason why.
"""
import collections
import glob
import gzip
import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AT_ONCE = 100  # files for one gcov


def reports(folder):
    """gcov's report of each object that ran or could have."""
    notes = sorted(glob.glob(os.path.join(os.path.abspath(folder), "**", "*.gcno"), recursive=True))
    for at in range(0, len(notes), AT_ONCE):
        with tempfile.TemporaryDirectory(prefix="gcov.") as place:
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--hash-filenames", *notes[at:at + AT_ONCE]],
                           cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for report in glob.glob(os.path.join(place, "*.gcov.json.gz")):
                with gzip.open(report, "rt", encoding="utf-8") as file:
                    yield json.load(file)


class Reached:
    """lines[path][line] is how often; branches[path][line] is that of each of its branches."""

    def __init__(self, folder):
        self.lines = collections.defaultdict(collections.Counter)
        self.branches = collections.defaultdict(dict)
        for report in reports(folder):
            for file in report["files"]:
                path = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]), ROOT)
                if path.startswith(("src/", "cmd/", "include/")):
                    self._add(path, file["lines"])

    def _add(self, path, lines):
        here = collections.defaultdict(list)
        for line in lines:
            self.lines[path][line["line_number"]] += line["count"]
            here[line["line_number"]] += [branch["count"] for branch in line["branches"]]
        for number, counts in here.items():
            before = self.branches[path].get(number, [])
            self.branches[path][number] = [sum(pair) for pair in zip(before, counts)] if len(before) == len(counts) else (
                before or counts)

    def share_of_lines(self):
        counts = [count for lines in self.lines.values() for count in lines.values()]
        return 100.0 * sum(map(bool, counts)) / len(counts)


def texts_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return ["", *file.read().split("\n")]


def branches_of(reached, folder):
    """(how many there are, [name of each that is not taken]) below this folder"""
    total, missed = 0, []
    for path in sorted(reached.branches):
        if path.startswith(folder):
            texts, seen = texts_of(path), collections.Counter()
            for number, counts in sorted(reached.branches[path].items()):
                if "assert(" in texts[number]:
                    continue
                total += len(counts)
                for side, count in enumerate(counts, 1):
                    if not count:
                        name = "%s: %s: branch %d of %d" % (path, " ".join(texts[number].split()), side, len(counts))
                        seen[name] += 1
                        missed.append(name + (" #%d" % seen[name] if seen[name] > 1 else ""))
    return total, missed
