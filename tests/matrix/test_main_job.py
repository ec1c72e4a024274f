"""G-29: the whole job on each form of Redis, with one instance and with three. script/matrix says with which server.

A client is made with mintctl. Each instance mints, each takes what any has minted, and refuses what any has revoked.
Redis keeps each token as one key that ends. Then the Redis with the client's record dies by kill -9: it comes back, or
another takes its place. All of it has to go on by itself: what was good is good, what was revoked is not.
"""
import contextlib
import itertools
import re

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


def offset(info):
    """How far a Redis has come, by its INFO replication."""
    return int(re.search(r"^master_repl_offset:(\d+)", info, re.M).group(1))


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

    def wait_until_copied(self):
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

    def wait_until_copied(self):
        def come(server):
            return offset(self._group.ask(server, "INFO", "replication"))

        master, replica = self._group.master, self._group.replica
        far = come(master)
        wait_until(lambda: come(replica) >= far, WITHIN, "the replica has all")

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

    def wait_until_copied(self):
        def come(node):
            return offset(node.cli("INFO", "replication"))

        for master in self._cluster.masters:
            replica, far = self._cluster.replicas_of(master)[0], come(master)
            wait_until(lambda: come(replica) >= far, WITHIN, "the replica has all")  # pylint: disable=cell-var-from-loop

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
        """Two tokens of each instance, from either endpoint; waits until each can."""
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
        raw = form_request("/revoke", {"token": token}, [self.owner])
        wait_until(lambda: instance.exchange(raw).status == 200, WITHIN, "it is revoked")


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
    redis, instances = service.redis, service.instances
    tokens = service.mint_everywhere()
    assert len(set(tokens)) == 2 * len(instances)
    service.wait_until_all_say(True, tokens)
    for token in tokens:
        assert 0 < redis.cli("TTL", token_key(token)) <= LIFE

    good, (by_hand, *others), revoked = tokens[:1], service.mint_everywhere(), tokens[1::2]
    good += tokens[2::2] + others
    for one, token in zip((*instances[1:], instances[0]), revoked):  # not by who has minted it, where there are others
        service.revoke(one, token)
    assert redis.cli("DEL", token_key(by_hand)) == 1
    service.wait_until_all_say(False, [*revoked, by_hand])
    service.wait_until_all_say(True, good)
    redis.wait_until_copied()

    redis.lose()
    good += service.mint_everywhere()
    service.wait_until_all_say(True, good)
    service.wait_until_all_say(False, [*revoked, by_hand])

    service.ctl("token", "revoke-all", OWNER)
    service.wait_until_all_say(False, good)
    service.wait_until_all_say(True, service.mint_everywhere())
    for one in instances:
        one.check_health()
