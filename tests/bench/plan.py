"""What one run measures, and how long."""
import contextlib
import dataclasses
import sys

import peers
from load import take_turns


@dataclasses.dataclass
class Plan:
    rounds: int = 5
    seconds: int = 4
    revocations: int = 1000
    silences: int = 5
    token_counts: tuple = (10**3, 10**4, 10**5, 10**6)
    connection_counts: tuple = (64, 1000, 10000)

    @classmethod
    def quick(cls):
        return cls(rounds=2, seconds=1, revocations=200, silences=2, token_counts=(10**3, 10**4, 10**5))

    def take_turns(self, targets):
        return take_turns(targets, self)

    @staticmethod
    def say(text):
        print(text, file=sys.stderr, flush=True)


class Stage(contextlib.ExitStack):
    """The servers of one scenario; they are gone when it ends, however it does."""

    def _keep(self, server, end):
        self.callback(end)
        return server

    def redis(self, **more):
        server = peers.Redis(**more)
        return self._keep(server, server.close)

    def redis_over_tls(self):
        server = peers.RedisOverTls()
        return self._keep(server, server.close)

    def redis_cluster(self, masters):
        server = peers.RedisCluster(masters)
        return self._keep(server, server.close)

    def redis_behind_sentinels(self):
        server = peers.RedisBehindSentinels()
        return self._keep(server, server.close)

    def start(self, kind, *arguments, **more):
        server = kind(*arguments, **more)
        return self._keep(server, server.stop)
