"""What is plugged into a running machine: an NVMe controller with SR-IOV, or a disk.

Both stay out of snapshots: QEMU does not migrate an NVMe controller, and a disk's content is not the machine's.
"""

from pathlib import Path

from virtfn.lab.machine.monitor import Monitor
from virtfn.lab.machine.qemu import SUBSYSTEM, Slot

NVME_VFS = 4
_PRIVATE_QUEUES = 3
"""The PF's own: the admin queue and one for each of the guest's two processors."""
_QUEUES, _INTERRUPTS = 2, 1
"""For each VF: the admin queue and one more, and one interrupt vector."""


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
