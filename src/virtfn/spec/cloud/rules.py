"""Faults between keys of a cloud spec: values that do not fit each other, that are there twice, or out of range."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from virtfn.model.cloud import NetworkType
from virtfn.spec.cloud.cloud_format import NetworkEntry, PortEntry, ServerEntry, SubnetEntry
from virtfn.spec.cloud.values import NUMBER
from virtfn.spec.problems import CONFLICT, Findings, Path, quoted

Networks = Mapping[Path, NetworkEntry]
Servers = Mapping[Path, ServerEntry]


def check(networks: Networks, servers: Servers, findings: Findings, *, doubtful: bool) -> None:
    """Note contradictions between the keys of these entries, each of which is valid alone.

    ``doubtful``: entries are missing because they are wrong; what might be about them is not noted.
    """
    once = _Once(findings)
    for path, network in networks.items():
        _check_network(path, network, findings, once)
    by_name = {network.name: network for network in networks.values()}
    for path, server in servers.items():
        _check_names(path, server, findings, once)
        for number, port in enumerate(server.ports):
            place = (*path, "ports", number)
            _check_alone(place, port, server, findings, once)
            if not doubtful:
                _check_address(place, port, by_name.get(port.network), findings)


class _Once:
    """Notes values that are there twice where once is allowed."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._first: dict[tuple[str, Any], Path] = {}

    def add(self, what: str, value: Any, path: Path, remedy: str) -> None:
        first = self._first.setdefault((what, value), path)
        if first != path:
            line = self._findings.line(first)
            self._findings.add(path, f"{quoted(value)} is {what} on line {line} already", remedy, CONFLICT)


def _check_network(path: Path, network: NetworkEntry, findings: Findings, once: _Once) -> None:
    once.add("the name of a network", network.name, (*path, "name"), "give each its own name")
    if network.type is NetworkType.FLAT:
        place = (*path, "physical_network")
        remedy = "a physical network carries one flat network: use it, or make this one a vlan network"
        once.add("the physical network of a flat network", network.physical_network, place, remedy)
        if "segmentation_id" in network.model_fields_set:
            what = "a flat network has no segmentation id"
            findings.add((*path, "segmentation_id"), what, "leave it out, or write type: vlan", CONFLICT)
    for number, subnet in enumerate(network.subnets):
        place = (*path, "subnets", number)
        once.add("the name of a subnet", subnet.name, (*place, "name"), "give each its own name")
        _check_subnet(place, subnet, findings)
        for other in network.subnets[:number]:
            if _overlap(_range(subnet), _range(other)):
                findings.add((*place, "cidr"), f"{subnet.cidr} overlaps {other.cidr}", "let them lie apart", CONFLICT)


def _range(subnet: SubnetEntry) -> tuple[int, int, int]:
    """IP version, first and last address as numbers; so are pools compared."""
    cidr = ipaddress.ip_network(subnet.cidr)
    return cidr.version, int(cidr[0]), int(cidr[-1])


def _overlap(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]


def _address(text: str) -> tuple[int, int, int]:
    address = ipaddress.ip_address(text)
    return address.version, int(address), int(address)


def _is_in(text: str, span: tuple[int, int, int]) -> bool:
    return _overlap(_address(text), span)


def _check_subnet(path: Path, subnet: SubnetEntry, findings: Findings) -> None:
    pools = list(subnet.pools) if "pools" in subnet.model_fields_set else []
    spans = [(*_address(first)[:2], _address(last)[1]) for first, last in pools]
    for number, (first, last) in enumerate(pools):
        place = (*path, "pools", number)
        if not _is_in(first, _range(subnet)) or not _is_in(last, _range(subnet)):
            what = f"{first}-{last} is not all in {subnet.cidr}"
            findings.add(place, what, "keep it within the range of the subnet", CONFLICT)
        elif spans[number][1] > spans[number][2]:
            findings.add(place, f"{first} is behind {last}", f"write {last}-{first}", CONFLICT)
        elif any(_overlap(spans[number], other) for other in spans[:number]):
            findings.add(place, "it overlaps another pool", "let pools lie apart", CONFLICT)
    gateway = subnet.gateway if "gateway" in subnet.model_fields_set else None
    if gateway and any(_is_in(gateway, span) for span in spans):
        findings.add((*path, "gateway"), f"{gateway} lies in a pool", "leave it out of the pools", CONFLICT)


def _check_names(path: Path, server: ServerEntry, findings: Findings, once: _Once) -> None:
    several = "count" in server.model_fields_set
    if several and server.count > 1 and NUMBER not in server.name:
        remedy = f"write {server.name}-{NUMBER}"
        findings.add((*path, "name"), f"{server.count} servers would have the name {server.name}", remedy, CONFLICT)
        return
    if not several and NUMBER in server.name:
        findings.add((*path, "name"), f"{NUMBER} needs count, which is not given", "add count: 2", CONFLICT)
        return
    for name in _names(server):
        once.add("the name of a server", name, (*path, "name"), "give each its own name")


def _names(server: ServerEntry) -> Iterator[str]:
    return (server.name.replace(NUMBER, str(number), 1) for number in range(1, server.count + 1))


def _check_alone(path: Path, port: PortEntry, server: ServerEntry, findings: Findings, once: _Once) -> None:
    for key, what in (("mac", "MAC"), ("fixed_ip", "IP address")):
        if key not in port.model_fields_set or getattr(port, key) is None:
            continue
        if server.count > 1:
            remedy = "leave it out, or give each server an entry of its own"
            findings.add((*path, key), f"{server.count} servers would have one {what}", remedy, CONFLICT)
            continue
        remedy = "give each port its own"
        once.add(f"the {what} of a port of {port.network}", str(getattr(port, key)), (*path, key), remedy)


def _check_address(path: Path, port: PortEntry, network: NetworkEntry | None, findings: Findings) -> None:
    if network is None or "fixed_ip" not in port.model_fields_set or port.fixed_ip is None:
        return
    if not any(_is_in(port.fixed_ip, _range(subnet)) for subnet in network.subnets):
        ranges = ", ".join(subnet.cidr for subnet in network.subnets) or "no subnet"
        what = f"{port.fixed_ip} is in no subnet of {network.name} ({ranges})"
        findings.add((*path, "fixed_ip"), what, "take an address of one of them", CONFLICT)
