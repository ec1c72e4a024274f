"""The clusters that other tests rest on: the real one moves slots and fails over as it should, and the one that is
made of texts says what a test wants."""
import socket
import time

import pytest

from support.cluster import NODE_TIMEOUT_MS, Cluster, slot_of
from support.fake_cluster import FakeCluster, matches, parse_dialogue
from support.oauth import row, rows, wait_until
from support.redis_server import RedisError, RespConnection

KEY = "mintd:client:x"


# ---- a real one ----


@pytest.fixture(scope="module")
def shared():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    yield shared
    shared.mend()


def refused(node, *command):
    with pytest.raises(RedisError) as error:
        node.cli(*command)
    return str(error.value)


@rows("CS-1", plain=b"mintd:generation", tag=b"new:{mintd:client:x}", empty=b"a{}b", open=b"a{b", twice=b"{a}{b}", raw=b"\xff{\x00}",
      none=b"")
def test_slots_are_computed_as_redis_does(cluster, case):
    assert slot_of(case) == cluster.nodes[0].cli("CLUSTER", "KEYSLOT", case)


@row("CS-2")
def test_a_slot_moves_key_by_key(cluster):
    """In the middle of it: ASK for what has gone, an answer for what is there yet, TRYAGAIN for one of either."""
    slot, source = slot_of(KEY), cluster.owner(KEY)
    target = cluster.others(source)[0]
    cluster.cli("SET", KEY, "1")
    cluster.cli("SET", "{%s}2" % KEY, "2")
    move = cluster.begin_move(slot, target)
    assert source.cli("GET", KEY) == "1"
    move.take(KEY)
    assert refused(source, "GET", KEY) == "ASK %d %s" % (slot, target.address)
    assert refused(target, "GET", KEY) == "MOVED %d %s" % (slot, source.address)
    assert refused(source, "MGET", KEY, "{%s}2" % KEY).startswith("TRYAGAIN")
    assert cluster.cli("GET", KEY) == "1" and cluster.owner(KEY) is source
    move.end()
    assert refused(source, "GET", KEY) == "MOVED %d %s" % (slot, target.address)
    assert target.cli("GET", KEY) == "1" and cluster.owner(KEY) is target
    assert target.cli("GET", "{%s}2" % KEY) == "2"


@row("CS-3")
def test_a_slot_is_handed_over_at_once(cluster):
    source = cluster.owner(KEY)
    target = cluster.others(source)[0]
    cluster.cli("SET", KEY, "1")
    cluster.hand_over(slot_of(KEY), target)
    assert target.cli("GET", KEY) == "1" and source.cli("KEYS", "*") == []
    assert refused(source, "GET", KEY).startswith("MOVED")


@row("CS-4")
def test_what_was_moved_is_mended(cluster):
    source = cluster.owner(KEY)
    before = source.map()
    first, second = cluster.others(source)
    cluster.cli("SET", KEY, "1")
    cluster.move_slot(slot_of(KEY), first)
    cluster.move_slot(slot_of(KEY), second)
    cluster.begin_move(slot_of(KEY), first)
    cluster.hand_over(0, cluster.nodes[2])
    cluster.give_up(100, 200)
    cluster.mend()
    assert source.map() == before and cluster.keys("*") == []
    assert not any("[" in node.cli("CLUSTER", "NODES") for node in cluster.nodes)


@row("CS-5")
def test_a_node_comes_and_goes(cluster):
    """With a slot of the others meanwhile."""
    node, home = cluster.add_node(), cluster.owner(KEY)
    cluster.cli("SET", KEY, "1")
    cluster.move_slot(slot_of(KEY), node)
    assert node.cli("GET", KEY) == "1"
    cluster.move_slot(slot_of(KEY), home)
    cluster.remove_node(node)
    cluster.settle()
    assert home.cli("GET", KEY) == "1" and cluster.nodes[0].info()["cluster_known_nodes"] == "3"


@row("CS-6")
def test_names_are_found_by_node(cluster):
    for node in cluster.nodes:
        names = cluster.names_on(node)
        for _ in range(3):
            assert cluster.owner("mintd:client:" + next(names)) is node


@pytest.mark.lengthy
@row("CS-7")
def test_replicas_take_over():
    with Cluster(3, replicas=1) as cluster:
        cluster.cli("SET", KEY, "1")
        old = cluster.owner(KEY)
        new = cluster.fail_over(old)
        cluster.settle()
        assert cluster.owner(KEY) is new and cluster.cli("GET", KEY) == "1" and old.role() == "slave"
        new.kill()
        killed = time.monotonic()
        assert cluster.wait_until_promoted(old) - killed > NODE_TIMEOUT_MS / 1000 / 2
        assert old.cli("GET", KEY) == "1"
        new.start()
        cluster.settle()
        assert cluster.replicas_of(old) == [new]


@row("CS-8")
def test_a_password_and_full_coverage():
    with Cluster(password="canary", full_coverage=True) as cluster:
        plain = RespConnection(cluster.nodes[0].port)
        with pytest.raises(RedisError, match="NOAUTH"):
            plain.command("GET", KEY)
        plain.close()
        cluster.cli("SET", KEY, "1")
        source = cluster.owner(KEY)
        cluster.move_slot(slot_of(KEY), cluster.others(source)[0])
        assert cluster.cli("GET", KEY) == "1"
        cluster.give_up(0, 0)
        wait_until(lambda: source.info()["cluster_state"] == "fail", 5)
        assert refused(source, "GET", KEY).startswith(("CLUSTERDOWN", "MOVED"))


# ---- one of texts ----


@pytest.fixture
def fake():
    with FakeCluster() as cluster:
        yield cluster


class Client:
    """Raw bytes in, and what comes."""

    def __init__(self, node):
        self.socket = socket.create_connection(("127.0.0.1", node.port), 5)

    def say(self, *commands):
        for words in commands:
            words = words.split()
            self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))

    def hear(self, expected):
        got = b""
        while len(got) < len(expected) and (more := self.socket.recv(len(expected) - len(got))):
            got += more
        assert got == expected.encode(), got

    def ask(self, command, expected):
        self.say(command)
        self.hear(expected)


def key_on(node):
    return "mintd:client:" + next(node.cluster.names_on(node))


@row("CF-1")
def test_it_is_a_small_redis(fake):
    key = key_on(fake.a)
    with_resp2 = RespConnection(fake.a.port)
    assert with_resp2.command("HSET", key, "f", "1", "g", "2") == 2
    assert with_resp2.command("HGETALL", key) == ["f", "1", "g", "2"]
    assert with_resp2.command("HEXISTS", key, "f") == 1 and with_resp2.command("HDEL", key, "f", "g") == 2
    assert with_resp2.command("GET", key) is None
    for command in (["MULTI"], ["SET", key, "0", "EX", "60", "NX"], ["INCR", key], ["EXEC"]):
        reply = with_resp2.command(*command)
    assert reply == ["OK", 1]
    with pytest.raises(RedisError, match="MOVED .* " + fake.b.address):
        with_resp2.command("GET", key_on(fake.b))
    assert [entry[:2] + [entry[2][:2]] for entry in with_resp2.command("CLUSTER", "SLOTS")] == [
        [0, 5461, ["127.0.0.1", fake.a.port]], [5462, 10922, ["127.0.0.1", fake.b.port]],
        [10923, 16383, ["127.0.0.1", fake.c.port]]]
    with_resp2.close()


@row("CF-2")
def test_changes_are_pushed_to_who_has_read(fake):
    key, client, other = key_on(fake.a), Client(fake.a), Client(fake.a)
    client.say("HELLO 3")
    assert client.socket.recv(1000).startswith(b"%7\r\n")
    client.ask("CLIENT TRACKING ON", "+OK\r\n")
    client.ask("EXISTS " + key, ":0\r\n")
    other.ask("SET %s 1" % key, "+OK\r\n")
    push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$%d\r\n%s\r\n" % (len(key), key)
    client.hear(push)
    client.say("GET " + key, "SET %s 2" % key)
    client.hear("$1\r\n1\r\n+OK\r\n" + push)
    client.ask("GET " + key, "$1\r\n2\r\n")
    fake.set(key, "3")
    client.hear(push)


@row("CF-3")
def test_a_dialogue_is_played(fake):
    """Whatever else comes meanwhile, on whatever connection."""
    key, client, other = key_on(fake.a), Client(fake.a), Client(fake.a)
    fake.a.play('''
        EXPECT ["GET", "mintd:*"]         # a comment
        WAIT go
        SEND -ASK 12182 127.0.0.1:{b}
        EXPECT ["SETEX", "..."]
        SEND ["x", 1, null, {"hostname": "h"}]
        EXPECT CLOSE
    ''')
    client.say("GET " + key, "PING")
    wait_until(lambda: fake.a.rest[0][0] != "EXPECT", 5, "the first command has come")
    other.ask("SET %s 1" % key, "+OK\r\n")
    assert fake.a.rest[0][0] == "WAIT" or fake.a.rest[0][0] == "SEND"
    fake.a.go("go")
    client.hear("-ASK 12182 127.0.0.1:%d\r\n+PONG\r\n" % fake.b.port)
    client.ask("SETEX a 1 b", "*4\r\n$1\r\nx\r\n:1\r\n$-1\r\n*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n")
    assert fake.a.rest == [("EXPECT CLOSE",)]
    other.socket.close()
    client.socket.close()
    fake.check()
    assert fake.count("GET", "mintd:*") == 1 and fake.a.asked("SETEX", "...") == [["SETEX", "a", "1", "b"]]


@row("CF-4")
def test_asking_holds_for_a_command_or_a_block(fake):
    key, client = key_on(fake.b), Client(fake.a)
    moved = "-MOVED %d 127.0.0.1:%d\r\n" % (slot_of(key), fake.b.port)
    client.ask("ASKING", "+OK\r\n")
    client.ask("GET " + key, "$-1\r\n")
    client.ask("GET " + key, moved)
    for command in ("ASKING", "MULTI"):
        client.ask(command, "+OK\r\n")
    for command in ("INCR", "INCR"):
        client.ask("%s %s" % (command, key), "+QUEUED\r\n")
    client.ask("EXEC", "*2\r\n:1\r\n:2\r\n")
    client.ask("GET " + key, moved)
    client.ask("MULTI", "+OK\r\n")
    client.ask("INCR " + key, moved)
    client.ask("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")


@row("CF-5")
def test_rules_and_a_node_that_goes(fake):
    key, client = key_on(fake.a), Client(fake.a)
    fake.a.rule = lambda words: "-TRYAGAIN later" if words[0] == "GET" else None
    client.ask("GET " + key, "-TRYAGAIN later\r\n")
    client.ask("EXISTS " + key, ":0\r\n")
    fake.give(0, 16383, fake.c)
    client.ask("EXISTS " + key, "-MOVED %d 127.0.0.1:%d\r\n" % (slot_of(key), fake.c.port))
    fake.give(0, 16383, None)
    client.ask("EXISTS " + key, "-CLUSTERDOWN Hash slot not served\r\n")
    fake.a.stop()
    client.hear("")
    with pytest.raises(ConnectionRefusedError):
        Client(fake.a)
    fake.a.start()
    Client(fake.a).ask("PING", "+PONG\r\n")


@row("CF-6")
def test_words_are_compared_with_patterns():
    assert matches(["get", "mintd:token:1"], ["GET", "mintd:token:*"])
    assert not matches(["GET"], ["GET", "x"]) and not matches(["GET", "x", "y"], ["GET", "x"])
    assert matches(["SETEX", "k", "1", "v"], ["SETEX", "k", "..."]) and matches(["EXEC"], ["EXEC", "..."])
    assert parse_dialogue("# no\n\nEXPECT [\"A\"]\nCLOSE\n", {}) == [("EXPECT", ["A"]), ("CLOSE",)]
    with pytest.raises(ValueError):
        parse_dialogue("EXPCT [\"A\"]", {})
