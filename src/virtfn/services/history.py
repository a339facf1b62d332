"""Transactions in the journal: list, roll back, resume, confirm, and watch over one that is not confirmed yet."""

import time
from collections.abc import Callable

from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Transactions
from virtfn.errors import ConflictError, LockHeld, UsageError
from virtfn.model.finding import Action, UseCase
from virtfn.model.place import Place
from virtfn.model.subject import CloudAction, CloudSubject, MirrorSubject
from virtfn.model.transaction import Status, Transaction

CONFIRM_BY = "confirm-within"
CONFIRMED = "confirmed"
_POLL_S = 0.2
_LONGEST_S = 24 * 3600.0


class History:
    """The journal of one host or cloud, and the way back and forth from what is in it."""

    def __init__(self, journal: Journal, engine: Transactions) -> None:
        self._journal = journal
        self._engine = engine

    def all(self) -> tuple[Transaction, ...]:
        """All transactions, oldest first."""
        return tuple(self._journal.all())

    def load(self, number: int) -> Transaction:
        """One transaction. Raises UsageError, SpecError."""
        return self._journal.load(number)

    def rollback(self, number: int | None = None) -> Transaction:
        """Put back what a transaction changed: this one, or the one that is unfinished, or the last committed.

        Raises UsageError (nothing to roll back), ConflictError (somebody changed it since), RollbackIncomplete.
        """
        with self._journal.lock():
            return self._engine.rollback(self.to_undo(number))

    def resume(self, number: int | None = None) -> Transaction:
        """Resume an interrupted transaction. Raises ConflictError where that cannot be done."""
        with self._journal.lock():
            return self._engine.resume(self.to_resume(number))

    def to_resume(self, number: int | None = None) -> Transaction:
        """The transaction that ``resume`` means. Raises UsageError where there is none.

        ConflictError for one that would have to be proven, for which its plan is not enough: a mirror, servers.
        """
        entry = self.load(number) if number else self._unfinished()
        if entry is None:
            raise UsageError("no transaction is unfinished", actions=self._see)
        if entry.status is Status.COMMITTED:
            raise UsageError("it is committed: there is nothing to resume", where=f"transaction {entry.id}")
        subject = entry.plan.subject
        if isinstance(subject, MirrorSubject):
            raise ConflictError(
                "a mirror is not resumed, as it would have to be proven",
                where=f"transaction {entry.id}",
                hint="remove it, then add it again",
                actions=(Action(UseCase.MIRROR_REMOVE, (str(entry.id),)),),
            )
        if isinstance(subject, CloudSubject) and subject.action is CloudAction.UP:
            raise ConflictError(
                "servers are not resumed from the journal alone, as their ports would have to be seen bound",
                where=f"transaction {entry.id}",
                hint="bring the cloud up again: that finishes it, or rolls it back first",
                actions=(Action(UseCase.CLOUD_UP, place=self._journal.place),),
            )
        return entry

    def expect_confirmation(self, entry: Transaction, within_s: float) -> None:
        """Record that a transaction is rolled back unless it is confirmed in time."""
        self._journal.attach(entry, {"kind": CONFIRM_BY, "within_s": within_s})

    def confirm(self, number: int | None = None) -> Transaction:
        """Keep what a transaction did that was to be confirmed. Raises UsageError where none waits for it, LockHeld."""
        with self._journal.lock():  # the one who watches over it may be rolling it back
            waiting = [entry for entry in self.all() if awaits_confirmation(entry)]
            chosen = [entry for entry in waiting if number in (None, entry.id)]
            if not chosen:
                raise UsageError("no transaction waits to be confirmed", actions=self._see)
            entry = chosen[-1]
            if entry.status is not Status.COMMITTED:
                raise ConflictError(f"it is {entry.status.value}", where=f"transaction {entry.id}")
            return self._journal.attach(entry, {"kind": CONFIRMED})

    def watch_over(self, number: int, within_s: float, *, sleep: Callable[[float], None] = time.sleep) -> Transaction:
        """Wait until a transaction is confirmed, or roll it back: when its time is over, or when its process has died.

        Its time begins when it is committed. Returns the transaction as it is then.
        """
        deadline: float | None = None
        end = time.monotonic() + within_s + _LONGEST_S
        while time.monotonic() < end:
            entry = self._journal.load(number)
            if entry.status in (Status.ROLLED_BACK, Status.ENDED) or _is_confirmed(entry):
                return entry
            if entry.status is Status.COMMITTED:
                deadline = deadline or time.monotonic() + within_s
            overdue = deadline is not None and time.monotonic() >= deadline
            if overdue or entry.status is not Status.COMMITTED:
                done = self._roll_back_if_free(number)
                if done:
                    return done
            sleep(_POLL_S)
        return self._journal.load(number)

    def _roll_back_if_free(self, number: int) -> Transaction | None:
        """Roll back unless another virtfn is at work (then it may be the transaction's own process)."""
        try:
            with self._journal.lock():
                entry = self._journal.load(number)
                if _is_confirmed(entry) or entry.status in (Status.ROLLED_BACK, Status.ENDED):
                    return entry
                return self._engine.rollback(entry)
        except LockHeld:
            return None

    def to_undo(self, number: int | None = None) -> Transaction:
        """The transaction that ``rollback`` means. Raises UsageError where there is none that could be taken back."""
        if number is not None:
            entry = self.load(number)
            if entry.status in (Status.ROLLED_BACK, Status.ENDED):
                raise UsageError(f"it is {entry.status.value}: nothing is left to undo", where=f"transaction {number}")
            return _revocable(entry, self._journal.place)
        chosen = self._unfinished() or next(self._journal.committed(), None)
        if chosen is None:
            raise UsageError("there is no transaction to roll back", actions=self._see)
        return _revocable(chosen, self._journal.place)

    @property
    def _see(self) -> tuple[Action, ...]:
        return (Action(UseCase.JOURNAL_LIST, place=self._journal.place),)

    def _unfinished(self) -> Transaction | None:
        return next(self._journal.unfinished(), None)


def awaits_confirmation(entry: Transaction) -> bool:
    """Whether this is to be confirmed, and has not been yet."""
    kinds = [document.get("kind") for document in entry.evidence]
    return CONFIRM_BY in kinds and CONFIRMED not in kinds and entry.status in (Status.OPEN, Status.COMMITTED)


def _revocable(entry: Transaction, place: Place) -> Transaction:
    """The transaction itself. Raises UsageError where it is committed and deleted for good."""
    if entry.status is Status.COMMITTED and entry.is_final:
        raise UsageError(
            "what it deleted does not come back",
            where=f"transaction {entry.id} ({entry.plan.title})",
            actions=(Action(UseCase.CLOUD_UP, place=place),),
        )
    return entry


def _is_confirmed(entry: Transaction) -> bool:
    return any(document.get("kind") == CONFIRMED for document in entry.evidence)
