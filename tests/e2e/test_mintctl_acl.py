"""mintctl acl: the rule works where it is pasted, and mintd can do with it (N-04)."""
import hashlib
import json
import os
import re
import subprocess

import pytest

from support.clients import G, SVC_A, SVC_B, basic, install_clients, mint, token_of
from support.inquiry import introspect
from support.mintctl import Mintctl, command_line
from support.mintd import REPOSITORY
from support.oauth import post, row, rows, sha256_phc, use, wait_until
from support.redis_server import RedisServer
from support.timing import scaled

PASSWORD = "it's a \"pass|word\" > $HOME"


def paste(line, redis, password):
    """Into a shell, with the address of this Redis; standard input of redis-cli is not the shell's."""
    env = {**os.environ, **({"REDIS_PASSWORD": password} if password is not None else {})}
    return subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=scaled(20), cwd=redis.directory)


def rules_of(redis, user="mintd"):
    return dict(zip(*[iter(redis.cli("ACL", "GETUSER", user))] * 2))


def check_rules(redis, url, prefix="mintd:"):
    """On, with that password and no other way in, and nothing beside what the table has."""
    rules = rules_of(redis)
    assert rules["flags"] == ["on"] or set(rules["flags"]) == {"on", "sanitize-payload"}, rules
    assert rules["passwords"] == [hashlib.sha256(PASSWORD.encode()).hexdigest()], rules
    assert rules["keys"] == "~%s*" % prefix and rules["channels"] == "", rules
    assert rules["commands"].startswith("-@all +"), rules
    assert "+client|tracking" in rules["commands"].split() and "+client" not in rules["commands"].split()
    found = Mintctl(redis, env={"MINTD_REDIS_PREFIX": prefix}).json("doctor", "--user", "mintd", status=1)
    for one in found["findings"]:
        assert one["check"] not in ("rights", "tracking", "least rights") or one["result"] == "ok", one


@pytest.fixture
def empty():
    with RedisServer() as server:
        server.cli("SET", "mintd:schema", "1")
        yield server


@rows("N-04", plain="mintd:", odd="it's#a$b\"c;d&e|f>g:")
def test_pasted_into_a_shell(empty, case):
    ctl = Mintctl(empty, env={"MINTD_REDIS_PREFIX": case})
    line = ctl("acl").out
    assert line.count("\n") == 1
    empty.cli("ACL", "SETUSER", "mintd", "on", "nopass", "~*", "+@all")  # what was there ends
    done = paste(line, empty, PASSWORD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "OK\n", ""), done
    check_rules(empty, empty.url, case)
    assert sorted(os.listdir(empty.directory)) == ["redis-server", "redis.sock"]  # nothing was redirected


@row("N-04")
def test_pasted_into_a_shell_without_a_password(empty):
    done = paste(Mintctl(empty)("acl").out, empty, None)
    assert done.returncode != 0 and "REDIS_PASSWORD" in done.stderr, done
    assert empty.cli("ACL", "GETUSER", "mintd") is None


@row("N-04")
def test_with_the_password_at_hand(empty):
    """Its digest stands in the line; the password itself is nowhere."""
    ctl = Mintctl(empty.unix_url, canaries=[PASSWORD])
    done = paste(ctl("acl", "--password-stdin", stdin=PASSWORD + "\n").out, empty, None)
    assert (done.returncode, done.stdout) == (0, "OK\n"), done
    check_rules(empty, empty.unix_url)


@row("N-04")
def test_pasted_into_an_acl_file(tmp_path):
    path = tmp_path / "users.acl"
    line = Mintctl("redis://127.0.0.1:1")("acl", "--for", "aclfile", "--password-stdin", stdin=PASSWORD).out
    path.write_text("user default on nopass ~* &* +@all\n" + line)
    with RedisServer("--aclfile", str(path)) as server:
        server.cli("SET", "mintd:schema", "1")
        check_rules(server, server.url)
    path.write_text(Mintctl("redis://127.0.0.1:1")("acl", "--for", "aclfile").out)
    with pytest.raises(RuntimeError):  # not with a password that everybody knows
        RedisServer("--aclfile", str(path))


@row("N-04")
def test_pasted_into_the_form_of_a_provider(empty):
    """An access string: words that ACL SETUSER knows; the password comes from another field."""
    line = Mintctl(empty)("acl", "--for", "provider", "--user", "other").out
    empty.cli("ACL", "SETUSER", "mintd", ">" + PASSWORD, *line.split())
    check_rules(empty, empty.url)


@rows("N-04", form=["--for", "paper"], user=["--user", "a b"], nobody=["--user", ""], prefix=["--redis-prefix", "a*"])
def test_wrong_usage_of_acl(case):
    assert Mintctl()("acl", *case, status=2).out == ""


@row("N-04")
def test_select_where_there_is_something_to_select():
    assert "+select" not in Mintctl("redis://127.0.0.1:1")("acl").out
    assert "+select" in Mintctl("redis://127.0.0.1:1/3")("acl").out
    assert "redis-cli -h 127.0.0.1 -p 1 ACL" in Mintctl("redis://127.0.0.1:1/3")("acl").out


def rights_in(line):
    return set(re.findall(r"(?<= )'?\+([a-z|]+)", line))


@row("N-04")
def test_waitaof_where_it_is_asked_for():
    """Redis before 7.2 refuses a rule that has it."""
    assert "waitaof" not in rights_in(Mintctl("redis://127.0.0.1:1")("acl").out)
    assert {"wait", "waitaof"} <= rights_in(Mintctl("redis://127.0.0.1:1")("acl", "--waitaof").out)


@row("N-04")
def test_an_instance_does_with_that_user(start_mintd):
    """Whatever it does: no command of it is refused, which Redis would have noted down."""
    with RedisServer() as server:
        install_clients(server)
        line = Mintctl(server)("acl", "--password-stdin", stdin="simple-canary\n").out
        assert paste(line, server, None).stdout == "OK\n"
        server.cli("ACL", "LOG", "RESET")
        mintd = start_mintd("--failure-limit", "3", "--client", "seeded:a-secret-of-the-start:read",
                            redis=server.url.replace("//", "//mintd:simple-canary@"))
        mintd.wait_for_store()
        wait_until(lambda: mintd.request("GET", "/readyz").status == 200, 20, "ready")
        token = token_of(mintd)
        assert use(mintd, token).status == 200
        assert introspect(mintd, token).status == 200
        assert mint(mintd, SVC_B).status == 200  # a slow hash
        assert post(mintd, "/revoke", b"token=" + token.encode(), basic(SVC_A.id, SVC_A.secret)).status == 200
        assert use(mintd, token).status == 401
        assert [post(mintd, "/token", G, basic(SVC_A.id, "wrong")).status for _ in range(5)][-1] == 429
        wait_until(lambda: server.cli("HEXISTS", "mintd:client:" + SVC_A.id, "secret:1:used"), 20, "last use")
        assert server.cli("EXISTS", "mintd:client:seeded")
        mintd.stop()
        assert server.cli("ACL", "LOG") == []


RIGHT = r"(?<=[ '])\+([a-z|]+)"


@row("N-04")
def test_the_same_rule_stands_wherever_one_is_written():
    """The Redis of each compose file, and the page about Redis."""
    printed = set(re.findall(RIGHT, Mintctl("redis://127.0.0.1:1")("acl").out))
    clustered = set(re.findall(RIGHT, Mintctl("redis+cluster://127.0.0.1:1")("acl").out))
    assert len(printed) >= 15 and len(clustered - printed) >= 3
    for path, start, rights in (("deploy/redis.sh", "user mintd on ", printed),
                                ("deploy/redis-node.sh", "mintd_may=", printed),
                                ("deploy/redis-node.sh", "and_in_a_cluster=", clustered - printed),
                                ("docs/redis.md", "redis-cli ACL SETUSER mintd reset ", printed)):
        with open(os.path.join(REPOSITORY, path), encoding="utf-8") as file:
            text = file.read()
        line = text[text.index(start):].replace("\\\n", " ").split("\n")[0]
        assert set(re.findall(RIGHT, line)) == rights, (path, start)


@row("N-22")
def test_doctor_and_status_of_a_replica(own_redis):
    with RedisServer() as replica:
        replica.cli("REPLICAOF", "127.0.0.1", str(own_redis.port))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), 20)
        ctl = Mintctl(replica)
        found = {f["check"]: f for f in ctl.json("doctor", status=1)["findings"]}
        assert found["role"]["result"] == "problem" and "replica of 127.0.0.1" in found["role"]["text"], found["role"]
        assert found["clients"]["result"] == "ok" and found["rights"]["result"] == "ok", found
        status = ctl.json("status")
        assert status["redis"]["role"] == "slave" and status["clients"] == 5
        assert "readonly" in ctl("client", "disable", "svc-a", status=3).err
    with RedisServer() as replica:  # nothing came from the master yet
        replica.cli("REPLICAOF", "127.0.0.1", "1")
        assert Mintctl(replica).json("status")["clients"] == 0
        found = {f["check"]: f for f in Mintctl(replica).json("doctor", status=1)["findings"]}
        assert found["role"]["result"] == "problem" and not replica.cli("EXISTS", "mintd:schema")
    role = {f["check"]: f for f in Mintctl(own_redis).json("doctor", status=1)["findings"]}["role"]
    assert role["result"] == "ok"


READS = {"list": ["client", "list"], "show": ["client", "show", "svc-a"], "export": ["client", "export"],
         "token": ["token", "show", "-"], "explain": ["explain", "-"], "dry": ["client", "apply", "-", "--prune", "--dry-run"]}
WRITES = {"add": ["client", "add", "x"], "set": ["client", "set", "svc-a", "--ttl", "60"], "rotate": ["client", "rotate", "svc-a"],
          "remove": ["client", "remove", "svc-a", "--yes"], "apply": ["client", "apply", "-"], "mint": ["token", "mint", "svc-a"],
          "revoke": ["token", "revoke", "0" * 32], "all": ["token", "revoke-all", "svc-a"]}


@row("CTL")
def test_what_reads_reads_a_replica_too(own_redis):
    """It tells what the master tells, and writes nothing; what writes names the way out."""
    here, files = Mintctl(own_redis), json.dumps({"clients": [{"id": "new", "secrets": [sha256_phc("s-3cret")]}]})
    token = here.secret("token", "mint", "svc-a", "--ttl", "3570")  # no minute ends meanwhile
    with RedisServer() as replica:
        replica.cli("REPLICAOF", "127.0.0.1", str(own_redis.port))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), 20)
        wait_until(lambda: len(replica.tokens()) == 1, 20, "the token is there")
        there = Mintctl(replica)
        for words in READS.values():
            stdin = files if "apply" in words else token
            told, wanted = there.run(*words, stdin=stdin), here.run(*words, stdin=stdin)
            assert told == wanted and "Redis" not in told.err, (told, wanted)
        for words in WRITES.values():
            assert "readonly" in there(*words, stdin=files, status=3).err, words
    with RedisServer() as empty:
        empty.cli("REPLICAOF", "127.0.0.1", "1")
        assert Mintctl(empty).json("client", "list") == {"clients": []} and not empty.cli("EXISTS", "mintd:schema")


@row("N-22")
def test_doctor_tells_how_its_advice_survives_a_restart(own_redis):
    own_redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = {f["check"]: f for f in Mintctl(own_redis).json("doctor", status=1)["findings"]}
    for check in ("eviction", "persistence"):
        assert "CONFIG SET" in found[check]["advice"] and "CONFIG REWRITE" in found[check]["advice"], found[check]
        assert "provider" in found[check]["advice"]


@rows("N-04", shell="shell", aclfile="aclfile", provider="provider")
def test_as_json(empty, case):
    """The words are those that ACL SETUSER takes, and that the other forms print."""
    found = Mintctl(empty).json("acl", "--for", case, "--password-stdin", stdin=PASSWORD + "\n")
    assert found["user"] == "mintd" and found["password_sha256"] == hashlib.sha256(PASSWORD.encode()).hexdigest()
    assert Mintctl(empty)("acl", "--for", case).out.replace("'", "").endswith(" ".join(found["rules"]) + "\n")
    empty.cli("ACL", "SETUSER", found["user"], "reset", "on", "#" + found["password_sha256"], *found["rules"])
    if case != "provider":  # who gives no channel has none there
        check_rules(empty, empty.url)
    done = Mintctl(empty)("acl", "--json")
    assert "password_sha256" not in json.loads(done.out) and done.err == ""
