"""The clients that every test knows (CONFORMANCE 1.0), and how they ask for tokens.

    install_clients(redis)                # HSET and SADD, as an operator would with redis-cli
    SVC_A.basic()                         # ("Authorization", "Basic …"), raw form
    mint(mintd, SVC_A, scope="write")     # the Response of POST /token
    token_of(mintd, SVC_A)                # a live access token
    bearer(token)                         # ("Authorization", "Bearer …")
"""
import base64
import dataclasses
import hashlib

from . import http

G = b"grant_type=client_credentials"


def _sha256(secret):
    return "$sha256$" + hashlib.sha256(secret.encode()).hexdigest()


def scrypt_phc(secret, cost=4):
    def plain(data):
        return base64.b64encode(data).decode().rstrip("=")

    salt = b"e2e-salt-16bytes"
    key = hashlib.scrypt(secret.encode(), salt=salt, n=1 << cost, r=8, p=1, dklen=32)
    return "$scrypt$ln=%d,r=8,p=1$%s$%s" % (cost, plain(salt), plain(key))


@dataclasses.dataclass(frozen=True)
class Client:
    id: str
    secret: str
    fields: tuple = ()  # of the hash mintd:client:<id>, beyond the secret
    store: object = _sha256  # how the secret is kept

    def basic(self, secret=None):
        """The header of RFC 7617 in its raw form (not form-urlencoded)."""
        return basic(self.id, self.secret if secret is None else secret)

    def hash_fields(self):
        return [("secret:1", self.store(self.secret)), *self.fields]


def basic(name, secret):
    text = "%s:%s" % (name, secret)
    return "Authorization", "Basic " + base64.b64encode(text.encode()).decode()


def bearer(token):
    return "Authorization", "Bearer " + token


SVC_A = Client("svc-a", "s3cret-A_1.x~", (("scope", "read write"), ("default_scope", "read")))
SVC_B = Client("svc-b", "p@s+s w%rd:\u00e9", (("scope", "read write"), ("default_scope", "read")), scrypt_phc)
NOGRANT = Client("nogrant", "x3", (("grants", "none"), ("scope", "read")))
RS_1 = Client("rs-1", "rs-secret", (("permissions", "introspect"), ("aud", "https://rs1.example/")))
CODECADEMY = Client("codecademy", "codec@demy", (("scope", "read"),))
CLIENTS = (SVC_A, SVC_B, NOGRANT, RS_1, CODECADEMY)
# What must never be seen in a log ("x3" is too short to look for).
SECRETS = tuple(c.secret for c in CLIENTS if len(c.secret) > 4)

BA = SVC_A.basic()
assert BA[1] == "Basic c3ZjLWE6czNjcmV0LUFfMS54fg=="


def install_client(redis, client, prefix="mintd:"):
    """Makes (or remakes) one client as the Redis layout says."""
    flat = [part for pair in client.hash_fields() for part in pair]
    redis.cli("DEL", prefix + "client:" + client.id)
    redis.cli("HSET", prefix + "client:" + client.id, *flat)
    redis.cli("SADD", prefix + "clients", client.id)


def install_clients(redis, prefix="mintd:"):
    for client in CLIENTS:
        install_client(redis, client, prefix)


def mint(mintd, client=SVC_A, target="/token", **parameters):
    """POST /token with Basic: the Response, whatever it is."""
    pairs = [("grant_type", "client_credentials"), *parameters.items()]
    return mintd.exchange(http.form_request(target, pairs, [client.basic()]))


def token_of(mintd, client=SVC_A, **parameters):
    """A fresh access token; asserts that it was given."""
    response = mint(mintd, client, **parameters)
    assert response.status == 200, response
    return response.json()["access_token"]


def token_key(token, prefix="mintd:"):
    """The Redis key of a token."""
    return prefix + "token:" + hashlib.sha256(token.encode()).hexdigest()[:32]
