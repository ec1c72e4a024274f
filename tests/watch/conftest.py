"""What operators watch mintd with, against real ones: deploy/prometheus, deploy/grafana, docs/runbook.md.

    script/watch            # fetches Prometheus, builds mintd, runs this
    /usr/bin/python3 -m pytest tests/watch      # MINTD_BINARY; promtool and prometheus in PATH

    site     three instances on one Redis, one of them with TLS on either side, each with --metrics-listen; and load on them
             from the first test that asks for it to the end
"""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

from support.mintd import Mintd, binary  # noqa: E402
from support.redis_server import TlsRedis  # noqa: E402
from support.tls import Certificate  # noqa: E402

from load import Load, install  # noqa: E402


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    if not os.access(binary(), os.X_OK):
        pytest.exit("no mintd at %s: build it, or set MINTD_BINARY" % binary(), returncode=2)
    if not shutil.which("promtool") or not shutil.which("prometheus"):
        pytest.exit("no promtool or prometheus: PATH=$(script/prometheus):$PATH", returncode=2)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    certificate = Certificate(str(tmp_path_factory.mktemp("certificates")), "watched")
    with TlsRedis(certificate, certificate.file) as redis:
        install(redis)
        tls = ["--redis-ca", certificate.file], {"redis": redis.url, "certificate": certificate}
        plain = [], {"redis": redis.plain_url}
        instances = [Mintd("--metrics-listen", "127.0.0.1:0", "--metrics-clients", "10", "--failure-limit", "2",
                           *arguments, name="watched-%d" % i, **more)
                     for i, (arguments, more) in enumerate((tls, plain, plain))]
        try:
            for instance in instances:
                instance.wait_for_store()
                instance.wait_for_log("listening", count=2)
            with Load(instances):
                yield instances
            for instance in instances:
                instance.stop()
        finally:
            for instance in instances:
                instance.kill()
