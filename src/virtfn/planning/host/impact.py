"""The impact of setting one field, in words: the reason, who notices, what drivers do. Pure."""

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import AdminMacEffect
from virtfn.model.fields import VF_FIELDS, is_native
from virtfn.model.inventory import Holder, HolderKind, Unknown, VfState
from virtfn.model.plan import Impact, Value
from virtfn.planning.host.pf_changes import PfChanges


def counted(number: int) -> str:
    """``1 VF``, ``4 VFs``."""
    return "1 VF" if number == 1 else f"{number} VFs"


def vf_impact(changes: PfChanges, user: str, field: str) -> tuple[Impact, str]:
    """Who notices that this field of an existing VF is set: its ``user_of``, where it has one."""
    disturbs, reset = VF_FIELDS[field].disturbs, _reset_note(changes, field)
    if not user:
        return Impact.NOBODY, reset
    if not disturbs and not reset:
        return Impact.NOBODY, ""
    return Impact.PARTY, "; ".join(filter(None, (f"{user} {disturbs or 'notices'}", reset)))


def _reset_note(changes: PfChanges, field: str) -> str:
    facts = changes.facts
    if facts is None:
        return ""
    if field == "mac" and facts.admin_mac is AdminMacEffect.RESETS_VF:
        return f"{facts.driver} resets the VF"
    if field == "trust" and facts.trust_resets_vf:
        return f"{facts.driver} resets the VF (a DPDK guest loses its connection)"
    return ""


def mac_note(changes: PfChanges, vf: VfState, mac: Value) -> str:
    """What a bound VF still needs to use its new MAC; "" where it needs nothing."""
    facts = changes.facts
    if facts is None or not facts.mac_needs_reload or not is_native(vf.driver):
        return ""
    netdev = vf.netdev
    who = f"{netdev} keeps {netdev.mac}" if netdev else "its netdev keeps its address"
    return f"{who} until the VF's driver is reset or bound again: {facts.driver} does not tell it of {mac}"


def user_of(vf: VfState) -> str:
    """The user of a VF, in words; "" where none is known.

    A netdev that is up, one in a namespace, or a process that has (or may have) the VF open through
    vfio.
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


def remark(driver: str, field: str) -> str:
    """A sentence about a field that did not read back as written: the known behaviour of the driver."""
    facts = facts_of(driver)
    if facts is None:
        return f"nothing is known about the driver {driver}"
    if field == "mac" and facts.admin_mac is AdminMacEffect.RESETS_VF:
        return f"{driver} resets the VF when its MAC is set, which takes a moment"
    if field == "mac" and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        return f"{driver} keeps the VF's filters; its driver takes the address when it is loaded"
    if field == "mac" and facts.mac_needs_reload:
        return f"with {driver} the VF's driver must be reloaded to take a new MAC"
    if field == "trust" and facts.trust_resets_vf:
        return f"{driver} resets the VF when trust changes, which takes a moment"
    return f"no such behaviour of {driver} is known; a guest's driver or another program may have set it"
