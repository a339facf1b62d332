"""A cloud from a declared state: plan, up, show, down."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from virtfn.errors import CloudError, ConflictError, Interrupted, RollbackIncomplete, VerifyFailed, VirtfnError
from virtfn.model.cloud import CloudObject, DesiredCloud
from virtfn.model.plan import Plan, Value
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.cloud_plan import UP, differences, plan_down, plan_up
from virtfn.planning.cloud_readiness import Readiness, placement, readiness
from virtfn.services.ports import Cancelled, Cloud, Journal
from virtfn.services.transaction import Evidence, Progress, Transactions, never_cancelled

_LEFT = "run `virtfn cloud up` or `virtfn cloud down` again: it finishes this first"


@dataclass(frozen=True)
class Patience:
    """How long servers and ports may take to be ready, and how often that is looked at."""

    deadline_s: float = 300.0
    pause_s: float = 1.0


@dataclass(frozen=True)
class CloudView:
    """What bears the spec's tag now, how it differs from the spec, and what is not ready."""

    cloud: str
    spec: str
    objects: tuple[CloudObject, ...]
    differences: tuple[str, ...]
    readiness: Readiness


@dataclass(frozen=True)
class CloudReceipt:
    """What was done: the plan, and the transaction's number in the journal (None: there was nothing to do)."""

    plan: Plan
    id: int | None = None


class Clouds:
    """One cloud, shaped from declared states. Every method observes it anew."""

    def __init__(
        self,
        cloud: Cloud,
        journal: Journal,
        engine: Transactions,
        *,
        progress: Progress,
        cancelled: Cancelled = never_cancelled,
        patience: Patience | None = None,
    ) -> None:
        self._cloud = cloud
        self._journal = journal
        self._engine = engine
        self._progress = progress
        self._cancelled = cancelled
        self._patience = patience or Patience()

    def plan(self, desired: DesiredCloud) -> Plan:
        """What ``up`` would do. Changes nothing. Raises SpecError, ConflictError, CloudError."""
        plan = plan_up(desired, self._cloud.observe(desired.name))
        return self._with_unfinished(plan, desired.name)

    def plan_down(self, spec: str) -> Plan:
        """What ``down`` would delete, and what it leaves alone, for the spec of this name. Raises CloudError."""
        return self._with_unfinished(plan_down(spec, self._cloud.observe(spec)), spec)

    def show(self, desired: DesiredCloud) -> CloudView:
        """What there is of the spec now. Raises CloudError."""
        observed = self._cloud.observe(desired.name)
        return CloudView(
            observed.cloud,
            desired.name,
            observed.ours,
            differences(desired, observed),
            readiness(desired, observed),
        )

    def has_unfinished(self) -> bool:
        """Whether a run was cut short (or is at work): ``up`` and ``down`` take back what it has made first."""
        return bool(self._unfinished())

    def up(self, desired: DesiredCloud, plan: Plan) -> CloudReceipt:
        """Carry out a plan that ``plan`` made for this spec, and wait until its servers run on their VFs.

        Where anything fails, or is not ready in time, all that this run made is deleted again before the error leaves.
        Raises ConflictError (somebody was quicker), CloudError (the cloud's word, with what is known of the cause),
        VerifyFailed (not ready in time), Interrupted, RollbackIncomplete, LockHeld.
        """
        with self._journal.lock():
            for entry in self._unfinished():
                if self._is_whole(entry, plan, desired.name):
                    self._keep(entry, desired)
            if self._finish_what_died():
                plan = plan_up(desired, self._cloud.observe(desired.name))
            return self._run(plan, lambda: self._ready(desired))

    def down(self, spec: str, plan: Plan) -> CloudReceipt:
        """Carry out a plan that ``plan_down`` made for this spec; what is deleted stays so. Raises what ``up`` raises.

        Deletes no more than the plan names.
        """
        with self._journal.lock():
            try:
                finished = self._finish_what_died()
            except RollbackIncomplete as left:  # what it could not take away may bear our tag, and goes now
                self._progress(str(left))
                finished = True
            if finished:
                named = {step.target for step in plan.steps}
                now = plan_down(spec, self._cloud.observe(spec))
                plan = replace(now, steps=tuple(step for step in now.steps if step.target in named))
            return self._run(plan)

    def _run(self, plan: Plan, prove: Callable[[], Evidence] | None = None) -> CloudReceipt:
        if plan.is_empty:
            return CloudReceipt(plan)
        try:
            return CloudReceipt(plan, self._engine.run(plan, stops=_ends_of_objects(plan), prove=prove).id)
        except ConflictError as failure:
            failure.hint = "somebody else changes this cloud: look with `virtfn cloud show`, then run it again"
            raise
        except RollbackIncomplete as failure:
            failure.hint = _LEFT
            raise

    def _with_unfinished(self, plan: Plan, spec: str) -> Plan:
        """The plan, with a note on runs that were cut short, as what they made is deleted first, or kept."""
        notes = [
            f"transaction {entry.id} ({entry.plan.title}) was cut short, or is at work: "
            + (
                "it has made all; that is kept if it gets ready"
                if self._is_whole(entry, plan, spec)
                else "what it has made is deleted first, and made anew where the spec wants it"
            )
            for entry in self._unfinished()
        ]
        return replace(plan, notes=(*notes, *plan.notes))

    def _is_whole(self, entry: Transaction, plan: Plan, spec: str) -> bool:
        """Whether a run that was cut short had made all, it is as it was left, and nothing else is wanted."""
        ours = plan.kind == entry.plan.kind == UP and entry.plan.subject.get("spec") == spec
        made = entry.status is Status.OPEN and len(entry.done) == len(entry.plan.steps)
        return ours and made and plan.is_empty and not self._engine.drift(entry)

    def _keep(self, entry: Transaction, desired: DesiredCloud) -> None:
        """Finish a run that had made all: wait until it is ready and commit it, or take it back and raise."""
        self._progress(f"transaction {entry.id} ({entry.plan.title}) was cut short when all was made: finishing it")
        try:
            entry = self._journal.attach(entry, self._ready(desired))
        except BaseException:
            self._take_back(entry)
            raise
        self._journal.record_status(entry, Status.COMMITTED)

    def _finish_what_died(self) -> bool:
        """Take back what runs that were cut short have made; whether there were any. We hold the lock: none lives."""
        entries = self._unfinished()
        for entry in entries:
            self._progress(f"transaction {entry.id} ({entry.plan.title}) was cut short: taking it back")
            self._take_back(entry)
        return bool(entries)

    def _unfinished(self) -> list[Transaction]:
        return [entry for entry in self._journal.all() if entry.status.unfinished]

    def _take_back(self, entry: Transaction) -> None:
        try:
            self._engine.rollback(entry)
        except RollbackIncomplete as failure:
            failure.hint = _LEFT
            raise

    def _ready(self, desired: DesiredCloud) -> Evidence:
        """Wait until all servers run on their VFs; where they are, as evidence. Raises CloudError, VerifyFailed."""
        deadline = time.monotonic() + self._patience.deadline_s
        told: tuple[str, ...] = ()
        while True:
            observed = self._cloud.observe(desired.name)
            state = readiness(desired, observed)
            if state.failed:
                raise _failed(state)
            if state.is_ready:
                evidence: dict[str, Value] = {**placement(desired, observed)}
                return evidence
            if state.waiting != told:
                told = state.waiting
                self._progress("waiting: " + "; ".join(told))
            if self._cancelled():
                raise Interrupted("interrupted")
            if time.monotonic() >= deadline:
                raise _too_late(state, self._patience.deadline_s)
            time.sleep(self._patience.pause_s)


def _ends_of_objects(plan: Plan) -> frozenset[int]:
    """The last step of each object: each is journalled and made by itself, and Ctrl-C is looked at in between."""
    last = {step.target: number for number, step in enumerate(plan.steps)}
    return frozenset(last.values())


def _failed(state: Readiness) -> VirtfnError:
    where, word = state.failed[0]
    more = f" (and {len(state.failed) - 1} more)" if len(state.failed) > 1 else ""
    return CloudError(word + more, where=where, hint="; ".join(state.causes))


def _too_late(state: Readiness, waited_s: float) -> VirtfnError:
    return VerifyFailed(
        f"not ready after {waited_s:g} s: " + "; ".join(state.waiting),
        where="servers",
        hint="a port stays DOWN where its agent does not see the VF: look at the NIC Switch agent's log on its host",
    )
