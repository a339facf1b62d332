"""The equivalent commands that create, change or delete one object of a cloud, ready to run. Pure text.

Sources: python-openstackclient 10, ``openstack CMD --help``. ``--host`` of a server needs compute API 2.74.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from virtfn.model.cloud import Kind, tag_of
from virtfn.model.cloud.observed import ObservedObject
from virtfn.model.plan import Value

_SWITCHES = {
    (Kind.NETWORK, "shared"): ("--share", "--no-share"),
    (Kind.NETWORK, "port_security"): ("--enable-port-security", "--disable-port-security"),
    (Kind.SUBNET, "dhcp"): ("--dhcp", "--no-dhcp"),
}
_OPTIONS = {
    (Kind.NETWORK, "type"): "--provider-network-type",
    (Kind.NETWORK, "physical_network"): "--provider-physical-network",
    (Kind.NETWORK, "segmentation_id"): "--provider-segment",
    (Kind.NETWORK, "mtu"): "--mtu",
    (Kind.SUBNET, "network"): "--network",
    (Kind.SUBNET, "cidr"): "--subnet-range",
    (Kind.PORT, "network"): "--network",
    (Kind.PORT, "vnic_type"): "--vnic-type",
    (Kind.PORT, "mac"): "--mac-address",
    (Kind.SERVER_GROUP, "policy"): "--policy",
    (Kind.SERVER, "image"): "--image",
    (Kind.SERVER, "flavor"): "--flavor",
    (Kind.SERVER, "host"): "--host",
    (Kind.SERVER, "availability_zone"): "--availability-zone",
    (Kind.SERVER, "key_name"): "--key-name",
}
_NOUNS = {kind: kind.value.replace("_", " ") for kind in Kind}


def create_command(spec: str, kind: Kind, name: str, fields: Mapping[str, Value]) -> str:
    """The command that creates the object with these fields (its definition included)."""
    words = ["openstack", *_version(kind, fields), *_NOUNS[kind].split(), "create"]
    words += [word for field, value in fields.items() for word in _option(spec, kind, field, value)]
    words += [*_mark(spec, kind), cloud_name(spec, kind, name)]
    user_data = fields.get("user_data")
    before = f"printf %s {shlex.quote(str(user_data))} | " if user_data is not None else ""
    return before + shlex.join(words)


def change_command(found: ObservedObject, field: str, value: Value) -> str:
    """The command that sets one field of an existing object, by its id, as the name may be ambiguous."""
    first = {"pools": ["--no-allocation-pool"], "dns": ["--no-dns-nameservers"]}.get(field, [])
    options = list(_option("", found.kind, field, value))
    return shlex.join(["openstack", *_NOUNS[found.kind].split(), "set", *first, *options, found.id])


def delete_command(kind: Kind, word: str) -> str:
    """The command that deletes the object with this id or name and waits until it is gone."""
    wait = ["--wait"] if kind is Kind.SERVER else []
    return shlex.join(["openstack", *_NOUNS[kind].split(), "delete", *wait, word])


def cloud_name(spec: str, kind: Kind, name: str) -> str:
    """The object's name in the cloud. A server group takes no tag, so its name is its mark."""
    return f"{tag_of(spec)}/{name}" if kind is Kind.SERVER_GROUP else name


def _version(kind: Kind, fields: Mapping[str, Value]) -> list[str]:
    return ["--os-compute-api-version", "2.74"] if kind is Kind.SERVER and "host" in fields else []


def _mark(spec: str, kind: Kind) -> list[str]:
    if kind is Kind.SERVER:
        return ["--property", f"virtfn={spec}"]
    return [] if kind is Kind.SERVER_GROUP else ["--description", tag_of(spec), "--tag", tag_of(spec)]


def _option(spec: str, kind: Kind, field: str, value: Value) -> Iterator[str]:
    if (kind, field) in _SWITCHES:
        on, off = _SWITCHES[kind, field]
        yield on if value else off
    elif (kind, field) in _OPTIONS:
        yield from (_OPTIONS[kind, field], str(value))
    elif field == "gateway":
        yield from ("--gateway", "none" if value is None else str(value))
    elif field == "fixed_ip":
        yield from ["--no-fixed-ip"] if value is None else ["--fixed-ip", f"ip-address={value}"]
    elif field == "server_group":
        yield from ("--server-group", cloud_name(spec, Kind.SERVER_GROUP, str(value)))
    elif field == "user_data":
        yield from ("--user-data", "/dev/stdin")
    else:
        yield from _repeated(field, value)


def _repeated(field: str, value: Value) -> Iterator[str]:
    for item in value if isinstance(value, Sequence) else ():
        if field == "ports":
            yield from ("--port", str(item))
        elif field == "dns":
            yield from ("--dns-nameserver", str(item))
        elif field == "pools" and isinstance(item, Sequence):
            yield from ("--allocation-pool", f"start={item[0]},end={item[1]}")
