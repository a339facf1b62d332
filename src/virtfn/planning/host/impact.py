"""What setting one field means, in words: why it is set, and who notices what. Pure."""

from collections.abc import Mapping

from virtfn.eswitch.drivers import AdminMacEffect
from virtfn.model.inventory import Holder, HolderKind, Unknown, VfState
from virtfn.model.plan import Impact, Value
from virtfn.planning.host.pf_changes import PfChanges
from virtfn.planning.host.vf_drivers import is_held_natively

_REASONS: Mapping[str, str] = {
    "autoprobe": "whether the kernel binds a driver to VFs that are made",
    "eswitch_mode": "how the NIC's switch forwards",
    "mtu": "the largest frame of the PF; a VF's can be no larger",
    "up": "the PF has to be up for its VFs to get frames",
    "mac": "the NIC hands the VF the frames for this MAC",
    "vlan": "the NIC tags and untags the VF's frames; the guest sees none of it",
    "spoofchk": "whether the NIC drops frames that the VF sends with another MAC than its own",
    "trust": "whether the VF's guest may change its own filters",
    "rate": "how fast the VF may send",
    "link_state": "what link the VF's guest sees",
    "rss_query": "whether the VF's guest may read how its traffic is spread",
    "driver": "who has the VF: the host's network, or a guest through vfio",
}
MISSED_MAC = (
    "a driver that the kernel binds as the VF is made takes a MAC of its own until it is reset; "
    "with `driver: native` in the spec it is bound again after this"
)
_DISTURBING = ("mac", "vlan", "driver", "link_state")


def reason(field: str, after: Value) -> str:
    """Why a field is set."""
    if field == "up" and after is False:
        return "the PF is wanted down"
    return _REASONS[field]


def counted(number: int) -> str:
    """``1 VF``, ``4 VFs``."""
    return "1 VF" if number == 1 else f"{number} VFs"


def vf_impact(work: PfChanges, index: int, field: str) -> tuple[Impact, str]:
    """Who notices that this field of an existing VF is set: its user, where it has one."""
    vf = work.pf.vf(index)
    user = user_of(vf) if vf else ""
    reset = _reset_note(work, field)
    if not user:
        return Impact.NOBODY, reset
    note = _NOTES.get(field, "")
    if field not in _DISTURBING and not reset:
        return Impact.NOBODY, ""
    return Impact.PARTY, "; ".join(part for part in (f"{user} {note}" if note else user, reset) if part)


_NOTES: Mapping[str, str] = {
    "mac": "no longer gets frames for the old MAC",
    "vlan": "moves to another VLAN at once",
    "driver": "loses the VF",
    "link_state": "may see its link change",
    "trust": "notices",
}


def _reset_note(work: PfChanges, field: str) -> str:
    facts = work.facts
    if facts is None:
        return ""
    if field == "mac" and facts.admin_mac is AdminMacEffect.RESETS_VF:
        return f"{facts.driver} resets the VF"
    if field == "trust" and facts.trust_resets_vf:
        return f"{facts.driver} resets the VF (a DPDK guest loses its connection)"
    return ""


def mac_note(work: PfChanges, index: int, mac: Value) -> str:
    """What remains to be done until a VF that is bound now uses its new MAC; "" where nothing does."""
    vf = work.pf.vf(index)
    facts = work.facts
    if vf is None or facts is None or not facts.mac_needs_reload or not is_held_natively(vf):
        return ""
    netdev = vf.netdev
    who = f"{netdev} keeps {netdev.mac}" if netdev else "its netdev keeps its address"
    return f"{who} until the VF's driver is reset or bound again: {facts.driver} does not tell it of {mac}"


def user_of(vf: VfState) -> str:
    """Who uses a VF now, in words; "" where nobody is known to.

    A netdev that is up, one that was moved to a namespace, and a process that has the VF open through vfio (or may
    have: that could not be seen).
    """
    holder = vf.holder
    if isinstance(holder, Unknown):
        return ""
    if holder.kind is HolderKind.VFIO and holder.opened is not False:
        return holder.detail or "a process"
    if holder.kind is HolderKind.NETNS:
        return str(holder.netdev) if holder.netdev else holder.detail or "another network namespace"
    return _host_user(holder)


def _host_user(holder: Holder) -> str:
    if holder.kind is HolderKind.HOST and holder.netdev and holder.netdev.up:
        return str(holder.netdev)
    return ""
