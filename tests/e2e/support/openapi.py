"""docs/openapi.yaml: what it says of each operation, and whether an answer is one that it names.

    for operation in openapi.operations(): operation.path, operation.method, operation.responses
    operation.examples()                 # each Example: status, name, request, value
    operation.check(response)            # its status, its fields and its body are what is said
    openapi.operation("/status.json")    # the one of this path
    openapi.members_of(schema)           # {"redis", "redis.nodes", "redis.nodes.slots", …}: all that it names
    openapi.members_in(value)            # those that are there
"""
import dataclasses
import functools
import json
import os

import jsonschema
import yaml

from .mintd import REPOSITORY

PATH = os.path.join(REPOSITORY, "docs", "openapi.yaml")
METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
# Of every answer; what they hold is checked by http.check_common().
COMMON = {"date", "content-length", "content-type", "connection"}


@functools.lru_cache(maxsize=None)
def document():
    with open(PATH, encoding="utf-8") as file:
        return yaml.safe_load(file)


def resolved(node):
    while "$ref" in node:
        target = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def validate(value, schema):
    jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).validate(value)


def members_of(schema, path=""):
    schema = resolved(schema)
    found = members_of(schema["items"], path) if "items" in schema else set()
    for name, member in schema.get("properties", {}).items():
        found |= {path + name} | members_of(member, path + name + ".")
    return found


def members_in(value, path=""):
    if isinstance(value, list):
        return set().union(*(members_in(item, path) for item in value))
    members = value.items() if isinstance(value, dict) else ()
    return set().union(*({path + name} | members_in(member, path + name + ".") for name, member in members))


def examples_of(response):
    """{name: value} of a response, whatever its media type."""
    return {name: example["value"] for media in response.get("content", {}).values()
            for name, example in media.get("examples", {}).items()}


@dataclasses.dataclass(frozen=True)
class Example:
    operation: object
    status: int
    name: str
    request: dict
    response: dict  # as it is described

    @property
    def value(self):
        return examples_of(self.response).get(self.name)

    @property
    def id(self):
        return "%s-%d-%s" % (self.operation.name, self.status, self.name)


@dataclasses.dataclass(frozen=True)
class Operation:
    path: str
    method: str
    about: dict

    @property
    def name(self):
        return self.about["operationId"]

    @property
    def responses(self):
        return {status: resolved(response) for status, response in self.about["responses"].items()}

    @property
    def statuses(self):
        """All that it may say, what the server says of itself included."""
        named = {int(status) for status in self.responses if status != "default"}
        return named | {int(status) for status in self.responses["default"]["x-requests"]}

    def response_for(self, status):
        return self.responses.get(str(status), self.responses["default"])

    def examples(self):
        refused = self.responses["default"]
        for status, requests in self.about["x-requests"].items():
            for name, request in requests.items():
                yield Example(self, int(status), name, request, self.responses[status])
        for status, requests in refused["x-requests"].items():
            for name, request in requests.items():
                yield Example(self, int(status), name, request, refused)

    def check(self, response, described=None):
        assert response.status in self.statuses, "%s: %r" % (self.name, response)
        described = described or self.response_for(response.status)
        self._check_fields(response, described.get("headers", {}))
        self._check_body(response, described.get("content", {}))

    def _check_fields(self, response, headers):
        told = {name.lower(): resolved(header) for name, header in headers.items()}
        for name, header in told.items():
            values = response.all(name)
            assert values or not header.get("required"), "%s is missing: %r" % (name, response)
            for value in values:
                validate(value, header["schema"])
        unknown = {name.lower() for name, _ in response.fields} - told.keys() - COMMON
        assert not unknown, "%s: %r" % (sorted(unknown), response)

    def _check_body(self, response, content):
        kind = (response.get("Content-Type") or "").split(";")[0]
        if not content:
            assert not response.body and not kind, response
            return
        assert kind in content, response
        if not response.head:
            body = json.loads(response.body) if kind == "application/json" else response.body.decode()
            validate(body, content[kind]["schema"])


def operations():
    return [Operation(path, method, about[method]) for path, about in document()["paths"].items()
            for method in METHODS if method in about]


def operation(path):
    return next(one for one in operations() if one.path == path)
