"""``virtfn mirror add|ls|prove|rm``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.text import Text

from virtfn.app import App
from virtfn.cli.confirm import LOOK_FIRST, ask
from virtfn.cli.events_view import EventsView
from virtfn.cli.interrupts import Interrupts, interruptible
from virtfn.cli.output import (
    OutputFormat,
    console,
    error_console,
    grid,
    output_option,
    print_document,
    print_table,
    progress,
)
from virtfn.cli.plan_view import print_plan
from virtfn.cli.proof_view import print_proof
from virtfn.errors import ProofFailed, UsageError
from virtfn.model.mirror import Choice, MirrorReceipt, MirrorState
from virtfn.model.probe import ProofReport
from virtfn.services.mirrors import MirrorService

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def mirror() -> None:
    """Copy one VF's traffic to another VF, and prove it with probe frames.

    A VF is named PF/INDEX (p2p1/3) or by its PCI address (0000:01:10.3).
    """


def _probe_options(command: F) -> F:
    command = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")(command)
    command = click.option(
        "--frames", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Probe frames a leg."
    )(command)
    return click.option(
        "--probe-from",
        multiple=True,
        metavar="WHERE",
        help="Send probe frames from: pf, sibling, NETDEV or NETNS:NETDEV outside the NIC. Repeatable. [default: pf]",
    )(command)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror add p2p1/3 p2p1/2                  ask, then mirror VF 3 to VF 2
  virtfn mirror add p2p1/3 p2p1/2 --dry-run --explain
  virtfn mirror add 0000:01:10.3 0000:01:10.2 --yes -o json
  virtfn mirror add p2p1/3 p2p1/2 --strategy field-note --literal --yes
"""
)
@click.argument("source")
@click.argument("copy")
@click.option("--strategy", default="", metavar="NAME", help="twin-mac or field-note. [default: what fits the NIC]")
@click.option(
    "--literal", is_flag=True, help="field-note: also take the PF down and up, as the note does. Cuts off all its VFs."
)
@click.option("--force", "forced", multiple=True, metavar="GUARD", help="Override this guard. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--explain", is_flag=True, help="Show the equivalent `ip` commands.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_probe_options
@output_option
def add(
    source: str,
    copy: str,
    strategy: str,
    literal: bool,
    forced: tuple[str, ...],
    dry_run: bool,
    explain: bool,
    yes: bool,
    probe_from: tuple[str, ...],
    frames: int,
    quiet: bool,
    output: str,
) -> None:
    """Mirror to COPY what reaches SOURCE, and prove it; otherwise leave everything as it was.

    Shown before anything is changed: the steps, and what the copy VF loses meanwhile. Nobody else on the NIC is
    disturbed. `virtfn mirror rm` puts everything back.
    """
    how = OutputFormat(output)
    if literal and strategy != "field-note":
        raise UsageError("--literal belongs to the field note's recipe", hint="add --strategy field-note")
    with _mirrors(probe_from, frames, quiet) as (mirrors, stop):
        options: dict[str, Any] = {"strategy": strategy, "literal": literal, "forced": frozenset(forced)}
        choice = mirrors.propose(source, copy, **options)
        if dry_run:
            _print_choice(choice, how, explain=explain)
            return
        plan = choice.proposals[0].plan
        ask(lambda: print_plan(error_console(), plan, explain=explain), yes=yes, quiet=quiet, hint=LOOK_FIRST)
        with stop.held(), _proof_on_failure(how):
            receipt = mirrors.add(source, copy, **options)
        _print_receipt(receipt, how)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror ls
  virtfn mirror ls -o json
"""
)
@output_option
def ls(output: str) -> None:
    """List the mirrors of this host, each compared with the host as it is now.

    standing: as virtfn left it. drifted: somebody changed it since. at work: another virtfn process is working on it.
    unfinished: virtfn was killed; `mirror rm` finishes.
    """
    how = OutputFormat(output)
    with _mirrors((), 20, True) as (mirrors, _):
        found = mirrors.standing()
    if how.is_document:
        print_document("mirrors", {"mirrors": found}, how)
        return
    if not found:
        console().print("No mirror stands on this host.")
        return
    table = grid("ID", "SOURCE", "COPY", "STRATEGY", "MAC", "STATE", "LAST PROOF", "SINCE")
    for one in found:
        style = "green" if one.state is MirrorState.STANDING else "bold red"
        proven = "none" if one.last_proof is None else "proven" if one.last_proof.proven else "FAILED"
        state = Text(one.state.value, style=style)
        table.add_row(
            str(one.id),
            one.source_label,
            one.copy_label,
            one.strategy,
            str(one.mac),
            state,
            proven,
            one.transaction.started,
        )
    print_table(console(), table)
    for one in found:
        for drift in one.drift:
            console().print(f"mirror {one.id}: {drift}", soft_wrap=True)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror prove 1
  virtfn mirror prove p2p1/3 p2p1/2 --frames 100
"""
)
@click.argument("name", metavar="ID|SOURCE")
@click.argument("copy", required=False)
@_probe_options
@output_option
def prove(name: str, copy: str | None, probe_from: tuple[str, ...], frames: int, quiet: bool, output: str) -> None:
    """Prove a standing mirror again. The mirror is left as it is, whatever the result."""
    how = OutputFormat(output)
    with _mirrors(probe_from, frames, quiet) as (mirrors, stop), stop.held(), _proof_on_failure(how):
        _print_receipt(mirrors.prove(name, copy), how)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror rm 1
  virtfn mirror rm p2p1/3 p2p1/2
"""
)
@click.argument("name", metavar="ID|SOURCE")
@click.argument("copy", required=False)
@_probe_options
@output_option
def rm(name: str, copy: str | None, probe_from: tuple[str, ...], frames: int, quiet: bool, output: str) -> None:
    """Remove a mirror: put back exactly what was there, and prove that the copy gets nothing any more.

    Also finishes an `add` or `rm` that was killed.
    """
    how = OutputFormat(output)
    with _mirrors(probe_from, frames, quiet) as (mirrors, stop), stop.held(), _proof_on_failure(how):
        _print_receipt(mirrors.remove(name, copy), how)


@contextmanager
def _mirrors(probe_from: tuple[str, ...], frames: int, quiet: bool) -> Iterator[tuple[MirrorService, Interrupts]]:
    tell = progress(quiet)
    with interruptible(tell) as stop:
        with stop.held():  # what was not confirmed in time is rolled back first
            mirrors = App().mirrors(EventsView(tell), stop, frames=frames, probe_from=probe_from)
        yield mirrors, stop


@contextmanager
def _proof_on_failure(how: OutputFormat) -> Iterator[None]:
    """Print the report that a failed proof carries, then let the error go on."""
    try:
        yield
    except ProofFailed as failure:
        if isinstance(failure.report, ProofReport):
            if how.is_document:
                print_document("proof", failure.report, how)
            else:
                print_proof(console(), failure.report)
        raise


def _print_choice(choice: Choice, how: OutputFormat, *, explain: bool) -> None:
    if how.is_document:
        print_document("mirror-plan", choice, how)
        return
    for proposal in choice.proposals:
        print_plan(console(), proposal.plan, explain=explain)
    for rejection in choice.rejections:
        console().print(f"rejected {rejection.strategy}: {rejection.reason}", soft_wrap=True)


def _print_receipt(receipt: MirrorReceipt, how: OutputFormat) -> None:
    if how.is_document:
        print_document("proof", receipt.report, how, id=receipt.id, action=receipt.action, warnings=receipt.warnings)
        return
    out = console()
    for report in receipt.failed:
        print_proof(out, report)
    print_proof(out, receipt.report)
    for warning in receipt.warnings:
        out.print(Text(f"  note: {warning}", style="yellow"), soft_wrap=True)
    if receipt.action == "add":
        out.print(f"Mirror {receipt.id} stands. `virtfn mirror rm {receipt.id}` puts everything back.")
