"""mintctl with many clients, over a slow way to Redis: how often it goes, and what it keeps (N-14);
one record among them that is none (N-13); a reader that goes early (N-34); instances among many keys (N-05)."""
import collections
import json
import subprocess
import sys
import time

import pytest

from support.mintctl import Mintctl, command_line
from support.mintd import environment
from support.oauth import row, rows, wait_until
from support.redis_server import RedisServer
from support.slow_link import SlowLink
from support.timing import scaled

COUNT = 2000
STORED = "$sha256$%064d"
MAKE = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
    local id = string.format('many-%06d', i)
    redis.call('HSET', 'mintd:client:' .. id, 'scope', 'read', 'gen', '1', 'secret:1', '$sha256$' .. string.format('%064d', i))
    redis.call('SADD', 'mintd:clients', id)
end"""


def entry(number, **more):
    return {"id": "many-%06d" % number, "scope": "read", "secrets": [STORED % number], **more}


@pytest.fixture
def many():
    with RedisServer() as server:
        server.cli("SET", "mintd:schema", "1")
        server.cli("EVAL", MAKE, 0, 1, COUNT)
        yield server


@pytest.fixture
def write(tmp_path):
    def to_file(entries):
        path = tmp_path / "clients.json"
        path.write_text(json.dumps({"clients": entries}))
        return str(path)

    return to_file


def commands_of(redis, run):
    """How often each command was sent."""
    with redis.monitor() as seen:
        run()
        return collections.Counter(c[0].upper() for c in seen.commands())


@row("N-14")
def test_one_change_among_many_touches_one(many, write):
    """Two ways for the one that differs; the others are read once, some hundred on each way."""
    many.cli("EVAL", MAKE, 0, COUNT + 1, 10000)
    path = write([entry(n, **({"ttl": 60} if n == 1234 else {})) for n in range(1, 10001)])
    with SlowLink(many.port, 0.0026) as link:
        before = time.monotonic()
        counts = commands_of(many, lambda: Mintctl(link.url)("client", "apply", path))
        assert time.monotonic() - before < scaled(5)  # one by one the ways alone take 26 s
        assert link.ways <= 60, link.ways
    assert many.cli("HGET", "mintd:client:many-001234", "ttl") == "60"
    assert counts["HGETALL"] == 10001 and counts["WATCH"] == counts["EXEC"] == counts["HSET"] == 1, counts
    counts = commands_of(many, lambda: Mintctl(many)("client", "apply", path))
    assert counts["HGETALL"] == 10000 and not counts["WATCH"] and not counts["EXEC"], counts


@row("N-14")
def test_all_of_many_are_made_changed_and_removed_in_groups(many, write):
    made = [entry(n) for n in range(COUNT + 1, COUNT + 801)]
    with SlowLink(many.port, 0.02) as link:
        ctl = Mintctl(link.url)
        assert "800 made, 0 changed" in ctl("client", "apply", write(made)).out
        changed = [entry(n, ttl=60) for n in range(COUNT + 1, COUNT + 801)]
        assert "0 made, 800 changed" in ctl("client", "apply", write(changed)).out
        assert link.ways <= 50, link.ways
        done = ctl("client", "apply", write(changed), "--prune", "--yes", "--max-removals", str(COUNT))
        assert "%d removed, 800 as they were" % COUNT in done.out
        assert link.ways <= 100, link.ways
    assert many.cli("SCARD", "mintd:clients") == 800
    assert len(many.keys("mintd:client:*")) == 800
    assert many.cli("HGET", "mintd:client:many-002001", "secret:1") == STORED % 2001
    assert many.cli("HGET", "mintd:client:many-002001", "ttl") == "60"
    assert int(many.cli("HGET", "mintd:client:many-002800", "gen")) >= 0


@row("N-14")
def test_a_group_is_tried_again_where_somebody_else_was_quicker(many, write):
    """The other one writes in between, each time that a group is about to be changed; nothing of it
    is lost, and every client is what the file says in the end."""
    path = write([entry(n, ttl=60) for n in range(1, COUNT + 1)])
    with many.monitor() as seen, SlowLink(many.port, 0.3) as link:
        process = subprocess.Popen(command_line("client", "apply", path, "--redis", link.url),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + scaled(60)
        while not any(c[0].upper() == "WATCH" for c in seen.commands()):
            assert time.monotonic() < until
            time.sleep(0.01)
        many.cli("HSET", "mintd:client:many-000001", "secret:1:used", "1700000000")
        _, err = process.communicate(timeout=scaled(60))
        counts = collections.Counter(c[0].upper() for c in seen.commands())
    assert process.returncode == 0, err
    assert counts["WATCH"] > COUNT, counts  # that group once more
    assert many.cli("HGET", "mintd:client:many-000001", "secret:1:used") == "1700000000"
    for n in (1, 2, 254, 255, COUNT):
        assert many.cli("HGET", "mintd:client:many-%06d" % n, "ttl") == "60"


@row("N-14")
def test_whatever_stops_an_apply_leaves_no_client_that_is_not_listed(many, write):
    """Each command is about one key, and an id is taken out of the list once its client is gone."""
    with many.monitor() as seen:
        Mintctl(many)("client", "apply", write([entry(n) for n in (1, COUNT + 1)]), "--prune", "--yes", "--max-removals", str(COUNT))
        sent = [[c[0].upper(), *c[1:]] for c in seen.commands()]
    sent = [c for c in sent if c[0] in ("DEL", "SREM", "SADD", "HSET")]
    assert all(c[1] == "mintd:clients" for c in sent if c[0] in ("SREM", "SADD")), sent
    gone = {c[1][len("mintd:client:"):]: place for place, c in enumerate(sent) if c[0] == "DEL"}
    unlisted = {name: place for place, c in enumerate(sent) if c[0] == "SREM" for name in c[2:]}
    assert len(unlisted) == COUNT - 1 and all(gone[name] < place for name, place in unlisted.items())
    assert len([c for c in sent if c[0] == "SREM"]) < 20
    assert sorted(many.cli("SMEMBERS", "mintd:clients")) == ["many-000001", "many-%06d" % (COUNT + 1)]
    assert sorted(many.keys("mintd:client:*")) == ["mintd:client:many-000001", "mintd:client:many-%06d" % (COUNT + 1)]


@row("N-14")
def test_list_of_many_over_a_slow_way(many):
    with SlowLink(many.port, 0.02) as link:
        clients = Mintctl(link.url).json("client", "list")["clients"]
        assert link.ways <= 25, link.ways
    assert [c["id"] for c in clients] == ["many-%06d" % n for n in range(1, COUNT + 1)]


# What is forked begins with the peak of who forks: so a small program does it.
MEASURE = """
import os, sys
pid = os.fork()
if pid == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_mib(redis, *arguments):
    """Of resident memory, with what was freed given back."""
    options = {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1:malloc_context_size=0"}
    command = [sys.executable, "-I", "-S", "-c", MEASURE, *command_line(*arguments, "--redis", redis.url)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(options), check=True)
    return int(done.stdout) / 1024


@rows("N-14", list=["client", "list", "--json"], export=["client", "export"])
def test_what_is_printed_is_not_kept(many, case):
    """32 MiB at 100,000 clients, 8 of which it takes without any: what a sanitizer takes is not counted."""
    few = peak_mib(many, *case)
    many.cli("EVAL", MAKE, 0, COUNT + 1, 100000)
    assert peak_mib(many, *case) - few < 32 - 8


@row("N-13")
def test_a_record_of_a_wrong_type_is_one_row(many, write):
    many.cli("SET", "mintd:client:bad", "text")
    many.cli("SADD", "mintd:clients", "bad")
    ctl = Mintctl(many)
    done = ctl("client", "list", status=1)
    lines = done.out.splitlines()
    assert len(lines) == 1 + 1 + COUNT and lines[1].split()[:2] == ["bad", "unreadable"], lines[:3]
    assert "bad: unreadable" in done.err and "mintd:client:bad" in done.err, done.err
    listed = ctl.json("client", "list", status=1)["clients"]
    assert len(listed) == 1 + COUNT and listed[0]["id"] == "bad" and listed[0]["readable"] is False
    assert "mintd:client:bad" in ctl("client", "show", "bad", status=1).err
    assert ctl.json("client", "show", "bad", status=1)["readable"] is False
    for words in (["rotate", "bad"], ["disable", "bad"], ["set", "bad", "--ttl", "60"], ["add", "bad"]):
        assert "mintd:client:bad" in ctl("client", *words, status=1).err
    before = many.cli("HGETALL", "mintd:client:many-000001")
    done = ctl("client", "apply", write([entry(1, ttl=60), {**entry(2), "id": "bad"}]), status=1)
    assert "mintd:client:bad" in done.err and many.cli("HGETALL", "mintd:client:many-000001") == before
    ctl("client", "remove", "bad", "--yes")
    ctl("client", "list")


@row("N-34")
def test_a_reader_that_has_seen_enough(many):
    process = subprocess.Popen(command_line("client", "list", "--redis", many.url), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    assert process.stdout.readline().startswith(b"ID ")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(scaled(20))


@pytest.fixture
def crowded():
    """A Redis with two million keys that look like tokens'."""
    with RedisServer("--enable-debug-command", "yes") as server:
        server.cli("SET", "mintd:schema", "1")
        for part in range(20):  # each is answered in time on a busy machine too
            server.cli("DEBUG", "POPULATE", "100000", "mintd:token:%d" % part)
        assert server.cli("DBSIZE") == 2000001
        yield server


@row("N-05")
def test_instances_are_found_among_many_keys(crowded, start_mintd):
    """By the set of their names: asked by nobody, and looking through no keys."""
    names = {"one", "two", "three"}
    for name in names:
        start_mintd(redis=crowded, name=name).wait_for_store()
    ctl = Mintctl(crowded)
    wait_until(lambda: {i["name"] for i in ctl.json("status")["instances"]} == names, 10, "they beat")
    took = []
    for _ in range(3):
        before = time.monotonic()
        status = ctl.json("status")
        took.append(time.monotonic() - before)
        assert {i["name"] for i in status["instances"]} == names and status["complete"] is True, status
    assert min(took) < scaled(0.2), took
    counts = commands_of(crowded, lambda: ctl("status"))
    assert not counts["SCAN"] and not counts["KEYS"] and counts["SSCAN"] == counts["SCARD"] == 1, counts
    found = []
    counts = commands_of(crowded, lambda: found.extend(ctl.json("doctor", status=1)["findings"]))
    assert not counts["SCAN"] and not counts["KEYS"] and counts["SSCAN"] == 2, counts  # of clients, of instances
    assert [f["text"] for f in found if f["check"] == "listeners"] == ["of 3 instances: local, or with TLS"], found
