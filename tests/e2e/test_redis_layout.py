"""The layout in Redis is an interface: what an operator reads and writes with redis-cli."""
import base64
import hashlib
import json
import re
import time
import urllib.parse

import pytest

from support.clients import BA, CLIENTS, G, SVC_A, basic, bearer, install_clients, token_key
from support.oauth import (ask, check_bearer, check_err, check_tok, check_unavailable, check_welcome,
                           forged_token, jti, make_client, minted, on_both, post, row, rows, sha256_phc,
                           unique, use, wait_refused, wait_status, wait_until)
from support.redis_server import RespConnection
from support.timing import earliest


@pytest.fixture
def client(redis):
    """A client of this test alone, made with one HSET: its id."""
    name = unique("layout")
    make_client(redis, name, scope="read")
    yield name
    redis.cli("DEL", "mintd:client:" + name)


def mint_for(instance, name, endpoint="/token"):
    return minted(instance, endpoint, G, basic(name, "s-3cret"))[0]


def refused_client(instance, name, secret="s-3cret"):
    check_err(post(instance, "/token", G, basic(name, secret)), 401, "invalid_client")



# ---- tokens ----


@on_both("LAYOUT")
def test_record_of_a_token(pair, redis, endpoint):
    before = earliest()
    token, document = minted(pair.a, endpoint, G + b"&scope=write+read")
    key = token_key(token)
    assert key == "mintd:token:" + hashlib.sha256(token.encode()).hexdigest()[:32]
    assert redis.redis_cli("TYPE", key) == "string"
    assert abs(int(redis.redis_cli("TTL", key)) - document["expires_in"]) <= 1
    record = json.loads(redis.redis_cli("GET", key))
    assert sorted(record) == ["aud", "client", "exp", "gen", "ggen", "iat", "scope"]
    assert record["client"] == "svc-a"
    assert sorted(record["scope"].split()) == ["read", "write"]
    for member in ("iat", "exp", "gen", "ggen"):
        assert type(record[member]) is int, record
    assert int(before) <= record["iat"] <= time.time() + 1
    assert before + 3600 <= record["exp"] <= time.time() + 3601


@row("LAYOUT")
def test_a_mint_is_one_setex(pair, redis):
    minted(pair.a)  # whatever is to be remembered is remembered
    with redis.monitor() as seen:
        token, _ = minted(pair.a)
        # (When a secret was last used is written now and then.)
        writes = [c for c in seen.requests() if c[0].upper() not in ("GET", "HGETALL", "MGET", "HSET")]
    assert [c[:2] for c in writes] == [["SETEX", token_key(token)]], writes


@row("LAYOUT")
def test_every_key_has_the_prefix_and_is_known(own_mintd, own_redis):
    redis = own_redis
    for endpoint in ("/token", "/auth"):
        use(own_mintd, minted(own_mintd, endpoint)[0])
        post(own_mintd, endpoint, G, basic("nobody", "x"))
    kinds = r"token:[0-9a-f]{32}|client:.+|clients|generation|schema|identity|wait|fail:.+|instance:.+|instances"
    for key in redis.keys("*"):
        assert re.fullmatch("mintd:(%s)" % kinds, key), key
    assert redis.cli("TYPE", "mintd:schema") == "string"
    assert redis.cli("GET", "mintd:schema") == "1"
    for key in redis.keys("mintd:token:*"):
        assert redis.cli("TTL", key) > 0, key  # nothing grows but with live tokens


@row("LAYOUT")
def test_another_prefix(redis, start_mintd):
    prefix = unique("other") + ":"
    install_clients(redis, prefix)
    before = redis.keys("mintd:*")
    instance = start_mintd("--redis-prefix", prefix, redis=redis)
    instance.wait_for_store()
    token, _ = minted(instance)
    assert redis.cli("EXISTS", token_key(token, prefix)) == 1
    check_welcome(use(instance, token))
    assert [k for k in redis.keys("mintd:*") if k not in before and ":instance" not in k] == []


@row("LAYOUT")
def test_two_instances_with_two_prefixes_know_nothing_of_each_other(pair, redis, start_mintd):
    instance = start_mintd("--redis-prefix", unique("apart") + ":", redis=redis)
    instance.wait_for_store()
    refused_client(instance, "svc-a", SVC_A.secret)


@row("LAYOUT")
def test_database_of_the_url(redis, start_mintd):
    instance = start_mintd("--client", "db7:canary-of-db7:read", redis=redis.url + "/7")
    instance.wait_for_store()
    instance.wait_for_log("client made")
    token, _ = minted(instance, "/token", G, basic("db7", "canary-of-db7"))
    assert not redis.cli("EXISTS", token_key(token))
    link = RespConnection(redis.socket_path)
    link.command("SELECT", 7)
    assert link.command("EXISTS", token_key(token)) == 1
    link.close()


@row("LAYOUT")
def test_unix_socket_of_redis(redis, start_mintd):
    instance = start_mintd(redis=redis.unix_url)
    instance.wait_for_store()
    check_welcome(use(instance, minted(instance)[0]))


@row("LAYOUT")
def test_client_of_the_command_line(pair, redis, start_mintd):
    name = unique("given")
    instance = start_mintd("--client", name + ":a-secret-canary:read write", redis=redis)
    instance.wait_for_log("client made")
    kept = dict(zip(*[iter(redis.cli("HGETALL", "mintd:client:" + name))] * 2))
    assert re.match(r"\$(scrypt|argon2id)\$", kept["secret:1"]), kept
    assert kept["scope"] == "read write"
    assert redis.cli("SISMEMBER", "mintd:clients", name) == 1
    token, _ = minted(instance, "/token", G, basic(name, "a-secret-canary"))
    check_welcome(use(pair.b, token), name, "read write")
    # There already: left as it is.
    again = start_mintd("--client", name + ":another-canary:admin", redis=redis)
    again.wait_for_store()
    check_tok(post(again, "/token", G, basic(name, "a-secret-canary")), "/token", "read write")
    refused_client(again, name, "another-canary")
    assert not again.find_log("client made")


# ---- revoking with redis-cli ----


def known_to_all(pair, name):
    """A token that both instances have let in, so that it is in their memory if in anyone's."""
    token = mint_for(pair.a, name)
    for instance in pair:
        for _ in range(2):
            check_welcome(use(instance, token), name)
    return token


@row("REVOKE")
def test_del_of_the_key(pair, redis, client):
    token, other = known_to_all(pair, client), known_to_all(pair, client)
    assert redis.redis_cli("DEL", token_key(token)) == "1"
    for instance in pair:
        wait_refused(instance, token)
        check_welcome(use(instance, other), client)


@row("REVOKE")
def test_disabling_the_client(pair, redis, client):
    token = known_to_all(pair, client)
    redis.redis_cli("HSET", "mintd:client:" + client, "disabled", "1")
    for instance in pair:
        wait_refused(instance, token)
        refused_client(instance, client)
    redis.redis_cli("HDEL", "mintd:client:" + client, "disabled")
    for instance in pair:
        check_welcome(use(instance, mint_for(instance, client)), client)


@rows("REVOKE", zero="0")
def test_not_disabled(pair, redis, client, case):
    redis.cli("HSET", "mintd:client:" + client, "disabled", case)
    check_welcome(use(pair.b, mint_for(pair.a, client)), client)


@row("REVOKE")
def test_removing_the_client(pair, redis, client):
    token = known_to_all(pair, client)
    redis.redis_cli("DEL", "mintd:client:" + client)
    for instance in pair:
        wait_refused(instance, token)
        refused_client(instance, client)


@row("REVOKE")
def test_generation_of_the_client(pair, redis, client):
    token = known_to_all(pair, client)
    assert redis.redis_cli("HINCRBY", "mintd:client:" + client, "gen", "1") == "1"
    for instance in pair:
        wait_refused(instance, token)
        fresh = mint_for(instance, client)
        assert json.loads(redis.cli("GET", token_key(fresh)))["gen"] == 1
        check_welcome(use(pair.a, fresh), client)
        check_welcome(use(pair.b, fresh), client)
    redis.redis_cli("HINCRBY", "mintd:client:" + client, "gen", "41")
    for instance in pair:
        wait_refused(instance, fresh)


@row("REVOKE")
def test_generation_of_all(pair, redis, client):
    token, of_other = known_to_all(pair, client), minted(pair.a)[0]
    before = int(redis.cli("GET", "mintd:generation") or 0)
    assert int(redis.redis_cli("INCR", "mintd:generation")) == before + 1
    for instance in pair:
        wait_refused(instance, token)
        wait_refused(instance, of_other)
        fresh = mint_for(instance, client)
        assert json.loads(redis.cli("GET", token_key(fresh)))["ggen"] == before + 1
        check_welcome(use(pair.a, fresh), client)
        check_welcome(use(pair.b, fresh), client)


@row("REVOKE")
def test_a_token_of_an_older_generation_never_comes_back(pair, redis, client):
    """A record that somebody restored from a dump carries its old generation."""
    token = known_to_all(pair, client)
    kept = redis.cli("GET", token_key(token))
    redis.cli("HINCRBY", "mintd:client:" + client, "gen", 1)
    redis.cli("DEL", token_key(token))
    redis.cli("SETEX", token_key(token), 3600, kept)
    for instance in pair:
        wait_refused(instance, token)


@row("REVOKE")
def test_flushall(start_mintd, own_redis):
    instances = [start_mintd(redis=own_redis) for _ in range(2)]
    for instance in instances:
        instance.wait_for_store()
    token, _ = minted(instances[0])
    for instance in instances:
        check_welcome(use(instance, token))
    own_redis.cli("FLUSHALL")
    for instance in instances:
        wait_refused(instance, token)
    refused_client(instances[0], "svc-a", SVC_A.secret)


# ---- clients as an operator writes them ----


@on_both("CLIENT")
def test_made_with_one_hset(ask, redis, endpoint):
    name = unique("hset")
    assert redis.redis_cli("HSET", "mintd:client:" + name, "secret:1", sha256_phc("chosen-here")) == "1"
    ask.granted(endpoint, G, basic(name, "chosen-here"), client=name, scope="")


@row("CLIENT")
def test_remade_with_other_fields(ask, redis, client):
    ask.granted("/token", G, basic(client, "s-3cret"), client=client)
    redis.cli("HSET", "mintd:client:" + client, "scope", "read write", "default_scope", "write", "ttl", "77")
    ask.granted("/token", G, basic(client, "s-3cret"), client=client, scope="write", ttl=[77])


@row("CLIENT")
def test_narrowed_scope_holds_for_the_next_token(ask, redis, client):
    redis.cli("HSET", "mintd:client:" + client, "scope", "other")
    ask.refused("/token", G + b"&scope=read", basic(client, "s-3cret"), error="invalid_scope")


@rows("SECRETS", first=1, second=2, third=3, last=4)
def test_each_of_four_secrets(ask, redis, client, case):
    fields = [x for n in range(1, 5) for x in ("secret:%d" % n, sha256_phc("number %d" % n))]
    redis.cli("HSET", "mintd:client:" + client, *fields)
    ask.granted("/token", G, basic(client, "number %d" % case), client=client)
    redis.cli("HDEL", "mintd:client:" + client, "secret:%d" % case)
    ask.refused("/token", G, basic(client, "number %d" % case), status=401, error="invalid_client")
    ask.granted("/token", G, basic(client, "number %d" % (case % 4 + 1)), client=client)


@row("SECRETS")
def test_fifth_secret_is_none(ask, redis, client):
    redis.cli("HSET", "mintd:client:" + client, "secret:5", sha256_phc("five"), "secret:0",
              sha256_phc("zero"),
              "secret:", sha256_phc("none"), "secret", sha256_phc("bare"), "secret:11", sha256_phc("eleven"))
    for secret in ("five", "zero", "none", "bare", "eleven"):
        ask.refused("/token", G, basic(client, secret), status=401, error="invalid_client")


@rows("SECRETS", past=lambda: int(time.time()) - 1, long_past=lambda: 1)
def test_expired_secret(ask, redis, client, case):
    redis.cli("HSET", "mintd:client:" + client, "secret:2", sha256_phc("rotated"), "secret:2:expires", case())
    ask.refused("/token", G, basic(client, "rotated"), status=401, error="invalid_client")
    ask.granted("/token", G, basic(client, "s-3cret"), client=client)


@row("SECRETS")
def test_secret_that_will_expire(ask, redis, client):
    redis.cli("HSET", "mintd:client:" + client, "secret:2", sha256_phc("rotated"),
              "secret:2:expires", int(time.time()) + 3600)
    for secret in ("rotated", "s-3cret"):
        ask.granted("/token", G, basic(client, secret), client=client)


@row("SECRETS")
def test_secret_expires_while_it_is_in_memory(pair, redis, client):
    until = int(time.time()) + 2
    redis.cli("HSET", "mintd:client:" + client, "secret:1:expires", until)
    granted = 0
    while True:
        asked = time.time()
        response = post(pair.a, "/token", G, basic(client, "s-3cret"))
        heard = time.time()
        if heard < until:
            check_tok(response, "/token")
            granted += 1
        elif asked >= until + 1:
            check_err(response, 401, "invalid_client")
            break
        time.sleep(0.02)
    assert granted > 3


@row("SECRETS")
def test_rotation(ask, redis, client):
    """Old and new side by side, then the new one alone."""
    key = "mintd:client:" + client
    redis.cli("HSET", key, "secret:2", sha256_phc("the new one"))
    for secret in ("s-3cret", "the new one"):
        ask.granted("/token", G, basic(client, secret), client=client)
    redis.cli("HDEL", key, "secret:1")
    ask.refused("/token", G, basic(client, "s-3cret"), status=401, error="invalid_client")
    ask.granted("/token", G, basic(client, "the new one"), client=client)


# ---- records that make no sense, or that somebody forged ----


ODD_RECORDS = {
    "empty": "", "text": "hello", "number": "42", "array": "[]", "object": "{}", "null": "null",
    "cut": '{"client":"svc-a"',
    "no_client": '{"scope":"read","aud":"","iat":1,"exp":4000000000,"gen":0,"ggen":0}',
    "client_is_a_number": '{"client":1,"scope":"read","aud":"","iat":1,"exp":4000000000,"gen":0,"ggen":0}',
    "no_exp": '{"client":"svc-a","scope":"read","aud":"","iat":1,"gen":0,"ggen":0}',
    "exp_is_text": '{"client":"svc-a","scope":"read","aud":"","iat":1,"exp":"4000000000","gen":0,"ggen":0}',
    "gen_is_text": '{"client":"svc-a","scope":"read","aud":"","iat":1,"exp":4000000000,"gen":"x","ggen":0}',
    "unknown_client": '{"client":"nobody","scope":"read","aud":"","iat":1,"exp":4000000000,"gen":0,"ggen":0}',
    "other_gen": '{"client":"svc-a","scope":"read","aud":"","iat":1,"exp":4000000000,"gen":99,"ggen":0}',
    "negative_gen": '{"client":"svc-a","scope":"read","aud":"","iat":1,"exp":4000000000,"gen":-1,"ggen":0}',
    "expired": '{"client":"svc-a","scope":"read","aud":"","iat":1,"exp":2,"gen":0,"ggen":0}',
    "nul": "\0" * 100, "deep": "[" * 5000, "long": '{"client":"svc-a","x":"' + "x" * 100000 + '"}',
}


@rows("FORGED", **ODD_RECORDS)
def test_odd_token_record_lets_nobody_in(pair, redis, case):
    ggen = int(redis.cli("GET", "mintd:generation") or 0)
    token = forged_token(unique("z")[-1])
    redis.cli("SETEX", token_key(token), 60, case.replace('"ggen":0', '"ggen":%d' % ggen))
    for instance in pair:
        response = use(instance, token)
        if response.status == 503:  # nobody can tell
            check_unavailable(response)
        else:
            check_bearer(response, 401, "invalid_token")
    redis.cli("DEL", token_key(token))


@row("FORGED")
def test_what_makes_sense_does_let_in(pair, redis):
    """The counterpart of the rows above: the same record, with nothing odd."""
    ggen = int(redis.cli("GET", "mintd:generation") or 0)
    token = forged_token("q")
    record = dict(client="svc-a", scope="read", aud="", iat=1, exp=4000000000, gen=0, ggen=ggen)
    redis.cli("SETEX", token_key(token), 60, json.dumps(record))
    for instance in pair:
        check_welcome(use(instance, token))
    redis.cli("DEL", token_key(token))


@rows("FORGED", hash=("HSET", "a", "b"), list=("LPUSH", "a"), set=("SADD", "a"))
def test_token_key_of_another_type(pair, redis, case):
    token = forged_token("t")
    redis.cli(case[0], token_key(token), *case[1:])
    for instance in pair:
        response = use(instance, token)
        assert response.status in (401, 503), response
    redis.cli("DEL", token_key(token))
    for instance in pair:
        check_bearer(use(instance, token), 401, "invalid_token")


@rows("FORGED", string=("SET", "x"), list=("LPUSH", "a"))
def test_client_key_of_another_type(pair, redis, case):
    name = unique("wrongtype")
    redis.cli(case[0], "mintd:client:" + name, *case[1:])
    for instance in pair:
        response = post(instance, "/token", G, basic(name, "x"))
        assert response.status in (401, 503), response
        check_tok(post(instance, "/token", G, BA), "/token")  # nobody else is harmed
    redis.cli("DEL", "mintd:client:" + name)


@rows("FORGED", ttl=("ttl", "abc"), negative=("ttl", "-5"), zero=("ttl", "0"), max_ttl=("max_ttl", "x"),
      gen=("gen", "x"), scope=("scope", '"\\\r\n\x01'), default=("default_scope", "\u20ac"),
      aud=("aud", "\r\nX: y"),
      disabled=("disabled", "yes"), expires=("secret:1:expires", "soon"), unknown=("colour", "blue"),
      many=None)
def test_odd_client_field_harms_nobody_else(pair, redis, client, case):
    """The client's own requests are answered, somehow; what is answered stays well-formed."""
    fields = case or [x for n in range(500) for x in ("field%d" % n, "x")]
    redis.cli("HSET", "mintd:client:" + client, *fields)
    for instance in pair:
        response = post(instance, "/auth", G, basic(client, "s-3cret"))  # check_common() has passed
        assert response.status in (200, 400, 401, 503), response
        if response.status == 200:
            assert use(instance, response.json()["access_token"]).status in (200, 401, 503)
        check_welcome(use(instance, minted(instance)[0]))


@row("FORGED")
def test_client_id_cannot_reach_another_key(pair, redis):
    """An id that spells another key, or a command."""
    for name in ("../token", "*", "svc-a\r\nDEL mintd:clients", "a b", "%s%n", "mintd:client:svc-a",
                 "x" * 200):
        refused_client(pair.a, name)
    assert redis.cli("EXISTS", "mintd:client:svc-a") == 1


# ---- the schema ----


@row("SCHEMA")
def test_unknown_schema_is_refused(start_mintd, own_redis):
    """A newer one, an older one, and no number: each under a prefix of its own, so that the next look at
    it, some seconds later, is waited for once."""
    schemas = {"newer:": "2", "older:": "0", "text:": "one", "empty:": ""}
    instances = {}
    for prefix, schema in schemas.items():
        install_clients(own_redis, prefix)
        own_redis.cli("SET", prefix + "schema", schema)
        instances[prefix] = start_mintd("--redis-prefix", prefix, redis=own_redis)
    for prefix, instance in instances.items():
        instance.wait_for_log(lambda line: "schema" in json.dumps(line) and line["level"] in ("warning",
                                                                                              "error"))
        assert instance.request("GET", "/readyz").status == 503
        check_unavailable(post(instance, "/token", G, BA))
        assert own_redis.cli("GET", prefix + "schema") == schemas[prefix]
    for prefix in schemas:
        own_redis.cli("SET", prefix + "schema", "1")
    for instance in instances.values():
        wait_status(instance, 200, within=7)  # it looks again every few seconds
        check_tok(post(instance, "/token", G, BA), "/token")


@row("SCHEMA")
def test_schema_is_written_once(start_mintd, own_redis):
    start_mintd(redis=own_redis).wait_for_store()
    assert own_redis.cli("GET", "mintd:schema") == "1"


# ---- when a secret was last used ----


USAGE_WITHIN = 5 + 2  # seconds: how often it is written, and a little


def last_use(redis, name, number=1):
    return redis.cli("HGET", "mintd:client:" + name, "secret:%d:used" % number)


def wait_last_use(redis, name, number=1):
    return int(wait_until(lambda: last_use(redis, name, number), USAGE_WITHIN, "the last use is written"))


def used_client(redis, instance, prefix):
    """A client whose secret 1 has just been used there, and not noted in Redis yet."""
    name = unique(prefix)
    make_client(redis, name, scope="read")
    minted(instance, "/token", G, basic(name, "s-3cret"))
    return name


@row("USED")
def test_last_use_of_each_secret_is_written(pair, redis):
    name = unique("used")
    make_client(redis, name, scope="read", secret_3=sha256_phc("another"))
    before = int(earliest())
    minted(pair.a, "/token", G, basic(name, "s-3cret"))
    assert before <= wait_last_use(redis, name) <= time.time()
    assert last_use(redis, name, 3) is None
    minted(pair.b, "/token", G, basic(name, "another"))
    assert before <= wait_last_use(redis, name, 3) <= time.time()
    redis.cli("DEL", "mintd:client:" + name)


@pytest.mark.lengthy
@row("USED")
def test_last_use_of_a_client_that_is_gone_is_not_kept(pair, redis):
    """Removed, or the secret rotated away, between the use and its being written down: nothing of it
    is left, neither a hash with that field alone nor the field without its secret."""
    first = used_client(redis, pair.a, "first")
    wait_last_use(redis, first)  # the next round is seconds away
    removed, rotated = (used_client(redis, pair.a, prefix) for prefix in ("removed", "rotated"))
    with redis.monitor() as seen:
        redis.cli("DEL", "mintd:client:" + removed)
        redis.cli("HDEL", "mintd:client:" + rotated, "secret:1")
        redis.cli("HSET", "mintd:client:" + rotated, "secret:2", sha256_phc("the new one"))
        last = used_client(redis, pair.a, "last")  # of one instance, the notes are written in order

        def written(name):
            return [c for c in seen.commands() if c[0].upper() == "HSET" and name in c[1] and ":used" in c[2]]

        wait_until(lambda: written(removed) and written(rotated), USAGE_WITHIN, "the last use is written")
        wait_last_use(redis, last)
    wait_until(lambda: not redis.cli("EXISTS", "mintd:client:" + removed), 1, "nothing is left")
    wait_until(lambda: last_use(redis, rotated) is None, 1, "the field is gone")
    fields = redis.cli("HGETALL", "mintd:client:" + rotated)
    assert sorted(fields[::2]) == ["scope", "secret:2"], fields
    check_tok(post(pair.a, "/token", G, basic(rotated, "the new one")), "/token")
    redis.cli("DEL", "mintd:client:" + rotated, "mintd:client:" + last, "mintd:client:" + first)


# ---- nothing in Redis is of use to a thief ----


def everything_in(redis):
    """Every key and every value, as one text."""
    parts = []
    for key in redis.keys("*"):
        kind = redis.cli("TYPE", key)
        parts.append(key)
        parts.append(repr({"string": lambda: redis.cli("GET", key), "hash": lambda: redis.cli("HGETALL", key),
                           "set": lambda: redis.cli("SMEMBERS", key)}[kind]()))
    return "\n".join(parts)


def spellings(secret):
    """A secret as it might turn up."""
    data = secret.encode()
    return {secret, base64.b64encode(data).decode(), base64.b64encode(data).decode().rstrip("="), data.hex(),
            urllib.parse.quote(secret, safe=""), repr(secret)[1:-1]}


@row("B-03")
def test_redis_never_sees_a_token_or_a_secret(start_mintd, own_redis):
    instance = start_mintd("--log-level", "debug", "--client", "cli-made:a-canary-of-ours:read",
                           redis=own_redis)
    instance.wait_for_store()
    instance.wait_for_log("client made")
    secrets = {"a-canary-of-ours", "a-wrong-canary"} | {c.secret for c in CLIENTS if len(c.secret) > 4}
    tokens = []
    with own_redis.monitor() as monitor:
        for endpoint in ("/token", "/auth"):
            for c in CLIENTS[:2]:
                tokens.append(minted(instance, endpoint, G, c.basic())[0])
            tokens.append(minted(instance, endpoint, G, basic("cli-made", "a-canary-of-ours"))[0])
            post(instance, endpoint, G, basic("svc-a", "a-wrong-canary"))
            post(instance, endpoint, G + b"&client_id=svc-a&client_secret=a-wrong-canary")
            post(instance, endpoint, G, basic("nobody", "a-wrong-canary"))
        for token in tokens:
            assert use(instance, token).status == 200
            instance.request("GET", "/secret?access_token=" + token)
            instance.request("GET", "/secret", [bearer(token + "x")])
        assert use(instance, forged_token()).status == 401
        seen = repr(monitor.commands())
    haystacks = {"Redis": everything_in(own_redis), "MONITOR": seen, "log": instance.log_text}
    for where, text in haystacks.items():
        assert "mintd:token:" in text or where == "log"
        for needle in [t for t in tokens] + [t[4:47] for t in tokens] + [forged_token()]:
            assert needle not in text, where
        for secret in secrets:
            for spelling in spellings(secret):
                assert spelling not in text, (where, spelling)
    for token in tokens:
        assert jti(token) in haystacks["Redis"] and jti(token) in haystacks["log"]
