"""The compute host's VMs have VFs by vfio-pci, and their guests' own counters say what arrived. Boots it once."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.shape import Shape

if TYPE_CHECKING:
    from tests.conftest import StartLab

pytestmark = pytest.mark.compute

MACS = {"vm1": "fa:16:3e:c0:d8:11", "vm2": "fa:16:3e:a1:43:57", "vm3": "fa:16:3e:aa:33:59"}
_PATIENT_S = 300.0


@pytest.fixture(scope="module")
def host(start_lab: "StartLab") -> Iterator[Machine]:
    with start_lab(shape=Shape.compute_host()) as machine:
        yield machine


def counters(host: Machine) -> dict[str, dict[str, object]]:
    asked = host.run(["python3", "-m", "virtfn.lab.guest.vms", "counters"], timeout_s=_PATIENT_S).check()
    found: dict[str, dict[str, object]] = json.loads(asked.text)
    return found


def probes(host: Machine) -> dict[str, int]:
    return {name: int(str(found["probes"])) for name, found in counters(host).items()}


def send(host: Machine, to: str, count: int = 20) -> dict[str, int]:
    """Send probe frames from the wire; how many more each VM has counted afterwards."""
    before = probes(host)
    code = (
        "import socket, time; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('w0', 0))\n"
        f"frame = bytes.fromhex('{to.replace(':', '')}') + s.getsockname()[4] + b'\\x88\\xb5' + bytes(46)\n"
        f"for _ in range({count}): s.send(frame); time.sleep(0.01)"
    )
    host.run(["ip", "netns", "exec", "wire", "python3", "-c", code], timeout_s=_PATIENT_S).check()
    return {name: count - before[name] for name, count in probes(host).items()}


def test_each_vm_has_its_vf_by_vfio_and_its_mac(host: Machine) -> None:
    assert {name: found["mac"] for name, found in counters(host).items()} == MACS
    for vf in (1, 2, 3):
        driver = host.run(["readlink", f"/sys/bus/pci/devices/0000:01:00.0/virtfn{vf}/driver"]).check().text
        assert driver.strip().endswith("/vfio-pci")


def test_frames_from_the_wire_are_counted_by_the_vm_with_that_mac(host: Machine) -> None:
    assert send(host, MACS["vm3"]) == {"vm1": 0, "vm2": 0, "vm3": 20}


def test_a_vf_with_anothers_mac_gets_the_same_frames(host: Machine) -> None:
    host.run(["ip", "link", "set", "p2p1", "vf", "2", "mac", MACS["vm3"]]).check()
    try:
        assert send(host, MACS["vm3"]) == {"vm1": 0, "vm2": 20, "vm3": 20}
    finally:
        host.run(["ip", "link", "set", "p2p1", "vf", "2", "mac", MACS["vm2"]]).check()
    assert send(host, MACS["vm3"]) == {"vm1": 0, "vm2": 0, "vm3": 20}


def test_a_vm_that_is_stopped_and_started_has_its_vf_again(host: Machine) -> None:
    host.run(["virsh", "destroy", "vm1"], timeout_s=_PATIENT_S).check()
    host.run(["virsh", "start", "vm1"], timeout_s=_PATIENT_S).check()
    deadline = time.monotonic() + _PATIENT_S
    while "vm1" not in answering(host) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert send(host, MACS["vm1"]) == {"vm1": 20, "vm2": 0, "vm3": 0}


def answering(host: Machine) -> list[str]:
    """The VMs that have their NIC; none while one's guest agent does not answer yet."""
    asked = host.run(["python3", "-m", "virtfn.lab.guest.vms", "counters"], timeout_s=_PATIENT_S)
    return list(json.loads(asked.text)) if asked.returncode == 0 else []
