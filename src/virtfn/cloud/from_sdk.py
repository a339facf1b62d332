"""From the SDK's resources to cloud objects in normal form.

The field names are the SDK's; their meaning is in its ``network/v2`` and ``compute/v2`` modules.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from virtfn.model.cloud import CloudObject, Kind, NicAgent
from virtfn.model.cloud.survey import Allowance, ComputeHost, Flavor, Image, SegmentRange, Zone
from virtfn.model.plan import Value
from virtfn.model.secrets import without_secrets
from virtfn.planning.cloud.commands import cloud_name
from virtfn.planning.cloud.wanted_objects import address_order

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


def network_object(one: Any) -> CloudObject:
    """A network. Its type and where it is are told to administrators only."""
    fields: dict[str, Value] = {
        "mtu": one.mtu,
        "shared": one.is_shared,
        "port_security": one.is_port_security_enabled,
    }
    if one.provider_network_type is not None:
        fields |= {
            "type": one.provider_network_type,
            "physical_network": one.provider_physical_network,
            "segmentation_id": one.provider_segmentation_id,
        }
    facts: dict[str, Value] = {"status": one.status, "subnets": len(one.subnet_ids or ())}
    return CloudObject(Kind.NETWORK, one.name, one.id, fields, facts)


def subnet_object(one: Any, own: Mapping[str, str]) -> CloudObject:
    """A subnet; its pools in the order of their addresses. ``own``: names of the spec's networks, by id."""
    pools = [[pool["start"], pool["end"]] for pool in one.allocation_pools or ()]
    fields: dict[str, Value] = {
        "network": own.get(one.network_id, one.network_id),
        "cidr": str(ipaddress.ip_network(one.cidr)),
        "pools": [list(pool) for pool in sorted(pools, key=address_order)],
        "gateway": one.gateway_ip or None,
        "dhcp": one.is_dhcp_enabled,
        "dns": list(one.dns_nameservers or ()),
    }
    return CloudObject(Kind.SUBNET, one.name, one.id, fields)


def port_object(one: Any, own: Mapping[str, str]) -> CloudObject:
    """A port; where it is bound is told to administrators only. ``own``: names of the spec's networks, by id."""
    ips = [str(ipaddress.ip_address(entry["ip_address"])) for entry in one.fixed_ips or ()]
    fields: dict[str, Value] = {
        "network": own.get(one.network_id, one.network_id),
        "vnic_type": one.binding_vnic_type,
        "mac": one.mac_address,
        "fixed_ip": ips[0] if ips else None,
    }
    facts: dict[str, Value] = {"status": one.status, "mac": one.mac_address, "ips": ips}
    facts |= {"owner": one.device_owner, "device": one.device_id}
    if one.binding_vif_type is not None:
        facts |= {"vif_type": one.binding_vif_type, "host": one.binding_host_id}
    if one.binding_profile is not None:
        facts["pci_slot"] = one.binding_profile.get("pci_slot", "")
    return CloudObject(Kind.PORT, one.name, one.id, fields, facts)


def group_object(one: Any, name: str) -> CloudObject:
    """A server group, by its name below our mark."""
    policy = one.policy or next(iter(one.policies or ()), None)
    return CloudObject(Kind.SERVER_GROUP, name, one.id, {"policy": policy})


def group_name(spec: str, full: str) -> str | None:
    """The name below the mark of this spec, or None where the group is not ours."""
    mark = cloud_name(spec, Kind.SERVER_GROUP, "")
    return full.removeprefix(mark) if full.startswith(mark) else None


def server_object(one: Any, names: Names) -> CloudObject:
    """A server; its ports are told while it runs only, its image also when that is gone."""
    fields: dict[str, Value] = {
        "image": (one.image.id if one.image else None) or None,
        "flavor": one.flavor.original_name or names.flavors.get(one.flavor.id, one.flavor.id),
        "host": one.compute_host,
        "availability_zone": one.availability_zone or None,
        "key_name": one.key_name,
        "server_group": names.groups.get(one.id),
    }
    if one.status == "ACTIVE":
        fields["ports"] = list(names.ports.get(one.id, ()))
    facts: dict[str, Value] = {"status": one.status, "host": one.compute_host}
    if one.fault:
        facts["fault"] = without_secrets(str(one.fault.get("message", one.fault)))
    return CloudObject(Kind.SERVER, one.name, one.id, fields, facts)


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


def ports_by_server(ports: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """Names of ports by the server that has them; they end in their number, so a longer name comes later."""
    found: dict[str, list[str]] = {}
    for port in ports:
        if port.device_id:
            found.setdefault(port.device_id, []).append(port.name)
    return {server: tuple(sorted(names, key=lambda name: (len(name), name))) for server, names in found.items()}
