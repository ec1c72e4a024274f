"""Whatever is asked, the answer is one that docs/openapi.yaml names, with its fields and its body.

The requests follow the document: its paths, its parameters, values out of its examples, and what stands
beside them. The same ones each time.
"""
import os
import tempfile
import urllib.parse

import pytest
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st

from support import openapi
from support.clients import CODECADEMY, NOGRANT, RS_1, SVC_A, basic, bearer, token_of
from support.http import Closed, request_bytes
from support.mintd import Mintd
from support.oauth import forged_token

configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "mintd-hypothesis"))  # not here

REQUESTS = int(os.environ.get("MINTD_FUZZ_REQUESTS", "25"))  # of each operation
FORM = "application/x-www-form-urlencoded"
NAMES = ("grant_type", "scope", "resource", "audience", "ttl", "client_id", "client_secret", "token", "state")
WORDS = ("client_credentials", "read", "read write", "admin", "1", "0", "-1", "99999999999999999999", "",
         "https://rs1.example/", "https://mintd.example/secret", "codecademy", "codec@demy", "svc-a", "rs-1")
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)


@pytest.fixture(scope="module")
def subject(redis):
    with Mintd("--issuer", "https://mintd.example", redis=redis) as instance:
        instance.wait_for_store()
        tokens = [token_of(instance, client) for client in (CODECADEMY, SVC_A, RS_1)] + [forged_token(), "mtd_x"]
        yield instance, tokens


def form_of(pairs, spoilt):
    return urllib.parse.urlencode(pairs).encode() + spoilt


def requests_of(operation, tokens):
    values = st.one_of(st.sampled_from(WORDS), st.sampled_from(tokens), TEXT)
    pairs = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), TEXT), values), max_size=6)
    credentials = st.one_of(
        st.sampled_from([client.basic() for client in (CODECADEMY, SVC_A, RS_1, NOGRANT)]),
        st.sampled_from([bearer(token) for token in tokens]),
        st.builds(lambda user, word: basic(user, word), TEXT.filter(lambda t: ":" not in t), TEXT),
        st.builds(lambda value: ("Authorization", value), VISIBLE))
    named = [p["name"] for p in map(openapi.resolved, operation.about.get("parameters", ())) if p["in"] == "header"]
    known = st.sampled_from(named + ["Content-Encoding", "Expect", "X-Request-Id", "X-Forwarded-For", "Forwarded"])
    fields = st.lists(st.tuples(known, VISIBLE), max_size=3)
    media = st.sampled_from([FORM, FORM, FORM, FORM + "; charset=utf-8", "application/json", "text/plain", ""])
    query = st.one_of(st.none(), st.builds(lambda p: urllib.parse.urlencode(p), pairs))
    spoilt = st.sampled_from([b"", b"", b"", b"%", b"&&", b"\0", b"=&=", b"%ff"])
    methods = st.sampled_from([operation.method.upper()] * 6 + ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
    body = st.one_of(st.none(), st.builds(form_of, pairs, spoilt))
    path = st.just(operation.path) if "{path}" not in operation.path else st.builds(
        lambda text: operation.path.replace("{path}", urllib.parse.quote(text)), TEXT)
    return st.tuples(methods, path, query, st.lists(credentials, max_size=2), fields, media, body)


def bytes_of(asked):
    method, path, query, credentials, fields, media, body = asked
    if method == "POST" and body is None:
        body = b""
    if body is not None and media:
        fields = [*fields, ("Content-Type", media)]
    target = path + ("" if query is None else "?" + query)
    return request_bytes(method, target, [*credentials, *fields], body)


@pytest.mark.parametrize("operation", openapi.operations(), ids=lambda operation: operation.name)
def test_every_answer_is_a_known_one(subject, operation):
    instance, tokens = subject

    @settings(max_examples=REQUESTS, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(requests_of(operation, tokens))
    def ask(asked):
        raw = bytes_of(asked)
        with instance.connect() as connection:
            connection.send(raw)
            try:
                response = connection.read_response(asked[0] == "HEAD")
            except Closed as end:
                raise AssertionError("no answer to %r: %r" % (raw, end.got)) from None
        if response.status == 204 and asked[0] == "OPTIONS":
            return
        assert response.status != 500, raw
        operation.check(response)

    ask()
    instance.check_health()
