"""mintd's command line: what it accepts, what it says to what it does not, its exit status.

0 done; 1 the machine says no (a port in use); 2 a wrong flag or value, said in one line.
"""
import os
import re
import signal
import socket
import stat
import time

import pytest

from support.clients import BA, G, basic, install_clients
from support.http import FORM, Closed, Connection, curl, form_request, request_bytes
from support.mintctl import Mintctl
from support.mintd import Mintd, run
from support.oauth import (brief, check_tok, check_unavailable, check_welcome, minted, post, row, rows, unique, use,
                           wait_status, wait_until)
from support.redis_server import RedisServer

FLAGS = ["--listen", "--redis", "--redis-prefix", "--redis-identity", "--redis-timeout", "--cache-size", "--workers",
         "--token-ttl", "--client", "--clients-file", "--max-connections", "--max-connections-per-address",
         "--max-handshakes-per-address", "--drain-delay", "--readiness", "--sandbox", "--metrics-listen", "--tls-cert", "--tls-key", "--issuer",
         "--scopes-supported", "--name", "--log-format", "--log-level", "--check", "--help", "--version"]
# A Redis that nobody asks: nothing listens on port 1.
NOWHERE = "redis://127.0.0.1:1"
# A label of 64 characters: refused by the resolver itself, without asking a name server.
NO_HOST = "x" * 64 + ".invalid"
GOOD = ["--listen", "127.0.0.1:0", "--redis", NOWHERE]


def one_line(done, status, *words):
    """It ended with the status, having said one line on standard error, with these words."""
    assert done.returncode == status, done
    assert done.stdout == "", done
    assert re.fullmatch(r"[^\n]+\n", done.stderr), done
    for word in words:
        assert word in done.stderr, (word, done)


# ---- help, version, check ----


@row("CLI")
def test_help():
    done = run("--help")
    assert done.returncode == 0 and done.stderr == "", done
    for flag in FLAGS:
        assert re.search(r"(^|\s)%s\b" % flag, done.stdout, re.MULTILINE), flag
    assert "MINTD_" in done.stdout


@row("CLI")
def test_the_man_page_has_all_that_help_has():
    """Both are printed from one table."""
    flags = set(re.findall(r"--[a-z][a-z-]+", run("--help").stdout))
    page = run("--man")
    assert page.returncode == 0 and page.stdout.startswith(".TH MINTD 8 ") and not page.stderr
    assert len(flags) > 15 and flags <= set(re.findall(r"--[a-z][a-z-]+", page.stdout.replace("\\-", "-")))


@row("CLI")
def test_version():
    done = run("--version")
    assert done.returncode == 0 and done.stderr == "", done
    assert re.fullmatch(r"mintd \d+\.\d+\.\d+ \(commit [0-9a-f]{7,40}(-dirty)?\)\n", done.stdout), done


@rows("CLI", behind=["--listen", "127.0.0.1:0", "--help"], before=["--help", "--nonsense"])
def test_help_among_others(case):
    assert run(*case).returncode in (0, 2)


@rows("CLI-check", nothing=[], usual=GOOD, equals=["--listen=127.0.0.1:0", "--redis=" + NOWHERE],
      all=[*GOOD, "--redis-prefix", "p:", "--redis-timeout", "100", "--cache-size", "64m", "--workers", "2",
           "--token-ttl", "60",
           "--client", "a:a-secret:read write", "--max-connections", "10", "--max-connections-per-address", "5",
           "--max-handshakes-per-address", "7",
           "--drain-delay", "5s", "--readiness", "serving", "--sandbox", "on", "--metrics-listen", "127.0.0.1:0",
           "--issuer", "https://id.example/t1", "--scopes-supported", "read write", "--name", "one", "--log-format", "text", "--log-level",
           "debug"],
      v6=["--listen", "[::1]:0"], all_interfaces=["--listen", ":0"], unix=["--listen", "unix:/tmp/x.sock"],
      several=["--listen", "127.0.0.1:0"] * 3,
      memory=["--redis", "memory:"], unix_redis=["--redis", "unix:///run/redis.sock"],
      database=["--redis", NOWHERE + "/3"],
      password=["--redis", "redis://user:p%40ss@127.0.0.1:1"],
      client=["--client", "a:secret-a"],
      unreachable=["--redis", NOWHERE],
      no_cache=["--cache-size", "0"], bytes=["--cache-size", "65536"], kib=["--cache-size", "64K"],
      gib=["--cache-size", "64g"])
def test_check_of_good_settings(case):
    done = run("--check", *case)
    assert done.returncode == 0, done
    assert "secret-a" not in done.stdout + done.stderr and "p%40ss" not in done.stdout + done.stderr


@row("CLI-check")
def test_check_leaves_no_trace():
    """It opens no listener, and asks no Redis."""
    with socket.create_server(("127.0.0.1", 0)) as taken, RedisServer() as redis:
        done = run("--check", "--listen", "127.0.0.1:%d" % taken.getsockname()[1], "--redis", redis.url,
                   "--client", "x:a-secret")
        assert done.returncode == 0, done
        assert redis.keys("*") == []


@rows("CLI-check", level=["--log-level", "loud"], listen=["--listen", "nowhere"],
      redis=["--redis", "http://x"])
def test_check_of_bad_settings(case):
    one_line(run("--check", *case), 2, case[0])


# ---- wrong flags and values ----


@rows("CLI-usage", unknown="--nonsense", unknown_with_value="--nonsense=1", short="-x",
      dash="-",
      prefix="--list", glued="--listen127.0.0.1:0")
def test_unknown_argument(case):
    one_line(run(case, *GOOD), 2, case.split("=")[0])


@row("CLI-secret")
def test_a_stray_word_is_not_shown():
    """It may be the rest of a secret without quotes."""
    done = run("word-canary", *GOOD)
    one_line(done, 2, "put quotes around a value that has blanks")
    assert "canary" not in done.stderr


@row("CLI-secret")
def test_value_of_a_misspelt_flag_is_not_shown():
    done = run("--clent=codecademy:flag-canary", *GOOD)
    one_line(done, 2, "--clent")
    assert "canary" not in done.stderr


@pytest.mark.parametrize("flag", [pytest.param(f, id="CLI-usage-novalue" + f) for f in FLAGS[:16]])
def test_missing_value(flag):
    one_line(run(flag), 2, flag)


BAD_VALUES = {
    "--listen": ["", "nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000",
                 "127.0.0.1:-1", "[::1:80",
                 "::1:80", "unix:", "unix:" + "x" * 200, "127.0.0.1:80:80"],
    "--redis": ["", "nonsense", "http://127.0.0.1", "redis:", "redis://", "redis://h:port", "redis://h:70000",
                "redis://h:1/db",
                "redis://h:1/-1", "redis://h:1/0/1", "redis://[::1", "unix:", "unix://", "unix://relative",
                "memory", "redis://u%zz:p@h:1"],
    "--redis-prefix": ["p" * 65],
    "--redis-identity": ["", "i" * 65, "a b", "\u00e4"],
    "--redis-timeout": ["", "0", "-1", "abc", "9ms", "11s", "1.5", "99999999999999999999"],
    "--cache-size": ["", "-1", "abc", "m", "1.5m", "32mb", "32 m", "65g", "99999999999999999999", "9999999999999g"],
    "--workers": ["", "-1", "abc", "1.5", "100000"],
    "--token-ttl": ["", "0", "0s", "-1", "abc", "1w", "1500ms", "367d", "99999999999999999999"],
    "--client": ["", "nocolon", ":secret", "id:", "a b\x01:secret", "a\x7f:secret", "i" * 256 + ":secret",
                 "id:" + "s" * 1025,
                 'id:secret:a"b', "id:secret:\u20ac"],
    "--max-connections": ["", "-1", "abc", "0"],
    "--max-connections-per-address": ["", "-1", "abc"],
    "--max-handshakes-per-address": ["", "-1", "abc"],
    "--drain-delay": ["", "-1", "abc", "2h", "100ms"],
    "--metrics-clients": ["101", "-1", "all", ""],
    "--readiness": ["", "yes", "Redis", "serving "],
    "--sandbox": ["", "yes", "On", "auto "],
    "--metrics-listen": ["nowhere", "127.0.0.1:70000"],
    "--scopes-supported": ["", " ", "read  write", "read ", 'a"b', "caf\u00e9", "x" * 1025],
    "--issuer": ["", "nonsense", "ftp://id.example", "https://id.example/?q=1", "https://id.example/#f",
                 "https://", "https://a b"],
    "--log-format": ["", "xml", "JSON "],
    "--log-level": ["", "loud", "INFO!"],
}


def bad_values():
    return [pytest.param(flag, value, id="CLI-bad%s-%d" % (flag, number))
            for flag, values in BAD_VALUES.items() for number, value in enumerate(values)]


@pytest.mark.parametrize("flag,value", bad_values())
def test_bad_value(flag, value):
    others = [] if flag in ("--listen", "--redis") else GOOD
    one_line(run(*others, flag, value), 2, flag)


@pytest.mark.parametrize("flag,value", [p for p in bad_values() if p.values[1]])
def test_bad_value_in_the_environment(flag, value):
    """The same, by the variable of the same name."""
    name = "MINTD_" + flag[2:].upper().replace("-", "_")
    done = run("--check", env={name: value})
    assert done.returncode == 2 and re.fullmatch(r"[^\n]+\n", done.stderr), done
    assert name in done.stderr or flag in done.stderr, done


@rows("CLI-usage", level=("--log-level", "loud", ["debug", "info", "warning", "error"]),
      format=("--log-format", "xml", ["json", "text"]))
def test_the_line_says_what_it_may_be(case):
    flag, value, choices = case
    one_line(run(flag, value), 2, *choices)


@rows("CLI-usage", word=["--client", "id-without-colon-canary"], id=["--client", ":canary-secret"],
      bytes=["--client", "a\x01b:canary-secret"], long=["--client", "i" * 256 + ":canary-secret"],
      scope=["--client", 'id:canary-secret:a"b'], redis=["--redis", "redis://:canary-secret@h:port"],
      redis_user=["--redis", "redis://user:canary-secret@[::1"],
      scheme=["--redis", "foo://:canary-secret@h:1"],
      cluster=["--redis", "redis+cluster://:canary-secret@h:port"])
def test_refused_value_does_not_tell_its_secret(case):
    done = run("--check", *case)
    assert done.returncode == 2 and "canary-secret" not in done.stdout + done.stderr, done


@rows("CLI-usage", tls="rediss://127.0.0.1:1", sentinel="redis+sentinel://127.0.0.1:1/mymaster/0",
      cluster="redis+cluster://127.0.0.1:1,127.0.0.1:2")
def test_redis_that_may_come_later(case):
    """Supported, or refused in so many words: never taken for something else."""
    done = run("--check", "--redis", case)
    if done.returncode != 0:
        one_line(done, 2, "--redis", case.split("://")[0])
        assert "support" in done.stderr, done


# ---- environment ----


@row("CLI-env")
def test_environment(start_mintd, redis):
    name = unique("env")
    instance = start_mintd(redis=None, env={"MINTD_REDIS": redis.url, "MINTD_TOKEN_TTL": "77",
                                            "MINTD_NAME": name, "MINTD_REDIS_PREFIX": name + ":",
                                            "MINTD_CLIENT": name + ":env-canary:read"})
    instance.wait_for_log("client made")
    response = post(instance, "/token", G, basic(name, "env-canary"))
    check_tok(response, "/token", ttl=[77])
    assert len(redis.keys(name + ":token:*")) == 1


@row("CLI-env")
def test_a_flag_beats_its_variable(start_mintd, redis):
    instance = start_mintd("--token-ttl", "55", redis=redis,
                           env={"MINTD_TOKEN_TTL": "77", "MINTD_REDIS": NOWHERE})
    instance.wait_for_store()
    check_tok(post(instance, "/token", G, BA), "/token", ttl=[55])


@row("CLI-file")
def test_secrets_from_files(start_mintd, tmp_path):
    with RedisServer("--requirepass", "file-canary") as server:
        (tmp_path / "redis").write_text("redis://:file-canary@127.0.0.1:%d\n" % server.port)
        (tmp_path / "client").write_text("from-a-file:client-canary:read\n")
        instance = start_mintd(redis=None, env={"MINTD_REDIS_FILE": str(tmp_path / "redis"),
                                                "MINTD_CLIENT_FILE": str(tmp_path / "client")})
        instance.wait_for_log("client made")
        token, _ = minted(instance, "/token", G, basic("from-a-file", "client-canary"))
        check_welcome(use(instance, token), "from-a-file")
        for name in ("cmdline", "environ", "comm", "status"):
            with open("/proc/%d/%s" % (instance.pid, name), "rb") as file:
                assert b"canary" not in file.read(), name
        instance.stop()
        assert "canary" not in instance.log_text


@rows("CLI-file", redis="MINTD_REDIS_FILE", client="MINTD_CLIENT_FILE")
def test_file_that_cannot_be_read(tmp_path, case):
    (tmp_path / "empty").write_text("")
    (tmp_path / "huge").write_text("x" * (1 << 20))
    for path in (str(tmp_path / "missing"), str(tmp_path), str(tmp_path / "empty"), str(tmp_path / "huge")):
        done = run("--check", env={case: path})
        assert done.returncode == 2 and re.fullmatch(r"[^\n]+\n", done.stderr), (path, done)
        assert case in done.stderr or path in done.stderr, done


@rows("CLI-file", folder=("folder", "directory"), much=("much", "large"), nul=("nul", "nul"))
def test_file_that_is_no_text(tmp_path, case):
    """What would be cut silently is refused: a secret is whole or not there."""
    name, word = case
    (tmp_path / "folder").mkdir()
    (tmp_path / "much").write_text("id:a-canary" + "\n" * 5000)
    (tmp_path / "nul").write_bytes(b"id:a-canary\0more")
    done = run("--check", env={"MINTD_CLIENT_FILE": str(tmp_path / name)})
    one_line(done, 2, "MINTD_CLIENT_FILE", str(tmp_path / name))
    assert word in done.stderr.lower() and "canary" not in done.stderr, done


@row("CLI-file")
def test_longest_file(tmp_path):
    """4 KiB, with however many newlines at the end within them."""
    (tmp_path / "client").write_text("id:" + "s" * 1024 + ":read" + "\r\n" * 1532)
    assert (tmp_path / "client").stat().st_size == 4096
    assert run("--check", env={"MINTD_CLIENT_FILE": str(tmp_path / "client")}).returncode == 0


@row("CLI-client")
def test_client_that_cannot_be_made_is_told_once(start_mintd, redis):
    """Redis is there, but this user may not write clients: the log says so, and goes on trying."""
    name, user = unique("not-made"), unique("reader")
    redis.cli("ACL", "SETUSER", user, "on", ">x", "~*", "+@all", "-hset")
    try:
        instance = start_mintd("--client", name + ":a-secret", redis="redis://%s:x@127.0.0.1:%d" % (user, redis.port))
        instance.wait_for_store()
        told = instance.wait_for_log("client could not be made: it is tried again")
        assert told["client"] == name and told["reason"] == "noperm", told
        redis.cli("ACL", "SETUSER", user, "+hset")
        instance.wait_for_log("client made")
        assert len(instance.find_log("client could not be made: it is tried again")) == 1
        instance.stop()
    finally:
        redis.cli("ACL", "DELUSER", user)


@row("CLI-secret")
def test_no_core_file(start_mintd):
    """Memory holds secrets and tokens."""
    instance = start_mintd(redis=NOWHERE)
    with open("/proc/%d/limits" % instance.pid, encoding="ascii") as file:
        assert re.search(r"^Max core file size +0 +0 ", file.read(), re.MULTILINE)


@row("CLI-secret")
def test_redis_password_stays_out_of_the_log(start_mintd):
    with RedisServer("--requirepass", "url-canary") as server:
        for url in ("redis://:url-canary@127.0.0.1:%d", "redis://default:url%%2Dcanary@127.0.0.1:%d"):
            instance = start_mintd("--log-level", "debug", redis=url % server.port)
            instance.wait_for_store()
            assert "canary" not in repr(instance.request("GET", "/readyz"))
            assert "canary" not in repr(instance.request("GET", "/metrics"))
            instance.stop()
            assert "canary" not in instance.log_text
        # And where it is wrong.
        instance = start_mintd("--log-level", "debug",
                               redis="redis://:wrong-canary@127.0.0.1:%d" % server.port)
        instance.wait_for_log(lambda line: re.search("noauth|wrongpass", str(line).lower()))
        assert instance.request("GET", "/readyz").status == 503
        assert "canary" not in instance.log_text


# ---- listeners ----


@row("CLI-listen")
def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        one_line(run("--listen", address, "--redis", NOWHERE), 1, address)


@row("CLI-listen")
def test_port_of_another_mintd(start_mintd, redis):
    """SO_REUSEPORT is for our own workers, not for a second instance by mistake."""
    instance = start_mintd(redis=redis, workers=2)
    address = "127.0.0.1:%d" % instance.address[1]
    one_line(run("--listen", address, "--redis", NOWHERE), 1, address)
    assert instance.request("GET", "/healthz").status == 200


@row("CLI-listen")
def test_second_listener_in_use_leaves_nothing_behind(tmp_path):
    path = tmp_path / "first.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        one_line(run("--listen", "unix:%s" % path, "--listen", address, "--redis", NOWHERE), 1, address)
    assert not path.exists()


@row("CLI-listen")
def test_unknown_host():
    one_line(run("--listen", NO_HOST + ":80", "--redis", NOWHERE), 1, NO_HOST)


@row("CLI-listen")
def test_address_of_another_machine():
    one_line(run("--listen", "192.0.2.1:0", "--redis", NOWHERE), 1, "192.0.2.1")


@row("CLI-listen")
def test_metrics_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        one_line(run("--listen", "127.0.0.1:0", "--metrics-listen", address, "--redis", NOWHERE), 1, address)


@row("CLI-listen")
def test_two_listeners(start_mintd, redis, tmp_path):
    path = str(tmp_path / "m.sock")
    instance = start_mintd(redis=redis, listen=("127.0.0.1:0", "127.0.0.1:0", "unix:" + path))
    instance.wait_for_store()
    addresses = instance.addresses()
    assert len(set(addresses)) == 3 and path in addresses
    for address in addresses:
        with Connection(address) as connection:
            connection.send(form_request("/token", G, [BA]))
            check_tok(connection.read_response(), "/token")


@row("CLI-listen")
def test_ipv6(start_mintd, redis):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    instance = start_mintd(redis=redis, listen=("[::1]:0",))
    instance.wait_for_store()
    host, port = instance.address
    status, out, err = curl("-g", "-X", "POST", "http://[::1]:%d/token" % port, "-u", "svc-a:s3cret-A_1.x~",
                            "-d", "grant_type=client_credentials")
    assert status == 0 and b"access_token" in out, err
    assert host == "::1"


@row("CLI-listen")
def test_port_is_told_where_zero_was_asked_for(start_mintd, redis):
    instance = start_mintd(redis=redis)
    assert instance.address[1] > 0
    assert instance.request("GET", "/healthz").status == 200


# ---- unix sockets ----


@row("CLI-unix")
def test_unix_socket_comes_and_goes(start_mintd, redis, tmp_path):
    path = tmp_path / "m.sock"
    instance = start_mintd(redis=redis, listen=("unix:%s" % path,), workers=2)
    assert stat.S_ISSOCK(path.stat().st_mode)
    instance.wait_for_store()
    status, out, err = curl("--unix-socket", str(path), "-u", "svc-a:s3cret-A_1.x~", "-d",
                            "grant_type=client_credentials",
                            "http://localhost/token")
    assert status == 0 and b"access_token" in out, err
    instance.stop()
    assert not path.exists()


@row("CLI-unix")
def test_stale_socket_file_is_replaced(start_mintd, redis, tmp_path):
    path = str(tmp_path / "m.sock")
    first = start_mintd(redis=redis, listen=("unix:" + path,))
    first.kill()
    assert os.path.exists(path)
    second = start_mintd(redis=redis, listen=("unix:" + path,))
    assert second.request("GET", "/healthz").status == 200


@rows("CLI-unix", main=("unix:%s", "127.0.0.1:0"), metrics=("127.0.0.1:0", "unix:%s"))
def test_the_socket_file_of_a_successor_stays(start_mintd, redis, tmp_path, case):
    """It came while the first one drained."""
    path = str(tmp_path / "m.sock")
    listen, metrics = (text.replace("%s", path) for text in case)

    def start():
        return start_mintd("--metrics-listen", metrics, redis=redis, listen=(listen,), workers=2)

    first = start()
    with first.connect() as slow:
        slow.send(request_bytes("POST", "/token", [BA, FORM, ("Expect", "100-continue"), ("Content-Length", "9")]))
        slow.wait_for_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
        first.signal(signal.SIGTERM)
        wait_until(lambda: not os.path.exists(path), 5, "its own file has gone")
        second = start()
        assert first.is_alive
    assert first.wait() == 0
    status, out, err = curl("--unix-socket", path, "http://localhost/healthz")
    assert status == 0, (out, err)
    second.stop()
    assert not os.path.exists(path)


@row("CLI-unix")
def test_live_socket_file_is_not(start_mintd, redis, tmp_path):
    path = str(tmp_path / "m.sock")
    first = start_mintd(redis=redis, listen=("unix:" + path,))
    one_line(run("--listen", "unix:" + path, "--redis", NOWHERE), 1, path)
    assert first.request("GET", "/healthz").status == 200


@rows("CLI-unix", file=lambda p: p.write_text("mine"), directory=lambda p: p.mkdir(),
      link=lambda p: p.symlink_to("/dev/null"))
def test_other_files_are_left_alone(tmp_path, case):
    path = tmp_path / "m.sock"
    case(path)
    before = os.lstat(path)
    one_line(run("--listen", "unix:%s" % path, "--redis", NOWHERE), 1, str(path))
    assert os.lstat(path).st_ino == before.st_ino and os.lstat(path).st_mode == before.st_mode


@row("CLI-unix")
def test_socket_in_a_missing_directory(tmp_path):
    path = str(tmp_path / "missing" / "m.sock")
    one_line(run("--listen", "unix:" + path, "--redis", NOWHERE), 1, path)


# ---- start and store ----


@row("CLI-start")
def test_redis_away_at_start(start_mintd, own_redis):
    own_redis.kill()
    instance = start_mintd(redis=own_redis)
    assert instance.request("GET", "/readyz").status == 503
    check_unavailable(post(instance, "/auth", G, BA))
    # It says so.
    instance.wait_for_log(lambda line: line["level"] in ("warning", "error") and "redis" in str(line).lower())
    own_redis.start()
    install_clients(own_redis)
    wait_status(instance, 200, within=1.5)
    check_welcome(use(instance, minted(instance, "/auth")[0]))


@row("CLI-start")
def test_client_is_made_once_redis_comes(start_mintd, own_redis):
    own_redis.kill()
    instance = start_mintd("--client", "late:late-canary:read", redis=own_redis)
    assert instance.request("GET", "/readyz").status == 503
    own_redis.start()
    instance.wait_for_log("client made")
    check_welcome(use(instance, minted(instance, "/auth", G, basic("late", "late-canary"))[0]), "late")


@brief
@row("CLI-start")
def test_redis_that_does_not_answer_at_start(start_mintd, own_redis):
    own_redis.pause()
    instance = start_mintd(redis=own_redis)
    started = time.monotonic()
    assert instance.request("GET", "/readyz").status == 503
    check_unavailable(post(instance, "/auth", G, BA))
    assert time.monotonic() - started < 5
    own_redis.resume()
    wait_status(instance, 200, within=4)
    check_welcome(use(instance, minted(instance, "/auth")[0]))


@row("CLI-start")
def test_unresolvable_redis(start_mintd):
    instance = start_mintd(redis="redis://%s:6379" % NO_HOST)
    assert instance.request("GET", "/readyz").status == 503
    instance.wait_for_log(lambda line: line["level"] in ("warning",
                                                         "error") and NO_HOST in str(line))
    instance.stop()


@row("CLI-memory")
def test_local_store(start_mintd):
    instance = start_mintd("--client", "trial:trial-canary:read write", redis="memory:", workers=2)
    instance.wait_for_log("client made")
    for _ in range(20):  # whichever worker mints, each lets it in
        token, _ = minted(instance, "/auth", G, basic("trial", "trial-canary"))
        check_welcome(use(instance, token), "trial", "read write")
    assert instance.request("GET", "/readyz").status == 200


@row("CLI-memory")
def test_local_store_forgets_at_exit(start_mintd):
    first = start_mintd("--client", "trial:trial-canary:read", redis="memory:")
    first.wait_for_log("client made")
    token, _ = minted(first, "/token", G, basic("trial", "trial-canary"))
    first.stop()
    second = start_mintd("--client", "trial:trial-canary:read", redis="memory:")
    second.wait_for_log("client made")
    assert use(second, token).status == 401


@row("CLI-client")
def test_two_instances_make_the_same_client_at_once(start_mintd, redis):
    name = unique("race")
    started = [start_mintd("--client", name + ":race-canary:read", redis=redis, wait=False) for _ in range(4)]
    for instance in started:
        instance.wait_for_store()
    wait_until(lambda: sum(len(i.find_log("client made")) for i in started) >= 1, 5)
    for instance in started:
        check_tok(post(instance, "/token", G, basic(name, "race-canary")), "/token")
    assert sum(len(i.find_log("client made")) for i in started) == 1
    assert redis.cli("HEXISTS", "mintd:client:" + name, "secret:1") == 1


@row("CLI-client")
def test_remains_of_a_removed_client_are_in_nobodys_way(start_mintd, redis):
    """A late note of when a secret was used can outlive its client. A hash without a secret is no client."""
    name = unique("remains")
    redis.cli("HSET", "mintd:client:" + name, "secret:1:used", "1795000000", "secret:3:used", "1795000000")
    started = [start_mintd("--client", name + ":made-anew-canary:read", redis=redis, wait=False) for _ in range(4)]
    for instance in started:
        instance.wait_for_log(lambda line: line["message"] in ("client made", "client is there already"))
        check_tok(post(instance, "/token", G, basic(name, "made-anew-canary")), "/token")
    assert sum(len(i.find_log("client made")) for i in started) == 1
    assert redis.cli("HGET", "mintd:client:" + name, "scope") == "read"
    assert redis.cli("HEXISTS", "mintd:client:" + name, "secret:3:used") == 0
    assert redis.cli("SISMEMBER", "mintd:clients", name) == 1


@row("CLI-client")
def test_settings_without_a_secret_are_told_of(start_mintd, redis):
    """Somebody may have taken the secret away on purpose: nothing is changed, but the log says why it is no client."""
    name = unique("no-secret")
    redis.cli("HSET", "mintd:client:" + name, "scope", "admin", "disabled", "1")
    instance = start_mintd("--client", name + ":left-alone-canary:read", redis=redis)
    told = instance.wait_for_log(lambda line: line["message"].startswith("client has settings but no secret"))
    assert told["level"] == "warning" and told["client"] == name, told
    assert redis.cli("HGETALL", "mintd:client:" + name) == ["scope", "admin", "disabled", "1"]
    wait_status(instance, 200, within=4)


DIFFERS = "the client of --client was there before"


def differs(line):
    return line["message"].startswith(DIFFERS)


@rows("N-08", secret=(":second-canary:read", "secret"), scope=(":first-canary:read write", "scope"),
      both=(":second-canary", "secret, scope"))
def test_client_that_differs_is_told_of(start_mintd, own_redis, case):
    """F-06: the record counts, nothing flips; a warning says what differs, and never a secret."""
    start_mintd("--client", "seed:first-canary:read", redis=own_redis).wait_for_log("client made")
    before = own_redis.cli("HGETALL", "mintd:client:seed")
    instance = start_mintd("--client", "seed" + case[0], redis=own_redis, name="second")
    told = instance.wait_for_log(differs)
    assert told["level"] == "warning" and told["client"] == "seed" and told["differs"] == case[1], told
    assert "mintctl client rotate" in told["message"] and "canary" not in instance.log_text.split("listening")[1]
    assert own_redis.cli("HGETALL", "mintd:client:seed") == before
    check_tok(post(instance, "/token", G, basic("seed", "first-canary")), "/token")
    wait_until(lambda: "client differs" in (own_redis.cli("GET", "mintd:instance:second") or ""), 10, "the notice")
    doctor = Mintctl(own_redis).json("doctor", status=1)["findings"]
    found = [f for f in doctor if f["check"] == "client" and "second" in f["text"]]
    assert [f["result"] for f in found] == ["warning"], doctor


@row("N-08")
def test_client_that_does_not_differ_is_not_told_of(start_mintd, own_redis):
    """Also where its secret is a slow one, made by another instance; and looking is no use of it."""
    start_mintd("--client", "seed:first-canary:read write", redis=own_redis).wait_for_log("client made")
    instance = start_mintd("--client", "seed:first-canary:write read", redis=own_redis, name="second")
    instance.wait_for_log("client is there already")
    wait_until(lambda: b"\nmintd_secret_slow_checks_total 1\n" in instance.request("GET", "/metrics").body, 10,
               "the secret is looked at")
    check_tok(post(instance, "/token", G, basic("seed", "first-canary")), "/token", "read write")
    assert not instance.find_log(differs)
    assert not instance.find_log(lambda line: line["level"] == "error")


@row("N-08")
def test_remove_names_who_makes_the_client_again(start_mintd, own_redis):
    instance = start_mintd("--client", "seed:first-canary:read", redis=own_redis, name="maker")
    instance.wait_for_log("client made")
    wait_until(lambda: own_redis.cli("SISMEMBER", "mintd:instances", "maker"), 10, "a heartbeat")
    ctl = Mintctl(own_redis)
    done = ctl("client", "remove", "seed", "--yes")
    assert "instance maker" in done.err and "--client" in done.err and "client disable" in done.err, done
    assert instance.request("GET", "/readyz").status == 200  # N-08: ready all the same
    own_redis.cli("HSET", "mintd:client:other", "secret:1", "x")
    assert ctl("client", "remove", "other", "--yes").err == ""


@rows("CLI-max", few=2)
def test_max_connections(start_mintd, redis, case):
    instance = start_mintd("--max-connections", str(case), redis=redis)
    instance.wait_for_store()
    held = [instance.connect() for _ in range(case)]
    for connection in held:
        connection.expect_in_step()
    with instance.connect() as extra:
        try:
            extra.send(request_bytes("GET", "/healthz"))
            response = extra.read_response()
            assert response.status == 503 and response.says_close, response
        except (Closed, ConnectionError):
            pass  # turned away without a word
    for connection in held:
        connection.expect_in_step()
        connection.close()
    wait_until(lambda: _answers(instance), 2, "there is room again")


def _answers(instance):
    try:
        return instance.request("GET", "/healthz").status == 200
    except (Closed, ConnectionError):
        return False


@row("CLI-name")
def test_name(start_mintd, redis):
    instance = start_mintd(redis=redis, name="name-of-this-one")
    instance.wait_for_store()
    assert "name-of-this-one" in redis.cli("CLIENT", "LIST")


@row("CLI-signals")
def test_stops_at_once_when_it_has_nothing_to_do(start_mintd, redis):
    instance = start_mintd(redis=redis)
    instance.wait_for_store()
    started = time.monotonic()
    instance.signal(signal.SIGTERM)
    instance.check_end(instance.wait())
    assert time.monotonic() - started < 2


@rows("CLI-signals", term=signal.SIGTERM, int=signal.SIGINT)
def test_signal_right_after_the_start(start_mintd, redis, case):
    """From the first line of the log on, a signal is an orderly end."""
    for _ in range(10):
        instance = start_mintd(redis=redis)
        instance.signal(case)
        instance.check_end(instance.wait())


@row("CLI-signals")
def test_sighup_ends_nothing(start_mintd, redis):
    instance = start_mintd(redis=redis)
    instance.wait_for_store()
    instance.signal(signal.SIGHUP)
    for _ in range(20):
        assert instance.request("GET", "/healthz").status == 200


@row("CLI-default")
def test_default_listener():
    """127.0.0.1:4001 and [::1]:4001, if nobody is there."""
    try:
        socket.create_server(("127.0.0.1", 4001)).close()
        socket.create_server(("::1", 4001), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("somebody listens on port 4001, or there is no IPv6")
    with Mintd(redis=NOWHERE, listen=(), wait=False) as instance:
        instance.wait_for_log("listening", count=2)
        assert instance.addresses() == [("127.0.0.1", 4001), ("::1", 4001)]


@row("CLI-client-ready")
def test_ready_means_that_the_client_is_there(start_mintd, own_redis):
    """Whoever waits for /readyz can mint with the client of --client: it is there by then."""
    name = "made-at-start"
    for _ in range(3):
        instance = start_mintd(redis=own_redis, env={"MINTD_CLIENT": name + ":at-the-start:read"})
        while (ready := instance.request("GET", "/readyz")).status != 200:
            assert ready.json()["reason"] in ("starting", "disconnected"), ready
        assert post(instance, "/token", G, basic(name, "at-the-start")).status == 200
        instance.stop()
        own_redis.cli("DEL", "mintd:client:" + name)
