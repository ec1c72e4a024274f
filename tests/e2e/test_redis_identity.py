"""Redis was emptied, or is another one: it is noticed, told, and never taken for a no where the right
one is named."""
import threading

from support.clients import BA, RS_1, G, basic, bearer, install_clients, token_key
from support.http import form_request, request_bytes
from support.mintctl import Mintctl
from support.oauth import (check_unavailable, check_welcome, forged_token, minted, post, row, rows, use,
                           wait_status, wait_until)
from support.prometheus import parse
from support.redis_server import RedisServer
from support.wire import Wire

CHANGED = "redis was emptied, or is another one than before: its clients and tokens are not those that were there"
WRONG = "redis is not the one that --redis-identity names: requests are answered 503"
CLIENT = "made-at-start:s-3cret:read"
BASIC = basic("made-at-start", "s-3cret")


class Way:
    """How an instance hears of changes: what it is given, and Redis."""

    def __init__(self, *arguments, redis=(), user=None):
        self.arguments, self.redis, self.user = arguments, redis, user

    def url(self, redis):
        if not self.user:
            return redis.url
        redis.cli("ACL", "SETUSER", *self.user)
        return redis.url.replace("//", "//mintd:canary-of-mintd@")


WAYS = {
    "memory": Way(),
    "without": Way("--cache-size", "0"),
    "resp2": Way(redis=("--rename-command", "HELLO", "")),
    "untracked": Way(user=("mintd", "on", ">canary-of-mintd", "~*", "+@all", "-client|tracking")),
}


def changes(instance):
    families = parse(instance.request("GET", "/metrics").body)
    return families["mintd_store_identity_changes_total"].value()


def mints(instance):
    return post(instance, "/auth", G, BASIC).status == 200


def check_told(instance, since, before, now):
    """Once for the process, and for a minute in /readyz."""
    told = instance.wait_for_log(CHANGED, since=since)
    assert (told["level"], told["before"], told["now"]) == ("error", before, now), told
    wait_status(instance, 200, within=3)
    assert "another one" in instance.request("GET", "/readyz").json()["warning"]
    assert changes(instance) == 1


@row("F-15")
def test_flushall_while_it_runs(start_mintd, own_redis):
    """The client of --client is there again, what was in memory is not, and it is told."""
    instance = start_mintd("--client", CLIENT, redis=own_redis, workers=2)
    wait_until(lambda: mints(instance), 10)
    before = own_redis.cli("GET", "mintd:identity")
    assert before and "warning" not in instance.request("GET", "/readyz").json()
    token, _ = minted(instance, "/auth", G, BASIC)
    since = instance.mark()
    own_redis.cli("FLUSHALL")
    wait_until(lambda: own_redis.cli("GET", "mintd:identity"), 10, "it is given another one")
    check_told(instance, since, before, own_redis.cli("GET", "mintd:identity"))
    instance.wait_for_log("client made", since=since)
    wait_until(lambda: mints(instance), 10)
    assert use(instance, token).status == 401
    assert len(instance.find_log(CHANGED)) == 1


@row("F-15-doctor")
def test_doctor_tells_of_another_identity(start_mintd, own_redis):
    """The instance's heartbeat carries it for a minute."""
    instance = start_mintd(redis=own_redis, name="bereft")
    instance.wait_for_store()
    doctor = Mintctl(own_redis)

    def findings():
        return [found for found in doctor.json("doctor", status=1)["findings"]
                if found["check"] == "identity" and found["result"] == "warning"]

    assert findings() == []
    own_redis.cli("FLUSHALL")
    wait_until(findings, 30, "the heartbeat tells it")
    found, = findings()
    assert "bereft" in found["text"] and "emptied" in found["text"], found
    assert "--redis-identity" in found["advice"], found


@row("F-15-restart")
def test_a_restart_without_persistence(start_mintd, own_redis):
    instance = start_mintd("--client", CLIENT, redis=own_redis)
    wait_until(lambda: mints(instance), 10)
    before = own_redis.cli("GET", "mintd:identity")
    since = instance.mark()
    own_redis.restart()
    wait_until(lambda: mints(instance), 10)
    check_told(instance, since, before, own_redis.cli("GET", "mintd:identity"))


@row("F-15-without-memory")
def test_flushall_without_memory(start_mintd, own_redis):
    instance = start_mintd("--client", CLIENT, "--cache-size", "0", redis=own_redis)
    wait_until(lambda: mints(instance), 10)
    before, since = own_redis.cli("GET", "mintd:identity"), instance.mark()
    own_redis.cli("FLUSHALL")
    wait_until(lambda: mints(instance), 10)
    check_told(instance, since, before, own_redis.cli("GET", "mintd:identity"))


def is_remembered(instance, redis, token):
    with redis.monitor() as seen:
        check_welcome(use(instance, token))
        return ["GET", token_key(token)] not in seen.requests()


@rows("IDENTITY-changes", **WAYS)
def test_it_changes_while_it_runs(start_mintd, case):
    """Another one without FLUSHALL is told of as loudly; what was remembered is asked for again, and the client
    of --client is looked after."""
    with RedisServer(*case.redis) as redis:
        install_clients(redis)
        instance = start_mintd("--client", CLIENT, *case.arguments, redis=case.url(redis))
        wait_until(lambda: mints(instance), 10)
        before, since = redis.cli("GET", "mintd:identity"), instance.mark()
        token, _ = minted(instance)
        check_welcome(use(instance, token))
        assert is_remembered(instance, redis, token) == (case is WAYS["memory"])
        redis.cli("DEL", "mintd:client:made-at-start")
        assert changes(instance) == 0
        redis.cli("SET", "mintd:identity", "another-one")
        check_told(instance, since, before, "another-one")
        assert not is_remembered(instance, redis, token)
        instance.wait_for_log("client made", since=since)
        wait_until(lambda: mints(instance), 10)


@rows("IDENTITY-pinned-changes", **WAYS)
def test_the_one_that_is_named_changes_while_it_runs(start_mintd, case):
    """503 until it is there again, which forgets nothing but what was remembered."""
    with RedisServer(*case.redis) as redis:
        install_clients(redis)
        redis.cli("SET", "mintd:identity", "the-right-one")
        instance = start_pinned(start_mintd, redis, case)
        token, _ = minted(instance)
        since = instance.mark()
        with Hammer(instance, token) as hammer:
            redis.cli("SET", "mintd:identity", "another-one")
            instance.wait_for_log(WRONG, since=since, wanted="the-right-one", found="another-one")
        assert not hammer.wrong, (len(hammer.wrong), hammer.wrong[:5])
        wait_until(lambda: each_worker(instance, 503), 10, "each worker has looked")
        check_unavailable(post(instance, "/token", G, BA))
        assert instance.request("GET", "/readyz").json()["reason"] == "identity"
        redis.cli("SET", "mintd:identity", "the-right-one")
        wait_until(lambda: each_worker(instance, 200), 10, "each worker has looked")
        check_welcome(use(instance, token))


@row("IDENTITY-one")
def test_all_instances_know_the_same_one(start_mintd, own_redis):
    instances = [start_mintd(redis=own_redis, workers=2) for _ in range(3)]
    for instance in instances:
        instance.wait_for_store()
        assert changes(instance) == 0
    identity = own_redis.cli("GET", "mintd:identity")
    assert 16 <= len(identity) <= 64 and own_redis.cli("TTL", "mintd:identity") == -1
    found = {f["check"]: f for f in Mintctl(own_redis).json("doctor", status=1)["findings"]}
    assert identity in found["identity"]["text"], found


@row("IDENTITY-pinned")
def test_the_one_that_is_named(start_mintd, own_redis):
    """503 while another one is there; never 401: each worker is told of FLUSHALL."""
    own_redis.cli("SET", "mintd:identity", "the-right-one")
    instance = start_mintd("--redis-identity", "the-right-one", redis=own_redis, workers=2)
    instance.wait_for_store()
    token, _ = minted(instance)
    check_welcome(use(instance, token))
    since = instance.mark()
    own_redis.cli("FLUSHALL")
    answers = [use(instance, token).status for _ in range(40)]
    assert set(answers) <= {200, 503}, answers
    instance.wait_for_log(WRONG, since=since, wanted="the-right-one", found="none")
    for _ in range(20):
        check_unavailable(use(instance, token))
        check_unavailable(post(instance, "/token", G, basic("svc-a", "s3cret-A_1.x~")))
    assert instance.request("GET", "/readyz").json()["reason"] == "identity"
    assert own_redis.cli("EXISTS", "mintd:identity") == 0  # none is made
    install_clients(own_redis)
    own_redis.cli("SET", "mintd:identity", "the-right-one")
    wait_status(instance, 200, within=10)
    minted(instance)


class Hammer:
    """Asks with what is good, over and over, on connections that spread over the workers; `wrong` has each
    answer that says no."""

    def __init__(self, instance, token):
        self.wrong, self.good, self._stopped = [], 0, threading.Event()
        asked = {
            "/secret": request_bytes("GET", "/secret", [bearer(token)]),
            "/verify": request_bytes("GET", "/verify", [bearer(token)]),
            "/introspect": form_request("/introspect", [("token", token)], [RS_1.basic()]),
            "/auth": form_request("/auth", G, [BA]),
            "/revoke": form_request("/revoke", [("token", forged_token())], [BA]),
        }
        self._threads = [threading.Thread(target=self._run, args=(instance.address, name, raw))
                         for name, raw in asked.items() for _ in range(2)]

    def _run(self, address, name, raw):
        with Wire(address) as wire:
            while not self._stopped.is_set():
                status, body = wire.ask(raw)
                self.good += status == 200
                if status not in (200, 503) or b'"active":false' in body:
                    self.wrong.append((name, status, body))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def each_worker(instance, status):
    """Whether all say so: so many connections spread over two of them."""
    return all(post(instance, "/token", G, BA).status == status for _ in range(20))


def put_back(redis, token, record):
    """As it was before FLUSHALL; the identity last."""
    redis.cli("SET", "mintd:generation", "1")
    redis.cli("SETEX", token_key(token), "3600", record)
    install_clients(redis)
    redis.cli("SET", "mintd:identity", "the-right-one")


def start_pinned(start_mintd, redis, way):
    instance = start_mintd("--redis-identity", "the-right-one", *way.arguments, redis=way.url(redis), workers=2)
    instance.wait_for_store()
    return instance


@rows("IDENTITY-pinned-hammer", **WAYS)
def test_never_a_no_while_it_is_emptied(start_mintd, case):
    """However an instance hears of changes: what is good gets 200 or 503, also in the moment of FLUSHALL."""
    with RedisServer(*case.redis) as redis:
        install_clients(redis)
        redis.cli("MSET", "mintd:identity", "the-right-one", "mintd:generation", "1")
        instance = start_pinned(start_mintd, redis, case)
        token, _ = minted(instance)
        record = redis.cli("GET", token_key(token))
        with Hammer(instance, token) as hammer:
            for _ in range(3):
                wait_until(lambda: each_worker(instance, 200), 20, "each worker serves")
                since = instance.mark()
                redis.cli("FLUSHALL")
                instance.wait_for_log(WRONG, since=since, found="none")
                # One that has not looked yet may have asked the empty one, and look once all is back.
                wait_until(lambda: each_worker(instance, 503), 20, "each worker has looked")
                put_back(redis, token, record)
        assert hammer.good and not hammer.wrong, (len(hammer.wrong), hammer.wrong[:5])
        wait_until(lambda: each_worker(instance, 200), 20, "each worker serves")
        check_welcome(use(instance, token))
        assert use(instance, forged_token()).status == 401
        assert post(instance, "/token", G, basic("svc-a", "wrong")).status == 401


@rows("IDENTITY-pinned-start", another="another-one", none=None)
def test_another_one_from_the_start(start_mintd, own_redis, case):
    if case is not None:
        own_redis.cli("SET", "mintd:identity", case)
    instance = start_mintd("--redis-identity", "the-right-one", redis=own_redis)
    instance.wait_for_log(WRONG, found=case or "none")
    answer = instance.exchange(form_request("/token", G, [basic("svc-a", "s3cret-A_1.x~")]))
    check_unavailable(answer)
    assert instance.request("GET", "/readyz").json()["reason"] == "identity"


def is_refusal(line):
    return "may not be given an identity" in line.get("message", "")


@row("IDENTITY-refused")
def test_a_user_who_may_not_write_it(start_mintd, own_redis):
    """It works as before, and the log says so once."""
    own_redis.cli("ACL", "SETUSER", "mintd", "on", ">canary-of-mintd", "~mintd:*", "+@all", "-set",
                  "-@dangerous")
    own_redis.cli("SET", "mintd:schema", "1")
    instance = start_mintd(redis="redis://mintd:canary-of-mintd@127.0.0.1:%d" % own_redis.port)
    instance.wait_for_store()
    check_welcome(use(instance, minted(instance)[0]))
    instance.wait_for_log(is_refusal)
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    instance.wait_for_log("redis is back")
    assert len(instance.find_log(is_refusal)) == 1
    assert own_redis.cli("EXISTS", "mintd:identity") == 0


def test_memory_has_none(start_mintd):
    instance = start_mintd("--client", CLIENT, redis="memory:")
    wait_until(lambda: mints(instance), 10)
    assert changes(instance) == 0
