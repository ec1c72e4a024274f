"""What one run measures, and how long."""
import contextlib
import dataclasses
import shutil
import statistics
import sys
import tempfile

import peers
from exchange import Request
from load import Target, take_turns

# A usual processor: up to so many µs of CPU a request of nginx the machine is in a fast phase of its.
FAST_US = 9.0
_CONSTANT = "v" * 180


@dataclasses.dataclass
class Plan:
    rounds: int = 5
    seconds: int = 4
    revocations: int = 1000
    silences: int = 5
    token_counts: tuple = (10**3, 10**4, 10**5, 10**6)
    connection_counts: tuple = (64, 1000, 10000)
    many_idle: int = 10**5
    starts: int = 20
    spoilt: list = dataclasses.field(default_factory=list)  # turns that had to be made again, in words
    phases: dict = dataclasses.field(default_factory=dict)  # of each scenario, in µs, as it went on
    _scenario: str = ""
    _nginx: object = None

    @classmethod
    def quick(cls):
        return cls(rounds=2, seconds=1, revocations=200, silences=2, token_counts=(10**3, 10**4, 10**5), starts=5)

    def take_turns(self, targets):
        return take_turns(targets, self)

    def begin(self, scenario):
        self.say(scenario)
        self._scenario = scenario
        self.phases[scenario] = []
        self.look_at_phase()

    def look_at_phase(self):
        """What a constant answer of nginx costs now, without a log."""
        if self._nginx is None:
            self._nginx = peers.Nginx(_CONSTANT, log=False)
        target = Target("phase", self._nginx, Request("/", expected=_CONSTANT))
        self.phases[self._scenario].append(target.measure(1)["cpu"])

    def phase(self, scenario):
        return statistics.median(self.phases[scenario])

    def end(self):
        if self._nginx is not None:
            self._nginx.stop()

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

    def certificate(self):
        folder = tempfile.mkdtemp(prefix="mintd-bench-")
        self.callback(shutil.rmtree, folder, ignore_errors=True)
        return peers.Certificate(folder, "bench")

    def start(self, kind, *arguments, **more):
        server = kind(*arguments, **more)
        return self._keep(server, server.stop)
