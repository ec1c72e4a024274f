"""The tutorial's published curl commands, as they are; and the README's redis-cli commands."""
import json
import os
import re
import subprocess

import pytest

from support.clients import CODECADEMY, token_key
from support.http import curl
from support.oauth import (RFC_MEMBERS, TUTORIAL_MEMBERS, check_token_form, epoch, row, rows, wait_refused,
                           wait_until)
from support.timing import scaled

# PORT and TOKEN are all that changes.
MINT = """curl -X POST http://localhost:PORT/auth \\
     -H 'authorization: Basic Y29kZWNhZGVteTpjb2RlY0BkZW15' \\
     -H 'content-type: application/x-www-form-urlencoded' \\
     --data grant_type=client_credentials"""
USE = "curl http://localhost:PORT/secret -H 'authorization: Bearer TOKEN'"


@pytest.fixture(params=[pytest.param("redis", id="TUTORIAL-redis"),
                        pytest.param("memory", id="TUTORIAL-memory")])
def tutorial(request, redis, start_mintd):
    """mintd as the tutorial starts it: its client given on the command line."""
    store = redis if request.param == "redis" else "memory:"
    instance = start_mintd("--client", "codecademy:codec@demy:read", redis=store)
    if request.param == "memory":
        instance.wait_for_log("client made")
    else:
        instance.wait_for_store()
    return instance


def shell(command, instance, token="", **variables):
    """Runs a command line; curl is silent but for what the server says."""
    command = command.replace("PORT", str(instance.address[1])).replace("TOKEN", token)
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(["bash", "-c", command.replace("curl ", "curl -q -sS ", 1)], capture_output=True,
                          text=True,
                          timeout=scaled(20), check=False, env={**kept, **variables})
    assert done.returncode == 0, done
    return done.stdout


def test_the_commands_as_they_are(tutorial):
    document = json.loads(shell(MINT, tutorial))
    assert list(document) == RFC_MEMBERS + TUTORIAL_MEMBERS
    check_token_form(document["accessToken"])
    assert document["accessToken"] == document["access_token"] and document["token_type"] == "Bearer"
    assert document["client"] == {"id": "codecademy"} and document["user"] == {}
    assert document["expires_in"] == 3600 and document["scope"] == "read"
    assert epoch(document["accessTokenExpiresAt"])
    welcome = json.loads(shell(USE, tutorial, document["accessToken"]))
    assert welcome["message"] == "Welcome to the secret area!"
    assert welcome["client"] == {"id": "codecademy"} and welcome["scope"] == "read"


def test_the_answer_byte_for_byte(tutorial):
    """As the contract shows it: no spaces, this order."""
    text = shell(MINT, tutorial)
    document = json.loads(text)
    assert text == ('{"access_token":"%s","token_type":"Bearer","expires_in":3600,"scope":"read",'
                    '"accessToken":"%s","accessTokenExpiresAt":"%s","client":{"id":"codecademy"},"user":{}}'
                    % (document["access_token"], document["access_token"], document["accessTokenExpiresAt"]))


@row("TUTORIAL")
def test_without_a_token(tutorial):
    status, out, _ = curl("-i", "http://localhost:%d/secret" % tutorial.address[1])
    assert status == 0 and out.startswith(b"HTTP/1.1 401 "), out
    assert re.search(rb'(?im)^www-authenticate: Bearer realm="mintd"', out) and b"error=" not in out


@row("TUTORIAL")
def test_with_a_wrong_token(tutorial):
    status, out, _ = curl("-i", "-H", "authorization: Bearer nonsense",
                          "http://localhost:%d/secret" % tutorial.address[1])
    assert status == 0 and out.startswith(b"HTTP/1.1 401 ") and b'error="invalid_token"' in out, out


@row("TUTORIAL")
def test_with_a_wrong_secret(tutorial):
    status, out, _ = curl("-i", "-u", "codecademy:wrong", "-d", "grant_type=client_credentials",
                          tutorial.url + "/auth")
    assert status == 0 and out.startswith(b"HTTP/1.1 401 "), out
    assert b"invalid_client" in out and b"accessToken" not in out, out


@rows("TUTORIAL", user=["-u", "codecademy:codec@demy", "-d", "grant_type=client_credentials"],
      body=["-d", "grant_type=client_credentials", "-d", "client_id=codecademy", "--data-urlencode",
            "client_secret=codec@demy"],
      chunked=["-u", "codecademy:codec@demy", "-H", "Transfer-Encoding: chunked", "-d",
               "grant_type=client_credentials"],
      expect=["-u", "codecademy:codec@demy", "-H", "Expect: 100-continue", "-d",
              "grant_type=client_credentials"],
      http10=["-0", "-u", "codecademy:codec@demy", "-d", "grant_type=client_credentials"],
      path=["--path-as-is", "-u", "codecademy:codec@demy", "-d", "grant_type=client_credentials"])
def test_other_ways_with_curl(tutorial, case):
    for endpoint in ("/auth", "/token"):
        status, out, err = curl("--fail", *case, tutorial.url + endpoint)
        assert status == 0, (out, err)
        check_token_form(json.loads(out)["access_token"])


@row("TUTORIAL")
def test_many_requests_on_one_connection_of_curl(tutorial):
    token = json.loads(shell(MINT, tutorial))["accessToken"]
    status, out, err = curl("-v", "-H", "Authorization: Bearer " + token, *[tutorial.url + "/secret"] * 20)
    assert status == 0 and out.count(b"Welcome to the secret area!") == 20
    assert err.count("Re-using existing ") == 19, err  # curl 8 adds "http:"


@row("TUTORIAL")
def test_head_with_curl(tutorial):
    token = json.loads(shell(MINT, tutorial))["accessToken"]
    status, out, _ = curl("-I", "-H", "Authorization: Bearer " + token, tutorial.url + "/secret")
    assert status == 0 and out.startswith(b"HTTP/1.1 200 ") and out.endswith(b"\r\n\r\n"), out


# ---- what the contract shows an operator ----


@pytest.fixture
def operated(redis, start_mintd, tmp_path):
    """An instance, and a PATH whose redis-cli talks to its Redis."""
    instance = start_mintd(redis=redis)
    instance.wait_for_store()
    wrapper = tmp_path / "redis-cli"
    wrapper.write_text('#!/bin/sh\nexec /usr/bin/redis-cli -s "%s" "$@"\n' % redis.socket_path)
    wrapper.chmod(0o755)
    return instance, str(tmp_path) + ":" + os.environ["PATH"]


def mint_codecademy(instance):
    return json.loads(shell(MINT, instance))["access_token"]


@row("README")
def test_redis_cli_ttl(operated):
    instance, path = operated
    token = mint_codecademy(instance)
    out = shell("redis-cli TTL  mintd:token:$(printf %s \"$T\" | sha256sum | cut -c1-32)", instance,
                PATH=path, T=token)
    assert 3598 <= int(out) <= 3600


@row("README")
def test_redis_cli_del(operated, redis):
    instance, path = operated
    token = mint_codecademy(instance)
    assert shell("redis-cli DEL  mintd:token:$(printf %s \"$T\" | sha256sum | cut -c1-32)", instance,
                 PATH=path, T=token) == "1\n"
    wait_refused(instance, token)
    assert not redis.cli("EXISTS", token_key(token))


@row("README")
def test_redis_cli_disable(operated, redis):
    instance, path = operated
    token = mint_codecademy(instance)
    try:
        shell("redis-cli HSET mintd:client:codecademy disabled 1", instance, PATH=path)
        wait_refused(instance, token)
    finally:
        redis.cli("HDEL", "mintd:client:codecademy", "disabled")
    wait_until(lambda: curl("--fail", "-H", "Authorization: Bearer " + token,
                            instance.url + "/secret")[0] == 0)


@row("README")
def test_redis_shows_text(operated, redis):
    instance, path = operated
    token = mint_codecademy(instance)
    out = shell("redis-cli GET mintd:token:$(printf %s \"$T\" | sha256sum | cut -c1-32)", instance, PATH=path,
                T=token)
    assert json.loads(out)["client"] == CODECADEMY.id
