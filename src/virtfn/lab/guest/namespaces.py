"""Step into a named network namespace for a moment (``ip netns exec`` without another program)."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_HOME = "/proc/self/ns/net"


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Within the block this thread is in the network namespace ``name`` ("" is where it is already).

    A socket opened inside stays there. Raises OSError (no such namespace, no privilege). Source: ``man 2 setns``.
    """
    if not name:
        yield
        return
    home = os.open(_HOME, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Path("/run/netns", name).open() as there:
            _setns(there.fileno(), name)
        try:
            yield
        finally:
            _setns(home, "home")
    finally:
        os.close(home)


def _setns(handle: int, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"netns {name}")
