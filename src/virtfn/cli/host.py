"""``virtfn plan``, ``apply`` and ``verify``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from virtfn.app import App
from virtfn.cli.console import LOOK_FIRST, OutputFormat, ask, console, error_console, print_document, progress
from virtfn.cli.events_view import EventsView
from virtfn.cli.findings_view import print_findings
from virtfn.cli.interrupts import Interrupts, interruptible
from virtfn.cli.options import DRY_RUN, EXPLAIN, FORCE, OUT, QUIET, YES, Seconds, output_option, saved_plan
from virtfn.cli.plan_view import print_plan
from virtfn.errors import ExitCode, SpecError, UsageError
from virtfn.journal.saved_plans import load_host, save
from virtfn.model.finding import not_overridden, refusals, refuse
from virtfn.model.proposal import HostRequest, Proposal, Receipt, WaitPolicy
from virtfn.services.boot_unit import DROP_INS
from virtfn.services.host_state import HostService

if TYPE_CHECKING:
    from virtfn.model.desired import DesiredHost


_SPEC = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    help=f"The spec; a folder means all its *.yaml. Repeatable. [default: {DROP_INS}]",
)


@click.command(
    epilog="""\b
Examples:
  virtfn plan -f host.yaml
  virtfn plan -f host.yaml --explain
  virtfn plan -f host.yaml --out host.plan && virtfn apply --plan host.plan
"""
)
@_SPEC
@OUT
@EXPLAIN
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if there is something to do.")
@FORCE
@QUIET
@output_option()
def plan(
    files: tuple[str, ...],
    out: Path | None,
    explain: bool,
    exit_code: bool,
    forced: tuple[str, ...],
    quiet: bool,
    how: OutputFormat,
) -> None:
    """Show what `apply` would change, and which guards block it. Changes nothing."""
    desired = _read(files)
    with _hosts(quiet) as (hosts, _):
        proposal = hosts.propose(HostRequest(desired))
    if out:
        save(proposal, out)
    _print_plan(proposal, frozenset(forced), how, explain=explain)
    if exit_code and not proposal.is_empty:
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@click.command(
    epilog="""\b
Examples:
  virtfn apply -f host.yaml                      show the plan, ask, apply it
  virtfn apply -f host.yaml --dry-run --explain
  virtfn apply -f host.yaml --yes --confirm-within 60   (then: virtfn confirm)
  virtfn apply --plan host.plan --yes
"""
)
@_SPEC
@saved_plan("plan")
@DRY_RUN
@EXPLAIN
@YES
@click.option(
    "--confirm-within",
    type=Seconds(min=1),
    metavar="SECONDS",
    help="Roll back unless `virtfn confirm` runs in time, even if this login is gone.",
)
@click.option("--wait", type=Seconds(min=0), default=0.0, metavar="SECONDS", help="Wait for the PFs to appear.")
@FORCE
@QUIET
@output_option()
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
    how: OutputFormat,
) -> None:
    """Apply the spec; roll back on failure.

    Writes only what the file names, and journals each change first: `virtfn rollback` undoes it, also after a crash.
    Ctrl-C finishes the current step, then rolls back.
    """
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
@_SPEC
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if the host differs.")
@output_option()
def verify(files: tuple[str, ...], exit_code: bool, how: OutputFormat) -> None:
    """Compare this host with the spec. Changes nothing."""
    desired = _read(files)
    with _hosts(quiet=True) as (hosts, _):
        differences = hosts.differences(desired)
    findings = [one.finding for one in differences]
    if how.is_document:
        print_document("differences", {"differences": differences, "findings": findings}, how)
    else:
        out = console()
        print_findings(out, findings)
        number = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
        out.print(f"{number}." if differences else "The host is as declared.")
    if exit_code and differences:
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@contextmanager
def _hosts(quiet: bool) -> Iterator[tuple[HostService, Interrupts]]:
    tell = progress(quiet)
    with interruptible(tell) as stop:
        with stop.held():  # roll back first what was not confirmed in time
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
            fault.hint = "name a file with -f, or install one with `virtfn persist install -f`"
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
    print_findings(out, findings)


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
