"""Which PF each entry of a desired host means. Pure; all faults are told at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtfn.errors import SpecError
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.inventory import Inventory, PfState


@dataclass(frozen=True)
class Match:
    """One entry, and one PF that it means."""

    entry: DesiredPf
    pf: PfState


def match(desired: DesiredHost, inventory: Inventory) -> tuple[Match, ...]:
    """Each PF that an entry means, in the order of the inventory; PFs that no entry means are left out.

    An entry may mean several PFs, unless it gives MACs. Raises SpecError with all problems: an entry that names
    nothing or fits nothing, a PF that two entries mean, MACs that would be given twice.
    """
    found = {number: _fitting(entry.match, inventory) for number, entry in enumerate(desired.pfs)}
    problems = [
        *(
            _told(entry, problem)
            for number, entry in enumerate(desired.pfs)
            for problem in _entry_problems(entry, found[number], inventory)
        ),
        *_claimed_twice(desired, found, inventory),
    ]
    if problems:
        raise spec_error(problems)
    by_device = {pf.device: entry for number, entry in enumerate(desired.pfs) for pf in found[number]}
    return tuple(Match(by_device[pf.device], pf) for pf in inventory.pfs if pf.device in by_device)


def absent(desired: DesiredHost, inventory: Inventory) -> tuple[DesiredPf, ...]:
    """The entries that name a PF which is not there, or not yet."""
    return tuple(one for one in desired.pfs if one.match != PfMatch() and not _fitting(one.match, inventory))


def spec_error(problems: list[tuple[str, str]]) -> SpecError:
    """One error for all ``(where, what)``; its ``where`` is the first one's."""
    lines = tuple(f"{where}: {what}" if where else what for where, what in problems)
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecError(first[1] + more, where=first[0], hint="see `virtfn show` for what there is", problems=lines)


def fits(wanted: PfMatch, pf: PfState) -> bool:
    """Whether all that is named fits; a fact that was not read fits nothing."""
    asked = (
        (wanted.name, pf.name),
        (str(wanted.pci) if wanted.pci else None, pf.device),
        (wanted.driver, pf.driver),
        (wanted.vendor_device.lower() if wanted.vendor_device else None, pf.vendor_device),
    )
    named = [(want, have) for want, have in asked if want is not None]
    return bool(named) and all(want == have for want, have in named)


def _fitting(wanted: PfMatch, inventory: Inventory) -> tuple[PfState, ...]:
    return tuple(pf for pf in inventory.pfs if fits(wanted, pf))


def _entry_problems(entry: DesiredPf, pfs: tuple[PfState, ...], inventory: Inventory) -> Iterator[str]:
    if entry.match == PfMatch():
        yield "this entry names no PF: give name, pci, driver or id"
        return
    if not pfs:
        there = ", ".join(_described(pf) for pf in inventory.pfs)
        yield f"no PF fits {entry.match}; there are: {there}" if there else f"no PF fits {entry.match}; there is none"
    if len(pfs) > 1 and _gives_macs(entry):
        names = ", ".join(pf.label for pf in pfs)
        yield f"{entry.match} means {len(pfs)} PFs ({names}), so each MAC would be given {len(pfs)} times"


def _claimed_twice(
    desired: DesiredHost, found: dict[int, tuple[PfState, ...]], inventory: Inventory
) -> Iterator[tuple[str, str]]:
    for pf in inventory.pfs:
        claims = [entry for number, entry in enumerate(desired.pfs) if pf in found[number]]
        for entry in claims[1:]:
            first = f" at {claims[0].where}" if claims[0].where else ""
            yield _told(entry, f"{pf.label} is meant by {entry.match} and by {claims[0].match}{first}")


def _told(entry: DesiredPf, problem: str) -> tuple[str, str]:
    return entry.where, problem


def gives_mac(wanted: DesiredVf) -> bool:
    """Whether this gives a MAC of its own; all zero takes one away, so any number of VFs may have that."""
    return wanted.mac is not UNSET and not wanted.mac.is_zero


def _gives_macs(entry: DesiredPf) -> bool:
    return gives_mac(entry.each) or any(gives_mac(vf) for _, vf in entry.vfs)


def _described(pf: PfState) -> str:
    known = [str(word) for word in (pf.device, pf.driver, pf.vendor_device) if isinstance(word, str)]
    return f"{pf.label} ({', '.join(known)})"
