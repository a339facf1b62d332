from dataclasses import replace
from pathlib import Path

import pytest

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.devlink import DevlinkSocket
from virtfn.host.kernel import KernelHost
from virtfn.host.observation import observe
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.sysfs import Sysfs
from virtfn.host.vfinfo import Link, LocationOf, no_location
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import (
    EswitchMode,
    HolderKind,
    Inventory,
    Known,
    Unknown,
    VfLinkState,
    VfState,
)

PF_MAC = MacAddress.parse("a0:36:9f:68:fc:f4")
VF_MAC = MacAddress.parse("fa:16:3e:c0:d8:11")


class Route(RouteSocket):
    """Answers with prepared links instead of the kernel's."""

    def __init__(self, *links: Link) -> None:
        self._prepared = {link.ifindex: link for link in links}

    def get_link(self, ifindex: int, *, name: str = "", location_of: LocationOf = no_location) -> Link:
        if ifindex not in self._prepared:
            raise KernelRefused("RTM_GETLINK was refused: No such device (ENODEV)", where=name)
        link = self._prepared[ifindex]
        return replace(link, vfs=tuple(replace(vf, **vars(location_of(vf.index))) for vf in link.vfs))

    def links(self) -> tuple[Link, ...]:
        return tuple(self._prepared.values())


class Devlink(DevlinkSocket):
    def __init__(self) -> None:
        pass

    def eswitch_mode(self, bus: str, device: str) -> Known[EswitchMode]:
        return EswitchMode.LEGACY if bus == "pci" else EswitchMode.SWITCHDEV


def p2p1(*indices: int, problems: tuple[str, ...] = ()) -> Link:
    vfs = tuple(VfState(index, mac=VF_MAC, spoofchk=True, link_state=VfLinkState.AUTO) for index in indices)
    return Link("p2p1", 4, 1, 0x1043, PF_MAC, 1500, True, True, num_vfs=4, vfs=vfs, problems=problems)


def eth7() -> Link:
    return Link("eth7", 12, 1, 1, VF_MAC, 1500, True, False, parent="0000:01:10.0")


def seen(root: Path, *links: Link) -> Inventory:
    return observe(Sysfs(root), Route(*links), Devlink())


def test_a_nic_is_observed_with_every_vf_and_its_holder(host_root: Path) -> None:
    pf = seen(host_root, p2p1(0, 1, 2, 3), eth7()).pfs[0]
    assert (pf.device, pf.name, pf.ifindex, pf.mac, pf.driver) == ("0000:01:00.0", "p2p1", 4, PF_MAC, "igb")
    assert (pf.num_vfs, pf.total_vfs, pf.up, pf.carrier, pf.promiscuous) == (4, 7, True, True, True)
    assert (pf.eswitch_mode, pf.problems) == (EswitchMode.LEGACY, ())
    assert [vf.index for vf in pf.vfs] == [0, 1, 2, 3]
    assert [vf.pci for vf in pf.vfs] == [PciAddress(0, 1, 0x10, function) for function in (0, 2, 4, 6)]
    kinds = [vf.holder.kind for vf in pf.vfs if not isinstance(vf.holder, Unknown)]
    assert kinds == [HolderKind.HOST, HolderKind.VFIO, HolderKind.VFIO, HolderKind.NOBODY]
    assert pf.vfs[0].mac == VF_MAC


def test_a_vf_that_the_driver_leaves_out_is_there_with_unknown_facts(host_root: Path) -> None:
    told = "the driver reports 3 of 4 VFs to 'ip link': VF 2 left out"
    pf = seen(host_root, p2p1(0, 1, 3, problems=(told,)), eth7()).pfs[0]
    assert pf.problems == (told,)
    assert [vf.mac for vf in pf.vfs] == [VF_MAC, VF_MAC, Unknown(told), VF_MAC]
    assert pf.vfs[2].driver == "vfio-pci"


def test_a_gpu_is_observed_without_a_netdev(host_root: Path) -> None:
    pf = seen(host_root, p2p1(0, 1, 2, 3)).pfs[1]
    assert (pf.name, pf.driver, pf.total_vfs, pf.vfs) == (None, None, 2, ())
    assert pf.mac == Unknown("it has no netdev")
    assert pf.eswitch_mode == Unknown("not a NIC: it has no switch")


def test_a_simulated_nic_has_vfs_without_pci_devices(host_root: Path) -> None:
    link = replace(p2p1(0, 1), name="eni1np1", ifindex=9, num_vfs=2)
    pf = seen(host_root, link).pfs[2]
    assert (pf.device, pf.name, pf.driver, pf.eswitch_mode) == (
        "netdevsim1",
        "eni1np1",
        "netdevsim",
        EswitchMode.SWITCHDEV,
    )
    assert [vf.index for vf in pf.vfs] == [0, 1]
    assert pf.vfs[0].holder == Unknown("a simulated VF has no PCI device")


def test_a_nic_that_netlink_does_not_answer_for_keeps_what_sysfs_knows(host_root: Path) -> None:
    pf = seen(host_root).pfs[0]
    why = Unknown("p2p1: RTM_GETLINK was refused: No such device (ENODEV)")
    assert (pf.name, pf.num_vfs, pf.mac, pf.vfs[0].mac) == ("p2p1", 4, why, why)


def test_a_nic_whose_netdev_is_in_another_namespace_says_so(host_root: Path) -> None:
    netdev = host_root / "sys/bus/pci/devices/0000:01:00.0/net"
    netdev.rename(netdev.with_name("elsewhere"))
    pf = seen(host_root).pfs[0]
    assert pf.name == Unknown("its netdev is not in this network namespace")


def test_without_netlink_the_reason_stands_at_each_fact(host_root: Path) -> None:
    gone = Unknown("no netlink socket (protocol 0): Permission denied")
    pf = observe(Sysfs(host_root), gone, gone).pfs[0]
    assert (pf.mac, pf.eswitch_mode, pf.vfs[0].mac, pf.vfs[0].holder) == (gone, gone, gone, gone)


def test_the_number_of_vfs_that_changes_while_it_is_read_is_told(host_root: Path) -> None:
    (host_root / "sys/bus/pci/devices/0000:01:00.0/sriov_numvfs").write_text("2")
    pf = seen(host_root, p2p1(0, 1, 2, 3)).pfs[0]
    assert "sriov_numvfs says 2 VFs, the kernel's link message 4" in pf.problems[0]


def test_one_device_can_be_observed_alone(host_root: Path) -> None:
    found = observe(Sysfs(host_root), Route(p2p1()), Devlink(), device="0000:c1:00.0")
    assert [pf.device for pf in found.pfs] == ["0000:c1:00.0"]


def test_a_device_that_is_not_there_is_refused(host_root: Path) -> None:
    with pytest.raises(UsageError, match="no SR-IOV device"):
        KernelHost(host_root).observe(device="0000:09:00.0")


def test_a_host_without_sriov_gives_an_empty_inventory(tmp_path: Path) -> None:
    assert KernelHost(tmp_path).observe() == Inventory()
