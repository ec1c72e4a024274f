"""What a mint asks of Redis: one SETEX, few bytes, and under load few wake-ups.

BURSTS times CONNECTIONS mints are there when mintd looks, one on each connection: that is a busy moment
which does not depend on the machine. Commands and bytes are exact but for what an instance asks for
itself (its role once a second, its heartbeat, which is a SETEX too); Redis reads the one link once for
each time that it is woken by it, or more often."""
import time

import pytest

from counted import CLIENT, running
from support.clients import G
from support.http import form_request

CONNECTIONS, BURSTS = 64, 20
BYTES, WAKE_UPS = 330, 1 / 8  # a mint
OWN, OWN_A_SECOND = 10, 4  # commands that are not a mint's, at most


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with running(str(tmp_path_factory.mktemp("calls")), connections=CONNECTIONS) as server:
        yield server


def told(redis):
    """INFO's numbers by name; of commands the calls, as cmdstat_NAME."""
    found = {}
    for line in redis.cli("INFO", "everything").splitlines():
        name, _, value = line.partition(":")
        if name.startswith("cmdstat_"):
            found[name] = int(value.partition(",")[0][len("calls="):])
        elif name.startswith("total_") and value.isdigit():
            found[name] = int(value)
    return found


def grown(before, after):
    return {name: count - before.get(name, 0) for name, count in after.items()}


def test_what_a_mint_asks_of_redis(server):
    mint = form_request("/auth", G, [CLIENT.basic()])
    server.send_at_once(mint)
    began = time.monotonic()
    first, before = told(server.redis), told(server.redis)
    for _ in range(BURSTS):
        server.send_at_once(mint)
    mints = BURSTS * CONNECTIONS
    question, asked = grown(first, before), grown(before, told(server.redis))
    stats = {name: asked[name] - question[name] for name in question if name.startswith("total_")}
    bytes_both_ways = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
    print("a mint: %.3f commands, %.0f bytes, %.3f reads of Redis" % (
        stats["total_commands_processed"] / mints, bytes_both_ways / mints, stats["total_reads_processed"] / mints))
    own = OWN + OWN_A_SECOND * (time.monotonic() - began)
    assert mints <= asked["cmdstat_setex"] <= stats["total_commands_processed"] <= mints + own
    assert bytes_both_ways <= BYTES * mints
    assert stats["total_reads_processed"] <= WAKE_UPS * mints
