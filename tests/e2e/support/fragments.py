"""One request in every way that TCP may cut it; the answer must be the same each time (H-47).

    case = Case("T-01", form_request("/token", G, [BA]))
    check_byte_by_byte(mintd, cases)
    check_every_split(mintd, case)
    check_pipelined(mintd, case)

A cut is only a cut if the server has read the first part before the second is sent. All cuts are
made against an instance with one worker, on connections that it has served before, so they are in
its poll set; after the first parts one round trip on a control connection, sent last, shows that its
loop has gone round.
"""
import dataclasses

from .http import Connection, request_bytes

HEALTH = request_bytes("GET", "/healthz")
_MANY = 64  # connections at once
# Members of JSON bodies that differ between two equal answers.
_CHANGING = {"access_token", "accessToken", "accessTokenExpiresAt", "expires_in", "iat", "exp", "jti"}
_CHANGING_FIELDS = {"date", "x-request-id", "x-auth-expires-at"}


@dataclasses.dataclass
class Case:
    name: str
    raw: bytes
    head: bool = False
    body: bool = True  # compare the body ("/metrics" changes with every look)

    def __str__(self):
        return self.name


def _shape(value, name=None):
    if isinstance(value, dict):
        return {k: _shape(v, k) for k, v in value.items()}
    if name in _CHANGING:
        return type(value).__name__
    return value


def normalised(response, case):
    """What must be the same in two answers to the same request."""
    fields = sorted((name.lower(), "" if name.lower() in _CHANGING_FIELDS else value)
                    for name, value in response.fields)
    body = response.body
    if (response.get("Content-Type") or "").startswith("application/json") and body:
        body = _shape(response.json())
    if not case.body:
        body = None
        fields = [(n, "" if n == "content-length" else v) for n, v in fields]
    return response.status, response.reason, fields, body


class _Pool:
    """Connections that the server has in its poll set, and the control connection."""

    def __init__(self, address):
        self._address = address
        self._free = []
        self._all = []
        self._control = self._open()

    def _open(self):
        connection = Connection(self._address)
        self._all.append(connection)
        connection.send(HEALTH)
        assert connection.read_response().status == 200
        return connection

    def take(self):
        return self._free.pop() if self._free else self._open()

    def give_back(self, connection, response):
        """Ends the use of a connection behind its one answer."""
        if response.says_close:
            connection.expect_close()
            connection.close()
            self._all.remove(connection)
        else:
            assert connection.has_nothing(), "bytes behind the response %r" % response
            self._free.append(connection)

    def settle(self):
        """Returns when the server has read all that was sent before."""
        for _ in range(2):
            self._control.send(HEALTH)
            assert self._control.read_response().status == 200

    def finish(self):
        """Each connection is still in step: exactly one response came for each request."""
        for connection in self._free:
            connection.expect_in_step()
        for connection in self._all:
            connection.close()


def reference(address, case):
    """The answer to the request in one piece on a fresh connection."""
    with Connection(address) as connection:
        connection.send(case.raw)
        response = connection.read_response(case.head)
        if response.says_close:
            connection.expect_close()
        else:
            connection.expect_in_step()
        return normalised(response, case)


def _read_same(pool, connection, case, expected, how):
    try:
        response = connection.read_response(case.head)
        assert normalised(response, case) == expected
        pool.give_back(connection, response)
    except Exception as problem:
        raise AssertionError("%s %s: %r\nexpected %r\nrequest %r"
                             % (case, how, problem, expected, case.raw[:400])) from problem


def check_every_split(mintd, case, offsets=None):
    """In two parts, cut at every offset."""
    expected, pool = reference(mintd.address, case), _Pool(mintd.address)
    offsets = list(offsets or range(1, len(case.raw)))
    for start in range(0, len(offsets), _MANY):
        batch = [(offset, pool.take()) for offset in offsets[start : start + _MANY]]
        for offset, connection in batch:
            connection.send(case.raw[:offset])
        pool.settle()
        for offset, connection in batch:
            connection.send(case.raw[offset:])
        for offset, connection in batch:
            _read_same(pool, connection, case, expected, "cut at %d" % offset)
    pool.finish()


def check_byte_by_byte(mintd, cases):
    """A byte a time, all cases side by side."""
    pool = _Pool(mintd.address)
    work = [(case, reference(mintd.address, case), pool.take()) for case in cases]
    for at in range(max(len(case.raw) for case in cases)):
        for case, _, connection in work:
            if at < len(case.raw):
                connection.send(case.raw[at : at + 1])
        pool.settle()
    for case, expected, connection in work:
        _read_same(pool, connection, case, expected, "byte by byte")
    pool.finish()


def check_fresh_byte_by_byte(mintd, case):
    """A byte a time on a connection that has served nothing before."""
    expected = reference(mintd.address, case)
    with Connection(mintd.address) as connection, Connection(mintd.address) as control:
        for at in range(len(case.raw)):
            connection.send(case.raw[at : at + 1])
            control.expect_in_step()
        response = connection.read_response(case.head)
        assert normalised(response, case) == expected


def check_pipelined(mintd, case):
    """Behind a GET /healthz, and twice in a row, in one segment."""
    expected = reference(mintd.address, case)
    health = reference(mintd.address, Case("health", HEALTH))
    with Connection(mintd.address) as connection:
        connection.send(HEALTH + case.raw)
        assert normalised(connection.read_response(), Case("health", HEALTH)) == health
        response = connection.read_response(case.head)
        assert normalised(response, case) == expected
        if response.says_close:
            return connection.expect_close()
        connection.send(case.raw + case.raw + HEALTH)
        for _ in range(2):
            assert normalised(connection.read_response(case.head), case) == expected
        assert normalised(connection.read_response(), Case("health", HEALTH)) == health
        connection.expect_in_step()
    return None


def check_pipelined_splits(mintd, case):
    """GET /healthz and the request as one piece, cut at every offset of the whole."""
    both = Case(case.name + " behind another", HEALTH + case.raw, case.head)
    expected, pool = reference(mintd.address, case), _Pool(mintd.address)
    for start in range(1, len(both.raw), _MANY):
        batch = [(at, pool.take()) for at in range(start, min(start + _MANY, len(both.raw)))]
        for at, connection in batch:
            connection.send(both.raw[:at])
        pool.settle()
        for at, connection in batch:
            connection.send(both.raw[at:])
        for at, connection in batch:
            first = connection.read_response()
            assert first.status == 200, first
            _read_same(pool, connection, case, expected, "cut at %d behind another" % at)
    pool.finish()
