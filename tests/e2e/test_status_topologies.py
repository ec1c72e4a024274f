"""/status.json with Sentinels and with a cluster: the servers and their roles, and what it says while one is lost."""
import contextlib
import json

import pytest

from support import openapi
from support.cluster import SLOTS, Cluster
from support.oauth import brief, row, rows, wait_until
from support.sentinel import Sentinels
from support.status import Watched, instance

INSTANCES = "mintd:instances"


@pytest.fixture
def cluster():
    with Cluster() as three:
        yield three


@pytest.fixture
def group():
    with Sentinels() as sentinels:
        yield sentinels


def watch(start_mintd, redis, **more):
    one = Watched(start_mintd, redis.url, **more)
    one.mintd.wait_for_store()
    return one


def watch_cluster(start_mintd, cluster, **more):
    one = watch(start_mintd, cluster, **more)
    wait_for_nodes_of(one, cluster.masters)
    return one


def wait_for_nodes_of(one, masters):
    wait_until(lambda: len(up_of(one)) == len(masters), 10, "all nodes are up")


def nodes_of(one):
    return one.status()["redis"]["nodes"]


def up_of(one):
    return [node for node in nodes_of(one) if node["up"]]


def lost(node):
    """It is away: why is said, its role is not."""
    return not node["up"] and node["trouble"] in ("disconnected", "timeout") and "role" not in node


def write_other(redis, name="other"):
    """The record of an instance that does not run."""
    redis.cli("SADD", INSTANCES, name)
    redis.cli("SET", "mintd:instance:" + name, json.dumps({"version": "1", "notices": ["client differs"]}))


# ---- all that is described ----


@brief
@row("STATUS")
def test_each_member_that_is_described_occurs(start_mintd, cluster, own_redis):
    """That no other one does is checked with each answer."""
    seen = set()
    one, alone = watch_cluster(start_mintd, cluster), Watched(start_mintd, own_redis, name="alone")
    write_other(own_redis)
    wait_until(lambda: alone.instance("other"), 10, "the other instance")
    seen |= openapi.members_in(one.status()) | openapi.members_in(alone.status())
    own_redis.kill()
    wait_until(lambda: alone.status()["troubles"], 10, "a trouble")
    seen |= openapi.members_in(alone.status())
    described = openapi.members_of({"$ref": "#/components/schemas/Status"})
    assert seen == described and {"redis.nodes.slots", "instances.list.rates.minted", "reason"} <= described


# ---- a cluster ----


@row("STATUS")
def test_a_cluster_is_its_masters_and_their_slots(start_mintd, cluster):
    one = watch_cluster(start_mintd, cluster)
    redis = one.status()["redis"]
    assert redis["kind"] == "cluster" and "error" not in redis
    assert {node["address"] for node in redis["nodes"]} == {"127.0.0.1:%d" % node.port for node in cluster.masters}
    assert sum(node["slots"] for node in redis["nodes"]) == SLOTS
    assert all(node["up"] and node["role"] == "master" and "trouble" not in node for node in redis["nodes"])


def has(one, server):
    return "127.0.0.1:%d" % server.port in {node["address"] for node in up_of(one)}


@row("STATUS")
def test_replicas_are_not_shown_until_they_are_masters(start_mintd):
    with Cluster(3, replicas=1) as cluster:
        one = watch_cluster(start_mintd, cluster)
        assert len(nodes_of(one)) == 3
        old = cluster.masters[0]
        new = cluster.fail_over(old)
        wait_until(lambda: has(one, new) and not has(one, old), 10, "the new master in place of the old one")
        assert one.node(new)["role"] == "master" and len(nodes_of(one)) == 3


@brief
@rows("STATUS", killed="kill", silent="pause")
def test_a_lost_node_of_a_cluster(start_mintd, cluster, case):
    """That has the list of the instances and the record of one: both stay as they were."""
    away = cluster.owner(INSTANCES)
    other = next(cluster.names_on(away, form="mintd:instance:%s", prefix="other"))
    beside = next(node for node in cluster.masters if node is not away)
    write_other(cluster, other)
    one = watch_cluster(start_mintd, cluster, name=next(cluster.names_on(beside, form="mintd:instance:%s")))
    wait_until(lambda: one.instance(other), 10, "the other instance")
    getattr(away, case)()
    wait_until(lambda: lost(one.node(away)), 10, "it is lost")
    assert sorted(node["up"] for node in nodes_of(one)) == [False, True, True]
    assert one.node(away)["slots"], "its slots are still its own"
    wait_until(lambda: one.status()["instances"].get("error") in ("disconnected", "timeout"), 10, "the list is away")
    status = one.status()
    assert status["ready"] and "error" not in status["redis"], "the others serve"
    assert not instance(status, other)["gone"], "nobody knows"
    trouble = wait_until(lambda: one.status()["troubles"], 10, "it is remembered")[0]
    assert trouble["reason"] in ("disconnected", "timeout") and trouble["operations"]
    away.start() if case == "kill" else away.resume()
    wait_for_nodes_of(one, cluster.masters)
    wait_until(lambda: "error" not in one.status()["instances"], 10, "the list is back")


@brief
@row("STATUS")
def test_most_nodes_of_a_cluster_are_lost(start_mintd, cluster):
    one = watch_cluster(start_mintd, cluster)
    for node in cluster.masters[1:]:
        node.kill()
    wait_until(lambda: one.status()["redis"].get("error") in ("disconnected", "cluster"), 10, "it is said")
    status = one.status()
    assert not status["ready"] and status["reason"] in ("disconnected", "cluster")
    assert one.instance("watched"), "what it knows by itself is said"


# ---- Sentinels ----


def by_role(status):
    return sorted((node["role"], node["address"]) for node in status["redis"]["nodes"] if node["up"])


@row("STATUS")
def test_sentinels_and_the_master_that_they_name(start_mintd, group):
    one = watch(start_mintd, group)
    everyone = [("master", "127.0.0.1:%d" % group.master.port),
                *(("sentinel", "127.0.0.1:%d" % sentinel.port) for sentinel in group.each)]
    wait_until(lambda: by_role(one.status()) == sorted(everyone), 10, "all are up")
    status = one.status()
    assert status["redis"]["kind"] == "sentinel" and "error" not in status["redis"] and len(nodes_of(one)) == 4
    group.each[2].kill()
    wait_until(lambda: not one.node(group.each[2])["up"], 10, "the loss of one")
    gone = one.node(group.each[2])
    assert gone["role"] == "sentinel" and gone["trouble"] == "disconnected"
    assert one.status()["ready"], "one that is lost harms nothing"


@brief
@rows("STATUS", killed="kill", silent="pause")
def test_a_lost_master_and_the_one_that_follows(start_mintd, group, case):
    one = watch(start_mintd, group)
    old, new = group.master, group.replica
    getattr(old, case)()
    with contextlib.ExitStack() as stack:
        if case == "pause":
            stack.callback(old.resume)
        if case == "kill":  # of one that is silent the Sentinels know as soon as mintd does, and name the next one
            seen = wait_until(lambda: lost_master(one.status(), old), 10, "it is lost")
            assert not seen["ready"] and seen["reason"] == seen["redis"]["error"]
        wait_until(lambda: ("master", "127.0.0.1:%d" % new.port) in by_role(one.status()), 30, "the new master")
        status = wait_until(lambda: (now := one.status())["ready"] and now, 10, "readiness")
        assert [role for role, _ in by_role(status)].count("master") == 1 and "error" not in status["redis"]
        assert status["troubles"], "it is remembered"


def lost_master(status, old):
    nodes = [node for node in status["redis"]["nodes"] if node.get("role") != "sentinel"]
    assert len(nodes) == 1, "there is one at a time"
    return status if "error" in status["redis"] and not nodes[0]["up"] else None
