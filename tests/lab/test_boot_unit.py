"""The boot unit on a booted systemd: VFs are as declared before those start that hand them out. Boots the lab twice."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build.packages import Packages, this_distribution
from virtfn.lab.build.parts import Parts
from virtfn.lab.build.systemd import make_layer
from virtfn.lab.machine.devices import make_disk
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.qemu import HostBoot
from virtfn.lab.machine.startup import StartOptions, throw_away

pytestmark = pytest.mark.lab

SPEC = """\
virtfn: host/1
pfs:
  - match: {pci: 0000:01:00.0}
    num_vfs: 3
    up: true
    autoprobe: false
    vfs:
      0: {mac: fa:16:3e:00:00:10}
      1: {mac: fa:16:3e:00:00:11, vlan: 100, trust: true}
      2: {mac: fa:16:3e:00:00:12, spoofchk: false}
"""
MACS = ["fa:16:3e:00:00:10", "fa:16:3e:00:00:11", "fa:16:3e:00:00:12"]
AGENTS = ("neutron-sriov-nic-agent", "nova-compute")
STAND_IN = """\
[Unit]
Description=What would hand out the VFs: notes which there are
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip -j -d link show | tee /var/log/%p.json'
[Install]
WantedBy=multi-user.target
"""
UNIT = "virtfn-apply.service"
_PATIENT_S = 300.0


@dataclass(frozen=True)
class Host:
    """What it takes to boot the same host again and again."""

    parts: Parts
    boot: HostBoot

    @contextmanager
    def booted(self) -> Iterator[Machine]:
        wishes = StartOptions(host_boot=self.boot)
        with throw_away(self.parts, Folders.of_this_user(), wishes, print) as machine:
            yield machine


@pytest.fixture
def host(lab_parts: Parts, tmp_path: Path) -> Host:
    folders = Folders.of_this_user()
    packages = Packages(folders.cache / "apt", this_distribution(), print)
    layer = make_layer(lab_parts.store, packages, print)
    return Host(lab_parts, HostBoot(layer, make_disk(tmp_path / "disk", size_mb=256)))


def vfs(links: str) -> list[dict[str, object]]:
    """The VFs of the PF in what ``ip -j -d link show`` wrote; none where the PF was not there yet."""
    found: list[dict[str, object]] = []
    for link in json.loads(links):
        if link["address"] == "a0:36:9f:68:fc:f4":
            found += link.get("vfinfo_list", [])
    return found


def moment(machine: Machine, unit: str, name: str) -> int:
    """When systemd saw something happen to a unit's process, in microseconds since the boot."""
    shown = machine.run(
        ["systemctl", "show", "--value", f"--property=ExecMain{name}TimestampMonotonic", unit], timeout_s=_PATIENT_S
    ).check()
    return int(shown.text)


def shut_down(machine: Machine) -> None:
    with suppress(LabError):  # systemd may end the lab's agent before it can answer
        machine.run(["systemctl", "--no-block", "poweroff"], timeout_s=_PATIENT_S).check()
    deadline = time.monotonic() + _PATIENT_S
    while machine.record.qemu.alive and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not machine.record.qemu.alive, machine.console()


def test_vfs_are_declared_again_at_boot_before_those_who_hand_them_out(host: Host, tmp_path: Path) -> None:
    with host.booted() as machine:
        assert vfs(machine.run(["ip", "-j", "-d", "link", "show"], timeout_s=_PATIENT_S).check().text) == []
        for agent in AGENTS:
            (tmp_path / f"{agent}.service").write_text(STAND_IN)
            machine.put(tmp_path / f"{agent}.service", f"/etc/systemd/system/{agent}.service")
        (tmp_path / "host.yaml").write_text(SPEC)
        machine.put(tmp_path / "host.yaml", "/root/host.yaml")
        machine.run(["systemctl", "enable", *AGENTS], timeout_s=_PATIENT_S).check()
        machine.run(["virtfn", "persist", "install", "-f", "/root/host.yaml"], timeout_s=_PATIENT_S).check()
        assert vfs(machine.run(["ip", "-j", "-d", "link", "show"], timeout_s=_PATIENT_S).check().text) == []
        shut_down(machine)

    with host.booted() as machine:
        now = vfs(machine.run(["ip", "-j", "-d", "link", "show"], timeout_s=_PATIENT_S).check().text)
        assert [vf["address"] for vf in now] == MACS, machine.console(60)
        assert [(vf["spoofchk"], vf["trust"]) for vf in now] == [(True, False), (True, True), (False, False)]
        assert now[1]["vlan_list"] == [{"vlan": 100}]
        for agent in AGENTS:
            assert vfs(machine.run(["cat", f"/var/log/{agent}.json"], timeout_s=_PATIENT_S).check().text) == now
            assert moment(machine, UNIT, "Exit") <= moment(machine, agent, "Start")
        assert machine.run(["systemctl", "is-system-running"]).text == "running\n"

        again = machine.run(["virtfn", "apply", "-f", "/root/host.yaml", "--yes"], timeout_s=_PATIENT_S).check()
        assert "Nothing to do" in again.text
        machine.run(["virtfn", "persist", "remove"], timeout_s=_PATIENT_S).check()
        left = ["find", "/etc/systemd", "/run/systemd", "-name", f"*{UNIT}*"]
        assert machine.run(left, timeout_s=_PATIENT_S).check().text == ""
        assert (
            machine.run(["systemctl", "list-units", "--all", "--quiet", UNIT], timeout_s=_PATIENT_S).check().text == ""
        )
        assert vfs(machine.run(["ip", "-j", "-d", "link", "show"], timeout_s=_PATIENT_S).check().text) == now
