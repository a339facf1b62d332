"""Proving by frames: control, proof, and a look in the middle, on one bench."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from virtfn.errors import Interrupted, ProofFailed
from virtfn.mirroring import proof
from virtfn.mirroring.proof import Bench
from virtfn.model.plan import Step
from virtfn.model.probe import Leg, ProofReport, Volley, Waypoint
from virtfn.model.saying import say
from virtfn.services.ports import Cancelled, Prober
from virtfn.services.transaction import Progress, never_cancelled


@dataclass(frozen=True)
class Probing:
    """How a mirror is proven: how many frames a leg, and how often a proof that fails is tried.

    ``nonce`` gives 8 octets that no other volley has; ``patience_s`` is how long a NIC that was reset in the middle of
    a recipe may stay silent.
    """

    nonce: Callable[[], bytes]
    frames: int = 20
    attempts: int = 2
    patience_s: float = 15.0


class Prover:
    """Shoots the legs of a proof and has them judged."""

    def __init__(
        self, prober: Prober, probing: Probing, *, progress: Progress, cancelled: Cancelled = never_cancelled
    ) -> None:
        self._prober = prober
        self._probing = probing
        self._progress = progress
        self._cancelled = cancelled

    def control(self, bench: Bench) -> tuple[Leg, ...]:
        """The negative control: all legs with no mirror in place."""
        return self._shoot(bench, proof.judge_control)

    def clean_control(self, bench: Bench) -> tuple[Leg, ...]:
        """The control before anything is changed. Raises ProofFailed unless only the source gets the frames."""
        control = self.control(bench)
        faults = [f"{leg.name}: {leg.fault}" for leg in control if leg.fault]
        if not faults:
            return control
        raise ProofFailed(
            "the control before the mirror failed, nothing was changed: " + "; ".join(faults),
            where=f"{bench.source.label} to {bench.copy.label}",
            hint="frames must reach the source, and only it, before a mirror can be proven",
            report=proof.report(bench, "", legs=(), control_before=control),
        )

    def prove(
        self, bench: Bench, strategy: str, control: tuple[Leg, ...] = (), waypoints: tuple[Waypoint, ...] = ()
    ) -> ProofReport:
        """Shoot all legs with the mirror in place; again where they have a fault, as some NICs reset a VF at first."""
        attempt = 1
        while True:
            legs = self._shoot(bench, proof.judge_mirror)
            report = proof.report(bench, strategy, legs=legs, control_before=control, waypoints=waypoints)
            if report.proven or attempt >= self._probing.attempts:
                return report
            self._progress(f"proof attempt {attempt} failed ({report.faults[0]}): once more")
            attempt += 1

    def look(self, bench: Bench, after: Step) -> Waypoint:
        """Volleys to the source in the middle of a recipe, until one arrives whole or ``patience_s`` is over."""
        course = proof.courses(bench)[0]
        start = time.monotonic()
        while True:
            asked = time.monotonic()
            leg = proof.leg_of(bench, course, *self._fire(bench, course))
            if leg.source.whole or time.monotonic() - start > self._probing.patience_s or self._cancelled():
                break
        return Waypoint(
            after=f"{after.target} {after.field} {say(after.after)}",
            sent=leg.sent,
            source=leg.source.frames,
            copy=leg.copy.frames,
            waited_s=round(asked - start, 1),
        )

    def _shoot(self, bench: Bench, judge: Callable[[Leg], Leg]) -> tuple[Leg, ...]:
        legs = []
        for course in proof.courses(bench):
            if self._cancelled():
                raise Interrupted("interrupted")
            leg = judge(proof.leg_of(bench, course, *self._fire(bench, course)))
            self._progress(f"probe {leg.name}: sent {leg.sent}, copy got {leg.copy.frames}")
            legs.append(leg)
        return tuple(legs)

    def _fire(self, bench: Bench, course: proof.Course) -> tuple[Volley, proof.Catch]:
        volley = proof.volley_of(bench, course, self._probing.nonce(), self._probing.frames)
        return volley, self._prober.shoot(volley)
