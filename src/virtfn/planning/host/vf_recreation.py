"""VFs that are recreated: what is lost, what is set on the new ones, what rollback restores. Pure.

Sources: drivers/pci/iov.c sriov_numvfs_store (N to M goes through 0, and that removes every VF). A driver's settings
of a VF are lost with it; a fresh one has no MAC, no VLAN, no rates, no trust. Only the spoof check's default differs.
"""

from collections.abc import Iterator, Mapping

from virtfn.eswitch.limits import limits_on
from virtfn.model.field_row import in_order
from virtfn.model.fields import NATIVE, NO_MAC, VF_FIELDS, is_native, vf_write_order
from virtfn.model.inventory import HolderKind, Unknown, VfState
from virtfn.model.plan import Step, Undoing, Value, Writing
from virtfn.planning.host.diff import native_driver
from virtfn.planning.host.pf_changes import PfChanges

_MISSED_MAC = (
    "a driver that the kernel binds as the VF is created takes a MAC of its own until it is reset; "
    "with `driver: native` in the spec it is bound again after this"
)
_ROWS = in_order(VF_FIELDS.values())
_LOST_IN_ORDER = sorted(_ROWS, key=lambda row: (row.name != "driver", row.name == "trust", -row.turn))
"""A rollback restores the last step first: trust, then the others in the order of writes, the driver last."""


def losses(changes: PfChanges) -> Iterator[Step]:
    """What is lost with the VFs, as IMPLIED steps before the one that destroys them: a rollback restores it."""
    for vf in changes.pf.vfs:
        known = _worth_keeping(changes, vf)
        for row in _LOST_IN_ORDER:
            if row.name in known:
                yield Step(
                    changes.pf.vf_target(vf.index),
                    row.name,
                    known[row.name],
                    None,
                    "lost with the VF; rollback restores it",
                    writing=Writing.IMPLIED,
                )


def fresh_values(changes: PfChanges, index: int) -> Mapping[str, Value]:
    """What is written to VF ``index`` after its creation: the spec's values, else its previous values.

    A fresh VF's default is left out where the driver cannot set the field.
    """
    vf = changes.pf.vf(index)
    wanted = {field: one.after for field, one in changes.vfs.get(index, {}).items()}
    kept = _worth_keeping(changes, vf) if vf else {}
    values = {field: value for field, value in {**kept, **wanted}.items() if not _needless(changes, field, value)}
    now = vf.driver if vf and not isinstance(vf.driver, Unknown) else None
    driver = wanted.get("driver", now)
    if _probed_too_early(changes, values) and is_native(driver):
        values["driver"] = driver
    return values


def fresh_steps(changes: PfChanges, index: int, values: Mapping[str, Value]) -> Iterator[Step]:
    """The steps that write these values into VF ``index`` once it is created."""
    target, named = changes.pf.vf_target(index), changes.vfs.get(index, {})
    early = _probed_too_early(changes, values)
    if early and is_native(values.get("driver")):
        why = "the kernel bound it as it was created, before its MAC was set; it is bound again below"
        yield Step(target, "driver", None, None, why, writing=Writing.FRESH)
    for field in vf_write_order(values):
        after = values[field]
        yield Step(
            target,
            field,
            None,
            after,
            VF_FIELDS[field].why(after) if field in named else "restored after the VFs are recreated",
            impact_note=_MISSED_MAC if field == "mac" and early and "driver" not in values else "",
            writing=Writing.FRESH,
            undoing=Undoing.OVERWRITE if after == NATIVE else Undoing.DIRECT,
        )


def not_restored(changes: PfChanges) -> Iterator[str]:
    """What no rollback can restore, in sentences."""
    for vf in changes.pf.vfs:
        label = f"{changes.pf.label}/{vf.index}"
        unknown = [field for field in _TOLD if isinstance(VF_FIELDS[field].read(vf), Unknown)]
        if unknown:
            yield f"What {label} has as {', '.join(unknown)} could not be read, so it is lost with the VF."
        if vf.netdev and vf.holder and not isinstance(vf.holder, Unknown) and vf.holder.kind is HolderKind.NETNS:
            yield f"{vf.netdev} of {label} is lost; the new netdev appears in the host's own namespace."


_TOLD = ("mac", "vlan", "spoofchk", "trust")


def _worth_keeping(changes: PfChanges, vf: VfState) -> dict[str, Value]:
    """The known values of a VF that a new one would not have."""
    kept: dict[str, Value] = {}
    for row in _ROWS:
        value = row.read(vf)
        if not isinstance(value, Unknown) and value != _at_first(changes, row.name):
            kept[row.name] = value
    return kept


def _at_first(changes: PfChanges, field: str) -> Value | Unknown:
    """What a new VF has; Unknown where that is not known."""
    if field == "driver":
        return _driver_at_first(changes)
    known = changes.facts.spoofchk_at_first if changes.facts and field == "spoofchk" else None
    if known is not None:
        return known
    return VF_FIELDS[field].fresh


def _driver_at_first(changes: PfChanges) -> Value | Unknown:
    """What the kernel binds to a new VF, by autoprobe on or off."""
    if changes.final_autoprobe is False:
        return None
    native = native_driver(changes.pf)
    if changes.final_autoprobe is not True or native is None:
        return Unknown("what the kernel binds to a new VF here is not known")
    return native


def _needless(changes: PfChanges, field: str, value: Value) -> bool:
    """Whether a fresh VF has this value and the driver cannot set it: nothing is written."""
    if value != _at_first(changes, field):
        return False
    driver = changes.pf.driver if isinstance(changes.pf.driver, str) else None
    return bool(limits_on(driver, field, value, mode=changes.final_mode))


def _probed_too_early(changes: PfChanges, values: Mapping[str, Value]) -> bool:
    slow = bool(changes.facts and changes.facts.mac_needs_reload)
    return slow and "mac" in values and values["mac"] != NO_MAC and changes.final_autoprobe is True
