"""The one engine: journal, check, write, verify, prove, commit, or roll back. It knows nothing of NICs or clouds."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from virtfn.errors import ConflictError, Interrupted, RollbackIncomplete, VerifyFailed, VirtfnError
from virtfn.model.plan import Plan, Restore, Step, Target, Undoing, Value, Writing
from virtfn.model.transaction import Status, Transaction
from virtfn.services.ports import Cancelled, Journal, World

Progress = Callable[[str], None]
"""Told, in words, what happens; never asked."""

Evidence = Mapping[str, Value]
Proof = Callable[[], Evidence]
"""Proves that the plan did what it claims; returns the evidence, or raises ProofFailed."""


def never_cancelled() -> bool:
    """The default for whoever cannot be interrupted."""
    return False


@dataclass(frozen=True)
class Settle:
    """How long a value may take to read back as written; it is read at least once, whatever the deadline."""

    deadline_s: float = 2.0
    pause_s: float = 0.02


class Transactions:
    """Runs plans against one world, with one journal. The caller holds ``journal.lock()``."""

    def __init__(
        self,
        world: World,
        journal: Journal,
        *,
        progress: Progress,
        cancelled: Cancelled = never_cancelled,
        settle: Settle | None = None,
    ) -> None:
        self._world = world
        self._journal = journal
        self._progress = progress
        self._cancelled = cancelled
        self._settle = settle or Settle()

    def run(
        self, plan: Plan, *, after_step: Callable[[int], None] | None = None, prove: Proof | None = None
    ) -> Transaction:
        """Apply the plan and return the committed transaction.

        Whatever goes wrong, what was done is undone before the error leaves: it then carries a note that says so.
        Raises the first error, Interrupted, or RollbackIncomplete where the way back failed.
        """
        transaction = self._journal.begin(plan)
        try:
            for number, step in enumerate(plan.steps):
                self._check(step)
                transaction = self._journal.record_intent(transaction, number)
                self._progress(f"{step.target}: {step.field} {show(step.before)} -> {show(step.after)}")
                if step.writing is not Writing.IMPLIED:
                    self._world.write(step.target, step.field, step.after)
                transaction = self._journal.record_done(transaction, number)
                if after_step:
                    after_step(number)
            self._verify(plan)
            if prove:
                transaction = self._journal.attach(transaction, prove())
            self._stop_if_cancelled()
            return self._journal.record_status(transaction, Status.COMMITTED)
        except BaseException as failure:
            self._undo_after(transaction, failure)
            raise

    def rollback(self, transaction: Transaction) -> Transaction:
        """Put back all that the transaction changed, and close it.

        Raises RollbackIncomplete with what remains; fields that already are as before are left alone, and a value
        that is neither what was before nor what we wrote is somebody else's and is not overwritten.
        """
        transaction = self._note_status(transaction, Status.UNDOING)
        remaining = tuple(fault for restore in transaction.way_back if (fault := self._restore(restore)))
        if remaining:
            self._note_status(transaction, Status.INCOMPLETE, remaining)
            raise RollbackIncomplete(
                "not everything could be put back: " + "; ".join(remaining),
                where=f"transaction {transaction.id}",
                hint=f"mend what is named, then `virtfn rollback {transaction.id}` tries again",
            )
        return self._note_status(transaction, Status.ROLLED_BACK)

    def drift(self, transaction: Transaction) -> tuple[str, ...]:
        """How the world differs from what a committed transaction left, in words; nothing where it is the same."""
        final = {(step.target, step.field): step for step in transaction.plan.steps if _insisted_on(step)}
        found = []
        for step in final.values():
            now = self._read_or_fault(step.target, step.field)
            if now != step.after:
                found.append(f"{step.target} {step.field} is {show(now)}, we left {show(step.after)}")
        return tuple(found)

    def _check(self, step: Step) -> None:
        """The step's precondition: the field still is what it was when the plan was made."""
        self._stop_if_cancelled()
        if step.writing is not Writing.CHECKED:
            return
        now = self._world.read(step.target, step.field)
        if now != step.before:
            raise ConflictError(
                f"{step.field} is {show(now)}, but was {show(step.before)} when the plan was made",
                where=str(step.target),
                hint="somebody else changes this host: look with `virtfn show`, then plan again",
            )

    def _verify(self, plan: Plan) -> None:
        """Read every final value back until it is as written, or raise VerifyFailed with all that is not."""
        final = {(step.target, step.field): step.after for step in plan.steps if _insisted_on(step)}
        wrong = [
            f"{target} {field} reads {show(now)}, written was {show(want)}"
            for (target, field), want in final.items()
            if (now := self._read_until(target, field, want)) != want
        ]
        if wrong:
            raise VerifyFailed("read back, the host is not as written: " + "; ".join(wrong), where=plan.title)

    def _note_status(self, transaction: Transaction, status: Status, remaining: tuple[str, ...] = ()) -> Transaction:
        """Record where a rollback stands. A journal that fails now must not keep the host from being put back."""
        try:
            return self._journal.record_status(transaction, status, remaining=remaining)
        except VirtfnError as fault:
            self._progress(f"the journal of transaction {transaction.id} could not be updated: {fault}")
            return replace(transaction, status=status, remaining=remaining)

    def _read_until(self, target: Target, field: str, want: Value) -> Value:
        deadline = time.monotonic() + self._settle.deadline_s
        while True:
            now = self._world.read(target, field)
            if now == want or time.monotonic() >= deadline:
                return now
            time.sleep(self._settle.pause_s)

    def _undo_after(self, transaction: Transaction, failure: BaseException) -> None:
        self._progress(f"rolling back: {failure or type(failure).__name__}")
        try:
            transaction = self._journal.record_failure(transaction, str(failure) or type(failure).__name__)
        except VirtfnError as fault:
            failure.add_note(f"the reason could not be journalled: {fault}")
        try:
            self.rollback(transaction)
        except RollbackIncomplete as incomplete:
            raise incomplete from failure
        failure.add_note("All that was changed has been put back and read back.")

    def _restore(self, restore: Restore) -> str:
        """Put one field back; "" when it reads as before, else what remains to be done."""
        what = f"{restore.target} {restore.field}"
        try:
            now = self._world.read(restore.target, restore.field)
            if now == restore.value:
                return ""
            if restore.undoing is not Undoing.OVERWRITE and now not in restore.ours:
                return f"{what} is {show(now)}, which we did not write (before: {show(restore.value)})"
            self._progress(f"{what} {show(now)} -> {show(restore.value)}")
            self._world.write(restore.target, restore.field, restore.value)
            now = self._read_until(restore.target, restore.field, restore.value)
        except VirtfnError as fault:
            return f"{what} should be {show(restore.value)}: {fault}" + (
                f" (`{restore.command}`)" if restore.command else ""
            )
        return "" if now == restore.value else f"{what} still reads {show(now)}, should be {show(restore.value)}"

    def _read_or_fault(self, target: Target, field: str) -> Value:
        try:
            return self._world.read(target, field)
        except VirtfnError as fault:
            return f"unreadable ({fault})"

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise Interrupted("interrupted")


def _insisted_on(step: Step) -> bool:
    """Whether the field must read as written in the end."""
    return step.writing is not Writing.IMPLIED and step.undoing is not Undoing.OVERWRITE


def show(value: Value) -> str:
    """A value as a person reads it in a sentence."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {show(item)}" for key, item in value.items())
    return str(value)
