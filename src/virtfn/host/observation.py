"""A host's PFs and VFs read as a whole: sysfs for the devices, one netlink answer per PF, then who has the VFs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from virtfn.errors import VirtfnError
from virtfn.host.devlink import DevlinkSocket
from virtfn.host.holders import VfDevice, find_holders
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.sysfs import PfDevice, Sysfs
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import PciAddress
from virtfn.model.inventory import EswitchMode, Holder, Inventory, Known, PfState, Unknown, VfState

_MOST_VFS = 0xFFFF  # VF numbers have 16 bits in the SR-IOV capability (PCIe 5.0, 9.3.3.7)
_SIMULATED = Unknown("a simulated VF has no PCI device")


@dataclass(frozen=True)
class _PfReading:
    """What was read of one PF before its VFs' holders are known."""

    pf: PfDevice
    name: Known[str | None]
    link: Known[Link]
    eswitch_mode: Known[EswitchMode]
    devices: Mapping[int, VfDevice]
    problems: tuple[str, ...]


def observe(
    sysfs: Sysfs, route: Known[RouteSocket], devlink: Known[DevlinkSocket], *, device: str | None = None
) -> Inventory:
    """All PFs with all VFs, or the one PF whose address is ``device``; sorted, complete, each fact known or Unknown.

    Raises UsageError where there is no such ``device``, and nothing for what cannot be read.
    Equivalent: ``ip -d link show``, ``lspci``, ``devlink dev eswitch show``, ``lsns -t net``, ``fuser /dev/vfio/*``.
    """
    pfs = sysfs.pfs() if device is None else (sysfs.pf(device),)
    readings = [_read_pf(sysfs, pf, route, devlink) for pf in pfs]
    vfs = [vf for reading in readings for vf in reading.devices.values()]
    holders = find_holders(vfs, sysfs, lambda: _links(route))
    return Inventory(pfs=tuple(_pf_state(sysfs, reading, holders) for reading in readings))


def pf_name(sysfs: Sysfs, pf: PfDevice) -> tuple[Known[str | None], int]:
    """The PF's netdev and its ifindex (0 for none). None: it has none; Unknown: it should have one, but not here."""
    netdevs = sysfs.netdevs(pf)
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


def _read_pf(sysfs: Sysfs, pf: PfDevice, route: Known[RouteSocket], devlink: Known[DevlinkSocket]) -> _PfReading:
    name, ifindex = pf_name(sysfs, pf)
    link = _read_link(name, ifindex, route)
    devices = {index: VfDevice(pci, sysfs.driver(sysfs.pci_folder(pci))) for index, pci in sysfs.virtfns(pf).items()}
    netdevs = [netdev for netdev, _ in sysfs.netdevs(pf)]
    problems = link.problems if isinstance(link, Link) else ()
    if len(netdevs) > 1:
        problems += (f"it has {len(netdevs)} netdevs ({', '.join(netdevs)}); what is shown is {netdevs[0]}'s",)
    return _PfReading(pf, name, link, _read_eswitch(sysfs, pf, devlink), devices, problems)


def _read_link(name: Known[str | None], ifindex: int, route: Known[RouteSocket]) -> Known[Link]:
    if isinstance(name, Unknown):
        return name
    if name is None:
        return Unknown("it has no netdev")
    if isinstance(route, Unknown):
        return route
    try:
        return route.get_link(ifindex, name=name)
    except VirtfnError as error:
        return Unknown(str(error))


def _read_eswitch(sysfs: Sysfs, pf: PfDevice, devlink: Known[DevlinkSocket]) -> Known[EswitchMode]:
    if not sysfs.is_nic(pf):
        return Unknown("not a NIC: it has no switch")
    return devlink if isinstance(devlink, Unknown) else devlink.eswitch_mode(pf.bus, pf.address)


def _pf_state(sysfs: Sysfs, reading: _PfReading, holders: Mapping[PciAddress, Known[Holder]]) -> PfState:
    pf, link = reading.pf, reading.link
    num_vfs = sysfs.num_vfs(pf)
    vfs, problems = _vf_states(reading, num_vfs, holders)
    facts = PfState(
        device=pf.address,
        name=reading.name,
        driver=sysfs.pf_driver(pf),
        vendor_device=sysfs.vendor_device(pf),
        num_vfs=num_vfs,
        total_vfs=sysfs.total_vfs(pf),
        numa_node=sysfs.numa_node(pf),
        eswitch_mode=reading.eswitch_mode,
        autoprobe=sysfs.autoprobe(pf),
        vfs=vfs,
        problems=(*reading.problems, *problems),
    )
    if isinstance(link, Unknown):
        return replace(facts, ifindex=link, mac=link, up=link, carrier=link, promiscuous=link, mtu=link)
    return replace(
        facts,
        name=link.name,
        ifindex=link.ifindex,
        mac=link.mac,
        up=link.up,
        carrier=link.carrier,
        promiscuous=link.promiscuous,
        mtu=link.mtu,
    )


def _vf_states(
    reading: _PfReading, num_vfs: Known[int], holders: Mapping[PciAddress, Known[Holder]]
) -> tuple[tuple[VfState, ...], tuple[str, ...]]:
    """Every VF that sysfs or netlink knows, and where the two do not agree."""
    link = reading.link
    told = {vf.index: vf for vf in link.vfs} if isinstance(link, Link) else {}
    untold = _untold(link)
    expected = range(min(num_vfs, _MOST_VFS)) if isinstance(num_vfs, int) else range(0)
    problems = []
    if isinstance(link, Link) and isinstance(num_vfs, int) and link.num_vfs not in (None, num_vfs):
        problems.append(f"sriov_numvfs says {num_vfs} VFs, the kernel's link message {link.num_vfs}: it just changed")
    states = []
    for index in sorted({*expected, *told, *reading.devices}):
        vf = told.get(index) or _without_link_facts(index, untold)
        device = reading.devices.get(index)
        if device is None:
            absent = _SIMULATED if reading.pf.bus != "pci" else Unknown(f"there is no virtfn{index} link")
            states.append(_with_device(vf, absent, absent, absent))
            continue
        holder = holders.get(device.pci, Unknown("its holder was not looked for"))
        states.append(_with_device(vf, device.pci, device.driver, holder))
    return tuple(states), tuple(problems)


def _with_device(vf: VfState, pci: Known[PciAddress], driver: Known[str | None], holder: Known[Holder]) -> VfState:
    """What ``replace`` gives, at a third of its cost: this is done for every VF at every look."""
    return VfState(**{**vars(vf), "pci": pci, "driver": driver, "holder": holder})


def _untold(link: Known[Link]) -> Unknown:
    if isinstance(link, Unknown):
        return link
    return Unknown(link.problems[0] if link.problems else "the driver does not report this VF")


def _without_link_facts(index: int, why: Unknown) -> VfState:
    return VfState(
        index,
        mac=why,
        broadcast=why,
        vlans=why,
        spoofchk=why,
        trust=why,
        link_state=why,
        min_tx_rate_mbps=why,
        max_tx_rate_mbps=why,
        rss_query=why,
        node_guid=why,
        port_guid=why,
    )
