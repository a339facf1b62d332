"""Rules for several keys: which VF gets which value, and contradictions.

Precedence, for each field separately: the entry of the one VF, else the ranges that name it, else ``each``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from virtfn.model.desired import UNSET, DesiredPf, DesiredVf
from virtfn.model.fields import is_individual
from virtfn.spec.constants import MAX_NUM_VFS
from virtfn.spec.host_format import PfKeys
from virtfn.spec.problems import CONFLICT, TOO_BIG, Findings, Path
from virtfn.spec.selection import Selection

MAX_NAMED = MAX_NUM_VFS + 1
"""VFs that the ranges of one file may name together, a VF counted at each range."""


@dataclass(frozen=True)
class PlacedValue:
    """A value of a VF and its place in the file."""

    value: Any
    path: Path


@dataclass
class Layer:
    """The values of VFs by index and field, from entries that go before each other in no way."""

    values: dict[int, dict[str, PlacedValue]] = field(default_factory=dict)

    def add(
        self, selection: Selection, said: Mapping[str, PlacedValue]
    ) -> Iterator[tuple[PlacedValue, PlacedValue, int]]:
        """Put in what an entry says; yields each value that contradicts an earlier one, that one, and the VF."""
        for index in selection.indexes:
            values = self.values.setdefault(index, {})
            for name, one in said.items():
                earlier = values.setdefault(name, one)
                if earlier.value != one.value:
                    yield one, earlier, index


def desired_pf(entry: PfKeys, path: Path, findings: Findings, budget: list[int]) -> DesiredPf:
    """The PF as the model has it; what does not go together is noted in ``findings``.

    ``budget`` holds the number of VFs that ranges may still name in this file, and is drawn on.
    """
    each = _said(entry.each.value(), (*path, "each"))
    vfs = _spread(entry, path, findings, budget)
    _check_indexes(entry, path, findings)
    _check_rates(each, vfs, findings)
    _check_addresses(entry, each, vfs, path, findings)
    return DesiredPf(
        match=entry.match.value(),
        **entry.said(),
        vfs=tuple((index, DesiredVf(**{name: one.value for name, one in vfs[index].items()})) for index in sorted(vfs)),
        each=entry.each.value(),
        where=findings.where(path),
    )


def _said(vf: DesiredVf, path: Path) -> dict[str, PlacedValue]:
    return {name: PlacedValue(value, (*path, name)) for name, value in vars(vf).items() if value is not UNSET}


def _spread(entry: PfKeys, path: Path, findings: Findings, budget: list[int]) -> dict[int, dict[str, PlacedValue]]:
    """What each VF under ``vfs`` gets, the entry of one VF before ranges."""
    ranges, singles = Layer(), Layer()
    clashes: dict[tuple[Path, Path], list[int]] = {}
    for key, vf in entry.vfs.items():
        selection, place = Selection.parse(key), (*path, "vfs", key)
        if len(selection) > budget[0]:
            findings.add(
                place, f"the ranges name more than {MAX_NAMED} VFs", "put what is for all VFs under each", TOO_BIG
            )
            continue
        budget[0] -= len(selection)
        layer = singles if len(selection) == 1 else ranges
        for one, earlier, index in layer.add(selection, _said(vf.value(), place)):
            clashes.setdefault((one.path, earlier.path), []).append(index)
    for (one_path, earlier_path), indexes in clashes.items():
        what = f"VF {Selection.of(indexes)} gets another value on line {findings.line(earlier_path)}"
        findings.add(one_path, what, "let the ranges name different VFs, or give the VF an entry of its own", CONFLICT)
    named = sorted({*ranges.values, *singles.values})
    return {index: {**ranges.values.get(index, {}), **singles.values.get(index, {})} for index in named}


def _check_indexes(entry: PfKeys, path: Path, findings: Findings) -> None:
    num_vfs = entry.said().get("num_vfs")
    if num_vfs is None:
        return
    line = findings.line((*path, "num_vfs"))
    for key in entry.vfs:
        last = Selection.parse(key).last
        if last >= num_vfs:
            what = f"there is no VF {last}: num_vfs is {num_vfs} (line {line})"
            remedy = f"VFs are counted from 0 to {num_vfs - 1}" if num_vfs else "leave vfs out"
            findings.add((*path, "vfs", key), what, remedy, CONFLICT)


def _check_rates(
    each: Mapping[str, PlacedValue], vfs: Mapping[int, Mapping[str, PlacedValue]], findings: Findings
) -> None:
    """A limit below the guarantee is refused by the kernel: net/core/rtnetlink.c, rtnl_set_vf_rate."""
    seen: set[tuple[Path, Path]] = set()
    for said in chain((each,), ({**each, **own} for own in vfs.values())):
        low, high = said.get("min_tx_rate_mbps"), said.get("max_tx_rate_mbps")
        if low is None or high is None or not 0 < high.value < low.value or (low.path, high.path) in seen:
            continue
        seen.add((low.path, high.path))
        what = f"{low.value} is more than max_tx_rate_mbps {high.value} (line {findings.line(high.path)})"
        findings.add(low.path, what, "lower it, or raise the maximum; 0 is no limit", CONFLICT)


def _check_addresses(
    entry: PfKeys,
    each: Mapping[str, PlacedValue],
    vfs: Mapping[int, Mapping[str, PlacedValue]],
    path: Path,
    findings: Findings,
) -> None:
    several = {one.path: name for name, one in each.items() if is_individual(name, one.value)}
    for key, vf in entry.vfs.items():
        if len(Selection.parse(key)) > 1:
            own = (name for name, value in vars(vf.value()).items() if is_individual(name, value))
            several |= {(*path, "vfs", key, name): name for name in own}
    for place, name in several.items():
        what = f"several VFs would get one {_NOUNS.get(name, name)}"
        findings.add(place, what, "give each VF its own, under its index", CONFLICT)
    first: dict[tuple[str, Any], tuple[int, Path]] = {}
    for index in sorted(vfs):
        for name, one in vfs[index].items():
            if one.path in several or not is_individual(name, one.value):
                continue
            other, place = first.setdefault((name, one.value), (index, one.path))
            if place != one.path:
                what = f"{one.value} is the {_NOUNS.get(name, name)} of VF {other}, too (line {findings.line(place)})"
                findings.add(one.path, what, "give each VF its own", CONFLICT)


_NOUNS = {"mac": "MAC"}


def differences(one: DesiredPf, other: DesiredPf) -> str:
    """The keys in which two entries for the same PF differ; "" where they say the same."""
    keys = [name for name in vars(one) if name not in ("match", "where")]
    return ", ".join(name for name in keys if getattr(one, name) != getattr(other, name))
