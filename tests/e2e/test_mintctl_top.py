"""mintctl top: on a terminal of its own whose screen is looked at (pyte), and for programs."""
import csv
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte
import pytest

from support.mintctl import ASAN_OPTIONS, REPORT, Mintctl, command_line
from support.mintd import environment
from support.oauth import row, rows, wait_until
from support.redis_server import RedisServer
from support.timing import scaled

BEATS = {  # name: rates, connections, age, workers
    "mint-a": ({"minted": 12.4, "validated": 4180.2, "refused": 0.2, "answered": 4192.8}, 31, 1, 2),
    "mint-b": ({"minted": 99.9, "validated": 80.0, "refused": 7.5, "answered": 187.4}, 900, 15, 4),
    "mint-c": ({"minted": 0.0, "validated": 9000.5, "refused": 0.0, "answered": 9000.5}, 5, 3, 8),
}


@pytest.fixture
def server():
    with RedisServer() as server:
        server.cli("SET", "mintd:schema", "1")
        beat(server)
        yield server


def beat(server, names=tuple(BEATS), **more):
    for name in names:
        rates, connections, age, workers = BEATS[name]
        record = {"version": "0.1.0", "seen": int(time.time()) - age, "uptime": 7200, "workers": workers, "caching": 1,
                  "connections": connections, "rates": rates, **more}
        server.cli("SETEX", "mintd:instance:" + name, "600", json.dumps(record))
        server.cli("SADD", "mintd:instances", name)


class Screen:
    """A pseudo-terminal and what a person sees on it."""

    def __init__(self, server, *arguments, rows=24, columns=80, env=None):
        self._master, self.slave = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self.slave)
        settings = {"ASAN_OPTIONS": ASAN_OPTIONS, "MINTD_REDIS": server.url, "TERM": "xterm", **(env or {})}
        self.process = subprocess.Popen(command_line("top", "--interval", "1s", *arguments), stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, start_new_session=True,
                                        env=environment(settings),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.raw = b""
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data.decode())

    def resize(self, rows, columns, tell=True):
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            os.kill(self.process.pid, signal.SIGWINCH)

    def lines(self):
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    def names(self):
        """Of the instances, from the top."""
        return [line.split()[0] for line in self.lines()[4:] if line.startswith("mint-")]

    def press(self, keys):
        os.write(self._master, keys.encode())

    def wait(self, what, within=20):
        try:
            wait_until(what, within)
        except AssertionError:
            raise AssertionError("\n".join(self.lines())) from None

    def end(self, status):
        assert self.process.wait(scaled(20)) == status
        assert not REPORT.search(self.raw.decode())

    def is_as_before(self):
        """The settings of the terminal; its first screen, with a cursor."""
        assert termios.tcgetattr(self.slave) == self.before
        wait_until(lambda: self.raw.rstrip().endswith(b"\x1b[?25h\x1b[?1049l"), 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)


# ---- on a screen ----


@row("TOP")
def test_it_shows_each_instance(server):
    with Screen(server) as screen:
        screen.wait(lambda: screen.names() == ["mint-c", "mint-a", "mint-b"])
        lines = screen.lines()
        assert lines[0].startswith("3 instances  by answered, every 1 s"), lines
        assert lines[1] == "minted 112.3/s, validated 13260.7/s, refused 7.7/s, answered 13380.7/s, 936 conn", lines
        assert lines[3].split() == ["NAME", "MINTED/S", "VALID/S", "REFUSED/S", "ANSW/S", "CONNS", "AGE", "WORKERS"], lines
        assert lines[5].split()[:6] == ["mint-a", "12.4", "4180.2", "0.2", "4192.8", "31"], lines
        assert lines[23].startswith("q quits; sort:"), lines
        screen.press("q")
        screen.end(0)
        screen.is_as_before()


@row("TOP-live")
def test_it_follows_what_happens(server):
    with Screen(server) as screen:
        screen.wait(lambda: len(screen.names()) == 3)
        server.cli("DEL", "mintd:instance:mint-c")
        screen.wait(lambda: screen.names() == ["mint-a", "mint-b"])
        assert "mint-c" in server.cli("SMEMBERS", "mintd:instances")  # it only looks
        beat(server, ["mint-b"], rates={"answered": 5000.0})
        screen.wait(lambda: screen.names() == ["mint-b", "mint-a"])


@row("TOP-sort")
def test_a_key_sorts(server):
    with Screen(server, "--sort", "minted") as screen:
        screen.wait(lambda: screen.names() == ["mint-b", "mint-a", "mint-c"])
        for key, order in (("n", "abc"), ("v", "cab"), ("c", "bac"), ("w", "cba"), ("r", "bac"), ("g", "bca")):
            screen.press(key)
            screen.wait(lambda: screen.names() == ["mint-" + letter for letter in order])  # noqa: B023


@row("TOP-size")
def test_it_fits_the_terminal(server):
    with Screen(server, columns=200) as screen:
        screen.wait(lambda: screen.lines()[3].split()[-1:] == ["UP"])
        screen.resize(24, 40)
        screen.wait(lambda: screen.lines()[3].split() == ["NAME", "MINTED/S", "VALID/S"] and len(screen.names()) == 3)
        screen.resize(7, 80)
        screen.wait(lambda: screen.names() == ["mint-c", "mint-a"] and screen.lines()[6].startswith("1 more below"))
        screen.resize(1, 1)
        screen.resize(50, 300)
        screen.wait(lambda: len(screen.names()) == 3)


@row("TOP-away")
def test_redis_goes_away_and_comes_back(server):
    with Screen(server) as screen:
        screen.wait(lambda: len(screen.names()) == 3)
        server.kill()
        screen.wait(lambda: "127.0.0.1" in screen.lines()[2] and not screen.names())
        server.start()
        server.cli("SET", "mintd:schema", "1")
        beat(server)
        screen.wait(lambda: len(screen.names()) == 3 and screen.lines()[2] == "", 30)
        screen.press("q")
        screen.end(0)


@rows("TOP-end", int=signal.SIGINT, term=signal.SIGTERM, hup=signal.SIGHUP, quit=signal.SIGQUIT, segv=signal.SIGSEGV,
      abort=signal.SIGABRT)
def test_the_terminal_is_what_it_was(server, case):
    with Screen(server) as screen:
        screen.wait(lambda: len(screen.names()) == 3)
        assert termios.tcgetattr(screen.slave) != screen.before
        os.kill(screen.process.pid, case)
        screen.end(-case)
        screen.is_as_before()


@row("TOP-end-keys")
def test_control_c(server):
    with Screen(server) as screen:
        screen.wait(lambda: len(screen.names()) == 3)
        screen.press("\x03")
        screen.end(-signal.SIGINT)
        screen.is_as_before()


@row("TOP-stop")
def test_control_z_gives_the_terminal_back(server):
    with Screen(server) as screen:
        screen.wait(lambda: len(screen.names()) == 3)
        os.kill(screen.process.pid, signal.SIGTSTP)
        _, status = os.waitpid(screen.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        screen.is_as_before()
        os.kill(screen.process.pid, signal.SIGCONT)
        screen.wait(lambda: screen.raw.count(b"\x1b[?1049h") == 2 and len(screen.names()) == 3)
        screen.press("q")
        screen.end(0)


@row("TOP-harm")
def test_a_name_harms_no_terminal(server):
    server.cli("SETEX", "mintd:instance:\x1b[31mred", "600", "{}")
    server.cli("SADD", "mintd:instances", "\x1b[31mred")
    with Screen(server) as screen:
        screen.wait(lambda: any("\\u001b" in line for line in screen.lines()))
        assert b"\x1b[31mred" not in screen.raw


# ---- for programs ----


@row("TOP-once")
def test_once(server):
    ctl = Mintctl(server)
    lines = ctl("top", "--once", "--sort", "refused").out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "mint-b", "mint-a", "mint-c"], lines
    beat(server, ["mint-a"], draining=True)
    assert "(draining)" in ctl("top", "--once").out


@row("TOP-json")
def test_json(server):
    told = Mintctl(server).json("top", "--once", "--sort", "name")
    assert told["complete"] and [one["name"] for one in told["instances"]] == list(BEATS)
    one = told["instances"][1]
    assert abs(told["time"] - time.time()) < scaled(5) and 15 <= one.pop("age") < 15 + scaled(20), told
    assert one.pop("uptime") >= 7215
    assert one == {"name": "mint-b", "minted": 99.9, "validated": 80, "refused": 7.5, "answered": 187.4, "connections": 900,
                   "workers": 4, "caching": 1, "draining": False}


@row("TOP-csv")
def test_csv(server):
    server.cli("SETEX", "mintd:instance:a\",b", "600", "{}")
    server.cli("SADD", "mintd:instances", "a\",b")
    table = list(csv.DictReader(io.StringIO(Mintctl(server)("top", "--once", "--csv").out)))
    by_name = {line["name"].replace("\\", ""): line for line in table}
    assert set(by_name) == {*BEATS, "a\",b"} and float(by_name["mint-a"]["validated"]) == 4180.2, table


@rows("TOP-stream", json="--json", csv="--csv")
def test_again_and_again_until_the_reader_goes(server, case):
    process = subprocess.Popen(command_line("top", case, "--interval", "1s"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment({"ASAN_OPTIONS": ASAN_OPTIONS, "MINTD_REDIS": server.url}))
    with process:
        lines = [process.stdout.readline() for _ in range(8 if case == "--csv" else 2)]
        process.stdout.close()
        assert process.wait(scaled(20)) == 1 and process.stderr.read() == b""
    if case == "--json":
        assert [len(json.loads(line)["instances"]) for line in lines] == [3, 3]
    else:
        assert [line.split(b",")[0] for line in lines].count(b"time") == 1


@row("TOP-nothing")
def test_nothing_to_show():
    with RedisServer() as server:
        assert Mintctl(server).json("top", "--once")["instances"] == []


@rows("TOP-usage", sort=["--sort", "size"], interval=["--interval", "0"], long=["--interval", "2h"], both=["--json", "--csv"],
      no_terminal=[])
def test_wrong_usage(server, case):
    assert Mintctl(server)("top", *case, status=2).out == ""


@row("TOP-rights")
def test_a_user_who_may_not_look(server):
    server.cli("ACL", "SETUSER", "blind", "on", ">blind", "~*", "+@all", "-sscan")
    blind = Mintctl("redis://blind:blind@127.0.0.1:%d" % server.port)
    assert "may not read" in blind("top", "--once", status=1).err
