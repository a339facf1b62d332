"""``virtfn lab``: an emulated SR-IOV host, and how other commands run inside it."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from virtfn.cli.demo import demo
from virtfn.errors import UsageError

if TYPE_CHECKING:
    from virtfn.lab.build.parts import Parts
    from virtfn.lab.machine.folders import Folders
    from virtfn.lab.machine.machine import Machine
    from virtfn.lab.machine.startup import StartOptions

_GIVEN = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
_NAME = click.option("--name", default="lab", show_default=True, help="The lab's name, where several are up.")


def _say(text: str) -> None:
    """Progress goes to stderr: stdout is the result."""
    click.echo(text, err=True)


def _shape_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--cold", is_flag=True, help="Boot instead of restoring the snapshot."),
        click.option("--python", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="The Python whose packages the guest gets (default: the one that runs virtfn)."),
        click.option("--wire", type=click.Choice(["nic", "host"]), default="nic", show_default=True,
                     help="The other end of the PFs' cable: a NIC in the guest's netns 'wire', or "
                          "sockets on this host."),
        click.option("--compute", is_flag=True,
                     help="A compute host: libvirt, and three VMs that have VFs 1 to 3 (one PF, four VFs)."),
        click.option("--iommu", is_flag=True, help="With an emulated IOMMU, which vfio-pci needs."),
        click.option("--nvme", is_flag=True, help="With a PF that is not a NIC: an NVMe controller with up to 4 VFs."),
        click.option("--vfs", type=click.IntRange(0, 7), default=4, show_default=True, help="VFs per PF."),
        click.option("--pfs", type=click.IntRange(1, 12), default=1, show_default=True, help="PFs."),
        _NAME,
    ):  # fmt: skip
        command = option(command)
    return command


def _wishes(*, name: str, wire: str, cold: bool, compute: bool, **shape: Any) -> "StartOptions":
    from virtfn.lab.machine.shape import Shape, Wire
    from virtfn.lab.machine.startup import StartOptions

    cable = Wire(wire)
    chosen = Shape.compute_host(wire=cable) if compute else Shape(wire=cable, **shape)
    if compute and Shape(**shape) not in (Shape(), Shape(iommu=True)):
        raise UsageError("a compute host has one PF and four VFs", hint="leave --pfs, --vfs and --nvme out")
    return StartOptions(name=_checked(name), shape=chosen, cold=cold)


@click.group()
def lab() -> None:
    """An emulated SR-IOV host: real kernel drivers on an emulated Intel 82576, no hardware and no KVM needed."""


@lab.command(
    epilog="""\b
Examples:
  virtfn lab prepare --dry-run   what would be fetched and built
  virtfn lab prepare --netdevsim
"""
)
@click.option("--netdevsim", is_flag=True, help="Add the kernel's simulated NIC (Debian: it is built, 1 minute).")
@click.option("--systemd", is_flag=True, help="Add systemd, for tests that boot a host with it (18 MB).")
@click.option("--compute", is_flag=True, help="Add libvirt and tiny VMs, for lab up --compute (73 MB; boots it once).")
@click.option("--programs", is_flag=True, help="Only install the programs that are missing (needs root).")
@click.option("--refresh", is_flag=True, help="Look for a newer kernel.")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Python whose packages the guest gets (default: the one that runs virtfn).",
)
@click.option("--no-trial", is_flag=True, help="Do not boot the lab once at the end.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
def prepare(
    *, netdevsim: bool, systemd: bool, compute: bool, programs: bool, refresh: bool, python: Path | None,
    no_trial: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Install, fetch and build what the lab needs; quick where everything is ready."""
    from virtfn.lab.build.prepare import Aims, LabPreparation
    from virtfn.lab.machine.folders import Folders

    aims = Aims(netdevsim, systemd, compute, programs_only=programs, refresh=refresh, trial=not no_trial, python=python)
    preparation = LabPreparation(Folders.of_this_user(), _say)
    for line in preparation.forecast(aims) if dry_run else preparation.run(aims):
        size = "" if line.size_mb is None else f"{line.size_mb:.1f} MB"
        took = f"{line.seconds:.1f} s" if line.seconds >= 0.1 else ""
        click.echo(f"{line.part:<10} {line.how:<18} {size:>10} {took:>8}  {line.what}".rstrip())


@lab.command(
    epilog="""\b
Examples:
  virtfn lab up                  one PF, four VFs, as in the field note
  virtfn lab up --name big --pfs 3 --vfs 7
  virtfn lab up --compute        libvirt with three VMs that have VFs
"""
)
@_shape_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def up(python: Path | None, output: str, **shape: Any) -> None:
    """Start a lab that stays up until `lab down`."""
    from virtfn.lab.machine.startup import start

    wishes = _wishes(**shape)
    machine = start(*_parts(python), wishes, _say)
    if output == "json":
        click.echo(json.dumps(_described(machine)))
        return
    how = "from its snapshot" if machine.record.restored else "cold"
    click.echo(f"lab {wishes.name} is up: {machine.record.ready_after_s:.1f} s, {how}, {machine.record.accelerator}")


@lab.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  virtfn lab run -- ip link show p2p1
  virtfn lab run -- virtfn show -o wide
""",
)
@_shape_options
@click.option("-t", "--tty", is_flag=True, help="Give the program a terminal.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(ctx: click.Context, /, python: Path | None, tty: bool, command: tuple[str, ...], **shape: Any) -> None:
    """Run a program in the lab that is up, or in a throw-away one. Its exit code is passed on."""
    from virtfn.lab.machine.machine import Machine

    wishes = _wishes(**shape)
    chosen = ("pfs", "vfs", "nvme", "iommu", "compute", "wire", "python", "cold")
    asked = [name for name in chosen if ctx.get_parameter_source(name) in _GIVEN]
    if asked and Machine.is_up(wishes.name):
        raise UsageError(
            f"the lab {wishes.name} is up already, so --{asked[0]} cannot be chosen",
            hint="leave it out, or run with another --name: then a throw-away lab is started",
        )
    raise click.exceptions.Exit(_run(command, wishes, terminal=tty, python=python))


@lab.command(
    epilog="""\b
Examples:
  virtfn lab sh
"""
)
@_NAME
def sh(name: str) -> None:
    """Open a shell in the lab that is up (or in a throw-away one)."""
    from virtfn.lab.machine.startup import StartOptions

    raise click.exceptions.Exit(_run(("sh", "-l"), StartOptions(name=_checked(name)), terminal=sys.stdin.isatty()))


@lab.command(
    epilog="""\b
Examples:
  virtfn lab status -o json
"""
)
@_NAME
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def status(name: str, output: str) -> None:
    """Show which lab is up, and the last lines of its console."""
    from virtfn.lab.machine.machine import Machine

    machine = Machine.attach(_checked(name))
    described = _described(machine)
    if output == "json":
        click.echo(json.dumps(described))
        return
    for key, value in described.items():
        click.echo(f"{key:14} {value}")
    click.echo(f"console, last lines:\n{machine.console()}")


@lab.command(
    epilog="""\b
Examples:
  virtfn lab down --name big
"""
)
@_NAME
def down(name: str) -> None:
    """Stop the lab of this name."""
    from virtfn.lab.machine.machine import Machine

    was_running = Machine.end(_checked(name))
    _say(f"lab {name} is down" if was_running else f"lab {name} had died; its files are removed")


lab.add_command(demo)


def run_inside(argv: Sequence[str]) -> int:
    """``virtfn --lab ARGS``: run this virtfn with ``argv`` in the running lab or a throw-away one; its exit code."""
    from virtfn.lab.machine.startup import StartOptions

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return _run(("virtfn", *argv), StartOptions(), terminal=terminal)


def _run(command: Sequence[str], wishes: "StartOptions", *, terminal: bool, python: Path | None = None) -> int:
    from virtfn.lab.channel.console import attach_console
    from virtfn.lab.machine.machine import Machine
    from virtfn.lab.machine.startup import throw_away

    if Machine.is_up(wishes.name):
        return attach_console(Machine.attach(wishes.name), command, terminal=terminal)
    _say(f"no lab named {wishes.name} is up: starting a throw-away one")
    with throw_away(*_parts(python), wishes, _say) as machine:
        return attach_console(machine, command, terminal=terminal)


def _parts(python: Path | None) -> tuple["Parts", "Folders"]:
    from virtfn.lab.build.parts import assemble
    from virtfn.lab.machine.folders import Folders

    folders = Folders.of_this_user()
    return assemble(folders, _say, python), folders


def _checked(name: str) -> str:
    if not name.replace("-", "").isalnum() or len(name) > 20:
        raise UsageError(f"{name!r} is no name for a lab", hint="use up to 20 letters, digits and dashes")
    return name


def _described(machine: "Machine") -> dict[str, object]:
    from virtfn.lab.machine.shape import Wire

    record = machine.record
    described: dict[str, object] = {
        "name": record.name, "pfs": record.shape.pfs, "vfs": record.shape.vfs, "wire": str(record.shape.wire),
        "vms": record.shape.vms, "accelerator": record.accelerator, "kernel": record.kernel, "python": record.python,
        "restored": record.restored, "ready_after_s": record.ready_after_s, "qemu_pid": record.qemu.pid,
    }  # fmt: skip
    if record.shape.wire is Wire.HOST:
        described["wire_socket"] = str(machine.folder / "wire-qemu")
    return described
