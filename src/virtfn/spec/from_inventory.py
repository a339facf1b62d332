"""Today's host as a spec: what is known and can be declared; applying it changes nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.field_row import Choice, Field, Key, Number
from virtfn.model.fields import DRIVER, NATIVE, PF_FIELDS, VF_FIELDS, is_individual
from virtfn.model.inventory import NO_VLAN, Inventory, PfState, Unknown, VfState, Vlan
from virtfn.spec import constants as words
from virtfn.spec.selection import Selection
from virtfn.spec.writing import document, entry_lines

_TWICE = "several VFs have it, and a spec gives each its own"


@dataclass
class Remarks:
    """What is known of a PF but cannot be declared, and why: for comments."""

    of_pf: list[str] = field(default_factory=list)
    of_vfs: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[str]:
        """One a remark; VFs of which the same is to be said, together."""
        return self.of_pf + [f"VF {Selection.of(indexes)}: {said}" for said, indexes in self.of_vfs.items()]


def render(inventory: Inventory) -> str:
    """A spec file that says what the host is now. PFs are matched by PCI address, with the name as a comment.

    What is Unknown is left out. So is what a spec cannot say (several VLANs on a VF, a MAC that two VFs have, a PF of
    which neither PCI address nor name is known), and a comment says so. ``load`` reads it; applying it to this host
    changes nothing.
    """
    entries = []
    for state, pf, remarks in _described(inventory):
        if pf is None:
            entries.append([f"# {_one_line(state.label)} is left out: no PCI address and no name tells it from others"])
            continue
        comment = _one_line(state.name) if isinstance(state.name, str) and pf.match.name is None else ""
        entries.append([*entry_lines(pf, comment=comment), *(f"  # {_one_line(line)}" for line in remarks.lines())])
    return document(entries)


def describe(inventory: Inventory) -> DesiredHost:
    """What ``render`` writes, as a value: ``load`` of the text gives the same."""
    return DesiredHost(tuple(pf for _, pf, _ in _described(inventory) if pf is not None))


def _described(inventory: Inventory) -> Iterator[tuple[PfState, DesiredPf | None, Remarks]]:
    """Each PF, what a spec says of it (None: nothing tells it from others), and what it cannot say."""
    seen: set[PfMatch] = set()
    for state in inventory.pfs:
        remarks = Remarks([f"problem: {problem}" for problem in state.problems])
        match = _match(state, inventory)
        if match is None or match in seen:
            yield state, None, remarks
            continue
        seen.add(match)
        yield state, _desired(state, match, remarks), remarks


def _match(state: PfState, inventory: Inventory) -> PfMatch | None:
    """The PCI address alone where it is this PF's alone; some NICs have two ports on one address."""
    name = state.name if isinstance(state.name, str) and re.fullmatch(words.NETDEV_NAME, state.name) else None
    try:
        pci = PciAddress.parse(state.device)
    except UsageError:
        return PfMatch(name=name) if name else None
    alone = sum(other.device == state.device for other in inventory.pfs) == 1
    return PfMatch(pci=pci) if alone else PfMatch(name=name, pci=pci)


def _desired(state: PfState, match: PfMatch, remarks: Remarks) -> DesiredPf:
    own = _declared(state, PF_FIELDS, remarks.of_pf.append)
    num_vfs = own.get("num_vfs")
    vfs = {vf.index: _desired_vf(vf, remarks) for vf in state.vfs if num_vfs is None or vf.index < num_vfs}
    _leave_out_twins(vfs, remarks)
    each = _majority(list(vfs.values())) if len(vfs) == num_vfs and len(vfs) > 1 else DesiredVf()
    different = {index: _without(vf, each) for index, vf in vfs.items()}
    return DesiredPf(
        match=match,
        **own,
        vfs=tuple((index, different[index]) for index in sorted(different) if different[index] != DesiredVf()),
        each=each,
    )


def _desired_vf(vf: VfState, remarks: Remarks) -> DesiredVf:
    def left_out(said: str) -> None:
        remarks.of_vfs[said].append(vf.index)

    own = _declared(vf, VF_FIELDS, left_out)
    if not isinstance(vf.vlans, Unknown) and len(vf.vlans) > 1:
        said = ", ".join(str(vlan.id) for vlan in vf.vlans)
        left_out(f"vlan is left out: there are several ({said}), and a spec takes one")
        own.pop("vlan", None)
    low, high = (own.get(name, 0) for name in VF_FIELDS["rate"].key_names)
    if 0 < high < low:
        left_out(f"rates are left out: the guarantee of {low} Mbit/s is above the limit of {high}")
        own = {name: value for name, value in own.items() if name not in VF_FIELDS["rate"].key_names}
    return DesiredVf(**own)


def _declared(state: PfState | VfState, rows: Mapping[str, Field], left_out: Callable[[str], None]) -> dict[str, Any]:
    """The keys of these rows whose value is known and can be declared; of the others ``left_out`` gets the reason."""
    said: dict[str, Any] = {}
    for key in (key for row in rows.values() for key in row.keys):
        value = getattr(state, key.name)
        if isinstance(value, Unknown):
            continue
        if why := _why_not(key, value):
            left_out(f"{key.name} {getattr(value, 'id', value)} is left out: {why}")
        else:
            said[key.name] = NO_VLAN if isinstance(value, Vlan) and not (value.id or value.qos) else value
    return said


def _why_not(key: Key, value: Any) -> str:
    """Why a spec cannot give this value; "" where it can."""
    if isinstance(key.type, Number) and not key.type.least <= value <= key.type.most:
        return f"a spec takes {key.type.least} to {key.type.most}"
    if isinstance(key.type, Choice) and value not in key.type.allowed:
        return f"a spec takes {' and '.join(key.type.allowed)}"
    if isinstance(value, Vlan) and value.id > words.MAX_VLAN_ID:
        return f"a spec takes 0 to {words.MAX_VLAN_ID}"
    if isinstance(value, MacAddress) and value.is_multicast:
        return "a multicast address"
    if key.type == DRIVER and isinstance(value, str):
        named = value not in (NATIVE, words.NO_DRIVER) and re.fullmatch(words.DRIVER_NAME, value)
        return "" if named else "a spec cannot name it"
    return ""


def _leave_out_twins(vfs: dict[int, DesiredVf], remarks: Remarks) -> None:
    """Leave out an address that several VFs have (perhaps a mirror): its owner is not known."""
    counted = Counter(pair for vf in vfs.values() for pair in vars(vf).items() if is_individual(*pair))
    for index, vf in vfs.items():
        twins: Mapping[str, Any] = {name: UNSET for name, value in vars(vf).items() if counted[name, value] > 1}
        for name in twins:
            remarks.of_vfs[f"{name} {getattr(vf, name)} is left out: {_TWICE}"].append(index)
        vfs[index] = replace(vf, **twins)


def _majority(vfs: Sequence[DesiredVf]) -> DesiredVf:
    """What more than half of the VFs say, in each field that all of them say something about.

    More than half, so that any two of these values meet in one VF, and go together because they do there.
    """
    said: dict[str, Any] = {}
    for name in _names():
        counted = Counter(getattr(vf, name) for vf in vfs)
        value, count = counted.most_common(1)[0]
        if UNSET in counted or count * 2 <= len(vfs) or is_individual(name, value):
            continue
        said[name] = value
    return DesiredVf(**said)


def _without(vf: DesiredVf, each: DesiredVf) -> DesiredVf:
    """The part of ``vf`` that differs from ``each``."""
    same: Mapping[str, Any] = {name: UNSET for name in _names() if getattr(vf, name) == getattr(each, name)}
    return replace(vf, **same)


def _names() -> tuple[str, ...]:
    return tuple(vars(DesiredVf()))


def _one_line(text: str) -> str:
    """Fit for a comment: nothing that YAML or a terminal would take for a line break or a control."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
