"""What G-20 has to convict."""
from fake_server import GET, Server
from open_loop import Load, unserved


def seen(answer, *options):
    """Of 50 requests, one at a time."""
    with Server(answer) as server, Load(server.address, [GET], [(50, 1)], 1, *options) as load:
        return load.phases()[0]


def test_a_new_connection_that_is_not_answered():
    phase = seen(lambda _: None, "--fresh")
    assert phase["due"] == 50 and unserved(phase) == (50, {"broken": 50})


def test_a_kept_connection_that_is_closed_is_asked_anew():
    """Nothing of an answer had come, and the next connection answers."""
    phase = seen(lambda number: None if number % 2 else (200, b""), "--resend")
    assert phase["resent"] > 5 and unserved(phase) == (0, {})


def test_a_kept_connection_that_is_cut_in_an_answer_is_not():
    phase = seen(lambda number: b"HTTP/1.1 2" if number % 2 else (200, b""), "--resend")
    assert phase["resent"] == 0 and unserved(phase)[1]["broken"] > 5


def test_a_request_is_sent_again_once():
    phase = seen(lambda _: None, "--resend")
    assert phase["resent"] > 5 and unserved(phase)[1]["broken"] >= phase["resent"] - 1
