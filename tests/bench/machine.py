"""What the measurements were made on, and with."""
import os
import platform
import re
import subprocess

import peers


def describe():
    """The machine and the versions of all programs, by name."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'^PRETTY_NAME="?(.*?)"?$', file.read(), re.M)
    return {"CPU": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "system": system.group(1) if system else "",
            "open files": os.sysconf("SC_OPEN_MAX"), "mintd": _mintd(), **_programs()}


def _output(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def _mintd():
    commit = _output("git", "-C", peers.ROOT, "rev-parse", "--short", "HEAD").strip()
    changed = _output("git", "-C", peers.ROOT, "status", "--porcelain", "src", "include", "cmd").strip()
    return "%s, commit %s%s" % (_version(_output(peers.MINTD, "--version")), commit,
                                " with changes" if changed else "")


def _version(text):
    found = re.search(r"\d+\.\d+(\.\d+)?", text)
    return found.group() if found else "?"


def _package(name):
    """webdis and wrk do not tell their own in a form that can be read."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True,
                          check=False)
    return _version(done.stdout)


def _programs():
    packages = "node_modules/%s/package.json"
    return {"Redis": _version(_output("redis-cli", "--version")), "nginx": _version(_output("nginx", "-v")),
            "webdis": _package("webdis"), "wrk": _package("wrk"), "node": _version(_output("node", "--version")),
            **{name: _npm_version(packages % name)
               for name in ("express", "@node-oauth/oauth2-server", "redis")}}


def _npm_version(path):
    with open(os.path.join(peers.BENCH, "node", path), encoding="utf-8") as file:
        return re.search(r'"version": "(.*?)"', file.read()).group(1)
