"""An instance with an operations listener, and what /status.json says there: each answer is held against
docs/openapi.yaml.

    one = Watched(start_mintd, redis)        # start_mintd: the fixture, or what starts one and takes the same
    one.status()["redis"]["nodes"]
    one.node(server)                         # of these, the one with this address
    one.instance("other")                    # of the list of instances; None: it is not there
"""
from . import openapi
from .http import exchange, request_bytes
from .redis_server import free_port


class Watched:
    def __init__(self, start, redis, name="watched", **more):
        port = free_port()
        self.operations = ("127.0.0.1", port)
        self.mintd = start("--metrics-listen", "127.0.0.1:%d" % port, redis=redis, name=name, **more)

    def get(self, target, method="GET"):
        return exchange(self.operations, request_bytes(method, target), head=method == "HEAD", timeout=10)

    def status(self):
        response = self.get("/status.json")
        assert response.status == 200, response
        openapi.operation("/status.json").check(response)
        return response.json()

    def node(self, server):
        address = "127.0.0.1:%d" % server.port
        return next(node for node in self.status()["redis"]["nodes"] if node["address"] == address)

    def instance(self, name):
        return instance(self.status(), name)


def instance(status, name):
    return next((one for one in status["instances"]["list"] if one["name"] == name), None)
