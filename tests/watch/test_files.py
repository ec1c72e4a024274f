"""Dashboard, alerts and runbook name what there is, and Prometheus' own tools take them."""
import json
import os
import re
import subprocess

import pytest
import yaml

from files import ALERTS, ROOT, alerts, headings, missing, panels, queries, read
from support import prometheus
from support.http import Connection, request_bytes
from support.oauth import wait_until

SECTIONS = ("What it means", "What users feel", "Look at", "Do")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)


def metrics_of(instance):
    with Connection(instance.addresses()[-1]) as connection:
        connection.send(request_bytes("GET", "/metrics"))
        return connection.read_response().body.decode()


def samples_of(site):
    return [(s.name, s.labels) for instance in site for f in prometheus.parse(metrics_of(instance)).values()
            for s in f.samples]


# ---- series ----


def test_each_query_names_series_and_labels_that_are_there(site):
    def problems():
        samples = samples_of(site)
        return ["%s: %s" % (name, problem) for name, query in queries().items() for problem in missing(query, samples)]

    try:
        wait_until(lambda: not problems(), 30)
    except AssertionError:
        raise AssertionError("\n".join(problems())) from None


@pytest.mark.parametrize("query, count", [
    ('rate(mintd_none_total{job="mintd"}[5m])', 1),
    ('mintd_refusals_total{reason="token unknown"}', 0),  # no plain word: not looked at
    ('mintd_refusals_total{reason="token_unknown"}', 1),
    ('mintd_refusals_total{reason=~"no_token|gone|lost"}', 2),
    ('mintd_refusals_total{why="no_token"}', 1),
    ('sum by (colour) (mintd_refusals_total)', 1),
    ('mintd_duration_seconds_bucket{le="0.007"}', 1),
    ('sum by (le, instance) (rate(mintd_duration_seconds_bucket{le="0.005"}[5m]))', 0),
    ('mintd_refusals_total{reason=~"no.*"}', 0)])
def test_what_is_missing_is_found(query, count):
    samples = [("mintd_refusals_total", {"reason": "no_token"}), ("mintd_duration_seconds_bucket", {"le": "0.005"})]
    assert len(list(missing(query, samples))) == count


def test_metrics_please_promtool(site):
    for instance in site:
        checked = run("promtool", "check", "metrics", input=metrics_of(instance))
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), checked


# ---- alerts ----


def test_alerts_please_promtool():
    checked = run("promtool", "check", "rules", ALERTS)
    assert checked.returncode == 0 and "9 rules found" in checked.stdout, checked
    assert run("promtool", "check", "config", os.path.join(ROOT, "deploy/prometheus/prometheus.yml")).returncode == 0


def test_alerts_fire_when_they_have_to():
    tested = run("promtool", "test", "rules", os.path.join(ROOT, "deploy/prometheus/alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    page = yaml.safe_load(read("deploy/prometheus/alerts_test.yml"))
    cases = [case for test in page["tests"] for case in test["alert_rule_test"]]
    for rule in alerts():
        kinds = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == rule["alert"]}
        assert kinds == {True, False}, "no case where %s fires, or none where it does not" % rule["alert"]


@pytest.mark.parametrize("change", [
    ("for: 1m", "for: 5m"), ("for: 10m", "for: 20m"), ("> 0.05", "> 0.5"), ("> 0.1", "> 0.5"), ("> 5 *", "> 5000 *"),
    ("unknown_token|", ""), ("offset 5m))\n          and", "offset 5m))\n          or"), ("7 * 86400", "5 * 86400"),
    ('"too_many_failures"', '"wrong_secret"'), ("> 1\n        for: 1h", "> 2\n        for: 1h"),
    ("count by (version)", "count by (name)")], ids=lambda change: change[0].split("\n")[0])
def test_a_wrong_alert_does_not_pass(change, tmp_path):
    rules = read("deploy/prometheus/alerts.yml")
    assert change[0] in rules
    (tmp_path / "alerts.yml").write_text(rules.replace(*change))
    (tmp_path / "alerts_test.yml").write_text(read("deploy/prometheus/alerts_test.yml"))
    assert run("promtool", "test", "rules", str(tmp_path / "alerts_test.yml")).returncode != 0


def test_each_alert_has_its_section_in_the_runbook():
    sections = headings("docs/runbook.md")
    told = [name for name in sections if name.startswith("mintd") and name != "mintd"]
    assert told == [rule["alert"].lower() for rule in alerts()]
    for rule in alerts():
        url = rule["annotations"]["runbook_url"]
        assert url.endswith("/docs/runbook.md#" + rule["alert"].lower()), url
        for part in SECTIONS:
            assert re.search(r"^\*\*%s\.\*\* \S" % part, sections[rule["alert"].lower()], re.MULTILINE), (url, part)
    assert all(len(line) < 100 for line in read("docs/runbook.md").splitlines())


# ---- the dashboard ----


def test_each_panel_is_a_query(tmp_path):
    """By Prometheus' own parser."""
    rules = [{"record": "panel:%d" % i, "expr": query} for i, query in enumerate(panels().values())]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    checked = run("promtool", "check", "rules", str(file))
    assert checked.returncode == 0 and "%d rules found" % len(rules) in checked.stdout, checked


def test_the_dashboard_is_what_the_table_makes():
    checked = run(os.path.join(ROOT, "script/dashboard"), "--check")
    assert checked.returncode == 0, checked.stderr


def test_the_dashboard_has_what_grafana_needs():
    """The schema of Grafana 10: ids and places are unique, nothing overlaps, each variable is there."""
    page = json.loads(read("deploy/grafana/mintd.json"))
    assert page["schemaVersion"] >= 38 and page["uid"] and page["title"]
    shown = page["panels"]
    assert [p["title"] for p in shown if p["type"] == "row"] == ["SLO", "Traffic", "Store", "Memory", "Process"]
    assert len({p["id"] for p in shown}) == len(shown)
    cells = [(x, y) for p in shown for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
             for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24
    variables = {v["name"] for v in page["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(shown)))
    assert variables == {"datasource", "instance"} and used == variables | {"__rate_interval"}


# ---- compose ----


def test_compose_has_a_profile_to_watch():
    """(docker compose config itself is run by script/compose-test.)"""
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    watch = {name for name, service in services.items() if service.get("profiles") == ["watch"]}
    assert watch == {"prometheus", "grafana"}
    for name in watch:
        for volume in services[name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or os.path.exists(os.path.join(ROOT, source)), volume
    targets = yaml.safe_load(read("deploy/prometheus/prometheus.yml"))["scrape_configs"][0]["static_configs"]
    assert targets == [{"targets": ["%s:9401" % name for name in sorted(services) if name.startswith("mintd")]}]
