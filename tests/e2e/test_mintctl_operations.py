"""mintctl doctor, status, and what all commands share: usage, exit status, Redis away."""
import json
import re
import socket
import subprocess
import threading
import time

import pytest

from support.clients import G, basic
from support.mintctl import Mintctl, command_line
from support.mintd import environment
from support.oauth import check_tok, post, row, rows, wait_until
from support.redis_server import RedisServer
from support.timing import scaled


@pytest.fixture
def ctl(redis):
    return Mintctl(redis)


LEAST_RIGHTS = ["~mintd:*", "resetchannels", "-@all", "+get", "+set", "+setex", "+del", "+hgetall",
                "+hset", "+hexists", "+hdel", "+renamenx", "+sadd", "+srem",
                "+srandmember", "+incr", "+multi", "+exec", "+ping", "+time",
                "+select", "+client|setname", "+client|tracking"]


# ---- doctor ----


@pytest.fixture
def healthy(tmp_path):
    """A Redis without a problem: appended to a file, a default user with a password."""
    with RedisServer("--appendonly", "yes") as server:
        server.cli("CONFIG", "SET", "appendonly", "yes")
        server.cli("SET", "mintd:schema", "1")
        server.cli("ACL", "SETUSER", "mintd", "on", ">mintd-password", *LEAST_RIGHTS)
        yield server


def findings(ctl, *arguments, status=0):
    document = ctl.json("doctor", *arguments, status=status)
    for one in document["findings"]:
        assert one["result"] in ("ok", "warning", "problem", "not checked"), one
        assert one["text"]
        assert one["result"] not in ("problem", "warning") or one["advice"]
    results = [f["result"] for f in document["findings"]]
    assert [document[k] for k in ("problems", "warnings", "not_checked")] == \
        [results.count(k) for k in ("problem", "warning", "not checked")]
    return {f["check"]: f for f in document["findings"]}


def found(ctl, check, result, *words, arguments=()):
    """One finding; problems, and nothing else, make the exit status 1."""
    one = findings(ctl, *arguments, status=1 if result == "problem" else 0)[check]
    assert one["result"] == result, one
    for word in words:
        assert word in one["text"], one
    text = ctl("doctor", *arguments, status=1 if result == "problem" else 0).out
    assert re.search(r"^%s +%s " % (result, check), text, re.MULTILINE), text


@row("CTL")
def test_doctor_of_a_healthy_redis(healthy):
    good = findings(Mintctl(healthy), "--user", "mintd")
    assert {k for k, f in good.items() if f["result"] == "ok"} == {
        "version", "layout", "generation", "clock", "eviction", "memory", "persistence", "tls", "rights",
        "tracking", "least rights", "clients", "role"}, good
    assert {k for k, f in good.items() if f["result"] == "warning"} == {"replicas", "password"}


@rows("CTL", lru="allkeys-lru", ttl="volatile-ttl")
def test_doctor_finds_eviction(healthy, case):
    healthy.cli("CONFIG", "SET", "maxmemory-policy", case)
    found(Mintctl(healthy), "eviction", "problem", case)


@row("CTL")
def test_doctor_finds_memory_that_is_nearly_full(healthy):
    healthy.cli("SETRANGE", "filler", "30000000", "x")  # so that a connection weighs nothing
    used = int(re.search(r"used_memory:(\d+)", healthy.cli("INFO", "memory"))[1])
    healthy.cli("CONFIG", "SET", "maxmemory", str(int(used * 1.25)))
    found(Mintctl(healthy), "memory", "warning")
    healthy.cli("CONFIG", "SET", "maxmemory", str(int(used * 1.02)))
    healthy.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    found(Mintctl(healthy), "memory", "problem")


@row("CTL")
def test_doctor_finds_missing_persistence(healthy):
    healthy.cli("CONFIG", "SET", "appendonly", "no")
    found(Mintctl(healthy), "persistence", "problem", "none")
    healthy.cli("CONFIG", "SET", "save", "3600 1")
    found(Mintctl(healthy), "persistence", "warning", "snapshots")


@row("N-13")
def test_doctor_finds_clients_that_mintd_cannot_read(healthy):
    ctl = Mintctl(healthy)
    found(ctl, "clients", "ok", "0")
    ctl.secret("client", "add", "good")
    found(ctl, "clients", "ok", "1, all readable")
    healthy.cli("SET", "mintd:client:bad", "text")
    healthy.cli("HSET", "mintd:client:soon", "secret:1", "x", "ttl", "soon")
    healthy.cli("SADD", "mintd:clients", "bad", "soon", "nobody-there")
    found(ctl, "clients", "problem", "2 of 3", "bad (no hash)", "soon")


@row("CTL")
def test_doctor_sees_replicas(healthy):
    with RedisServer() as replica:
        replica.cli("REPLICAOF", "127.0.0.1", str(healthy.port))
        wait_until(lambda: "connected_slaves:1" in healthy.cli("INFO", "replication"), 20)
        found(Mintctl(healthy), "replicas", "ok", "1")


@rows("CTL", **{name: name for name in ("get", "setex", "del", "hgetall", "hset", "hexists", "hdel", "renamenx", "sadd",
                                        "incr", "multi", "exec", "ping", "set")})
def test_doctor_finds_a_missing_right(healthy, case):
    healthy.cli("ACL", "SETUSER", "mintd", "-" + case)
    found(Mintctl(healthy), "rights", "problem", "mintd", " " + case.upper(),
          arguments=("--user", "mintd"))


@rows("CTL", sadd=["-sadd", "(+sadd ~mintd:clients)"], srem=["-srem"])
def test_doctor_finds_that_instances_cannot_be_listed(healthy, case):
    """N-05: mintd serves all the same."""
    healthy.cli("ACL", "SETUSER", "mintd", *case)
    found(Mintctl(healthy), "rights", "warning", "mintd:instances", "status", arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_finds_that_nothing_can_be_answered_from_memory(healthy):
    healthy.cli("ACL", "SETUSER", "mintd", "-client|tracking")
    found(Mintctl(healthy), "tracking", "warning", "mintd", arguments=("--user", "mintd"))
    assert findings(Mintctl(healthy), "--user", "mintd")["rights"]["result"] == "ok"


@row("CTL")
def test_doctor_tells_that_replicas_cannot_be_waited_for(healthy):
    """No warning: an instance waits only where it is told to."""
    ctl, whole = Mintctl(healthy), "user mintd has all that mintd needs"
    for right in ("wait", "role"):
        healthy.cli("ACL", "SETUSER", "mintd", "-" + right)
        found(ctl, "rights", "ok", whole + " (but WAIT or ROLE, ", arguments=("--user", "mintd"))
        healthy.cli("ACL", "SETUSER", "mintd", "+" + right)
    assert findings(ctl, "--user", "mintd")["rights"]["text"] == whole


@row("CTL")
def test_doctor_tells_that_the_status_page_sees_one_instance(healthy):
    healthy.cli("ACL", "SETUSER", "mintd", "-srandmember")
    found(Mintctl(healthy), "rights", "ok", "(but SRANDMEMBER, ", arguments=("--user", "mintd"))


# What an operator has renamed, and the words that Redis has for it.
RENAMED = {"HELLO": "HELLO 3 is refused (ERR unknown command 'HELLO'",
           "CLIENT": "CLIENT TRACKING is refused (ERR unknown command 'CLIENT'"}


@rows("CTL", **{name.lower(): name for name in RENAMED})
def test_doctor_finds_that_redis_does_not_tell_of_changes(case):
    """Whatever the rules of the users say."""
    with RedisServer("--rename-command", case, "") as server:
        server.cli("CONFIG", "SET", "save", "3600 1")
        ctl = Mintctl(server)
        found(ctl, "tracking", "warning", RENAMED[case], "from memory")
        assert case in findings(ctl)["tracking"]["advice"]
        server.cli("ACL", "SETUSER", "mintd", "on", ">mintd-password", "~mintd:*", "+@all")
        found(ctl, "tracking", "warning", RENAMED[case], arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_tries_tracking_and_undoes_it(healthy):
    with healthy.monitor() as seen:
        found(Mintctl(healthy), "tracking", "ok", "default")
        commands = [" ".join(c[:3]).upper() for c in seen.commands()]
    assert commands.count("CLIENT TRACKING ON") == 2  # found() looks twice
    for place, command in enumerate(commands):
        if command == "CLIENT TRACKING ON":
            assert commands[place - 1 : place + 2] == ["HELLO 3", command, "CLIENT TRACKING OFF"], commands


@row("CTL")
def test_doctor_who_may_not_try_tracking_says_so(healthy):
    healthy.cli("ACL", "SETUSER", "admin", "on", ">admin-password", "~*", "+@all", "-client|tracking")
    ctl = Mintctl(healthy.url.replace("//", "//admin:admin-password@"), canaries=["admin-password"])
    found(ctl, "tracking", "warning", "admin", "may not")  # as mintd's user
    found(ctl, "tracking", "not checked", "mintd may", arguments=("--user", "mintd"))
    healthy.cli("ACL", "SETUSER", "mintd", "-client|tracking")
    found(ctl, "tracking", "warning", "mintd may not", arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_asks_for_select_where_there_is_something_to_select(healthy):
    healthy.cli("ACL", "SETUSER", "mintd", "-select")
    assert findings(Mintctl(healthy), "--user", "mintd")["rights"]["result"] == "ok"
    Mintctl(healthy.url + "/3")("client", "list")
    found(Mintctl(healthy.url + "/3"), "rights", "problem", "SELECT", arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_finds_other_keys(healthy):
    found(Mintctl(healthy, env={"MINTD_REDIS_PREFIX": "other:"}), "rights", "problem", "SETEX",
          arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_finds_a_user_who_is_not_there(healthy):
    found(Mintctl(healthy), "rights", "problem", "nobody", arguments=("--user", "nobody"))


@row("CTL")
def test_doctor_as_the_user_of_mintd(healthy):
    """Who may do no more than mintd must, may look at little: what it cannot see it says."""
    url = healthy.url.replace("//", "//mintd:mintd-password@")
    result = findings(Mintctl(url, canaries=["mintd-password"]))
    assert {f["result"] for f in result.values()} == {"ok", "not checked"}, result
    assert result["rights"]["result"] == "not checked"
    assert {k for k, f in result.items() if f["result"] == "ok"} == {"role", "layout", "generation", "clock", "tls", "tracking"}, result
    healthy.cli("ACL", "SETUSER", "mintd", "-client|tracking")
    found(Mintctl(url), "tracking", "warning", "mintd may not")


@row("CTL")
def test_doctor_reads_the_rules_where_it_may_not_try(healthy):
    healthy.cli("ACL", "SETUSER", "reader", "on", ">reader-password", *LEAST_RIGHTS,
                "+acl|getuser", "+acl|whoami")
    ctl = Mintctl(healthy.url.replace("//", "//reader:reader-password@"))
    assert findings(ctl, "--user", "mintd")["rights"]["result"] == "ok"
    healthy.cli("ACL", "SETUSER", "mintd", "-hset")
    found(ctl, "rights", "problem", "HSET", arguments=("--user", "mintd"))


@rows("CTL", all=["+@all"], keys=["~*"], scripts=["+eval"])
def test_doctor_finds_too_many_rights(healthy, case):
    healthy.cli("ACL", "SETUSER", "mintd", *case)
    words = {"+@all": "+@all", "~*": "~*", "+eval": "eval"}
    found(Mintctl(healthy), "least rights", "warning", words[case[0]],
          arguments=("--user", "mintd"))


@row("CTL")
def test_doctor_sees_the_password_of_the_default_user(healthy):
    healthy.cli("CONFIG", "SET", "requirepass", "a-password")
    ctl = Mintctl(healthy.url.replace("//", "//:a-password@"), canaries=["a-password"])
    found(ctl, "password", "ok", "has one")
    healthy.cli("ACL", "SETUSER", "admin", "on", ">admin-password", "~*", "+@all")
    healthy.cli("ACL", "SETUSER", "default", "off")
    found(Mintctl(healthy.url.replace("//", "//admin:admin-password@")), "password", "ok", "off")


@row("CTL")
def test_doctor_finds_another_layout(healthy):
    healthy.cli("SET", "mintd:schema", "2\x1b[2J")
    found(Mintctl(healthy), "layout", "problem", "version \"2")
    done = Mintctl(healthy)("client", "list", status=3)
    assert "another version" in done.err and "schema" in done.err, done


def put_heartbeat(redis, name, record, seconds=60):
    text = record if isinstance(record, str) else json.dumps(record)
    redis.cli("SETEX", "mintd:instance:%s" % name, str(seconds), text)
    redis.cli("SADD", "mintd:instances", name)


@row("CTL")
def test_doctor_finds_plain_listeners(healthy):
    ctl = Mintctl(healthy)
    found(ctl, "listeners", "not checked")
    beat = {"version": "0.1.0", "started": 1, "seen": 2, "listen": ["127.0.0.1:4001", "unix:/x"]}
    put_heartbeat(healthy, "one", beat)
    found(ctl, "listeners", "ok")
    beat["listen"].append("0.0.0.0:4001")
    put_heartbeat(healthy, "two", beat)
    found(ctl, "listeners", "warning", "two", "0.0.0.0:4001")
    put_heartbeat(healthy, "two", {**beat, "tls": True})
    found(ctl, "listeners", "ok")


@row("CTL")
def test_doctor_finds_a_plain_listener_of_a_running_mintd(own_redis, start_mintd):
    ctl = Mintctl(own_redis)
    here = start_mintd(redis=own_redis, name="here")
    here.wait_for_store()
    assert here.request("GET", "/readyz").status == 200
    found_of = findings(ctl, status=1)["listeners"]  # this Redis keeps nothing, which is a problem
    assert found_of["result"] == "ok", found_of
    everywhere = start_mintd(redis=own_redis, name="everywhere", listen=("0.0.0.0:0",))
    everywhere.wait_for_store()
    assert everywhere.request("GET", "/readyz").status == 200
    found_of = findings(ctl, status=1)["listeners"]
    assert found_of["result"] == "warning" and "everywhere" in found_of["text"], found_of


@row("CTL")
def test_doctor_finds_a_redis_elsewhere_without_tls(healthy):
    """0.0.0.0 is no loopback address, and leads to this machine all the same."""
    elsewhere = "redis://0.0.0.0:%d" % healthy.port
    result = findings(Mintctl(elsewhere), "--user", "mintd", status=1)
    assert result["tls"]["result"] == "warning" and "0.0.0.0" in result["tls"]["text"], result["tls"]
    assert result["password"]["result"] == "problem", result["password"]


class FakeRedis:
    """Answers from a table, for what a real Redis cannot be made to be: old, or with a wrong clock."""

    def __init__(self, answers):
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:%d" % self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as file:
                while head := file.readline():
                    words = []
                    for _ in range(int(head[1:])):
                        size = int(file.readline()[1:])
                        words.append(file.read(size + 2)[:-2].decode())
                    connection.sendall(self._answer(words))

    def _answer(self, words):
        for length in (2, 1):
            answer = self._answers.get(" ".join(words[:length]))
            if answer is not None:
                return answer() if callable(answer) else answer
        return b"-ERR unknown command\r\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def bulk(text):
    data = text.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def hello(**fields):
    """Its reply, with the version where there is one."""
    named = {**fields, "role": "master"}
    return b"%%%d\r\n" % len(named) + b"".join(bulk(k) + bulk(v) for k, v in named.items())


FAKE = {"HELLO": hello(), "GET": bulk("1"), "PING": b"+PONG\r\n", "CLIENT": b"+OK\r\n",
        "SSCAN": b"*2\r\n$1\r\n0\r\n*0\r\n"}


@row("CTL")
def test_doctor_finds_an_old_redis():
    for version, result in (("redis_version:6.2.14", "problem"), ("redis_version:7.0.0", "ok"),
                            ("redis_version:6.0.0\r\nvalkey_version:8.1.0", "ok")):
        with FakeRedis({**FAKE, "INFO": bulk("# Server\r\n%s\r\naof_enabled:1\r\n" % version)}) as fake:
            found(Mintctl(fake), "version", result, version.split(":")[-1])


@row("CTL")
def test_doctor_finds_a_redis_that_is_too_old_for_tracking():
    """mintd goes by what HELLO says; where that names no version it asks, and so does the doctor."""
    for reply, result in ((hello(version="6.2.14"), "warning"), (hello(version="7.0.0"), "ok"),
                          (hello(server="valkey", version="8.1.0"), "ok"), (hello(), "ok"),
                          (hello(version="unstable"), "ok")):
        with FakeRedis({**FAKE, "HELLO": reply}) as fake:
            found(Mintctl(fake), "tracking", result, "6.2.14" if result == "warning" else "default")


@row("CTL")
def test_doctor_finds_a_wrong_clock():
    for offset, result in ((0, "ok"), (-30, "problem"), (30, "problem")):
        def time_of_redis(offset=offset):
            return b"*2\r\n" + bulk(str(int(time.time()) + offset)) + bulk("%06d" % (time.time() % 1 * 1e6))
        with FakeRedis({**FAKE, "TIME": time_of_redis}) as fake:
            found(Mintctl(fake), "clock", result)


@row("CTL")
def test_doctor_of_a_redis_that_tells_nothing():
    with FakeRedis(FAKE) as fake:
        result = findings(Mintctl(fake))
    assert {f["result"] for f in result.values()} == {"ok", "not checked"}, result


# ---- status ----


@row("CTL")
def test_status(pair, redis, ctl):
    for instance in pair:
        assert instance.request("GET", "/readyz").status == 200
    status = ctl.json("status")
    versions = dict(re.findall(r"(redis|valkey)_version:(\S+)", redis.cli("INFO", "server")))
    assert status["redis"]["version"] == versions.get("valkey", versions["redis"])
    assert status["redis"]["role"] == "master" and status["redis"]["prefix"] == "mintd:"
    assert status["redis"]["used_memory"] > 0 and status["complete"] is True
    assert status["clients"] == redis.cli("SCARD", "mintd:clients")
    instances = {i["name"]: i for i in status["instances"]}
    for name in ("a", "b"):
        assert abs(instances[name]["seen"] - time.time()) <= 2 + scaled(2)
        assert instances[name]["started"] <= instances[name]["seen"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", instances[name]["version"])
    assert status["redis"]["topology"] == "standalone" and "nodes" not in status["redis"]
    text = ctl("status").out
    assert re.search(r"^redis +\S+, prefix mintd:\n +standalone\n +(Redis|Valkey) ", text), text
    assert re.search(r"^a +\d+\.\d+\.\d+ ", text, re.MULTILINE), text


@row("CTL")
def test_status_of_hostile_heartbeats(own_redis):
    for n, text in enumerate(("no JSON", "[]", '{"version": "\\u001b[2J", "seen": "x", "listen": "x", "rates": [1]}',
                              '{"seen": 1e300, "listen": [3, "\\u001b[2J"], "rates": {"minted": "x"}, "notices": 7}')):
        put_heartbeat(own_redis, "%d" % n, text)
    own_redis.cli("SETEX", b"mintd:instance:\x1b[2J\xff", "60", "{}")
    own_redis.cli("HSET", "mintd:instance:hash", "a", "b")
    own_redis.cli("SADD", "mintd:instances", b"\x1b[2J\xff", "hash", "x" * 5000, "")
    ctl = Mintctl(own_redis)
    assert "\x1b" not in ctl("status").out
    assert len(ctl.json("status")["instances"]) == 3


# ---- usage ----


COMMANDS = ["client add", "client set", "client export", "client list", "client show", "client rotate", "client disable",
            "client enable", "client remove", "client apply", "acl", "token mint", "token show",
            "token revoke", "token revoke-all", "token key", "explain", "doctor", "status", "top", "health", "completion", "help", "version"]
NOWHERE = Mintctl("redis://127.0.0.1:1")


@row("CTL")
def test_help():
    listed = NOWHERE("--help").out
    for command in COMMANDS:
        assert re.search(r"^  %s\b" % command, listed, re.MULTILINE), command
        done = NOWHERE(*command.split(), "--help")
        assert done.out.startswith("usage: mintctl %s" % command) and not done.err, done
        assert max(map(len, done.out.splitlines())) <= 100, done.out
    assert "client rotate" in NOWHERE("client", "--help").out


def flags_of(text):
    return set(re.findall(r"--[a-z][a-z-]+", text))


@row("CTL")
def test_the_man_page_has_all_that_help_has():
    """Both are printed from one table."""
    helped = "".join(NOWHERE(*c.split(), "--help").out for c in COMMANDS)
    page = NOWHERE("--man").out.replace("\\-", "-")
    assert page.startswith(".TH MINTCTL 1 ") and flags_of(helped) <= flags_of(page)
    for command in COMMANDS:
        assert '.SS "%s' % command in page, command


@row("CTL")
def test_every_read_prints_json(redis, pair, ctl):
    assert pair.a.request("GET", "/readyz").status == 200
    token = ctl.secret("token", "mint", "svc-a")
    for arguments, status in ((["client", "list"], 0), (["client", "show", "svc-a"], 0), (["token", "show", "-"], 0),
                              (["token", "key", "-"], 0), (["explain", "-"], 0), (["doctor"], 1), (["status"], 0)):
        done = ctl(*arguments, "--json", stdin=token, status=status)
        assert isinstance(json.loads(done.out), dict), done
    ctl("token", "revoke", "-", stdin=token)


@row("CTL")
def test_version():
    assert re.fullmatch(r"mintctl \d+\.\d+\.\d+ \(commit [0-9a-f]{7,40}(-dirty)?\)\n", NOWHERE("--version").out)


@rows("CTL", nothing=[], unknown=["nonsense"], group=["client"], half=["client", "nonsense"],
      extra=["doctor", "x"], option=["status", "--nonsense"], missing=["client", "show"],
      value=["status", "--json=yes"], url=["status", "--redis", "http://x"],
      memory=["status", "--redis", "memory:"], prefix=["status", "--redis-prefix", "a*"])
def test_wrong_usage(case):
    assert NOWHERE(*case, status=2).out == ""


@row("CTL")
def test_a_token_in_place_of_a_command_is_not_repeated():
    NOWHERE("mtd_" + "A" * 49, status=2)
    NOWHERE("client", "show", "x", "mts_" + "A" * 49, status=2)


# ---- where Redis is ----


@row("CTL")
def test_settings(redis, tmp_path):
    path = tmp_path / "url"
    path.write_text(redis.url + "\n")
    bare = Mintctl()
    assert "svc-a" in bare("client", "list", "--redis", redis.url).out
    assert "svc-a" in bare("client", "list", "--redis=" + redis.unix_url).out
    assert "svc-a" in Mintctl(env={"MINTD_REDIS_FILE": str(path)})("client", "list").out
    assert "svc-a" in NOWHERE("client", "list", "--redis", redis.url).out  # the flag wins
    Mintctl(redis, env={"MINTD_REDIS_FILE": str(path)})("client", "list", status=2)
    Mintctl(env={"MINTD_REDIS_FILE": str(tmp_path / "none")})("client", "list", status=2)
    other = Mintctl(redis, env={"MINTD_REDIS_PREFIX": "other:"})
    assert "svc-a" not in other("client", "list").out
    assert "svc-a" in other("client", "list", "--redis-prefix", "mintd:").out
    seventh = Mintctl(redis.url + "/7")
    seventh.secret("client", "add", "in-db-7")
    assert "in-db-7" in seventh("client", "list").out
    assert not redis.cli("EXISTS", "mintd:client:in-db-7")


@row("CTL")
def test_a_name_with_several_addresses(redis):
    """localhost may be ::1 first, where this Redis does not listen."""
    assert "svc-a" in Mintctl("redis://localhost:%d" % redis.port)("client", "list").out


# ---- Redis away ----


EACH = [["client", "add", "x"], ["client", "list"], ["client", "show", "x"], ["client", "rotate", "x"],
        ["client", "disable", "x"], ["client", "enable", "x"], ["client", "remove", "x", "--yes"],
        ["token", "mint", "x"], ["token", "show", "0" * 32], ["token", "revoke", "0" * 32],
        ["client", "set", "x", "--ttl", "60"], ["client", "export"], ["token", "revoke-all", "x"], ["token", "revoke-all", "--everybody"], ["doctor"], ["status"]]


@rows("CTL", **{"-".join(words[:2]) + str(n): words for n, words in enumerate(EACH)})
def test_redis_away(case):
    before = time.monotonic()
    done = NOWHERE(*case, status=3)
    assert time.monotonic() - before < scaled(2)  # refused is refused: no waiting
    assert done.out == "" and done.err.count("\n") == 1, done
    assert "127.0.0.1:1" in done.err and "connection refused" in done.err, done


@row("CTL")
def test_redis_that_does_not_answer(own_redis):
    ctl = Mintctl(own_redis)
    own_redis.pause()
    try:
        before = time.monotonic()
        done = ctl("client", "list", status=3)
        assert time.monotonic() - before < scaled(4), done
    finally:
        own_redis.resume()
    assert "did not answer" in done.err, done


@row("CTL")
def test_redis_that_stops_answering_half_way():
    """Between the greeting and the command."""
    def never():
        time.sleep(scaled(30))
        return b""

    with FakeRedis({**FAKE, "SSCAN": never}) as fake:
        before = time.monotonic()
        done = Mintctl(fake)("client", "list", status=3)
        assert time.monotonic() - before < scaled(5), done


@rows("CTL", wrong="//:wrong-canary@", none="//")
def test_redis_wants_a_password(own_redis, case):
    own_redis.cli("CONFIG", "SET", "requirepass", "right-canary")
    ctl = Mintctl(own_redis.url.replace("//", case), canaries=["wrong-canary", "right-canary"])
    assert "noauth" in ctl("client", "list", status=3).err


@row("CTL")
def test_redis_refuses_a_command(own_redis):
    own_redis.cli("ACL", "SETUSER", "reader", "on", ">canary-pass", "~mintd:*", "+get", "+set",
                  "+hgetall", "+sscan", "+watch", "+unwatch", "+multi", "+exec", "+sadd", "+ping")
    ctl = Mintctl(own_redis.url.replace("//", "//reader:canary-pass@"), canaries=["canary-pass"])
    ctl("client", "list")
    done = ctl("client", "disable", "svc-a", status=3)
    assert "noperm" in done.err, done
    assert own_redis.cli("HGET", "mintd:client:svc-a", "disabled") is None
    ctl("client", "add", "new", status=3)
    assert not own_redis.cli("EXISTS", "mintd:client:new")


@row("CTL")
def test_redis_is_a_replica(own_redis):
    own_redis.cli("REPLICAOF", "127.0.0.1", "1")
    done = Mintctl(own_redis)("client", "disable", "svc-a", status=3)
    assert "readonly" in done.err and "master" in done.err, done


@row("CTL")
def test_redis_is_full(own_redis):
    ctl = Mintctl(own_redis)
    own_redis.cli("CONFIG", "SET", "maxmemory", "1")
    done = ctl("client", "add", "x", status=3)
    assert "OOM" in done.err or "oom" in done.err, done
    done = ctl("client", "rotate", "svc-a", status=3)
    assert "oom" in done.err, done


@row("CTL")
def test_redis_has_another_type_there(own_redis):
    own_redis.cli("SET", "mintd:client:x", "text")
    assert "mintd:client:x holds no hash" in Mintctl(own_redis)("client", "show", "x", status=1).err


# ---- replicas ----


@row("CTL")
def test_a_revocation_waits_for_a_replica(own_redis):
    ctl = Mintctl(own_redis)
    with RedisServer() as replica:
        replica.cli("REPLICAOF", "127.0.0.1", str(own_redis.port))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), 20)
        wait_until(lambda: "state=online" in own_redis.cli("INFO", "replication"), 20)
        ctl("client", "disable", "svc-a")
        assert replica.cli("HGET", "mintd:client:svc-a", "disabled") == "1"
        replica.pause()
        try:
            done = ctl("token", "revoke-all", "svc-a")
        finally:
            replica.resume()
        assert "warning" in done.err and "replica" in done.err, done


# ---- output ----


@row("CTL")
def test_colour_on_a_terminal_alone(redis, ctl):
    for arguments in (("doctor",), ("client", "list")):
        with ctl.terminal(*arguments) as terminal:
            assert "\x1b[3" in terminal.end(1 if arguments == ("doctor",) else 0)
        assert "\x1b" not in ctl(*arguments, status=1 if arguments == ("doctor",) else 0).out
    plain = Mintctl(redis, env={"NO_COLOR": "1"})
    with plain.terminal("client", "list") as terminal:
        assert "\x1b[3" not in terminal.end(0)


@row("CTL")
def test_output_that_cannot_be_written(redis, ctl, tmp_path):
    for arguments in (["client", "list"], ["client", "add", "full-canary"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(command_line(*arguments, "--redis", redis.url), stdout=full,
                                  stderr=subprocess.PIPE, check=False, timeout=scaled(20))
        assert done.returncode == 1 and b"could not be" in done.stderr, done
    ctl("client", "remove", "full-canary", "--yes")


# ---- nothing secret anywhere ----


@row("CTL")
def test_nothing_secret_in_redis_or_in_its_log(own_redis, own_mintd):
    ctl = Mintctl(own_redis)
    with own_redis.monitor() as seen:
        secrets = [ctl.secret("client", "add", "x", "--scope", "read"), ctl.secret("client", "rotate", "x")]
        ctl("client", "rotate", "x", "--secret-stdin", stdin="a-canary-that-a-person-chose\n")
        tokens = [ctl.secret("token", "mint", "x")]
        ctl("explain", "-", stdin="Bearer " + tokens[0])
        ctl("token", "show", "-", stdin=tokens[0])
        ctl("token", "revoke", "-", stdin=tokens[0])
        everything = repr(seen.commands())
    for text in (*secrets, *tokens, "a-canary-that-a-person-chose"):
        assert text not in everything
    check_tok(post(own_mintd, "/token", G, basic("x", secrets[1])), "/token", "read")


@row("CTL")
def test_a_password_on_the_command_line_is_warned_about_and_wiped(own_redis):
    own_redis.cli("ACL", "SETUSER", "operator", "on", ">argv-canary", "~*", "+@all")
    url = own_redis.url.replace("//", "//operator:argv-canary@")
    bare = Mintctl(canaries=["argv-canary"])
    for arguments in (["--redis", url], ["--redis=" + url]):
        assert "warning: a password on the command line" in bare("client", "list", *arguments).err
    for silent in (Mintctl(url), Mintctl(env={"MINTD_REDIS": url})):
        assert silent("client", "list").err == ""
    assert bare("client", "list", "--redis", own_redis.url).err == ""
    own_redis.pause()
    try:
        process = subprocess.Popen(command_line("client", "list", "--redis", url),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert b"warning" in process.stderr.readline()
        with open("/proc/%d/cmdline" % process.pid, "rb") as file:
            assert b"argv-canary" not in file.read()
    finally:
        own_redis.resume()
    out, _ = process.communicate(timeout=scaled(20))
    assert process.returncode == 0 and b"svc-a" in out


@row("CTL")
def test_a_token_is_wiped_from_the_command_line(own_redis):
    """While it waits for Redis, ps shows nothing of it any more."""
    token = Mintctl(own_redis).secret("token", "mint", "svc-a")
    own_redis.pause()
    try:
        process = subprocess.Popen(command_line("token", "show", token, "--redis", own_redis.url),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert b"warning" in process.stderr.readline()
        with open("/proc/%d/cmdline" % process.pid, "rb") as file:
            assert token.encode() not in file.read()
    finally:
        own_redis.resume()
    out, _ = process.communicate(timeout=scaled(20))
    assert process.returncode == 0 and b"svc-a" in out
