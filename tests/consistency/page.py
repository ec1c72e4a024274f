"""A history as an HTML page with time lines: one for each answer against a rule, from the mint of its token on.

Lanes: what befell all or Redis, and each instance. Bars are faults, fail-overs and slots that moved; a line down is a
change; a dot is an answer for that token or client. What is pointed at tells itself.
"""
import html

from history import EVERYBODY, Ask, Change, FailOver, line

SHOWN = 20  # answers against a rule
WIDTH, LANE, LEFT = 1100, 26, 90
COLOURS = {"yes": "#1a7f37", "no": "#cf222e", "unavailable": "#bf8700"}
STYLE = """body { font: 14px sans-serif; margin: 1em; color-scheme: light dark }
pre { overflow-x: auto; font-size: 12px } svg { max-width: 100%; height: auto } text { font-size: 11px; fill: currentColor }
.lane { stroke: #8884 } .bar { fill: #8886 } .change { stroke: #8250df; stroke-width: 2 } .bad { stroke: currentColor; stroke-width: 3 }"""


def shape(kind, event, text="", **attributes):
    """An element of SVG that tells its event where it is pointed at."""
    written = " ".join('%s="%s"' % (name.rstrip("_"), html.escape(str(value))) for name, value in attributes.items())
    return "<%s %s><title>%s</title>%s</%s>" % (kind, written, html.escape(line(event)), html.escape(text), kind)


class TimeLine:
    def __init__(self, history, ask, instances):
        self._ask = ask
        self._events = self._leading_to(history)
        self._from = min(e.start for e in self._events) - 0.05
        self._to = max(ask.end, *(e.start for e in self._events)) + 0.05
        self._lanes = ["all", *("mintd-%d" % n for n in range(instances))]

    def _leading_to(self, history):
        """What history.about() tells, and every answer about the same token or client meanwhile."""
        ask = self._ask
        changes = [c for c in history.changes if c.token in ("", ask.token) and c.client in ("", ask.client)]
        asks = [a for a in history.asks if (a.token == ask.token if ask.token else a.client == ask.client)]
        since = max(min(a.start for a in asks), ask.start - 15)
        causes = (*changes, *history.faults, *history.failovers, *history.moves)
        return [e for e in (*asks, *causes) if since - 1 <= e.start <= ask.end + 0.5]

    def _x(self, at):
        at = min(max(at, self._from), self._to)
        return round(LEFT + (WIDTH - LEFT) * (at - self._from) / (self._to - self._from), 1)

    def _y(self, event):
        number = getattr(event, "instance", EVERYBODY)
        return LANE * (1 + (0 if number < 0 else number + 1))

    def _drawn(self, event):
        x, y = self._x(event.start), self._y(event)
        if isinstance(event, Ask):
            more = {"class_": "bad"} if event is self._ask else {}
            return shape("circle", event, cx=x, cy=y, r=4, fill=COLOURS.get(event.answer, "#57606a"), **more)
        if isinstance(event, Change):
            return shape("line", event, x1=x, x2=x, y1=y - 10, y2=LANE * len(self._lanes) + 8, class_="change")
        end = event.until if isinstance(event, FailOver) else event.end
        return shape("rect", event, x=x, y=y - 9, width=max(2, self._x(end) - x), height=18, class_="bar") + \
            shape("text", event, event.kind, x=x + 2, y=y + 4)

    def svg(self):
        bars = sorted(self._events, key=lambda e: isinstance(e, Ask))  # answers on top
        lanes = "".join('<line class="lane" x1="%d" x2="%d" y1="%d" y2="%d"/><text x="0" y="%d">%s</text>' % (
            LEFT, WIDTH, LANE * (n + 1), LANE * (n + 1), LANE * (n + 1) + 4, name) for n, name in enumerate(self._lanes))
        under = LANE * (len(self._lanes) + 1) + 12
        times = '<text x="%d" y="%d">%.3f s</text>' * 2 % (LEFT, under, self._from, WIDTH - 70, under, self._to)
        return '<svg viewBox="0 0 %d %d" width="%d" role="img">%s%s%s</svg>' % (
            WIDTH + 10, under + LANE, WIDTH, lanes, "".join(map(self._drawn, bars)), times)


def page(title, history, verdict, instances):
    parts = []
    for rule, ask, why in verdict.offences[:SHOWN]:
        parts.append("<h2>%s</h2><p>%s</p>%s<details><summary>as text</summary><pre>%s</pre></details>" % (
            html.escape(rule), html.escape(why), TimeLine(history, ask, instances).svg(),
            html.escape("\n".join(history.about(ask)))))
    legend = " ".join('<span style="color:%s">&#9679; %s</span>' % (colour, word) for word, colour in COLOURS.items())
    return ("<!doctype html><html lang=en><meta charset=utf-8><title>%s</title><style>%s</style><h1>%s</h1><p>%s</p>%s"
            "<h2>All of it</h2><pre>%s</pre></html>\n" % (html.escape(title), STYLE, html.escape(title), legend,
                                                         "".join(parts), html.escape(verdict.report())))
