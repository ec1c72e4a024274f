"""A cluster that docker compose runs, and who asks it.

    cluster = Cluster(VARIANTS["sentinel"])
    cluster.start(), cluster.finish()
    cluster.compose("stop", "mintd1")        # what it says; asserts that it succeeds
    cluster.mint(4001), cluster.use(4002, token), cluster.status(4000, "/metrics")
    cluster.redis_cli("flushall")            # as mintd's user, on the variant's first Redis
    cluster.state()                          # what a failure may be understood by
"""
import base64
import collections
import dataclasses
import http.client
import json
import os
import re
import shlex
import subprocess
import urllib.parse

import pytest

from support.clients import CODECADEMY, bearer
from support.http import FORM
from support.oauth import wait_until
from support.process import leashed
from support.timing import scaled

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROJECT = "mintd-test"
WITHIN_S = 600  # of each command; only the build of the image takes more than some seconds
COMPOSE = shlex.split(os.environ.get("COMPOSE", "docker compose"))

FRONT = 4000  # HAProxy
PORTS = (4001, 4002, 4003)
REPLICAS = ("mintd1", "mintd2", "mintd3")
GRANT = "grant_type=client_credentials"
ABOUT_TOKENS = ('"token minted"', '"token revoked"', '"refused"', '"refusals summed"')
CONTROL = re.compile(r"\r|\x1b\[[0-9;]*[A-Za-z]")  # of a terminal

# In a container of HAProxy's image, which has bash and no curl.
MINT_OFTEN = r"""
while [ "$count" -gt 0 ]; do
    exec 3<>/dev/tcp/haproxy/4000
    printf "POST /token HTTP/1.1\r\nHost: mintd\r\nAuthorization: Basic %s\r\nX-Forwarded-For: 10.213.40.%s\r\n" \
        "$basic" "$count" >&3
    printf "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n" >&3
    printf "Connection: close\r\n\r\ngrant_type=client_credentials" >&3
    read -r version status words <&3
    echo "$status"
    exec 3>&-
    count=$((count - 1))
done"""
GET_METRICS = r"""
exec 3<>/dev/tcp/mintd1/9401
printf "GET /metrics HTTP/1.1\r\nHost: mintd1\r\nConnection: close\r\n\r\n" >&3
cat <&3"""


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    file: str
    networks: tuple
    redis: str  # the service that is asked where any would do
    tls: tuple = ("--tls", "--cacert", "/run/authority/ca.pem")  # of redis-cli


VARIANTS = {variant.name: variant for variant in (
    Variant("redis", "docker-compose.yml", ("10.213.40.0/24",), "redis", ()),
    Variant("sentinel", "deploy/docker-compose.sentinel.yml", ("10.213.40.0/24", "10.213.41.0/24"), "redis1"),
    Variant("cluster", "deploy/docker-compose.cluster.yml", ("10.213.40.0/24", "10.213.41.0/24"), "redis1"),
)}


def everywhere(status):
    return {port: status for port in PORTS}


def secret(name):
    folder = os.environ.get("MINTD_SECRETS") or os.path.join(REPOSITORY, "deploy", "secrets")
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read().strip()


def run(*command):
    """(status, all that it says)"""
    done = subprocess.run(leashed(*command), cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          timeout=scaled(WITHIN_S), env={**os.environ, "DOCKER_BUILDKIT": "1"})
    return done.returncode, CONTROL.sub("", done.stdout)


def docker(*arguments):
    status, said = run("docker", *arguments)
    assert status == 0, "docker %s:\n%s" % (shlex.join(arguments), said)
    return said


class Cluster:
    def __init__(self, variant):
        self.variant = variant
        self.is_hurt = False  # a test has failed: who knows what it has left behind

    # ---- compose ----

    def try_compose(self, *arguments, progress="quiet"):
        """(status, all that it says)"""
        return run(*COMPOSE, "-p", PROJECT, "-f", self.variant.file, "--progress", progress, *arguments)

    def compose(self, *arguments):
        status, said = self.try_compose(*arguments)
        assert status == 0, "compose %s:\n%s" % (shlex.join(arguments), said)
        return said

    def execute(self, service, *command, **environment):
        """(status, all that it says) of a command in this service's container."""
        words = [word for name, value in environment.items() for word in ("--env", "%s=%s" % (name, value))]
        return self.try_compose("exec", "-T", *words, service, *command)

    def start(self):
        for network in self.variant.networks:
            _, taken = run("ip", "-o", "-4", "route", "show", network)
            assert not taken, ("the cluster's network is on this machine already: %s"
                               "end what uses it, or remove what was left behind with ip link delete" % taken)
        self.bring_up("--build")

    def bring_up(self, *arguments):
        """Starts what is not running, and waits until all are healthy."""
        status, said = self.try_compose("up", "--detach", "--wait", "--wait-timeout", "120", *arguments,
                                        progress="plain")
        if status != 0:
            pytest.fail("the cluster did not come up:\n%s\n%s" % (
                "\n".join(said.splitlines()[-40:]), self.state()), pytrace=False)

    def finish(self):
        self.compose("down", "--volumes", "--timeout", "5")

    def mend(self):
        self.bring_up("--no-recreate")
        self.is_hurt = False

    def log(self, *services):
        return self.try_compose("logs", "--no-color", *services)[1].splitlines()

    def said(self, words, *services):
        """The lines of their log with these words."""
        return [line for line in self.log(*services) if words.lower() in line.lower()]

    def state(self):
        """Under load the last lines are all mints and revocations: what mintd said beside them, and the others."""
        said = [line for line in self.log(*REPLICAS) if not any(words in line for words in ABOUT_TOKENS)]
        with open("/proc/loadavg", encoding="ascii") as file:
            load = file.read()
        return "\n".join([self.try_compose("ps", "--all")[1], *said[-60:],
                          *self.log("--tail", "20"), "load: " + load])

    def runs_since(self):
        """Since when each replica of mintd runs."""
        return docker("inspect", "--format", "{{.State.StartedAt}} {{.RestartCount}}",
                      *self.compose("ps", "-q", *REPLICAS).split())

    # ---- mintd ----

    def ask(self, port, method, path, form=None, *fields):
        """(status, body); (None, what went wrong) without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=scaled(5))
        try:
            connection.request(method, path, form, dict(fields))
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as trouble:
            return None, repr(trouble)
        finally:
            connection.close()

    def status(self, port, path):
        return self.ask(port, "GET", path)[0]

    def post(self, port, path, form, basic=CODECADEMY.basic()):
        return self.ask(port, "POST", path, form, FORM, basic)

    def mint(self, port):
        status, body = self.post(port, "/auth", GRANT)
        assert status == 200, "no token on port %d: %s %s" % (port, status, body)
        token = json.loads(body)["access_token"]
        assert token.startswith("mtd_"), token
        return token

    def use(self, port, token):
        return self.ask(port, "GET", "/secret", None, bearer(token))[0]

    def use_everywhere(self, token):
        """The status on each port."""
        return {port: self.use(port, token) for port in PORTS}

    def use_when_up(self, token):
        """The same, where Redis was away: 503 is no answer, and it is asked again."""
        return {port: wait_until(lambda: self._use_unless_503(port, token), within=10,
                                 what="port %d says anything but 503" % port) for port in PORTS}

    def _use_unless_503(self, port, token):
        status = self.use(port, token)
        return None if status == 503 else status

    def await_ready(self, *ports):
        for port in ports:
            wait_until(lambda: self.status(port, "/readyz") == 200, within=30, what="port %d is ready" % port)

    # ---- containers in its network ----

    def run_in_front(self, script, *arguments):
        """What this script of bash says, in a container of the network front."""
        return docker("run", "--rm", "--network", PROJECT + "_front", "--user", "nobody", *arguments,
                      "--entrypoint", "bash", "haproxy:3.0", "-c", script)

    def mint_from(self, address, secret_of_client, count):
        """So many mints with this secret through the front door, from a container that has this address and names
        other ones in X-Forwarded-For: how often each status came."""
        basic = base64.b64encode(("%s:%s" % (CODECADEMY.id, secret_of_client)).encode()).decode()
        return dict(collections.Counter(map(int, self.run_in_front(
            MINT_OFTEN, "--ip", address, "--env", "basic=" + basic, "--env", "count=%d" % count).split())))

    def metrics(self):
        return self.run_in_front(GET_METRICS)

    # ---- Redis ----

    def redis_cli(self, *arguments, service=None, port=6379, user="mintd"):
        """What it answers, to mintd's user, to that of the nodes, or to nobody (None)."""
        who, environment = [], {}
        if user:
            who, environment = ["--user", user], {"REDISCLI_AUTH": self._password(user)}
        return self.execute(service or self.variant.redis, "redis-cli", *self.variant.tls, "-p", str(port), *who,
                            *arguments, **environment)[1].strip()

    def _password(self, user):
        if self.variant.name == "redis":
            return urllib.parse.unquote(urllib.parse.urlsplit(secret("redis-url")).password)
        return secret({"mintd": "redis-password", "nodes": "nodes-password"}[user])

    def master(self):
        """Whom the Sentinels name."""
        return self.redis_cli("sentinel", "get-master-addr-by-name", "mymaster",
                              service="sentinel2", port=26379).split()[0]

    def check_six_nodes(self, node):
        said = self.redis_cli("cluster", "info", service=node, user="nodes")
        for line in ("cluster_state:ok", "cluster_known_nodes:6", "cluster_size:3"):
            assert line in said.split(), said
