"""A picture of mintctl top: the real one on a terminal, and its screen as an SVG for light and dark."""
from xml.sax.saxutils import escape

import pyte

from support.mintctl import Terminal, command_line
from support.mintd import environment

COLUMNS, ROWS = 99, 9
WIDTH, HEIGHT, MARGIN = 8.4, 20, 14  # of a character of 14 px, and around the text

STYLE = """
    .screen { fill: #f6f8fa; stroke: #d0d7de } .text { fill: #24292f; white-space: pre }
    .bar { fill: #24292f } .head { fill: #f6f8fa }
    @media (prefers-color-scheme: dark) {
      .screen { fill: #0d1117; stroke: #30363d } .text { fill: #e6edf3 }
      .bar { fill: #e6edf3 } .head { fill: #0d1117 }
    }
  """


def screen_of_top(redis):
    """What a person sees: a pyte.Screen."""
    sized = ["sh", "-c", 'stty rows %d cols %d && exec "$@"' % (ROWS, COLUMNS), "sh", *command_line("top")]
    terminal = Terminal(sized, environment({"MINTD_REDIS": redis.url, "TERM": "xterm"}))
    terminal.expect("q quits")
    terminal.look()
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(terminal.seen)
    terminal.send("q")
    terminal.end(0)
    return screen


def svg(screen, title):
    """Each line has its length, so that columns are straight in any monospace font."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" font-family='
             '"ui-monospace, monospace" font-size="14">' % (width, height),
             "  <title>%s</title>" % escape(title), "  <style>%s</style>" % STYLE,
             '  <rect class="screen" x=".5" y=".5" width="%g" height="%g" rx="8"/>' % (width - 1, height - 1)]
    for number, line in enumerate(map(str.rstrip, screen.display)):
        top, name = MARGIN + number * HEIGHT, "text"
        if line and screen.buffer[number][0].reverse:
            name = "text head"
            parts.append('  <rect class="bar" x="%g" y="%g" width="%g" height="%g"/>' % (
                MARGIN, top, COLUMNS * WIDTH, HEIGHT))
        if line:
            parts.append('  <text class="%s" xml:space="preserve" x="%g" y="%g" textLength="%g">%s</text>' % (
                name, MARGIN, top + 15, len(line) * WIDTH, escape(line)))
    return "\n".join([*parts, "</svg>", ""]).encode()
