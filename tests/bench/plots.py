"""The plots of docs/performance.md, from the results of a run."""
import os

import svg

MINTD, MISSED, PEER = 0, 1, 4
# Of the revocations of one kind, at most so many points are drawn.
POINTS = 200


def draw(results, loads, judged, folder):
    """One for each of the loads (name, title), and those that show more than bars can."""
    os.makedirs(folder, exist_ok=True)
    share_of_allowed(judged, os.path.join(folder, "goals.svg"))
    for name, title in loads:
        cpu(title, results[name], os.path.join(folder, name + ".svg"))
    live_tokens(results["tokens"], os.path.join(folder, "many-tokens.svg"))
    latency(results["connections"], os.path.join(folder, "latency.svg"))
    revocation(results["revocation"], os.path.join(folder, "revocation.svg"))


def cut(items):
    """A bar that dwarfs all others is cut, and says so."""
    limit = 2.5 * sorted(value for _, value, _, _ in items)[len(items) * 3 // 4]
    return [(title, min(value, limit), colour, text + (" (cut)" if value > limit else ""))
            for title, value, colour, text in items]


def cpu(title, rows, path):
    items = [(name, row["cpu"], MINTD if name.startswith("mintd") else PEER,
              "%.2f µs; %s requests/s" % (row["cpu"], "{:,.0f}".format(row["rate"]))) for name, row in rows.items()]
    svg.bars(path, title + ": CPU of the server a request", cut(items))


def share_of_allowed(judged, path):
    items = [(goal.text, goal.share, MINTD if goal.is_reached else MISSED, "%.2f" % goal.share) for goal in judged]
    svg.bars(path, "Goals: measured, as a share of what is allowed (1 or less: reached)", cut(items))


def live_tokens(rows, path):
    points = [(int(title.split()[-2]), row["cpu"]) for title, row in rows.items()]
    svg.lines(path, "CPU a request against live tokens, each used in its turn", "live tokens",
              "µs of CPU a request", {"mintd /secret": points}, log_x=True)


def latency(rows, path):
    series = {}
    for name in ("nginx", "mintd"):
        for percentile in ("p50", "p99"):
            series["%s %s" % (name, percentile)] = [
                (int(title.split()[-2]), row[percentile] / 1000)
                for title, row in rows.items() if title.startswith(name)]
    svg.lines(path, "Latency against connections, all of them busy", "connections", "ms", series,
              log_x=True, log_y=True)


def revocation(rows, path):
    series = {}
    for name, row in rows.items():
        ordered = row["all"]
        step = max(1, len(ordered) // POINTS)
        series[name] = [(latency * 1000, (at + 1) / len(ordered) * 100)
                        for at, latency in list(enumerate(ordered))[::step]]
        series[name].append((ordered[-1] * 1000, 100))
    svg.lines(path, "From the start of a revocation to the refusal on another instance", "ms",
              "% refused by then", series, log_x=True, dots=False)
