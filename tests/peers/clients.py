"""OAuth clients that others wrote, behind one set of verbs.

    client = Authlib()
    client.mint(issuer, "svc-a", "secret", method="basic", scope="read")   # the token response, a dict
    client.introspect(issuer, id, secret, token); client.revoke(issuer, id, secret, token)
    client.use(issuer, token)                                              # GET /secret or another path, a dict
    client.discover(issuer)                                                # RFC 8414, a dict

Whatever the library raises comes as a Failure, with the name of the library's own exception. A library
has the verbs in its `verbs`, and the ways to authenticate in its `methods`. The npm ones are programs in node/.
"""
import base64
import json
import os
import select
import shutil
import subprocess

from support.process import leashed
from support.timing import scaled

# The documented switches of libraries that insist on https.
os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")

NODE = os.path.join(os.path.dirname(__file__), "node")
TIMEOUT = scaled(30)


class Failure(Exception):
    def __init__(self, name, error=None, status=None, challenge=None, message=""):
        super().__init__("%s: %s (%s): %s" % (name, error, status, message))
        self.name = name  # of the library's exception
        self.error = error  # the code of RFC 6749 or 6750
        self.status = status
        self.challenge = challenge  # as the library took it apart


class NodeClient:
    methods = ("basic", "post")
    verbs = ("mint", "introspect", "revoke", "use", "discover")
    program = None
    _process = None

    def takes(self, _secret, _method):
        return True

    def _start(self):
        """One process for the whole run; it ends with its standard input."""
        assert os.path.isdir(os.path.join(NODE, "node_modules")), "run npm ci in tests/peers/node"
        node = shutil.which("node")
        assert node, "node is missing"
        self._process = subprocess.Popen(
            leashed(node, os.path.join(NODE, self.program)), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def _do(self, verb, **task):
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._process.stdin.write(json.dumps({"do": verb, **task}).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], TIMEOUT)
        assert ready, "%s says nothing" % self.program
        outcome = json.loads(self._process.stdout.readline())
        if failure := outcome.get("failure"):
            raise Failure(**failure)
        return outcome["result"]

    def mint(self, issuer, name, secret, method="basic", scope=None, endpoint=None):
        return self._do("mint", issuer=issuer, id=name, secret=secret, method=method, scope=scope,
                        endpoint=endpoint)

    def introspect(self, issuer, name, secret, token, method="basic"):
        return self._do("introspect", issuer=issuer, id=name, secret=secret, method=method, token=token)

    def revoke(self, issuer, name, secret, token, method="basic"):
        return self._do("revoke", issuer=issuer, id=name, secret=secret, method=method, token=token)

    def use(self, issuer, token, path="/secret"):
        return self._do("use", issuer=issuer, token=token, path=path)

    def discover(self, issuer):
        return self._do("discover", issuer=issuer)


class Oauth4webapi(NodeClient):
    program = "oauth4webapi.js"
    endpoints = ("/token", "/auth")
    refused = "WWWAuthenticateChallengeError"
    not_allowed = "ResponseBodyError"
    unavailable = "OperationProcessingError"

    def discover_resource(self, issuer):
        return self._do("discoverResource", issuer=issuer)


class OpenidClient(NodeClient):
    program = "openid-client.js"
    endpoints = ("/token",)  # the one of the metadata
    refused = "WWWAuthenticateChallengeError"
    not_allowed = "ResponseBodyError"
    unavailable = "ClientError"


class SimpleOauth2(NodeClient):
    program = "simple-oauth2.js"
    methods = ("basic", "raw basic", "post")
    verbs = ("mint", "revoke")
    endpoints = ("/token", "/auth")
    refused = not_allowed = unavailable = "Error"  # Boom: the status and the payload tell

    def takes(self, secret, _method):
        return secret.isascii()  # others it refuses itself


class McpSdk(NodeClient):
    """auth() of the Model Context Protocol's SDK: it finds its way from the resource's URL, and asks for a
    token for that resource."""
    program = "mcp-sdk.js"
    methods = ("basic",)
    verbs = ("mint", "discover")
    endpoints = ("/token",)  # the one of the metadata
    refused, not_allowed, unavailable = "InvalidClientError", "InvalidScopeError", "TemporarilyUnavailableError"

    def takes(self, secret, _method):
        return secret.isascii()  # others it writes as Latin-1, whatever RFC 7617's charset says


class Authlib:
    methods = ("basic", "post")
    verbs = ("mint", "introspect", "revoke", "use")
    endpoints = ("/token", "/auth")
    refused = not_allowed = "OAuthError"
    unavailable = "HTTPError"

    def _session(self, name, secret, method="basic", **more):
        from authlib.integrations.requests_client import OAuth2Session
        return OAuth2Session(name, secret, token_endpoint_auth_method="client_secret_" + method,
                             revocation_endpoint_auth_method="client_secret_" + method,
                             default_timeout=TIMEOUT, **more)

    def takes(self, secret, method):
        """Old versions write Basic credentials as Latin-1, whatever RFC 7617's charset says."""
        from authlib.oauth2.auth import encode_client_secret_basic

        class Credentials:
            client_id, client_secret = "x", secret

        if method != "basic":
            return True
        _, fields, _ = encode_client_secret_basic(Credentials, "POST", "", {}, "")
        return base64.b64decode(fields["Authorization"][6:]) == ("x:" + secret).encode()

    def mint(self, issuer, name, secret, method="basic", scope=None, endpoint="/token"):
        from authlib.integrations.base_client import OAuthError
        from requests import HTTPError
        try:
            return dict(self._session(name, secret, method, scope=scope).fetch_token(
                issuer + endpoint, grant_type="client_credentials"))
        except OAuthError as problem:
            raise Failure(type(problem).__name__, problem.error) from problem
        except HTTPError as problem:
            raise Failure(type(problem).__name__, status=problem.response.status_code) from problem

    @staticmethod
    def _answer(response):
        if response.status_code != 200:
            error = response.json().get("error") if response.content else None
            raise Failure("Response", error, response.status_code)
        return response.json()

    def introspect(self, issuer, name, secret, token, method="basic"):
        return self._answer(self._session(name, secret, method).introspect_token(
            issuer + "/introspect", token=token, token_type_hint="access_token"))

    def revoke(self, issuer, name, secret, token, method="basic"):
        self._answer(self._session(name, secret, method).revoke_token(
            issuer + "/revoke", token=token, token_type_hint="access_token"))

    def use(self, issuer, token, path="/secret"):
        session = self._session(None, None, token={"access_token": token, "token_type": "Bearer"})
        return self._answer(session.get(issuer + path))


class RequestsOauthlib:
    methods = ("basic", "post")
    verbs = ("mint", "revoke", "use")
    endpoints = ("/token", "/auth")
    refused = "InvalidClientError"
    not_allowed = "InvalidScopeError"
    unavailable = "TemporarilyUnavailableError"

    def takes(self, secret, method):
        from requests.auth import _basic_auth_str
        return method != "basic" or base64.b64decode(
            _basic_auth_str("x", secret)[6:]) == ("x:" + secret).encode()

    def mint(self, issuer, name, secret, method="basic", scope=None, endpoint="/token"):
        from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
        from requests.auth import HTTPBasicAuth
        from requests_oauthlib import OAuth2Session
        session = OAuth2Session(client=BackendApplicationClient(client_id=name, scope=scope))
        how = ({"auth": HTTPBasicAuth(name, secret)} if method == "basic"
               else {"include_client_id": True, "client_secret": secret})
        try:
            return dict(session.fetch_token(issuer + endpoint, timeout=TIMEOUT, **how))
        except OAuth2Error as problem:
            raise Failure(type(problem).__name__, problem.error) from problem

    def revoke(self, issuer, name, secret, token, method="basic"):
        import requests
        from oauthlib.oauth2 import BackendApplicationClient
        credentials = {} if method == "basic" else {"client_id": name, "client_secret": secret}
        url, fields, body = BackendApplicationClient(client_id=name).prepare_token_revocation_request(
            issuer + "/revoke", token, **credentials)
        response = requests.post(url, data=body, headers=fields, timeout=TIMEOUT,
                                 auth=(name, secret) if method == "basic" else None)
        Authlib._answer(response)

    def use(self, issuer, token, path="/secret"):
        from requests_oauthlib import OAuth2Session
        session = OAuth2Session(token={"access_token": token, "token_type": "Bearer"})
        return Authlib._answer(session.get(issuer + path, timeout=TIMEOUT))


class Curl:
    methods = ("basic", "post")
    verbs = ("mint", "introspect", "revoke", "use", "discover")
    endpoints = ("/token", "/auth")
    refused = not_allowed = unavailable = "curl"

    def takes(self, _secret, _method):
        return True

    @staticmethod
    def _quote(text):
        return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')

    def _run(self, url, *options):
        """Options as lines of a configuration file on standard input: no secret is an argument."""
        lines = ["silent", "show-error", "url = " + url, 'write-out = "\\n%{http_code}"', *options]
        done = subprocess.run(["curl", "-q", "-K", "-"], input="\n".join(lines), text=True,
                              capture_output=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, done
        body, _, status = done.stdout.rpartition("\n")
        document = json.loads(body) if body else {}
        if status != "200":
            raise Failure("curl", document.get("error"), int(status))
        return document

    def _form(self, name, secret, method, **fields):
        if method == "post":
            fields.update(client_id=name, client_secret=secret)
        lines = ["data-urlencode = " + self._quote("%s=%s" % pair) for pair in fields.items()]
        if method == "basic":
            lines.append("user = " + self._quote("%s:%s" % (name, secret)))
        return lines

    def mint(self, issuer, name, secret, method="basic", scope=None, endpoint="/token"):
        more = {"scope": scope} if scope else {}
        return self._run(issuer + endpoint, *self._form(name, secret, method,
                                                        grant_type="client_credentials", **more))

    def introspect(self, issuer, name, secret, token, method="basic"):
        return self._run(issuer + "/introspect", *self._form(name, secret, method, token=token))

    def revoke(self, issuer, name, secret, token, method="basic"):
        self._run(issuer + "/revoke", *self._form(name, secret, method, token=token))

    def use(self, issuer, token, path="/secret"):
        return self._run(issuer + path, "oauth2-bearer = " + self._quote(token))

    def discover(self, issuer):
        return self._run(issuer + "/.well-known/oauth-authorization-server")


CLIENTS = (Oauth4webapi(), OpenidClient(), SimpleOauth2(), McpSdk(), Authlib(), RequestsOauthlib(), Curl())
