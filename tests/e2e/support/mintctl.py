"""The real mintctl: run to its end, its output looked through for what must not be there.

    ctl = Mintctl(redis)                  # a RedisServer or a URL
    done = ctl("client", "show", "x")     # asserts exit status 0; done.out, done.err
    ctl("client", "show", "y", status=1)  # another one
    ctl("explain", "-", stdin=token)
    secret = ctl.secret("client", "add", "x")   # the one line of standard output that may be secret
    ctl.json("status")                    # --json, parsed
    with ctl.terminal("client", "remove", "x") as terminal:   # on a terminal of its own
        terminal.expect("[y/N]"); terminal.send("y\\n"); terminal.end(0)

Environment: MINTCTL_BINARY (default: beside mintd), MINTD_RUNNER.

Whatever it prints is searched for tokens, secrets, hashes and sanitizer reports; exit status and
standard error belong together: 0 may be silent, anything else says why in one line.
"""
import dataclasses
import json
import os
import pty
import re
import select
import shlex
import subprocess
import time

from . import mintd
from .timing import scaled

SECRET = re.compile(r"mt[ds]_[0-9A-Za-z]{49}")
# What it leaks ends with it, at once; to look for that takes as long as a command.
ASAN_OPTIONS = mintd.ASAN_OPTIONS.replace("detect_leaks=1", "detect_leaks=0")
HASH = re.compile(r"\$(sha256|scrypt|argon2id)\$[0-9A-Za-z]")
REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer|==\d+==")


def binary():
    beside = os.path.join(os.path.dirname(mintd.binary()), "mintctl")
    return os.path.abspath(os.environ.get("MINTCTL_BINARY") or beside)


def command_line(*arguments):
    return [*shlex.split(os.environ.get("MINTD_RUNNER", "")), binary(), *arguments]


@dataclasses.dataclass
class Done:
    status: int
    out: str
    err: str


def check_output(text):
    assert not SECRET.search(text), "a token or a secret: " + text
    assert not HASH.search(text), "a hash: " + text
    assert not REPORT.search(text), text


class Mintctl:
    def __init__(self, redis=None, env=None, canaries=()):
        """canaries: more texts that must never be printed."""
        url = getattr(redis, "url", redis)
        self._env = mintd.environment({"ASAN_OPTIONS": ASAN_OPTIONS, **({"MINTD_REDIS": url} if url else {}), **(env or {})})
        self.canaries = list(canaries)

    def run(self, *arguments, stdin=None, timeout=20):
        """Nothing is looked at."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(command_line(*arguments), capture_output=True, check=False,
                              input=data if data is not None else b"", env=self._env,
                              timeout=scaled(timeout))
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _check(self, text):
        check_output(text)
        for canary in self.canaries:
            assert canary not in text, "a canary: " + text

    def __call__(self, *arguments, status=0, **more):
        done = self.run(*arguments, **more)
        assert done.status == status, done
        self._check(done.out)
        self._check(done.err)
        if status != 0 and not done.out:
            assert re.search(r"^(mintctl: |usage: mintctl)", done.err, re.MULTILINE), done
        return done

    def secret(self, *arguments, **more):
        """A command that prints one secret, alone, on standard output."""
        done = self.run(*arguments, **more)
        assert done.status == 0, done
        self._check(done.err)
        assert re.fullmatch(r"mt[ds]_[0-9A-Za-z]{49}\n", done.out), done
        self.canaries.append(done.out.strip())
        return done.out.strip()

    def json(self, *arguments, status=0, **more):
        return json.loads(self(*arguments, "--json", status=status, **more).out)

    def terminal(self, *arguments):
        return Terminal(command_line(*arguments), {**self._env, "TERM": "xterm"})


class Terminal:
    """The command on a pseudo-terminal: standard input, output and error."""

    def __init__(self, command, env, cwd=None):
        self._master, slave = pty.openpty()
        self.seen = ""
        self._process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env,
                                         cwd=cwd, start_new_session=True)
        os.close(slave)

    def _read(self, until):
        """More of what it says; False at its end."""
        left = until - time.monotonic()
        assert left > 0, "nothing more came after: " + self.seen
        if not select.select([self._master], [], [], left)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.seen += data.decode()
        return bool(data)

    def expect(self, text, within=10):
        until = time.monotonic() + scaled(within)
        while text not in self.seen:
            assert self._read(until), "ended before %r: %s" % (text, self.seen)

    def look(self):
        """Reads what is there, which it may be waiting to be rid of."""
        while select.select([self._master], [], [], 0)[0] and self._read(time.monotonic() + 1):
            pass
        return self

    def send(self, text):
        os.write(self._master, text.encode())

    def end(self, status, within=10):
        """Reads to the end; all that was seen."""
        until = time.monotonic() + scaled(within)
        while self._read(until):
            pass
        assert self._process.wait(scaled(within)) == status, self.seen
        assert not REPORT.search(self.seen), self.seen
        return self.seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)
