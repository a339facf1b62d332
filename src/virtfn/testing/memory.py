"""A journal, and a store of declared mirrors, in memory: for tests that run many transactions."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from virtfn.errors import LockHeld, UsageError
from virtfn.model.mirror import DeclaredMirror
from virtfn.model.place import HOST
from virtfn.model.plan import Plan, Value
from virtfn.model.subject import Subject
from virtfn.model.transaction import Status, Transaction, TransactionSummary


class MemoryJournal:
    """Implements the Journal protocol. What is recorded is kept as long as the object."""

    place = HOST

    def __init__(self) -> None:
        self._kept: dict[int, Transaction] = {}
        self._locked = False
        self.clock_s = 0.0

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock. Raises LockHeld while it is held."""
        if self._locked:
            raise LockHeld("another user of this journal is working")
        self._locked = True
        try:
            yield
        finally:
            self._locked = False

    def is_locked(self) -> bool:
        """Whether the lock is held now."""
        return self._locked

    def now_s(self) -> float:
        """The time of this journal, in seconds; a test may move it on."""
        return self.clock_s

    def begin(self, plan: Plan, *, confirm_within_s: float | None = None) -> Transaction:
        """A new transaction."""
        number = max(self._kept, default=0) + 1
        started = "2026-01-01T00:00:00+00:00"
        return self._keep(Transaction(number, plan, Status.OPEN, "boot-1", started, confirm_within_s=confirm_within_s))

    def record_intent(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """The writes of these steps may happen from now on."""
        return self._keep(replace(transaction, begun=(*transaction.begun, *steps)))

    def record_done(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """The writes of these steps have returned."""
        return self._keep(replace(transaction, done=(*transaction.done, *steps)))

    def record_status(
        self, transaction: Transaction, status: Status, *, remaining: tuple[str, ...] = ()
    ) -> Transaction:
        """The transaction's status."""
        return self._keep(replace(transaction, status=status, remaining=remaining, status_boot_s=self.now_s()))

    def record_failure(self, transaction: Transaction, failure: str) -> Transaction:
        """Why it is about to be rolled back."""
        return self._keep(replace(transaction, failure=failure))

    def record_confirmed(self, transaction: Transaction) -> Transaction:
        """The user keeps it."""
        return self._keep(replace(transaction, confirmed=True))

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

    def summaries(self) -> Iterator[TransactionSummary]:
        """What ``all`` yields, without plans."""
        return (entry.summary for entry in self.all())

    def newest(self) -> TransactionSummary | None:
        """The summary with the highest number."""
        return self._kept[max(self._kept)].summary if self._kept else None

    def unfinished(self) -> Iterator[Transaction]:
        """Those that must be finished or rolled back, oldest first."""
        return (entry for entry in self.all() if entry.status.unfinished)

    def committed(self, of: type[Subject] | None = None) -> Iterator[Transaction]:
        """The committed ones, the newest first; with ``of``, those about such a subject."""
        kept = reversed(list(self.all()))
        return (one for one in kept if one.status is Status.COMMITTED and isinstance(one.plan.subject, of or object))

    def discard(self, numbers: Sequence[int]) -> None:
        """Remove these transactions for good."""
        for number in numbers:
            self._kept.pop(number, None)

    def _keep(self, transaction: Transaction) -> Transaction:
        self._kept[transaction.id] = transaction
        return transaction


class MemoryMirrorStore:
    """Implements the MirrorStore protocol. What is put in is kept as long as the object."""

    def __init__(self) -> None:
        self._kept: dict[int, DeclaredMirror] = {}
        self._next = 1

    def all(self) -> tuple[DeclaredMirror, ...]:
        """All declared mirrors by id."""
        return tuple(self._kept[id] for id in sorted(self._kept))

    def next_id(self) -> int:
        """The id for a new mirror."""
        return self._next

    def put(self, mirror: DeclaredMirror) -> None:
        """Add a mirror, or replace the one with its id."""
        self._kept[mirror.spec.id] = mirror
        self._next = max(self._next, mirror.spec.id + 1)

    def remove(self, mirror: int) -> None:
        """Remove the mirror with this id, if there is one."""
        self._kept.pop(mirror, None)
