"""How results are asked for, and documents for programs: on stdout; everything else goes to stderr."""

import math
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar, cast

import click

from virtfn.errors import VirtfnError

FORMAT = 1

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
