"""A disk for a guest: a file with an ext4 file system, which keeps what was written to it when the machine is gone."""

from pathlib import Path

from virtfn.lab.build.execution import execute

_MAKE_S = 60


def make_disk(path: Path, *, size_mb: int) -> Path:
    """Make the file (sparse) with an empty file system in it, and return its path. Raises LabError."""
    execute(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", str(path), f"{size_mb}M"], timeout_s=_MAKE_S)
    return path
