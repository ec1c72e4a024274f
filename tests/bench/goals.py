"""The goals: what is compared with what, and how much is allowed."""
import dataclasses
import operator

from scenarios import PIPELINE

_SIGNS = {operator.le: "≤", operator.lt: "<", operator.ge: "≥"}
NGINX, WEBDIS_GET, WEBDIS_SETEX = "nginx, constant answer", "webdis GET", "webdis SETEX"
EXPRESS = "Express /auth"


@dataclasses.dataclass(frozen=True)
class Goal:
    text: str
    compare: object
    bound: float
    measured: float
    unit: str = ""

    @property
    def is_reached(self):
        return self.compare(self.measured, self.bound)

    @property
    def share(self):
        """Of what is allowed, so that 1 is the bound and less is better."""
        at_least = self.compare is operator.ge
        return self.bound / self.measured if at_least else self.measured / self.bound

    @property
    def bound_text(self):
        return "%s %s %s" % (_SIGNS[self.compare], ("%g" % self.bound), self.unit or "×")

    @property
    def measured_text(self):
        return "%s %s" % ("%.3g" % self.measured if self.measured < 100 else "%.0f" % self.measured,
                          self.unit or "×")


def goals(results):
    """Those that the results of this run can tell about."""
    found = []
    for name, judge in _JUDGES:
        if name in results:
            found += judge(results[name])
    return found


def _ratio(rows, name, other, number):
    return rows[name][number] / rows[other][number]


def _cached(rows):
    found = []
    for name in ("mintd /secret", "mintd /verify"):
        found += [
            Goal("cached %s: CPU a request, against nginx' constant answer" % name[6:], operator.le, 1.0,
                 _ratio(rows, name, NGINX, "cpu")),
            Goal("— requests a second", operator.ge, 0.97, _ratio(rows, name, NGINX, "rate")),
            Goal("— p99", operator.le, 1.2, _ratio(rows, name, NGINX, "p99"))]
    return found + [Goal("cached /introspect: CPU a request, against nginx' constant answer", operator.le, 1.5,
                         _ratio(rows, "mintd /introspect", NGINX, "cpu"))]


def _uncached(rows):
    name = "mintd /secret, no cache"
    return [Goal("uncached /secret: CPU of mintd, against webdis' GET", operator.le, 0.6,
                 _ratio(rows, name, WEBDIS_GET, "cpu")),
            Goal("— CPU of Redis", operator.le, 0.6, _ratio(rows, name, WEBDIS_GET, "redis_cpu"))]


def _minting(rows):
    name = "mintd /auth"
    return [Goal("/auth: CPU of mintd, against webdis' SETEX", operator.le, 0.7,
                 _ratio(rows, name, WEBDIS_SETEX, "cpu")),
            Goal("— CPU of Redis", operator.le, 0.6, _ratio(rows, name, WEBDIS_SETEX, "redis_cpu")),
            Goal("/auth: requests a second, against the tutorial's Express", operator.ge, 20,
                 _ratio(rows, name, EXPRESS, "rate")),
            Goal("— CPU a request, Express' against mintd's", operator.ge, 20,
                 _ratio(rows, EXPRESS, name, "cpu"))]


def _topologies(rows):
    name = "mintd /auth, "
    return [Goal("/auth, TLS to Redis: CPU of mintd, against without", operator.le, 1.15,
                 _ratio(rows, name + "TLS to one Redis", name + "one Redis", "cpu")),
            Goal("/auth, a cluster of 3: CPU of mintd, against one Redis", operator.le, 1.5,
                 _ratio(rows, name + "cluster of 3", name + "one Redis", "cpu"))]


def _pipelined(rows):
    return [Goal("%d requests in a write, cached: requests a second, against one by one" % PIPELINE,
                 operator.ge, 3, _ratio(rows, "mintd, %d in a write" % PIPELINE, "mintd, one by one", "rate"))]


def _connections(rows):
    counts = [name[len("mintd, "):] for name in rows if name.startswith("mintd, ")]
    return [Goal("cached /secret, %s: p99, against nginx'" % count, operator.le, 1.2,
                 _ratio(rows, "mintd, " + count, "nginx, " + count, "p99")) for count in counts]


def _live_tokens(rows):
    names = list(rows)
    few, many = names[0], names[-1]
    return [Goal("cached: CPU a request with %s live tokens, against %s"
                 % (many.split()[-2], few.split()[-2]), operator.le, 1.15, _ratio(rows, many, few, "cpu"))]


def _revocation(rows):
    return [Goal("a revoked token is refused on another, loaded instance (%s): p99"
                 % name.partition(",")[0], operator.lt, 5, row["p99"] * 1e3, "ms")
            for name, row in rows.items() if name.endswith("loaded")]


def _silence(row):
    return [Goal("Redis silent: memory is trusted for", operator.lt, 2, row["max"], "s")]


def _process(row):
    return [Goal("idle process, %s: resident" % name.replace("1 workers", "1 worker"), operator.lt, 8,
                 size / 2**20, "MiB") for name, size in row.items()]


def _idle_connections(row):
    return [Goal("idle connection (10,000 of them), %s: resident" % name, operator.lt, 1024, size, "bytes")
            for name, size in row.items()]


def _token_in_redis(row):
    return [Goal("Redis' memory a token, of %d" % row["tokens"], operator.le, 300, row["bytes"], "bytes")]


_JUDGES = (("cached", _cached), ("uncached", _uncached), ("mint", _minting), ("topologies", _topologies), ("pipelined", _pipelined),
           ("connections", _connections), ("tokens", _live_tokens), ("revocation", _revocation),
           ("silence", _silence), ("process", _process), ("idle-connections", _idle_connections),
           ("redis-memory", _token_in_redis))
