"""What the lab's host looks like: its PFs, its VFs with their MACs, and the wire. One table for host and guest."""

import itertools
from dataclasses import asdict, dataclass
from enum import StrEnum

from virtfn.errors import LabError
from virtfn.model.addresses import MacAddress, PciAddress

MOST_VFS = 7
"""An 82576 has 8 queues pairs for VFs and the driver keeps one (``sriov_totalvfs`` is 7)."""
MOST_VMS = 3
"""A VM has 160 MiB, its QEMU and libvirt's share as much again."""
MOST_MEMORY_MB = 2800
"""Above it SeaBIOS moves the VFs' registers beyond 512 GiB, where the emulated processor reads them as ones."""
_COMPUTE_MEMORY_MB = 2048
MOST_PFS = 12
"""12 were measured (docs/explanation/lab.md); with 20 the guest did not come up."""
FIRST_PF_MAC = MacAddress.parse("a0:36:9f:68:fc:f4")
WIRE_MAC = MacAddress.parse("52:54:00:00:00:01")
_NOTE_MACS = ("00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59")


class Wire(StrEnum):
    """What the PFs' cable leads to: a NIC inside the guest (netns ``wire``, ``w0``) or sockets on the host."""

    NIC = "nic"
    HOST = "host"


@dataclass(frozen=True)
class Shape:
    """The machine to build. The defaults are the field note's host.

    ``nvme``: one more PF that is no NIC, an NVMe controller with up to 4 VFs. ``iommu``: an emulated Intel IOMMU,
    without which nothing can be bound to vfio-pci. ``vms``: libvirt runs so many VMs, each with a VF of the first PF.
    """

    pfs: int = 1
    vfs: int = 4
    wire: Wire = Wire.NIC
    memory_mb: int = 512
    nvme: bool = False
    iommu: bool = False
    vms: int = 0

    @classmethod
    def compute_host(cls, *, vms: int = MOST_VMS, wire: Wire = Wire.NIC) -> "Shape":
        """A compute host: one PF, four VFs, and VMs that have VFs 1, 2 and so on by vfio-pci."""
        return cls(wire=wire, memory_mb=_COMPUTE_MEMORY_MB, iommu=True, vms=vms)

    def __post_init__(self) -> None:
        if not 1 <= self.pfs <= MOST_PFS:
            raise LabError(f"a lab has 1 to {MOST_PFS} PFs, not {self.pfs}")
        if not 0 <= self.vfs <= MOST_VFS:
            raise LabError(f"an igb PF has 0 to {MOST_VFS} VFs, not {self.vfs}")
        if not 0 <= self.vms <= min(MOST_VMS, self.vfs - 1 if self.vms else 0):
            raise LabError(f"a lab has 0 to {MOST_VMS} VMs, and one VF more than VMs")
        if self.memory_mb > MOST_MEMORY_MB:
            raise LabError(f"a lab has at most {MOST_MEMORY_MB} MiB of memory, not {self.memory_mb}")

    @property
    def processors(self) -> int:
        """Two, but one for a compute host: emulated ones that enter VMs at the same time make its kernel panic."""
        return 1 if self.vms else 2

    def pf_name(self, pf: int) -> str:
        """``p2p1`` for the first, then ``p3p1`` and so on."""
        return f"p{pf + 2}p1"

    def pf_mac(self, pf: int) -> MacAddress:
        """The field note's address for the first, then counting up."""
        return FIRST_PF_MAC.neighbour(pf)

    def pf_pci(self, pf: int) -> PciAddress:
        """``0000:01:00.0`` for the first: each PF is alone behind its own root port."""
        return PciAddress(0, pf + 1, 0, 0)

    @property
    def nvme_pci(self) -> PciAddress:
        """Where the PF that is no NIC is: behind the slot that follows the PFs'."""
        return PciAddress(0, self.pfs + 1, 0, 0)

    def vf_mac(self, pf: int, vf: int) -> MacAddress:
        """The administrative MAC: the field note's four on the first PF, then ``fa:16:3e:00:<pf>:<vf>``."""
        if pf == 0 and vf < len(_NOTE_MACS):
            return MacAddress.parse(_NOTE_MACS[vf])
        return MacAddress(bytes((0xFA, 0x16, 0x3E, 0, pf, vf)))

    def as_dict(self) -> dict[str, object]:
        """For the machine's record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict[str, object]) -> "Shape":
        """From the machine's record."""
        return cls(
            pfs=_int(found, "pfs"), vfs=_int(found, "vfs"), wire=Wire(str(found["wire"])),
            memory_mb=_int(found, "memory_mb"), nvme=bool(found.get("nvme")), iommu=bool(found.get("iommu")),
            vms=_int(found, "vms"),
        )  # fmt: skip

    def guest_plan(self) -> dict[str, object]:
        """The input of guest/topology.py (JSON): names, addresses, and the namespace of each VF.

        A VF whose administrative MAC was never set stays without a driver: igbvf would invent an address and the PF
        would learn it, and the field note's all-zero row would be gone. On a compute host no VF has one until
        libvirt sets it.
        """
        numbers = itertools.count()
        pfs = [
            {
                "pci": str(self.pf_pci(pf)),
                "name": self.pf_name(pf),
                "vfs": [
                    {"index": vf, "mac": str(self._first_mac(pf, vf)), "netns": f"vm{next(numbers)}"}
                    for vf in range(self.vfs)
                ],
            }
            for pf in range(self.pfs)
        ]
        wire = {"mac": str(WIRE_MAC), "netns": "wire", "name": "w0"} if self.wire is Wire.NIC else None
        vms = [
            {"name": f"vm{vf}", "pf": str(self.pf_pci(0)), "vf": vf, "mac": str(self.vf_mac(0, vf))}
            for vf in range(1, self.vms + 1)
        ]
        return {"pfs": pfs, "wire": wire, "nvme": str(self.nvme_pci) if self.nvme else None, "vms": vms}

    def _first_mac(self, pf: int, vf: int) -> MacAddress:
        return MacAddress.parse(_NOTE_MACS[0]) if self.vms else self.vf_mac(pf, vf)


def _int(found: dict[str, object], name: str) -> int:
    value = found[name]
    if not isinstance(value, int):
        raise LabError(f"the lab's record has no number {name}")
    return value
