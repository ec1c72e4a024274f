"""A cluster that says what a test wants: nodes that share one small store, and follow a dialogue where there is one.

    with FakeCluster("a", "b", "c") as fake:         # masters that share the slots, by name
        fake.url                                     # redis+cluster://127.0.0.1:…
        fake.a.play('''
            EXPECT ["GET", "mintd:token:*"]          # the next one of these, whatever else comes meanwhile
            SEND -ASK 12182 127.0.0.1:{b}            # is answered so; {b} is b's port
            EXPECT ["SETEX", "..."]                  # "..." at the end: whatever follows
            WAIT told                                # goes on once the test has said fake.a.go("told")
            SEND +OK
            EXPECT CLOSE                             # by whoever asked last
        ''')
        ...
        fake.check()                                 # all dialogues have come to their end

What stands in no dialogue is answered as Redis 7 would: greeting, CLUSTER SLOTS, CLIENT TRACKING with pushes, the
commands that mintd uses on keys, MULTI … EXEC, MOVED for slots of others. A rule comes ahead of all:
fake.a.rule = lambda words: "-TRYAGAIN later" if words[0] == "MULTI" else None.

    fake.give(first, last, fake.b)       # slots move, at once and without a word
    fake.b.says = […]                    # what it says to CLUSTER SLOTS, in place of what is
    fake.a.endpoint = "?"                # how it is named there, by all; None: NULL
    fake.set("mintd:generation", "7")    # in the store; who has read the key from its owner is told
    fake.count("GET", "mintd:token:*")   # commands that came, of all nodes
"""
import fnmatch
import hashlib
import json
import re
import socket
import threading
import time

from .cluster import SLOTS, names_with, slot_of
from .oauth import wait_until

KEYLESS = {"HELLO", "AUTH", "CLIENT", "PING", "ECHO", "SELECT", "READONLY", "ASKING", "TIME", "ROLE", "INFO", "CLUSTER",
           "WAIT", "MULTI", "EXEC", "DISCARD", "COMMAND", "CONFIG", "ACL"}
WRITES = {"SET", "SETEX", "DEL", "HSET", "HDEL", "INCR", "HINCRBY", "SADD", "SREM", "RENAMENX"}
READS = {"GET", "HGETALL", "HGET", "HEXISTS", "EXISTS", "SMEMBERS"}
VERSION = "7.0.15"


class Raw(bytes):
    """A reply that is on the wire already."""


def encode(value, resp3=True):
    """str: a bulk string; dict: a map; "+…" and "-…" come as Raw."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"_\r\n" if resp3 else b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, str):
        data = value.encode()
        return b"$%d\r\n%s\r\n" % (len(data), data)
    if isinstance(value, dict):
        head = b"%%%d\r\n" % len(value) if resp3 else b"*%d\r\n" % (2 * len(value))
        return head + b"".join(encode(part, resp3) for pair in value.items() for part in pair)
    return b"*%d\r\n" % len(value) + b"".join(encode(part, resp3) for part in value)


OK, QUEUED, PONG = Raw(b"+OK\r\n"), Raw(b"+QUEUED\r\n"), Raw(b"+PONG\r\n")


def line(text):
    return Raw(text.encode() + b"\r\n")


def matches(words, pattern):
    """pattern: of each word; "..." at its end stands for all that follow."""
    if pattern and pattern[-1] == "...":
        pattern, words = pattern[:-1], words[: len(pattern) - 1]
    return len(words) == len(pattern) and all(
        word.upper() == wanted if not number else fnmatch.fnmatchcase(word, wanted)
        for number, (word, wanted) in enumerate(zip(words, pattern)))


def parse_dialogue(text, ports):
    """[("EXPECT", [words]), ("SEND", text), ("WAIT", name), ("EXPECT CLOSE",), ("CLOSE",)]"""
    steps = []
    for full in text.splitlines():
        rest = re.sub(r"(^|\s)#.*", "", full).strip()
        if not rest:
            continue
        verb, _, what = rest.partition(" ")
        what = what.strip()
        for name, port in ports.items():
            what = what.replace("{%s}" % name, str(port))
        if rest in ("EXPECT CLOSE", "CLOSE"):
            steps.append((rest,))
        elif verb == "EXPECT":
            steps.append((verb, json.loads(what)))
        elif verb in ("SEND", "WAIT"):
            steps.append((verb, what))
        else:
            raise ValueError("no step of a dialogue: " + full)
    return steps


class FakeConnection:
    def __init__(self, node, stream):
        self.node, self.socket = node, stream
        self.resp3 = self.tracks = self.asking = self.is_closed = False
        self.queue = None  # of MULTI
        self.is_dirty = False
        self.read, self.changed = set(), []  # keys that a push is due for; that its command has changed
        self._sending = threading.Lock()

    def run(self):
        stream = self.socket.makefile("rb")
        try:
            while words := self._next(stream):
                for reply in self.node.answer(self, words):
                    self.send(reply)
        except (OSError, ValueError):
            pass
        self.close()
        self.node.gone(self)

    @staticmethod
    def _next(stream):
        head = stream.readline()
        if not head:
            return None
        words = []
        for _ in range(int(head[1:])):
            size = int(stream.readline()[1:])
            words.append(stream.read(size + 2)[:-2].decode("utf-8", "replace"))
        return words

    def send(self, reply):
        with self._sending:
            self.socket.sendall(encode(reply, self.resp3))

    def push(self, key):
        if self.resp3 and self.tracks:
            try:
                self.send(Raw(b">2\r\n" + encode("invalidate") + encode(None if key is None else [key], True)))
            except OSError:
                pass

    def close(self):
        self.is_closed = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class FakeNode:
    """One node: self.commands has what came to it, [(connection, words)]."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.id = hashlib.sha1(name.encode()).hexdigest()
        self.endpoint, self.metadata = "127.0.0.1", {}
        self.says = self.rule = None
        self.commands, self.connections = [], []
        self._steps, self._last, self._events = [], None, {}
        self._listener = None
        self.port = 0
        self.start()

    # ---- life ----

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = FakeConnection(self, stream)
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def cut(self):
        for connection in list(self.connections):
            connection.close()

    def stop(self):
        """New connections are refused, old ones closed."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()

    def gone(self, connection):
        with self.cluster.lock:
            if connection in self.connections:
                self.connections.remove(connection)
            if self._steps and self._steps[0] == ("EXPECT CLOSE",) and connection is self._last:
                self._steps.pop(0)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    # ---- the dialogue ----

    def play(self, text):
        """Behind what it still has to play."""
        with self.cluster.lock:
            self._steps += parse_dialogue(text, {node.name: node.port for node in self.cluster.nodes})

    def go(self, event):
        with self.cluster.lock:
            self._event(event).set()

    def _event(self, name):
        return self._events.setdefault(name, threading.Event())

    @property
    def rest(self):
        """The steps that are still to come."""
        with self.cluster.lock:
            return list(self._steps)

    def _play(self, connection):
        """What follows an EXPECT that has come true, step by step."""
        while True:
            with self.cluster.lock:
                if not self._steps or self._steps[0][0].startswith("EXPECT"):
                    return
                verb, *what = self._steps.pop(0)
                event = self._event(what[0]) if verb == "WAIT" else None
            if verb == "WAIT":
                event.wait(30)
            elif verb == "CLOSE":
                connection.close()
            elif what[0][:1] in "[{":
                yield json.loads(what[0])
            else:
                yield line(what[0])

    def _expects(self, connection, words):
        with self.cluster.lock:
            if not self._steps or self._steps[0][0] != "EXPECT" or not matches(words, self._steps[0][1]):
                return False
            self._steps.pop(0)
            self._last = connection
            return True

    # ---- answers ----

    def answer(self, connection, words):
        """The replies; what a command changes is told behind its reply."""
        with self.cluster.lock:
            self.commands.append((connection, words))
        verb = words[0].upper()
        is_expected = self._expects(connection, words)
        said = None if is_expected or self.rule is None else self.rule(words)
        if is_expected or said is not None:
            for reply in self._play(connection) if is_expected else [line(said) if isinstance(said, str) else said]:
                connection.is_dirty |= isinstance(reply, Raw) and reply[:1] == b"-"
                yield reply
            self._follow(connection, verb)
            return
        with self.cluster.lock:
            reply = self._usual(connection, verb, words[1:])
        yield reply
        with self.cluster.lock:
            for key in connection.changed:
                self.tell(key)
            connection.changed = []

    @staticmethod
    def _follow(connection, verb):
        """What a command changes in a connection, whoever answers it. ASKING holds for one command; before MULTI,
        to its EXEC."""
        if verb == "MULTI":
            connection.queue, connection.is_dirty = [], False
        elif verb in ("EXEC", "DISCARD"):
            connection.queue = None
        if verb == "ASKING" or connection.queue is None:
            connection.asking = verb == "ASKING"

    def _usual(self, connection, verb, rest):
        if verb in KEYLESS:
            reply = self._keyless(connection, verb, rest)
        else:
            reply = self._about_keys(connection, verb, rest)
        self._follow(connection, verb)
        return reply

    def _about_keys(self, connection, verb, rest):
        owner = self.cluster.owner(rest[0])
        if owner is not self and not connection.asking:
            connection.is_dirty = True
            return line("-CLUSTERDOWN Hash slot not served" if owner is None else
                        "-MOVED %d %s" % (slot_of(rest[0]), self.cluster.moved_to(owner)))
        if connection.queue is not None:
            connection.queue.append((verb, rest))
            return QUEUED
        return self._run(connection, verb, rest)

    def _run(self, connection, verb, rest):
        keys = rest if verb in ("DEL", "EXISTS") else rest[:2] if verb == "RENAMENX" else rest[:1]
        if verb in READS:
            connection.read.update(keys)
        elif verb in WRITES:
            connection.changed += keys
        return self.cluster.run(verb, rest)

    def tell(self, key):
        """Who has read it hears that it has changed."""
        for connection in list(self.connections):
            if key in connection.read:
                connection.read.discard(key)
                connection.push(key)

    def tell_all(self):
        """All who hear of changes: everything has changed (FLUSHALL)."""
        for connection in list(self.connections):
            connection.push(None)

    def _keyless(self, connection, verb, rest):
        if verb == "HELLO":
            connection.resp3 = rest[:1] == ["3"]
            return {"server": "redis", "version": VERSION, "proto": 3 if connection.resp3 else 2, "id": 7, "mode": "cluster",
                    "role": "master", "modules": []}
        if verb == "CLIENT":
            connection.tracks |= [word.upper() for word in rest[:2]] == ["TRACKING", "ON"]
            return OK if rest[0].upper() != "ID" else 7
        if verb == "WAIT":  # all replicas have it
            return int(rest[0])
        if verb in ("PING", "ECHO"):
            return rest[0] if rest else PONG
        if verb == "TIME":
            now = time.time()
            return [str(int(now)), str(int(now % 1 * 1e6))]
        if verb == "ROLE":
            return ["master", 0, []]
        if verb == "CLUSTER":
            return self._about_the_cluster(rest[0].upper())
        if verb == "EXEC":
            if connection.is_dirty:
                return line("-EXECABORT Transaction discarded because of previous errors.")
            return [self._run(connection, *command) for command in connection.queue or []]
        return OK if verb in ("MULTI", "DISCARD", "ASKING", "AUTH", "SELECT", "READONLY") else line("-ERR not here")

    def _about_the_cluster(self, what):
        if what == "MYID":
            return self.id
        if what == "INFO":
            return "cluster_state:ok\r\ncluster_slots_assigned:%d\r\ncluster_known_nodes:%d\r\n" % (
                SLOTS, len(self.cluster.nodes))
        if what == "SLOTS":
            return self.cluster.slots() if self.says is None else self.says
        return line("-ERR not here")

    def entry(self):
        """As one of the nodes of a range."""
        return [self.endpoint, self.port, self.id, self.metadata]

    def asked(self, *pattern):
        """Its commands of that kind so far."""
        with self.cluster.lock:
            return [words for _, words in self.commands if matches(words, list(pattern))]


class FakeCluster:
    def __init__(self, *names):
        self.lock = threading.RLock()
        self.data = {"mintd:schema": "1", "mintd:identity": "fake"}
        self.nodes = []
        for name in names or ("a", "b", "c"):
            self.nodes.append(FakeNode(self, name))
            setattr(self, name, self.nodes[-1])
        count = len(self.nodes)
        self._owners = [self.nodes[slot * count // SLOTS] for slot in range(SLOTS)]

    @property
    def url(self):
        return self.url_of(*self.nodes)

    @staticmethod
    def url_of(*nodes):
        return "redis+cluster://" + ",".join(node.address for node in nodes)

    # ---- slots ----

    def owner(self, key):
        return self._owners[slot_of(key)]

    def give(self, first, last, node):
        """node: None: to nobody."""
        with self.lock:
            self._owners[first : last + 1] = [node] * (last + 1 - first)

    def ranges(self):
        """[(first, last, node)] as it is."""
        with self.lock:
            owners = list(self._owners)
        first = 0
        for slot in range(1, SLOTS + 1):
            if slot == SLOTS or owners[slot] is not owners[first]:
                if owners[first]:
                    yield first, slot - 1, owners[first]
                first = slot

    def slots(self):
        """The reply to CLUSTER SLOTS."""
        return [[first, last, node.entry()] for first, last, node in self.ranges()]

    def moved_to(self, node):
        return "%s:%d" % (node.endpoint if node.endpoint is not None else "", node.port)

    def names_on(self, node, form="mintd:client:%s", prefix="c"):
        return names_with(lambda name: self.owner(form % name) is node, prefix)

    # ---- the store ----

    def cli(self, verb, *rest):
        """For those who write to a Redis."""
        rest = [str(word) for word in rest]
        with self.lock:
            reply = self.run(verb.upper(), rest)
            if verb.upper() in WRITES and (owner := self.owner(rest[0])):
                owner.tell(rest[0])
        return reply

    def set(self, key, value):
        return self.cli("SET", key, value)

    def run(self, verb, rest):
        method = getattr(self, "_" + verb.lower(), None)
        if method is None:
            return line("-ERR unknown command '%s'" % verb)
        return method(*rest)

    def _get(self, key):
        return self.data.get(key)

    def _set(self, key, value, *options):
        if "NX" in [option.upper() for option in options] and key in self.data:
            return None
        self.data[key] = value
        return OK

    def _setex(self, key, _, value):
        return self._set(key, value)

    def _del(self, *keys):
        return sum(self.data.pop(key, None) is not None for key in keys)

    def _exists(self, *keys):
        return sum(key in self.data for key in keys)

    def _incr(self, key):
        self.data[key] = str(int(self.data.get(key, "0")) + 1)
        return int(self.data[key])

    def _hgetall(self, key):
        return dict(self.data.get(key, {}))

    def _hget(self, key, field):
        return self.data.get(key, {}).get(field)

    def _hexists(self, key, field):
        return int(field in self.data.get(key, {}))

    def _hset(self, key, *pairs):
        fields = self.data.setdefault(key, {})
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2]))
        return len(fields) - before

    def _hincrby(self, key, field, by):
        fields = self.data.setdefault(key, {})
        fields[field] = str(int(fields.get(field, "0")) + int(by))
        return int(fields[field])

    def _hdel(self, key, *fields):
        there = self.data.get(key, {})
        count = sum(there.pop(field, None) is not None for field in fields)
        if not there:
            self.data.pop(key, None)
        return count

    def _sadd(self, key, *members):
        there = self.data.setdefault(key, set())
        count = len(set(members) - there)
        there.update(members)
        return count

    def _srem(self, key, *members):
        there = self.data.get(key, set())
        count = len(there & set(members))
        there -= set(members)
        return count

    def _smembers(self, key):
        return sorted(self.data.get(key, ()))

    def _renamenx(self, key, new):
        if key not in self.data:
            return line("-ERR no such key")
        if new in self.data:
            return 0
        self.data[new] = self.data.pop(key)
        return 1

    # ---- what came ----

    def asked(self, *pattern):
        return [words for node in self.nodes for words in node.asked(*pattern)]

    def count(self, *pattern):
        return len(self.asked(*pattern))

    def check(self, within=5):
        """All dialogues have ended."""
        wait_until(lambda: not any(node.rest for node in self.nodes), within,
                   "the dialogues end; to come: %s" % {node.name: node.rest for node in self.nodes})

    def close(self):
        for node in self.nodes:
            node.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
