"""A desired cloud as its objects, in the order of creation. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from virtfn.model.addresses import MacAddress
from virtfn.model.cloud import (
    DesiredCloud,
    DesiredNetwork,
    DesiredPort,
    DesiredServer,
    DesiredSubnet,
    Kind,
)
from virtfn.model.cloud.observed import ObservedCloud, ObservedNetwork
from virtfn.model.desired import UNSET
from virtfn.model.plan import Value

ANTI_AFFINITY = "anti-affinity"


@dataclass(frozen=True)
class WantedObject:
    """An object as declared: the fields that the spec names, in normal form. ``where`` is its entry in the spec."""

    kind: Kind
    name: str
    fields: Mapping[str, Value]
    where: str


def wanted_objects(desired: DesiredCloud) -> tuple[WantedObject, ...]:
    """All objects: networks, subnets, ports, server groups, servers; each after the objects that it needs."""
    return (
        *(WantedObject(Kind.NETWORK, one.name, _network(one), one.where) for one in desired.networks),
        *(
            WantedObject(Kind.SUBNET, subnet.name, _subnet(subnet, one.name), subnet.where)
            for one in desired.networks
            for subnet in one.subnets
        ),
        *_ports(desired.servers),
        *_groups(desired.servers),
        *(WantedObject(Kind.SERVER, one.name, _server(one), one.where) for one in desired.servers),
    )


def physical_network_of(port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud) -> str | None:
    """The physical network that a port's network is on; None where it is not known."""
    for network in desired.networks:
        if network.name == port.network:
            return network.physical_network
    found = other_network_of(port, desired, observed)
    told = found.physical_network if found else None
    return told if isinstance(told, str) and told else None


def other_network_of(port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud) -> ObservedNetwork | None:
    """The foreign network of a port; None where the port is on a network of the spec, or the name is not unique."""
    if any(network.name == port.network for network in desired.networks):
        return None
    meant = observed.networks.meant(port.network)
    every = (*observed.ours, *observed.others)
    return next((one for one in every if isinstance(one, ObservedNetwork) and meant == (one.id,)), None)


def bare_networks(desired: DesiredCloud, observed: ObservedCloud) -> frozenset[str]:
    """The spec's networks without subnets, in the spec and in the cloud."""
    return frozenset(
        network.name
        for network in desired.networks
        if not network.subnets and not ((found := observed.network(network.name)) and found.subnets)
    )


def physical_networks(desired: DesiredCloud, observed: ObservedCloud) -> frozenset[str]:
    """The physical networks of the spec's servers, as far as known."""
    ports = (port for server in desired.servers for port in server.ports)
    return frozenset(name for port in ports if (name := physical_network_of(port, desired, observed)))


def address_order(pool: Iterable[str]) -> list[tuple[int, int]]:
    """The key by which pools are sorted: by address, not by letter."""
    addresses = [ipaddress.ip_address(text) for text in pool]
    return [(address.version, int(address)) for address in addresses]


def _network(one: DesiredNetwork) -> dict[str, Value]:
    return {
        "type": one.type.value,
        "physical_network": one.physical_network,
        **_named(one, "segmentation_id", "mtu", "shared", "port_security"),
    }


def _subnet(one: DesiredSubnet, network: str) -> dict[str, Value]:
    fields: dict[str, Value] = {"network": network, "cidr": one.cidr}
    if one.pools is not UNSET:
        fields["pools"] = [list(pool) for pool in sorted(one.pools, key=address_order)]
    if one.dns is not UNSET:
        fields["dns"] = list(one.dns)
    return {**fields, **_named(one, "gateway", "dhcp")}


def _ports(servers: Iterable[DesiredServer]) -> Iterator[WantedObject]:
    for server in servers:
        for port in server.ports:
            fields = {"network": port.network, "vnic_type": port.vnic_type.value, **_named(port, "mac", "fixed_ip")}
            yield WantedObject(Kind.PORT, port.name, fields, server.where)


def _groups(servers: Iterable[DesiredServer]) -> Iterator[WantedObject]:
    first: dict[str, str] = {}
    for server in servers:
        if server.anti_affinity is not UNSET:
            first.setdefault(server.anti_affinity, server.where)
    for name, where in first.items():
        yield WantedObject(Kind.SERVER_GROUP, name, {"policy": ANTI_AFFINITY}, where)


def _server(one: DesiredServer) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "image": one.image,
        "flavor": one.flavor,
        "ports": [port.name for port in one.ports],
        **_named(one, "host", "availability_zone", "user_data", "key_name"),
    }
    if one.anti_affinity is not UNSET:
        fields["server_group"] = one.anti_affinity
    return fields


def _named(one: object, *names: str) -> dict[str, Value]:
    said: dict[str, Any] = {name: getattr(one, name) for name in names}
    return {
        name: str(value) if isinstance(value, MacAddress) else value
        for name, value in said.items()
        if value is not UNSET
    }
