"""Slots that move between the nodes of a real cluster while they are used: key by key, at once, there and back.

What a move must not do: refuse what is good, accept what has ended for more than 2 s, need a restart.
"""
import re
import threading
import time

import pytest

from support.clients import G, basic, install_clients, mint, token_key, token_of
from support.cluster import Cluster, slot_of, wait_for_nodes, wait_for_views
from support.http import form_request
from support.load import Load, Wires, mint_request, revoke_request, told, use_request
from support.mintctl import Mintctl
from support.oauth import post, row, rows, sha256_phc, use, wait_until
from support.prometheus import parse

LATE = 2.0  # how long a yes may outlive a change
WORKERS = 2
GENERATION = "mintd:generation"
BACK_AND_FORTH = 12


@pytest.fixture(scope="module")
def shared():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    install_clients(shared)
    yield shared
    shared.mend()


@pytest.fixture
def start(start_mintd):
    def start_one(cluster, *arguments, workers=WORKERS, **more):
        instance = start_mintd(*arguments, redis=cluster, workers=workers, **more)
        instance.wait_for_store()
        wait_for_nodes(instance, workers)
        return instance
    return start_one


@pytest.fixture
def two(start, cluster):
    return start(cluster), start(cluster)


def metric(instance, name):
    return parse(instance.request("GET", "/metrics").body)[name].value()


def client_key(client):
    return "mintd:client:" + client.id


def token_request_of(name, secret):
    return form_request("/token", G, [basic(name, secret)])


def all_answer(instances, raw, status, within):
    """Each worker of each, within that time of now; and again."""
    until = time.monotonic() + within
    for instance in instances:
        with Wires(instance) as wires:
            wait_until(lambda: wires.ask(raw) == {status}, max(0, until - time.monotonic()), "all answer %d" % status)
            assert wires.ask(raw) == {status}


def key_by_key(cluster, slot, target):
    cluster.move_slot(slot, target)


def at_once(cluster, slot, target):
    cluster.hand_over(slot, target)


WAYS = {"key-by-key": key_by_key, "at-once": at_once}


class Placed:
    """A client on one node, its token on another; the generation is on the second. What it is about: the key of
    one of the three, which node has it and which has not."""

    def __init__(self, cluster, instance):
        a, b, c = cluster.nodes
        assert cluster.owner(GENERATION) is b
        self.client = cluster.make_client(a)
        self.token = cluster.token_on(c, instance, self.client)
        self.places = {"token": (token_key(self.token), c, a), "client": (client_key(self.client), a, b),
                       "generation": (GENERATION, b, c)}

    @property
    def requests(self):
        return {"use": use_request(self.token), "mint": mint_request(self.client)}


KEYS = ("token", "client", "generation")


# ---- under load ----


@pytest.mark.parametrize("which,way", [pytest.param(key, way, id="RM-1-%s-%s" % (key, name))
                                       for key in KEYS for name, way in WAYS.items()])
def test_a_slot_that_moves_is_not_felt(start, cluster, which, way):
    """Of the token, of its client, of the generation: all is answered 200 all the while."""
    instance = start(cluster)
    placed = Placed(cluster, instance)
    key, _, to = placed.places[which]
    with Load(instance, **placed.requests) as load:
        load.warm_up()
        way(cluster, slot_of(key), to)
        load.wait_for_more(50)
    assert load.statuses() == {200}
    assert load.slowest() < 2


@rows("RM-2", **WAYS)
def test_there_and_back_again_under_load(start, cluster, case):
    """A -> B -> A, over and over, with and without memory: no wrong answer."""
    instance, without = start(cluster), start(cluster, "--cache-size", "0")
    placed = Placed(cluster, instance)
    with Load(instance, **placed.requests) as load, Load(without, **placed.requests) as other:
        load.warm_up()
        for _ in range(BACK_AND_FORTH):
            for key, home, away in placed.places.values():
                case(cluster, slot_of(key), away)
            for key, home, away in placed.places.values():
                case(cluster, slot_of(key), home)
        load.wait_for_more(20)
        other.wait_for_more(20)
    assert load.statuses() == {200} and other.statuses() == {200}


@rows("RM-3", **WAYS)
def test_changes_between_moves_are_obeyed(two, cluster, case):
    """At each place: the revoked is refused at once where it was revoked, elsewhere within 2 s; what was minted
    meanwhile is good at once, everywhere."""
    one, other = two
    a, b, c = cluster.nodes
    client = cluster.make_client(a)
    token = cluster.token_on(c, one, client)
    slots = {slot_of(token_key(token)): (c, b), slot_of(client_key(client)): (a, c)}
    with Load(one, mint=mint_request(client)) as load:
        for number in range(8):
            fresh = [token_of(one, client) for _ in range(3)]
            for there in fresh:
                assert use(other, there).status == 200 and use(one, there).status == 200
            for slot, places in slots.items():
                case(cluster, slot, places[(number + 1) % 2])
            for there in fresh:
                assert use(other, there).status == 200 and use(one, there).status == 200
            assert one.exchange(revoke_request(fresh[0], client)).status == 200
            cluster.cli("DEL", token_key(fresh[1]))
            all_answer([one], use_request(fresh[0]), 401, 0)
            all_answer(two, use_request(fresh[0]), 401, LATE)
            all_answer(two, use_request(fresh[1]), 401, LATE)
            assert use(other, fresh[2]).status == 200 and use(one, token).status == 200
    assert load.statuses() == {200}


# ---- what is remembered across a move ----


@rows("RM-10", **WAYS)
def test_a_cached_absence_across_a_move(two, cluster, case):
    """Nobody pushes that a key is not there any more where it never was: made at the new owner, the client is
    known within 2 s."""
    for source in cluster.nodes:
        name = next(cluster.names_on(source, prefix="later"))
        raw = token_request_of(name, "s3cret-later")
        all_answer(two, raw, 401, 0)
        target = cluster.others(source)[0]
        case(cluster, slot_of("mintd:client:" + name), target)
        target.cli("HSET", "mintd:client:" + name, "scope", "read", "secret:1", sha256_phc("s3cret-later"))
        all_answer(two, raw, 200, LATE)


@rows("RM-11", **WAYS)
def test_a_cached_absence_there_and_back(two, cluster, case):
    """Made at the new owner, and back before anybody asked: A has the key then, and pushed nothing of it to those
    who had asked before the slot went."""
    source, target, _ = cluster.nodes
    name = next(cluster.names_on(source, prefix="back"))
    raw = token_request_of(name, "s3cret-back")
    all_answer(two, raw, 401, 0)
    slot = slot_of("mintd:client:" + name)
    case(cluster, slot, target)
    target.cli("HSET", "mintd:client:" + name, "scope", "read", "secret:1", sha256_phc("s3cret-back"))
    case(cluster, slot, source)
    all_answer(two, raw, 200, LATE)


def absent_token(cluster, instance, node):
    """A token that is known not to be there, and what would bring it back: (token, record)."""
    client = cluster.make_client(node)
    token = cluster.token_on(node, instance, client)
    record = node.cli("GET", token_key(token))
    node.cli("DEL", token_key(token))
    return token, record


@rows("RM-12", **WAYS)
def test_a_token_that_was_not_there_is_put_back_at_the_new_owner(two, cluster, case):
    """As a restored dump does it. Such a no is not asked for again: it ends with the trust in the old owner."""
    source, target, _ = cluster.nodes
    token, record = absent_token(cluster, two[0], source)
    all_answer(two, use_request(token), 401, LATE)
    case(cluster, slot_of(token_key(token)), target)
    target.cli("SETEX", token_key(token), "600", record)
    all_answer(two, use_request(token), 200, LATE)


ENDS = dict(
    token=lambda cluster, placed: cluster.cli("DEL", token_key(placed.token)),
    client=lambda cluster, placed: cluster.cli("HSET", client_key(placed.client), "disabled", "1"),
    generation=lambda cluster, placed: cluster.cli("INCR", GENERATION),
)


@pytest.mark.parametrize("which,way,back", [
    pytest.param(key, way, back, id="RM-13-%s-%s-%s" % (key, name, "back" if back else "there"))
    for key in KEYS for name, way in WAYS.items() for back in (False, True)])
def test_a_yes_that_ended_at_the_new_owner(two, cluster, which, way, back):
    """The copy is from A; the slot goes to B, where it changes, and stays there or comes back. Within 2 s each worker
    refuses it, whatever was pushed."""
    placed = Placed(cluster, two[0])
    key, home, away = placed.places[which]
    if which == "generation":  # a counter that was never counted is not there at all
        cluster.cli("SET", GENERATION, "0")
    all_answer(two, use_request(placed.token), 200, LATE)
    way(cluster, slot_of(key), away)
    ENDS[which](cluster, placed)
    if back:
        way(cluster, slot_of(key), home)
    all_answer(two, use_request(placed.token), 401, LATE)


@row("RM-14")
def test_a_generation_that_began_at_the_new_owner(two, cluster):
    """It was not there, which is 0; its slot moves, empty and without a word; everybody's tokens end there."""
    placed = Placed(cluster, two[0])
    all_answer(two, use_request(placed.token), 200, LATE)
    key, _, away = placed.places["generation"]
    cluster.move_slot(slot_of(key), away)
    away.cli("INCR", GENERATION)
    all_answer(two, use_request(placed.token), 401, LATE)


@row("RM-15")
def test_a_mint_on_terms_that_changed_at_the_new_owner(two, cluster):
    """The client's slot has moved, and nobody was told: a mint that rests on the old copy is not given out."""
    for turn in range(6):
        source, target = cluster.nodes[turn % 2], cluster.nodes[(turn + 1) % 3]
        client = cluster.make_client(source)
        if source is target:
            continue
        all_answer(two, mint_request(client), 200, 0)
        cluster.move_slot(slot_of(client_key(client)), target)
        target.cli("HSET", client_key(client), "secret:1", sha256_phc("another"))
        with Wires(two[0]) as first, Wires(two[1]) as second:  # at once: what says yes is confirmed at its owner
            assert first.ask(mint_request(client)) == {401} and second.ask(mint_request(client)) == {401}


# ---- ASK and TRYAGAIN ----


def redirected(node):
    """GETs that it has answered with MOVED or ASK; MONITOR does not show them."""
    found = re.search(r"cmdstat_get:.*rejected_calls=(\d+)", node.cli("INFO", "commandstats"))
    return int(found[1]) if found else 0


@row("RM-20")
def test_ask_is_asked_each_time_and_not_kept(start, cluster):
    """In the middle of a move: the key is at B, the slot is A's. The map stays, nothing is remembered, and what
    happens at B is obeyed at once."""
    instance = start(cluster, workers=1)
    a, b, _ = cluster.nodes
    client = cluster.make_client(a)
    token = cluster.token_on(a, instance, client)
    key = token_key(token)
    assert use(instance, token).status == 200
    move = cluster.begin_move(slot_of(key), b)
    move.take(key)
    with b.monitor() as at_b:
        before = redirected(a)
        for _ in range(5):
            assert use(instance, token).status == 200
        assert redirected(a) == before + 5
        answered = at_b.commands()
    assert answered.count(["ASKING"]) == answered.count(["GET", key]) == 5, answered
    assert all(answered[place + 1] == ["GET", key] for place, command in enumerate(answered) if command == ["ASKING"])
    cluster.cli("DEL", key)
    assert use(instance, token).status == 401
    move.abandon()


@row("RM-21")
def test_writes_in_the_middle_of_a_move(start, cluster):
    """A token is minted and revoked, a client counts its failures, a secret's use is noted: where the slot is
    going, and all of it is there at the end."""
    instance = start(cluster, "--failure-limit", "3", workers=1)
    a, b, c = cluster.nodes
    client = cluster.make_client(a)
    moves = [cluster.begin_move(slot_of(client_key(client)), b)]
    moves[0].take(client_key(client))
    token = token_of(instance, client)
    fail = "mintd:fail:%s:127.0.0.1" % client.id
    if slot_of(fail) != moves[0].slot:
        owner = cluster.owner(fail)
        moves.append(cluster.begin_move(slot_of(fail), cluster.others(owner)[0]))
    assert [post(instance, "/token", G, basic(client.id, "wrong")).status for _ in range(5)] == [401, 401, 401, 429, 429]
    key = token_key(token)
    if slot_of(key) not in [move.slot for move in moves]:
        moves.append(cluster.begin_move(slot_of(key), cluster.others(cluster.owner(key))[0]))
        moves[-1].take(key)
    assert use(instance, token).status == 200
    for move in moves:
        move.end()
    assert int(cluster.cli("GET", fail)) >= 3 and cluster.cli("EXISTS", key) == 1
    assert use(instance, token).status == 200
    assert instance.exchange(revoke_request(token, client)).status in (200, 429)


@row("RM-22")
def test_a_client_is_made_while_its_slot_moves(start, cluster):
    """MULTI … EXEC of two keys: TRYAGAIN until the move has ended, then it is made, once."""
    source, target, _ = cluster.nodes
    name = next(cluster.names_on(source, prefix="tried"))
    move = cluster.begin_move(slot_of("mintd:client:" + name), target)
    instance = start(cluster, "--client", name + ":s3cret-tried:read", workers=1)
    assert cluster.cli("EXISTS", "mintd:client:" + name) == 0 or target.role() == "master"
    move.end()
    wait_until(lambda: post(instance, "/token", G, basic(name, "s3cret-tried")).status == 200, 5)
    assert target.cli("HGET", "mintd:client:" + name, "scope") == "read"
    assert [key for key in cluster.keys("*") if "new:" in key] == []


@row("RM-23")
def test_mintctl_makes_a_client_while_its_slot_moves(cluster):
    source, target, _ = cluster.nodes
    name = next(cluster.names_on(source, prefix="ctl"))
    move = cluster.begin_move(slot_of("mintd:client:" + name), target)
    done = []
    thread = threading.Thread(target=lambda: done.append(Mintctl(cluster).run("client", "add", name, "--scope", "read")))
    thread.start()
    time.sleep(0.3)
    move.end()
    thread.join()
    assert done[0].status in (0, 3), done
    if done[0].status == 3:  # it may give up, but says why, and a second time helps
        assert "cluster" in done[0].err, done
        Mintctl(cluster).secret("client", "add", name, "--scope", "read")
    assert target.cli("HGET", "mintd:client:" + name, "scope") == "read"


# ---- many slots ----


@pytest.mark.lengthy
@row("RM-30")
def test_a_node_gives_all_its_slots_away_and_leaves(start_mintd):
    """Under load, with tokens in many of them. Most of those that are empty go before it, which takes no time."""
    with Cluster() as cluster:
        install_clients(cluster)
        instance = start_mintd(redis=cluster, workers=WORKERS)
        instance.wait_for_store()
        leaving, heirs = cluster.nodes[0], cluster.nodes[1:]
        client = cluster.make_client(leaving)
        tokens = [cluster.token_on(leaving, instance, client) for _ in range(20)]
        full = {slot_of(key) for key in leaving.cli("KEYS", "*")}
        (_, last, _, _), *_ = leaving.map()
        cluster.give_empty(set(range(300, last + 1)) - full, heirs[0])
        with Load(instance, mint=mint_request(client), **{"use-%d" % n: use_request(t) for n, t in enumerate(tokens[:4])}) as load:
            load.warm_up()
            for slot in sorted(full):
                cluster.move_slot(slot, heirs[slot > 150])
            # Mints go on: what is full by now moves key by key too.
            for first, last, port, _ in leaving.map():
                for slot in range(first, last + 1) if port == leaving.port else ():
                    cluster.move_slot(slot, heirs[slot > 150])
            wait_until(lambda: leaving.port not in [port for node in heirs for _, _, port, _ in node.map()], 20)
            wait_for_views(heirs, WORKERS)
            since = instance.mark()
            cluster.remove_node(leaving)
            load.wait_for_more(50)
        assert load.statuses() <= {200, 503}
        assert load.statuses("use-0", "use-1", "use-2", "use-3") == {200}, told(instance)
        for token in tokens:
            assert use(instance, token).status == 200
        assert mint(instance, client).status == 200
        assert len(told(instance, since)) < 40, told(instance)
