"""The search of test_canaries.py finds a secret however it may be written."""
import base64
import json
import urllib.parse

from support.canaries import CHOSEN, FROM_A_FILE, Hunt
from support.oauth import forged_token, rows


def _written(text):
    """However a text may come to stand somewhere."""
    data = text.encode()
    yield "raw", data
    yield "half", data[: len(data) // 2]
    yield "percent", urllib.parse.quote(text, safe="").encode()
    yield "percent-all", b"".join(b"%%%02x" % byte for byte in data)
    yield "form", urllib.parse.quote_plus(text).encode()
    for before in ("", "i", "id"):
        yield "base64-%d" % len(before), base64.b64encode((before + ":" + text).encode())
        yield "url-%d" % len(before), base64.urlsafe_b64encode((before + ":" + text).encode())
        encoded = "%s:%s" % (before, urllib.parse.quote_plus(text))
        yield "basic-%d" % len(before), base64.b64encode(encoded.encode())
    yield "json", json.dumps(text).encode()
    yield "monitor", b"".join(b"\\x%02x" % byte for byte in data)


@rows("G-18", **{"%s-%s" % (kind, name): (text, data)
                 for kind, text in (("token", forged_token("Q")), ("chosen", CHOSEN), ("file", FROM_A_FILE))
                 for name, data in _written(text)})
def test_the_search_finds(case):
    text, data = case
    assert Hunt({"it": text}).find(b"before " + data + b" behind") != []
    assert Hunt({"it": text}).find(b"before behind") == []
    assert Hunt({"it": forged_token("Z")}).find(data) == []
