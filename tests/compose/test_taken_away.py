"""What happens while Redis, replicas of mintd, and at last all containers go away and come back, under load."""
import dataclasses
import time
from concurrent import futures

import pytest

from clusters import PORTS, REPLICAS, everywhere
from support.oauth import wait_until

on = pytest.mark.on
with_tls = on("sentinel", "cluster")

DRAIN_DELAY_S = 5  # of the image
MINUTE = 60


# ---- Redis goes ----


@dataclasses.dataclass
class FailOver:
    token: str  # from before
    statuses: dict  # of that token on each port, while redis1 was away
    runs_since: tuple  # of mintd, before and after


@pytest.fixture(scope="session")
def failed_over(running, outage):
    """redis1 was killed under load, and is back."""
    token, before = running.mint(4002), running.runs_since()
    with outage("redis1 is killed"):
        running.compose("kill", "redis1")
    running.await_ready(*PORTS)
    seen = FailOver(token, running.use_when_up(token), (before, running.runs_since()))
    running.compose("start", "redis1")
    return seen


@with_tls
def test_a_token_outlives_its_master(cluster, failed_over):
    assert failed_over.statuses == everywhere(200)


@with_tls
def test_mintd_is_not_restarted(cluster, failed_over):
    before, after = failed_over.runs_since
    assert before == after


@on("sentinel")
def test_another_one_is_the_master(cluster, failed_over):
    assert cluster.master() in ("redis2", "redis3")


# ---- replicas of mintd go ----


@on("redis")
def test_a_replica_that_stops_says_so_and_serves(cluster):
    """For as long as the image has it wait ahead of the drain."""
    begun = time.monotonic()
    with futures.ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(cluster.compose, "stop", "mintd3")
        wait_until(lambda: cluster.status(4003, "/readyz") == 503, within=10, what="it says that it stops")
        cluster.mint(4003)
        assert cluster.status(4003, "/readyz") == 503
        stopping.result()
    took = time.monotonic() - begun
    cluster.compose("start", "mintd3")
    cluster.await_ready(4003)
    assert took >= DRAIN_DELAY_S, "it had stopped after %.1f s" % took


@on("redis", "cluster")
def test_replicas_come_and_go(cluster, load):
    come_and_go(cluster, load)


@on("sentinel")
def test_replicas_come_and_go_without_a_sentinel(cluster, load):
    with load("a Sentinel is killed"):
        cluster.compose("kill", "sentinel1")
    come_and_go(cluster, load)
    cluster.compose("start", "sentinel1")


def come_and_go(cluster, load):
    with load("mintd1 stops"):
        cluster.compose("stop", "mintd1")
    with load("mintd1 comes back"):
        cluster.compose("start", "mintd1")
    cluster.await_ready(4001)
    with load("mintd2 is killed"):
        cluster.compose("kill", "mintd2")
    assert len(cluster.compose("ps", "-q", *REPLICAS).split()) == 2
    with load("mintd2 comes back"):
        cluster.compose("start", "mintd2")
    cluster.await_ready(4002)


# ---- at last ----


@with_tls
def test_the_old_master_is_a_replica(cluster, failed_over):
    """Stands here because it takes the Sentinels some seconds."""
    wait_until(lambda: "role:slave" in cluster.redis_cli("info", "replication", service="redis1", user="nodes"),
               within=MINUTE, what="redis1 is a replica")


def test_redis_denied_mintd_nothing(cluster):
    """Stands after all that mintd does, and before its log is removed."""
    assert cluster.said('"listening"', *REPLICAS)
    assert not cluster.said("noperm", *REPLICAS)


@with_tls
def test_all_go_and_come_back(cluster, failed_over):
    """Nodes keep in a volume what they have learnt."""
    was_master = cluster.master() if cluster.variant.name == "sentinel" else None
    cluster.compose("down", "--timeout", "10")
    cluster.bring_up()
    assert cluster.use_when_up(failed_over.token) == everywhere(200)
    if was_master:
        assert was_master != "redis1" and cluster.master() == was_master
    else:
        cluster.check_six_nodes("redis1")


def test_all_are_healthy(cluster):
    cluster.compose("up", "--detach", "--no-recreate", "--wait", "--wait-timeout", "30")
