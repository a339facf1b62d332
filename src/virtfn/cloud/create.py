"""Make, change and delete objects of a cloud. What is made is marked in the same call, so that no crash loses it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtfn.cloud.from_sdk import MARK
from virtfn.model.cloud import Kind, tag_of
from virtfn.model.cloud.fields import refuse_fixed
from virtfn.model.cloud.observed import ObservedObject
from virtfn.model.plan import Value
from virtfn.model.secrets import SECRET_FIELDS
from virtfn.planning.cloud.commands import cloud_name

_NETWORK = {
    "type": "provider_network_type",
    "physical_network": "provider_physical_network",
    "segmentation_id": "provider_segmentation_id",
    "mtu": "mtu",
    "shared": "is_shared",
    "port_security": "is_port_security_enabled",
}
_SUBNET = {"cidr": "cidr", "gateway": "gateway_ip", "dhcp": "is_dhcp_enabled", "dns": "dns_nameservers"}


@dataclass(frozen=True)
class Ids:
    """What names mean: our object of a kind (a network that is not ours is its id already); a flavor."""

    of: Callable[[Kind, str], str]
    flavor: Callable[[str], str]


def referred(kind: Kind, fields: Mapping[str, Value]) -> list[tuple[Kind, str]]:
    """The objects that one with these fields names, and whose ids ``create`` asks for."""
    if kind in (Kind.SUBNET, Kind.PORT):
        return [(Kind.NETWORK, str(fields["network"]))]
    if kind is not Kind.SERVER:
        return []
    groups = [(Kind.SERVER_GROUP, str(fields["server_group"]))] if "server_group" in fields else []
    return [*((Kind.PORT, name) for name in _names(fields["ports"])), *groups]


def secrets_of(fields: Mapping[str, Value]) -> list[str]:
    """What is sent for these fields and must not be repeated by an error."""
    return [_encoded(fields[name]) for name in SECRET_FIELDS if fields.get(name) is not None]


def create(sdk: Any, spec: str, kind: Kind, name: str, fields: Mapping[str, Value], ids: Ids) -> str:
    """Make an object with these fields, mark it, and return its id. The SDK's errors leave as they are."""
    if kind is Kind.SERVER_GROUP:
        return str(sdk.compute.create_server_group(name=cloud_name(spec, kind, name), policy=fields["policy"]).id)
    if kind is Kind.SERVER:
        return str(sdk.compute.create_server(name=name, metadata={MARK: spec}, **_server(fields, ids)).id)
    marked = {"name": name, "description": tag_of(spec)}
    if kind is Kind.NETWORK:
        made = sdk.network.create_network(**marked, **_renamed(fields, _NETWORK))
    elif kind is Kind.SUBNET:
        made = sdk.network.create_subnet(**marked, **_subnet(fields), **_new_subnet(fields, ids))
    else:
        made = sdk.network.create_port(**marked, **_port(fields, ids))
    sdk.network.set_tags(made, [tag_of(spec)])
    return str(made.id)


def change(sdk: Any, found: ObservedObject, fields: Mapping[str, Value]) -> None:
    """Set fields of a network or a subnet that is there. Raises UsageError for what cannot be set later."""
    refuse_fixed(found, fields)
    if found.kind is Kind.NETWORK:
        sdk.network.update_network(found.id, **_renamed(fields, _NETWORK))
    else:
        sdk.network.update_subnet(found.id, **_subnet(fields))


def delete(sdk: Any, found: ObservedObject) -> None:
    """Ask for the end of an object. A server is gone some time later, everything else at once."""
    proxy = sdk.compute if found.kind in (Kind.SERVER, Kind.SERVER_GROUP) else sdk.network
    getattr(proxy, f"delete_{found.kind.value}")(found.id, ignore_missing=True)


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


def _new_subnet(fields: Mapping[str, Value], ids: Ids) -> dict[str, Any]:
    version = 6 if ":" in str(fields["cidr"]) else 4
    return {"network_id": ids.of(Kind.NETWORK, str(fields["network"])), "ip_version": version}


def _port(fields: Mapping[str, Value], ids: Ids) -> dict[str, Any]:
    values: dict[str, Any] = {
        "network_id": ids.of(Kind.NETWORK, str(fields["network"])),
        "binding_vnic_type": fields["vnic_type"],
    }
    if "mac" in fields:
        values["mac_address"] = fields["mac"]
    if "fixed_ip" in fields:
        address = fields["fixed_ip"]
        values["fixed_ips"] = [] if address is None else [{"ip_address": address}]
    return values


def _server(fields: Mapping[str, Value], ids: Ids) -> dict[str, Any]:
    values: dict[str, Any] = {
        "image_id": fields["image"],
        "flavor_id": ids.flavor(str(fields["flavor"])),
        "networks": [{"port": ids.of(Kind.PORT, port)} for port in _names(fields["ports"])],
        **{key: fields[key] for key in ("host", "availability_zone", "key_name") if key in fields},
    }
    if "user_data" in fields:
        values["user_data"] = _encoded(fields["user_data"])
    if "server_group" in fields:
        values["scheduler_hints"] = {"group": ids.of(Kind.SERVER_GROUP, str(fields["server_group"]))}
    return values


def _encoded(user_data: Value) -> str:
    return base64.b64encode(str(user_data).encode()).decode()


def _names(value: Value) -> list[str]:
    return list(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else []
