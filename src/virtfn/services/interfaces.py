"""What the use cases need from the edges, as Protocols. The edges implement them; fakes do, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from virtfn.engine.interfaces import World

if TYPE_CHECKING:  # who works on a host need not wait for the types of clouds
    from virtfn.model.addresses import MacAddress
    from virtfn.model.cloud import DesiredCloud
    from virtfn.model.cloud.mirror import NameMatches
    from virtfn.model.cloud.observed import NicAgent, ObservedCloud
    from virtfn.model.cloud.survey import CloudSurvey
    from virtfn.model.inventory import Inventory, Known
    from virtfn.model.mirror import DeclaredMirror
    from virtfn.model.probe import NoMeter, ProbeBurst, ProbePoint, Tally


class HostWorld(World, Protocol):
    """The host's kernel: observed as a whole, read and written by field."""

    def observe(self) -> Inventory:
        """All PFs and VFs. Raises VirtfnError only where nothing can be read at all."""

    def outside_macs(self, pf_netdev: str) -> Mapping[MacAddress, str]:
        """MACs known to be outside, beyond this PF (neighbour table, bridge FDB), each with its origin."""


class CloudWorld(World, Protocol):
    """A cloud: observed by the tag of one spec, read and written by field (``model/cloud/fields``).

    Deleted servers are gone when ``write`` or ``write_all`` returns.
    """

    @property
    def parallel(self) -> int:
        """How many objects of one kind ``write_all`` works on at once; 1: one after the other."""

    def observe(self, spec: str) -> ObservedCloud:
        """The objects with the tag of this spec, and related objects. Raises CloudError."""

    def survey(self, desired: DesiredCloud, observed: ObservedCloud) -> CloudSurvey:
        """Facts about the cloud for preflight and diagnosis. Raises nothing: Unknown has the reason."""

    def refresh(self, spec: str, before: ObservedCloud) -> ObservedCloud:
        """The earlier observation with the spec's ports and servers read again. Raises CloudError."""


class MirrorPorts(Protocol):
    """A cloud's ports, looked up by name or id."""

    def named(self, word: str) -> NameMatches:
        """All ports and servers with this name or id. Raises CloudError."""

    def nic_agents(self) -> Known[tuple[NicAgent, ...]]:
        """Neutron's NIC Switch agents; Unknown where these credentials cannot read them. Raises CloudError."""


class MirrorStore(Protocol):
    """The declared mirrors of one host. The caller of ``put`` and ``remove`` holds the lock of the host's journal."""

    def all(self) -> tuple[DeclaredMirror, ...]:
        """All declared mirrors by id. Raises SpecError, PermissionDenied."""

    def next_id(self) -> int:
        """The id for a new mirror; no other mirror ever had it."""

    def put(self, mirror: DeclaredMirror) -> None:
        """Add a mirror, or replace the one with its id; durable on return."""

    def remove(self, mirror: int) -> None:
        """Remove the mirror with this id, if there is one; durable on return."""


class Prober(Protocol):
    """Sends probe frames, and counts them with the meter of each point."""

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with what its meter says of its counter now, or why it cannot be read. Sends nothing."""

    def idle(self, burst: ProbeBurst, seconds: float) -> Mapping[str, Tally]:
        """What each watcher of the burst receives in so many seconds in which nothing of it is sent, by its label."""

    def send(self, burst: ProbeBurst) -> Mapping[str, Tally]:
        """Send the burst; returns what each watcher received, by the watcher's label.

        Returns when nothing new has arrived for long enough, or at a deadline of its own. Raises PermissionDenied,
        KernelRefused.
        """
