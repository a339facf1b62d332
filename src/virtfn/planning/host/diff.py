"""Differences between a desired and an observed host: plain data, one entry per field. Pure.

Values are in the plain form in which the host reads and writes a field. Fields that the spec does not name are ignored.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from virtfn.errors import CapabilityError, SpecError
from virtfn.eswitch.drivers import facts_of
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, Wanted
from virtfn.model.drift import not_declared
from virtfn.model.field_row import Field, in_order, plain, together
from virtfn.model.fields import NATIVE, PF_FIELDS, VF_FIELDS, is_native
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.inventory import Inventory, Known, PfState, Unknown, VfState
from virtfn.model.plan import Target, Value
from virtfn.model.value_format import say
from virtfn.planning.host.pf_match import Match, gives_address, match

_PF_ROWS, _VF_ROWS = in_order(PF_FIELDS.values()), in_order(VF_FIELDS.values())

NO_VF = FindingKind(
    "spec-vfs",
    Severity.FAULT,
    "An entry of the spec does not match the VFs of its PF.",
    "name VFs that the PF has, or raise num_vfs",
)


@dataclass(frozen=True)
class Difference:
    """``field`` of ``target`` is ``before`` and must be ``after``.

    ``exists`` is False for a VF that does not exist yet; ``before`` is then None. ``where`` is the spec's entry.
    """

    target: Target
    field: str
    before: Value
    after: Value
    exists: bool = True
    where: str = ""

    @property
    def finding(self) -> Finding:
        """The same as a finding, for people and alerts."""
        now, declared = say(self.before, self.field), say(self.after, self.field)
        return not_declared(str(self.target), self.field, now, declared, where=self.where, action=Action(UseCase.APPLY))


def diff(desired: DesiredHost, inventory: Inventory) -> tuple[Difference, ...]:
    """All differences, PF by PF in the inventory's order, the PF's own fields first, then its VFs by index.

    Raises SpecError with all faults of the spec on this host (PFs that do not match, VFs beyond the number of VFs);
    CapabilityError with every named field that cannot be read, as it could be neither verified nor undone.
    """
    matches = match(desired, inventory)
    faults = [fault for found in matches for fault in _index_faults(found)]
    if faults:
        raise SpecError.of(faults)
    found = [one for entry in matches for one in _compared(entry)]
    unreadable = [one for one in found if isinstance(one, _UnreadableField)]
    if unreadable:
        raise CapabilityError(
            "cannot be read, so could not be verified or undone: "
            + "; ".join(f"{one.target} {one.field} ({one.reason})" for one in unreadable),
            where=unreadable[0].where,
            hint="leave these fields out of the spec, or fix the cause",
        )
    return tuple(one for one in found if isinstance(one, Difference))


def native_driver(pf: PfState) -> str | None:
    """The kernel's driver for this PF's VFs: what a VF of it has now, else the driver table's; None: not known."""
    seen = next((vf.driver for vf in pf.vfs if isinstance(vf.driver, str) and is_native(vf.driver)), None)
    facts = facts_of(pf.driver) if isinstance(pf.driver, str) else None
    return seen or (facts.vf_driver if facts else None)


@dataclass(frozen=True)
class _UnreadableField:
    """A named field that cannot be read, and why."""

    target: Target
    field: str
    reason: str
    where: str


def _index_faults(found: Match) -> Iterator[Finding]:
    entry, pf, where = found.entry, found.pf, found.entry.where
    count = _final_count(entry, pf)
    named = Counter(index for index, _ in entry.vfs)
    for index in sorted(index for index, times in named.items() if times > 1):
        yield NO_VF.at(where, f"VF {index} of {pf.label} is named twice", fix="name each VF once")
    beyond = sorted(index for index in named if index >= count)
    if beyond:
        words = ", ".join(str(index) for index in beyond)
        yield NO_VF.at(where, f"{pf.label} will have {count} VFs, so there is no VF {words} (they count from 0)")
    if gives_address(entry.each) and count > 1:
        what = f"one address for each of the {count} VFs of {pf.label} would be given {count} times"
        yield NO_VF.at(where, what, fix="give each VF its own, under its index")


def _final_count(entry: DesiredPf, pf: PfState) -> int:
    if entry.num_vfs is not UNSET:
        return entry.num_vfs
    return pf.num_vfs if isinstance(pf.num_vfs, int) else len(pf.vfs)


def _compared(found: Match) -> Iterator[Difference | _UnreadableField]:
    """The named fields of a PF and of its VFs that differ, in the order of writes."""
    entry, pf = found.entry, found.pf
    for row in _PF_ROWS:
        after = _wanted(row, entry, pf)
        if after is not UNSET and (one := _difference(pf.target, row.name, row.read(pf), after, entry.where)):
            yield one
    for index in range(_final_count(entry, pf)):
        yield from _compared_vf(pf, index, entry.vf(index), entry.where)


def _compared_vf(pf: PfState, index: int, wanted: DesiredVf, where: str) -> Iterator[Difference | _UnreadableField]:
    vf = pf.vf(index)
    target = pf.vf_target(index)
    for row in _VF_ROWS:
        after = _wanted(row, wanted, vf)
        if after is UNSET:
            continue
        have = row.read(vf) if vf else _before_it_is_created(pf, row.name)
        if row.name == "driver" and after == NATIVE and not isinstance(have, Unknown):
            after = have if is_native(have) else native_driver(pf) or NATIVE
        if one := _difference(target, row.name, have, after, where, exists=vf is not None):
            yield one


def _wanted(row: Field, desired: DesiredPf | DesiredVf, state: PfState | VfState | None) -> Wanted[Known[Value]]:
    """The wanted plain value; UNSET: do not change it.

    With several keys, those not named keep their value in ``state``, or the fresh value where that is None.
    """
    if len(row.keys) == 1:
        want = getattr(desired, row.name)
        return UNSET if want is UNSET else plain(want)
    named = {name: getattr(desired, name) for name in row.key_names}
    if all(value is UNSET for value in named.values()):
        return UNSET
    fresh = row.fresh if isinstance(row.fresh, Mapping) else {}
    now = {name: getattr(state, name) if state else fresh.get(name) for name in row.key_names}
    return together({name: now[name] if value is UNSET else value for name, value in named.items()})


def _difference(
    target: Target, field: str, have: Known[Value], after: Known[Value], where: str, *, exists: bool = True
) -> Difference | _UnreadableField | None:
    if isinstance(after, Unknown):
        return _UnreadableField(target, field, after.reason, where)
    if isinstance(have, Unknown):
        return _UnreadableField(target, field, have.reason, where)
    return None if exists and have == after else Difference(target, field, have, after, exists, where)


def _before_it_is_created(pf: PfState, field: str) -> Known[Value]:
    """The value of a VF that does not exist yet: None, or Unknown where its PF has no netdev."""
    return Unknown("its PF has no netdev") if pf.name is None and field != "driver" else None
