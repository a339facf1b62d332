"""Probe frames: senders, counting points with their meters, and the proof report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import NO_VLAN, Vlan


@dataclass(frozen=True)
class Endpoint:
    """A netdev at which frames can be sent and captured. ``netns`` is "" for the host's own namespace.

    ``vlan``: the tag that frames of the source's VLAN carry there; a VF's netdev sees none.
    """

    label: str
    netns: str
    netdev: str
    mac: MacAddress
    vlan: Vlan = NO_VLAN


class Direction(StrEnum):
    """Traffic of the source: frames sent TO it, or frames sent BY it."""

    TO_SOURCE = "to source"
    FROM_SOURCE = "from source"


class Strength(StrEnum):
    """How strong a meter's count is as a proof, strongest first.

    SEEN: the frames themselves were captured, with content and order. COUNTED: a counter grew by their number.
    UNPROVEN: nothing was counted.
    """

    SEEN = "seen"
    COUNTED = "counted"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Counter:
    """The counter of what a VF receives: that of VF ``vf``, read through the netdev ``netdev``.

    ``ring``: the number at which it starts again from 0, so that a burst must be shorter; 0: it does not. ``lag_s``:
    how much later than the frames it grows.
    """

    netdev: str
    vf: int
    ring: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True)
class ProbePoint:
    """A VF, an uplink or a netdev outside whose received frames a meter counts.

    ``meter``: the meter's name. ``endpoint``: its netdev, where one is in reach; only from there frames can be sent.
    ``counter``: what a meter reads that only counts; None where the frames themselves are seen.
    """

    label: str
    meter: str
    strength: Strength
    endpoint: Endpoint | None = None
    counter: Counter | None = None


@dataclass(frozen=True)
class NoMeter:
    """A VF whose received frames no meter can count. ``reason``: why, for each meter that was considered."""

    label: str
    reason: str


@dataclass(frozen=True)
class ProbePoints:
    """All points at which frames can be sent or counted: the mirror's two VFs, and others at the NIC.

    ``mac``: the MAC whose frames the source receives. ``senders`` send to the source; ``receivers`` are sent to by the
    source. ``watchers`` must receive nothing, except ``copies``: the labels of VFs that already are copies of this
    source. ``directions``: what the mirror has to copy. ``not_probed``: origins of frames that are missing, each with
    the reason; ``unmetered``: VFs of the same PF that cannot be watched.
    """

    source: ProbePoint
    copy: ProbePoint
    mac: MacAddress
    senders: tuple[Endpoint, ...]
    receivers: tuple[Endpoint, ...]
    watchers: tuple[ProbePoint, ...]
    copies: frozenset[str] = frozenset()
    directions: tuple[Direction, ...] = (Direction.TO_SOURCE,)
    not_probed: tuple[str, ...] = ()
    unmetered: tuple[NoMeter, ...] = ()


@dataclass(frozen=True)
class ProbeBurst:
    """``count`` probe frames from one endpoint to one MAC, and the points at which they are counted.

    ``nonce`` (8 octets) makes the frames of this burst unlike any others.
    """

    sender: Endpoint
    destination: MacAddress
    nonce: bytes
    count: int
    watchers: tuple[ProbePoint, ...]


@dataclass(frozen=True)
class Caught:
    """One captured probe frame: its number, whether it is unaltered, its VLAN, and whether another host was addressed.

    ``vlan`` is the tag's id or None; ``other_host`` is the kernel's PACKET_OTHERHOST: a sniffer sees it, the IP stack
    of that namespace drops it.
    """

    number: int
    intact: bool
    vlan: int | None = None
    other_host: bool = False


@dataclass(frozen=True)
class Tally:
    """What one point received of one burst: frames and their faults.

    A meter that only counts knows ``frames``, ``missing`` and ``surplus`` (more than were sent). ``chatter``: how many
    further frames it counted that are no more than it counts without a burst. ``broken``: why its count cannot be
    believed.
    """

    frames: int = 0
    missing: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    altered: int = 0
    tagged: int = 0
    other_host: int = 0
    surplus: int = 0
    chatter: int = 0
    broken: str = ""

    @property
    def whole(self) -> bool:
        """All of them, once each, in order, untouched, with the VLAN tag that they should have, and no others."""
        faults = self.missing, self.duplicates, self.out_of_order, self.altered, self.tagged, self.surplus, self.broken
        return not any(faults)


@dataclass(frozen=True)
class IdleControl:
    """What counters counted while nothing was sent for ``seconds``: frames by the point's label.

    ``broken``: points whose count cannot be believed, each with the reason.
    """

    seconds: float = 0.0
    frames: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Leg:
    """One burst, judged. ``others``: the labels and counts of points that should have received nothing.

    ``destination``: what the addressee of a FROM_SOURCE leg received; the addressee of the other kind is the source.
    ``idle``: what counters counted just before without a burst.
    """

    name: str
    kind: Direction
    sent: int
    source: Tally
    copy: Tally
    destination: Tally | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""
    idle: IdleControl = field(default_factory=IdleControl)

    @property
    def strangers(self) -> int:
        """Frames received at points that should receive none."""
        return sum(self.others.values())


@dataclass(frozen=True)
class Waypoint:
    """A count in the middle of a recipe: what source and copy got after this step.

    ``waited_s`` is how long the source had got nothing before (the NIC may be silent after a reset).
    """

    after: str
    sent: int
    source: int
    copy: int
    waited_s: float = 0.0


@dataclass(frozen=True)
class ProofReport:
    """The result of probe frames for one mirror.

    ``control_before``: the same bursts before anything was changed; ``legs``: with the mirror in place;
    ``control_after``: after it was removed. A part that was not run is empty. ``faults`` says, in sentences, why
    ``proven`` is false; ``undecided``: why frames could neither prove nor disprove it. ``meters``: every point at which
    frames were counted, source and copy first.
    """

    source: str
    copy: str
    strategy: str
    proven: bool
    legs: tuple[Leg, ...] = ()
    control_before: tuple[Leg, ...] = ()
    control_after: tuple[Leg, ...] = ()
    waypoints: tuple[Waypoint, ...] = ()
    directions: tuple[Direction, ...] = ()
    not_probed: tuple[str, ...] = ()
    unmetered: tuple[NoMeter, ...] = ()
    meters: tuple[ProbePoint, ...] = ()
    faults: tuple[str, ...] = ()
    undecided: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not proven."""
        return (*self.faults, self.undecided) if self.undecided else self.faults

    @property
    def strength(self) -> Strength:
        """The strength of the weaker one of the counts at source and copy."""
        if self.undecided:
            return Strength.UNPROVEN
        order = list(Strength)
        return max((point.strength for point in self.meters[:2]), key=order.index, default=Strength.UNPROVEN)
