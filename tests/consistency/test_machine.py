"""What counts as waiting."""
import os
import subprocess
import time

import pytest

from machine import PERIOD, Machine, is_blocked

STAT = "4711 (redis (server)) %s 1 4711 4711 0 -1 4194560 2190 0"


@pytest.mark.parametrize("state,blocked", [("D", True), ("S", False), ("R", False), ("T", False), ("Z", False)])
def test_a_disk_is_waited_for(state, blocked):
    assert is_blocked(STAT % state) == blocked


def test_a_process_that_sleeps_waits_for_nothing():
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        machine = Machine(lambda: {"it": sleeper.pid})
        began = time.monotonic()
        while time.monotonic() - began < 20 * PERIOD:
            os.sched_yield()
        machine.end()
        sleeper.kill()
    assert machine.waited(["it"], began, time.monotonic())[0] < 10 * PERIOD
