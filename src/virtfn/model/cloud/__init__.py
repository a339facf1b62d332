"""Flat SR-IOV networks, direct ports and servers of a cloud, as a spec declares them.

UNSET: the cloud decides. ``observed`` has the cloud's objects. Both are compared as plain fields (``fields``), in the
normal form in which the cloud is read and written.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from virtfn.model.addresses import MacAddress
from virtfn.model.desired import UNSET, Wanted
from virtfn.model.plan import Target


class Kind(StrEnum):
    """The objects of a cloud spec, in the order of creation; deletion is in reverse."""

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
    """What one spec declares. ``name`` marks all its objects: the tag ``virtfn:NAME``."""

    name: str
    networks: tuple[DesiredNetwork, ...] = ()
    servers: tuple[DesiredServer, ...] = ()

    @property
    def tag(self) -> str:
        """The mark of every object of this spec."""
        return tag_of(self.name)


def tag_of(spec: str) -> str:
    """``virtfn:NAME``, the mark of every object of the spec of this name."""
    return f"virtfn:{spec}"


def cloud_target(spec: str, kind: Kind, name: str) -> Target:
    """The target for the object of this kind and name with the spec's tag."""
    return Target(kind.value, f"{spec}/{name}", f"{kind.value.replace('_', ' ')} {name}")


def meant_by(target: Target) -> tuple[str, Kind, str]:
    """Spec, kind and name of a target in a cloud. Raises ValueError for another target."""
    spec, _, name = target.id.partition("/")
    return spec, Kind(target.kind), name
