"""From the differences of a host to the ordered plan that removes them. Pure and deterministic.

Order: what a PF is (its VFs, its eswitch mode) for all PFs, then the VFs, at last PFs that go down. Within a VF trust
is taken away before the MAC is set (a trusted guest may override it) and given after, and its driver comes last, so
that it finds everything as it shall be.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from virtfn.eswitch.drivers import ModeChange
from virtfn.model.addresses import VfRef
from virtfn.model.field_row import Field, in_order
from virtfn.model.fields import NATIVE, NO_MAC, PF_FIELDS, VF_FIELDS, vf_write_order
from virtfn.model.inventory import Inventory
from virtfn.model.plan import Impact, Plan, Step, Undoing, Value
from virtfn.model.subject import HostSubject
from virtfn.planning.host.commands import with_commands
from virtfn.planning.host.diff import Difference
from virtfn.planning.host.impact import counted, mac_note, vf_impact
from virtfn.planning.host.mac_order import Move, take_turns
from virtfn.planning.host.pf_changes import PfChanges, changes_by_pf
from virtfn.planning.host.vf_drivers import is_held_natively
from virtfn.planning.host.vf_recreation import fresh_steps, fresh_values, losses, not_restored

_PF_ORDER = in_order(PF_FIELDS.values())
_STRUCTURE = ("num_vfs", "eswitch_mode")
"""Fields of a PF that may take its VFs away; what is written before and after them follows from the rows' turns."""


def plan_host(differences: Iterable[Difference], inventory: Inventory) -> Plan:
    """The plan that takes the observed host to the desired one, with the equivalent commands; empty if none differs."""
    works = changes_by_pf(differences, inventory)
    steps = [
        *(step for work in works for step in _pf_steps(work)),
        *_all_vf_steps(works),
        *(step for work in works for step in _pf_down(work)),
    ]
    labels = ", ".join(work.pf.label for work in works)
    plan = Plan(
        subject=HostSubject({work.pf.device: work.count_before for work in works}),
        title=f"host: {labels}" if labels else "host",
        steps=tuple(steps),
        notes=tuple(note for work in works for note in _notes(work)),
    )
    return with_commands(plan)


def _pf_steps(work: PfChanges) -> Iterator[Step]:
    first = min(PF_FIELDS[field].turn for field in _STRUCTURE)
    yield from _own_steps(work, [row for row in _PF_ORDER if row.turn < first])
    if work.remade:
        yield from losses(work)
        yield _count(work, work.count_before, 0, Impact.BYSTANDERS, _destroys(work))
    if "eswitch_mode" in work.own:
        yield from _mode_steps(work)
    if work.count_after and (work.remade or not work.count_before):
        yield _count(work, 0, work.count_after, Impact.NOBODY, "")
    after = [row for row in _PF_ORDER if row.turn > first and row.name not in _STRUCTURE]
    yield from _own_steps(work, [row for row in after if not _goes_down(work, row)])


def _pf_down(work: PfChanges) -> Iterator[Step]:
    yield from _own_steps(work, [row for row in _PF_ORDER if _goes_down(work, row)])


def _goes_down(work: PfChanges, row: Field) -> bool:
    return row.name == "up" and work.after("up", True) is False


def _own_steps(work: PfChanges, rows: Iterable[Field]) -> Iterator[Step]:
    for row in rows:
        if row.name in work.own:
            yield _own(work, row.name, *_pf_reset(work, row))


def _pf_reset(work: PfChanges, row: Field) -> tuple[Impact, str]:
    """Whom a reset of the PF disturbs: all VFs, unless there are none or the driver is known to spare them."""
    note = row.disturbs if work.after(row.name, None) is not True else ""
    spared = work.facts is not None and work.facts.pf_down_cuts_vfs is False
    if not note or spared or not work.count_before or work.remade:
        return Impact.NOBODY, ""
    known = "" if work.facts and work.facts.pf_down_cuts_vfs else f" (not known of {work.pf.driver}; taken for granted)"
    return Impact.BYSTANDERS, note + known


def _mode_steps(work: PfChanges) -> Iterator[Step]:
    """The mode, with the VFs gone, unbound or left alone, as the driver's row wants it."""
    if work.remade or not work.count_before:
        yield _own(work, "eswitch_mode")
        return
    bound = [vf for vf in work.pf.vfs if is_held_natively(vf)] if work.mode_change is ModeChange.VFS_UNBOUND else []
    for vf in bound:
        note = "its netdev goes and comes back without its addresses"
        yield _binding(work, vf.index, vf.driver, None, "the mode is changed while no driver has the VF", note)
    yield _own(
        work, "eswitch_mode", Impact.BYSTANDERS, f"{counted(work.count_before)}: their frames now go by other rules"
    )
    for vf in bound:
        yield _binding(work, vf.index, None, vf.driver, "its driver takes it again", "")


def _binding(work: PfChanges, index: int, before: object, after: object, why: str, note: str) -> Step:
    names = [name if isinstance(name, str) else None for name in (before, after)]
    target = work.vf_target(index)
    impact = Impact.PARTY if note else Impact.NOBODY
    return Step(target, "driver", names[0], names[1], why, impact, note, undoing=Undoing.RETRACE)


def _own(work: PfChanges, field: str, impact: Impact = Impact.NOBODY, note: str = "") -> Step:
    one = work.own[field]
    return Step(one.target, field, one.before, one.after, PF_FIELDS[field].why(one.after), impact, note)


def _count(work: PfChanges, before: int, after: int, impact: Impact, note: str) -> Step:
    undoing = Undoing.RETRACE if work.remade else Undoing.DIRECT
    why = _count_reason(work, after)
    return Step(work.target, "num_vfs", before, after, why, impact, note, undoing=undoing)


def _count_reason(work: PfChanges, after: int) -> str:
    if "num_vfs" not in work.own:
        return "as many VFs as there were" if after else "the eswitch mode is changed while there are no VFs"
    if not after and work.count_after:
        return "the kernel goes from one number of VFs to another through 0 only"
    return f"{counted(after)} wanted" if after else "no VFs are wanted"


def _destroys(work: PfChanges) -> str:
    again = f"; {counted(work.count_after)} recreated" if work.count_after else ""
    return f"destroys {counted(work.count_before)} of {work.pf.label}, all there are{again}"


def _all_vf_steps(works: tuple[PfChanges, ...]) -> Iterator[Step]:
    values = {
        work.pf.ref(index): (work, fresh_values(work, index))
        if work.remade or index >= work.count_before
        else (work, {field: one.after for field, one in work.vfs[index].items()})
        for work in works
        for index in _touched(work)
    }
    turns = take_turns({ref: _move(work, ref, wanted) for ref, (work, wanted) in values.items()})
    for ref in turns.parked:
        yield _parking(values[ref][0], ref)
    for ref in turns.order:
        work, wanted = values[ref]
        if work.remade or ref.index >= work.count_before:
            yield from fresh_steps(work, ref.index, wanted)
        else:
            steps = _changed_steps(work, ref)
            yield from map(_after_parking, steps) if ref in turns.parked else steps


def _touched(work: PfChanges) -> list[int]:
    """VFs of which something may have to be written, by index."""
    return list(range(work.count_after)) if work.remade else sorted(work.vfs)


def _move(work: PfChanges, ref: VfRef, wanted: Mapping[str, Value]) -> Move:
    changed = None if work.remade else work.vfs.get(ref.index, {}).get("mac")
    before = changed.before if changed and changed.exists else NO_MAC
    return Move(before, wanted.get("mac"))


def _parking(work: PfChanges, ref: VfRef) -> Step:
    one = work.vfs[ref.index]["mac"]
    why = "another VF is to have this MAC, and that one's is wanted in turn: one of them has to let go first"
    impact, note = vf_impact(work, ref.index, "mac")
    return Step(one.target, "mac", one.before, NO_MAC, why, impact, note, undoing=Undoing.RETRACE)


def _after_parking(step: Step) -> Step:
    return replace(step, before=NO_MAC, undoing=Undoing.RETRACE) if step.field == "mac" else step


def _changed_steps(work: PfChanges, ref: VfRef) -> Iterator[Step]:
    changes = work.vfs[ref.index]
    for field in vf_write_order({field: one.after for field, one in changes.items()}):
        one = changes[field]
        impact, note = vf_impact(work, ref.index, field)
        if field == "mac":
            note = "; ".join(filter(None, (note, mac_note(work, ref.index, one.after))))
        undoing = Undoing.OVERWRITE if one.after == NATIVE else Undoing.DIRECT
        why = VF_FIELDS[field].why(one.after)
        yield Step(one.target, field, one.before, one.after, why, impact, note, undoing=undoing)


def _notes(work: PfChanges) -> Iterator[str]:
    if work.remade:
        yield from not_restored(work)
    if "eswitch_mode" in work.own and work.remade and "num_vfs" not in work.own:
        yield (
            f"{work.pf.driver} is not known to change the eswitch mode of {work.pf.label} while there are VFs: "
            "they are destroyed and recreated."
        )
