"""The objects of a cloud spec as text: where each is, how it differs from the spec, what is not ready and why."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from virtfn.cli.console import Console, Table
from virtfn.cli.findings_view import print_findings
from virtfn.model.cloud.observed import (
    O,
    ObservedNetwork,
    ObservedObject,
    ObservedPort,
    ObservedServer,
    ObservedServerGroup,
    ObservedSubnet,
)
from virtfn.model.inventory import Unknown
from virtfn.services.cloud_state import CloudView

_UNKNOWN = "?"
_ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class _TableRow:
    """A direct port; a server that has none; or a port that no server has."""

    server: str
    host: str
    slot: str
    network: str
    mac: str
    ips: str
    status: str


def print_cloud(out: Console, view: CloudView) -> None:
    """The networks of a spec, then one line per direct port; below them differences and what is not ready."""
    if _is_nothing(out, view):
        return
    print_networks(out, view.objects, view.names)
    if any(isinstance(one, ObservedNetwork | ObservedSubnet) for one in view.objects):
        out.print()
    print_servers(out, view.objects, view.names)
    _print_remarks(out, view)


def print_cloud_objects(out: Console, view: CloudView) -> None:
    """The objects of a spec, one line each, of every kind; below them differences and what is not ready."""
    if _is_nothing(out, view):
        return
    table = Table("KIND", "NAME", "STATUS", "WHERE", "WHAT")
    for one in view.objects:
        status = getattr(one, "status", "") or "-"
        style = "red" if status == "ERROR" else ""
        table.add_row(one.kind.value, one.name, (status, style), _where(one), _what(one, view.names))
    out.print_table(table)
    _print_remarks(out, view)


def print_networks(out: Console, objects: Sequence[ObservedObject], names: Mapping[str, str]) -> None:
    """One line per network with its subnets; nothing where there is none. ``names``: as in ``print_servers``."""
    networks = _sorted(one for one in objects if isinstance(one, ObservedNetwork))
    subnets = _sorted(one for one in objects if isinstance(one, ObservedSubnet))
    table = Table("NETWORK", "TYPE", "PHYSICAL", "MTU", "SUBNETS")
    for one in networks:
        vlan = f" {one.segmentation_id}" if isinstance(one.segmentation_id, int) and one.segmentation_id else ""
        table.add_row(
            one.name,
            f"{_text(one.type)}{vlan}",
            _text(one.physical_network),
            _text(one.mtu),
            _ranges(one.name, subnets),
        )
    for name in sorted({one.network for one in subnets} - {one.name for one in networks}):
        table.add_row(names.get(name, name), "-", "-", "-", _ranges(name, subnets))
    if not table.is_empty:
        out.print_table(table)


def print_servers(out: Console, objects: Sequence[ObservedObject], names: Mapping[str, str]) -> None:
    """One line per direct port: server, host, PCI address of the VF, network, MAC, IP; nothing where there is none.

    The PCI address is that of the VF (of the PF for a direct-physical port). STATUS is left out where all are ACTIVE.
    ``names``: those of networks that are not the spec's, by id.
    """
    rows = list(_rows(objects))
    if not rows:
        return
    with_status = any(row.status != _ACTIVE for row in rows)
    table = Table("SERVER", "HOST", "PCI ADDRESS", "NETWORK", "MAC", "IP", *(["STATUS"] if with_status else []))
    for row in rows:
        status = [(row.status, "red" if row.status == "ERROR" else "")] if with_status else []
        network = names.get(row.network, row.network)
        table.add_row(row.server, row.host, row.slot, network, row.mac, row.ips, *status)
    out.print_table(table)


def _is_nothing(out: Console, view: CloudView) -> bool:
    if not view.objects:
        out.print(f"Nothing in cloud {view.cloud} bears the tag virtfn:{view.spec}.")
    return not view.objects


def _print_remarks(out: Console, view: CloudView) -> None:
    for line in view.remarks:
        out.print(f"  ! {line}", style="yellow")
    ready = view.readiness
    print_findings(out, (*view.differences, *ready.waiting, *ready.failed, *ready.findings))


def _rows(objects: Sequence[ObservedObject]) -> Iterator[_TableRow]:
    ports = _sorted(one for one in objects if isinstance(one, ObservedPort))
    shown: set[str] = set()
    for server in _sorted(one for one in objects if isinstance(one, ObservedServer)):
        names = () if isinstance(server.ports, Unknown) else server.ports
        own = [port for port in ports if port.device_id == server.id or port.name in names]
        shown |= {port.id for port in own}
        for port in own:
            yield _row(port, server.name, server)
        if not own:
            yield _TableRow(server.name, _text(server.host), "-", "-", "-", "-", server.status)
    for port in ports:
        if port.id not in shown:
            yield _row(port, f"(port {port.name})", None)


def _row(port: ObservedPort, name: str, server: ObservedServer | None) -> _TableRow:
    return _TableRow(
        name,
        _text((server.host if server else None) or port.host),
        _text(port.pci_slot),
        port.network,
        port.mac or "-",
        ",".join(port.ips) or "-",
        server.status if server and server.status != _ACTIVE else port.status,
    )


def _ranges(network: str, subnets: Sequence[ObservedSubnet]) -> str:
    return ", ".join(f"{one.name} {one.cidr}" for one in subnets if one.network == network) or "-"


def _where(one: ObservedObject) -> str:
    if not isinstance(one, ObservedPort | ObservedServer):
        return "-"
    parts = (one.host, one.pci_slot if isinstance(one, ObservedPort) else None)
    return " ".join(part for part in parts if isinstance(part, str) and part) or "-"


def _what(one: ObservedObject, names: Mapping[str, str]) -> str:
    match one:
        case ObservedNetwork():
            parts: tuple[object, ...] = (one.type, one.physical_network, one.segmentation_id)
        case ObservedSubnet():
            parts = (one.cidr, one.network)
        case ObservedPort():
            parts = (one.vnic_type, one.network, one.mac, *one.ips)
        case ObservedServerGroup():
            parts = (one.policy,)
        case ObservedServer():
            parts = (one.image, one.flavor)
    shown = (str(part) for part in parts if part and not isinstance(part, Unknown))
    return " ".join(names.get(part, part) for part in shown)


def _sorted(found: Iterable[O]) -> list[O]:
    """By name; vm-2 before vm-10."""
    return sorted(found, key=lambda one: _by_number(one.name))


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _text(value: object) -> str:
    if isinstance(value, Unknown):
        return _UNKNOWN
    return "-" if value in (None, "") else str(value)
