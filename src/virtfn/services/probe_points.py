"""Who can send and watch probe frames: from the inventory and the vantage points a person named."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtfn.engine.interfaces import World
from virtfn.errors import CapabilityError, UsageError
from virtfn.mirroring.proof import ProbePoints
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.inventory import Inventory, PfState, VfState
from virtfn.model.plan import Target
from virtfn.model.probe import Endpoint

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
        """Read ``pf``, ``sibling`` and netdev names; no word at all means ``pf``. Raises UsageError."""
        outside = tuple(word for word in words if word not in (PF, SIBLING))
        for name in outside:
            if not name.rpartition(":")[2] or "/" in name:
                raise UsageError(f"{name!r} is no vantage point", hint="name pf, sibling, NETDEV or NETNS:NETDEV")
        return cls(PF in words or not words, SIBLING in words, outside)


@dataclass(frozen=True)
class Pair:
    """A mirror's two VFs and the MAC whose frames are copied; ``copies``: labels of this source's other copies."""

    source: VfRef
    copy: VfRef
    mac: MacAddress
    copies: frozenset[str] = frozenset()


def probe_points_of(world: World, inventory: Inventory, pair: Pair, vantage: ProbeOrigins) -> ProbePoints:
    """The points of a mirror. Raises CapabilityError where the source or the copy cannot be captured from here."""
    pf = inventory.pf(pair.source.pf)
    source = pf.vf(pair.source.index) if pf else None
    copy = pf.vf(pair.copy.index) if pf else None
    if pf is None or source is None or copy is None:
        raise UsageError(f"{pair.source} and {pair.copy} are not both there", hint="see `virtfn show`")
    siblings = tuple(point for vf in pf.vfs if vf not in (source, copy) and (point := _vf_endpoint(pf, vf)))
    idle = tuple(point for point in siblings if point.label not in pair.copies)
    outside = tuple(_outside_endpoint(world, name) for name in vantage.outside)
    uplink = tuple(point for point in (_pf_endpoint(pf),) if point)
    return ProbePoints(
        source=_must_reach(pf, source),
        copy=_must_reach(pf, copy),
        mac=pair.mac,
        senders=(*(uplink if vantage.pf else ()), *outside, *(idle[:1] if vantage.sibling else ())),
        receivers=outside[:1] or uplink,
        watchers=(*uplink, *outside, *siblings),
        copies=pair.copies,
        not_probed=tuple(_gaps(pf, vantage, bool(uplink), bool(outside), bool(idle))),
    )


def _must_reach(pf: PfState, vf: VfState) -> Endpoint:
    point = _vf_endpoint(pf, vf)
    if point:
        return point
    holder = vf.holder
    where = getattr(holder, "detail", "") or getattr(holder, "reason", "") or getattr(holder, "kind", "")
    raise CapabilityError(
        f"no frame can be captured there, so no mirror could be proven ({where})",
        where=f"{pf.label}/{vf.index}",
        hint="source and copy need a netdev, up, on the host or in a network namespace",
    )


def _vf_endpoint(pf: PfState, vf: VfState) -> Endpoint | None:
    netdev = vf.netdev
    if netdev is None or not netdev.up:
        return None
    return Endpoint(f"{pf.label}/{vf.index}", netdev.netns, netdev.name, netdev.mac)


def _pf_endpoint(pf: PfState) -> Endpoint | None:
    if not isinstance(pf.name, str) or not isinstance(pf.mac, MacAddress):
        return None
    return Endpoint(pf.name, "", pf.name, pf.mac)


def _outside_endpoint(world: World, name: str) -> Endpoint:
    netns, _, netdev = name.rpartition(":")
    mac = world.read(Target("netdev", name, name), "mac")
    return Endpoint(name, netns, netdev, MacAddress.parse(str(mac)))


def _gaps(pf: PfState, vantage: ProbeOrigins, uplink: bool, outside: bool, idle: bool) -> Iterator[str]:
    """The vantage points that are missing, each with the reason."""
    if vantage.pf and not uplink:
        yield f"{pf.label} itself: it has no netdev here"
    if not outside:
        yield "the wire: no netdev beyond the NIC was named (--probe-from)"
    if not vantage.sibling:
        yield "a sibling VF: not asked for (--probe-from sibling)"
    elif not idle:
        yield "a sibling VF: none has a netdev that is up and in reach"
