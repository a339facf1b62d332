"""The programs of this machine that the lab is made with, which packages bring them, and what is missing."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.packages import Packages
from virtfn.lab.machine.qemu import find_qemu
from virtfn.model.finding import Action, UseCase

_DYNAMIC = b"/ld-linux-x86-64.so.2"


@dataclass(frozen=True)
class Program:
    """A program, its package, and what it is for. A full path as the name may be any file, such as a header."""

    name: str
    package: str
    purpose: str


PROGRAMS = (
    Program("qemu-system-x86_64", "qemu-system-x86", "runs the emulated host"),
    Program("mksquashfs", "squashfs-tools", "packs the guest's root"),
    Program("busybox", "busybox-static", "the guest's first program and small commands"),
    Program("zstd", "zstd", "unpacks the kernel"),
    Program("ip", "iproute2", "goes into the guest"),
    Program("setpriv", "util-linux", "ends a throw-away lab with its owner"),
    Program("mke2fs", "e2fsprogs", "makes disks that keep what a guest writes"),
    Program("ldd", "libc-bin", "finds the libraries for the guest"),
)
BUILD_PROGRAMS = (
    Program("gcc", "gcc", "compiles netdevsim"),
    Program("make", "make", "compiles netdevsim"),
    Program("xz", "xz-utils", "unpacks the kernel's source"),
)
_SEARCH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"))


@dataclass(frozen=True)
class Missing:
    """A program that must be installed, and why it is not good enough as it is."""

    program: Program
    why: str


def missing_programs(wanted: tuple[Program, ...]) -> list[Missing]:
    """Those that are not there, or not usable: a QEMU without igb, a busybox that is not static."""
    found = []
    for program in wanted:
        path = _found(program.name)
        why = _fault(program, Path(path)) if path else "is not installed"
        if why:
            found.append(Missing(program, why))
    return found


def _found(name: str) -> str | None:
    if Path(name).is_absolute():
        return name if Path(name).exists() else None
    return shutil.which(name, path=_SEARCH)


def _fault(program: Program, path: Path) -> str:
    if program.name == "busybox" and _DYNAMIC in path.read_bytes():
        return "is not statically linked"
    if program.name == "qemu-system-x86_64":
        try:
            find_qemu(str(path))
        except LabError as failed:
            return failed.message
    return ""


def root_prefix() -> list[str] | None:
    """What to put before a command to be root: nothing, ``sudo -n``, or None where neither works."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return ["sudo", "-n"] if allowed.returncode == 0 else None


def install_missing(missing: list[Missing], packages: Packages, say: Callable[[str], None]) -> list[str]:
    """Name the missing packages, then install them; return their names. Raises LabError with the command to run."""
    if not missing:
        return []
    names = sorted({one.program.package for one in missing})
    for one in missing:
        say(f"{one.program.name} ({one.program.purpose}): {one.why}")
    if not shutil.which("apt-get"):
        raise LabError(f"these must be installed: {', '.join(names)}", hint="with this distribution's package tool")
    prefix = root_prefix()
    if prefix is None:
        raise _only_root(names, packages)
    packages.update()
    packages.install(names, prefix)
    still = missing_programs(tuple(one.program for one in missing))
    if still:
        raise LabError(f"after installing it, {still[0].program.name} still {still[0].why}")
    return names


def _only_root(names: list[str], packages: Packages) -> LabError:
    """How root installs them: with apt-get, or by this program, which knows the backports."""
    what = f"these must be installed, and only root can: {' '.join(names)}"
    if packages.distribution.backports:
        again = Action(UseCase.LAB_PREPARE, options=(("programs", ""),))
        return LabError(what, hint=f"run this as root: sudo {shlex.quote(sys.argv[0])}", actions=(again,))
    return LabError(what, hint=f"run: sudo apt-get install --no-install-recommends {' '.join(names)}")
