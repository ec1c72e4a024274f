"""Answers leave together: one call to send() for all that one read of a connection brought.

Redis is spoken to over a unix socket here, which the counter leaves out."""
import pytest

from counted import CLIENT, CONNECTIONS, running
from support.clients import bearer
from support.http import request_bytes

PIPELINED = 16


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with running(str(tmp_path_factory.mktemp("calls")), "unix_url") as server:
        yield server


@pytest.fixture(name="cached")
def _cached(server):
    """GET /secret whose answer needs nothing but memory."""
    raw = request_bytes("GET", "/secret", [bearer(server.token(CLIENT))])
    server.send(raw, CONNECTIONS)
    return raw


def test_pipelined_requests_get_one_send(server, cached):
    before = server.sends
    server.send_in_one_piece(cached, PIPELINED)
    assert server.sends - before == 1


def test_each_connection_gets_its_own(server, cached):
    before = server.sends
    server.send_at_once(cached)
    assert server.sends - before == CONNECTIONS


def test_requests_one_after_the_other_get_one_each(server, cached):
    """The counter counts each: what the first test says is no accident."""
    before = server.sends
    server.send(cached, PIPELINED)
    assert server.sends - before == PIPELINED
