"""Finds where probe frames can be sent and counted, from the inventory and the origins in the request."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtfn.engine.interfaces import World
from virtfn.errors import UsageError
from virtfn.mirroring.meters import CAPTURED_FRAMES, Ready, meter_of
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.inventory import NO_VLAN, Inventory, PfState, VfState, Vlan
from virtfn.model.plan import Target
from virtfn.model.probe import Direction, Endpoint, NoMeter, ProbePoint, ProbePoints

SIBLING = "sibling"
PF = "pf"


@dataclass(frozen=True)
class ProbeOrigins:
    """From where probe frames are sent.

    ``pf``: the uplink; ``sibling``: another VF of the PF whose netdev can be reached; ``outside``: netdevs beyond the
    NIC as ``NETNS:NAME`` or ``NAME``, for example the far end of a cable.
    """

    pf: bool = True
    sibling: bool = False
    outside: tuple[str, ...] = ()

    @classmethod
    def parse(cls, words: tuple[str, ...]) -> "ProbeOrigins":
        """Read ``pf``, ``sibling`` and netdev names; an empty text means ``pf``. Raises UsageError."""
        outside = tuple(word for word in words if word not in (PF, SIBLING))
        for name in outside:
            if not name.rpartition(":")[2] or "/" in name:
                raise UsageError(
                    f"{name!r} is no origin of probe frames", hint="name pf, sibling, NETDEV or NETNS:NETDEV"
                )
        return cls(PF in words or not words, SIBLING in words, outside)


@dataclass(frozen=True)
class Pair:
    """A mirror's two VFs, the MAC whose frames are copied, and the directions.

    ``copies``: labels of this source's other copies.
    """

    source: VfRef
    copy: VfRef
    mac: MacAddress
    directions: tuple[Direction, ...] = (Direction.TO_SOURCE,)
    copies: frozenset[str] = frozenset()


def probe_points_of(
    world: World, inventory: Inventory, pair: Pair, origins: ProbeOrigins, ready: Ready
) -> ProbePoints | tuple[NoMeter, ...]:
    """The points of a mirror; or, where no meter can count at its source or its copy, which and why.

    Frames are sent in the source's VLAN: with its tag from the PF and from outside, from a sibling that is in it.
    ``ready`` reads a meter once.
    Raises UsageError where a VF does not exist; what reading a netdev outside raises.
    """
    pf = inventory.pf(pair.source.pf)
    source = pf.vf(pair.source.index) if pf else None
    copy_pf = inventory.pf(pair.copy.pf)
    copy = copy_pf.vf(pair.copy.index) if copy_pf else None
    if pf is None or copy_pf is None or source is None or copy is None:
        raise UsageError(f"{pair.source} and {pair.copy} do not both exist")
    at_source, at_copy = meter_of(pf, source, ready), meter_of(copy_pf, copy, ready)
    if isinstance(at_source, NoMeter) or isinstance(at_copy, NoMeter):
        return tuple(one for one in (at_source, at_copy) if isinstance(one, NoMeter))
    vlan = _vlan(source)
    others = {vf.index: meter_of(pf, vf, ready) for vf in pf.vfs if vf not in (source, copy)}
    siblings = tuple(one for one in others.values() if isinstance(one, ProbePoint))
    inside = {f"{pf.label}/{vf.index}" for vf in pf.vfs if _vlan(vf).id == vlan.id} - pair.copies
    idle = tuple(one.endpoint for one in siblings if one.endpoint and one.label in inside)
    outside = tuple(_outside_endpoint(world, name, vlan) for name in origins.outside)
    uplink = tuple(point for point in (_pf_endpoint(pf, vlan),) if point)
    receivers = outside[:1] or (() if vlan.id else uplink)
    return ProbePoints(
        source=at_source,
        copy=at_copy,
        mac=pair.mac,
        senders=(*(uplink if origins.pf else ()), *outside, *(idle[:1] if origins.sibling else ())),
        receivers=receivers,
        watchers=(*map(CAPTURED_FRAMES.at, (*uplink, *outside)), *siblings),
        copies=pair.copies,
        directions=pair.directions,
        not_probed=tuple(
            _gaps(
                at_source,
                vlan,
                origins,
                uplink=bool(uplink),
                outside=bool(outside),
                idle=bool(idle),
                receivers=bool(receivers),
            )
        ),
        unmetered=tuple(one for one in others.values() if isinstance(one, NoMeter)),
    )


def _vlan(vf: VfState) -> Vlan:
    """The VLAN that the PF sets on a VF; none where it cannot be read."""
    return vf.vlan if isinstance(vf.vlan, Vlan) else NO_VLAN


def _pf_endpoint(pf: PfState, vlan: Vlan) -> Endpoint | None:
    if not isinstance(pf.name, str) or not isinstance(pf.mac, MacAddress):
        return None
    return Endpoint(pf.name, "", pf.name, pf.mac, vlan)


def _outside_endpoint(world: World, name: str, vlan: Vlan) -> Endpoint:
    netns, _, netdev = name.rpartition(":")
    mac = world.read(Target("netdev", name, name), "mac")
    return Endpoint(name, netns, netdev, MacAddress.parse(str(mac)), vlan)


def _gaps(
    source: ProbePoint,
    vlan: Vlan,
    origins: ProbeOrigins,
    *,
    uplink: bool,
    outside: bool,
    idle: bool,
    receivers: bool,
) -> Iterator[str]:
    """The origins of frames that are missing, each with the reason."""
    inside = f" in VLAN {vlan.id}" if vlan.id else ""
    if origins.pf and not uplink:
        yield "the PF itself: it has no netdev here"
    if not outside:
        yield "the wire: no netdev beyond the NIC was named to send from"
    if not origins.sibling:
        yield "a sibling VF: not requested"
    elif not idle:
        yield f"a sibling VF: none{inside} has a netdev that is up and in reach"
    if not source.endpoint:
        yield f"{source.label}: it has no netdev in reach, so what it sends is not known"
    elif not receivers:
        yield f"{source.label}: nobody{inside} is in reach to send to"
