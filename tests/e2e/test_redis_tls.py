"""TLS to Redis (RT): who is believed, what is said where nobody is, files that are renewed, and what else
goes over it as it does without. Servers that do what none should: tests/integration/test_redis_tls.c."""
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from support.clients import BA, G, bearer, install_clients, token_key, token_of
from support.http import form_request, request_bytes
from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import check_unavailable, post, row, rows, unique, use, wait_status, wait_until
from support.prometheus import parse
from support.redis_server import TlsRedis
from support.sentinel import Sentinels
from support.tls import Authority
from support.wire import Wire

MINT = form_request("/token", G, [BA])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("redis-tls"))


@pytest.fixture(scope="module")
def ours(folder):
    return Authority(folder, "ours")


@pytest.fixture(scope="module")
def right(ours):
    return ours.issue("right", "IP:127.0.0.1,DNS:localhost")


@pytest.fixture
def redis_tls(ours, right):
    with TlsRedis(right, ours.file) as server:
        install_clients(server)
        yield server


@pytest.fixture
def start(start_mintd, redis_tls, ours):
    def start_one(*arguments, **more):
        return start_mintd("--redis-ca", ours.file, *arguments, redis=redis_tls, **more)
    return start_one


def troubles(instance, reason):
    """mintd_store_troubles_total of this reason."""
    text = instance.request("GET", "/metrics").body.decode()
    return next(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                if line.startswith('mintd_store_troubles_total{reason="%s"}' % reason))


def trouble_of(reason):
    return lambda line: line.get("trouble") == reason


# ---- who is believed ----


@row("RT-11-serves")
def test_it_serves_over_tls(start, redis_tls):
    instance = start(workers=2)
    instance.wait_for_store()
    token = token_of(instance)
    assert use(instance, token).status == 200
    names = redis_tls.cli("CLIENT", "LIST")
    assert names.count("laddr=127.0.0.1:%d" % redis_tls.tls_port) == 2, names


WRONG = dict(
    name=("IP:127.0.0.2", 30, "ours", "tls_name", "--redis-tls-name"),
    chain=("IP:127.0.0.1", 30, "theirs", "tls_chain", "--redis-ca"),
    expired=("IP:127.0.0.1", -1, "ours", "tls_expired", "has expired"),
)


@rows("RT-12", **WRONG)
def test_who_is_not_believed_is_told_by_reason(start, redis_tls, ours, right, folder, case):
    """In the log, in /readyz and in the metrics; and it is mended without a restart."""
    names, days, whose, reason, words = case
    authority = ours if whose == "ours" else Authority(folder, unique("theirs"))
    redis_tls.show(authority.issue(unique("wrong"), names, days))
    instance = start()
    line = instance.wait_for_log(trouble_of(reason))
    assert words in line["reason"], line
    instance.wait_for_log("store is away: requests that need it are answered 503", reason=reason)
    ready = instance.request("GET", "/readyz")
    assert ready.status == 503 and ready.json()["reason"] == reason, ready
    check_unavailable(post(instance, "/token", G, BA))
    assert troubles(instance, reason) >= 1
    done = Mintctl(redis_tls, env={"MINTD_REDIS_CA": ours.file})("client", "list", status=3)
    assert reason in done.err and words in done.err, done
    redis_tls.show(right)
    instance.wait_for_store()
    wait_status(instance, 200, within=5)


@row("RT-12-version")
def test_an_old_version_is_told(start, redis_tls, ours):
    redis_tls.cli("CONFIG", "SET", "tls-protocols", "TLSv1.1")
    instance = start()
    instance.wait_for_log(trouble_of("tls_version"))
    redis_tls.cli("CONFIG", "SET", "tls-protocols", "TLSv1.2")
    instance.wait_for_store()
    found = Mintctl(redis_tls, env={"MINTD_REDIS_CA": ours.file}).json("doctor", status=1)["findings"]
    assert "TLSv1.2" in next(f["text"] for f in found if f["check"] == "tls")


@row("RT-13")
def test_the_name_that_is_set_is_the_one_that_counts(start, redis_tls, ours):
    redis_tls.show(ours.issue(unique("named"), "DNS:redis.example"))
    instance = start("--redis-tls-name", "redis.example")
    instance.wait_for_store()
    assert Mintctl(redis_tls, env={"MINTD_REDIS_CA": ours.file, "MINTD_REDIS_TLS_NAME": "redis.example"})("client", "list")


@row("RT-14")
def test_a_redis_that_asks_for_a_certificate(start_mintd, ours, right, folder):
    with TlsRedis(right, ours.file, asks="yes") as server:
        install_clients(server)
        refused = start_mintd("--redis-ca", ours.file, redis=server)
        line = refused.wait_for_log(trouble_of("tls_refused"))
        assert "--redis-cert" in line["reason"], line
        client = ours.issue(unique("client"), "DNS:mintd.example")
        instance = start_mintd("--redis-ca", ours.file, "--redis-cert", client.file, "--redis-key", client.key, redis=server)
        instance.wait_for_store()
        env = {"MINTD_REDIS_CA": ours.file, "MINTD_REDIS_CERT": client.file, "MINTD_REDIS_KEY": client.key}
        assert Mintctl(server, env=env)("client", "list")
        done = Mintctl(server, env={"MINTD_REDIS_CA": ours.file})("client", "list", status=3)
        assert "tls_refused" in done.err, done


@row("RT-15")
def test_insecure_warns_wherever_one_looks(start_mintd, redis_tls, own_redis):
    instance = start_mintd("--redis-tls-insecure", redis=redis_tls, name="careless")
    instance.wait_for_store()
    warning = instance.wait_for_log(lambda line: line.get("setting") == "--redis-tls-insecure")
    assert warning["level"] == "warning", warning
    assert "--redis-tls-insecure" in instance.request("GET", "/readyz").json()["warning"]
    checked = run("--check", "--redis", redis_tls.url, env={"MINTD_REDIS_TLS_INSECURE": "yes"})
    assert checked.returncode == 0 and "warning: --redis-tls-insecure" in checked.stderr, checked
    ctl = Mintctl(redis_tls)
    wait_until(lambda: "redis unchecked" in (redis_tls.cli("GET", "mintd:instance:careless") or ""), 15)
    done = ctl("doctor", "--json", "--redis-tls-insecure", status=1)
    assert "--redis-tls-insecure" in done.err, done
    texts = [f["text"] for f in json.loads(done.out)["findings"] if f["check"] == "tls"]
    assert len(texts) == 2 and "may be anybody" in texts[0] and "instance careless" in texts[1], texts


# ---- renewed files ----


class Load:
    """Mints and validations, one behind the other, until the end; what was not answered 200."""

    def __init__(self, instance):
        self._instance = instance
        self._stop = threading.Event()
        self.count, self.failed = 0, []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with Wire(self._instance.address) as wire:
            while not self._stop.is_set():
                status, body = wire.ask(MINT)
                if status == 200:
                    status, body = wire.ask(request_bytes("GET", "/secret", [bearer(json.loads(body)["access_token"])]))
                if status != 200:
                    self.failed.append((status, body))
                self.count += 1

    def more(self, count=50):
        wanted = self.count + count
        wait_until(lambda: self.count >= wanted, 30, "more requests")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)


@row("RT-16")
def test_all_is_renewed_under_load(start_mintd, ours, right, folder):
    """Authorities and our own certificate by SIGHUP, that of Redis by CONFIG SET: no request fails; and the
    next connection goes by what is new."""
    theirs = Authority(folder, unique("theirs"))
    used_ca = os.path.join(folder, unique("ca"))
    with open(used_ca, "w", encoding="ascii") as file, open(ours.file, encoding="ascii") as first:
        file.write(first.read())
    used = ours.issue(unique("used"), "DNS:mintd.example")
    both = os.path.join(folder, unique("both"))
    with open(both, "w", encoding="ascii") as file:
        for authority in (ours, theirs):
            with open(authority.file, encoding="ascii") as part:
                file.write(part.read())
    with TlsRedis(right, both, asks="yes") as server:
        install_clients(server)
        instance = start_mintd("--redis-ca", used_ca, "--redis-cert", used.file, "--redis-key", used.key, redis=server, workers=2)
        instance.wait_for_store()
        with Load(instance) as load:
            load.more()
            mark = instance.mark()
            server.show(theirs.issue(unique("redis"), "IP:127.0.0.1"))
            used.install(theirs.issue(unique("fresh"), "DNS:mintd.example"))
            os.replace(theirs.file, used_ca)
            instance.signal(signal.SIGHUP)
            instance.wait_for_log("the files of TLS to redis are read again: new connections use them", since=mark)
            load.more()
        assert not load.failed, load.failed[:3]
        server.cli("CONFIG", "SET", "tls-ca-cert-file", used_ca)
        mark = instance.mark()
        server.drop_clients()
        instance.wait_for_log("redis is back", since=mark, count=2)
        assert post(instance, "/token", G, BA).status == 200


def expiry(instance):
    """mintd_store_certificate_expiry_seconds; None: it is not there."""
    family = parse(instance.request("GET", "/metrics").body).get("mintd_store_certificate_expiry_seconds")
    return family and family.value()


@row("RT-16-expiry")
def test_the_earliest_end_of_a_certificate_of_redis_is_told(start_mintd, redis_tls, own_redis, ours):
    """Of all workers, as the last handshakes showed it: a connection that is up shows no new one."""
    instance = start_mintd("--redis-ca", ours.file, redis=redis_tls, workers=2)
    instance.wait_for_store()
    first = wait_until(lambda: expiry(instance), 10)
    assert abs(first - (time.time() + 30 * 86400)) < 3600
    redis_tls.show(ours.issue(unique("longer"), "IP:127.0.0.1", days=60))
    assert expiry(instance) == first
    mark = instance.mark()
    redis_tls.drop_clients()
    instance.wait_for_log("redis is back", since=mark, count=2)
    wait_until(lambda: expiry(instance) > first + 29 * 86400, 10, "the new certificate")
    redis_tls.show(ours.issue(unique("shorter"), "IP:127.0.0.1", days=2))
    redis_tls.drop_clients()
    wait_until(lambda: expiry(instance) < first - 27 * 86400, 10, "the one that ends soon")
    redis_tls.kill()
    assert expiry(instance) < first, "it is known while Redis is away"
    plain = start_mintd(redis=own_redis)
    plain.wait_for_store()
    assert expiry(plain) is None


@row("RT-17")
@pytest.mark.lengthy
def test_changed_files_are_found_without_a_signal(start_mintd, redis_tls, ours, folder):
    """The wrong authority, put right on the disk; without a restart and without a signal it is believed."""
    used = Authority(folder, unique("used"))
    instance = start_mintd("--redis-ca", used.file, redis=redis_tls)
    instance.wait_for_log(trouble_of("tls_chain"))
    used.install(ours)
    instance.wait_for_store(timeout=60)


@row("RT-17-broken")
def test_files_that_cannot_be_used_are_told_and_the_old_ones_stay(start_mintd, redis_tls, ours, folder):
    used, other = ours.issue(unique("used"), "DNS:a.example"), ours.issue(unique("other"), "DNS:b.example")
    instance = start_mintd("--redis-ca", ours.file, "--redis-cert", used.file, "--redis-key", used.key, redis=redis_tls)
    instance.wait_for_store()
    mark = instance.mark()
    os.replace(other.file, used.file)
    instance.signal(signal.SIGHUP)
    line = instance.wait_for_log(lambda line: line["level"] == "error", since=mark)
    assert "the old ones stay in use" in line["message"] and "does not belong" in line["problem"], line
    mark = instance.mark()
    redis_tls.drop_clients()
    instance.wait_for_log("redis is back", since=mark)


# ---- as without TLS ----


@row("RT-18-tracking")
def test_memory_works_over_tls(start, redis_tls):
    first, second = start(name="first"), start(name="second")
    for instance in (first, second):
        instance.wait_for_store()
        wait_until(lambda one=instance: b"\nmintd_cache_on 1\n" in one.request("GET", "/metrics").body, 10, "memory")
    token = token_of(first)
    assert use(second, token).status == 200
    with redis_tls.monitor() as seen:
        assert use(second, token).status == 200
        assert seen.requests() == []
    redis_tls.cli("DEL", token_key(token))
    wait_until(lambda: use(second, token).status == 401, 5, "the deletion is heard of")


@row("RT-18-resp2")
def test_resp2_over_tls(start_mintd, ours, right):
    with TlsRedis(right, ours.file, "--rename-command", "HELLO", "") as server:
        install_clients(server)
        instance = start_mintd("--redis-ca", ours.file, redis=server)
        instance.wait_for_log(lambda line: "going on in RESP2" in line["message"])
        instance.wait_for_store()
        assert use(instance, token_of(instance)).status == 200


@row("RT-18-master")
def test_a_server_that_is_demoted_is_left(start, redis_tls):
    instance = start()
    instance.wait_for_store()
    redis_tls.cli("REPLICAOF", "127.0.0.1", "1")
    wait_status(instance, 503, within=10)
    redis_tls.cli("REPLICAOF", "NO", "ONE")
    wait_status(instance, 200, within=10)


@row("RT-18-killed")
def test_a_redis_that_is_killed_comes_back(start, redis_tls):
    instance = start()
    instance.wait_for_store()
    redis_tls.kill()
    wait_status(instance, 503, within=10)
    redis_tls.start()
    install_clients(redis_tls)
    wait_status(instance, 200, within=10)
    assert post(instance, "/token", G, BA).status == 200


@row("RT-22")
def test_sentinels_over_tls(start_mintd, ours, right):
    """rediss+sentinel:// is TLS to the Sentinels and to the master that they name, by its address."""
    with Sentinels(tls=(right, ours.file)) as group:
        install_clients_by(group)
        instance = start_mintd("--redis-ca", ours.file, redis=group.url, workers=2)
        instance.wait_for_store(timeout=20)
        token = token_of(instance)
        wait_until(group.has_copy(group.replica, token), 10, "the replica has the token")
        group.fail_over()
        wait_until(lambda: use(instance, token).status == 200 and post(instance, "/token", G, BA).status == 200, 15,
                   "the new master serves")
        assert Mintctl(group.url, env={"MINTD_REDIS_CA": ours.file})("client", "list")
        stranger = start_mintd(redis=group.url)
        stranger.wait_for_log("a sentinel cannot be asked yet", trouble="tls_chain")
        wait_until(lambda: stranger.request("GET", "/readyz").json()["reason"] == "nomaster", 10, "the reason")


def install_clients_by(group):
    """And the replica has them too."""
    install_clients(group.master)
    wait_until(lambda: group.ask(group.replica, "EXISTS", "mintd:clients") == 1, 10, "the replica has the clients")


# ---- the wrong port ----


class Hangs(threading.Thread):
    """Takes connections and what comes, and cuts them."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "rediss://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                connection.recv(16)
                connection.close()
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@row("RT-19-cut")
def test_a_connection_that_is_cut_is_told(start_mintd, ours):
    server = Hangs()
    try:
        instance = start_mintd("--redis-ca", ours.file, redis=server.url)
        instance.wait_for_log(trouble_of("tls_cut"))
        assert instance.request("GET", "/readyz").json()["reason"] == "tls_cut"
        assert "tls_cut" in Mintctl(server.url, env={"MINTD_REDIS_CA": ours.file})("client", "list", status=3).err
    finally:
        server.close()


@rows("RT-19", plain=("rediss", "redis:// is right"), tls=("redis", "port is for TLS (rediss://)"))
def test_the_wrong_port_is_named(start_mintd, redis_tls, ours, case):
    """TLS to a port without, and the other way round; Redis says nothing to either."""
    scheme, words = case
    url = redis_tls.plain_url.replace("redis://", "rediss://") if scheme == "rediss" \
        else redis_tls.url.replace("rediss://", "redis://")
    more = ("--redis-ca", ours.file) if scheme == "rediss" else ()
    instance = start_mintd(*more, redis=url)
    instance.wait_for_log(lambda line: words in line.get("reason", ""), timeout=15)
    assert words in Mintctl(url)("client", "list", *more, status=3).err


# ---- settings ----


def refused(done, *words):
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("mintd: "), done
    assert all(word in done.stderr for word in words), done


@row("RT-20")
def test_settings_that_do_not_fit(ours, right, folder):
    tls, plain = "rediss://127.0.0.1:1", "redis://127.0.0.1:1"
    ctl = Mintctl(tls)
    table = [
        (plain, ("--redis-ca", ours.file), "--redis-ca: it is for a Redis that is reached over TLS: write rediss://"),
        (plain, ("--redis-cert", right.file, "--redis-key", right.key), "--redis-cert: it is for a Redis"),
        (plain, ("--redis-tls-name", "a.example"), "--redis-tls-name: it is for a Redis"),
        (plain, ("--redis-tls-insecure",), "--redis-tls-insecure: it is for a Redis"),
        (tls, ("--redis-cert", right.file), "--redis-cert: give the file of its key too, with --redis-key"),
        (tls, ("--redis-key", right.key), "--redis-key: give the file of the certificate too"),
        (tls, ("--redis-ca", "/no/ca"), "/no/ca: No such file"),
        (tls, ("--redis-ca", right.key), "no certificates in PEM"),
        (tls, ("--redis-cert", right.file, "--redis-key", ours.key), "does not belong"),
        (tls, ("--redis-tls-name", "*.example"), "--redis-tls-name"),
        (tls, ("--redis-tls-name", ""), "--redis-tls-name"),
        (tls.replace("127.0.0.1", "a..b"), (), "no certificate can be for its host"),
    ]
    for url, arguments, words in table:
        refused(run("--check", "--redis", url, *arguments), words)
        if "" not in arguments and "*.example" not in arguments:
            done = ctl("client", "list", "--redis", url, *arguments, status=2)
            assert words in done.err, (arguments, done)
    refused(run("--check", "--redis", "memory:", "--redis-ca", ours.file), "--redis-ca: it is for a Redis")
    refused(run("--check", "--redis", tls, env={"MINTD_REDIS_TLS_INSECURE": "1"}), "MINTD_REDIS_TLS_INSECURE", "yes or no")
    done = Mintctl(tls, env={"MINTD_REDIS_TLS_INSECURE": "1"})("client", "list", status=2)
    assert "yes or no" in done.err, done


@row("RT-20-good")
def test_settings_that_fit(ours, right):
    environment = {"MINTD_REDIS": "rediss://redis.example", "MINTD_REDIS_CA": ours.file, "MINTD_REDIS_CERT": right.file,
                   "MINTD_REDIS_KEY": right.key, "MINTD_REDIS_TLS_NAME": "redis.example", "MINTD_REDIS_TLS_INSECURE": "no"}
    assert run("--check", env=environment).returncode == 0
    for ca in ((), ("--redis-ca", os.path.dirname(ours.file)), ("--redis-ca=" + ours.file,)):
        assert run("--check", "--redis", "rediss://u:p-secret-1@[::1]:6380/2", *ca).returncode == 0
    shown = run("--check", "--redis-tls-insecure", "--redis", "rediss://u:p-secret-1@h").stdout
    assert "p-secret-1" not in shown and "rediss://u:***@h" in shown, shown


# ---- mintctl ----


@row("RT-21")
def test_doctor_says_what_is_spoken(redis_tls, ours, right):
    ctl = Mintctl(redis_tls, env={"MINTD_REDIS_CA": ours.file})

    def finding():
        return next(f for f in ctl.json("doctor", status=1)["findings"] if f["check"] == "tls")

    found = finding()
    assert found["result"] == "ok", found
    assert re.search(r"TLSv1.3, TLS_AES\w+ to .*expires in (29|30) days", found["text"]), found
    redis_tls.show(ours.issue(unique("soon"), "IP:127.0.0.1", days=3))
    found = finding()
    assert found["result"] == "warning" and re.search("expires in [23] days", found["text"]), found
