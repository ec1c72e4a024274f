"""Where settings come from, in both programs: variables that are empty or misspelt, files that an editor
has saved in its own way, times and sizes; and mintd --check, which shows what is in force."""
import json
import os
import re
import socket

import pytest

from support.clients import G, basic, token_key
from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import minted, row, rows, sha256_phc, unique
from support.redis_server import free_port

CANARY = "canary-of-the-environment"
KUBERNETES = ["MINTD_PORT", "MINTD_PORT_4001_TCP", "MINTD_PORT_4001_TCP_ADDR", "MINTD_PORT_4001_TCP_PORT",
              "MINTD_PORT_4001_TCP_PROTO", "MINTD_SERVICE_HOST", "MINTD_SERVICE_PORT", "MINTD_SERVICE_PORT_HTTP",
              "MINTD_METRICS_SERVICE_HOST", "MINTD_METRICS_SERVICE_PORT", "MINTD_METRICS_PORT",
              "MINTD_METRICS_PORT_9001_TCP_ADDR"]
NEAREST = {"MINTD_WORKRES": "MINTD_WORKERS", "MINTD_REDIS_URL": "MINTD_REDIS", "MINTD_LISTENS": "MINTD_LISTEN",
           "MINTD_REDISPREFIX": "MINTD_REDIS_PREFIX", "MINTD_CLIENT_FIEL": "MINTD_CLIENT"}


def checked(*arguments, env=None):
    done = run("--check", *arguments, env=env)
    assert done.returncode == 0, done
    assert CANARY not in done.stdout + done.stderr, done
    return done


def in_force(done):
    """{flag: (value, where it comes from)} of what --check printed."""
    rows_ = re.findall(r"^(--\S+) +(.*?) +(\S+)$", done.stdout, re.MULTILINE)
    return {flag: (value, source) for flag, value, source in rows_}


def settings_of_help():
    """{variable: whether it has a _FILE form}, of every setting that --help lists."""
    flags = re.findall(r"^  (--\S+)(?: \S|$)", run("--help").stdout, re.MULTILINE)
    return ["MINTD_" + flag[2:].upper().replace("-", "_") for flag in flags if flag not in ("--help,", "--check")]


# ---- empty ----


@rows("F-14", redis="MINTD_REDIS", file="MINTD_REDIS_FILE", prefix="MINTD_REDIS_PREFIX")
def test_an_empty_variable_is_none(redis, tmp_path, case):
    """In mintctl as in mintd."""
    (tmp_path / "url").write_text(redis.url + "\n")
    given = {"MINTD_REDIS_FILE": str(tmp_path / "url")} if case == "MINTD_REDIS" else {"MINTD_REDIS": redis.url}
    ctl = Mintctl(env={**given, case: ""})
    assert "svc-a" in ctl("client", "list").out
    name = unique("not-empty")
    ctl.secret("client", "add", name)
    assert redis.keys("*client:" + name) == ["mintd:client:" + name]
    checked(env={**given, case: ""})


# ---- misspelt ----


@rows("F-21", **{name[6:].lower(): name for name in NEAREST})
def test_a_misspelt_variable_is_a_warning(redis, case):
    """With the name that may be meant (N-27), and without its value, which may be a secret."""
    done = checked(env={case: CANARY})
    assert done.stderr == "mintd: warning: %s: there is no such environment variable: is it %s\n" % (
        case, NEAREST[case]), done
    ctl = Mintctl(redis, env={case: CANARY}, canaries=[CANARY])
    assert ctl("client", "list").err == done.stderr.replace("mintd: w", "mintctl: w")


@row("F-21")
def test_a_variable_like_no_other_is_a_warning_too():
    done = checked(env={"MINTD_" + "X" * 100: CANARY, "MINTD_ZZZZZZZZZZ": CANARY, "MINTD_": CANARY,
                        "MINTDWORKERS": "9", "MINTD_WORKRES": ""})
    assert done.stderr.count("no such environment variable\n") == 3 and "WORK" not in done.stderr, done


@row("F-21")
def test_the_log_warns_too(start_mintd, redis):
    instance = start_mintd(redis=redis, env={"MINTD_WORKRES": CANARY})
    line = instance.wait_for_log("there is no such environment variable")
    assert line["level"] == "warning" and line["setting"] == "MINTD_WORKRES", line
    assert line["nearest"] == "MINTD_WORKERS" and CANARY not in instance.log_text, line


@row("F-21")
def test_kubernetes_may_set_what_it_sets(redis):
    """For each service of the namespace whose name begins with mintd."""
    env = dict.fromkeys(KUBERNETES, "tcp://10.0.0.1:4001")
    assert checked(env=env).stderr == ""
    assert Mintctl(redis, env=env)("client", "list").err == ""


@row("F-21")
def test_both_programs_know_every_setting(redis):
    names = settings_of_help()
    assert "MINTD_LISTEN" in names and len(names) > 15, names
    for name in names:
        err = Mintctl(redis, env={name: "" if name.startswith("MINTD_REDIS") else "x"}).run("client", "list").err
        assert "no such environment variable" not in err, err
    err = Mintctl(env={"MINTD_REDIS_FILE": "/nowhere", "MINTD_CLIENT_FILE": "/nowhere"}).run("client", "list").err
    assert "no such" not in err.replace("No such file", ""), err


# ---- --check ----


@row("N-27")
def test_check_shows_what_is_in_force_and_where_it_comes_from(tmp_path):
    (tmp_path / "url").write_text("redis://mintd:%s@redis:6380/2\n" % CANARY)
    shown = in_force(checked(
        "--listen", ":4001", "--listen", "unix:/run/mintd.sock", "--token-ttl=10m",
        env={"MINTD_REDIS_FILE": str(tmp_path / "url"), "MINTD_CLIENT": "svc:%s:read write" % CANARY,
             "MINTD_TOKEN_TTL": "5", "MINTD_WORKERS": "3", "MINTD_NAME": ""}))
    assert shown["--listen"] == (":4001 unix:/run/mintd.sock", "flag")
    assert shown["--token-ttl"] == ("10m", "flag")  # the flag wins
    assert shown["--redis"] == ("redis://mintd:***@redis:6380/2", "MINTD_REDIS_FILE")
    assert shown["--client"] == ("svc:***:read write", "MINTD_CLIENT")
    assert shown["--workers"] == ("3", "MINTD_WORKERS")
    assert shown["--cache-size"] == ("32m", "default") and shown["--name"][1] == "default"
    assert shown["--redis-prefix"] == ("mintd:", "default") and shown["--tls-key"] == ("none", "default")
    assert {"MINTD_" + flag[2:].upper().replace("-", "_") for flag in shown} == set(settings_of_help())


@row("N-27")
def test_check_shows_the_value_that_a_default_has():
    cores, host = len(os.sched_getaffinity(0)), re.sub(r"[^0-9A-Za-z._-]", "-", socket.gethostname())
    shown = in_force(checked())
    assert shown["--workers"] == ("%d (one a core)" % cores, "default")
    assert shown["--issuer"][0].startswith("http://127.0.0.1:4001 (") and shown["--issuer"][1] == "default"
    assert shown["--name"] == ("%s-4001 (host name and port)" % host[:31], "default")
    shown = in_force(checked("--listen", "localhost:4002", "--workers", "2", "--name", "a"))
    assert shown["--issuer"][0].startswith("http://localhost:4002 (")
    assert shown["--workers"] == ("2", "flag") and shown["--name"] == ("a", "flag")


@rows("N-27", port=":4001", v4="0.0.0.0:4001", v6="[::]:4001", one="192.0.2.1:4001")
def test_check_warns_of_an_issuer_that_is_a_guess(case):
    assert checked("--listen", case).stderr.startswith("mintd: warning: --issuer: the issuer is a guess")
    assert checked("--listen", case, "--issuer", "https://tokens.example").stderr == ""
    assert checked("--listen", "127.0.0.1:4001", "--listen", "unix:/run/s").stderr == ""


@rows("N-27", v4="http://0.0.0.0:4001", plain="http://0.0.0.0", v6="https://[::]:4001/path", bare="https://[::]")
def test_an_issuer_that_no_client_reaches_is_a_warning(case):
    assert checked("--issuer", case).stderr == (
        "mintd: warning: --issuer: no client reaches this address: give the URL by which clients reach it\n")
    assert checked("--issuer", "http://10.0.0.0:4001").stderr == ""


@rows("N-27", password="redis://:%s@h", user="redis://u:%s@h:1/0", at="redis://u:%%40%s@[::1]:1",
      unix="unix://u:%s@/run/redis.sock")
def test_check_shows_no_password(case):
    done = run("--check", "--redis", case % CANARY)
    assert CANARY not in done.stdout + done.stderr and (done.returncode == 2 or "***@" in done.stdout), done


# ---- files and secrets that are not what they seem ----

ENCODED = {"bom": ("utf-8-sig", "byte order mark"), "utf16": ("utf-16", "UTF-16"), "utf16le": ("utf-16-le", "UTF-16"),
           "utf16be": ("utf-16-be", "UTF-16")}


@rows("F-34", **ENCODED)
def test_an_encoding_that_editors_choose_is_named(redis, tmp_path, case):
    encoding, words = case
    path = str(tmp_path / "file")

    def write(text):
        with open(path, "wb") as file:
            file.write(text.encode(encoding))

    write("id:%s\r\n" % CANARY)
    done = run("--check", env={"MINTD_CLIENT_FILE": path})
    assert done.returncode == 2 and words in done.stderr and CANARY not in done.stderr, done
    ctl, name = Mintctl(redis, canaries=[CANARY]), unique("encoded")
    secret = ctl("client", "add", name, "--secret-stdin", stdin=(CANARY + "\n").encode(encoding), status=1)
    assert words in secret.err, secret
    write(CANARY)
    (tmp_path / "apply").write_text(json.dumps({"clients": [{"id": name, "secret_file": path}]}))
    assert words in ctl("client", "apply", str(tmp_path / "apply"), status=2).err
    write(json.dumps({"clients": []}))
    assert words in ctl("client", "apply", path, status=2).err
    write(redis.url)
    assert words in Mintctl(env={"MINTD_REDIS_FILE": path})("client", "list", status=2).err
    assert not redis.keys("*" + name)


@rows("F-34", before=" %s", behind="%s ")
def test_a_blank_at_an_edge_of_a_secret_is_a_warning(redis, pair, tmp_path, case):
    """It may be meant: it is part of the secret."""
    secret = case % CANARY
    (tmp_path / "client").write_text("id:%s:read\n" % secret)
    done = checked(env={"MINTD_CLIENT_FILE": str(tmp_path / "client")})
    assert done.stderr == "mintd: warning: MINTD_CLIENT_FILE: a value that holds a secret has a blank at an edge\n"
    assert "blank" in checked(env={"MINTD_CLIENT": "id:" + secret}).stderr
    assert checked(env={"MINTD_CLIENT": "id:inner blank %s:read write" % CANARY}).stderr == ""
    ctl, name, other = Mintctl(redis, canaries=[CANARY]), unique("blank"), unique("blank")
    assert "blank" in ctl("client", "add", name, "--secret-stdin", stdin=secret + "\n").err
    minted(pair.a, "/token", G, basic(name, secret))
    (tmp_path / "secret").write_text(secret + "\n")
    (tmp_path / "apply").write_text(
        json.dumps({"clients": [{"id": other, "secret_file": str(tmp_path / "secret")}]}))
    err = ctl("client", "apply", str(tmp_path / "apply")).err
    assert err.count("with a blank") == 1 and str(tmp_path / "secret") in err, err


@rows("F-34", before=" %s", behind="%s ", tab="%s\t")
def test_a_blank_at_an_edge_of_a_url_is_named(tmp_path, case):
    (tmp_path / "url").write_text(case % ("redis://:%s@127.0.0.1:1" % CANARY) + "\n")
    done = run("--check", env={"MINTD_REDIS_FILE": str(tmp_path / "url")})
    assert done.returncode == 2 and CANARY not in done.stderr, done
    assert re.fullmatch(r"mintd: MINTD_REDIS_FILE: .* \(it has a blank at an edge\)\n", done.stderr), done


# ---- times and sizes ----


@rows("N-26", plain=("90", 90), s=("90s", 90), m=("10m", 600), h=("24h", 86400), d=("7d", 604800),
      ms=("2000ms", 2))
def test_times_are_written_in_one_way(redis, tmp_path, case):
    """As a flag, as a variable, in mintctl, in a file of clients."""
    text, seconds = case
    for given in ({"arguments": ("--token-ttl", text)}, {"env": {"MINTD_TOKEN_TTL": text}}):
        checked(*given.get("arguments", ()), env=given.get("env"))
    name = unique("times")
    document = {"clients": [{"id": name, "ttl": seconds if text == "90" else text, "max_ttl": "300d",
                             "secrets": [sha256_phc("a secret")]}]}
    (tmp_path / "apply").write_text(json.dumps(document))
    ctl = Mintctl(redis)
    ctl("client", "apply", str(tmp_path / "apply"))
    assert redis.cli("HMGET", "mintd:client:" + name, "ttl", "max_ttl") == [str(seconds), "25920000"]
    token = ctl.secret("token", "mint", name, "--ttl", text)
    record = json.loads(redis.cli("GET", token_key(token)))
    assert record["exp"] - record["iat"] == seconds
    ctl.secret("client", "rotate", name, "--grace", text)


@rows("N-26", plain="250", ms="250ms", s="2s")
def test_the_deadline_of_redis_is_milliseconds(case):
    assert in_force(checked("--redis-timeout", case))["--redis-timeout"] == (case, "flag")


@pytest.mark.parametrize("text,seconds", [pytest.param("2s", 2, id="N-26-ttl")])
def test_a_token_lives_as_long_as_was_written(start_mintd, redis, text, seconds):
    instance = start_mintd("--token-ttl", text, redis=redis, listen=("127.0.0.1:%d" % free_port(),))
    instance.wait_for_store()
    _, document = minted(instance)
    assert document["expires_in"] == seconds
