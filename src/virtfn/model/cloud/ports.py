"""Ports of Neutron with the servers that have them, as a mirror between two of them has to know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from virtfn.model.addresses import PciAddress
from virtfn.model.inventory import Known

BOUND = "hw_veb"
"""``binding:vif_type`` of a port that has a VF (Neutron's ``sriovnicswitch``)."""


@dataclass(frozen=True)
class Project:
    """A project by its id; the name is "" where the cloud does not tell it."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class PortOwner:
    """The server that has a port. ``status`` is nova's word."""

    id: str
    name: str
    project: Project
    status: str


@dataclass(frozen=True)
class PortNetwork:
    """A port's network. Its physical network is told to administrators; None: it has none, or several segments."""

    id: str
    name: str
    project: Project
    physical_network: Known[str | None]
    type: Known[str | None]


@dataclass(frozen=True)
class CloudPort:
    """One port. Where it is bound, and to which VF, is told to administrators.

    ``pci_slot`` and ``physical_network`` are of its binding:profile, as nova wrote it; None: it has none.
    ``owner`` None: no server has it, or the cloud does not show that server (then ``device`` is its id).
    """

    id: str
    name: str
    project: Project
    network: PortNetwork
    vnic_type: str
    mac: str
    status: str
    port_security: Known[bool]
    trusted: Known[bool]
    vif_type: Known[str]
    host: Known[str]
    pci_slot: Known[PciAddress | None]
    physical_network: Known[str | None]
    owner: PortOwner | None = None
    device: str = ""

    @property
    def label(self) -> str:
        """``SERVER:PORT`` as a person may write it, by names where there are any."""
        own = self.name or self.id
        return f"{self.owner.name or self.owner.id}:{own}" if self.owner else own


@dataclass(frozen=True)
class Named:
    """What a name or an id is in a cloud: ports, and servers, each with its ports."""

    ports: tuple[CloudPort, ...] = ()
    servers: tuple[tuple[PortOwner, tuple[CloudPort, ...]], ...] = ()


@dataclass(frozen=True)
class NicSwitch:
    """A NIC Switch agent: whether it answers, and its netdevs by the physical networks that it serves there."""

    host: str
    alive: bool
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
