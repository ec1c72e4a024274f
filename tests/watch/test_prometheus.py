"""A real Prometheus scrapes three instances under load: each panel gives data, no alert is broken."""
import json
import math
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

from files import ALERTS, panels, queries
from support.oauth import wait_until
from support.redis_server import free_port

UNTIL_DATA_S = 60
ENDPOINT_WAIT_S = 30


class Prometheus:
    def __init__(self, folder, instances):
        self._port = free_port()
        self._log = open(folder / "log", "w+", encoding="utf-8")
        config = folder / "prometheus.yml"
        targets = ["%s:%d" % instance.addresses()[-1] for instance in instances]
        config.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [ALERTS],
            "scrape_configs": [{"job_name": "mintd", "static_configs": [{"targets": targets}]}]}))
        self._process = subprocess.Popen(
            ["prometheus", "--config.file=%s" % config, "--storage.tsdb.path=%s" % (folder / "data"),
             "--web.listen-address=127.0.0.1:%d" % self._port],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)})

    def ask(self, path, **query):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self._port, path, urllib.parse.urlencode(query))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=ENDPOINT_WAIT_S) as answer:
            return json.load(answer)["data"]

    def is_up(self):
        assert self._process.poll() is None, self.log()
        try:
            return bool(self.ask("targets")["activeTargets"])
        except (urllib.error.URLError, ConnectionError):
            return False

    def has_data(self, query):
        """Whether a number comes of it: NaN is what a quantile of nothing is."""
        return any(not math.isnan(float(one["value"][1])) for one in self.ask("query", query=query)["result"])

    def log(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read()[-4000:]

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def watcher(site, tmp_path_factory):
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), site)
    try:
        wait_until(prometheus.is_up, 30, "Prometheus")
        yield prometheus
    finally:
        prometheus.stop()


def test_all_instances_are_scraped(watcher, site):
    def healthy():
        return [t["health"] for t in watcher.ask("targets")["activeTargets"]]

    wait_until(lambda: healthy() == ["up"] * len(site), 30, "all are up")


def test_each_panel_gives_data(watcher):
    empty = dict(panels())

    def all_have():
        for name in [name for name, query in empty.items() if watcher.has_data(query)]:
            del empty[name]
        return not empty

    try:
        wait_until(all_have, UNTIL_DATA_S)
    except AssertionError:
        raise AssertionError("no data: " + "; ".join(empty)) from None


def test_each_alert_is_evaluated(watcher):
    def rules():
        return [rule for group in watcher.ask("rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] == "ok" for rule in rules()), 30, "a first evaluation")
    assert len(rules()) == 9 and set(queries()) > {rule["name"] for rule in rules()}
