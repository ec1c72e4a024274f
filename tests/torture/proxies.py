"""Proxies in front of mintd, that read HTTP in their own way."""
import collections
import inspect
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time

from goal import LONG_OF_CI, AtLeast, AtMost, Goal, NotHere, least
from stage import TESTS, Stage, scaled
from support.clients import Client, bearer, token_of
from support.http import request_bytes
from support.oauth import make_client
from support.wire import Wire

sys.path.append(os.path.join(TESTS, "peers"))
import gateways  # noqa: E402
import test_http_messages as messages  # noqa: E402


def started(gateway):
    """NotHere where its program is not installed."""
    try:
        return gateway()
    except AssertionError as missing:
        raise NotHere(str(missing)) from missing


OWN = "neighbour"


# What the rows of test_http_messages.py send, by what their parameter is called.
SENT = {
    "raw": lambda value: value,
    "version": lambda value: b"GET /healthz " + value + b"\r\n" + messages.HOST + b"\r\n",
    "lead": lambda value: value + messages.HEALTH,
    "host": lambda value: request_bytes("GET", "/healthz", host=value),
    "line": messages.get,
    "value": lambda value: messages.with_lengths(value) + messages.G,
    "values": lambda value: messages.with_lengths(*value) + b"hello",
    "data, statuses": messages.chunked_request,
    "fields": lambda value: smuggled(*value, body=messages.SECRET_BEHIND),
    "codings": lambda value: smuggled(*((b"Transfer-Encoding", coding) for coding in value), body=messages.BODY),
}


def smuggled(*fields, body):
    return request_bytes("POST", "/token", [messages.BA, messages.FORM, *fields], body)


def vectors():
    """(name, bytes): each row of HTTP's grammar that the end-to-end tests have, and what desync is made of."""
    found = []
    for _, function in inspect.getmembers(messages, inspect.isfunction):
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == "parametrize" and mark.args[0] in SENT:
                found += [(row.id, SENT[mark.args[0]](row.values[0])) for row in mark.args[1]]
    hidden = b"GET /secret HTTP/1.1\r\nHost: h\r\nX: "
    chunked = ("Transfer-Encoding", "chunked")
    ended = b"0\r\n\r\n" + hidden
    length = ("Content-Length", str(len(ended)))
    found += [
        ("CL.TE", smuggled(length, chunked, body=ended)),
        ("TE.CL", smuggled(chunked, ("Content-Length", "4"), body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden))),
        ("TE.TE space", smuggled(length, (b"Transfer-Encoding ", b"chunked"), body=ended)),
        ("TE.TE tab", smuggled(length, (b"Transfer-Encoding", b"\tchunked"), body=ended)),
        ("TE.TE other", smuggled(length, chunked, ("Transfer-encoding", "x"), body=ended)),
        ("TE folded", smuggled(length, (b"X", b"a\r\n Transfer-Encoding: chunked"), body=ended)),
        ("CL.CL", smuggled(("Content-Length", "0"), length, body=ended)),
        ("CL.0", request_bytes("GET", "/healthz", [length], ended)),
        ("0.CL", request_bytes("GET", "/healthz", [("Content-Length", "0")], hidden + b"\r\n\r\n")),
        ("upgrade", request_bytes("GET", "/healthz", [("Connection", "Upgrade"), ("Upgrade", "h2c")], hidden)),
        ("expect", smuggled(("Expect", "100-continue"), length, body=ended)),
    ]
    return found


class Plain:
    """A proxy as simple as its manual has it, with kept connections to mintd."""

    def _addresses(self):
        return {"port": self.port, "mintd": self._mintd}


class NginxBefore(Plain, gateways.Nginx):
    def configure(self):
        super_path = self._path("site.conf")
        self._write("site.conf", "upstream mintd { server %(mintd)s; keepalive 1; }\nserver { listen 127.0.0.1:%(port)d;\n"
                    "location / { proxy_pass http://mintd; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n"
                    % self._addresses())
        user = "user root root;\n" if os.geteuid() == 0 else ""
        temporary = "".join("%s_temp_path %s;\n" % (kind, self._path(kind)) for kind in
                            ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
        self._write("nginx.conf", "%sdaemon off;\nmaster_process off;\npid %s;\nerror_log stderr warn;\nevents {}\nhttp {\n"
                    "access_log off;\n%sinclude %s;\n}\n" % (user, self._path("pid"), temporary, super_path))


class HAProxyBefore(Plain, gateways.HAProxy):
    def configure(self):
        self._write("haproxy.cfg", "defaults\n mode http\n timeout connect 1s\n timeout client 10s\n timeout server 10s\n"
                    "frontend f\n bind 127.0.0.1:%(port)d\n default_backend b\nbackend b\n http-reuse always\n"
                    " server m %(mintd)s\n" % self._addresses())


class CaddyBefore(Plain, gateways.Caddy):
    def configure(self):
        self._write("Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\nhttp://:%(port)d {\n\tbind 127.0.0.1\n\treverse_proxy %(mintd)s\n}\n"
                    % self._addresses())


class ApacheBefore(Plain, gateways.Apache):
    def configure(self):
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        load = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (name, name)
                       for name in ("mpm_event", "authz_core", "proxy", "proxy_http"))
        self._write("apache2.conf", "ServerRoot %s\nDefaultRuntimeDir %s\nPidFile %s\n%s%sServerName localhost\nErrorLog %s\n"
                    "LogLevel warn\nListen 127.0.0.1:%d\nProxyPass / http://%s/\n"
                    % (self._directory, self._directory, self._path("pid"), load, user, self._log_path, self.port, self._mintd))


class NodeBefore(Plain, gateways.Gateway):
    program = "node"

    def configure(self):
        with open(os.path.join(TESTS, "torture", "proxy.js"), encoding="utf-8") as file:
            self._write("proxy.js", file.read())

    def arguments(self):
        return [self._path("proxy.js"), str(self.port), self._mintd]


PROXIES = (NginxBefore, HAProxyBefore, CaddyBefore, ApacheBefore, NodeBefore)
QUIET_S, LATE_S = 0.2, 5  # nothing more comes: behind an answer, and at all
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")


def read_on(wire, patience):
    """Until the end, or nothing more has come for so long."""
    got = b""
    wire.settimeout(scaled(patience))
    try:
        while data := wire.recv(65536):
            got += data
    except TimeoutError:
        pass
    return got


def answers_to(address, raw):
    """How many final answers come on a connection of its own; one of HTTP/0.9 is a body alone."""
    got = b""
    with socket.create_connection(address, scaled(10)) as wire:
        try:
            wire.sendall(raw)
            got = read_on(wire, QUIET_S)
            if not got:  # there is no more of it, so that it has to be answered or dropped
                wire.shutdown(socket.SHUT_WR)
                got = read_on(wire, LATE_S)
        except OSError:
            pass  # reset
    return len(_STATUS.findall(got)) or bool(got)


class Behind:
    """One proxy, its mintd, and a neighbour who shares them with whatever is sent."""

    def __init__(self, kind, stage, folder):
        self.kind, self._stage = kind, stage
        self._log = os.path.join(folder, kind.__name__ + ".log")
        self._mintd = stage.quiet_mintd("--access-log", "--workers", "1", log=self._log)
        self._token = token_of(self._mintd, Client(OWN, "secret-of-" + OWN))
        self._proxy = started(lambda: kind("127.0.0.1:%d" % self._mintd.address[1], None))
        self._address, self._kept, self._turn, self._read = ("127.0.0.1", self._proxy.port), None, 0, 0
        self.counts = collections.Counter()
        self._is_served()
        self._requests_seen()  # those of the start

    def _ask(self, wire):
        self._turn += 1
        raw = request_bytes("GET", "/secret", [bearer(self._token), ("X-Request-Id", "turn-%d" % self._turn)])
        status, body = wire.ask(raw)
        return status == 200 and b'"%s"' % OWN.encode() in body

    def _is_served(self):
        """On a kept connection, which a proxy may have ended meanwhile, and on a new one."""
        try:
            kept = self._kept is None or self._ask(self._kept)
        except (OSError, ValueError):
            kept = True
        with Wire(self._address) as wire:
            fresh = self._ask(wire)
        if self._kept is None or not kept:
            self._kept = Wire(self._address)
        return kept and fresh

    def _requests_seen(self):
        """By mintd since the last time, without the neighbour's; the log is in order up to his last one."""
        last = '"request_id":"turn-%d"' % self._turn
        lines = []
        with open(self._log, encoding="utf-8") as file:
            file.seek(self._read)
            limit = time.monotonic() + scaled(10)
            while not any(last in line for line in lines):
                assert time.monotonic() < limit, "the log does not tell of the neighbour"
                line = file.readline()
                if line.endswith("\n"):
                    lines.append(line)
                elif line:
                    file.seek(file.tell() - len(line.encode()))
                else:
                    time.sleep(0.001)
            self._read = file.tell()
        requests = [json.loads(line) for line in lines if '"message":"request"' in line]
        return sum(not request.get("request_id", "").startswith("turn-") for request in requests)

    def send(self, name, raw, say):
        answers = answers_to(self._address, raw)
        served = self._is_served()
        seen = self._requests_seen()
        self.counts["sent"] += 1
        self.counts["that mintd saw"] += seen > 0
        self.counts["neighbours that were disturbed"] += not served
        self.counts["requests without an answer of their own"] += max(0, seen - answers)
        if seen > answers or not served:
            say("%s, %s: mintd saw %d, answered %d, the neighbour %s" % (
                self.kind.program, name, seen, answers, "is well" if served else "is not"))

    def end(self):
        if self._kept:
            self._kept.close()
        self._proxy.close()


def compared(run):
    all_vectors = vectors()
    chosen = run.size(run.random.sample(all_vectors, 40), all_vectors)
    counts, here = collections.Counter(), []
    with Stage() as stage, tempfile.TemporaryDirectory(prefix="torture.") as folder:
        make_client(stage.redis, OWN, "secret-of-" + OWN, scope="read")
        for kind in PROXIES:
            try:
                here.append(Behind(kind, stage, folder))
            except NotHere as why:
                run.say(str(why))
        if not here:
            raise NotHere("no proxy is installed: script/packages peers")

        def send_all(behind):
            for name, raw in chosen:
                behind.send(name, raw, run.say)

        threads = [threading.Thread(target=send_all, args=(behind,)) for behind in here]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for behind in here:
            counts += behind.counts
            run.say("%s: %s" % (behind.kind.program, dict(behind.counts)))
            behind.end()
    return {"proxies": len(here), "messages": counts["sent"], "of them reached mintd": counts["that mintd saw"],
            "requests without an answer of their own": counts["requests without an answer of their own"],
            "neighbours that were disturbed": counts["neighbours that were disturbed"],
            "messages not sent": len(here) * len(chosen) - counts["sent"]}


GOALS = [
    Goal("G-24", "no proxy in front sees another request than mintd", "the rows of HTTP's grammar of the end-to-end tests and "
         "what desync is made of, 40 by chance (full: all), through nginx, HAProxy, Caddy, Apache and Node: mintd sees no request "
         "whose answer the sender does not get, and a neighbour on the same connections gets his own answers",
         {"proxies": AtLeast(5), "messages": least(200, 700), "of them reached mintd": AtLeast(20),
          "requests without an answer of their own": AtMost(0), "neighbours that were disturbed": AtMost(0),
          "messages not sent": AtMost(0)}, compared, ci=LONG_OF_CI),
]
