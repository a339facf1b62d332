"""What a machine can be given while it runs: an NVMe controller with SR-IOV, or a disk, and the empty slots for them.

Both stay out of snapshots: QEMU does not migrate an NVMe controller, and a disk's content is not the machine's.
"""

from enum import StrEnum
from pathlib import Path

from virtfn.lab.build.execution import execute
from virtfn.lab.machine.monitor import Monitor

NVME_VFS = 4
_PRIVATE_QUEUES = 3
"""The PF's own: the admin queue and one for each of the guest's two processors."""
_QUEUES, _INTERRUPTS = 2, 1
"""For each VF: the admin queue and one more, and one interrupt vector."""
SUBSYSTEM = "subsystem"
"""The NVMe subsystem that an NVMe controller with SR-IOV must belong to; it can only be there from the start."""
_MAKE_S = 60


class Slot(StrEnum):
    """The empty slots, in the order of their addresses."""

    NVME = "slot-nvme"
    DISK = "slot-disk"


def empty_slots() -> list[str]:
    """Empty slots for what is plugged in while the machine runs. They come after the PFs' slots, so that
    the PFs keep their addresses.
    """
    command = ["-device", f"nvme-subsys,id={SUBSYSTEM}"]
    for number, slot in enumerate(Slot):
        command += [
            "-device",
            f"pcie-root-port,id={slot},slot={20 + number},chassis={20 + number},addr={number + 0x13:#x}",
        ]
    return command


def plug_nvme(monitor: Monitor) -> None:
    """An NVMe controller without a disk, PF of up to 4 VFs. Raises LabError.

    A VF has no queues until the host gives it some (NVMe 1.4, 8.5), so its driver refuses it before. The total of
    queues and of vectors is what the PF keeps and what the VFs can be given (QEMU: docs/system/devices/nvme.rst).
    """
    flexible_queues, flexible_interrupts = NVME_VFS * _QUEUES, NVME_VFS * _INTERRUPTS
    monitor.ask(
        "device_add", driver="nvme", id="nvme", bus=Slot.NVME, serial="virtfn", subsys=SUBSYSTEM,
        max_ioqpairs=_PRIVATE_QUEUES - 1 + flexible_queues, msix_qsize=_PRIVATE_QUEUES + flexible_interrupts,
        sriov_max_vfs=NVME_VFS, sriov_vq_flexible=flexible_queues, sriov_vi_flexible=flexible_interrupts,
    )  # fmt: skip


def plug_disk(monitor: Monitor, image: Path, serial: str) -> None:
    """A raw file as a virtio disk; the guest finds ``serial`` in ``/sys/block/*/serial``. Raises LabError."""
    monitor.ask(
        "blockdev-add", **{"driver": "raw", "node-name": "disk", "file": {"driver": "file", "filename": str(image)}}
    )
    monitor.ask("device_add", driver="virtio-blk-pci", id="disk", bus=Slot.DISK, drive="disk", serial=serial)


def make_disk(path: Path, *, size_mb: int) -> Path:
    """Make a sparse file with an empty ext4 file system for a guest, and return its path. Raises LabError."""
    execute(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", str(path), f"{size_mb}M"], timeout_s=_MAKE_S)
    return path
