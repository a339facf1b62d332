"""The one engine: journal, check, write, verify, prove, commit, or roll back. It knows nothing of NICs or clouds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from virtfn.engine.batches import batches, first_touches, insisted_on, restore_batches
from virtfn.engine.events import (
    EventSink,
    JournalFailed,
    RestoredValue,
    RollbackStarted,
    StepsDone,
    StepsFailed,
    StepsStarted,
    TransactionStarted,
    ValuesRestored,
)
from virtfn.engine.interfaces import Cancelled, Journal, World
from virtfn.errors import ConflictError, Interrupted, RollbackIncomplete, StillNeeded, VerifyFailed, VirtfnError
from virtfn.model.plan import Plan, Restore, Step, Target, Undoing, Value, Writing
from virtfn.model.transaction import Status, Transaction
from virtfn.model.value_format import say

Evidence = Mapping[str, Value]
Mismatch: TypeAlias = tuple[Value, Value | VirtfnError]
"""What was wanted, and what was read instead (or why it could not be)."""

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
        sink: EventSink,
        cancelled: Cancelled = never_cancelled,
        settle: Settle | None = None,
    ) -> None:
        self._world = world
        self._journal = journal
        self._sink = sink
        self._cancelled = cancelled
        self._settle = settle or Settle()

    def run(
        self,
        plan: Plan,
        *,
        at_begin: Callable[[Transaction], None] | None = None,
        stops: frozenset[int] = frozenset(),
        at_stop: Callable[[int], None] | None = None,
        prove: Proof | None = None,
    ) -> Transaction:
        """Apply the plan and return the committed transaction.

        Nothing is begun if a field is not what it was when the plan was made. ``at_begin`` is called once the plan is
        in the journal, ``at_stop`` after each of the steps numbered in ``stops``. Whatever goes wrong, what was done is
        undone before the error leaves: it then carries a note that says so.
        Raises the first error, Interrupted, or RollbackIncomplete where the way back failed.
        """
        self._check(first_touches(plan.steps))
        transaction = self._journal.begin(plan)
        self._sink(TransactionStarted(transaction.id, plan))
        try:
            if at_begin:
                at_begin(transaction)
        except BaseException as failure:
            self._undo_after(transaction, failure)
            raise
        numbers = range(len(plan.steps))
        checked = frozenset(next(batches(plan.steps, numbers, stops), ()))
        return self._advance(transaction, numbers, checked=checked, stops=stops, at_stop=at_stop, prove=prove)

    def resume(self, transaction: Transaction) -> Transaction:
        """Carry on with an OPEN transaction whose process died: the steps that were not done, then verify and commit.

        Raises what ``run`` raises, after rollback; ConflictError where it is not open.
        """
        if transaction.status is not Status.OPEN:
            raise ConflictError(
                f"it is {transaction.status.value}, there is nothing to resume", where=f"transaction {transaction.id}"
            )
        left = [number for number in range(len(transaction.plan.steps)) if number not in transaction.done]
        return self._advance(transaction, left)

    def rollback(self, transaction: Transaction, *, cause: BaseException | None = None) -> Transaction:
        """Put back all that the transaction changed, and close it.

        Fields that already are as before are left alone. A value that is neither what was before nor what we wrote is
        somebody else's and is not overwritten: a committed transaction is then not touched at all (ConflictError), of
        one that was cut short everything else goes back (RollbackIncomplete, with what remains).
        """
        if transaction.status is Status.COMMITTED:
            self._refuse_foreign(transaction, transaction.way_back)
        self._sink(RollbackStarted(transaction.id, transaction.plan, cause))
        transaction = self._note_status(transaction, Status.UNDOING)
        remaining: list[str] = []
        for batch in restore_batches(self._still_to_do(transaction.way_back)):
            remaining += self._restore(transaction.id, batch)
        if remaining:
            self._note_status(transaction, Status.INCOMPLETE, tuple(remaining))
            again = self._journal.place.command(f"rollback {transaction.id}")
            raise RollbackIncomplete(
                "not everything could be put back: " + "; ".join(remaining),
                where=f"transaction {transaction.id}",
                hint=f"mend what is named, then {again} tries again",
            )
        return self._note_status(transaction, Status.ROLLED_BACK)

    def drift(self, transaction: Transaction) -> tuple[str, ...]:
        """How the world differs from what a committed transaction left, in words; nothing where it is the same."""
        left = {(step.target, step.field): step.after for step in transaction.plan.steps if insisted_on(step)}
        found = self._world.read_all(list(left))
        return tuple(
            f"{target} {field} is {_say_or_fault(now)}, we left {say(want)}"
            for ((target, field), want), now in zip(left.items(), found, strict=True)
            if isinstance(now, VirtfnError) or now != want
        )

    def _advance(
        self,
        transaction: Transaction,
        numbers: Sequence[int],
        *,
        checked: frozenset[int] = frozenset(),
        stops: frozenset[int] = frozenset(),
        at_stop: Callable[[int], None] | None = None,
        prove: Proof | None = None,
    ) -> Transaction:
        """Carry out these steps, verify, prove and commit; or undo all that the transaction has begun.

        The precondition of those in ``checked`` has just been read, and is not read again.
        """
        plan = transaction.plan
        try:
            for batch in batches(plan.steps, numbers, stops):
                unchecked = set(batch) - checked - set(transaction.begun)
                self._check([plan.steps[number] for number in batch if number in unchecked])
                transaction = self._journal.record_intent(transaction, batch)
                self._write(transaction, [plan.steps[number] for number in batch])
                transaction = self._journal.record_done(transaction, batch)
                if at_stop and batch[-1] in stops:
                    at_stop(batch[-1])
            self._verify(plan)
            if prove:
                transaction = self._journal.attach(transaction, prove())
            self._stop_if_cancelled()
            return self._journal.record_status(transaction, Status.COMMITTED)
        except BaseException as failure:
            self._undo_after(transaction, failure)
            raise

    def _refuse_foreign(self, transaction: Transaction, back: Sequence[Restore]) -> None:
        """Raise ConflictError where somebody else has since set a field that is to go back."""
        first = {(restore.target, restore.field): restore for restore in reversed(back)}
        kept = {key: one for key, one in first.items() if one.undoing is not Undoing.OVERWRITE}
        found = self._world.read_all(list(kept))
        foreign = [
            f"{one.target} {one.field} is {_say_or_fault(now)}, we left {say(one.ours[-1])}"
            for one, now in zip(kept.values(), found, strict=True)
            if isinstance(now, VirtfnError) or now not in one.ours
        ]
        if foreign:
            raise ConflictError(
                "somebody has changed this since, so it is not put back: " + "; ".join(foreign),
                where=f"transaction {transaction.id}",
                hint="set it back to what we left, or restore by hand; nothing was changed now",
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
                    f"{step.field} is {say(now)}, but was {say(step.before)} when the plan was made",
                    where=str(step.target),
                    hint=f"somebody else changes {place.name}: look with `{place.look}`, then plan again",
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
        wrong = self._unsettled({(step.target, step.field): step.after for step in plan.steps if insisted_on(step)})
        if wrong:
            raise VerifyFailed(
                f"read back, {self._journal.place.name} is not as written: " + _mismatches(wrong),
                where=plan.title,
                mismatches=tuple((target.kind, target.id, field) for target, field in wrong),
            )

    def _unsettled(self, pending: Mapping[tuple[Target, str], Value]) -> Mapping[tuple[Target, str], Mismatch]:
        """The fields that do not read as wanted by the deadline, with what was read instead; at least one reading."""
        deadline = time.monotonic() + self._settle.deadline_s
        while pending:
            found = self._world.read_all(list(pending))
            wrong = {
                key: (want, now)
                for (key, want), now in zip(pending.items(), found, strict=True)
                if isinstance(now, VirtfnError) or now != want
            }
            if not wrong or time.monotonic() >= deadline:
                return wrong
            pending = {key: want for key, (want, _) in wrong.items()}
            time.sleep(self._settle.pause_s)
        return {}

    def _note_status(self, transaction: Transaction, status: Status, remaining: tuple[str, ...] = ()) -> Transaction:
        """Record where a rollback stands. A journal that fails now must not keep things from being put back."""
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
        failure.add_note(self._how_it_is_left(transaction))

    def _how_it_is_left(self, transaction: Transaction) -> str:
        """The state after a rollback, in words: what is final stays done, also where its batch was cut short."""
        steps = transaction.plan.steps
        final = [number for number in sorted(transaction.begun) if steps[number].undoing is Undoing.FINAL]
        found = self._world.read_all([(steps[number].target, steps[number].field) for number in final]) if final else []
        seen = dict(zip(final, found, strict=True))
        gone = [number for number in final if number in transaction.done or seen[number] == steps[number].after]
        unknown = [number for number in final if number not in gone and isinstance(seen[number], VirtfnError)]
        told = [f"This cannot be taken back, and is done: {_targets(steps, gone)}."] if gone else []
        told += [f"Whether this is done, too, cannot be read: {_targets(steps, unknown)}."] if unknown else []
        return " ".join(told) or "All that was changed has been put back and read back."

    def _still_to_do(self, back: Sequence[Restore]) -> tuple[Restore, ...]:
        """The way back without chains that were retraced before: their field, and all in between, are back already."""
        chains: dict[tuple[Target, str], list[int]] = {}
        for place, one in enumerate(back):
            if one.undoing is Undoing.RETRACE:
                chains.setdefault((one.target, one.field), []).append(place)
        if not chains:
            return tuple(back)
        found = self._world.read_all([(one.target, one.field) for one in back])
        settled = [now == one.goal for one, now in zip(back, found, strict=True)]
        idle = {place for chain in chains.values() if all(settled[chain[0] : chain[-1] + 1]) for place in chain}
        return tuple(one for place, one in enumerate(back) if place not in idle)

    def _restore(self, number: int, batch: Sequence[Restore]) -> list[str]:
        """Put fields back, together where the world takes them so; in words, what could not be."""
        found = self._world.read_all([(one.target, one.field) for one in batch])
        faults, due = [], []
        for one, now in zip(batch, found, strict=True):
            if isinstance(now, VirtfnError):
                faults.append(_owed(one, now))
            elif now == one.value:
                continue
            elif one.undoing is not Undoing.OVERWRITE and now not in one.ours:
                before = f"(before: {say(one.value)})"
                faults.append(f"{one.target} {one.field} is {say(now)}, which we did not write {before}")
            else:
                due.append((one, now))
        return [*faults, *self._write_back(number, due)]

    def _write_back(self, number: int, due: Sequence[tuple[Restore, Value]]) -> list[str]:
        """Write all at once, or one by one where that is refused, and read back; in words, what is not back then."""
        if not due:
            return []
        try:
            self._world.write_all([(one.target, one.field, one.value) for one, _ in due])
        except VirtfnError as refusal:
            if len(due) == 1:
                return [_owed(due[0][0], refusal)]
            return [fault for single in due for fault in self._write_back(number, [single])]
        values = tuple(RestoredValue(one.target, one.field, now, one.value) for one, now in due)
        self._sink(ValuesRestored(number, values))
        return self._not_back([one for one, _ in due])

    def _not_back(self, restores: Sequence[Restore]) -> list[str]:
        pending = {(one.target, one.field): one.value for one in restores}
        return [
            f"{target} {field} still reads {_say_or_fault(now)}, should be {say(want)}"
            for (target, field), (want, now) in self._unsettled(pending).items()
        ]

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise Interrupted("interrupted")


def _owed(restore: Restore, why: VirtfnError) -> str:
    """What remains to be done, with the command that does it, or what comes before it."""
    owed = f"{restore.target} {restore.field} should be {say(restore.value)}: {why}"
    if isinstance(why, StillNeeded):
        return f"{owed}; {why.hint}"
    return f"{owed} (`{restore.command}`)" if restore.command else owed


def _targets(steps: Sequence[Step], numbers: Sequence[int]) -> str:
    return ", ".join(str(steps[number].target) for number in numbers)


def _say_or_fault(now: Value | VirtfnError) -> str:
    return f"unreadable ({now})" if isinstance(now, VirtfnError) else say(now)


def _mismatches(wrong: Mapping[tuple[Target, str], Mismatch]) -> str:
    return "; ".join(
        f"{target} {field} reads {_say_or_fault(now)}, written was {say(want)}"
        for (target, field), (want, now) in wrong.items()
    )
