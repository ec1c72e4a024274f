"""What mintctl meets at its work: streams that are closed or begun, variables for another Redis, another mintctl."""
import json
import os
import subprocess

import pytest

from support.mintctl import Mintctl, command_line
from support.mintd import environment
from support.oauth import row, rows, sha256_phc
from support.redis_proxy import RedisProxy
from support.redis_server import RedisServer

KEY, LIST = "mintd:client:it", "mintd:clients"


def entry(**more):
    return {"id": "it", "scope": "read", **more}


def clients(*entries):
    return json.dumps({"clients": list(entries)})


SECRETS = {"secrets": [sha256_phc("s-3cret")]}


@pytest.fixture
def proxy(own_redis):
    proxy = RedisProxy(own_redis.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def through(proxy):
    return Mintctl("redis://127.0.0.1:%d" % proxy.port)


# ---- streams ----


@rows("N-14", add=["client", "add", "new"], rotate=["client", "rotate", "svc-a"], export=["client", "export"])
def test_a_result_that_goes_nowhere_is_an_error(own_redis, case):
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command_line(*case)], capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, env=environment({"MINTD_REDIS": own_redis.url}))
    assert done.returncode == 1 and (b"standard output" in done.stderr or b"could not be printed" in done.stderr), done


@row("N-14")
def test_apply_goes_on_where_standard_input_stands(own_redis, tmp_path):
    """As a file that a shell has read a line of; it is not opened again, which its owner alone may do."""
    path = tmp_path / "clients"
    path.write_text("a line for the shell\n" + clients(entry(**SECRETS)))
    with open(path, "rb", buffering=0) as file:
        os.lseek(file.fileno(), len("a line for the shell\n"), os.SEEK_SET)
        done = subprocess.run(command_line("client", "apply", "-"), capture_output=True, check=False, stdin=file,
                              env=environment({"MINTD_REDIS": own_redis.url}))
    assert done.returncode == 0 and own_redis.cli("HGET", KEY, "scope") == "read", done


@row("N-14")
def test_a_change_is_told_once_it_is_done(own_redis):
    own_redis.cli("CONFIG", "SET", "maxmemory", "1")
    done = Mintctl(own_redis)("client", "set", "svc-a", "--ttl", "421", status=3)
    assert done.out == "" and own_redis.cli("HGET", "mintd:client:svc-a", "ttl") != "421", done
    own_redis.cli("CONFIG", "SET", "maxmemory", "0")
    done = Mintctl(own_redis)("client", "set", "svc-a", "--ttl", "421")
    assert done.out.startswith("svc-a: changed; ttl ") and done.out.endswith('"421"\n'), done
    assert Mintctl(own_redis)("client", "set", "svc-a", "--ttl", "421").out == "svc-a: as it was\n"


# ---- variables ----


@row("N-14")
def test_a_password_of_the_environment_is_not_said_to_another_redis(own_redis, tmp_path):
    password = tmp_path / "password"
    password.write_text("password-canary")
    ctl = Mintctl(env={"MINTD_REDIS": "rediss://production.example", "MINTD_REDIS_PASSWORD_FILE": str(password)})
    with own_redis.monitor() as seen:
        ctl("client", "list", "--redis", own_redis.url)
        assert "password-canary" not in str(list(seen.commands()))
    # Who names a user has to have one; and who says whose password it is has said it.
    with RedisServer("--requirepass", "password-canary") as other:
        ctl("client", "list", "--redis", other.url, status=3)
        ctl("client", "list", "--redis", other.url.replace("://", "://default@"))
        ctl("client", "list", "--redis", other.url, "--redis-password-file", str(password))


# ---- another one ----


@rows("N-14", remove=["client", "remove", "it", "--yes"], prune=["client", "apply", "-", "--prune", "--yes", "--allow-empty"])
def test_who_is_made_while_the_one_before_is_removed_is_listed(own_redis, proxy, through, case):
    direct = Mintctl(own_redis)
    for key in own_redis.keys("mintd:client:*"):
        own_redis.cli("DEL", key)
    own_redis.cli("DEL", LIST)
    direct.secret("client", "add", "it")
    made = []

    def rule(command):
        if command[0].upper() == b"SREM" and not made:
            made.append(direct.secret("client", "add", "it"))

    proxy.rule = rule
    through(*case, stdin=clients())
    assert made and own_redis.cli("EXISTS", KEY) == 1
    assert own_redis.cli("SISMEMBER", LIST, "it") == 1


@row("N-14")
def test_who_makes_one_lists_it_behind_whoever_removed_the_one_before(own_redis, proxy, through):
    taken_out = []

    def rule(command):
        if command[0].upper() != b"SADD" and KEY.encode() in command and not taken_out:
            taken_out.append(own_redis.cli("SREM", LIST, "it"))

    proxy.rule = rule
    through.secret("client", "add", "it")
    assert taken_out == [1] and own_redis.cli("SISMEMBER", LIST, "it") == 1


@row("N-14")
def test_apply_makes_no_client_without_a_secret(own_redis, proxy, through):
    """The file has none for it, and somebody removes it between the comparison and the change."""
    direct = Mintctl(own_redis)
    direct.secret("client", "add", "it")
    looks = []

    def rule(command):
        if command[0].upper() in (b"WATCH", b"HGETALL") and KEY.encode() in command:
            looks.append(command)
            if len(looks) == 2:
                direct("client", "remove", "it", "--yes")

    proxy.rule = rule
    done = through("client", "apply", "-", stdin=clients(entry(ttl=300)), status=1)
    assert len(looks) >= 2 and "it is not there any more: it needs secrets" in done.err, done
    assert own_redis.cli("EXISTS", KEY) == 0
