"""An inventory as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from virtfn.cli.console import Console, Table
from virtfn.model.field_row import Field, Key, ValueType, plain
from virtfn.model.fields import RATE, SWITCH, VF_FIELDS, VLAN
from virtfn.model.inventory import Holder, HolderKind, Inventory, Known, PfState, Unknown, VfState, Vlan, VlanProtocol

if TYPE_CHECKING:
    from virtfn.model.plan import Value

_UNKNOWN = "?"
_NOTHING = Unknown("it is no setting")


@dataclass(frozen=True)
class Column:
    """One column of the table of VFs: its heading, the fact it shows, how that is written, what a new VF has."""

    heading: str
    fact: Callable[[VfState], Any]
    word: Callable[[Any], str]
    fresh: Known[Value] = _NOTHING


def print_inventory(out: Console, inventory: Inventory, *, wide: bool) -> None:
    """Every PF with its VFs, then why facts marked ``?`` are not known."""
    for number, pf in enumerate(inventory.pfs):
        if number:
            out.print()
        _print_pf(out, pf, wide=wide)
    for problem in inventory.problems:
        out.print(f"problem: {problem}", style="yellow")


def _print_pf(out: Console, pf: PfState, *, wide: bool) -> None:
    out.print((pf.label, "bold"), *(f"  {fact}" for fact in _pf_facts(pf)))
    for problem in pf.problems:
        out.print(f"problem: {problem}", style="yellow")
    columns = _WIDE_COLUMNS if wide else (*_COLUMNS, *(column for column in _SETTINGS if _is_set(pf, column)))
    if pf.vfs:
        out.print_table(_vf_table(pf, _shown(pf, columns)))
    for reason, headings in _reasons(pf, columns).items():
        out.print(f"? {', '.join(headings)}: {reason}", style="dim")


def _pf_facts(pf: PfState) -> list[str]:
    total = "" if isinstance(pf.total_vfs, Unknown) else f" of {pf.total_vfs}"
    facts = [
        pf.device if pf.device != pf.label else "",
        _word(pf.driver) if not isinstance(pf.driver, Unknown) else "",
        f"{pf.num_vfs} VF" if pf.num_vfs == 1 and not total else f"{_word(pf.num_vfs)}{total} VFs",
        _link(pf),
        f"MAC {_UNKNOWN}" if isinstance(pf.mac, Unknown) else str(pf.mac),
        f"mtu {pf.mtu}" if not isinstance(pf.mtu, Unknown) else "",
        f"numa {pf.numa_node}" if isinstance(pf.numa_node, int) else "",
        _word(pf.eswitch_mode) if not isinstance(pf.eswitch_mode, Unknown) else "",
        "PROMISC" if pf.promiscuous is True else "",
        "autoprobe off" if pf.autoprobe is False else "",
    ]
    return [fact for fact in facts if fact]


def _link(pf: PfState) -> str:
    if isinstance(pf.up, Unknown):
        return f"link {_UNKNOWN}"
    if not pf.up:
        return "down"
    return "up, no carrier" if pf.carrier is False else "up"


def _vf_table(pf: PfState, columns: tuple[Column, ...]) -> Table:
    table = Table("VF", *(column.heading for column in columns))
    for vf in pf.vfs:
        table.add_row(str(vf.index), *(_cell(column, vf) for column in columns))
    return table


def _cell(column: Column, vf: VfState) -> str:
    fact = column.fact(vf)
    return _UNKNOWN if isinstance(fact, Unknown) else column.word(fact)


def _vlans(vlans: tuple[Vlan, ...]) -> str:
    return "+".join(_vlan(vlan) for vlan in vlans if vlan.id) or "-"


def _vlan(vlan: Vlan) -> str:
    qos = f"p{vlan.qos}" if vlan.qos else ""
    return f"{vlan.id}{qos}{'ad' if vlan.protocol is VlanProtocol.S_TAG else ''}"


def _holder(holder: Holder) -> str:
    if holder.netdev:
        return str(holder.netdev)
    if holder.kind is HolderKind.NOBODY:
        return "-"
    return f"{holder.kind.value}: {holder.detail}" if holder.detail else holder.kind.value


def _word(fact: object) -> str:
    if isinstance(fact, Unknown):
        return _UNKNOWN
    return "-" if fact is None else str(fact)


def _switch(fact: object) -> str:
    return "on" if fact else "off"


def _rate(fact: object) -> str:
    return f"{fact}M" if fact else "-"


def _guest_mac(vf: VfState) -> object:
    if isinstance(vf.holder, Unknown):
        return vf.holder
    return vf.netdev.mac if vf.netdev else None


def _setting(row: Field, key: Key) -> Column:
    """The column of one key of a VF."""
    fresh = row.fresh if len(row.keys) == 1 or not isinstance(row.fresh, Mapping) else row.fresh[key.name]
    fact = attrgetter("vlans" if key.type == VLAN else key.name)
    return Column(_HEADINGS.get(key.name, key.name.upper().replace("_", "-")), fact, _FORMS.get(key.type, _word), fresh)


_HEADINGS = {"link_state": "LINK", "min_tx_rate_mbps": "MIN", "max_tx_rate_mbps": "MAX"}
_FORMS: Mapping[ValueType, Callable[[Any], str]] = {SWITCH: _switch, VLAN: _vlans, RATE: _rate}
_ALWAYS = ("mac", "vlan", "spoofchk", "trust", "link_state", "driver")
_COLUMNS = (
    *(_setting(VF_FIELDS[name], VF_FIELDS[name].keys[0]) for name in _ALWAYS),
    Column("WHERE", attrgetter("holder"), _holder),
)
_SETTINGS = tuple(_setting(row, key) for row in VF_FIELDS.values() if row.name not in _ALWAYS for key in row.keys)
"""Rare settings: the default table shows one as soon as a VF has another value than a new VF."""
_WIDE_COLUMNS = (
    *_COLUMNS,
    Column("PCI", attrgetter("pci"), _word),
    *_SETTINGS,
    Column("GUEST MAC", _guest_mac, _word),
)


def _is_set(pf: PfState, column: Column) -> bool:
    """Whether a VF is known to have another value than a new VF."""
    facts = (column.fact(vf) for vf in pf.vfs)
    return any(not isinstance(fact, Unknown) and plain(fact) != column.fresh for fact in facts)


def _shown(pf: PfState, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns with a known value in at least one VF."""
    return tuple(column for column in columns if not all(isinstance(column.fact(vf), Unknown) for vf in pf.vfs))


def _reasons(pf: PfState, columns: tuple[Column, ...]) -> dict[str, list[str]]:
    """Why facts are not known: each reason once, with its columns. A missing GUID is normal on Ethernet."""
    facts = [("PF MAC", pf.mac), ("PF link", pf.up)]
    facts += [(column.heading, column.fact(vf)) for column in columns for vf in pf.vfs]
    found: dict[str, list[str]] = {}
    for heading, fact in facts:
        if isinstance(fact, Unknown) and not heading.endswith("GUID"):
            found.setdefault(fact.reason, []).append(heading)
    return {reason: list(dict.fromkeys(headings)) for reason, headings in found.items()}
