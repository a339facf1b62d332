"""Events of the use cases, in addition to those of the engine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtfn.engine.events import Event
from virtfn.errors import VirtfnError

if TYPE_CHECKING:
    from virtfn.model.probe import Leg
    from virtfn.model.proposal import Recovery


@dataclass(frozen=True)
class InterruptedFound(Event):
    """A transaction whose process died was found. ``recovery``: how it is recovered now."""

    id: int
    title: str
    recovery: "Recovery"


@dataclass(frozen=True)
class ConfirmationOverdue(Event):
    """A transaction was not confirmed in time. ``failure``: why it is not rolled back; None: it is."""

    id: int
    title: str
    failure: VirtfnError | None = None


@dataclass(frozen=True)
class ModesCorrected(Event):
    """Other users could read these files and folders of the journal; now they cannot."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class RecoveryIncomplete(Event):
    """The rollback of an interrupted transaction left some fields; the work continues."""

    failure: VirtfnError


@dataclass(frozen=True)
class ServerProgress(Event):
    """A server's progress has changed."""

    server: str
    state: str


@dataclass(frozen=True)
class BurstJudged(Event):
    """One burst of probe frames was sent, captured and judged."""

    leg: "Leg"


@dataclass(frozen=True)
class ProofRetried(Event):
    """A proof has failed and is tried again. ``attempt``: the number of the one that failed, from 1."""

    attempt: int
    fault: str


@dataclass(frozen=True)
class StrategyNotProven(Event):
    """A strategy was applied, not proven, and rolled back."""

    strategy: str
