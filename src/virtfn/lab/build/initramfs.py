"""The initramfs: busybox, the modules, and the guest's first program and agent, as a cpio archive.

The archive has the kernel's ``newc`` form and is written without root and without the cpio program. Source:
Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
from dataclasses import dataclass
from pathlib import Path

from virtfn.lab import guest
from virtfn.lab.build.image import find_programs
from virtfn.lab.build.kernel import BOOT_MODULES, DEVICE_MODULES, DISK_MODULES, FURTHER_MODULES, Kernel
from virtfn.lab.build.modules import Module, alias_file, dependency_file
from virtfn.lab.build.store import Store, file_identity, key_of

KIND = "boot"
_GUEST = Path(guest.__file__).parent
_INIT = _GUEST / "init.sh"
_AGENT = ("__init__.py", "agent.py", "jobs.py", "receive.py", "warm.py")
_FOLDERS = ("bin", "dev", "proc", "sys", "lib", "lib/modules", "lab", "lab/agent", "lab/agent/guest")
_MOUNTS = ("lower", "layer", "vms", "upper", "new")


@dataclass(frozen=True)
class ArchiveEntry:
    """One name in the archive: a folder, a file with ``data``, or a symbolic link whose target is ``data``."""

    path: str
    mode: int
    data: bytes = b""


def folder(path: str) -> ArchiveEntry:
    """A folder, 0755."""
    return ArchiveEntry(path, stat.S_IFDIR | 0o755)


def file(path: str, data: bytes, *, executable: bool = False) -> ArchiveEntry:
    """A regular file, 0644, or 0755 where it is executable."""
    return ArchiveEntry(path, stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(path: str, target: str) -> ArchiveEntry:
    """A symbolic link."""
    return ArchiveEntry(path, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: list[ArchiveEntry]) -> bytes:
    """The archive as bytes: owner root, times 0, so that the same entries always give the same bytes."""
    parts = [_record(number, entry) for number, entry in enumerate(entries, start=1)]
    parts.append(_record(0, ArchiveEntry("TRAILER!!!", 0)))
    return b"".join(parts)


def _record(number: int, entry: ArchiveEntry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(header) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def initramfs_key(kernel: Kernel) -> str:
    """It changes with the kernel, the modules built for it, and the guest's first programs."""
    sources = [(_GUEST / name).read_bytes() for name in _AGENT]
    extra = [file_identity(path) for path in kernel.extra]
    modules = (BOOT_MODULES, DEVICE_MODULES, FURTHER_MODULES)
    busybox = file_identity(find_programs()["busybox"])
    return key_of(kernel.folder.name, extra, modules, busybox, _INIT.read_bytes(), *sources)


def make_initramfs(store: Store, kernel: Kernel) -> Path:
    """The initramfs file, built if it is not in the cache (1 s). Raises LabError."""

    def build(work: Path) -> None:
        (work / "initramfs").write_bytes(archive(_entries(kernel)))

    return store.make(KIND, initramfs_key(kernel), build, need_mb=100) / "initramfs"


def _entries(kernel: Kernel) -> list[ArchiveEntry]:
    tree = kernel.tree()
    first = tree.load(BOOT_MODULES)
    devices = [module for module in tree.load(DEVICE_MODULES) if module not in first]
    every = tree.load((*BOOT_MODULES, *DEVICE_MODULES), FURTHER_MODULES)
    return [
        *(folder(path) for path in (*_FOLDERS, *_MOUNTS, "lib/modules/kernel")),
        file("init", _INIT.read_bytes(), executable=True),
        file("bin/busybox", find_programs()["busybox"].read_bytes(), executable=True),
        file("lab/load-boot", _names(first)),
        file("lab/load-devices", _names(devices)),
        file("lab/load-disk", _names(tree.load((), DISK_MODULES))),
        *(file(f"lab/agent/guest/{name}", (_GUEST / name).read_bytes()) for name in _AGENT),
        *(file(f"lib/modules/kernel/{module.name}.ko", module.data) for module in every),
        file("lib/modules/modules.dep", dependency_file(every).encode()),
        file("lib/modules/modules.alias", alias_file(every).encode()),
        file("lib/modules/modules.symbols", b""),
    ]


def _names(modules: list[Module]) -> bytes:
    return "".join(f"{module.name}\n" for module in modules).encode()
