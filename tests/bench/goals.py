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
    scenario: str = ""
    key: str = ""  # its text in full, with where it was measured

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
            found += _named(name, judge(results[name]))
    return found


def _named(scenario, judged):
    """With keys: a text that begins with a dash goes on from the one before it."""
    found, head = [], ""
    for goal in judged:
        is_more = goal.text.startswith("— ")
        head = head if is_more else goal.text.partition(":")[0]
        key = "%s: %s" % (head, goal.text[2:]) if is_more else goal.text
        found.append(dataclasses.replace(goal, scenario=scenario, key=key))
    return found


def _ratio(rows, name, other, number):
    return rows[name][number] / rows[other][number]


def _cached(rows, where=""):
    found = []
    for name in ("mintd /secret", "mintd /verify"):
        found += [
            Goal("cached %s%s: CPU a request, against nginx' constant answer" % (name[6:], where), operator.le, 1.0,
                 _ratio(rows, name, NGINX, "cpu")),
            Goal("— requests a second", operator.ge, 0.97, _ratio(rows, name, NGINX, "rate")),
            Goal("— p99", operator.le, 1.2, _ratio(rows, name, NGINX, "p99"))]
    return found + [Goal("cached /introspect%s: CPU a request, against nginx' constant answer" % where, operator.le,
                         1.25, _ratio(rows, "mintd /introspect", NGINX, "cpu"))]


def _cached_quiet(rows):
    return _cached(rows, ", no logs")


def _uncached(rows):
    name = "mintd /secret, no cache"
    return [Goal("uncached /secret: CPU of mintd, against webdis' GET", operator.le, 0.45,
                 _ratio(rows, name, WEBDIS_GET, "cpu")),
            Goal("— CPU of Redis", operator.le, 0.6, _ratio(rows, name, WEBDIS_GET, "redis_cpu"))]


def _minting(rows):
    name, silent = "mintd /auth", "mintd /auth, no log"
    return [Goal("/auth: CPU of mintd, against webdis' SETEX", operator.le, 0.6,
                 _ratio(rows, name, WEBDIS_SETEX, "cpu")),
            Goal("— CPU of Redis", operator.le, 0.7, _ratio(rows, name, WEBDIS_SETEX, "redis_cpu")),
            Goal("— commands to Redis", operator.le, 1.01, rows[name]["redis_commands"], "a mint"),
            Goal("— bytes to and from Redis", operator.le, 330, rows[name]["redis_bytes"], "a mint"),
            Goal("— wake-ups of Redis", operator.le, 0.125, rows[name]["redis_wakes"], "a mint"),
            Goal("/auth: requests a second, against the tutorial's Express", operator.ge, 20,
                 _ratio(rows, name, EXPRESS, "rate")),
            Goal("— CPU a request, Express' against mintd's", operator.ge, 20,
                 _ratio(rows, EXPRESS, name, "cpu")),
            Goal("/auth, no logs: CPU of mintd, against webdis' SETEX", operator.le, 0.6,
                 _ratio(rows, silent, WEBDIS_SETEX, "cpu")),
            Goal("/auth, its line in the log: CPU of mintd, against none", operator.le, 1.05,
                 _ratio(rows, name, silent, "cpu"))]


def _secure(rows):
    return [Goal("over TLS, /secret: CPU a request, against nginx with TLS", operator.le, 1.0,
                 _ratio(rows, "mintd /secret", NGINX, "cpu")),
            Goal("— requests a second", operator.ge, 0.97, _ratio(rows, "mintd /secret", NGINX, "rate"))]


def _handshakes(rows):
    return [Goal("%s TLS handshakes: CPU of one with its request, against nginx" % kind, operator.le, bound,
                 _ratio(rows, "mintd, " + kind, "nginx, " + kind, "cpu"))
            for kind, bound in (("full", 0.95), ("resumed", 1.0))]


def _two_workers(rows):
    """Beside the load the machine gives two cores less than twice what it gives one: nginx tells how much."""
    def gain(name):
        return _ratio(rows, name + ", 2 on 2", name + ", 1 on 1", "rate")

    return [Goal("/secret, two workers on two cores: requests a second, against one on one", operator.ge, 1.9,
                 gain("mintd /secret")),
            Goal("— what they gain, against what nginx' two gain", operator.ge, 0.97, gain("mintd /secret") / gain("nginx"))]


def _cold(rows):
    return [Goal("a cold instance under full load: speed in the 2nd second, against later", operator.ge, 0.8,
                 row["second"] / row["later"]) for row in rows.values()]


def _topologies(rows):
    name = "mintd /auth, "
    return [Goal("/auth, TLS to Redis: CPU of mintd, against without", operator.le, 1.15,
                 _ratio(rows, name + "TLS to one Redis", name + "one Redis", "cpu")),
            Goal("/auth, a cluster of 3: CPU of mintd, against one Redis", operator.le, 1.5,
                 _ratio(rows, name + "cluster of 3", name + "one Redis", "cpu"))]


def _pipelined(rows):
    return [Goal("one by one, cached: CPU a request, against %d in a write" % PIPELINE,
                 operator.ge, 4, _ratio(rows, "mintd, one by one", "mintd, %d in a write" % PIPELINE, "cpu"))]


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


def _start(row):
    return [Goal("start: ready, with Redis there", operator.lt, 50, row["ready_ms"], "ms")]


def _idle_tls(row):
    return [Goal("idle TLS connection (%d of them), after a request: resident" % row["connections"], operator.lt,
                 10 * 1024, row["bytes"], "bytes")]


def _idle_many(row):
    each = (row["resident"] - row["empty"]) / row["connections"]
    return [Goal("100,000 idle connections, by %d of them: resident" % row["connections"], operator.lt, 64,
                 (row["empty"] + each * 10**5) / 2**20, "MiB")]


def _token_in_redis(row):
    return [Goal("Redis' memory a token, of %d" % row["tokens"], operator.le, 300, row["bytes"], "bytes")]


_JUDGES = (("cached", _cached), ("cached-quiet", _cached_quiet), ("uncached", _uncached), ("mint", _minting),
           ("tls", _secure), ("handshakes", _handshakes),
           ("two-workers", _two_workers), ("cold", _cold), ("topologies", _topologies), ("pipelined", _pipelined),
           ("connections", _connections), ("tokens", _live_tokens), ("revocation", _revocation),
           ("silence", _silence), ("process", _process), ("start", _start), ("idle-connections", _idle_connections),
           ("idle-tls", _idle_tls), ("idle-many", _idle_many), ("redis-memory", _token_in_redis))
