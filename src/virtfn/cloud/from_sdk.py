"""From the SDK's resources to values of the model, in normal form.

The field names are the SDK's; their meaning is in its ``network/v2`` and ``compute/v2`` modules.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from virtfn.model.cloud import Kind
from virtfn.model.cloud.observed import (
    NOT_TOLD,
    NicAgent,
    ObservedNetwork,
    ObservedPort,
    ObservedServer,
    ObservedServerGroup,
    ObservedSubnet,
)
from virtfn.model.cloud.survey import Allowance, ComputeHost, Flavor, Image, SegmentRange, Zone
from virtfn.model.inventory import Known, Unknown
from virtfn.model.secrets import without_secrets
from virtfn.planning.cloud.commands import cloud_name
from virtfn.planning.cloud.wanted_objects import address_order

T = TypeVar("T")
ADMIN_ONLY = Unknown("the cloud tells it to administrators only")
_NOT_RUNNING = Unknown("it is known only while the server runs")
MARK = "virtfn"
"""The key in a server's metadata whose value is the spec's name."""


@dataclass(frozen=True)
class Names:
    """How servers refer to other objects."""

    flavors: Mapping[str, str]
    """Names by id."""
    groups: Mapping[str, str]
    """Server groups by the id of each member: servers in a list do not name theirs (nova API reference, 2.71)."""
    ports: Mapping[str, tuple[str, ...]]
    """By the server's id, in the order in which it sees them."""


def network(one: Any) -> ObservedNetwork:
    """A network. Only administrators can read its type and segment."""
    is_told = one.provider_network_type is not None
    return ObservedNetwork(
        one.name or "",
        one.id,
        type=one.provider_network_type if is_told else ADMIN_ONLY,
        physical_network=one.provider_physical_network if is_told else ADMIN_ONLY,
        segmentation_id=one.provider_segmentation_id if is_told else ADMIN_ONLY,
        mtu=_told(one.mtu),
        shared=_told(one.is_shared),
        port_security=_told(one.is_port_security_enabled),
        status=one.status or "",
        subnets=len(one.subnet_ids or ()),
    )


def subnet(one: Any, own: Mapping[str, str]) -> ObservedSubnet:
    """A subnet; its pools in the order of their addresses. ``own``: names of the spec's networks, by id."""
    pools = [(pool["start"], pool["end"]) for pool in one.allocation_pools or ()]
    return ObservedSubnet(
        one.name,
        one.id,
        network=own.get(one.network_id, one.network_id),
        cidr=str(ipaddress.ip_network(one.cidr)),
        pools=tuple(sorted(pools, key=address_order)),
        gateway=one.gateway_ip or None,
        dhcp=one.is_dhcp_enabled,
        dns=tuple(one.dns_nameservers or ()),
    )


def port(one: Any, own: Mapping[str, str]) -> ObservedPort:
    """A port; only administrators can read where it is bound. ``own``: names of the spec's networks, by id."""
    is_told = one.binding_vif_type is not None
    profile = one.binding_profile
    return ObservedPort(
        one.name or "",
        one.id,
        network=own.get(one.network_id, one.network_id),
        vnic_type=one.binding_vnic_type,
        mac=one.mac_address,
        ips=tuple(str(ipaddress.ip_address(entry["ip_address"])) for entry in one.fixed_ips or ()),
        status=one.status,
        device_owner=one.device_owner or "",
        device_id=one.device_id or "",
        vif_type=one.binding_vif_type if is_told else ADMIN_ONLY,
        host=one.binding_host_id or "" if is_told else ADMIN_ONLY,
        pci_slot=ADMIN_ONLY if profile is None else str(profile.get("pci_slot") or ""),
    )


def server_group(one: Any, name: str) -> ObservedServerGroup:
    """A server group, by its name below our mark."""
    return ObservedServerGroup(name, one.id, one.policy or next(iter(one.policies or ()), None))


def group_name(spec: str, full: str) -> str | None:
    """The name below the mark of this spec, or None where the group is not ours."""
    mark = cloud_name(spec, Kind.SERVER_GROUP, "")
    return full.removeprefix(mark) if full.startswith(mark) else None


def server(one: Any, names: Names) -> ObservedServer:
    """A server; its ports are known only while it runs, its image also when that is deleted."""
    return ObservedServer(
        one.name,
        one.id,
        image=(one.image.id if one.image else None) or None,
        flavor=one.flavor.original_name or names.flavors.get(one.flavor.id, one.flavor.id),
        ports=names.ports.get(one.id, ()) if one.status == "ACTIVE" else _NOT_RUNNING,
        host=one.compute_host or None,
        availability_zone=one.availability_zone or None,
        key_name=one.key_name,
        server_group=names.groups.get(one.id),
        status=one.status,
        fault=without_secrets(str(one.fault.get("message", one.fault))) if one.fault else "",
    )


def nic_agent(one: Any) -> NicAgent:
    """A NIC Switch agent, with what its ``physical_device_mappings`` name and how many VFs it sees in use."""
    told = one.configuration or {}
    mappings = told.get("device_mappings") or {}
    pfs = {physical: tuple(devices) for physical, devices in sorted(mappings.items())}
    return NicAgent(
        one.host, bool(one.is_alive), tuple(pfs), pfs, told.get("devices"), str(one.last_heartbeat_at or "")
    )


def image(one: Any) -> Image:
    """An image with what it asks of a flavor."""
    return Image(one.name or "", one.status, int(one.min_disk or 0), int(one.min_ram or 0), one.id)


def flavor(one: Any) -> Flavor:
    """A flavor's size."""
    return Flavor(one.name, int(one.vcpus or 0), int(one.ram or 0), int(one.disk or 0), id=one.id)


def compute_host(one: Any) -> ComputeHost:
    """A host by its nova-compute service."""
    return ComputeHost(one.host, one.availability_zone or "", one.state == "up", one.status == "enabled")


def zone(one: Any) -> Zone:
    """An availability zone."""
    return Zone(one.name, bool((one.state or {}).get("available")))


def segment_range(one: Any) -> SegmentRange:
    """A range of segmentation ids."""
    return SegmentRange(one.network_type, one.physical_network or "", int(one.minimum), int(one.maximum))


def allowance(limit: Any, used: Any, reserved: Any = 0) -> Allowance:
    """A quota; -1 is how both services say that there is no limit."""
    return Allowance(None if int(limit) < 0 else int(limit), int(used or 0) + int(reserved or 0))


def _told(value: T | None) -> Known[T]:
    return NOT_TOLD if value is None else value


def ports_by_server(ports: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """Names of ports by the server that has them; they end in their number, so a longer name comes later."""
    found: dict[str, list[str]] = {}
    for port in ports:
        if port.device_id:
            found.setdefault(port.device_id, []).append(port.name)
    return {server: tuple(sorted(names, key=lambda name: (len(name), name))) for server, names in found.items()}
