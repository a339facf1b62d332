"""A host's PFs and VFs read as a whole: sysfs for the devices, one netlink answer per PF, then who has the VFs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from virtfn.errors import VirtfnError
from virtfn.host.devlink import DevlinkSocket
from virtfn.host.holders import VfDevice, find_holders
from virtfn.host.netdev_fields import LINK_CODECS
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.sysfs import PfDevice, Sysfs
from virtfn.host.vf_fields import not_reported
from virtfn.host.vfinfo import Link, VfLocation
from virtfn.model.addresses import PciAddress
from virtfn.model.fields import PF_FIELDS
from virtfn.model.inventory import EswitchMode, Holder, Inventory, Known, PfState, Unknown, VfState

_MOST_VFS = 0xFFFF  # VF numbers have 16 bits in the SR-IOV capability (PCIe 5.0, 9.3.3.7)
_SIMULATED = Unknown("a simulated VF has no PCI device")
_LINK_FACTS = ("ifindex", "mac", "permanent_mac", "carrier", "promiscuous")
_LINK_FIELDS = tuple(name for name in PF_FIELDS if name in LINK_CODECS)
_SIMULATED_LOCATION = VfLocation(_SIMULATED, _SIMULATED, _SIMULATED)


def observe(
    sysfs: Sysfs, route: Known[RouteSocket], devlink: Known[DevlinkSocket], *, device: str | None = None
) -> Inventory:
    """All PFs with all VFs, or the one PF whose address is ``device``; sorted, complete, each fact known or Unknown.

    Raises UsageError where there is no such ``device``, and nothing for what cannot be read.
    Equivalent: ``ip -d link show``, ``lspci``, ``devlink dev eswitch show``, ``lsns -t net``, ``fuser /dev/vfio/*``.
    """
    pfs = sysfs.pfs() if device is None else (sysfs.pf(device),)
    devices = {pf.address: _vf_devices(sysfs, pf) for pf in pfs}
    vfs = [vf for found in devices.values() for vf in found.values()]
    holders = find_holders(vfs, sysfs, lambda: _links(route))
    return Inventory(
        pfs=tuple(_pf_state(sysfs, pf, route, devlink, _locations(pf, devices[pf.address], holders)) for pf in pfs)
    )


def pf_name(sysfs: Sysfs, pf: PfDevice) -> tuple[Known[str | None], int]:
    """The PF's netdev and its ifindex (0 for none). None: it has none; Unknown: it should have one, but not here."""
    return _named(sysfs, pf, sysfs.netdevs(pf))


def _named(sysfs: Sysfs, pf: PfDevice, netdevs: tuple[tuple[str, int], ...]) -> tuple[Known[str | None], int]:
    if netdevs:
        return netdevs[0]
    driver = sysfs.pf_driver(pf)
    if not sysfs.is_nic(pf) or driver is None or (isinstance(driver, str) and "vfio" in driver):
        return None, 0
    return Unknown("its netdev is not in this network namespace"), 0


def _links(route: Known[RouteSocket]) -> tuple[Link, ...]:
    if isinstance(route, Unknown):
        raise VirtfnError(route.reason)
    return route.links()


def _vf_devices(sysfs: Sysfs, pf: PfDevice) -> Mapping[int, VfDevice]:
    return {index: VfDevice(pci, sysfs.driver(sysfs.pci_folder(pci))) for index, pci in sysfs.virtfns(pf).items()}


@dataclass(frozen=True)
class _Locations:
    """Where the VFs of one PF are as devices, and which of them sysfs has; ``of`` answers for any other, too."""

    known: Mapping[int, VfLocation]
    simulated: bool

    def of(self, index: int) -> VfLocation:
        """The location of one VF."""
        if index in self.known:
            return self.known[index]
        if self.simulated:
            return _SIMULATED_LOCATION
        absent = Unknown(f"there is no virtfn{index} link")
        return VfLocation(absent, absent, absent)


def _locations(
    pf: PfDevice, devices: Mapping[int, VfDevice], holders: Mapping[PciAddress, Known[Holder]]
) -> _Locations:
    not_looked_for = Unknown("its holder was not looked for")
    known = {index: VfLocation(vf.pci, vf.driver, holders.get(vf.pci, not_looked_for)) for index, vf in devices.items()}
    return _Locations(known, simulated=pf.bus != "pci")


def _read_link(name: Known[str | None], ifindex: int, route: Known[RouteSocket], locations: _Locations) -> Known[Link]:
    if isinstance(name, Unknown):
        return name
    if name is None:
        return Unknown("it has no netdev")
    if isinstance(route, Unknown):
        return route
    try:
        return route.get_link(ifindex, name=name, location_of=locations.of)
    except VirtfnError as error:
        return Unknown(str(error))


def _read_eswitch(sysfs: Sysfs, pf: PfDevice, devlink: Known[DevlinkSocket]) -> Known[EswitchMode]:
    if not sysfs.is_nic(pf):
        return Unknown("not a NIC: it has no switch")
    return devlink if isinstance(devlink, Unknown) else devlink.eswitch_mode(pf.bus, pf.address)


def _pf_state(
    sysfs: Sysfs, pf: PfDevice, route: Known[RouteSocket], devlink: Known[DevlinkSocket], locations: _Locations
) -> PfState:
    netdevs = sysfs.netdevs(pf)
    name, ifindex = _named(sysfs, pf, netdevs)
    link = _read_link(name, ifindex, route, locations)
    num_vfs = sysfs.num_vfs(pf)
    vfs, problems = _vf_states(link, num_vfs, locations)
    facts = PfState(
        device=pf.address,
        name=name,
        driver=sysfs.pf_driver(pf),
        vendor_device=sysfs.vendor_device(pf),
        num_vfs=num_vfs,
        total_vfs=sysfs.total_vfs(pf),
        numa_node=sysfs.numa_node(pf),
        eswitch_mode=_read_eswitch(sysfs, pf, devlink),
        autoprobe=sysfs.autoprobe(pf),
        vfs=vfs,
        problems=(*_link_problems(link, [netdev for netdev, _ in netdevs]), *problems),
    )
    return replace(facts, name=name if isinstance(link, Unknown) else link.name, **_link_facts(link))


def _link_facts(link: Known[Link]) -> dict[str, Any]:
    """The facts of a PF in the link message, by the attributes of ``PfState``."""
    if isinstance(link, Unknown):
        return dict.fromkeys((*_LINK_FACTS, *_LINK_FIELDS), link)
    facts = {fact: getattr(link, fact) for fact in _LINK_FACTS}
    return facts | {field: LINK_CODECS[field].read(link) for field in _LINK_FIELDS}


def _link_problems(link: Known[Link], netdevs: list[str]) -> Iterator[str]:
    if isinstance(link, Link):
        yield from link.problems
    if len(netdevs) > 1:
        yield f"it has {len(netdevs)} netdevs ({', '.join(netdevs)}); what is shown is {netdevs[0]}'s"


def _vf_states(
    link: Known[Link], num_vfs: Known[int], locations: _Locations
) -> tuple[tuple[VfState, ...], tuple[str, ...]]:
    """Every VF that sysfs or netlink knows, and where the two do not agree."""
    told = {vf.index: vf for vf in link.vfs} if isinstance(link, Link) else {}
    untold = _untold(link)
    expected = range(min(num_vfs, _MOST_VFS)) if isinstance(num_vfs, int) else range(0)
    problems = []
    if isinstance(link, Link) and isinstance(num_vfs, int) and link.num_vfs not in (None, num_vfs):
        problems.append(f"sriov_numvfs says {num_vfs} VFs, the kernel's link message {link.num_vfs}: it just changed")
    states = [
        told.get(index) or _without_link_facts(index, untold, locations.of(index))
        for index in sorted({*expected, *told, *locations.known})
    ]
    return tuple(states), tuple(problems)


def _untold(link: Known[Link]) -> Unknown:
    if isinstance(link, Unknown):
        return link
    return Unknown(link.problems[0] if link.problems else "the driver does not report this VF")


def _without_link_facts(index: int, why: Unknown, location: VfLocation) -> VfState:
    return VfState(index, pci=location.pci, driver=location.driver, holder=location.holder, **not_reported(why))
