"""``virtfn cloud plan``, ``up``, ``show`` and ``down``."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from virtfn.app import PARALLEL, App
from virtfn.cli.cloud_mirror import mirror
from virtfn.cli.cloud_view import print_cloud, print_cloud_objects
from virtfn.cli.console import Console, OutputFormat, ask, console, error_console, print_document, progress, quieten_sdk
from virtfn.cli.events_view import EventsView
from virtfn.cli.interrupts import CLOUD_STEP, Interrupts, interruptible
from virtfn.cli.options import (
    DRY_RUN,
    EXPLAIN_CLOUD,
    OS_CLOUD,
    QUIET,
    SECRETS,
    YES,
    Seconds,
    options,
    output_option,
    saved_plan,
)
from virtfn.cli.plan_view import print_cloud_plan
from virtfn.errors import ExitCode, UsageError
from virtfn.journal.saved_plans import load_cloud, save
from virtfn.model.proposal import CloudRequest
from virtfn.model.subject import CloudAction

if TYPE_CHECKING:
    from virtfn.model.cloud import DesiredCloud
    from virtfn.model.finding import Finding
    from virtfn.model.plan import Plan
    from virtfn.model.proposal import CloudProposal
    from virtfn.services.cloud_state import CloudReceipt, CloudService

_PRINT = {OutputFormat.TABLE: print_cloud, OutputFormat.WIDE: print_cloud_objects}


_SPEC = click.option("-f", "--file", "file", required=True, metavar="FILE|-", help="The spec.")
_PARALLEL = click.option(
    "--parallel",
    type=click.IntRange(1, 32),
    default=PARALLEL,
    show_default=True,
    metavar="N",
    help="Objects of one kind (ports, servers) handled at once.",
)
_change_options = options(EXPLAIN_CLOUD, SECRETS, _PARALLEL, DRY_RUN, YES)


@click.group()
def cloud() -> None:
    """Flat SR-IOV networks, direct ports and servers on OpenStack, from a spec."""


cloud.add_command(mirror)


@cloud.command(
    epilog="""\b
Examples:
  virtfn cloud plan -f field-note.yaml --os-cloud lab
  virtfn cloud plan -f field-note.yaml --explain
  virtfn cloud plan -f field-note.yaml --exit-code -o json
  virtfn cloud plan -f field-note.yaml --out note.plan && virtfn cloud up --plan note.plan
"""
)
@_SPEC
@OS_CLOUD
@QUIET
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, user data included, for you alone."
)
@EXPLAIN_CLOUD
@SECRETS
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if there is something to do.")
@output_option()
def plan(
    file: str,
    os_cloud: str | None,
    quiet: bool,
    out: Path | None,
    explain: bool,
    show_secrets: bool,
    exit_code: bool,
    how: OutputFormat,
) -> None:
    """Show what `up` would create or change. Changes nothing."""
    desired = _read(file)
    with _clouds(os_cloud, quiet) as (clouds, _):
        found = clouds.propose(CloudRequest(CloudAction.UP, desired))
    if out:
        save(found, out)
    _Look(how, explain, show_secrets).print_plan(found.plan, found.findings)
    if exit_code and not found.is_empty:
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@cloud.command(
    epilog="""\b
Examples:
  virtfn cloud up -f field-note.yaml --os-cloud lab      show the plan, ask, apply it
  virtfn cloud up -f field-note.yaml --dry-run --explain
  virtfn cloud up -f field-note.yaml --yes --timeout 600
  virtfn cloud up --plan note.plan --yes
"""
)
@OS_CLOUD
@QUIET
@click.option("-f", "--file", "file", metavar="FILE|-", help="The spec.")
@saved_plan("cloud plan")
@_change_options
@click.option(
    "--timeout",
    type=Seconds(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long servers and their ports may take.",
)
@output_option()
def up(
    file: str | None,
    saved: Path | None,
    os_cloud: str | None,
    quiet: bool,
    explain: bool,
    show_secrets: bool,
    dry_run: bool,
    yes: bool,
    parallel: int,
    timeout: float,
    how: OutputFormat,
) -> None:
    """Create what the file declares, and wait until each server runs and each port has its VF.

    All objects get the tag virtfn:NAME. On failure, and on Ctrl-C, the objects of this run are deleted again.
    """
    if (file is None) == (saved is None):
        raise UsageError("name a spec with -f, or a saved plan with --plan")
    look = _Look(how, explain, show_secrets)
    request = CloudRequest(CloudAction.UP, _read(file)) if file is not None else None
    with _clouds(os_cloud, quiet, timeout, parallel) as (clouds, stop):
        found = clouds.propose(request) if request else clouds.review(load_cloud(cast(Path, saved)))
        receipt = _change(clouds, stop, found, look, dry_run=dry_run, yes=yes, quiet=quiet)
    if receipt and receipt.now and not look.how.is_document and not receipt.plan.is_empty:
        _PRINT[look.how](console(), receipt.now)
        _print_done(receipt, "created and ready")


@cloud.command(
    epilog="""\b
Examples:
  virtfn cloud show -f field-note.yaml --os-cloud lab
  virtfn cloud show -f field-note.yaml --exit-code -o json
"""
)
@_SPEC
@OS_CLOUD
@QUIET
@click.option("--exit-code", is_flag=True, help=f"Exit with {int(ExitCode.DIFFERENT)} if it differs or is not ready.")
@output_option()
def show(file: str, os_cloud: str | None, quiet: bool, exit_code: bool, how: OutputFormat) -> None:
    """Show the file's objects: where each VF is, what differs, what is not ready and why."""
    desired = _read(file)
    with _clouds(os_cloud, quiet) as (clouds, _):
        view = clouds.show(desired)
    if how.is_document:
        print_document("cloud", view, how)
    else:
        _PRINT[how](console(), view)
    if exit_code and (view.differences or not view.readiness.is_ready):
        raise click.exceptions.Exit(ExitCode.DIFFERENT)


@cloud.command(
    epilog="""\b
Examples:
  virtfn cloud down -f field-note.yaml --os-cloud lab
  virtfn cloud down -f field-note.yaml --dry-run --explain
"""
)
@_SPEC
@OS_CLOUD
@QUIET
@_change_options
@output_option()
def down(
    file: str,
    os_cloud: str | None,
    quiet: bool,
    explain: bool,
    show_secrets: bool,
    dry_run: bool,
    yes: bool,
    parallel: int,
    how: OutputFormat,
) -> None:
    """Delete all objects with the file's tag, and nothing else. Deleted servers cannot be restored.

    Only the spec's name in the file matters: objects that were removed from it are deleted, too. A network in use by
    others stays.
    """
    look, request = _Look(how, explain, show_secrets), CloudRequest(CloudAction.DOWN, _read(file))
    with _clouds(os_cloud, quiet, parallel=parallel) as (clouds, stop):
        receipt = _change(clouds, stop, clouds.propose(request), look, dry_run=dry_run, yes=yes, quiet=quiet)
    if receipt and not look.how.is_document and not receipt.plan.is_empty:
        _print_done(receipt, "deleted")
        for note in receipt.plan.notes:  # what was left alone
            console().print(f"  ! {note}")


@dataclass(frozen=True)
class _Look:
    """How plans and results are shown."""

    how: OutputFormat
    explain: bool
    show_secrets: bool

    def print_plan(self, plan: "Plan", findings: "Sequence[Finding]" = ()) -> None:
        """As a result, on stdout."""
        if self.how.is_document:
            self.print_document("cloud-plan", {"plan": plan, "findings": findings})
        elif plan.is_empty and not (plan.notes or findings):
            console().print(f"Nothing to do: {plan.title}.")
        else:
            self.draw(console(), plan, findings)

    def draw(self, out: "Console", plan: "Plan", findings: "Sequence[Finding]") -> None:
        """As text."""
        print_cloud_plan(out, plan, findings=findings, explain=self.explain, show_secrets=self.show_secrets)

    def print_document(self, kind: str, value: object) -> None:
        """As a document."""
        print_document(kind, value, self.how, show_secrets=self.show_secrets)


def _change(
    clouds: "CloudService",
    stop: Interrupts,
    found: "CloudProposal",
    look: _Look,
    *,
    dry_run: bool,
    yes: bool,
    quiet: bool,
) -> "CloudReceipt | None":
    """Show the proposal, ask, carry it out; None where it is only shown."""
    if dry_run:
        look.print_plan(found.plan, found.findings)
        return None
    if not found.is_empty:
        ask(lambda: look.draw(error_console(), found.plan, found.findings), yes=yes, quiet=quiet)
    with stop.held():
        receipt = clouds.carry_out(found)
    if look.how.is_document:
        look.print_document(f"cloud-{found.request.action}", receipt)
    elif receipt.plan.is_empty:
        look.print_plan(receipt.plan)
    return receipt


@contextmanager
def _clouds(
    os_cloud: str | None, quiet: bool, timeout_s: float = 300.0, parallel: int = PARALLEL
) -> Iterator[tuple["CloudService", Interrupts]]:
    tell = progress(quiet)
    with interruptible(tell, CLOUD_STEP) as stop:
        quieten_sdk()
        yield App().clouds(os_cloud, EventsView(tell), stop, timeout_s=timeout_s, parallel=parallel), stop


def _read(name: str) -> "DesiredCloud":
    """The declared state of this file. Raises SpecError with every fault."""
    from virtfn.spec.cloud.loading import load_cloud as load_spec
    from virtfn.spec.document import source_of

    return load_spec(*source_of(name, sys.stdin.buffer))


def _print_done(receipt: "CloudReceipt", what: str) -> None:
    objects = len({step.target for step in receipt.plan.steps})
    counted = f"{objects} object{'' if objects == 1 else 's'}"
    console().print(f"{counted} {what}: {receipt.plan.title}.")
