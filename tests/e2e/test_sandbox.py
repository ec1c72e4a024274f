"""What a running mintd has given up (--sandbox). What exactly: tests/integration/test_sandbox.c. That
it is not too much is shown by all other tests: in a sanitizer's build a call that is missing ends it."""

import os
import shlex

from support.mintd import run
from support.oauth import row, rows

FILTERED = "2"  # SECCOMP_MODE_FILTER, in /proc
FREE = "0"


def modes(instance):
    """Of each thread."""
    folder = "/proc/%d/task" % instance.pid
    return [line.split()[1] for thread in os.listdir(folder)
            for line in open(os.path.join(folder, thread, "status"), encoding="utf-8") if line.startswith("Seccomp:")]


def says(instance):
    return instance.wait_for_log(lambda line: line["message"] == "started")["sandbox"]


@rows("SANDBOX", by_default=[], asked_for=["--sandbox", "on"])
def test_each_thread_is_in_it(case, start_mintd, redis):
    instance = start_mintd(*case, redis=redis, workers=3)
    instance.wait_for_store()
    assert says(instance) == "on"
    assert set(modes(instance)) == {FILTERED}


@row("SANDBOX-off")
def test_off(start_mintd, redis):
    instance = start_mintd("--sandbox", "off", redis=redis)
    assert says(instance) == "off"
    assert set(modes(instance)) == {FREE}


@row("SANDBOX-command")
def test_a_password_command_can_run(start_mintd, redis, tmp_path):
    """It would be a program, which the sandbox lets nobody start."""
    (tmp_path / "password").write_text("nobody-asks-for-it\n")
    command = "cat " + shlex.quote(str(tmp_path / "password"))
    instance = start_mintd("--redis-password-command", command, redis=redis)
    assert says(instance) == "off"
    done = run("--sandbox", "on", "--redis-password-command", command)
    assert done.returncode == 2 and "--sandbox" in done.stderr and "--redis-password-file" in done.stderr, done
