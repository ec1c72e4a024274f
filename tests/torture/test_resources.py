"""What G-03, G-04 and G-22 have to convict."""
import collections
import subprocess
import sys
import time

import pytest

import resources
from fake_server import GET, Server
from stage import seconds_until


def test_a_server_that_spins_is_seen():
    program = ("import socket, sys\nlistener = socket.create_server(('127.0.0.1', 0))\nlistener.setblocking(False)\n"
               "print(listener.getsockname()[1], flush=True)\nwhile True:\n try: listener.accept()\n except OSError: pass")
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        process.address = ("127.0.0.1", int(process.stdout.readline()))
        held = resources.attempts(process.address, 10)
        before, began = resources.cpu_seconds(process.pid), time.monotonic()
        time.sleep(2)
        assert 100 * (resources.cpu_seconds(process.pid) - before) / (time.monotonic() - began) > 5  # others want the core, too
        assert not resources.serves(process.address)
        for one in held:
            one.close()
    finally:
        process.kill()
        process.wait()
    assert seconds_until(lambda: False, 0.05) >= 0.05


def test_growth_and_drift():
    assert resources.slope([100, 100, 100, 100]) == 0
    assert resources.slope([100, 130, 160, 190]) == pytest.approx(30)
    assert resources.high([0.001] * 98 + [0.5, 0.5]) == 500


def test_a_wrong_answer_is_counted():
    wrong = collections.Counter()
    with Server(lambda number: (200, b"") if number != 3 else (503, b"")) as server:
        resources.ask(server, [(GET, 200)], 10, wrong)
    assert wrong == {"503 for 200": 1}
