"""Plots as SVG: bars, and lines over a linear or logarithmic axis. Readable on white and on black pages."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP = 860, 70, 30, 50
BAR, GAP = 22, 10
LETTER, BEHIND = 6.2, 240  # about as wide as a letter of a label; room behind the longest bar
PLOT_HEIGHT, BOTTOM = 280, 60
COLOURS = ("#1f6feb", "#d1580b", "#2a8a4a", "#8250df", "#888888")
GREY, INK = "#d8d8d8", "#222222"


class _Drawing:
    def __init__(self, height, title):
        self._height = height
        self._parts = []
        self.rectangle(0, 0, WIDTH, height, "#ffffff")
        self.text(WIDTH / 2, 24, title, "middle", 15)

    def rectangle(self, x, y, width, height, fill):
        self._parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>'
                           % (x, y, width, height, fill))

    def text(self, x, y, text, anchor="start", size=12):
        self._parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>'
                           % (x, y, anchor, size, INK, escape(text)))

    def line(self, points, colour, width=1.0, dashes=""):
        path = " ".join("%.1f,%.1f" % point for point in points)
        dashed = ' stroke-dasharray="%s"' % dashes if dashes else ""
        self._parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"%s/>'
                           % (path, colour, width, dashed))

    def dot(self, x, y, colour):
        self._parts.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>' % (x, y, colour))

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
                       'font-family="Helvetica, Arial, sans-serif">\n' % (WIDTH, self._height))
            file.write("\n".join(self._parts) + "\n</svg>\n")


class _Axis:
    """Where a value lies between two ends of the paper."""

    def __init__(self, values, begin, end, logarithmic):
        self._logarithmic = logarithmic
        low, high = min(values), max(values)
        if logarithmic:
            low, high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            self.ticks = [10.0**power for power in range(low, max(high, low + 1) + 1)]
        else:
            self.ticks = _round_ticks(high)
            low = 0
        self._low, self._high = low, math.log10(self.ticks[-1]) if logarithmic else self.ticks[-1]
        self._begin, self._end = begin, end

    def __call__(self, value):
        at = math.log10(value) if self._logarithmic else value
        return self._begin + (at - self._low) / (self._high - self._low) * (self._end - self._begin)


def _round_ticks(high):
    """0 and up to six round steps that reach high."""
    step = 10.0 ** math.floor(math.log10(high or 1))
    for factor in (0.2, 0.5, 1, 2):
        if high / (step * factor) <= 6:
            step *= factor
            break
    return [number * step for number in range(math.ceil(high / step - 1e-9) + 1)]


def _number(value):
    return "%g" % value if value < 1000 else "{:,.0f}".format(value)


def bars(path, title, items):
    """items: (label, value, colour number, text behind the bar)."""
    drawing = _Drawing(TOP + len(items) * (BAR + GAP) + GAP, title)
    left = max(len(label) for label, _, _, _ in items) * LETTER + 20
    scale = (WIDTH - left - BEHIND) / max(value for _, value, _, _ in items)
    for number, (label, value, colour, text) in enumerate(items):
        y = TOP + number * (BAR + GAP)
        drawing.text(left - 8, y + BAR - 7, label, "end")
        drawing.rectangle(left, y, max(value * scale, 1), BAR, COLOURS[colour])
        drawing.text(left + value * scale + 6, y + BAR - 7, text)
    drawing.save(path)


def lines(path, title, x_title, y_title, series, log_x=False, log_y=False, dots=True):
    """series: name to points; a name that ends in " p99" is dashed, in the colour of the one before."""
    legend = (len(series) + 1) // 2 * 18 + 16  # and the title of the axis
    top, height = TOP + legend, TOP + legend + PLOT_HEIGHT + BOTTOM
    drawing = _Drawing(height, title)
    points = [point for each in series.values() for point in each]
    x_axis = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, log_x)
    y_axis = _Axis([y for _, y in points], top + PLOT_HEIGHT, top, log_y)
    for tick in x_axis.ticks:
        drawing.line([(x_axis(tick), top), (x_axis(tick), top + PLOT_HEIGHT)], GREY)
        drawing.text(x_axis(tick), top + PLOT_HEIGHT + 18, _number(tick), "middle")
    for tick in y_axis.ticks:
        drawing.line([(LEFT, y_axis(tick)), (WIDTH - RIGHT, y_axis(tick))], GREY)
        drawing.text(LEFT - 6, y_axis(tick) + 4, _number(tick), "end")
    drawing.text((LEFT + WIDTH - RIGHT) / 2, top + PLOT_HEIGHT + 42, x_title, "middle")
    drawing.text(LEFT, top - 10, y_title)
    colour = -1
    for number, (name, each) in enumerate(series.items()):
        dashes = "5,4" if name.endswith(" p99") else ""
        colour += 0 if dashes else 1
        ink = COLOURS[colour % len(COLOURS)]
        x, y = LEFT + number % 2 * (WIDTH - LEFT) / 2, 44 + number // 2 * 18
        drawing.line([(x, y), (x + 26, y)], ink, 2, dashes)
        drawing.text(x + 32, y + 4, name)
        drawing.line([(x_axis(a), y_axis(b)) for a, b in each], ink, 2, dashes)
        for a, b in each if dots else ():
            drawing.dot(x_axis(a), y_axis(b), ink)
    drawing.save(path)
