"""Proves a mirror by frames: the control, the proof, and a check in the middle of a recipe."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Cancelled
from virtfn.engine.transaction import never_cancelled
from virtfn.errors import Interrupted, ProofFailed
from virtfn.mirroring import proof
from virtfn.mirroring.counting import Undecidable, burst_sizes, counted, settling_s, watched
from virtfn.model.plan import Step
from virtfn.model.probe import Direction, IdleControl, Leg, NoMeter, ProbePoint, ProbePoints, ProofReport, Waypoint
from virtfn.model.value_format import say
from virtfn.services.events import BurstJudged, ProofRetried
from virtfn.services.interfaces import Prober


@dataclass(frozen=True)
class Probing:
    """How a mirror is proven: how many frames per leg, and how often a proof that fails is tried.

    ``nonce`` gives 8 octets that no other burst has; ``draw`` a random number between two, both included: the size of a
    burst that is only counted. ``patience_s`` is how long a NIC that was reset in the middle of a recipe may stay
    silent; ``idle_s`` how long counters that do not lag are read without a burst: at least twice what a burst takes.
    """

    nonce: Callable[[], bytes]
    draw: Callable[[int, int], int]
    frames: int = 20
    attempts: int = 2
    patience_s: float = 15.0
    idle_s: float = 2.0


@dataclass(frozen=True)
class Trial:
    """All legs sent once, and judged; ``undecided``: why none were. ``points``: where they were counted."""

    points: ProbePoints
    legs: tuple[Leg, ...] = ()
    undecided: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults of its legs."""
        return tuple(f"{leg.name}: {leg.fault}" for leg in self.legs if leg.fault)


class Prover:
    """Sends the bursts of a proof and evaluates their counts. The prober does the counting."""

    def __init__(
        self, prober: Prober, probing: Probing, *, sink: EventSink, cancelled: Cancelled = never_cancelled
    ) -> None:
        self._prober = prober
        self._probing = probing
        self._sink = sink
        self._cancelled = cancelled

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with what its meter says of its counter now, or why it cannot be read."""
        return self._prober.ready(point)

    def control(self, points: ProbePoints) -> Trial:
        """The negative control: all legs with no mirror in place. Tried again like a proof, where some are counted."""
        return self._tried(points, proof.judge_control, self._probing.attempts if counted(points) else 1)

    def clean_control(self, points: ProbePoints) -> Trial:
        """The control before anything is changed. Raises ProofFailed where not only the source gets the frames."""
        control = self.control(points)
        if not control.faults:
            return control
        raise ProofFailed(
            "pre-check failed: " + _pre_check(control.legs) + "; nothing was changed: " + "; ".join(control.faults),
            where=f"{points.source.label} to {points.copy.label}",
            hint="without a mirror, probes must reach the source and no other point",
            report=proof.report(control.points, "", legs=(), control_before=control.legs),
        )

    def prove(
        self, points: ProbePoints, strategy: str, control: Trial, waypoints: tuple[Waypoint, ...] = ()
    ) -> ProofReport:
        """Send all legs with the mirror in place; again where they have a fault, as some NICs reset a VF at first.

        It cannot be proven where its control could not be decided.
        """
        found = self._tried(points, lambda leg: proof.judge_mirror(leg, points.directions), self._probing.attempts)
        return proof.report(
            found.points,
            strategy,
            legs=found.legs,
            control_before=control.legs,
            waypoints=waypoints,
            undecided=control.undecided or found.undecided,
        )

    def look(self, points: ProbePoints, after: Step) -> Waypoint:
        """Bursts to the source in the middle of a recipe, until one arrives whole or ``patience_s`` is over."""
        path = proof.probe_paths(points)[0]
        start = time.monotonic()
        while True:
            asked = time.monotonic()
            leg = self._send_burst(points, path, self._probing.frames)
            if leg.source.whole or time.monotonic() - start > self._probing.patience_s or self._cancelled():
                break
        return Waypoint(
            after=f"{after.target} {after.field} {say(after.after)}",
            sent=leg.sent,
            source=leg.source.frames,
            copy=leg.copy.frames,
            waited_s=round(asked - start, 1),
        )

    def _tried(self, points: ProbePoints, judge: Callable[[Leg], Leg], attempts: int) -> Trial:
        attempt = 1
        while True:
            found = self._send(points, judge)
            if not found.faults or attempt >= attempts:
                return found
            self._sink(ProofRetried(attempt, found.faults[0]))
            attempt += 1

    def _send(self, points: ProbePoints, judge: Callable[[Leg], Leg]) -> Trial:
        idle = self._idle(points)
        sizes = burst_sizes(points, idle, self._probing.frames)
        if isinstance(sizes, Undecidable):
            return Trial(points, undecided=sizes.reason)
        points = watched(points, idle, sizes)
        legs = []
        for path in proof.probe_paths(points):
            for number in range(1, sizes.bursts + 1):
                if self._cancelled():
                    raise Interrupted("interrupted")
                count = self._probing.draw(sizes.lowest, sizes.highest) if sizes.bursts > 1 else sizes.lowest
                leg = judge(self._send_burst(points, path, count, idle))
                if sizes.bursts > 1:
                    leg = replace(leg, name=f"{leg.name} ({number} of {sizes.bursts})")
                self._sink(BurstJudged(leg))
                legs.append(leg)
        return Trial(points, tuple(legs))

    def _idle(self, points: ProbePoints) -> IdleControl:
        """What counters count while nothing is sent."""
        counters, paths = counted(points), proof.probe_paths(points)
        if not counters or not paths:
            return proof.NOT_READ
        nothing = replace(proof.burst_of(points, paths[0], self._probing.nonce(), 0), watchers=counters)
        seconds = self._probing.idle_s + 2 * settling_s(counters)
        found = self._prober.idle(nothing, seconds)
        return IdleControl(
            seconds,
            {label: one.frames for label, one in found.items()},
            {label: one.broken for label, one in found.items() if one.broken},
        )

    def _send_burst(
        self, points: ProbePoints, path: proof.ProbePath, count: int, idle: IdleControl = proof.NOT_READ
    ) -> Leg:
        burst = proof.burst_of(points, path, self._probing.nonce(), count)
        return proof.leg_of(points, path, burst, self._prober.send(burst), idle)


def _pre_check(control: tuple[Leg, ...]) -> str:
    """The result of the control before the mirror, in short."""
    lost = any(leg.fault and not leg.source.whole for leg in control if leg.kind is Direction.TO_SOURCE)
    return "probes did not reach the source" if lost else "probes reached other points than the addressee"
