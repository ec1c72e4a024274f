"""Fixtures of the tests against programs that others wrote: OAuth clients and gateways.

    script/peers            # installs them, builds mintd, runs this
    /usr/bin/python3 -m pytest tests/peers      # MINTD_BINARY, MINTD_RUNNER

    redis, mintd     one for the whole run, with the clients of support.clients and the ones below;
                     its issuer is the address it listens on, so that discovery works
    site             a gateway in front of the application, on that mintd: site.ask(…); for each gateway
    own_site         the same with a Redis, a mintd and a gateway of this test alone, to be broken
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

from support.clients import Client, install_client, install_clients, token_of  # noqa: E402
from support.mintd import Mintd, binary  # noqa: E402
from support.redis_server import RedisServer, free_port  # noqa: E402

from application import Application  # noqa: E402
from gateways import GATEWAY_SECRET, GATEWAYS  # noqa: E402

GATEWAY = Client("gateway", GATEWAY_SECRET, (("permissions", "introspect"),))
# No scope, no audience: what a proxy is told of them is "-".
PLAIN = Client("plain", "pl@in-secret-9")
# All that RFC 6749 allows in a secret and libraries get wrong; simple-oauth2 takes no more than this.
AWKWARD = Client("awkward", "a@b+c d%41:e/f&g=h\"\\~", (("scope", "read write"), ("default_scope", "read")))
# Its tokens live for a second; its secret has ended; it is disabled.
BRIEF = Client("brief", "br1ef-secret-5", (("scope", "read write"), ("ttl", "1")))
LAPSED = Client("lapsed", "l@psed-secret-4", (("secret:1:expires", "1"), ("scope", "read")))
DISABLED = Client("disabled", "d1sabled-secret-3", (("disabled", "1"), ("scope", "read")))
OWN_CLIENTS = (GATEWAY, PLAIN, AWKWARD, BRIEF, LAPSED, DISABLED)


def pytest_sessionstart(session):
    if not os.access(binary(), os.X_OK) and not session.config.option.collectonly:
        pytest.exit("no mintd at %s: build it, or set MINTD_BINARY" % binary(), returncode=2)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"


def install(redis):
    install_clients(redis)
    for client in OWN_CLIENTS:
        install_client(redis, client)


def start_mintd(redis, port=None):
    """One instance whose default issuer is right: its port is known before it starts."""
    instance = Mintd("--trusted-proxies", "127.0.0.1", redis=redis, listen=("127.0.0.1:%d" % (port or free_port()),))
    instance.wait_for_store()
    return instance


@pytest.fixture(scope="session")
def redis():
    with RedisServer() as server:
        install(server)
        yield server


@pytest.fixture(scope="session")
def _mintd(redis):
    with start_mintd(redis) as instance:
        yield instance


@pytest.fixture
def mintd(_mintd, redis):
    """Alive and with a clean log after each test; what failed in one does not count in the next."""
    yield _mintd
    _mintd.check_health()
    if failures := redis.keys("mintd:fail:*"):
        redis.cli("DEL", *failures)


class Site:
    def __init__(self, kind, redis, mintd, application):
        self.kind, self.redis, self.mintd, self.application = kind, redis, mintd, application
        self.gateway = kind("%s:%d" % mintd.address, application)

    def ask(self, *arguments, **more):
        return self.gateway.ask(*arguments, **more)

    def token(self, *arguments, **more):
        return token_of(self.mintd, *arguments, **more)


@pytest.fixture(scope="session")
def application():
    instance = Application()
    yield instance
    instance.close()


@pytest.fixture(scope="session", params=GATEWAYS, ids=lambda kind: kind.program)
def _site(request, redis, _mintd, application):
    site = Site(request.param, redis, _mintd, application)
    yield site
    site.gateway.close()


@pytest.fixture
def site(_site, mintd):
    return _site


@pytest.fixture(params=GATEWAYS, ids=lambda kind: kind.program)
def own_site(request, application):
    with RedisServer() as redis:
        install(redis)
        site = Site(request.param, redis, start_mintd(redis), application)
        try:
            yield site
            site.mintd.stop()
        finally:
            site.gateway.close()
            site.mintd.kill()
