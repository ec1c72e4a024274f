"""docs/openapi.yaml is what mintd says: each of its examples, and nothing beside them."""
import glob
import os
import re
import signal

import pytest

from support import openapi
from support.clients import CODECADEMY, RS_1, SVC_A, basic, bearer, token_of
from support.http import exchange, request_bytes
from support.mintd import REPOSITORY
from support.oauth import wait_status
from support.redis_server import free_port

ISSUER = "https://mintd.example"
OPERATIONS = openapi.operations()
EXAMPLES = [example for operation in OPERATIONS for example in operation.examples()]
REPLAYED = [example for example in EXAMPLES if not example.request.keys() & {"shown_by", "said_in"}]
# What differs each time.
VOLATILE = ("access_token", "accessToken", "accessTokenExpiresAt", "expires_in", "iat", "exp", "jti",
            # of /status.json
            "now", "name", "version", "commit", "host", "address", "uptime", "seen", "caching", "connections", "answered",
            "read", "at", "minted", "validated", "refused", "p50_ms", "p99_ms", "redis_p99_ms")
SHOWN_ELSEWHERE = {"too busy to check the secret now: try again shortly",  # tests/e2e/test_slow_checks.py
                   "no token can be made now: try again shortly",  # tests/unit/test_oauth_grant.c
                   "overloaded: try again shortly"}  # tests/e2e/test_overload.py

# Told by status and challenge, without these words: at /verify.
CHALLENGED = {"the token lacks a scope that is needed here", "the token is not meant for this audience",
              "send a token: Authorization: Bearer mtd_..."}


class World:
    """mintd in each state that an example asks for, and the tokens that it sends."""

    def __init__(self, start, redis):
        self._start, self._redis = start, redis
        self._instances = {}
        self._tokens = {}

    def instance(self, state=None):
        if state not in self._instances:
            self._instances[state] = getattr(self, "_make_" + (state or "plain"))()
        return self._instances[state]

    def _make_plain(self, *arguments):
        instance = self._start("--issuer", ISSUER, *arguments, redis=self._redis)
        instance.wait_for_store()
        return instance

    def _make_away(self):
        return self._start("--issuer", ISSUER, redis="redis://127.0.0.1:%d" % free_port())

    def _make_apart(self):
        instance = self._make_plain("--metrics-listen", "127.0.0.1:0")
        instance.wait_for_log("listening", count=2)
        return instance

    def _make_guessed(self):
        instance = self._make_plain("--failure-limit", "1")
        for _ in range(2):
            instance.request("POST", "/token", [FORM, basic(CODECADEMY.id, "wrong")], b"grant_type=client_credentials")
        return instance

    def _make_ending(self):
        instance = self._make_plain("--drain-delay", "1h")
        instance.signal(signal.SIGTERM)
        wait_status(instance, 503)
        return instance

    def put_away(self):
        """A second signal ends the delay of the one that is about to end."""
        if "ending" in self._instances:
            self._instances["ending"].signal(signal.SIGTERM)
            self._instances["ending"].wait()

    def token(self, name):
        if name not in self._tokens or name == "FRESH":
            client = {"OTHERS": SVC_A, "ELSEWHERE": RS_1}.get(name, CODECADEMY)
            self._tokens[name] = token_of(self.instance(), client)
            if name == "REVOKED":
                form = b"token=" + self._tokens[name].encode()
                self.instance().request("POST", "/revoke", [FORM, CODECADEMY.basic()], form)
        return self._tokens[name]

    def filled(self, text):
        return re.sub(r"\$([A-Z]+)", lambda found: self.token(found[1]), text)


FORM = ("Content-Type", "application/x-www-form-urlencoded")
KEYS = {"method", "path", "query", "fields", "basic", "bearer", "form", "state", "version", "padding", "long_query",
        "long_field", "listener"}


def target_of(operation, request):
    path = request.get("path") or operation.path.replace("{path}", "orders/7")
    query = request.get("query", "") + "q" * request.get("long_query", 0)
    return path + ("?" + query if query else "")


def fields_of(world, request):
    fields = dict(request.get("fields", {}))
    if "form" in request:
        fields.setdefault(*FORM)
    pairs = list(fields.items())
    if "basic" in request:
        pairs.append(basic(*request["basic"].split(":", 1)))
    if "bearer" in request:
        pairs.append(bearer(world.filled(request["bearer"])))
    if "long_field" in request:
        pairs.append(("X-Long", "a" * request["long_field"]))
    return pairs


def send(world, operation, request, method=None):
    assert not request.keys() - KEYS, request
    method = method or request.get("method", operation.method.upper())
    form = request.get("form")
    body = None if form is None else (world.filled(form) + "a" * request.get("padding", 0)).encode()
    raw = request_bytes(method, target_of(operation, request), fields_of(world, request), body,
                        version=request.get("version", "HTTP/1.1"))
    instance = world.instance(request.get("state"))
    address = instance.addresses()[1 if request.get("listener") == "operations" else 0]
    return exchange(address, raw, head=method == "HEAD")


def steady(value):
    """Without what differs each time, as do the other instances that the same Redis has had."""
    if isinstance(value, list):
        return [steady(member) for member in value if not (isinstance(member, dict) and member.get("self") is False)]
    if not isinstance(value, dict):
        return value
    return {name: "…" if name in VOLATILE else steady(member) for name, member in value.items()}


@pytest.fixture
def world(start_mintd, redis):
    made = World(start_mintd, redis)
    yield made
    made.put_away()


def replay(world, example):
    response = send(world, example.operation, example.request)
    assert response.status == example.status, response
    example.operation.check(response, example.response)
    if response.get("Content-Type", "").startswith("application/json"):
        assert steady(response.json()) == steady(example.value)
    return response


def check_head(world, example, response):
    """HEAD says the same without the body."""
    head = send(world, example.operation, example.request, "HEAD")
    assert head.status == response.status, head
    names = [[name for name, _ in one.fields if name != "Content-Length"] for one in (head, response)]
    assert names[0] == names[1], head


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_example_was_said(world, operation):
    wrong = []
    for example in [one for one in REPLAYED if one.operation is operation]:
        try:
            response = replay(world, example)
            if operation.method == "get" and "method" not in example.request and example.status < 404:
                check_head(world, example, response)
        except Exception as problem:  # all of them are told
            wrong.append("%s: %s" % (example.id, problem))
    assert not wrong, "\n\n".join(wrong)
    check_counted(world, operation)


def check_counted(world, operation):
    """Every status that mintd counted for an endpoint is one that is said of it."""
    for instance in world._instances.values():
        if instance.is_alive and len(instance.addresses()) == 1:
            text = instance.request("GET", "/metrics").body.decode()
            seen = {(found[1], int(found[2])) for found in re.finditer(
                r'^mintd_http_responses_total\{endpoint="(\w+)",status="(\d+)"\} [1-9]', text, re.MULTILINE)}
            assert seen <= told_of_endpoints() | {("healthz", 200), ("metrics", 200)}, operation.name


def endpoint_of(path):
    first = path.split("/")[1]
    return "metadata" if first == ".well-known" else first


def told_of_endpoints():
    told = {(endpoint_of(operation.path), status) for operation in OPERATIONS for status in operation.statuses}
    told |= {("none", status) for operation in OPERATIONS for status in operation.statuses}
    return told | {(endpoint, 204) for endpoint, _ in told}  # OPTIONS


def test_options_tell_the_methods(world):
    for path in {operation.path for operation in OPERATIONS}:
        methods = {operation.method.upper() for operation in OPERATIONS if operation.path == path}
        if any(operation.about.get("x-any-method") for operation in OPERATIONS if operation.path == path):
            continue
        response = send(world, openapi.Operation(path, "options", {}), request_of(path))
        expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        assert response.status == 204 and set(response.get("Allow").split(", ")) == expected, (path, response)


def request_of(path):
    """One of its first example, of the listener that has the path."""
    example = next(one for one in EXAMPLES if one.operation.path == path)
    return {name: example.request[name] for name in ("state", "listener") if name in example.request}


# ---- the sources say no more ----


def source(*path):
    with open(os.path.join(REPOSITORY, *path), encoding="utf-8") as file:
        return file.read()


def test_each_example_has_its_request():
    for operation in OPERATIONS:
        requests = {status: set(named) for status, named in operation.about["x-requests"].items()}
        responses = dict(operation.responses)
        refused = responses.pop("default")
        assert requests.keys() == responses.keys(), operation.name
        for status, response in responses.items():
            examples = set(openapi.examples_of(response))
            assert requests[status] and (not examples or examples == requests[status]), (operation.name, status)
        assert set(openapi.examples_of(refused)) == {name for named in refused["x-requests"].values() for name in named}
    for example in EXAMPLES:
        for place in {"shown_by", "said_in"} & example.request.keys():
            assert str(example.status) in source(*example.request[place].split("/")), example.id


def test_each_example_fits_its_schema():
    for example in EXAMPLES:
        for media in example.response.get("content", {}).values():
            if example.name in media["examples"]:
                openapi.validate(example.value, media["schema"])


def test_each_route_has_an_entry():
    table = re.search(r"routes\[\] = \{(.*?)\n\};", source("src", "api", "api.c"), re.DOTALL)[1]
    routes = re.findall(r'\{SLICE\("([^"]*)"\), (\w+),\s+\w+, METHODS_(\w+),\s+(\w+)\}', table)
    assert len(routes) == table.count("{SLICE(") >= 13
    by_path = {operation.path: operation for operation in OPERATIONS}
    matched = {"is_below_verify": "/verify/{path}",
               "metadata_is_authorization_server": "/.well-known/oauth-authorization-server",
               "metadata_is_protected_resource": "/.well-known/oauth-protected-resource/secret"}
    paths = {path or matched[predicate]: (methods, handler) for path, predicate, methods, handler in routes}
    assert paths.keys() == by_path.keys()
    for path, (methods, handler) in paths.items():
        operation = by_path[path]
        assert operation.method == ("post" if methods == "POST" else "get"), path
        assert bool(operation.about.get("x-any-method")) == (methods == "ANY"), path
        common = {"READ": {405}, "POST": {405, 400, 413, 415}, "ANY": set()}[methods]
        assert common | statuses_of(handler) <= operation.statuses, path


def statuses_of(handler):
    """The statuses that stand in a handler; where there is none, in its file."""
    pattern = r"(?:\(struct http_response\)\{|\(x, |\? |\(call\), )([2-5]\d\d)\b"
    for path in glob.glob(os.path.join(REPOSITORY, "src", "api", "*.c")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        body = re.search(r"^void %s\(.*?^}$" % handler, text, re.MULTILINE | re.DOTALL)
        if body:
            return {int(found) for found in re.findall(pattern, body[0]) or re.findall(pattern, text)}
    raise AssertionError("no file has " + handler)


def test_each_refusal_is_told():
    header = source("include", "mintd", "oauth.h")
    words = dict(re.findall(r'#define (OAUTH_\w+) "([^"]+)"', header))
    table = re.search(r"#define OAUTH_REFUSALS\(X\)(.*?)\n\n", header, re.DOTALL)[1]
    rows = re.findall(r'X\(\w+,[\s\\]*\w+,[\s\\]*"[^"]*",[\s\\]*(\w+),[\s\\]*(?:"([^"]*)"|(OAUTH_\w+))\)', table)
    errors = {name: (code, int(status)) for name, code, status in
              re.findall(r'X\((\w+), "(\w+)", (\d+)\)', header)}
    assert len(rows) == table.count("X(") > 30
    told = {}
    for example in EXAMPLES:
        if isinstance(example.value, dict) and "error_description" in example.value:
            told.setdefault(example.value["error_description"], set()).add((example.value["error"], example.status))
    text = " ".join(source("docs", "openapi.yaml").split())
    for error, literal, name in rows:
        description = literal or words.get(name, "")
        if error == "NONE":
            continue
        if description in SHOWN_ELSEWHERE:
            assert description in text
        elif description in CHALLENGED:
            assert errors[error][1] in (401, 403)
        else:
            assert errors[error] in told.get(description, set()), description


def test_each_trouble_of_the_store_is_told():
    table = re.search(r"#define STORE_TROUBLES\(X\)(.*?)\n\n", source("include", "mintd", "store.h"), re.DOTALL)[1]
    words = re.findall(r'X\(\w+, "(\w+)"\)', table)
    assert openapi.document()["components"]["schemas"]["StoreTrouble"]["enum"] == words[1:] and words[0] == "none"


def test_each_status_is_told():
    table = re.findall(r"^    X\((\d{3}), ", source("src", "http", "response.c"), re.MULTILINE)
    told = {status for operation in OPERATIONS for status in operation.statuses}
    unsaid = {204, 500}  # 204 is OPTIONS; 500 is where an endpoint's own answer could not be written
    assert {int(status) for status in table} == told | unsaid
