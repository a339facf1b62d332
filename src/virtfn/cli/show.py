"""``virtfn show``."""

import sys
from pathlib import Path

import click

from virtfn.app import App
from virtfn.cli.console import OutputFormat, console, error_console, print_document
from virtfn.cli.inventory_view import print_inventory
from virtfn.cli.options import output_option
from virtfn.errors import SpecError
from virtfn.model.inventory import Inventory
from virtfn.planning.host.lookup import only

_EXAMPLES = """\b
Examples:
  virtfn show                          all SR-IOV devices of this host
  virtfn show p2p1 -o wide             one PF, every fact
  ip link show | virtfn show --from -  the output of another host
  virtfn show -o spec > host.yaml      this host as a spec
  virtfn show -o json | jq '.pfs[].vfs[] | select(.spoofchk == false)'
"""


@click.command(epilog=_EXAMPLES)
@click.argument("pf", required=False)
@click.option(
    "--from", "capture", metavar="FILE|-", help="Read the output of `ip link show` of any iproute2, or its JSON."
)
@output_option(OutputFormat.SPEC)
def show(pf: str | None, capture: str | None, how: OutputFormat) -> None:
    """Show Physical and Virtual Functions, of this host or of a capture.

    PF is a name (p2p1) or a PCI address. A fact that could not be read is shown as `?` with the reason below the
    table, and as null in JSON with the reason in `unknown`. -o spec prints the host as a file for `virtfn apply`.
    """
    inventory = only(_captured(capture) if capture else App().host().observe(), pf)
    if how is OutputFormat.SPEC:
        from virtfn.spec.from_inventory import render

        click.echo(render(inventory), nl=False)
        return
    if how.is_document:
        print_document("inventory", inventory, how)
        return
    print_inventory(console(), inventory, wide=how is OutputFormat.WIDE)
    if not inventory.pfs:
        _say_why_empty(capture)


def _captured(name: str) -> Inventory:
    """Read and parse a capture. Raises SpecError where it cannot be read."""
    from virtfn.captures.to_inventory import parse

    if name == "-":
        return parse(sys.stdin.buffer.read().decode(errors="replace"), where="stdin")
    try:
        return parse(Path(name).read_text(encoding="utf-8", errors="replace"), where=name)
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=name, hint="name a file, or - for stdin") from fault


def _say_why_empty(capture: str | None) -> None:
    if capture:
        console().print("No interface with VFs is in this capture.")
        return
    console().print("This host shows no device with SR-IOV.")
    error_console().print(
        "If it has one: is SR-IOV enabled in the firmware, and the PF's driver loaded?\n"
        "Without the hardware: `virtfn lab up` gives an emulated host, `virtfn --lab show` looks at it.",
    )
