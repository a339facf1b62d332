"""Ports of a cloud and their servers, and what a mirror between two ports requires."""

from dataclasses import dataclass
from enum import StrEnum

from virtfn.model.addresses import PciAddress
from virtfn.model.finding import Action
from virtfn.model.inventory import Known

BOUND = "hw_veb"
"""``binding:vif_type`` of a port that has a VF (Neutron's ``sriovnicswitch``)."""


@dataclass(frozen=True)
class Project:
    """A project by its id; the name is "" where it is not known."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class PortOwner:
    """The server that has a port. ``status`` is nova's."""

    id: str
    name: str
    project: Project
    status: str


@dataclass(frozen=True)
class PortNetwork:
    """A port's network. Only administrators can read its physical network; None: it has none, or several segments."""

    id: str
    name: str
    project: Project
    physical_network: Known[str | None]
    type: Known[str | None]


@dataclass(frozen=True)
class MirrorPort:
    """One port. Only administrators can read where it is bound, and to which VF.

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
        """``SERVER:PORT`` as a user may write it, by names where there are any."""
        own = self.name or self.id
        return f"{self.owner.name or self.owner.id}:{own}" if self.owner else own


@dataclass(frozen=True)
class NameMatches:
    """The ports and servers that have one name or id; each server with its ports."""

    ports: tuple[MirrorPort, ...] = ()
    servers: tuple[tuple[PortOwner, tuple[MirrorPort, ...]], ...] = ()


class PreparationState(StrEnum):
    """Whether a preparation is still needed. CHOICE: an alternative to the one before it."""

    DONE = "already so"
    TO_DO = "to do"
    CHOICE = "or instead"


@dataclass(frozen=True)
class Preparation:
    """A setting to make before the mirror: what, who may do it, why, and the commands or lines."""

    what: str
    state: PreparationState
    who: str
    why: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostSide:
    """What to run on the compute host, its current result, and what works instead."""

    host: str
    action: Action
    answer: str
    instead: tuple[str, ...]


@dataclass(frozen=True)
class CloudMirror:
    """Source and copy, and what a mirror between them requires.

    ``pf`` is the PF's netdev where the agent's configuration leaves one possibility; Unknown with the reason otherwise.
    ``warnings`` are for the user who runs it, ``notes`` are further facts, ``lookups`` are commands that show them.
    """

    source: MirrorPort
    copy: MirrorPort
    host: str
    physical_network: str
    pf: Known[str]
    preparations: tuple[Preparation, ...]
    host_side: HostSide
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
