"""Requests by the clock, whether or not the ones before are answered: tests/bench/open_loop.c.

    with Load(address, [raw, other], [(1000, 1), (20_000, 5)], 64, "--patient") as load:    # (requests a second, seconds)
        load.is_running()
        load.phases()    # waits for its end; of each phase a dictionary
"""
import json
import os
import resource
import subprocess
import tempfile

from goal import NotHere
from stage import binary


class Load:
    def __init__(self, address, requests, phases, connections, *options, runner=()):
        self._place = tempfile.TemporaryDirectory(prefix="torture.")  # pylint: disable=consider-using-with
        paths = [os.path.join(self._place.name, str(number)) for number in range(len(requests))]
        for path, raw in zip(paths, requests):
            with open(path, "wb") as file:
                file.write(raw)
        program = os.path.join(os.path.dirname(binary()), "open_loop")
        self._process = subprocess.Popen([*runner, program, "--address", "%s:%d" % address, "--connections", str(connections),
                                          *options, *(word for phase in phases for word in ("--phase", "%d:%g" % phase)), *paths],
                                         stdout=subprocess.PIPE, text=True)

    def is_running(self):
        return self._process.poll() is None

    def close(self):
        if self.is_running():
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._place.cleanup()

    def phases(self):
        said = self._process.communicate()[0]
        if self._process.returncode:
            raise RuntimeError("open_loop ended with status %d" % self._process.returncode)
        return [json.loads(line) for line in said.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def may_open(files):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise NotHere("no %d open files" % files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def unserved(phase):
    """How many of the requests of a phase got no answer that says yes, and what they got instead."""
    seen = {name: phase[name] for name in ("unsent", "broken", "unanswered")}
    for outcome in ("refused", "other"):
        seen[outcome] = sum(kind[outcome]["count"] for kind in phase["kinds"])
    return sum(seen.values()), {name: count for name, count in seen.items() if count}
