"""Facts about a cloud beyond a spec's objects, for preflight and diagnosis; read once, not while waiting.

Each part is Unknown with the reason where it cannot be read: most of it is for administrators only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from virtfn.model.cloud import Kind
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.inventory import Known, Unknown

NOT_ASKED = Unknown("it was not read")
QUOTAS: Mapping[Kind, str] = {
    Kind.NETWORK: "networks",
    Kind.SUBNET: "subnets",
    Kind.PORT: "ports",
    Kind.SERVER_GROUP: "server_groups",
    Kind.SERVER: "servers",
}
"""The quota of each kind."""


@dataclass(frozen=True)
class Allowance:
    """What a quota leaves: ``limit`` None where there is none. Memory in MiB, all else in pieces."""

    limit: int | None
    used: int

    @property
    def left(self) -> int | None:
        """How many may still be created; None: no limit."""
        return None if self.limit is None else max(self.limit - self.used, 0)


@dataclass(frozen=True)
class Image:
    """``status`` is Glance's (``active``, ``queued``, ``deactivated``); sizes in GiB and MiB, 0: no minimum."""

    name: str
    status: str = "active"
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    id: str = ""


@dataclass(frozen=True)
class Flavor:
    """``disk_gib`` 0: no disk of its own limits the image, and by default only administrators may boot one from it.

    ``extra_specs`` are their keys.
    """

    name: str
    vcpus: int = 1
    ram_mib: int = 64
    disk_gib: int = 1
    ephemeral_gib: int = 0
    swap_mib: int = 0
    extra_specs: Known[tuple[str, ...]] = ()
    id: str = ""

    @property
    def local_gib(self) -> int:
        """Disk that a server of it takes on its host, as nova counts (nova, scheduler/utils.py)."""
        return self.disk_gib + self.ephemeral_gib + -(-self.swap_mib // 1024)

    @property
    def beyond_its_size(self) -> Unknown | None:
        """Why nova asks Placement for more than its size (PCPU for VCPU, traits, ...); None where it does not."""
        if isinstance(self.extra_specs, Unknown):
            return Unknown(f"its extra specs are not known: {self.extra_specs.reason}")
        if self.extra_specs:
            return Unknown(f"its extra specs {', '.join(self.extra_specs)} change what it takes of a host")
        return None


@dataclass(frozen=True)
class ComputeHost:
    """A nova-compute service: whether it answers (``up``) and takes servers (``enabled``)."""

    name: str
    zone: str
    up: bool = True
    enabled: bool = True


@dataclass(frozen=True)
class Zone:
    """An availability zone, as every user sees it."""

    name: str
    available: bool = True


@dataclass(frozen=True)
class SegmentRange:
    """Segmentation ids of a physical network that Neutron gives out (extension network-segment-range)."""

    type: str
    physical_network: str
    first: int
    last: int


Uses: TypeAlias = Mapping[tuple[str, str], int]
"""VFs and PFs in use, of all projects, by physical network and host."""


@dataclass(frozen=True)
class CloudSurvey:
    """The facts that the APIs of a cloud show. ``room``: hosts with vCPUs, memory and disk for a flavor, by its name.

    Where a flavor asks for more than its size, its room is Unknown. ``quota`` is by ``networks``, ``subnets``,
    ``ports``, ``servers``, ``vcpus``, ``ram_mib``, ``server_groups``; what is not known is missing. ``tried``: the
    hosts on which nova began to build a failed server of the spec, by its name; an unknown host is "".
    """

    roles: Known[tuple[str, ...]] = NOT_ASKED
    extensions: Known[frozenset[str]] = NOT_ASKED
    quota: Mapping[str, Allowance] = field(default_factory=dict)
    images: Known[tuple[Image, ...]] = NOT_ASKED
    flavors: Known[tuple[Flavor, ...]] = NOT_ASKED
    key_names: Known[tuple[str, ...]] = NOT_ASKED
    agents: Known[tuple[NicAgent, ...]] = NOT_ASKED
    hosts: Known[tuple[ComputeHost, ...]] = NOT_ASKED
    zones: Known[tuple[Zone, ...]] = NOT_ASKED
    ranges: Known[tuple[SegmentRange, ...]] = NOT_ASKED
    uses: Known[Uses] = NOT_ASKED
    room: Known[Mapping[str, Known[tuple[str, ...]]]] = NOT_ASKED
    tried: Mapping[str, Known[tuple[str, ...]]] = field(default_factory=dict)

    def room_for(self, flavor: str) -> Known[tuple[str, ...]]:
        """Hosts with room for this flavor."""
        return self.room if isinstance(self.room, Unknown) else self.room.get(flavor, NOT_ASKED)

    @property
    def is_administrators(self) -> bool:
        """Whether the credentials are an administrator's, by the default policies."""
        return not isinstance(self.roles, Unknown) and "admin" in self.roles
