import os
from pathlib import Path

import pytest

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.sysfs import Sysfs, read_number, write_text
from virtfn.model.addresses import PciAddress
from virtfn.model.inventory import Unknown


def test_every_device_with_sriov_is_found_nic_or_not_in_the_order_of_addresses(host_root: Path) -> None:
    assert [pf.address for pf in Sysfs(host_root).pfs()] == ["0000:01:00.0", "0000:c1:00.0", "netdevsim1"]


def test_a_host_without_sysfs_has_no_devices(tmp_path: Path) -> None:
    assert Sysfs(tmp_path).pfs() == ()


def test_simulated_devices_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9):
        folder = tmp_path / f"sys/bus/netdevsim/devices/netdevsim{number}"
        folder.mkdir(parents=True)
        (folder / "sriov_numvfs").write_text("0")
    assert [pf.address for pf in Sysfs(tmp_path).pfs()] == ["netdevsim9", "netdevsim10"]


def test_the_facts_of_a_nic_are_read(host_root: Path) -> None:
    sysfs = Sysfs(host_root)
    pf = sysfs.pf("0000:01:00.0")
    assert (sysfs.num_vfs(pf), sysfs.total_vfs(pf), sysfs.autoprobe(pf)) == (4, 7, True)
    assert (sysfs.pf_driver(pf), sysfs.vendor_device(pf), sysfs.numa_node(pf)) == ("igb", "8086:10c9", None)
    assert sysfs.netdevs(pf) == (("p2p1", 4),)
    assert sysfs.is_nic(pf)


def test_a_gpu_is_no_nic_and_has_no_netdev(host_root: Path) -> None:
    sysfs = Sysfs(host_root)
    pf = sysfs.pf("0000:c1:00.0")
    assert not sysfs.is_nic(pf)
    assert sysfs.netdevs(pf) == ()
    assert (sysfs.pf_driver(pf), sysfs.numa_node(pf)) == (None, 1)


def test_a_file_that_is_not_there_is_unknown_with_the_errno(host_root: Path) -> None:
    sysfs = Sysfs(host_root)
    assert sysfs.autoprobe(sysfs.pf("0000:c1:00.0")) == Unknown("sriov_drivers_autoprobe cannot be read (ENOENT)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_closed_to_us_is_unknown_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "max_vfs").touch(mode=0)
    assert read_number(tmp_path / "max_vfs") == Unknown("max_vfs cannot be read (EACCES): run as root")


def test_a_file_that_holds_no_number_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "sriov_numvfs").write_text("many\n")
    assert read_number(tmp_path / "sriov_numvfs") == Unknown("sriov_numvfs holds 'many', which is no number")


def test_vfs_are_keyed_by_their_index_not_by_the_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "sriov_totalvfs").write_text("64")
    for index in (10, 9, 2):
        (folder / f"virtfn{index}").symlink_to(f"../0000:01:10.{index % 8}")
    sysfs = Sysfs(tmp_path)
    assert list(sysfs.virtfns(sysfs.pf("0000:01:00.0"))) == [2, 9, 10]


def test_representors_of_vfs_are_not_taken_for_the_pf(host_root: Path) -> None:
    folder = host_root / "sys/bus/pci/devices/0000:01:00.0/net"
    for name, port, ifindex in (("p2p1", "p0", 4), ("eth0", "pf0vf0", 2), ("eth1", "c1pf0vf1", 3)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "phys_port_name").write_text(port)
        (folder / name / "ifindex").write_text(str(ifindex))
    sysfs = Sysfs(host_root)
    assert sysfs.netdevs(sysfs.pf("0000:01:00.0")) == (("p2p1", 4),)


def test_what_a_vf_belongs_to_is_read(host_root: Path) -> None:
    sysfs = Sysfs(host_root)
    address = PciAddress.parse("0000:01:10.2")
    assert (sysfs.physfn(address), sysfs.iommu_group(address)) == ("0000:01:00.0", "9")
    assert sysfs.driver(sysfs.pci_folder(address)) == "vfio-pci"


@pytest.mark.parametrize("address", ["0000:00:1f.0", "0000:09:00.0", "netdevsim7", "../pci/devices/0000:01:00.0", ""])
def test_a_device_without_sriov_is_refused_by_name(host_root: Path, address: str) -> None:
    with pytest.raises(UsageError, match="no SR-IOV device"):
        Sysfs(host_root).pf(address)


def test_a_write_that_fails_names_the_errno_the_call_and_the_command(tmp_path: Path) -> None:
    attempt = KernelCall("p2p1", "writing 4 to sriov_numvfs", "echo 4 > /sys/...")
    with pytest.raises(KernelRefused, match=r"p2p1: writing 4 to sriov_numvfs was refused: .*ENOENT") as refused:
        write_text(tmp_path / "sriov_numvfs", "4", attempt)
    assert (refused.value.errno, refused.value.command) == (2, "echo 4 > /sys/...")
    assert not (tmp_path / "sriov_numvfs").exists()
