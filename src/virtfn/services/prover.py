"""Proves a mirror by frames: the control, the proof, and a look in the middle of a recipe."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Cancelled
from virtfn.engine.transaction import never_cancelled
from virtfn.errors import Interrupted, ProofFailed
from virtfn.mirroring import proof
from virtfn.model.plan import Step
from virtfn.model.probe import Direction, Leg, ProbePoints, ProofReport, Waypoint
from virtfn.model.value_format import say
from virtfn.services.events import BurstJudged, ProofRetried
from virtfn.services.interfaces import Prober


@dataclass(frozen=True)
class Probing:
    """How a mirror is proven: how many frames per leg, and how often a proof that fails is tried.

    ``nonce`` gives 8 octets that no other burst has; ``patience_s`` is how long a NIC that was reset in the middle of
    a recipe may stay silent.
    """

    nonce: Callable[[], bytes]
    frames: int = 20
    attempts: int = 2
    patience_s: float = 15.0


class Prover:
    """Sends the bursts of a proof and has their counts judged. It knows no meter: the prober counts."""

    def __init__(
        self, prober: Prober, probing: Probing, *, sink: EventSink, cancelled: Cancelled = never_cancelled
    ) -> None:
        self._prober = prober
        self._probing = probing
        self._sink = sink
        self._cancelled = cancelled

    def control(self, points: ProbePoints) -> tuple[Leg, ...]:
        """The negative control: all legs with no mirror in place."""
        return self._send(points, proof.judge_control)

    def clean_control(self, points: ProbePoints) -> tuple[Leg, ...]:
        """The control before anything is changed. Raises ProofFailed unless only the source gets the frames."""
        control = self.control(points)
        faults = [f"{leg.name}: {leg.fault}" for leg in control if leg.fault]
        if not faults:
            return control
        raise ProofFailed(
            "pre-check failed: " + _pre_check(control) + "; nothing was changed: " + "; ".join(faults),
            where=f"{points.source.label} to {points.copy.label}",
            hint="without a mirror, probes must reach the source and nobody else",
            report=proof.report(points, "", legs=(), control_before=control),
        )

    def prove(
        self, points: ProbePoints, strategy: str, control: tuple[Leg, ...] = (), waypoints: tuple[Waypoint, ...] = ()
    ) -> ProofReport:
        """Send all legs with the mirror in place; again where they have a fault, as some NICs reset a VF at first."""
        attempt = 1
        while True:
            legs = self._send(points, lambda leg: proof.judge_mirror(leg, points.directions))
            report = proof.report(points, strategy, legs=legs, control_before=control, waypoints=waypoints)
            if report.proven or attempt >= self._probing.attempts:
                return report
            self._sink(ProofRetried(attempt, report.faults[0]))
            attempt += 1

    def look(self, points: ProbePoints, after: Step) -> Waypoint:
        """Bursts to the source in the middle of a recipe, until one arrives whole or ``patience_s`` is over."""
        path = proof.probe_paths(points)[0]
        start = time.monotonic()
        while True:
            asked = time.monotonic()
            leg = self._send_burst(points, path)
            if leg.source.whole or time.monotonic() - start > self._probing.patience_s or self._cancelled():
                break
        return Waypoint(
            after=f"{after.target} {after.field} {say(after.after)}",
            sent=leg.sent,
            source=leg.source.frames,
            copy=leg.copy.frames,
            waited_s=round(asked - start, 1),
        )

    def _send(self, points: ProbePoints, judge: Callable[[Leg], Leg]) -> tuple[Leg, ...]:
        legs = []
        for path in proof.probe_paths(points):
            if self._cancelled():
                raise Interrupted("interrupted")
            leg = judge(self._send_burst(points, path))
            self._sink(BurstJudged(leg))
            legs.append(leg)
        return tuple(legs)

    def _send_burst(self, points: ProbePoints, path: proof.ProbePath) -> Leg:
        burst = proof.burst_of(points, path, self._probing.nonce(), self._probing.frames)
        return proof.leg_of(points, path, burst, self._prober.send(burst))


def _pre_check(control: tuple[Leg, ...]) -> str:
    """What the control before the mirror showed, in short."""
    lost = any(leg.fault and not leg.source.whole for leg in control if leg.kind is Direction.TO_SOURCE)
    return "probes did not reach the source" if lost else "probes went to others than the addressee"
