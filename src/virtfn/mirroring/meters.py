"""Meters: the ways to count what a VF receives. Here is decided which one fits a VF; the edges read it (host/probing).

A meter is chosen for each VF separately, the strongest first: frames that were seen prove more than a counter that
grew, and that more than nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virtfn.eswitch.facts import MeterName
from virtfn.eswitch.nic_state import row_of
from virtfn.model.inventory import EswitchMode, PfState, Unknown, VfState
from virtfn.model.probe import Counter, Endpoint, NoMeter, ProbePoint, Strength


class Meter(Protocol):
    """One way to count what a VF receives. ``name`` is the key under which an edge reads it."""

    @property
    def name(self) -> str:
        """``captured-frames``."""

    @property
    def strength(self) -> Strength:
        """How much its counts prove."""

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


@dataclass(frozen=True)
class DriverCounter:
    """A counter that the PF's driver is known to fill, whoever has the VF: ``rings``, ``vf-statistics``,
    ``representor``.

    0 of a driver that is not known to fill it is not "nothing was received": there this meter cannot count.
    """

    name: MeterName
    strength: Strength = Strength.COUNTED

    def point(self, pf: PfState, vf: VfState) -> ProbePoint | NoMeter:
        """The VF's counter, if the row of the PF's driver has this meter."""
        label, row = f"{pf.label}/{vf.index}", row_of(pf)
        found = row.meter(self.name) if row else None
        if found is None:
            return NoMeter(
                label, f"the driver {pf.driver if isinstance(pf.driver, str) else ''} is not known to fill it"
            )
        if found.vfs is not None and vf.index >= found.vfs:
            return NoMeter(label, f"this NIC's driver has it for the first {found.vfs} VFs only")
        if self.name is MeterName.REPRESENTOR and pf.eswitch_mode is not EswitchMode.SWITCHDEV:
            return NoMeter(label, f"{pf.label} is not in switchdev mode")
        if not isinstance(pf.name, str):
            return NoMeter(label, f"{pf.label} has no netdev to ask")
        return ProbePoint(label, self.name, self.strength, counter=Counter(pf.name, vf.index, lag_s=found.lag_s))


CAPTURED_FRAMES = CapturedFrames()
METERS: tuple[Meter, ...] = (CAPTURED_FRAMES, *map(DriverCounter, MeterName))
"""All meters, strongest first."""

Ready = Callable[[ProbePoint], ProbePoint | NoMeter]
"""Reads a point's meter once: the point with what is known of its counter then, or why it cannot be read."""


def meter_of(pf: PfState, vf: VfState, ready: Ready, meters: Sequence[Meter] = METERS) -> ProbePoint | NoMeter:
    """The VF as a point of the strongest meter that can count there, or why there is none."""
    reasons = []
    for meter in meters:
        found = meter.point(pf, vf)
        if isinstance(found, ProbePoint):
            found = ready(found)
        if isinstance(found, ProbePoint):
            return found
        reasons.append(f"{meter.name}: {found.reason}")
    return NoMeter(f"{pf.label}/{vf.index}", "; ".join(reasons))


def _holder(vf: VfState) -> str:
    holder = vf.holder
    where = holder.reason if isinstance(holder, Unknown) else holder.detail or holder.kind.value
    return f" ({where})"
