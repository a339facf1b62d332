"""Where the lab keeps its parts (the cache) and its running machines (the runtime folder)."""

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError

_LONGEST_RUNTIME_PATH = 60
"""A unix socket's path has 108 bytes (``man 7 unix``); a lab's name and a socket's name must still fit."""


@dataclass(frozen=True)
class Folders:
    """The two folders of one user. ``cache`` may be deleted at any time when no lab runs; ``runtime`` holds sockets."""

    cache: Path
    runtime: Path

    @classmethod
    def of(cls, env: Mapping[str, str], uid: int) -> "Folders":
        """Choose by the XDG variables in ``env``; nothing is created. The runtime folder's path is short."""
        home = Path(env.get("HOME") or "/")
        base = Path(env["XDG_CACHE_HOME"]) if env.get("XDG_CACHE_HOME") else home / ".cache"
        wanted = env.get("XDG_RUNTIME_DIR", "")
        parent = Path(wanted) if _usable_as_parent(wanted) else Path(tempfile.gettempdir())
        if len(str(parent)) > _LONGEST_RUNTIME_PATH:
            parent = Path("/tmp")  # shared, but the folder below it is made private
        return cls(cache=base / "virtfn", runtime=parent / f"virtfn-lab-{uid}")

    @classmethod
    def of_this_user(cls) -> "Folders":
        """The folders of the user who runs this process."""
        return cls.of(os.environ, os.getuid())


def _usable_as_parent(path: str) -> bool:
    return bool(path) and len(path) <= _LONGEST_RUNTIME_PATH and os.access(path, os.W_OK | os.X_OK)


def private_folder(path: Path) -> Path:
    """Create ``path`` for this user only, or check that it is; return it. Raises LabError if someone else owns it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LabError("is not a folder of this user", where=str(path), hint="remove it, or set XDG_RUNTIME_DIR")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)
    return path
