"""A raw HTTP/1.1 client that believes nothing: bytes out, one strictly parsed response in.

    with Connection(mintd.address) as c:
        c.send(b"GET /healthz HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
        response = c.read_response()          # check_common() has passed
        c.expect_in_step()                    # exactly one response: the next request gets its own
    or  c.expect_close(within=1)              # … or FIN follows, and not a byte more

Every response read here goes through check_common(): the rules that hold for all of them (H-42 to
H-46, one X-Request-Id, JSON that parses, RFC 6749 charset of errors).
"""
import dataclasses
import email.utils
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import time
import urllib.parse

from .timing import scaled

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e]*)")
_FIELD_LINE = re.compile(rb"(%s):[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?|)[ \t]*" % TOKEN.encode())
_IMF_FIXDATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"[0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OAUTH_TEXT = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
_MAX_HEAD = 64 * 1024
_probe_ids = itertools.count()


class ProtocolError(AssertionError):
    """The peer's bytes are not the HTTP/1.1 that a strict reader takes."""


class Closed(Exception):
    """The peer closed before it had said all. `got` holds the bytes of the unfinished response."""

    def __init__(self, got, reset=False):
        super().__init__("%s after %r" % ("reset" if reset else "closed", got[:200]))
        self.got = got
        self.reset = reset


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    fields: list  # [(name, value), …] as sent
    body: bytes
    head: bool  # an answer to HEAD: no body is right
    informational: list = dataclasses.field(default_factory=list)  # status of each 1xx before it

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name, default=None):
        """The value of a field that may stand once at most."""
        values = self.all(name)
        assert len(values) <= 1, "%s stands %d times" % (name, len(values))
        return values[0] if values else default

    def json(self):
        """The body as a JSON object; a duplicate member is an error."""
        return parse_json(self.body)

    @property
    def error(self):
        """The RFC 6749 error code of a JSON body, else None."""
        return self.json().get("error") if self.body else None

    @property
    def says_close(self):
        return "close" in [o.strip().lower() for v in self.all("Connection") for o in v.split(",")]


def parse_json(data):
    def unique(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), "a JSON member stands twice: %r" % names
        return dict(pairs)

    text = data.decode("utf-8")  # strict
    assert not text.startswith("\ufeff"), "a byte order mark"
    value = json.loads(text, object_pairs_hook=unique)
    assert isinstance(value, dict), "not a JSON object: %r" % text
    return value


def check_common(response, asked):
    """What holds for every final response, whatever the request was. asked: when it was sent."""
    about = "in %r" % (response,)
    date = response.get("Date")  # H-42
    assert date and _IMF_FIXDATE.fullmatch(date), "Date %r %s" % (date, about)
    said, now = email.utils.parsedate_to_datetime(date).timestamp(), time.time()
    # Between question and answer, in whole seconds, however long this process had no core.
    assert asked - 1 - scaled(1) <= said <= now + 1, "Date %r, asked %.1f s ago" % (date, now - asked)
    length, kind = response.get("Content-Length"), response.get("Content-Type")
    assert not response.all("Transfer-Encoding"), about
    if response.status == 204:  # H-43
        assert length is None, about
    elif not (response.head and length is None):  # H-11
        assert length is not None and re.fullmatch(r"0|[1-9][0-9]*", length), about
    if response.body:
        assert kind, "content without Content-Type " + about
    if response.status == 401:  # H-44
        assert response.all("WWW-Authenticate"), about
    assert not re.search(r"[0-9]", response.get("Server", "")), about  # H-45
    request_id = response.get("X-Request-Id")
    assert request_id and _REQUEST_ID.fullmatch(request_id), "X-Request-Id %r %s" % (request_id, about)
    if response.status == 405:  # H-09
        assert response.get("Allow"), about
    assert not [name for name, _ in response.fields if name.lower().startswith("access-control-")], about
    if kind and kind.split(";")[0] == "application/json" and response.body:
        document = response.json()
        for member in ("error", "error_description", "error_uri"):  # T-31
            if member in document:
                assert isinstance(document[member], str) and document[member], about
                assert _OAUTH_TEXT.fullmatch(document[member]), about
        if response.status >= 400:
            assert "access_token" not in document, about
    elif response.body:
        assert response.status == 200 and kind.startswith(("text/plain", "application/openmetrics-text", "text/html;")), "not JSON: " + about


class Connection:
    """One connection. `address`: ("127.0.0.1", 4001) or the path of a unix socket. `source`: the
    address of ours that it comes from ("127.0.0.2"). `tls`: an ssl.SSLContext; an end without
    close_notify is an error then."""

    def __init__(self, address, timeout=5.0, receive_buffer=None, source=None, tls=None):
        family = (socket.AF_UNIX if isinstance(address, str)
                  else socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket = socket.socket(family)
        if source:
            self.socket.bind((source, 0))
        self.timeout = scaled(timeout)
        self.socket.settimeout(self.timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls and family == socket.AF_INET:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost",
                                          suppress_ragged_eofs=False)
        self._buffer = b""
        self._asked = time.time()  # when what is not yet answered began to be sent
        self._is_asking = False

    # ---- out ----

    def _ask(self):
        if not self._is_asking:
            self._asked, self._is_asking = time.time(), True

    def send(self, data):
        self._ask()
        self.socket.sendall(data)

    def send_all_we_can(self, data):
        """Sends until done or until the peer will not have it; returns how many bytes went out."""
        self._ask()
        sent = 0
        try:
            while sent < len(data):
                sent += self.socket.send(data[sent : sent + 65536])
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sent

    def end(self):
        """We send nothing more (FIN), but read on."""
        self.socket.shutdown(socket.SHUT_WR)

    # ---- in ----

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed(self._buffer, reset=True) from None
        if not data:
            raise Closed(self._buffer)
        self._buffer += data

    def _take_head(self):
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise ProtocolError("a head without end: %r…" % self._buffer[:200])
            self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        match = _STATUS_LINE.fullmatch(lines[0])
        if not match:
            raise ProtocolError("status line %r" % lines[0])
        fields = []
        for line in lines[1:]:
            field = _FIELD_LINE.fullmatch(line)
            if not field:
                raise ProtocolError("field line %r" % line)
            fields.append((field[1].decode(), field[2].decode()))
        return int(match[1]), match[2].decode(), fields

    def read_response(self, head=False, check=True):
        """The next final response, its 1xx before it in `informational`. head: it answers a HEAD.
        Raises Closed at the end of the stream, ProtocolError for bytes that are not a response,
        TimeoutError after the connection's timeout without progress."""
        informational = []
        while True:
            status, reason, fields = self._take_head()
            response = Response(status, reason, fields, b"", head, informational)
            if status >= 200:
                break
            if status != 100 or fields:
                raise ProtocolError("unexpected 1xx: %r" % response)
            informational.append(status)
        if not head and status not in (204, 304):
            if response.all("Transfer-Encoding"):
                raise ProtocolError("our responses have a Content-Length: %r" % response)
            length = response.get("Content-Length")
            if length is None or not length.isascii() or not length.isdigit():
                raise ProtocolError("Content-Length %r" % length)
            while len(self._buffer) < int(length):
                self._receive()
            response.body, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        self._is_asking = False
        if check:
            check_common(response, self._asked)
        return response

    def wait_for_bytes(self, expected):
        """Waits until exactly these bytes have come, and leaves them to be read."""
        while len(self._buffer) < len(expected):
            self._receive()
        if self._buffer != expected:
            raise ProtocolError("%r instead of %r" % (self._buffer, expected))

    def has_nothing(self):
        """Whether nothing has come so far (does not wait)."""
        if self._buffer:
            return False
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        finally:
            self.socket.settimeout(self.timeout)

    def expect_close(self, within=1.0, reset_ok=False):
        """The peer closes within so many seconds and sends not a byte before."""
        deadline = time.monotonic() + scaled(within)
        data = self._buffer
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("not closed within %.1f s" % within)
                self.socket.settimeout(left)
                more = self.socket.recv(65536)
                if not more:
                    break
                data += more
        except TimeoutError:
            raise AssertionError("not closed within %.1f s" % within) from None
        except ConnectionResetError:
            assert reset_ok, "reset instead of an orderly end"
        finally:
            self.socket.settimeout(self.timeout)
        assert not data, "bytes behind the last response: %r" % data[:300]

    def expect_in_step(self):
        """The next request gets the next response: nothing too many, nothing left over."""
        mark = "step-%d" % next(_probe_ids)
        self.send(request_bytes("GET", "/healthz", [("X-Request-Id", mark)]))
        response = self.read_response()
        assert response.status == 200 and response.get("X-Request-Id") == mark, response

    # ---- end ----

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request_bytes(method, target, fields=(), body=None, host="h", version="HTTP/1.1"):
    """A request's bytes. `fields`: pairs of str or bytes (str goes out as Latin-1). With a body
    (bytes) a Content-Length stands last, unless `fields` has one or a Transfer-Encoding."""

    def raw(text):
        return text if isinstance(text, bytes) else text.encode("latin-1")

    lines = [b"%s %s %s" % (raw(method), raw(target), raw(version))]
    if host is not None:
        lines.append(b"Host: " + raw(host))
    lines += [raw(name) + b": " + raw(value) for name, value in fields]
    framed = {raw(name).lower() for name, _ in fields} & {b"content-length", b"transfer-encoding"}
    if body is not None and not framed:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


FORM = ("Content-Type", "application/x-www-form-urlencoded")


def form_request(target, body, fields=(), **more):
    """POST with a form. body: bytes, or pairs to be encoded; None for the head alone."""
    if body is not None and not isinstance(body, bytes):
        body = urllib.parse.urlencode(body).encode()
    return request_bytes("POST", target, [FORM, *fields], body, **more)


def exchange(address, raw, head=False, timeout=5.0, source=None, tls=None):
    """One request on a connection of its own: its one response. Nothing may follow it: where it
    says close, the end comes within a second; else the next request gets its own answer."""
    with Connection(address, timeout, source=source, tls=tls) as connection:
        connection.send(raw)
        response = connection.read_response(head)
        if response.says_close:
            connection.expect_close()
        else:
            connection.expect_in_step()
        return response


def curl(*arguments, timeout=20):
    """Real curl, silent, without the user's own settings and proxies: (exit status, stdout, stderr)."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(["curl", "-q", "-sS", *arguments], capture_output=True,
                          timeout=scaled(timeout), env=environment, check=False)
    return done.returncode, done.stdout, done.stderr.decode()
