"""From the differences of a host to the ordered plan that removes them. Pure and deterministic.

Order: for all PFs the number of VFs and the eswitch mode, then the VFs, last the PFs that go down. Within a VF trust
is turned off before the MAC is set (a trusted guest may override it) and on after it; the driver is bound last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from virtfn.eswitch.facts import ModeChange
from virtfn.model.addresses import VfRef
from virtfn.model.field_row import Field, in_order
from virtfn.model.fields import NATIVE, NO_MAC, PF_FIELDS, VF_FIELDS, is_native, vf_write_order
from virtfn.model.inventory import Inventory
from virtfn.model.plan import Impact, Plan, Step, Undoing, Value
from virtfn.model.subject import HostSubject
from virtfn.planning.host.commands import with_commands
from virtfn.planning.host.diff import Difference
from virtfn.planning.host.impact import counted, mac_note, user_of, vf_impact
from virtfn.planning.host.mac_order import Move, take_turns
from virtfn.planning.host.pf_changes import PfChanges, changes_by_pf
from virtfn.planning.host.vf_recreation import fresh_steps, fresh_values, losses, not_restored

_PF_ORDER = in_order(PF_FIELDS.values())
_STRUCTURE = ("num_vfs", "eswitch_mode")
"""Fields of a PF that may remove its VFs; the rows' turns give what is written before and after them."""


def plan_host(differences: Iterable[Difference], inventory: Inventory) -> Plan:
    """The plan that takes the observed host to the desired one, with the equivalent commands; empty if none differs."""
    all_changes = changes_by_pf(differences, inventory)
    steps = [
        *(step for changes in all_changes for step in _pf_steps(changes)),
        *_all_vf_steps(all_changes),
        *(step for changes in all_changes for step in _pf_down(changes)),
    ]
    labels = ", ".join(changes.pf.label for changes in all_changes)
    plan = Plan(
        subject=HostSubject({changes.pf.device: changes.count_before for changes in all_changes}),
        title=f"host: {labels}" if labels else "host",
        steps=tuple(steps),
        notes=tuple(note for changes in all_changes for note in _notes(changes)),
    )
    return with_commands(plan)


def _pf_steps(changes: PfChanges) -> Iterator[Step]:
    first = min(PF_FIELDS[field].turn for field in _STRUCTURE)
    yield from _own_steps(changes, [row for row in _PF_ORDER if row.turn < first])
    if changes.remade:
        yield from losses(changes)
        yield _count(changes, changes.count_before, 0, Impact.BYSTANDERS, _destroys(changes))
    if "eswitch_mode" in changes.own:
        yield from _mode_steps(changes)
    if changes.count_after and (changes.remade or not changes.count_before):
        yield _count(changes, 0, changes.count_after, Impact.NOBODY, "")
    after = [row for row in _PF_ORDER if row.turn > first and row.name not in _STRUCTURE]
    yield from _own_steps(changes, [row for row in after if not _goes_down(changes, row)])


def _pf_down(changes: PfChanges) -> Iterator[Step]:
    yield from _own_steps(changes, [row for row in _PF_ORDER if _goes_down(changes, row)])


def _goes_down(changes: PfChanges, row: Field) -> bool:
    return row.name == "up" and changes.after("up", True) is False


def _own_steps(changes: PfChanges, rows: Iterable[Field]) -> Iterator[Step]:
    for row in rows:
        if row.name in changes.own:
            yield _own(changes, row.name, *_pf_reset(changes, row))


def _pf_reset(changes: PfChanges, row: Field) -> tuple[Impact, str]:
    """Whom a reset of the PF disturbs: all VFs, unless there are none or the driver is known not to interrupt them."""
    note = row.disturbs if changes.after(row.name, None) is not True else ""
    spared = changes.facts is not None and changes.facts.pf_down_cuts_vfs is False
    if not note or spared or not changes.count_before or changes.remade:
        return Impact.NOBODY, ""
    known = (
        ""
        if changes.facts and changes.facts.pf_down_cuts_vfs
        else f" (not known of {changes.pf.driver}; taken for granted)"
    )
    return Impact.BYSTANDERS, note + known


def _mode_steps(changes: PfChanges) -> Iterator[Step]:
    """The eswitch mode, with the VFs removed, unbound or unchanged, as the driver's row requires."""
    if changes.remade or not changes.count_before:
        yield _own(changes, "eswitch_mode")
        return
    bound = (
        [vf for vf in changes.pf.vfs if is_native(vf.driver)] if changes.mode_change is ModeChange.VFS_UNBOUND else []
    )
    for vf in bound:
        note = "its netdev goes and comes back without its addresses"
        yield _binding(changes, vf.index, vf.driver, None, "the mode is changed while no driver has the VF", note)
    yield _own(
        changes,
        "eswitch_mode",
        Impact.BYSTANDERS,
        f"{counted(changes.count_before)}: other rules now forward their frames",
    )
    for vf in bound:
        yield _binding(changes, vf.index, None, vf.driver, "its driver takes it again", "")


def _binding(changes: PfChanges, index: int, before: object, after: object, why: str, note: str) -> Step:
    names = [name if isinstance(name, str) else None for name in (before, after)]
    target = changes.pf.vf_target(index)
    impact = Impact.PARTY if note else Impact.NOBODY
    return Step(target, "driver", names[0], names[1], why, impact, note, undoing=Undoing.RETRACE)


def _own(changes: PfChanges, field: str, impact: Impact = Impact.NOBODY, note: str = "") -> Step:
    one = changes.own[field]
    return Step(one.target, field, one.before, one.after, PF_FIELDS[field].why(one.after), impact, note)


def _count(changes: PfChanges, before: int, after: int, impact: Impact, note: str) -> Step:
    undoing = Undoing.RETRACE if changes.remade else Undoing.DIRECT
    why = _count_reason(changes, after)
    return Step(changes.pf.target, "num_vfs", before, after, why, impact, note, undoing=undoing)


def _count_reason(changes: PfChanges, after: int) -> str:
    if "num_vfs" not in changes.own:
        return "as many VFs as there were" if after else "the eswitch mode is changed while there are no VFs"
    if not after and changes.count_after:
        return "the kernel goes from one number of VFs to another through 0 only"
    return f"{counted(after)} wanted" if after else "no VFs are wanted"


def _destroys(changes: PfChanges) -> str:
    again = f"; {counted(changes.count_after)} recreated" if changes.count_after else ""
    return f"destroys {counted(changes.count_before)} of {changes.pf.label}, all there are{again}"


def _all_vf_steps(all_changes: tuple[PfChanges, ...]) -> Iterator[Step]:
    values = {
        changes.pf.ref(index): (changes, fresh_values(changes, index))
        if changes.remade or index >= changes.count_before
        else (changes, {field: one.after for field, one in changes.vfs[index].items()})
        for changes in all_changes
        for index in _touched(changes)
    }
    turns = take_turns({ref: _move(changes, ref, wanted) for ref, (changes, wanted) in values.items()})
    for ref in turns.parked:
        yield _parking(values[ref][0], ref)
    for ref in turns.order:
        changes, wanted = values[ref]
        if changes.remade or ref.index >= changes.count_before:
            yield from fresh_steps(changes, ref.index, wanted)
        else:
            steps = _changed_steps(changes, ref, wanted)
            yield from map(_after_parking, steps) if ref in turns.parked else steps


def _touched(changes: PfChanges) -> list[int]:
    """VFs of which something may have to be written, by index."""
    return list(range(changes.count_after)) if changes.remade else sorted(changes.vfs)


def _move(changes: PfChanges, ref: VfRef, wanted: Mapping[str, Value]) -> Move:
    changed = None if changes.remade else changes.vfs.get(ref.index, {}).get("mac")
    before = changed.before if changed and changed.exists else NO_MAC
    return Move(before, wanted.get("mac"))


def _parking(changes: PfChanges, ref: VfRef) -> Step:
    one = changes.vfs[ref.index]["mac"]
    why = "this VF and another one swap MACs: one of them must release its MAC first"
    vf = changes.pf.vf(ref.index)
    impact, note = vf_impact(changes, user_of(vf) if vf else "", "mac")
    return Step(one.target, "mac", one.before, NO_MAC, why, impact, note, undoing=Undoing.RETRACE)


def _after_parking(step: Step) -> Step:
    return replace(step, before=NO_MAC, undoing=Undoing.RETRACE) if step.field == "mac" else step


def _changed_steps(changes: PfChanges, ref: VfRef, wanted: Mapping[str, Value]) -> Iterator[Step]:
    differences, vf = changes.vfs[ref.index], changes.pf.vf(ref.index)
    user = user_of(vf) if vf else ""
    for field in vf_write_order(wanted):
        one = differences[field]
        impact, note = vf_impact(changes, user, field)
        if vf and field == "mac":
            note = "; ".join(filter(None, (note, mac_note(changes, vf, one.after))))
        undoing = Undoing.OVERWRITE if one.after == NATIVE else Undoing.DIRECT
        why = VF_FIELDS[field].why(one.after)
        yield Step(one.target, field, one.before, one.after, why, impact, note, undoing=undoing)


def _notes(changes: PfChanges) -> Iterator[str]:
    if changes.remade:
        yield from not_restored(changes)
    if "eswitch_mode" in changes.own and changes.remade and "num_vfs" not in changes.own:
        yield (
            f"{changes.pf.driver} is not known to change the eswitch mode of {changes.pf.label} while there are VFs: "
            "they are destroyed and recreated."
        )
