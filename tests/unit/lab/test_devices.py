"""What a machine can be given beside its NICs: slots for later, an IOMMU, an NVMe controller, a host's way to boot."""

import subprocess
from pathlib import Path
from typing import Any

from virtfn.lab.machine.devices import NVME_VFS, make_disk, plug_disk, plug_nvme
from virtfn.lab.machine.monitor import Monitor
from virtfn.lab.machine.qemu import Accelerator, Board, HostBoot, Qemu
from virtfn.lab.machine.shape import Shape

RUN = Path("/run/lab")


class Told(Monitor):
    """A monitor that keeps what it was asked."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, dict[str, object]]] = []

    def ask(self, command: str, **arguments: object) -> Any:
        self.commands.append((command, arguments))
        return {}


def command(shape: Shape, boot: HostBoot | None = None) -> str:
    files = (Path("/c/vmlinux"), Path("/c/initramfs"), Path("/c/root.sqfs"))
    return " ".join(Board(Qemu("qemu", (10, 0)), Accelerator.TCG, *files, shape, boot).command(RUN))


def test_every_machine_has_the_same_empty_slots_after_its_pfs() -> None:
    for shape in (Shape(), Shape(pfs=12)):
        assert "pcie-root-port,id=slot-nvme,slot=20,chassis=20,addr=0x13" in command(shape)
        assert "pcie-root-port,id=slot-disk,slot=21,chassis=21,addr=0x14" in command(shape)
    assert str(Shape().nvme_pci) == "0000:02:00.0"
    assert str(Shape(pfs=12).nvme_pci) == "0000:0d:00.0"


def test_an_nvme_controller_is_plugged_in_later_so_the_command_line_is_the_same() -> None:
    assert command(Shape(nvme=True)) == command(Shape())
    assert Shape(nvme=True).guest_plan()["nvme"] == "0000:02:00.0"
    assert Shape().guest_plan()["nvme"] is None


def test_an_iommu_is_emulated_and_the_kernel_told_to_use_it() -> None:
    assert "-device intel-iommu" in command(Shape(iommu=True))
    assert "intel_iommu=on iommu=pt" in command(Shape(iommu=True))
    assert "iommu" not in command(Shape())


def test_the_nvme_controller_has_queues_and_vectors_for_every_vf_beside_its_own() -> None:
    monitor = Told()
    plug_nvme(monitor)
    ((name, given),) = monitor.commands
    assert (name, given["driver"], given["bus"]) == ("device_add", "nvme", "slot-nvme")
    assert given["sriov_max_vfs"] == NVME_VFS
    assert given["max_ioqpairs"] == 10  # the admin queue is not counted: 11 queues, 2 for each VF, 3 for the PF
    assert given["msix_qsize"] == 7


def test_a_disk_is_a_raw_file_with_a_serial_to_find_it_by() -> None:
    monitor = Told()
    plug_disk(monitor, Path("/x/disk"), "state")
    (_, backend), (_, device) = monitor.commands
    assert backend["file"] == {"driver": "file", "filename": "/x/disk"}
    assert (device["drive"], device["serial"]) == (backend["node-name"], "state")


def test_a_disk_is_made_with_a_file_system_in_it(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", size_mb=16)
    assert disk.stat().st_size == 16 << 20
    assert disk.read_bytes()[0x438:0x43A] == bytes.fromhex("53ef")  # ext4's magic number, little-endian
    assert "has_journal" in subprocess.run(
        ["/sbin/dumpe2fs", "-h", str(disk)], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def test_a_host_boots_from_its_layer_and_its_disk() -> None:
    words = command(Shape(), HostBoot(Path("/c/layer"), Path("/c/a,b")))
    assert "file=/c/layer,format=raw,if=none,id=layer,readonly=on" in words
    assert "file=/c/a,,b,format=raw,if=none,id=disk" in words
    assert "virtfn.systemd" in words
    assert "virtfn.systemd" not in command(Shape())
