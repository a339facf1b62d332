"""A mirror between two ports of a cloud, as it would have to be made: by the cloud's operator and on the host."""

from dataclasses import dataclass
from enum import StrEnum

from virtfn.model.cloud.ports import CloudPort
from virtfn.model.inventory import Known


class Readiness(StrEnum):
    """Whether a preparation is needed yet. CHOICE: instead of the one before it, or not at all."""

    DONE = "already so"
    TO_DO = "to do"
    CHOICE = "or instead"


@dataclass(frozen=True)
class Preparation:
    """One thing that may be set before the mirror is made: what, who may do it, why, and the commands or lines."""

    what: str
    state: Readiness
    who: str
    why: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostSide:
    """What is done on the compute host: the commands in order, what they will answer today, and what would work."""

    host: str
    commands: tuple[str, ...]
    answer: str
    instead: tuple[str, ...]


@dataclass(frozen=True)
class CloudMirror:
    """What was found of source and copy, and what a mirror between them takes.

    ``pf`` is the PF's netdev where the agent's configuration leaves one possibility; Unknown with the reason otherwise.
    ``warnings`` are for who is about to do it, ``notes`` say what else is known, ``lookups`` are commands that show it.
    """

    source: CloudPort
    copy: CloudPort
    host: str
    physical_network: str
    pf: Known[str]
    preparations: tuple[Preparation, ...]
    host_side: HostSide
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
