"""A password of Redis that ends (--redis-password-file, --redis-password-command): made anew before it is needed,
said again on connections that are up, and never a reason for a failed request."""
import json
import os
import re
import shlex
import signal
import threading
import time

import pytest

from support.clients import bearer, mint, token_key
from support.http import request_bytes
from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import minted, row, rows, use, wait_status, wait_until
from support.prometheus import parse
from support.redis_proxy import RedisProxy, Replace
from support.wire import Wire

USER = "issuer"


class Rotation:
    """A user of Redis whose password is changed, and the file that has it."""

    def __init__(self, redis, folder):
        self.redis, self.file = redis, str(folder / "password")
        self.count = 0
        redis.cli("ACL", "SETUSER", USER, "on", "~*", "&*", "+@all")
        self.change()

    @property
    def url(self):
        return "redis://%s@127.0.0.1:%d" % (USER, self.redis.port)

    def password(self):
        return "canary-%d" % self.count

    def write(self, text):
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.file + ".new", self.file)

    def change(self, form="%s\n"):
        """Redis has the new one alone from now on."""
        self.count += 1
        self.redis.cli("ACL", "SETUSER", USER, "resetpass", ">" + self.password())
        self.write(form % self.password())

    def overlap(self, form):
        """Both are good until the next change."""
        old = self.password()
        self.count += 1
        self.redis.cli("ACL", "SETUSER", USER, ">" + self.password())
        self.write(form % self.password())
        return lambda: self.redis.cli("ACL", "SETUSER", USER, "<" + old)

    def times_said(self):
        line = next((one for one in self.redis.cli("INFO", "commandstats").split() if one.startswith("cmdstat_auth:")),
                    "calls=0,")
        return int(line.split("calls=")[1].split(",")[0])


@pytest.fixture
def rotation(own_redis, tmp_path):
    return Rotation(own_redis, tmp_path)


def metric(instance, name):
    return parse(instance.request("GET", "/metrics").body)[name].value()


def by_file(rotation):
    return "--redis-password-file", rotation.file


def by_command(rotation):
    return "--redis-password-command", "cat " + shlex.quote(rotation.file)


BOTH = {"file": by_file, "command": by_command}


@pytest.mark.lengthy
@row("RP-1")
def test_a_password_that_changes_all_the_time(start_mintd, rotation):
    """Every half second, each good for a second: no request fails, no connection is lost, memory is kept."""
    form = json.dumps({"password": "%s", "expires_in": 1})
    rotation.change(form)
    instance = start_mintd(*by_command(rotation), redis=rotation.url, workers=2)
    instance.wait_for_store()
    token, _ = minted(instance)
    statuses, stop = [], threading.Event()

    def load():
        wire = Wire(instance.address)
        raw = request_bytes("GET", "/secret", [bearer(token)])
        while not stop.is_set():
            statuses.append(wire.ask(raw)[0])
            statuses.append(mint(instance).status)
        wire.close()

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    said, end = rotation.times_said(), time.monotonic() + float(os.environ.get("MINTD_PASSWORD_SECONDS", "8"))
    forget = [lambda: None, lambda: None]
    while time.monotonic() < end:
        forget.append(rotation.overlap(form))
        forget.pop(0)()
        stop.wait(0.5)
    stop.set()
    thread.join()
    assert set(statuses) == {200} and len(statuses) > 100, set(statuses)
    assert metric(instance, "mintd_store_connects_total") == 2, "a connection was lost"
    assert metric(instance, "mintd_cache_on") == 2
    assert rotation.times_said() - said >= 2 * 4, "each worker says a new one each time"
    assert "canary" not in instance.log_text


@rows("RP-2", **BOTH)
def test_a_lost_connection_comes_back_with_the_new_one(start_mintd, rotation, case):
    instance = start_mintd(*case(rotation), redis=rotation.url, workers=2)
    instance.wait_for_store()
    since = instance.mark()
    rotation.change()
    rotation.redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back", since=since, count=2)
    wait_until(lambda: mint(instance).status == 200, 2)
    assert "canary" not in instance.log_text


@rows("RP-3", **BOTH)
def test_a_wrong_one_is_mended_without_a_restart(start_mintd, rotation, case):
    rotation.write("not-it\n")
    instance = start_mintd(*case(rotation), redis=rotation.url, workers=2)
    told = instance.wait_for_log("redis refuses us; check the user, its password and its rights")
    assert told["trouble"] == "noauth", told
    assert mint(instance).status == 503
    rotation.change()
    wait_until(lambda: metric(instance, "mintd_store_links_up") == 2, 12)  # a command is spared for 10 s
    assert mint(instance).status == 200


@row("RP-4")
def test_tracking_survives_a_new_password(start_mintd, rotation):
    """What was in memory stays, and Redis still tells of its changes."""
    instance = start_mintd(*by_file(rotation), redis=rotation.url)
    instance.wait_for_store()
    token, _ = minted(instance)
    assert use(instance, token).status == 200
    hits, said = metric(instance, "mintd_cache_hits_total"), rotation.times_said()
    rotation.change()
    instance.signal(signal.SIGHUP)
    wait_until(lambda: rotation.times_said() > said, 5, "the new one is said")
    with rotation.redis.monitor() as monitor:
        assert use(instance, token).status == 200
        assert monitor.requests() == [], "it was in memory"
    assert metric(instance, "mintd_cache_hits_total") > hits
    rotation.redis.cli("DEL", token_key(token))
    wait_until(lambda: use(instance, token).status == 401, 1, "Redis tells of the change")
    assert metric(instance, "mintd_store_connects_total") == 1


@row("RP-5")
def test_a_live_connection_that_is_refused_goes_on(start_mintd, rotation):
    """The file is written before Redis knows: the connection stays, and the next one is said."""
    instance = start_mintd(*by_file(rotation), redis=rotation.url)
    instance.wait_for_store()
    said = rotation.times_said()
    rotation.write("too-early\n")
    instance.signal(signal.SIGHUP)
    wait_until(lambda: rotation.times_said() > said, 5)
    assert mint(instance).status == 200
    said = rotation.times_said()
    rotation.change()
    instance.signal(signal.SIGHUP)
    wait_until(lambda: rotation.times_said() > said, 5)
    assert mint(instance).status == 200 and metric(instance, "mintd_store_connects_total") == 1


@row("RP-14")
def test_a_refused_password_that_gets_no_reply(start_mintd, rotation):
    """As Redis 7.2 and later do it where replies to what came before are still to be sent: no order is lost."""
    said = []

    def rule(command):
        if command[0] == b"AUTH":
            said.append(command[-1])
            return Replace(b"")
        return None

    proxy = RedisProxy(rotation.redis.port)
    proxy.rule = rule
    try:
        instance = start_mintd(*by_file(rotation), redis="redis://%s@%s" % (USER, proxy.url.removeprefix("redis://")))
        instance.wait_for_store()
        for _ in range(3):
            rotation.change()
            instance.signal(signal.SIGHUP)
            wait_until(lambda: rotation.password().encode() in said, 5)
            assert mint(instance).status == 200
        assert metric(instance, "mintd_store_connects_total") == 1 and instance.find_log("redis is lost") == []
    finally:
        proxy.stop()


@row("RP-15")
def test_a_user_alone_is_no_secret(start_mintd, rotation):
    """No warning of a secret on the command line."""
    instance = start_mintd(*by_file(rotation), "--redis", rotation.url)
    instance.wait_for_store()
    assert not [line for line in instance.log if "secret" in line["message"]]


COMMANDS = {
    "status": ("exit 3", "the command ended with status 3"),
    "signal": ("kill -TERM $$", "the command ended with signal 15"),
    "nothing": ("true", "it is empty"),
    "lines": ("echo a; echo b", "the command printed more than one line"),
    "much": ("head -c 20000 /dev/zero | tr '\\0' x", "the command printed more than 8192 bytes"),
    "json": ("echo '{\"pass\": \"canary\"}'", "the command printed JSON without a text named password"),
    "broken": ("echo '{canary'", "the command printed JSON without a text named password"),
    "life": ("echo '{\"password\": \"canary\", \"expires_in\": 0}'", "expires_in is not a number of seconds"),
    "bom": ("printf '\\357\\273\\277canary'", "byte order mark"),
    "missing": ("exec 2>/dev/null; /no/such/program", "the command ended with status 127"),
}


@rows("RP-6", **COMMANDS)
def test_a_command_that_gives_none(start_mintd, rotation, case):
    """Said once, in words that have nothing of what it printed; service is 503, and starts when it is mended."""
    command, words = case
    broken = "if test -e %s.good; then cat %s; else %s; fi" % (rotation.file, rotation.file, command)
    instance = start_mintd("--redis-password-command", broken, redis=rotation.url)
    told = instance.wait_for_log("there is no fresh password of redis; the one before is used as long as it is accepted")
    assert words in told["reason"] and told["level"] == "error", told
    assert mint(instance).status == 503
    with open(rotation.file + ".good", "w", encoding="utf-8"):
        pass
    # Asked for again with each attempt, once in ten seconds at most.
    wait_status(instance, 200, within=12)
    assert len(instance.find_log(told["message"])) == 1 and "canary" not in instance.log_text


def check_killed(instance, mark):
    """After its 10 s; also the process whose number is in that file."""
    told = instance.wait_for_log("there is no fresh password of redis; the one before is used as long as it is accepted",
                                 timeout=15)
    assert told["reason"] == "the command was not done within 10 s", told
    with open(mark, encoding="ascii") as file:
        child = int(file.read())
    wait_until(lambda: not os.path.exists("/proc/%d" % child), 5, "what it has started is killed too")


@pytest.mark.lengthy
@row("RP-7")
def test_a_command_that_does_not_end(start_mintd, rotation):
    """It and what it has started are killed after 10 s; the process itself stays as it was."""
    mark = rotation.file + ".pid"
    instance = start_mintd("--redis-password-command", "sleep 600 & echo $! > %s; wait" % mark, redis=rotation.url)
    told = instance.wait_for_log("redis refuses us; check the user, its password and its rights", timeout=10)
    assert told["reason"] == "its password is not made yet", told
    check_killed(instance, mark)


@row("RP-8")
def test_it_ends_while_the_command_runs(start_mintd, rotation):
    instance = start_mintd("--redis-password-command", "sleep 600", redis=rotation.url)
    instance.wait_for_log("redis refuses us; check the user, its password and its rights", timeout=10)
    started = time.monotonic()
    instance.stop()
    assert time.monotonic() - started < 9


@rows("RP-9",
      both=(["--redis-password-file", "f", "--redis-password-command", "c", "--redis", "redis://h"], "keep one"),
      memory=(["--redis-password-file", "f", "--redis", "memory:"], "--redis is memory:"),
      url=(["--redis-password-file", "f", "--redis", "redis://:canary@h"], "keep one"),
      user=(["--redis", "redis://user@h"], "a user stands without a password"),
      empty=(["--redis-password-file", "", "--redis", "redis://h"], "it is the name of a file"))
def test_settings_that_do_not_fit(case):
    arguments, words = case
    done = run(*arguments, "--check")
    assert done.returncode == 2 and words in done.stderr and "canary" not in done.stderr, done.stderr


@rows("RP-10", **BOTH)
def test_mintctl_takes_the_same(rotation, case):
    flag, value = case(rotation)
    ctl = Mintctl(rotation.url, canaries=[rotation.password()])
    ctl("client", "list", flag, value)
    variable = "MINTD_" + flag[2:].replace("-", "_").upper()
    Mintctl(rotation.url, env={variable: value})("status")
    rotation.write("wrong\n")
    done = Mintctl(rotation.url, env={variable: value}).run("status")
    assert done.status == 3 and "noauth" in done.err, done
    done = Mintctl(rotation.url).run("status")
    assert done.status == 2 and "a user stands without a password" in done.err, done


@pytest.mark.lengthy
@rows("RP-11", **BOTH)
def test_one_that_redis_comes_to_know_late(start_mintd, rotation, case):
    """The password was right, and refused: it is tried again, though there is no other; and the log says it once."""
    rotation.redis.cli("ACL", "SETUSER", USER, "resetpass", ">another")
    instance = start_mintd(*case(rotation), redis=rotation.url)
    refused = "redis refuses us; check the user, its password and its rights"
    instance.wait_for_log(refused)
    rotation.redis.cli("ACL", "SETUSER", USER, "resetpass", ">" + rotation.password())
    wait_until(lambda: metric(instance, "mintd_store_links_up") == 1, 12, "what was refused is tried again after 10 s")
    assert mint(instance).status == 200
    assert len(instance.find_log(refused)) == 1, instance.log_text


@pytest.mark.lengthy
@row("RP-12")
def test_what_a_command_leaves_behind_is_killed_too(start_mintd, rotation):
    """It has ended itself; what it started holds its output, so that it is not done."""
    mark = rotation.file + ".pid"
    instance = start_mintd("--redis-password-command", "sleep 600 & echo $! > %s; cat %s" % (mark, rotation.file),
                           redis=rotation.url)
    check_killed(instance, mark)


@row("RP-13")
def test_a_command_gets_nothing_that_it_does_not_need(start_mintd, rotation):
    """No setting of ours, no file or socket of ours, no signal held back; of mintctl neither."""
    mark = rotation.file + ".seen"
    command = ("exec 3> %s; tr '\\0' '\\n' < /proc/self/environ >&3; readlink /proc/$$/fd/* >&3; "
               "grep -E 'SigBlk|SigIgn' /proc/self/status >&3; exec 3>&-; cat %s" % (mark, rotation.file))
    env = {"MINTD_CLIENT": "rp-13:canary-secret-of-a-client", "OTHER": "is-kept"}

    def seen():
        with open(mark, encoding="utf-8") as file:
            return file.read()

    instance = start_mintd("--redis-password-command", command, redis=rotation.url, workers=2, env=env)
    instance.wait_for_store()
    Mintctl(rotation.url, env={**env, "MINTD_REDIS_PASSWORD_COMMAND": command + "; cp %s %s.ctl" % (mark, mark)})("status")
    for said in seen(), open(mark + ".ctl", encoding="utf-8").read():
        assert "OTHER=is-kept" in said and "canary" not in said and "MINTD_" not in said, said
        assert said.count("socket:") <= 1, "its output, and no other: " + said
        assert re.findall("Sig...:\t(.*)", said) == ["0" * 16] * 2, said
