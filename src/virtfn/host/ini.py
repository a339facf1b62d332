"""The files that OpenStack's programs are configured with, in the dialect of oslo.config.

A key may be repeated and then has several values; lines that begin with a blank go on with the value before; ``:`` is
as good as ``=``; ``#`` and ``;`` begin a comment only at the beginning of a line.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One assignment. ``section`` is in lower case, as oslo compares it; ``line`` is that of the key."""

    section: str
    key: str
    value: str
    line: int


class NotIni(ValueError):
    """The file cannot be read, so the program that it is for does not start with it. ``line`` is the faulty one."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def settings_of(text: str) -> tuple[Setting, ...]:
    """All assignments in their order. Raises NotIni."""
    found: list[Setting] = []
    section = "default"
    for number, lines in _logical_lines(text):
        first = lines[0]
        if first.startswith("["):
            if not first.endswith("]") or len(first) <= 2:
                raise NotIni(f"{first!r} is no section", number)
            section = first[1:-1].lower()
            continue
        key, value = _split(first, number)
        found.append(Setting(section, key, "\n".join([value, *lines[1:]]), number))
    return tuple(found)


def _logical_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line of each section or assignment, and its lines; an empty line ends a value."""
    begun: tuple[int, list[str]] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip()
        if line.startswith((" ", "\t")):
            if begun is None:
                raise NotIni("a continuation of nothing", number)
            begun[1].append(line.lstrip())
            continue
        if begun:
            yield begun
            begun = None
        if line.startswith("["):
            yield number, [line]
        elif line and not line.startswith(("#", ";")):
            begun = (number, [line])
    if begun:
        yield begun


def _split(line: str, number: int) -> tuple[str, str]:
    places = [place for place in (line.find("="), line.find(":")) if place >= 0]
    if not places:
        raise NotIni("no '=' in an assignment", number)
    key, value = line[: min(places)].strip(), line[min(places) + 1 :].strip()
    if not key:
        raise NotIni("no key before '='", number)
    if value and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return key, value
