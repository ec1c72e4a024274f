"""Issue 9, item 8: how many connections one address may have: --max-connections-per-address."""
import contextlib
import re
import socket
import ssl
import time

import pytest

from support.expect import row
from support.http import Closed, Connection, exchange, request_bytes
from support.oauth import wait_until

MESSAGE = "clients are turned away: too many connections from one address"


HEALTH = request_bytes("GET", "/healthz")


def turned_away(address, source=None, tls=None):
    try:
        with Connection(address, source=source, tls=tls) as connection:
            connection.send(HEALTH)
            return connection.read_response().status != 200
    except (Closed, ConnectionError, ssl.SSLError):
        return True


def hold(address, count, source=None):
    held = [Connection(address, source=source) for _ in range(count)]
    for connection in held:
        connection.expect_in_step()
    return held


def metric(instance, name):
    with Connection(instance.addresses()[-1]) as connection:
        connection.send(request_bytes("GET", "/metrics"))
        return int(re.search(r"^%s (\d+)$" % name, connection.read_response().body.decode(), re.M)[1])


def start(start_mintd, redis, *arguments, share="8", **more):
    instance = start_mintd("--max-connections-per-address", share, "--metrics-listen", "127.0.0.1:0", *arguments,
                           redis=redis, **more)
    wait_until(lambda: len(instance.find_log("listening")) == 1 + len(more.get("listen", [0])), 5, "both listen")
    return instance


@row("ITEM-8")
def test_one_address_has_its_share(start_mintd, redis):
    """Of all workers together; others are not touched, and what is closed makes room. It is counted, and told in
    one line."""
    instance = start(start_mintd, redis, workers=3)
    held = hold(instance.address, 8)
    for _ in range(20):
        assert turned_away(instance.address)
    others = hold(instance.address, 8, source="127.0.0.2")
    assert turned_away(instance.address, source="127.0.0.2")
    assert metric(instance, "mintd_connections_over_address_limit_total") == 21
    assert metric(instance, "mintd_connections_turned_away_total") == 21
    told = instance.wait_for_log(lambda line: line["message"].startswith(MESSAGE))
    assert told["level"] == "warning" and told["address"] in ("127.0.0.1", "127.0.0.2"), told
    assert 1 <= told["connections"] <= 21, told
    held.pop().close()
    wait_until(lambda: not turned_away(instance.address), 2, "there is room again")
    for connection in held + others:
        connection.close()
    assert len(instance.find_log(lambda line: line["message"].startswith(MESSAGE))) == 1


@pytest.mark.parametrize("proxies", [pytest.param("127.0.0.0/8", id="ITEM-8-network"),
                                     pytest.param("10.0.0.1 127.0.0.1", id="ITEM-8-address")])
def test_trusted_proxies_have_no_share(start_mintd, redis, proxies):
    instance = start(start_mintd, redis, "--trusted-proxies", proxies)
    for connection in hold(instance.address, 12):
        connection.close()


@row("ITEM-8")
def test_unix_sockets_have_no_share(start_mintd, redis, tmp_path):
    path = str(tmp_path / "socket")
    instance = start(start_mintd, redis, listen=("127.0.0.1:0", "unix:" + path))
    for connection in hold(path, 12):
        connection.close()


@row("ITEM-8")
def test_the_share_is_a_thousand_unless_said_otherwise(start_mintd, redis):
    instance = start_mintd(redis=redis)
    held = hold(instance.address, 1000)
    for _ in range(20):
        assert turned_away(instance.address)
    assert not turned_away(instance.address, source="127.0.0.2")
    held.pop().close()
    wait_until(lambda: not turned_away(instance.address), 2, "there is room again")
    for connection in held:
        connection.close()


@row("ITEM-8")
def test_the_metrics_listener_has_a_share_of_its_own(start_mintd, redis):
    """Connections there take nothing from the main listeners, nor the other way round."""
    instance = start(start_mintd, redis)
    address = instance.addresses()[-1]
    there = hold(address, 8)
    for _ in range(20):
        assert turned_away(address)
    assert not turned_away(address, source="127.0.0.2")
    here = hold(instance.address, 8)
    assert turned_away(instance.address)
    told = instance.wait_for_log(lambda line: line["message"].startswith(MESSAGE))
    assert told["address"] == "127.0.0.1", told
    there.pop().close()
    wait_until(lambda: not turned_away(address), 2, "there is room again")
    for connection in there + here:
        connection.close()


@row("ITEM-8")
def test_no_share_at_all(start_mintd, redis):
    instance = start_mintd("--max-connections-per-address", "0", redis=redis)
    for connection in hold(instance.address, 1200):
        connection.close()


@row("ITEM-8")
def test_the_bound_on_all_is_of_all_workers(start_mintd, redis):
    """Each place is given out before anybody is turned away, however the kernel spreads connections."""
    instance = start_mintd("--max-connections", "12", redis=redis, workers=4)
    held = hold(instance.address, 12)
    assert turned_away(instance.address)
    for connection in held:
        connection.close()


def is_closed(client):
    """Rather than awaited for its handshake."""
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@row("TD-1")
def test_handshakes_have_a_share(start_mintd, redis, certificate):
    """Of all workers together, in each second; others are not touched."""
    instance = start(start_mintd, redis, "--max-handshakes-per-address", "4", share="0", workers=3,
                     certificate=certificate)
    crowd, began = [], time.monotonic()
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            crowd.append(stack.enter_context(socket.create_connection(instance.address)))
        wait_until(lambda: sum(map(is_closed, crowd)) >= 200 - 4 * (time.monotonic() - began + 2), 5, "most are closed")
        seconds = int(time.monotonic() - began) + 2
        assert metric(instance, "mintd_connections_over_address_limit_total") >= 200 - 4 * seconds
        assert exchange(instance.address, HEALTH, tls=instance.tls, source="127.0.0.2").status == 200
        instance.wait_for_log(lambda line: "--max-handshakes-per-address" in line["message"])
        wait_until(lambda: not turned_away(instance.address, tls=instance.tls), 5, "there is a second after this one")


@pytest.mark.parametrize("more", [pytest.param(("1", "--trusted-proxies", "127.0.0.1"), id="TD-1-proxy"),
                                  pytest.param(("0",), id="TD-1-none")])
def test_handshakes_without_a_share(start_mintd, redis, certificate, more):
    instance = start_mintd("--max-handshakes-per-address", *more, redis=redis, certificate=certificate)
    for _ in range(20):
        assert not turned_away(instance.address, tls=instance.tls)
