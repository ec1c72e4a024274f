"""What a dump of the process holds of what it was told."""
import base64
import collections
import re
import tempfile
import time

from existing import rows
from goal import AtLeast, AtMost, ByForm, Goal, NotHere
from stage import Stage
from support.clients import Client, G, basic, bearer, install_client, scrypt_phc
from support.http import form_request, request_bytes
from support.oauth import sha256_phc
from support.tls import Certificate
from support.wire import Wire

CLIENTS = 50
AFTER_S = 1.0
CONTROL = b"dump-control-name"  # of the instance: it is there


class SecureWire(Wire):
    def __init__(self, address, context):
        super().__init__(address)
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")


def says(wire, client, words):
    """All that a client can say on one connection; the words that nobody else may find later."""
    name, secret = client.id, client.secret
    fields = [basic(name, secret)]
    form = G + b"&client_id=%s&client_secret=%s" % (name.encode(), secret.encode())
    assert wire.ask(form_request("/token", G, [basic(name, secret + "-wrong")]))[0] == 401
    for raw in (form_request("/token", G, fields), form_request("/token", form)):
        status, body = wire.ask(raw)
        assert status == 200, body
        words["tokens"].append(re.search(rb'"access_token":"([^"]+)"', body)[1])
        token = words["tokens"][-1].decode()
        assert wire.ask(request_bytes("GET", "/secret", [bearer(token)]))[0] == 200
        assert wire.ask(form_request("/introspect", b"token=" + token.encode(), fields))[0] == 200
    # What came last is what nobody has written over.
    assert wire.ask(form_request("/revoke", b"token=" + token.encode(), fields))[0] == 200
    words["secrets"] += [secret.encode(), base64.b64encode(("%s:%s" % (name, secret)).encode())]


def regions_of(pid):
    """Of its memory, each that can be written to."""
    try:
        with open("/proc/%d/maps" % pid, encoding="ascii") as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
            for line in maps:
                first, last, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
                if rights.startswith("rw"):
                    memory.seek(int(first, 16))
                    yield memory.read(int(last, 16) - int(first, 16))
    except PermissionError as why:
        raise NotHere("only root can look into mintd: %s" % why) from why


def held(pid, words):
    """Those of the words that are in its memory."""
    left = set(words)
    for region in regions_of(pid):
        left -= {word for word in left if word in region}
    return [word for word in words if word not in left]


def listened(stage, connect, certificate=None):
    """(words, those that a dump has) of an instance whose connections stay open."""
    words, wires = collections.defaultdict(list), []
    mintd = stage.mintd(workers=2, name=CONTROL.decode(), certificate=certificate)
    try:
        for number in range(CLIENTS):
            client = Client("dump-%d" % number, "dump-canary-%d-secret" % number, (("scope", "read"),),
                            scrypt_phc if number % 5 == 0 else sha256_phc)
            install_client(stage.redis, client)
            wires.append(connect(mintd.address))
            says(wires[-1], client, words)
        time.sleep(AFTER_S)
        return words, {kind: held(mintd.pid, some) for kind, some in {**words, "control": [CONTROL]}.items()}
    finally:
        for wire in wires:
            wire.close()


def dumped(run):
    seen = collections.Counter()
    with Stage() as stage, tempfile.TemporaryDirectory(prefix="torture.") as folder:
        certificate = Certificate(folder, "localhost")
        context = certificate.trusting()
        for name, connect, used in (("plain", Wire, None),
                                    ("TLS", lambda address: SecureWire(address, context), certificate)):
            words, hits = listened(stage, connect, used)
            for kind, some in hits.items():
                seen[kind] += len(some)
            seen["looked for"] += sum(map(len, words.values()))
            for word in hits["secrets"] + hits["tokens"]:
                run.say("%s: %s" % (name, word.decode()))
    return {"words looked for": seen["looked for"], "secrets in memory": seen["secrets"],
            "tokens in memory": seen["tokens"], "of 2 controls found": seen["control"]}


def leaks(run):
    """The rows are a step of .ci/run of their own."""
    return {**(rows("G-18")(run) if run.full else {}), **dumped(run)}


GOALS = [
    Goal("G-18", "nothing leaks", "all memory of mintd is read, %g s after 50 clients have used secrets and tokens on connections "
         "that stay open, in clear and over TLS (full: and the rows `G-18` of tests/e2e)" % AFTER_S,
         {"rows": ByForm(None, AtLeast(10)), "failed": ByForm(None, AtMost(0)), "skipped": ByForm(None, AtMost(0)),
          "words looked for": AtLeast(8 * CLIENTS),
          "secrets in memory": AtMost(0), "tokens in memory": AtMost(0), "of 2 controls found": AtLeast(2)}, leaks),
]
