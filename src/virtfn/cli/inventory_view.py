"""An inventory as tables."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from virtfn.cli.output import grid, print_table
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Holder, HolderKind, Inventory, PfState, Unknown, VfState, Vlan, VlanProtocol

_UNKNOWN = "?"


@dataclass(frozen=True)
class Column:
    """One column of the table of VFs: its heading, the fact it shows, and how that fact is written."""

    heading: str
    fact: Callable[[VfState], Any]
    word: Callable[[Any], str]


def print_inventory(out: Console, inventory: Inventory, *, wide: bool) -> None:
    """Every PF with its VFs, then why facts marked ``?`` are not known."""
    for number, pf in enumerate(inventory.pfs):
        if number:
            out.print()
        _print_pf(out, pf, wide=wide)
    for problem in inventory.problems:
        out.print(Text(f"problem: {problem}", style="yellow"), soft_wrap=True)


def _print_pf(out: Console, pf: PfState, *, wide: bool) -> None:
    title = Text(pf.label, style="bold")
    for fact in _pf_facts(pf):
        title.append(f"  {fact}", style="not bold")
    out.print(title, soft_wrap=True)
    for problem in pf.problems:
        out.print(Text(f"problem: {problem}", style="yellow"), soft_wrap=True)
    columns = _WIDE_COLUMNS if wide else _COLUMNS
    if pf.vfs:
        print_table(out, _vf_table(pf, _shown(pf, columns)))
    for reason, headings in _reasons(pf, columns).items():
        out.print(Text(f"? {', '.join(headings)}: {reason}", style="dim"), soft_wrap=True)


def _pf_facts(pf: PfState) -> list[str]:
    total = "" if isinstance(pf.total_vfs, Unknown) else f" of {pf.total_vfs}"
    facts = [
        pf.device if pf.device != pf.label else "",
        _word(pf.driver) if not isinstance(pf.driver, Unknown) else "",
        f"{_word(pf.num_vfs)}{total} VFs",
        _link(pf),
        _word(pf.mac) if isinstance(pf.mac, MacAddress) else "",
        f"mtu {pf.mtu}" if not isinstance(pf.mtu, Unknown) else "",
        f"numa {pf.numa_node}" if isinstance(pf.numa_node, int) else "",
        _word(pf.eswitch_mode) if not isinstance(pf.eswitch_mode, Unknown) else "",
        "PROMISC" if pf.promiscuous is True else "",
        "autoprobe off" if pf.autoprobe is False else "",
    ]
    return [fact for fact in facts if fact]


def _link(pf: PfState) -> str:
    if isinstance(pf.up, Unknown):
        return ""
    if not pf.up:
        return "down"
    return "up, no carrier" if pf.carrier is False else "up"


def _vf_table(pf: PfState, columns: tuple[Column, ...]) -> Table:
    table = grid("VF", *(column.heading for column in columns))
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


_COLUMNS = (
    Column("MAC", attrgetter("mac"), _word),
    Column("VLAN", attrgetter("vlans"), _vlans),
    Column("SPOOFCHK", attrgetter("spoofchk"), _switch),
    Column("TRUST", attrgetter("trust"), _switch),
    Column("LINK", attrgetter("link_state"), _word),
    Column("DRIVER", attrgetter("driver"), _word),
    Column("WHERE", attrgetter("holder"), _holder),
)
_WIDE_COLUMNS = (
    *_COLUMNS,
    Column("PCI", attrgetter("pci"), _word),
    Column("MIN", attrgetter("min_tx_rate_mbps"), _rate),
    Column("MAX", attrgetter("max_tx_rate_mbps"), _rate),
    Column("RSS-QUERY", attrgetter("rss_query"), _switch),
    Column("GUEST MAC", _guest_mac, _word),
    Column("GUID", attrgetter("node_guid"), _word),
)


def _shown(pf: PfState, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of which at least one VF tells something."""
    return tuple(column for column in columns if not all(isinstance(column.fact(vf), Unknown) for vf in pf.vfs))


def _reasons(pf: PfState, columns: tuple[Column, ...]) -> dict[str, list[str]]:
    """Why facts are not known: each reason once, with the columns it is about. No GUID is the rule on Ethernet."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for vf in pf.vfs:
            fact = column.fact(vf)
            if isinstance(fact, Unknown) and column.heading not in found.setdefault(fact.reason, []):
                found[fact.reason].append(column.heading)
    return {reason: headings for reason, headings in found.items() if headings != ["GUID"]}
