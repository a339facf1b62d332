"""``virtfn persist install|remove|status``."""

from pathlib import Path

import click

from virtfn.app import App
from virtfn.cli.console import console
from virtfn.errors import SpecError


@click.group()
def persist() -> None:
    """Apply the spec at every boot, before Neutron's agent and nova-compute start."""


_ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    help="Install below this folder (an image); systemd is not reloaded.",
)


@persist.command(
    epilog="""\b
Examples:
  virtfn persist install -f host.yaml
  virtfn persist install                 what is already in the drop-in folder
  virtfn persist install --root /mnt/image --command /usr/bin/virtfn
"""
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Copy this spec into the drop-in folder. Repeatable.",
)
@click.option("--command", metavar="PATH", help="The virtfn that the unit runs. [default: this one]")
@_ROOT
def install(files: tuple[Path, ...], command: str | None, root: Path) -> None:
    """Install the boot unit and the named specs; the specs are checked first."""
    try:
        specs = [(str(file), file.read_bytes()) for file in files]
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=str(fault.filename)) from fault
    done = App().boot_unit(root).install(specs, command=command or "")
    console().print(f"{done.unit} applies {done.folder}/*.yaml at boot.")
    if not done.specs:
        console().print(f"There is no spec in {done.folder} yet: put one there, or name it with -f.")


@persist.command(
    epilog="""\b
Example:
  virtfn persist remove
"""
)
@_ROOT
def remove(root: Path) -> None:
    """Remove the boot unit. Specs and VFs stay as they are."""
    done = App().boot_unit(root).remove()
    if done is None:
        console().print("Nothing to do: the boot unit is not installed.")
        return
    console().print(f"{done.unit} is removed; {done.folder} is left alone.")


@persist.command(
    epilog="""\b
Example:
  virtfn persist status
"""
)
@_ROOT
def status(root: Path) -> None:
    """Show whether the boot unit is installed, and what it applies."""
    found = App().boot_unit(root).status()
    console().print(f"boot unit: {'installed' if found.installed else 'not installed'} ({found.unit})")
    console().print(f"specs in {found.folder}: {', '.join(found.specs) or 'none'}")
