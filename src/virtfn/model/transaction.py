"""One transaction as its journal records it, and its summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from virtfn.model.plan import Plan, Step, Undoing, Value
from virtfn.model.subject import Subject


class Status(StrEnum):
    """The status of a transaction.

    OPEN: begun, neither committed nor rolled back (its process is running, or died).
    COMMITTED: done and verified. UNDOING: a rollback has begun. ROLLED_BACK: all is as before.
    INCOMPLETE: a rollback could not finish. ENDED: a reboot of the host has removed its changes.
    BROKEN: its file cannot be read.
    """

    OPEN = "open"
    COMMITTED = "committed"
    UNDOING = "undoing"
    ROLLED_BACK = "rolled back"
    INCOMPLETE = "rollback incomplete"
    ENDED = "ended by reboot"
    BROKEN = "broken"

    @property
    def unfinished(self) -> bool:
        """It has to be rolled back or resumed before anything else is changed."""
        return self in (Status.OPEN, Status.UNDOING, Status.INCOMPLETE)

    @property
    def sentence(self) -> str:
        """The status as a sentence about a transaction: ``{} is open``."""
        return _SENTENCES.get(self, f"{{}} is {self.value}")


_SENTENCES = {
    Status.INCOMPLETE: "rollback of {} is incomplete",
    Status.UNDOING: "rollback of {} was interrupted",
    Status.ENDED: "{} was ended by a reboot",
}


@dataclass(frozen=True)
class TransactionSummary:
    """A transaction without its plan. ``kind``: its subject, as text; ``steps``, ``done``: the number of them.

    ``confirm_within_s``: how long after its commit it has to be confirmed; None: it need not be. ``status_boot_s``:
    when the status was recorded, in seconds since boot. ``fault``: why a BROKEN one cannot be read.
    """

    id: int
    kind: str
    title: str
    status: Status
    boot_id: str
    started: str
    steps: int
    done: int
    confirm_within_s: float | None = None
    confirmed: bool = False
    status_boot_s: float | None = None
    fault: str = ""

    @classmethod
    def broken(cls, number: int, fault: str) -> Self:
        """The summary of a file that cannot be read."""
        return cls(number, "", fault, Status.BROKEN, "", "", 0, 0, fault=fault)

    @property
    def unconfirmed(self) -> bool:
        """It has to be confirmed, and has not been."""
        return self.confirm_within_s is not None and not self.confirmed

    @property
    def awaits_confirmation(self) -> bool:
        """It is rolled back unless it is confirmed."""
        return self.unconfirmed and self.status in (Status.OPEN, Status.COMMITTED)

    @property
    def confirm_by_boot_s(self) -> float | None:
        """Until when it can be confirmed, in seconds since boot; None where its time has not begun, or has no end."""
        if self.status is not Status.COMMITTED or not self.unconfirmed or self.status_boot_s is None:
            return None
        return self.status_boot_s + (self.confirm_within_s or 0.0)

    def is_about(self, of: type[Subject]) -> bool:
        """Whether its subject is of this type."""
        return self.kind.split(" ")[0] == of.kind

    def __str__(self) -> str:
        return self.status.sentence.format(f"transaction {self.id} ({self.title})")


@dataclass(frozen=True)
class Transaction:
    """A plan, its progress, and what was recorded about it.

    ``begun`` and ``done`` are step numbers (from 0): journalled before, and after the write. ``evidence`` holds the
    documents that were attached (proof reports), oldest first. ``remaining`` names what a rollback could not restore.
    ``confirm_within_s``, ``confirmed``, ``status_boot_s``: as in the summary.
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
    confirm_within_s: float | None = None
    confirmed: bool = False
    status_boot_s: float | None = None

    @property
    def summary(self) -> TransactionSummary:
        """The same without its plan."""
        return TransactionSummary(
            self.id,
            str(self.plan.subject),
            self.plan.title,
            self.status,
            self.boot_id,
            self.started,
            len(self.plan.steps),
            len(self.done),
            self.confirm_within_s,
            self.confirmed,
            self.status_boot_s,
        )

    @property
    def touched(self) -> tuple[Step, ...]:
        """The steps whose write may have happened: journalled as begun."""
        return tuple(self.plan.steps[number] for number in sorted(self.begun))

    @property
    def is_final(self) -> bool:
        """Whether nothing of it can be rolled back: deleted objects cannot be restored."""
        return all(step.undoing is Undoing.FINAL for step in self.plan.steps)

    def __str__(self) -> str:
        return str(self.summary)
