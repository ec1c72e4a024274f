"""What strangers write must stay within its line of the log."""
import base64
import collections
import json
import os
import socket
import tempfile
import urllib.parse

from goal import AtMost, Goal, least
from pump import Pump
from stage import Stage
from support.clients import G
from support.http import form_request, request_bytes

PIECES = [text.encode() for text in (
    "\r\nInjected: yes", "\n{\"message\":\"forged\"}", "\x1b[31mred\x1b[0m", "\u202eevil", '"quoted"', "back\\slash",
    "nul\x00", "tab\t", "\x7f", "\x85", "\u2028", "</script>", "%s%n%x", "${jndi:x}", "}\n{", "\U0001f4a9", "plain")]
PIECES += [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
RAW_OF = 50  # one of so many is written as it is, which mostly breaks the request itself


def hostile(random):
    text = b"".join(random.choices(PIECES, k=random.randrange(1, 5)))
    return text + random.randbytes(random.randrange(8)) if random.random() < 0.3 else text


def request(random):
    """One that keeps its connection: whatever it says is wrapped as HTTP wants it. It is refused, and told."""
    text = hostile(random)
    wrapped = urllib.parse.quote_from_bytes(text).encode()
    kind = random.randrange(4)
    if kind == 0:
        return form_request("/token", G, [("Authorization", "Basic " + base64.b64encode(text + b":x").decode())])
    if kind == 1:
        return form_request("/token", G + b"&client_id=" + wrapped + b"&client_secret=" + wrapped)
    if kind == 2:
        return request_bytes("GET", b"/secret?" + wrapped, [("X-Request-Id", wrapped[:90])])
    return form_request("/token", b"grant_type=" + wrapped + b"&scope=" + wrapped)


def throw(address, random):
    """Bytes as they are, in the path, a field's value or its name; whatever comes back."""
    text = hostile(random)
    raw = random.choice((b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /secret HTTP/1.1\r\nHost: h\r\nX-Request-Id: %s\r\n\r\n",
                         b"GET /secret HTTP/1.1\r\nHost: h\r\n%s: 1\r\n\r\n")) % text
    with socket.create_connection(address, 10) as one:
        one.sendall(raw)
        one.shutdown(socket.SHUT_WR)
        try:
            while one.recv(65536):
                pass
        except ConnectionResetError:
            pass


def is_line(data):
    """One JSON object without a byte that a terminal or a reader of lines would take for something else."""
    try:
        text = data.decode()
        return text.isprintable() and isinstance(json.loads(text), dict)
    except ValueError:
        return False


def flaws(data):
    """(lines, lines that are none, forged ones, refusals told)"""
    counts = collections.Counter()
    assert data.endswith(b"\n"), "the last line has no end"
    for line in data[:-1].split(b"\n"):
        counts["lines"] += 1
        if not is_line(line):
            counts["broken"] += 1
            continue
        message = json.loads(line)
        counts["forged"] += message.get("message") == "forged" or "Injected" in message
        counts["refused"] += message.get("message") == "refused"
    return counts


def injection(run):
    count, counts = run.size(10_000, 100_000), collections.Counter()
    with Stage() as stage, tempfile.TemporaryDirectory(prefix="torture.") as place:
        mintd = stage.quiet_mintd("--workers", "2", log=os.path.join(place, "log"))

        def judge(_, status, __, ___):
            counts["refused" if 400 <= status < 500 else "other answers"] += 1

        Pump([mintd.address], ((request(run.random), None) for _ in range(count)), judge).run()
        for _ in range(count // RAW_OF):
            throw(mintd.address, run.random)
        dropped = int(stage.metric(mintd, "mintd_log_lines_dropped_total"))
        assert mintd.end() == 0
        with open(mintd.log_path, "rb") as file:
            seen = flaws(file.read())
    return {"hostile requests": count + count // RAW_OF, "lines": seen["lines"], "broken lines": seen["broken"],
            "forged lines": seen["forged"], "refusals not told": max(0, counts["refused"] - seen["refused"] - dropped),
            "lines dropped": dropped, "other answers": counts["other answers"]}


GOALS = [
    Goal("G-19", "nobody forges a line of the log", "10,000 (full: 10⁵) ids, secrets, queries, request ids and paths of "
         "line ends, escapes, quotes, NUL, bidi marks and broken UTF-8; each line has to be one printable JSON object",
         {"hostile requests": least(10_000, 100_000), "lines": least(10_000, 100_000), "broken lines": AtMost(0), "forged lines": AtMost(0),
          "refusals not told": AtMost(0), "other answers": AtMost(0)}, injection),
]
