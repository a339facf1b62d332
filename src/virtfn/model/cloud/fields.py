"""The fields of cloud objects in normal form: the definition of an object, and the fields that can be changed.

An object is made and deleted by its ``definition``: the fields that never change, as one mapping (None: not there). Its
other fields are separate; those in ``LATER`` can be set afterwards, the rest only at creation.

| kind | definition | further fields |
|---|---|---|
| network | type, physical_network | segmentation_id, mtu, shared, port_security |
| subnet | network, cidr | pools ([["192.0.2.10", "192.0.2.20"]]), gateway (None: none), dhcp, dns (list) |
| port | network, vnic_type | mac, fixed_ip (None: no address) |
| server_group | policy | |
| server | image, flavor | ports (names, in order), host, availability_zone, user_data, key_name, server_group |

``ports`` is not known of a server that does not run. MACs are in lower case, IP addresses in the form of RFC 5952;
networks of the same spec and flavors are names, other networks and images are ids: their names may move to other
objects.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from virtfn.errors import UsageError
from virtfn.model.cloud import Kind, meant_by
from virtfn.model.cloud.observed import NOT_TOLD, O, ObservedObject
from virtfn.model.inventory import Unknown
from virtfn.model.plan import DEFINITION, Target, Value

DEFINED_BY: Mapping[Kind, tuple[str, ...]] = {
    Kind.NETWORK: ("type", "physical_network"),
    Kind.SUBNET: ("network", "cidr"),
    Kind.PORT: ("network", "vnic_type"),
    Kind.SERVER_GROUP: ("policy",),
    Kind.SERVER: ("image", "flavor"),
}
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.NETWORK: (*DEFINED_BY[Kind.NETWORK], "segmentation_id", "mtu", "shared", "port_security"),
    Kind.SUBNET: (*DEFINED_BY[Kind.SUBNET], "pools", "gateway", "dhcp", "dns"),
    Kind.PORT: (*DEFINED_BY[Kind.PORT], "mac", "fixed_ip"),
    Kind.SERVER_GROUP: DEFINED_BY[Kind.SERVER_GROUP],
    Kind.SERVER: (
        *DEFINED_BY[Kind.SERVER],
        *("ports", "host", "availability_zone", "user_data", "key_name", "server_group"),
    ),
}
LATER: Mapping[Kind, tuple[str, ...]] = {
    Kind.NETWORK: ("mtu", "shared", "port_security"),
    Kind.SUBNET: ("pools", "gateway", "dhcp", "dns"),
    Kind.PORT: (),
    Kind.SERVER_GROUP: (),
    Kind.SERVER: (),
}
CHOSEN_BY_THE_CLOUD = ("host", "availability_zone")
"""A request to the scheduler; whether it was fulfilled is checked once the server runs."""
NOT_READ_BACK = (*CHOSEN_BY_THE_CLOUD, "ports", "user_data")
"""Of a server: its ports are known only while it runs, and only administrators can read user data."""


def fields_of(found: ObservedObject) -> dict[str, Value]:
    """The fields of an object that can be declared; unknown ones are missing."""
    told = {name: getattr(found, name, NOT_TOLD) for name in FIELDS[found.kind]}
    return {name: _plain(value) for name, value in told.items() if not isinstance(value, Unknown)}


def with_fields(found: O, fields: Mapping[str, Value]) -> O:
    """The object with these fields, given as ``fields_of`` gives them."""
    return replace(found, **{name: _typed(value) for name, value in fields.items()})


def definition_of(kind: Kind, fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields that never change."""
    return {name: fields.get(name) for name in DEFINED_BY[kind]}


def field_of(found: ObservedObject | None, field: str) -> Value:
    """One field as ``World.read`` gives it; None where the object is not there."""
    if found is None:
        return None
    fields = fields_of(found)
    return definition_of(found.kind, fields) if field == DEFINITION else fields.get(field)


def find(ours: Iterable[O], target: Target) -> O | None:
    """The object of a target, among those with its spec's tag.

    Raises UsageError where there are several: they cannot be distinguished.
    """
    _, kind, name = meant_by(target)
    found = [one for one in ours if (one.kind, one.name) == (kind, name)]
    if len(found) > 1:
        ids = ", ".join(sorted(one.id for one in found))
        raise UsageError(
            f"there are {len(found)} of this name with the spec's tag ({ids})",
            where=str(target),
            hint="delete all but one of them",
        )
    return found[0] if found else None


def by_object(changes: Sequence[tuple[Target, str, Value]]) -> list[tuple[Target, dict[str, Value]]]:
    """Consecutive changes of one object together, in their order: one call to the cloud may make them."""
    grouped: list[tuple[Target, dict[str, Value]]] = []
    for target, field, value in changes:
        if not grouped or grouped[-1][0] != target or field in grouped[-1][1]:
            grouped.append((target, {}))
        grouped[-1][1][field] = value
    return grouped


def by_kind(changes: Sequence[tuple[Target, str, Value]]) -> list[list[tuple[Target, dict[str, Value]]]]:
    """The same, with consecutive objects of one kind together, each once: these are independent."""
    grouped: list[list[tuple[Target, dict[str, Value]]]] = []
    for one in by_object(changes):
        target = one[0]
        if not grouped or any(other.kind != target.kind or other == target for other, _ in grouped[-1]):
            grouped.append([])
        grouped[-1].append(one)
    return grouped


def refuse_fixed(found: ObservedObject, fields: Iterable[str]) -> None:
    """Raise UsageError where one of these fields of an existing object can be set only at creation."""
    fixed = [name for name in fields if name not in LATER[found.kind]]
    if fixed:
        raise UsageError(f"{', '.join(fixed)} cannot be changed", where=f"{found.kind.value} {found.name}")


def _plain(value: Any) -> Value:
    return [_plain(item) for item in value] if isinstance(value, tuple) else cast(Value, value)


def _typed(value: Value) -> Any:
    return tuple(_typed(item) for item in value) if isinstance(value, list) else value


def whole(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields for creating an object: those of its definition, and the others."""
    definition = fields[DEFINITION]
    parts = definition if isinstance(definition, Mapping) else {}
    return {**parts, **{name: value for name, value in fields.items() if name != DEFINITION}}
