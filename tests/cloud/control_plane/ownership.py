"""Whose a folder is: one start at a time, never a folder with other things in it, leftovers of the dead are ours."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import Places, cache_folder
from tests.cloud.control_plane.processes import look_at

_MARK = "this-is-virtfn-cloud"


def claim_folder(places: Places) -> None:
    """Create the folder and mark it. Raises ControlPlaneError where it holds something that is not ours."""
    places.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = places.root / _MARK
    if not mark.exists():
        if any(places.root.iterdir()):
            raise ControlPlaneError("holds files that are not the control plane's", where=str(places.root))
        mark.touch()


def empty_folder(places: Places) -> None:
    """Remove what an earlier run left there, put its logs aside, and make all folders anew."""
    if places.log.exists():
        shutil.rmtree(places.log_before, ignore_errors=True)
        places.log.rename(places.log_before)
    for folder in places.every:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    places.clouds_yaml.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(places: Places) -> Iterator[None]:
    """Raises ControlPlaneError while another process starts or stops in the same folder."""
    with (places.root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise ControlPlaneError("another process starts or stops it", where=str(places.root)) from held
        yield


@contextmanager
def turn_in_the_cache() -> Iterator[None]:
    """Wait until no other process installs or makes a snapshot for this user."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "cloud.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def record_owner(places: Places, pid: int | None) -> None:
    """The process with which this run ends, or None for one that stays up until it is stopped."""
    seen = look_at(pid) if pid else None
    (places.root / "owner").write_text(f"{seen.pid} {seen.started}\n" if seen else "")


def is_to_stay(places: Places) -> bool:
    """True if the run ends with no process, but when it is stopped."""
    path: Path = places.root / "owner"
    return path.exists() and not path.read_text()


def is_orphan(places: Places) -> bool:
    """True if the run was to end with a process that is dead."""
    path: Path = places.root / "owner"
    words = path.read_text().split() if path.exists() else []
    if not words:
        return False
    seen = look_at(int(words[0]))
    return seen is None or seen.started != int(words[1])
