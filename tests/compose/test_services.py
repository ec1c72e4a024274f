"""What docker-compose.yml (one Redis) and its variants in deploy/ (Sentinels, a cluster) bring up: the image, tokens,
what Redis lets whom do, who is believed, and what the file says of each service."""
import json

import pytest

from clusters import FRONT, GRANT, PORTS, REPLICAS, docker, everywhere
from support.clients import CODECADEMY, basic, token_key
from support.oauth import row, wait_until

on = pytest.mark.on
with_tls = on("sentinel", "cluster")

CALLER, OTHER_CALLER = "10.213.40.65", "10.213.40.66"
MINUTE = 60


# ---- the image ----


@on("redis")
def test_the_image_is_small(cluster):
    assert int(docker("image", "inspect", "--format", "{{.Size}}", "mintd")) < 20_000_000


@on("redis")
def test_the_image_says_what_it_is(cluster):
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", "mintd"))
    said = {name: labels.get("org.opencontainers.image." + name) for name in ("title", "version", "revision")}
    assert said["title"] == "mintd" and said["version"].startswith("0.") and said["revision"], labels


@on("redis")
def test_the_image_names_its_packages(cluster, tmp_path):
    cluster.compose("cp", "mintd1:/usr/share/doc/mintd/sbom.spdx.json", str(tmp_path / "sbom"))
    names = [package["name"] for package in json.loads((tmp_path / "sbom").read_text())["packages"]]
    for wanted in ("ca-certificates", "libc6", "libcjson1", "libhiredis", "libllhttp", "libssl3", "libuv1"):
        assert any(name.startswith(wanted) for name in names), "no %s in %s" % (wanted, names)


@on("redis")
def test_the_image_has_no_shell(cluster):
    status, said = cluster.execute("mintd1", "sh", "-c", "true")
    assert status != 0 and "not found" in said, (status, said)


# ---- tokens ----


@pytest.mark.parametrize("port", [FRONT, 4001])
def test_a_token_works_on_each_replica(cluster, port):
    assert cluster.use_everywhere(cluster.mint(port)) == everywhere(200)


@on("redis")
def test_a_wrong_secret_is_refused(cluster):
    assert cluster.post(FRONT, "/auth", GRANT, basic(CODECADEMY.id, "wrong"))[0] == 401


@with_tls
def test_a_revocation_is_heard_by_each_replica(cluster):
    token = cluster.mint(4001)
    assert cluster.use_everywhere(token) == everywhere(200)
    assert cluster.post(4001, "/revoke", "token=" + token)[0] == 200
    for port in PORTS:
        wait_until(lambda: cluster.use(port, token) == 401, within=MINUTE, what="port %d refuses it" % port)


@on("redis")
def test_a_token_without_its_key_is_refused(cluster):
    token = cluster.mint(FRONT)
    assert cluster.use_everywhere(token) == everywhere(200)
    assert cluster.redis_cli("del", token_key(token)) == "1"
    assert cluster.use_everywhere(token) == everywhere(401)


@on("redis")
def test_a_token_outlives_a_restart_of_redis(cluster):
    token = cluster.mint(FRONT)
    cluster.compose("restart", "redis")
    cluster.await_ready(*PORTS)
    assert cluster.use_when_up(token) == everywhere(200)
    assert len(cluster.said("Ready to accept connections", "redis")) >= 2
    assert not cluster.said("CRITICAL", "redis")


# ---- what Redis lets whom do ----


def test_redis_asks_who_is_there(cluster):
    assert "NOAUTH" in cluster.redis_cli("get", "mintd:schema", user=None)


@pytest.mark.parametrize("command", ["flushall", "get other"])
def test_mintd_may_do_no_more_than_it_needs(cluster, command):
    assert "NOPERM" in cluster.redis_cli(*command.split())


@on("sentinel")
def test_mintd_may_not_fail_over(cluster):
    assert "NOPERM" in cluster.redis_cli("sentinel", "failover", "mymaster", service="sentinel1", port=26379)


@with_tls
def test_redis_has_no_port_without_tls(cluster):
    status, said = cluster.execute("redis1", "timeout", "5", "redis-cli", "-p", "6379", "--user", "health", "ping")
    assert "Error" in said, (status, said)


@with_tls
def test_a_certificate_for_another_name_is_not_believed(cluster):
    _, said = cluster.execute("mintd1", "mintctl", "doctor", "--redis-tls-name", "somebody")
    assert "not for the name somebody" in said, said


@with_tls
def test_mintd_has_no_key_of_a_node(cluster):
    status, said = cluster.try_compose("cp", "mintd1:/run/keys", "-")
    assert status != 0 and "ould not find" in said, (status, said)


# ---- who calls: one Redis ----


@pytest.fixture(scope="session")
def guessed(running):
    """A caller has tried 200 wrong secrets: how often each status came."""
    return running.mint_from(CALLER, "wrong", 200)


@on("redis")
@row("N-09-wrong-secrets")
def test_wrong_secrets_are_refused(cluster, guessed):
    assert guessed.get(401) and guessed.get(429) and sum(guessed.values()) == 200, guessed


@on("redis")
@row("N-09-right-secret")
def test_who_guessed_has_to_wait(cluster, guessed):
    assert cluster.mint_from(CALLER, CODECADEMY.secret, 1) == {429: 1}


@on("redis")
@row("N-09-other-caller")
def test_another_caller_is_let_in(cluster, guessed):
    assert cluster.mint_from(OTHER_CALLER, CODECADEMY.secret, 20) == {200: 20}


@on("redis")
@row("N-09-address")
def test_failures_stand_under_the_address_of_the_caller(cluster, guessed):
    failures = cluster.redis_cli("get", "mintd:fail:%s:%s" % (CODECADEMY.id, CALLER))
    assert failures.isdigit() and int(failures) > 0, failures


@on("redis")
@row("F-19")
def test_metrics_have_a_listener_of_their_own(cluster):
    assert cluster.status(FRONT, "/metrics") == 404
    assert cluster.status(4001, "/metrics") == 404
    assert "mintd_build_info" in cluster.metrics()


@on("redis")
@row("F-01")
def test_the_proxy_is_trusted(cluster):
    cluster.mint(FRONT)
    assert cluster.said('"token minted"', *REPLICAS)
    assert not cluster.said("not trusted", *REPLICAS)


# ---- the file ----


@on("redis")
def test_the_profile_watch_makes_sense(cluster):
    assert cluster.compose("--profile", "watch", "config", "--quiet") == ""


def test_mintd_is_confined(cluster):
    for one in json.loads(docker("inspect", *cluster.compose("ps", "-q", *REPLICAS).split())):
        host = one["HostConfig"]
        assert one["Config"]["User"] == "65532:65532" and host["ReadonlyRootfs"] and not host["Privileged"], host
        assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges:true"], host


@on("redis")
@row("F-20")
def test_every_log_is_rotated(cluster):
    configured = docker("inspect", "--format", "{{.Name}} {{json .HostConfig.LogConfig.Config}}",
                        *cluster.compose("ps", "-q").split()).splitlines()
    assert len(configured) >= len(REPLICAS) + 2
    for line in configured:
        assert json.loads(line.partition(" ")[2]) == {"max-file": "3", "max-size": "10m"}, line


@with_tls
def test_nodes_are_known_by_name(cluster):
    if cluster.variant.name == "sentinel":
        assert cluster.master() == "redis1"  # at the first start
    else:
        slots = cluster.redis_cli("cluster", "slots", service="redis4").split()
        assert {"redis1", "redis2", "redis3"} < set(slots), slots


@on("cluster")
def test_six_nodes_are_well(cluster):
    cluster.check_six_nodes("redis4")
