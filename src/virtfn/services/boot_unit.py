"""The boot unit: systemd applies the specs of a folder at every boot, before Neutron's agent and nova-compute start."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from virtfn.errors import UsageError

if TYPE_CHECKING:
    from virtfn.host.boot_files import BootFiles

UNIT = "virtfn-apply.service"
DROP_INS = Path("/etc/virtfn/host.d")

_TEXT = """\
# Written by `virtfn persist install`; `virtfn persist remove` removes it.
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
"""How long PFs may take to appear. It waits for nothing else, so a spec with a fault fails at once."""
_TIMEOUT_S = 300


@dataclass(frozen=True)
class BootUnitStatus:
    """Whether the unit is installed (in the file ``unit``), and the specs in ``folder`` that it applies."""

    installed: bool
    unit: Path
    folder: Path
    specs: tuple[str, ...]


def unit_text(virtfn: str, folder: Path) -> str:
    """The unit's text: it starts after udev and before the services that assign VFs. Pure."""
    return _TEXT.format(virtfn=virtfn, folder=folder, wait_s=_WAIT_S, timeout_s=_TIMEOUT_S)


class BootUnit:
    """The boot unit of this host, or of an image."""

    def __init__(self, files: "BootFiles") -> None:
        self._files = files

    def install(self, specs: Sequence[tuple[str, bytes]] = (), *, command: str = "") -> BootUnitStatus:
        """Install the unit, and copy these specs (file name, content) into its folder.

        ``command``: the virtfn that the unit runs; by default the one that runs now. Raises SpecError (a spec with
        faults), UsageError (a name that is not read at boot), BackendUnreachable (no systemd), PermissionDenied.
        """
        from virtfn.spec.document import decoded
        from virtfn.spec.loading import load

        for name, _ in specs:
            if Path(name).suffix != ".yaml":
                raise UsageError("only *.yaml is read at boot", where=name, hint="rename it")
        if specs:
            load([(name, decoded(data, file=name)) for name, data in specs])
        self._files.check()
        for name, data in specs:
            self._files.write_spec(DROP_INS / Path(name).name, data)
        self._files.install(UNIT, unit_text(command or _this_command(), DROP_INS))
        return self.status()

    def remove(self) -> BootUnitStatus | None:
        """Remove the unit; specs and VFs stay. None where it was not installed."""
        if not self._files.is_installed(UNIT):
            return None
        self._files.check()
        self._files.remove(UNIT)
        return self.status()

    def status(self) -> BootUnitStatus:
        """The installed unit and specs."""
        files = self._files
        return BootUnitStatus(files.is_installed(UNIT), files.where(UNIT), DROP_INS, files.specs(DROP_INS))


def _this_command() -> str:
    """The virtfn that runs now, by its full path: a unit has no shell and no virtual environment."""
    beside = Path(sys.executable).with_name("virtfn")
    return str(beside) if beside.exists() else f"{sys.executable} -m virtfn"
