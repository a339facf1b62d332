"""The holder of each VF: a netdev here, a netdev in another network namespace, a process through vfio, none.

Expensive requests are made once for all VFs, and only where some VF needs the answer: a link dump here where a
network driver has a VF, a visit to the other namespaces where such a VF has no netdev here, a walk over all
processes' open files where vfio has a VF.
"""

import array
import fcntl
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import VirtfnError
from virtfn.host.netns import call_in, other_namespaces
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.sysfs import Sysfs
from virtfn.host.vfinfo import ARPHRD_ETHER, Link
from virtfn.host.vfio import VfioUsers, vfio_paths, vfio_users
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import Holder, HolderKind, Known, Netdev, Unknown

_SIOCETHTOOL = 0x8946
_ETHTOOL_GDRVINFO = 0x3
_DRVINFO_LENGTH, _BUS_INFO = 196, slice(100, 132)
_USERSPACE_DRIVERS = ("uio_pci_generic", "igb_uio", "pci-stub", "pciback", "xen-pciback")
_NO_HOLDER = Holder(HolderKind.NOBODY)


@dataclass(frozen=True)
class VfDevice:
    """A VF as a PCI function, with the driver that is bound to it."""

    pci: PciAddress
    driver: Known[str | None]


@dataclass(frozen=True)
class NetdevSearch:
    """Netdevs by the PCI address under them; ``problems`` is empty where all namespaces were looked at."""

    by_parent: dict[str, Netdev]
    problems: tuple[str, ...] = ()


def find_holders(
    vfs: Iterable[VfDevice], sysfs: Sysfs, links: Callable[[], tuple[Link, ...]]
) -> dict[PciAddress, Known[Holder]]:
    """The holder of each VF. ``links`` lists the links of the current namespace; it is called at most once.

    Raises nothing for what cannot be seen: that VF's holder is Unknown(reason), or its vfio user is.
    """
    devices = tuple(vfs)
    found: dict[PciAddress, Known[Holder]] = {}
    for vf in devices:
        early = _without_search(vf, sysfs)
        if early is not None:
            found[vf.pci] = early
    on_vfio = [vf for vf in devices if vf.pci not in found and is_vfio(vf.driver)]
    if on_vfio:
        users = vfio_users(root=sysfs.root)
        found |= {vf.pci: _vfio_holder(vf, sysfs, users) for vf in on_vfio}
    on_network = [vf for vf in devices if vf.pci not in found]
    return found | _netdev_holders(on_network, sysfs, links)


def is_vfio(driver: Known[str | None]) -> bool:
    """vfio-pci, or a vendor's variant of it (mlx5_vfio_pci, ...)."""
    return isinstance(driver, str) and "vfio" in driver


def _without_search(vf: VfDevice, sysfs: Sysfs) -> Known[Holder] | None:
    if isinstance(vf.driver, Unknown):
        return vf.driver
    if vf.driver is None:
        return _NO_HOLDER
    if is_vfio(vf.driver):
        return None
    if vf.driver in _USERSPACE_DRIVERS or not sysfs.is_network_class(sysfs.pci_folder(vf.pci)):
        return Holder(HolderKind.OTHER, detail=vf.driver)
    return None


def _vfio_holder(vf: VfDevice, sysfs: Sysfs, users: VfioUsers) -> Holder:
    group = sysfs.iommu_group(vf.pci)
    paths = vfio_paths(group if isinstance(group, str) else None, sysfs.vfio_device(vf.pci))
    shown = f"group {group}" if isinstance(group, str) else "no group"
    if not paths:
        return Holder(HolderKind.VFIO, detail=shown, opened=Unknown("its vfio group is not known"))
    holding = users.of(paths)
    if isinstance(holding, Unknown):
        return Holder(HolderKind.VFIO, detail=shown, opened=holding)
    detail = ", ".join(str(user) for user in holding)
    return Holder(HolderKind.VFIO, detail=f"{shown}: {detail}" if detail else shown, opened=bool(holding))


def _netdev_holders(
    vfs: list[VfDevice], sysfs: Sysfs, links: Callable[[], tuple[Link, ...]]
) -> dict[PciAddress, Known[Holder]]:
    if not vfs:
        return {}
    try:
        here = netdevs_by_parent(links(), "")
    except VirtfnError as error:
        return {vf.pci: Unknown(error.message) for vf in vfs}
    found: dict[PciAddress, Known[Holder]] = {
        vf.pci: Holder(HolderKind.HOST, netdev=here[str(vf.pci)]) for vf in vfs if str(vf.pci) in here
    }
    absent = [vf for vf in vfs if vf.pci not in found]
    if not absent:
        return found
    search = search_namespaces({str(vf.pci) for vf in absent}, root=sysfs.root)
    return found | {vf.pci: _holder_elsewhere(vf, search) for vf in absent}


def _holder_elsewhere(vf: VfDevice, search: NetdevSearch) -> Known[Holder]:
    netdev = search.by_parent.get(str(vf.pci))
    if netdev is not None:
        return Holder(HolderKind.NETNS, netdev=netdev)
    if search.problems:
        return Unknown(f"its netdev was not found: {search.problems[0]}")
    return Holder(HolderKind.OTHER, detail=f"{vf.driver}, without a netdev")


def search_namespaces(wanted: set[str], *, root: Path = Path("/")) -> NetdevSearch:
    """The netdevs above these PCI addresses in the other network namespaces; stops once all are found."""
    others = other_namespaces(root=root)
    problems = list(others.problems)
    found: dict[str, Netdev] = {}
    for netns in others.names:
        if wanted <= found.keys():
            break
        try:
            there = call_in(netns, lambda netns=netns: _netdevs_inside(netns), root=root)  # type: ignore[misc]
        except VirtfnError as error:
            problems.append(str(error))
            continue
        found |= {parent: netdev for parent, netdev in there.items() if parent in wanted}
    return NetdevSearch(found, tuple(problems))


def _netdevs_inside(netns: str) -> dict[str, Netdev]:
    with RouteSocket() as route:
        return netdevs_by_parent(route.links(), netns)


def netdevs_by_parent(links: tuple[Link, ...], netns: str) -> dict[str, Netdev]:
    """The Ethernet netdevs among ``links`` by the device under them; call it inside their namespace.

    Kernels before 5.14 do not name the parent: there the driver's own word is taken (``ethtool -i``, bus-info).
    """
    hardware = [link for link in links if link.link_type == ARPHRD_ETHER and not link.kind]
    found: dict[str, Netdev] = {}
    for link in hardware:
        parent = link.parent or ethtool_bus_info(link.name)
        if parent and isinstance(link.mac, MacAddress) and isinstance(link.mtu, int):
            netdev = Netdev(link.name, netns, link.ifindex, link.mac, link.mtu, link.up, link.carrier)
            found.setdefault(parent, netdev)
    return found


def ethtool_bus_info(name: str) -> str:
    """The bus address that a netdev's driver reports, "" for none. ``ethtool -i NAME``.

    struct ethtool_drvinfo, include/uapi/linux/ethtool.h; ETHTOOL_GDRVINFO asks for no privilege.
    """
    request = array.array("B", struct.pack("=I", _ETHTOOL_GDRVINFO).ljust(_DRVINFO_LENGTH, b"\0"))
    ifreq = struct.pack("16sP16x", name.encode(errors="surrogateescape")[:15], request.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, _SIOCETHTOOL, ifreq)
        except OSError:
            return ""
    return request.tobytes()[_BUS_INFO].split(b"\0", 1)[0].decode(errors="replace")
