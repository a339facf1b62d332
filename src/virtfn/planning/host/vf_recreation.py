"""VFs that are destroyed and made anew: what is lost, what is put into the new ones, what the way back restores. Pure.

Sources: drivers/pci/iov.c sriov_numvfs_store (N to M goes through 0, and that removes every VF). What a driver keeps
of a VF goes with it; a fresh one has no MAC, no VLAN, no rates, no trust. Only the spoof check's default differs.
"""

from collections.abc import Iterator, Mapping

from virtfn.eswitch.limits import limits_on
from virtfn.model.inventory import HolderKind, Unknown, VfState
from virtfn.model.plan import Step, Value, Writing
from virtfn.planning.host.diff import NO_RATE, VF_FIELDS, plain_vf, vf_target
from virtfn.planning.host.explained import explained_step
from virtfn.planning.host.pf_changes import PfChanges
from virtfn.planning.host.vf_drivers import default_driver, is_native

_FRESH: Mapping[str, Value] = {
    "mac": "00:00:00:00:00:00",
    "vlan": {"id": 0, "qos": 0, "protocol": "802.1Q"},
    "trust": False,
    "rate": NO_RATE,
    "link_state": "auto",
    "rss_query": False,
}
"""What every driver gives a VF that was just made; the spoof check's default is in the driver table."""

_LOST_IN_ORDER = ("driver", "rss_query", "link_state", "rate", "spoofchk", "vlan", "mac", "trust")
"""The way back restores the last step first: trust, then the MAC, the driver at the end."""


def losses(work: PfChanges) -> Iterator[Step]:
    """What goes with the VFs, as IMPLIED steps before the one that destroys them: the way back puts it back."""
    for vf in work.pf.vfs:
        known = _worth_keeping(work, vf)
        for field in _LOST_IN_ORDER:
            if field in known:
                yield explained_step(
                    vf_target(work.pf, vf.index),
                    field,
                    known[field],
                    None,
                    "goes with its VF; the way back restores it",
                    writing=Writing.IMPLIED,
                )


def fresh_values(work: PfChanges, index: int) -> Mapping[str, Value]:
    """What is written into VF ``index`` once it is made: what the spec names, and else what it had before.

    A value that a fresh VF has anyway is left out where the driver has no way to set the field.
    """
    vf = work.pf.vf(index)
    wanted = {field: one.after for field, one in work.vfs.get(index, {}).items()}
    kept = _worth_keeping(work, vf) if vf else {}
    values = {field: value for field, value in {**kept, **wanted}.items() if not _needless(work, field, value)}
    now = vf.driver if vf and not isinstance(vf.driver, Unknown) else None
    driver = wanted.get("driver", now)
    if _probed_too_early(work, values) and is_native(driver):
        values["driver"] = driver
    return {field: values[field] for field in VF_FIELDS if field in values}


def bound_before_its_mac(work: PfChanges, values: Mapping[str, Value]) -> bool:
    """Whether the kernel binds the VF as it is made, so that its driver misses the MAC unless it is bound again."""
    return _probed_too_early(work, values) and is_native(values.get("driver"))


def may_miss_its_mac(work: PfChanges, values: Mapping[str, Value]) -> bool:
    """Whether the kernel may bind the VF as it is made, and nothing in the plan binds it again."""
    return _probed_too_early(work, values) and "driver" not in values


def not_restored(work: PfChanges) -> Iterator[str]:
    """What no way back can restore, in sentences."""
    for vf in work.pf.vfs:
        label = f"{work.pf.label}/{vf.index}"
        unknown = [field for field, value in plain_vf(vf).items() if isinstance(value, Unknown) and field in _TOLD]
        if unknown:
            yield f"What {label} has as {', '.join(unknown)} could not be read, so it is lost with the VF."
        if vf.netdev and vf.holder and not isinstance(vf.holder, Unknown) and vf.holder.kind is HolderKind.NETNS:
            yield f"{vf.netdev} of {label} goes; the new netdev appears in the host's own namespace."


_TOLD = ("mac", "vlan", "spoofchk", "trust")


def _worth_keeping(work: PfChanges, vf: VfState) -> dict[str, Value]:
    """The known values of a VF that one just made would not have."""
    kept: dict[str, Value] = {}
    for field, value in plain_vf(vf).items():
        if not isinstance(value, Unknown) and value != _at_first(work, field):
            kept[field] = value
    return kept


def _at_first(work: PfChanges, field: str) -> Value | Unknown:
    """What a VF has that was just made; Unknown where that cannot be said."""
    if field == "driver":
        return default_driver(work.pf, work.final_autoprobe)
    known = work.facts.spoofchk_at_first if work.facts and field == "spoofchk" else None
    if known is not None:
        return known
    return _FRESH.get(field, Unknown(f"what {field} a new VF has here is not known"))


def _needless(work: PfChanges, field: str, value: Value) -> bool:
    """Whether a fresh VF has this value, and the driver could not set it: nothing is to be written."""
    if value != _at_first(work, field):
        return False
    driver = work.pf.driver if isinstance(work.pf.driver, str) else None
    return bool(limits_on(driver, field, value, mode=work.final_mode))


def _probed_too_early(work: PfChanges, values: Mapping[str, Value]) -> bool:
    slow = bool(work.facts and work.facts.mac_needs_reload)
    return slow and "mac" in values and values["mac"] != _FRESH["mac"] and work.final_autoprobe is True
