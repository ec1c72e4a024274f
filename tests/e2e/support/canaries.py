"""Looks for secrets where none may be: byte for byte, in pieces, and however they may be written.

    hunt = Hunt({"secret of x": "…", "token 1": "mtd_…"})
    hunt.find(data)               # [("token 1", "base64"), …]; empty is good
    recorder = Monitor(redis)     # all that Redis is asked, as bytes, from now on
    everything_in(redis)          # {"hash": bytes, …, "key": bytes}: names and values by type
"""
import base64
import re
import threading
import urllib.parse

from .redis_server import RespConnection

# Secrets that are awkward wherever they come to stand.
CHOSEN = "Chosen by \u00e4 person: p@ss+w%rd/with \"all\" & s\u00f6rts \\ of = things"
FROM_A_FILE = "read from a file \u2013 with spaces, p\u00e4per & pen"
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# What MONITOR (\xc3, \"), JSON (\u00e9, \/) and C write; longest first.
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_SHORT = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def _unpercent(data):
    return _PERCENT.sub(lambda m: bytes([int(m[1], 16)]), data)


def _unescape(data):
    def plain(match):
        kind, rest = match[1][:1], match[1][1:]
        if kind == b"x" and rest:
            return bytes([int(rest, 16)])
        if kind == b"u" and rest:
            return chr(int(rest, 16)).encode("utf-8", "replace")
        return _SHORT.get(match[1], match[1])

    return _ESCAPE.sub(plain, data)


def _base64(data):
    """As it stands in the base64 of a longer text, wherever it begins there: the digits that depend on
    nothing but `data`, in both alphabets."""
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + data)
        whole = (before + len(data)) * 4 // 3  # digits that are not shared with what comes behind
        part = digits[-(-before * 4 // 3) : whole]
        yield part
        yield part.translate(bytes.maketrans(b"+/", b"-_"))


def _halves(text):
    """A secret that is cut is a secret still, so each half is looked for."""
    data = text.encode()
    middle = len(data) // 2
    return data[:middle], data[middle:]


class Hunt:
    def __init__(self, secrets):
        """secrets: texts by name, each of 24 bytes or more."""
        self._plain, self._base64 = {}, {}
        for name, text in secrets.items():
            assert len(text.encode()) >= 24, name
            for half in _halves(text):
                self._plain[half] = name
                # Within Basic a secret may be form-urlencoded before it is base64.
                for form in {half, urllib.parse.quote_plus(half).encode(), urllib.parse.quote(half).encode()}:
                    self._base64.update(dict.fromkeys(_base64(form), name))

    def find(self, data):
        """Which secrets stand in it, and how they are written there."""
        ways = {"as it is": data, "percent-encoded": _unpercent(data),
                "form-urlencoded": _unpercent(data.replace(b"+", b" ")), "escaped": _unescape(data)}
        found = {(name, way) for way, text in ways.items()
                 for piece, name in self._plain.items() if piece in text}
        found |= {(name, "base64") for text in (data, ways["percent-encoded"])
                  for piece, name in self._base64.items() if piece in text}
        return sorted(found)


class Monitor:
    """Redis' MONITOR from now on, until Redis ends: the bytes, as they came."""

    def __init__(self, redis):
        self._connection = RespConnection(redis.socket_path, timeout=600)
        assert self._connection.command("MONITOR") == "OK"
        self._lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            while True:
                self._lines.append(self._connection.receive().encode())
        except (OSError, ConnectionError):
            pass

    def end(self):
        """Once Redis has ended: all that it was asked."""
        self._reader.join(10)
        assert not self._reader.is_alive(), "Redis goes on"
        self._connection.close()
        return b"\n".join(self._lines)


_READ = {"string": ("GET",), "hash": ("HGETALL",), "list": ("LRANGE", 0, -1), "set": ("SMEMBERS",),
         "zset": ("ZRANGE", 0, -1), "stream": ("XRANGE", "-", "+")}


def _flat(value):
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    else:
        yield str(value).encode()


def everything_in(redis):
    """All names of keys under "key", all values under their type, of every database in use."""
    found = {kind: [] for kind in ("key", *_READ)}
    for database in range(16):
        redis.cli("SELECT", database)
        cursor = "0"
        while True:
            cursor, keys = redis.cli("SCAN", cursor, "COUNT", 1000)
            for key in keys:
                found["key"].append(key.encode())
                kind = redis.cli("TYPE", key)
                name, *arguments = _READ[kind]
                found[kind] += _flat(redis.cli(name, key, *arguments))
            if cursor == "0":
                break
    redis.cli("SELECT", 0)
    return {kind: b"\n".join(parts) for kind, parts in found.items()}
