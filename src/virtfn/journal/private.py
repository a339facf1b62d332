"""Files, folders and a lock that only their user can open; what is written is synced to disk."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from virtfn.errors import BackendUnreachable, LockHeld, PermissionDenied, VirtfnError
from virtfn.model.place import Place

_FILE, _FOLDER = 0o600, 0o700


def make_private(folder: Path) -> None:
    """Create a folder, and all that are missing above it, with mode 0700. One that exists is left as it is."""
    missing = [folder, *folder.parents]
    missing = missing[: next(place for place, one in enumerate(missing) if one.is_dir())]
    for one in reversed(missing):
        one.mkdir(mode=_FOLDER, exist_ok=True)


def tighten(folder: Path) -> tuple[Path, ...]:
    """Set the modes of a folder and its files to 0700 and 0600 where others can use them; the paths that were changed.

    Entries of other users, and folders below, are left alone.
    """
    if not folder.is_dir():
        return ()
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    changed = []
    for path, mode in ((folder, _FOLDER), *((file, _FILE) for file in files)):
        found = path.stat()
        if stat.S_IMODE(found.st_mode) & ~mode and found.st_uid == os.geteuid():
            path.chmod(mode)
            changed.append(path)
    return tuple(changed)


def write_synced(path: Path, text: str, flags: int) -> None:
    """Write text, mode 0600 where the file is new; it is on stable storage when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, _FILE)
    try:
        data = text.encode()
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Names that were added to or removed from the folder are on stable storage when this returns."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FileLock:
    """flock(2) on ``path``, mode 0600: another user could hold a shared lock on a file that it can read.

    The file's text is the holder's pid. The kernel releases the lock when the process ends.
    """

    def __init__(self, path: Path, place: Place) -> None:
        self._path = path
        self._place = place

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock within this context. Raises LockHeld at once if another process holds it."""
        with disk_errors(self._path):
            make_private(self._path.parent)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.fchmod(handle, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 40, 0).decode(errors="replace").strip() or "unknown"
                raise LockHeld(
                    f"another virtfn process (pid {holder}) is changing {self._place.name}",
                    where=str(self._path),
                    hint="wait for it to end, then run the command again",
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def is_held(self) -> bool:
        """Whether a process holds the lock now; False where this user cannot open it."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into PermissionDenied or BackendUnreachable for this path."""
    try:
        yield
    except VirtfnError:
        raise
    except OSError as fault:
        raise disk_error(fault, path) from fault


def disk_error(fault: OSError, path: Path) -> VirtfnError:
    """PermissionDenied or BackendUnreachable for this path."""
    message = f"the journal cannot be written or read ({fault.strerror})"
    if isinstance(fault, PermissionError):
        hint = "run as root, or set VIRTFN_STATE_DIR to a folder that is yours"
        return PermissionDenied(message, where=str(path), hint=hint)
    hint = "nothing is changed without a journal: make room or make the folder writable, or set VIRTFN_STATE_DIR"
    return BackendUnreachable(message, where=str(path), hint=hint)
