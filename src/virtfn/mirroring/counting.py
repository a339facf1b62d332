"""What counters prove: how large bursts must be so that chance cannot agree, and what of it is chatter. Pure.

A counter counts every frame of its VF, not only ours. So it is read without a burst first (the idle control). Then
bursts have sizes drawn at random, and it must grow by each of them. What it counted without a burst is the chatter: as
many frames beyond a burst, and a few more, prove nothing; the sizes must be far larger, and lie far apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from virtfn.model.probe import Counter, IdleControl, NoMeter, ProbePoint, ProbePoints, Tally

_BURSTS = 3
_LARGER = 4
"""A burst has at least so many times the frames that may be chatter."""
_SIZES = 16
"""Sizes are drawn among so many times the frames that may be chatter: of 3 bursts, chance agrees with one in 4096."""
_MOST_SIZES = 4 * _SIZES


@dataclass(frozen=True)
class BurstSizes:
    """The sizes among which those of the bursts of a leg are drawn, and the number of bursts."""

    lowest: int
    highest: int
    bursts: int


@dataclass(frozen=True)
class Undecidable:
    """Why no burst can prove or disprove anything here."""

    reason: str


def counted(points: ProbePoints) -> tuple[ProbePoint, ...]:
    """The points that are only counted, source and copy first."""
    return tuple(one for one in (points.source, points.copy, *points.watchers) if one.counter)


def settling_s(points: Sequence[ProbePoint]) -> float:
    """How much longer than frames their slowest counter is waited for: twice its lag."""
    return 2 * max((point.counter.lag_s for point in points if point.counter), default=0.0)


def allowance(idle: IdleControl, label: str) -> int:
    """The frames that may be chatter there: a burst takes at most half the time of the idle control."""
    found = idle.frames.get(label, 0)
    return found + 1 if found else 0


def burst_sizes(points: ProbePoints, idle: IdleControl, frames: int) -> BurstSizes | Undecidable:
    """The sizes of bursts to prove this mirror with; ``frames`` where both source and copy are seen.

    Undecidable where the chatter at source or copy is too much for any burst that is shorter than their rings.
    """
    parties = [(one, one.counter) for one in (points.source, points.copy) if one.counter]
    if not parties:
        return BurstSizes(frames, frames, 1)
    for point, _ in parties:
        if reason := idle.broken.get(point.label):
            return Undecidable(f"{point.label} cannot be counted by {point.meter}: {reason}")
    unit = 1 + max(allowance(idle, point.label) for point, _ in parties)
    most = min(_longest(counter, unit - 1) for _, counter in parties)
    lowest = max(_LARGER * unit, min(frames, most - _SIZES * unit))
    highest = min(lowest + _MOST_SIZES * unit, most)
    if highest - lowest < _SIZES * unit:
        return Undecidable(_why(points, idle))
    return BurstSizes(lowest, highest, _BURSTS)


def watched(points: ProbePoints, idle: IdleControl, sizes: BurstSizes) -> ProbePoints:
    """The same points without those bystanders whose counters such bursts do not stand out from."""
    gone = tuple(_unwatched(points, idle, sizes))
    labels = {one.label for one in gone}
    watchers = tuple(one for one in points.watchers if one.label not in labels)
    return replace(points, watchers=watchers, unmetered=(*points.unmetered, *gone))


def believed(found: Tally, allowed: int) -> Tally:
    """What a counter found, without the frames that may be chatter: nothing of a burst, or exactly all of it.

    Anything between is left as it is: it is no whole burst, and not nothing.
    """
    if found.broken or not allowed:
        return found
    if found.frames <= allowed:
        count = found.frames + found.missing - found.surplus
        return replace(found, frames=0, missing=count, surplus=0, chatter=found.frames)
    if found.surplus <= allowed:
        return replace(found, frames=found.frames - found.surplus, surplus=0, chatter=found.surplus)
    return found


def counter_tally(count: int, frames: int, broken: str = "") -> Tally:
    """What a counter found of a burst of ``count`` frames."""
    return Tally(frames, missing=max(0, count - frames), surplus=max(0, frames - count), broken=broken)


def _longest(counter: Counter, allowed: int) -> int:
    """The largest burst that is shorter than the ring with all that may be chatter."""
    return counter.ring - 1 - allowed if counter.ring else 10_000


def _unwatched(points: ProbePoints, idle: IdleControl, sizes: BurstSizes) -> Iterator[NoMeter]:
    for point in points.watchers:
        if point.counter is None:
            continue
        allowed = allowance(idle, point.label)
        if reason := idle.broken.get(point.label):
            yield NoMeter(point.label, f"{point.meter}: {reason}")
        elif _LARGER * (allowed + 1) > sizes.lowest or sizes.highest > _longest(point.counter, allowed):
            yield NoMeter(point.label, f"{point.meter}: {_chatter(point, idle)}")


def _why(points: ProbePoints, idle: IdleControl) -> str:
    found = "; ".join(_chatter(one, idle) for one in (points.source, points.copy) if one.counter)
    return f"no burst stands out from the chatter: {found}"


def _chatter(point: ProbePoint, idle: IdleControl) -> str:
    ring = (
        f", and a burst must be shorter than its ring of {point.counter.ring}"
        if point.counter and point.counter.ring
        else ""
    )
    return f"{point.label} received {idle.frames.get(point.label, 0)} frames in {idle.seconds:g} s without one{ring}"
