"""How results leave: tables for people, documents for programs; stdout for results, stderr for everything else."""

import math
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar, cast

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from virtfn.cli.streams import rows, width_of
from virtfn.errors import VirtfnError

FORMAT = 1
_WIDEST, _HEIGHT = 1000, 25

F = TypeVar("F", bound=Callable[..., Any])


class OutputFormat(StrEnum):
    """What ``-o`` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def is_document(self) -> bool:
        """For programs rather than people."""
        return self in (OutputFormat.JSON, OutputFormat.YAML)


class Seconds(click.FloatRange):
    """A time in seconds: a number within its range, and a finite one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click calls it. Fails for ``nan`` and ``inf``, which no range keeps out."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return found


def output_option(command: F) -> F:
    """The options ``-o table|wide|json|yaml`` and ``-j``; the command gets ``output``."""
    return output_option_with()(command)


def secrets_option(command: F) -> F:
    """The option ``--show-secrets``; the command gets ``show_secrets``."""
    return click.option("--show-secrets", is_flag=True, help="Show user data, which may hold passwords.")(command)


def output_option_with(*more: str) -> Callable[[F], F]:
    """The same with more formats of the command's own."""
    choice = click.Choice([*(entry.value for entry in OutputFormat), *more])

    def decorate(command: F) -> F:
        command = _with_failure_as_document(command)
        command = click.option("-j", "output", flag_value="json", type=choice, help="Same as -o json.")(command)
        return click.option(
            "-o", "--output", "output", type=choice, default="table", show_default=True, help="How to print the result."
        )(command)

    return decorate


def console() -> Console:
    """Standard output: coloured on a terminal only, never cut off in a pipe."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Standard error, by the same rules."""
    return _console(sys.stderr)


class _Lines(Console):
    """Breaks sentences between words where a terminal is narrower; tables and what goes into a pipe stay whole."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does; a sentence that is broken goes on below its first word."""
        width = width_of(self.file)
        if width is None or len(objects) != 1 or not isinstance(objects[0], str | Text):
            super().print(*objects, **options)
            return
        text = Text(objects[0]) if isinstance(objects[0], str) else objects[0]
        for line in text.split("\n", allow_blank=True):
            for indent, part in rows(line.plain, width):
                super().print(Text(indent) + line[part], **(options | {"soft_wrap": True}))


def _console(stream: Any) -> Console:
    """With a height, too: rich cuts tables at 80 columns on a dumb terminal that has none."""
    return _Lines(file=stream, width=_WIDEST, height=_HEIGHT, highlight=False, emoji=False, markup=False)


def print_document(
    kind: str, value: object, output: OutputFormat, *, show_secrets: bool = False, **more: object
) -> None:
    """One document on stdout: ``format``, ``kind``, the value's fields, and the reasons of all that is unknown.

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


def _with_failure_as_document(command: F) -> F:
    """The command; where a document is asked for, an error that has findings prints one with them, and goes on."""

    @wraps(command)
    def run(*arguments: Any, output: str, **options: Any) -> Any:
        try:
            return command(*arguments, output=output, **options)
        except VirtfnError as failure:
            if failure.findings and output in (OutputFormat.JSON, OutputFormat.YAML):
                error = {"error": failure.message, "where": failure.where, "exit_code": int(failure.exit_code)}
                state = list(getattr(failure, "__notes__", ()))
                value = {**error, "state": state, "findings": failure.findings}
                print_document("failure", value, OutputFormat(output))
            raise

    return cast(F, run)


def grid(*headings: str) -> Table:
    """A table without lines: column headings in capitals, two spaces between columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def print_table(out: Console, table: Table) -> None:
    """Print a table whole, however narrow the terminal, and without the blanks that fill its last column."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as capture:
        out.print(table)
    out.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def progress(quiet: bool) -> Callable[[str], None]:
    """Tells on stderr what happens, unless it shall be quiet."""
    if quiet:
        return lambda _text: None
    out = error_console()
    return lambda text: out.print(Text(f"  {text}", style="dim"), soft_wrap=True)
