"""``virtfn plan``, ``apply`` and ``verify``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from virtfn.app import App
from virtfn.cli.confirm import LOOK_FIRST, ask
from virtfn.cli.console import console, error_console, progress
from virtfn.cli.events_view import EventsView
from virtfn.cli.findings_view import finding_lines
from virtfn.cli.interrupts import Interrupts, interruptible
from virtfn.cli.output import OutputFormat, Seconds, output_option, print_document
from virtfn.cli.plan_view import print_plan
from virtfn.errors import ExitCode, SpecError, UsageError
from virtfn.journal.saved_plans import load_host, save
from virtfn.model.finding import not_overridden, refusals, refuse
from virtfn.model.proposal import HostRequest, Proposal, Receipt, WaitPolicy
from virtfn.model.value_format import say
from virtfn.services.boot_unit import DROP_INS
from virtfn.services.host_state import HostService

if TYPE_CHECKING:
    from virtfn.model.desired import DesiredHost

F = TypeVar("F", bound=Callable[..., Any])


def _spec_option(command: F) -> F:
    return click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="FILE|DIR|-",
        help=f"The declared state; a folder means all its *.yaml. Repeatable. [default: {DROP_INS}]",
    )(command)


def _guard_options(command: F) -> F:
    command = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")(command)
    return click.option("--force", "forced", multiple=True, metavar="GUARD", help="Override this guard. Repeatable.")(
        command
    )


@click.command(
    epilog="""\b
Examples:
  virtfn plan -f host.yaml
  virtfn plan -f host.yaml --explain
  virtfn plan -f host.yaml --out host.plan && virtfn apply --plan host.plan
"""
)
@_spec_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, to be applied as it is.")
@click.option("--explain", is_flag=True, help="Show the equivalent commands.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if there is something to do.")
@_guard_options
@output_option
def plan(
    files: tuple[str, ...],
    out: Path | None,
    explain: bool,
    exit_code: bool,
    forced: tuple[str, ...],
    quiet: bool,
    output: str,
) -> None:
    """Show what `apply` would change, and which guards block it. Changes nothing."""
    desired = _read(files)
    with _hosts(quiet) as (hosts, _):
        proposal = hosts.propose(HostRequest(desired))
    if out:
        save(proposal, out)
    _print_plan(proposal, frozenset(forced), OutputFormat(output), explain=explain)
    if exit_code and not proposal.is_empty:
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@click.command(
    epilog="""\b
Examples:
  virtfn apply -f host.yaml                      show the plan, ask, do it
  virtfn apply -f host.yaml --dry-run --explain
  virtfn apply -f host.yaml --yes --confirm-within 60   (then: virtfn confirm)
  virtfn apply --plan host.plan --yes
"""
)
@_spec_option
@click.option(
    "--plan",
    "saved",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A plan saved by `plan --out`.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--explain", is_flag=True, help="Show the equivalent commands.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--confirm-within",
    type=Seconds(min=1),
    metavar="SECONDS",
    help="Roll back unless `virtfn confirm` comes in time, even if this login is gone.",
)
@click.option("--wait", type=Seconds(min=0), default=0.0, metavar="SECONDS", help="Wait for the PFs to appear.")
@_guard_options
@output_option
def apply(
    files: tuple[str, ...],
    saved: Path | None,
    dry_run: bool,
    explain: bool,
    yes: bool,
    confirm_within: float | None,
    wait: float,
    forced: tuple[str, ...],
    quiet: bool,
    output: str,
) -> None:
    """Apply the spec; roll back on failure.

    Only what the file names is written. Everything is journalled first: `virtfn rollback` takes it back, also after a
    crash. Ctrl-C finishes the step at work, then rolls back.
    """
    how = OutputFormat(output)
    if saved and files:
        raise UsageError("name a spec or a saved plan, not both")
    guards = frozenset(forced)
    with _hosts(quiet) as (hosts, stop):
        if saved:
            proposal = hosts.review(load_host(saved))
        else:
            proposal = hosts.propose(HostRequest(_read(files)), wait=WaitPolicy(wait))
        if dry_run:
            _print_plan(proposal, guards, how, explain=explain)
            return
        refuse(refusals(proposal.findings, guards), proposal.plan.title)
        hosts.refuse_blocked()
        if not proposal.is_empty:
            plan = proposal.plan
            ask(lambda: print_plan(error_console(), plan, explain=explain), yes=yes, quiet=quiet, hint=LOOK_FIRST)
        with stop.held():
            receipt = hosts.carry_out(proposal, forced=guards, confirm_within_s=confirm_within)
    _print_receipt(receipt, how, confirm_within)


@click.command(
    epilog="""\b
Examples:
  virtfn verify -f host.yaml
  virtfn verify -f host.yaml --exit-code -o json
"""
)
@_spec_option
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if the host differs.")
@output_option
def verify(files: tuple[str, ...], exit_code: bool, output: str) -> None:
    """Compare this host with the spec. Changes nothing."""
    how, desired = OutputFormat(output), _read(files)
    with _hosts(quiet=True) as (hosts, _):
        differences = hosts.differences(desired)
    if how.is_document:
        print_document("differences", {"differences": differences}, how)
    else:
        out = console()
        for one in differences:
            out.print(f"{one.target}  {one.field}: {say(one.before)}, declared {say(one.after)}")
        number = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
        out.print(f"{number}." if differences else "The host is as declared.")
    if exit_code and differences:
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@contextmanager
def _hosts(quiet: bool) -> Iterator[tuple[HostService, Interrupts]]:
    tell = progress(quiet)
    with interruptible(tell) as stop:
        with stop.held():  # what was not confirmed in time is rolled back first
            hosts = App().hosts(EventsView(tell), stop)
        yield hosts, stop


def _read(files: tuple[str, ...]) -> "DesiredHost":
    """The declared state of these files. Raises SpecError with every fault of every file."""
    from virtfn.spec.document import sources_of
    from virtfn.spec.loading import load

    try:
        return load(sources_of(files or (str(DROP_INS),), sys.stdin.buffer))
    except SpecError as fault:
        if not files and not fault.findings:
            fault.hint = "name a file with -f, or `virtfn persist install -f` one there"
        raise


def _print_plan(proposal: Proposal[HostRequest], forced: frozenset[str], how: OutputFormat, *, explain: bool) -> None:
    findings = not_overridden(proposal.findings, forced)
    if how.is_document:
        print_document("plan", {"plan": proposal.plan, "findings": findings}, how)
        return
    out = console()
    if proposal.is_empty:
        out.print("Nothing to do: the host is as declared.")
        return
    print_plan(out, proposal.plan, explain=explain)
    for line, style in finding_lines(findings):
        out.print(f"  {line}", style=style)


def _print_receipt(receipt: Receipt, how: OutputFormat, confirm_within: float | None) -> None:
    if how.is_document:
        print_document("apply", receipt, how)
        return
    out = console()
    if receipt.id is None:
        out.print("Nothing to do: the host is as declared.")
        return
    out.print(f"Done, and read back as declared. `virtfn rollback {receipt.id}` takes it back.")
    if confirm_within:
        out.print(f"Rolls back in {confirm_within:g} s unless you run: virtfn confirm", style="bold yellow")
