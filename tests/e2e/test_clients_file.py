"""--clients-file: the clients of a file are there from the start, and again at SIGHUP; one that is wrong changes
nothing. `mintctl client apply` takes the same file; its own tests are in test_mintctl_clients.py."""
import hashlib
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from support.clients import G, basic
from support.cluster import Cluster
from support.mintctl import Mintctl
from support.mintd import command_line, environment, run
from support.oauth import check_tok, post, row, rows, unique, wait_until
from support.redis_server import TlsRedis
from support.sentinel import Sentinels
from support.tls import Authority, Certificate

APPLIED = "the clients file is applied"
NOT_YET = "the clients file is not applied yet: it is tried again"
REFUSED = "the clients file is not applied: put it right, then send SIGHUP"
WRONG = "the clients file is not applied: put it right, then send SIGHUP again"
HELD_BACK = "what is right in the other files is not used either: one of them is wrong"
SECRET = "canary-of-the-clients-file"


def stored(secret):
    return "$sha256$" + hashlib.sha256(secret.encode()).hexdigest()


def entry(name, secret=SECRET, **more):
    return {"id": name, "secrets": [stored(secret)], **more}


class File:
    def __init__(self, folder, *entries):
        self.path = str(folder / "clients.json")
        self.write(*entries)

    def write(self, *entries, text=None):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text if text is not None else json.dumps({"clients": entries}))
        os.rename(self.path + ".new", self.path)


@pytest.fixture
def file(tmp_path):
    return File(tmp_path, entry("one", scope="read write", ttl=60), entry("two", scope="read"))


def try_mint(instance, name, secret=SECRET):
    return post(instance, "/token", G, basic(name, secret))


def fields_of(redis, name):
    found = dict(zip(*[iter(redis.cli("HGETALL", "mintd:client:" + name))] * 2))
    return {key: value for key, value in found.items() if not key.endswith(":used")}


def applied(instance, since=0, **counts):
    line = instance.wait_for_log(APPLIED, since=since, timeout=15)
    assert counts.items() <= line.items(), line


def hang_up(instance):
    since = instance.mark()
    instance.signal(signal.SIGHUP)
    return since


# ---- at start ----


@row("CF-start")
def test_the_clients_are_there(start_mintd, own_redis, file):
    instance = start_mintd("--clients-file", file.path, redis=own_redis, workers=2)
    applied(instance, made=2, changed=0, as_they_were=0)
    check_tok(try_mint(instance, "one"), "/token", "read write", range(1, 61))
    check_tok(try_mint(instance, "two"), "/token", "read")
    assert {"one", "two"} <= set(own_redis.cli("SMEMBERS", "mintd:clients"))
    before = fields_of(own_redis, "one")
    again = start_mintd(redis=own_redis, env={"MINTD_CLIENTS_FILE": file.path})
    applied(again, made=0, changed=0, as_they_were=2)
    assert fields_of(own_redis, "one") == before
    assert SECRET not in instance.log_text


@row("CF-start")
def test_no_other_client_goes(start_mintd, own_redis, file):
    """It never prunes; and mintctl client apply finds nothing to do."""
    ctl = Mintctl(own_redis)
    secret = ctl.secret("client", "add", "other")
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=2)
    assert try_mint(instance, "other", secret).status == 200
    assert "0 made, 0 changed, 0 removed, 2 as they were" in Mintctl(own_redis)("client", "apply", file.path).out


@row("CF-secret-file")
def test_a_secret_in_a_file(start_mintd, own_redis, tmp_path):
    """A slow hash is made once; the next instance finds that it is right."""
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    file = File(tmp_path, {"id": "one", "secret_file": str(tmp_path / "secret")})
    applied(start_mintd("--clients-file", file.path, redis=own_redis), made=1)
    before = fields_of(own_redis, "one")
    assert before["secret:1"].startswith("$scrypt$")
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=0, as_they_were=1)
    assert fields_of(own_redis, "one") == before and try_mint(instance, "one").status == 200


@row("CF-memory")
def test_in_memory(start_mintd, file):
    instance = start_mintd("--clients-file", file.path, "--client", "trial:canary-of-a-trial", redis="memory:", workers=2)
    applied(instance, made=2)
    check_tok(try_mint(instance, "one"), "/token", "read write", range(1, 61))
    file.write(entry("one", "another canary", scope="read"), entry("three"))
    applied(instance, hang_up(instance), made=1, changed=1)
    assert try_mint(instance, "one").status == 401
    check_tok(try_mint(instance, "one", "another canary"), "/token", "read")
    assert try_mint(instance, "two").status == 200 and try_mint(instance, "three").status == 200
    assert try_mint(instance, "trial", "canary-of-a-trial").status == 200
    applied(instance, hang_up(instance), made=0, changed=0, as_they_were=2)


@row("CF-together")
def test_instances_apply_it_at_once(start_mintd, own_redis, tmp_path):
    """Whoever comes first makes a client, and each of them sees the same: one secret, one generation."""
    file = File(tmp_path, *[entry("many-%d" % i, scope="read") for i in range(600)])
    instances = [start_mintd("--clients-file", file.path, redis=own_redis) for _ in range(3)]
    for instance in instances:
        applied(instance)
        assert not instance.find_log(lambda line: line["level"] in ("warning", "error") and "clients" in line["message"])
    before = {i: fields_of(own_redis, "many-%d" % i) for i in (0, 299, 599)}
    assert all(fields["secret:1"] == stored(SECRET) and "secret:2" not in fields for fields in before.values())
    file.write(*[entry("many-%d" % i, scope="read write") for i in range(600)])
    marks = [hang_up(instance) for instance in instances]
    for instance, mark in zip(instances, marks):
        applied(instance, mark)
    for i, fields in before.items():
        assert fields_of(own_redis, "many-%d" % i) == {**fields, "scope": "read write"}
    assert try_mint(instances[1], "many-300").status == 200


@row("CF-together")
def test_a_change_in_between_is_not_lost(start_mintd, own_redis, tmp_path):
    """Somebody else changes clients all the time: what the file does not say stays as they want it."""
    file = File(tmp_path, *[entry("busy-%d" % i, ttl=60) for i in range(40)])
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=40)
    over = threading.Event()

    def change():
        number = 0
        while not over.is_set():
            own_redis.cli("HSET", "mintd:client:busy-%d" % (number % 40), "note", str(number))
            number += 1

    other = threading.Thread(target=change)
    other.start()
    try:
        for ttl in (61, 62, 63):
            file.write(*[entry("busy-%d" % i, ttl=ttl) for i in range(40)])
            applied(instance, hang_up(instance), changed=40)
    finally:
        over.set()
        other.join()
    for i in range(40):
        fields = fields_of(own_redis, "busy-%d" % i)
        assert fields["ttl"] == "63" and "note" in fields


@row("CF-away")
def test_redis_comes_later(start_mintd, own_redis, file):
    own_redis.stop()
    instance = start_mintd("--clients-file", file.path, redis=own_redis.url)
    assert instance.request("GET", "/healthz").status == 200
    instance.wait_for_log("redis is away: the clients file is applied once it is there", timeout=15)
    assert instance.request("GET", "/readyz").status == 503
    own_redis.start()
    applied(instance, made=2)
    assert try_mint(instance, "one").status == 200
    assert len(instance.find_log("redis is away: the clients file is applied once it is there")) == 1


@row("CF-away")
def test_an_end_while_redis_hangs(start_mintd, own_redis, file):
    """The thread that waits for Redis ends early."""
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=2)
    own_redis.pause()
    try:
        hang_up(instance)
        instance.wait_for_log("reloading")
        instance.stop()
    finally:
        own_redis.resume()


@row("CF-away")
def test_a_redis_that_is_emptied_gets_them_again(start_mintd, own_redis, file):
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=2)
    since = instance.mark()
    own_redis.cli("FLUSHALL")
    applied(instance, since, made=2)
    wait_until(lambda: try_mint(instance, "one").status == 200, 5)


@row("CF-cluster")
def test_in_a_cluster(start_mintd, tmp_path):
    with Cluster() as cluster:
        file = File(tmp_path, *[entry("spread-%d" % i, scope="read") for i in range(30)])
        instances = [start_mintd("--clients-file", file.path, redis=cluster.url) for _ in range(2)]
        for instance in instances:
            applied(instance)
        assert all(try_mint(instances[1], "spread-%d" % i).status == 200 for i in range(30))
        file.write(*[entry("spread-%d" % i, scope="write") for i in range(30)])
        applied(instances[0], hang_up(instances[0]), changed=30)


# ---- what may go wrong ----

WRONG_FILES = {
    "no_json": ('{"clients": [\n  {"id": "one",}\n]}', "line 2: it is not JSON from there on"),
    "member": ({"id": "one", "color": "red"}, "clients[0] (one): color: there is no such member"),
    "field": (entry("one", ttl="soon"), "clients[0] (one): ttl: it is a number of seconds"),
    "secret": ({"id": "one", "secrets": [SECRET]}, "secrets: an item is not a stored secret"),
    "secret_file": ({"id": "one", "secret_file": "/nonexistent"}, "/nonexistent: cannot be read"),
    "long": ({"id": "one", "secret_file": "/" + 600 * "a"}, "/" + 500 * "a"),
    "long_escape": ({"id": "one", "secret_file": "/" + 600 * "\x1b"}, "/" + 50 * "\\u001b"),
    "long_id": ({"id": 255 * "i", "ttl": "soon"}, "clients[0] (" + 70 * "i"),
    "nul": ({"id": "one\0two", "secrets": []}, "\\u0000 has no place"),
    "escape": ({"id": "one", "secret_file": "/nonexistent\x1b[2J"}, "/nonexistent\\u001b[2J: cannot be read"),
}
wrong_files = rows("CF-wrong", **WRONG_FILES)


def write_case(file, case):
    if isinstance(case[0], str):
        file.write(text=case[0])
    else:
        file.write(case[0])


@wrong_files
def test_a_wrong_file_at_start(file, case):
    write_case(file, case)
    for arguments in ([], ["--check"]):
        result = run("--redis", "memory:", "--listen", "127.0.0.1:0", "--clients-file", file.path, *arguments)
        assert result.returncode == 2 and "--clients-file: " in result.stderr and case[1] in result.stderr, result
        assert SECRET not in result.stderr + result.stdout and len(result.stderr.splitlines()) == 1


@row("CF-wrong")
def test_a_file_that_is_not_there(tmp_path):
    result = run("--redis", "memory:", "--clients-file", str(tmp_path / "none"))
    assert result.returncode == 2 and "cannot be read" in result.stderr, result


@row("CF-wrong")
def test_a_pipe_that_says_nothing(tmp_path):
    """It is waited for, and not for ever; one that says it all is as good as a file."""
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, b'{"clients": []}')
    result = run("--redis", "memory:", "--clients-file", path, "--check")
    os.close(writer)
    assert result.returncode == 2 and "nothing more came from it for 5 s" in result.stderr, result
    done = subprocess.run(command_line("--redis", "memory:", "--clients-file", "/dev/stdin", "--check"), input=b'{"clients": []}',
                          capture_output=True, check=False, env=environment())
    assert done.returncode == 0, done


@row("CF-wrong")
def test_check_takes_a_right_file(file):
    result = run("--redis", "memory:", "--clients-file", file.path, "--check")
    assert result.returncode == 0 and re.search(r"--clients-file +%s +flag" % re.escape(file.path), result.stdout)


@wrong_files
def test_a_wrong_file_at_hangup_changes_nothing(start_mintd, own_redis, file, case):
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    applied(instance, made=2)
    before = fields_of(own_redis, "one")
    right = open(file.path, encoding="utf-8").read()
    write_case(file, case)
    since = hang_up(instance)
    line = instance.wait_for_log(WRONG, since=since)
    assert line["level"] == "error" and case[1] in line["problem"] and line["file"] == file.path, line
    assert fields_of(own_redis, "one") == before and try_mint(instance, "one").status == 200
    file.write(text=right)
    applied(instance, hang_up(instance), as_they_were=2)
    assert len(instance.find_log(WRONG)) == 1 and SECRET not in instance.log_text


@row("CF-needs-secret")
def test_a_client_without_a_secret(start_mintd, own_redis, tmp_path):
    """It can only be one that is there already. The others of the file are not made either."""
    file = File(tmp_path, entry("one"), {"id": "two", "scope": "read"})
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    line = instance.wait_for_log(REFUSED, timeout=15)
    assert line["problem"] == "two: it is not there yet: it needs secrets or secret_file", line
    assert not own_redis.keys("mintd:client:one")
    Mintctl(own_redis).secret("client", "add", "two")
    applied(instance, hang_up(instance), made=1, changed=1)


@row("CF-needs-secret")
def test_a_key_that_holds_no_client(start_mintd, own_redis, file):
    """Tried a few times, told once, then given up; SIGHUP tries again."""
    own_redis.cli("SET", "mintd:client:two", "nonsense")
    instance = start_mintd("--clients-file", file.path, redis=own_redis)
    line = instance.wait_for_log(NOT_YET, timeout=15)
    assert "the key mintd:client:two holds no hash" in line["problem"], line
    assert not own_redis.keys("mintd:client:one")
    own_redis.cli("DEL", "mintd:client:two")
    applied(instance, made=2)
    assert len(instance.find_log(NOT_YET)) == 1


@row("CF-rights")
def test_a_user_with_the_least_rights(start_mintd, own_redis, file):
    """mintctl acl prints what it takes; without WATCH nothing is changed, and the log says what is missing."""
    rule = Mintctl(own_redis)("acl", "--for", "provider", "--clients-file").out.split()
    own_redis.cli("ACL", "SETUSER", "mintd", "reset", ">pw-canary", *rule)
    url = own_redis.url.replace("redis://", "redis://mintd:pw-canary@")
    applied(start_mintd("--clients-file", file.path, redis=url), made=2)
    file.write(entry("one", scope="read"))
    own_redis.cli("ACL", "SETUSER", "mintd", "-watch")
    instance = start_mintd("--clients-file", file.path, redis=url)
    line = instance.wait_for_log(NOT_YET, timeout=15)
    assert "noperm" in line["problem"] or "NOPERM" in line["problem"], line
    assert fields_of(own_redis, "one")["scope"] == "read write"
    own_redis.cli("ACL", "SETUSER", "mintd", "+watch")
    applied(instance, changed=1)


# ---- a reload checks first ----


@rows("CF-checks-first", clients="clients", level="level")
def test_one_wrong_file_holds_the_others_back(start_mintd, own_redis, folder, tmp_path, file, case):
    """Certificate, level of the log and clients: all of them change, or none does."""
    first, second = Certificate(folder, "before-" + case), Certificate(folder, "after-" + case)
    level = tmp_path / "level"
    level.write_text("info\n", encoding="utf-8")
    instance = start_mintd("--clients-file", file.path, redis=own_redis, certificate=first,
                           env={"MINTD_LOG_LEVEL_FILE": str(level)})
    applied(instance, made=2)
    in_use = len(instance.find_log("certificate in use"))
    for ours, new in ((first.file, second.file), (first.key, second.key)):
        os.replace(new, ours)
    if case == "clients":
        file.write(text="nonsense")
        level.write_text("debug\n", encoding="utf-8")
    else:
        file.write(entry("one", scope="read"))
        level.write_text("loud\n", encoding="utf-8")
    since = hang_up(instance)
    instance.wait_for_log(HELD_BACK, since=since)
    instance.wait_for_log(WRONG if case == "clients" else "the level of the log is left as it is", since=since)
    assert len(instance.find_log("certificate in use")) == in_use
    assert not instance.find_log("the level of the log is read again")
    assert fields_of(own_redis, "one")["scope"] == "read write"
    file.write(entry("one", scope="read"))
    level.write_text("debug\n", encoding="utf-8")
    since = hang_up(instance)
    applied(instance, since, changed=1)
    assert len(instance.find_log("certificate in use")) == in_use + 1
    assert instance.find_log("the level of the log is read again", since=since)


# ---- other ways to Redis ----


@row("CF-tls")
def test_over_tls_with_a_password_that_ends(start_mintd, folder, tmp_path, file):
    """Its connection is made as the others are: by the files and the password that hold at that moment."""
    ours = Authority(folder, unique("clients"))
    password = tmp_path / "password"
    password.write_text("canary-first\n", encoding="utf-8")
    with TlsRedis(ours.issue(unique("redis"), "IP:127.0.0.1"), ours.file) as server:
        server.cli("ACL", "SETUSER", "issuer", "on", ">canary-first", "~*", "&*", "+@all")
        instance = start_mintd("--clients-file", file.path, "--redis-ca", ours.file, "--redis-password-file", str(password),
                               redis=server.url.replace("rediss://", "rediss://issuer@"))
        applied(instance, made=2)
        server.cli("ACL", "SETUSER", "issuer", "resetpass", ">canary-second")
        password.write_text("canary-second\n", encoding="utf-8")
        file.write(entry("one", scope="read"))
        since = hang_up(instance)
        applied(instance, since, changed=1)
        instance.wait_for_log("the files of TLS to redis are read again: new connections use them", since=since)
        assert "canary" not in instance.log_text


@row("CF-sentinel")
def test_behind_sentinels(start_mintd, file):
    with Sentinels() as sentinels:
        instance = start_mintd("--clients-file", file.path, redis=sentinels.url)
        applied(instance, made=2)
        assert try_mint(instance, "one").status == 200


@row("CF-identity")
def test_only_the_redis_that_is_named_gets_them(start_mintd, own_redis, file):
    own_redis.cli("SET", "mintd:identity", "another")
    instance = start_mintd("--clients-file", file.path, "--redis-identity", "mine", redis=own_redis)
    instance.wait_for_log("redis is away: the clients file is applied once it is there", timeout=15)
    assert not own_redis.keys("mintd:client:one")
    own_redis.cli("SET", "mintd:identity", "mine")
    applied(instance, made=2)
