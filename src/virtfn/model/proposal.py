"""A proposal: what a use case would do. The user sees, approves, and carries it out, or saves it for later."""

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
    """UP: make the cloud as declared. DOWN: delete all objects with the spec's tag; only the spec's name matters."""

    action: CloudAction
    desired: DesiredCloud


@dataclass(frozen=True)
class Proposal(Generic[R]):
    """A request, its plan for the current state, and the findings.

    The approved object is the one that runs: ``carry_out`` takes it unchanged, and refuses it where the world has
    changed since. ``findings`` has all refusals; the user's overrides are given to ``carry_out``.
    """

    request: R
    plan: Plan
    findings: tuple[Finding, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return self.plan.is_empty


class Recovery(StrEnum):
    """How a transaction whose process died is recovered first.

    ROLLBACK: created objects are deleted, changed fields restored. FINISH: all its objects exist; it is committed
    once they are ready.
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
    """A proposal for a cloud. ``interrupted`` runs are recovered first; ``plan`` runs after that."""

    request: CloudRequest
    interrupted: tuple[InterruptedRun, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to do, and nothing to recover."""
        return self.plan.is_empty and not self.interrupted


@dataclass(frozen=True)
class Receipt:
    """The result: the plan, and the transaction's number in the journal (None: there was nothing to do)."""

    plan: Plan
    id: int | None = None


@dataclass(frozen=True)
class WaitPolicy:
    """How long to wait for something, and how often to check, in seconds."""

    deadline_s: float = 0.0
    pause_s: float = 0.5
