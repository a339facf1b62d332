"""``virtfn mirror plan|add|ls|prove|rm``."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from virtfn.app import App
from virtfn.cli.console import LOOK_FIRST, OutputFormat, Table, ask, console, error_console, print_document, progress
from virtfn.cli.events_view import EventsView
from virtfn.cli.findings_view import print_findings
from virtfn.cli.interrupts import Interrupts, interruptible
from virtfn.cli.options import FORCE, QUIET, YES, options, output_option
from virtfn.cli.plan_view import print_plan
from virtfn.cli.proof_view import metered, print_proof
from virtfn.errors import ProofFailed, UsageError
from virtfn.model.finding import Severity
from virtfn.model.mirror import MirrorHealth, MirrorProposal, MirrorReceipt, MirrorRequest
from virtfn.model.probe import Direction, ProofReport, Strength
from virtfn.services.mirrors import MirrorService

_DIRECTIONS = {
    "to-source": (Direction.TO_SOURCE,),
    "from-source": (Direction.FROM_SOURCE,),
    "both": (Direction.TO_SOURCE, Direction.FROM_SOURCE),
}


@click.group()
def mirror() -> None:
    """Copy one VF's traffic to another VF, and prove it with probe frames.

    A VF is named PF/INDEX (p2p1/3) or by its PCI address (0000:01:10.3).
    """


_probe_options = options(
    click.option(
        "--probe-from",
        multiple=True,
        metavar="WHERE",
        help="Send probe frames from: pf, sibling, NETDEV or NETNS:NETDEV outside the NIC. Repeatable. [default: pf]",
    ),
    click.option(
        "--frames", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Probe frames per leg."
    ),
    QUIET,
)
_request_options = options(
    click.argument("source"),
    click.argument("copy"),
    click.option(
        "--direction",
        type=click.Choice(list(_DIRECTIONS)),
        default="to-source",
        show_default=True,
        help="Traffic to copy: sent to the source, from it, or both.",
    ),
    click.option("--strategy", default="", metavar="NAME", help="twin-mac or field-note. [default: what fits the NIC]"),
    click.option(
        "--literal",
        is_flag=True,
        help="field-note: also take the PF down and up, as the note does. Cuts off all its VFs.",
    ),
    click.option(
        "--unproven",
        is_flag=True,
        help="Make it also where frames can neither prove nor disprove it: no meter, too much chatter.",
    ),
    FORCE,
    click.option("--explain", is_flag=True, help="Show the equivalent `ip` commands."),
)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror plan p2p1/3 p2p1/2
  virtfn mirror plan p2p1/3 p2p1/2 --explain
  virtfn mirror plan 0000:01:10.3 0000:01:10.2 --direction both -o json
"""
)
@_request_options
@_probe_options
@output_option()
def plan(
    source: str,
    copy: str,
    direction: str,
    strategy: str,
    literal: bool,
    unproven: bool,
    forced: tuple[str, ...],
    explain: bool,
    probe_from: tuple[str, ...],
    frames: int,
    quiet: bool,
    how: OutputFormat,
) -> None:
    """Show what a mirror of SOURCE to COPY requires: the strategies, the steps, the meters.

    Changes nothing and sends nothing. Where `mirror add` would be refused, the exit code is the same.
    """
    request = _request(source, copy, direction, strategy, literal, unproven, forced)
    with _mirrors(probe_from, frames, quiet) as (mirrors, _):
        proposal = mirrors.propose(request)
        _print_proposal(proposal, how, explain=explain)
        mirrors.refuse(proposal)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror add p2p1/3 p2p1/2                  ask, then mirror VF 3 to VF 2
  virtfn mirror add p2p1/3 p2p1/2 --dry-run --explain
  virtfn mirror add 0000:01:10.3 0000:01:10.2 --yes -o json
  virtfn mirror add p2p1/3 p2p1/2 --strategy field-note --literal --yes
"""
)
@_request_options
@click.option("--dry-run", is_flag=True, help="Show what `mirror plan` shows and stop.")
@YES
@_probe_options
@output_option()
def add(
    source: str,
    copy: str,
    direction: str,
    strategy: str,
    literal: bool,
    unproven: bool,
    forced: tuple[str, ...],
    explain: bool,
    dry_run: bool,
    yes: bool,
    probe_from: tuple[str, ...],
    frames: int,
    quiet: bool,
    how: OutputFormat,
) -> None:
    """Mirror SOURCE to COPY, and prove it; roll back on failure.

    First shows the steps, and what the copy VF loses during the mirror. No other VF is disturbed. The mirror is
    declared until `virtfn mirror rm` removes it and restores everything.
    """
    request = _request(source, copy, direction, strategy, literal, unproven, forced)
    with _mirrors(probe_from, frames, quiet) as (mirrors, stop):
        if not dry_run:
            with stop.held():
                mirrors.recover()
        proposal = mirrors.propose(request)
        if dry_run:
            _print_proposal(proposal, how, explain=explain)
        mirrors.refuse(proposal)
        if dry_run:
            return
        shown = proposal.plan
        ask(lambda: print_plan(error_console(), shown, explain=explain), yes=yes, quiet=quiet, hint=LOOK_FIRST)
        with stop.held(), _proof_on_failure(how):
            receipt = mirrors.carry_out(proposal)
        _print_receipt(receipt, how)


@mirror.command(
    epilog="""\b
Examples:
  virtfn mirror ls
  virtfn mirror ls -o json
"""
)
@output_option()
def ls(how: OutputFormat) -> None:
    """List the declared mirrors of this host, each with its status as observed now.

    healthy: set as virtfn left it, and proven. degraded: something it needs was changed. lost: it no longer
    copies. unproven: the last proof failed, or could not be made. in progress: another virtfn process is working on it.
    unfinished: its process was killed; `mirror rm` finishes.
    """
    with _mirrors((), 20, True) as (mirrors, _):
        found = mirrors.all()
    if how.is_document:
        print_document("mirrors", {"mirrors": found}, how)
        return
    if not found:
        console().print("This host has no mirror.")
        return
    table = Table("ID", "SOURCE", "COPY", "STRATEGY", "MAC", "STATUS", "LAST PROOF", "SINCE")
    for one in found:
        style = "green" if one.status.health is MirrorHealth.HEALTHY else "bold red"
        proven = _outcome(one.last_proof)
        table.add_row(
            str(one.id),
            one.source_label,
            one.copy_label,
            one.strategy,
            str(one.mac or ""),
            (one.status.health.value, style),
            proven,
            one.since,
        )
    console().print_table(table)
    for one in found:
        if one.status.findings:
            console().print(f"mirror {one.id}:")
            print_findings(console(), one.status.findings)


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
@output_option()
def prove(
    name: str, copy: str | None, probe_from: tuple[str, ...], frames: int, quiet: bool, how: OutputFormat
) -> None:
    """Prove a mirror again. The mirror is not changed, even if the proof fails."""
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
@output_option()
def rm(name: str, copy: str | None, probe_from: tuple[str, ...], frames: int, quiet: bool, how: OutputFormat) -> None:
    """Remove a mirror: restore the previous values, and prove that the copy gets nothing.

    Also finishes an `add` or `rm` that was killed, and removes a mirror that a reboot has ended.
    """
    with _mirrors(probe_from, frames, quiet) as (mirrors, stop), stop.held(), _proof_on_failure(how):
        _print_receipt(mirrors.remove(name, copy), how)


@contextmanager
def _mirrors(probe_from: tuple[str, ...], frames: int, quiet: bool) -> Iterator[tuple[MirrorService, Interrupts]]:
    tell = progress(quiet)
    with interruptible(tell) as stop:
        with stop.held():  # roll back first what was not confirmed in time
            mirrors = App().mirrors(EventsView(tell), stop, frames=frames, probe_from=probe_from)
        yield mirrors, stop


@contextmanager
def _proof_on_failure(how: OutputFormat) -> Iterator[None]:
    """Print the report of a failed proof, then raise the error again."""
    try:
        yield
    except ProofFailed as failure:
        if isinstance(failure.report, ProofReport):
            if how.is_document:
                print_document("proof", failure.report, how)
            else:
                print_proof(console(), failure.report)
        raise


def _request(
    source: str, copy: str, direction: str, strategy: str, literal: bool, unproven: bool, forced: tuple[str, ...]
) -> MirrorRequest:
    if literal and strategy != "field-note":
        raise UsageError("--literal belongs to the field note's recipe", hint="add --strategy field-note")
    directions = _DIRECTIONS[direction]
    return MirrorRequest(
        source, copy, directions, strategy, literal=literal, forced=frozenset(forced), unproven=unproven
    )


def _outcome(proof: ProofReport | None) -> str:
    if proof is None:
        return "none"
    if proof.proven:
        return "proven" if proof.strength is Strength.SEEN else f"proven, {proof.strength}"
    return "FAILED" if proof.faults else "unproven"


def _print_proposal(proposal: MirrorProposal, how: OutputFormat, *, explain: bool) -> None:
    if how.is_document:
        shown = {name: getattr(proposal, name) for name in ("spec", "attempts", "rejections", "findings", "points")}
        print_document("mirror-plan", shown, how)
        return
    out = console()
    if proposal.attempts:
        print_plan(out, proposal.plan, explain=explain)
    for number, attempt in enumerate(proposal.attempts, start=1):
        out.print(f"strategy {number}: {attempt.strategy} (costs: {attempt.cost})")
    for rejection in proposal.rejections:
        out.print(f"rejected {rejection.strategy}: {rejection.reason}")
    for finding in proposal.findings:
        if finding.severity is Severity.WARNING:
            out.print(f"warning: {finding.what}", style="yellow")
    if proposal.points:
        for line in metered((proposal.points.source, proposal.points.copy, *proposal.points.watchers)):
            out.print(f"would be {line}")
        for gap in proposal.points.not_probed:
            out.print(f"would not be probed from {gap}")


def _print_receipt(receipt: MirrorReceipt, how: OutputFormat) -> None:
    if how.is_document:
        print_document("proof", receipt.report, how, id=receipt.id, action=receipt.action, warnings=receipt.warnings)
        return
    out = console()
    for report in (*receipt.failed, receipt.report):
        print_proof(out, report)
    for warning in receipt.warnings:
        out.print(f"  note: {warning}", style="yellow")
    if receipt.action == "add":
        out.print(f"Mirror {receipt.id} is in place. `virtfn mirror rm {receipt.id}` removes it.")
