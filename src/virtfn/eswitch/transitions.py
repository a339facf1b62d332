"""What a write changes in a NIC's switch: from NicState to NicState, by the driver's row. Pure.

Where a driver's effect is not known, the filters become Unknown from then on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from virtfn.eswitch.facts import AdminMacEffect, DriverFacts, GuestMac, Topic
from virtfn.eswitch.nic_state import NOT_READ, NicState, VfPort, known_filters
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Known, Unknown, VfLinkState
from virtfn.model.plan import Step, Target, Value, Writing

_NO_MAC = MacAddress(bytes(6))


def after(nic: NicState, steps: Iterable[Step]) -> NicState:
    """The NIC after a plan's steps, in order; steps that do not touch the switch change nothing."""
    for step in (one for one in steps if one.writing is not Writing.IMPLIED):
        nic = after_write(nic, step.target, step.field, step.after)
    return nic


def after_write(nic: NicState, target: Target, field: str, value: Value) -> NicState:
    """The NIC after one write to its PF, to a VF, or to a VF's netdev (found by the netdev's id)."""
    if target.kind == "pf" and target.label == nic.pf.label:
        return after_pf_write(nic, field, value)
    for index, vf in enumerate(nic.vfs):
        if target.kind == "vf" and target.label == vf.label:
            return nic.with_vf(index, after_vf_write(nic.facts, vf, field, value))
        if target.kind == "netdev" and target.id == vf.netdev:
            return nic.with_vf(index, after_guest_write(nic.facts, vf, field, value))
    return nic


def vf_bound(facts: DriverFacts | None, vf: VfPort) -> VfPort:
    """A VF that its driver was just bound to: the driver takes the admin MAC, or one of its own where none is set."""
    if not isinstance(vf.admin_mac, MacAddress) or vf.admin_mac.is_zero:
        return vf
    fresh = replace(vf, guest_mac=vf.admin_mac)
    return _refilled(facts, fresh) if facts else fresh


def takes_guest_mac(facts: DriverFacts | None, vf: VfPort) -> Known[bool]:
    """Whether a MAC that the guest sets gets into the VF's filter; where it does not, the PF refuses it."""
    rule = facts.guest_mac if facts else GuestMac.NOT_KNOWN
    if rule is GuestMac.NOT_KNOWN:
        return Unknown("what a MAC set in the guest changes is not known")
    free = isinstance(vf.admin_mac, MacAddress) and vf.admin_mac.is_zero
    return rule is GuestMac.ANY or free or vf.trust is True


def vf_reset(facts: DriverFacts | None, vf: VfPort) -> VfPort:
    """A VF after its driver was reset: by the guest, by a reboot, or by the PF."""
    if facts is None or facts.admin_mac is AdminMacEffect.NOT_KNOWN:
        return _lost(vf, "what a reset of the VF does to its filters is not known")
    own, admin = vf.guest_mac, vf.admin_mac
    if not isinstance(admin, MacAddress) or admin.is_zero:
        return _refilled(facts, vf)
    if facts.admin_mac is AdminMacEffect.FILTER_AT_ONCE and vf.trust is not False:
        if vf.trust is not True or facts.about(Topic.VF_RESET) is None:
            return _lost(vf, "whether a trusted VF keeps the admin MAC when it is reset is not known")
        admin = own if isinstance(own, MacAddress) and not own.is_zero else admin
    return _refilled(facts, replace(vf, admin_mac=admin, guest_mac=admin))


def after_pf_write(nic: NicState, field: str, value: Value) -> NicState:
    """The NIC after a write to its PF: up, promisc, num_vfs."""
    if field == "num_vfs" and isinstance(value, int) and value != len(nic.vfs):
        return replace(nic, vfs=tuple(_new_vf(nic, index) for index in range(value)))
    if field == "promisc":
        return replace(nic, pf=replace(nic.pf, promiscuous=bool(value)))
    if field != "up" or bool(value) is nic.pf.up:
        return nic
    nic = replace(nic, pf=replace(nic.pf, up=bool(value)))
    cuts = nic.facts.pf_down_cuts_vfs if nic.facts else None
    if cuts is False or not value:
        return nic
    if cuts is None:
        reason = "what taking the PF down and up does to the VFs' filters is not known"
        return replace(nic, vfs=tuple(_lost(vf, reason) for vf in nic.vfs))
    return replace(nic, vfs=tuple(vf if vf.up is False else vf_reset(nic.facts, vf) for vf in nic.vfs))


def after_vf_write(facts: DriverFacts | None, vf: VfPort, field: str, value: Value) -> VfPort:
    """A VF after the PF has set a field of it (``ip link set PF vf N FIELD VALUE``)."""
    if field == "mac":
        return _with_admin_mac(facts, vf, MacAddress.parse(str(value)))
    if field == "trust":
        return _with_trust(facts, vf, trust=bool(value))
    if field == "spoofchk":
        return replace(vf, spoofchk=bool(value))
    if field == "link_state":
        return replace(vf, link_state=VfLinkState(str(value)))
    if field == "vlan" and isinstance(value, Mapping) and isinstance(number := value.get("id"), int):
        return replace(vf, vlan=number)
    return vf


def after_guest_write(facts: DriverFacts | None, vf: VfPort, field: str, value: Value) -> VfPort:
    """A VF after its guest has set a field of its netdev: mac, up, or guest_mac (down, address, up)."""
    if field == "up":
        started = bool(value) and vf.up is not True
        return _started(facts, replace(vf, up=True)) if started else replace(vf, up=bool(value))
    if field not in ("mac", "guest_mac"):
        return vf
    changed = _with_guest_mac(facts, vf, MacAddress.parse(str(value)))
    return _started(facts, changed) if field == "guest_mac" else changed


def _started(facts: DriverFacts | None, vf: VfPort) -> VfPort:
    """A VF whose netdev was set up: some drivers reset the VF then."""
    return vf_reset(facts, vf) if facts and facts.about(Topic.VF_RESET) else vf


def _new_vf(nic: NicState, index: int) -> VfPort:
    first = nic.facts.spoofchk_at_first if nic.facts else None
    vf = VfPort(
        f"{nic.pf.label}/{index}", admin_mac=_NO_MAC, spoofchk=NOT_READ if first is None else first, up=NOT_READ
    )
    return replace(vf, unseen=_unseen(nic.facts, vf))


def _with_admin_mac(facts: DriverFacts | None, vf: VfPort, mac: MacAddress) -> VfPort:
    effect = facts.admin_mac if facts else AdminMacEffect.NOT_KNOWN
    old, vf = vf.admin_mac, replace(vf, admin_mac=mac)
    if effect is AdminMacEffect.FILTER_AT_ONCE:
        added = frozenset() if mac.is_zero else frozenset({mac})
        gone = {old} if isinstance(old, MacAddress) and not old.is_zero else vf.filters
        return replace(vf, filters=(vf.filters - gone) | added)
    if effect is AdminMacEffect.RESETS_VF:
        return vf_reset(facts, vf)
    return vf if effect is AdminMacEffect.ADDRESS_ONLY else _lost(vf, "what an admin MAC changes is not known")


def _with_trust(facts: DriverFacts | None, vf: VfPort, *, trust: bool) -> VfPort:
    if vf.trust is trust:
        return vf
    resets = facts.trust_resets_vf if facts else None
    after_it = replace(vf, trust=trust)
    if resets:
        return vf_reset(facts, after_it)
    if not trust and resets is False:  # filters that the guest has added stay where nothing resets the VF
        return after_it
    return replace(after_it, unseen=_unseen(facts, after_it))


def _with_guest_mac(facts: DriverFacts | None, vf: VfPort, mac: MacAddress) -> VfPort:
    takes = takes_guest_mac(facts, vf)
    if isinstance(takes, Unknown):
        return _lost(replace(vf, guest_mac=mac), takes.reason)
    if not takes:
        keeps = facts is not None and facts.about(Topic.GUEST_MAC) is not None
        return vf if keeps else replace(vf, guest_mac=Unknown("what the netdev shows of a refused MAC is not known"))
    shown = vf.admin_mac if facts and facts.guest_mac is GuestMac.ANY else mac
    return replace(vf, guest_mac=mac, admin_mac=shown, filters=frozenset({mac}))


def _refilled(facts: DriverFacts, vf: VfPort) -> VfPort:
    filters, unseen = known_filters(facts, vf.admin_mac, vf.guest_mac, trust=vf.trust)
    return replace(vf, filters=filters, unseen=unseen)


def _unseen(facts: DriverFacts | None, vf: VfPort) -> Unknown | None:
    return known_filters(facts, vf.admin_mac, vf.guest_mac, trust=vf.trust)[1]


def _lost(vf: VfPort, reason: str) -> VfPort:
    return replace(vf, filters=frozenset(), unseen=Unknown(reason))
