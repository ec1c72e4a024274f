"""What /metrics says, series by series: docs/configuration.md promises it, dashboards and alerts rest on it.
(Its format, and what it must never hold, are in test_operations.py.)"""
import gzip
import os
import re
import resource
import signal
import time

import pytest
from prometheus_client.openmetrics import parser as openmetrics

from support import prometheus
from support.clients import BA, G, basic, bearer, install_clients, mint, token_of
from support.expect import row, token_request
from support.http import Connection, form_request, request_bytes
from support.inquiry import introspect, revoke
from support.oauth import make_client, wait_status, wait_until
from support.redis_server import TlsRedis

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUFFIXES = {"counter": (), "gauge": (), "histogram": ("le",)}


def scrape(instance, *fields):
    """Of the listener opened last, which has /metrics in any case."""
    with Connection(instance.addresses()[-1]) as connection:
        connection.send(request_bytes("GET", "/metrics", fields))
        return prometheus.parse(connection.read_response().body)


def value(instance, name, **labels):
    return scrape(instance)[name].value(**labels)


def durations(instance, endpoint):
    """(sum, count) of requests to this endpoint."""
    family = scrape(instance)["mintd_http_request_duration_seconds"]
    told = [sum(s.value for s in family.samples
                if s.name == family.name + end and s.labels["endpoint"] == endpoint) for end in ("_sum", "_count")]
    return tuple(told)


# ---- the table of docs/configuration.md ----


@pytest.fixture
def redis_tls(certificate):
    with TlsRedis(certificate, certificate.file) as server:
        install_clients(server)
        yield server


def table():
    """{name: labels} of its rows."""
    with open(os.path.join(ROOT, "docs/configuration.md"), encoding="utf-8") as file:
        part = file.read().split("\n## Metrics\n")[1].split("\n### ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name: set(filter(None, (labels or "").split(",")))
            for cell in cells for name, labels in re.findall(r"`([a-z_]+)(?:\{([a-z,]+)\})?`", cell)}


@row("O-03")
def test_the_table_has_each_series_and_no_other(start_mintd, redis_tls, certificate):
    secure = start_mintd("--metrics-clients", "1", "--redis-ca", certificate.file, redis=redis_tls, certificate=certificate)
    secure.wait_for_store()
    token = token_of(secure)
    introspect(secure, token)
    wait_until(lambda: "mintd_clock_skew_seconds" in scrape_secure(secure), what="Redis' time")
    told = {name: set().union(*(set(s.labels) for s in family.samples)) - set(SUFFIXES[family.type])
            for name, family in scrape_secure(secure).items()}
    assert told == table()


def scrape_secure(secure):
    return prometheus.parse(secure.request("GET", "/metrics").body)


# ---- durations ----


@row("O-03")
def test_requests_are_timed_by_endpoint(own_mintd):
    token = token_of(own_mintd)
    for _ in range(40):
        assert own_mintd.request("GET", "/secret", [bearer(token)]).status == 200
    assert own_mintd.request("GET", "/secret").status == 401
    with own_mintd.connect() as connection:  # in one read
        connection.send(request_bytes("GET", "/secret", [bearer(token)]) * 50)
        for _ in range(50):
            assert connection.read_response().status == 200
    total, count = durations(own_mintd, "secret")
    assert count == 91 and 0 < total < 60
    assert durations(own_mintd, "token")[1] == 1
    assert durations(own_mintd, "none") == (0, 0)
    bounds = {s.labels["le"] for s in scrape(own_mintd)["mintd_http_request_duration_seconds"].samples
              if s.name.endswith("_bucket")}
    assert bounds > {"0.001", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "1.0"}, bounds


@row("O-03")
def test_a_wait_for_redis_counts(start_mintd, own_redis):
    mintd = start_mintd("--redis-timeout", "5000", redis=own_redis)
    mintd.wait_for_store()
    wait_until(lambda: mint(mintd).status == 200)
    before = durations(mintd, "token")
    with mintd.connect() as asker, mintd.connect() as control:
        own_redis.pause()
        asker.send(token_request())
        control.expect_in_step()
        control.expect_in_step()  # what was sent before is being waited for
        started = time.monotonic()
        time.sleep(0.3)  # what is measured
        waited = time.monotonic() - started
        own_redis.resume()
        asker.read_response()
    total, count = durations(mintd, "token")
    assert count == before[1] + 1 and total - before[0] >= waited


@row("O-03")
def test_a_client_that_sends_slowly_does_not_count(own_mintd):
    token_of(own_mintd)
    before = durations(own_mintd, "token")
    raw = token_request()
    with own_mintd.connect() as connection, own_mintd.connect() as control:
        connection.send(raw[:-5])
        control.expect_in_step()
        time.sleep(1)  # what is not measured
        sent = time.monotonic()
        connection.send(raw[-5:])
        assert connection.read_response().status == 200
        took = time.monotonic() - sent
    total, count = durations(own_mintd, "token")
    assert count == before[1] + 1 and total - before[0] <= took + 0.5


# ---- what is counted ----


@row("O-03")
def test_revocations_and_introspections_are_counted(own_mintd):
    token = token_of(own_mintd)
    introspect(own_mintd, token)
    assert revoke(own_mintd, token).status == 200
    assert revoke(own_mintd, token).status == 200  # there is none any more
    introspect(own_mintd, token)
    introspect(own_mintd, token)
    assert value(own_mintd, "mintd_tokens_revoked_total") == 1
    assert value(own_mintd, "mintd_introspections_total", active="true") == 1
    assert value(own_mintd, "mintd_introspections_total", active="false") == 2


@row("O-03")
def test_reasons_are_words(own_mintd):
    own_mintd.request("GET", "/secret", [bearer("nope")])
    own_mintd.exchange(form_request("/token", b"scope=read", [BA]))
    refusals = scrape(own_mintd)["mintd_refusals_total"]
    assert refusals.value(reason="malformed_token") == 1 and refusals.value(reason="no_grant_type") == 1
    assert all(re.fullmatch(r"[a-z_]+", s.labels["reason"]) for s in refusals.samples), refusals
    own_mintd.wait_for_log("refused", reason="token not of our form")  # the log keeps the sentence


@row("O-03")
def test_handshakes_are_counted(secure):
    before = scrape_secure(secure)["mintd_tls_handshakes_total"].value(result="ok")
    for _ in range(3):
        assert secure.request("GET", "/healthz").status == 200
    assert scrape_secure(secure)["mintd_tls_handshakes_total"].value(result="ok") == before + 4


# ---- the process ----


@row("O-03")
def test_ready_follows_redis(own_mintd, own_redis):
    wait_until(lambda: value(own_mintd, "mintd_ready") == 1, what="ready")
    own_redis.kill()
    wait_until(lambda: value(own_mintd, "mintd_ready") == 0, what="not ready")
    own_redis.start()
    wait_until(lambda: value(own_mintd, "mintd_ready") == 1, what="ready again")
    assert value(own_mintd, "mintd_draining") == 0


@row("O-03")
def test_ready_is_a_write(own_mintd, own_redis):
    """As /readyz: without anybody who asks it."""
    wait_until(lambda: value(own_mintd, "mintd_ready") == 1, what="ready")
    own_redis.cli("CONFIG", "SET", "maxmemory", "1")
    wait_until(lambda: value(own_mintd, "mintd_ready") == 0, within=15, what="a heartbeat that cannot be written")
    wait_status(own_mintd, 503)
    own_redis.cli("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: value(own_mintd, "mintd_ready") == 1, within=15, what="ready again")


@row("O-03")
def test_a_drain_is_told(start_mintd, redis):
    mintd = start_mintd("--drain-delay", "60s", redis=redis)
    mintd.wait_for_store()
    mintd.signal(signal.SIGTERM)
    mintd.wait_for_log("draining")
    assert value(mintd, "mintd_draining") == 1 and value(mintd, "mintd_ready") == 0
    mintd.signal(signal.SIGTERM)
    mintd.check_end(mintd.wait())


@row("O-03")
def test_the_process_is_described(own_mintd):
    """By the names that all dashboards know, and as the kernel sees it."""
    seen = scrape(own_mintd)
    resident, virtual = (seen["process_%s_memory_bytes" % kind].value() for kind in ("resident", "virtual"))
    assert 1e6 < resident < virtual
    assert abs(seen["process_start_time_seconds"].value() - time.time()) < 300
    assert seen["process_max_fds"].value() == resource.prlimit(own_mintd.pid, resource.RLIMIT_NOFILE)[0]
    connections = [own_mintd.connect() for _ in range(10)]
    for connection in connections:
        connection.expect_in_step()
    now = scrape(own_mintd)
    assert now["process_open_fds"].value() == seen["process_open_fds"].value() + 10
    assert abs(now["process_open_fds"].value() - len(os.listdir("/proc/%d/fd" % own_mintd.pid))) <= 2
    assert now["process_cpu_seconds_total"].value() >= seen["process_cpu_seconds_total"].value() > 0
    for connection in connections:
        connection.close()


# ---- OpenMetrics, gzip ----

PROMETHEUS = ("Accept", "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


@row("O-03")
def test_openmetrics_for_who_asks(secure):
    """Read by Prometheus' own parser for Python, which is strict."""
    introspect(secure, token_of(secure))
    text = secure.request("GET", "/metrics")
    response = secure.request("GET", "/metrics", [PROMETHEUS])
    assert response.status == 200 and response.get("Vary") == text.get("Vary") == "Accept, Accept-Encoding"
    assert response.get("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    body = response.body.decode()
    assert body.endswith("# EOF\n") and "# EOF" not in text.body.decode()
    families = list(openmetrics.text_string_to_metric_families(body))
    assert {(s.name, *sorted(s.labels.items())) for f in families for s in f.samples} \
        == {(s.name, *sorted(s.labels.items())) for f in scrape_secure(secure).values() for s in f.samples}
    units = {f.name: f.unit for f in families}
    assert units["process_cpu_seconds"] == "seconds" and units["process_resident_memory_bytes"] == "bytes"
    assert all(unit == (name.rsplit("_", 1)[1] if name.endswith(("_seconds", "_bytes")) else "")
               for name, unit in units.items()), units


@row("O-03")
@pytest.mark.parametrize("fields", [[], [PROMETHEUS]], ids=["text", "openmetrics"])
def test_gzip_for_who_asks(mintd, fields):
    response = mintd.request("GET", "/metrics", [*fields, ("Accept-Encoding", "gzip")])
    assert response.status == 200 and response.get("Content-Encoding") == "gzip"
    body = gzip.decompress(response.body)
    assert b"\nmintd_workers 1\n" in body and len(response.body) < len(body) / 3
    head = mintd.exchange(request_bytes("HEAD", "/metrics", [*fields, ("Accept-Encoding", "gzip")]), head=True)
    assert head.status == 200 and head.get("Content-Encoding") == "gzip" and not head.body
    assert not mintd.request("GET", "/metrics", fields).get("Content-Encoding")


# ---- by client ----


def by_client(instance):
    """{client: (minted, validated)}"""
    seen = scrape(instance)
    minted, validated = (seen["mintd_client_tokens_%s_total" % what] for what in ("minted", "validated"))
    return {s.labels["client"]: (s.value, validated.value(client=s.labels["client"])) for s in minted.samples}


@row("O-03")
def test_clients_are_counted_by_name_where_wanted(start_mintd, own_redis):
    """The first two that are good for something; the third, and one that is called other, together."""
    for name in ("one", "two", "three", "other"):
        make_client(own_redis, name, scope="read")
    mintd = start_mintd("--metrics-clients", "2", redis=own_redis, workers=3)
    mintd.wait_for_store()
    assert mint_with(mintd, "one", "wrong").status == 401 and mint_with(mintd, "nobody", "x").status == 401
    assert by_client(mintd) == {"other": (0, 0)}
    for name in ("other", "one", "two", "three", "one"):
        for _ in range(4):  # by any worker
            token = mint_with(mintd, name, "s-3cret").json()["access_token"]
            assert mintd.request("GET", "/secret", [bearer(token)]).status == 200
    assert by_client(mintd) == {"one": (8, 8), "two": (4, 4), "other": (8, 8)}
    assert value(mintd, "mintd_tokens_minted_total") == value(mintd, "mintd_tokens_validated_total") == 20


def mint_with(instance, name, secret):
    return instance.exchange(form_request("/token", G, [basic(name, secret)]))


@row("O-03")
def test_clients_are_not_counted_by_default(own_mintd):
    token_of(own_mintd)
    assert not [name for name in scrape(own_mintd) if "client" in name]


@row("O-03")
def test_the_longest_names_fit(start_mintd, own_redis):
    """A hundred clients with names of 255 bytes, and one more."""
    names = ["%03d" % n + "x" * 252 for n in range(101)]
    for name in names:
        make_client(own_redis, name, scope="read")
    mintd = start_mintd("--metrics-clients", "100", redis=own_redis)
    mintd.wait_for_store()
    for name in names:
        assert mint_with(mintd, name, "s-3cret").status == 200
    assert by_client(mintd) == {**{name: (1, 0) for name in names[:100]}, "other": (1, 0)}
