"""HAProxy in front of several instances, with the two configurations that are shipped for it: Docker's
(deploy/haproxy.cfg) and that for machines with plain addresses. N-09, N-18, F-01, F-19."""
import http.client
import os

import pytest

from gateways import Gateway
from support import http as raw_http
from support.clients import G, SVC_A, basic
from support.http import form_request
from support.mintd import REPOSITORY, Mintd
from support.oauth import wait_until
from support.timing import scaled

DOCKER = {":4000": "127.0.0.1:%(port)d", "mintd1:4001": "%(one)s", "mintd2:4001": "%(other)s",
          "  server mintd3 mintd3:4001\n": ""}
MACHINES = {"10.0.0.10:4000": "127.0.0.1:%(port)d", "10.0.0.11:4001": "%(one)s", "10.0.0.12:4001": "%(other)s",
            "log /dev/log": "log stdout format raw"}


class Balancer(Gateway):
    program = "haproxy"

    def __init__(self, file, replacements, instances):
        self._file, self._replacements, self._instances = file, replacements, instances
        super().__init__(None, None)

    def configure(self):
        with open(os.path.join(REPOSITORY, "deploy", self._file), encoding="utf-8") as file:
            text = file.read()
        names = ["%s:%d" % instance.address for instance in self._instances]
        directives, comments = [], []
        for line in text.splitlines(keepends=True):
            (comments if line.startswith("#") else directives).append(line)
        text = "".join(directives)
        for old, new in self._replacements.items():
            assert old in text, "%s does not speak of %s" % (self._file, old)
            text = text.replace(old, new % {"port": self.port, "one": names[0], "other": names[1]}, 1)
        self._write("haproxy.cfg", text)

    def arguments(self):
        return ["-db", "-f", self._path("haproxy.cfg")]

    def mint(self, secret=SVC_A.secret, source="127.0.0.1", fields=()):
        raw = form_request("/token", G, [basic(SVC_A.id, secret), *fields])
        return raw_http.exchange(("127.0.0.1", self.port), raw, source=source)

    def status_of(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=scaled(30))
        try:
            connection.request("GET", target)
            return connection.getresponse().status
        finally:
            connection.close()


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


@pytest.fixture(params=[pytest.param(("haproxy.cfg", DOCKER), id="docker"),
                        pytest.param(("examples/haproxy-replicas.cfg", MACHINES), id="machines")])
def balancer(request, instances):
    with Balancer(*request.param, instances) as gateway:
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
