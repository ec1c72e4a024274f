"""HAProxy in front of several instances, with the two configurations that are shipped for it: Docker's
(deploy/haproxy.cfg) and that for machines with plain addresses. N-09, N-18, F-01, F-19."""
import pytest

from gateways import DOCKER, MACHINES, Balancer
from support import http as raw_http
from support.clients import SVC_A
from support.mintd import Mintd
from support.oauth import wait_until

@pytest.fixture
def instances(redis):
    started = [Mintd("--trusted-proxies", "127.0.0.1", "--failure-limit", "10", "--metrics-listen", "127.0.0.1:0",
                     redis=redis) for _ in range(2)]
    try:
        for instance in started:
            instance.wait_for_store()
        yield started
        for instance in started:
            if instance.is_alive:
                instance.stop()
    finally:
        for instance in started:
            instance.kill()
        redis.cli("DEL", "none", *redis.keys("mintd:fail:*"))


@pytest.fixture(params=[pytest.param(DOCKER, id="docker"), pytest.param(MACHINES, id="machines")])
def balancer(request, instances):
    with Balancer(request.param, instances) as gateway:
        wait_until(lambda: gateway.mint().status == 200, 20, "an instance is up")
        yield gateway


@pytest.mark.parametrize("forged", [[], [("X-Forwarded-For", "127.0.0.66")], [("Forwarded", "for=127.0.0.66")]],
                         ids=["N-09", "N-09-forged", "N-09-forged-rfc7239"])
def test_a_stranger_does_not_lock_a_client_out(balancer, instances, redis, forged):
    """As the row has it, with more tries: 200 wrong secrets from one address, then 20 right ones from another."""
    answers = [balancer.mint("wrong", "127.0.0.65", forged).status for _ in range(200)]
    assert set(answers) == {401, 429} and answers.count(401) <= 14, answers
    assert balancer.mint(source="127.0.0.65").status == 429
    answers = [balancer.mint(source="127.0.0.66").status for _ in range(20)]
    assert answers == [200] * 20
    assert redis.keys("mintd:fail:*") == ["mintd:fail:%s:127.0.0.65" % SVC_A.id]
    for instance in instances:
        assert not [line for line in instance.log if "not trusted" in line["message"]]


def test_metrics_do_not_go_through_the_front_door(balancer, instances):
    """F-19."""
    for _ in range(4):
        assert balancer.status_of("/metrics") == 404
    assert balancer.status_of("/readyz") == 200
    for instance in instances:
        assert b"mintd_build_info" in raw_http.exchange(instance.addresses()[-1],
                                                    raw_http.request_bytes("GET", "/metrics")).body


def test_an_instance_that_goes_costs_no_request(balancer, instances):
    """N-18: the servers stay what they are, whatever the DNS says."""
    assert {balancer.mint().status for _ in range(10)} == {200}
    instances[0].kill()
    assert {balancer.mint().status for _ in range(30)} == {200}
