"""What probe frames are, and what their counts prove. Pure: frames are sent and counted in host/.

A probe frame is an Ethernet frame of 64 octets (without FCS and VLAN tag): destination, source, EtherType 0x88B5 (IEEE
802, local experimental), then 8 octets of magic, 8 of nonce, a 32-bit number, a 32-bit count, and a filler that depends
on the number, so that an altered frame is known.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from virtfn.mirroring.counting import allowance, believed, counted
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import VlanProtocol
from virtfn.model.probe import (
    Caught,
    Direction,
    Endpoint,
    IdleControl,
    Leg,
    ProbeBurst,
    ProbePoints,
    ProofReport,
    Tally,
    Waypoint,
)

ETHERTYPE = 0x88B5
MAGIC = b"virtfn\x00\x01"
FRAME_LENGTH = 64
NOT_READ = IdleControl()
"""Where nothing is only counted."""
_HEAD = struct.Struct("!6s6sH8s8sII")
_VLAN_TPIDS = {VlanProtocol.C_TAG: 0x8100, VlanProtocol.S_TAG: 0x88A8}


def frame(burst: ProbeBurst, number: int) -> bytes:
    """The octets of frame ``number`` (from 0) of a burst, with the VLAN tag that the sender's frames carry."""
    octets, vlan = _untagged(burst, number), burst.sender.vlan
    if not vlan.id:
        return octets
    return octets[:12] + struct.pack("!HH", _VLAN_TPIDS[vlan.protocol], vlan.id) + octets[12:]


def _untagged(burst: ProbeBurst, number: int) -> bytes:
    head = _HEAD.pack(
        burst.destination.octets, burst.sender.mac.octets, ETHERTYPE, MAGIC, burst.nonce, number, burst.count
    )
    filler = bytes((number + place) & 0xFF for place in range(FRAME_LENGTH - len(head)))
    return head + filler


def recognise(burst: ProbeBurst, octets: bytes, *, vlan: int | None = None, other_host: bool = False) -> Caught | None:
    """The frame of this burst that these octets are, or None. ``vlan`` is a tag that was taken off before.

    A frame with the right nonce whose other octets differ is one of ours, altered.
    """
    if len(octets) >= 18 and int.from_bytes(octets[12:14]) in _VLAN_TPIDS.values():
        vlan = int.from_bytes(octets[14:16]) & 0x0FFF
        octets = octets[:12] + octets[16:]
    if len(octets) < _HEAD.size:
        return None
    _, _, ethertype, magic, nonce, number, _ = _HEAD.unpack_from(octets)
    if (ethertype, magic, nonce) != (ETHERTYPE, MAGIC, burst.nonce):
        return None
    intact = number < burst.count and octets[:FRAME_LENGTH] == _untagged(burst, number)
    return Caught(number, intact, vlan, other_host)


def tally(count: int, caught: Sequence[Caught], vlan: int = 0) -> Tally:
    """What one endpoint caught of a burst of ``count`` frames, which should carry this VLAN's tag there (0: none)."""
    numbers = [one.number for one in caught if one.intact]
    return Tally(
        frames=len(caught),
        missing=count - len(set(numbers)),
        duplicates=len(numbers) - len(set(numbers)),
        out_of_order=sum(1 for earlier, later in pairwise(numbers) if later < earlier),
        altered=sum(1 for one in caught if not one.intact),
        tagged=sum(1 for one in caught if (one.vlan or 0) != vlan),
        other_host=sum(1 for one in caught if one.other_host),
    )


@dataclass(frozen=True)
class ProbePath:
    """The path of one leg: its name, its direction, who sends, to which MAC, and the label of the addressee."""

    name: str
    kind: Direction
    sender: Endpoint
    destination: MacAddress
    addressee: str


def probe_paths(points: ProbePoints) -> tuple[ProbePath, ...]:
    """All legs of a proof: to the source from every sender, and from the source to every receiver.

    A source without a netdev in reach cannot send: there are no legs from it.
    """
    source = points.source
    to_source = [
        ProbePath(f"{sender.label} -> {source.label}", Direction.TO_SOURCE, sender, points.mac, source.label)
        for sender in points.senders
    ]
    from_source = [
        ProbePath(f"{source.label} -> {target.label}", Direction.FROM_SOURCE, sender, target.mac, target.label)
        for sender in (source.endpoint,)
        if sender
        for target in points.receivers
    ]
    return (*to_source, *from_source)


def burst_of(points: ProbePoints, path: ProbePath, nonce: bytes, count: int) -> ProbeBurst:
    """The frames of one leg. They are counted everywhere but at the sender, which would see what it sends itself."""
    everywhere = {point.label: point for point in (points.source, points.copy, *points.watchers)}
    watchers = tuple(point for point in everywhere.values() if point.label != path.sender.label)
    return ProbeBurst(path.sender, path.destination, nonce, count, watchers)


def leg_of(
    points: ProbePoints,
    path: ProbePath,
    burst: ProbeBurst,
    tallies: Mapping[str, Tally],
    idle: IdleControl = NOT_READ,
) -> Leg:
    """A leg with what each point received of it, by the point's label; nothing is judged yet but broken counters.

    ``idle``: what the counters counted before, without a burst: so much is not taken for frames of this one.
    """
    for point in counted(points):
        if point.label in tallies:
            tallies = {**tallies, point.label: believed(tallies[point.label], allowance(idle, point.label))}
    expected = {points.source.label, points.copy.label, path.addressee}
    if path.kind is Direction.TO_SOURCE:
        expected |= points.copies
    return Leg(
        name=path.name,
        kind=path.kind,
        sent=burst.count,
        source=tallies.get(points.source.label, Tally()),
        copy=tallies.get(points.copy.label, Tally()),
        destination=tallies.get(path.addressee) if path.kind is Direction.FROM_SOURCE else None,
        others={label: found.frames for label, found in tallies.items() if label not in expected},
        fault="; ".join(f"{label} was not counted: {found.broken}" for label, found in tallies.items() if found.broken),
        idle=idle,
    )


def judge_control(leg: Leg) -> Leg:
    """Without a mirror: the addressee gets all, the copy and all others nothing."""
    fault = leg.fault or _addressee_fault(leg) or _strangers_fault(leg)
    if not fault and leg.copy.frames:
        fault = f"the copy got {leg.copy.frames} of {leg.sent} frames with no mirror in place"
    return replace(leg, fault=fault)


def judge_mirror(leg: Leg, directions: Sequence[Direction] = (Direction.TO_SOURCE,)) -> Leg:
    """With a mirror of these directions: the addressee still gets all, the copy all it has to copy, others nothing."""
    fault = leg.fault or _addressee_fault(leg)
    if not fault and leg.kind in directions and not leg.copy.whole:
        fault = f"the copy got {_describe(leg.copy, leg.sent)}"
    return replace(leg, fault=fault or _strangers_fault(leg))


def report(
    points: ProbePoints,
    strategy: str,
    *,
    legs: Sequence[Leg],
    control_before: Sequence[Leg] = (),
    control_after: Sequence[Leg] = (),
    waypoints: Sequence[Waypoint] = (),
    undecided: str = "",
) -> ProofReport:
    """The report of a proof. Proven only if each wanted direction has a leg, and no leg of any part has a fault.

    ``undecided``: why a part could not be sent, or not be judged; then it is not proven either.
    """
    parts = (("before", control_before), ("", legs), ("after removal", control_after))
    faults = [
        f"{leg.name}{f' ({when})' if when else ''}: {leg.fault}" for when, part in parts for leg in part if leg.fault
    ]
    sent = {leg.kind for _, part in parts for leg in part}
    if not undecided:
        faults += [f"no frame could be sent {one}: nothing is proven" for one in points.directions if one not in sent]
    return ProofReport(
        source=points.source.label,
        copy=points.copy.label,
        strategy=strategy,
        proven=not faults and not undecided,
        legs=tuple(legs),
        control_before=tuple(control_before),
        control_after=tuple(control_after),
        waypoints=tuple(waypoints),
        directions=_directions(legs),
        not_probed=points.not_probed,
        unmetered=points.unmetered,
        meters=(points.source, points.copy, *points.watchers),
        faults=tuple(faults),
        undecided=undecided,
    )


def _directions(legs: Sequence[Leg]) -> tuple[Direction, ...]:
    """The directions of which the copy got every frame, on every leg."""
    found = []
    for kind in Direction:
        of_kind = [leg for leg in legs if leg.kind is kind]
        if of_kind and all(leg.copy.whole for leg in of_kind):
            found.append(kind)
    return tuple(found)


def _addressee_fault(leg: Leg) -> str:
    name, got = ("the source", leg.source) if leg.kind is Direction.TO_SOURCE else ("the addressee", leg.destination)
    if got is None or got.whole:
        return ""
    return f"{name} got {_describe(got, leg.sent)}"


def _strangers_fault(leg: Leg) -> str:
    strays = ", ".join(f"{label} got {count}" for label, count in leg.others.items() if count)
    return f"frames went to others: {strays}" if strays else ""


def _describe(got: Tally, sent: int) -> str:
    details = [
        f"{count} {word}"
        for count, word in (
            (got.duplicates, "twice"),
            (got.out_of_order, "out of order"),
            (got.altered, "altered"),
            (got.tagged, "with another VLAN tag"),
            (got.surplus, "more than were sent"),
        )
        if count
    ]
    return f"{got.frames} of {sent} frames" + (f" ({', '.join(details)})" if details else "")
