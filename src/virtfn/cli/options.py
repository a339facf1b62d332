"""Options that several commands have, each as a decorator."""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from virtfn.cli.console import OutputFormat, print_document
from virtfn.errors import VirtfnError

F = TypeVar("F", bound=Callable[..., Any])


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one, in the order in which the help lists them."""

    def decorate(command: F) -> F:
        for option in reversed(decorators):
            command = option(command)
        return command

    return decorate


class Seconds(click.FloatRange):
    """A time in seconds: a number within its range, and a finite one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert the value, as click requires. Fails for ``nan`` and ``inf``, which pass every range check."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return found


DRY_RUN = click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
EXPLAIN = click.option("--explain", is_flag=True, help="Show the equivalent commands.")
EXPLAIN_CLOUD = click.option("--explain", is_flag=True, help="Show the equivalent openstack commands.")
FORCE = click.option("--force", "forced", multiple=True, metavar="GUARD", help="Override this guard. Repeatable.")
OS_CLOUD = click.option(
    "--os-cloud",
    metavar="NAME",
    envvar="OS_CLOUD",
    help="The entry of clouds.yaml. [default: OS_CLOUD, else the OS_... variables]",
)
OUT = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, to apply it later.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
SECRETS = click.option("--show-secrets", is_flag=True, help="Show user data, which may contain passwords.")
YES = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")


def saved_plan(command: str) -> Callable[[F], F]:
    """The option ``--plan FILE`` with what ``command`` has saved."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--plan", "saved", type=file, help=f"A plan saved by `{command} --out`.")


def output_option(*more: OutputFormat) -> Callable[[F], F]:
    """The options ``-o table|wide|json|yaml`` (and ``more``) and ``-j``; the command gets ``how``."""
    common = (OutputFormat.TABLE, OutputFormat.WIDE, OutputFormat.JSON, OutputFormat.YAML)
    choice = click.Choice([entry.value for entry in (*common, *more)])
    return options(
        click.option(
            "-o", "--output", "how", type=choice, default="table", show_default=True, help="How to print the result."
        ),
        click.option("-j", "how", flag_value="json", type=choice, help="Same as -o json."),
        _with_failure_as_document,
    )


def _with_failure_as_document(command: F) -> F:
    """The command; with ``-o json``, an error with findings also prints a document with them."""

    @wraps(command)
    def run(*arguments: Any, how: str, **given: Any) -> Any:
        asked = OutputFormat(how)
        try:
            return command(*arguments, how=asked, **given)
        except VirtfnError as failure:
            if failure.findings and asked.is_document:
                error = {"error": failure.message, "where": failure.where, "exit_code": int(failure.exit_code)}
                state = list(getattr(failure, "__notes__", ()))
                print_document("failure", {**error, "state": state, "findings": failure.findings}, asked)
            raise

    return cast(F, run)
