"""Meters: the ways to count what a VF receives. Here is decided which one fits a VF; the edges read it (host/probing).

A meter is chosen for each VF by itself, the strongest first: frames that were seen prove more than a counter that
grew, and that more than nothing.
"""

from collections.abc import Sequence
from typing import Protocol

from virtfn.model.inventory import PfState, Unknown, VfState
from virtfn.model.probe import Endpoint, NoMeter, ProbePoint, Strength


class Meter(Protocol):
    """One way to count what a VF receives. ``name`` is the key under which an edge reads it."""

    name: str
    strength: Strength

    def point(self, pf: PfState, vf: VfState) -> ProbePoint | NoMeter:
        """The VF as a point of this meter, or why this meter cannot count there."""


class CapturedFrames:
    """Frames captured at the VF's netdev, on the host or in a network namespace: exact in content and order."""

    name = "captured-frames"
    strength = Strength.SEEN

    def point(self, pf: PfState, vf: VfState) -> ProbePoint | NoMeter:
        """The VF's netdev, if it has one in reach and it is up."""
        label, netdev = f"{pf.label}/{vf.index}", vf.netdev
        if netdev and netdev.up:
            return self.at(Endpoint(label, netdev.netns, netdev.name, netdev.mac))
        if netdev:
            return NoMeter(label, f"{netdev} is down")
        return NoMeter(label, f"no netdev is in reach{_holder(vf)}")

    def at(self, endpoint: Endpoint) -> ProbePoint:
        """Any netdev as a point of this meter."""
        return ProbePoint(endpoint.label, self.name, self.strength, endpoint)


CAPTURED_FRAMES = CapturedFrames()
METERS: tuple[Meter, ...] = (CAPTURED_FRAMES,)
"""All meters, strongest first."""


def meter_of(pf: PfState, vf: VfState, meters: Sequence[Meter] = METERS) -> ProbePoint | NoMeter:
    """The VF as a point of the strongest meter that can count there, or why there is none."""
    reasons = []
    for meter in meters:
        found = meter.point(pf, vf)
        if isinstance(found, ProbePoint):
            return found
        reasons.append(f"{meter.name}: {found.reason}")
    return NoMeter(f"{pf.label}/{vf.index}", "; ".join(reasons))


def _holder(vf: VfState) -> str:
    holder = vf.holder
    where = holder.reason if isinstance(holder, Unknown) else holder.detail or holder.kind.value
    return f" ({where})"
