"""Events of the use cases, beside those of the engine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtfn.engine.events import Event
from virtfn.errors import VirtfnError

if TYPE_CHECKING:
    from virtfn.model.probe import Leg
    from virtfn.model.proposal import Recovery


@dataclass(frozen=True)
class InterruptedFound(Event):
    """A transaction whose process died was found, and this is done with it now."""

    id: int
    title: str
    recovery: "Recovery"


@dataclass(frozen=True)
class ConfirmationOverdue(Event):
    """A transaction was not confirmed in time. ``failure``: why it is not rolled back now; None: it is."""

    id: int
    title: str
    failure: VirtfnError | None = None


@dataclass(frozen=True)
class ModesCorrected(Event):
    """These files and folders of the journal could be read by other users; now they cannot."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class RecoveryIncomplete(Event):
    """The rollback of an interrupted transaction left something behind; the work goes on."""

    failure: VirtfnError


@dataclass(frozen=True)
class ServerProgress(Event):
    """How far a server is, whenever that changes."""

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
