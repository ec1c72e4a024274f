"""A warm server allocates nothing for a request.

After a warm-up REQUESTS requests of one kind go over connections that stay open, and the counter must not
have moved. What memory does not have is read from Redis and kept, which does allocate: a round in which that
happened (an entry lives 60 s, and a secret's last use is written once a minute, which changes its client)
is run again."""
import pytest

from counted import CLIENT, CONNECTIONS, running
from support.clients import G, SVC_B, bearer
from support.http import form_request, request_bytes

REQUESTS, WARM_UP, ROUNDS = 1000, 400, 3
OF_A_SLOW_SECRET = 2  # allocations a request: OpenSSL's HMAC copies a context at its start and its end


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with running(str(tmp_path_factory.mktemp("calls"))) as server:
        yield server


def allocated(server, raw):
    """The allocations of REQUESTS such requests, once warm."""
    server.send(raw, WARM_UP)
    server.send_at_once(raw)
    for _ in range(ROUNDS):
        filled, before = server.memory_filled(), server.allocations
        server.send(raw, REQUESTS)
        count = server.allocations - before
        if server.memory_filled() == filled:
            return count
    raise AssertionError("memory was filled in each of %d rounds" % ROUNDS)


def requests_of(server, client):
    token = server.token(client)
    return {
        "secret": request_bytes("GET", "/secret", [bearer(token)]),
        "verify": request_bytes("GET", "/verify", [bearer(token)]),
        "introspect": form_request("/introspect", b"token=" + token.encode(), [client.basic()]),
        "auth": form_request("/auth", G, [client.basic()]),
        "token": form_request("/token", G, [client.basic()]),
    }


def test_the_counter_counts(server):
    """The first use of a token is kept in memory: that is an allocation."""
    raw = requests_of(server, CLIENT)["secret"]
    before = server.allocations
    server.send(raw, CONNECTIONS)
    assert server.allocations > before > 0


@pytest.mark.parametrize("kind", ["secret", "verify", "introspect", "auth", "token"])
def test_nothing_is_allocated(server, kind):
    assert allocated(server, requests_of(server, CLIENT)[kind]) == 0


@pytest.mark.parametrize("kind", ["introspect", "auth", "token"])
def test_a_remembered_slow_secret_costs_little(server, kind):
    """Of a client whose secret is stored with scrypt: no more than docs/performance.md tells."""
    count = allocated(server, requests_of(server, SVC_B)[kind])
    assert count <= OF_A_SLOW_SECRET * REQUESTS, "%g allocations a request" % (count / REQUESTS)
