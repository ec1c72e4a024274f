"""Writes that wait for replicas (--redis-wait): what was answered 200 is not undone by a fail-over."""
import contextlib
import os
import signal
import threading
import time

import pytest

from support.clients import BA, install_clients, mint, token_key
from support.cluster import Cluster, slot_of
from support.http import form_request
from support.inquiry import check_revoked, revoke
from support.mintd import run
from support.oauth import check_unavailable, minted, row, use, wait_until
from support.prometheus import parse
from support.redis_server import RedisServer, TlsRedis
from support.sentinel import NAME, FakeSentinel
from support.slow_link import SlowLink
from support.tls import Authority
from support.wire import Wire

ROUNDS = int(os.environ.get("MINTD_DURABLE_ROUNDS", "12"))
IN_TIME = pytest.mark.redis_timeout(1000)


def server():
    return RedisServer("--repl-diskless-sync-delay", "0")


def follow(replica, master, port=None):
    """port: of a way to the master, where it is not its own."""
    known = len(master.cli("ROLE")[2])
    replica.cli("REPLICAOF", "127.0.0.1", str(port or master.port))
    wait_until(lambda: len(master.cli("ROLE")[2]) > known, 20, "the master knows the replica")
    wait_until(lambda: replica.cli("EXISTS", "mintd:clients") == 1, 20, "the replica has what the master has")


@contextlib.contextmanager
def replicated(replicas):
    """A master with clients, and its replicas."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server()) for _ in range(replicas + 1)]
        install_clients(servers[0])
        for replica in servers[1:]:
            follow(replica, servers[0])
        yield servers[0], servers[1:]


def start(start_mintd, redis, *arguments, nodes=1, **more):
    """Until the second links are up."""
    instance = start_mintd(*arguments, redis=redis, **more)
    instance.wait_for_store()
    wait_until(lambda: metric(instance, "mintd_store_durable_links_up") == nodes, 10, "the second links")
    return instance


def metric(instance, name, **labels):
    return parse(instance.request("GET", "/metrics").body)[name].value(**labels)


def waits(seen):
    """Without those of a greeting."""
    return [c for c in seen.commands() if c[0] == "WAIT" and c[1] != "0"]


def others_go_on(instance, token):
    assert mint(instance).status == 200
    assert use(instance, token).status == 200
    assert instance.request("GET", "/readyz").status == 200


# ---- a replica that does not answer ----


@IN_TIME
@row("DW-1")
def test_a_replica_stands_still(start_mintd):
    with replicated(1) as (master, (replica,)):
        instance = start(start_mintd, master, "--redis-wait", "1")
        token, other, third = (minted(instance)[0] for _ in range(3))
        check_revoked(revoke(instance, third))
        replica.pause()
        begun = time.monotonic()
        check_unavailable(revoke(instance, token))
        assert time.monotonic() - begun < 2
        assert metric(instance, "mintd_store_troubles_total", reason="noreplicas") == 1
        others_go_on(instance, other)
        wait_until(lambda: use(instance, token).status == 401, 2, "it is in force nonetheless")
        check_unavailable(revoke(instance, token))  # there is nothing left to delete, and it is not safe yet
        replica.resume()
        wait_until(lambda: revoke(instance, token).status == 200, 5, "the replica has it")
        assert not replica.cli("EXISTS", token_key(token))
        assert metric(instance, "mintd_store_connects_total") == 1


@IN_TIME
@row("DW-1")
def test_auto_wants_all_and_a_number_so_many(start_mintd):
    with replicated(2) as (master, (one, _)):
        all_of_them, any_of_them = (start(start_mintd, master, "--redis-wait", how) for how in ("auto", "1"))
        with master.monitor() as seen:
            check_revoked(revoke(all_of_them, minted(all_of_them)[0]))
            assert [c[1] for c in waits(seen)] == ["2"]
        one.pause()
        check_unavailable(revoke(all_of_them, minted(all_of_them)[0]))
        check_revoked(revoke(any_of_them, minted(any_of_them)[0]))
        one.resume()


@row("DW-3")
def test_auto_sees_replicas_come_and_go(start_mintd):
    with replicated(1) as (master, (replica,)):
        replica.cli("REPLICAOF", "NO", "ONE")
        wait_until(lambda: not master.cli("ROLE")[2], 10, "the master has none")
        instance = start(start_mintd, master, "--redis-wait", "auto")
        with master.monitor() as seen:
            check_revoked(revoke(instance, minted(instance)[0]))
            assert not waits(seen)
        follow(replica, master)
        with master.monitor() as seen:
            wait_until(lambda: revoke(instance, minted(instance)[0]).status == 200 and waits(seen), 5, "a WAIT")
        replica.cli("REPLICAOF", "NO", "ONE")
        wait_until(lambda: not master.cli("ROLE")[2], 10, "the master has none")
        wait_until(lambda: revoke(instance, minted(instance)[0]).status == 200, 5, "nothing is waited for")


# ---- a revocation that is asked for again ----


def of_a_batch(seen):
    """The names, without those of a greeting and of signs of life."""
    return [c[0] for c in seen.commands() if c[0] == "DEL" or c[0] == "WAIT" and c[1] != "0"
            or c[0] == "SETEX" and not c[1].startswith("mintd:instance:")]


@IN_TIME
@row("DW-9")
@pytest.mark.parametrize("memory", ((), ("--cache-size", "0")), ids=("memory", "no-memory"))
def test_another_one_is_asked_again(start_mintd, memory):
    """Its deletion finds nothing and writes nothing: from Redis 7.2 on WAIT alone would be about nothing."""
    with replicated(1) as (master, (replica,)):
        one, other = (start(start_mintd, master, "--redis-wait", "1", *memory) for _ in range(2))
        token, _ = minted(one)
        replica.pause()
        for instance in (one, other, other, one):
            check_unavailable(revoke(instance, token))
        replica.resume()
        wait_until(lambda: revoke(other, token).status == 200, 5, "the replica has it")
        assert not replica.cli("EXISTS", token_key(token))
        with master.monitor() as seen:
            check_revoked(revoke(one, token))
            assert of_a_batch(seen) == ["DEL", "WAIT", "SETEX", "WAIT"]
            assert ["SETEX", "mintd:wait", "1", ""] in seen.commands()
        with master.monitor() as seen:
            check_revoked(revoke(one, minted(one)[0]))
            assert of_a_batch(seen)[-2:] == ["DEL", "WAIT"] and ["SETEX", "mintd:wait", "1", ""] not in seen.commands()


@row("DW-9")
def test_no_room_for_what_stands_for_it(start_mintd):
    with replicated(1) as (master, _):
        instance = start(start_mintd, master, "--redis-wait", "1")
        token, other = minted(instance)[0], minted(instance)[0]
        check_revoked(revoke(instance, token))
        master.cli("CONFIG", "SET", "maxmemory", "1")
        check_unavailable(revoke(instance, token))
        assert metric(instance, "mintd_store_troubles_total", reason="oom") == 1
        check_revoked(revoke(instance, other))  # it is there to be deleted
        master.cli("CONFIG", "SET", "maxmemory", "0")
        check_revoked(revoke(instance, token))


# ---- a master that dies ----


class Mortal:
    """A master and a replica behind a slow way, a Sentinel that names the master, and mintd; each death of the
    master promotes the replica."""

    def __init__(self, stack):
        self._stack = stack
        self.master, self._replica = (stack.enter_context(server()) for _ in range(2))
        self._sentinel = stack.enter_context(FakeSentinel(port=self.master.port, epoch=1))
        self._epoch = 1
        install_clients(self.master)
        self._attach()

    @property
    def url(self):
        return "redis+sentinel://127.0.0.1:%d/%s" % (self._sentinel.port, NAME)

    def _attach(self):
        link = self._stack.enter_context(SlowLink(self.master.port, 0.04))
        follow(self._replica, self.master, link.port)

    def has_copy(self, token):
        return lambda: self._replica.cli("EXISTS", token_key(token)) == 1

    def die(self):
        """By kill -9, at once; the other one is the master then, and this one its replica."""
        os.kill(self.master.pid, signal.SIGKILL)
        self._replica.cli("REPLICAOF", "NO", "ONE")
        self.master, self._replica = self._replica, self.master
        self._epoch += 1
        self._sentinel.names(self.master.port, self._epoch)
        self._replica.restart()
        self._attach()


def undone(start_mintd, *arguments):
    """How many revocations the death of the master right after the answer undoes."""
    count = 0
    with contextlib.ExitStack() as stack:
        redis = Mortal(stack)
        instance = start(start_mintd, redis.url, *arguments, nodes=1 if arguments else 0)
        for _ in range(ROUNDS):
            token, _ = minted(instance)
            wait_until(redis.has_copy(token), 10, "the replica has the token")
            with Wire(instance.address) as wire:
                assert wire.ask(form_request("/revoke", [("token", token)], [BA]))[0] == 200
                redis.die()
            wait_until(lambda: mint(instance).status == 200, 15, "it serves again")
            wait_until(lambda: not arguments or metric(instance, "mintd_store_durable_links_up") == 1, 10)
            status = use(instance, token).status
            assert status in (200, 401)
            count += status == 200
        instance.stop()
    return count


@pytest.mark.lengthy
@row("DW-2")
def test_no_fail_over_undoes_a_revocation(start_mintd):
    """With -s it prints both numbers, of MINTD_DURABLE_ROUNDS fail-overs each."""
    without, waited = undone(start_mintd), undone(start_mintd, "--redis-wait", "1")
    print("\nrevocations undone by %d fail-overs: %d without --redis-wait, %d with --redis-wait 1" % (
        ROUNDS, without, waited))
    assert waited == 0 and without > 0


@row("DW-2")
def test_a_master_becomes_a_replica_meanwhile(start_mintd):
    with replicated(1) as (master, (replica,)):
        instance = start(start_mintd, master, "--redis-wait", "1")
        token, _ = minted(instance)
        replica.pause()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(revoke(instance, token).status))
        with master.monitor() as seen:
            asking.start()
            wait_until(lambda: waits(seen), 5, "a WAIT is under way")
        master.cli("REPLICAOF", "127.0.0.1", "1")
        asking.join()
        assert answers == [503]
        assert metric(instance, "mintd_store_troubles_total", reason="readonly") >= 1
        replica.resume()
        master.cli("REPLICAOF", "NO", "ONE")
        wait_until(lambda: revoke(instance, token).status == 200, 10, "it is the master again")


# ---- batches ----


@row("DW-4")
def test_many_share_one_wait(start_mintd):
    each, threads = 6, 32
    with replicated(0) as (master, _), contextlib.ExitStack() as stack:
        link = stack.enter_context(SlowLink(master.port, 0.02))
        follow(stack.enter_context(server()), master, link.port)
        instance = start(start_mintd, master, "--redis-wait", "1")
        tokens = [minted(instance)[0] for _ in range(each * threads)]
        statuses = []

        def revoke_some(mine):
            with Wire(instance.address) as wire:
                statuses.extend(wire.ask(form_request("/revoke", [("token", one)], [BA]))[0] for one in mine)

        with master.monitor() as seen:
            crowd = [threading.Thread(target=revoke_some, args=(tokens[i::threads],)) for i in range(threads)]
            for one in crowd:
                one.start()
            for one in crowd:
                one.join()
            commands = seen.commands()
        assert statuses == [200] * len(tokens)
        assert sum(c[0] == "DEL" for c in commands) == len(tokens)
        assert 1 <= sum(c[0] == "WAIT" for c in commands) <= len(tokens) / 3
        assert not master.tokens()


# ---- mints ----


@IN_TIME
@row("DW-5")
def test_mints_wait_too(start_mintd):
    with replicated(1) as (master, (replica,)):
        instance = start(start_mintd, master, "--redis-wait", "1", "--redis-wait-mints")
        token, _ = minted(instance)
        assert replica.cli("EXISTS", token_key(token)) == 1
        with master.monitor() as seen:
            minted(instance)
            names = [c[0] for c in seen.commands()]
        assert names.count("SETEX") == 1 and names.count("WAIT") == 1 and "PING" in names
        replica.pause()
        check_unavailable(mint(instance))
        assert use(instance, token).status == 200
        replica.resume()
        wait_until(lambda: mint(instance).status == 200, 5, "the replica answers")


@row("DW-5")
def test_mints_wait_without_memory(start_mintd):
    with replicated(1) as (master, (replica,)):
        instance = start(start_mintd, master, "--redis-wait", "auto", "--redis-wait-mints", "--cache-size", "0")
        with master.monitor() as seen:
            token, _ = minted(instance)
            assert len(waits(seen)) == 1
        assert replica.cli("EXISTS", token_key(token)) == 1


# ---- what cannot be had ----


@row("DW-6")
def test_no_right_to_wait(start_mintd):
    with replicated(1) as (master, _):
        master.cli("ACL", "SETUSER", "default", "-wait")
        instance = start_mintd("--redis-wait", "1", redis=master)
        instance.wait_for_store()
        said = instance.wait_for_log("redis refuses to wait for replicas: writes that wait are 503; check the user's "
                                     "rights")
        assert said["reason"] == "its user has no right to WAIT"
        token, other = minted(instance)[0], minted(instance)[0]
        check_unavailable(revoke(instance, token))
        others_go_on(instance, other)
        master.cli("ACL", "SETUSER", "default", "+wait")
        wait_until(lambda: revoke(instance, token).status == 200, 5, "it may by now")


def can_wait_for_files(redis):
    return "waitaof" in redis.cli("COMMAND", "LIST", "FILTERBY", "PATTERN", "waitaof")


@pytest.mark.redis_timeout(3000)
@row("DW-6")
def test_files(start_mintd):
    with replicated(0) as (redis, _):
        instance = start_mintd("--redis-wait-aof", redis=redis)
        instance.wait_for_store()
        said = instance.wait_for_log("redis cannot be asked to wait for replicas: writes that wait are 503")
        token, other = minted(instance)[0], minted(instance)[0]
        check_unavailable(revoke(instance, token))
        others_go_on(instance, other)
        if not can_wait_for_files(redis):
            assert "Redis 7.2" in said["reason"]
            return
        assert "appendonly yes" in said["reason"]
        redis.cli("CONFIG", "SET", "appendonly", "yes")
        wait_until(lambda: revoke(instance, token).status == 200, 10, "its file has it")
        with redis.monitor() as seen:
            check_revoked(revoke(instance, other))
            assert [c[:3] for c in seen.commands() if c[0] == "WAITAOF"] == [["WAITAOF", "1", "0"]]


@row("DW-6")
def test_settings_that_do_not_fit():
    for arguments, what in ((["--redis-wait", "17"], "--redis-wait"), (["--redis-wait", "all"], "--redis-wait"),
                            (["--redis-wait-mints"], "--redis-wait-mints"),
                            (["--redis-wait", "1", "--redis", "memory:"], "--redis-wait"),
                            (["--redis-wait-aof", "--redis", "memory:"], "--redis-wait-aof")):
        done = run(*arguments, "--check")
        assert done.returncode == 2 and done.stderr.startswith("mintd: " + what + ":"), arguments


# ---- TLS, and a password that ends ----


@row("DW-8")
def test_the_second_link_is_for_the_same_name(start_mintd, tmp_path):
    """It goes to the address of the first, and the certificate has the name alone."""
    ours = Authority(str(tmp_path), "ours")
    with TlsRedis(ours.issue("named", "DNS:localhost"), ours.file, "--repl-diskless-sync-delay", "0") as redis:
        install_clients(redis)
        url = redis.url.replace("127.0.0.1", "localhost")
        instance = start(start_mintd, url, "--redis-ca", ours.file, "--redis-wait", "auto")
        check_revoked(revoke(instance, minted(instance)[0]))
        redis.drop_clients()
        wait_until(lambda: mint(instance).status == 200, 5, "it is back")
        wait_until(lambda: revoke(instance, minted(instance)[0]).status == 200, 5, "and so is the second link")


@row("DW-8")
def test_both_links_say_a_new_password(start_mintd, own_redis, tmp_path):
    file = tmp_path / "password"

    def change(number):
        own_redis.cli("ACL", "SETUSER", "issuer", "on", "~*", "&*", "+@all", ">canary-%d" % number)
        file.write_text("canary-%d\n" % number)

    change(1)
    instance = start(start_mintd, "redis://issuer@127.0.0.1:%d" % own_redis.port, "--redis-password-file", str(file),
                     "--redis-wait", "auto")
    check_revoked(revoke(instance, minted(instance)[0]))
    with own_redis.monitor() as seen:  # AUTH itself is not shown
        change(2)
        instance.signal(signal.SIGHUP)
        wait_until(lambda: sum(c == ["PING", "mintd"] for c in seen.commands()) == 2, 5, "both have said it")
    own_redis.cli("ACL", "SETUSER", "issuer", "<canary-1")
    own_redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: mint(instance).status == 200, 5, "it is back")
    wait_until(lambda: revoke(instance, minted(instance)[0]).status == 200, 5, "and so is the second link")


# ---- a cluster ----


@pytest.fixture(scope="module")
def cluster():
    with Cluster(3, replicas=1) as one:
        install_clients(one)
        yield one


def token_on(instance, cluster, node):
    """One that this node has."""
    return wait_until(lambda: next((t for t in [minted(instance)[0]] if cluster.owner(token_key(t)) is node), None), 10)


@IN_TIME
@row("DW-7")
def test_a_cluster_waits_node_by_node(start_mintd, cluster):
    instance = start(start_mintd, cluster, "--redis-wait", "1", nodes=3)
    a, b, _ = cluster.masters
    for node in cluster.masters:
        token = token_on(instance, cluster, node)
        with node.monitor() as seen:
            check_revoked(revoke(instance, token))
            assert len(waits(seen)) == 1
    replica, = cluster.replicas_of(a)
    on_a, on_b = token_on(instance, cluster, a), token_on(instance, cluster, b)
    replica.pause()
    check_unavailable(revoke(instance, on_a))
    check_revoked(revoke(instance, on_b))
    replica.resume()
    wait_until(lambda: revoke(instance, on_a).status == 200, 5, "its replica answers")


@IN_TIME
@row("DW-9")
def test_a_node_is_asked_again(start_mintd, cluster):
    one, other = (start(start_mintd, cluster, "--redis-wait", "1", nodes=3) for _ in range(2))
    for node in cluster.masters:
        token, (replica,) = token_on(one, cluster, node), cluster.replicas_of(node)
        replica.pause()
        check_unavailable(revoke(one, token))
        check_unavailable(revoke(other, token))
        replica.resume()
        wait_until(lambda one_token=token: revoke(other, one_token).status == 200, 5, "its replica has it")
        with node.monitor() as seen:
            check_revoked(revoke(other, token))
            assert of_a_batch(seen) == ["DEL", "WAIT", "SETEX", "WAIT"]
            assert ["SETEX", "mintd:wait:{%s}" % token_key(token), "1", ""] in seen.commands()


@row("DW-9")
def test_what_is_not_there_moves(start_mintd, cluster):
    """ASK: what stands for it goes to the same node, behind ASKING too."""
    instance = start(start_mintd, cluster, "--redis-wait", "1", nodes=3)
    a, b, _ = cluster.masters
    token = token_on(instance, cluster, a)
    check_revoked(revoke(instance, token))
    move = cluster.begin_move(slot_of(token_key(token)), b)
    with b.monitor() as seen:
        check_revoked(revoke(instance, token))
        names = [c[0] for c in seen.commands() if c[0] == "ASKING" or c[0] in ("DEL", "SETEX") or c in waits(seen)]
        assert names[-6:] == ["ASKING", "DEL", "WAIT", "ASKING", "SETEX", "WAIT"]
    move.end()
    cluster.move_slot(slot_of(token_key(token)), a)


@row("DW-7")
def test_a_slot_moves(start_mintd, cluster):
    """MOVED and ASK lead to the second link of the other node: there is a WAIT behind what is sent on."""
    instance = start(start_mintd, cluster, "--redis-wait", "1", "--redis-wait-mints", nodes=3)
    a, b, _ = cluster.masters
    token, asked = token_on(instance, cluster, a), token_on(instance, cluster, a)
    with b.monitor() as seen:
        move = cluster.begin_move(slot_of(token_key(asked)), b)
        move.take(token_key(asked))
        check_revoked(revoke(instance, asked))
        assert len(waits(seen)) == 1 and any(c[0] == "ASKING" for c in seen.commands())
        move.end()
    with b.monitor() as seen:
        cluster.move_slot(slot_of(token_key(token)), b)
        check_revoked(revoke(instance, token))
        assert len(waits(seen)) == 1
    assert not cluster.tokens() & {token_key(token), token_key(asked)}
    cluster.mend()


@pytest.mark.lengthy
@row("DW-7")
def test_no_node_that_dies_undoes_a_revocation(start_mintd):
    with Cluster(3, replicas=1) as cluster:
        install_clients(cluster)
        instance = start(start_mintd, cluster, "--redis-wait", "1", nodes=3)
        for node in cluster.masters[:2]:
            replica, = cluster.replicas_of(node)
            token = token_on(instance, cluster, node)
            with Wire(instance.address) as wire:
                assert wire.ask(form_request("/revoke", [("token", token)], [BA]))[0] == 200
                os.kill(node.pid, signal.SIGKILL)
            node.kill()
            cluster.wait_until_promoted(replica)
            wait_until(lambda one=token: use(instance, one).status == 401, 10, "it is refused")
            check_unavailable(revoke(instance, token_on(instance, cluster, replica)))  # it has no replica itself
