"""mintctl in a Redis Cluster: each call goes where its key is, what is about the server to each node (TOPOLOGY 10)."""
import base64
import json
import re
import threading

import pytest

from support.clients import G, SVC_A, basic, install_clients, token_key, token_of
from support.cluster import Cluster, slot_of
from support.fake_cluster import FakeCluster
from support.inquiry import introspect
from support.mintctl import Mintctl
from support.oauth import post, row, rows, use, wait_until
from support.redis_server import RedisServer
from support.tls import Authority
from test_mintctl_acl import PASSWORD, paste, rights_in, rules_of
from test_mintctl_many import STORED
from test_mintctl_operations import findings, found

CANARY = "canary-of-a-cluster"
USERS = ("mintd", "app")
SETTINGS = {"maxmemory-policy": "noeviction", "cluster-node-timeout": "2000", "cluster-require-full-coverage": "no"}
OF_A_CLUSTER = {"exists", "asking", "cluster|slots", "cluster|myid", "cluster|info"}
RECORD = "mintd:client:%s"


def know_all_epochs(cluster):
    """A node that takes a slot back before that has a claim as old as the other's, and what is in it is lost."""
    seen = [sorted((line.split()[0], line.split()[6]) for line in node.cli("CLUSTER", "NODES").splitlines()) for node in cluster.nodes]
    return all(one == seen[0] for one in seen)


@pytest.fixture(scope="module")
def shared():
    with Cluster(options=("--appendonly", "yes")) as cluster:
        cluster.everywhere("CONFIG", "SET", "appendonly", "yes")
        yield cluster


@pytest.fixture
def cluster(shared):
    """Three masters that lose nothing; leave them running."""
    shared.cli("SET", "mintd:schema", "1")
    shared.cli("SET", "mintd:identity", "one")
    yield shared
    for user in USERS:
        shared.everywhere("ACL", "DELUSER", user)
    for name, value in SETTINGS.items():
        shared.everywhere("CONFIG", "SET", name, value)
    wait_until(lambda: know_all_epochs(shared), 10, "they know each other's epochs")
    shared.mend()


@pytest.fixture
def own_cluster():
    """Three masters of this test alone, to be killed."""
    with Cluster(options=("--appendonly", "yes")) as cluster:
        cluster.cli("SET", "mintd:schema", "1")
        yield cluster


def make(cluster, name, **fields):
    pairs = {"scope": "read", "gen": "1", "secret:1": STORED % 1, **fields}
    cluster.cli("HSET", RECORD % name, *[word for pair in pairs.items() for word in pair])
    cluster.cli("SADD", "mintd:clients", name)


def names_on_each(cluster, count=1, prefix="c"):
    """[[name, …]]: of clients on the first node, on the second, …"""
    names = [cluster.names_on(node, prefix=prefix) for node in cluster.masters]
    return [[next(one) for _ in range(count)] for one in names]


def text_of(ctl, check, status=0):
    """The lines of the doctor about one thing."""
    out = ctl("doctor", status=status).out
    return [line for line in out.splitlines() if re.match(r"(ok|warning|problem|not checked) +%s " % check, line)]


# ---- clients and tokens, wherever their keys are ----


@row("CL-client")
def test_all_that_is_done_with_a_client_on_any_node(cluster):
    ctl = Mintctl(cluster)
    for node, [name] in zip(cluster.masters, names_on_each(cluster)):
        ctl.secret("client", "add", name, "--scope", "read")
        ctl("client", "add", name, status=1)  # there already
        ctl("client", "set", name, "--ttl", "60")
        ctl.secret("client", "rotate", name)
        ctl("client", "disable", name)
        assert {k: v for k, v in ctl.json("client", "show", name).items() if k in ("id", "scope", "ttl")} == {
            "id": name, "scope": "read", "ttl": 60}
        assert node.cli("HGET", RECORD % name, "disabled") == "1" and node.cli("HEXISTS", RECORD % name, "secret:2")
        ctl("client", "enable", name)
        token = ctl.secret("token", "mint", name)
        assert ctl.json("token", "show", "-", stdin=token)["client"] == name
        ctl("explain", "-", stdin=token)
        ctl("token", "revoke-all", name)
        ctl("explain", "-", stdin=token, status=1)
        ctl("token", "revoke", "-", stdin=token)
        ctl("token", "show", "-", stdin=token, status=1)
    listed = [one["id"] for one in ctl.json("client", "list")["clients"]]
    assert len(listed) == 3 and listed == sorted(cluster.cli("SMEMBERS", "mintd:clients"))
    for name in listed:
        ctl("client", "remove", name, "--yes")
    ctl("token", "revoke-all", "--everybody", "--yes")
    assert cluster.keys("mintd:c*") == [] and cluster.cli("GET", "mintd:generation") == "1"


@row("CL-apply")
def test_apply_makes_changes_and_removes_on_all_nodes(cluster, tmp_path):
    """A client at a time, but all that go at once: first they, then their ids."""
    ctl, path = Mintctl(cluster), tmp_path / "clients.json"
    names = ["many-%03d" % n for n in range(300)]
    for name in names[:200]:
        make(cluster, name)
    cluster.cli("HSET", RECORD % names[250], "secret:1:used", "1")  # the remains of one that was removed

    def apply(wanted, *arguments, **more):
        path.write_text(json.dumps({"clients": [{"id": name, "secrets": [STORED % 1], **more} for name in wanted]}))
        return ctl("client", "apply", str(path), *arguments)

    done = apply(names[100:], "--prune", "--yes", scope="write")
    assert "100 made, 100 changed, 100 removed, 0 as they were" in done.out
    assert cluster.keys(RECORD % "*") == [RECORD % name for name in names[100:]]
    assert sorted(cluster.cli("SMEMBERS", "mintd:clients")) == names[100:]
    assert {cluster.cli("HGET", RECORD % name, "scope") for name in names[100:]} == {"write"}
    assert cluster.cli("HGET", RECORD % names[250], "secret:1:used") is None
    assert "200 as they were" in apply(names[100:], scope="write").out


@row("CL-listed-first")
def test_what_stops_half_way_leaves_no_client_that_is_not_listed(own_cluster):
    """An id is listed ahead of its client, and taken out of the list behind it: where the node of the list is lost
    nothing is made, and what was removed is still listed, which harms nothing."""
    there, lost, _ = own_cluster.masters
    own_cluster.move_slot(slot_of("mintd:clients"), lost)  # away from the layout, without which nothing is done
    old, new = next(own_cluster.names_on(there, prefix="old")), next(own_cluster.names_on(there, prefix="new"))
    make(own_cluster, old)
    lost.kill()
    ctl = Mintctl(own_cluster)
    assert "doctor tells which node is away" in ctl("client", "add", new, status=3).err
    assert there.cli("EXISTS", RECORD % new) == 0
    assert "removed" in ctl("client", "remove", old, "--yes", status=3).out
    assert there.cli("EXISTS", RECORD % old) == 0
    lost.start()
    own_cluster.settle()
    assert ctl.json("client", "list") == {"clients": []}
    ctl("client", "remove", old, "--yes", status=1)
    assert own_cluster.cli("SMEMBERS", "mintd:clients") == []


@row("CL-settle")
def test_a_write_waits_for_a_replica_of_its_node():
    with Cluster(3, replicas=1) as cluster:
        make(cluster, "c")
        ctl, replica = Mintctl(cluster), cluster.replicas_of(cluster.owner(RECORD % "c"))[0]
        assert ctl("client", "disable", "c").err == ""
        assert {one["replicas"] for one in ctl.json("status")["redis"]["nodes"]} == {1}
        assert findings(ctl, status=1)["replicas"]["result"] == "ok"
        replica.pause()
        assert "no replica has it yet" in ctl("client", "enable", "c").err
        other = next(node for node in cluster.masters if node is not cluster.owner(RECORD % "c"))
        make(cluster, name := next(cluster.names_on(other)))
        assert ctl("client", "disable", name).err == ""
        replica.resume()


# ---- slots that move ----


@row("CL-ask")
@pytest.mark.parametrize("words", [pytest.param(words, id=words[0]) for words in (
    ["set", "--ttl", "60"], ["rotate"], ["disable"], ["remove", "--yes"])])
def test_a_change_while_the_slot_moves(cluster, words):
    """The record is at the new node already, the slot is not: WATCH is taken there, and so is what follows."""
    [name], *_ = names_on_each(cluster)
    make(cluster, name)
    source, target = cluster.masters[:2]
    move = cluster.begin_move(slot_of(RECORD % name), target)
    move.take(RECORD % name)
    assert Mintctl(cluster).run("client", words[0], name, *words[1:]).status == 0
    assert source.cli("CLUSTER", "COUNTKEYSINSLOT", move.slot) == 0
    move.end()
    record = target.cli("HGETALL", RECORD % name)
    fields = dict(zip(record[::2], record[1::2]))
    assert {"set": fields.get("ttl") == "60", "rotate": "secret:2" in fields, "disable": fields.get("disabled") == "1",
            "remove": not fields}[words[0]], fields


@pytest.fixture
def fake():
    """WATCH is taken by who has the slot; the node a gives it away once it is asked for a change."""
    fake = FakeCluster("a", "b", "c")

    def watching(node, more=lambda words: None):
        def rule(words):
            if words[0] == "UNWATCH" or (words[0] == "WATCH" and fake.owner(words[1]) is node):
                return "+OK"
            return more(words)
        return rule

    def give_away(words):
        if words[0] == "HSET":
            fake.give(slot := slot_of(words[1]), slot, fake.b)
            return "-MOVED %d %s" % (slot, fake.moved_to(fake.b))
        return None

    fake.a.rule, fake.b.rule, fake.c.rule = watching(fake.a, give_away), watching(fake.b), watching(fake.c)
    yield fake
    fake.close()


@row("CL-watch")
def test_a_change_does_not_follow_its_key_to_where_nothing_is_watched(fake):
    """Refused by the node that has watched it, it is begun anew at the other: WATCH, read, MULTI, EXEC."""
    name = next(fake.names_on(fake.a))
    fake.cli("HSET", RECORD % name, "scope", "read", "secret:1", STORED % 1)
    fake.a.commands.clear()
    Mintctl(fake)("client", "set", name, "--ttl", "60")
    assert fake.cli("HGET", RECORD % name, "ttl") == "60"
    of_client = ("WATCH", "HGETALL", "MULTI", "HSET", "EXEC")
    assert [w[0] for _, w in fake.a.commands if w[0] in of_client][:5] == list(of_client)
    at_b = [words[0] for _, words in fake.b.commands if words[0] in of_client]
    assert at_b == ["WATCH", *of_client], at_b  # at first it has not got the key
    assert fake.count("HSET", "...") == 2


def accepts(cluster, name, secret):
    credentials = base64.b64encode(("%s:%s" % (name, secret)).encode()).decode()
    return Mintctl(cluster).run("explain", "-", stdin="Basic " + credentials).status == 0


@row("CL-rotations")
def test_changes_at_once_while_the_slot_moves_lose_nothing(cluster):
    """Each rotation takes a place of its own: none is written over one that it did not see."""
    [name], *_ = names_on_each(cluster)
    slot, (one, two, _) = slot_of(RECORD % name), cluster.masters
    for target in (two, one, two, one, two):
        make(cluster, name)
        wait_until(lambda: know_all_epochs(cluster), 10, "they know each other's epochs")
        done = []
        rotations = [threading.Thread(target=lambda: done.append(Mintctl(cluster).run("client", "rotate", name))) for _ in range(3)]
        for thread in rotations:
            thread.start()
        cluster.move_slot(slot, target)
        for thread in rotations:
            thread.join()
        fields = cluster.cli("HGETALL", RECORD % name)
        secrets = [field for field in fields[::2] if re.fullmatch("secret:[1-4]", field)]
        assert [one.status for one in done] == [0, 0, 0] and len(secrets) == 4, (fields, done)
        assert all(accepts(cluster, name, one.out.strip()) for one in done), (fields, done)
        cluster.cli("DEL", RECORD % name)


# ---- a node that is away ----


@row("CL-away")
def test_what_a_lost_node_keeps_back_the_others_tell(own_cluster):
    """Its clients are not listed, and counted; status and doctor name it."""
    lost = next(node for node in own_cluster.masters
                if node not in (own_cluster.owner("mintd:clients"), own_cluster.owner("mintd:instances")))
    names = {node: own_cluster.names_on(node) for node in own_cluster.masters}
    mine = {node: [next(names[node]) for _ in range(3)] for node in names}
    for name in sum(mine.values(), []):
        make(own_cluster, name)
    there = sorted(sum((mine[node] for node in mine if node is not lost), []))
    lost.kill()
    ctl = Mintctl(own_cluster)
    done = ctl("client", "list", status=3)
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == there and "3 more are not listed" in done.err, done
    listed = ctl.run("client", "list", "--json")
    assert listed.status == 3 and [one["id"] for one in json.loads(listed.out)["clients"]] == there
    ctl("client", "show", there[0])
    ctl("client", "disable", there[0])
    assert "which node is away" in ctl("client", "show", mine[lost][0], status=3).err
    assert ctl.run("client", "export").status == 3  # what is not whole is not to be applied
    text = ctl("status").out
    assert "cluster: 3 nodes with slots, 1 away" in text and "%s: away" % lost.address in text, text
    assert re.search(r"^clients +9$", text, re.MULTILINE), text
    nodes = {one["address"]: one["away"] for one in ctl.json("status")["redis"]["nodes"]}
    assert nodes == {node.address: node is lost for node in own_cluster.nodes}
    result = ctl.json("doctor", status=1)["findings"]
    assert [one for one in result if one["check"] == "nodes"][0]["text"] == lost.address + " is away"
    assert any("3 of them: the node that has them does not answer" == one["text"] for one in result), result


@row("CL-away-list")
def test_where_the_node_of_the_lists_is_lost(own_cluster):
    """status tells what it can, and ends with 3; the doctor goes on. It has the layout too: nothing else is done."""
    lost = own_cluster.owner("mintd:clients")
    assert lost is own_cluster.owner("mintd:schema")
    lost.kill()
    ctl = Mintctl(own_cluster)
    done = ctl.run("status")
    assert done.status == 3 and "clients    not known" in done.out and "1 away" in done.out, done
    document = json.loads(ctl.run("status", "--json").out)
    assert "clients" not in document
    assert "which node is away" in ctl("token", "revoke-all", "--everybody", "--yes", status=3).err
    one = findings(ctl, status=1)["clients"]
    assert one["result"] == "not checked" and "does not answer" in one["text"], one


@row("CL-half")
def test_more_than_half_are_away(own_cluster):
    """Then nothing is done; status and doctor tell which nodes, and with none left why."""
    there, *lost = own_cluster.masters
    for node in lost:
        node.kill()
    ctl = Mintctl(own_cluster)
    assert "which node is away" in ctl("client", "list", status=3).err
    text = ctl.run("status").out
    away = [one for one in findings(ctl, status=1).values() if one["check"] == "nodes"]
    assert "3 nodes with slots, 2 away" in text and away, text
    for node in lost:
        assert "%s: away" % node.address in text
    there.kill()
    for words in (["status"], ["doctor"], ["client", "list"]):
        assert "connection refused" in ctl(*words, status=3).err


# ---- status ----


def version_of(node):
    """Valkey gives the version of Redis too that it is like."""
    server = node.cli("INFO", "server")
    return (re.search(r"valkey_version:(\S+)", server) or re.search(r"redis_version:(\S+)", server))[1]


@row("CL-status")
def test_status_of_a_cluster(cluster, start_mintd):
    """Each node; instances whose heartbeats lie on all of them."""
    names = {next(cluster.names_on(node, form="mintd:instance:%s", prefix="i")) for node in cluster.masters}
    for name in names:
        start_mintd(redis=cluster.url, name=name).wait_for_store()
    ctl = Mintctl(cluster)
    wait_until(lambda: {one["name"] for one in ctl.json("status")["instances"]} == names, 20, "they beat")
    status = ctl.json("status")
    assert status["redis"]["topology"] == "cluster" and status["complete"] is True, status
    assert {(one["address"], one["away"], one["role"], one["version"]) for one in status["redis"]["nodes"]} == {
        (node.address, False, "master", version_of(node)) for node in cluster.masters}
    wait_until(lambda: "\nanswers    from memory\n" in ctl("status").out, 20)
    text = ctl("status").out
    assert "\n           cluster: 3 nodes with slots, all there\n" in text, text
    for node in cluster.masters:
        assert re.search(r"^ +%s: (Redis|Valkey) \S+, master, 0 replicas, up " % re.escape(node.address), text, re.MULTILINE), text
    cluster.cli("SADD", "mintd:instances", "gone")
    ctl("status")
    assert set(cluster.cli("SMEMBERS", "mintd:instances")) == names


# ---- doctor ----


@row("CL-doctor")
def test_doctor_tells_once_what_all_nodes_agree_on(cluster):
    for number in range(3):
        make(cluster, "c-%d" % number)
    cluster.everywhere("ACL", "SETUSER", "mintd", "on", ">" + CANARY, *Mintctl(cluster)("acl", "--for", "provider").out.split()[1:])
    ctl = Mintctl(cluster, canaries=[CANARY])
    document = ctl.json("doctor", "--user", "mintd")
    every = {node.address for node in cluster.masters}
    ours = {one["check"]: one for one in document["findings"]}
    assert len(ours) == len(document["findings"])
    assert {name for name, one in ours.items() if one["result"] != "ok"} == {"replicas", "password", "listeners"}, ours
    assert ours["nodes"]["text"] == "3 with slots, all there" and ours["slots"]["text"] == "each of 16384 has a node"
    assert ours["clients"]["text"] == "3, all readable" and ours["users"]["text"] == "mintd's user is the same on each node"
    for name in ("role", "version", "clock", "eviction", "memory", "persistence", "replicas", "tls", "password", "rights",
                 "tracking", "least rights", "timeout", "coverage"):
        assert set(ours[name]["nodes"]) == every, ours[name]
    assert ours["eviction"]["text"] == "noeviction"
    # one text where all three round to the same
    assert re.fullmatch(r"(\S+: .* used of .*; 2 more are well|[\d.]+ MiB used of .*)", ours["memory"]["text"]), ours["memory"]


@row("CL-doctor-one")
def test_doctor_names_the_node_that_is_not_as_the_others(cluster):
    ctl, odd = Mintctl(cluster), cluster.masters[1]
    odd.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    lines = text_of(ctl, "eviction", status=1)
    assert len(lines) == 2 and lines[0].startswith("ok") and odd.address not in lines[0], lines
    assert re.match(r"problem +eviction +%s: allkeys-lru: " % re.escape(odd.address), lines[1]), lines
    result = [one for one in ctl.json("doctor", status=1)["findings"] if one["check"] == "eviction"]
    assert [one["nodes"] for one in result if one["result"] == "problem"] == [[odd.address]]
    cluster.everywhere("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    [line] = text_of(ctl, "eviction", status=1)
    assert line.split()[2] == "allkeys-lru:", line


@rows("CL-user", missing=("DELUSER",), password=("SETUSER", ">another"), rights=("SETUSER", "+save"),
      few=("SETUSER", "-setex"), tracking=("SETUSER", "-client|tracking"), exists=("SETUSER", "-exists"),
      asking=("SETUSER", "-asking"), slots=("SETUSER", "-cluster|slots"), info=("SETUSER", "-cluster|info"))
def test_doctor_finds_a_user_who_is_not_the_same_on_all_nodes(cluster, case):
    cluster.everywhere("ACL", "SETUSER", "mintd", "on", ">" + CANARY, *Mintctl(cluster)("acl", "--for", "provider").out.split()[1:])
    odd = cluster.masters[2]
    odd.cli("ACL", case[0], "mintd", *case[1:])
    done = Mintctl(cluster, canaries=[CANARY]).run("doctor", "--user", "mintd", "--json")
    document = json.loads(done.out)
    bad = [one for one in document["findings"] if one["result"] != "ok" and one["check"] in ("rights", "users", "tracking")]
    assert all(odd.address in one["text"] for one in bad) and "users" in {one["check"] for one in bad}, bad
    what = case[-1].lstrip("+-")
    expected = {"DELUSER": "there is no user mintd", ">another": "has another password", "save": "has other rights",
                "client|tracking": "may not CLIENT TRACKING"}.get(what, what.upper())
    assert any(expected in one["text"] for one in bad), bad
    assert done.status == (1 if what in ("DELUSER", "setex", "exists", "asking", "cluster|slots", "cluster|info") else 0), bad


@rows("CL-timeout", default=15000, short=500)
def test_doctor_advises_a_node_timeout(cluster, case):
    cluster.everywhere("CONFIG", "SET", "cluster-node-timeout", case)
    found(Mintctl(cluster), "timeout", "warning", "%d ms" % case)
    cluster.everywhere("CONFIG", "SET", "cluster-node-timeout", 5000)
    found(Mintctl(cluster), "timeout", "ok", "5000 ms")


@row("CL-coverage")
def test_doctor_tells_what_a_lost_node_means(cluster):
    found(Mintctl(cluster), "coverage", "ok", "no: a node that is lost takes its own keys with it")
    cluster.everywhere("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    found(Mintctl(cluster), "coverage", "ok", "yes: while one slot has no node, the cluster answers for none")


@row("CL-refused")
def test_what_may_not_be_asked_is_not_checked(cluster):
    """CONFIG, ACL and INFO, as a provider refuses them."""
    cluster.everywhere("ACL", "SETUSER", "app", "on", ">" + CANARY, "~*", "&*", "+@all", "-config", "-acl", "-info")
    ctl = Mintctl(cluster.url_of(*cluster.masters, user="app:%s@" % CANARY), canaries=[CANARY])
    result = findings(ctl)
    for name in ("timeout", "coverage", "version", "eviction", "memory", "persistence", "replicas", "password", "rights", "users"):
        assert result[name]["result"] == "not checked", result[name]
    assert "console" in result["timeout"]["advice"] and result["slots"]["result"] == "ok"
    cluster.everywhere("ACL", "SETUSER", "app", "-cluster|info")
    assert findings(ctl)["slots"]["result"] == "ok"


@row("CL-slots")
def test_doctor_finds_slots_that_nobody_has(cluster):
    cluster.give_up(7, 16)
    found(Mintctl(cluster), "slots", "problem", "10 of 16384 have no node")


@row("CL-disputed")
def test_doctor_finds_that_nodes_do_not_agree():
    fake = FakeCluster("a", "b", "c")
    fake.c.says = [[first, last, (fake.a if node is fake.b else node).entry()] for first, last, node in fake.ranges()]
    count = sum(last + 1 - first for first, last, node in fake.ranges() if node is fake.b)
    one = [f for f in json.loads(Mintctl(fake).run("doctor", "--json").out)["findings"] if f["check"] == "slots"][0]
    assert one["result"] == "warning" and "do not agree on who has %d of them" % count in one["text"], one
    fake.close()


@row("CL-down")
def test_doctor_finds_a_cluster_that_is_down(own_cluster):
    """With full coverage one lost node stops all."""
    own_cluster.everywhere("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    lost = own_cluster.masters[2]
    lost.kill()
    wait_until(lambda: all(node.info()["cluster_state"] == "fail" for node in own_cluster.running), 20)
    result = findings(Mintctl(own_cluster), status=1)
    assert "says that the cluster is down" in result["slots"]["text"], result["slots"]
    assert lost.address in result["nodes"]["text"]


@rows("CL-names", addresses=((), "warning", "no name of 3 of 3"), names=(("--cluster-announce-hostname", "localhost"), "ok", "each node"),
      told=((), None, None))
def test_doctor_looks_for_names_where_there_is_tls(tmp_path, case):
    """And at the certificate of each node."""
    options, result, words = case
    ours = Authority(str(tmp_path), "ours")
    with Cluster(tls=(ours.issue("node", "IP:127.0.0.1,DNS:localhost"), ours.file), options=options) as cluster:
        soon = ours.issue("soon", "IP:127.0.0.1,DNS:localhost", days=5)
        odd = cluster.masters[1]
        odd.cli("CONFIG", "SET", "tls-cert-file", soon.file, "tls-key-file", soon.key)
        if options:
            wait_until(lambda: all("localhost" in str(node.cli("CLUSTER", "SLOTS")) for node in cluster.nodes), 10)
        more = {"MINTD_REDIS_TLS_NAME": "localhost"} if result is None else {}
        ctl = Mintctl(cluster, env={"MINTD_REDIS_CA": ours.file, **more})
        all_of_it = ctl.json("doctor", status=1)["findings"]
        names = [one for one in all_of_it if one["check"] == "names"]
        assert [one["result"] for one in names] == [result] * (result is not None), names
        assert all(words in one["text"] for one in names)
        tls = {one["result"]: one for one in all_of_it if one["check"] == "tls"}
        assert tls["warning"]["text"].startswith(odd.address + ": TLS") and re.search("expires in [45] days", tls["warning"]["text"]), tls
        assert len(tls["ok"]["nodes"]) == 2 and re.search("expires in (29|30) days", tls["ok"]["text"]), tls


# ---- acl ----

@row("CL-acl")
def test_rights_where_there_is_a_cluster():
    """These and no others; the command is for each node in turn, and says so where none is named."""
    cluster = Mintctl("redis+cluster://127.0.0.1:7001,127.0.0.1:7002")
    for form in ("shell", "aclfile", "provider"):
        plain = rights_in(Mintctl("redis://127.0.0.1:1")("acl", "--for", form).out)
        assert rights_in(cluster("acl", "--for", form).out) - plain == OF_A_CLUSTER
        assert not OF_A_CLUSTER & plain
    with RedisServer() as node:
        line = cluster("acl", "--password-stdin", stdin=PASSWORD).out
        done = paste(line, node, None)
        assert done.returncode != 0 and "each node of the cluster in turn, replicas too" in done.stderr, done
        done = paste("REDIS_HOST=127.0.0.1; REDIS_PORT=%d; " % node.port + line, node, None)
        assert (done.returncode, done.stdout) == (0, "OK\n"), done
        assert OF_A_CLUSTER <= {c[1:] for c in rules_of(node)["commands"].split()}


@row("CL-acl-user")
def test_an_instance_does_with_that_user_in_a_cluster(cluster, start_mintd):
    """Mint, check, ask of others, revoke, while a slot moves: no node notes down a command that it refused."""
    cluster.everywhere("ACL", "SETUSER", "mintd", "on", ">" + CANARY, *Mintctl(cluster)("acl", "--for", "provider").out.split()[1:])
    cluster.everywhere("ACL", "LOG", "RESET")
    install_clients(cluster)
    mintd = start_mintd("--failure-limit", "3", "--client", "seeded:a-secret-of-the-start:read",
                        redis=cluster.url_of(*cluster.masters, user="mintd:%s@" % CANARY))
    mintd.wait_for_store()
    tokens = [token_of(mintd) for _ in range(6)]
    slot = slot_of(token_key(tokens[0]))
    move = cluster.begin_move(slot, next(node for node in cluster.masters if node is not cluster.owner(slot)))
    move.take(token_key(tokens[0]))
    for token in tokens:
        assert use(mintd, token).status == 200 and introspect(mintd, token).status == 200
        assert post(mintd, "/revoke", b"token=" + token.encode(), basic(SVC_A.id, SVC_A.secret)).status == 200
        assert use(mintd, token).status == 401
    move.end()
    assert [post(mintd, "/token", G, basic(SVC_A.id, "wrong")).status for _ in range(5)][-1] == 429
    wait_until(lambda: cluster.cli("EXISTS", RECORD % "seeded"), 20, "the client of --client")
    mintd.stop()
    assert cluster.everywhere("ACL", "LOG") == [[], [], []]
