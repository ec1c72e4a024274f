"""What counts as waiting."""
import asyncio
import os
import subprocess
import time

import pytest

from machine import PERIOD, LoopWatch, Machine, is_blocked

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


def test_a_loop_that_stands_still_is_told():
    """And for how long, to whoever looks as soon as it goes on; one that goes on is not."""
    async def run():
        machine = Machine(dict)
        watch = LoopWatch(machine, "us")
        await asyncio.sleep(5 * PERIOD)
        began = time.monotonic()
        time.sleep(0.5)
        await asyncio.sleep(0)
        ended = time.monotonic()
        await asyncio.sleep(5 * PERIOD)
        watch.end()
        machine.end()
        return machine, began, ended

    machine, began, ended = asyncio.run(run())
    assert 0.4 < machine.waited(["us"], began, ended)[0] < 0.5 + 20 * PERIOD
    assert machine.waited(["us"], began - 4 * PERIOD, began - 2 * PERIOD)[0] < 0.4
