"""A network of our own, in which packets between two places vanish, and neither is told. script/consistency runs
everything in it: a user and a network namespace, where there is only the loopback device. The rules are iptables',
and end with it.

All listen on 127.0.0.1. So a packet tells by its port where it goes to or comes from, and by its other address who
has made the connection: each Redis and each Sentinel connects from an address of its own (sources), the proxies of
the checker from another one, and mintd from 127.0.0.1.
"""
import itertools
import os
import subprocess
import typing

OUTER = "MINTD_OUTER_NETWORK"  # the namespace that script/consistency was started in
NAMESPACE = "/proc/self/ns/net"
CHAIN = "lost"


class Place(typing.NamedTuple):
    """source: it connects from there. ports: where it listens."""

    source: str
    ports: tuple = ()


MINTD = Place("127.0.0.1")


def is_own():
    """Whether rules may be made here: they are felt by nobody else."""
    outer = os.environ.get(OUTER)
    return bool(outer) and os.readlink(NAMESPACE) != outer


def source_of_proxies():
    """(address, any port), or None"""
    return ("127.2.0.1", 0) if is_own() else None


def place_of(server):
    """Of a Redis, a node of a cluster, or a Sentinel."""
    bus = (server.bus_port,) if hasattr(server, "bus_port") else ()
    return Place(server.source, (server.port, *bus))


def both_ways(one, others):
    return [way for other in others for way in ((one, other), (other, one))]


def _packets(sender, receiver):
    """What matches all packets from the one to the other."""
    yield from (("-s", sender.source, "--dport", str(port)) for port in receiver.ports)
    yield from (("-d", receiver.source, "--sport", str(port)) for port in sender.ports)


class Network:
    def __init__(self):
        assert is_own(), "these rules would be felt by others"
        self.sources = ("127.1.0.%d" % number for number in itertools.count(1))
        self._load("-A INPUT -j " + CHAIN)

    @staticmethod
    def _load(*rules):
        """All of them at once, in place of those of before."""
        text = "\n".join(["*filter", ":%s - [0:0]" % CHAIN, "-F " + CHAIN, *rules, "COMMIT", ""])
        subprocess.run(["iptables-restore", "--wait", "--noflush"], input=text.encode(), check=True)

    def lose(self, ways):
        """From now on the packets of these ways vanish, and no others; each is (sender, receiver)."""
        matches = [" ".join(match) for way in ways for match in _packets(*way)]
        assert matches, "nothing would be lost"
        self._load(*("-A %s -p tcp %s -j DROP" % (CHAIN, match) for match in matches))

    def heal(self):
        self._load()

    def close(self):
        self._load("-D INPUT -j " + CHAIN)
