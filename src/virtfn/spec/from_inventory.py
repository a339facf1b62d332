"""Today's host as a spec: what is known and can be declared; applying it changes nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch, Wanted
from virtfn.model.inventory import NO_VLAN, EswitchMode, Inventory, Known, PfState, Unknown, VfState, Vlan
from virtfn.spec import constants as words
from virtfn.spec.selection import Selection
from virtfn.spec.writing import document, entry_lines

T = TypeVar("T")

_TWICE = "several VFs have this MAC, and a spec gives each its own"


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
    num_vfs = _within(state.num_vfs, 0, words.MAX_NUM_VFS, "num_vfs", remarks)
    vfs = {vf.index: _desired_vf(vf, remarks) for vf in state.vfs if num_vfs is UNSET or vf.index < num_vfs}
    _leave_out_twins(vfs, remarks)
    each = _majority(list(vfs.values())) if len(vfs) == num_vfs and len(vfs) > 1 else DesiredVf()
    own = {index: _without(vf, each) for index, vf in vfs.items()}
    return DesiredPf(
        match=match,
        num_vfs=num_vfs,
        mtu=_within(state.mtu, words.MIN_MTU, words.MAX_MTU, "mtu", remarks),
        up=_known(state.up),
        eswitch_mode=_eswitch_mode(state, remarks),
        autoprobe=_known(state.autoprobe),
        vfs=tuple((index, own[index]) for index in sorted(own) if own[index] != DesiredVf()),
        each=each,
    )


def _desired_vf(vf: VfState, remarks: Remarks) -> DesiredVf:
    low, high = _known(vf.min_tx_rate_mbps), _known(vf.max_tx_rate_mbps)
    if low is not UNSET and high is not UNSET and 0 < high < low:
        said = f"rates are left out: the guarantee of {low} Mbit/s is above the limit of {high}"
        remarks.of_vfs[said].append(vf.index)
        low = high = UNSET
    return DesiredVf(
        mac=_mac(vf, remarks),
        vlan=_vlan(vf, remarks),
        spoofchk=_known(vf.spoofchk),
        trust=_known(vf.trust),
        link_state=_known(vf.link_state),
        min_tx_rate_mbps=low,
        max_tx_rate_mbps=high,
        rss_query=_known(vf.rss_query),
        driver=_driver(vf, remarks),
    )


def _known(value: Known[T]) -> Wanted[T]:
    return UNSET if isinstance(value, Unknown) else value


def _within(value: Known[int], least: int, most: int, key: str, remarks: Remarks) -> Wanted[int]:
    if isinstance(value, Unknown):
        return UNSET
    if least <= value <= most:
        return value
    remarks.of_pf.append(f"{key} {value} is left out: a spec takes {least} to {most}")
    return UNSET


def _eswitch_mode(state: PfState, remarks: Remarks) -> Wanted[EswitchMode]:
    if state.eswitch_mode is EswitchMode.SWITCHDEV_INACTIVE:
        remarks.of_pf.append(f"eswitch_mode {state.eswitch_mode} is left out: a spec takes legacy and switchdev")
        return UNSET
    return _known(state.eswitch_mode)


def _mac(vf: VfState, remarks: Remarks) -> Wanted[MacAddress]:
    if isinstance(vf.mac, MacAddress) and vf.mac.is_multicast:
        remarks.of_vfs[f"mac {vf.mac} is left out: a multicast address"].append(vf.index)
        return UNSET
    return _known(vf.mac)


def _vlan(vf: VfState, remarks: Remarks) -> Wanted[Vlan]:
    if isinstance(vf.vlans, Unknown):
        return UNSET
    if len(vf.vlans) > 1:
        said = ", ".join(str(vlan.id) for vlan in vf.vlans)
        remarks.of_vfs[f"vlan is left out: there are several ({said}), and a spec takes one"].append(vf.index)
        return UNSET
    vlan = vf.vlans[0] if vf.vlans else NO_VLAN
    if vlan.id > words.MAX_VLAN_ID:
        remarks.of_vfs[f"vlan {vlan.id} is left out: a spec takes 0 to {words.MAX_VLAN_ID}"].append(vf.index)
        return UNSET
    return vlan if vlan.id or vlan.qos else NO_VLAN


def _driver(vf: VfState, remarks: Remarks) -> Wanted[str | None]:
    if isinstance(vf.driver, str) and (
        vf.driver in (words.NATIVE, words.NO_DRIVER) or not re.fullmatch(words.DRIVER_NAME, vf.driver)
    ):
        remarks.of_vfs[f"driver {vf.driver} is left out: a spec cannot name it"].append(vf.index)
        return UNSET
    return _known(vf.driver)


def _leave_out_twins(vfs: dict[int, DesiredVf], remarks: Remarks) -> None:
    """Take a MAC that several VFs have (a mirror may be at work) from all of them: nobody can tell whose it is."""
    counted = Counter(vf.mac for vf in vfs.values() if vf.mac is not UNSET and not vf.mac.is_zero)
    for index, vf in vfs.items():
        if vf.mac is not UNSET and counted[vf.mac] > 1:
            remarks.of_vfs[f"mac {vf.mac} is left out: {_TWICE}"].append(index)
            vfs[index] = replace(vf, mac=UNSET)


def _majority(vfs: Sequence[DesiredVf]) -> DesiredVf:
    """What more than half of the VFs say, in each field that all of them say something about.

    More than half, so that any two of these values meet in one VF, and go together because they do there.
    """
    said: dict[str, Any] = {}
    for name in _names():
        counted = Counter(getattr(vf, name) for vf in vfs)
        value, count = counted.most_common(1)[0]
        if UNSET in counted or count * 2 <= len(vfs) or (isinstance(value, MacAddress) and not value.is_zero):
            continue
        said[name] = value
    return DesiredVf(**said)


def _without(vf: DesiredVf, each: DesiredVf) -> DesiredVf:
    """What of ``vf`` is still to be said where ``each`` is said."""
    same: Mapping[str, Any] = {name: UNSET for name in _names() if getattr(vf, name) == getattr(each, name)}
    return replace(vf, **same)


def _names() -> tuple[str, ...]:
    return tuple(vars(DesiredVf()))


def _one_line(text: str) -> str:
    """Fit for a comment: nothing that YAML or a terminal would take for a line break or a control."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
