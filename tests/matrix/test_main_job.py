"""G-29: the whole job on each form of Redis, with one instance and with three. script/matrix says with which server.

A client is made with mintctl. Each instance mints, each takes what any has minted, and refuses what any has revoked.
Redis keeps each token as one key that ends. Then the Redis with the client's record dies by kill -9: it comes back, or
another takes its place. All of it has to go on by itself: what was good is good, what was revoked is not.
"""
import contextlib
import itertools

import pytest

from support.clients import G, basic, bearer, token_key
from support.cluster import Cluster, wait_for_nodes
from support.http import form_request
from support.mintctl import Mintctl
from support.mintd import Mintd
from support.oauth import wait_until
from support.redis_server import RedisServer
from support.sentinel import Sentinels

LIFE, WORKERS, WITHIN = 3600, 2, 30
LOSES_NOTHING = ("--appendonly", "yes", "--appendfsync", "always")
CALLER, OWNER = "gateway", "billing"


class Standalone:
    """One that comes back with what it had written."""

    def __init__(self):
        self.server = RedisServer()
        self.server.kill()
        self.server.start(*LOSES_NOTHING)
        self.url, self.cli = self.server.url, self.server.cli
        self.close = self.server.close

    def wait_until_linked(self, instance):
        instance.wait_for_store()

    def wait_until_copied(self, tokens):
        pass

    def lose(self):
        self.server.kill()
        self.server.start(*LOSES_NOTHING)


class BehindSentinels:
    """A master and its replica; three Sentinels."""

    def __init__(self):
        self._group = Sentinels()
        self.url, self.close = self._group.url, self._group.close

    def cli(self, *words):
        return self._group.ask(self._group.master, *words)

    def wait_until_linked(self, instance):
        instance.wait_for_store()

    def wait_until_copied(self, tokens):
        wait_until(self._group.has_copy(self._group.replica, *tokens), WITHIN, "the replica has the tokens")

    def lose(self):
        old, new = self._group.master, self._group.replica
        old.kill()
        self._group.wait_until_named(new)


class InACluster:
    """Three masters with a replica each."""

    def __init__(self):
        self._cluster = Cluster(3, replicas=1)
        self.url, self.cli, self.close = self._cluster.url, self._cluster.cli, self._cluster.close

    def wait_until_linked(self, instance):
        wait_for_nodes(instance, WORKERS)

    def wait_until_copied(self, tokens):
        """WAIT on each master: what it has written, its replica has."""
        for master in self._cluster.masters:
            assert master.cli("WAIT", 1, WITHIN * 1000) == 1

    def lose(self):
        old = self._cluster.owner("mintd:client:" + OWNER)
        new = self._cluster.replicas_of(old)[0]
        old.kill()
        self._cluster.wait_until_promoted(new, WITHIN)


class Service:
    """Instances on one Redis, and two clients: who owns tokens, and who asks about them."""

    def __init__(self, redis, instances):
        self.redis, self.instances = redis, instances
        ctl = Mintctl(redis.url)
        self.owner = basic(OWNER, ctl.secret("client", "add", OWNER, "--scope", "read write", "--ttl", str(LIFE)))
        self.caller = basic(CALLER, ctl.secret("client", "add", CALLER, "--permission", "introspect"))
        self.ctl = ctl

    def mint(self, instance, endpoint="/auth"):
        answer = instance.exchange(form_request(endpoint, G, [self.owner]))
        return answer.json()["access_token"] if answer.status == 200 else None

    def mint_everywhere(self):
        """A token of each instance, from either endpoint; waits until each can."""
        return [wait_until(lambda: self.mint(one, endpoint), WITHIN, "a token")  # pylint: disable=cell-var-from-loop
                for one, endpoint in itertools.product(self.instances, ("/auth", "/token"))]

    def verdicts(self, token):
        """What each instance says of it: /secret, /verify, /introspect. A 503 is none."""
        for one in self.instances:
            for path in ("/secret", "/verify"):
                yield {200: True, 401: False}.get(one.request("GET", path, [bearer(token)]).status)
            answer = one.exchange(form_request("/introspect", {"token": token}, [self.caller]))
            yield answer.json()["active"] if answer.status == 200 else None

    def wait_until_all_say(self, verdict, tokens):
        for token in tokens:
            wait_until(lambda: set(self.verdicts(token)) == {verdict}, WITHIN,  # pylint: disable=cell-var-from-loop
                       "all say %s" % verdict)

    def revoke(self, instance, token):
        return instance.exchange(form_request("/revoke", {"token": token}, [self.owner])).status == 200


@pytest.fixture(name="service", params=[pytest.param((form, count), id="G-29-%s-%d" % (name, count))
                                        for name, form in (("standalone", Standalone), ("sentinel", BehindSentinels),
                                                           ("cluster", InACluster))
                                        for count in (1, 3)])
def _service(request):
    form, count = request.param
    with contextlib.ExitStack() as stack:
        redis = form()
        stack.callback(redis.close)
        instances = [stack.enter_context(Mintd(redis=redis, workers=WORKERS, name="mintd-%d" % n)) for n in range(count)]
        for one in instances:
            redis.wait_until_linked(one)
        yield Service(redis, instances)


def test_the_main_job(service):
    redis = service.redis
    tokens = service.mint_everywhere()
    assert len(set(tokens)) == 2 * len(service.instances)
    service.wait_until_all_say(True, tokens)
    for token in tokens:
        assert 0 < redis.cli("TTL", token_key(token)) <= LIFE

    good, by_http, by_hand = tokens[0], tokens[1], service.mint(service.instances[-1])
    service.wait_until_all_say(True, [by_hand])
    assert service.revoke(service.instances[-1], by_http)
    assert redis.cli("DEL", token_key(by_hand)) == 1
    service.wait_until_all_say(False, [by_http, by_hand])
    assert set(service.verdicts(good)) == {True}
    redis.wait_until_copied([good])

    redis.lose()
    fresh = service.mint_everywhere()
    service.wait_until_all_say(True, [good, *fresh])
    service.wait_until_all_say(False, [by_http, by_hand])

    service.ctl("token", "revoke-all", OWNER)
    service.wait_until_all_say(False, [good, *fresh])
    assert service.mint(service.instances[0])
    for one in service.instances:
        one.check_health()
