"""The one engine: journal, check, write, verify, prove, commit, or roll back. It knows nothing of NICs or clouds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from virtfn.engine.batches import batches, first_touches
from virtfn.engine.events import (
    EventSink,
    JournalFailed,
    RollbackStarted,
    StepsDone,
    StepsFailed,
    StepsStarted,
    TransactionStarted,
)
from virtfn.engine.interfaces import Cancelled, Journal, World
from virtfn.engine.readback import Settle, final_values, mismatches, say_reading, unsettled
from virtfn.engine.rollback import Foreign, Restorer, revert
from virtfn.errors import ConflictError, Interrupted, RollbackIncomplete, VerifyFailed, VirtfnError
from virtfn.model.drift import changed_since
from virtfn.model.finding import Action, Finding, UseCase, show
from virtfn.model.plan import Plan, Step, Undoing, Value, Writing
from virtfn.model.transaction import Status, Transaction
from virtfn.model.value_format import say

Evidence = Mapping[str, Value]

Proof = Callable[[], Evidence]
"""Proves that the plan did what it claims; returns the evidence, or raises ProofFailed."""


def never_cancelled() -> bool:
    """The default for callers that cannot be interrupted."""
    return False


@dataclass(frozen=True)
class Hooks:
    """What a use case adds to the run of its plan; all are optional.

    ``confirm_within_s`` is journalled with the plan: how long after its commit the transaction has to be confirmed.
    ``at_begin``: called once the plan is in the journal, before the first write; what it raises is rolled back.
    ``batch_ends``: a batch ends at each of these steps, and ``at_batch_end`` is called with its number once it is done.
    ``prove``: called after verification, before the commit.
    """

    confirm_within_s: float | None = None
    at_begin: Callable[[Transaction], None] | None = None
    batch_ends: frozenset[int] = frozenset()
    at_batch_end: Callable[[int], None] | None = None
    prove: Proof | None = None


NO_HOOKS = Hooks()


class Transactions:
    """Runs plans against one world, with one journal. The caller holds ``journal.lock()``."""

    def __init__(
        self,
        world: World,
        journal: Journal,
        *,
        sink: EventSink,
        cancelled: Cancelled = never_cancelled,
        settle: Settle | None = None,
    ) -> None:
        self._world = world
        self._journal = journal
        self._sink = sink
        self._cancelled = cancelled
        self._settle = settle or Settle()
        self._restorer = Restorer(world, sink, self._settle)

    def run(self, plan: Plan, hooks: Hooks = NO_HOOKS) -> Transaction:
        """Apply the plan and return the committed transaction.

        Nothing is begun if a field is not what it was when the plan was made. Whatever goes wrong, what
        was done is undone before the error leaves: it then carries a note that says so.
        Raises the first error, Interrupted, or RollbackIncomplete where the rollback failed.
        """
        self.check(plan)
        transaction = self._journal.begin(plan, confirm_within_s=hooks.confirm_within_s)
        self._sink(TransactionStarted(transaction.id, plan))
        try:
            if hooks.at_begin:
                hooks.at_begin(transaction)
        except BaseException as failure:
            self._undo_after(transaction, failure)
            raise
        cut = list(batches(plan.steps, range(len(plan.steps)), hooks.batch_ends))
        return self._advance(transaction, cut, hooks, checked=frozenset(cut[0] if cut else ()))

    def check(self, plan: Plan) -> None:
        """Raise ConflictError where a field that the plan writes is not what it was when the plan was made."""
        self._check(first_touches(plan.steps))

    def resume(self, transaction: Transaction) -> Transaction:
        """Finish an OPEN transaction whose process died: the steps that were not done, then verify and commit.

        Raises what ``run`` raises, after rollback; ConflictError where it is not open.
        """
        if transaction.status is not Status.OPEN:
            raise ConflictError(f"{transaction}: there is nothing to resume")
        self._sink(TransactionStarted(transaction.id, transaction.plan))
        left = [number for number in range(len(transaction.plan.steps)) if number not in transaction.done]
        return self._advance(transaction, batches(transaction.plan.steps, left), NO_HOOKS)

    def rollback(
        self,
        transaction: Transaction,
        *,
        foreign: Foreign = Foreign.REFUSE,
        cause: BaseException | None = None,
    ) -> Transaction:
        """Restore all that the transaction changed, and close it.

        Fields that already are as before are left alone. A value that is neither what was before nor what virtfn wrote
        was set by another program and is not overwritten: ``foreign`` decides about the rest of a committed
        transaction (REFUSE: ConflictError, nothing is touched); of one that was interrupted everything else is restored
        (RollbackIncomplete, with what remains).
        """
        restores = revert(transaction.touched)
        if transaction.status is Status.COMMITTED and foreign is Foreign.REFUSE:
            self._refuse(transaction, self._restorer.foreign(restores))
        self._sink(RollbackStarted(transaction.id, transaction.plan, cause))
        transaction = self._note_status(transaction, Status.UNDOING)
        remaining = self._restorer.restore(transaction.id, restores)
        if remaining:
            self._note_status(transaction, Status.INCOMPLETE, tuple(remaining))
            raise RollbackIncomplete(
                "not everything could be put back: " + "; ".join(remaining),
                where=f"transaction {transaction.id}",
                hint="fix the values listed above, then roll back again",
                actions=(Action(UseCase.ROLLBACK, (str(transaction.id),), self._journal.place),),
            )
        return self._note_status(transaction, Status.ROLLED_BACK)

    def drift(self, transaction: Transaction) -> tuple[Finding, ...]:
        """How the world differs from what a committed transaction set, one finding per field."""
        return tuple(
            changed_since(str(target), field, say_reading(now), say(want))
            for (target, field), (want, now) in mismatches(self._world, final_values(transaction.plan.steps)).items()
        )

    def _advance(
        self,
        transaction: Transaction,
        cut: Iterable[list[int]],
        hooks: Hooks,
        *,
        checked: frozenset[int] = frozenset(),
    ) -> Transaction:
        """Carry out these batches of steps, verify, prove and commit; or undo all that the transaction has begun.

        The precondition of those in ``checked`` has just been read, and is not read again.
        """
        plan = transaction.plan
        try:
            for batch in cut:
                unchecked = set(batch) - checked - set(transaction.begun)
                self._check([plan.steps[number] for number in batch if number in unchecked])
                transaction = self._journal.record_intent(transaction, batch)
                self._write(transaction, [plan.steps[number] for number in batch])
                transaction = self._journal.record_done(transaction, batch)
                if hooks.at_batch_end and batch[-1] in hooks.batch_ends:
                    hooks.at_batch_end(batch[-1])
            self._verify(plan)
            if hooks.prove:
                transaction = self._journal.attach(transaction, hooks.prove())
            self._stop_if_cancelled()
            return self._journal.record_status(transaction, Status.COMMITTED)
        except BaseException as failure:
            self._undo_after(transaction, failure)
            raise

    def _refuse(self, transaction: Transaction, foreign: Sequence[str]) -> None:
        if foreign:
            raise ConflictError(
                "another program has changed this since, so it is not restored: " + "; ".join(foreign),
                where=f"transaction {transaction.id}",
                hint="set it back to what virtfn had set, or restore by hand; nothing was changed now",
            )

    def _check(self, steps: Sequence[Step]) -> None:
        """The precondition: every field still is what it was when the plan was made."""
        self._stop_if_cancelled()
        checked = [step for step in steps if step.writing is Writing.CHECKED]
        found = self._world.read_all([(step.target, step.field) for step in checked])
        place = self._journal.place
        for step, now in zip(checked, found, strict=True):
            if isinstance(now, VirtfnError):
                raise now
            if now != step.before:
                raise ConflictError(
                    f"{step.field} is {say(now)}, was {say(step.before)} when the plan was made",
                    where=str(step.target),
                    hint=f"another program changes {place.name}: check it, then plan again",
                    actions=(show(place),),
                )

    def _write(self, transaction: Transaction, steps: list[Step]) -> None:
        written = tuple(step for step in steps if step.writing is not Writing.IMPLIED)
        if not written:
            return
        self._sink(StepsStarted(transaction.id, written))
        try:
            if len(written) == 1:
                self._world.write(written[0].target, written[0].field, written[0].after)
            else:
                self._world.write_all([(step.target, step.field, step.after) for step in written])
        except VirtfnError as failure:
            self._sink(StepsFailed(transaction.id, written, failure))
            raise
        self._sink(StepsDone(transaction.id, written))

    def _verify(self, plan: Plan) -> None:
        """Read every final value back until it is as written, or raise VerifyFailed with all that is not."""
        wrong = unsettled(self._world, final_values(plan.steps), self._settle)
        if wrong:
            read = "; ".join(
                f"{target} {field} reads {say_reading(now)}, written was {say(want)}"
                for (target, field), (want, now) in wrong.items()
            )
            raise VerifyFailed(
                f"read back, {self._journal.place.name} is not as written: {read}",
                where=plan.title,
                mismatches=tuple((target.kind, target.id, field) for target, field in wrong),
            )

    def _note_status(self, transaction: Transaction, status: Status, remaining: tuple[str, ...] = ()) -> Transaction:
        """Record how far a rollback is. A journal that fails now must not keep values from being restored."""
        try:
            return self._journal.record_status(transaction, status, remaining=remaining)
        except VirtfnError as fault:
            self._sink(JournalFailed(transaction.id, fault))
            return replace(transaction, status=status, remaining=remaining)

    def _undo_after(self, transaction: Transaction, failure: BaseException) -> None:
        try:
            transaction = self._journal.record_failure(transaction, str(failure) or type(failure).__name__)
        except VirtfnError as fault:
            failure.add_note(f"the reason could not be journalled: {fault}")
        try:
            self.rollback(transaction, cause=failure)
        except RollbackIncomplete as incomplete:
            raise incomplete from failure
        failure.add_note(self._state_after(transaction))

    def _state_after(self, transaction: Transaction) -> str:
        """The state after a rollback, in words: a FINAL step stays done, also where its batch was interrupted."""
        steps = transaction.plan.steps
        final = [number for number in sorted(transaction.begun) if steps[number].undoing is Undoing.FINAL]
        found = self._world.read_all([(steps[number].target, steps[number].field) for number in final]) if final else []
        seen = dict(zip(final, found, strict=True))
        gone = [number for number in final if number in transaction.done or seen[number] == steps[number].after]
        unknown = [number for number in final if number not in gone and isinstance(seen[number], VirtfnError)]
        told = [f"This cannot be taken back, and is done: {_targets(steps, gone)}."] if gone else []
        told += [f"Whether this is done, too, cannot be read: {_targets(steps, unknown)}."] if unknown else []
        return " ".join(told) or "All that was changed has been put back and read back."

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise Interrupted("interrupted")


def _targets(steps: Sequence[Step], numbers: Sequence[int]) -> str:
    return ", ".join(str(steps[number].target) for number in numbers)
