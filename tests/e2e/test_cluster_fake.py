"""What the nodes of a cluster may say: MOVED, ASK and TRYAGAIN in every place and shape, endpoints without a host,
maps that make no sense. Dialogues with nodes made of texts; mintd is the real one, and has one worker.

However they lie: no storm, no answer later than the deadline, no 401 for what nobody could look up.
"""
import threading
import time

import pytest

from support.clients import SVC_A, G, basic, install_clients, mint, token_key, token_of
from support.cluster import SLOTS, slot_of, wait_for_nodes
from support.fake_cluster import FakeCluster, line
from support.http import form_request
from support.inquiry import check_revoked, revoke
from support.load import Wires, mint_request, told, use_request
from support.oauth import (REDIS_TIMEOUT, brief, check_unavailable, check_welcome, post, row, rows, sha256_phc, use,
                           wait_until)
from support.prometheus import parse
from support.redis_server import free_port
from support.timing import Clock, scaled

HOPS = 5  # redirects that one command follows
ROUND_S = 0.25  # all nodes are asked for their slots once in so long, at most
BEAT_S = 0.75  # and each by itself so often
GENERATION = "mintd:generation"


@pytest.fixture
def fake():
    with FakeCluster() as cluster:
        install_clients(cluster)
        yield cluster


@pytest.fixture
def start(start_mintd):
    def start_one(fake, *arguments, workers=1, known=3, **more):
        instance = start_mintd(*arguments, redis=getattr(fake, "url", fake), workers=workers, **more)
        instance.wait_for_store()
        wait_for_nodes(instance, workers, known)
        return instance
    return start_one


def metric(instance, name, **labels):
    return parse(instance.request("GET", "/metrics").body)[name].value(**labels)


def client_on(fake, node):
    """A client whose record is there: (id, secret)"""
    name = next(fake.names_on(node, prefix="of-" + node.name))
    fake.cli("HSET", "mintd:client:" + name, "secret:1", sha256_phc("s3cret-" + name), "scope", "read")
    return name, "s3cret-" + name


def minted_on(fake, node, instance):
    """A token of svc-a whose record is on the node, and that is in nobody's memory."""
    for _ in range(100):
        token = token_of(instance)
        if fake.owner(token_key(token)) is node:
            return token
    raise AssertionError("no token there")


def timed(instance, raw):
    with instance.connect() as connection:
        clock = Clock(instance.pid)
        connection.send(raw)
        return connection.read_response(), clock.taken()


def check_away(instance, raw, within=REDIS_TIMEOUT + 0.1):
    response, took = timed(instance, raw)
    check_unavailable(response)
    assert took <= scaled(within), took


def still_serves(fake, instance):
    """What lies on the other nodes, and what a new connection brings."""
    assert instance.is_alive and not instance.find_log(lambda entry: entry["level"] == "error"), told(instance)
    wait_until(lambda: mint(instance).status == 200, 3)


# ---- MOVED ----


@row("RF-1")
def test_moved_is_followed_at_once_and_remembered(start, fake):
    """Within the request, and for that slot alone; what the node says of its slots need not agree yet."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key, slot = token_key(token), slot_of(token_key(token))
    for node in fake.nodes:
        node.says = fake.slots()  # as it was
    fake.give(slot, slot, fake.b)
    check_welcome(use(instance, token))
    assert fake.a.asked("GET", key) == fake.b.asked("GET", key) == [["GET", key]]
    assert fake.b.asked("ASKING") == []


@row("RF-1-map")
def test_a_new_map_is_asked_for_behind_moved(start, fake):
    """All of a slots have gone: the first MOVED brings the whole map, and further ones are few."""
    instance = start(fake)
    tokens = [minted_on(fake, fake.a, instance) for _ in range(20)]
    fake.give(0, 5461, fake.c)
    check_welcome(use(instance, tokens[0]))
    wait_until(lambda: fake.c.asked("CLUSTER", "SLOTS"), 2)
    time.sleep(ROUND_S + BEAT_S)
    before = len(fake.a.asked("GET", "mintd:token:*"))
    for token in tokens:
        check_welcome(use(instance, token))
    assert len(fake.a.asked("GET", "mintd:token:*")) == before


@row("RF-2")
def test_moved_to_itself(start, fake):
    """Ends: 503, cluster, in time; so many commands and no more."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key = token_key(token)
    fake.a.rule = lambda words: line("-MOVED %d %s" % (slot_of(key), fake.a.address)) if words == ["GET", key] else None
    check_away(instance, use_request(token))
    assert 1 <= fake.count("GET", key) <= 1 + HOPS
    assert metric(instance, "mintd_store_troubles_total", reason="cluster") >= 1
    fake.a.rule = None
    check_welcome(use(instance, token))
    still_serves(fake, instance)


@row("RF-2-mint")
def test_moved_to_itself_for_a_mint(start, fake):
    instance = start(fake)
    token_of(instance)
    for node in fake.nodes:
        node.rule = lambda words, node=node: (line("-MOVED %d %s" % (slot_of(words[1]), node.address))
                                              if words[0] == "SETEX" and ":token:" in words[1] else None)
    before = fake.count("SETEX", "mintd:token:*", "...")
    check_away(instance, mint_request(SVC_A))
    assert fake.count("SETEX", "mintd:token:*", "...") - before <= 1 + HOPS


@rows("RF-3", moved="MOVED", ask="ASK")
def test_two_nodes_that_name_each_other(start, fake, case):
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key = token_key(token)
    for node, other in ((fake.a, fake.b), (fake.b, fake.a)):
        node.rule = (lambda words, other=other: line("-%s %d %s" % (case, slot_of(key), other.address))
                     if words == ["GET", key] else None)
    for _ in range(3):
        before = fake.count("GET", key)
        check_away(instance, use_request(token))
        assert 1 <= fake.count("GET", key) - before <= 1 + HOPS
    fake.a.rule = fake.b.rule = None
    wait_until(lambda: use(instance, token).status == 200, 3)
    still_serves(fake, instance)


@row("RF-4")
def test_moved_to_a_closed_port(start, fake):
    """No answer is lost, and none comes twice: 503 within the deadline, and good again once it is there."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key, port = token_key(token), free_port()
    fake.a.rule = lambda words: "-MOVED %d 127.0.0.1:%d" % (slot_of(key), port) if words == ["GET", key] else None
    response, took = timed(instance, use_request(token))
    check_unavailable(response)
    assert took <= scaled(2.1)
    fake.a.rule = None
    wait_until(lambda: use(instance, token).status == 200, 5)
    still_serves(fake, instance)


GARBAGE = {"nothing": "-MOVED", "space": "-MOVED ", "slot": "-MOVED x 127.0.0.1:1", "beyond": "-MOVED 16384 127.0.0.1:1",
           "negative": "-MOVED -1 127.0.0.1:1", "no-place": "-MOVED 1", "no-port": "-MOVED 1 127.0.0.1",
           "port-0": "-MOVED 1 127.0.0.1:0", "port-beyond": "-MOVED 1 127.0.0.1:65536", "port-word": "-MOVED 1 127.0.0.1:x",
           "long": "-MOVED 1 %s:1" % ("h" * 4000), "short": "-MO", "ask-nothing": "-ASK", "ask-port": "-ASK 1 :",
           "unknown": "-MOVED 1 ?:1", "digits": "-MOVED 99999999999999999999999 127.0.0.1:1", "bracket": "-MOVED 1 [::1:1"}


@rows("RF-5", **GARBAGE)
def test_redirects_that_make_no_sense(start, fake, case):
    """As if nobody could tell: 503; the map stays, mintd too."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    fake.a.rule = lambda words: case if words[0] == "GET" and ":token:" in words[1] else None
    check_away(instance, use_request(token), within=2.1)
    assert fake.count("GET", token_key(token)) <= 1 + HOPS
    fake.a.rule = None
    wait_until(lambda: use(instance, token).status == 200, 3)
    still_serves(fake, instance)


@rows("RF-6", **{"empty": ":%d", "address": "127.0.0.1:%d", "name": "localhost:%d"})
def test_places_in_moved(start, fake, case):
    """MOVED 3999 :6381 is the host that says so."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key, slot = token_key(token), slot_of(token_key(token))
    fake.give(slot, slot, fake.b)
    fake.a.rule = lambda words: "-MOVED %d %s" % (slot, case % fake.b.port) if words == ["GET", key] else None
    check_welcome(use(instance, token))
    assert fake.b.asked("GET", key) == [["GET", key]]


@row("RF-7")
def test_moved_names_an_address_although_the_map_names_hosts(start, fake):
    """It is the node that is known: no second link, no second map."""
    for node in fake.nodes:
        node.endpoint, node.metadata = "localhost", {"ip": "127.0.0.1"}
    fake.moved_to = lambda node: node.address
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    for _ in range(4):
        fake.give(0, SLOTS - 1, fake.b)
        assert use(instance, token).status == 200 and mint(instance).status == 200
        fake.give(0, SLOTS - 1, fake.c)
        assert use(instance, token).status == 200 and mint(instance).status == 200
    wait_until(lambda: [len(node.connections) for node in fake.nodes] in ([1, 1, 1], [0, 1, 1], [0, 0, 1]), 3)


@row("RF-7")
def test_what_waits_for_replicas_is_sent_on_too(start, fake):
    """MOVED names an address, which is not in the map: who is there says that it is a node that is known, and its
    second link sends what was kept."""
    for node in fake.nodes:
        node.endpoint = "localhost"
    fake.moved_to = lambda node: node.address
    instance = start(fake, "--redis-wait", "1")
    wait_until(lambda: metric(instance, "mintd_store_durable_links_up") == 3, 5, "the second links")
    for target in (fake.b, fake.c, fake.a, fake.b):
        token = token_of(instance)
        assert use(instance, token).status == 200  # it is remembered: only DEL meets MOVED
        fake.give(0, SLOTS - 1, target)
        check_revoked(revoke(instance, token))
        assert target.asked("DEL", token_key(token)) == [["DEL", token_key(token)]]


@row("RF-8")
def test_one_link_to_each_node(start, fake):
    """And worker, whatever is said and asked."""
    instance = start(fake, workers=2)
    tokens = [token_of(instance) for _ in range(10)]
    with Wires(instance) as wires:
        for token in tokens:
            assert wires.ask(use_request(token)) == {200}
        fake.give(0, 100, fake.c)
        for token in tokens:
            assert wires.ask(use_request(token)) == {200}
    wait_until(lambda: [len(node.connections) for node in fake.nodes] == [2, 2, 2], 3)
    for node in fake.nodes:
        tracking = [words for _, words in node.commands if words[:2] == ["CLIENT", "TRACKING"]]
        assert len(tracking) == 2, tracking


@row("RF-9")
def test_a_storm_of_moved_asks_for_the_map_now_and_then(start, fake):
    """Two hundred keys at once have moved, and what the nodes say of their slots is what it was."""
    instance = start(fake)
    tokens = [token_of(instance) for _ in range(200)]
    for node in fake.nodes:
        node.says = fake.slots()
    owners = list(fake._owners)
    fake._owners = owners[5462:] + owners[:5462]
    before, began = fake.count("CLUSTER", "SLOTS"), time.monotonic()
    with Wires(instance) as wires:
        for token in tokens:
            assert wires.ask(use_request(token)) == {200}
    rounds = (time.monotonic() - began) * (1 / ROUND_S + 1 / BEAT_S) + 2
    assert fake.count("CLUSTER", "SLOTS") - before <= rounds * len(fake.nodes)


# ---- ASK ----


@row("RF-10")
def test_ask_is_followed_and_forgotten(start, fake):
    """ASKING and the command back to back on that link; the map stays, what it brings is not kept."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    key = token_key(token)
    fake.a.rule = lambda words: "-ASK %d %s" % (slot_of(key), fake.b.address) if words == ["GET", key] else None
    for count in range(1, 4):
        check_welcome(use(instance, token))
        assert len(fake.a.asked("GET", key)) == len(fake.b.asked("GET", key)) == len(fake.b.asked("ASKING")) == count
    commands = [words for _, words in fake.b.commands]
    for place, words in enumerate(commands):
        if words == ["ASKING"]:
            assert commands[place + 1] == ["GET", key]
    record = fake.data.pop(key)  # nobody is told, and nobody has to be
    assert use(instance, token).status == 401
    fake.data[key] = record
    assert use(instance, token).status == 200
    fake.a.rule = None
    check_welcome(use(instance, token))
    assert len(fake.b.asked("GET", key)) == 5


@row("RF-10-dialogue")
def test_ask_to_a_node_that_nobody_has_named(start, fake):
    """A new node gets its first slot: it is not in the map, and answers."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    with FakeCluster("d") as more:
        more.data[token_key(token)] = fake.data[token_key(token)]
        fake.a.play('''
            EXPECT ["GET", "%s"]
            SEND -ASK %d %s
        ''' % (token_key(token), slot_of(token_key(token)), more.d.address))
        more.d.play('''
            EXPECT ["ASKING"]
            SEND +OK
        ''')
        wait_until(lambda: use(instance, token).status == 200, 3)
        fake.check()
        assert more.d.rest == [] or use(instance, token).status == 200


@row("RF-11")
def test_ask_for_a_mint_and_what_it_rests_on(start, fake):
    """SETEX, and EXISTS of the client, at nodes that have given the slot half away."""
    name, secret = client_on(fake, fake.b)
    instance = start(fake)
    raw = [post(instance, "/token", G, basic(name, secret)).status for _ in range(3)]
    assert raw == [200] * 3
    for node, other in ((fake.a, fake.b), (fake.b, fake.c), (fake.c, fake.a)):
        node.rule = (lambda words, node=node, other=other: "-ASK %d %s" % (slot_of(words[1]), other.address)
                     if len(words) > 1 and words[0] in ("SETEX", "EXISTS", "HGETALL", "GET") and fake.owner(words[1]) is node
                     and (":token:" in words[1] or ":client:" in words[1]) else None)
    response = post(instance, "/token", G, basic(name, secret))
    assert response.status == 200, response
    assert response.json()["access_token"] and fake.data[token_key(response.json()["access_token"])]


# ---- TRYAGAIN, CLUSTERDOWN ----


@row("RF-12")
def test_tryagain_is_tried_again(start, fake):
    """A moment later, not at once."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    fake.a.play('''
        EXPECT ["GET", "%s"]
        SEND -TRYAGAIN Multiple keys request during rehashing of slot
        EXPECT ["GET", "%s"]
        SEND -TRYAGAIN Multiple keys request during rehashing of slot
    ''' % ((token_key(token),) * 2))
    began = time.monotonic()
    check_welcome(use(instance, token))
    assert time.monotonic() - began >= 0.06 and fake.a.rest == []


@brief
@row("RF-12-always")
def test_tryagain_without_end(start, fake):
    """Until the deadline, and not in a storm."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    fake.a.rule = lambda words: "-TRYAGAIN later" if words[0] == "GET" and ":token:" in words[1] else None
    check_away(instance, use_request(token))
    assert 2 <= fake.count("GET", token_key(token)) <= 8
    fake.a.rule = None
    check_welcome(use(instance, token))
    still_serves(fake, instance)


@row("RF-12-ends")
def test_tryagain_ends_although_nobody_waits(start, fake):
    """A read that several wait for, one after the other, and at last nobody: it is asked for so often and no more, with
    longer and longer pauses; all of them are 503."""
    instance = start(fake, "--redis-timeout", "4s")
    token = minted_on(fake, fake.a, instance)
    fake.a.rule = lambda words: "-TRYAGAIN later" if words[0] == "GET" and ":token:" in words[1] else None
    check_away(instance, use_request(token), within=3)  # before its deadline
    assert metric(instance, "mintd_store_troubles_total", reason="cluster") >= 1
    asked = fake.count("GET", token_key(token))
    assert 4 <= asked <= 10, asked
    before = fake.count("CLUSTER", "SLOTS")
    wait_until(lambda: fake.count("CLUSTER", "SLOTS") >= before + 6, 10, "some beats go by")
    assert fake.count("GET", token_key(token)) == asked
    fake.a.rule = None
    check_welcome(use(instance, token))


@row("RF-13")
def test_clusterdown(start, fake):
    """503 for what is there, at once, reason cluster; all else goes on."""
    instance = start(fake)
    token, fine = minted_on(fake, fake.a, instance), minted_on(fake, fake.b, instance)
    name, secret = client_on(fake, fake.a)
    client_here = fake.owner("mintd:client:" + SVC_A.id) is fake.a
    fake.a.rule = lambda words: "-CLUSTERDOWN Hash slot not served" if len(words) > 1 and ":" in words[1] else None
    check_away(instance, use_request(token), within=0.3)
    check_unavailable(post(instance, "/token", G, basic(name, secret)))
    assert metric(instance, "mintd_store_troubles_total", reason="cluster") >= 2
    assert use(instance, fine).status == (503 if client_here and use(instance, fine).status == 503 else 200)
    fake.a.rule = None
    wait_until(lambda: use(instance, token).status == 200, 3)
    still_serves(fake, instance)


# ---- MULTI ----


@row("RF-20")
def test_moved_inside_the_making_of_a_client(start, fake):
    """--client: each command of the block is refused, EXEC says EXECABORT; then the whole block goes to the owner."""
    name = next(fake.names_on(fake.a, prefix="made"))
    key = "mintd:client:" + name
    for node in fake.nodes:
        node.says = fake.slots()
    fake.give(slot_of(key), slot_of(key), fake.c)
    instance = start(fake, "--client", name + ":s3cret-made:read")
    wait_until(lambda: post(instance, "/token", G, basic(name, "s3cret-made")).status == 200, 5)
    assert fake.data[key]["scope"] == "read"
    assert not [one for one in fake.data if "new:" in one]
    check_blocks(fake)


def check_blocks(fake):
    """Each MULTI has its EXEC, on its connection, with nothing of others in between."""
    for node in fake.nodes:
        for connection in {one for one, _ in node.commands}:
            verbs = [words[0] for one, words in node.commands if one is connection]
            depth = 0
            for verb in verbs:
                depth += {"MULTI": 1, "EXEC": -1}.get(verb, 0)
                assert depth in (0, 1), verbs
                assert not (depth and verb in ("GET", "HGETALL", "CLUSTER", "PING", "ASKING", "SETEX")), verbs


@row("RF-21")
def test_moved_inside_a_count_of_failures(start, fake):
    """MULTI, SET NX, INCR, EXEC: counted once for each failure."""
    instance = start(fake, "--failure-limit", "3")
    fail = "mintd:fail:%s:127.0.0.1" % SVC_A.id
    slot = slot_of(fail)
    for node in fake.nodes:
        node.says = fake.slots()
    fake.give(slot, slot, fake.nodes[(fake.nodes.index(fake.owner(fail)) + 1) % 3])
    assert [post(instance, "/token", G, basic(SVC_A.id, "wrong")).status for _ in range(5)] == [401, 401, 401, 429, 429]
    assert 3 <= int(fake.data[fail]) <= 4
    check_blocks(fake)


@rows("RF-22", first="SET", second="INCR")
def test_moved_inside_a_block_at_one_of_its_commands(start, fake, case):
    """The first was queued, the second is redirected, or the other way round."""
    instance = start(fake, "--failure-limit", "3")
    fail = "mintd:fail:%s:127.0.0.1" % SVC_A.id
    owner = fake.owner(fail)
    other = fake.nodes[(fake.nodes.index(owner) + 1) % 3]
    fake.give(slot_of(fail), slot_of(fail), other)
    for node in fake.nodes:
        node.says = fake.slots()
    said = []

    def once(words):
        if words[:2] == [case, fail] and not said:
            said.append(words)
            return "-MOVED %d %s" % (slot_of(fail), owner.address)  # it was, for a moment
        return None

    other.rule = once
    statuses = [post(instance, "/token", G, basic(SVC_A.id, "wrong")).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429], statuses
    assert 3 <= int(fake.data[fail]) <= 5
    check_blocks(fake)


@row("RF-23")
def test_ask_inside_a_block(start, fake):
    """ASKING stands ahead of MULTI, and holds to its EXEC."""
    instance = start(fake, "--failure-limit", "3")
    fail = "mintd:fail:%s:127.0.0.1" % SVC_A.id
    owner = fake.owner(fail)
    other = fake.nodes[(fake.nodes.index(owner) + 1) % 3]
    owner.rule = lambda words: "-ASK %d %s" % (slot_of(fail), other.address) if fail in words else None
    statuses = [post(instance, "/token", G, basic(SVC_A.id, "wrong")).status for _ in range(4)]
    assert statuses[-1] == 429 and set(statuses[:3]) == {401}, statuses
    commands = [words for _, words in other.commands if words[0] in ("ASKING", "MULTI", "SET", "INCR", "EXEC")
                and (len(words) == 1 or fail in words)]
    for place, words in enumerate(commands):
        if words == ["ASKING"]:
            assert [one[0] for one in commands[place + 1: place + 5]] == ["MULTI", "SET", "INCR", "EXEC"], commands
    assert commands and commands[0] == ["ASKING"] and int(fake.data[fail]) >= 3


@row("RF-24")
def test_tryagain_inside_a_block(start, fake):
    """As RENAMENX of two keys may say it while a slot moves: the block is aborted, and made once, later."""
    name = next(fake.names_on(fake.a, prefix="made"))
    said = []

    def later(words):
        if words[0] == "RENAMENX" and len(said) < 3:
            said.append(words)
            return "-TRYAGAIN Multiple keys request during rehashing of slot"
        return None

    fake.a.rule = later
    instance = start(fake, "--client", name + ":s3cret-made:read")
    wait_until(lambda: post(instance, "/token", G, basic(name, "s3cret-made")).status == 200, 5)
    assert len(said) == 3 and fake.data["mintd:client:" + name]["scope"] == "read"
    check_blocks(fake)


@row("RF-25")
def test_moved_to_itself_inside_a_block(start, fake):
    """No storm, and whoever asked is answered."""
    instance = start(fake, "--failure-limit", "3")
    fail = "mintd:fail:%s:127.0.0.1" % SVC_A.id
    owner = fake.owner(fail)
    owner.rule = lambda words: "-MOVED %d %s" % (slot_of(fail), owner.address) if fail in words else None
    response, took = timed(instance, form_request("/token", G, [basic(SVC_A.id, "wrong")]))
    assert response.status in (401, 503) and took <= scaled(2.1), (response, took)
    assert len(owner.asked("INCR", fail)) <= 1 + HOPS
    owner.rule = None
    still_serves(fake, instance)


# ---- the answer to CLUSTER SLOTS ----


@rows("RF-30", empty="", null=None)
def test_endpoints_without_a_host(start, fake, case):
    """It is the host that has answered, and the port that is given."""
    for node in fake.nodes:
        node.endpoint = case
    instance = start(fake.url_of(fake.a))
    for node in fake.nodes:
        check_welcome(use(instance, minted_on(fake, node, instance)))


@row("RF-31")
def test_an_endpoint_that_nobody_knows(start, fake):
    """"?": what is there is 503, cluster; the others serve, and so does it once it is known."""
    fake.c.endpoint = "?"
    instance = start(fake.url_of(fake.a), known=2)
    client = client_on(fake, fake.c)
    check_unavailable(post(instance, "/token", G, basic(*client)))
    check_welcome(use(instance, minted_after(fake, instance, fake.b)))
    fake.c.endpoint = "127.0.0.1"
    wait_until(lambda: post(instance, "/token", G, basic(*client)).status == 200, 3)


def minted_after(fake, instance, node):
    """While a part of the mints is 503."""
    def there():
        response = mint(instance)
        return (response.status == 200 and fake.owner(token_key(response.json()["access_token"])) is node
                and response.json()["access_token"])

    return wait_until(there, 5, "a token there")


def all_of(node, first=0, last=SLOTS - 1):
    return [[first, last, node.entry()]]


NONSENSE = {
    "beyond": lambda f: all_of(f.b, 0, SLOTS), "backwards": lambda f: all_of(f.b, 9, 8), "negative": lambda f: all_of(f.b, -1),
    "words": lambda f: [["a", "b", f.b.entry()]], "no-nodes": lambda f: [[0, SLOTS - 1]], "no-list": lambda f: "x",
    "number": lambda f: 7, "error": lambda f: line("-ERR no"), "overlap": lambda f: all_of(f.b, 0, 9) + all_of(f.a, 9, 12),
    "half": lambda f: all_of(f.b) + [[5]], "port-0": lambda f: [[0, SLOTS - 1, ["127.0.0.1", 0, "x", {}]]],
    "port-beyond": lambda f: [[0, SLOTS - 1, ["127.0.0.1", 65536, "x", {}]]],
    "host-list": lambda f: [[0, SLOTS - 1, [[], 1, "x", {}]]], "deep": lambda f: [[[[[[]]]]]],
    "long-host": lambda f: [[0, SLOTS - 1, ["h" * 5000, 1, "x", {}]]],
}


@rows("RF-32", **NONSENSE)
def test_maps_that_make_no_sense(start, fake, case):
    """Refused as a whole, the old one stays, and the question is put again."""
    instance = start(fake)
    tokens = [minted_on(fake, node, instance) for node in fake.nodes]
    for node in fake.nodes:
        node.says = case(fake)
    asked = fake.count("CLUSTER", "SLOTS")
    wait_until(lambda: fake.count("CLUSTER", "SLOTS") >= asked + 9, 6)
    for token in tokens:
        check_welcome(use(instance, token))
    assert mint(instance).status == 200
    assert len(told(instance)) < 30, told(instance)
    for node in fake.nodes:
        node.says = None
    asked = fake.count("CLUSTER", "SLOTS")
    wait_until(lambda: fake.count("CLUSTER", "SLOTS") >= asked + 3, 3)
    still_serves(fake, instance)


@row("RF-32-strangers")
def test_nobody_is_met_by_a_map_that_is_refused(start, fake):
    """Two nodes for one slot: neither of those that it names alone is spoken to."""
    instance = start(fake)
    with FakeCluster("d") as more:
        for node in fake.nodes:
            node.says = all_of(more.d, 0, 9) + all_of(more.d, 20, 30) + all_of(fake.a, 9, 12)
        asked = fake.count("CLUSTER", "SLOTS")
        wait_until(lambda: fake.count("CLUSTER", "SLOTS") >= asked + 9, 6)
        instance.wait_for_log(lambda entry: "makes no sense" in entry["message"])
        assert not more.d.commands and metric(instance, "mintd_store_nodes") == 3


@rows("RF-39", empty="", long="f" * 41)
def test_a_node_that_does_not_say_who_it_is(start_mintd, fake, case):
    """CLUSTER MYID: it is not taken for another one, whose keys it would be given. Its own are 503, which is said."""
    fake.c.rule = lambda words: line("$%d\r\n%s" % (len(case), case)) if words == ["CLUSTER", "MYID"] else None
    instance = start_mintd(redis=fake, workers=1)
    instance.wait_for_store(timeout=5)
    entry = instance.wait_for_log(lambda entry: "CLUSTER MYID" in entry.get("reason", ""))
    assert entry["redis"] == fake.c.address and entry["trouble"] == "cluster", entry
    tokens = [minted_after(fake, instance, node) for node in (fake.a, fake.b)]
    for token in tokens:
        check_welcome(use(instance, token))
    assert not fake.c.asked("SETEX", "...")
    fake.c.rule = None
    check_welcome(use(instance, minted_after(fake, instance, fake.c)))


@rows("RF-33", **{name: NONSENSE[name] for name in ("beyond", "number", "error", "half", "long-host")})
def test_a_seed_whose_map_makes_no_sense(start_mintd, fake, case):
    """The next seed is asked, and what the others have is served; the rest as soon as that node makes sense."""
    fake.c.says = case(fake)
    instance = start_mintd(redis=fake.url_of(fake.c, fake.a), workers=1)
    instance.wait_for_store(timeout=5)
    check_welcome(use(instance, minted_after(fake, instance, fake.b)))
    assert {mint(instance).status for _ in range(20)} <= {200, 503}
    fake.c.says = None
    check_welcome(use(instance, minted_after(fake, instance, fake.c)))


@row("RF-33-none")
def test_no_seed_whose_map_makes_sense(start_mintd, fake):
    """Said, 503, cluster; and it is over when they come to their senses."""
    for node in fake.nodes:
        node.says = 7
    instance = start_mintd(redis=fake, workers=1)
    entry = instance.wait_for_log(lambda entry: entry.get("trouble") == "cluster")
    assert entry["reason"], entry
    assert instance.request("GET", "/readyz").json()["reason"] == "cluster"
    check_unavailable(mint(instance))
    for node in fake.nodes:
        node.says = None
    wait_until(lambda: mint(instance).status == 200, 5)


@row("RF-34")
def test_what_more_nodes_say(start, fake):
    """One of them is behind: the node that the others name has the slot. Nobody is moved about."""
    instance = start(fake)
    token = minted_on(fake, fake.a, instance)
    slot = slot_of(token_key(token))
    old = fake.slots()
    fake.give(slot, slot, fake.b)
    fake.c.says = old
    check_welcome(use(instance, token))
    before = len(fake.a.asked("GET", token_key(token)))
    for _ in range(30):
        check_welcome(use(instance, token))
        time.sleep(0.05)
    assert len(fake.a.asked("GET", token_key(token))) - before <= 1


@row("RF-35")
def test_views_that_come_one_after_the_other(start, fake):
    """A has heard of the move, C not yet, B is late with its answer: nobody is 503 for it, since A says MOVED."""
    instance = start(fake, "--cache-size", "0")
    token = minted_on(fake, fake.a, instance)
    slot = slot_of(token_key(token))
    old = fake.slots()
    for node in (fake.b, fake.c):
        node.says = old
    fake.give(slot, slot, fake.b)
    until = time.monotonic() + 2 * BEAT_S
    while time.monotonic() < until:
        check_welcome(use(instance, token))
    fake.b.says = None
    until = time.monotonic() + 2 * BEAT_S
    while time.monotonic() < until:
        check_welcome(use(instance, token))


@row("RF-36")
def test_a_map_in_many_pieces(start, fake):
    """A reshard that went slot by slot: two thousand ranges, each with metadata."""
    for node in fake.nodes:
        node.metadata = {"hostname": "a-host-name-of-some-length.%s.example" % node.name, "ip": "127.0.0.1"}
    for slot in range(0, 4000, 2):
        fake.give(slot, slot, fake.b)
    instance = start(fake)
    for node in fake.nodes:
        check_welcome(use(instance, minted_on(fake, node, instance)))
    mark, before = instance.mark(), [len(node.asked("CLUSTER", "SLOTS")) for node in fake.nodes]
    wait_until(lambda: all(len(node.asked("CLUSTER", "SLOTS")) > count + 2 for node, count in zip(fake.nodes, before)), 5)
    assert not [entry for entry in instance.log[mark:] if entry["level"] in ("warning", "error")], told(instance)


@row("RF-37")
def test_more_nodes_than_there_may_be(start, fake):
    """300 masters: what has no room is 503, the rest serves, mintd lives."""
    many = [[slot, slot, ["127.0.0.1", fake.b.port + 0, "%040d" % slot, {}]] for slot in range(1)]
    for number in range(300):
        many.append([100 + number, 100 + number, ["127.0.0.2", 1000 + number, "%040d" % (number + 7), {}]])
    instance = start(fake)
    for node in fake.nodes:
        node.says = fake.slots()[1:] + many
    asked = fake.count("CLUSTER", "SLOTS")
    wait_until(lambda: fake.count("CLUSTER", "SLOTS") >= asked + 6, 8)
    for node in fake.nodes:
        node.says = None
    wait_until(lambda: {mint(instance).status for _ in range(20)} == {200}, 15)


@row("RF-38")
def test_the_map_changes_and_links_follow(start, fake):
    """Who has no slots and is named by nobody is left; who is named is linked with, before anything is asked."""
    instance = start(fake.url_of(fake.a, fake.b))
    with FakeCluster("d") as more:
        more.data = fake.data
        more.d.cluster = fake
        fake.nodes.append(more.d)
        fake.give(0, 5461, more.d)
        wait_until(lambda: len(more.d.connections) == 1, 2 * BEAT_S + 1)
        check_welcome(use(instance, minted_on(fake, more.d, instance)))
        wait_until(lambda: fake.a.connections == [], 20, "nobody names a any more")
        fake.give(0, 5461, fake.a)
        check_welcome(use(instance, minted_on(fake, fake.a, instance)))
        fake.nodes.remove(more.d)


# ---- memory ----


@row("RF-40")
def test_tracking_refused_by_one_node(start, fake):
    """What it has is asked for each time; what the others have is remembered."""
    fake.c.rule = lambda words: "-NOPERM no" if words[:2] == ["CLIENT", "TRACKING"] else None
    instance = start(fake)
    here, there = minted_on(fake, fake.b, instance), minted_on(fake, fake.c, instance)
    for token in (here, there):
        for _ in range(4):
            check_welcome(use(instance, token))
    assert fake.count("GET", token_key(here)) == 1
    assert fake.count("GET", token_key(there)) == 4
    fake.data.pop(token_key(there))
    assert use(instance, there).status == 401


@row("RF-41")
def test_a_node_that_pushes_is_heard_alone(start, fake):
    """A push of one node does not touch what others have; one for a key that it has not is no harm."""
    instance = start(fake)
    tokens = {node: minted_on(fake, node, instance) for node in fake.nodes}
    for token in tokens.values():
        check_welcome(use(instance, token))
    before = {node: len(node.asked("GET", "mintd:token:*")) for node in fake.nodes}
    for connection in fake.a.connections:
        connection.push(token_key(tokens[fake.b]))
        connection.push("mintd:token:nothing")
    for token in tokens.values():
        check_welcome(use(instance, token))
    assert sum(len(node.asked("GET", "mintd:token:*")) - before[node] for node in fake.nodes) <= 1
    fake.cli("DEL", token_key(tokens[fake.b]))
    wait_until(lambda: use(instance, tokens[fake.b]).status == 401, 1)


@row("RF-42")
def test_a_node_that_does_not_speak_for_its_slots(start, fake):
    """It answers PING and all else, and not CLUSTER SLOTS: after 2 s nothing of it is taken from memory."""
    instance = start(fake)
    token = minted_on(fake, fake.b, instance)
    check_welcome(use(instance, token))
    held = threading.Event()
    fake.b.rule = lambda words: held.wait(8) and None if words[:2] == ["CLUSTER", "SLOTS"] else None
    fake.data.pop(token_key(token))  # without a push
    try:
        wait_until(lambda: use(instance, token).status in (401, 503), 3)
    finally:
        held.set()


@row("RF-43")
def test_what_a_lost_slot_left_in_memory(start, fake):
    """A says of itself that it has not got the slot any more, and nothing was pushed: all that came from A is asked
    for anew."""
    instance = start(fake)
    gone, stays = minted_on(fake, fake.a, instance), minted_on(fake, fake.a, instance)
    for token in (gone, stays):
        check_welcome(use(instance, token))
    slot = slot_of(token_key(gone))
    fake.give(slot, slot, fake.b)
    fake.data.pop(token_key(gone))
    wait_until(lambda: use(instance, gone).status == 401, 2 * BEAT_S + 0.5)
    check_welcome(use(instance, stays))
    fake.data[token_key(gone)] = fake.data[token_key(stays)]
    fake.give(slot, slot, fake.a)
    wait_until(lambda: use(instance, gone).status == 200, 2 * BEAT_S + 0.5)


# ---- a mint rests on three nodes ----


def remembered(fake, instance, name, secret):
    """Its client and the generation are in memory."""
    for _ in range(3):
        assert post(instance, "/token", G, basic(name, secret)).status == 200


@rows("RF-50", disabled=("HSET", "disabled", "1"), secret=("HSET", "secret:1", sha256_phc("other")))
def test_a_client_that_changes_while_a_mint_is_confirmed(start, fake, case):
    """Its node says that it has changed, and only then that it is there: the token is not given out."""
    name, secret = client_on(fake, fake.b)
    instance = start(fake)
    remembered(fake, instance, name, secret)
    key = "mintd:client:" + name
    verb, *change = case
    fake.b.play('''
        EXPECT ["EXISTS", "%s"]
        WAIT changed
        SEND :1
    ''' % key)
    with instance.connect() as connection:
        connection.send(form_request("/token", G, [basic(name, secret)]))
        wait_until(lambda: fake.b.asked("EXISTS", key), 3)
        fake.cli(verb, key, *change)
        fake.b.go("changed")
        response = connection.read_response()
    assert response.status == 401, response


@row("RF-51")
def test_a_generation_that_changes_while_a_mint_is_confirmed(start, fake):
    """The token that is given out is of the new one."""
    name, secret = client_on(fake, fake.a)
    instance = start(fake)
    remembered(fake, instance, name, secret)
    owner = fake.owner(GENERATION)
    owner.play('''
        EXPECT ["EXISTS", "mintd:generation"]
        WAIT changed
        SEND :0
    ''')
    with instance.connect() as connection:
        connection.send(form_request("/token", G, [basic(name, secret)]))
        wait_until(lambda: owner.asked("EXISTS", GENERATION), 3)
        fake.cli("INCR", GENERATION)
        owner.go("changed")
        response = connection.read_response()
    assert response.status == 200, response
    assert use(instance, response.json()["access_token"]).status == 200


@row("RF-52")
def test_a_confirmation_that_cannot_be_had(start, fake):
    """The client's node is silent: nobody can tell, 503."""
    name, secret = client_on(fake, fake.b)
    instance = start(fake)
    remembered(fake, instance, name, secret)
    key = "mintd:client:" + name
    fake.b.rule = lambda words: "-CLUSTERDOWN The cluster is down" if words == ["EXISTS", key] else None
    check_unavailable(post(instance, "/token", G, basic(name, secret)))
    fake.b.rule = None
    assert post(instance, "/token", G, basic(name, secret)).status == 200


@row("RF-53")
def test_a_no_is_confirmed_by_a_question_of_one_size(start, fake):
    """EXISTS at the owner of the id that was asked for, whether it is there or not: as many commands for either."""
    name, secret = client_on(fake, fake.b)
    unknown = next(fake.names_on(fake.b, prefix="unknown"))
    instance = start(fake)
    for who in (name, unknown):
        assert post(instance, "/token", G, basic(who, "wrong")).status == 401
    counts = []
    for who in (name, unknown):
        before = [len(node.commands) for node in fake.nodes]
        assert post(instance, "/token", G, basic(who, "wrong")).status == 401
        fresh = [words for node, count in zip(fake.nodes, before) for _, words in node.commands[count:]
                 if words[0] not in ("CLUSTER", "PING", "TIME") and "instance" not in words[1]]
        counts.append(sorted(words[0] for words in fresh))
        assert ["EXISTS", "mintd:client:" + who] in fresh, fresh
    assert counts[0] == counts[1], counts


# ---- order ----


@row("RF-60")
def test_no_reply_meets_another_question(start, fake):
    """Forty uses at once, a half of them by way of MOVED, ASK and TRYAGAIN: each is told its own client."""
    instance = start(fake, "--cache-size", "0")
    clients = [client_on_numbered(fake, number) for number in range(40)]
    tokens = [post(instance, "/token", G, basic(*client)).json()["access_token"] for client in clients]
    seen = {}

    def odd(words, node):
        if words[0] != "GET" or ":token:" not in words[1] or fake.owner(words[1]) is not node:
            return None
        seen[words[1]] = seen.get(words[1], 0) + 1
        other = fake.nodes[(fake.nodes.index(node) + 1) % 3]
        if int(words[1][-1], 16) % 3 == 0:
            return "-ASK %d %s" % (slot_of(words[1]), other.address)
        if int(words[1][-1], 16) % 3 == 1 and seen[words[1]] % 2:
            return "-TRYAGAIN later"
        return None

    for node in fake.nodes:
        node.rule = lambda words, node=node: odd(words, node)
    with instance.connect() as connection:
        for _ in range(5):
            connection.send(b"".join(use_request(token) for token in tokens))
            for name, _ in clients:
                check_welcome(connection.read_response(), name)


def client_on_numbered(fake, number):
    name = "many-%d" % number
    fake.cli("HSET", "mintd:client:" + name, "secret:1", sha256_phc("s3cret-" + name), "scope", "read")
    return name, "s3cret-" + name


@row("RF-61")
def test_a_client_that_gives_up_while_its_question_is_redirected(start, fake):
    """Nobody waits for the answer any more; those behind it get theirs."""
    instance = start(fake, "--cache-size", "0")
    token, fine = minted_on(fake, fake.a, instance), minted_on(fake, fake.b, instance)
    fake.a.rule = lambda words: "-ASK 1 %s" % fake.b.address if words[0] == "GET" and ":token:" in words[1] else None
    for _ in range(30):
        connection = instance.connect()
        connection.send(use_request(token) * 3)
        connection.reset()
        assert use(instance, fine).status == 200
    assert use(instance, token).status == 200



# ---- whose data it is ----


def lose(fake, node):
    node.stop()


def empty(fake, node):
    node.tell_all()


def move_a_slot_away(fake, node):
    first = next(first for first, _, owner in fake.ranges() if owner is node)
    fake.give(first, first, fake.owner("mintd:identity"))


def minted_beside(fake, node, instance, client):
    """A token on the node, by requests of that client."""
    for _ in range(100):
        token = post(instance, "/token", G, basic(*client)).json()["access_token"]
        if fake.owner(token_key(token)) is node:
            return token
    raise AssertionError("no token there")


@rows("RF-62", lost=lose, emptied=empty, slot=move_a_slot_away)
def test_a_pinned_identity_is_doubtful_by_its_own_node_alone(start, fake, case):
    """Another one is lost, says FLUSHALL, loses a slot: what the others have is answered from memory as before."""
    instance = start(fake, "--redis-identity", "fake")
    keeper = fake.owner("mintd:identity")
    other = next(node for node in fake.nodes if node not in (keeper, fake.owner(GENERATION)))
    client = client_on(fake, keeper)
    token = minted_beside(fake, keeper, instance, client)

    def comes_from_memory():
        before = len(keeper.asked("GET", token_key(token)))
        for _ in range(3):
            check_welcome(use(instance, token), client[0])
        return len(keeper.asked("GET", token_key(token))) == before

    wait_until(comes_from_memory, 5)
    keeper.rule = lambda words: "-BUSY a script" if words == ["GET", "mintd:identity"] else None  # no look helps
    asked = len(keeper.asked("CLUSTER", "SLOTS"))
    case(fake, other)
    wait_until(lambda: len(keeper.asked("CLUSTER", "SLOTS")) >= asked + 4, 6, "all that it heard is worked off")
    wait_until(comes_from_memory, 1)


@row("RF-63")
def test_a_pinned_identity_is_doubtful_without_its_node(start, fake):
    """Nobody would tell: each request asks, until it was looked at again."""
    instance = start(fake, "--redis-identity", "fake")
    keeper = fake.owner("mintd:identity")
    other = next(node for node in fake.nodes if node is not keeper)
    client = client_on(fake, other)
    token = minted_beside(fake, other, instance, client)

    def asks():
        before = len(other.asked("GET", token_key(token)))
        statuses = [use(instance, token).status for _ in range(2)]
        return statuses == [200] * 2 and len(other.asked("GET", token_key(token))) - before

    wait_until(lambda: asks() == 0, 5)
    keeper.rule = lambda words: "-BUSY a script" if words == ["GET", "mintd:identity"] else None
    keeper.stop()
    keeper.start()
    wait_until(lambda: asks() == 2, 5)
    keeper.rule = None
    wait_until(lambda: asks() == 0, 5)
