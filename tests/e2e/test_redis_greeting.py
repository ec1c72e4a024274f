"""Who answers at --redis does not know HELLO, or is no Redis at all."""
import itertools
import os
import socket
import threading

import pytest

from support.clients import G
from support.http import form_request
from support.mintctl import Mintctl
from support.oauth import BA, check_welcome, minted, row, rows, use
from support.redis_proxy import Cut, RedisProxy, Replace
from support.redis_server import server_program


@pytest.fixture
def proxy(own_redis):
    proxy = RedisProxy(own_redis.port)
    yield proxy
    proxy.stop()


TOLD = "redis refuses HELLO 3; going on in RESP2, without answers from memory"


@rows("F-16", a=Replace(b"-unsupported\r\n"), b=Replace(b"-ERR unsupported\r\n"),
      c=Replace(b"-NOPERM this user has no permissions to run the 'hello' command\r\n"), d=Cut(0))
def test_hello_is_refused(start_mintd, proxy, case):
    """RESP2 without memory, and it serves; said once."""
    proxy.rule = lambda command: case if command[0] == b"HELLO" else None
    instance = start_mintd(redis=proxy.url)
    instance.wait_for_store()
    check_welcome(use(instance, minted(instance)[0]))
    told = instance.wait_for_log(TOLD)
    assert not isinstance(case, Cut) or "maybe a proxy without HELLO" in told["reply"], told
    since = instance.mark()
    proxy.cut()
    instance.wait_for_log("redis is back", since=since)
    assert not instance.find_log(TOLD, since=since)
    check_welcome(use(instance, minted(instance)[0]))
    done = Mintctl(proxy.url)("client", "list")
    assert "svc-a" in done.out, done


# ---- told once by a process, however many workers it has ----

WORKERS = 4
OLD = ({"server": "redis", "version": "6.2.14", "proto": 3, "id": 7, "mode": "standalone", "role": "master"})
UNTOLD = "redis does not tell of changes (CLIENT TRACKING)"
TELLS = "redis tells of changes now: answers come from memory"


def resp3_map(members):
    """As the reply to HELLO 3."""
    parts = [b"%%%d\r\n" % len(members)]
    for item in itertools.chain.from_iterable(members.items()):
        data = str(item).encode()
        parts.append(b":%s\r\n" % data if isinstance(item, int) else b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def begins(words):
    return lambda line: line["message"].startswith(words)


class Fault:
    """Something that stands against a Redis: what is told of it, how it is made, and how mended."""

    def __init__(self, words, rule=None, make=(), mend=(), over=None):
        self.words, self.rule, self.make, self.mend, self.over = words, rule, make, mend, over


FAULTS = {
    "hello": Fault(TOLD, rule=lambda c: Replace(b"-ERR unsupported\r\n") if c[0] == b"HELLO" else None),
    "hello-hangs-up": Fault(TOLD, rule=lambda c: Cut(0) if c[0] == b"HELLO" else None),
    "tracking": Fault(UNTOLD, rule=lambda c: Replace(b"-NOPERM no\r\n") if c[:2] == [b"CLIENT", b"TRACKING"] else None,
                      over=TELLS),
    "old": Fault("redis is too old to be relied on",
                 rule=lambda c: Replace(resp3_map(OLD)) if c[:2] == [b"HELLO", b"3"] else None, over=TELLS),
    "layout": Fault("the data in redis was laid out by another version", make=("SET", "mintd:schema", "99"),
                    mend=("SET", "mintd:schema", "1")),
}


@rows("F-16-once", **FAULTS)
def test_what_stands_is_told_once(start_mintd, own_redis, proxy, case):
    """By the first worker that meets it; again only when it was gone for all of them, which the last tells."""
    def set_fault(is_there):
        proxy.rule = case.rule if is_there else None
        if case.make:
            own_redis.cli(*(case.make if is_there else case.mend))

    def renew():
        since = instance.mark()
        proxy.cut()
        instance.wait_for_log("redis is back", since=since, count=WORKERS)

    def told(words):
        return len(instance.find_log(begins(words)))

    set_fault(True)
    instance = start_mintd(redis=proxy.url, workers=WORKERS)
    instance.wait_for_log("redis is connected", count=WORKERS)
    renew()
    assert told(case.words) == 1, instance.log_text
    set_fault(False)
    renew()
    if case.over:
        instance.wait_for_log(case.over)
    renew()
    assert told(case.words) == 1 and (not case.over or told(case.over) == 1), instance.log_text
    set_fault(True)
    renew()
    renew()
    assert told(case.words) == 2, instance.log_text


class Stranger:
    """A server that says these words to whoever has said something."""

    def __init__(self, words):
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(self._words)
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def check_named(start_mintd, url, words):
    instance = start_mintd(redis=url)
    instance.wait_for_log(lambda line: words in line.get("reason", ""))
    assert instance.request("GET", "/readyz").status == 503
    assert instance.exchange(form_request("/token", G, [BA])).status == 503
    assert words in Mintctl(url)("client", "list", status=3).err


@rows("STRANGER", http=(b"HTTP/1.1 400 Bad Request\r\n\r\n", "it is no Redis: it speaks HTTP"),
      ssh=(b"SSH-2.0-OpenSSH_9.2p1\r\n", "it is no Redis: it speaks SSH"),
      tls=(b"\x15\x03\x01\x00\x02\x02\x46", "its port is for TLS"),
      smtp=(b"220 mail ESMTP\r\n", "it is no Redis"), mute=(b"", "maybe its port is for TLS (rediss://), it is no Redis"))
def test_no_redis_is_named(start_mintd, case):
    words, named = case
    stranger = Stranger(words)
    try:
        check_named(start_mintd, stranger.url, named)
    finally:
        stranger.close()


@row("STRANGER-itself")
def test_mintd_is_no_redis(start_mintd, mintd):
    """A wrong port in --redis, as people give it: that of mintd itself."""
    check_named(start_mintd, "redis://127.0.0.1:%d" % mintd.address[1], "it speaks HTTP")


@row("STRANGER-itself-tls")
def test_tls_is_no_redis(start_mintd, secure):
    check_named(start_mintd, "redis://127.0.0.1:%d" % secure.address[1], "TLS")


@row("SERVER-named")
def test_the_server_that_was_named_is_the_one_that_runs(redis):
    """MINTD_REDIS_SERVER: that tests with Valkey are such."""
    assert ("valkey_version:" in redis.cli("INFO", "server")) == ("valkey" in os.path.basename(server_program()))
