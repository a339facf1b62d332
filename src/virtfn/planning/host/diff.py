"""What differs between a desired host and an observed one: plain data, one entry a field. Pure.

Values are in the plain form in which the host reads and writes a field. What the spec does not name is left alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from virtfn.errors import CapabilityError
from virtfn.model.addresses import MacAddress
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf
from virtfn.model.inventory import NO_VLAN, Inventory, Known, PfState, Unknown, VfState, Vlan
from virtfn.model.plan import Target, Value
from virtfn.planning.host.pf_match import Match, gives_mac, match, spec_error
from virtfn.planning.host.vf_drivers import NATIVE, is_native, native_driver

PF_FIELDS = ("autoprobe", "num_vfs", "eswitch_mode", "mtu", "up")
VF_FIELDS = ("mac", "vlan", "spoofchk", "trust", "rate", "link_state", "rss_query", "driver")
NO_RATE: Mapping[str, Value] = {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 0}


@dataclass(frozen=True)
class Difference:
    """``field`` of ``target`` is ``before`` and shall be ``after``.

    ``exists`` is False for a VF that is not there yet; ``before`` is then None. ``where`` is the spec's entry.
    """

    target: Target
    field: str
    before: Value
    after: Value
    exists: bool = True
    where: str = ""


def diff(desired: DesiredHost, inventory: Inventory) -> tuple[Difference, ...]:
    """All differences, PF by PF in the inventory's order, the PF's own fields first, then its VFs by index.

    Raises SpecError with all faults of the spec against this host (PFs that do not fit, VFs beyond the number of VFs);
    CapabilityError with every named field that cannot be read, as it could be neither verified nor undone.
    """
    matches = match(desired, inventory)
    problems = [(found.entry.where, problem) for found in matches for problem in _index_problems(found)]
    if problems:
        raise spec_error(problems)
    found = [one for entry in matches for one in _compared(entry)]
    unreadable = [one for one in found if isinstance(one, _Unreadable)]
    if unreadable:
        raise CapabilityError(
            "cannot be read, so could not be verified or undone: "
            + "; ".join(f"{one.target} {one.field} ({one.reason})" for one in unreadable),
            where=unreadable[0].where,
            hint="leave these fields out of the spec, or mend what keeps them from being read",
        )
    return tuple(one for one in found if isinstance(one, Difference))


def plain_vf(vf: VfState) -> Mapping[str, Known[Value]]:
    """The plain values of a VF's fields, each known or Unknown."""
    return {name: read(vf) for name, read in _READ_VF.items()}


def vf_target(pf: PfState, index: int) -> Target:
    """The target that means VF ``index`` of this PF."""
    return Target("vf", str(pf.ref(index)), f"{pf.label}/{index}")


def pf_target(pf: PfState) -> Target:
    """The target that means this PF."""
    return Target("pf", pf.device, pf.label)


@dataclass(frozen=True)
class _Unreadable:
    """A named field that cannot be read, and why."""

    target: Target
    field: str
    reason: str
    where: str


def _index_problems(found: Match) -> Iterator[str]:
    entry, pf = found.entry, found.pf
    count = _final_count(entry, pf)
    named = Counter(index for index, _ in entry.vfs)
    for index in sorted(index for index, times in named.items() if times > 1):
        yield f"VF {index} of {pf.label} is named twice"
    beyond = sorted(index for index in named if index >= count)
    if beyond:
        words = ", ".join(str(index) for index in beyond)
        yield f"{pf.label} will have {count} VFs, so there is no VF {words} (they count from 0)"
    if gives_mac(entry.each) and count > 1:
        yield f"one MAC for each of the {count} VFs of {pf.label} would be given {count} times"


def _final_count(entry: DesiredPf, pf: PfState) -> int:
    if entry.num_vfs is not UNSET:
        return entry.num_vfs
    return pf.num_vfs if isinstance(pf.num_vfs, int) else len(pf.vfs)


def _compared(found: Match) -> Iterator[Difference | _Unreadable]:
    """The named fields of a PF and of its VFs that are not as they shall be, in normal form."""
    entry, pf = found.entry, found.pf
    wanted: dict[str, tuple[object, Known[Value]]] = {
        "autoprobe": (entry.autoprobe, pf.autoprobe),
        "num_vfs": (entry.num_vfs, pf.num_vfs),
        "eswitch_mode": (entry.eswitch_mode, _text(pf.eswitch_mode)),
        "mtu": (entry.mtu, pf.mtu),
        "up": (entry.up, pf.up),
    }
    for field in PF_FIELDS:
        want, have = wanted[field]
        if want is UNSET:
            continue
        if isinstance(have, Unknown):
            yield _Unreadable(pf_target(pf), field, have.reason, entry.where)
        elif have != _plain(want):
            yield Difference(pf_target(pf), field, have, _plain(want), where=entry.where)
    for index in range(_final_count(entry, pf)):
        yield from _compared_vf(pf, index, entry.vf(index), entry.where)


def _compared_vf(pf: PfState, index: int, wanted: DesiredVf, where: str) -> Iterator[Difference | _Unreadable]:
    vf = pf.vf(index)
    target = vf_target(pf, index)
    for field, after in _wanted_fields(wanted, vf):
        have = _READ_VF[field](vf) if vf else _before_it_is_made(pf, field)
        if isinstance(after, Unknown):
            yield _Unreadable(target, field, after.reason, where)
        elif isinstance(have, Unknown):
            yield _Unreadable(target, field, have.reason, where)
        elif field == "driver" and after == NATIVE:
            if vf is None or not is_native(have):
                yield Difference(target, field, have, native_driver(pf) or NATIVE, vf is not None, where)
        elif vf is None or _normal(field, have) != _normal(field, after):
            yield Difference(target, field, have, after, vf is not None, where)


def _before_it_is_made(pf: PfState, field: str) -> Known[Value]:
    """What a VF that is not there yet has: nothing, or what will never be known where nobody can be asked for it."""
    return Unknown("its PF has no netdev") if pf.name is None and field != "driver" else None


def _wanted_fields(wanted: DesiredVf, vf: VfState | None) -> Iterator[tuple[str, Known[Value]]]:
    """The named fields with their plain values; a half of the rate that is not named stays as it is."""
    for field in VF_FIELDS:
        if field == "rate":
            yield from _wanted_rate(wanted, vf)
        elif (want := getattr(wanted, field)) is not UNSET:
            yield field, _plain(want)


def _wanted_rate(wanted: DesiredVf, vf: VfState | None) -> Iterator[tuple[str, Known[Value]]]:
    low, high = wanted.min_tx_rate_mbps, wanted.max_tx_rate_mbps
    if low is UNSET and high is UNSET:
        return
    now_low = vf.min_tx_rate_mbps if vf else 0
    now_high = vf.max_tx_rate_mbps if vf else 0
    final = (now_low if low is UNSET else low, now_high if high is UNSET else high)
    unknown = next((half for half in final if isinstance(half, Unknown)), None)
    yield "rate", unknown or {"min_tx_rate_mbps": _known(final[0]), "max_tx_rate_mbps": _known(final[1])}


def _known(half: Known[int]) -> int:
    return half if isinstance(half, int) else 0


def _normal(field: str, value: Value) -> Value:
    """VLAN 0 without a priority is no VLAN, whatever protocol is kept beside it."""
    if field == "vlan" and isinstance(value, Mapping) and not value.get("id") and not value.get("qos"):
        return _plain_vlan(NO_VLAN)
    return value


def _plain(value: object) -> Value:
    if isinstance(value, Vlan):
        return _plain_vlan(value if value.id or value.qos else NO_VLAN)
    if isinstance(value, bool | int) or value is None:
        return value
    return str(value)


def _plain_vlan(vlan: Vlan) -> Value:
    return {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}


def _text(value: Known[object]) -> Known[Value]:
    return value if isinstance(value, Unknown) else str(value)


def _read_mac(vf: VfState) -> Known[Value]:
    return str(vf.mac) if isinstance(vf.mac, MacAddress) else vf.mac


def _read_vlan(vf: VfState) -> Known[Value]:
    return vf.vlan if isinstance(vf.vlan, Unknown) else _plain_vlan(vf.vlan)


def _read_rate(vf: VfState) -> Known[Value]:
    low, high = vf.min_tx_rate_mbps, vf.max_tx_rate_mbps
    if isinstance(low, Unknown):
        return low
    return high if isinstance(high, Unknown) else {"min_tx_rate_mbps": low, "max_tx_rate_mbps": high}


_READ_VF: Mapping[str, Callable[[VfState], Known[Value]]] = {
    "mac": _read_mac,
    "vlan": _read_vlan,
    "spoofchk": lambda vf: vf.spoofchk,
    "trust": lambda vf: vf.trust,
    "rate": _read_rate,
    "link_state": lambda vf: _text(vf.link_state),
    "rss_query": lambda vf: vf.rss_query,
    "driver": lambda vf: vf.driver,
}
