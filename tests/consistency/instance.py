"""mintd with its log in a file: reading it line by line would cost the checker the time it measures with."""
import datetime
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.request

from support.mintd import TOKEN, command_line, environment
from support.process import leashed
from support.redis_server import free_port

_IS_TROUBLE = re.compile(r'^\{"time":"[^"]*Z","level":(?!"info")|^\{"time":"[^"]*Z".*"error":"temporarily_unavailable"')
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Instance:
    def __init__(self, *arguments, port=None):
        self.port = port or free_port()
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            leashed(*command_line("--listen", "127.0.0.1:%d" % self.port, "--log-format", "json",
                                  *arguments)),
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log)
        self.pid = self._process.pid

    def has_links(self, count, waits=False, nodes=0):
        """Whether so many workers are connected with Redis; with so many nodes each. waits: twice with
        each, for what waits for replicas."""
        if self._process.poll() is not None:
            raise RuntimeError("mintd ended:\n" + self.log())
        try:
            durable = count * max(1, nodes) if waits else 0
            return (self.metric("mintd_store_links_up") == count
                    and self.metric("mintd_store_durable_links_up") == durable
                    and self.metric("mintd_store_nodes_up") == count * nodes)
        except (OSError, urllib.error.URLError):
            return False

    def metric(self, name):
        """Of /metrics, without labels."""
        with _OPENER.open("http://127.0.0.1:%d/metrics" % self.port, timeout=5) as answer:
            return int(re.search(rb"^%s (\d+)$" % name.encode(), answer.read(), re.M)[1])

    def troubles(self):
        """[(seconds since the epoch, line)] of its log: what it warned of, and what it answered for want of Redis."""
        lines = (line for line in ([] if self._log.closed else self.log().splitlines()) if _IS_TROUBLE.search(line))
        return [(datetime.datetime.fromisoformat(line[9:33].replace("Z", "+00:00")).timestamp(), line) for line in lines]

    def log(self):
        return os.pread(self._log.fileno(), 1 << 28, 0).decode("utf-8", "replace")

    def stop(self):
        """SIGTERM, and an end in order; what was not in order, or nothing."""
        self._process.terminate()
        status = self._process.wait(15)
        log = self.log()
        foreign = [line for line in log.splitlines() if not re.fullmatch(r"\{.*\}", line)]
        if status != 0 or foreign or TOKEN.search(log):
            return "mintd ended with status %d; the end of its log:\n%s" % (status, log[-3000:])
        return None

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()
