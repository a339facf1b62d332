"""The project's own code, which is sent into the guest whenever the guest has another version.

Only files that changed travel. Python files travel with their bytecode, because compiling costs seconds in an
emulated guest; that is possible as the guest's Python is this one.
"""

import hashlib
import importlib.util
import io
import json
import marshal
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import virtfn

GUEST_ROOT = "/lab/code"
_SKIP = {"__pycache__", ".git", ".venv", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
_UNCHECKED_HASH = 0b01


@dataclass(frozen=True)
class Code:
    """The files that the guest must have: path below ``/lab/code`` -> where the file is here."""

    files: Mapping[str, Path]

    @classmethod
    def of_package(cls) -> "Code":
        """The virtfn that runs now."""
        return cls(_tree(Path(virtfn.__file__).parent, "src/virtfn"))

    def plus(self, source: Path, name: str) -> "Code":
        """With one more file or folder, for example the tests."""
        more = _tree(source, name) if source.is_dir() else {name: source}
        return Code({**self.files, **more})

    def manifest(self) -> dict[str, str]:
        """Path -> hash of the content."""
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:20] for name, path in sorted(self.files.items())}


def manifest_hash(manifest: Mapping[str, str]) -> str:
    """One hash for a whole manifest: what the guest reports as the code it has."""
    return hashlib.sha256(json.dumps(dict(sorted(manifest.items()))).encode()).hexdigest()[:20]


def changes(wanted: Mapping[str, str], present: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What must be sent and what removed, so that ``present`` becomes ``wanted``."""
    send = sorted(name for name, digest in wanted.items() if present.get(name) != digest)
    return send, sorted(set(present) - set(wanted))


def bundle(code: Code, manifest: Mapping[str, str], send: list[str], remove: list[str], magic: str) -> bytes:
    """A compressed tar for guest/receive.py: the files, their bytecode if ``magic`` is ours, and ``change.json``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=3) as tar:
        change = {"manifest": dict(manifest), "hash": manifest_hash(manifest), "remove": remove}
        _add(tar, "change.json", json.dumps(change).encode())
        for name in send:
            data = code.files[name].read_bytes()
            _add(tar, name, data)
            if name.endswith(".py") and magic == importlib.util.MAGIC_NUMBER.hex():
                compiled = bytecode(data, f"{GUEST_ROOT}/{name}")
                if compiled:
                    _add(tar, importlib.util.cache_from_source(name, optimization=""), compiled)
    return buffer.getvalue()


def bytecode(source: bytes, path: str) -> bytes | None:
    """A ``.pyc`` that Python loads without reading the source (PEP 552), or None where it does not compile."""
    try:
        program = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return None
    header = importlib.util.MAGIC_NUMBER + struct.pack("<I", _UNCHECKED_HASH) + importlib.util.source_hash(source)
    return header + marshal.dumps(program)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(data))


def _tree(root: Path, name: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and not _SKIP & set(inside.parts):
            found[f"{name}/{inside}"] = path
    return found
