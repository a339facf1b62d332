"""An inventory as tables."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from virtfn.cli.output import grid
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Holder, HolderKind, Inventory, PfState, Unknown, VfState, Vlan, VlanProtocol

_UNKNOWN = "?"


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
    if pf.vfs:
        out.print(_vf_table(pf, wide=wide))
    reasons = _reasons(pf, wide=wide)
    for reason, names in reasons.items():
        out.print(Text(f"? {', '.join(names)}: {reason}", style="dim"), soft_wrap=True)


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


def _vf_table(pf: PfState, *, wide: bool) -> Table:
    headings = ["VF", "MAC", "VLAN", "SPOOFCHK", "TRUST", "LINK", "DRIVER", "WHERE"]
    more = ["PCI", "MIN", "MAX", "RSS-QUERY", "GUEST MAC", "GUID"] if wide else []
    table = grid(*headings, *more)
    for vf in pf.vfs:
        row = [
            str(vf.index),
            _word(vf.mac),
            _vlan(vf),
            _switch(vf.spoofchk),
            _switch(vf.trust),
            _word(vf.link_state),
            _word(vf.driver),
            _where(vf),
        ]
        if wide:
            row += [
                _word(vf.pci),
                _rate(vf.min_tx_rate_mbps),
                _rate(vf.max_tx_rate_mbps),
                _switch(vf.rss_query),
                str(vf.netdev.mac) if vf.netdev else "-",
                "-" if isinstance(vf.node_guid, Unknown) else _word(vf.node_guid),
            ]
        table.add_row(*row)
    return table


def _vlan(vf: VfState) -> str:
    if isinstance(vf.vlans, Unknown):
        return _UNKNOWN
    return "+".join(_vlan_word(vlan) for vlan in vf.vlans if vlan.id) or "-"


def _vlan_word(vlan: Vlan) -> str:
    qos = f"p{vlan.qos}" if vlan.qos else ""
    return f"{vlan.id}{qos}{'ad' if vlan.protocol is VlanProtocol.S_TAG else ''}"


def _where(vf: VfState) -> str:
    holder = vf.holder
    if isinstance(holder, Unknown):
        return _UNKNOWN
    return _holder_word(holder)


def _holder_word(holder: Holder) -> str:
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
    if isinstance(fact, Unknown):
        return _UNKNOWN
    return "on" if fact else "off"


def _rate(fact: object) -> str:
    if isinstance(fact, Unknown):
        return _UNKNOWN
    return f"{fact}M" if fact else "-"


def _reasons(pf: PfState, *, wide: bool) -> dict[str, list[str]]:
    """Why the facts shown as ``?`` are not known, each reason once, with the columns it is about."""
    columns = {
        "mac": "MAC",
        "vlans": "VLAN",
        "spoofchk": "SPOOFCHK",
        "trust": "TRUST",
        "link_state": "LINK",
        "driver": "DRIVER",
        "holder": "WHERE",
    }
    if wide:
        columns |= {"pci": "PCI", "min_tx_rate_mbps": "MIN", "max_tx_rate_mbps": "MAX", "rss_query": "RSS-QUERY"}
    found: dict[str, list[str]] = {}
    for field, heading in columns.items():
        for vf in pf.vfs:
            fact = getattr(vf, field)
            if isinstance(fact, Unknown) and heading not in found.setdefault(fact.reason, []):
                found[fact.reason].append(heading)
    return found
