"""docs/performance.md: the part between the two markers is written by a run; all else by hand."""
import json
import os
import re
import textwrap

import history
import plots
from goals import goals
from peers import ROOT
from plan import FAST_US

PAGE = os.path.join(ROOT, "docs", "performance.md")
PLOTS = os.path.join(ROOT, "docs", "performance")
RAW = os.path.join(ROOT, "build-release", "bench.json")
BEGIN = "<!-- script/bench writes from here -->"
END = "<!-- script/bench writes to here -->"

_LOADS = (("cached", "Validating, and introspecting, from memory"),
          ("cached-quiet", "The same without logs, on both sides"),
          ("uncached", "Validating without a cache"),
          ("mint", "Minting"),
          ("tls", "Over TLS, on connections that stay"),
          ("handshakes", "TLS handshakes, each with a request"),
          ("topologies", "One Redis, TLS, Sentinels, Cluster"),
          ("two-workers", "Two workers on two cores, against one on one; the load is on their cores"),
          ("connections", "Many connections, all of them busy"),
          ("pipelined", "Pipelining"),
          ("tokens", "Many live tokens, each used in its turn"))
_MORE_PLOTS = {"tokens": "many-tokens", "connections": "latency"}
_HEAD = ("| | requests/s | p50 ms | p99 ms | CPU µs a request | core in use | Redis: CPU µs a request "
         "| Redis: commands a request | Redis: wake-ups a request | resident MiB |\n|---|---|---|---|---|---|---|---|---|---|")


def save_raw(run):
    with open(RAW, "w", encoding="utf-8") as file:
        json.dump(run, file, indent=1)


def earlier(run):
    """The run that was saved, to go on with; this one where nothing was, or under other terms."""
    try:
        with open(RAW, encoding="utf-8") as file:
            saved = json.load(file)
    except FileNotFoundError:
        return run
    terms = ("quick", "rounds", "seconds")
    return saved if [saved[term] for term in terms] == [run[term] for term in terms] else run


def write_page(run):
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise SystemExit("docs/performance.md has lost its markers")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n\n" + text(run, with_plots=True) + "\n" + END + after)
    plots.draw(run["results"], _LOADS, goals(run["results"]), PLOTS)


def text(run, with_plots=False):
    results = run["results"]
    bounds = {goal.key: goal.bound_text for goal in goals(results) if goal.unit == ""}
    parts = [_about(run), _phases(run), _goals(results), _plot("goals"), "### The last runs, by phase",
             "A run is in a fast phase where a constant answer of nginx, without a log, costs less than %g µs."
             % FAST_US, history.table(bounds)]
    for name, title in _LOADS:
        if name in results:
            parts += ["### " + title, _table(results[name]), _plot(name), _plot(_MORE_PLOTS.get(name))]
    if "cold" in results:
        parts += ["### A cold instance under full load", _cold(results["cold"])]
    if "revocation" in results:
        parts += ["### Revocation, seen on another instance", _revocations(results["revocation"]), _plot("revocation")]
    shown = [part for part in parts if part and (with_plots or not part.startswith("!["))]
    return "\n\n".join(shown) + "\n"


def _plot(name):
    return "![%s](performance/%s.svg)" % (name.replace("-", " "), name) if name else ""


def _about(run):
    machine = run["machine"]
    programs = ", ".join("%s %s" % (name, machine[name]) for name in list(machine)[5:])
    lines = ["%s, `%s`: %d rounds of %d s." % (run["date"], run["command"], run["rounds"], run["seconds"]),
             "%(CPU)s, %(cores)d cores, kernel %(kernel)s, %(system)s." % machine,
             textwrap.fill(programs + ".", 96, break_on_hyphens=False)]
    if run["quick"]:
        lines.append("**A quick run: the tool's check of itself, not a measurement.**")
    return "  \n".join(lines)


def _phases(run):
    text = "nginx' constant answer, without a log, cost meanwhile (µs of CPU): %s." % ", ".join(
        "%s %.1f" % each for each in run["phases"].items())
    if run["spoilt"]:
        text += " Measured again: %s." % "; ".join(run["spoilt"])
    return "\n".join(textwrap.wrap(text, 99))


def _cold(rows):
    lines = ["| | 1st second: requests/s | 2nd | later |", "|---|---|---|---|"]
    for title, row in rows.items():
        lines.append("| %s | %s |" % (title, " | ".join("{:,.0f}".format(row[name])
                                                       for name in ("first", "second", "later"))))
    return "\n".join(lines)


def _goals(results):
    lines = ["| goal | allowed | measured | reached |", "|---|---|---|---|"]
    for goal in goals(results):
        lines.append("| %s | %s | %s | %s |" % (goal.text, goal.bound_text, goal.measured_text,
                                               "yes" if goal.is_reached else "**no**"))
    return "\n".join(lines)


def _table(rows):
    lines = [_HEAD]
    for title, row in rows.items():
        cells = ["{:,.0f}".format(row["rate"]), "%.2f" % (row["p50"] / 1000), "%.2f" % (row["p99"] / 1000),
                 "%.2f" % row["cpu"], "%.0f %%" % (row["busy"] * 100),
                 "%.2f" % row["redis_cpu"] if "redis_cpu" in row else "",
                 "%.2f" % row["redis_commands"] if "redis_commands" in row else "",
                 "%.2f" % row["redis_wakes"] if "redis_wakes" in row else "",
                 "%.1f" % (row["resident"] / 2**20)]
        lines.append("| %s | %s |" % (re.sub(r"(?<=\d)(?=(\d{3})+(?!\d))", ",", title), " | ".join(cells)))
    return "\n".join(lines)


def _revocations(rows):
    lines = ["| | p50 ms | p99 ms | longest ms | revocations | that instance's core in use |", "|---|---|---|---|---|---|"]
    for title, row in rows.items():
        lines.append("| %s | %.2f | %.2f | %.2f | %d | %.0f %% |" % (
            title, row["p50"] * 1e3, row["p99"] * 1e3, row["max"] * 1e3, row["count"], row["busy"] * 100))
    return "\n".join(lines)
