"""mintctl client list: which clients, in what order; and --json of what changes something (N-25)."""
import json
import time

import pytest

from support.mintctl import SECRET, Mintctl
from support.oauth import row, rows
from support.redis_server import RedisServer

DAY = 86400


@pytest.fixture(scope="module")
def listed():
    """Four clients whose times are what they are set to."""
    now = int(time.time())
    with RedisServer() as server:
        ctl = Mintctl(server)
        for name, fields in {
            "aged": {"created": now - 300 * DAY, "secret:1:made": now - 300 * DAY, "secret:1:used": now - 100 * DAY},
            "busy": {"created": now - 200 * DAY, "secret:1:used": now - 60, "name": "The Busy One"},
            "ends": {"created": now - 400 * DAY, "secret:1:used": now - 5 * DAY, "secret:1:expires": now + 3 * DAY},
            "never": {"created": now - 10 * DAY, "secret:1:made": now - 10 * DAY, "scope": "audit read"},
            "over": {"created": now - 50 * DAY, "secret:1:used": now - 40 * DAY, "secret:1:expires": now - DAY},
        }.items():
            ctl.secret("client", "add", name)
            server.cli("HSET", "mintd:client:" + name, *[str(x) for pair in fields.items() for x in pair])
        yield ctl


PICKS = {
    "all": ([], "aged busy ends never over"),
    "id": (["--sort", "id"], "aged busy ends never over"),
    "used": (["--sort", "used"], "aged over ends busy never"),
    "expires": (["--sort", "expires"], "ends aged busy never over"),
    "created": (["--sort", "created"], "ends aged busy over never"),
    "filter_id": (["--filter", "EVE"], "never"),
    "filter_name": (["--filter", "the busy"], "busy"),
    "filter_scope": (["--filter", "audit"], "never"),
    "filter_none": (["--filter", "zzz"], ""),
    "unused": (["--unused-for", "90d"], "aged"),
    "unused_since_it_was_made": (["--unused-for", "7d", "--sort", "used"], "aged over never"),
    "expiring": (["--expiring-in", "7d"], "ends"),
    "expiring_sooner": (["--expiring-in", "1d"], ""),
    "both": (["--unused-for", "1d", "--expiring-in", "7d", "--filter", "end"], "ends"),
}


@rows("PICK", **PICKS)
def test_which_and_in_what_order(listed, case):
    arguments, names = case
    assert [one["id"] for one in listed.json("client", "list", *arguments)["clients"]] == names.split()
    lines = listed("client", "list", *arguments).out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", *names.split()]


@rows("PICK-usage", sort=["--sort", "size"], span=["--unused-for", "soon"], zero=["--expiring-in", "0"])
def test_wrong_usage(listed, case):
    assert listed("client", "list", *case, status=2).out == ""


# ---- JSON of what is done ----


def told(ctl, *arguments, **more):
    done = ctl.run(*arguments, "--json", **more)
    assert done.status == 0, done
    return json.loads(done.out)


@row("JSON-secrets")
def test_secrets_and_tokens(own_redis):
    ctl = Mintctl(own_redis)
    made = told(ctl, "client", "add", "x", "--scope", "read write")
    assert (made["id"], made["number"]) == ("x", 1) and SECRET.fullmatch(made["secret"]), made
    rotated = told(ctl, "client", "rotate", "x", "--grace", "1h")
    assert rotated["number"] == 2 and SECRET.fullmatch(rotated["secret"]) and rotated["secret"] != made["secret"]
    ends = ctl.json("client", "show", "x")["secrets"][0]["expires"]
    assert rotated["others_until"] == ends
    token = told(ctl, "token", "mint", "x", "--ttl", "5m", "--scope", "read")
    assert (token["client"], token["scope"], token["ttl"]) == ("x", "read", 300) and SECRET.fullmatch(token["token"]), token
    chosen = told(ctl, "client", "add", "y", "--secret-stdin", stdin="a secret of some length\n")
    assert chosen == {"id": "y", "number": 1}


@row("JSON-changes")
def test_what_is_done(own_redis):
    ctl = Mintctl(own_redis)
    ctl.secret("client", "add", "x")
    token = ctl.secret("token", "mint", "x")
    jti = ctl.json("token", "show", "-", stdin=token)["jti"]
    for arguments, result in ((["client", "disable", "x"], {"id": "x", "result": "disabled"}),
                              (["client", "enable", "x"], {"id": "x", "result": "enabled"}),
                              (["token", "revoke", jti], {"id": jti, "result": "revoked"}),
                              (["token", "revoke-all", "x"], {"id": "x", "result": "revoked"}),
                              (["token", "revoke-all", "--everybody", "--yes"], {"everybody": True, "result": "revoked"}),
                              (["client", "remove", "x", "--yes"], {"id": "x", "result": "removed"})):
        assert told(ctl, *arguments) == result, arguments
