"""``virtfn persist install|remove|status``."""

import shutil
import sys
from pathlib import Path

import click

from virtfn.cli.host import DROP_INS
from virtfn.cli.output import console
from virtfn.errors import BackendUnreachable, PermissionDenied, SpecError, UsageError

UNIT = "virtfn-apply.service"
_UNITS = Path("/etc/systemd/system")

_TEXT = """\
# Written by `virtfn persist install`; `virtfn persist remove` takes it away.
[Unit]
Description=Shape SR-IOV virtual functions as declared in {folder}
Documentation=man:systemd.unit(5)
DefaultDependencies=yes
After=systemd-modules-load.service systemd-udevd.service local-fs.target
Wants=network-pre.target
Before=network-pre.target
Before=neutron-sriov-nic-agent.service neutron-sriov-agent.service
Before=nova-compute.service openstack-nova-compute.service libvirtd.service virtqemud.service
ConditionPathExistsGlob={folder}/*.yaml

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={virtfn} apply --file {folder} --yes --quiet --wait {wait_s}
TimeoutStartSec={timeout_s}

[Install]
WantedBy=multi-user.target
"""
_WAIT_S = 60
_TIMEOUT_S = 300


def unit_text(virtfn: str, folder: Path) -> str:
    """The unit: after the NIC drivers can be there, before everything that hands VFs out. Pure."""
    return _TEXT.format(virtfn=virtfn, folder=folder, wait_s=_WAIT_S, timeout_s=_TIMEOUT_S)


@click.group()
def persist() -> None:
    """Apply the declared state at every boot, before Neutron's agent and nova-compute start."""


_ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    help="Install below this folder (an image), without telling systemd.",
)


@persist.command(
    epilog="""\b
Examples:
  virtfn persist install -f host.yaml
  virtfn persist install                 what is in the drop-in folder already
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
    """Install the boot unit, and the specs that are named; the specs are checked first."""
    _check(files)
    _must_run_systemd(root)
    drop_ins, unit = _below(root, DROP_INS), _below(root, _UNITS) / UNIT
    try:
        drop_ins.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, drop_ins / file.name)
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(unit_text(command or _command(), DROP_INS), encoding="utf-8")
        if root != Path("/"):
            _enable_in_image(unit)
    except PermissionError as fault:
        raise PermissionDenied(
            fault.strerror or "no permission", where=str(fault.filename), hint="run as root"
        ) from fault
    if root == Path("/"):
        _systemd("daemon-reload")
        _systemd("enable", UNIT)
    console().print(f"{unit} applies {DROP_INS}/*.yaml at boot.", soft_wrap=True)
    if not list(drop_ins.glob("*.yaml")):
        console().print(f"There is no spec in {DROP_INS} yet: put one there, or name it with -f.", soft_wrap=True)


@persist.command(
    epilog="""\b
Example:
  virtfn persist remove
"""
)
@_ROOT
def remove(root: Path) -> None:
    """Take the boot unit away. Specs and VFs stay as they are."""
    unit = _below(root, _UNITS) / UNIT
    if not unit.exists():
        console().print("Nothing to do: the boot unit is not installed.")
        return
    _must_run_systemd(root)
    if root == Path("/"):
        _systemd("disable", "--now", UNIT)  # it has nothing to stop: systemd shall only forget that it ran
    try:
        _wanted_by(unit).unlink(missing_ok=True)
        unit.unlink()
    except PermissionError as fault:
        raise _denied(fault) from fault
    if root == Path("/"):
        _systemd("daemon-reload")
    console().print(f"{unit} is removed; {DROP_INS} is left alone.", soft_wrap=True)


@persist.command(
    epilog="""\b
Example:
  virtfn persist status
"""
)
@_ROOT
def status(root: Path) -> None:
    """Say whether the boot unit is installed, and what it would apply."""
    unit, drop_ins = _below(root, _UNITS) / UNIT, _below(root, DROP_INS)
    console().print(f"boot unit: {'installed' if unit.exists() else 'not installed'} ({unit})", soft_wrap=True)
    specs = sorted(path.name for path in drop_ins.glob("*.yaml"))
    console().print(f"specs in {drop_ins}: {', '.join(specs) or 'none'}", soft_wrap=True)


def _check(files: tuple[Path, ...]) -> None:
    """Raises SpecError where a file is no valid spec, UsageError where its name would be passed over."""
    from virtfn.spec import decoded, load

    for file in files:
        if file.suffix != ".yaml":
            raise UsageError("only *.yaml is read at boot", where=str(file), hint="rename it")
    if not files:
        return
    try:
        load([(str(file), decoded(file.read_bytes(), file=str(file))) for file in files])
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=str(fault.filename)) from fault


def _must_run_systemd(root: Path) -> None:
    """Raises BackendUnreachable, before anything is written, where this host's init is not systemd."""
    if root == Path("/") and not Path("/run/systemd/system").is_dir():
        raise BackendUnreachable(
            "this host does not run systemd", hint="install into an image with --root, or run `virtfn apply` at boot"
        )


def _wanted_by(unit: Path) -> Path:
    """The link that has a booting systemd start the unit: what ``systemctl enable`` makes of its [Install] section."""
    return unit.parent / "multi-user.target.wants" / UNIT


def _enable_in_image(unit: Path) -> None:
    link = _wanted_by(unit)
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(_UNITS / UNIT)


def _denied(fault: PermissionError) -> PermissionDenied:
    return PermissionDenied(fault.strerror or "no permission", where=str(fault.filename), hint="run as root")


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _command() -> str:
    """The virtfn that runs now, by its full path: a unit has no shell and no virtual environment."""
    beside = Path(sys.executable).with_name("virtfn")
    return str(beside) if beside.exists() else f"{sys.executable} -m virtfn"


def _systemd(*words: str) -> None:
    from virtfn.host.process import tell_systemd

    tell_systemd(*words)
