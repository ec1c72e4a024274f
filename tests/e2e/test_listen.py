"""Where mintd listens, what it takes for its name, and the name that needs no resolver: N-21, N-12, F-03, N-20, N-27."""
import json
import socket
import subprocess

import pytest

from support.expect import row
from support.http import Connection
from support.mintctl import binary as mintctl
from support.mintd import Mintd, command_line, environment, run
from support.oauth import wait_until

NOWHERE = "redis://127.0.0.1:1"
LISTENING = "listening"
ABSENT = "not listening: this machine has no such address"
METADATA = "/.well-known/oauth-authorization-server"


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def inside(namespaces, script):
    """A runner: namespaces of its own, in which the script has run."""
    runner = ["unshare", "--user", "--map-root-user", *namespaces, "sh", "-ec", script + '; exec "$@"', "sh"]
    done = subprocess.run([*runner, "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no such namespace: " + done.stderr.decode().strip())
    return runner


def without_ipv6():
    return inside(["--net"], "ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")


def without_resolver():
    return inside(["--mount"], "mount --bind /dev/null /etc/hosts; mount --bind /dev/null /etc/resolv.conf")


def reached(instance):
    return [line["address"] for line in instance.find_log(LISTENING)]


# ---- names ----


@pytest.mark.parametrize("name", [pytest.param(n, id="N-21-" + n) for n in ("localhost", "LOCALHOST", "mintd.localhost")])
def test_a_name_listens_on_all_its_addresses(start_mintd, redis, name):
    """On one port, with each worker, for the main and for the metrics listener."""
    instance = start_mintd("--metrics-listen", name + ":0", redis=redis, listen=(name + ":0",), workers=3)
    if not has_ipv6():
        pytest.skip("no IPv6")
    instance.wait_for_log(LISTENING, count=4)
    v4, v6, *metrics = instance.addresses()
    assert v4[0] == "127.0.0.1" and v6 == ("::1", v4[1]), instance.addresses()
    assert metrics == [("127.0.0.1", metrics[0][1]), ("::1", metrics[0][1])], instance.addresses()
    for address in (v4, metrics[0]):
        with Connection(address) as connection:
            connection.expect_in_step()
    for host, port in (v6, metrics[1]):
        with socket.create_connection((host, port)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@row("N-21")
def test_the_default_without_ipv6():
    """A notice, and no error: nobody asked for ::1."""
    with Mintd(redis=NOWHERE, listen=(), wait=False, runner=without_ipv6()) as instance:
        absent = instance.wait_for_log(ABSENT)
        assert absent["level"] == "info" and absent["address"] == "[::1]:4001", absent
        instance.wait_for_log(LISTENING)
        wait_until(lambda: instance.find_log("started"), 5, "it starts")
        assert reached(instance) == ["127.0.0.1:4001"]


@row("N-21")
def test_a_name_without_ipv6():
    with Mintd(redis=NOWHERE, listen=("localhost:4001",), runner=without_ipv6()) as instance:
        assert instance.wait_for_log(ABSENT)["address"] == "[::1]:4001"
        wait_until(lambda: instance.find_log("started"), 5, "it starts")
        assert reached(instance) == ["127.0.0.1:4001"]


@row("N-21")
def test_an_address_that_was_asked_for_without_ipv6():
    """Is an error: whoever wrote it wants it."""
    done = subprocess.run([*without_ipv6(), *command_line("--listen", "127.0.0.1:4001", "--listen", "[::1]:4001",
                                                           "--redis", "memory:")],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "[::1]:4001: this machine has no such address" in done.stderr, done


@row("N-12")
def test_localhost_needs_no_resolver(own_redis, start_mintd):
    """No /etc/hosts, no name server: to listen, to reach Redis, and for mintctl."""
    runner = without_resolver()
    url = "redis://localhost:%d" % own_redis.port
    instance = start_mintd(redis=url, listen=("localhost:0",), runner=runner)
    instance.wait_for_store()
    assert instance.request("GET", "/readyz").status in (200, 503)
    done = subprocess.run([*runner, mintctl(), "client", "list", "--redis", url], capture_output=True, text=True,
                          env=environment(), timeout=20, check=False)
    assert done.returncode == 0 and "svc-a" in done.stdout, done


# ---- the issuer ----


@pytest.mark.parametrize("listen, issuer, warns", [
    pytest.param("0.0.0.0:0", "http://localhost:%d", True, id="F-03-every-interface"),
    pytest.param("[::]:0", "http://localhost:%d", True, id="N-20-every-interface-of-IPv6"),
    pytest.param(":0", "http://localhost:%d", True, id="F-03-no-host"),
    pytest.param("127.0.0.1:0", "http://127.0.0.1:%d", False, id="F-03-loopback"),
    pytest.param("localhost:0", "http://localhost:%d", False, id="F-03-name"),
])
def test_the_issuer_that_is_guessed(start_mintd, redis, listen, issuer, warns):
    """Is one that leads here from this machine; and where others can come, the log asks for the right one."""
    instance = start_mintd("--metrics-listen", "127.0.0.1:0", redis=redis, listen=(listen,))
    wait_until(lambda: instance.find_log("started"), 5, "it starts")
    port = instance.address[1]
    with Connection(("127.0.0.1", port)) as connection:
        connection.send(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % METADATA.encode())
        assert json.loads(connection.read_response().body)["issuer"] == issuer % port
    instance.stop()  # the log is whole
    told = [line for line in instance.log if "--issuer" in line["message"]]
    assert bool(told) == warns, told
    if warns:
        assert told[0]["level"] == "warning" and told[0]["issuer"] == issuer % port, told


@row("N-20")
def test_an_issuer_that_was_given_is_no_guess(start_mintd, redis):
    instance = start_mintd("--issuer", "https://id.example", redis=redis, listen=("0.0.0.0:0",))
    instance.wait_for_log("started")
    instance.stop()  # the log is whole
    assert not [line for line in instance.log if "--issuer" in line["message"]]


# ---- the same one twice ----


@pytest.mark.parametrize("arguments, env", [
    pytest.param(["--listen", "127.0.0.1:7", "--listen", "127.0.0.1:7"], {}, id="N-27-flags"),
    pytest.param([], {"MINTD_LISTEN": "127.0.0.1:7 [::1]:7 127.0.0.1:7"}, id="N-27-variable"),
    pytest.param(["--listen", "unix:/tmp/x", "--listen", "unix:/tmp/x"], {}, id="N-27-unix"),
    pytest.param(["--listen", "127.0.0.1:7", "--metrics-listen", "127.0.0.1:7"], {}, id="N-27-metrics"),
])
def test_the_same_address_twice(arguments, env):
    done = run("--check", *arguments, "--redis", "memory:", env=env)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done
    assert "twice" in done.stderr or "of --listen too" in done.stderr, done


@row("N-27")
def test_any_port_twice():
    """Is two ports."""
    assert run("--check", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--redis", "memory:").returncode == 0
