"""N-19: mintd as a service of systemd: what it tells its manager, and how its log looks in the journal."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from support.clients import mint
from support.mintd import command_line, environment, run
from support.oauth import brief, row, rows, wait_until
from support.process import leashed
from support.service_manager import ServiceManager, held, thread_of
from support.timing import scaled


@pytest.fixture
def manager(tmp_path):
    with ServiceManager(tmp_path) as opened:
        yield opened


def start_served(start_mintd, manager, redis, *arguments, watchdog=None, pid=None, **more):
    return start_mintd(*arguments, redis=redis, env=manager.environment(watchdog, pid), wait=False, **more)


# ---- states ----


@rows("SM-ready", path=False, abstract=True)
def test_ready_when_it_can_be_reached(start_mintd, redis, tmp_path, case):
    with ServiceManager(tmp_path, abstract=case) as manager:
        instance = start_served(start_mintd, manager, redis, listen=("127.0.0.1:0", "127.0.0.1:0"))
        message = manager.wait_for("READY=1")
        assert manager.messages[0] == message, "nothing comes ahead of it"
        assert message["STATUS"].startswith("Serving; "), message
        wait_until(lambda: len(instance.find_log("listening")) == 2, 5, "the log is written by a thread of its own")
        assert instance.request("GET", "/healthz").status == 200
        manager.wait_for("STATUS=Serving; Redis is up")
        assert not any("WATCHDOG" in m for m in manager.messages)


@row("SM-ready")
def test_never_ready_where_it_cannot_listen(manager, redis, own_mintd):
    taken = "127.0.0.1:%d" % own_mintd.address[1]
    result = run("--redis", redis.url, "--listen", taken, env=manager.environment())
    assert result.returncode == 1 and taken in result.stderr
    assert manager.silence(0) == [] and manager.messages == []


@row("SM-status")
@brief
def test_the_status_follows_redis(start_mintd, manager, own_redis):
    start_served(start_mintd, manager, own_redis, workers=2)
    manager.wait_for("READY=1")
    manager.wait_for("STATUS=Serving; Redis is up")
    own_redis.kill()
    message = manager.wait_for(lambda m: "0 of 2 workers" in m.get("STATUS", ""))
    assert re.fullmatch(r"Serving; 0 of 2 workers have a link to Redis \([a-z_]+\)", message["STATUS"]), message
    own_redis.restart()
    manager.wait_for("STATUS=Serving; Redis is up")


@row("SM-status")
def test_the_status_of_a_store_in_memory(start_mintd, manager):
    instance = start_served(start_mintd, manager, "memory:")
    assert manager.wait_for("READY=1")["STATUS"] == "Serving; the store is memory"
    # ThreadSanitizer loses a signal that comes just as the main loop begins, 1 of 150: its handler never runs.
    wait_until(lambda: instance.find_log("listening"), 5, "the log is written by a thread of its own")
    assert instance.request("GET", "/healthz").status == 200


@row("SM-reload")
def test_a_reload_is_told(start_mintd, manager, redis):
    instance = start_served(start_mintd, manager, redis)
    manager.wait_for("READY=1")
    for _ in range(3):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        instance.signal(signal.SIGHUP)
        reloading = manager.wait_for("RELOADING=1")
        assert reloading["STATUS"] == "Reloading", reloading
        assert int(reloading["MONOTONIC_USEC"]) >= before // 1000
        assert manager.wait_for("READY=1")["STATUS"].startswith("Serving; ")


@rows("SM-stop", plain=(), delay=("--drain-delay", "1s"))
def test_a_drain_is_told(start_mintd, manager, redis, case):
    instance = start_served(start_mintd, manager, redis, *case)
    manager.wait_for("READY=1")
    instance.wait_for_store()
    instance.stop()
    assert manager.wait_for("STOPPING=1")["STATUS"] == "Draining"
    manager.drain()
    stopping = [i for i, message in enumerate(manager.messages) if "STOPPING" in message]
    assert len(stopping) == 1
    assert not any("READY" in message for message in manager.messages[stopping[0]:])


# ---- watchdog ----


@row("SM-watchdog")
def test_signs_of_life_at_half_of_the_time(start_mintd, manager, redis):
    start_served(start_mintd, manager, redis, watchdog=4.0, workers=2)
    manager.wait_for("READY=1")
    for _ in range(3):  # 2 s apart: three do not fit into 4 s, and two come before it is over
        manager.wait_for("WATCHDOG=1", within=4.0)
    assert len([m for m in manager.silence(2.9) if "WATCHDOG" in m]) <= 2


@row("SM-hang")
def test_a_worker_that_hangs_gets_no_sign_of_life(start_mintd, manager, redis):
    """One of three workers stands still: the others serve, the main thread runs, and yet the watchdog starves."""
    instance = start_served(start_mintd, manager, redis, watchdog=1.0, workers=3)
    manager.wait_for("WATCHDOG=1")
    with held(thread_of(instance.pid, "worker-2")):
        line = instance.wait_for_log("the loop of a worker hangs: the watchdog gets no sign of life")
        assert line["worker"] == 2 and line["silent_ms"] > 1000, line
        manager.wait_for("STATUS=The loop of a worker hangs")
        assert not any("WATCHDOG" in m for m in manager.silence(2.0))
    instance.wait_for_log("the loops of all workers turn again")
    manager.wait_for("WATCHDOG=1")


@row("SM-hang")
def test_a_drain_is_no_hang(start_mintd, manager, redis):
    """A worker that has ended does not tick any more; the one that still serves keeps the watchdog fed."""
    instance = start_served(start_mintd, manager, redis, watchdog=1.0, workers=2)
    manager.wait_for("READY=1")
    instance.wait_for_log("listening")
    open_one = instance.connect()
    open_one.send(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    instance.wait_for_log("store is up")
    instance.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    manager.wait_for("WATCHDOG=1")
    manager.wait_for("WATCHDOG=1")
    open_one.close()
    instance.check_end(instance.wait())
    assert not instance.find_log("the loop of a worker hangs: the watchdog gets no sign of life")


@row("SM-watchdog-pid")
def test_the_watchdog_of_another_process(start_mintd, manager, redis):
    start_served(start_mintd, manager, redis, watchdog=0.5, pid=1)
    manager.wait_for("READY=1")
    assert not any("WATCHDOG" in m for m in manager.silence(1.5))


@row("SM-watchdog-pid")
def test_the_watchdog_of_this_process(start_mintd, manager, redis):
    start_served(start_mintd, manager, redis, watchdog=1.0,
                 runner=("sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh"))
    manager.wait_for("WATCHDOG=1")


# ---- what is wrong with the environment ----


@rows("SM-wrong", relative="notify", long="/" + "x" * 108, empty_name="@", nobody="/nonexistent/notify")
def test_a_manager_that_cannot_be_told(start_mintd, redis, case):
    instance = start_mintd(redis=redis, env={"NOTIFY_SOCKET": case, "WATCHDOG_USEC": "200000"})
    instance.wait_for_log(lambda line: line["message"].startswith("the service manager "), level="warning")
    assert mint(instance).status in (200, 503)
    instance.stop()
    assert len(instance.find_log("the service manager cannot be told how mintd is")) <= 1


@rows("SM-wrong", text="soon", zero="0", huge="9" * 30, negative="-5")
def test_a_watchdog_that_makes_no_sense(start_mintd, manager, redis, case):
    instance = start_mintd(redis=redis, env={**manager.environment(), "WATCHDOG_USEC": case})
    manager.wait_for("READY=1")
    instance.wait_for_log("the watchdog is off", setting="WATCHDOG_USEC")
    assert not any("WATCHDOG" in m for m in manager.silence(0.5))


# ---- the journal ----

LEVELS = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


def log_to(matches, *arguments):
    """The lines of an instance whose standard error is the journal's stream, or (matches False) is not."""
    reader, writer = os.pipe()
    status = os.fstat(writer)
    stream = "%d:%d" % (status.st_dev, status.st_ino + (0 if matches else 1))
    with os.fdopen(reader, "rb") as log:
        process = subprocess.Popen(
            leashed(*command_line("--redis", "memory:", "--listen", "127.0.0.1:0", "--log-level", "debug",
                                  *arguments)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer,
            env=environment({"JOURNAL_STREAM": stream}))
        os.close(writer)
        lines = []
        for line in log:
            lines.append(line.decode())
            if "listening" in line.decode():
                process.send_signal(signal.SIGTERM)
        assert process.wait(scaled(12)) == 0, lines
    assert len(lines) >= 4, lines
    return lines


@row("SM-journal")
def test_levels_in_the_journal():
    seen = set()
    for line in log_to(True, "--log-format", "json"):
        parsed = json.loads(line[3:])
        assert line[:3] == LEVELS[parsed["level"]], line
        seen.add(parsed["level"])
    assert {"info", "warning"} <= seen


@row("SM-journal")
def test_text_in_the_journal_has_one_time():
    for line in log_to(True, "--log-format", "text"):
        prefix, level = re.match(r"(<[0-7]>)(debug|info|warning|error)  ", line).groups()
        assert prefix == LEVELS[level], line


@rows("SM-journal", json="json", text="text")
def test_another_stream_is_not_the_journal(case):
    for line in log_to(False, "--log-format", case):
        assert not line.startswith("<"), line
