"""Which processes have a VF open through vfio, and which virtual machines they are.

Sources: Documentation/driver-api/vfio.rst (/dev/vfio/GROUP, /dev/vfio/devices/vfioN), proc_pid_fd(5).
"""

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from virtfn.model.inventory import Known, Unknown

_PREFIX = "/dev/vfio/"
_CONTROL = "/dev/vfio/vfio"


@dataclass(frozen=True)
class VfioUser:
    """A process that has a vfio file open; ``guest`` is QEMU's ``-name``, "" where it has none."""

    pid: int
    comm: str
    guest: str = ""

    def __str__(self) -> str:
        process = f"{self.comm} pid {self.pid}"
        return f"{self.guest} ({process})" if self.guest else process


@dataclass(frozen=True)
class VfioUsers:
    """Who has what open under /dev/vfio. ``hidden`` counts the processes whose files may not be looked at."""

    by_path: dict[str, tuple[VfioUser, ...]]
    hidden: int = 0

    def of(self, paths: tuple[str, ...]) -> Known[tuple[VfioUser, ...]]:
        """The users of any of these device files; Unknown where none is seen and some could not be looked at."""
        users = tuple(dict.fromkeys(user for path in paths for user in self.by_path.get(path, ())))
        if not users and self.hidden:
            return Unknown(f"the open files of {self.hidden} processes cannot be seen without root (EACCES)")
        return users


def vfio_paths(group: str | None, device: str) -> tuple[str, ...]:
    """The files through which a device can be open: its group's (with or without an IOMMU) and its own."""
    by_group = (f"{_PREFIX}{group}", f"{_PREFIX}noiommu-{group}") if group else ()
    return (*by_group, f"{_PREFIX}devices/{device}") if device else by_group


def vfio_users(*, root: Path = Path("/")) -> VfioUsers:
    """One walk over the open files of all processes. ``fuser -v /dev/vfio/*``."""
    found: dict[str, list[VfioUser]] = {}
    hidden = 0
    for pid in _pids(root):
        paths = _open_vfio(root / "proc" / str(pid) / "fd")
        if paths is None:
            hidden += 1
            continue
        if not paths:
            continue
        user = _user(root / "proc" / str(pid), pid)
        for path in paths:
            found.setdefault(path, []).append(user)
    return VfioUsers({path: tuple(users) for path, users in found.items()}, hidden)


def _pids(root: Path) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(root / "proc") if name.isdecimal())  # noqa: PTH208
    except OSError:
        return []


def _open_vfio(folder: Path) -> set[str] | None:
    """The vfio files among a process's open files; None where they may not be seen."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - hot: every open file of the host
    except PermissionError:
        return None
    except OSError:  # the process ended meanwhile
        return set()
    paths = set()
    for name in names:
        try:
            path = os.readlink(f"{folder}/{name}")  # noqa: PTH115
        except OSError:
            continue
        if path.startswith(_PREFIX) and path != _CONTROL:
            paths.add(path)
    return paths


def _user(folder: Path, pid: int) -> VfioUser:
    try:
        comm = (folder / "comm").read_text(errors="replace").strip()
        arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return VfioUser(pid, "?")
    return VfioUser(pid, comm, guest_name(arguments))


def guest_name(arguments: list[str]) -> str:
    """The guest in QEMU's ``-name web1`` or ``-name guest=web1,debug-threads=on``; "" where there is none."""
    for option, value in pairwise(arguments):
        if option not in ("-name", "--name"):
            continue
        first, *rest = value.split(",")
        named = next((part for part in (first, *rest) if part.startswith("guest=")), first)
        return named.removeprefix("guest=")
    return ""
