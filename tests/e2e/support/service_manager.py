"""What systemd does for a service, as far as the service can see it.

    manager = ServiceManager(folder)               # a datagram socket; abstract=True: one without a file
    instance = start_mintd(env=manager.environment(watchdog=2.0))
    manager.wait_for("READY=1")                    # the fields of that message: {"READY": "1", "STATUS": …}
    manager.silence(1.5)                           # all messages of that time
    with held(tid): …                              # one thread of a process stands still
"""
import contextlib
import ctypes
import errno
import os
import secrets
import select
import socket
import time

import pytest

from .timing import scaled

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000


class ServiceManager:
    def __init__(self, folder, abstract=False):
        self.name = "@mintd-test-" + secrets.token_hex(8) if abstract else os.path.join(str(folder), "notify")
        self.messages = []  # all that came, as fields
        self._seen = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.name[1:] if abstract else self.name)

    def environment(self, watchdog=None, pid=None):
        """watchdog: seconds."""
        parts = {"NOTIFY_SOCKET": self.name}
        if watchdog is not None:
            parts["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        if pid is not None:
            parts["WATCHDOG_PID"] = str(pid)
        return parts

    def _receive(self, within):
        if not select.select([self._socket], [], [], max(0.0, within))[0]:
            return None
        text = self._socket.recv(4096).decode()
        self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))
        return self.messages[-1]

    def wait_for(self, line, within=10.0):
        """The next message that has this line; a predicate of the fields serves too."""
        if isinstance(line, str):
            name, value = line.split("=", 1)
            test = lambda message: message.get(name) == value
        else:
            test = line
        deadline = time.monotonic() + scaled(within)
        while True:
            while self._seen < len(self.messages):
                self._seen += 1
                if test(self.messages[self._seen - 1]):
                    return self.messages[self._seen - 1]
            assert self._receive(deadline - time.monotonic()), \
                "not within %.1f s: %r in %r" % (within, line, self.messages)

    def drain(self):
        """What has come so far counts as seen."""
        while self._receive(0):
            pass
        self._seen = len(self.messages)

    def silence(self, seconds):
        self.drain()
        since, deadline = self._seen, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._receive(left)
        self._seen = len(self.messages)
        return self.messages[since:]

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def thread_of(pid, name):
    """The number of the thread that is called so."""
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid), encoding="ascii") as file:
            if file.read().rstrip("\n") == name:
                return int(tid)
    raise AssertionError("no thread %r" % name)


@contextlib.contextmanager
def held(tid):
    """One thread stands still, as if it hung; the others go on. (SIGSTOP would stop them all.)"""
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if library.ptrace(_SEIZE, tid, None, None) != 0:
        if ctypes.get_errno() == errno.EPERM and os.geteuid() != 0:
            pytest.skip("only root may hold a thread of this program")
        raise OSError(ctypes.get_errno(), "PTRACE_SEIZE")
    try:
        assert library.ptrace(_INTERRUPT, tid, None, None) == 0
        os.waitpid(tid, _WALL)
        yield
    finally:
        library.ptrace(_DETACH, tid, None, None)
