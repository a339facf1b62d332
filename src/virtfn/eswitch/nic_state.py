"""What a NIC's embedded switch decides by: the PF, its VFs with their filters, and flow rules. Values only.

``nic_state`` reads it off an observed PF. What the PF does not show stays Unknown: the filters that a trusted guest has
added, the VLANs of the PF's own netdevs, flow rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import AdminMacEffect, DriverFacts, GuestMac
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import EswitchMode, Holder, HolderKind, Known, PfState, Unknown, VfLinkState, VfState

WIRE = "wire"
"""The port beyond the NIC. The PF's port is its label; a VF's is ``LABEL/INDEX``."""

NOT_READ = Unknown("not read from here")
_TRUSTED = Unknown("a trusted guest may have added filters, and the PF does not show them")
_NO_ADMIN_MAC = Unknown("without an admin MAC the guest chooses its filters, and the PF does not show them")
_GUEST_LIST = Unknown("the filters are the guest's own list, and the PF does not show it")
_NO_FACTS = Unknown("how this driver fills a VF's filters is not known")


class Family(StrEnum):
    """Which forwarding function answers for a NIC."""

    IGB_82576 = "igb 82576"
    IGB_I350 = "igb I350"
    IXGBE = "ixgbe"
    I40E = "i40e"
    ICE = "ice"
    MLX5_LEGACY = "mlx5 legacy"
    SWITCHDEV = "switchdev"
    NETDEVSIM = "netdevsim"
    UNKNOWN = "unknown"


_LEGACY: Mapping[str, Family] = {
    "igb (82576)": Family.IGB_82576,
    "igb (I350)": Family.IGB_I350,
    "ixgbe": Family.IXGBE,
    "i40e": Family.I40E,
    "ice": Family.ICE,
    "mlx5_core": Family.MLX5_LEGACY,
}


@dataclass(frozen=True)
class VfPort:
    """A VF at the switch.

    ``filters``: the unicast MACs known to be in its filter; ``unseen``: why there may be more, None if there are none.
    ``vlan`` is the port VLAN's id (0: none). ``up``: whether the VF's netdev is up, False where no driver has the VF.
    ``netdev``: the id of its netdev, "" where none is in reach.
    """

    label: str
    netdev: str = ""
    admin_mac: Known[MacAddress] = NOT_READ
    guest_mac: Known[MacAddress] = NOT_READ
    filters: frozenset[MacAddress] = frozenset()
    unseen: Unknown | None = None
    vlan: Known[int] = 0
    trust: Known[bool] = False
    spoofchk: Known[bool] = False
    promiscuous: Known[bool] = False
    link_state: Known[VfLinkState] = VfLinkState.AUTO
    up: Known[bool] = True


@dataclass(frozen=True)
class PfPort:
    """The PF at the switch. ``vlans``: the ids of VLANs that its own netdevs are in."""

    label: str
    mac: Known[MacAddress] = NOT_READ
    up: Known[bool] = True
    promiscuous: Known[bool] = False
    vlans: Known[frozenset[int]] = frozenset()


@dataclass(frozen=True)
class FlowRule:
    """A rule in switchdev mode: frames from ``source`` to ``destination`` (None: any) go to ``outputs``."""

    source: str
    outputs: tuple[str, ...]
    destination: MacAddress | None = None


@dataclass(frozen=True)
class NicState:
    """One NIC's switch. ``facts`` is the driver's row, None where nothing is known of the driver.

    ``emulated``: whether it is QEMU's NIC, which lacks some checks of the chip. ``rules``: in switchdev mode only, the
    first that matches decides.
    """

    family: Family
    facts: DriverFacts | None
    pf: PfPort
    vfs: tuple[VfPort, ...]
    emulated: Known[bool] = NOT_READ
    rules: Known[tuple[FlowRule, ...]] = NOT_READ

    def vf(self, label: str) -> VfPort | None:
        """The VF with this label, or None."""
        return next((vf for vf in self.vfs if vf.label == label), None)

    def with_vf(self, index: int, vf: VfPort) -> "NicState":
        """The same NIC with VF ``index`` (its place in ``vfs``) replaced."""
        return replace(self, vfs=(*self.vfs[:index], vf, *self.vfs[index + 1 :]))


def nic_state(pf: PfState) -> NicState:
    """The switch of an observed PF."""
    facts = row_of(pf)
    return NicState(
        family=family_of(pf.driver, facts, pf.eswitch_mode),
        facts=facts,
        pf=PfPort(pf.label, pf.mac, pf.up, pf.promiscuous, NOT_READ),
        vfs=tuple(_vf_port(pf, vf, facts) for vf in pf.vfs),
    )


def row_of(pf: PfState) -> DriverFacts | None:
    """The driver table's row of a PF, by its driver and its chip; None where there is none."""
    if not isinstance(pf.driver, str):
        return None
    return facts_of(pf.driver, pf.vendor_device if isinstance(pf.vendor_device, str) else None)


def family_of(driver: Known[str | None], facts: DriverFacts | None, mode: Known[EswitchMode]) -> Family:
    """The family of a NIC. A mode that cannot be read is legacy where the driver has no other."""
    if driver == "netdevsim":
        return Family.NETDEVSIM
    if mode in (EswitchMode.SWITCHDEV, EswitchMode.SWITCHDEV_INACTIVE):
        return Family.SWITCHDEV
    return _LEGACY.get(facts.label, Family.UNKNOWN) if facts else Family.UNKNOWN


def known_filters(
    facts: DriverFacts | None, admin: Known[MacAddress], guest: Known[MacAddress], *, trust: Known[bool]
) -> tuple[frozenset[MacAddress], Unknown | None]:
    """The MACs in a VF's filter as far as the PF and the VF's netdev show them, and why there may be more."""
    set_by_admin = isinstance(admin, MacAddress) and not admin.is_zero
    if facts is None or facts.admin_mac is AdminMacEffect.NOT_KNOWN:
        return frozenset(), _NO_FACTS
    if facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        unseen = None if set_by_admin and trust is False and facts.guest_mac is GuestMac.TRUSTED else _GUEST_LIST
        return _as_set(guest), unseen
    if set_by_admin:
        return _as_set(admin), None if trust is False else _TRUSTED
    return _as_set(guest), _NO_ADMIN_MAC


def _as_set(mac: Known[MacAddress]) -> frozenset[MacAddress]:
    return frozenset({mac}) if isinstance(mac, MacAddress) and not mac.is_zero else frozenset()


def _vf_port(pf: PfState, vf: VfState, facts: DriverFacts | None) -> VfPort:
    guest = vf.netdev.mac if vf.netdev else NOT_READ
    filters, unseen = known_filters(facts, vf.mac, guest, trust=vf.trust)
    idle = isinstance(vf.holder, Holder) and vf.holder.kind is HolderKind.NOBODY
    return VfPort(
        label=f"{pf.label}/{vf.index}",
        netdev=str(vf.netdev or ""),
        admin_mac=vf.mac,
        guest_mac=guest,
        filters=filters,
        unseen=None if idle else unseen,
        vlan=vf.vlan if isinstance(vf.vlan, Unknown) else vf.vlan.id,
        trust=vf.trust,
        spoofchk=vf.spoofchk,
        promiscuous=False if idle or vf.trust is False else NOT_READ,
        link_state=vf.link_state,
        up=vf.netdev.up if vf.netdev else False if idle else NOT_READ,
    )
