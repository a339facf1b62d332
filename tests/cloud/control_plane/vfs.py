"""The SR-IOV NIC that a compute host pretends to have, and the folder that stands for its sysfs.

Three sides read this: the launcher makes the folder, nova's driver writes a VF's MAC there when a server gets the VF
(as libvirt does on a real host), and Neutron's agent reads the MAC and writes what it sets on the VF.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "sriov-host1"
SECOND_HOST = "sriov-host2"
"""Started on demand; its NIC is the same."""
VENDOR_ID, PF_PRODUCT_ID, VF_PRODUCT_ID = "8086", "158b", "154c"
VFS_A_PF = 8
NO_MAC = "00:00:00:00:00:00"
FOLDER_VARIABLE = "VIRTFN_CLOUD_SYSFS"


@dataclass(frozen=True)
class Pf:
    """A PF, its physical network, and the PCI slot that its VFs are functions of."""

    name: str
    physnet: str
    address: str
    vf_slot: str

    def vf_address(self, index: int) -> str:
        return f"0000:3b:{self.vf_slot}.{index}"


PFS = (
    Pf("ens1f0", "physnet1", "0000:3b:00.0", "02"),
    Pf("ens1f1", "physnet2", "0000:3b:00.1", "0a"),
)
WHOLE_PF = Pf("ens1f2", "physnet2", "0000:3b:00.2", "")
"""It has no VFs: a server may have all of it."""
WHOLE_PF_MAC = "02:00:00:3b:00:02"


class FakeSysfs:
    """PFs and VFs as files: ``PF/device/virtfnN`` links as in sysfs, ``PF.vfN.mac`` and ``PF.vfN.json`` beside."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_this_process(cls) -> "FakeSysfs":
        """The folder that the launcher named."""
        return cls(Path(os.environ[FOLDER_VARIABLE]))

    def create(self) -> None:
        """All PFs with all their VFs, none in use."""
        for pf in PFS:
            device = self.root / pf.name / "device"
            device.mkdir(parents=True)
            (device / "sriov_numvfs").write_text(f"{VFS_A_PF}\n")
            for index in range(VFS_A_PF):
                (device / f"virtfn{index}").symlink_to(f"../../pci/{pf.vf_address(index)}")

    def find(self, address: str) -> tuple[Pf, int] | None:
        """The PF and the VF's number of a PCI address."""
        every = ((pf, index) for pf in PFS for index in range(VFS_A_PF))
        return next(((pf, index) for pf, index in every if pf.vf_address(index) == address), None)

    def mac(self, pf: str, index: int) -> str:
        path = self.root / f"{pf}.vf{index}.mac"
        return path.read_text().strip() if path.exists() else NO_MAC

    def set_mac(self, address: str, mac: str) -> None:
        """Does nothing for an address that is no VF of ours (a port without a VF)."""
        found = self.find(address)
        if found:
            _replace(self.root / f"{found[0].name}.vf{found[1]}.mac", mac)

    def keep_by_the_host(self, address: str) -> None:
        """Give a VF a netdev, as the host's own driver does that has not let go of it."""
        (self.root / "pci" / address / "net" / "vf").mkdir(parents=True)

    def let_go(self) -> None:
        """No VF has a netdev, as it is usual here."""
        if (self.root / "pci").is_dir():
            shutil.rmtree(self.root / "pci")

    def features(self, pf: str, index: int) -> dict[str, object]:
        """What the agent has set: ``spoofchk``, ``link_state``, rates."""
        path = self.root / f"{pf}.vf{index}.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def set_features(self, pf: str, index: int, changed: Mapping[str, object]) -> None:
        _replace(self.root / f"{pf}.vf{index}.json", json.dumps({**self.features(pf, index), **changed}))

    def free(self, physnet: str) -> list[str]:
        """PCI addresses of the VFs on a physical network that no server has."""
        return [
            pf.vf_address(index)
            for pf in PFS
            if pf.physnet == physnet
            for index in range(VFS_A_PF)
            if self.mac(pf.name, index) == NO_MAC
        ]


def _replace(path: Path, text: str) -> None:
    """In one piece: others read at any time."""
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
