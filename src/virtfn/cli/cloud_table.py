"""Where everything of a cloud spec is: a line a network, a line a direct port from its server to its VF."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from virtfn.cli.output import grid, print_table
from virtfn.model.cloud import CloudObject, Kind
from virtfn.model.plan import Value

_UNKNOWN = "?"
_ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class _Row:
    """A direct port; a server that has none; or a port that no server has."""

    server: str
    host: str
    slot: str
    network: str
    mac: str
    ips: str
    status: str


def print_networks(out: Console, objects: Sequence[CloudObject], names: Mapping[str, str]) -> None:
    """A line a network with its subnets; nothing where there is none. ``names``: as in ``print_servers``."""
    subnets = _of(objects, Kind.SUBNET)
    table = grid("NETWORK", "TYPE", "PHYSICAL", "MTU", "SUBNETS")
    for one in _of(objects, Kind.NETWORK):
        kind = " ".join(str(one.fields[name]) for name in ("type", "segmentation_id") if one.fields.get(name))
        physical = _told(one.fields.get("physical_network"))
        table.add_row(one.name, kind or _UNKNOWN, physical, _told(one.fields.get("mtu")), _ranges(one.name, subnets))
    ours = {one.name for one in _of(objects, Kind.NETWORK)}
    for name in sorted({str(one.fields["network"]) for one in subnets} - ours):
        table.add_row(names.get(name, name), "-", "-", "-", _ranges(name, subnets))
    if table.row_count:
        print_table(out, table)


def print_servers(out: Console, objects: Sequence[CloudObject], names: Mapping[str, str]) -> None:
    """A line a direct port: server, host, PCI address of the VF, network, MAC, IP; nothing where there is none.

    The PCI address is that of the VF (of the PF for a direct-physical port). That all is ACTIVE is not said for each.
    ``names``: those of networks that are not the spec's, by id.
    """
    rows = list(_rows(objects))
    if not rows:
        return
    told = any(row.status != _ACTIVE for row in rows)
    table = grid("SERVER", "HOST", "PCI ADDRESS", "NETWORK", "MAC", "IP", *(["STATUS"] if told else []))
    for row in rows:
        status = [Text(row.status, style="red" if row.status == "ERROR" else "")] if told else []
        network = names.get(row.network, row.network)
        table.add_row(row.server, row.host, row.slot, network, row.mac, row.ips, *status)
    print_table(out, table)


def _rows(objects: Sequence[CloudObject]) -> Iterator[_Row]:
    ports = _of(objects, Kind.PORT)
    held: set[str] = set()
    for server in _of(objects, Kind.SERVER):
        named = server.fields.get("ports")
        names = named if isinstance(named, Sequence) else ()
        own = [port for port in ports if port.facts.get("device") == server.id or port.name in names]
        held |= {port.id for port in own}
        for port in own:
            yield _row(port, server.name, server)
        if not own:
            host = _told(server.facts.get("host"))
            yield _Row(server.name, host, "-", "-", "-", "-", str(server.facts.get("status")))
    for port in ports:
        if port.id not in held:
            yield _row(port, f"(port {port.name})", None)


def _row(port: CloudObject, name: str, server: CloudObject | None) -> _Row:
    facts, status = port.facts, _told(port.facts.get("status"))
    if server and server.facts.get("status") != _ACTIVE:
        status = str(server.facts.get("status"))
    ips = facts.get("ips")
    return _Row(
        name,
        _told((server.facts.get("host") if server else None) or facts.get("host")),
        _told(facts["pci_slot"]) if "pci_slot" in facts else _UNKNOWN,
        str(port.fields.get("network")),
        _told(facts.get("mac")),
        ",".join(map(str, ips)) if isinstance(ips, Sequence) and ips else "-",
        status,
    )


def _ranges(network: str, subnets: Sequence[CloudObject]) -> str:
    own = [f"{one.name} {one.fields.get('cidr')}" for one in subnets if one.fields.get("network") == network]
    return ", ".join(own) or "-"


def _of(objects: Sequence[CloudObject], kind: Kind) -> list[CloudObject]:
    """Those of one kind; vm-2 before vm-10."""
    return sorted((one for one in objects if one.kind is kind), key=lambda one: _by_number(one.name))


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _told(value: Value) -> str:
    return "-" if value in (None, "") else str(value)
