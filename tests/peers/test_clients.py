"""Real OAuth clients, unmodified: what each gets from mintd, and how each understands its refusals."""
import json

import pytest

from clients import CLIENTS, Authlib, Failure, McpSdk, NodeClient, Oauth4webapi
from conftest import AWKWARD, BRIEF, DISABLED, GATEWAY, LAPSED, start_mintd
from support.clients import RS_1, SVC_A, SVC_B, bearer, token_key, token_of
from support.mintd import Mintd
from support.oauth import check_token_form, wait_until
from support.redis_server import RedisServer


def name_of(client):
    return type(client).__name__


def each(verb):
    return pytest.mark.parametrize("client", [c for c in CLIENTS if verb in c.verbs], ids=name_of)


def each_method(verb):
    pairs = [(c, method) for c in CLIENTS if verb in c.verbs for method in c.methods]
    return pytest.mark.parametrize("client, method", pairs,
                                   ids=["%s-%s" % (name_of(c), method) for c, method in pairs])


def secret_of(mint_client):
    return mint_client.id, mint_client.secret


def scopes_of(answer):
    """oauthlib makes a list of them."""
    granted = answer["scope"]
    return sorted(granted.split() if isinstance(granted, str) else granted)


# ---- what MCP asks of an authorization server ----


@pytest.mark.parametrize("who", [SVC_A, AWKWARD], ids=["item-24-MCP-plain secret", "item-24-MCP-awkward secret"])
def test_mcp_from_the_resource_to_a_token_for_it(who, mintd, redis):
    """auth() knows the URL of the resource and the issuer it expects; the token works on another replica."""
    token = McpSdk().mint(mintd.url, *secret_of(who))["access_token"]
    assert json.loads(redis.cli("GET", token_key(token)))["aud"] == mintd.url + "/secret"
    with Mintd("--issuer", mintd.url, redis=redis) as other:
        other.wait_for_store()
        assert other.request("GET", "/secret", [bearer(token)]).status == 200


# ---- minting ----

@each_method("mint")
@pytest.mark.parametrize("who", [SVC_A, AWKWARD, SVC_B], ids=["plain secret", "awkward secret", "UTF-8 secret"])
def test_mint(client, method, who, mintd):
    if not client.takes(who.secret, method):
        # The library sends other bytes, or nothing: its own error, and no token.
        with pytest.raises(Failure) as failure:
            client.mint(mintd.url, *secret_of(who), method)
        assert isinstance(client, NodeClient) or failure.value.error == "invalid_client"
        return
    answer = client.mint(mintd.url, *secret_of(who), method)
    check_token_form(answer["access_token"])
    assert answer["token_type"].lower() == "bearer" and answer["expires_in"] == 3600
    assert scopes_of(answer) == ["read"]


@pytest.mark.parametrize("client, endpoint", [(c, endpoint) for c in CLIENTS for endpoint in c.endpoints],
                         ids=lambda value: value if isinstance(value, str) else name_of(value))
def test_both_token_endpoints(client, endpoint, mintd):
    """The tutorial's members of /auth are unknown to a library, and harm none."""
    answer = client.mint(mintd.url, *secret_of(SVC_A), endpoint=endpoint)
    check_token_form(answer["access_token"])
    assert ("accessToken" in answer) == (endpoint == "/auth")


@each("mint")
@pytest.mark.parametrize("scope", ["write", "read write"])
def test_a_scope(client, scope, mintd):
    answer = client.mint(mintd.url, *secret_of(SVC_A), scope=scope)
    assert scopes_of(answer) == sorted(scope.split())


@each("mint")
def test_a_scope_it_may_not_have(client, mintd):
    with pytest.raises(Failure) as failure:
        client.mint(mintd.url, *secret_of(SVC_A), scope="admin")
    assert (failure.value.name, failure.value.error) == (client.not_allowed, "invalid_scope")


def check_invalid_client(client, failure):
    assert (failure.name, failure.error) == (client.refused, "invalid_client"), failure
    assert failure.status in (401, None)
    if failure.name == "WWWAuthenticateChallengeError":
        assert failure.challenge == {"scheme": "basic", "parameters": {"realm": "mintd", "charset": "UTF-8"}}


@each_method("mint")
def test_a_wrong_secret(client, method, mintd):
    with pytest.raises(Failure) as failure:
        client.mint(mintd.url, SVC_A.id, "wr@ng s+cret%", method)
    check_invalid_client(client, failure.value)


@each("mint")
def test_an_unknown_client(client, mintd):
    with pytest.raises(Failure) as failure:
        client.mint(mintd.url, "nobody", "x")
    check_invalid_client(client, failure.value)


@each_method("mint")
@pytest.mark.parametrize("who", [LAPSED, DISABLED], ids=["expired", "disabled"])
def test_a_client_whose_time_is_over(client, method, who, mintd):
    """The right secret, which has ended, or whose client is disabled."""
    with pytest.raises(Failure) as failure:
        client.mint(mintd.url, *secret_of(who), method)
    check_invalid_client(client, failure.value)


# ---- introspection, revocation, use ----


def status_of(mintd, token):
    return mintd.request("GET", "/secret", [bearer(token)]).status


def wait_expired(mintd, token):
    wait_until(lambda: status_of(mintd, token) == 401, 4, "the token has expired")


def expired_token(mintd, _redis):
    token = token_of(mintd, BRIEF)
    wait_expired(mintd, token)
    return token


def revoked_token(mintd, redis):
    token = token_of(mintd, SVC_A)
    redis.cli("DEL", token_key(token))
    wait_until(lambda: status_of(mintd, token) == 401, 1, "the token is revoked")
    return token


dead_tokens = pytest.mark.parametrize("make", [expired_token, revoked_token], ids=["expired", "revoked"])


@each("mint")
def test_a_token_that_it_got_expires(client, mintd):
    answer = client.mint(mintd.url, *secret_of(BRIEF))
    assert answer["expires_in"] == 1
    wait_expired(mintd, answer["access_token"])


@each("introspect")
@dead_tokens
def test_introspect_a_dead_token(client, make, mintd, redis):
    token = make(mintd, redis)
    for who in (SVC_A, BRIEF, GATEWAY):
        assert client.introspect(mintd.url, *secret_of(who), token) == {"active": False}



@each_method("introspect")
def test_introspect(client, method, mintd):
    token = token_of(mintd, SVC_A)
    for who in (SVC_A, RS_1, GATEWAY):
        answer = client.introspect(mintd.url, *secret_of(who), token, method)
        assert answer["active"] is True and answer["client_id"] == answer["sub"] == "svc-a"
        assert answer["scope"] == "read" and answer["iss"] == mintd.url
        assert answer["exp"] - answer["iat"] == 3600
    assert client.introspect(mintd.url, *secret_of(AWKWARD), token, method) == {"active": False}
    assert client.introspect(mintd.url, *secret_of(GATEWAY), "nope", method) == {"active": False}


@each("introspect")
def test_introspect_with_a_wrong_secret(client, mintd):
    with pytest.raises(Failure) as failure:
        client.introspect(mintd.url, GATEWAY.id, "wrong", token_of(mintd))
    assert failure.value.error == "invalid_client" and failure.value.status == 401


@each_method("revoke")
def test_revoke(client, method, mintd):
    token = token_of(mintd, AWKWARD)
    client.revoke(mintd.url, *secret_of(AWKWARD), token, method)
    assert mintd.request("GET", "/secret", [("Authorization", "Bearer " + token)]).status == 401
    client.revoke(mintd.url, *secret_of(AWKWARD), token, method)  # again: it is gone, and that is success


@each("revoke")
def test_revoke_a_token_of_another(client, mintd):
    token = token_of(mintd, SVC_A)
    with pytest.raises(Failure) as failure:
        client.revoke(mintd.url, *secret_of(AWKWARD), token)
    assert failure.value.error == "invalid_grant" and failure.value.status == 400
    assert mintd.request("GET", "/secret", [("Authorization", "Bearer " + token)]).status == 200


@each("use")
def test_use(client, mintd):
    answer = client.use(mintd.url, client.mint(mintd.url, *secret_of(AWKWARD))["access_token"])
    assert answer["client"] == {"id": "awkward"} and answer["scope"] == "read"


@each("use")
def test_use_a_bad_token(client, mintd):
    with pytest.raises(Failure) as failure:
        client.use(mintd.url, "nope")
    assert failure.value.status == 401
    if failure.value.challenge:
        assert failure.value.challenge["scheme"] == "bearer"
        assert failure.value.challenge["parameters"] == {
            "realm": "mintd", "error": "invalid_token",
            "resource_metadata": mintd.url + "/.well-known/oauth-protected-resource/secret"}


@each("use")
@dead_tokens
def test_use_a_dead_token(client, make, mintd, redis):
    with pytest.raises(Failure) as failure:
        client.use(mintd.url, make(mintd, redis))
    assert failure.value.status == 401
    if failure.value.challenge:
        assert failure.value.challenge["parameters"]["error"] == "invalid_token"


@each("use")
def test_use_without_the_scope(client, mintd):
    """Where a scope is asked for: /verify, as a resource server would refuse."""
    token = client.mint(mintd.url, *secret_of(SVC_A), scope="read")["access_token"]
    with pytest.raises(Failure) as failure:
        client.use(mintd.url, token, "/verify?scope=write")
    assert failure.value.status == 403
    if failure.value.challenge:
        assert failure.value.challenge["parameters"]["error"] == "insufficient_scope"
        assert failure.value.challenge["parameters"]["scope"] == "write"


# ---- discovery ----

@each("discover")
def test_discover(client, mintd):
    metadata = client.discover(mintd.url)
    assert metadata["issuer"] == mintd.url and metadata["token_endpoint"] == mintd.url + "/token"


def test_discover_the_resource(mintd):
    metadata = Oauth4webapi().discover_resource(mintd.url)
    assert metadata["resource"] == mintd.url + "/secret"
    assert metadata["authorization_servers"] == [mintd.url]


def test_authlib_checks_the_metadata(mintd):
    """All but response_types_supported, of which it takes an empty array for none."""
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
    metadata = AuthorizationServerMetadata(mintd.request(
        "GET", "/.well-known/oauth-authorization-server").json())
    for key in AuthorizationServerMetadata.REGISTRY_KEYS:
        if key != "response_types_supported":
            getattr(metadata, "validate_" + key)()
    session = Authlib()._session(*secret_of(SVC_A))
    assert session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")


# ---- what is away ----

@pytest.fixture(scope="module")
def storeless(redis):
    """A mintd whose Redis is gone."""
    with RedisServer() as server:
        with start_mintd(server) as instance:
            server.kill()
            yield instance


@each("mint")
def test_the_store_is_away(client, storeless):
    with pytest.raises(Failure) as failure:
        client.mint(storeless.url, *secret_of(SVC_A))
    assert failure.value.name == client.unavailable
    assert failure.value.error in ("temporarily_unavailable", None) and failure.value.status in (503, None)
    assert "access_token" not in json.dumps(str(failure.value))
