"""A cpio archive in the kernel's ``newc`` form, written without root and without the cpio program.

Source: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One name in the archive: a folder, a file with ``data``, or a symbolic link whose target is ``data``."""

    path: str
    mode: int
    data: bytes = b""


def folder(path: str) -> Entry:
    """A folder, 0755."""
    return Entry(path, stat.S_IFDIR | 0o755)


def file(path: str, data: bytes, *, executable: bool = False) -> Entry:
    """A regular file, 0644, or 0755 where it is executable."""
    return Entry(path, stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: list[Entry]) -> bytes:
    """The archive as bytes: owner root, times 0, so that the same entries always give the same bytes."""
    parts = [_record(number, entry) for number, entry in enumerate(entries, start=1)]
    parts.append(_record(0, Entry("TRAILER!!!", 0)))
    return b"".join(parts)


def _record(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(header) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
