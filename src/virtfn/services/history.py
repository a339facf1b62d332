"""Transactions in the journal: list, roll back, resume, prune."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Transactions
from virtfn.errors import ConflictError, UsageError
from virtfn.model.finding import Action, UseCase
from virtfn.model.subject import CloudAction, CloudSubject, MirrorSubject
from virtfn.model.transaction import Status, Transaction, TransactionSummary
from virtfn.services.confirmation import refuse_unconfirmed


@dataclass(frozen=True)
class Retention:
    """What ``prune`` keeps: the newest ``keep``, and those begun in the last ``days``; None: no such rule."""

    keep: int | None = None
    days: float | None = None


class History:
    """The journal of one host or cloud, with rollback, resume and prune."""

    def __init__(self, journal: Journal, engine: Transactions) -> None:
        self._journal = journal
        self._engine = engine

    def all(self) -> tuple[Transaction, ...]:
        """All transactions, oldest first. Raises SpecError for one that cannot be read."""
        return tuple(self._journal.all())

    def summaries(self) -> tuple[TransactionSummary, ...]:
        """All transactions without their plans, oldest first; one that cannot be read is BROKEN."""
        return tuple(self._journal.summaries())

    def load(self, number: int) -> Transaction:
        """One transaction. Raises UsageError, SpecError."""
        return self._journal.load(number)

    def rollback(self, number: int | None = None) -> Transaction:
        """Roll back this transaction, or the unfinished one, or the last committed one.

        Raises UsageError (nothing to roll back), ConflictError (another program changed it since, or another
        transaction waits to be confirmed), RollbackIncomplete.
        """
        with self._journal.lock():
            entry = self.to_undo(number)
            refuse_unconfirmed(self._journal, besides=entry.id)
            return self._engine.rollback(entry)

    def resume(self, number: int | None = None) -> Transaction:
        """Resume an interrupted transaction. Raises ConflictError where it cannot be resumed."""
        with self._journal.lock():
            entry = self.to_resume(number)
            refuse_unconfirmed(self._journal, besides=entry.id)
            return self._engine.resume(entry)

    def to_resume(self, number: int | None = None) -> Transaction:
        """The transaction to resume. Raises UsageError where there is none.

        ConflictError for a mirror or servers: these must be proven, for which the plan is not enough.
        """
        entry = self.load(number) if number else self._unfinished()
        if entry is None:
            raise UsageError("no transaction is unfinished", actions=self._see)
        if entry.status is Status.COMMITTED:
            raise UsageError("it is committed: there is nothing to resume", where=f"transaction {entry.id}")
        subject = entry.plan.subject
        if isinstance(subject, MirrorSubject):
            raise ConflictError(
                "a mirror cannot be resumed: it must be proven",
                where=f"transaction {entry.id}",
                hint="remove it, then add it again",
                actions=(Action(UseCase.MIRROR_REMOVE, (str(subject.id),)),),
            )
        if isinstance(subject, CloudSubject) and subject.action is CloudAction.UP:
            raise ConflictError(
                "servers cannot be resumed from the journal alone: their ports must be seen bound",
                where=f"transaction {entry.id}",
                hint="bring the cloud up again: that finishes it, or rolls it back first",
                actions=(Action(UseCase.CLOUD_UP, place=self._journal.place),),
            )
        return entry

    def to_undo(self, number: int | None = None) -> Transaction:
        """The transaction to roll back. Raises UsageError where there is none that can be rolled back."""
        if number is not None:
            entry = self.load(number)
            if entry.status in (Status.ROLLED_BACK, Status.ENDED):
                raise UsageError(f"it is {entry.status.value}: nothing is left to undo", where=f"transaction {number}")
            return self._revocable(entry)
        chosen = self._unfinished() or next(self._journal.committed(), None)
        if chosen is None:
            raise UsageError("there is no transaction to roll back", actions=self._see)
        return self._revocable(chosen)

    def prunable(self, retention: Retention) -> tuple[TransactionSummary, ...]:
        """The transactions that ``prune`` would remove, oldest first.

        Never the newest transaction, as its number must not be used again, nor one that is unfinished, waits to be
        confirmed, cannot be read, or is a committed mirror.
        """
        everything = self.summaries()
        old = everything[: max(0, len(everything) - max(1, retention.keep or 1))]
        return tuple(one for one in old if not _is_needed(one) and not _is_recent(one, retention.days))

    def prune(self, chosen: tuple[TransactionSummary, ...]) -> None:
        """Remove these transactions, except any that became needed in between. Raises LockHeld."""
        with self._journal.lock():
            asked = {one.id for one in chosen}
            self._journal.discard([one.id for one in self.summaries()[:-1] if one.id in asked and not _is_needed(one)])

    @property
    def _see(self) -> tuple[Action, ...]:
        return (Action(UseCase.JOURNAL_LIST, place=self._journal.place),)

    def _unfinished(self) -> Transaction | None:
        return next(self._journal.unfinished(), None)

    def _revocable(self, entry: Transaction) -> Transaction:
        """The same transaction. Raises UsageError where it is committed and its deletions cannot be undone."""
        if entry.status is Status.COMMITTED and entry.is_final:
            raise UsageError(
                "deleted objects cannot be restored",
                where=f"transaction {entry.id} ({entry.plan.title})",
                actions=(Action(UseCase.CLOUD_UP, place=self._journal.place),),
            )
        return entry


def _is_needed(one: TransactionSummary) -> bool:
    is_mirror = one.is_about(MirrorSubject) and one.status is Status.COMMITTED
    return one.status.unfinished or one.awaits_confirmation or one.status is Status.BROKEN or is_mirror


def _is_recent(one: TransactionSummary, days: float | None) -> bool:
    if days is None:
        return False
    return datetime.fromisoformat(one.started) > datetime.now(UTC) - timedelta(days=days)
