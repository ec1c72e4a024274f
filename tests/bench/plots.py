"""The plots of docs/performance.md, from the results of a run."""
import os

import svg

MINTD, PEER = 0, 4
# Of the revocations of one kind, at most so many points are drawn.
POINTS = 200


def draw(results, folder):
    os.makedirs(folder, exist_ok=True)
    cpu(results, os.path.join(folder, "cpu.svg"))
    live_tokens(results["tokens"], os.path.join(folder, "tokens.svg"))
    latency(results["connections"], os.path.join(folder, "latency.svg"))
    revocation(results["revocation"], os.path.join(folder, "revocation.svg"))


def cpu(results, path):
    items = []
    for scenario in ("cached", "uncached", "mint"):
        for title, row in results[scenario].items():
            items.append((title, row["cpu"], MINTD if title.startswith("mintd") else PEER,
                          "%.2f µs" % row["cpu"]))
    # A bar that dwarfs all others is cut, and says so.
    limit = 2.5 * sorted(value for _, value, _, _ in items)[len(items) * 3 // 4]
    items = [(title, min(value, limit), colour, text + (" (cut)" if value > limit else ""))
             for title, value, colour, text in items]
    svg.bars(path, "CPU of the server a request", items)


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
