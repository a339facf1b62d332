"""Observed objects of a cloud. Facts that these credentials cannot read are Unknown.

Names and values have the form of ``fields``; the rest cannot be declared: ``status`` is the service's own, ``host`` the
compute host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, TypeVar

from virtfn.model.cloud import Kind
from virtfn.model.cloud.references import References, references
from virtfn.model.inventory import Known, Unknown

NOT_TOLD = Unknown("the cloud does not show it")


@dataclass(frozen=True)
class ObservedNetwork:
    """A network. Only administrators can read its type and segment. ``subnets``: how many it has."""

    kind: Kind = field(default=Kind.NETWORK, init=False)
    name: str
    id: str
    type: Known[str] = NOT_TOLD
    physical_network: Known[str | None] = NOT_TOLD
    segmentation_id: Known[int | None] = NOT_TOLD
    mtu: Known[int] = NOT_TOLD
    shared: Known[bool] = NOT_TOLD
    port_security: Known[bool] = NOT_TOLD
    status: str = ""
    subnets: int = 0

    @property
    def label(self) -> str:
        """Its name, or its id where it has none."""
        return self.name or self.id


@dataclass(frozen=True)
class ObservedSubnet:
    """A subnet; ``network`` is the name of a network of the spec, or the id of another. ``gateway`` None: none."""

    kind: Kind = field(default=Kind.SUBNET, init=False)
    name: str
    id: str
    network: str
    cidr: str
    pools: tuple[tuple[str, str], ...] = ()
    gateway: str | None = None
    dhcp: bool = True
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObservedPort:
    """A port; ``network`` as of a subnet. ``device_id``: the server that has it, "" for none.

    ``vif_type``, ``host`` and ``pci_slot`` ("" for none): where it is bound; only administrators can read them.
    """

    kind: Kind = field(default=Kind.PORT, init=False)
    name: str
    id: str
    network: str
    vnic_type: str = "direct"
    mac: str = ""
    ips: tuple[str, ...] = ()
    status: str = ""
    device_owner: str = ""
    device_id: str = ""
    vif_type: Known[str] = NOT_TOLD
    host: Known[str] = NOT_TOLD
    pci_slot: Known[str] = NOT_TOLD

    @property
    def fixed_ip(self) -> str | None:
        """Its first address; None: it has none."""
        return self.ips[0] if self.ips else None


@dataclass(frozen=True)
class ObservedServerGroup:
    """A server group, by its name below the spec's mark."""

    kind: Kind = field(default=Kind.SERVER_GROUP, init=False)
    name: str
    id: str
    policy: str | None = None


@dataclass(frozen=True)
class ObservedServer:
    """A server. ``ports`` are names, in its order, known while it runs; ``fault`` is nova's message, "" for none.

    ``image`` None: it boots from a volume. User data cannot be read.
    """

    kind: Kind = field(default=Kind.SERVER, init=False)
    name: str
    id: str
    image: str | None = None
    flavor: str = ""
    ports: Known[tuple[str, ...]] = NOT_TOLD
    host: str | None = None
    availability_zone: str | None = None
    key_name: str | None = None
    server_group: str | None = None
    status: str = ""
    fault: str = ""


ObservedObject: TypeAlias = ObservedNetwork | ObservedSubnet | ObservedPort | ObservedServerGroup | ObservedServer
O = TypeVar("O", bound=ObservedObject)  # noqa: E741  # any of them


@dataclass(frozen=True)
class NicAgent:
    """A ``NIC Switch agent`` of Neutron: whether it is alive, and the physical networks that it serves.

    ``pfs``: the PFs of each, from its ``physical_device_mappings``. ``vfs_in_use``: how many it sees in use, None where
    it does not report it. ``last_seen``: its last heartbeat, as Neutron writes it.
    """

    host: str
    alive: bool
    physical_networks: tuple[str, ...]
    pfs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vfs_in_use: int | None = None
    last_seen: str = ""


@dataclass(frozen=True)
class ObservedCloud:
    """The objects with one spec's tag, and related objects.

    ``others``: networks without the tag, and ports without it on networks that have it. ``images`` and ``flavors``:
    their names. Agents, hosts and quotas are in ``survey``.
    """

    cloud: str
    ours: tuple[ObservedObject, ...]
    others: tuple[ObservedNetwork | ObservedPort, ...]
    images: References = field(default_factory=References)
    flavors: References = field(default_factory=References)

    @cached_property
    def networks(self) -> References:
        """The names of networks; a name means a network of the spec before a foreign one."""
        ours = [one for one in self.ours if isinstance(one, ObservedNetwork)]
        return references([*ours, *self.foreign_networks()], first=(one.id for one in ours))

    def find(self, kind: Kind, name: str) -> ObservedObject | None:
        """The spec's object of this kind and name, or None."""
        return next((one for one in self.ours if (one.kind, one.name) == (kind, name)), None)

    def network(self, name: str) -> ObservedNetwork | None:
        """The spec's network of this name, or None."""
        return self._first(ObservedNetwork, name)

    def port(self, name: str) -> ObservedPort | None:
        """The spec's port of this name, or None."""
        return self._first(ObservedPort, name)

    def server(self, name: str) -> ObservedServer | None:
        """The spec's server of this name, or None."""
        return self._first(ObservedServer, name)

    def foreign_networks(self) -> tuple[ObservedNetwork, ...]:
        """Networks without the tag."""
        return tuple(one for one in self.others if isinstance(one, ObservedNetwork))

    def foreign_ports(self) -> tuple[ObservedPort, ...]:
        """Ports without the tag, on networks that have it."""
        return tuple(one for one in self.others if isinstance(one, ObservedPort))

    def _first(self, kind: type[O], name: str) -> O | None:
        return next((one for one in self.ours if isinstance(one, kind) and one.name == name), None)
