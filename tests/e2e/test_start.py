"""How mintd and mintctl start where something that programs expect is missing: B-7."""
import os
import signal
import subprocess

import pytest

from support.expect import row
from support.mintctl import binary as mintctl
from support.mintd import command_line, environment
from support.oauth import wait_until
from support.redis_server import free_port
from support.timing import scaled


def answers(port):
    done = subprocess.run(["curl", "-sf", "http://127.0.0.1:%d/healthz" % port], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("closed", [pytest.param(c, id="B-7-" + "".join(map(str, c)))
                                    for c in ((0, 1, 2), (1, 2), (2,), (0,), (0, 2))])
def test_descriptors_that_are_closed(closed):
    """/dev/null stands in for them: no listener, loop or file takes their numbers."""
    port = free_port()
    script = 'exec "$@" ' + " ".join("%d>&-" % fd if fd else "0<&-" for fd in closed)
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", *command_line("--listen", "127.0.0.1:%d" % port, "--redis", "memory:")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        wait_until(lambda: answers(port), 10, "it serves")
        for fd in closed:
            assert os.readlink("/proc/%d/fd/%d" % (process.pid, fd)) == "/dev/null"
        process.send_signal(signal.SIGTERM)
        assert process.wait(scaled(12)) == 0
    finally:
        process.kill()
        process.wait()


@row("B-7")
def test_descriptors_that_are_closed_for_mintctl():
    """It ends as it should, also where nobody hears it."""
    for script, status in (('exec "$@" 0<&- 1>&- 2>&-', 3), ('exec "$@" 2>&-', 3)):
        done = subprocess.run(["sh", "-c", script, "sh", mintctl(), "client", "list", "--redis", "redis://127.0.0.1:1"],
                              capture_output=True, env=environment(), timeout=scaled(20), check=False)
        assert done.returncode == status, done
