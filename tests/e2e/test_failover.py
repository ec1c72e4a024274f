"""Another server becomes the master, and the one before goes on answering reads.

It is left within 2 s, in each worker, whether or not anything writes: what is revoked on the new
master is never good for longer.
"""
import threading
import time

import pytest

from support.clients import bearer, install_clients, token_key
from support.http import request_bytes
from support.oauth import forged_token, minted, row, rows, use, wait_status, wait_until
from support.redis_proxy import RedisProxy, Replace
from support.redis_server import RedisServer, free_port
from support.wire import Wire

CONNECTIONS = 32  # of four workers: each has some
LEFT_WITHIN = 3.0


@pytest.fixture
def servers():
    """A master with the clients installed, and its replica."""
    with RedisServer("--repl-diskless-sync-delay", "0") as master, RedisServer() as replica:
        install_clients(master)
        replica.cli("REPLICAOF", "127.0.0.1", str(master.port))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), 20)
        yield master, replica


def demote(master, replica):
    """By hand: no client's connection is closed, and the old master finds nobody to copy from."""
    replica.cli("REPLICAOF", "NO", "ONE")
    master.cli("REPLICAOF", "127.0.0.1", str(free_port()))


def has_copy(replica, token):
    return lambda: replica.cli("EXISTS", token_key(token)) == 1


class Validations:
    """Validations and nothing else, on connections to every worker, all the while: of this token, and
    of some that nobody has seen before, so that each link is busy with reads."""

    def __init__(self, instance, token):
        self._token = token
        self._wires = [Wire(instance.address) for _ in range(CONNECTIONS)]
        self._answers = []  # (when it was asked, status)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        raw = request_bytes("GET", "/secret", [bearer(self._token)])
        unseen = request_bytes("GET", "/secret", [bearer(forged_token())])
        while not self._stop.is_set():
            for wire in self._wires:
                wire.ask(unseen)
                asked = time.monotonic()
                self._answers.append((asked, wire.ask(raw)[0]))

    def since(self, moment):
        return [status for asked, status in list(self._answers) if asked >= moment]

    def wait_for(self, status, within):
        """Until this is every worker's answer: of each connection, twice."""
        def all_are():
            last = self._answers[-2 * CONNECTIONS:]
            return len(last) == 2 * CONNECTIONS and {answer for _, answer in last} == {status}

        wait_until(all_are, within, "each worker answers %d" % status)

    def seconds_of(self, seconds):
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > seconds and len(self.since(started)) > 2 * CONNECTIONS, 60)
        return self.since(started)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for wire in self._wires:
            wire.close()


def check_left(instance, servers, token):
    master, replica = servers
    wait_until(has_copy(replica, token), 5)
    with Validations(instance, token) as validations:
        assert set(validations.seconds_of(0.5)) == {200}
        demote(master, replica)
        replica.cli("DEL", token_key(token))
        validations.wait_for(503, LEFT_WITHIN)
        assert set(validations.seconds_of(2)) == {503}
    assert instance.find_log("redis is lost"), instance.log_text


@rows("B-1", stale=("yes", ()), not_stale=("no", ()), without_memory=("yes", ("--cache-size", "0")))
def test_a_demoted_master_is_left(start_mintd, servers, case):
    """B-1, F-10: four workers, and each of them leaves it."""
    stale, options = case
    servers[0].cli("CONFIG", "SET", "replica-serve-stale-data", stale)
    instance = start_mintd(*options, redis=servers[0], workers=4)
    instance.wait_for_store()
    token, _ = minted(instance)
    check_left(instance, servers, token)
    # It is the master again: taken again, by each.
    servers[0].cli("REPLICAOF", "NO", "ONE")
    wait_status(instance, 200, within=3)
    with Validations(instance, token) as validations:
        wait_until(lambda: set(validations.seconds_of(0.2)) == {200}, 10)


@rows("B-1-resp2", unknown=b"-ERR unknown command 'HELLO'\r\n", noproto=b"-NOPROTO sorry\r\n")
def test_a_demoted_master_is_left_in_resp2(start_mintd, servers, case):
    proxy = RedisProxy(servers[0].port)
    proxy.rule = lambda command: Replace(case) if command[:2] == [b"HELLO", b"3"] else None
    try:
        instance = start_mintd(redis=proxy.url, workers=4)
        instance.wait_for_store()
        check_left(instance, servers, minted(instance)[0])
    finally:
        proxy.stop()


@row("B-1-idle")
def test_a_demoted_master_is_left_where_nobody_asks(start_mintd, servers):
    """Not one request; then one. The copy that was good is not trusted."""
    master, replica = servers
    instance = start_mintd(redis=master, workers=4)
    instance.wait_for_store()
    token, _ = minted(instance)
    wires = [Wire(instance.address) for _ in range(CONNECTIONS)]
    raw = request_bytes("GET", "/verify", [bearer(token)])
    assert {wire.ask(raw)[0] for wire in wires} == {200}
    wait_until(has_copy(replica, token), 5)
    since = instance.mark()
    demote(master, replica)
    replica.cli("DEL", token_key(token))
    instance.wait_for_log("redis is lost", timeout=5, since=since, count=4, trouble="readonly")
    assert {wire.ask(raw)[0] for wire in wires} == {503}
    for wire in wires:
        wire.close()


@row("B-1-few-rights")
def test_a_demoted_master_is_left_by_a_user_with_few_rights(start_mintd, servers):
    """Who may ask neither ROLE nor INFO: HELLO is everybody's."""
    master, replica = servers
    master.cli("ACL", "SETUSER", "mintd", "on", ">canary-of-mintd", "~mintd:*", "+get", "+set", "+setex", "+hgetall",
               "+ping", "+client|tracking", "+select")
    instance = start_mintd(redis="redis://mintd:canary-of-mintd@127.0.0.1:%d" % master.port, workers=4)
    instance.wait_for_store()
    check_left(instance, servers, minted(instance)[0])


@row("B-1-resync")
def test_a_demoted_master_that_copies_the_new_one(start_mintd, servers):
    """It answers with what the new master has, and is left all the same: what it answers is late."""
    master, replica = servers
    instance = start_mintd(redis=master, workers=4)
    instance.wait_for_store()
    token, _ = minted(instance)
    wait_until(has_copy(replica, token), 5)
    with Validations(instance, token) as validations:
        replica.cli("REPLICAOF", "NO", "ONE")
        master.cli("REPLICAOF", "127.0.0.1", str(replica.port))
        validations.wait_for(503, LEFT_WITHIN)
        assert set(validations.seconds_of(1)) == {503}
    assert use(instance, token).status == 503
