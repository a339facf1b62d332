"""Take files from the host: a tar on standard input. Runs as a plain script, before there is any virtfn.

``have`` prints the manifest of the code that is here; ``code`` brings ``/lab/code`` to a new manifest; ``files``
unpacks below ``/``; ``pack`` sends one back.
"""

import contextlib
import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

_CODE = Path("/lab/code")
_MANIFEST = _CODE / ".manifest"
_HASH = _CODE / ".hash"


def have() -> None:
    """Print path -> hash of the code that is here."""
    sys.stdout.write(_MANIFEST.read_text() if _MANIFEST.exists() else "{}")


def code() -> None:
    """Unpack what changed, remove what is no longer there, note the manifest. A broken transfer leaves no hash."""
    _HASH.unlink(missing_ok=True)
    change: dict[str, Any] = {}
    with _trusting(tarfile.open(fileobj=sys.stdin.buffer, mode="r|gz")) as tar:
        for member in tar:
            if not change:
                change = json.loads(_content(tar, member))
                continue
            _stale_bytecode(member.name)
            tar.extract(member, _CODE, set_attrs=False)
    for name in change["remove"]:
        (_CODE / name).unlink(missing_ok=True)
        _stale_bytecode(name)
    _MANIFEST.write_text(json.dumps(change["manifest"]))
    _HASH.write_text(change["hash"])


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _stale_bytecode(name: str) -> None:
    path = _CODE / name
    if path.suffix == ".py":
        for old in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            old.unlink()


def _trusting(tar: tarfile.TarFile) -> tarfile.TarFile:
    """The archive comes from the lab's owner: take it as it is (older Pythons know no filters and do so anyway)."""
    tar.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    return tar


def files() -> None:
    """Unpack a plain tar below ``/``."""
    with _trusting(tarfile.open(fileobj=sys.stdin.buffer, mode="r|")) as tar:
        tar.extractall("/")


def pack(path: Path) -> None:
    """Write a file or folder to standard output as a tar, named from itself on."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        tar.add(path, arcname=path.name)


def main(argv: list[str]) -> None:
    """Do what the host asks."""
    if argv[0] == "pack":
        pack(Path(argv[1]))
        return
    {"have": have, "code": code, "files": files}[argv[0]]()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    shutil.rmtree(_CODE / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
