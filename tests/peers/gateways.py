"""The gateways, each a real process with the configuration of deploy/examples.

    with Nginx(mintd="127.0.0.1:4001", application="127.0.0.1:8080") as gateway:
        answer = gateway.ask("POST", "/orders", token, body=b"…")   # an Answer
        answer.status, answer.all("WWW-Authenticate")
        answer.told.get("X-Auth-Client-Id")   # what the application was told, None if it was not asked

An example is run as it is but for the three addresses in it and the paths of files; what only a
process needs (a pid file, a log, modules) is put around it here. Nothing of the system's own
configuration is read, and nothing is written outside of a private folder.
"""
import dataclasses
import getpass
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid

from support.clients import G, SVC_A, basic
from support.http import exchange, form_request
from support.mintd import REPOSITORY
from support.process import leashed
from support.redis_server import free_port
from support.timing import scaled

EXAMPLES = os.path.join(REPOSITORY, "deploy", "examples")
GATEWAY_SECRET = "g@te+w%y: 7"  # of the client that a gateway introspects with


def example(name, **replacements):
    """The text of an example; each of the replaced texts has to be in it."""
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
        text = file.read()
    for old, new in replacements.items():
        assert old in text, "%s does not speak of %s" % (name, old)
        text = text.replace(old, new)
    return text


@dataclasses.dataclass
class Told:
    """What reached the application."""
    method: str
    target: str
    fields: list
    body: bytes

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, "%s stands %d times" % (name, len(values))
        return values[0] if values else None


@dataclasses.dataclass
class Answer:
    status: int
    fields: list
    body: bytes
    admitted: bool  # the application was asked

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    @property
    def told(self):
        document = json.loads(self.body)
        return Told(document["method"], document["target"], document["fields"],
                    document["body"].encode("latin-1"))


class Gateway:
    program = None  # its name; looked for in /usr/sbin too
    additions = {}  # to the example: what stands there, and what stands there instead

    def __init__(self, mintd, application):
        """mintd: "host:port". application: an Application."""
        self._mintd = mintd
        self._application = application
        self._directory = tempfile.mkdtemp(prefix="mintd-peers-%s-" % self.program)
        os.chmod(self._directory, 0o755)
        self._log_path = os.path.join(self._directory, "log")
        self._process = None
        try:
            self._start_somewhere()
        except BaseException:
            self.close()
            raise

    # ---- life ----

    def _start_somewhere(self):
        for attempt in range(5):
            self.port = free_port()
            try:
                return self._start()
            except RuntimeError:  # somebody took the port in between
                if attempt == 4:
                    raise

    def _start(self):
        path = shutil.which(self.program, path="/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ["PATH"])
        assert path, "%s is missing: script/packages peers installs it" % self.program
        self.configure()
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self._directory,
                       **self.environment()}
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                leashed(path, *self.arguments()), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._directory, env=environment)
        deadline = time.monotonic() + scaled(30)
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        self._stop()
        raise RuntimeError("%s did not start:\n%s" % (self.program, self.log))

    def _stop(self):
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(scaled(10))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self):
        self._stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self):
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- configuration ----

    def configure(self):
        raise NotImplementedError

    def arguments(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def _addresses(self):
        return {"127.0.0.1:4001": self._mintd, "127.0.0.1:8000": "127.0.0.1:%d" % self.port,
                "127.0.0.1:8080": self._application.address, **self.additions}

    def _path(self, name):
        return os.path.join(self._directory, name)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self._path(name)

    # ---- use ----

    def ask(self, method="GET", target="/orders", token=None, fields=(), body=None, chunked=False):
        """One request on a connection of its own."""
        request_id = uuid.uuid4().hex
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=scaled(30))
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            connection.putheader("X-Test-Id", request_id)
            for name, value in fields:
                connection.putheader(name, value)
            if token is not None:
                connection.putheader("Authorization", "Bearer " + token)
            if body is not None and chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            elif body is not None:
                connection.putheader("Content-Length", str(len(body)))
            try:
                connection.endheaders(body, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the body was out: the answer is there to be read
            response = connection.getresponse()
            answered = response.read()
            return Answer(response.status, response.getheaders(), answered,
                          self._application.saw(request_id))
        finally:
            connection.close()


class Nginx(Gateway):
    program = "nginx"

    def configure(self):
        self._write("site.conf", example("nginx.conf", **self._addresses()))
        user = "user root root;\n" if getpass.getuser() == "root" else ""
        temporary = "".join("    %s_temp_path %s;\n" % (kind, self._path(kind)) for kind in
                            ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
        self._write("nginx.conf", "%sdaemon off;\nmaster_process off;\nworker_processes 1;\n"
                    "pid %s;\nerror_log stderr warn;\nevents {}\nhttp {\n    access_log off;\n%s"
                    "    include %s;\n}\n"
                    % (user, self._path("pid"), temporary, self._path("site.conf")))

    def arguments(self):
        return ["-p", self._directory, "-e", "stderr", "-c", self._path("nginx.conf")]


class HAProxy(Gateway):
    program = "haproxy"

    def configure(self):
        self._write("mintd.lua", example("haproxy-mintd.lua"))
        self._write("haproxy.cfg", example("haproxy.cfg", **self._addresses(),
                                           **{"/etc/haproxy/haproxy-mintd.lua": self._path("mintd.lua")}))

    def arguments(self):
        return ["-db", "-f", self._path("haproxy.cfg")]


# HAProxy in front of several instances: the file, and what stands in place of its addresses.
DOCKER = ("haproxy.cfg", {":4000": "127.0.0.1:%(port)d", "mintd1:4001": "%(one)s", "mintd2:4001": "%(other)s",
                          "  server mintd3 mintd3:4001\n": ""})
MACHINES = ("examples/haproxy-replicas.cfg", {"10.0.0.10:4000": "127.0.0.1:%(port)d", "10.0.0.11:4001": "%(one)s",
                                              "10.0.0.12:4001": "%(other)s",
                                              "log /dev/log": "log stdout format raw"})


class Balancer(Gateway):
    program = "haproxy"

    def __init__(self, configuration, instances):
        """instances: two, each with an address."""
        (self._file, self._replacements), self._instances = configuration, instances
        super().__init__(None, None)

    def configure(self):
        with open(os.path.join(REPOSITORY, "deploy", self._file), encoding="utf-8") as file:
            text = file.read()
        names = ["%s:%d" % instance.address for instance in self._instances]
        directives, comments = [], []
        for line in text.splitlines(keepends=True):
            (comments if line.startswith("#") else directives).append(line)
        text = "".join(directives)
        for old, new in self._replacements.items():
            assert old in text, "%s does not speak of %s" % (self._file, old)
            text = text.replace(old, new % {"port": self.port, "one": names[0], "other": names[1]}, 1)
        self._write("haproxy.cfg", text)

    def arguments(self):
        return ["-db", "-f", self._path("haproxy.cfg")]

    def mint(self, secret=SVC_A.secret, source="127.0.0.1", fields=()):
        raw = form_request("/token", G, [basic(SVC_A.id, secret), *fields])
        return exchange(("127.0.0.1", self.port), raw, source=source)

    def status_of(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=scaled(30))
        try:
            connection.request("GET", target)
            return connection.getresponse().status
        finally:
            connection.close()


class Caddy(Gateway):
    program = "caddy"

    def configure(self):
        self._write("Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n"
                    + example("Caddyfile", **self._addresses()))

    def arguments(self):
        return ["run", "--adapter", "caddyfile", "--config", self._path("Caddyfile")]

    def environment(self):
        return {"XDG_DATA_HOME": self._directory, "XDG_CONFIG_HOME": self._directory}


class Apache(Gateway):
    program = "apache2"
    modules = "mpm_event authn_core authz_core headers proxy proxy_http setenvif ssl auth_openidc".split()

    def configure(self):
        certificate, key = self._path("cert.pem"), self._path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=mintd", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        self._write("site.conf", example("apache.conf", **self._addresses(), **{
            "127.0.0.1:4443": "127.0.0.1:%d" % free_port(), "/etc/apache2/mintd-cert.pem": certificate,
            "/etc/apache2/mintd-key.pem": key}))
        user = "User www-data\nGroup www-data\n" if getpass.getuser() == "root" else ""
        load = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (name, name)
                       for name in self.modules)
        self._write("apache2.conf", "ServerRoot %s\nDefaultRuntimeDir %s\nPidFile %s\n%s%s"
                    "ServerName localhost\nErrorLog %s\nLogLevel warn\nInclude %s\n"
                    % (self._directory, self._directory, self._path("pid"), load, user,
                       self._log_path, self._path("site.conf")))

    def arguments(self):
        return ["-X", "-f", self._path("apache2.conf")]  # -X: one process

    def environment(self):
        return {"MINTD_GATEWAY_SECRET": GATEWAY_SECRET}


GATEWAYS = (Nginx, HAProxy, Caddy, Apache)
