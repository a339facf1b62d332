"""Declared mirrors in one file below the state folder: ``STATE/store/mirrors.json``.

The file is replaced as a whole, so that a crash leaves the old one or the new one. It belongs to root alone (0600, its
folder 0700): it shows who may read whose traffic.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from virtfn.errors import BackendUnreachable, PermissionDenied, SpecError, UsageError
from virtfn.model.mirror import DeclaredMirror
from virtfn.model.serialization import decode, encode

FORMAT = 1
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


@dataclass(frozen=True)
class _Document:
    """What the file holds. ``next_id``: no mirror had this id yet."""

    next_id: int = 1
    mirrors: tuple[DeclaredMirror, ...] = ()
    format: int = FORMAT


class FileMirrorStore:
    """Implements the MirrorStore protocol below one state folder. The caller of ``put`` and ``remove`` holds the lock
    of the host's journal."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "store"
        self._path = self._folder / "mirrors.json"

    def all(self) -> tuple[DeclaredMirror, ...]:
        """All declared mirrors by id; none where the file does not exist yet. Raises SpecError, PermissionDenied."""
        return self._read().mirrors

    def next_id(self) -> int:
        """The id for a new mirror. An id is never given to a second one."""
        return self._read().next_id

    def put(self, mirror: DeclaredMirror) -> None:
        """Add a mirror, or replace the one with its id; durable on return."""
        document = self._read()
        kept = [one for one in document.mirrors if one.spec.id != mirror.spec.id]
        mirrors = tuple(sorted([*kept, mirror], key=lambda one: one.spec.id))
        self._write(replace(document, mirrors=mirrors, next_id=max(document.next_id, mirror.spec.id + 1)))

    def remove(self, mirror: int) -> None:
        """Remove the mirror with this id, if there is one; durable on return."""
        document = self._read()
        kept = tuple(one for one in document.mirrors if one.spec.id != mirror)
        if kept != document.mirrors:
            self._write(replace(document, mirrors=kept))

    def _read(self) -> _Document:
        try:
            with _disk_errors(self._path):
                text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _Document()
        try:
            return _document(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, UsageError) as fault:
            raise SpecError(
                f"the declared mirrors cannot be read ({fault})",
                where=str(self._path),
                hint="it was written by another version, or changed by hand: correct it, or move it away and add the "
                "mirrors again",
            ) from fault

    def _write(self, document: _Document) -> None:
        with _disk_errors(self._path):
            self._folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            self._folder.chmod(_FOLDER_MODE)
            _replace_synced(self._path, json.dumps(encode(document), indent=1) + "\n")


def _document(plain: Any) -> _Document:
    """The document of this form. Raises ValueError for another format, or a key that is not known."""
    if plain.get("format") != FORMAT:
        raise ValueError(f"format {plain.get('format')} where {FORMAT} is known")
    document = decode(_Document, plain)
    if encode(document) != plain:
        raise ValueError("it has keys or values that are not known")
    return document


def _replace_synced(path: Path, text: str) -> None:
    """Write beside the file, then rename: both durable on return."""
    draft = path.with_name(f".{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except PermissionError as fault:
        raise PermissionDenied(
            f"the declared mirrors cannot be read or written ({fault.strerror})", where=str(path), hint="run as root"
        ) from fault
    except OSError as fault:
        raise BackendUnreachable(
            f"the declared mirrors cannot be read or written ({fault.strerror})",
            where=str(path),
            hint="no mirror is made that cannot be declared: make room, or make the folder writable",
        ) from fault
