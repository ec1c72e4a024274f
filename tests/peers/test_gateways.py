"""Real gateways with the configurations of deploy/examples: who gets through to the application, and
what it is told. Each test runs for each gateway."""
import base64
import os
import posixpath
import re
import signal
import time
import urllib.parse

import pytest

from conftest import PLAIN, install, start_mintd
from gateways import Apache, Caddy, HAProxy, Nginx
from support.clients import RS_1, SVC_A, bearer, token_key, token_of
from support.mintd import REPOSITORY
from support.oauth import forged_token, parse_challenge, wait_status, wait_until

IDENTITY = ("X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Audience", "X-Auth-Expires-At")

# What a caller gets while mintd or its store is away: mod_auth_openidc makes a 401 of whatever is not
# a yes.
UNAVAILABLE = {Nginx: 503, HAProxy: 503, Caddy: 503, Apache: 401}


def check_refused(answer, status, error=None):
    """The application was not asked, and the caller is told why in one challenge (RFC 6750, 3)."""
    assert not answer.admitted
    assert answer.status == status, answer
    challenges = answer.all("WWW-Authenticate")
    assert len(challenges) == 1, challenges
    scheme, parameters = parse_challenge(challenges[0])
    assert scheme == "Bearer" and parameters.get("error") == error, challenges


def check_admitted(answer, client="svc-a", scope="read", audience="-"):
    assert answer.status == 200 and answer.admitted, answer
    told = answer.told
    assert told.get("X-Auth-Client-Id") == client
    assert told.get("X-Auth-Scope") == scope
    assert told.get("X-Auth-Audience") == audience
    assert abs(int(told.get("X-Auth-Expires-At")) - time.time() - 3600) < 60
    return told


# ---- who gets in ----

def test_a_good_token(site):
    told = check_admitted(site.ask(token=site.token()))
    assert (told.method, told.target, told.body) == ("GET", "/orders", b"")


@pytest.mark.parametrize("client, scope, audience", [(PLAIN, "-", "-"), (RS_1, "-", "https://rs1.example/")],
                         ids=["no scope, no audience", "an audience"])
def test_nothing_is_told_as_a_dash(site, client, scope, audience):
    check_admitted(site.ask(token=site.token(client)), client.id, scope, audience)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method(site, method):
    good = site.ask(method, token=site.token())
    assert good.status == 200 and good.admitted
    for target in ("/orders", "/admin"):
        bad = site.ask(method, target)
        assert bad.status in (401, 403) and not bad.admitted


def test_no_token(site):
    # mod_auth_openidc writes its own challenge: with an error, against RFC 6750's SHOULD NOT.
    check_refused(site.ask(), 401, "invalid_request" if site.kind is Apache else None)


@pytest.mark.parametrize("token", ["nope", forged_token(), "\u00e9".encode().decode("latin-1")],
                         ids=["garbage", "of our form", "not ASCII"])
def test_a_bad_token(site, token):
    check_refused(site.ask(token=token), 401, "invalid_token")


def test_other_credentials(site):
    basic = "Basic " + base64.b64encode(b"svc-a:s3cret-A_1.x~").decode()
    answer = site.ask(fields=[("Authorization", basic)])
    assert answer.status == 401 and not answer.admitted
    answer = site.ask(target="/orders?access_token=" + site.token())
    assert answer.status == 401 and not answer.admitted


@pytest.mark.parametrize("order", [1, -1], ids=["good first", "bad first"])
def test_two_authorization_fields(site, order):
    """Refused, so that the application cannot take the one that nobody looked at."""
    answer = site.ask(fields=[bearer(site.token()), bearer("nope")][::order])
    assert answer.status in (400, 401) and not answer.admitted


def test_an_expired_token(site):
    token = site.token(ttl=1)
    assert site.ask(token=token).admitted
    wait_until(lambda: not site.ask(token=token).admitted, 4, "the token has expired")
    check_refused(site.ask(token=token), 401, "invalid_token")


def revoke_with_redis_cli(site, token):
    site.redis.redis_cli("DEL", token_key(token))


def revoke_at_the_endpoint(site, token):
    body = urllib.parse.urlencode({"token": token}).encode()
    answer = site.mintd.request("POST", "/revoke", [
        SVC_A.basic(), ("Content-Type", "application/x-www-form-urlencoded")], body)
    assert answer.status == 200


def disable_the_client(site, token):
    site.redis.redis_cli("HSET", "mintd:client:svc-a", "disabled", "1")


@pytest.mark.parametrize("revoke", [revoke_with_redis_cli, revoke_at_the_endpoint, disable_the_client])
def test_a_revoked_token(site, revoke):
    token = site.token()
    assert site.ask(token=token).admitted
    try:
        revoke(site, token)
        wait_until(lambda: not site.ask(token=token).admitted, 1, "the token is refused")
        check_refused(site.ask(token=token), 401, "invalid_token")
    finally:
        site.redis.redis_cli("HDEL", "mintd:client:svc-a", "disabled")


# ---- scopes ----

def test_a_scope_is_asked_for(site):
    check_refused(site.ask(target="/admin/users", token=site.token()), 403, "insufficient_scope")
    both = site.token(scope="read write")
    check_admitted(site.ask(target="/admin/users", token=both), scope="read write")
    check_admitted(site.ask(target="/admin", token=site.token(scope="write")), scope="write")


@pytest.mark.parametrize("target", ["/admin", "/admin/", "//admin/x", "/%61dmin/x", "/x/../admin/x",
                                    "/./admin/x", "/x/%2e%2e/admin/x", "/x/..//admin"])
def test_no_way_around_the_scope(site, target):
    """What reaches the application without the scope is not below /admin, however it is written."""
    answer = site.ask(target=target, token=site.token())
    if answer.admitted:
        path = posixpath.normpath("/" + urllib.parse.unquote(answer.told.target).lstrip("/"))
        assert path != "/admin" and not path.startswith("/admin/"), answer.told.target
    else:
        assert answer.status in (400, 403, 404)


@pytest.mark.parametrize("query", ["scope=&scope=read", "scope=admin&audience=x", "scope=%zz", "a=b;c&d=%2F+x"])
def test_the_query_is_the_applications(site, query):
    """It neither loosens nor tightens what is asked for, and arrives as it was sent."""
    told = check_admitted(site.ask(target="/orders?" + query, token=site.token()))
    assert told.target == "/orders?" + query
    check_refused(site.ask(target="/admin?" + query, token=site.token()), 403, "insufficient_scope")


@pytest.mark.parametrize("target", ["/", "/orders", "/status/200", "/favicon.ico", "/robots.txt", "/_mintd/any",
                                    "/_mintd/write", "/_mintd/", "/verify", "/introspect", "/secret", "/metrics",
                                    "/.well-known/acme-challenge/x", "/server-status", "/?x", "/a/b.html"],
                         ids=lambda target: "V-14-" + target)
def test_no_path_is_open(site, target):
    """An example answers nothing by itself: nginx' `return`, for one, runs before auth_request."""
    for method in ("GET", "POST", "OPTIONS"):
        answer = site.ask(method, target)
        assert not answer.admitted and answer.status in (401, 403, 404), answer
        assert b"mintd_" not in answer.body and b"Welcome" not in answer.body, answer


# ---- forged headers ----

@pytest.mark.parametrize("spell", [str, str.lower, lambda name: name.replace("-", "_"),
                                   lambda name: name.upper().replace("-", "_", 1)],
                         ids=["as they are", "lower case", "underscores", "one underscore"])
def test_forged_identity(site, spell):
    forged = [(spell(name), "evil") for name in IDENTITY]
    answer = site.ask(token=site.token(), fields=forged)
    if answer.status == 403:  # Apache cannot remove fields by a pattern
        assert site.kind is Apache and spell is not str and not answer.admitted
    else:
        told = check_admitted(answer)
        assert not [field for field in told.fields if "evil" in field[1]], told.fields
    refused = site.ask(fields=forged)
    assert refused.status in (401, 403) and not refused.admitted


def test_forged_identity_twice_and_unused(site):
    forged = [(name, "evil") for name in IDENTITY * 2]
    told = check_admitted(site.ask(token=site.token(PLAIN), fields=forged), "plain", "-")
    assert not [field for field in told.fields if "evil" in field[1]], told.fields


def check_identity_is_whole(answer):
    """All four fields, each once, as mintd said them."""
    check_admitted(answer)
    for name in IDENTITY:
        assert answer.told.get(name), (name, answer.told.fields)


@pytest.mark.parametrize("value", [*IDENTITY, *(name.lower() for name in IDENTITY), "close, X-Auth-Client-Id",
                                   "keep-alive , x-auth-scope", ",\tX-AUTH-EXPIRES-AT,", "X_Auth_Scope",
                                   ", ".join(("close", *IDENTITY, "Authorization"))],
                         ids=lambda value: "F-26-" + value)
def test_a_hop_by_hop_field_does_not_take_identity_away(site, value):
    """Connection: X-Auth-Client-Id would have a careless proxy drop what it has just set."""
    answer = site.ask(token=site.token(), fields=[("Connection", value)])
    assert not answer.admitted and answer.status in (401, 403), answer


@pytest.mark.parametrize("fields", [
    [("Connection", "close"), ("Connection", "X-Auth-Client-Id")], [("Connection", "X-Auth-Scope"), ("Connection", "close")],
    [("Proxy-Connection", "X-Auth-Client-Id")], [("TE", "X-Auth-Client-Id")], [("Trailer", "X-Auth-Client-Id")],
    [("Keep-Alive", "X-Auth-Client-Id")], [("Upgrade", "X-Auth-Client-Id"), ("Connection", "upgrade")],
    [("Connection", "Authorization")], [("Connection", "close, X-Request-Id")], [("Connection", "\"X-Auth-Scope\"")]],
    ids=lambda fields: "F-26-" + "-".join(value for _, value in fields))
def test_nobody_gets_through_without_an_identity(site, fields):
    answer = site.ask(token=site.token(), fields=fields)
    if answer.admitted:
        check_identity_is_whole(answer)
    else:
        assert 400 <= answer.status < 500, answer


# ---- what else a caller sends ----

@pytest.mark.parametrize("count, size", [pytest.param(3, 6000, id="F-24-3-of-6-KiB"), pytest.param(1, 7500, id="F-24-1-of-7-KiB")])
def test_large_cookies_do_not_matter(site, count, size):
    """They are the application's: mintd, which takes 16 KiB, does not get them."""
    cookies = [("Cookie", "%s=%s" % (chr(97 + number), "x" * size)) for number in range(count)]
    answer = site.ask(token=site.token(), fields=cookies)
    check_identity_is_whole(answer)
    assert sum(len(value) for value in answer.told.all("Cookie")) >= count * size


REQUEST_ID = {Nginx: r"[0-9a-f]{32}", HAProxy: r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
REQUEST_ID[Caddy] = REQUEST_ID[HAProxy]


@pytest.mark.parametrize("_site", list(REQUEST_ID), indirect=True, scope="session", ids=lambda kind: kind.program)
@pytest.mark.parametrize("fields", [[], [("X-Request-Id", "the-callers-own")]], ids=["N-23", "N-23-forged"])
def test_the_gateway_numbers_requests(site, fields):
    """The same id is in mintd's log and goes to the application. (mod_auth_openidc of Apache sends no such field.)"""
    mark = site.mintd.mark()
    check_refused(site.ask(token="nope", fields=fields), 401, "invalid_token")
    logged = site.mintd.wait_for_log("refused", since=mark)["request_id"]
    told = check_admitted(site.ask(token=site.token(), fields=fields)).get("X-Request-Id")
    assert re.fullmatch(REQUEST_ID[site.kind], logged) and re.fullmatch(REQUEST_ID[site.kind], told)
    assert logged != told


def test_no_gateway_is_a_proxy_that_mintd_was_not_told_of(site):
    """N-09: where mintd reads who is behind a gateway, it trusts it."""
    site.ask(token=site.token(), fields=[("X-Forwarded-For", "198.51.100.7"), ("Forwarded", "for=198.51.100.7")])
    assert not [line for line in site.mintd.log if "not trusted" in line["message"]]


# ---- bodies ----

@pytest.mark.parametrize("size", [11, 300000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_goes_to_the_application_alone(site, size, chunked):
    body = (b"hello world" * (size // 11 + 1))[:size]
    answer = site.ask("POST", token=site.token(), body=[body] if chunked else body, chunked=chunked)
    assert check_admitted(answer).body == body


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_refused_body(site, chunked):
    body = b"hello world"
    answer = site.ask("POST", token="nope", body=[body] if chunked else body, chunked=chunked)
    check_refused(answer, 401, "invalid_token")


def test_the_applications_own_refusal_is_left_alone(site):
    answer = site.ask(target="/status/403", token=site.token())
    assert answer.admitted and answer.status == 403
    assert not answer.all("WWW-Authenticate") and answer.told.target == "/status/403"


# ---- what is away ----

def check_unavailable(site, answer):
    """N-23: a 503 says when to come back."""
    assert not answer.admitted and answer.status == UNAVAILABLE[site.kind], answer
    assert answer.status != 503 or answer.all("Retry-After") == ["1"], answer.fields


def test_mintd_is_down(own_site):
    token = own_site.token()
    assert own_site.ask(token=token).admitted
    port = own_site.mintd.address[1]
    own_site.mintd.kill()
    for target in ("/orders", "/admin"):
        answer = own_site.ask(target=target, token=token)
        check_unavailable(own_site, answer)
    own_site.mintd = start_mintd(own_site.redis, port)
    wait_until(lambda: own_site.ask(token=token).admitted, 20, "it is asked again")


def pause(mintd):
    """SIGSTOP, and waits until it has taken hold of every thread."""
    def stopped():
        for task in os.listdir("/proc/%d/task" % mintd.pid):
            with open("/proc/%d/task/%s/stat" % (mintd.pid, task), encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True

    mintd.signal(signal.SIGSTOP)
    wait_until(stopped, 5, "mintd is stopped")


def test_mintd_hangs(own_site):
    token = own_site.token()
    assert own_site.ask(token=token).admitted
    pause(own_site.mintd)
    try:
        answer = own_site.ask(token=token)
        check_unavailable(own_site, answer)
    finally:
        own_site.mintd.signal(signal.SIGCONT)
    wait_until(lambda: own_site.ask(token=token).admitted, 20, "it is asked again")


def test_redis_is_down(own_site):
    token = own_site.token()
    assert own_site.ask(token=token).admitted
    own_site.redis.kill()
    wait_until(lambda: not own_site.ask(token=token).admitted, 3, "nobody is let in")
    for presented in (token, forged_token()):
        answer = own_site.ask(token=presented)
        check_unavailable(own_site, answer)
    own_site.redis.restart()
    install(own_site.redis)
    wait_status(own_site.mintd, 200, within=10)
    check_refused(own_site.ask(token=token), 401, "invalid_token")  # went with Redis
    assert own_site.ask(token=own_site.token()).admitted


@pytest.mark.parametrize("own_site", [Nginx, Caddy], indirect=True, ids=lambda kind: kind.program)
def test_the_application_is_away(own_site):
    """That is told apart from mintd's being away."""
    token = own_site.token()
    answer = own_site.ask(token=token, target="/hang-up")
    assert answer.status == 502 and not answer.all("Retry-After"), answer


# ---- a resource with metadata of its own ----

METADATA = "https://mcp.example/.well-known/oauth-protected-resource/mcp"


def pages_lines(gateway):
    """What docs/gateways.md adds to an example for a resource with metadata of its own, by paragraph."""
    with open(os.path.join(REPOSITORY, "docs", "gateways.md"), encoding="utf-8") as page:
        section = page.read().split("\n## A resource with metadata of its own\n")[1].split("\n## ")[0]
    return re.findall(r"^- %s\b[^\n]*\n\n((?:      [^\n]*\n)+)" % gateway, section, re.MULTILINE)


class NginxWithMetadata(Nginx):
    additions = {"        proxy_pass_request_body off;\n": "        proxy_pass_request_body off;\n" + "".join(pages_lines("nginx"))}


class CaddyWithMetadata(Caddy):
    additions = {"\t\turi /verify/\n": "\t\turi /verify/\n" + "".join(pages_lines("Caddy"))}


@pytest.mark.parametrize("kind", [NginxWithMetadata, CaddyWithMetadata],
                         ids=lambda kind: "item-24-MCP-" + kind.program)
def test_a_challenge_leads_to_the_metadata_of_the_resource(kind, mintd, application):
    """Whatever the caller says it is."""
    with kind("%s:%d" % mintd.address, application) as gateway:
        for target, token, status in (("/orders", None, 401), ("/orders", "nope", 401), ("/admin", token_of(mintd), 403)):
            answer = gateway.ask(target=target, token=token, fields=[("X-Auth-Resource-Metadata", "https://evil.example/")])
            assert answer.status == status and not answer.admitted, answer
            _, parameters = parse_challenge(answer.all("WWW-Authenticate")[0])
            assert parameters["resource_metadata"] == METADATA, answer
        check_admitted(gateway.ask(token=token_of(mintd)))


# ---- cost ----

def connections(mintd):
    text = mintd.request("GET", "/metrics").body.decode()
    return next(int(line.split()[-1]) for line in text.splitlines()
                if line.startswith("mintd_connections_accepted_total"))


def test_connections_to_mintd_are_kept(site):
    token = site.token()
    assert site.ask(token=token).admitted
    before = connections(site.mintd)
    for _ in range(30):
        assert site.ask(token=token).admitted
    print("30 requests made %d connections" % (connections(site.mintd) - before - 1))
    assert connections(site.mintd) - before - 2 <= 3
