"""What G-05 and G-07 have to convict."""
import random
import time

import pytest

import attacks
from fake_server import GET, Server
from support.oauth import forged_token

OK = b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}"
TOKEN = b'{"access_token":"x"}'


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 401\r\n\r\n", OK + b"x", b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\n{}", b"HTTP/1.1 401 No\r\n\r\n",
    b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nX: \x00\r\n\r\n{}", b"\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(TOKEN), TOKEN),
    OK + b"HTTP/1.1 401 No\r\nContent-Length: 53\r\n\r\n" + forged_token().encode()])
def test_what_is_no_answer(answer):
    assert attacks.flaw(answer)
    assert not attacks.flaw(OK + OK) and not attacks.flaw(b"") and not attacks.flaw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)


def test_spoilt_bytes_are_the_same_again_by_their_seed():
    first, second = ([attacks.mutated(chance) for _ in range(50)] for chance in (random.Random(3), random.Random(3)))
    assert first == second and len(set(first)) > 45


def test_who_does_not_close():
    with Server(lambda _: "") as server:  # it closes only as we have; its thread reads on
        assert attacks.exchange(server.address, GET) == b""
    listener = attacks.socket.create_server(("127.0.0.1", 0))
    assert attacks.exchange(listener.getsockname(), GET, 0.2) is None
    listener.close()


def test_slow_ones_that_nobody_lets_go():
    listener = attacks.socket.create_server(("127.0.0.1", 0), backlog=32)
    crowd = attacks.Crowd(listener.getsockname(), 3, 3, 2)
    time.sleep(0.2)
    crowd.turn()
    assert (crowd.count(), crowd.let_go) == (8, 0) and crowd.oldest() > 0.2
    taken = [listener.accept()[0] for _ in range(8)]
    for one in taken:
        one.close()
    crowd.turn()
    crowd.turn()
    assert crowd.let_go >= 6
    crowd.close()
    listener.close()


def test_good_ones_that_fail():
    with Server(lambda number: (200, b"") if number % 2 else (503, b"")) as server:
        statuses, taken = attacks.good_ones(server, GET, 0.3)
    assert abs(statuses[200] - statuses[503]) <= 4 and statuses[503] > 5 and len(taken) == sum(statuses.values())
