"""How a fake cloud is configured, and what Neutron says of it (its words measured on release 2026.2)."""

import ipaddress
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from virtfn.errors import CloudError
from virtfn.model.cloud import Kind
from virtfn.model.cloud.fields import FIELDS
from virtfn.model.cloud.observed import (
    NicAgent,
    ObservedNetwork,
    ObservedObject,
    ObservedPort,
    ObservedServer,
    ObservedServerGroup,
    ObservedSubnet,
)
from virtfn.model.cloud.survey import (
    Allowance,
    CloudSurvey,
    ComputeHost,
    Flavor,
    Image,
    SegmentRange,
    Uses,
    Zone,
)
from virtfn.model.inventory import Unknown
from virtfn.model.plan import Value
from virtfn.planning.cloud.api_errors import api_error

_ADMIN_ONLY = Unknown("the cloud tells it to administrators only")

_MADE_BY_NEUTRON: Mapping[Kind, Mapping[str, Value]] = {
    Kind.NETWORK: {"segmentation_id": None, "mtu": 1500, "shared": False, "port_security": True},
    Kind.SUBNET: {"pools": [["192.0.2.2", "192.0.2.254"]], "gateway": "192.0.2.1", "dhcp": True, "dns": []},
}
"""Neutron's defaults."""
_TYPES: Mapping[Kind, type[ObservedObject]] = {
    Kind.NETWORK: ObservedNetwork,
    Kind.SUBNET: ObservedSubnet,
    Kind.PORT: ObservedPort,
    Kind.SERVER_GROUP: ObservedServerGroup,
    Kind.SERVER: ObservedServer,
}


@dataclass
class FakeRules:
    """What the cloud's administrators have configured. ``vfs`` are free VFs as host, physical network, PCI slot.

    ``roles`` without ``admin``: what is for administrators cannot be read. ``limits`` are quotas by the names that
    ``CloudSurvey.quota`` has. ``too_small_for``: flavors that no host has room for. ``ranges``: None where Neutron has
    not the extension that tells them. ``hidden_images`` are not listed, and can be used by their ids.
    """

    type_drivers: tuple[str, ...] = ("flat", "vlan")
    flat_networks: tuple[str, ...] = ("physnet1", "physnet2")
    vlan_networks: tuple[str, ...] = ("physnet1",)
    images: tuple[str | Image, ...] = ("cirros",)
    hidden_images: tuple[Image, ...] = ()
    flavors: tuple[str | Flavor, ...] = ("m1.tiny",)
    key_names: tuple[str, ...] = ("operator",)
    roles: tuple[str, ...] = ("admin", "member", "reader")
    extensions: frozenset[str] = frozenset({"provider", "standard-attr-tag", "port-security", "net-mtu-writable"})
    limits: Mapping[str, int] = field(default_factory=lambda: {"ports": 500})
    hosts: tuple[ComputeHost, ...] = (ComputeHost("compute1", "nova"), ComputeHost("compute2", "nova"))
    too_small_for: tuple[str, ...] = ()
    ranges: tuple[SegmentRange, ...] | None = None
    agents: tuple[NicAgent, ...] = (
        NicAgent("compute1", True, ("physnet1", "physnet2")),
        NicAgent("compute2", True, ("physnet1",)),
    )
    vfs: list[tuple[str, str, str]] = field(
        default_factory=lambda: [
            (host, physical, f"0000:{bus}:02.{number}")
            for host, physical, bus in (("compute1", "physnet1", "3b"), ("compute2", "physnet1", "af"))
            for number in range(4)
        ]
    )

    @property
    def is_seen_by_admin(self) -> bool:
        """Whether the user can read everything."""
        return "admin" in self.roles

    @property
    def known_images(self) -> tuple[Image, ...]:
        """All, each with an id."""
        known = (one if isinstance(one, Image) else Image(one) for one in self.images)
        return tuple(replace(one, id=one.id or f"image-{one.name}") for one in known)

    @property
    def known_flavors(self) -> tuple[Flavor, ...]:
        """All, each with an id."""
        known = (one if isinstance(one, Flavor) else Flavor(one) for one in self.flavors)
        return tuple(replace(one, id=one.id or f"flavor-{one.name}") for one in known)

    def takes_servers(self, host: str) -> bool:
        """Whether nova-compute of this host answers and is enabled."""
        return all(one.up and one.enabled for one in self.hosts if one.name == host)

    def survey(
        self, used: Counter[str], uses: Uses, tried: Mapping[str, tuple[str, ...]], images: Collection[str] = ()
    ) -> CloudSurvey:
        """What is known of this cloud, with what its quotas count, the VFs in use, and where servers were tried.

        Hidden images are there where ``images`` names their ids.
        """
        flavors = self.known_flavors
        room = tuple(one.name for one in self.hosts)
        zones = dict.fromkeys(one.zone for one in self.hosts)
        return CloudSurvey(
            roles=self.roles,
            extensions=self.extensions,
            quota={name: Allowance(limit, used[name]) for name, limit in self.limits.items()},
            images=(*self.known_images, *(one for one in self.hidden_images if one.id in images)),
            flavors=flavors,
            key_names=self.key_names,
            agents=self.agents if self.is_seen_by_admin else _ADMIN_ONLY,
            hosts=self.hosts if self.is_seen_by_admin else _ADMIN_ONLY,
            zones=tuple(Zone(name, any(one.up for one in self.hosts if one.zone == name)) for name in zones),
            ranges=Unknown("this cloud does not offer it") if self.ranges is None else self.ranges,
            uses=uses if self.is_seen_by_admin else _ADMIN_ONLY,
            room={one.name: one.beyond_its_size or (() if one.name in self.too_small_for else room) for one in flavors}
            if self.is_seen_by_admin
            else _ADMIN_ONLY,
            tried={name: hosts if self.is_seen_by_admin else ("",) * bool(hosts) for name, hosts in tried.items()},
        )

    def check_server(self, fields: Mapping[str, Value]) -> None:
        """Raise CloudError for an image, by its id, or a flavor, by its name, that is not there."""
        known = {
            "image": {one.id for one in (*self.known_images, *self.hidden_images)},
            "flavor": {one.name for one in self.known_flavors},
        }
        for what, there in known.items():
            if fields[what] not in there:
                raise CloudError(f"there is none of the name {fields[what]}", where=what, status=404)

    def check_network(self, fields: Mapping[str, Value]) -> None:
        """Raise CloudError where ML2's type drivers refuse a network with these fields."""
        kind, physical = str(fields["type"]), str(fields["physical_network"])
        if kind not in self.type_drivers:
            raise _invalid(f"network_type value '{kind}' not supported.")
        if kind == "flat" and physical not in self.flat_networks:
            raise _invalid(f"physical_network '{physical}' unknown for flat provider network.")
        if kind == "flat" and fields.get("segmentation_id") is not None:
            raise _invalid("segmentation_id prohibited for flat provider network.")
        if kind == "vlan" and physical not in self.vlan_networks:
            raise _invalid(f"physical_network '{physical}' unknown for VLAN provider network.")


def new_object(kind: Kind, name: str, id: str, fields: Mapping[str, Value]) -> ObservedObject:
    """An object with these fields, and what Neutron chooses of the others."""
    return _TYPES[kind](name, id, **_attributes(kind, {**_MADE_BY_NEUTRON.get(kind, {}), **fields}))


def changed(found: ObservedObject, fields: Mapping[str, Value]) -> ObservedObject:
    """The object with other values of these fields."""
    return replace(found, **_attributes(found.kind, fields))


def unbound(port: ObservedPort) -> ObservedPort:
    """A port that no server has."""
    mac = port.mac or "fa:16:3e:00:00:01"
    return replace(
        port, mac=mac, status="DOWN", vif_type="unbound", host="", pci_slot="", device_owner="", device_id=""
    )


def free_address(pools: Sequence[tuple[str, str]], taken: Collection[str | None]) -> str | None:
    """The first address of the first of a subnet's pools that is free; None where there is none."""
    if not pools:
        return None
    first, last = map(ipaddress.ip_address, pools[0])
    every = (str(first + number) for number in range(int(last) - int(first) + 1))
    return next((address for address in every if address not in taken), None)


def _attributes(kind: Kind, fields: Mapping[str, Value]) -> dict[str, Any]:
    """As the typed objects have them: tuples, a port's addresses; nova shows no user data."""
    found = {name: _tuples(value) for name, value in fields.items() if name in FIELDS[kind] and name != "user_data"}
    if "fixed_ip" in found:
        address = found.pop("fixed_ip")
        found["ips"] = () if address is None else (address,)
    return found


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _invalid(what: str) -> CloudError:
    return api_error("network", f"Invalid input for operation: {what}", 400)
