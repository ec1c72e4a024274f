"""Two hosts on one machine: network namespaces with a wire between them that can lose every packet.

    network = Network()               # skips the test where no user may have namespaces
    RedisServer("--bind", network.FAR, runner=network.far)
    start_mintd(redis="redis://%s:%d" % (network.FAR, port), runner=network.near)
    network.cut()                     # packets vanish, both ways; neither side is told
    network.heal()
    network.close()

Sockets in the file system are reached from outside as ever.
"""
import subprocess

import pytest

_UNSHARE = ["unshare", "--user", "--map-root-user", "--net"]
_HOLD = ["sh", "-c", "echo ready && exec cat"]  # until our end of its input is closed
_NOBODY = "02:00:00:00:00:01"


class Network:
    NEAR, FAR = "10.213.0.1", "10.213.0.2"

    def __init__(self):
        possible = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False)
        if possible.returncode:
            pytest.skip("no network namespace: " + possible.stderr.decode().strip())
        self._holders = []
        near = self._hold(_UNSHARE)
        far = self._hold([*self._inside(near, "--user"), "unshare", "--net"])
        self.near = self._inside(near, "--user", "--net")
        self.far = self._inside(far, "--user", "--net")
        self._ip(self.near, "link add wire type veth peer name wire netns %d" % far)
        for runner, address in ((self.near, self.NEAR), (self.far, self.FAR)):
            self._ip(runner, "link set lo up")
            self._ip(runner, "address add %s/24 dev wire" % address)
            self._ip(runner, "link set wire up")

    def _hold(self, command):
        """A process whose namespaces are those that the command makes; its id."""
        holder = subprocess.Popen([*command, *_HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._holders.append(holder)
        assert holder.stdout.readline() == b"ready\n"
        return holder.pid

    @staticmethod
    def _inside(process_id, *kinds):
        return ["nsenter", "--preserve-credentials", "--target", str(process_id), *kinds]

    @staticmethod
    def _ip(runner, words):
        subprocess.run([*runner, "ip", *words.split()], check=True)

    def cut(self):
        """Each side sends to an address of nobody."""
        for runner, address in ((self.near, self.FAR), (self.far, self.NEAR)):
            self._ip(runner, "neighbour replace %s lladdr %s nud permanent dev wire" % (address, _NOBODY))

    def heal(self):
        for runner, address in ((self.near, self.FAR), (self.far, self.NEAR)):
            self._ip(runner, "neighbour delete %s dev wire" % address)

    def close(self):
        for holder in reversed(self._holders):
            holder.stdin.close()
            holder.stdout.close()
            holder.wait(10)
