"""The subject of a plan: PFs of this host, a mirror, or one spec in a cloud. Its kind tags it in JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.probe import Direction


@dataclass(frozen=True)
class HostSubject:
    """PFs of this host. ``vfs``: the number of VFs that each has before the plan, by the PF's device address."""

    kind: ClassVar[str] = "host"
    vfs: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class MirrorSubject:
    """The mirror with this id in the store: ``copy`` receives what is sent to ``source`` (``directions``).

    ``mac`` is the source's. Labels are what the user sees.
    """

    kind: ClassVar[str] = "mirror"
    id: int
    source: VfRef
    copy: VfRef
    source_label: str
    copy_label: str
    directions: tuple[Direction, ...]
    strategy: str
    mac: MacAddress

    def __str__(self) -> str:
        return self.kind


class CloudAction(StrEnum):
    """UP creates and changes a spec's objects; DOWN deletes every object with its tag."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class CloudSubject:
    """The objects of one spec in a cloud. ``names``: images and networks that the plan's values give by id, by name."""

    kind: ClassVar[str] = "cloud"
    action: CloudAction
    spec: str
    names: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.action}"


Subject: TypeAlias = HostSubject | MirrorSubject | CloudSubject
SUBJECTS: Mapping[str, type[Subject]] = {one.kind: one for one in (HostSubject, MirrorSubject, CloudSubject)}
"""Each kind of subject by its tag."""
