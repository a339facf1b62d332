"""Power cuts for real: QEMU is killed while virtfn writes, its journal is read after the next boot. Boots the lab."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from virtfn.lab.build.parts import Parts
from virtfn.lab.machine.devices import make_disk
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.machine import Machine
from virtfn.lab.machine.startup import StartOptions, throw_away

pytestmark = pytest.mark.lab

VFS = 128
STATE = "/var/lib/virtfn"
_PATIENT_S = 300.0

MOUNT = f"""
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
modprobe ext4; mkdir -p {STATE}; mount -t ext4 -o commit=900 %s {STATE}
"""
"""Nothing gets to the disk by itself: only what a program asked for with fsync."""

MAKE_VFS = f"""
modprobe netdevsim; echo "9 1" > /sys/bus/netdevsim/new_device
echo {VFS} > /sys/kernel/debug/netdevsim/netdevsim9/max_vfs
echo {VFS} > /sys/bus/netdevsim/devices/netdevsim9/sriov_numvfs
ip link set dev $(ls /sys/bus/netdevsim/devices/netdevsim9/net) name sim0
"""

STOPPING = """
import os, sys, time
from virtfn.cli.main import main
from virtfn.host import netlink
point, number = sys.argv[1], int(sys.argv[2])
calls = 0
def stop_at(here):
    global calls
    if here == point:
        calls += 1
        if calls == number:
            print("HERE", flush=True)
            time.sleep(600)
sync, tell = os.fsync, netlink.NetlinkSocket.tell
def fsync(handle):
    stop_at("before-sync")
    sync(handle)
    stop_at("after-sync")
def told(self, *arguments):
    tell(self, *arguments)
    stop_at("after-write")
os.fsync, netlink.NetlinkSocket.tell = fsync, told
sys.exit(main(sys.argv[3:]))
"""
"""virtfn, standing still at the Nth time that it is at a point, so that the power can be cut exactly there."""


@dataclass(frozen=True)
class Cut:
    """Where the power goes, and what the journal must say of it afterwards: its events, or no transaction at all."""

    point: str
    number: int
    events: list[str]
    written: bool = False


CUTS = [
    Cut("before-sync", 1, []),  # the plan is in the guest's memory only
    Cut("after-sync", 2, ["header", "plan"]),  # the plan is on the disk, its folder too
    Cut("before-sync", 3, ["header", "plan"]),  # the intent is in the guest's memory only
    Cut("after-write", VFS, ["header", "plan", "intent"], written=True),  # in the middle of the writes
]


@dataclass(frozen=True)
class Host:
    """One disk, whatever happens to the machine that it is in."""

    parts: Parts
    disk: Path

    @contextmanager
    def booted(self, *, cold: bool = False) -> Iterator[Machine]:
        with throw_away(self.parts, Folders.of_this_user(), StartOptions(cold=cold), print) as machine:
            device = machine.plug_disk(self.disk)
            machine.run(["sh", "-e", "-c", MOUNT % device], timeout_s=_PATIENT_S).check()
            machine.run(["sh", "-e", "-c", MAKE_VFS], timeout_s=_PATIENT_S).check()
            yield machine


@pytest.fixture
def host(lab_parts: Parts, tmp_path: Path) -> Host:
    return Host(lab_parts, make_disk(tmp_path / "disk", size_mb=64))


def spec() -> bytes:
    lines = [f"      {vf}: {{mac: '02:00:00:00:01:{vf:02x}', vlan: {vf + 1}, trust: true}}\n" for vf in range(VFS)]
    return f"virtfn: host/1\npfs:\n  - match: {{name: sim0}}\n    vfs:\n{''.join(lines)}".encode()


APPLY = ["apply", "-f", "/root/host.yaml", "--yes", "-q"]


def cut_while_applying(machine: Machine, cut: Cut) -> None:
    machine.run(["sh", "-c", "cat > /root/host.yaml"], stdin=spec(), timeout_s=_PATIENT_S).check()
    command = ["python3", "-c", STOPPING, cut.point, str(cut.number), *APPLY]
    said, deadline = b"", time.monotonic() + _PATIENT_S
    with machine.start(command) as job:
        job.end_input()
        while b"HERE" not in said and job.returncode is None and time.monotonic() < deadline:
            said += b"".join(data for _, data in job.events(1.0))
        assert b"HERE" in said, said.decode()
        assert (changed(machine) > 0) is cut.written
        machine.cut_power()


def changed(machine: Machine) -> int:
    """VFs that have something of the spec, by iproute2."""
    (link,) = json.loads(
        machine.run(["ip", "-j", "-d", "link", "show", "dev", "sim0"], timeout_s=_PATIENT_S).check().text
    )
    return sum(vf["address"].startswith("02:00:00:00:01:") or vf["trust"] for vf in link["vfinfo_list"])


def statuses(machine: Machine) -> list[str]:
    listed = machine.run(["virtfn", "journal", "ls", "-o", "json"], timeout_s=_PATIENT_S).check().text
    return [entry["status"] for entry in json.loads(listed)["transactions"]]


def events(machine: Machine, number: int) -> list[str]:
    """The kinds of the lines of a file, every line of which is whole, but for a last one without an end."""
    text = machine.run(["cat", f"{STATE}/journal/{number:04d}.jsonl"], timeout_s=_PATIENT_S).check().text
    return [json.loads(line).get("event", "header") for line in text.splitlines(keepends=True) if line.endswith("\n")]


def test_after_a_power_cut_the_journal_is_whole_and_the_host_can_be_changed_again(host: Host) -> None:
    known: list[list[str]] = []
    boots: set[str] = set()
    for number, cut in enumerate([*CUTS, None]):
        with host.booted(cold=cut is None) as machine:
            boots.add(machine.run(["cat", "/proc/sys/kernel/random/boot_id"], timeout_s=_PATIENT_S).check().text)
            assert len(boots) == number + 1
            assert statuses(machine) == ["ended by reboot"] * len(known)
            assert [events(machine, one + 1) for one in range(len(known))] == known
            assert changed(machine) == 0
            if cut:
                cut_while_applying(machine, cut)
                known += [cut.events] if cut.events else []
                continue
            machine.run(["sh", "-c", "cat > /root/host.yaml"], stdin=spec(), timeout_s=_PATIENT_S).check()
            machine.run(["virtfn", *APPLY], timeout_s=_PATIENT_S).check()
            assert changed(machine) == VFS
            assert statuses(machine) == [*["ended by reboot"] * len(known), "committed"]
            machine.run(["virtfn", "rollback", "--yes", "-q"], timeout_s=_PATIENT_S).check()
            assert changed(machine) == 0
            assert statuses(machine)[-1] == "rolled back"
