"""What the instances have for a Redis: one, or a master and its replica with three Sentinels, or a cluster of three
masters with a replica each. All offer

    url(number)         for --redis of that instance
    redis, changer      for what the checker does to Redis: at once, and so that no fail-over undoes it
    lines               of the instances that are behind proxies: {number: Line}
    faults(...)         what befalls it (Faults)
    servers             [RedisServer]
    nodes               of a cluster, with which each worker is connected
    network             ours, or None: then no packets vanish
    fault_kinds         what has to come
"""
from chaos import PROXIED, RedisFaults
from clusterfaults import ClusterFaults
from failovers import SentinelFaults
from floor import CLUSTER_FAULTS, CUT_OFF, LOSSES, REDIS_FAULTS, SENTINEL_FAULTS
from journal import OPTIONS
from network import Network, is_own
from support.cluster import Cluster
from support.redis_server import RedisServer
from support.sentinel import NAME, Sentinels
from wire import ClusterRedis, CopiedRedis, Line, Proxy, Redis

RESP2 = 4  # the instance that meets a Redis without HELLO
MASTERS = 3
FAILOVER_TIMEOUT_MS = 2000  # how soon Sentinels try again, and half of how soon they make the next fail-over


class Topology:
    nodes = 0

    def __init__(self, fault_kinds, *partitions):
        """partitions: the kinds of faults that need a network of our own."""
        self.network = Network() if is_own() else None
        self.sources = self.network.sources if self.network else ()
        self.fault_kinds = fault_kinds.and_others(*partitions) if self.network else fault_kinds

    def close(self):
        if self.network:
            self.network.close()


class Standalone(Topology):
    def __init__(self):
        super().__init__(REDIS_FAULTS, *LOSSES)
        self.servers = [RedisServer("--appendonly", "yes", "--appendfsync", "always",
                                    source=next(iter(self.sources), None))]
        self.server = self.servers[0]
        self.redis = self.changer = Redis(self.server.socket_path)
        self.lines = {PROXIED: Line(), RESP2: Line()}

    async def start(self):
        self._proxies = {number: await Proxy(self.server.port, line, without_hello=number == RESP2).start()
                         for number, line in self.lines.items()}

    def url(self, number):
        proxy = self._proxies.get(number)
        return "redis://127.0.0.1:%d" % (proxy.port if proxy else self.server.port)

    def faults(self, _, *more):
        return RedisFaults(self.server, self.redis, self.lines[PROXIED], *more)

    def end(self):
        self.redis.close()
        for proxy in self._proxies.values():
            proxy.close()

    def close(self):
        self.server.close()
        super().close()


class WithSentinels(Topology):
    def __init__(self):
        super().__init__(SENTINEL_FAULTS, *LOSSES, CUT_OFF)
        self.group = Sentinels(options=OPTIONS, sources=self.sources, config=["sentinel failover-timeout %s %d" % (
            NAME, FAILOVER_TIMEOUT_MS)])
        self.servers = self.group.servers
        self.server = self.group.master
        self.redis, self.changer = Redis(self.server.socket_path), CopiedRedis(self.server.socket_path)
        self.lines = {PROXIED: Line(), RESP2: Line()}
        self._proxies, self._sentinels = [], {}

    async def start(self):
        """Behind a line each Sentinel names the proxies of the Redis in place of the Redis."""
        for number, line in self.lines.items():
            redis = {server.port: await Proxy(server.port, line, without_hello=number == RESP2).start()
                     for server in self.servers}
            renames = {port: proxy.port for port, proxy in redis.items()}
            self._sentinels[number] = [await Proxy(sentinel.port, line, renames=renames).start()
                                       for sentinel in self.group.each]
            self._proxies += [*redis.values(), *self._sentinels[number]]

    def url(self, number):
        return self.group.url_of(*self._sentinels.get(number, self.group.each))

    def faults(self, traffic, *more):
        return SentinelFaults(self, traffic, self.lines[PROXIED], *more)

    def move(self, server):
        """The checker goes to the new master."""
        self.redis.move(server.socket_path)
        self.changer.move(server.socket_path)

    def end(self):
        self.redis.close()
        self.changer.close()
        for proxy in self._proxies:
            proxy.close()

    def close(self):
        self.group.close()
        super().close()


class Clustered(Topology):
    nodes = MASTERS

    def __init__(self):
        super().__init__(CLUSTER_FAULTS, *LOSSES, CUT_OFF)
        self.cluster = Cluster(MASTERS, replicas=1, options=OPTIONS, sources=self.sources)
        self.servers = self.cluster.nodes
        self.pairs = list(zip(self.servers[:MASTERS], self.servers[MASTERS:]))
        self.redis, self.changer = ClusterRedis(self.servers, Redis), ClusterRedis(self.servers, CopiedRedis)
        self.set_masters(self.pairs)
        self.lines = {PROXIED: Line(), RESP2: Line()}
        self._ports, self._proxies = {}, []

    async def start(self):
        """Behind a line each node names the proxies of the nodes in place of the nodes."""
        for number, line in self.lines.items():
            renames = {}
            for server in self.servers:
                proxy = await Proxy(server.port, line, without_hello=number == RESP2, renames=renames).start()
                renames[server.port] = proxy.port
                self._proxies.append(proxy)
            self._ports[number] = list(renames.values())

    def url(self, number):
        ports = self._ports.get(number, [server.port for server in self.servers])
        return "redis+cluster://" + ",".join("127.0.0.1:%d" % port for port in ports[:MASTERS])

    def faults(self, traffic, *more):
        return ClusterFaults(self, traffic, self.lines[PROXIED], *more)

    def set_masters(self, pairs, without_replica=None):
        """pairs: [(master, replica)]"""
        for redis in (self.redis, self.changer):
            redis.masters = [master.port for master, _ in pairs]
        for server in self.servers:
            self.changer.each[server.port].has_replica = server is not without_replica

    def end(self):
        self.redis.close()
        self.changer.close()
        for proxy in self._proxies:
            proxy.close()

    def close(self):
        self.cluster.close()
        super().close()


TOPOLOGIES = {"standalone": Standalone, "sentinel": WithSentinels, "cluster": Clustered}
