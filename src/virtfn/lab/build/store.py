"""A cache of folders, each named by a key of what it was made from. Building is all or nothing."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from virtfn.errors import LabError

_WAIT_FOR_OTHER_S = 1800.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def key_of(*parts: object) -> str:
    """A short name for the things in ``parts`` (compared by ``repr``): 16 hexadecimal digits."""
    return hashlib.sha256("\0".join(repr(part) for part in parts).encode()).hexdigest()[:16]


def file_identity(path: Path) -> tuple[str, int, int]:
    """What identifies a version of an installed file without reading it: path, size, time of change."""
    found = path.stat()
    return (str(path), found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def exclusive(lock: Path, *, timeout_s: float, busy: str) -> Iterator[None]:
    """Hold ``lock`` (flock: a killed holder releases it). Raises LabError(``busy``) after ``timeout_s``.

    The holder may remove the file: who waited for it then takes a new one.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    while (handle := _try_lock(lock)) is None:
        if time.monotonic() > deadline:
            raise LabError(busy, where=str(lock), hint="wait for it, or end it")
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(lock: Path) -> int | None:
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino == lock.stat().st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


class Store:
    """Folders ``root/kind/key``. A folder that exists is complete: it was built under another name and renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, kind: str, key: str) -> Path | None:
        """The folder, or None where it was not made yet. Marks it as used."""
        folder = self.root / kind / key
        if not folder.is_dir():
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)
        return folder

    def make(self, kind: str, key: str, build: Callable[[Path], None], *, need_mb: int = 0) -> Path:
        """The folder; ``build(empty folder)`` fills it first if it is not there.

        Two processes that ask at once build once. Raises LabError where the disk has less than ``need_mb`` MiB
        left or becomes full; what ``build`` raises passes through. A failed build leaves nothing.
        """
        lock = self.root / kind / ".lock"
        try:
            with exclusive(lock, timeout_s=_WAIT_FOR_OTHER_S, busy="another virtfn is still preparing this part"):
                return self.find(kind, key) or self._build(kind, key, build, need_mb)
        except OSError as failed:
            raise self._disk_error(failed, kind) from failed

    def _build(self, kind: str, key: str, build: Callable[[Path], None], need_mb: int) -> Path:
        target = self.root / kind / key
        free_mb = shutil.disk_usage(target.parent).free >> 20
        if free_mb < need_mb:
            raise LabError(
                f"{need_mb} MiB of disk are needed for the {kind}, {free_mb} MiB are free",
                where=str(self.root),
                hint="make room, or point XDG_CACHE_HOME elsewhere",
            )
        for left_over in target.parent.glob(f".{key}.new*"):
            shutil.rmtree(left_over, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{key}.new", dir=target.parent))
        try:
            build(work)
            work.chmod(0o755)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return target

    def _disk_error(self, failed: OSError, kind: str) -> LabError:
        full = failed.errno in _DISK_FULL
        hint = "make room, or point XDG_CACHE_HOME elsewhere" if full else "see whether the folder is writable"
        where = str(failed.filename or self.root)
        return LabError(f"cannot write the {kind}: {failed.strerror or failed}", where=where, hint=hint)

    def remove(self, kind: str, key: str) -> None:
        """Forget one folder (a snapshot that does not load)."""
        shutil.rmtree(self.root / kind / key, ignore_errors=True)

    def prune(self, kind: str, keep: int) -> None:
        """Remove the least recently used folders of a kind beyond ``keep``."""
        folders = [path for path in (self.root / kind).glob("[!.]*") if path.is_dir()]
        for old in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
            shutil.rmtree(old, ignore_errors=True)
