"""The command: options before a subcommand, and the one place where errors become text and exit codes."""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from virtfn import __version__
from virtfn.cli.console import error_console
from virtfn.cli.help_text import OPTIONS, SUMMARIES, overview
from virtfn.cli.streams import lost_output, take_over
from virtfn.errors import ExitCode, VirtfnError

_COMMANDS = {
    # name: (module, attribute); imported when used, so that --help and --version stay fast
    "show": ("virtfn.cli.show", "show"),
    "plan": ("virtfn.cli.host", "plan"),
    "apply": ("virtfn.cli.host", "apply"),
    "verify": ("virtfn.cli.host", "verify"),
    "rollback": ("virtfn.cli.journal", "rollback"),
    "resume": ("virtfn.cli.journal", "resume"),
    "confirm": ("virtfn.cli.journal", "confirm"),
    "journal": ("virtfn.cli.journal", "journal"),
    "persist": ("virtfn.cli.persist", "persist"),
    "mirror": ("virtfn.cli.mirror", "mirror"),
    "cloud": ("virtfn.cli.cloud", "cloud"),
    "watch-over": ("virtfn.cli.journal", "watch_over"),
    "lab": ("virtfn.cli.lab", "lab"),
}


@dataclass(frozen=True)
class _Ready:
    """What to call once the command is imported, before it begins."""

    call: Callable[[], None]


class _Commands(click.Group):
    """Subcommands that are imported when used; with ``--lab``, all of them run inside the lab."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if ready := ctx.find_object(_Ready):
            ready.call()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.params.get("inside_lab"):
            return "inside-lab", _inside_lab, args
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(overview())


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="virtfn", message="%(prog)s %(version)s")
@click.option("--lab", "inside_lab", is_flag=True, help=OPTIONS["--lab"])
def cli(inside_lab: bool) -> None:
    """See, shape, mirror and prove SR-IOV virtual functions."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _inside_lab(arguments: tuple[str, ...]) -> None:
    from virtfn.cli.lab import run_inside

    raise click.exceptions.Exit(run_inside(arguments))


def main(arguments: list[str], *, ready: Callable[[], None] = lambda: None) -> int:
    """Run one command line; the exit code. Prints errors, never a stack trace (unless VIRTFN_DEBUG is set).

    ``ready`` is called once the command is imported, before it begins.

    If the result cannot be printed, the changes remain; an error reports it with its own exit code. A closed pipe (``|
    head``) is no error.
    """
    take_over()
    code = _run(arguments, _Ready(ready))
    lost = lost_output()
    if lost is None or isinstance(lost, BrokenPipeError):
        return code
    succeeded = code in (ExitCode.DONE, ExitCode.DIFFERENT)
    remains = "; the changes remain: see `virtfn journal ls`" if succeeded else ""
    error_console().print(f"error: the result could not be printed ({lost.strerror}){remains}", style="red")
    return ExitCode.UNREACHABLE if succeeded else code


def _run(arguments: list[str], ready: _Ready) -> int:
    try:
        result = cli.main(args=arguments, prog_name="virtfn", standalone_mode=False, obj=ready)
        return int(result) if isinstance(result, int) else ExitCode.DONE
    except VirtfnError as failure:
        _print_failure(failure)
        return failure.exit_code
    except click.ClickException as failure:
        failure.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        error_console().print("Stopped; nothing was changed.")
        return ExitCode.INTERRUPTED
    except Exception as failure:
        if os.environ.get("VIRTFN_DEBUG"):
            raise
        error_console().print(
            f"error: this is a fault of virtfn itself: {type(failure).__name__}: {failure}\n"
            "  next: run it again with VIRTFN_DEBUG=1 and report what it prints"
        )
        return ExitCode.FAILED


def _print_failure(failure: VirtfnError) -> None:
    """What failed on which object, the state of the host now, what to do next."""
    out = error_console()
    out.print(f"error: {failure}", style="red")
    for line in _details(failure):
        out.print(f"  {line}")
    for note in getattr(failure, "__notes__", ()):
        out.print(f"  state: {note}")
    told = {finding.fix for finding in failure.findings}
    if failure.hint and failure.hint not in told:
        out.print(f"  next: {failure.hint}")
    if failure.actions:
        from virtfn.cli.actions import advice

        out.print(f"  {'run' if failure.hint else 'next'}: {advice(failure.actions)}")


def _details(failure: VirtfnError) -> Iterator[str]:
    """Why it failed; for a single finding with the error's own sentence, its evidence and its fix."""
    if not failure.findings:
        return
    from virtfn.cli.findings_view import details, finding_lines, override

    first, *more = failure.findings
    if more or first.what != failure.message:
        yield from (line for line, _ in finding_lines(failure.findings))
        return
    yield from details(first, label="next")
    if how := override(failure.findings):
        yield how
