"""``virtfn cloud mirror plan``."""

import click

from virtfn.app import App
from virtfn.cli.actions import command
from virtfn.cli.console import Console, OutputFormat, Table, console, error_console, print_document, quieten_sdk
from virtfn.cli.options import OS_CLOUD, output_option
from virtfn.errors import GuardRefused
from virtfn.model.cloud.mirror import CloudMirror, MirrorPort, Preparation, PreparationState, Project
from virtfn.model.inventory import Known, Unknown
from virtfn.planning.cloud.mirror import OTHER_PROJECT

_LONGEST = 30
"""Of a cell: three columns then fit into 80."""
_MARKS = {
    PreparationState.DONE: ("=", "green"),
    PreparationState.TO_DO: ("~", "yellow"),
    PreparationState.CHOICE: ("|", "yellow"),
}


@click.group()
def mirror() -> None:
    """Mirrors between ports of servers: planned in the cloud, added on the compute host."""


@mirror.command(
    epilog="""\b
Examples:
  virtfn cloud mirror plan web probe --os-cloud lab
  virtfn cloud mirror plan web:web-sriov probe-port --explain
  virtfn cloud mirror plan web probe --as-admin -o json
"""
)
@click.argument("source")
@click.argument("copy")
@OS_CLOUD
@click.option("--as-admin", is_flag=True, help="Allow ports of different projects; you are responsible.")
@click.option("--explain", is_flag=True, help="Show the openstack commands that look up the same facts.")
@output_option()
def plan(source: str, copy: str, os_cloud: str | None, as_admin: bool, explain: bool, how: OutputFormat) -> None:
    """Show what a mirror of SOURCE to COPY requires. Changes nothing in the cloud or on a host.

    SOURCE and COPY are servers, ports or SERVER:PORT, by name or id, both with VFs of one PF on one network. It shows
    the two VFs, what to set in the cloud first, and the command for the compute host with its current result. Only
    administrators can read where the VFs are.
    """
    quieten_sdk()
    try:
        found = App().cloud_mirrors(os_cloud).plan(source, copy, as_admin=as_admin)
    except GuardRefused as refused:
        if any(one.id == OTHER_PROJECT.id for one in refused.findings):
            refused.hint = "add --as-admin if you are responsible for both projects"
        raise
    for warning in found.warnings:
        error_console().print(f"WARNING (--as-admin): {warning}", style="bold red")
    if how.is_document:
        print_document("cloud-mirror-plan", found, how)
        return
    print_cloud_mirror(console(), found, explain=explain)


def print_cloud_mirror(out: Console, found: CloudMirror, *, explain: bool = False) -> None:
    """The ports, then what to do in the cloud and on the host. Ids are shortened in the table, never in a command."""
    out.print(f"Mirror: {found.source.label} to {found.copy.label}", style="bold")
    table = Table("", "SOURCE", "COPY")
    for name, source, copy in zip(_FACTS, _cells(found.source), _cells(found.copy), strict=True):
        table.add_row(name, source, copy)
    out.print_table(table)
    _print_pf(out, found)
    for note in found.notes:
        out.print(f"! {note}", style="yellow")
    out.print("In the cloud, before the mirror; the source's port stays unchanged:", style="bold")
    for one in found.preparations:
        _print_preparation(out, one)
    _print_host_side(out, found)
    for words in found.lookups if explain else ():
        out.print(f"  $ {words}", style="cyan")


_FACTS = ("server", "port", "project", "network", "host", "VF", "MAC", "port security")


def _cells(port: MirrorPort) -> tuple[str, ...]:
    network = port.network
    physical = _word(network.physical_network)
    return (
        _short(f"{port.owner.name or port.owner.id} ({port.owner.status})" if port.owner else "not shown"),
        _short(port.name) if port.name else f"{port.id[:8]}...",
        _project(port.project),
        _short(f"{network.name} ({physical})"),
        _short(_word(port.host)),
        _word(port.pci_slot),
        port.mac,
        {True: "on", False: "off"}.get(port.port_security is True, "") if isinstance(port.port_security, bool) else "?",
    )


def _project(project: Project) -> str:
    return _short(project.name) if project.name else f"{project.id[:8]}..."


def _word(known: Known[object]) -> str:
    return "?" if isinstance(known, Unknown) else str(known if known is not None else "-")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _print_pf(out: Console, found: CloudMirror) -> None:
    if isinstance(found.pf, Unknown):
        line = f"It is checked on the host whether both VFs are on one PF: {found.pf.reason}."
    else:
        served = f"the agent on {found.host} serves {found.physical_network} with no other netdev"
        line = f"Both are VFs of {found.pf}: {served}."
    out.print(line)


def _print_preparation(out: Console, one: Preparation) -> None:
    mark, style = _MARKS[one.state]
    out.print((f"  {mark} ", style), f"{one.what}: {one.state.value}")
    out.print(f"      {one.why}.")
    out.print(f"      allowed for: {one.who}")
    prompt = "" if one.commands and one.commands[0].startswith("[") else "$ "
    for words in one.commands:
        out.print(f"      {prompt}{words}", style="cyan")


def _print_host_side(out: Console, found: CloudMirror) -> None:
    side = found.host_side
    out.print(f"On {side.host}, as root:", style="bold")
    add = command(side.action)
    for words in (f"{add} --dry-run --explain", add):
        out.print(f"  $ {words}", style="cyan")
    out.print(f"  ! {side.answer}.", style="yellow")
    out.print("  What works:")
    for way in side.instead:
        out.print(f"  - {way}.")
