"""Faults of a spec with their positions, and the one error that holds all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from virtfn.errors import SpecError
from virtfn.model.finding import Finding, FindingKind, Severity

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value from the top of its file: ``("pfs", 0, "vfs", "0-3", "mac")``."""

_QUOTED = 40  # letters of a bad value that an error repeats


def _fault(id: str, meaning: str, fix: str) -> FindingKind:
    return FindingKind(id, Severity.FAULT, meaning, fix)


SYNTAX = _fault("spec-syntax", "The file is not YAML 1.2 as a spec may use it, or no text.", "fix the YAML")
TOO_BIG = _fault(
    "spec-too-big", "The file has more bytes, values or levels than a spec may have.", "use each and ranges of VFs"
)
OTHER_FORMAT = _fault(
    "spec-format", "The file is of a format that this version or this command does not read.", "write the right format"
)
KEY = _fault("spec-key", "A key is unknown, missing, misplaced or written twice.", "see the reference of the format")
VALUE = _fault("spec-value", "A value is of the wrong type, or out of range.", "see the reference of the format")
CONFLICT = _fault("spec-conflict", "Two values of the spec contradict each other.", "keep one of them")


@dataclass(frozen=True)
class Position:
    """A place in a file, counted from 1. ``column`` is given for bad syntax only."""

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.column is None else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class PlacedFinding:
    """A finding and the position that its ``subject`` names: what findings of several files are sorted by."""

    position: Position
    finding: Finding

    @classmethod
    def of(cls, kind: FindingKind, position: Position, what: str, fix: str) -> "PlacedFinding":
        """A finding of this kind at this position."""
        return cls(position, kind.at(str(position), what, fix=fix))


@dataclass
class Findings:
    """The problems of one file, by the path of the value; ``lines`` has the line of each value."""

    file: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    found: list[PlacedFinding] = field(default_factory=list)

    def add(self, path: Path, what: str, remedy: str, kind: FindingKind = VALUE) -> None:
        """Note a fault of the value at ``path``, or of the nearest one above it in the file."""
        known = self.nearest(path)
        label = path_text(known)
        position = Position(self.file, self.lines.get(known, 1))
        self.found.append(PlacedFinding.of(kind, position, f"{label}: {what}" if label else what, remedy))

    def nearest(self, path: Path) -> Path:
        """The longest part of ``path`` that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def line(self, path: Path) -> int:
        """The line of the value at ``path``, or of the nearest one above it."""
        return self.lines.get(self.nearest(path), 1)

    def where(self, path: Path) -> str:
        """``FILE:LINE`` of the value at ``path``."""
        return f"{self.file}:{self.line(path)}"


def refusal(found: Iterable[PlacedFinding], *, files: Sequence[str] = ()) -> SpecError:
    """One error for all findings, in the order of ``files`` and lines."""
    places = {file: place for place, file in reversed(list(enumerate(files)))}

    def order(one: PlacedFinding) -> tuple[int, int, int]:
        return places.get(one.position.file, 0), one.position.line, one.position.column or 0

    return SpecError.of([one.finding for one in sorted(dict.fromkeys(found), key=order)])


def path_text(path: Path) -> str:
    """``pfs[0].vfs["0-3"].mac``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier():
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(value: object) -> str:
    """A value as an error repeats it: on one line, shortened, text in quotes."""
    text = str(value) if not isinstance(value, bool) else str(value).lower()
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    text = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
    return f'"{text}"' if isinstance(value, str) else text
