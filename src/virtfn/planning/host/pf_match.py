"""Which PF each entry of a desired host matches. Pure; all faults are reported at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtfn.errors import SpecError
from virtfn.model.addresses import PciAddress
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.fields import MATCH_KEYS, is_individual
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.inventory import Inventory, PfState

NO_PF = FindingKind(
    "spec-no-pf",
    Severity.FAULT,
    "An entry of the spec matches no PF of this host.",
    "name a PF that this host has",
)
MANY_PFS = FindingKind(
    "spec-many-pfs",
    Severity.FAULT,
    "An entry that gives addresses to VFs matches several PFs, or two entries match one PF.",
    "match one PF for each entry",
)


@dataclass(frozen=True)
class Match:
    """One entry, and one PF that it matches."""

    entry: DesiredPf
    pf: PfState


def match(desired: DesiredHost, inventory: Inventory) -> tuple[Match, ...]:
    """Each PF that an entry matches, in the order of the inventory; PFs without an entry are left out.

    An entry may match several PFs, unless it sets addresses. Raises SpecError with all problems: an entry that is
    empty or matches nothing, a PF with two entries, addresses that would be set twice.
    """
    found = {number: _fitting(entry.match, inventory) for number, entry in enumerate(desired.pfs)}
    faults = [
        *(
            fault
            for number, entry in enumerate(desired.pfs)
            for fault in _entry_faults(entry, found[number], inventory)
        ),
        *_claimed_twice(desired, found, inventory),
    ]
    if faults:
        raise SpecError.of(faults)
    by_device = {pf.device: entry for number, entry in enumerate(desired.pfs) for pf in found[number]}
    return tuple(Match(by_device[pf.device], pf) for pf in inventory.pfs if pf.device in by_device)


def absent(desired: DesiredHost, inventory: Inventory) -> tuple[DesiredPf, ...]:
    """The entries whose PF does not exist, or not yet."""
    return tuple(one for one in desired.pfs if one.match != PfMatch() and _unmatched(one.match, inventory))


def fits(wanted: PfMatch, pf: PfState) -> bool:
    """Whether all named facts match; a fact that was not read matches nothing."""
    named = [(MATCH_KEYS[name].fact, choices) for name, choices in wanted.named.items()]
    return bool(named) and all(getattr(pf, fact) in map(_plain, choices) for fact, choices in named)


def _plain(choice: object) -> object:
    return str(choice) if isinstance(choice, PciAddress) else choice


def _unmatched(wanted: PfMatch, inventory: Inventory) -> tuple[PfMatch, ...]:
    """The values that match no PF: the match itself, or single values of its lists."""
    return tuple(one for one in wanted.singles() if not _fitting(one, inventory))


def _fitting(wanted: PfMatch, inventory: Inventory) -> tuple[PfState, ...]:
    return tuple(pf for pf in inventory.pfs if fits(wanted, pf))


def _entry_faults(entry: DesiredPf, pfs: tuple[PfState, ...], inventory: Inventory) -> Iterator[Finding]:
    if entry.match == PfMatch():
        keys = ", ".join(row.key.name for row in MATCH_KEYS.values())
        yield NO_PF.at(entry.where, "this entry names no PF", fix=f"give one of {keys}")
        return
    for wanted in _unmatched(entry.match, inventory):
        there = ", ".join(_described(pf) for pf in inventory.pfs)
        seen = f"there are {there}" if there else "no SR-IOV devices found"
        yield NO_PF.at(entry.where, f"No PF matches {wanted}: {seen}", actions=(Action(UseCase.SHOW),))
    if len(pfs) > 1 and _gives_addresses(entry):
        names = ", ".join(pf.label for pf in pfs)
        what = f"{entry.match} means {len(pfs)} PFs ({names}), so each address would be given {len(pfs)} times"
        yield MANY_PFS.at(entry.where, what)


def _claimed_twice(
    desired: DesiredHost, found: dict[int, tuple[PfState, ...]], inventory: Inventory
) -> Iterator[Finding]:
    for pf in inventory.pfs:
        claims = [entry for number, entry in enumerate(desired.pfs) if pf in found[number]]
        for entry in claims[1:]:
            first = f" at {claims[0].where}" if claims[0].where else ""
            yield MANY_PFS.at(
                entry.where,
                f"{pf.label} is matched by {entry.match} and by {claims[0].match}{first}",
                fix="let only one entry match the PF",
            )


def gives_address(wanted: DesiredVf) -> bool:
    """Whether this sets an address; all zero removes one, so any number of VFs may have it."""
    return any(is_individual(key, value) for key, value in vars(wanted).items())


def _gives_addresses(entry: DesiredPf) -> bool:
    return gives_address(entry.each) or any(gives_address(vf) for _, vf in entry.vfs)


def _described(pf: PfState) -> str:
    known = [str(word) for word in (pf.device, pf.driver, pf.vendor_device) if isinstance(word, str)]
    return f"{pf.label} ({', '.join(known)})"
