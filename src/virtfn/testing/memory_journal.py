"""A journal in memory, for tests that run many transactions."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from virtfn.errors import LockHeld, UsageError
from virtfn.model.place import HOST
from virtfn.model.plan import Plan, Value
from virtfn.model.subject import Subject
from virtfn.model.transaction import Status, Transaction


class MemoryJournal:
    """Implements the Journal protocol. What is recorded is kept as long as the object."""

    place = HOST

    def __init__(self) -> None:
        self._kept: dict[int, Transaction] = {}
        self._locked = False

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock. Raises LockHeld while it is held."""
        if self._locked:
            raise LockHeld("another user of this journal is at work")
        self._locked = True
        try:
            yield
        finally:
            self._locked = False

    def is_locked(self) -> bool:
        """Whether the lock is held now."""
        return self._locked

    def begin(self, plan: Plan) -> Transaction:
        """A new transaction."""
        return self._keep(Transaction(len(self._kept) + 1, plan, Status.OPEN, "boot-1", "2026-01-01T00:00:00+00:00"))

    def record_intent(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """The writes of these steps may happen from now on."""
        return self._keep(replace(transaction, begun=(*transaction.begun, *steps)))

    def record_done(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """The writes of these steps have returned."""
        return self._keep(replace(transaction, done=(*transaction.done, *steps)))

    def record_status(
        self, transaction: Transaction, status: Status, *, remaining: tuple[str, ...] = ()
    ) -> Transaction:
        """Where the transaction stands."""
        return self._keep(replace(transaction, status=status, remaining=remaining))

    def record_failure(self, transaction: Transaction, failure: str) -> Transaction:
        """Why it is about to be rolled back."""
        return self._keep(replace(transaction, failure=failure))

    def attach(self, transaction: Transaction, evidence: Mapping[str, Value]) -> Transaction:
        """A document that belongs to the transaction."""
        return self._keep(replace(transaction, evidence=(*transaction.evidence, evidence)))

    def load(self, number: int) -> Transaction:
        """The transaction with this number. Raises UsageError if there is none."""
        if number not in self._kept:
            raise UsageError(f"there is no transaction {number}")
        return self._kept[number]

    def all(self) -> Iterator[Transaction]:
        """All transactions, oldest first."""
        yield from [self._kept[number] for number in sorted(self._kept)]

    def unfinished(self) -> Iterator[Transaction]:
        """Those that somebody has to finish or roll back, oldest first."""
        return (entry for entry in self.all() if entry.status.unfinished)

    def committed(self, of: type[Subject] | None = None) -> Iterator[Transaction]:
        """The committed ones, the newest first; with ``of``, those about such a subject."""
        kept = reversed(list(self.all()))
        return (one for one in kept if one.status is Status.COMMITTED and isinstance(one.plan.subject, of or object))

    def _keep(self, transaction: Transaction) -> Transaction:
        self._kept[transaction.id] = transaction
        return transaction
