"""Sentinels tell where the master is (redis+sentinel://): real ones through fail-overs, and ones that lie.

What a fail-over must not do: accept what was revoked on the new master, refuse a token that it has, need a restart.
"""
import contextlib
import os
import re
import subprocess
import threading
import time

import pytest

from support.clients import bearer, install_client, install_clients, mint, token_key, SVC_A
from support.http import request_bytes
from support.mintctl import Mintctl
from support.mintd import ASAN_OPTIONS, run
from support.oauth import minted, row, rows, use, wait_status, wait_until
from support.prometheus import parse
from support.redis_server import RedisServer, free_port
from support.sentinel import DOWN_AFTER_MS, NAME, FakeSentinel, Sentinel, Sentinels
from support.slow_link import SlowLink
from support.timing import scaled
from support.wire import Wire

BACK_WITHIN = 1.0  # of the moment that a Sentinel names the new master; they need their time for that
FAIL_OVERS = int(os.environ.get("MINTD_FAIL_OVERS", "5"))  # script/test --full says 50
LATE = 2.0  # how long a yes may outlive a change
ANOTHER = "the Sentinels name another master"


@pytest.fixture
def group():
    with Sentinels() as sentinels:
        install_clients(sentinels.master)
        wait_until(lambda: sentinels.ask(sentinels.replica, "EXISTS", "mintd:clients") == 1, 10)
        yield sentinels


@pytest.fixture
def fakes():
    """Three Sentinels that tests tell what to say."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(FakeSentinel()) for _ in range(3)]


def start(start_mintd, sentinels, *arguments, workers=2, **more):
    url = sentinels if isinstance(sentinels, str) else Sentinels.url_of(*sentinels)
    return start_mintd(*arguments, redis=url, workers=workers, **more)


def wait_for_all(instance, workers):
    """The log tells of the first worker only; a mint may come to any."""
    instance.wait_for_store()
    wait_until(lambda: metric(instance, "mintd_store_links_up") == workers, 10, "all workers have their link")


def metric(instance, name):
    return parse(instance.request("GET", "/metrics").body)[name].value()


class Load:
    """One thread that uses a token and mints, over and over; what was answered, and when."""

    def __init__(self, instance, token):
        self._instance, self._token = instance, token
        self.answers = []  # (when, what, status)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        wire = Wire(self._instance.address)
        raw = request_bytes("GET", "/secret", [bearer(self._token)])
        while not self._stop.is_set():
            asked = time.monotonic()
            self.answers.append((asked, "use", wire.ask(raw)[0]))
            self.answers.append((time.monotonic(), "mint", mint(self._instance).status))
        wire.close()

    def statuses(self, what):
        return {status for _, kind, status in list(self.answers) if kind == what}

    def wait_until_served(self, since, within):
        """Both are answered 200 again; how long after `since` that was."""
        def served():
            later = [(kind, status) for asked, kind, status in list(self.answers) if asked > since]
            return ("use", 200) in later[-4:] and ("mint", 200) in later[-4:]

        wait_until(served, within, "it serves again")
        return time.monotonic() - since

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


# ---- real Sentinels ----


@pytest.mark.lengthy
@row("RS-1")
def test_fail_overs_under_load(start_mintd, group):
    """Masters die one after the other by kill -9: each time the service is back by itself."""
    instance = start(start_mintd, group.each, workers=4)
    wait_for_all(instance, 4)
    for _ in range(FAIL_OVERS):
        old = group.master
        new = group.replica
        token, _ = minted(instance)
        revoked, _ = minted(instance)
        wait_until(group.has_copy(new, token, revoked), 5)
        with Load(instance, token) as load:
            wait_until(lambda: len(load.answers) > 20, 5)
            old.kill()
            killed = time.monotonic()
            group.wait_until_named(new)
            named = time.monotonic()
            back = load.wait_until_served(named, BACK_WITHIN)
            print("a Sentinel named the new master after %.2f s, mintd was back %.2f s later" % (named - killed, back))
            group.ask(new, "DEL", token_key(revoked))
        assert load.statuses("use") <= {200, 503}, "a good token was refused"
        assert load.statuses("mint") <= {200, 503}
        wait_until(lambda: use(instance, revoked).status == 401, LATE)
        wait_until(lambda: group.agree_on(new), 10)
        old.start("--replicaof", "127.0.0.1 %d" % new.port)
        group.settle()
    assert instance.is_alive


@pytest.mark.lengthy
@row("RS-2")
def test_a_master_that_goes_silent_and_comes_back(start_mintd, group):
    """SIGSTOP: no connection is closed. When it wakes it takes itself for the master; nobody asks it."""
    instance = start(start_mintd, group.each, workers=4)
    wait_for_all(instance, 4)
    old, new = group.master, group.replica
    token, _ = minted(instance)
    wait_until(group.has_copy(new, token), 5)
    old.pause()
    with Load(instance, token) as load:
        group.wait_until_named(new)
        # It may have been named ahead of the 2 s in which we notice silence.
        load.wait_until_served(time.monotonic(), BACK_WITHIN + 2)
    # As long as the Sentinels do not agree, either may be taken for the master where both say they are.
    wait_until(lambda: group.agree_on(new) and metric(instance, "mintd_store_links_up") == 4, 10)
    group.ask(new, "DEL", token_key(token))
    wait_until(lambda: use(instance, token).status == 401, LATE)
    old.resume()
    wires = [Wire(instance.address) for _ in range(16)]
    raw = request_bytes("GET", "/secret", [bearer(token)])
    awake = time.monotonic()
    while time.monotonic() - awake < 3:
        assert {wire.ask(raw)[0] for wire in wires} == {401}, instance.log_text
    for wire in wires:
        wire.close()


@row("RS-3")
def test_a_fail_over_that_an_operator_asks_for_twice(start_mintd, group):
    """The second one begins as soon as the Sentinels take it."""
    instance = start(start_mintd, group.each)
    wait_for_all(instance, 2)
    token, _ = minted(instance)
    wait_until(group.has_copy(group.replica, token), 5)
    with Load(instance, token) as load:
        for _ in range(2):
            group.fail_over()  # all agree: each has named it for a while
            load.wait_until_served(time.monotonic(), BACK_WITHIN)
            group.settle()
    assert load.statuses("use") <= {200, 503} and load.statuses("mint") <= {200, 503}
    wait_until(lambda: metric(instance, "mintd_store_links_up") == 2, 5, "the other worker serves too")


@row("RS-4")
def test_service_goes_on_without_sentinels(start_mintd, group):
    """They are not on the data's way: said once, counted, and a link that is lost meanwhile comes
    back to the master that was found last."""
    instance = start(start_mintd, group.each, workers=4)
    wait_for_all(instance, 4)
    token, _ = minted(instance)
    master, since = group.master, instance.mark()
    for sentinel in group.each:
        sentinel.kill()
    instance.wait_for_log("no sentinel answers; the master that was found last is kept", since=since)
    assert use(instance, token).status == 200 and mint(instance).status == 200
    master.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back", since=since, count=4)
    wait_until(lambda: use(instance, token).status == 200 and mint(instance).status == 200, 2)
    assert len(instance.find_log("no sentinel answers; the master that was found last is kept")) == 1
    wait_until(lambda: metric(instance, "mintd_store_sentinels_lost_total") == 3 * 4, 5)
    for sentinel in group.each:
        sentinel.start()
    instance.wait_for_log("a sentinel answers again", since=since)
    assert len(instance.find_log("a sentinel answers again", since=since)) == 1


@row("RS-5")
def test_one_sentinel_is_enough_to_start(start_mintd, group):
    """Two are away: one silent, one gone."""
    group.each[0].pause()
    group.each[1].kill()
    try:
        instance = start(start_mintd, group.each)
        instance.wait_for_store(timeout=5)
        assert mint(instance).status == 200
    finally:
        group.each[0].resume()


@row("RS-6")
def test_sentinels_have_users_of_their_own(start_mintd):
    """The data's user is never named to them, and theirs not to Redis."""
    with RedisServer() as redis:
        redis.cli("ACL", "SETUSER", "data", "on", ">canary-data", "~*", "&*", "+@all")
        redis.cli("ACL", "SETUSER", "default", "off")
        redis.cli("AUTH", "data", "canary-data")
        install_clients(redis)
        sentinel = Sentinel(redis.port, quorum=1, config=[
            "user watcher on >canary-watcher -@all +hello +auth +ping +role +client|setname +sentinel|master "
            "+sentinel|get-master-addr-by-name",
            "user default off", "sentinel auth-user %s data" % NAME, "sentinel auth-pass %s canary-data" % NAME])
        try:
            url = "redis+sentinel://data:canary-data@127.0.0.1:%d/%s" % (sentinel.port, NAME)
            env = {"MINTD_REDIS_SENTINEL_USER": "watcher", "MINTD_REDIS_SENTINEL_PASSWORD": "canary-watcher"}
            instance = start(start_mintd, url, env=env)
            wait_for_all(instance, 2)
            assert mint(instance).status == 200
            Mintctl(url, env=env, canaries=["canary-data", "canary-watcher"]).secret("client", "add", "rs-6")
            assert redis.cli("EXISTS", "mintd:client:rs-6") == 1
            wrong = start(start_mintd, url, env={**env, "MINTD_REDIS_SENTINEL_PASSWORD": "canary-wrong"})
            told = wrong.wait_for_log("a sentinel refuses us; check --redis-sentinel-user and its password")
            assert told["level"] == "error" and told["sentinel"] == "127.0.0.1:%d" % sentinel.port, told
            assert "canary" not in wrong.log_text
            told = wrong.wait_for_log("redis cannot be used yet")
            assert told["trouble"] == "nomaster" and told["reason"].startswith("no Sentinel answers: "), told
        finally:
            sentinel.close()


# ---- what Sentinels may say ----


@row("RS-7")
def test_a_wrong_name_is_said_and_mended(start_mintd, fakes, own_redis):
    instance = start(start_mintd, fakes, workers=1)
    told = instance.wait_for_log("redis cannot be used yet")
    assert told["reason"] == "no Sentinel knows a master named " + NAME, told
    assert mint(instance).status == 503
    assert instance.request("GET", "/readyz").json()["reason"] == "nomaster"
    done = Mintctl(Sentinels.url_of(*fakes)).run("status")
    assert "no Sentinel knows a master named mymaster" in done.err, done.err
    fakes[1].names(own_redis.port, epoch=1)
    instance.wait_for_store()
    assert mint(instance).status == 200


@row("RS-8")
def test_a_redis_in_place_of_a_sentinel_is_said(start_mintd, own_redis):
    instance = start(start_mintd, "redis+sentinel://127.0.0.1:%d/%s" % (own_redis.port, NAME), workers=1)
    told = instance.wait_for_log("redis cannot be used yet")
    assert "it is a Redis and no Sentinel" in told["reason"], told


@row("RS-9")
def test_a_stale_sentinel_is_not_followed(start_mintd, fakes, own_redis):
    """It was cut off, and names the master of before, which has stayed one: the higher epoch counts, in any order."""
    with RedisServer() as old:
        install_clients(old)
        fakes[0].names(old.port, epoch=4)
        fakes[1].names(own_redis.port, epoch=5)
        fakes[2].names(own_redis.port, epoch=5)
        instance = start(start_mintd, fakes, workers=1)
        instance.wait_for_store()
        # Whoever spoke first: within a round of questions it is on the newer one.
        wait_until(lambda: mint(instance).status == 200 and own_redis.tokens(), 5)
        since, before = instance.mark(), len(old.tokens())
        asked = [fake.questions() for fake in fakes]
        wait_until(lambda: all(fake.questions() > count + 1 for fake, count in zip(fakes, asked)), 15,
                   "each is asked in turn")
        assert mint(instance).status == 200
        assert instance.find_log("redis is lost", since=since) == [] and len(old.tokens()) == before
        # All are made anew, and count from nothing.
        for fake in fakes:
            fake.names(old.port, epoch=0)
        instance.wait_for_log("redis is lost", since=since, timeout=10, reason=ANOTHER)
        wait_until(lambda: mint(instance).status == 200 and len(old.tokens()) > before, 5)
        assert metric(instance, "mintd_store_master_changes_total") >= 1


@row("RS-10")
def test_the_new_master_is_followed_though_the_old_one_answers(start_mintd, fakes, own_redis):
    """Nobody demoted it: what a Sentinel says is all there is. Within a poll of each, in each worker."""
    with RedisServer() as new:
        install_clients(new)
        for fake in fakes:
            fake.names(own_redis.port, epoch=1)
        instance = start(start_mintd, fakes, workers=2)
        wait_for_all(instance, 2)
        token, _ = minted(instance)
        wires = [Wire(instance.address) for _ in range(16)]
        raw = request_bytes("GET", "/secret", [bearer(token)])
        assert {wire.ask(raw)[0] for wire in wires} == {200}
        fakes[1].names(new.port, epoch=2)
        wait_until(lambda: {wire.ask(raw)[0] for wire in wires} == {401}, len(fakes) + LATE,
                   "the token is not on the new master")
        for wire in wires:
            wire.close()


@row("RS-11")
def test_what_is_named_is_not_believed(start_mintd, fakes, group):
    """A replica is named first (it will be the master): not used until it is, and asked again and again."""
    for fake in fakes:
        fake.names(group.replica.port, epoch=7)
    instance = start(start_mintd, fakes, workers=1)
    told = instance.wait_for_log("redis cannot be used yet")
    assert told["reason"] == "it is a replica" and told["trouble"] == "readonly", told
    assert mint(instance).status == 503
    fakes[2].names(group.master.port, epoch=7)  # the same epoch: both are tried
    instance.wait_for_store()
    assert mint(instance).status == 200


@row("RS-11-both")
def test_one_of_two_addresses_leads_nowhere(start_mintd, fakes, own_redis):
    """Of one epoch: the one that was lost is tried too, behind the other, however often Sentinels speak meanwhile."""
    with SlowLink(own_redis.port, 0.05) as slow:
        for fake in fakes:
            fake.names(slow.port, epoch=1)
        instance = start(start_mintd, fakes, workers=1)
        instance.wait_for_store()
        fakes[1].names(free_port(), epoch=1)
        asked = fakes[1].questions()
        wait_until(lambda: fakes[1].questions() > asked + 1, 10, "the other address is known")
        since = instance.mark()
        own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        instance.wait_for_log("redis is back", since=since, timeout=10)
        assert mint(instance).status == 200


@row("RS-12")
def test_questions_are_few_and_in_turn(start_mintd, fakes, own_redis):
    """One a second and worker in all, none of them skipped."""
    for fake in fakes:
        fake.names(own_redis.port, epoch=1)
    instance = start(start_mintd, fakes, workers=1)
    instance.wait_for_store()
    # All were asked as the link came up; from the next round on it is one at a time.
    first = [fake.questions() for fake in fakes]
    wait_until(lambda: all(fake.questions() > count for fake, count in zip(fakes, first)), 12)
    before, started = [fake.questions() for fake in fakes], time.monotonic()
    wait_until(lambda: all(fake.questions() >= count + 2 for fake, count in zip(fakes, before)), 12)
    asked = sum(fake.questions() for fake in fakes) - sum(before)
    assert asked <= (time.monotonic() - started) + 2, asked
    assert mint(instance).status == 200


@row("RS-15")
def test_a_master_that_wakes_up_is_left_at_once(start_mintd, fakes, own_redis):
    """It stood still in the middle of a greeting, and another one is named meanwhile. Whoever comes up asks all Sentinels
    once more: in turn it would take up to three seconds until the one that knows is heard."""
    with RedisServer() as old:
        install_clients(old)
        for fake in fakes:
            fake.names(old.port, epoch=1)
        old.pause()
        instance = start(start_mintd, fakes, workers=1)
        asked = fakes[2].questions()
        wait_until(lambda: fakes[2].questions() > asked, 5, "the next round of questions")
        fakes[2].names(own_redis.port, epoch=2)
        old.resume()
        since = time.monotonic()
        wait_until(lambda: mint(instance).status == 200 and own_redis.tokens(), 10)
        assert time.monotonic() - since < scaled(1)


@row("RS-16")
def test_nobody_waits_for_a_sentinel_that_hangs(start_mintd, fakes, own_redis):
    """While it owes an answer its turn is another one's."""
    hangs, answers = fakes[:2]
    hangs.speaks.clear()
    answers.names(own_redis.port, epoch=1)
    instance = start(start_mintd, fakes[:2], workers=1)
    instance.wait_for_store()
    times = []
    for _ in range(5):
        asked = answers.questions()
        wait_until(lambda: answers.questions() > asked, 10)
        times.append(time.monotonic())
    assert times[-1] - times[1] < scaled(4.5), times  # 3 seconds, or 6


@rows("RS-17", closes=FakeSentinel.close, hangs=lambda fake: fake.speaks.clear())
def test_who_knows_less_does_not_lead_back(start_mintd, fakes, own_redis, case):
    """The one that knew of the fail-over has gone, and the master before it was cut off, and is one yet."""
    with RedisServer() as old:
        install_clients(old)
        knows, stale = fakes[:2]
        knows.names(own_redis.port, epoch=5)
        stale.names(old.port, epoch=4)
        instance = start(start_mintd, fakes[:2], workers=1)
        wait_until(lambda: mint(instance).status == 200 and own_redis.tokens(), 10)
        wait_until(lambda: stale.questions() > 1, 10)
        since, before = instance.mark(), len(old.tokens())
        case(knows)
        wait_until(lambda: instance.find_log("a sentinel is lost", since=since), 10)
        asked = stale.questions()
        wait_until(lambda: stale.questions() > asked + 1, 10)
        assert mint(instance).status == 200
        assert instance.find_log("redis is lost", since=since) == [] and len(old.tokens()) == before
        # It counts for nothing once there is no master, and the one who is there is asked.
        own_redis.kill()
        wait_until(lambda: mint(instance).status == 200 and len(old.tokens()) > before, 10)


@row("RS-13")
def test_names_are_resolved(start_mintd, own_redis):
    """A Sentinel with announce-hostnames gives a name."""
    with FakeSentinel(host="localhost", port=own_redis.port, epoch=1) as fake:
        instance = start(start_mintd, "redis+sentinel://localhost:%d/%s" % (fake.port, NAME))
        wait_for_all(instance, 2)
        assert mint(instance).status == 200


RESOLVER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list) {
    if (host != NULL && strcmp(host, "hangs.test") == 0) {
        sleep(30);
        return EAI_AGAIN;
    }
    host = host != NULL && strcmp(host, "master.test") == 0 ? "127.0.0.1" : host;
    return ((resolve *)dlsym(RTLD_NEXT, "getaddrinfo"))(host, port, hints, list);
}
"""


@row("RS-18")
def test_a_name_that_hangs_holds_up_no_other(start_mintd, own_redis, tmp_path):
    """Each worker looks it up again and again, and no look-up can be ended."""
    (tmp_path / "resolver.c").write_text(RESOLVER)
    library = str(tmp_path / "resolver.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, str(tmp_path / "resolver.c")], check=True)
    with FakeSentinel(host="master.test", port=own_redis.port, epoch=1) as fake:
        instance = start(start_mintd, "redis+sentinel://hangs.test,127.0.0.1:%d/%s" % (fake.port, NAME),
                         env={"LD_PRELOAD": library, "ASAN_OPTIONS": ASAN_OPTIONS + ":verify_asan_link_order=0"})
        wait_until(lambda: metric(instance, "mintd_store_links_up") == 2, 8, "all workers have their link")
        own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        instance.wait_for_log("redis is back", timeout=8)
        wait_until(lambda: metric(instance, "mintd_store_links_up") == 2, 8, "all workers have their link again")
        instance.kill()  # who ends waits for the name


@rows("RS-14", nonsense="*1\r\n+x\r\n", number=":1\r\n", empty="*2\r\n+\r\n+6379\r\n", port="*2\r\n+h\r\n+x\r\n")
def test_nonsense_is_no_answer(start_mintd, fakes, own_redis, case, monkeypatch):
    """That Sentinel is left, the others are heard."""
    monkeypatch.setattr(fakes[0], "_reply", lambda words: "%1\r\n+role\r\n+sentinel\r\n" if words[0] == "HELLO"
                        else case if words[0] == "SENTINEL" else "+OK\r\n")
    fakes[1].names(own_redis.port, epoch=1)
    instance = start(start_mintd, fakes, workers=1)
    instance.wait_for_store()
    told = instance.wait_for_log("a sentinel is lost", sentinel="127.0.0.1:%d" % fakes[0].port)
    assert told["reason"] == "a reply is not one to its command", told
    assert mint(instance).status == 200


# ---- settings ----


@rows("RS-15", user=("--redis-sentinel-user", "w"), password=("--redis-sentinel-password", "canary"))
def test_settings_of_sentinels_without_sentinels(case):
    done = run(*case, "--redis", "redis://127.0.0.1:1", "--check")
    assert done.returncode == 2 and "it is for Sentinels alone" in done.stderr, done.stderr
    assert "canary" not in done.stderr + done.stdout


@row("RS-15-alone")
def test_a_user_without_a_password():
    done = run("--redis-sentinel-user", "w", "--redis", "redis+sentinel://h/m", "--check")
    assert done.returncode == 2 and "give its password too" in done.stderr, done.stderr


@row("RS-16")
def test_check_shows_no_password(tmp_path):
    file = tmp_path / "password"
    file.write_text("canary-file\n")
    done = run("--check", env={"MINTD_REDIS": "redis+sentinel://u:canary-url@h1,h2:1/m/3",
                               "MINTD_REDIS_SENTINEL_PASSWORD_FILE": str(file)})
    assert done.returncode == 0, done.stderr
    assert "redis+sentinel://u:***@h1,h2:1/m/3" in done.stdout and "canary" not in done.stdout, done.stdout


# ---- mintctl ----


@row("RS-17")
def test_mintctl_works_on_the_master(group):
    """Whoever it is: a client is made, seen on both, and doctor says where it looked."""
    ctl = Mintctl(group.url)
    ctl.secret("client", "add", "rs-17")
    assert group.master.cli("EXISTS", "mintd:client:rs-17") == 1
    group.fail_over()
    assert "rs-17" in ctl("client", "list").out
    assert NAME + " of 127.0.0.1" in ctl.run("doctor").out
    master = "127.0.0.1:%d" % group.master.port
    assert re.search(r"^ +Sentinel: %s is %s$" % (NAME, master), ctl("status").out, re.MULTILINE)
    seen = ctl.json("status")["redis"]
    assert (seen["topology"], seen["name"], seen["master"], seen["role"]) == ("sentinel", NAME, master, "master")
    assert "REDIS_HOST" in ctl("acl").out
