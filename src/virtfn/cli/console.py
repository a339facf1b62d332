"""All that is printed: results on stdout, everything else on stderr.

Lines and tables are for people: styled and broken between words on a terminal, plain and whole in a pipe. Documents are
for programs.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TextIO, TypeAlias

import click

from virtfn.cli.streams import rows, width_of
from virtfn.errors import UsageError

Part: TypeAlias = str | tuple[str, str]
"""A piece of a line: a text, or a text and its style (words of ``_CODES``: ``bold red``)."""

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
"""ECMA-48, SGR."""
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160))) | {ord("\n"): " ", ord("\t"): " "}
_GAP = "  "
_SDK_LOGGERS = ("keystoneauth", "openstack", "urllib3", "stevedore")
FORMAT = 1
LOOK_FIRST = "look at the plan first, with --dry-run"


class Table:
    """A table without lines: column headings in capitals, two spaces between columns."""

    def __init__(self, *headings: str) -> None:
        self._rows = [_pieces(headings, "bold")]

    def add_row(self, *cells: Part, style: str = "") -> None:
        """One more row, with as many cells as there are headings; ``style`` is that of cells that have none."""
        self._rows.append(_pieces(cells, style))

    @property
    def is_empty(self) -> bool:
        """Whether there are no rows below the headings."""
        return len(self._rows) == 1

    def lines(self) -> Iterator[list[tuple[str, str]]]:
        """Each row as pieces of one line, with nothing behind its last cell."""
        widths = [max(_width(cell) for cell, _ in column) for column in zip(*self._rows, strict=True)]
        for row in self._rows:
            line: list[tuple[str, str]] = []
            gap = ""
            for (cell, style), width in zip(row, widths, strict=True):
                if cell:
                    line += (gap, ""), (cell, style)
                    gap = ""
                gap += " " * (width - _width(cell)) + _GAP
            yield line


class Console:
    """One stream that people read, written at once: what goes to standard error comes in its turn."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        terminal = bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
        self.is_styled = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def print(self, *parts: Part, style: str = "") -> None:
        """One or more lines; ``style`` is that of parts that have none.

        On a terminal, a line that is too long is broken between words and goes on below its first word.
        """
        line: list[tuple[str, str]] = []
        for text, styled in _pieces(parts, style):
            first, *more = text.split("\n")
            line.append((first, styled))
            for another in more:
                self._print_line(line)
                line = [(another, styled)]
        self._print_line(line)
        self._stream.flush()

    def print_table(self, table: Table) -> None:
        """A table, whole however narrow the terminal is."""
        for line in table.lines():
            self._write(line)
        self._stream.flush()

    def _print_line(self, line: list[tuple[str, str]]) -> None:
        text = "".join(piece for piece, _ in line)
        for indent, part in rows(text, width_of(self._stream)):
            self._write([(indent, ""), *_cut(line, part)])

    def _write(self, line: Iterable[tuple[str, str]]) -> None:
        self._stream.write("".join(self._styled(text, style) for text, style in line) + "\n")

    def _styled(self, text: str, style: str) -> str:
        plain = text.translate(_CONTROLS)
        if not (plain and style and self.is_styled):
            return plain
        return f"\x1b[{';'.join(_CODES[word] for word in style.split())}m{plain}\x1b[0m"


def console() -> Console:
    """Standard output."""
    return Console(sys.stdout)


def error_console() -> Console:
    """Standard error."""
    return Console(sys.stderr)


def progress(quiet: bool) -> Callable[[str], None]:
    """Prints progress on stderr, unless it is quiet."""
    if quiet:
        return lambda _text: None
    out = error_console()
    return lambda text: out.print(f"  {text}", style="dim")


class OutputFormat(StrEnum):
    """The values of ``-o``."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    SPEC = "spec"

    @property
    def is_document(self) -> bool:
        """Whether the output is for programs."""
        return self in (OutputFormat.JSON, OutputFormat.YAML)


def print_document(
    kind: str, value: object, output: OutputFormat, *, show_secrets: bool = False, **more: object
) -> None:
    """Print one document: ``format``, ``kind``, the value's fields, and the reasons of all unknown values.

    Secrets in plans are hidden unless ``show_secrets``.
    """
    from virtfn.model.secrets import redacted, without_secret_keys
    from virtfn.model.serialization import encode

    unknown: dict[str, str] = {}
    body = (
        encode(value, unknown=unknown)
        if show_secrets
        else without_secret_keys(encode(redacted(value), unknown=unknown))
    )
    fields = body if isinstance(body, Mapping) else {"items": body}
    extra = {key: encode(item, unknown=unknown, path=key) for key, item in more.items()}
    document: dict[str, Any] = {"format": FORMAT, "kind": kind, **fields, **extra}
    document["unknown"] = [{"path": path, "reason": reason} for path, reason in unknown.items()]
    if output is OutputFormat.YAML:
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(document, sys.stdout)
        return
    import json

    click.echo(json.dumps(document, indent=2))


def ask(show: Callable[[], None], *, yes: bool, quiet: bool = False, hint: str = "") -> None:
    """Show the pending changes and ask, unless ``yes``; with ``quiet`` and ``yes`` show nothing.

    "No", Ctrl-C, SIGTERM and a lost terminal abort with nothing changed (cli/interrupts.py: never ask where signals
    are held).

    Raises UsageError where standard input is no terminal.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("not a terminal: add --yes", hint=hint)
    if not (yes and quiet):
        show()
    if not yes:
        click.confirm("Apply these changes?", abort=True, err=True)


def quieten_sdk() -> None:
    """Keep the SDK's log off stderr; virtfn's own errors contain what matters of it."""
    import logging

    for name in _SDK_LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _pieces(parts: Iterable[Part], style: str) -> list[tuple[str, str]]:
    return [(part, style) if isinstance(part, str) else part for part in parts]


def _cut(line: list[tuple[str, str]], part: slice) -> Iterator[tuple[str, str]]:
    """What of a line's pieces is in this part of its text."""
    start = 0
    for text, style in line:
        yield text[max(part.start - start, 0) : max(part.stop - start, 0)], style
        start += len(text)


def _width(text: str) -> int:
    """Columns that it takes: two for a wide letter, none for one that is combined with the letter before."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 1 + (east_asian_width(one) in "WF") for one in text)
