"""What is played while allocations fail: small scripts against a running process."""
import gzip
import itertools
import json
import os
import tempfile

from starving import LOST, Scenario
from support.clients import BA, G, RS_1, SVC_A, SVC_B, basic, bearer, install_client, install_clients, token_key, token_of
from support.fake_cluster import FakeCluster
from support.http import Closed, form_request, request_bytes
from support.oauth import forged_token, wait_until
from support.redis_server import RedisServer, TlsRedis, free_port
from support.sentinel import FakeSentinel, Sentinels
from support.tls import Authority, Certificate

ALL = []


def scenario(name, **more):
    def add(play):
        ALL.append(Scenario(name, play, **more))
        return play

    return add


# ---- what an answer has to be: None where it is, else what is wrong ----


def status(wanted, error=None, holds=None, head=False):
    def want(response):
        if response.status != wanted:
            return "%d for %d" % (response.status, wanted)
        if error is not None and response.error != error:
            return "%s for %s" % (response.error, error)
        if holds is not None and holds not in response.body:
            return "%d without %s" % (wanted, holds)
        return None

    want.head = head
    return want


def token(player, scope=None):
    """A token that Redis has."""

    def want(response):
        if response.status != 200:
            return "%d for 200" % response.status
        given = response.json()
        if player.redis.cli("EXISTS", token_key(given["access_token"])) != 1:
            return "a token that is not in Redis"
        return None if scope is None or given.get("scope") == scope else "scope %s" % given.get("scope")

    return want


def welcome(client="svc-a"):
    return status(200, holds=b'"client":{"id":"%s"}' % client.encode())


def json_is(**members):
    def want(response):
        if response.status != 200:
            return "%d for 200" % response.status
        said = response.json()
        wrong = {name: said.get(name) for name, value in members.items() if said.get(name) != value}
        return "200 with %s" % wrong if wrong else None

    return want


def exactly(document):
    def want(response):
        if response.status != 200:
            return "%d for 200" % response.status
        return None if response.json() == document else "200 with %s" % response.json()

    return want


def fresh_token(player, client=SVC_A, **parameters):
    return token_of(player.mintd, client, **parameters)


def secret(given):
    return request_bytes("GET", "/secret", [bearer(given)])


def simple(name, raw, want, **more):
    """One request that is the same each time."""
    scenario(name, **more)(lambda player: player.ask(raw, want))


# ---- tokens are minted ----

MINT = form_request("/token", G, [BA])
scenario("mint, Basic")(lambda player: player.ask(MINT, token(player, "read")))
scenario("mint, the first of a process", is_fresh=True)(lambda player: player.ask(MINT, token(player, "read")))
scenario("mint, secret in the form")(lambda player: player.ask(form_request("/token", [
    ("grant_type", "client_credentials"), ("client_id", SVC_A.id), ("client_secret", SVC_A.secret)]), token(player)))
scenario("mint at /auth")(lambda player: player.ask(form_request("/auth", G, [BA]), token(player)))
scenario("mint, scope and ttl")(lambda player: player.ask(form_request("/token", G + b"&scope=write&ttl=60", [BA]),
                                                         token(player, "write")))
simple("mint, a scope that it may not have", form_request("/token", G + b"&scope=admin", [BA]), status(400, "invalid_scope"))
simple("mint, wrong secret", form_request("/token", G, [basic("svc-a", "wrong")]), status(401, "invalid_client"))
simple("mint, unknown client", form_request("/token", G, [basic("nobody", "wrong")]), status(401, "invalid_client"))
simple("mint, wrong secret, slow hash", form_request("/token", G, [basic("svc-b", "wrong")]), status(401, "invalid_client"))


@scenario("mint, slow hash of a new secret", prepare=lambda player: install_client(player.redis, SVC_B))
def slow_hash(player):
    player.ask(form_request("/token", G, [SVC_B.basic()]), token(player))


@scenario("mint, slow hash, the first of a process", is_fresh=True)
def slow_hash_first(player):
    player.ask(form_request("/token", G, [SVC_B.basic()]), token(player))


simple("mint, failures are counted", form_request("/token", G, [basic("svc-a", "wrong")]), status(401, "invalid_client"),
       env={"MINTD_FAILURE_LIMIT": "1000000"})

# ---- tokens are used ----


@scenario("use, from Redis", prepare=fresh_token)
def use_new(player):
    player.ask(secret(player.given), welcome())


@scenario("use, from memory", prepare=fresh_token)
def use_again(player):
    for _ in range(3):
        player.ask(secret(player.given), welcome())


@scenario("use, without memory", prepare=fresh_token, options=("--cache-size", "0"))
def use_uncached(player):
    player.ask(secret(player.given), welcome())


@scenario("use, the first of a process", prepare=fresh_token, is_fresh=True)
def use_first(player):
    player.ask(secret(player.given), welcome())


simple("use, an unknown token", secret(forged_token("q")), status(401))
simple("use, no token", request_bytes("GET", "/secret"), status(401))
simple("use, rubbish", request_bytes("GET", "/secret", [("Authorization", "Bearer x y")]), status(400))


@scenario("verify", prepare=fresh_token)
def verify(player):
    player.ask(request_bytes("GET", "/verify?scope=read", [bearer(player.given)]), status(200))
    player.ask(request_bytes("GET", "/verify?scope=write", [bearer(player.given)]), status(403))
    player.ask(request_bytes("GET", "/verify", [bearer(forged_token("v"))]), status(401))


@scenario("introspect", prepare=fresh_token)
def introspect(player):
    for caller, want in ((BA, json_is(active=True, client_id="svc-a", scope="read")),
                         (RS_1.basic(), json_is(active=True, client_id="svc-a")),
                         (SVC_B.basic(), exactly({"active": False}))):
        player.ask(form_request("/introspect", [("token", player.given)], [caller]), want)
    player.ask(form_request("/introspect", [("token", forged_token("i"))], [BA]), exactly({"active": False}))


@scenario("revoke", prepare=fresh_token)
def revoke(player):
    def gone(response):
        if response.status != 200:
            return "%d for 200" % response.status
        return "200, and Redis has it" if player.redis.cli("EXISTS", token_key(player.given)) else None

    player.ask(secret(player.given), welcome())
    if player.ask(form_request("/revoke", [("token", player.given)], [BA]), gone):
        player.ask(secret(player.given), status(401))
    player.ask(form_request("/revoke", [("token", forged_token("r"))], [BA]), exactly({}))


@scenario("revoke, the token of another", prepare=fresh_token)
def revoke_anothers(player):
    player.ask(form_request("/revoke", [("token", player.given)], [SVC_B.basic()]), status(400, "invalid_grant"))
    player.ask(secret(player.given), welcome())


def known_token(player):
    given = fresh_token(player)
    player.ask(secret(given), welcome())
    player.outcomes.clear()
    return given


@scenario("a token ends in Redis", prepare=known_token)
def ends_in_redis(player):
    """What memory holds is refused within 2 s, whatever becomes of the push."""
    player.redis.cli("DEL", token_key(player.given))
    player.until(secret(player.given), status(401), within=2.5, before=welcome())


# ---- operations ----

simple("/healthz", request_bytes("GET", "/healthz"), status(200))
simple("/readyz", request_bytes("GET", "/readyz"), status(200))
simple("/metrics", request_bytes("GET", "/metrics"), status(200, holds=b"\nmintd_store_links_up 1\n"))
simple("/metrics, OpenMetrics", request_bytes("GET", "/metrics", [("Accept", "application/openmetrics-text")]),
       status(200, holds=b"\n# EOF\n"))


@scenario("/metrics, gzip")
def metrics_packed(player):
    """Where it cannot be packed, it goes out as it is."""
    plain = status(200, holds=b"\nmintd_store_links_up 1\n")

    def want(response):
        packed = response.get("Content-Encoding") == "gzip"
        if packed:
            response.body = gzip.decompress(response.body)
        return plain(response) if packed or player.starved else "it is not packed"

    player.ask(request_bytes("GET", "/metrics", [("Accept-Encoding", "gzip")]), want)


simple("metadata", request_bytes("GET", "/.well-known/oauth-authorization-server"), status(200, holds=b'"token_endpoint"'))
simple("metadata of the resource", request_bytes("GET", "/.well-known/oauth-protected-resource/secret"), status(200))

# ---- HTTP ----


@scenario("pipelined requests")
def pipelined(player):
    player.talk([MINT * 4 + request_bytes("GET", "/healthz") * 4 + MINT], [token(player)] * 4 + [status(200)] * 4 + [token(player)])


simple("a large head", request_bytes("GET", "/healthz", [("X-%d" % number, "x" * 500) for number in range(28)]), status(200))
simple("a head that is too large", request_bytes("GET", "/healthz", [("X-%d" % number, "x" * 500) for number in range(60)]),
       status(431))
scenario("a body of 16 KiB")(lambda player: player.ask(
    form_request("/token", (G + b"&pad=").ljust(16384, b"x"), [BA]), token(player)))
simple("a body that is too large", form_request("/token", (G + b"&pad=").ljust(16385, b"x"), [BA]), status(413))
CHUNKED = request_bytes("POST", "/token", [BA, ("Content-Type", "application/x-www-form-urlencoded"),
                                           ("Transfer-Encoding", "chunked")])
scenario("a body in chunks")(lambda player: player.ask(
    CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in G) + b"0\r\n\r\n", token(player)))


@scenario("a request in pieces")
def pieces(player):
    player.talk([MINT[at:at + 40] for at in range(0, len(MINT), 40)], [token(player)])


simple("HTTP/1.0", request_bytes("GET", "/healthz", version="HTTP/1.0"), status(200))
simple("HEAD", request_bytes("HEAD", "/secret"), status(401, head=True))
simple("no HTTP", b"\x16\x03\x01 what is this\r\n\r\n", status(400))
simple("no such path", request_bytes("GET", "/nowhere"), status(404))
simple("no such method", request_bytes("DELETE", "/token"), status(405))
simple("a line in the log for each request", MINT, status(200), options=("--access-log", "--log-level", "debug"))


@scenario("from a trusted proxy", options=("--trusted-proxies", "127.0.0.1", "--access-log"))
def proxied(player):
    player.ask(form_request("/token", G, [BA, ("X-Forwarded-For", "198.51.100.7, 127.0.0.1"),
                                          ("traceparent", "00-%s-%s-01" % ("a" * 32, "b" * 16))]), token(player))


@scenario("many connections at once")
def many(player):
    for _ in range(3):
        player.together([MINT] * 40, token(player))


@scenario("a client that goes in the middle of a request")
def goes(player):
    for at in (1, 20, len(MINT) - 1):
        try:
            with player.connect() as connection:
                connection.send(MINT[:at])
        except OSError:
            pass
    player.ask(MINT, token(player))


def status_listener(stand):
    stand.other = ("127.0.0.1", free_port())
    return "--metrics-listen", "%s:%d" % stand.other


@scenario("/status", options=status_listener)
def status_page(player):
    for path, holds in (("/status", b"<html"), ("/status.json", b'"instances"'), ("/metrics", b"mintd_store_links_up 1")):
        player.ask(request_bytes("GET", path), status(200, holds=holds), address=player.stand.other)


def socket_listener(stand):
    stand.other = os.path.join(stand.place, "socket")
    return "--listen", "unix:" + stand.other


@scenario("a unix socket", options=socket_listener)
def unix_socket(player):
    player.ask(MINT, token(player), address=player.stand.other)


@scenario("revoke, two workers", options=("--workers", "2"), prepare=known_token)
def revoke_for_both(player):
    """Once it has been answered, no worker lets the token in."""
    for _ in range(6):
        player.ask(secret(player.given), welcome())
    if player.ask(form_request("/revoke", [("token", player.given)], [BA]), exactly({})):
        for _ in range(6):
            player.ask(secret(player.given), status(401))


@scenario("the store in memory", url=lambda stand: "memory:",
          options=("--client", "%s:%s:read write" % (SVC_A.id, SVC_A.secret)))
def in_memory(player):
    given = []

    def minted(response):
        if response.status == 200:
            given.append(response.json()["access_token"])
        return status(200)(response)

    if player.ask(MINT, minted):
        player.ask(secret(given[0]), welcome())
        if player.ask(form_request("/revoke", [("token", given[0])], [BA]), exactly({})):
            player.ask(secret(given[0]), status(401))


# ---- TLS ----


def certified(stand):
    stand.certificate = Certificate(stand.place, "here")
    stand.others = itertools.cycle([Certificate(stand.place, "one"), Certificate(stand.place, "two")])
    return "--tls-cert", stand.certificate.file, "--tls-key", stand.certificate.key


def trusting(stand):
    return stand.certificate.trusting(next(stand.others), next(stand.others))


@scenario("TLS", options=certified, tls=trusting)
def over_tls(player):
    player.ask(MINT, token(player))


@scenario("TLS, no TLS comes", options=certified, tls=trusting)
def no_tls(player):
    def want(response):
        return "an answer to what is no TLS: %d" % response.status

    player.closes(MINT, want, tls=None)


@scenario("TLS, another certificate at SIGHUP", options=certified, tls=trusting)
def other_certificate(player):
    player.stand.certificate.install(next(player.stand.others))
    player.hear("certificate in use", "is left as it is", "not used")
    player.ask(request_bytes("GET", "/healthz"), status(200))


# ---- SIGHUP ----


def with_clients_file(stand):
    stand.file = os.path.join(stand.place, "clients.json")
    stand.turn = 0
    write_clients(stand)
    return "--clients-file", stand.file


def write_clients(stand):
    stand.turn += 1
    with open(stand.file, "w", encoding="utf-8") as file:
        json.dump({"clients": [{"id": "of-file", "scope": "read turn-%d" % stand.turn, "secrets": [SVC_A.hash_fields()[0][1]]}]}, file)


@scenario("SIGHUP, a clients file", options=with_clients_file)
def clients_file(player):
    write_clients(player.stand)
    player.hear("the clients file is applied", "the clients file is not applied")
    if player.starved:
        return
    player.until(form_request("/token", G + b"&scope=turn-%d" % player.stand.turn, [basic("of-file", SVC_A.secret)]),
                 token(player), before=lambda response: None if response.status in (400, 401) else "it is not as before")


def url_file(stand):
    path = os.path.join(stand.place, "url")
    with open(path, "w", encoding="utf-8") as file:
        file.write(stand.redis.url)
    return path


@scenario("SIGHUP, the URL of Redis", url=lambda stand: "", env={"MINTD_REDIS_FILE": url_file})
def redis_url(player):
    player.hear("reload", "again")
    player.ask(MINT, token(player))


# ---- Redis ----


def cut(player):
    player.redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@scenario("the link to Redis is lost")
def link_lost(player):
    cut(player)
    player.until(MINT, token(player))


@scenario("the link to Redis is lost, by its name", url=lambda stand: "redis://localhost:%d" % stand.redis.port)
def link_by_name(player):
    cut(player)
    player.until(MINT, token(player))


def start_again(player):
    if not player.redis.is_running:
        player.redis.start()
        install_clients(player.redis)


@scenario("Redis dies and is back")
def redis_dies(player):
    player.redis.kill()
    player.ask(MINT, status(503))
    start_again(player)
    player.until(MINT, token(player))


@scenario("Redis stands still")
def redis_stands(player):
    player.redis.pause()
    player.ask(MINT, status(503))
    player.redis.resume()
    player.until(MINT, token(player))


def with_password(stand):
    stand.redis.cli("ACL", "SETUSER", "issuer", "on", ">canary", "~*", "&*", "+@all")
    return "redis://issuer@127.0.0.1:%d" % stand.redis.port


@scenario("a password of Redis that a command says", url=with_password, options=("--redis-password-command", "echo canary"))
def password_command(player):
    cut(player)
    player.until(MINT, token(player))


scenario("a password of Redis that a command says in JSON", url=with_password,
         options=("--redis-password-command", 'echo \'{"password":"canary","expires_in":60}\''))(password_command)


class RedisWithTls(TlsRedis):
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="torture.")
        authority = Authority(self._folder.name, "ours")
        self.authority = authority.file
        super().__init__(authority.issue("redis", "IP:127.0.0.1"), authority.file)

    def close(self):
        super().close()
        self._folder.cleanup()


@scenario("TLS to Redis", server=RedisWithTls, options=lambda stand: ("--redis-ca", stand.redis.authority))
def redis_over_tls(player):
    cut(player)
    player.until(MINT, token(player))


class WithReplica(RedisServer):
    def __init__(self):
        super().__init__("--repl-diskless-sync-delay", "0")
        self._replica = RedisServer("--replicaof", "127.0.0.1", str(self.port))
        wait_until(lambda: "state=online" in self.cli("INFO", "replication"), 20, "the replica")

    def close(self):
        self._replica.close()
        super().close()


@scenario("revoke, a replica has it", server=WithReplica, options=("--redis-wait", "1", "--redis-wait-mints"), prepare=known_token)
def revoke_durably(player):
    player.ask(MINT, token(player))
    if player.ask(form_request("/revoke", [("token", player.given)], [BA]), exactly({})):
        player.ask(secret(player.given), status(401))


class TwoMasters:
    """Either is a master; a Sentinel says which one counts."""

    def __init__(self):
        self.both, self._epoch = [RedisServer(), RedisServer()], 1
        for one in self.both:
            one.cli("SET", "mintd:identity", "the-same")
        self._sentinel = FakeSentinel(port=self.both[0].port, epoch=1)
        self.url = Sentinels.url_of(self._sentinel)

    def cli(self, *words):
        """Of both: the last is asked for what there is."""
        answers = [one.cli(*words) for one in self.both]
        return max(answers, key=lambda answer: answer or 0) if words[0] == "EXISTS" else answers[0]

    def turn(self):
        self._epoch += 1
        self.both.reverse()
        self._sentinel.names(self.both[0].port, self._epoch)
        self.both[1].cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in [self._sentinel, *self.both]:
            one.close()


@scenario("a Sentinel names another master", server=TwoMasters)
def sentinel(player):
    player.redis.turn()
    player.until(MINT, token(player))


@scenario("a cluster whose slots move", server=FakeCluster)
def cluster(player):
    fake = player.redis
    fake.nodes.append(fake.nodes.pop(0))
    fake.give(0, 16383, fake.nodes[0])
    player.until(MINT, token(player))
    player.until(request_bytes("GET", "/readyz"), status(200))


# ---- the end ----


@scenario("the end, with a request under way", ends=True)
def drain(player):
    try:
        with player.connect() as connection:
            connection.send(MINT[:-5])
            player.ask(request_bytes("GET", "/healthz"), status(200))
            player.mintd.process.terminate()
            connection.send(MINT[-5:])
            player.read(connection, token(player))
    except (OSError, Closed):
        player.note(LOST)
