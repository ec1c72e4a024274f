"""G-18, short form: after everything that can be done with a token or a secret, in the right places and
in wrong ones, none of them stands anywhere but in the answer that handed it out.

Where they are looked for: names and values of all keys, MONITOR, the append-only file and the dump, logs at
level debug, all answers, /metrics, the processes' command lines and environments. In each of these
places something that does stand there has to be found by the same search: see `PLANTED`.
"""
import base64
import glob
import subprocess
import urllib.parse

import pytest

from support import http
from support.canaries import CHOSEN, FROM_A_FILE, Hunt, Monitor, everything_in
from support.clients import G, basic, bearer
from support.http import form_request, request_bytes
from support.mintctl import REPORT, Mintctl, command_line
from support.mintd import environment
from support.oauth import jti, row, wait_status, wait_until
from support.redis_server import RedisServer
from support.timing import scaled

REDIS_PASSWORD = "the-password-of-redis/with a space+plus"
# Stands in every place that is searched, and is found there.
PLANTED = "planted-0123456789-abcdefghij-control"
AWKWARD = 'planted: \u00e4 "control" & more / spaces + things \\ too'
TOKENS = 100
WORKERS = 2


def wait_for_links(instance):
    """Every worker is connected with Redis."""
    wait_until(lambda: b"\nmintd_store_links_up %d\n" % WORKERS in instance.request("GET", "/metrics").body,
               10, "all links are up")


class Scene:
    """Two instances at level debug on a Redis that writes all it can, and all that was answered."""

    def __init__(self, redis, folder, start):
        self.redis = redis
        self.secrets = {"chosen": CHOSEN, "from a file": FROM_A_FILE, "Redis' password": REDIS_PASSWORD}
        self.answers = []  # all of each answer, without the body where that has to hold a token
        self.said = []  # by mintctl, likewise
        redis.cli("ACL", "SETUSER", "mintd", "on", ">" + REDIS_PASSWORD, "~*", "&*", "+@all")
        url = "redis://mintd:%s@127.0.0.1:%d" % (urllib.parse.quote(REDIS_PASSWORD, safe=""), redis.port)
        (folder / "redis").write_text(url + "\n")
        (folder / "client").write_text("from-a-file:%s:read\n" % FROM_A_FILE)
        self.monitor = Monitor(redis)
        self.ctl = Mintctl(env={"MINTD_REDIS_FILE": str(folder / "redis")})
        env = {"MINTD_REDIS_FILE": str(folder / "redis"), "MINTD_CLIENT_FILE": str(folder / "client"),
               "PLANTED": PLANTED}
        self.instances = [start("--log-level", "debug", "--name", PLANTED + name, env=env, workers=WORKERS)
                          for name in ("-a", "-b")]
        for instance in self.instances:
            wait_status(instance, 200, within=10)
            wait_for_links(instance)
        self.add_clients()

    def add_clients(self):
        generated = self.ctl_secret("generated", "client", "add", "generated", "--scope", "read write")
        rotated = self.ctl_secret("rotated", "client", "rotate", "generated")
        self.run_ctl("client", "add", "chosen", "--scope", "read", "--permission", "introspect",
                     "--secret-stdin", stdin=CHOSEN + "\n")
        self.callers = [("generated", generated), ("generated", rotated), ("chosen", CHOSEN),
                        ("from-a-file", FROM_A_FILE)]

    # ---- doing ----

    def ask(self, number, raw, gives_token=False):
        """One request at instance `number`; what was answered is kept for the search."""
        answer = self.instances[number].exchange(raw)
        body = b"" if gives_token else answer.body
        self.answers.append(repr(answer.fields).encode() + b"\n" + body)
        return answer

    def mint(self, number, name, secret, target="/token"):
        raw = form_request(target, G, [basic(name, secret), ("X-Request-Id", PLANTED)])
        answer = self.ask(number, raw, gives_token=True)
        assert answer.status == 200, answer
        token = answer.json()["access_token"]
        self.secrets["token %d" % len(self.secrets)] = token
        return token

    def run_ctl(self, *arguments, stdin=None):
        done = self.ctl.run(*arguments, stdin=stdin)
        assert not REPORT.search(done.err), done.err
        self.said += [done.out.encode(), done.err.encode()]
        return done

    def ctl_secret(self, name, *arguments):
        done = self.ctl.run(*arguments)
        assert done.status == 0, done
        self.said.append(done.err.encode())
        self.secrets[name] = done.out.strip()
        return done.out.strip()


# ---- the actions ----


def use_everywhere(scene, token, name, secret):
    fields = [basic(name, secret)]
    for number in (0, 1):
        assert scene.ask(number, request_bytes("GET", "/secret", [bearer(token)])).status == 200
        assert scene.ask(number, request_bytes("GET", "/verify", [bearer(token)])).status == 200
    answer = scene.ask(1, form_request("/introspect", [("token", token)], fields))
    assert answer.json()["active"] is True, answer


def revoke(scene, token, name, secret):
    raw = form_request("/revoke", [("token", token)], [basic(name, secret)])
    assert scene.ask(0, raw).status == 200
    for number in (0, 1):
        assert scene.ask(number, request_bytes("GET", "/secret", [bearer(token)])).status == 401


def offer_wrong_secrets(scene):
    for name, secret in scene.callers:
        for wrong in (secret + "x", "x" + secret, secret[:-1]):
            assert scene.ask(0, form_request("/token", G, [basic(name, wrong)])).status == 401
        form = [("grant_type", "client_credentials"), ("client_id", name), ("client_secret", secret + "x")]
        assert scene.ask(1, form_request("/token", form)).status == 401
        swapped = scene.ask(1, form_request("/token", G, [basic(secret, name)]))
        assert swapped.status in (400, 401), swapped


def put_in_wrong_places(scene, text, right):
    """A token or a secret where no token belongs. `right`: a header that authenticates."""
    quoted = urllib.parse.quote(text, safe="")
    plain = text.encode("utf-8")  # header values are sent as they are
    for number, target in enumerate(("/secret?access_token=", "/auth?client_secret=", "/verify?token=",
                                     "/verify?scope=", "/nothing/", "/verify/", "/metrics?x=")):
        for method in ("GET", "POST"):
            body = b"" if method == "POST" else None
            scene.ask(number % 2, request_bytes(method, target + quoted, [http.FORM], body))
    for name in ("Cookie", "X-Token", "X-Access-Token", "X-Request-Id", "Referer", "User-Agent", "Origin",
                 "X-Forwarded-For", "X-Auth-Require-Scope", "X-Auth-Client-Id", "Content-Type", "Accept",
                 "Proxy-Authorization", "traceparent", "Expect", "Host"):
        host = None if name == "Host" else "h"
        scene.ask(0, request_bytes("GET", "/secret", [(name, plain)], host=host))
        scene.ask(1, request_bytes("POST", "/token", [right, (name, plain)], b"", host=host))
    form = [("grant_type", "client_credentials"), ("client_id", "x" + text), ("client_secret", "x")]
    scene.ask(0, form_request("/token", form))
    for field in ("grant_type", "scope", "resource", "audience", "ttl", "client_id", "access_token",
                  "token_type_hint", quoted):
        form = [("grant_type", "client_credentials"), (field, text)]
        scene.ask(0, form_request("/token", form, [right]))
        scene.ask(1, form_request("/introspect", [("token", "x"), (field, text)], [right]))
        scene.ask(0, form_request("/revoke", [("token", "x"), (field, text)], [right]))


def send_what_is_malformed(scene, text):
    plain = text.encode("utf-8")
    good = base64.b64encode(plain)
    fields = [b"Bearer  " + plain, b"Bearer " + plain + b" x", b"Bearer " + plain + b",", b"bearer=" + plain,
              plain, b"Basic " + plain, b"Basic " + good, b"Basic " + good + b"!", b"Digest " + plain,
              b"Bearer " + plain[:-1], b"Bearer x" + plain]
    for number, value in enumerate(fields):
        raw = [("Authorization", value)]
        scene.ask(number % 2, request_bytes("GET", "/secret", raw))
        scene.ask(number % 2, request_bytes("GET", "/verify", raw))
        scene.ask(number % 2, form_request("/token", G, raw))
    twice = [("Authorization", b"Bearer " + plain)] * 2
    scene.ask(0, request_bytes("GET", "/secret", twice))
    for raw in (b"GET /" + plain + b" \x00\r\n\r\n", plain + b" / HTTP/1.1\r\nHost: h\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: h\r\n" + plain + b"\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: h\r\nX-" + plain + b": x\r\n\r\n",
                b"GET / HTTP/9." + plain + b"\r\nHost: h\r\n\r\n",
                request_bytes("POST", "/token", [http.FORM, ("Transfer-Encoding", plain)], b""),
                request_bytes("POST", "/token", [http.FORM, ("Content-Length", plain)], b""),
                form_request("/token", b"grant_type=%zz" + plain), form_request("/revoke", plain),
                request_bytes("POST", "/introspect", [("Content-Type", "application/json")],
                              b'{"token":"' + plain + b'"}')):
        scene.ask(1, raw)


def ask_mintctl(scene, token, last):
    for arguments in (("token", "show"), ("token", "key"), ("explain",)):
        scene.run_ctl(*arguments, "-", stdin=token)
        scene.run_ctl(*arguments, token)
    for name, secret in scene.callers:
        text = "Basic " + base64.b64encode(("%s:%s" % (name, secret)).encode()).decode()
        for given in (text, secret):
            scene.run_ctl("explain", "-", stdin=given)
            scene.run_ctl("explain", given)
        scene.run_ctl("client", "add", secret)
        scene.run_ctl("client", "show", secret)
    for number in (0, 1):  # an instance's name is in Redis for a while after this
        assert scene.ask(number, request_bytes("GET", "/readyz")).status == 200
    for arguments in (("client", "list"), ("client", "show", "chosen"), ("status",), ("doctor",)):
        scene.run_ctl(*arguments)
        scene.run_ctl(*arguments, "--json")
    assert scene.run_ctl("token", "revoke", "-", stdin=token).status == 0
    assert scene.run_ctl("token", "revoke", last).status == 0
    scene.ctl_secret("minted by mintctl", "token", "mint", "generated")


def ask_without_redis(scene, token):
    """Nobody gets a token. What is in memory may be answered until Redis has been silent for 2 s."""
    for name, secret in scene.callers:
        raw = [basic(name, secret)]
        assert scene.ask(0, form_request("/auth", G, raw)).status == 503
        assert scene.ask(1, form_request("/introspect", [("token", token)], raw)).status in (200, 503)
        assert scene.ask(0, form_request("/revoke", [("token", token)], raw)).status in (400, 503)
    assert scene.ask(1, request_bytes("GET", "/secret", [bearer(token)])).status in (200, 503)
    scene.ask(0, request_bytes("GET", "/verify", [bearer(token)]))


def do_everything(scene):
    tokens = []
    for count in range(TOKENS):
        name, secret = scene.callers[count % len(scene.callers)]
        tokens.append((scene.mint(count % 2, name, secret, ("/token", "/auth")[count // 2 % 2]), name, secret))
    for token, name, secret in tokens[:40]:
        use_everywhere(scene, token, name, secret)
    for token, name, secret in tokens[:8]:
        revoke(scene, token, name, secret)
    offer_wrong_secrets(scene)
    generated = basic(*scene.callers[0])
    for text in (tokens[8][0], *(secret for _, secret in scene.callers[1:])):
        put_in_wrong_places(scene, text, generated)
        send_what_is_malformed(scene, text)
    ask_mintctl(scene, tokens[9][0], tokens[10][0])
    scene.redis.pause()
    try:
        ask_without_redis(scene, tokens[11][0])
    finally:
        scene.redis.resume()
    for instance in scene.instances:
        wait_for_links(instance)
    use_everywhere(scene, *tokens[12])
    return tokens[13][0]


# ---- the places ----


def plant(redis):
    """What has to be found: in a key's name, in values of every type, and so in MONITOR and in the files."""
    for text, number in ((PLANTED, 1), (AWKWARD, 2)):
        redis.cli("SET", text, "x")
        for command in (("SET", "string%d" % number, text), ("HSET", "hash%d" % number, text, text),
                        ("RPUSH", "list%d" % number, text), ("SADD", "set%d" % number, text),
                        ("ZADD", "zset%d" % number, 1, text),
                        ("XADD", "stream%d" % number, "*", text, text)):
            redis.cli(*command)


def read_files(pattern):
    paths = glob.glob(pattern, recursive=True)
    assert paths, pattern
    data = b""
    for path in paths:
        with open(path, "rb") as file:
            data += file.read()
    return data


def collect(scene, token):
    """All places by name. Redis is ended on the way, and the instances after it."""
    places = {"Redis, " + kind: data for kind, data in everything_in(scene.redis).items()}
    for number, instance in enumerate(scene.instances):
        for name in ("cmdline", "environ"):
            places["%s of %d" % (name, number)] = read_files("/proc/%d/%s" % (instance.pid, name))
        places["metrics of %d" % number] = scene.ask(number, request_bytes("GET", "/metrics")).body
    scene.redis.cli("SAVE")
    scene.redis.stop()
    places["MONITOR"] = scene.monitor.end()
    ask_without_redis(scene, token)
    for number, instance in enumerate(scene.instances):
        instance.stop()
        places["log of %d" % number] = instance.log_text.encode()
    places["answers"] = b"\n".join(scene.answers)
    places["mintctl"] = b"\n".join(scene.said)
    places["dump"] = read_files(scene.redis.directory + "/*.rdb")
    places["append-only files"] = read_files(scene.redis.directory + "/appendonlydir/*.aof")
    return places


@pytest.mark.lengthy
@row("G-18")
def test_nothing_leaks(tmp_path, start_mintd):
    with RedisServer("--appendonly", "yes", "--appendfsync", "always", "--save", "3600 1",
                     "--rdbcompression", "no", "--aof-use-rdb-preamble", "no") as redis:
        scene = Scene(redis, tmp_path, start_mintd)
        token = do_everything(scene)
        plant(redis)
        places = collect(scene, token)
    control, awkward = Hunt({PLANTED: PLANTED}), Hunt({AWKWARD: AWKWARD})
    for name, data in places.items():
        assert control.find(data), "the search is blind here: " + name
        if name.startswith("Redis, ") or name in ("MONITOR", "dump", "append-only files"):
            assert awkward.find(data), "the search is blind here: " + name
    assert len(scene.secrets) >= TOKENS + 6
    hunt = Hunt(scene.secrets)
    found = {name: hunt.find(data) for name, data in places.items()}
    assert not any(found.values()), {name: which for name, which in found.items() if which}
    # What was done has left its traces, so that there was something to look through.
    assert jti(token).encode() in places["Redis, key"] and jti(token).encode() in places["log of 1"]


@row("G-18")
def test_a_token_on_the_command_line_is_gone_while_mintctl_waits(own_redis):
    token = Mintctl(own_redis).secret("token", "mint", "svc-a")
    hunt, there = Hunt({"token": token}), Hunt({"program": command_line("explain")[-2].rjust(24)})
    for arguments in (("token", "show"), ("token", "revoke"), ("explain",)):
        own_redis.pause()
        try:
            process = subprocess.Popen([*command_line(*arguments, token), "--redis", own_redis.url],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
            assert b"warning" in process.stderr.readline()
            line = read_files("/proc/%d/cmdline" % process.pid)
            assert there.find(line), line
            assert not hunt.find(line), arguments
        finally:
            own_redis.resume()
        process.communicate(timeout=scaled(20))
