"""One mutant: compiled, linked into the tests that cover it, and tried.

The build folder is a Release build with tests; nothing in it is touched. A mutant's object goes into the link ahead
of the libraries, whose own member of that name is then left out. With optimisation many mutants become the same
program as the original or as each other: those are no mutants.
"""
import functools
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import covered

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROWS_SECONDS = 240  # a mutant that takes longer hangs

SANITIZED = "-O1", "-fno-sanitize-recover=all"  # the mutant's object alone
# Sanitizers map fixed addresses, which a kernel that randomises much may have given away.
STEADY = ("setarch", "-R") if subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0 else ()

KILLED, ALIVE, SAME, NO_PROGRAM = "killed", "alive", "the same program", "does not compile"


def ended_well(words, seconds, env=None):
    """Whether it ended with status 0 in time. Nothing that it started stays."""
    with subprocess.Popen(words, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def beside_each_other(count):
    """Words for pytest, where it can."""
    try:
        import xdist  # noqa: F401 # pylint: disable=import-outside-toplevel,unused-import
        return ["-n", str(count)]
    except ImportError:
        return []


class Build:
    """How a build folder compiles and links."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
            self._compiles = {os.path.relpath(entry["file"], ROOT): entry for entry in json.load(file)}
        self._ninja = os.path.exists(os.path.join(folder, "build.ninja"))
        self._patience, self._lock = {}, threading.Lock()

    def patience(self, program):
        """For how long a mutant may run, by how long the program takes that is none, which has to pass."""
        with self._lock:
            if program not in self._patience:
                began = time.monotonic()
                if not ended_well([os.path.join(self.folder, "bin", program)], 300):
                    raise RuntimeError("%s fails without a mutant" % program)
                self._patience[program] = 2 + 3 * (time.monotonic() - began)
            return self._patience[program]

    def compile(self, path, source, at, more=()):
        """The object's bytes; None if it does not compile. more: options."""
        entry = self._compiles[path]
        words = shlex.split(entry["command"])
        words = [word for word in words[words[0].endswith("ccache"):] if word != "-Werror"]
        place, made = os.path.join(at, "it.c"), os.path.join(at, "it.o")
        with open(place, "w", encoding="utf-8") as file:
            file.write(source)
        words[words.index("-o") + 1] = made
        words[-1] = place
        words += [*more, "-fno-lto", "-w", "-iquote", os.path.dirname(os.path.join(ROOT, path)), "-frandom-seed=it",
                  "-ffile-prefix-map=%s=." % at]
        done = subprocess.run(words, cwd=entry["directory"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            return None
        with open(made, "rb") as file:
            return file.read()

    @functools.lru_cache(maxsize=None)  # pylint: disable=method-cache-max-size-none # there is one build
    def _link_command(self, program):
        """(folder, words)"""
        if self._ninja:
            said = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", "bin/" + program], check=True,
                                  capture_output=True, text=True).stdout.splitlines()[-1]
            return self.folder, shlex.split(said.removeprefix(": && ").removesuffix(" && :"))
        folder = os.path.join(self.folder, covered.FOLDERS.get(program, "tests"))
        with open(os.path.join(folder, "CMakeFiles", program + ".dir", "link.txt"), encoding="utf-8") as file:
            return folder, shlex.split(file.read())

    def link(self, program, path, at, more=()):
        """The program with the object at/it.o in place of that of `path`."""
        folder, words = self._link_command(program)
        words = list(words)
        made, output = os.path.join(at, "it.o"), os.path.join(at, program)
        words[words.index("-o") + 1] = output
        own = [word for word in words if word.endswith(".dir/" + path + ".o") or word.endswith(".dir/__/" + path + ".o")]
        words = [made if word in own else word for word in words]
        if not own:
            words.insert(words.index("-o"), made)
        subprocess.run([*words, *more, "-fno-use-linker-plugin"], cwd=folder, check=True, capture_output=True)
        return output


def unit_kills(build, path, at, more=()):
    """The first test program that fails; None."""
    slower, steady = (5, STEADY) if more else (1, ())
    for test in covered.sanitized_tests_of(path) if more else covered.tests_of(path):
        program = build.link("test_" + test, path, at, more)
        if not ended_well([*steady, program], slower * build.patience("test_" + test)):
            return test
        os.remove(os.path.join(at, "test_" + test))
    return None


def rows_kill(build, path, at):
    """The rows of tests/e2e that fail; None."""
    rows = covered.rows_of(path)
    if not rows:
        return None
    env = {**os.environ, "MINTD_BINARY": build.link("mintd", path, at), "MINTCTL_BINARY": build.link("mintctl", path, at),
           "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", "no_proxy": "*", "TMPDIR": at}
    words = [sys.executable, "-m", "pytest", "-q", "-x", *beside_each_other(2), *(os.path.join("tests", "e2e", row) for row in rows)]
    return None if ended_well(words, ROWS_SECONDS, env) else "tests/e2e"


class Trials:
    """Mutants of one build; what is the same program as another one is told once."""

    def __init__(self, build, with_rows=True):
        self.build, self._with_rows = build, with_rows
        self._seen, self._originals, self._lock = set(), {}, threading.Lock()

    def _is_new(self, mutant, made, at):
        with self._lock:
            if mutant.path not in self._originals:
                with open(os.path.join(ROOT, mutant.path), encoding="utf-8") as file:
                    original = self.build.compile(mutant.path, file.read(), at)
                self._originals[mutant.path] = original
                self._seen.add((mutant.path, original))
                self.build.compile(mutant.path, mutant.source, at)
            is_new = (mutant.path, made) not in self._seen
            self._seen.add((mutant.path, made))
            return is_new

    def run(self, mutant):
        """(verdict, by what)"""
        with tempfile.TemporaryDirectory(prefix="mutant.") as at:
            made = self.build.compile(mutant.path, mutant.source, at)
            if made is None:
                return NO_PROGRAM, ""
            if not self._is_new(mutant, made, at):
                return SAME, ""
            by = self._killed_by(mutant, at)
            return (KILLED, by) if by else (ALIVE, "")

    def _killed_by(self, mutant, at):
        by = unit_kills(self.build, mutant.path, at)
        for sanitizer in covered.sanitizers_of(mutant.path):
            if not by:  # what reads behind an end, or gives nothing back, or has no lock, is seen by a sanitizer alone
                options = *SANITIZED, "-fsanitize=" + sanitizer
                self.build.compile(mutant.path, mutant.source, at, options)
                by = unit_kills(self.build, mutant.path, at, options)
        if not by and self._with_rows:
            self.build.compile(mutant.path, mutant.source, at)
            by = rows_kill(self.build, mutant.path, at)
        return by
