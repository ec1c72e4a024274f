"""The two metadata documents: CONFORMANCE 1.7 (RFC 8414, RFC 9728)."""
import urllib.parse

import pytest

from support.clients import BA, G, basic, bearer
from support.http import form_request
from support.inquiry import between, check_active, check_inactive, check_revoked
from support.mintd import Mintd, run
from support.oauth import check_json, check_tok, minted, parse_challenge, post, row, rows, use
from support.redis_server import free_port

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
ISSUER = "https://mintd.example"
BOTH = (SERVER, RESOURCE + "/secret")
METHODS = ["client_secret_basic", "client_secret_post"]


def document(instance, path=SERVER, *fields, **more):
    response = instance.request("GET", path, fields, **more)
    assert response.status == 200 and response.get("Content-Type").split(";")[0] == "application/json", response
    return check_json(response)


@pytest.fixture(scope="module")
def local(redis):
    """An instance whose issuer is its own address, as it is without --issuer: its URLs lead to it."""
    with Mintd(redis=redis, listen=("127.0.0.1:%d" % free_port(),)) as instance:
        instance.wait_for_store()
        yield instance


def follow(instance, url):
    """The target on this instance that a URL of its own documents names."""
    assert url.startswith(instance.url + "/"), url
    return url[len(instance.url):]


# ---- RFC 8414 ----


@row("M-01")
def test_get_and_head(pair):
    for instance in pair:
        for path in BOTH:
            get, head = (instance.request(m, path) for m in ("GET", "HEAD"))
            document(instance, path)
            assert head.status == 200 and head.body == b""

            def rest(response):
                return [f for f in response.fields if f[0] not in ("Date", "X-Request-Id")]

            assert rest(get) == rest(head)


@row("M-01")
def test_both_instances_say_the_same(pair):
    for path in BOTH:
        assert pair.a.request("GET", path).body == pair.b.request("GET", path).body


@rows("M-01", post="POST", put="PUT", delete="DELETE", patch="PATCH")
def test_other_methods(pair, case):
    for instance, path in ((i, p) for i in pair for p in BOTH):
        response = instance.request(case, path)
        assert response.status == 405 and response.get("Allow") == "GET, HEAD, OPTIONS", response


@rows("M-02", configured=ISSUER, port="https://mintd.example:8443", path="https://h.example/t1",
      deep="https://h.example/a/b-c_d.e~f", v6="https://[::1]:4001", http="http://mintd.example")
def test_issuer_is_the_configured_one(redis, start_mintd, case):
    instance = start_mintd("--issuer", case, redis=redis)
    instance.wait_for_store()
    path = urllib.parse.urlsplit(case).path
    assert document(instance, SERVER + path)["issuer"] == case
    about = document(instance, RESOURCE + path + "/secret")
    assert about["resource"] == case + "/secret" and about["authorization_servers"] == [case]
    token, _ = minted(instance)
    caller = basic("rs-1", "rs-secret")
    answer = instance.exchange(form_request("/introspect", [("token", token)], [caller]))
    check_active(answer, token, issuer=case)


@rows("M-02", query="https://h/?x=1", bare_query="https://h?", fragment="https://h/#f", slash="https://h/",
      last_slash="https://h/t1/", ftp="ftp://h", no_scheme="h.example", no_host="https://", empty="",
      space="https://h/a b", quote='https://h/"x', backslash="https://h\\x", newline="https://h/\nx",
      high="https://h/\u00e9", long="https://h/" + "x" * 600)
def test_no_issuer(case):
    done = run("--check", "--issuer", case)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1 and "--issuer" in done.stderr, done


@row("M-02")
def test_http_is_warned_of(redis, start_mintd):
    plain = start_mintd("--issuer", "http://mintd.example", redis=redis)
    plain.wait_for_log(lambda line: line["level"] == "warning" and "issuer" in repr(line))
    quiet = start_mintd("--issuer", "https://mintd.example", redis=redis)
    quiet.wait_for_store()
    assert not quiet.find_log(lambda line: line["level"] == "warning")


@row("M-03")
def test_path_is_inserted(redis, start_mintd):
    instance = start_mintd("--issuer", "https://h.example/t1", redis=redis)
    for path in (SERVER + "/t1", RESOURCE + "/t1/secret"):
        document(instance, path)
    for path in (SERVER, SERVER + "/", SERVER + "/t2", SERVER + "/t1/", SERVER + "/t1/x", SERVER + "t1",
                 SERVER + "/T1", "/t1" + SERVER, RESOURCE + "/secret", RESOURCE + "/t1", RESOURCE + "/t2/secret",
                 "/.well-known/openid-configuration"):
        response = instance.request("GET", path)
        assert response.status == 404, (path, response)


@row("M-03")
def test_other_suffixes(pair):
    for path in (SERVER + "/", SERVER + "/x", SERVER + "/secret", RESOURCE + "/", RESOURCE + "/verify",
                 RESOURCE + "/secret/", RESOURCE + "/secret/x", "/.well-known/", "/.well-known/openid-configuration"):
        for instance in pair:
            assert instance.request("GET", path).status == 404, path


@row("M-04")
def test_token_endpoint_works(local):
    said = document(local)
    target = follow(local, said["token_endpoint"])
    check_tok(post(local, target, G, BA), target)


@row("M-05")
def test_grant_types(pair):
    for instance in pair:
        said = document(instance)
        assert said["grant_types_supported"] == ["client_credentials"]
        assert not {"jwks_uri", "registration_endpoint"} & said.keys()


@row("M-06")
def test_authentication_methods_are_said_and_work(local):
    said = document(local)
    for prefix in ("token", "introspection", "revocation"):
        assert said[prefix + "_endpoint_auth_methods_supported"] == METHODS
        target = follow(local, said[prefix + "_endpoint"])
        secret = b"&client_id=svc-a&client_secret=s3cret-A_1.x~"
        for raw in (form_request(target, G + b"&token=x", [BA]), form_request(target, G + b"&token=x" + secret)):
            assert local.exchange(raw).status == 200


@row("M-06")
def test_scopes_are_said_as_they_were_given(start_mintd, redis):
    """A thousand bytes of them, of one letter each, with the longest issuer."""
    scopes = ["read", "write:all", "!"] + [chr(ord("a") + i % 26) for i in range(500)]
    issuer = "https://id.example/" + "x" * 492
    one = start_mintd("--scopes-supported", " ".join(scopes), "--issuer", issuer, redis=redis)
    said = document(one, SERVER + issuer[len("https://id.example"):])
    assert said["scopes_supported"] == scopes and said["issuer"] == issuer


@row("M-06")
def test_scopes_are_not_said_where_nobody_knows_them(local):
    assert "scopes_supported" not in document(local)


@row("M-07")
def test_no_empty_arrays_and_no_nulls(pair):
    for instance, path in ((i, p) for i in pair for p in BOTH):
        said = document(instance, path)
        said.pop("response_types_supported", None)  # M-07b
        assert all(value not in (None, [], "", {}) for value in said.values()), said


@row("M-07b")
def test_what_clients_insist_on(pair):
    """Both official MCP SDKs want these two; RFC 8414 2 wants the second."""
    for instance in pair:
        said = document(instance)
        assert said["response_types_supported"] == []
        assert said["authorization_endpoint"] == ISSUER + "/authorize"


@rows("M-07b", get="GET", head="HEAD", post="POST", options="OPTIONS", put="PUT")
def test_authorize_is_refused_without_a_redirect(local, case):
    target = follow(local, document(local)["authorization_endpoint"])
    query = "?response_type=code&client_id=svc-a&redirect_uri=https%3A%2F%2Fevil.example%2F&state=x"
    for path in (target, target + query):
        response = local.request(case, path)
        assert response.status == 400 and response.get("Location") is None, response
        assert b"evil" not in response.body
        if case != "HEAD":
            said = check_json(response)
            assert said["error"] == "unsupported_response_type"
            assert "client_credentials" in said["error_description"]


@row("M-08")
def test_endpoints_answer(local, redis):
    said = document(local)
    token, _ = minted(local)
    introspect = follow(local, said["introspection_endpoint"])
    revoke = follow(local, said["revocation_endpoint"])

    def ask(target):
        return local.exchange(form_request(target, [("token", token)], [BA]))

    check_active(ask(introspect), token, issuer=said["issuer"])
    check_revoked(ask(revoke))
    check_inactive(ask(introspect))


@row("M-09")
def test_no_signed_jwt_is_promised(pair):
    for instance in pair:
        text = repr(document(instance))
        assert "jwt" not in text and "alg_values" not in text


@rows("M-10-P-01", host=dict(host="evil.example"), port=dict(host="mintd.example:9"), v6=dict(host="[::1]:80"),
      forwarded=dict(fields=[("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "http")]),
      rfc7239=dict(fields=[("Forwarded", "host=evil.example;proto=http")]),
      prefix=dict(fields=[("X-Forwarded-Prefix", "/evil"), ("X-Original-URL", "/evil"), ("X-Forwarded-Port", "1")]),
      origin=dict(fields=[("Origin", "https://evil.example"), ("Referer", "https://evil.example/")]))
def test_not_built_from_the_request(pair, redis, start_mintd, case):
    by_itself = start_mintd(redis=redis)  # without --issuer
    for instance in (*pair, by_itself):
        for path in BOTH:
            wanted = instance.request("GET", path)
            got = instance.request("GET", path, **case)
            assert got.body == wanted.body and b"evil" not in got.body
        assert "evil" not in instance.request("GET", "/secret", **case).get("WWW-Authenticate")


@row("M-10")
def test_absolute_form(pair):
    wanted = pair.a.request("GET", SERVER).body
    for instance in pair:
        assert instance.request("GET", "http://evil.example" + SERVER).body == wanted


@row("M-02")
def test_default_issuer_is_the_first_listener(redis, start_mintd):
    ports = free_port(), free_port()
    instance = start_mintd(redis=redis, listen=["127.0.0.1:%d" % port for port in ports])
    assert document(instance)["issuer"] == "http://127.0.0.1:%d" % ports[0]


@row("B-07")
def test_documents_may_be_read_by_anybody(pair):
    for path in BOTH:
        for fields in ([], [BA], [bearer("nope")], [("Accept", "text/html")]):
            for instance in pair:
                assert instance.request("GET", path, fields).status == 200


@row("M-01")
def test_no_redis_is_needed(own_mintd, own_redis):
    own_redis.kill()
    for path in BOTH:
        document(own_mintd, path)


# ---- RFC 9728 ----


@row("P-01")
def test_resource(pair, local):
    for instance in pair:
        assert document(instance, RESOURCE + "/secret")["resource"] == ISSUER + "/secret"
        refused = instance.request("POST", RESOURCE + "/secret")
        assert refused.status == 405 and refused.get("Allow") == "GET, HEAD, OPTIONS", refused
    resource = document(local, RESOURCE + "/secret")["resource"]
    token, _ = minted(local)
    assert local.request("GET", follow(local, resource), [bearer(token)]).status == 200


@row("P-02")
def test_resource_is_an_https_url_without_a_fragment(pair):
    for instance in pair:
        about = document(instance, RESOURCE + "/secret")
        parts = urllib.parse.urlsplit(about["resource"])
        assert parts.scheme == "https" and not parts.fragment and not parts.query
        assert [] not in about.values(), about


@row("P-03")
def test_authorization_servers(pair):
    for instance in pair:
        said = document(instance, RESOURCE + "/secret")
        assert said["authorization_servers"] == [ISSUER] == [document(instance)["issuer"]]
        assert said["bearer_methods_supported"] == ["header"]


@row("P-04")
def test_challenge_leads_to_the_document(local):
    """A client that knows nothing but the resource finds its way to a token."""
    refused = use(local, "nope")
    for response in (refused, local.request("GET", "/secret"), local.request("GET", "/secret?access_token=x")):
        _, challenge = parse_challenge(response.get("WWW-Authenticate"))
        about = document(local, follow(local, challenge["resource_metadata"]))
        assert about["resource"] == local.url + "/secret"
    server = about["authorization_servers"][0]
    said = document(local, follow(local, server + SERVER))
    assert said["issuer"] == server
    resource = urllib.parse.quote(about["resource"], safe="").encode()
    for body in (G, G + b"&resource=" + resource):
        token = check_tok(post(local, follow(local, said["token_endpoint"]), body, BA), "/token")
        assert local.request("GET", follow(local, about["resource"]), [bearer(token)]).status == 200


@row("P-04")
def test_challenge_with_a_path(redis, start_mintd):
    instance = start_mintd("--issuer", "https://h.example/t1", redis=redis)
    _, challenge = parse_challenge(instance.request("GET", "/secret").get("WWW-Authenticate"))
    url = challenge["resource_metadata"]
    assert url == "https://h.example" + RESOURCE + "/t1/secret"
    assert document(instance, urllib.parse.urlsplit(url).path)["resource"] == "https://h.example/t1/secret"


@row("P-05")
def test_protected_resources(between):
    for instance in between:
        assert document(instance, RESOURCE + "/secret")["resource"] in document(instance)["protected_resources"]
