"""The real neutron-sriov-nic-agent; only its two doors to the kernel lead to the fake sysfs instead.

The doors are the sysfs paths and the netlink calls for VFs. Runs in OpenStack's environment.
"""

import sys
from typing import Any

from neutron.cmd.plugins import sriov_nic_neutron_agent  # type: ignore[import-not-found]
from neutron.plugins.ml2.drivers.mech_sriov.agent import eswitch_manager, pci_lib  # type: ignore[import-not-found]
from neutron_taas.services.taas.drivers.linux import sriov_nic_utils  # type: ignore[import-not-found]
from tests.cloud.control_plane.vfs import NO_MAC, VFS_A_PF, FakeSysfs

_SYSFS = FakeSysfs.of_this_process()
_DEFAULTS = {"link_state": 0, "max_tx_rate": 0, "min_tx_rate": 0}


class _Link:
    """What the agent asks of a PF by netlink."""

    def __init__(self, pf: str) -> None:
        self._pf = pf

    def get_vfs(self) -> dict[int, dict[str, object]]:
        """VFs that have a MAC."""
        macs = {index: _SYSFS.mac(self._pf, index) for index in range(VFS_A_PF)}
        return {
            index: {"mac": mac, **_DEFAULTS, **_SYSFS.features(self._pf, index)}
            for index, mac in macs.items()
            if mac != NO_MAC
        }

    def set_vf_feature(self, wanted: dict[str, Any]) -> None:
        _SYSFS.set_features(self._pf, int(wanted["vf"]), wanted)


class _Device:
    def __init__(self, pf: str) -> None:
        self.link = _Link(pf)


def _vf(address: str) -> tuple[str, int]:
    found = _SYSFS.find(address)
    if found is None:
        raise sriov_nic_utils.taas_exc.PciDeviceNotFoundById(id=address)
    return found[0].name, found[1]


def _lead_to_the_fake() -> None:
    paths = eswitch_manager.PciOsWrapper
    paths.DEVICE_PATH = f"{_SYSFS.root}/%s/device"
    paths.PCI_PATH = f"{_SYSFS.root}/%s/device/virtfn%s/net"
    paths.NUMVFS_PATH = f"{_SYSFS.root}/%s/device/sriov_numvfs"
    pci_lib.PciDeviceIPWrapper.device = lambda self, name: _Device(name)
    taas = sriov_nic_utils.SriovNicUtils
    taas.get_vf_num_by_pci_address = lambda self, address: str(_vf(address)[1])
    taas.get_ifname_by_pci_address = lambda self, address, pf_interface=False: _vf(address)[0]


if __name__ == "__main__":
    _lead_to_the_fake()
    sys.argv[0] = "neutron-sriov-nic-agent"
    sriov_nic_neutron_agent.main()
