"""``virtfn cloud mirror plan``."""

import click

from virtfn.app import App
from virtfn.cli.cloud_mirror_view import print_cloud_mirror
from virtfn.cli.console import console, error_console
from virtfn.cli.output import OutputFormat, output_option, print_document
from virtfn.cli.sdk_logging import quieten_sdk
from virtfn.errors import GuardRefused
from virtfn.planning.cloud.mirror import OTHER_PROJECT


@click.group()
def mirror() -> None:
    """Mirrors between ports of servers: planned in the cloud, made on the compute host."""


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
@click.option(
    "--os-cloud",
    metavar="NAME",
    envvar="OS_CLOUD",
    help="The entry of clouds.yaml. [default: OS_CLOUD, else what OS_... variables say]",
)
@click.option("--as-admin", is_flag=True, help="Allow ports of different projects: you answer for that.")
@click.option("--explain", is_flag=True, help="Show the openstack commands that show what was found.")
@output_option
def plan(source: str, copy: str, os_cloud: str | None, as_admin: bool, explain: bool, output: str) -> None:
    """Show what it takes to mirror to COPY what reaches SOURCE. Changes nothing, anywhere.

    SOURCE and COPY are servers, ports or SERVER:PORT, by name or id, both with VFs of one PF on one network. Shown are
    the two VFs, what to set in the cloud before, and the command for the compute host with its answer today. Only
    administrators can read where the VFs are.
    """
    how = OutputFormat(output)
    quieten_sdk()
    try:
        found = App().cloud_mirrors(os_cloud).plan(source, copy, as_admin=as_admin)
    except GuardRefused as refused:
        if any(one.id == OTHER_PROJECT.id for one in refused.findings):
            refused.hint = "add --as-admin if you answer for that"
        raise
    for warning in found.warnings:
        error_console().print(f"WARNING (--as-admin): {warning}", style="bold red")
    if how.is_document:
        print_document("cloud-mirror-plan", found, how)
        return
    print_cloud_mirror(console(), found, explain=explain)
