"""Asking about tokens: /verify, /introspect and /revoke, and what their answers have to be.

    verify(b, bearer(token), target="/verify?scope=write")
    check_identity(response, "svc-a", scope="read")      # 200 and the four headers
    check_turned_away(response, 403, "insufficient_scope")
    introspect(b, token)                                 # by rs-1, which may see them all
    check_active(response), check_inactive(response)
    revoke(b, token), check_revoked(response)
    dead(instance, token)                                # nowhere good: /secret, /verify, /introspect

Fixtures
    between      (maker, user): one instance, then two
    two          two instances of their own on own_redis: for tests that stop it
"""
import re

import pytest

from .clients import BA, G, RS_1, basic, bearer
from .http import form_request
from .oauth import (check_bearer, check_fresh, check_json, check_silent, jti, minted,
                    parse_challenge, use, wait_until)

IDENTITY = ("X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Audience", "X-Auth-Expires-At")
RS1, RS2 = "https://rs1.example/", "https://rs2.example/api"
ALWAYS = {"active", "client_id", "sub", "token_type", "iat", "exp", "jti", "iss"}


@pytest.fixture(params=["one", "two"])
def between(request, pair):
    return (pair.a, pair.a) if request.param == "one" else (pair.a, pair.b)


@pytest.fixture
def two(start_mintd, own_redis):
    instances = [start_mintd(redis=own_redis) for _ in range(2)]
    for instance in instances:
        instance.wait_for_store()
    return instances


def mint_for(instance, name, body=G, secret="s-3cret"):
    return minted(instance, "/token", body, basic(name, secret))[0]


# ---- requests ----


def verify(instance, *fields, target="/verify", method="GET", body=None, **more):
    return instance.request(method, target, fields, body, **more)


def introspect(instance, token, *fields, caller=RS_1.basic(), more=()):
    pairs = [("token", token), *more]
    return instance.exchange(form_request("/introspect", pairs, [caller, *fields]))


def revoke(instance, token, *fields, caller=BA, more=()):
    pairs = [("token", token), *more]
    return instance.exchange(form_request("/revoke", pairs, [caller, *fields]))


# ---- /verify ----


def check_identity(response, client="svc-a", scope="read", audience=""):
    """200 of /verify: nothing but status and headers. Returns the expiry."""
    assert response.status == 200 and response.body == b"", response
    assert response.get("Content-Length") == "0" and response.get("Content-Type") is None, response
    assert response.all("Cache-Control") == ["no-store"], response
    assert response.get("WWW-Authenticate") is None, response
    names = [name for name, _ in response.fields if name.lower().startswith("x-auth-")]
    assert sorted(n.lower() for n in names) == sorted(n.lower() for n in IDENTITY), response
    assert response.get("X-Auth-Client-Id") == client, response
    for header, wanted in (("X-Auth-Scope", scope), ("X-Auth-Audience", audience)):
        got = response.get(header)
        assert sorted(got.split(" ")) == sorted(wanted.split() or ["-"]), response
    assert re.fullmatch(r"[1-9][0-9]*", response.get("X-Auth-Expires-At")), response
    return int(response.get("X-Auth-Expires-At"))


def check_turned_away(response, status, error=None, **parameters):
    """401 or 403 of /verify: WR or WR(error), no identity, no pointer to /secret's metadata."""
    assert response.status == status and status in (401, 403), response
    scheme, named = parse_challenge(response.get("WWW-Authenticate"))
    assert scheme == "Bearer" and named["realm"] == "mintd", response
    assert named.get("error") == error and "resource_metadata" not in named, response
    assert ("error_description" in named) <= ("error" in named), response
    assert parameters.items() <= named.items(), response
    assert response.all("Cache-Control") == ["no-store"], response
    assert not [n for n, _ in response.fields if n.lower().startswith("x-auth-")], response
    check_silent(response)
    if response.body:
        assert check_json(response).get("error") == error, response


# ---- /introspect ----


def check_active(response, token, client="svc-a", scope="read", audience="",
                 issuer="https://mintd.example"):
    assert response.status == 200, response
    check_fresh(response)
    document = check_json(response)
    wanted = ALWAYS | ({"scope"} if scope else set()) | ({"aud"} if audience else set())
    assert set(document) == wanted, document
    assert document["active"] is True and document["token_type"] == "Bearer", document
    assert document["client_id"] == document["sub"] == client, document
    assert document["iss"] == issuer and document["jti"] == jti(token), document
    assert type(document["iat"]) is int and type(document["exp"]) is int, document
    assert sorted(document.get("scope", "").split()) == sorted(scope.split()), document
    got = document.get("aud", [])
    assert sorted([got] if isinstance(got, str) else got) == sorted(audience.split()), document
    check_silent(response)
    return document


def check_inactive(response):
    assert response.status == 200 and response.body == b'{"active":false}', response
    check_fresh(response)
    check_json(response)


# ---- /revoke ----


def check_revoked(response):
    assert response.status == 200 and response.body == b"{}", response
    check_fresh(response)
    check_json(response)


# ---- everywhere ----


def dead(instance, token):
    """Refused by all that look at a token, now and from now on."""
    check_bearer(use(instance, token), 401, "invalid_token")
    check_turned_away(verify(instance, bearer(token)), 401, "invalid_token")
    check_inactive(introspect(instance, token))


def alive(instance, token, client="svc-a", scope="read", audience=""):
    assert use(instance, token).status == 200
    check_identity(verify(instance, bearer(token)), client, scope, audience)
    assert introspect(instance, token).json()["active"] is True


def dead_soon(instances, token, within=0.1):
    """What was written to Redis by hand reaches each instance's memory within moments."""
    for instance in instances:
        wait_until(lambda: use(instance, token).status != 200, within, "the token is refused")
        dead(instance, token)


def dead_everywhere(revoker, instances, token):
    """At once where it was revoked, within moments on every other instance."""
    dead(revoker, token)
    dead_soon([instance for instance in instances if instance is not revoker], token)


def same_answer(one, other):
    """Byte for byte, but for Date and the request's id."""
    def rest(response):
        fields = [(n, v) for n, v in response.fields if n.lower() not in ("date", "x-request-id")]
        return response.status, response.reason, fields, response.body

    assert rest(one) == rest(other)
    assert len(one.get("Date")) == len(other.get("Date"))
    assert len(one.get("X-Request-Id")) == len(other.get("X-Request-Id"))


