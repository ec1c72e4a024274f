"""What G-10, G-11 and G-21 have to convict."""
import faults
from support.redis_server import RedisServer


def test_another_owners_answer():
    body = b'{"client":{"id":"owner-1"},"scope":"owner-1"}'
    assert not faults.is_anothers("owner-1", 200, body)
    assert not faults.is_anothers("owner-1", 503, b"") and not faults.is_anothers(None, 401, b"")
    assert faults.is_anothers("owner-11", 200, body) and faults.is_anothers("owner-2", 200, body)
    assert faults.is_anothers(None, 200, body)
    assert faults.is_anothers("owner-1", 401, b"")  # a good token is never called bad


def test_a_lost_token_is_missed():
    with RedisServer() as redis:
        redis.cli("SET", faults.token_key("there"), "x")
        assert faults.missing(redis, ["there"] * 1500) == 0
        assert faults.missing(redis, ["there", "gone"] * 1500) == 1500
