"""What a use case would do: the value that a user sees, approves, and has carried out, or saves for later."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from virtfn.model.cloud import DesiredCloud
from virtfn.model.desired import DesiredHost
from virtfn.model.finding import Finding
from virtfn.model.plan import Plan, Target
from virtfn.model.subject import CloudAction

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class HostRequest:
    """Make this host as declared."""

    desired: DesiredHost


@dataclass(frozen=True)
class CloudRequest:
    """UP: make the cloud as declared. DOWN: delete all that bears the spec's tag; of the spec only its name counts."""

    action: CloudAction
    desired: DesiredCloud


@dataclass(frozen=True)
class Proposal(Generic[R]):
    """A request, the plan that fulfils it now, and what was found about both.

    The object that was approved is the object that runs: ``carry_out`` of the service that made it takes it whole, and
    refuses it where the world has changed since. ``findings`` has all that guards refuse; which of them the user
    overrides is said when it is carried out.
    """

    request: R
    plan: Plan
    findings: tuple[Finding, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return self.plan.is_empty


class Recovery(StrEnum):
    """What is done first with a transaction whose process died.

    ROLLBACK: what it made is deleted, what it changed is restored. FINISH: all that it was to make is there; it is
    committed once that is ready.
    """

    ROLLBACK = "rollback"
    FINISH = "finish"


@dataclass(frozen=True)
class InterruptedRun:
    """A transaction of the same spec whose process died. ``objects``: what a rollback deletes or restores."""

    id: int
    title: str
    recovery: Recovery
    objects: tuple[Target, ...] = ()


@dataclass(frozen=True)
class CloudProposal(Proposal[CloudRequest]):
    """A proposal for a cloud. ``interrupted`` runs are recovered first; ``plan`` is what is to be done after that."""

    request: CloudRequest
    interrupted: tuple[InterruptedRun, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to do, and nothing to recover."""
        return self.plan.is_empty and not self.interrupted


@dataclass(frozen=True)
class Receipt:
    """What was done: the plan, and the transaction's number in the journal (None: there was nothing to do)."""

    plan: Plan
    id: int | None = None


@dataclass(frozen=True)
class WaitPolicy:
    """How long to wait for something, and how often to look, in seconds."""

    deadline_s: float = 0.0
    pause_s: float = 0.5
