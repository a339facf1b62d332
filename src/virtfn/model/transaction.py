"""One transaction as its journal tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from virtfn.model.plan import Plan, Step, Undoing, Value


class Status(StrEnum):
    """Where a transaction stands.

    OPEN: begun, neither committed nor undone (its process died, or is at work).
    COMMITTED: done and verified. UNDOING: a rollback has begun. ROLLED_BACK: all is as before.
    INCOMPLETE: a rollback could not finish. ENDED: the host was booted anew, nothing of it remains.
    """

    OPEN = "open"
    COMMITTED = "committed"
    UNDOING = "undoing"
    ROLLED_BACK = "rolled back"
    INCOMPLETE = "rollback incomplete"
    ENDED = "ended by reboot"

    @property
    def unfinished(self) -> bool:
        """Somebody has to roll it back before anything else is changed."""
        return self in (Status.OPEN, Status.UNDOING, Status.INCOMPLETE)


@dataclass(frozen=True)
class Transaction:
    """A plan, how far it came, and what was recorded on the way.

    ``begun`` and ``done`` are step numbers (from 0): journalled before, and after the write. ``evidence`` holds the
    documents that were attached (proof reports), oldest first. ``remaining`` names what a rollback could not restore.
    """

    id: int
    plan: Plan
    status: Status
    boot_id: str
    started: str
    begun: tuple[int, ...] = ()
    done: tuple[int, ...] = ()
    evidence: tuple[Mapping[str, Value], ...] = field(default=())
    remaining: tuple[str, ...] = ()
    failure: str = ""

    @property
    def touched(self) -> tuple[Step, ...]:
        """The steps whose write may have happened: journalled as begun."""
        return tuple(self.plan.steps[number] for number in sorted(self.begun))

    @property
    def is_final(self) -> bool:
        """Whether nothing of it can be taken back: what it deleted does not come back."""
        return all(step.undoing is Undoing.FINAL for step in self.plan.steps)
