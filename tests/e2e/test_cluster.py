"""A Redis Cluster (redis+cluster://): token, client and generation on different nodes; nodes that die, come and go.

One lost node is 503 for what it has, and for nothing else. Slots that move: test_cluster_slots.py; nodes that lie:
test_cluster_fake.py.
"""
import re
import time

import pytest

from support.clients import G, RS_1, SVC_A, basic, install_clients, mint, token_key, token_of
from support.cluster import NODE_TIMEOUT_MS, Cluster, slot_of, wait_for_nodes, wait_for_views
from support.load import Load, Wires, mint_request, revoke_request, told, use_request
from support.mintctl import Mintctl
from support.mintd import run
from support.oauth import check_unavailable, check_welcome, forged_token, post, row, rows, sha256_phc, use, wait_until
from support.prometheus import parse
from support.redis_server import RedisServer, free_port
from support.timing import scaled
from support.tls import Authority

LATE = 2.0  # how long a yes may outlive a change
BACK_WITHIN = 1.0  # of the moment that a replica is the master
WORKERS = 2
GENERATION = "mintd:generation"


@pytest.fixture(scope="module")
def shared():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    """Three masters; leave them running."""
    install_clients(shared)
    yield shared
    shared.mend()


@pytest.fixture
def own_cluster():
    """Three masters of this test alone, that keep their data."""
    with Cluster(options=("--appendonly", "yes", "--appendfsync", "always")) as cluster:
        install_clients(cluster)
        yield cluster


@pytest.fixture
def with_replicas():
    with Cluster(3, replicas=1) as cluster:
        install_clients(cluster)
        yield cluster


@pytest.fixture
def start(start_mintd):
    def start_one(cluster, *arguments, workers=WORKERS, **more):
        instance = start_mintd(*arguments, redis=getattr(cluster, "url", cluster), workers=workers, **more)
        instance.wait_for_store()
        wait_for_nodes(instance, workers)
        return instance
    return start_one


def metric(instance, name):
    return parse(instance.request("GET", "/metrics").body)[name].value()


def links_of(node):
    """Of mintd to this node: the lines of CLIENT LIST."""
    return [line for line in node.cli("CLIENT", "LIST", "TYPE", "normal").splitlines()
            if "laddr=127.0.0.1:%d" % node.port in line]


def tracked_links_of(node):
    return [line for line in links_of(node) if re.search(r" flags=\w*t\w* ", line)]


def refused_by(instance, raw, within=LATE):
    """By each worker, and from then on."""
    with Wires(instance) as wires:
        wait_until(lambda: wires.ask(raw) == {401}, within, "each worker refuses it")
        assert wires.ask(raw) == {401}


def accepted_by(instance, raw, within=LATE):
    with Wires(instance) as wires:
        wait_until(lambda: wires.ask(raw) == {200}, within, "each worker accepts it")


def copies_are_made(node):
    """What it was told so far its replica has too."""
    assert node.cli("WAIT", 1, 2000) == 1


# ---- what lies where ----


@row("RC-1")
def test_token_client_and_generation_on_any_nodes(start, cluster):
    """Each of the nine ways, over two instances: minted, used, told of, revoked."""
    one, two = start(cluster), start(cluster)
    inspector = RS_1.basic()
    for client_node in cluster.nodes:
        client = cluster.make_client(client_node)
        for token_node in cluster.nodes:
            token = cluster.token_on(token_node, one, client)
            assert token_node.cli("EXISTS", token_key(token)) == 1
            for instance in (one, two):
                check_welcome(use(instance, token), client.id)
                told = post(instance, "/introspect", [("token", token)], inspector).json()
                assert told["active"] and told["client_id"] == client.id, told
            assert one.exchange(revoke_request(token, client)).status == 200
            refused_by(one, use_request(token), within=0)
            refused_by(two, use_request(token))
            assert token_node.cli("EXISTS", token_key(token)) == 0
    assert use(one, forged_token()).status == 401
    assert mint(one, client).status == 200 and post(two, "/token", G, basic(client.id, "wrong")).status == 401
    assert post(two, "/token", G, basic("nobody", "x")).status == 401


CHANGES = dict(
    token=lambda cluster, client, token: cluster.cli("DEL", token_key(token)),
    removed=lambda cluster, client, token: cluster.cli("DEL", "mintd:client:" + client.id),
    disabled=lambda cluster, client, token: cluster.cli("HSET", "mintd:client:" + client.id, "disabled", "1"),
    generation=lambda cluster, client, token: cluster.cli("HINCRBY", "mintd:client:" + client.id, "gen", "1"),
    everybody=lambda cluster, client, token: cluster.cli("INCR", GENERATION),
)


@rows("RC-2", **CHANGES)
def test_a_change_at_any_node_is_seen_by_all(start, cluster, case):
    """What the workers of two instances remember."""
    instances = [start(cluster), start(cluster)]
    for number, node in enumerate(cluster.nodes):
        client = cluster.make_client(node)
        token = cluster.token_on(cluster.nodes[number - 1], instances[0], client)
        for instance in instances:
            accepted_by(instance, use_request(token))
        case(cluster, client, token)
        for instance in instances:
            refused_by(instance, use_request(token), within=0.5)


@row("RC-2-secret")
def test_a_secret_replaced_at_any_node(start, cluster):
    instances = [start(cluster), start(cluster)]
    for node in cluster.nodes:
        client = cluster.make_client(node)
        for instance in instances:
            accepted_by(instance, mint_request(client))
        cluster.cli("HSET", "mintd:client:" + client.id, "secret:1", sha256_phc("another"))
        for instance in instances:
            refused_by(instance, mint_request(client), within=0.5)
            assert post(instance, "/token", G, basic(client.id, "another")).status == 200


@row("RC-3")
def test_memory_works_on_each_node(start, cluster):
    """Each worker is told by each node, and what all of them have is asked for once."""
    instance = start(cluster)
    wait_until(lambda: metric(instance, "mintd_cache_on") == WORKERS, 5)
    raws = [use_request(cluster.token_on(node, instance, cluster.make_client(other)))
            for node in cluster.nodes for other in cluster.nodes]
    with Wires(instance) as wires:
        for raw in raws:
            assert wires.ask(raw) == {200}
        for node in cluster.nodes:
            assert len(tracked_links_of(node)) == len(links_of(node)) == WORKERS, node.cli("CLIENT", "LIST")
        monitors = [node.monitor() for node in cluster.nodes]
        hits, misses = metric(instance, "mintd_cache_hits_total"), metric(instance, "mintd_cache_misses_total")
        for raw in raws * 5:
            assert wires.ask(raw) == {200}
        asked = [command for monitor in monitors for command in monitor.requests()]
        for monitor in monitors:
            monitor.close()
    assert asked == [], asked[:10]
    assert metric(instance, "mintd_cache_misses_total") == misses
    assert metric(instance, "mintd_cache_hits_total") >= hits + 3 * 5 * len(raws)


@row("RC-3-without")
def test_without_memory_each_request_asks(start, cluster):
    instance = start(cluster, "--cache-size", "0")
    for node, other in zip(cluster.nodes, cluster.nodes[1:] + cluster.nodes[:1]):
        client = cluster.make_client(other)
        token = cluster.token_on(node, instance, client)
        assert use(instance, token).status == 200
        cluster.cli("DEL", token_key(token))
        refused_by(instance, use_request(token), within=0)
        cluster.cli("DEL", "mintd:client:" + client.id)
        assert mint(instance, client).status == 401


@row("RC-4")
def test_a_mint_is_one_write_and_a_question_to_each_other_owner(start, cluster):
    """From memory: what it rests on is asked for at its owner, and nothing else."""
    a, b, c = cluster.nodes
    client = cluster.make_client(c)
    instance = start(cluster, workers=1)
    token_of(instance, client)
    monitors = [node.monitor() for node in cluster.nodes]
    token = token_of(instance, client)
    seen = [monitor.requests() for monitor in monitors]
    for monitor in monitors:
        monitor.close()
    owner = cluster.nodes.index(cluster.owner(token_key(token)))
    assert [command[:2] for command in seen[owner] if command[0] == "SETEX"] == [["SETEX", token_key(token)]]
    asked = sorted(command for commands in seen for command in commands if command[0] not in ("SETEX", "MULTI", "EXEC"))
    asked = [command for command in asked if command[:1] not in (["HSET"], ["HEXISTS"])]  # when its secret was used last
    assert len(asked) <= 2 and asked == sorted(["EXISTS", key] for key in {command[1] for command in asked}), seen
    assert {command[1] for command in asked} <= {GENERATION, "mintd:client:" + client.id}, seen
    assert ["EXISTS", "mintd:client:" + client.id] in seen[2] and ["EXISTS", GENERATION] in seen[1], seen


@row("RC-5")
def test_clients_of_the_command_line_are_made_on_any_node(start, cluster):
    """MULTI … EXEC, at the node that has the slot."""
    for node in cluster.nodes:
        name = next(cluster.names_on(node, prefix="made"))
        instance = start(cluster, "--client", name + ":s3cret-made:read", workers=1)
        wait_until(lambda: post(instance, "/token", G, basic(name, "s3cret-made")).status == 200, 5)
        assert node.cli("HGET", "mintd:client:" + name, "scope") == "read"
        assert [key for key in cluster.keys("*") if "new:" in key] == []


@row("RC-6")
def test_failures_are_counted_on_any_node(start, cluster):
    """Over two instances: the count is where its key is."""
    instances = [start(cluster, "--failure-limit", "3", workers=1) for _ in range(2)]
    for node in cluster.nodes:
        client = cluster.make_client(cluster.nodes[0])
        name = next(cluster.names_on(node, form="mintd:fail:%s:127.0.0.1", prefix=client.id))
        cluster.cli("HSET", "mintd:client:" + name, "secret:1", sha256_phc("right"))
        wrong = [post(instances[turn % 2], "/token", G, basic(name, "wrong")).status for turn in range(5)]
        assert wrong == [401, 401, 401, 429, 429], wrong
        assert int(node.cli("GET", "mintd:fail:%s:127.0.0.1" % name)) >= 3
        assert 0 < node.cli("TTL", "mintd:fail:%s:127.0.0.1" % name) <= 60


@pytest.mark.lengthy
@row("RC-7")
def test_the_use_of_a_secret_is_noted_on_any_node(start, cluster):
    instance = start(cluster)
    clients = [cluster.make_client(node) for node in cluster.nodes]
    for client in clients:
        token_of(instance, client)
    for client in clients:
        wait_until(lambda: cluster.cli("HEXISTS", "mintd:client:" + client.id, "secret:1:used"), 15, "its use is noted")


@row("RC-8")
def test_mintctl_works_on_all_nodes(start, cluster):
    ctl = Mintctl(cluster)
    instances = [start(cluster, name=next(cluster.names_on(node, form="mintd:instance:%s")), workers=1)
                 for node in cluster.nodes]
    for node in cluster.nodes:
        name = next(cluster.names_on(node, prefix="ctl"))
        secret = ctl.secret("client", "add", name, "--scope", "read")
        assert node.cli("EXISTS", "mintd:client:" + name) == 1
        assert name in ctl("client", "list").out and name in ctl("client", "show", name).out
        token = post(instances[0], "/token", G, basic(name, secret)).json()["access_token"]
        assert name in ctl("token", "show", "-", stdin=token).out
        assert "accepted" in ctl("explain", "-", stdin=token).out
        ctl("token", "revoke", "-", stdin=token)
        refused_by(instances[1], use_request(token))
        ctl("client", "disable", name)
        wait_until(lambda: post(instances[2], "/token", G, basic(name, secret)).status == 401, LATE)
        ctl("client", "enable", name)
        again = ctl.secret("client", "rotate", name)
        assert post(instances[0], "/token", G, basic(name, again)).status == 200
        token = ctl.secret("token", "mint", name)
        accepted_by(instances[0], use_request(token))
        ctl("token", "revoke-all", name)
        refused_by(instances[0], use_request(token))
        ctl("client", "remove", name, "--yes")
        assert name not in ctl("client", "list").out
    token = token_of(instances[0])
    ctl("token", "revoke-all", "--everybody", "--yes")
    refused_by(instances[2], use_request(token))
    status = ctl.json("status")
    assert {one["name"] for one in status["instances"]} == {
        line["name"] for instance in instances for line in [parse_build_info(instance)]}, status


def parse_build_info(instance):
    return parse(instance.request("GET", "/metrics").body)["mintd_build_info"].samples[0].labels


@row("RC-8-doctor")
def test_doctor_looks_at_all_nodes(cluster):
    ctl = Mintctl(cluster)
    told = ctl.run("doctor").out
    for node in cluster.nodes:
        assert node.address in told, told
    odd = cluster.nodes[1]
    odd.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = ctl.json("doctor", status=1)["findings"]
    finally:
        odd.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    bad = [one for one in found if one["check"] == "eviction" and odd.address in str(one)]
    assert bad, found
    cluster.give_up(7, 7)
    done = ctl.run("doctor", "--json")
    assert done.status == 1 and "slot" in done.out, done


# ---- nodes are lost ----


class Three:
    """A client and a token of svc-… on each node: what a lost node takes with it, and what not."""

    def __init__(self, cluster, instance):
        self.cluster, self.instance = cluster, instance
        self.clients = {node: cluster.make_client(node) for node in cluster.masters}
        self.tokens = {(of, on): cluster.token_on(on, instance, client)
                       for of, client in self.clients.items() for on in cluster.masters}

    def uses(self, condition):
        return {"use-%d" % number: use_request(token)
                for number, (place, token) in enumerate(self.tokens.items()) if condition(*place)}

    def beside(self, lost):
        return self.uses(lambda of, on: lost not in (of, on))

    def of(self, lost):
        return self.uses(lambda of, on: lost in (of, on))


def name_beside(cluster, lost):
    """Of an instance, whose heartbeat does not need that node."""
    return next(name for name in cluster.names_on(next(n for n in cluster.masters if n is not lost), form="mintd:instance:%s"))


@rows("RC-10", killed="kill", silent="pause")
def test_a_lost_node_is_503_for_its_keys_alone(start, own_cluster, case):
    """cluster-require-full-coverage no. All others are answered 200 all the while, and it is said who is away."""
    lost = own_cluster.nodes[2]
    instance = start(own_cluster, name=name_beside(own_cluster, lost))
    three = Three(own_cluster, instance)
    for raw in three.uses(lambda *_: True).values():
        accepted_by(instance, raw)
    others = {**three.beside(lost)}
    with Load(instance, **others) as load:
        load.warm_up()
        getattr(lost, case)()
        # Each worker trusts its copies for 2 s: all of them have to have given up.
        for raw in three.of(lost).values():
            wait_until(lambda: {instance.exchange(raw).status for _ in range(30)} == {503}, 2 * LATE,
                       "what it has is 503")
        for raw in three.of(lost).values():
            check_unavailable(instance.exchange(raw))
        check_unavailable(mint(instance, three.clients[lost]))
        unknown = next(own_cluster.names_on(lost, prefix="unknown"))
        check_unavailable(post(instance, "/token", G, basic(unknown, "x")))
        unknown = next(own_cluster.names_on(own_cluster.nodes[0], prefix="unknown"))
        assert post(instance, "/token", G, basic(unknown, "x")).status == 401
        here = three.clients[own_cluster.nodes[0]]
        wait_until(lambda: {mint(instance, here).status for _ in range(30)} == {200}, LATE, "no new token lies there")
        ready = instance.request("GET", "/readyz")
        assert ready.status == 200 and lost.address in ready.body.decode(), ready
        load.wait_for_more()
        time.sleep(NODE_TIMEOUT_MS / 1000 + 0.5)  # the others have noticed it too
        for raw in three.of(lost).values():
            check_unavailable(instance.exchange(raw))
        load.wait_for_more()
        lost.start() if case == "kill" else lost.resume()
        for raw in three.of(lost).values():
            wait_until(lambda: instance.exchange(raw).status == 200, 10, "what it has is there again")
        assert mint(instance, three.clients[lost]).status == 200
        load.wait_for_more()
    assert load.statuses() == {200}, "a node that was not lost was felt"
    wait_until(lambda: lost.address not in instance.request("GET", "/readyz").body.decode(), 3)


@row("RC-11")
def test_the_node_of_the_generation_is_everybodys(start, own_cluster):
    """Without it nobody can tell: 503 within 2 s, and never 401."""
    lost = own_cluster.owner(GENERATION)
    instance = start(own_cluster, name=name_beside(own_cluster, lost))
    three = Three(own_cluster, instance)
    with Load(instance, **three.beside(lost)) as load:
        load.warm_up()
        lost.kill()
        load.wait_for(503, *load.answers, since=time.monotonic(), within=LATE + 1)
        lost.start()
        load.wait_for(200, *load.answers, since=time.monotonic(), within=10)
    assert load.statuses() == {200, 503}


@row("RC-12")
def test_a_replica_is_nobodys(start, with_replicas):
    """Nothing is asked of it; it may die."""
    instance = start(with_replicas)
    token = token_of(instance)
    replicas = [node for node in with_replicas.nodes if node.role() == "slave"]
    with Load(instance, use=use_request(token), mint=mint_request(SVC_A)) as load:
        load.warm_up()
        assert [links_of(replica) for replica in replicas] == [[], [], []]
        for replica in replicas:
            replica.kill()
        load.wait_for_more(50)
    assert load.statuses() == {200}


@row("RC-13")
def test_more_than_half_are_away(start, own_cluster):
    """/readyz says no, and why; it is back without a restart."""
    a, b, c = own_cluster.nodes
    instance = start(own_cluster, name=next(own_cluster.names_on(a, form="mintd:instance:%s")))
    assert instance.request("GET", "/readyz").status == 200
    b.kill()
    c.kill()
    wait_until(lambda: instance.request("GET", "/readyz").status == 503, 5)
    wait_until(lambda: instance.request("GET", "/readyz").json()["reason"] in ("disconnected", "cluster"), 5)
    b.start()
    c.start()
    wait_until(lambda: instance.request("GET", "/readyz").status == 200, 15)
    wait_until(lambda: mint(instance).status == 200, 5)


# ---- fail-overs ----


def watched(cluster, lost, instance):
    """(load, what does not need the lost node, what does)"""
    three = Three(cluster, instance)
    a = next(node for node in cluster.masters if node is not lost and node is not cluster.owner(GENERATION))
    beside = {"beside-" + name: raw for name, raw in three.beside(lost).items()}
    felt = {"token": use_request(three.tokens[a, lost]), "client": use_request(three.tokens[lost, a]),
            "mint": mint_request(three.clients[lost])}
    return Load(instance, **beside, **felt), list(beside), list(felt), three


@pytest.mark.lengthy
@rows("RC-20", killed="kill", silent="pause")
def test_a_fail_over_under_load(start, with_replicas, case):
    """For the keys of that node: back within a second of the promotion. For all others: nothing."""
    cluster = with_replicas
    lost = cluster.nodes[2]
    replica = cluster.replicas_of(lost)[0]
    instance = start(cluster, name=name_beside(cluster, lost))
    load, beside, felt, three = watched(cluster, lost, instance)
    copies_are_made(lost)
    with load:
        load.warm_up()
        getattr(lost, case)()
        began = time.monotonic()
        load.wait_for(503, *felt, since=began, within=LATE + 1)
        promoted = cluster.wait_until_promoted(replica)
        back = load.wait_for(200, "token", "client", since=promoted, within=BACK_WITHIN)
        print("Redis had a new master after %.2f s, mintd was back %.2f s later" % (promoted - began, back))
        assert promoted + back - began <= max(NODE_TIMEOUT_MS / 1000 + 2, promoted - began + scaled(BACK_WITHIN))
        wait_until(lambda: {status for _, _, status in load.answers["mint"][-20:]} == {200}, BACK_WITHIN + 1)
        replica.cli("DEL", token_key(three.tokens[lost, lost]))
        load.wait_for_more()
    assert load.statuses(*beside) == {200}, "it was felt where it was not"
    assert load.statuses(*felt) <= {200, 503}, "a good one was refused"
    refused_by(instance, use_request(three.tokens[lost, lost]))
    if case == "pause":  # it wakes, and takes itself for the master for a moment
        lost.resume()
        awake = time.monotonic()
        with Wires(instance) as wires:
            while time.monotonic() - awake < 2:
                assert wires.ask(use_request(three.tokens[lost, lost])) == {401}
                assert wires.ask(use_request(three.tokens[lost, three.cluster.nodes[0]])) == {200}
    assert instance.is_alive


@row("RC-21")
def test_fail_overs_that_an_operator_asks_for(start, with_replicas):
    """There and back, under load: nobody is refused, and hardly anybody waits."""
    cluster = with_replicas
    lost = cluster.nodes[2]
    instance = start(cluster)
    load, beside, felt, _ = watched(cluster, lost, instance)
    copies_are_made(lost)
    with load:
        load.warm_up()
        master = lost
        for _ in range(2):
            new = cluster.fail_over(master)
            load.wait_for(200, *felt, since=time.monotonic(), within=BACK_WITHIN)
            cluster.settle()
            master = new
        load.wait_for_more()
    assert load.statuses(*beside) == {200}
    assert load.statuses(*felt) <= {200, 503}


@row("RC-22")
def test_a_revocation_behind_a_fail_over_is_seen_by_all(start, with_replicas):
    cluster = with_replicas
    instances = [start(cluster), start(cluster)]
    for node in cluster.masters:
        client = cluster.make_client(node)
        tokens = [cluster.token_on(node, instances[0], client) for _ in range(2)]
        copies_are_made(node)
        for instance in instances:
            for token in tokens:
                accepted_by(instance, use_request(token))
        new = cluster.fail_over(node)
        wait_until(lambda: instances[0].exchange(revoke_request(tokens[0], client)).status == 200, BACK_WITHIN)
        refused_by(instances[0], use_request(tokens[0]), within=0)
        refused_by(instances[1], use_request(tokens[0]))
        new.cli("DEL", token_key(tokens[1]))
        for instance in instances:
            refused_by(instance, use_request(tokens[1]))
        cluster.settle()


# ---- nodes come and go, and seeds ----


@pytest.mark.lengthy
@row("RC-30")
def test_nodes_are_added_and_removed_under_load(start, own_cluster):
    """With the slots of what is asked for; the new one's links are tracked like all, and end with it."""
    cluster = own_cluster
    a = cluster.nodes[0]
    instance = start(cluster)
    client = cluster.make_client(a)
    token = cluster.token_on(a, instance, client)
    slots = [slot_of(token_key(token)), slot_of("mintd:client:" + client.id), slot_of(GENERATION)]
    homes = [cluster.owner(slot) for slot in slots]
    with Load(instance, use=use_request(token), mint=mint_request(client)) as load:
        load.warm_up()
        new = cluster.add_node()
        for slot in slots:
            cluster.move_slot(slot, new)
        load.wait_for_more(50)
        wait_until(lambda: len(tracked_links_of(new)) == WORKERS, 5, "each worker is linked with it")
        hits = metric(instance, "mintd_cache_hits_total")
        load.wait_for_more(20)
        assert metric(instance, "mintd_cache_hits_total") > hits
        for slot, home in zip(slots, homes):
            cluster.move_slot(slot, home)
        for slot, home in zip(slots, homes):  # a node that is left is one that nobody names any more
            assert cluster.settled_owner(slot) is home
        wait_for_views(cluster.others(new), WORKERS)
        since = instance.mark()
        cluster.remove_node(new)
        load.wait_for_more(50)
    assert load.statuses() == {200}, told(instance)
    assert len(told(instance, since)) < 20, told(instance)
    cluster.cli("DEL", token_key(token))
    refused_by(instance, use_request(token))
    wait_until(lambda: instance.request("GET", "/readyz").json() == {"status": "ready"}, 15)


def epoch_of(node):
    return int(node.info()["cluster_my_epoch"])


@pytest.mark.lengthy
@row("RC-30-left")
def test_a_node_that_has_left_for_another_cluster(start, own_cluster):
    """Which has a map of its own, and higher epochs. Who is connected with the node yet hears of it, and believes nothing."""
    cluster, slot = own_cluster, 7
    instance = start(cluster)
    client = cluster.make_client(cluster.nodes[0])
    token = cluster.token_on(cluster.nodes[0], instance, client)
    home = cluster.owner(slot)
    with Cluster(2) as other, Load(instance, use=use_request(token), mint=mint_request(client)) as load:
        new = cluster.add_node()
        cluster.give_empty([slot], new)
        wait_until(lambda: len(tracked_links_of(new)) == WORKERS, 5, "each worker is linked with it")
        cluster.give_empty([slot], home)
        wait_for_views(cluster.others(new), WORKERS)
        load.warm_up()
        highest = max(map(epoch_of, cluster.nodes))
        wait_until(lambda: all([node.cli("CLUSTER", "BUMPEPOCH") for node in other.nodes])
                   and min(map(epoch_of, other.nodes)) > highest, 60, "higher epochs there")
        cluster.nodes.remove(new)
        assert new.cli("CLUSTER", "RESET", "SOFT") == "OK"
        for node in cluster.nodes:
            node.cli("CLUSTER", "FORGET", new.id)
        new.meet(other.nodes[0])
        wait_until(lambda: {port for _, _, port, _ in new.map()} == {node.port for node in other.nodes}, 10, "it is there")
        wait_until(lambda: not tracked_links_of(new), 20, "nobody is connected with it any more")
        load.wait_for_more(50)
        assert [node.cli("DBSIZE") for node in other.nodes] == [0, 0]
        assert not any(tracked_links_of(node) for node in other.nodes)
        new.close()
    assert load.statuses() == {200}, told(instance)


@row("RC-31")
def test_a_seed_that_is_gone_and_one_that_is_silent(start, cluster):
    """The third is asked; and all nodes are found by one."""
    with RedisServer() as silent:
        silent.pause()
        url = "redis+cluster://127.0.0.1:%d,127.0.0.1:%d,%s" % (free_port(), silent.port, cluster.nodes[1].address)
        began = time.monotonic()
        instance = start(url)
        for node in cluster.nodes:
            wait_until(lambda: len(tracked_links_of(node)) == WORKERS, 5, "each worker has found all")
        assert time.monotonic() - began < 6
        three = Three(cluster, instance)
        for raw in three.uses(lambda *_: True).values():
            assert instance.exchange(raw).status == 200
        silent.resume()


@row("RC-32")
def test_the_seed_may_go_once_the_others_are_known(start, own_cluster):
    """Its slots were moved away before: links that are lost later come back by what the others say."""
    cluster = own_cluster
    seed = cluster.add_node()
    instance = start(cluster.url_of(seed))
    token = token_of(instance)
    cluster.remove_node(seed)
    for node in cluster.nodes:
        node.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: use(instance, token).status == 200 and mint(instance).status == 200, 3)


@row("RC-33")
def test_seeds_that_lead_to_nothing(start_mintd):
    """Said in the log and by /readyz; once one is there it is taken, without a restart."""
    ports = [free_port() for _ in range(2)]
    instance = start_mintd(redis="redis+cluster://" + ",".join("127.0.0.1:%d" % port for port in ports), workers=WORKERS)
    told = instance.wait_for_log(lambda line: line.get("trouble") in ("disconnected", "cluster"))
    assert told["reason"], told
    instance.wait_for_log("store is away: requests that need it are answered 503")
    ready = instance.request("GET", "/readyz")
    assert ready.status == 503 and ready.json()["reason"] in ("disconnected", "cluster"), ready
    check_unavailable(mint(instance))
    time.sleep(3)
    assert len(instance.log) < 40, "it says so over and over"


@row("RC-34")
def test_a_seed_that_is_no_cluster(start_mintd, own_redis):
    """Said in words; and the other way round."""
    instance = start_mintd(redis="redis+cluster://127.0.0.1:%d" % own_redis.port)
    told = instance.wait_for_log(lambda line: line.get("trouble") == "cluster")
    assert "redis://" in told["reason"], told
    assert instance.request("GET", "/readyz").json()["reason"] == "cluster"
    done = Mintctl("redis+cluster://127.0.0.1:%d" % own_redis.port).run("client", "list")
    assert done.status == 3 and "cluster" in done.err, done


@row("RC-34-other")
def test_a_node_of_a_cluster_taken_for_a_redis(start_mintd, cluster):
    """Whichever of its nodes it is."""
    for node in cluster.nodes:
        instance = start_mintd(redis=node, workers=1)
        instance.wait_for_log(lambda line: line["message"].startswith("redis "))
        clients = [cluster.make_client(other) for other in cluster.nodes]
        for client in clients:
            mint(instance, client)
        instance.wait_for_log(lambda line: "redis+cluster://" in str(line))
        done = Mintctl(node).run("client", "list")
        assert done.status == 3 and "redis+cluster://" in done.err, done


@row("RC-35")
def test_a_slot_that_nobody_has(start, cluster):
    """503 for what is in it, reason cluster, at once; all else goes on; back as soon as somebody has it."""
    instance = start(cluster)
    node = cluster.nodes[2]
    client, other = cluster.make_client(node), cluster.make_client(cluster.nodes[0])
    token = cluster.token_on(cluster.nodes[0], instance, client)
    fine = cluster.token_on(cluster.nodes[0], instance, other)
    slot = slot_of("mintd:client:" + client.id)
    with Load(instance, fine=use_request(fine)) as load:
        cluster.give_up(slot, slot)
        wait_until(lambda: use(instance, token).status == 503, LATE + 1)
        check_unavailable(mint(instance, client))
        instance_troubles = parse(instance.request("GET", "/metrics").body)["mintd_store_troubles_total"]
        assert instance_troubles.value(reason="cluster") >= 1
        for one in cluster.nodes:
            one.cli("CLUSTER", "SETSLOT", slot, "NODE", node.id)
        wait_until(lambda: use(instance, token).status == 200 and mint(instance, client).status in (200, 503), 5)
        load.wait_for_more()
    assert load.statuses() == {200}


@row("RC-36")
def test_full_coverage_is_a_cluster_that_is_down(start):
    """CLUSTERDOWN of all nodes: /readyz says cluster; it is over when they say so."""
    with Cluster(full_coverage=True) as cluster:
        install_clients(cluster)
        instance = start(cluster)
        token = token_of(instance)
        cluster.give_up(9, 9)
        wait_until(lambda: use(instance, token).status == 503, LATE + 1)
        wait_until(lambda: instance.request("GET", "/readyz").json().get("reason") == "cluster", 5)
        for one in cluster.nodes:
            one.cli("CLUSTER", "SETSLOT", 9, "NODE", cluster.nodes[0].id)
        wait_until(lambda: use(instance, token).status == 200 and mint(instance).status == 200, 10)
        wait_until(lambda: instance.request("GET", "/readyz").status == 200, 3)


# ---- passwords and TLS ----


@row("RC-40")
def test_a_password_of_all_nodes(start, start_mintd):
    with Cluster(password="canary-all") as cluster:
        install_clients(cluster)
        instance = start(cluster)
        three = Three(cluster, instance)
        for raw in three.uses(lambda *_: True).values():
            assert instance.exchange(raw).status == 200
        Mintctl(cluster, canaries=["canary-all"])("client", "list")
        assert "canary" not in instance.log_text
        wrong = start_mintd(redis=cluster.url_of(*cluster.nodes, user=":canary-wrong@"))
        wrong.wait_for_log(lambda line: line.get("trouble") == "noauth")
        wait_until(lambda: wrong.request("GET", "/readyz").json()["reason"] == "noauth", 3)
        assert "canary" not in wrong.log_text


@row("RC-41")
def test_a_user_with_few_rights(start, cluster):
    """As mintctl says them; one that one node does not know is that node's keys alone."""
    ctl = Mintctl(cluster)
    line = re.search(r"('~mintd.*)$", ctl("acl").out, re.MULTILINE)
    words = [word.strip("'") for word in line[1].split()]
    for node in cluster.nodes:
        node.cli("ACL", "SETUSER", "mintd", "reset", "on", ">canary-user", *words)
    try:
        instance = start(cluster.url_of(*cluster.nodes, user="mintd:canary-user@"), "--failure-limit", "3")
        three = Three(cluster, instance)
        for raw in three.uses(lambda *_: True).values():
            accepted_by(instance, raw)
        slot = slot_of(token_key(three.tokens[cluster.nodes[0], cluster.nodes[0]]))
        move = cluster.begin_move(slot, cluster.nodes[1])
        move.take()
        assert use(instance, three.tokens[cluster.nodes[0], cluster.nodes[0]]).status == 200, "ASKING is among them"
        move.end()
        post(instance, "/token", G, basic("svc-a", "wrong"))
        assert not instance.find_log(lambda entry: "noperm" in str(entry).lower()), instance.log_text
        lost = cluster.nodes[2]
        lost.cli("ACL", "SETUSER", "mintd", "resetpass", ">another")
        lost.cli("CLIENT", "KILL", "USER", "mintd")
        for raw in three.of(lost).values():
            wait_until(lambda: instance.exchange(raw).status == 503, 3)
        for raw in three.beside(lost).values():
            assert instance.exchange(raw).status == 200
    finally:
        cluster.everywhere("ACL", "DELUSER", "mintd")


@row("RC-42")
def test_a_password_that_is_renewed(start, cluster, tmp_path):
    """On all nodes, under load: no request fails, memory stays."""
    file = tmp_path / "password"
    count = 0

    def renew():
        nonlocal count
        count += 1
        cluster.everywhere("ACL", "SETUSER", "renewed", "on", "~*", "&*", "+@all", ">canary-%d" % count)
        file.write_text("canary-%d" % count)

    renew()
    try:
        instance = start(cluster.url_of(*cluster.nodes, user="renewed@"), "--redis-password-file", str(file))
        three = Three(cluster, instance)
        emptied = metric(instance, "mintd_cache_emptied_total")
        with Load(instance, **three.uses(lambda of, on: of is on)) as load:
            load.warm_up()
            for _ in range(2):
                renew()
                instance.signal(1)
                load.wait_for_more(50)
            cluster.everywhere("ACL", "SETUSER", "renewed", "<canary-1")
            for node in cluster.nodes:
                node.cli("CLIENT", "KILL", "USER", "renewed")
            load.wait_for(200, *load.answers, since=time.monotonic(), within=3)
        assert load.statuses() <= {200, 503} and emptied is not None
        assert "canary" not in instance.log_text
    finally:
        cluster.everywhere("ACL", "DELUSER", "renewed")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("cluster-tls")), "ours")


@row("RC-43")
def test_tls_to_each_node(start, ours):
    """By its address, as the map has it."""
    early = ours.issue("early", "IP:127.0.0.1", days=2)
    with Cluster(tls=(ours.issue("addresses", "IP:127.0.0.1"), ours.file)) as cluster:
        install_clients(cluster)
        instance = start(cluster, "--redis-ca", ours.file)
        three = Three(cluster, instance)
        for raw in three.uses(lambda *_: True).values():
            accepted_by(instance, raw)
        slot = slot_of(token_key(three.tokens[cluster.nodes[0], cluster.nodes[0]]))
        with Load(instance, use=use_request(three.tokens[cluster.nodes[0], cluster.nodes[0]])) as load:
            load.warm_up()
            cluster.move_slot(slot, cluster.nodes[1])
            load.wait_for_more()
        assert load.statuses() == {200}
        ctl = Mintctl(cluster, env={"MINTD_REDIS_CA": ours.file})
        ctl("client", "list")
        ctl.run("doctor")
        cluster.nodes[2].cli("CONFIG", "SET", "tls-cert-file", early.file, "tls-key-file", early.key)
        assert metric(instance, "mintd_store_certificate_expiry_seconds") > time.time() + 29 * 86400
        cluster.nodes[2].cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_until(lambda: metric(instance, "mintd_store_certificate_expiry_seconds") < time.time() + 3 * 86400, 10,
                   "the earliest end of all nodes")


@row("RC-43-wrong")
def test_each_nodes_name_is_looked_at(start_mintd, ours):
    """One node shows a certificate for another name: what it has is 503, and it is said."""
    with Cluster(tls=(ours.issue("good", "IP:127.0.0.1"), ours.file)) as cluster:
        install_clients(cluster)
        wrong, lost = ours.issue("bad", "DNS:elsewhere.example"), cluster.nodes[2]
        lost.cli("CONFIG", "SET", "tls-cert-file", wrong.file, "tls-key-file", wrong.key)
        instance = start_mintd("--redis-ca", ours.file, redis=cluster.url_of(*cluster.nodes[:2]))
        told = instance.wait_for_log(lambda line: line.get("trouble") == "tls_name")
        assert lost.address in str(told), told
        client = cluster.make_client(cluster.nodes[0])
        wait_until(lambda: {mint(instance, client).status for _ in range(20)} == {200}, 5, "no new token lies there")
        check_unavailable(mint(instance, cluster.make_client(lost)))


@rows("RC-44", endpoint=("--cluster-preferred-endpoint-type", "hostname"), metadata=())
def test_tls_by_host_names(start, ours, case):
    """No certificate names the address: the name that the node announces is what counts."""
    options = ("--cluster-announce-hostname", "localhost", *case)
    with Cluster(tls=(ours.issue("names", "DNS:localhost"), ours.file), options=options) as cluster:
        wait_until(lambda: all("localhost" in str(node.cli("CLUSTER", "SLOTS")) for node in cluster.nodes), 5)
        install_clients(cluster)
        instance = start("rediss+cluster://localhost:%d" % cluster.nodes[0].port, "--redis-ca", ours.file)
        three = Three(cluster, instance)
        for raw in three.uses(lambda *_: True).values():
            accepted_by(instance, raw)
        slot = slot_of(token_key(three.tokens[cluster.nodes[0], cluster.nodes[0]]))
        cluster.move_slot(slot, cluster.nodes[1])
        accepted_by(instance, use_request(three.tokens[cluster.nodes[0], cluster.nodes[0]]))
        assert not instance.find_log(lambda line: str(line.get("trouble")).startswith("tls_")), instance.log_text


# ---- what is believed ----


@row("RC-50")
def test_an_emptied_cluster_is_noticed(start, own_cluster):
    """FLUSHALL on all nodes: another identity; told once."""
    instance = start(own_cluster)
    token = token_of(instance)
    assert use(instance, token).status == 200
    own_cluster.everywhere("FLUSHALL")
    refused_by(instance, use_request(token))
    instance.wait_for_log("redis was emptied, or is another one than before: its clients and tokens are not those that "
                          "were there")


@row("RC-51")
def test_one_of_six_nodes_that_was_emptied(start, cluster):
    """Keys of one node are gone (FLUSHALL there): they are refused, nothing else is."""
    instance = start(cluster)
    three = Three(cluster, instance)
    for raw in three.uses(lambda *_: True).values():
        accepted_by(instance, raw)
    lost = cluster.nodes[0]  # not that of the identity
    assert cluster.owner("mintd:identity") is not lost and cluster.owner(GENERATION) is not lost
    lost.cli("FLUSHALL")
    for raw in three.of(lost).values():
        refused_by(instance, raw)
    for raw in three.beside(lost).values():
        accepted_by(instance, raw, within=0)


@row("RC-52")
def test_the_layout_is_looked_at_where_its_key_is(start_mintd, cluster):
    cluster.cli("SET", "mintd:schema", "99")
    instance = start_mintd(redis=cluster, workers=WORKERS)
    instance.wait_for_log(lambda line: line.get("trouble") == "schema" or "laid out" in line["message"])
    wait_until(lambda: instance.request("GET", "/readyz").json().get("reason") == "schema", 3)
    check_unavailable(mint(instance))
    cluster.cli("SET", "mintd:schema", "1")
    wait_until(lambda: mint(instance).status == 200, 10)


MARK = "mintd:schema:{mintd:generation}"


@row("RC-54")
def test_an_instance_starts_without_the_node_of_the_layout(start, start_mintd, own_cluster):
    """The mark of the layout lies beside the generation: what the nodes that are up have is served."""
    lost, home = own_cluster.owner("mintd:schema"), own_cluster.owner(GENERATION)
    assert lost is not home and own_cluster.owner(MARK) is home
    first = start(own_cluster)
    wait_until(lambda: home.cli("GET", MARK) == "1", 5, "it is made")
    first.stop()
    client = own_cluster.make_client(home)
    lost.kill()
    instance = start_mintd(redis=own_cluster, workers=WORKERS, name=name_beside(own_cluster, lost))
    wait_until(lambda: {mint(instance, client).status for _ in range(10)} == {200}, 10, "it serves")
    accepted_by(instance, use_request(token_of(instance, client)))
    lost.start()
    wait_until(lambda: {mint(instance).status for _ in range(30)} == {200}, 10, "all is served")
    assert not instance.find_log(lambda entry: entry["level"] == "error")


@row("RC-54-without")
def test_without_a_mark_the_node_of_the_layout_is_waited_for(start, start_mintd, own_cluster):
    """A cluster that no such mintd has served: nobody can tell whose data it is. Made once it is back."""
    lost, home = own_cluster.owner("mintd:schema"), own_cluster.owner(GENERATION)
    client = own_cluster.make_client(home)
    lost.kill()
    instance = start_mintd(redis=own_cluster, workers=WORKERS, name=name_beside(own_cluster, lost))
    instance.wait_for_log(lambda entry: entry.get("redis") == lost.address or lost.address in entry.get("reason", ""))
    check_unavailable(mint(instance, client))
    assert home.cli("EXISTS", MARK) == 0
    lost.start()
    wait_until(lambda: {mint(instance, client).status for _ in range(10)} == {200}, 10, "it serves")
    wait_until(lambda: home.cli("GET", MARK) == "1", 5, "it is made")


@rows("RC-54-other", mark=MARK, back="mintd:schema")
def test_another_layout_is_refused_wherever_it_is_said(start, start_mintd, own_cluster, case):
    """By the mark, with the other node away; by the other node, once it is back."""
    lost, home = own_cluster.owner("mintd:schema"), own_cluster.owner(GENERATION)
    start(own_cluster).stop()
    client = own_cluster.make_client(home)
    own_cluster.cli("SET", case, "99")
    lost.kill()
    instance = start_mintd(redis=own_cluster, workers=WORKERS, name=name_beside(own_cluster, lost))
    if case != MARK:
        wait_until(lambda: mint(instance, client).status == 200, 10)
        lost.start()
    entry = instance.wait_for_log(lambda line: "laid out" in line["message"], timeout=10)
    assert entry["found"] == "99" and "mintd:" + entry["key"] == case, entry
    wait_until(lambda: mint(instance, client).status == 503, 5)
    if case == MARK:
        lost.start()
    own_cluster.settle()
    wait_until(lambda: instance.request("GET", "/readyz").json().get("reason") == "schema", 10)
    own_cluster.cli("SET", case, "1")
    wait_until(lambda: mint(instance, client).status == 200, 15)


@row("RC-53")
def test_check_and_databases(cluster):
    done = run("--check", "--redis", "redis+cluster://u:canary@h1,h2:1")
    assert done.returncode == 0 and "redis+cluster://u:***@h1,h2:1" in done.stdout and "canary" not in done.stdout, done
    done = run("--check", "--redis", "redis+cluster://h1,h2/1")
    assert done.returncode == 2 and "canary" not in done.stderr, done

