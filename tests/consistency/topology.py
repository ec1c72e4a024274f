"""What the instances have for a Redis: one, or a master and its replica with three Sentinels. Both offer

    url(number)         for --redis of that instance
    redis, changer      for what the checker does to Redis: at once, and so that no fail-over undoes it
    lines               of the instances that are behind proxies: {number: Line}
    faults(...)         what befalls it (Faults)
    servers             [RedisServer]
"""
from chaos import PROXIED, RedisFaults
from failovers import SentinelFaults
from floor import REDIS_FAULTS, SENTINEL_FAULTS
from journal import OPTIONS
from support.redis_server import RedisServer
from support.sentinel import NAME, Sentinels
from wire import CopiedRedis, Line, Proxy, Redis

RESP2 = 4  # the instance that meets a Redis without HELLO
FAILOVER_TIMEOUT_MS = 2000  # how soon Sentinels try again, and half of how soon they make the next fail-over


class Standalone:
    fault_kinds = REDIS_FAULTS

    def __init__(self):
        self.servers = [RedisServer("--appendonly", "yes", "--appendfsync", "always")]
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


class WithSentinels:
    fault_kinds = SENTINEL_FAULTS

    def __init__(self):
        self.group = Sentinels(options=OPTIONS, config=["sentinel failover-timeout %s %d" % (
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


TOPOLOGIES = {"standalone": Standalone, "sentinel": WithSentinels}
