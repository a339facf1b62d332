"""Make, change and delete objects of a cloud. What is made is marked in the same call, so that no crash loses it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from virtfn.cloud.reading import MARK
from virtfn.model.cloud import CloudObject, Kind, tag_of
from virtfn.model.plan import Value
from virtfn.planning.cloud_commands import cloud_name

DELETION_S = 180
_NETWORK = {
    "type": "provider_network_type",
    "physical_network": "provider_physical_network",
    "segmentation_id": "provider_segmentation_id",
    "mtu": "mtu",
    "shared": "is_shared",
    "port_security": "is_port_security_enabled",
}
_SUBNET = {"cidr": "cidr", "gateway": "gateway_ip", "dhcp": "is_dhcp_enabled", "dns": "dns_nameservers"}

Resolve = Callable[[Kind, str], str]
"""The id of our object of this kind and name, or of a network that is not ours."""


def create(sdk: Any, spec: str, kind: Kind, name: str, fields: Mapping[str, Value], resolve: Resolve) -> None:
    """Make an object with these fields, and mark it. The SDK's errors leave as they are."""
    if kind is Kind.SERVER_GROUP:
        sdk.compute.create_server_group(name=cloud_name(spec, kind, name), policy=fields["policy"])
        return
    if kind is Kind.SERVER:
        sdk.compute.create_server(name=name, metadata={MARK: spec}, **_server(sdk, fields, resolve))
        return
    marked = {"name": name, "description": tag_of(spec)}
    if kind is Kind.NETWORK:
        made = sdk.network.create_network(**marked, **_renamed(fields, _NETWORK))
    elif kind is Kind.SUBNET:
        made = sdk.network.create_subnet(**marked, **_subnet(fields), **_new_subnet(fields, resolve))
    else:
        made = sdk.network.create_port(**marked, **_port(fields, resolve))
    sdk.network.set_tags(made, [tag_of(spec)])


def change(sdk: Any, found: CloudObject, fields: Mapping[str, Value]) -> None:
    """Set fields of a network or a subnet that is there."""
    if found.kind is Kind.NETWORK:
        sdk.network.update_network(found.id, **_renamed(fields, _NETWORK))
    else:
        sdk.network.update_subnet(found.id, **_subnet(fields))


def delete(sdk: Any, found: CloudObject) -> None:
    """Delete an object; of a server, wait until it is gone, as its ports and network are next."""
    if found.kind is Kind.SERVER:
        server = sdk.compute.get_server(found.id)
        sdk.compute.delete_server(server, ignore_missing=True)
        sdk.compute.wait_for_delete(server, interval=1, wait=DELETION_S)
        return
    calls = {
        Kind.NETWORK: sdk.network.delete_network,
        Kind.SUBNET: sdk.network.delete_subnet,
        Kind.PORT: sdk.network.delete_port,
        Kind.SERVER_GROUP: sdk.compute.delete_server_group,
    }
    calls[found.kind](found.id, ignore_missing=True)


def _renamed(fields: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    return {names[field]: value for field, value in fields.items() if field in names}


def _subnet(fields: Mapping[str, Value]) -> dict[str, Any]:
    values: dict[str, Any] = _renamed(fields, _SUBNET)
    pools = fields.get("pools")
    if isinstance(pools, Sequence) and not isinstance(pools, str):
        values["allocation_pools"] = [
            {"start": pool[0], "end": pool[1]} for pool in pools if isinstance(pool, Sequence)
        ]
    return values


def _new_subnet(fields: Mapping[str, Value], resolve: Resolve) -> dict[str, Any]:
    version = 6 if ":" in str(fields["cidr"]) else 4
    return {"network_id": resolve(Kind.NETWORK, str(fields["network"])), "ip_version": version}


def _port(fields: Mapping[str, Value], resolve: Resolve) -> dict[str, Any]:
    values: dict[str, Any] = {
        "network_id": resolve(Kind.NETWORK, str(fields["network"])),
        "binding_vnic_type": fields["vnic_type"],
    }
    if "mac" in fields:
        values["mac_address"] = fields["mac"]
    if "fixed_ip" in fields:
        values["fixed_ips"] = [{"ip_address": fields["fixed_ip"]}]
    return values


def _server(sdk: Any, fields: Mapping[str, Value], resolve: Resolve) -> dict[str, Any]:
    ports = fields["ports"] if isinstance(fields["ports"], Sequence) else ()
    values: dict[str, Any] = {
        "image_id": sdk.image.find_image(fields["image"], ignore_missing=False).id,
        "flavor_id": sdk.compute.find_flavor(fields["flavor"], ignore_missing=False).id,
        "networks": [{"port": resolve(Kind.PORT, str(port))} for port in ports],
        **{key: fields[key] for key in ("host", "availability_zone", "key_name") if key in fields},
    }
    if "user_data" in fields:
        values["user_data"] = base64.b64encode(str(fields["user_data"]).encode()).decode()
    if "server_group" in fields:
        values["scheduler_hints"] = {"group": resolve(Kind.SERVER_GROUP, str(fields["server_group"]))}
    return values
