"""Flat SR-IOV networks, direct ports and servers in a cloud: as they shall be, and as they are.

``Desired...`` is what a person declares; UNSET leaves a thing to the cloud. ``CloudObject`` is what the cloud has. Both
meet in plain fields, in the normal form in which the cloud is read and written (see ``fields``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from virtfn.model.addresses import MacAddress
from virtfn.model.cloud.references import References, references
from virtfn.model.desired import UNSET, Wanted
from virtfn.model.plan import Target, Value


class Kind(StrEnum):
    """What a cloud spec makes, in the order in which it is made; it goes the other way round."""

    NETWORK = "network"
    SUBNET = "subnet"
    PORT = "port"
    SERVER_GROUP = "server_group"
    SERVER = "server"


class NetworkType(StrEnum):
    """Segment types that Neutron's ``sriovnicswitch`` binds (neutron, mech_sriov/mech_driver)."""

    FLAT = "flat"
    VLAN = "vlan"


class VnicType(StrEnum):
    """``binding:vnic_type``: a VF, a macvtap on a VF, or a whole PF."""

    DIRECT = "direct"
    MACVTAP = "macvtap"
    DIRECT_PHYSICAL = "direct-physical"


@dataclass(frozen=True)
class DesiredSubnet:
    """An IP range of a network. ``pools`` are first and last address; ``gateway`` None: there is none."""

    name: str
    cidr: str
    pools: Wanted[tuple[tuple[str, str], ...]] = UNSET
    gateway: Wanted[str | None] = UNSET
    dhcp: Wanted[bool] = UNSET
    dns: Wanted[tuple[str, ...]] = UNSET
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class DesiredNetwork:
    """A provider network on ``physical_network``; ``mtu`` in octets. Flat: no tag, so no ``segmentation_id``."""

    name: str
    physical_network: str
    type: NetworkType = NetworkType.FLAT
    segmentation_id: Wanted[int] = UNSET
    mtu: Wanted[int] = UNSET
    shared: Wanted[bool] = UNSET
    port_security: Wanted[bool] = UNSET
    subnets: tuple[DesiredSubnet, ...] = ()
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class DesiredPort:
    """A port of a server on a network, by the network's name or id. ``fixed_ip`` None: it has no address."""

    name: str
    network: str
    vnic_type: VnicType = VnicType.DIRECT
    fixed_ip: Wanted[str | None] = UNSET
    mac: Wanted[MacAddress] = UNSET


@dataclass(frozen=True)
class DesiredServer:
    """One server with its ports. Servers that name the same ``anti_affinity`` group never share a host.

    ``image`` and ``flavor`` are names or ids.
    """

    name: str
    image: str
    flavor: str
    ports: tuple[DesiredPort, ...]
    host: Wanted[str] = UNSET
    availability_zone: Wanted[str] = UNSET
    user_data: Wanted[str] = UNSET
    key_name: Wanted[str] = UNSET
    anti_affinity: Wanted[str] = UNSET
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class DesiredCloud:
    """What one spec declares. ``name`` marks all that is made for it: the tag ``virtfn:NAME``."""

    name: str
    networks: tuple[DesiredNetwork, ...] = ()
    servers: tuple[DesiredServer, ...] = ()

    @property
    def tag(self) -> str:
        """The mark of everything that is made for this spec."""
        return tag_of(self.name)


@dataclass(frozen=True)
class CloudObject:
    """One object of the cloud. ``fields`` are what can be declared of it, in normal form.

    ``facts`` are what nobody declares: ``status``, ``fault``; of a port ``vif_type``, ``host``, ``pci_slot``, ``mac``,
    ``ips``, ``owner`` and ``device`` (the server's id); of a server ``host``; of a network ``subnets``: how many.
    What the cloud does not tell is missing.
    """

    kind: Kind
    name: str
    id: str
    fields: Mapping[str, Value]
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class NicAgent:
    """A ``NIC Switch agent`` of Neutron: whether it answers, and the physical networks that it serves.

    ``pfs``: the PFs of each, from its ``physical_device_mappings``. ``vfs_in_use``: how many it sees in use, None where
    it does not tell. ``last_seen``: when Neutron heard of it, in Neutron's words.
    """

    host: str
    alive: bool
    physical_networks: tuple[str, ...]
    pfs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vfs_in_use: int | None = None
    last_seen: str = ""


@dataclass(frozen=True)
class ObservedCloud:
    """What bears one spec's tag, and what else matters to it.

    ``others`` are networks without the tag, and ports without it on networks that bear it. What the cloud is made of
    beside (agents, hosts, quotas) is in ``survey``. ``images`` and ``flavors`` are what these are called.
    """

    cloud: str
    ours: tuple[CloudObject, ...]
    others: tuple[CloudObject, ...]
    images: References = field(default_factory=References)
    flavors: References = field(default_factory=References)

    @cached_property
    def networks(self) -> References:
        """What networks are called; a name means ours before that of others."""
        ours = [one for one in self.ours if one.kind is Kind.NETWORK]
        return references([*ours, *self.foreign_networks()], first=(one.id for one in ours))

    def find(self, kind: Kind, name: str) -> CloudObject | None:
        """Our object of this kind and name, or None."""
        return next((one for one in self.ours if (one.kind, one.name) == (kind, name)), None)

    def foreign_networks(self) -> tuple[CloudObject, ...]:
        """Networks that do not bear the tag."""
        return tuple(one for one in self.others if one.kind is Kind.NETWORK)


def tag_of(spec: str) -> str:
    """``virtfn:NAME``, the mark of everything that is made for the spec of this name."""
    return f"virtfn:{spec}"


def cloud_target(spec: str, kind: Kind, name: str) -> Target:
    """The target that means the object of this kind and name that bears the spec's tag."""
    return Target(kind.value, f"{spec}/{name}", f"{kind.value.replace('_', ' ')} {name}")


def meant_by(target: Target) -> tuple[str, Kind, str]:
    """Spec, kind and name that a target of a cloud means. Raises ValueError for another target."""
    spec, _, name = target.id.partition("/")
    return spec, Kind(target.kind), name
