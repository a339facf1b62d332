"""Which shared libraries programs need, as the dynamic loader of this machine finds them."""

import re
from collections.abc import Iterable
from pathlib import Path

from virtfn.lab.build.execution import execute

_FOUND = re.compile(r"=>\s+(/\S+)\s+\(0x|^\s+(/\S+)\s+\(0x", re.MULTILINE)
_ELF = b"\x7fELF"
_PER_CALL = 64


def is_elf(path: Path) -> bool:
    """True for a program or shared library in ELF form."""
    with path.open("rb") as file:
        return file.read(4) == _ELF


def parse_ldd(text: str) -> set[Path]:
    """The files named in ldd's output."""
    return {Path(first or second) for first, second in _FOUND.findall(text)}


def libraries_of(files: Iterable[Path]) -> set[Path]:
    """Every library that the ELF files among ``files`` need, the loader included. Raises LabError."""
    elves = [str(path) for path in files if is_elf(path)]
    found: set[Path] = set()
    for start in range(0, len(elves), _PER_CALL):
        listing = execute(
            ["sh", "-c", 'ldd "$@" 2>/dev/null || true', "sh", *elves[start : start + _PER_CALL]], timeout_s=60
        )
        found |= parse_ldd(listing.decode(errors="replace"))
    return found
