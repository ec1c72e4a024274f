"""What SIGHUP reads again beside the files of TLS: the URL of Redis in its file, and the level of the log."""
import os
import re
import signal

import pytest

from support.clients import mint
from support.mintd import run
from support.oauth import row, rows, wait_until
from support.prometheus import parse

USER = "issuer"


class File:
    def __init__(self, path, text):
        self.path = str(path)
        self.write(text)

    def write(self, text):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)


def metric(instance, name):
    return parse(instance.request("GET", "/metrics").body)[name].value()


def give_user(redis, password):
    redis.cli("ACL", "SETUSER", USER, "on", "resetpass", ">" + password, "~*", "&*", "+@all")


def times_said(redis):
    found = re.search(r"cmdstat_auth:calls=(\d+)", redis.cli("INFO", "commandstats"))
    return int(found.group(1)) if found else 0


def url(redis, password, host="127.0.0.1", user=USER):
    return "redis://%s:%s@%s:%d\n" % (user, password, host, redis.port)


# ---- the URL of Redis ----


@row("RL-url")
def test_a_new_password_in_the_url(start_mintd, own_redis, tmp_path):
    """Taken at SIGHUP: the connection stays, no request fails, and the next connection is greeted with it."""
    give_user(own_redis, "canary-1")
    file = File(tmp_path / "url", url(own_redis, "canary-1"))
    instance = start_mintd(env={"MINTD_REDIS_FILE": file.path}, workers=2)
    instance.wait_for_store()
    wait_until(lambda: metric(instance, "mintd_store_links_up") == 2, 5)
    give_user(own_redis, "canary-2")
    file.write(url(own_redis, "canary-2"))
    said = times_said(own_redis)
    instance.signal(signal.SIGHUP)
    wait_until(lambda: times_said(own_redis) == said + 2, 5, "both links say it")
    assert mint(instance).status == 200 and metric(instance, "mintd_store_connects_total") == 2
    since = instance.mark()
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back", since=since, count=2)
    assert mint(instance).status == 200
    assert "canary" not in instance.log_text


@row("RL-url")
def test_a_password_that_redis_changed_first(start_mintd, own_redis, tmp_path):
    """A link that is refused looks at the file by itself: no signal is needed."""
    give_user(own_redis, "canary-1")
    file = File(tmp_path / "url", url(own_redis, "canary-1"))
    instance = start_mintd(env={"MINTD_REDIS_FILE": file.path})
    instance.wait_for_store()
    give_user(own_redis, "canary-2")
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    file.write(url(own_redis, "canary-2"))
    wait_until(lambda: mint(instance).status == 200, 15, "it is greeted with the new one")


@rows("RL-url-wrong", host=lambda redis: url(redis, "canary-1", host="localhost"),
      user=lambda redis: url(redis, "canary-1", user="other"), no_url=lambda redis: "nonsense\n",
      empty=lambda redis: "", no_password=lambda redis: "redis://127.0.0.1:%d\n" % redis.port)
def test_what_else_changes_in_the_url_changes_nothing(start_mintd, own_redis, tmp_path, case):
    give_user(own_redis, "canary-1")
    file = File(tmp_path / "url", url(own_redis, "canary-1"))
    instance = start_mintd(env={"MINTD_REDIS_FILE": file.path})
    instance.wait_for_store()
    file.write(case(own_redis))
    instance.signal(signal.SIGHUP)
    line = instance.wait_for_log(lambda one: one["message"].startswith("there is no fresh password of redis"))
    assert line["level"] == "error" and line["reason"], line
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back")
    assert mint(instance).status == 200
    since = instance.mark()
    file.write(url(own_redis, "canary-1"))
    instance.signal(signal.SIGHUP)
    instance.wait_for_log("there is a fresh password of redis again", since=since)
    assert "canary" not in instance.log_text


@row("RL-url")
def test_a_file_that_is_gone_after_the_start(start_mintd, own_redis, tmp_path):
    """As a pipe is: the URL that was read stays good."""
    give_user(own_redis, "canary-1")
    file = File(tmp_path / "url", url(own_redis, "canary-1"))
    instance = start_mintd(env={"MINTD_REDIS_FILE": file.path})
    os.unlink(file.path)
    instance.wait_for_store()
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back")
    assert mint(instance).status == 200


@row("RL-url-wrong")
def test_a_url_without_a_password_takes_a_restart(start_mintd, own_redis, tmp_path):
    file = File(tmp_path / "url", own_redis.url)
    instance = start_mintd(env={"MINTD_REDIS_FILE": file.path})
    instance.wait_for_store()
    since = instance.mark()
    instance.signal(signal.SIGHUP)
    instance.wait_for_log("reloading", since=since)
    assert instance.request("GET", "/healthz").status == 200
    assert not instance.find_log("the URL of redis is left as it is"), "it has not changed"
    file.write(url(own_redis, "canary-1"))
    instance.signal(signal.SIGHUP)
    line = instance.wait_for_log("the URL of redis is left as it is")
    assert line["level"] == "error" and "restart" in line["problem"] and line["file"] == file.path, line
    assert mint(instance).status == 200 and "canary" not in instance.log_text


# ---- the level of the log ----


@row("RL-level")
def test_the_level_of_the_log(start_mintd, redis, tmp_path):
    file = File(tmp_path / "level", "info\n")
    instance = start_mintd(redis=redis, env={"MINTD_LOG_LEVEL_FILE": file.path})
    instance.wait_for_store()
    assert not instance.find_log(lambda line: line["level"] == "debug")
    file.write("debug")
    instance.signal(signal.SIGHUP)
    instance.wait_for_log("the level of the log is read again")
    assert instance.request("GET", "/healthz").status == 200
    instance.wait_for_log(lambda line: line["level"] == "debug")
    file.write("error\n")
    instance.signal(signal.SIGHUP)
    # Nothing tells of it now: a refusal is no line any more.
    wait_until(lambda: not tells_of_a_refusal(instance), 5, "only errors are told")
    file.write("info\n")
    instance.signal(signal.SIGHUP)
    wait_until(lambda: tells_of_a_refusal(instance), 5, "as at the start")


def tells_of_a_refusal(instance):
    """The log is in order: what comes behind the refusal's line came behind the refusal. A level at which nothing
    is told has no such line; the wait for it is short, since this is asked again."""
    since = instance.mark()
    assert instance.request("GET", "/secret").status == 401
    try:
        instance.wait_for_log("refused", timeout=0.5, since=since)
    except AssertionError:
        return False
    return True


@rows("RL-level-wrong", word="loud\n", empty="", large="x" * 5000, gone=None)
def test_a_wrong_level_changes_nothing(start_mintd, redis, tmp_path, case):
    file = File(tmp_path / "level", "info\n")
    instance = start_mintd(redis=redis, env={"MINTD_LOG_LEVEL_FILE": file.path})
    if case is None:
        os.unlink(file.path)
    else:
        file.write(case)
    instance.signal(signal.SIGHUP)
    line = instance.wait_for_log("the level of the log is left as it is")
    assert line["file"] == file.path and line["problem"], line
    assert mint(instance).status in (200, 503)
    instance.wait_for_log("store is up")


@row("RL-level-wrong")
def test_a_wrong_level_at_the_start(tmp_path):
    file = File(tmp_path / "level", "loud\n")
    result = run("--redis", "memory:", env={"MINTD_LOG_LEVEL_FILE": file.path})
    assert result.returncode == 2 and "MINTD_LOG_LEVEL_FILE" in result.stderr
    assert "debug, info, warning or error" in result.stderr


@pytest.mark.parametrize("variable", [pytest.param("MINTD_LOG_LEVEL", id="RL-level")])
def test_check_says_where_it_is_from(tmp_path, variable):
    file = File(tmp_path / "level", "error\n")
    result = run("--redis", "memory:", "--check", env={variable + "_FILE": file.path})
    assert result.returncode == 0 and variable + "_FILE" in result.stdout, result
