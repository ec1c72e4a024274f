"""A real Redis Cluster on private ports, made without redis-cli, and everything that befalls one.

    with Cluster() as cluster:               # three masters that share the slots, in about 2.5 s
        cluster.url                          # redis+cluster://127.0.0.1:a,127.0.0.1:b,127.0.0.1:c
        cluster.cli("HSET", "mintd:client:x", "scope", "read")   # at whoever has the key now
        cluster.owner("mintd:generation")    # the ClusterNode, a RedisServer: pause(), kill(), monitor()
        cluster.move_slot(slot_of(key), to)  # key by key
        move = cluster.begin_move(slot, to); move.take(key); move.end()   # with an ASK in between
        cluster.hand_over(slot, to)          # at once; what is left behind is thrown away later
    client = cluster.make_client(node)   # whose record is on that node
    cluster.token_on(node, mintd, client)
    Cluster(3, replicas=1)                   # each with a replica: cluster.fail_over(master)
    Cluster(tls=(issued, ca))                # all of it over TLS, with this certificate
    Cluster(password="canary")               # of the default user, on all of them

Redis takes 2 s before a cluster that is new is well (CLUSTER_WRITABLE_DELAY): share one between tests that leave
it as it was, and mend() it between them.
"""
import itertools
import re
import time

from .clients import Client, install_client, token_key, token_of
from .oauth import wait_until
from .prometheus import parse
from .redis_server import RedisError, RedisServer, RespConnection, free_port

NODE_TIMEOUT_MS = 2000
SLOTS = 16384
REDIRECTS_MAX = 10
_IN_STEP = 1024  # commands at once
_CRC16 = []


def _crc16_table():
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        yield crc


_CRC16.extend(_crc16_table())


def slot_of(key):
    """CRC16 of the key, or of what stands in its first braces, unless that is nothing."""
    data = key if isinstance(key, bytes) else key.encode()
    begin = data.find(b"{")
    end = data.find(b"}", begin + 1)
    if begin >= 0 and end > begin + 1:
        data = data[begin + 1 : end]
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
    return crc % SLOTS


def names_with(condition, prefix="c"):
    """c-0, c-1, …: those of which the condition is true."""
    return (name for number in itertools.count() if condition(name := "%s-%d" % (prefix, number)))


def wait_for_nodes(instance, workers, masters=3):
    """Each worker is connected with each master. (An instance is ready as soon as it is with most of them.)"""
    def up():
        found = parse(instance.request("GET", "/metrics").body)
        return found["mintd_store_nodes"].value() == found["mintd_store_nodes_up"].value() == workers * masters

    wait_until(up, 10, "each worker is connected with each node")


def wait_for_views(nodes, workers):
    """Each worker of the one instance has asked each of these anew for its slots, as it does each second: until then it
    may ask who had them before."""
    def asked(node):
        return int(re.search(r"cmdstat_cluster\|slots:calls=(\d+)", node.cli("INFO", "commandstats"))[1])

    for node, before in [(node, asked(node)) for node in nodes]:
        wait_until(lambda node=node, before=before: asked(node) >= before + 2 * workers, 10, "it has told its slots")


class ClusterNode(RedisServer):
    """One that knows nobody yet."""

    _ports_of = {}  # by the ids of all there were: to whom asks without TLS Valkey names the plain ports, which are 0

    def __init__(self, *options, tls=None, password=None, source=None):
        self._password = password
        self._has_tls = tls is not None
        self._ports = None
        more = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS),
                "--cluster-allow-replica-migration", "no", "--cluster-replica-validity-factor", "0",
                "--repl-diskless-sync-delay", "0"]
        if password:
            more += ["--requirepass", password, "--masterauth", password]
        if tls:
            issued, ca = tls
            more += ["--tls-cert-file", issued.file, "--tls-key-file", issued.key, "--tls-ca-cert-file", ca,
                     "--tls-auth-clients", "no", "--tls-cluster", "yes", "--tls-replication", "yes"]
        if source:
            more += ["--cluster-announce-ip", "127.0.0.1"]
        super().__init__(*more, *options, source=source)
        self.id = self.cli("CLUSTER", "MYID")
        self._ports_of[self.id] = self.port

    def start(self, *options, **more):
        if self._ports is None or self._ports[0] != self.port:
            self._ports = self.port, free_port()
        tls = ("--port", "0", "--tls-port", str(self.port)) if self._has_tls else ()
        return super().start("--cluster-port", str(self.bus_port), *tls, *options, **more)

    @property
    def bus_port(self):
        return self._ports[1]

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def _connect(self):
        connection = RespConnection(self.socket_path)
        if self._password:
            connection.command("AUTH", self._password)
        return connection

    def pipeline(self, commands):
        """All of them over one connection; their replies."""
        connection, replies = self._connect(), []
        try:
            for first in range(0, len(commands), _IN_STEP):
                step = commands[first : first + _IN_STEP]
                for command in step:
                    connection.send(*command)
                replies += [connection.receive() for _ in step]
        finally:
            connection.close()
        return replies

    def meet(self, other):
        self.cli("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus_port)

    def info(self):
        return dict(line.split(":", 1) for line in self.cli("CLUSTER", "INFO").split())

    def role(self):
        return self.cli("ROLE")[0]

    def map(self):
        """As it sees it: [(first, last, port of the master, ports of replicas)]."""
        ports = self._ports_of
        return sorted((first, last, ports[nodes[0][2]], sorted(ports[node[2]] for node in nodes[1:]))
                      for first, last, *nodes in self.cli("CLUSTER", "SLOTS"))

    def set_slot(self, slot, *words):
        self.cli("CLUSTER", "SETSLOT", slot, *words)


class Move:
    """A slot under way from its owner to another node."""

    def __init__(self, cluster, slot, target):
        self.cluster, self.slot, self.target = cluster, slot, target
        self.source = cluster.settled_owner(slot)
        assert self.source is not target, "it has it already"
        target.set_slot(slot, "IMPORTING", self.source.id)
        self.source.set_slot(slot, "MIGRATING", target.id)

    def take(self, *keys, copy=False):
        """These keys, or all that are left; those that are not there are no error."""
        while names := keys or self.source.cli("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
            password = ["AUTH", self.cluster.password] if self.cluster.password else []
            self.source.cli("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, *(["COPY"] if copy else []), "REPLACE",
                            *password, "KEYS", *names)
            if keys or copy:
                return

    def end(self):
        self.take()
        self.cluster.take_over(self.slot, self.target)
        if self.source.is_running and self.source.role() == "master":
            self.source.set_slot(self.slot, "NODE", self.target.id)  # it is not migrating any more

    def abandon(self):
        for node in (self.target, self.source):
            node.set_slot(self.slot, "STABLE")


class Cluster:
    def __init__(self, masters=3, replicas=0, *, tls=None, password=None, full_coverage=False, options=(), sources=()):
        """replicas: of each master. options: more of every node's command line. sources: addresses; each node
        connects from one of its own."""
        sources = iter(sources)
        self._scheme = "redis" if tls is None else "rediss"
        self.password = password
        coverage = "--cluster-require-full-coverage", "yes" if full_coverage else "no"
        self._make = lambda: ClusterNode(*coverage, *options, tls=tls, password=password,
                                         source=next(sources, None))
        self.nodes, self._made = [], itertools.count(1)
        try:
            self.nodes += [self._make() for _ in range(masters * (1 + replicas))]
            self._form(masters)
        except BaseException:
            self.close()
            raise

    def _form(self, masters):
        edges = [SLOTS * number // masters for number in range(masters + 1)]
        for number, node in enumerate(self.nodes[:masters]):
            node.cli("CLUSTER", "ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
        self._home = [next(n for n in range(masters) if slot < edges[n + 1]) for slot in range(SLOTS)]
        for number, node in enumerate(self.nodes):
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for first, second in itertools.combinations(self.nodes, 2):
            first.meet(second)
        self._wait_until_known()
        for number, replica in enumerate(self.nodes[masters:]):
            replica.cli("CLUSTER", "REPLICATE", self.nodes[number % masters].id)
        self.settle()

    # ---- how it is ----

    @property
    def running(self):
        return [node for node in self.nodes if node.is_running]

    def others(self, *nodes):
        return [node for node in self.nodes if node not in nodes]

    def node(self, port):
        return next(node for node in self.nodes if node.port == port)

    def _wait_until_known(self):
        """By the names that they have given themselves: during a handshake a node has another one."""
        ids = {node.id for node in self.nodes}
        wait_until(lambda: all({line.split()[0] for line in node.cli("CLUSTER", "NODES").splitlines()} == ids
                               for node in self.running), 20, "all nodes know each other")

    def agree(self):
        """All that run are well and see the same."""
        try:
            maps = [node.map() for node in self.running]
            return (all(node.info()["cluster_state"] == "ok" for node in self.running)
                    and all(seen == maps[0] for seen in maps)
                    and all("master_link_status:up" in node.cli("INFO", "replication")
                            for node in self.running if node.role() != "master"))
        except (OSError, RedisError):  # it is loading, or a connection ends with a role
            return False

    def settle(self, within=30):
        wait_until(self.agree, within, "all nodes agree")

    def _view(self):
        """Of the slots, by the first node that runs and answers as well as those it knows: [port of the owner or None]."""
        owners = [None] * SLOTS
        for first, last, port, _ in self.running[0].map():
            owners[first : last + 1] = [port] * (last + 1 - first)
        return owners

    def owner(self, what):
        """Of a slot or a key: as the first node that runs sees it."""
        slot = what if isinstance(what, int) else slot_of(what)
        return self.node(next(port for first, last, port, _ in self.running[0].map() if first <= slot <= last))

    def settled_owner(self, slot, within=10):
        """Once all that run see the same. Who was told of a move may hear what the old owner said before, and believe
        it for a moment."""
        def seen():
            owners = {port for node in self.running for first, last, port, _ in node.map() if first <= slot <= last}
            return len(owners) == 1 and self.node(owners.pop())

        return wait_until(seen, within, "all nodes agree on the slot")

    def catch_up(self, node):
        """Until it has heard of the newest epoch: the one that it takes with a slot has to be higher, or what is
        said of the slot never settles."""
        def epoch(one):
            return int(one.info()["cluster_current_epoch"])

        newest = max(epoch(one) for one in self.running)
        wait_until(lambda: epoch(node) >= newest, 10, "the node knows the newest epoch")

    @property
    def masters(self):
        """Those with slots, by their lowest."""
        ports = []
        for _, _, port, _ in self.running[0].map():
            if port not in ports:
                ports.append(port)
        return [self.node(port) for port in ports]

    def replicas_of(self, master):
        return [node for node in self.running if node.role() == "slave" and node.cli("ROLE")[2] == master.port]

    @property
    def url(self):
        return self.url_of(*self.nodes)

    def url_of(self, *nodes, user=None):
        """Of these seeds. user: "name:password@", in place of the password of all."""
        who = user if user is not None else ":%s@" % self.password if self.password else ""
        return "%s+cluster://%s%s" % (self._scheme, who, ",".join(node.address for node in nodes))

    # ---- data ----

    def cli(self, *arguments):
        """One command about the key that is its second word, at who has it; MOVED and ASK are followed."""
        node, asking = self.running[0], False
        for _ in range(REDIRECTS_MAX):
            try:
                return node.pipeline([["ASKING"], arguments])[1] if asking else node.cli(*arguments)
            except RedisError as error:
                said = re.fullmatch(r"(MOVED|ASK) (\d+) \S*:(\d+)", str(error))
                if not said:
                    raise
                port = int(said[3])
                node, asking = self.node(port) if port else self.owner(int(said[2])), said[1] == "ASK"
        raise AssertionError("redirected without end: %r" % (arguments,))

    def keys(self, pattern):
        return sorted(key for node in self.masters for key in node.cli("KEYS", pattern))

    def tokens(self, prefix="mintd:"):
        return set(self.keys(prefix + "token:*"))

    def names_on(self, node, form="mintd:client:%s", prefix="c"):
        """Names whose key is on the node: c-4, c-9, …"""
        owners = self._view()
        return names_with(lambda name: owners[slot_of(form % name)] == node.port, prefix)

    def make_client(self, node, *fields):
        """A client of its own whose record is on this node."""
        name = next(self.names_on(node, prefix="of-%d" % next(self._made)))
        client = Client(name, "s3cret-of-" + name, fields or (("scope", "read"),))
        install_client(self, client)
        return client

    def token_on(self, node, instance, client, tries=200):
        """A token of the client whose record is on this node."""
        owners = self._view()
        for _ in range(tries):
            token = token_of(instance, client)
            if owners[slot_of(token_key(token))] == node.port:
                return token
        raise AssertionError("no token on %s" % node.address)

    def everywhere(self, *arguments):
        return [node.cli(*arguments) for node in self.running]

    # ---- slots move ----

    def begin_move(self, slot, target):
        return Move(self, slot, target)

    def move_slot(self, slot, target):
        """Key by key."""
        Move(self, slot, target).end()

    def take_over(self, slot, target):
        """By the node that is importing it, which tells the others. Nobody is told before it hears that: what Redis
        was told (SETSLOT) and an older message denies is unclaimed to it from then on, and it would give the slot back
        to whoever claimed it last, even once it is its own."""
        self.catch_up(target)
        target.set_slot(slot, "NODE", target.id)  # with a higher epoch
        wait_until(lambda: all(any(first <= slot <= last and port == target.port for first, last, port, _ in node.map())
                               for node in self.running), 10, "all know the new owner of the slot")

    def hand_over(self, slot, target):
        """At once, with what is in it. The new owner tells the old one, which throws away what it has then:
        until it hears of it both say that the slot is theirs."""
        source = self.settled_owner(slot)
        target.set_slot(slot, "IMPORTING", source.id)
        keys = source.cli("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        if keys:
            password = ["AUTH", self.password] if self.password else []
            source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "COPY", "REPLACE", *password, "KEYS", *keys)
        self.take_over(slot, target)

    def give_up(self, first, last):
        """Nobody has these slots then."""
        for node in self.running:
            node.cli("CLUSTER", "DELSLOTSRANGE", first, last)

    def mend(self):
        """A cluster that lost no node is what it was at first: nobody moves a slot, each is at home, nothing is
        in it."""
        masters = [node for node in self.nodes if node.role() == "master"]
        for node in masters:
            node.cli("FLUSHALL")
            for line in node.cli("CLUSTER", "NODES").splitlines():
                for slot in re.findall(r"\[(\d+)-[<>]-", line):
                    node.set_slot(slot, "STABLE")
        home = [self.nodes[number] for number in self._home]
        for _ in range(3):  # a node that has just heard of its own loss lacks more than it knew
            seen = [node.map() for node in masters]
            if all(one == seen[0] for one in seen) and self._view() == [node.port for node in home]:
                break
            self._assign(home)
            self.settle()
        self.settle()
        assert self._view() == [node.port for node in home]

    def give_empty(self, slots, target):
        """Slots without keys, all at once."""
        slots = set(slots)
        for owner in self.masters:
            counts = owner.pipeline([["CLUSTER", "COUNTKEYSINSLOT", slot] for slot in slots]) if owner is not target else []
            assert not any(counts), "there are keys in these slots"
        self._assign([target if slot in slots else self.node(port) for slot, port in enumerate(self._view())])
        self.settle()
        assert {port for slot, port in enumerate(self._view()) if slot in slots} == {target.port}

    def _assign(self, home):
        """Slots to the node that is at their number in the list: it takes what it lacks, and tells the others."""
        masters = [node for node in self.nodes if node.role() == "master"]  # Redis 8 lets only masters be told
        for node in masters:
            its = {slot for first, last, port, _ in node.map() if port == node.port for slot in range(first, last + 1)}
            lacking = [slot for slot in range(SLOTS) if home[slot] is node and slot not in its]
            # With IMPORTING ahead of it the new owner takes an epoch of its own.
            source = next(other for other in masters if other is not node)
            self.catch_up(node)
            replies = node.pipeline([["CLUSTER", "SETSLOT", slot, *words] for slot in lacking
                                     for words in (["IMPORTING", source.id], ["NODE", node.id])])
            assert all(reply == "OK" for reply in replies), replies

    # ---- nodes come and go ----

    def add_node(self, of=None):
        """A master without slots; of: a replica of this master."""
        node = self._make()
        self.nodes.append(node)
        for other in self.others(node):
            if other.is_running:
                other.meet(node)
        self._wait_until_known()
        if of:
            node.cli("CLUSTER", "REPLICATE", of.id)
        self.settle()
        return node

    def remove_node(self, node):
        """One without slots."""
        self.nodes.remove(node)
        for other in self.running:
            other.cli("CLUSTER", "FORGET", node.id)
        node.close()

    def fail_over(self, master, *how):
        """As an operator asks for it (how: FORCE or TAKEOVER); the new master, once all agree."""
        replica = self.replicas_of(master)[0]
        assert replica.cli("CLUSTER", "FAILOVER", *how) == "OK"
        self.wait_until_promoted(replica)
        return replica

    def wait_until_promoted(self, replica, within=15):
        """Until it has the slots of its master; the time of that moment."""
        wait_until(lambda: replica.role() == "master" and replica.info()["cluster_state"] == "ok"
                   and any(port == replica.port for _, _, port, _ in replica.map()), within, "the replica is the master")
        return time.monotonic()

    def close(self):
        for node in self.nodes:
            node.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
