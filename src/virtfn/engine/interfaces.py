"""What the engine needs from the edges, as Protocols. The edges implement them, and so do the fakes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from virtfn.errors import VirtfnError
from virtfn.model.place import Place
from virtfn.model.plan import Plan, Target, Value
from virtfn.model.subject import Subject
from virtfn.model.transaction import Status, Transaction, TransactionSummary


class World(Protocol):
    """Something whose objects have fields that can be read and set, one at a time."""

    def read(self, target: Target, field: str) -> Value:
        """The field's value now, in normal form. Raises a VirtfnError that says why it cannot be read."""

    def write(self, target: Target, field: str, value: Value) -> None:
        """Set the field. Raises a VirtfnError; whether anything was changed is then found by reading."""

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields, each its value or the error that ``read`` would raise, in the order asked."""

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """Many fields in this order, until one is refused: then what ``write`` raises.

        A world may write at once what does not need each other, as objects of one kind in a cloud. Whether this returns
        or raises, all that was begun has ended then, and nothing was begun after a refusal. The first one is raised;
        those that came beside it are its notes.
        """


class Journal(Protocol):
    """Transactions on stable storage. Every method that records returns only when the record is durable."""

    @property
    def place(self) -> Place:
        """What the transactions change."""

    def lock(self) -> AbstractContextManager[None]:
        """Hold the lock of this host, or this cloud. Raises LockHeld at once if another process holds it."""

    def is_locked(self) -> bool:
        """Whether a process holds the lock now."""

    def now_s(self) -> float:
        """The clock of recorded times: seconds since boot."""

    def begin(self, plan: Plan, *, confirm_within_s: float | None = None) -> Transaction:
        """Record a new transaction with its plan, before anything is changed.

        ``confirm_within_s``: how long after its commit it has to be confirmed.
        """

    def record_intent(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """Record that the writes of these steps may happen from now on."""

    def record_done(self, transaction: Transaction, steps: Sequence[int]) -> Transaction:
        """Record that the writes of these steps have returned."""

    def record_status(
        self, transaction: Transaction, status: Status, *, remaining: tuple[str, ...] = ()
    ) -> Transaction:
        """Record the transaction's status, and when that was."""

    def record_failure(self, transaction: Transaction, failure: str) -> Transaction:
        """Record why it is about to be rolled back."""

    def record_confirmed(self, transaction: Transaction) -> Transaction:
        """Record that the user keeps it."""

    def attach(self, transaction: Transaction, evidence: Mapping[str, Value]) -> Transaction:
        """Record a document that belongs to the transaction, for example a proof."""

    def load(self, number: int) -> Transaction:
        """The transaction with this number. Raises UsageError if there is none, SpecError if it cannot be read."""

    def all(self) -> Iterator[Transaction]:
        """All transactions, oldest first."""

    def summaries(self) -> Iterator[TransactionSummary]:
        """What ``all`` yields, without plans; one that cannot be read is BROKEN and stops nothing."""

    def newest(self) -> TransactionSummary | None:
        """The summary with the highest number; None where there is none."""

    def unfinished(self) -> Iterator[Transaction]:
        """Those that have to be finished or rolled back, oldest first."""

    def committed(self, of: type[Subject] | None = None) -> Iterator[Transaction]:
        """The committed ones, the newest first; with ``of``, those about such a subject."""

    def discard(self, numbers: Sequence[int]) -> None:
        """Remove these transactions for good."""


Cancelled = Callable[[], bool]
"""True once the user, or the system, has asked to stop; looked at between steps and bursts."""
