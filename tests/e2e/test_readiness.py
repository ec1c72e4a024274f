"""--readiness: whether an instance without Redis is taken from its balancer."""
import signal

from support.clients import mint
from support.expect import row
from support.oauth import wait_until


def readiness(instance):
    response = instance.request("GET", "/readyz")
    return response.status, response.json()


def is_ready(instance):
    return lambda: readiness(instance)[0] == 200


@row("RD-redis")
def test_redis_is_needed(start_mintd, own_redis):
    """As without the flag: 503 as long as Redis is away."""
    instance = start_mintd("--readiness", "redis", redis=own_redis)
    wait_until(is_ready(instance), 10, "ready")
    own_redis.kill()
    wait_until(lambda: readiness(instance)[0] == 503, 10, "not ready")


@row("RD-serving")
def test_it_stays_ready(start_mintd, own_redis):
    """It refuses with 503 of its own, says so, and serves again when Redis is back."""
    instance = start_mintd("--readiness", "serving", redis=own_redis)
    wait_until(is_ready(instance), 10, "ready")
    assert readiness(instance)[1] == {"status": "ready"}
    own_redis.kill()
    wait_until(lambda: "warning" in readiness(instance)[1], 10, "it knows that Redis is away")
    for _ in range(5):
        status, body = readiness(instance)
        assert status == 200 and body["status"] == "ready", body
        assert body["warning"].startswith("what needs redis is answered 503: "), body
        refused = mint(instance)
        assert refused.status == 503 and refused.get("Retry-After"), refused
    own_redis.start()
    wait_until(lambda: "what needs" not in readiness(instance)[1].get("warning", ""), 10, "Redis is back")


@row("RD-first")
def test_it_is_not_ready_before_redis_was_there(start_mintd, own_redis):
    """A new instance with a wrong address takes nobody's place."""
    own_redis.kill()
    instance = start_mintd("--readiness", "serving", redis=own_redis)
    status, body = readiness(instance)
    assert status == 503 and body["reason"] == "disconnected", body
    own_redis.start()
    wait_until(is_ready(instance), 10, "ready")


@row("RD-drain")
def test_a_drain_ends_it(start_mintd, own_redis):
    instance = start_mintd("--readiness", "serving", "--drain-delay", "1h", redis=own_redis)
    wait_until(is_ready(instance), 10, "ready")
    instance.signal(signal.SIGTERM)
    wait_until(lambda: readiness(instance)[0] == 503, 10, "it says that it goes")
    assert readiness(instance)[1]["reason"] == "draining"
    instance.signal(signal.SIGTERM)
    instance.check_end(instance.wait())


@row("RD-all")
def test_each_worker_and_listener_says_so(start_mintd, own_redis):
    """A worker that nobody had asked stays ready too."""
    instance = start_mintd("--readiness", "serving", "--metrics-listen", "127.0.0.1:0", redis=own_redis, workers=4)
    wait_until(is_ready(instance), 10, "ready")
    own_redis.kill()
    wait_until(lambda: mint(instance).status == 503, 10, "Redis is away")
    assert {readiness(instance)[0] for _ in range(20)} == {200}
