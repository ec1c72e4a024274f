"""mintctl client …: what it does to Redis, and what a running mintd makes of it."""
import hashlib
import json
import threading
import time

import pytest

from support.clients import G, basic, bearer
from support.inquiry import check_active, introspect
from support.mintctl import Mintctl
from support.mintd import ASAN_OPTIONS, run
from support.oauth import (check_err, check_tok, check_welcome, checksum, forged_token, make_client, minted, post,
                           row, rows, unique, use, wait_refused, wait_until)
from support.timing import scaled


@pytest.fixture
def ctl(redis):
    return Mintctl(redis)


@pytest.fixture
def name(redis):
    """A name that no client has yet; gone afterwards."""
    name = unique("ctl")
    yield name
    redis.cli("DEL", "mintd:client:" + name)
    redis.cli("SREM", "mintd:clients", name)


def all_fields_of(redis, name):
    return dict(zip(*[iter(redis.cli("HGETALL", "mintd:client:" + name))] * 2))


def fields_of(redis, name):
    """Without those that mintd writes when it pleases."""
    return {k: v for k, v in all_fields_of(redis, name).items() if not k.endswith(":used")}


def listed(redis):
    return sorted(redis.cli("SMEMBERS", "mintd:clients"))


def try_mint(instance, name, secret, body=G):
    return post(instance, "/token", body, basic(name, secret))


def refused(instance, name, secret):
    check_err(try_mint(instance, name, secret), 401, "invalid_client")


def soon_refused(instance, name, secret):
    wait_until(lambda: try_mint(instance, name, secret).status == 401, 0.5, "refused")


# ---- add ----


@row("CTL")
def test_add(pair, redis, ctl, name):
    before = int(time.time())
    secret = ctl.secret("client", "add", name, "--scope", "read write", "--default-scope", "read",
                        "--audience", "https://a.example/", "--audience", "https://b.example/",
                        "--ttl", "900", "--max-ttl", "1800", "--name", "Bücher & Söhne",
                        "--permission", "introspect")
    fields = fields_of(redis, name)
    assert fields["secret:1"] == "$sha256$" + hashlib.sha256(secret.encode()).hexdigest()
    assert before <= int(fields["secret:1:made"]) <= time.time()
    assert int(fields["created"]) == int(fields["secret:1:made"])
    assert int(fields["gen"]) >= 0
    wanted = {"scope": "read write", "default_scope": "read",
              "aud": "https://a.example/ https://b.example/", "ttl": "900", "max_ttl": "1800",
              "name": "Bücher & Söhne", "permissions": "introspect"}
    assert wanted.items() <= fields.items()
    assert redis.cli("SISMEMBER", "mintd:clients", name) == 1
    assert not redis.keys("mintd:new:*")
    for instance in pair:
        token = check_tok(try_mint(instance, name, secret), "/token", "read", range(1, 901))
        check_welcome(use(pair.b, token), name, "read")
    check_tok(try_mint(pair.a, name, secret, G + b"&scope=write&ttl=1700"), "/token", "write",
              range(1700, 1801))


@row("CTL")
def test_generations_differ(redis, ctl, name):
    generations = set()
    for _ in range(3):
        ctl.secret("client", "add", name)
        generations.add(fields_of(redis, name)["gen"])
        ctl("client", "remove", name, "--yes")
    assert len(generations) == 3


@row("CTL")
def test_add_with_a_secret_that_a_person_chose(pair, redis, ctl, name):
    ctl.canaries.append("correct horse battery")
    done = ctl("client", "add", name, "--secret-stdin", stdin="correct horse battery\n")
    assert done.out == ""
    assert fields_of(redis, name)["secret:1"].startswith("$scrypt$ln=15,r=8,p=1$")
    check_tok(try_mint(pair.a, name, "correct horse battery"), "/token", "")


@row("CTL")
def test_add_with_a_secret_of_ours(pair, redis, ctl, name):
    first = ctl.secret("client", "add", name)
    ctl("client", "remove", name, "--yes")
    ctl("client", "add", name, "--secret-stdin", stdin=first)  # no newline at its end
    assert fields_of(redis, name)["secret:1"].startswith("$sha256$")
    check_tok(try_mint(pair.a, name, first), "/token", "")


@rows("CTL", empty=b"", blank=b"\n", control=b"with\x01control bytes\n", long=b"x" * 1025 + b"\n",
      very_long=b"x" * 100_000)
def test_add_with_a_secret_that_cannot_be(redis, ctl, name, case):
    ctl("client", "add", name, "--secret-stdin", stdin=case, status=1)
    assert not redis.cli("EXISTS", "mintd:client:" + name)


@row("CTL")
def test_a_short_secret_is_warned_about(ctl, name):
    ctl.canaries.append("s3cr3t!")
    assert "warning" in ctl("client", "add", name, "--secret-stdin", stdin="s3cr3t!\n").err


@row("CTL")
def test_typing_a_secret_is_not_echoed(pair, ctl, name):
    with ctl.terminal("client", "add", name, "--secret-stdin") as terminal:
        terminal.expect("secret: ")
        terminal.send("typed by a person\n")
        terminal.expect("the same secret again: ")
        terminal.send("typed by a person\n")
        assert "typed" not in terminal.end(0)
    check_tok(try_mint(pair.a, name, "typed by a person"), "/token", "")


@row("N-34")
def test_a_secret_that_was_mistyped_is_not_taken(redis, ctl, name):
    """On a terminal it is asked for twice; from a pipe once."""
    with ctl.terminal("client", "add", name, "--secret-stdin") as terminal:
        terminal.expect("secret: ")
        terminal.send("typed by a person\n")
        terminal.expect("the same secret again: ")
        terminal.send("typed by a parson\n")
        assert "the two are not the same" in terminal.end(1)
    assert not redis.cli("EXISTS", "mintd:client:" + name)


@row("CTL")
def test_no_secret_on_the_command_line(redis, ctl, name):
    for arguments in (("--secret", "canary-of-argv"), ("--secret=canary-of-argv",),
                      ("canary-of-argv",)):
        ctl.canaries.append("canary-of-argv")
        done = ctl("client", "add", name, *arguments, status=2)
        assert len(arguments[0]) == 14 or "--secret-stdin" in done.err, done
    assert not redis.cli("EXISTS", "mintd:client:" + name)


@row("CTL")
def test_add_leaves_a_client_that_is_there_as_it_is(redis, ctl, name):
    ctl.secret("client", "add", name, "--scope", "read")
    before = fields_of(redis, name)
    ctl("client", "add", name, "--scope", "admin", status=1)
    assert fields_of(redis, name) == before
    assert not redis.keys("mintd:new:*")


@row("CTL")
def test_add_at_the_same_moment(pair, redis, ctl, name):
    """Ten at once: one of them makes the client, and the secret that it prints is the one."""
    done = []
    threads = [threading.Thread(target=lambda: done.append(ctl.run("client", "add", name)))
               for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(d.status for d in done) == [0] + [1] * 9, done
    secret = next(d.out for d in done if d.status == 0).strip()
    check_tok(try_mint(pair.a, name, secret), "/token", "")


@row("CTL")
def test_add_where_the_remains_of_a_client_are(pair, redis, ctl, name):
    """A late write of one field is no client, and no obstacle."""
    redis.cli("HSET", "mintd:client:" + name, "secret:1:used", "1700000000", "scope", "admin")
    ctl("client", "show", name, status=1)
    secret = ctl.secret("client", "add", name, "--scope", "read")
    check_tok(try_mint(pair.a, name, secret), "/token", "read")
    assert "scope" in fields_of(redis, name) and "gen" in fields_of(redis, name)


@rows("CTL", id_space=["a b"], id_empty=[""], id_colon=["a:b"], id_long=["x" * 256],
      scope=["x", "--scope", 'a "b"'], two_spaces=["x", "--scope", "a  b"],
      default=["x", "--scope", "a", "--default-scope", "b"], ttl_zero=["x", "--ttl", "0"],
      ttl_word=["x", "--ttl", "1w"], ttl_huge=["x", "--ttl", "99999999999999999999"],
      max_ttl=["x", "--ttl", "10", "--max-ttl", "5"], audience=["x", "--audience", "a#\tb"],
      permission=["x", "--permission", "everything"], name=["x", "--name", "a\x1bb"],
      twice=["x", "--ttl", "1", "--ttl", "2"], value_missing=["x", "--ttl"], none=[],
      unknown=["x", "--nonsense"], long_scope=["x", "--scope", "s" * 1025])
def test_wrong_settings(redis, ctl, case):
    before = listed(redis)
    done = ctl("client", "add", *case, status=2)
    assert done.err.count("\n") == 1, done
    assert listed(redis) == before


def forged_secret():
    """Of the form of those that we make."""
    return "mts_" + "A" * 43 + checksum("mts_" + "A" * 43)


@rows("B-02", token=forged_token(), secret=forged_secret(), colon="svc-a:x", space="svc a",
      newline="svc-a\n", high="svc-\u00e9", upper_half="\u202esvc-a", nothing="", bang="!")
def test_ids_that_could_be_taken_for_something_else(redis, ctl, case, tmp_path):
    """By each of the ways that make a client: nobody gets such an id."""
    before = listed(redis), redis.keys("mintd:client:*")
    ctl.canaries.append("reserved-canary")
    ctl("client", "add", case, "--secret-stdin", stdin="reserved-canary\n", status=2)
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"clients": [entry(case)]}))
    ctl("client", "apply", str(path), status=2)
    done = run("--check", env={"MINTD_CLIENT": case + ":reserved-canary"})
    # "svc-a:x:reserved-canary" is the client svc-a, whose secret is x.
    assert done.returncode == (0 if case == "svc-a:x" else 2), done
    assert (listed(redis), redis.keys("mintd:client:*")) == before


@row("B-02")
def test_an_id_is_given_once(pair, redis, ctl, name):
    """Whoever comes second changes nothing, and gets no secret."""
    first = ctl.secret("client", "add", name, "--scope", "read")
    before = fields_of(redis, name)
    assert ctl("client", "add", name, "--scope", "admin", status=1).out == ""
    assert fields_of(redis, name) == before
    for instance in pair:
        token = check_tok(try_mint(instance, name, first), "/token", "read")
        check_active(introspect(pair.b, token), token, name, "read")


# ---- list, show ----


@row("CTL")
def test_list_and_show(redis, ctl, name):
    ctl.secret("client", "add", name, "--scope", "read write", "--audience", "urn:x:y", "--ttl", "60")
    redis.cli("HSET", "mintd:client:" + name, "secret:1:used", "1700000000")
    line = next(x for x in ctl("client", "list").out.splitlines() if x.startswith(name + " "))
    assert line.split() == [name, "enabled", "1", "2023-11-14T22:13:20Z", "read", "write"]
    shown = ctl("client", "show", name).out
    assert "secret 1" in shown and "used 2023-11-14T22:13:20Z" in shown, shown
    listed = {c["id"]: c for c in ctl.json("client", "list")["clients"]}
    client = ctl.json("client", "show", name)
    assert listed[name] == client
    chosen = [{k: v for k, v in one.items() if k != "used"} for one in listed["svc-b"]["secrets"]]
    assert chosen == [{"number": 1, "kind": "chosen", "expired": False}]
    assert client["audience"] == ["urn:x:y"] and client["ttl"] == 60 and not client["disabled"]
    assert [s["used"] for s in client["secrets"]] == [1700000000]


@row("CTL")
def test_list_of_many(own_redis):
    """More than one reply of SSCAN holds; ids that are numbers, which Redis keeps in another form;
    an id that is listed and has no client."""
    redis, ctl = own_redis, Mintctl(own_redis)
    redis.cli("DEL", "mintd:clients")
    ids = [str(n) for n in range(512)]
    redis.cli("SADD", "mintd:clients", *ids)
    for one in ids[1:]:
        make_client(redis, one)
    assert [c["id"] for c in ctl.json("client", "list")["clients"]] == sorted(ids[1:])
    more = ["client-%d" % n for n in range(1500)]
    redis.cli("SADD", "mintd:clients", *more)
    for one in more:
        make_client(redis, one)
    assert [c["id"] for c in ctl.json("client", "list")["clients"]] == sorted(ids[1:] + more)


@row("CTL")
def test_hostile_texts_do_no_harm(redis, ctl, name):
    make_client(redis, name, scope=b"a\x07b")
    redis.cli("HSET", "mintd:client:" + name, "name", b"\x1b[2J\xff\xfe\r\n\"\xe2\x80\xae")
    redis.cli("SADD", "mintd:clients", name)
    for done in (ctl("client", "show", name), ctl("client", "list")):
        assert "\x1b" not in done.out and "\x07" not in done.out and "\u202e" not in done.out
    assert ctl.json("client", "show", name)["scope"] == "a\x07b"
    assert ctl.json("client", "show", name)["name"].startswith("\x1b[2J\ufffd")


@row("CTL")
def test_a_client_that_mintd_cannot_read_is_shown_as_such(redis, ctl, name):
    make_client(redis, name, ttl="soon")
    assert "unreadable" in ctl("client", "show", name).out
    assert not ctl.json("client", "show", name)["readable"]
    ctl("client", "disable", name)


@rows("CTL", show=["show"], rotate=["rotate"], disable=["disable"], enable=["enable"],
      remove=["remove", "--yes"])
def test_a_client_that_is_not_there(redis, ctl, case):
    done = ctl("client", case[0], "nobody-here", *case[1:], status=1)
    assert "nobody-here: there is no such client" in done.err
    assert not redis.cli("EXISTS", "mintd:client:nobody-here")


# ---- disable, enable, remove ----


@row("CTL")
def test_disable_and_enable(pair, ctl, name):
    secret = ctl.secret("client", "add", name, "--scope", "read")
    token, _ = minted(pair.a, "/token", G, basic(name, secret))
    check_welcome(use(pair.b, token), name)
    for _ in range(2):  # the second time it is so already
        ctl("client", "disable", name)
        for instance in pair:
            wait_refused(instance, token, 0.5)
            soon_refused(instance, name, secret)
    assert ctl.json("client", "show", name)["disabled"] is True
    for _ in range(2):
        ctl("client", "enable", name)
    wait_until(lambda: all(use(i, token).status == 200 for i in pair), 0.5, "good again")
    check_tok(try_mint(pair.a, name, secret), "/token", "read")


@row("CTL")
def test_remove(pair, redis, ctl, name):
    secret = ctl.secret("client", "add", name, "--scope", "read")
    token, _ = minted(pair.a, "/token", G, basic(name, secret))
    check_welcome(use(pair.b, token), name)
    assert "--yes" in ctl("client", "remove", name, status=2).err
    check_welcome(use(pair.b, token), name)
    assert "refused from now on" in ctl("client", "remove", name, "--yes").out
    for instance in pair:
        wait_refused(instance, token, 0.5)
        soon_refused(instance, name, secret)
    assert not fields_of(redis, name)
    ctl("client", "show", name, status=1)
    assert not redis.cli("SISMEMBER", "mintd:clients", name)
    redis.cli("DEL", "mintd:client:" + name)
    ctl("client", "remove", name, "--yes", status=1)
    ctl.secret("client", "add", name, "--scope", "read")
    assert use(pair.a, token).status == 401  # made anew: the old tokens stay dead


@row("CTL")
def test_remove_asks_on_a_terminal(redis, ctl, name):
    ctl.secret("client", "add", name)
    for answer, status in (("n\n", 1), ("\n", 1), ("y\n", 0)):
        assert redis.cli("EXISTS", "mintd:client:" + name) == 1
        with ctl.terminal("client", "remove", name) as terminal:
            terminal.expect("[y/N]")
            terminal.send(answer)
            terminal.end(status)
    assert redis.cli("EXISTS", "mintd:client:" + name) == 0  # nobody used its secret


@row("CTL")
def test_a_person_may_think_for_longer_than_redis_may_take(redis, ctl, name):
    ctl.secret("client", "add", name)
    with ctl.terminal("client", "remove", name) as terminal:
        terminal.expect("[y/N]")
        time.sleep(4)
        terminal.send("y\n")
        terminal.end(0)
    assert redis.cli("EXISTS", "mintd:client:" + name) == 0


# ---- rotate ----


@row("CTL")
def test_rotate_with_grace(pair, redis, ctl, name):
    """The old secret is good until the grace is over, the new one from the first moment."""
    old = ctl.secret("client", "add", name, "--scope", "read")
    token, _ = minted(pair.a, "/token", G, basic(name, old))
    new = ctl.secret("client", "rotate", name, "--grace", "3s")
    ends = int(fields_of(redis, name)["secret:1:expires"])
    assert 1 < ends - time.time() <= 3
    for instance in pair:
        check_tok(try_mint(instance, name, new), "/token", "read")
    while time.time() < ends - scaled(0.3):
        check_tok(try_mint(pair.a, name, old), "/token", "read")
        time.sleep(0.05)
    wait_until(lambda: try_mint(pair.a, name, old).status == 401, 2, "the old secret ended")
    assert time.time() >= ends
    refused(pair.b, name, old)
    check_tok(try_mint(pair.b, name, new), "/token", "read")
    check_welcome(use(pair.a, token), name)  # a token does not end with the secret


@row("CTL")
def test_rotate_at_once(pair, ctl, name):
    old = ctl.secret("client", "add", name, "--scope", "read")
    new = ctl.secret("client", "rotate", name, "--grace", "0")
    soon_refused(pair.a, name, old)
    check_tok(try_mint(pair.a, name, new), "/token", "read")


@row("CTL")
def test_rotate_keeps_an_earlier_end(redis, ctl, name):
    ctl.secret("client", "add", name)
    ctl.secret("client", "rotate", name, "--grace", "1h")
    first = fields_of(redis, name)["secret:1:expires"]
    ctl.secret("client", "rotate", name)
    fields = fields_of(redis, name)
    assert fields["secret:1:expires"] == first
    assert abs(int(fields["secret:2:expires"]) - time.time() - 24 * 3600) <= 2 + scaled(1)
    assert "secret:3:expires" not in fields


@row("CTL")
def test_rotate_needs_a_slot(pair, redis, ctl, name):
    secrets = [ctl.secret("client", "add", name)]
    secrets += [ctl.secret("client", "rotate", name) for _ in range(3)]
    before = fields_of(redis, name)
    done = ctl("client", "rotate", name, status=1)
    assert "all four" in done.err and "--grace 0" in done.err, done
    assert fields_of(redis, name) == before
    # The one that ended longest ago makes room, and leaves nothing of itself.
    redis.cli("HSET", "mintd:client:" + name, "secret:2:expires", "1600000000",
              "secret:3:expires", "1500000000", "secret:3:used", "1400000000")
    new = ctl.secret("client", "rotate", name)
    fields = all_fields_of(redis, name)
    assert fields["secret:3"] == "$sha256$" + hashlib.sha256(new.encode()).hexdigest()
    assert "secret:3:expires" not in fields and "secret:3:used" not in fields
    assert fields["secret:2"] == before["secret:2"]
    for good in (secrets[0], secrets[3], new):
        check_tok(try_mint(pair.a, name, good), "/token", "")
    # With no grace all others end, so there is room.
    last = ctl.secret("client", "rotate", name, "--grace", "0")
    check_tok(try_mint(pair.a, name, last), "/token", "")
    for ended in (secrets[0], secrets[3], new):
        soon_refused(pair.b, name, ended)


@row("CTL")
def test_rotate_to_a_secret_of_ones_own(pair, ctl, name):
    old = ctl.secret("client", "add", name)
    ctl.canaries.append("rotated by a person")
    assert ctl("client", "rotate", name, "--secret-stdin", stdin="rotated by a person\n").out == ""
    for good in (old, "rotated by a person"):
        check_tok(try_mint(pair.a, name, good), "/token", "")


@rows("CTL", word="tomorrow", unit="5y", negative="-1h", huge="367d", empty="", double="1h30m")
def test_wrong_grace(ctl, case):
    ctl("client", "rotate", "svc-a", "--grace", case, status=2)


@row("N-34")
def test_rotate_without_grace_says_that_the_others_are_refused(ctl, name):
    ctl.secret("client", "add", name)
    assert "2 is accepted from now on, the others are refused\n" in ctl.run("client", "rotate", name, "--grace", "0").err
    assert "3 is accepted from now on, the others until 20" in ctl.run("client", "rotate", name, "--grace", "1h").err


@row("CTL")
def test_rotations_at_the_same_moment(pair, redis, ctl, name):
    """Three at once: each secret that was printed is accepted."""
    ctl.secret("client", "add", name)
    done = []
    threads = [threading.Thread(target=lambda: done.append(ctl.run("client", "rotate", name)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.status for d in done] == [0, 0, 0], done
    for one in done:
        check_tok(try_mint(pair.a, name, one.out.strip()), "/token", "")


@row("CTL")
def test_no_request_is_refused_while_secrets_rotate(pair, ctl, name):
    """Under load, over both instances: who uses the secret of before or after is never refused."""
    current = [ctl.secret("client", "add", name, "--scope", "read")]
    over, problems, count = threading.Event(), [], [0]

    def load(instance):
        while not over.is_set() and not problems:
            response = try_mint(instance, name, current[-1])
            count[0] += 1
            if response.status != 200:
                problems.append(response)

    threads = [threading.Thread(target=load, args=(i,)) for i in pair for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            seen = count[0]
            current.append(ctl.secret("client", "rotate", name, "--grace", "1h"))
            wait_until(lambda seen=seen: count[0] > seen + 20 or problems, 10, "load")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not problems, problems
    for secret in current:
        check_tok(try_mint(pair.a, name, secret), "/token", "read")


# ---- apply ----


def entry(name, **more):
    return {"id": name, "scope": "read write", "default_scope": "read",
            "audience": ["https://a.example/"], "ttl": 900, "max_ttl": 1800,
            "permissions": ["introspect"], "name": "Applied",
            "secrets": ["$sha256$" + hashlib.sha256(b"applied-secret-canary").hexdigest()], **more}


@pytest.fixture
def applied(tmp_path, ctl):
    """Writes entries to a file and applies it: the Done."""
    ctl.canaries.append("applied-secret-canary")

    def apply(entries, *arguments, status=0, ctl=ctl):
        path = tmp_path / "clients.json"
        path.write_text(entries if isinstance(entries, str) else json.dumps({"clients": entries}))
        return ctl("client", "apply", str(path), *arguments, status=status)

    return apply


@row("CTL")
def test_apply(pair, redis, ctl, name, applied):
    done = applied([entry(name)])
    assert "1 made, 0 changed, 0 removed, 0 as they were" in done.out, done
    check_tok(try_mint(pair.a, name, "applied-secret-canary"), "/token", "read")
    before = fields_of(redis, name)
    assert redis.cli("SISMEMBER", "mintd:clients", name) == 1
    assert "0 made, 0 changed, 0 removed, 1 as they were" in applied([entry(name)]).out
    assert fields_of(redis, name) == before  # idempotent


@row("CTL")
def test_apply_writes_nothing_that_is_so_already(redis, ctl, name, applied):
    applied([entry(name)])
    with redis.monitor() as seen:
        applied([entry(name)])
        commands = {c[0].upper() for c in seen.commands() if any(name in word for word in c)}
    assert commands == {"HGETALL"}, commands


@row("CTL")
def test_apply_changes(pair, redis, name, applied):
    applied([entry(name)])
    token, _ = minted(pair.a, "/token", G, basic(name, "applied-secret-canary"))
    generation = fields_of(redis, name)["gen"]
    changed = {"id": name, "scope": "read", "ttl": 60, "disabled": True}
    dry = applied([changed], "--dry-run")
    assert "dry run" in dry.out and '"read write" -> "read"' in dry.out, dry
    assert fields_of(redis, name)["scope"] == "read write"
    done = applied([changed])
    assert [x for x in dry.out.splitlines() if name in x] == \
        [x for x in done.out.splitlines() if name in x]
    fields = fields_of(redis, name)
    assert fields["scope"] == "read" and fields["ttl"] == "60" and fields["disabled"] == "1"
    assert fields["gen"] == generation
    for gone in ("default_scope", "aud", "max_ttl", "permissions", "name"):
        assert gone not in fields
    wait_refused(pair.b, token, 0.5)
    applied([{**changed, "ttl": 61}])  # disabled said: stays
    del changed["disabled"]
    applied([changed])
    assert fields_of(redis, name)["disabled"] == "1"  # left out: stays
    applied([{**changed, "disabled": False}])
    wait_until(lambda: use(pair.b, token).status == 200, 0.5, "good again")


@row("CTL")
def test_apply_secrets(pair, redis, ctl, name, applied, tmp_path):
    """These and no others; a secret that stays keeps its place and loses its end."""
    def stored(secret):
        return "$sha256$" + hashlib.sha256(secret).hexdigest()

    applied([entry(name)])
    rotated = ctl.secret("client", "rotate", name)
    applied([entry(name, secrets=[stored(b"second"), stored(b"applied-secret-canary")])])
    fields = fields_of(redis, name)
    assert "secret:1:expires" not in fields
    assert (fields["secret:1"], fields["secret:2"]) == \
        (stored(b"applied-secret-canary"), stored(b"second"))
    soon_refused(pair.a, name, rotated)
    for good in ("applied-secret-canary", "second"):
        check_tok(try_mint(pair.a, name, good), "/token", "read")
    path = tmp_path / "secret"
    path.write_text("from a file of its own\n")
    ctl.canaries.append("from a file of its own")
    from_file = entry(name, secret_file=str(path))
    del from_file["secrets"]
    assert "1 changed" in applied([from_file]).out
    check_tok(try_mint(pair.a, name, "from a file of its own"), "/token", "read")
    soon_refused(pair.a, name, "second")
    kept = fields_of(redis, name)
    assert "secret:2" not in kept and "secret:2:made" not in kept
    assert "1 as they were" in applied([from_file]).out
    assert fields_of(redis, name) == kept
    without = entry(name)
    del without["secrets"]
    assert "1 as they were" in applied([without]).out


@row("CTL")
def test_apply_prunes(own_redis, own_mintd, applied):
    ctl = Mintctl(own_redis)
    prune = ["--prune", "--max-removals", "5"]
    token, _ = minted(own_mintd, "/token", G, basic("codecademy", "codec@demy"))
    assert "1 made, 0 changed, 0 removed" in applied([entry("only")], ctl=ctl).out
    assert "- svc-a: removed" in applied([entry("only")], *prune, "--dry-run", ctl=ctl).out
    assert "--yes" in applied([entry("only")], *prune, status=2, ctl=ctl).err
    check_welcome(use(own_mintd, token), "codecademy")
    assert "0 made, 0 changed, 5 removed, 1 as" in \
        applied([entry("only")], *prune, "--yes", ctl=ctl).out
    kept = [k for k in own_redis.keys("mintd:client:*") if own_redis.cli("HEXISTS", k, "secret:1")]
    assert kept == ["mintd:client:only"]
    assert own_redis.cli("SMEMBERS", "mintd:clients") == ["only"]
    wait_refused(own_mintd, token, 0.5)
    assert "5 removed" not in applied([entry("only")], "--prune", ctl=ctl).out  # nothing to ask


@rows("N-15", half=[["svc-a", "svc-b"], []], empty=[[], []], empty_by_number=[[], ["--max-removals", "9"]],
      number=[["svc-a", "svc-b", "codecademy"], ["--max-removals", "1"]], dry=[["svc-a"], ["--dry-run"]])
def test_apply_does_not_remove_most_of_all(own_redis, applied, case):
    """Of five clients; with --yes, which every pipeline says."""
    kept, more = case
    ctl = Mintctl(own_redis)
    before = listed(own_redis)
    assert len(before) == 5
    done = applied([{"id": one} for one in kept], "--prune", "--yes", *more, status=1, ctl=ctl)
    assert "nothing was changed" in done.err and ("--max-removals" in done.err or not kept), done
    assert "removed" not in done.out, done
    assert listed(own_redis) == before
    for one in before:
        assert own_redis.cli("EXISTS", "mintd:client:" + one)


@row("N-15")
def test_apply_removes_most_of_all_where_that_is_said(own_redis, applied):
    ctl = Mintctl(own_redis)
    assert "2 removed" in applied([{"id": one} for one in ("svc-a", "svc-b", "codecademy")], "--prune", "--yes",
                                  ctl=ctl).out
    applied([], "--allow-empty", status=2, ctl=ctl)  # there is nothing to be allowed
    applied([], "--prune", "--max-removals", "all", status=2, ctl=ctl)
    assert "3 removed" in applied([], "--prune", "--yes", "--allow-empty", ctl=ctl).out
    assert listed(own_redis) == [] and not own_redis.keys("mintd:client:*")


WRONG = {
    "json": '{"clients": [',
    "behind": '{"clients": []} x',
    "array": "[]",
    "other": '{"clients": [], "more": 1}',
    "no_object": [1],
    "no_id": [{"scope": "read"}],
    "bad_id": [entry("a b")],
    "unknown": [entry("x", colour="red")],
    "type": [entry("x", scope=["read"])],
    "ttl": [entry("x", ttl="soon")],
    "ttl_half": [entry("x", ttl=0.5)],
    "ttl_zero": [entry("x", ttl=0)],
    "max_ttl": [entry("x", max_ttl=1)],
    "default": [entry("x", default_scope="admin")],
    "audience": [entry("x", audience=["a b"])],
    "permission": [entry("x", permissions=["all"])],
    "disabled": [entry("x", disabled=1)],
    "grants": [entry("x", grants="none")],
    "clear": [entry("x", secrets=["applied-secret-canary"])],
    "no_secrets": [entry("x", secrets=[])],
    "five": [entry("x", secrets=["$sha256$%064d" % n for n in range(5)])],
    "end": [entry("x", secrets=[{"stored": "$sha256$%064d" % 1, "expires": "soon"}])],
    "end_missing": [entry("x", secrets=[{"stored": "$sha256$%064d" % 1}])],
    "end_more": [entry("x", secrets=[{"stored": "$sha256$%064d" % 1, "expires": 1, "used": 1}])],
    "end_clear": [entry("x", secrets=[{"stored": "applied-secret-canary", "expires": 1700000000}])],
    "same_twice": [entry("x", secrets=["$sha256$%064d" % 1] * 2)],
    "both": [entry("x", secret_file="/dev/null")],
    "file": [{"id": "x", "secret_file": "/nonexistent/secret"}],
    "empty_file": [{"id": "x", "secret_file": "/dev/null"}],
    "twice": [entry("x"), entry("x")],
    "repeated": '{"clients": [{"id": "x", "scope": "a", "scope": "b"}]}',
    "second": [entry("good-one"), entry("x", ttl=-1)],
    "new_without": [entry("good-one"), {"id": "nobody-yet"}],
}


@rows("CTL", **WRONG)
def test_a_wrong_file_changes_nothing(redis, applied, case):
    before = listed(redis)
    done = applied(case, status=2)
    assert listed(redis) == before
    assert not fields_of(redis, "x") and not fields_of(redis, "good-one")
    if not isinstance(case, str):
        last = case[-1].get("id", "") if isinstance(case[-1], dict) else ""
        assert "clients[%d]" % (len(case) - 1) in done.err or last in done.err, done


# ---- set ----


@row("N-07")
def test_set_changes_what_is_named_and_nothing_else(pair, redis, ctl, name):
    secret = ctl.secret("client", "add", name, "--scope", "read write", "--default-scope", "read", "--audience",
                        "urn:a", "--ttl", "900", "--max-ttl", "1800", "--name", "N", "--permission", "introspect")
    before = fields_of(redis, name)
    done = ctl("client", "set", name, "--ttl", "10m")
    assert done.out == '%s: changed; ttl "900" -> "600"\n' % name, done
    assert fields_of(redis, name) == {**before, "ttl": "600"}
    check_tok(try_mint(pair.a, name, secret), "/token", "read", range(1, 601))
    with redis.monitor() as seen:
        assert ctl("client", "set", name, "--ttl", "600").out == name + ": as it was\n"
        assert "HSET" not in {c[0].upper() for c in seen.commands() if any(name in word for word in c)}
    ctl("client", "set", name, "--scope", "read write admin", "--audience", "urn:b", "--audience", "urn:c")
    now = {**before, "ttl": "600", "scope": "read write admin", "aud": "urn:b urn:c"}
    assert fields_of(redis, name) == now
    # An empty value takes a setting away.
    ctl("client", "set", name, "--audience", "", "--permission=", "--max-ttl", "", "--name", "", "--default-scope", "")
    for gone in ("aud", "permissions", "max_ttl", "name", "default_scope"):
        del now[gone]
    assert fields_of(redis, name) == now


@rows("N-07", nothing=[], default=["--default-scope", "admin"], scope=["--scope", "write"], ttl=["--ttl", "1900"],
      max_ttl=["--max-ttl", "60"], word=["--ttl", "soon"], zero=["--ttl", "0"], unknown=["--colour", "red"])
def test_set_refuses_what_does_not_fit_the_rest(redis, ctl, name, case):
    ctl.secret("client", "add", name, "--scope", "read write", "--default-scope", "read", "--ttl", "900", "--max-ttl",
               "1800")
    before = fields_of(redis, name)
    ctl("client", "set", name, *case, status=2)
    assert fields_of(redis, name) == before


@row("N-07")
def test_set_leaves_what_it_cannot_read(redis, ctl, name):
    """What a person wrote by hand is not in the way of another setting."""
    make_client(redis, name, ttl="soon", permissions="everything")
    ctl("client", "set", name, "--scope", "read")
    assert redis.cli("HMGET", "mintd:client:" + name, "ttl", "permissions", "scope") == ["soon", "everything", "read"]
    ctl("client", "set", name, "--ttl", "1h")
    assert redis.cli("HGET", "mintd:client:" + name, "ttl") == "3600"
    ctl("client", "set", "nobody-here", "--ttl", "60", status=1)


# ---- export ----


def exported(ctl, status=0):
    done = ctl.run("client", "export")
    assert done.status == status, done
    return done


@row("N-07")
def test_export_and_apply_are_one_round(own_redis, own_mintd, tmp_path):
    """All that a client has comes back, into an empty Redis too; applied to what is there it changes
    nothing; times at which secrets end, and an expired one, are part of it."""
    ctl = Mintctl(own_redis)
    ctl.secret("client", "add", "full", "--scope", "read write", "--default-scope", "read", "--audience", "urn:a",
               "--audience", "urn:b", "--ttl", "900", "--max-ttl", "1800", "--name", 'B\u00fccher "&" S\u00f6hne',
               "--permission", "introspect")
    new = ctl.secret("client", "rotate", "full", "--grace", "1h")
    ctl.secret("client", "add", "ended")
    ctl("client", "disable", "ended")
    own_redis.cli("HSET", "mintd:client:ended", "secret:3", "$sha256$" + "7" * 64, "secret:3:expires", "1600000000")
    path = tmp_path / "all.json"
    first = exported(ctl)
    assert first.err == ""
    path.write_text(first.out)
    ids = [c["id"] for c in json.loads(first.out)["clients"]]
    assert ids == sorted(ids) and len(ids) == 7
    assert "0 made, 0 changed, 0 removed, 7 as they were" in ctl("client", "apply", str(path), "--prune").out
    before = {one: fields_of(own_redis, one) for one in ids}
    own_redis.cli("FLUSHALL")
    assert "7 made" in ctl("client", "apply", str(path)).out
    assert exported(ctl).out == first.out
    own = ("gen", "created", "secret:1:made", "secret:2:made", "secret:3:made")
    for one in ids:
        restored = fields_of(own_redis, one)
        # Slots are filled from the first on.
        assert sorted(v for k, v in restored.items() if k not in own) == \
            sorted(v for k, v in before[one].items() if k not in own) or one == "ended", one
    check_tok(try_mint(own_mintd, "full", new), "/token", "read")


@row("N-07")
def test_export_keeps_no_memory_of_what_it_printed(own_redis):
    """It goes through any number of clients."""
    ctl = Mintctl(own_redis, env={"ASAN_OPTIONS": ASAN_OPTIONS})
    assert json.loads(exported(ctl).out)["clients"]


@row("N-07")
def test_apply_moves_the_end_of_a_secret(redis, name, applied):
    stored = "$sha256$" + "5" * 64
    applied([entry(name, secrets=[{"stored": stored, "expires": 4000000000}])])
    assert fields_of(redis, name)["secret:1:expires"] == "4000000000"
    done = applied([entry(name, secrets=[{"stored": stored, "expires": 4100000000}])])
    assert "; secret 1 until 2099-12-03T16:53:20Z" in done.out, done
    assert fields_of(redis, name)["secret:1:expires"] == "4100000000"
    assert "secret 1 without an end again" in applied([entry(name, secrets=[stored])]).out
    assert "secret:1:expires" not in fields_of(redis, name)


@row("N-07")
def test_export_names_what_it_leaves_out(own_redis):
    ctl = Mintctl(own_redis)
    make_client(own_redis, "soon", ttl="soon")
    make_client(own_redis, "granted", grants="a  b")
    make_client(own_redis, "beyond", scope="read", default_scope="write")
    own_redis.cli("SET", "mintd:client:text", "x")
    own_redis.cli("SADD", "mintd:clients", "soon", "granted", "beyond", "text", "nobody-there")
    done = exported(ctl, status=1)
    assert [line.split(":")[1].strip() for line in done.err.splitlines()] == ["beyond", "granted", "soon", "text"]
    assert len(json.loads(done.out)["clients"]) == 5


@row("CTL")
def test_apply_from_standard_input(redis, ctl, name):
    ctl("client", "apply", "-", stdin=json.dumps({"clients": [entry(name)]}))
    assert fields_of(redis, name)["scope"] == "read write"


@row("CTL")
def test_the_missing_file(ctl):
    assert "cannot be read" in ctl("client", "apply", "/nonexistent", status=2).err


# ---- as JSON ----


@row("CTL")
def test_set_as_json(redis, ctl, name):
    make_client(redis, name, ttl="900", scope="read")
    assert ctl.json("client", "set", name, "--ttl", "10m", "--scope", "", "--name", "\u00e9\"x") == {
        "id": name, "result": "changed", "changes": [
            {"field": "name", "after": "\u00e9\"x"}, {"field": "ttl", "before": "900", "after": "600"},
            {"field": "scope", "before": "read"}]}
    assert ctl.json("client", "set", name, "--ttl", "10m") == {"id": name, "result": "unchanged", "changes": []}
    assert ctl("client", "set", "nobody-here", "--ttl", "60", "--json", status=1).out == ""


@row("CTL")
def test_apply_as_json(own_redis, tmp_path):
    """The same document where nothing is changed, but for dry_run."""
    own_ctl = Mintctl(own_redis)
    own_redis.cli("DEL", "mintd:clients")
    for there in ("goes", "stays", "other"):
        make_client(own_redis, there, scope="read")
        own_redis.cli("SADD", "mintd:clients", there)
    path = tmp_path / "clients.json"
    stored = entry("x")["secrets"][0]
    path.write_text(json.dumps({"clients": [
        {"id": "new", "scope": "a", "secrets": [{"stored": stored, "expires": 1900000000}]},
        {"id": "stays", "scope": "read write"}, {"id": "other", "scope": "read"}]}))
    dry = own_ctl.json("client", "apply", str(path), "--prune", "--dry-run")
    assert dry.pop("dry_run") is True and own_redis.cli("EXISTS", "mintd:client:new") == 0
    done = own_ctl.json("client", "apply", str(path), "--prune", "--yes")
    assert done.pop("dry_run") is False and done == dry
    assert {word: done[word] for word in ("made", "changed", "removed", "same")} == {
        "made": 1, "changed": 1, "removed": 1, "same": 1}
    by_id = {one.pop("id"): one for one in done["clients"]}
    assert by_id["stays"] == {"result": "changed", "changes": [
        {"field": "scope", "before": "read", "after": "read write"}]}
    assert by_id["goes"] == {"result": "removed"} and "other" not in by_id and by_id["new"]["result"] == "made"
    assert {"secret": 1, "change": "new"} in by_id["new"]["changes"]
    assert {"secret": 1, "change": "end", "expires": 1900000000} in by_id["new"]["changes"]
    assert stored[8:] not in json.dumps(done)
    own_ctl("client", "apply", "-", "--prune", "--json", "--yes", stdin='{"clients": []}', status=1)
    path.write_text(json.dumps({"clients": [{"id": "new", "secrets": [stored]}]}))
    changed = own_ctl.json("client", "apply", str(path))["clients"][0]
    assert {"secret": 1, "change": "end", "expires": None} in changed["changes"]
    for secrets, change in ([stored, stored[:-1] + "0"], "new"), ([stored], "removed"):
        path.write_text(json.dumps({"clients": [{"id": "new", "secrets": secrets}]}))
        changed = own_ctl.json("client", "apply", str(path))["clients"][0]
        assert {"secret": 2, "change": change} in changed["changes"]
