"""docs/performance/history.json: of each goal that is a ratio, the last runs; and their median by phase."""
import json
import os
import statistics

from goals import goals
from peers import ROOT
from plan import FAST_US

PATH = os.path.join(ROOT, "docs", "performance", "history.json")
KEPT = 10


def load():
    try:
        with open(PATH, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def add(run):
    kept = load()
    for goal in goals(run["results"]):
        if goal.unit == "":
            values = kept.setdefault(goal.key, [])
            values.append({"date": run["date"], "commit": run["machine"]["mintd"].rpartition(" commit ")[2],
                           "phase": round(run["phases"][goal.scenario], 2), "value": round(goal.measured, 4)})
            del values[:-KEPT]
    with open(PATH, "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
        file.write("\n")


def _spread(values):
    if not values:
        return "–"
    return "%.3g (%.3g to %.3g; %d)" % (statistics.median(values), min(values), max(values), len(values))


def table(bounds):
    """bounds: what is allowed, in words, by key. Only what is a goal today is shown."""
    kept = load()
    lines = ["| goal | allowed | fast: median (spread; runs) | slow |", "|---|---|---|---|"]
    for key, bound in bounds.items():
        if key in kept:
            fast = [each["value"] for each in kept[key] if each["phase"] < FAST_US]
            slow = [each["value"] for each in kept[key] if each["phase"] >= FAST_US]
            lines.append("| %s | %s | %s | %s |" % (key, bound, _spread(fast), _spread(slow)))
    return "\n".join(lines)
