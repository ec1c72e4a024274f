"""Clients that mint, use and revoke tokens while something happens.

    with Load(port, "mintd1 stops") as load:    # no request may fail
        cluster.compose("stop", "mintd1")
    with Outage(port, "redis1 is killed"):      # for a while some may
        cluster.compose("kill", "redis1")

The clients keep their connections. The load is under way before the block starts and goes on for AFTER_S
seconds behind it. At the end it fails with the requests that did.
"""
import http.client
import json
import threading
import time

from support.clients import CODECADEMY, bearer
from support.http import FORM
from support.oauth import wait_until
from support.timing import scaled

CLIENTS = 8
WARM_UP = 200  # requests before the block
AFTER_S = 4.0
PAUSE_S = 0.05  # ahead of the next request, where one was answered 503
HEARD_S = 0.5  # by when every replica has heard of a revocation; mostly it takes a millisecond
TOLD = 10  # failures
AS_CLIENT = dict([FORM, CODECADEMY.basic()])


class Load:
    def __init__(self, port, title):
        self.title = title
        self._port = port
        self._requests, self._slowest, self._failures = 0, 0.0, []
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._clients = [threading.Thread(target=self._client, daemon=True) for _ in range(CLIENTS)]

    def __str__(self):
        return "%s: %d requests, %d failed, the slowest took %.0f ms" % (
            self.title, self._requests, len(self._failures), self._slowest * 1000)

    def __enter__(self):
        for client in self._clients:
            client.start()
        wait_until(lambda: self._requests >= WARM_UP or self._failures, within=30, what="the load is under way")
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self._go_on()
        self._stop.set()
        for client in self._clients:
            client.join()
        if kind is None:
            self._check()

    def _go_on(self):
        self._stop.wait(AFTER_S)

    def _check(self):
        assert not self._failures, "\n".join([str(self), *self._failures[:TOLD]])

    def _explains(self, what):
        """Whether an answer that was not expected is no failure. Called with the lock held."""
        return False

    def _ask(self, connection, expected, method, path, body, headers, or_else=()):
        """One request; its body if it got the status expected, else None. Others than those of or_else count as
        failures."""
        start = time.monotonic()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text, what = response.read(), "%d" % response.status
        except (OSError, http.client.HTTPException) as trouble:
            connection.close()
            text, what = b"", repr(trouble)
        took = time.monotonic() - start
        with self._lock:
            self._requests += 1
            self._slowest = max(self._slowest, took)
            is_odd = what != expected and what not in or_else
            is_explained = is_odd and self._explains(what)
            if is_odd and not is_explained:
                self._failures.append("  %s %s after %.0f ms: %s" % (method, path, took * 1000, what))
        if is_explained:
            self._stop.wait(PAUSE_S)
        return text if what == expected else None

    def _client(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            minted = self._ask(connection, "200", "POST", "/auth", "grant_type=client_credentials", AS_CLIENT)
            if minted is None:
                continue
            token = json.loads(minted)["access_token"]
            as_bearer = dict([bearer(token)])
            for _ in range(3):
                self._ask(connection, "200", "GET", "/secret", None, as_bearer)
            if self._ask(connection, "200", "POST", "/revoke", "token=" + token, AS_CLIENT) is not None:
                self._refused(connection, as_bearer)

    def _refused(self, connection, as_bearer):
        """Another replica than the one that revoked it may have the token in memory for a moment."""
        heard = time.monotonic() + HEARD_S
        while time.monotonic() < heard:
            if self._ask(connection, "401", "GET", "/secret", None, as_bearer, ("200",)) is not None:
                return
        self._ask(connection, "401", "GET", "/secret", None, as_bearer)


class Outage(Load):
    """The block takes a Redis away: for OUTAGE_S seconds from its start 503 is no failure, nor is a token or a
    revocation of that time that is not known afterwards, since Redis copies without waiting. That time is stretched
    by what keeps the machine busy before. The load goes on until AFTER_S seconds behind it, and an outage there has
    to be."""

    OUTAGE_S = 10  # nodes agree after 3 s that one is gone; the election, mintd, HAProxy, and a busy machine

    def __init__(self, port, title):
        super().__init__(port, title)
        self._begun = self._most = None
        self._away = self._undone = 0
        self._last = 0.0  # when the last answer came that was part of it, seconds after the start

    def __str__(self):
        return "%s, %d answered 503, %d undone, the last after %.1f s" % (
            super().__str__(), self._away, self._undone, self._last)

    def __enter__(self):
        self._most = scaled(self.OUTAGE_S)
        super().__enter__()
        self._begun = time.monotonic()
        return self

    def _go_on(self):
        while (left := self._begun + max(self.OUTAGE_S, self._last) + AFTER_S - time.monotonic()) > 0:
            self._stop.wait(left)

    def _check(self):
        super()._check()
        assert self._away, "%s: there was no outage" % self

    def _explains(self, what):
        if self._begun is None or what not in ("503", "200", "401"):
            return False
        after = time.monotonic() - self._begun
        if after > self._most:
            return False
        self._last = max(self._last, after)
        if what == "503":
            self._away += 1
        else:
            self._undone += 1
        return True
