from pathlib import Path

from virtfn.errors import BackendUnreachable
from virtfn.host.holders import NetdevSearch, VfDevice, find_holders, netdevs_by_parent, search_namespaces
from virtfn.host.sysfs import Sysfs
from virtfn.host.vfinfo import Link
from virtfn.host.vfio import VfioUser, VfioUsers, guest_name, vfio_paths, vfio_users
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import Holder, HolderKind, Known, Netdev, Unknown

MAC = MacAddress.parse("fa:16:3e:c0:d8:11")


def a_link(name: str, parent: str, kind: str = "") -> Link:
    return Link(name, 12, 1, 1, MAC, 1500, True, False, parent=parent, kind=kind)


def holder(root: Path, address: str, *links: Link) -> Known[Holder]:
    sysfs = Sysfs(root)
    pci = PciAddress.parse(address)
    return find_holders([VfDevice(pci, sysfs.driver(sysfs.pci_folder(pci)))], sysfs, lambda: links)[pci]


def not_to_be_called() -> tuple[Link, ...]:
    raise AssertionError("links were listed though no VF needed it")


def test_a_vf_with_its_netdev_here_is_held_by_the_host(host_root: Path) -> None:
    found = holder(host_root, "0000:01:10.0", a_link("eth7", "0000:01:10.0"))
    assert found == Holder(HolderKind.HOST, netdev=Netdev("eth7", "", 12, MAC, 1500, True, True))


def test_a_vf_open_in_a_guest_names_the_guest(host_root: Path) -> None:
    found = holder(host_root, "0000:01:10.2")
    assert found == Holder(HolderKind.VFIO, detail="group 9: web1 (qemu-system-x86 pid 4242)", opened=True)


def test_a_vf_on_vfio_that_nobody_has_open_is_not_opened(host_root: Path) -> None:
    assert holder(host_root, "0000:01:10.4") == Holder(HolderKind.VFIO, detail="group 10", opened=False)


def test_a_vf_without_driver_is_held_by_nobody(host_root: Path) -> None:
    assert holder(host_root, "0000:01:10.6") == Holder(HolderKind.NOBODY)


def test_a_network_driver_without_a_netdev_anywhere_is_told_as_such(host_root: Path) -> None:
    assert holder(host_root, "0000:01:10.0") == Holder(HolderKind.OTHER, detail="igbvf, without a netdev")


def test_a_driver_that_has_no_netdev_is_not_searched_for(host_root: Path) -> None:
    driver = host_root / "sys/bus/pci/devices/0000:01:10.6/driver"
    driver.symlink_to("../../drivers/uio_pci_generic")
    sysfs = Sysfs(host_root)
    vf = VfDevice(PciAddress.parse("0000:01:10.6"), sysfs.driver(driver.parent))
    found = find_holders([vf], sysfs, not_to_be_called)
    assert found[vf.pci] == Holder(HolderKind.OTHER, detail="uio_pci_generic")


def test_links_are_not_listed_for_vfs_that_have_no_netdev(host_root: Path) -> None:
    sysfs = Sysfs(host_root)
    addresses = [PciAddress.parse(f"0000:01:10.{number}") for number in (2, 4, 6)]
    vfs = [VfDevice(pci, sysfs.driver(sysfs.pci_folder(pci))) for pci in addresses]
    assert set(find_holders(vfs, sysfs, not_to_be_called)) == set(addresses)


def test_a_driver_that_cannot_be_read_leaves_the_holder_unknown(host_root: Path) -> None:
    vf = VfDevice(PciAddress.parse("0000:01:10.0"), Unknown("driver cannot be read (EIO)"))
    found = find_holders([vf], Sysfs(host_root), not_to_be_called)
    assert found[vf.pci] == Unknown("driver cannot be read (EIO)")


def test_without_netlink_the_holder_is_unknown(host_root: Path) -> None:
    def no_links() -> tuple[Link, ...]:
        raise BackendUnreachable("no netlink socket")

    vf = VfDevice(PciAddress.parse("0000:01:10.0"), "igbvf")
    assert find_holders([vf], Sysfs(host_root), no_links)[vf.pci] == Unknown("no netlink socket")


def test_a_macvlan_on_a_vf_is_not_taken_for_the_vf() -> None:
    links = (a_link("macvtap0", "0000:01:10.0", kind="macvtap"), a_link("eth7", "0000:01:10.0"))
    assert netdevs_by_parent(links, "")["0000:01:10.0"].name == "eth7"


def test_a_root_without_namespaces_is_searched_without_complaint(host_root: Path) -> None:
    assert search_namespaces({"0000:01:10.0"}, root=host_root) == NetdevSearch({})


def test_an_open_file_that_cannot_be_seen_is_not_a_closed_device() -> None:
    assert VfioUsers({}, hidden=3).of(("/dev/vfio/9",)) == Unknown(
        "the open files of 3 processes cannot be seen without root (EACCES)"
    )
    seen = VfioUsers({"/dev/vfio/9": (VfioUser(7, "qemu"),)}, hidden=3)
    assert seen.of(("/dev/vfio/9",)) == (VfioUser(7, "qemu"),)


def test_a_process_that_opened_the_device_itself_is_found_too(host_root: Path) -> None:
    (host_root / "proc/100/fd/7").symlink_to("/dev/vfio/devices/vfio3")
    users = vfio_users(root=host_root)
    assert users.of(vfio_paths("10", "vfio3")) == (VfioUser(100, "sshd"),)


def test_the_name_of_a_guest_is_found_in_each_of_qemus_spellings() -> None:
    assert guest_name(["qemu", "-name", "guest=web1,debug-threads=on"]) == "web1"
    assert guest_name(["qemu", "-name", "web1"]) == "web1"
    assert guest_name(["qemu", "-name", "debug-threads=on,guest=web1"]) == "web1"
    assert guest_name(["qemu", "-name", "web1,process=vm"]) == "web1"
    assert guest_name(["qemu", "-S"]) == ""
