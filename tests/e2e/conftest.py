"""Fixtures of the end-to-end tests: the real binary, real Redis, raw sockets and curl.

    /usr/bin/python3 -m pytest tests/e2e            # MINTD_BINARY, MINTD_RUNNER

A machine that is slow or busy stretches the deadlines of tests by itself (timing.py). mintd's own deadline for
Redis is long in tests that are not about it: `@brief` gives one that is mintd's default.

A tour of support/
    redis_server.py  RedisServer: start, kill, pause, restart on the same port, cli(), monitor()
    cluster.py       Cluster: masters and replicas, slots that move, nodes that come, go and fail over
    fake_cluster.py  FakeCluster: nodes that follow a dialogue
    mintd.py         Mintd: the child, its log as events, stop() that asserts a clean end; run()
    http.py          Connection, exchange(), request_bytes(), form_request(), check_common(), curl()
    clients.py       SVC_A, SVC_B, NOGRANT, RS_1, CODECADEMY; mint(), token_of(), basic(), bearer()
    tls.py           Certificate: made by openssl; contexts of clients; s_client(), sslscan()
    fragments.py     one request in every way that TCP may cut it
    prometheus.py    a strict reader of /metrics

Marks
    lengthy      a test of about ten seconds or more: these start first

Fixtures
    redis        one Redis for the whole run, with the clients installed; leave it running, unpaused,
                 and with its clients as they were
    pair         two instances of one worker each on that Redis (pair.a, pair.b); leave them healthy
    mintd        pair.a
    own_redis    a Redis of this test alone, clients installed: kill it, pause it, break it
    own_mintd    one instance on own_redis, store up; stopped and checked at the end if it still runs
    secure       one instance that speaks TLS with `certificate`, on the shared Redis
    start_mintd  start_mintd(*arguments, redis=…, …) -> Mintd, as many as wanted, likewise ended;
                 with the --redis-timeout of a mark redis_timeout (oauth.brief)

After each test that used the shared instances both must be alive, answer /healthz on a new
connection, and have a clean log: no line that is not JSON, no sanitizer report, no secret. An
instance that is not alive fails that test alone; the next one finds a fresh one. So it does where a test
had a slow secret checked: from then on each refusal of that instance takes a slow check (TI-4), which is
most of what a refusal costs. Counters of failed authentications (mintd:fail:*) are removed from the shared
Redis after each test.
"""
import os

import pytest

from support.clients import install_clients, mint
from support.mintd import Mintd, binary
from support.oauth import wait_until
from support.redis_server import RedisServer
from support.tls import Certificate

ISSUER = "https://mintd.example"


def pytest_sessionstart(session):
    if not os.access(binary(), os.X_OK) and not session.config.option.collectonly:
        pytest.exit("no mintd at %s: build it, or set MINTD_BINARY" % binary(), returncode=2)


def pytest_collection_modifyitems(items):
    """The long ones first, each to another worker; the rest fills what they leave."""
    items.sort(key=lambda item: item.get_closest_marker("lengthy") is None)


def refuses_slowly(instance):
    return b"\nmintd_secret_slow_checks_total 0\n" not in instance.request("GET", "/metrics").body


class Pair:
    """Two instances that share one Redis."""

    def __init__(self, redis):
        self._redis = redis
        self._instances = {}

    def _get(self, name):
        instance = self._instances.get(name)
        if instance is None:
            instance = Mintd("--issuer", ISSUER, redis=self._redis, name=name)
            self._instances[name] = instance
            instance.wait_for_store()
            # A tool that translates the program as it runs makes the first requests slow.
            wait_until(lambda: mint(instance).status == 200, 5, "the first token")
        return instance

    @property
    def a(self):
        return self._get("a")

    @property
    def b(self):
        return self._get("b")

    def __iter__(self):
        return iter((self.a, self.b))

    def check(self):
        """Both healthy; one that is not is put away, so that the next test gets a fresh one, and so is one
        that makes each refusal a slow one."""
        for name, instance in list(self._instances.items()):
            try:
                instance.check_health()
                if not refuses_slowly(instance):
                    continue
            except BaseException:
                del self._instances[name]
                instance.kill()
                raise
            del self._instances[name]
            instance.stop()

    def stop(self):
        for instance in list(self._instances.values()):
            instance.stop()


@pytest.fixture(scope="session")
def redis():
    with RedisServer() as server:
        install_clients(server)
        yield server


@pytest.fixture(scope="session")
def _instances(redis):
    pair = Pair(redis)
    yield pair
    pair.stop()


@pytest.fixture
def pair(_instances, redis):
    list(_instances)  # both run
    yield _instances
    _instances.check()
    failures = redis.keys("mintd:fail:*")
    if failures:
        redis.cli("DEL", *failures)


@pytest.fixture
def mintd(pair):
    return pair.a


@pytest.fixture
def own_redis():
    with RedisServer() as server:
        install_clients(server)
        yield server


@pytest.fixture
def start_mintd(request):
    started = []
    marker = request.node.get_closest_marker("redis_timeout")
    deadline = {"MINTD_REDIS_TIMEOUT": str(marker.args[0])} if marker else {}

    def start(*arguments, env=None, **more):
        more["env"] = {**deadline, **(env or {})}
        instance = Mintd(*arguments, **more)
        started.append(instance)
        return instance

    yield start
    problems = []
    for instance in started:
        try:
            if instance.is_alive:
                instance.stop()
            else:
                instance.check_log()
        except AssertionError as problem:
            problems.append(problem)
        finally:
            instance.kill()
    if problems:
        raise problems[0]


@pytest.fixture
def own_mintd(start_mintd, own_redis):
    instance = start_mintd("--issuer", ISSUER, redis=own_redis)
    instance.wait_for_store()
    return instance


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """For certificates."""
    return str(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def certificate(folder):
    return Certificate(folder, "first")


@pytest.fixture
def secure(start_mintd, redis, certificate):
    instance = start_mintd(redis=redis, certificate=certificate)
    instance.wait_for_store()
    return instance
