"""A host's /sys and /proc as plain files and links under a temporary root."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Plant = Callable[[Mapping[str, str]], Path]

NIC = "sys/bus/pci/devices/0000:01:00.0"
GPU = "sys/bus/pci/devices/0000:c1:00.0"
SIM = "sys/bus/netdevsim/devices/netdevsim1"


def vf(pci: str, driver: str = "", group: str = "", pf: str = "0000:01:00.0") -> dict[str, str]:
    folder = f"sys/bus/pci/devices/{pci}"
    files = {
        f"{folder}/class": "0x020000\n",
        f"{folder}/physfn": f"-> ../{pf}",
        f"{folder}/driver_override": "(null)\n",
    }
    if driver:
        files[f"{folder}/driver"] = f"-> ../../drivers/{driver}"
        files[f"sys/bus/pci/drivers/{driver}/bind"] = ""
        files[f"sys/bus/pci/drivers/{driver}/unbind"] = ""
    if group:
        files[f"{folder}/iommu_group"] = f"-> ../../../../kernel/iommu_groups/{group}"
    return files


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Write files under the root; a content ``-> X`` makes a link to X."""

    def planted(files: Mapping[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("-> "):
                path.symlink_to(content[3:])
            else:
                path.write_text(content)
        return tmp_path

    return planted


@pytest.fixture
def host_root(plant: Plant) -> Path:
    """A NIC with four VFs (on the host, open in a guest, on vfio but closed, unbound), a GPU, a simulated NIC."""
    return plant(
        {
            f"{NIC}/sriov_totalvfs": "7\n",
            f"{NIC}/sriov_numvfs": "4\n",
            f"{NIC}/sriov_drivers_autoprobe": "1\n",
            f"{NIC}/vendor": "0x8086\n",
            f"{NIC}/device": "0x10c9\n",
            f"{NIC}/class": "0x020000\n",
            f"{NIC}/numa_node": "-1\n",
            f"{NIC}/driver": "-> ../../drivers/igb",
            f"{NIC}/net/p2p1/ifindex": "4\n",
            f"{NIC}/virtfn0": "-> ../0000:01:10.0",
            f"{NIC}/virtfn1": "-> ../0000:01:10.2",
            f"{NIC}/virtfn2": "-> ../0000:01:10.4",
            f"{NIC}/virtfn3": "-> ../0000:01:10.6",
            **vf("0000:01:10.0", "igbvf", "8"),
            **vf("0000:01:10.2", "vfio-pci", "9"),
            **vf("0000:01:10.4", "vfio-pci", "10"),
            **vf("0000:01:10.6", "", "11"),
            "sys/bus/pci/drivers_probe": "",
            "sys/bus/pci/devices/0000:00:1f.0/class": "0x060100\n",
            f"{GPU}/sriov_totalvfs": "2\n",
            f"{GPU}/sriov_numvfs": "0\n",
            f"{GPU}/class": "0x030000\n",
            f"{GPU}/vendor": "0x10de\n",
            f"{GPU}/device": "0x2230\n",
            f"{GPU}/numa_node": "1\n",
            f"{SIM}/sriov_numvfs": "2\n",
            f"{SIM}/net/eni1np1/ifindex": "9\n",
            "proc/self/ns/net": "",
            "proc/100/fd/0": "-> /dev/null",
            "proc/100/comm": "sshd\n",
            "proc/100/cmdline": "/usr/sbin/sshd\0-D\0",
            "proc/4242/fd/30": "-> /dev/vfio/vfio",
            "proc/4242/fd/31": "-> /dev/vfio/9",
            "proc/4242/comm": "qemu-system-x86\n",
            "proc/4242/cmdline": "qemu-system-x86_64\0-name\0guest=web1,debug-threads=on\0-S\0",
        }
    )
