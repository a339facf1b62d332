"""Probe frames: who sends them, who watches, what was caught, and what that proves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from virtfn.model.addresses import MacAddress


@dataclass(frozen=True)
class Endpoint:
    """A netdev at which frames can be sent and captured. ``netns`` is "" for the host's own namespace."""

    label: str
    netns: str
    netdev: str
    mac: MacAddress


@dataclass(frozen=True)
class ProbeBurst:
    """``count`` probe frames from one endpoint to one MAC, and the endpoints that watch meanwhile.

    ``nonce`` (8 octets) makes the frames of this burst unlike any others.
    """

    sender: Endpoint
    destination: MacAddress
    nonce: bytes
    count: int
    watchers: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Caught:
    """One probe frame as it was captured: its number, whether untouched, its VLAN, and whether it was addressed to us.

    ``vlan`` is the tag's id or None; ``other_host`` is the kernel's PACKET_OTHERHOST: a sniffer sees it, the IP stack
    of that namespace drops it.
    """

    number: int
    intact: bool
    vlan: int | None = None
    other_host: bool = False


class LegKind(StrEnum):
    """What a leg shows: frames TO the source (what a mirror copies), or frames sent BY it."""

    TO_SOURCE = "to source"
    FROM_SOURCE = "from source"


@dataclass(frozen=True)
class Tally:
    """What one endpoint caught of one burst: frames, and faults in them."""

    frames: int = 0
    missing: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    altered: int = 0
    tagged: int = 0
    other_host: int = 0

    @property
    def whole(self) -> bool:
        """All of them, once each, in order, untouched, without a VLAN tag."""
        return not (self.missing or self.duplicates or self.out_of_order or self.altered or self.tagged)


@dataclass(frozen=True)
class Leg:
    """One burst, judged. ``others`` are the labels and counts of watchers that should have got nothing.

    ``destination`` is what the addressee of a FROM_SOURCE leg got; the addressee of the other kind is the source.
    """

    name: str
    kind: LegKind
    sent: int
    source: Tally
    copy: Tally
    destination: Tally | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""

    @property
    def strangers(self) -> int:
        """Frames that somebody got who should not."""
        return sum(self.others.values())


@dataclass(frozen=True)
class Waypoint:
    """A look in the middle of a recipe: what source and copy got after this step.

    ``waited_s`` is how long the source had got nothing before (the NIC may be silent after a reset).
    """

    after: str
    sent: int
    source: int
    copy: int
    waited_s: float = 0.0


@dataclass(frozen=True)
class ProofReport:
    """What frames showed of one mirror.

    ``control_before``: the same bursts before anything was changed; ``legs``: with the mirror in place;
    ``control_after``: after it was removed. A part that was not run is empty. ``faults`` says, in sentences, why
    ``proven`` is false.
    """

    source: str
    copy: str
    strategy: str
    proven: bool
    legs: tuple[Leg, ...] = ()
    control_before: tuple[Leg, ...] = ()
    control_after: tuple[Leg, ...] = ()
    waypoints: tuple[Waypoint, ...] = ()
    directions: tuple[str, ...] = ()
    not_probed: tuple[str, ...] = field(default=())
    faults: tuple[str, ...] = ()
