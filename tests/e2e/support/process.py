"""Child processes that never outlive the tests."""
import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    """A preexec_fn: the child is killed when the thread that started it ends (also by kill -9)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
