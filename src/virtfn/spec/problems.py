"""What is wrong with a spec, where, and the one error that says all of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from virtfn.errors import SpecError

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value from the top of its file: ``("pfs", 0, "vfs", "0-3", "mac")``."""

_QUOTED = 40  # letters of a bad value that an error repeats


@dataclass(frozen=True)
class Problem:
    """One fault: where it is, what it is, and what to do about it. ``column`` is given for bad syntax only."""

    file: str
    line: int
    what: str
    remedy: str
    column: int | None = None

    @property
    def where(self) -> str:
        """``FILE:LINE`` or ``FILE:LINE:COL``, counted from 1."""
        return f"{self.file}:{self.line}" if self.column is None else f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


@dataclass
class Findings:
    """What is found wrong in one file, by the path of the value; ``lines`` says on which line a value stands."""

    file: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, what: str, remedy: str) -> None:
        """Note a fault of the value at ``path``, or of the nearest one above that stands in the file."""
        known = self.nearest(path)
        label = path_text(known)
        self.problems.append(
            Problem(self.file, self.lines.get(known, 1), f"{label}: {what}" if label else what, remedy)
        )

    def nearest(self, path: Path) -> Path:
        """The longest part of ``path`` that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def line(self, path: Path) -> int:
        """The line of the value at ``path``, or of the nearest one above it."""
        return self.lines.get(self.nearest(path), 1)

    def where(self, path: Path) -> str:
        """``FILE:LINE`` of the value at ``path``."""
        return f"{self.file}:{self.line(path)}"


def refusal(problems: Iterable[Problem], *, files: Sequence[str] = ()) -> SpecError:
    """The one error for all faults: the first speaks, ``problems`` has every one, by ``files`` and lines."""
    places = {file: place for place, file in reversed(list(enumerate(files)))}
    ordered = sorted(dict.fromkeys(problems), key=lambda one: (places.get(one.file, 0), one.line, one.column or 0))
    first, more = ordered[0], len(ordered) - 1
    message = f"{first.what} (and {more} more)" if more else first.what
    return SpecError(message, where=first.where, hint=first.remedy, problems=tuple(map(str, ordered)))


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
