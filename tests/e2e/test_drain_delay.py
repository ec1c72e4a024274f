"""N-06, F-05: a drain that balancers can see: --drain-delay."""
import signal
import time

import pytest

from support.clients import mint
from support.expect import row
from support.http import Closed
from support.oauth import wait_until
from support.timing import scaled


def readiness(instance):
    response = instance.request("GET", "/readyz")
    return response.status, response.json().get("reason")


def has_begun(instance):
    return instance.find_log("connection", to="head")


def is_refused(instance):
    try:
        instance.request("GET", "/healthz")
    except (ConnectionError, Closed):
        return True
    return False


@pytest.mark.parametrize("workers", [pytest.param(1, id="N-06"), pytest.param(2, id="F-05")])
def test_the_delay_is_served(start_mintd, redis, workers):
    """All is served as before, for new connections too, with /readyz 503 and "Connection: close"; then it drains."""
    delay = 4
    instance = start_mintd("--drain-delay", "%ds" % delay, "--metrics-listen", "127.0.0.1:0", redis=redis,
                           workers=workers)
    instance.wait_for_store()
    wait_until(lambda: readiness(instance)[0] == 200, 5, "ready")
    kept = instance.connect()
    kept.expect_in_step()
    started = time.monotonic()
    instance.signal(signal.SIGTERM)
    assert instance.wait_for_log("draining")["delay_s"] == delay
    wait_until(lambda: instance.request("GET", "/healthz").says_close, 2, "each worker knows")
    for _ in range(5):  # on connections of their own
        assert readiness(instance) == (503, "draining")
        minted = mint(instance)
        assert minted.status == 200 and minted.says_close, minted
    kept.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    response = kept.read_response()
    assert response.status == 200 and response.says_close, response
    kept.expect_close()
    wait_until(lambda: is_refused(instance), delay + 5, "the listeners close")
    assert time.monotonic() - started >= delay - 0.5
    instance.check_end(instance.wait(delay + 10))
    assert time.monotonic() - started < delay + 10 + scaled(1)


@row("N-06")
def test_a_second_signal_ends_the_delay(start_mintd, redis):
    instance = start_mintd("--drain-delay", "1h", redis=redis)
    instance.wait_for_store()
    with instance.connect() as connection:
        connection.expect_in_step()
        instance.signal(signal.SIGTERM)
        instance.wait_for_log("draining")
        instance.signal(signal.SIGINT)
        instance.check_end(instance.wait(5))


@row("N-06")
def test_without_delay_the_listeners_close_at_once(start_mintd, redis):
    instance = start_mintd("--log-level", "debug", redis=redis)
    instance.wait_for_store()
    with instance.connect() as halfway:
        halfway.send(b"GET /healthz HTTP/1.1\r\n")
        wait_until(lambda: has_begun(instance), 5, "its first bytes are read")
        instance.signal(signal.SIGTERM)
        instance.wait_for_log("draining")
        wait_until(lambda: is_refused(instance), 2, "the listener closes")
        halfway.send(b"Host: h\r\n\r\n")
        assert halfway.read_response().says_close
    instance.check_end(instance.wait())
