"""Network namespaces: which there are, and running something inside one without moving the whole process.

A namespace is named as ``ip netns`` names it (a file in /run/netns), ``pid:N`` for one that only processes hold, and ""
for the current one. setns(2) moves one thread, so every visit is a thread of its own.
"""

import errno as codes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from virtfn.errors import UsageError
from virtfn.host.kernel_errors import KernelCall, errno_word

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SLASH = Path("/")


@dataclass(frozen=True)
class NamespaceList:
    """The other network namespaces by name; ``problems``: what could not be read, empty where all was."""

    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def namespace_path(netns: str, *, root: Path = _SLASH) -> Path:
    """The file of namespace ``netns``. Raises UsageError where the text cannot be a namespace's name."""
    if netns.startswith("pid:"):
        if not netns[4:].isdecimal():
            raise UsageError(f"{netns!r} names no process", hint="write it like pid:1234")
        return root / "proc" / netns[4:] / "ns" / "net"
    if not netns or "/" in netns or netns in (".", ".."):
        raise UsageError(f"{netns!r} is not the name of a network namespace", hint="'ip netns list' shows the names")
    return root / "run" / "netns" / netns


@contextmanager
def entered(netns: str, *, root: Path = _SLASH) -> Iterator[None]:
    """The calling thread is inside ``netns`` for the length of the block; "" changes nothing.

    Raises PermissionDenied (CAP_SYS_ADMIN is needed), KernelRefused where there is no such namespace, UsageError.
    Equivalent: ``ip netns exec NAME``, ``nsenter -t N -n`` (without their remount of /sys). Source: setns(2).
    """
    if not netns:
        yield
        return
    attempt = KernelCall(where=f"network namespace {netns}", call="setns", command=_entering(netns))
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            there = os.open(namespace_path(netns, root=root), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise attempt.refused(error.errno or codes.EIO) from error
        try:
            _setns(there, attempt)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home, attempt)
    finally:
        os.close(home)


def call_in(netns: str, function: Callable[[], T], *, root: Path = _SLASH) -> T:
    """What ``function`` returns, run in a fresh thread inside ``netns``; run right here where ``netns`` is "".

    A socket that it opens stays in that namespace afterwards. Raises what ``entered`` and ``function`` raise.
    """
    if not netns:
        return function()
    results: list[T] = []
    errors: list[BaseException] = []

    def visit() -> None:
        try:
            with entered(netns, root=root):
                results.append(function())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread, whatever it is
            errors.append(error)

    thread = threading.Thread(target=visit, name=f"netns {netns}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def other_namespaces(*, root: Path = _SLASH, most: int = 1024) -> NamespaceList:
    """Every network namespace but the current one: the named, then those that only processes hold (lowest pid each).

    At most ``most`` are listed. An ordinary user sees only his own processes' namespaces; this is in ``problems`` then.
    Equivalent: ``lsns -t net``.
    """
    current = _identity(f"{root}/proc/self/ns/net")
    if isinstance(current, int):
        return NamespaceList((), (f"this kernel shows no network namespaces ({errno_word(current)})",))
    seen = {current}
    names: list[str] = []
    problems: list[str] = []
    hidden = 0
    for netns, path in [*_named(root), *_by_process(root)]:
        if len(names) == most:
            problems.append(f"more than {most} network namespaces: the rest was not looked at")
            break
        identity = _identity(path)
        if isinstance(identity, int):
            hidden += identity in (codes.EACCES, codes.EPERM)
            continue
        is_namespace = identity[0] == current[0]  # a file left behind in /run/netns is on another filesystem
        if is_namespace and identity not in seen:
            seen.add(identity)
            names.append(netns)
    if hidden:
        problems.append(f"the namespaces of {hidden} processes cannot be seen without root (EACCES)")
    return NamespaceList(tuple(names), tuple(problems))


def _named(root: Path) -> list[tuple[str, str]]:
    try:
        names = sorted(os.listdir(root / "run" / "netns"))  # noqa: PTH208 - names only, no Path each
    except OSError:
        return []
    return [(name, f"{root}/run/netns/{name}") for name in names]


def _by_process(root: Path) -> list[tuple[str, str]]:
    try:
        pids = sorted(int(entry) for entry in os.listdir(root / "proc") if entry.isdecimal())  # noqa: PTH208
    except OSError:
        return []
    return [(f"pid:{pid}", f"{root}/proc/{pid}/ns/net") for pid in pids]


def _identity(path: str) -> tuple[int, int] | int:
    """Device and inode of the namespace, or the errno that hides it."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - hot: one per process of the host
    except OSError as error:
        return error.errno or codes.EIO
    return stat.st_dev, stat.st_ino


def _entering(netns: str) -> str:
    return f"nsenter -t {netns[4:]} -n" if netns.startswith("pid:") else f"ip netns exec {netns} true"


def _setns(descriptor: int, attempt: KernelCall) -> None:
    if sys.version_info >= (3, 12):
        try:
            os.setns(descriptor, _CLONE_NEWNET)
        except OSError as error:
            raise attempt.refused(error.errno or codes.EIO) from error
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise attempt.refused(number, "not a network namespace" if number == codes.EINVAL else "")
