"""A cloud from a declared state: plan, up, show, down."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from virtfn.engine.batches import ends_by_kind
from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Cancelled, Journal
from virtfn.engine.transaction import Evidence, Hooks, Transactions, never_cancelled
from virtfn.errors import CloudError, ConflictError, Interrupted, RollbackIncomplete, VerifyFailed, VirtfnError
from virtfn.model.cloud import DesiredCloud
from virtfn.model.cloud.fields import fields_of
from virtfn.model.cloud.observed import ObservedCloud, ObservedObject
from virtfn.model.plan import Plan
from virtfn.model.subject import CloudAction, CloudSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.cloud.diagnosis.causes import diagnosis
from virtfn.planning.cloud.name_resolution import kept, meant_by_id, settled, spoken
from virtfn.planning.cloud.plan import differences, plan_down, plan_up
from virtfn.planning.cloud.readiness import Readiness, placement, progress, readiness
from virtfn.services.events import InterruptedFound, Recovery, RecoveryIncomplete, ServerProgress
from virtfn.services.interfaces import Cloud

_LEFT = "mend what is named, or let `virtfn cloud down` delete what can go: it closes this; then `virtfn cloud up`"


@dataclass(frozen=True)
class WaitPolicy:
    """How long servers and ports may take to be ready, and how often that is looked at.

    A cloud that answers slowly is asked less often: it is left alone for half as long as its last answer took.
    """

    deadline_s: float = 300.0
    pause_s: float = 1.0


@dataclass(frozen=True)
class CloudView:
    """What bears the spec's tag now, how it differs from the spec, and what is not ready.

    ``names`` are those of images and networks that the objects mean by their ids. ``remarks``: what stands as it is
    though the spec's words mean something else by now.
    """

    cloud: str
    spec: str
    objects: tuple[ObservedObject, ...]
    differences: tuple[str, ...]
    readiness: Readiness
    names: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class CloudReceipt:
    """What was done: the plan, and the transaction's number in the journal (None: there was nothing to do)."""

    plan: Plan
    id: int | None = None


@dataclass(frozen=True)
class UpReceipt(CloudReceipt):
    """The same, with what there is of the spec now."""

    now: CloudView = field(kw_only=True)


class CloudService:
    """One cloud, shaped from declared states. Every method observes it anew."""

    def __init__(
        self,
        cloud: Cloud,
        journal: Journal,
        engine: Transactions,
        *,
        sink: EventSink,
        cancelled: Cancelled = never_cancelled,
        patience: WaitPolicy | None = None,
    ) -> None:
        self._cloud = cloud
        self._journal = journal
        self._engine = engine
        self._sink = sink
        self._cancelled = cancelled
        self._patience = patience or WaitPolicy()

    def plan(self, desired: DesiredCloud) -> Plan:
        """What ``up`` would do. Changes nothing. Raises SpecError, ConflictError, GuardRefused (quota), CloudError."""
        plan = self._plan_up(desired)
        return self._with_unfinished(plan, desired.name)

    def plan_down(self, spec: str) -> Plan:
        """What ``down`` would delete, and what it leaves alone, for the spec of this name. Raises CloudError."""
        return self._with_unfinished(plan_down(spec, self._cloud.observe(spec)), spec)

    def show(self, desired: DesiredCloud) -> CloudView:
        """What there is of the spec now. Raises CloudError."""
        named, observed = self._observe(desired)
        view = _view(named, observed, self._explained(named, observed))
        return replace(view, remarks=tuple(kept(desired, observed)))

    def has_unfinished(self, spec: str) -> bool:
        """Whether a run of this spec was cut short, or is at work: ``up`` and ``down`` take back what it made first."""
        return bool(self._unfinished(spec))

    def up(self, desired: DesiredCloud, plan: Plan) -> UpReceipt:
        """Carry out a plan that ``plan`` made for this spec, and wait until its servers run on their VFs.

        Where anything fails, or is not ready in time, all that this run made is deleted again before the error leaves.
        Where there is nothing to make, what stands is waited for. Raises ConflictError (somebody was quicker),
        CloudError (the cloud's word, with what is known of the cause), VerifyFailed (not ready in time), Interrupted,
        RollbackIncomplete, LockHeld.
        """
        with self._journal.lock():
            for entry in self._unfinished(desired.name):
                if self._is_whole(entry, plan, desired.name):
                    self._keep(entry, desired)
            if self._finish_what_died(desired.name):
                plan = self._plan_up(desired)
            if plan.is_empty:
                return UpReceipt(plan, now=self._standing(desired))
            seen: list[CloudView] = []

            def prove() -> Evidence:
                named, observed = self._ready(desired)
                seen.append(_view(named, observed, readiness(named, observed)))
                return placement(named, observed)

            done = self._run(plan, prove)
            return UpReceipt(done.plan, done.id, now=seen[-1])

    def down(self, spec: str, plan: Plan) -> CloudReceipt:
        """Carry out a plan that ``plan_down`` made for this spec; what is deleted stays so. Raises what ``up`` raises.

        Deletes no more than the plan names.
        """
        with self._journal.lock():
            try:
                finished = self._finish_what_died(spec)
            except RollbackIncomplete as left:  # what it could not take away may bear our tag, and goes now
                self._sink(RecoveryIncomplete(left))
                finished = True
            if finished:
                named = {step.target for step in plan.steps}
                now = plan_down(spec, self._cloud.observe(spec))
                plan = replace(now, steps=tuple(step for step in now.steps if step.target in named))
            receipt = self._run(plan)
            for entry in self._unfinished(spec):  # what could not go then is gone now, or stays as the plan's notes say
                self._journal.record_status(entry, Status.ROLLED_BACK, remaining=plan.notes)
            return receipt

    def _plan_up(self, desired: DesiredCloud) -> Plan:
        named, observed = self._observe(desired)
        plan = plan_up(named, observed, self._cloud.survey(named, observed))
        return replace(plan, notes=(*plan.notes, *kept(desired, observed)))

    def _observe(self, desired: DesiredCloud) -> tuple[DesiredCloud, ObservedCloud]:
        """What there is, and the spec in its words."""
        observed = self._cloud.observe(desired.name)
        return settled(desired, observed), observed

    def _run(self, plan: Plan, prove: Callable[[], Evidence] | None = None) -> CloudReceipt:
        if plan.is_empty:
            return CloudReceipt(plan)
        try:
            batch_ends = ends_by_kind(plan.steps, self._cloud.parallel)
            return CloudReceipt(plan, self._engine.run(plan, Hooks(batch_ends=batch_ends, prove=prove)).id)
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
                "all that it was to make is there, and is kept"
                if self._is_whole(entry, plan, spec)
                else "what it has made is deleted first, and made anew where the spec wants it"
            )
            for entry in self._unfinished(spec)
        ]
        return replace(plan, notes=(*notes, *plan.notes))

    def _is_whole(self, entry: Transaction, plan: Plan, spec: str) -> bool:
        """Whether all that a run that was cut short was to make is there as it was to be, and nothing else is wanted.

        It need not have made all itself: the call that it died in may have come through, or a run on another machine
        may have made the rest, whose servers must then not be deleted for this one's sake.
        """
        ours = all(_is_about(one, spec, CloudAction.UP) for one in (plan, entry.plan))
        return ours and plan.is_empty and entry.status is Status.OPEN and not self._engine.drift(entry)

    def _keep(self, entry: Transaction, desired: DesiredCloud) -> None:
        """Finish a run of which all is there: wait until it is ready and commit it.

        Whatever waiting raises, nothing is undone: it may have stood for long. The next ``up`` waits again.
        """
        self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.FINISH))
        entry = self._journal.attach(entry, placement(*self._ready(desired)))
        self._journal.record_status(entry, Status.COMMITTED)

    def _finish_what_died(self, spec: str) -> bool:
        """Take back what runs of this spec that were cut short have made; whether there were any.

        We hold the lock: none lives. Those of other specs are theirs to finish.
        """
        entries = self._unfinished(spec)
        for entry in entries:
            self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.ROLLBACK))
            self._take_back(entry)
        return bool(entries)

    def _unfinished(self, spec: str) -> list[Transaction]:
        return [entry for entry in self._journal.unfinished() if _is_about(entry.plan, spec)]

    def _standing(self, desired: DesiredCloud) -> CloudView:
        """What there is where nothing is to be made, once it is ready. Whatever waiting raises, nothing is undone."""
        desired, seen = self._ready(desired)
        return _view(desired, seen, readiness(desired, seen))

    def _take_back(self, entry: Transaction) -> None:
        try:
            self._engine.rollback(entry)
        except RollbackIncomplete as failure:
            failure.hint = _LEFT
            raise

    def _ready(self, desired: DesiredCloud) -> tuple[DesiredCloud, ObservedCloud]:
        """Wait until all servers run on their VFs; what was seen then. Raises CloudError, VerifyFailed."""
        deadline = time.monotonic() + self._patience.deadline_s
        told: Mapping[str, str] = {}
        desired, observed = self._observe(desired)
        took = 0.0
        while True:
            state = readiness(desired, observed)
            told = self._tell_changes(told, progress(desired, observed))
            if state.failed:
                raise _failed(self._explained(desired, observed))
            if state.is_ready:
                return desired, observed
            if self._cancelled():
                raise Interrupted("interrupted")
            if time.monotonic() >= deadline:
                raise _too_late(self._explained(desired, observed), self._patience.deadline_s)
            time.sleep(max(self._patience.pause_s, took / 2))
            asked = time.monotonic()
            observed = self._cloud.refresh(desired.name, observed)
            took = time.monotonic() - asked

    def _explained(self, desired: DesiredCloud, observed: ObservedCloud) -> Readiness:
        """What is not ready, with its causes, while it can still be seen: a rollback takes the evidence away."""
        state = readiness(desired, observed)
        if state.is_ready:
            return state
        return replace(state, causes=diagnosis(desired, observed, self._cloud.survey(desired, observed)))

    def _tell_changes(self, before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
        for server, text in now.items():
            if before.get(server) != text:
                self._sink(ServerProgress(server, text))
        return now


def _is_about(plan: Plan, spec: str, *actions: CloudAction) -> bool:
    subject = plan.subject
    return isinstance(subject, CloudSubject) and subject.spec == spec and subject.action in (actions or CloudAction)


def _view(desired: DesiredCloud, observed: ObservedCloud, state: Readiness) -> CloudView:
    ours, names = observed.ours, spoken(observed, meant_by_id(map(fields_of, observed.ours)))
    return CloudView(observed.cloud, desired.name, ours, differences(desired, observed), state, names)


def _failed(state: Readiness) -> VirtfnError:
    where, word = state.failed[0]
    more = f" (and {len(state.failed) - 1} more)" if len(state.failed) > 1 else ""
    error = CloudError(word + more, where=where)
    error.causes = state.causes
    return error


def _too_late(state: Readiness, waited_s: float) -> VirtfnError:
    error = VerifyFailed(
        f"not ready after {waited_s:g} s: " + "; ".join(state.waiting),
        where="servers",
        hint="" if state.causes else "give it more time with --timeout, or look at nova-compute's log on its host",
    )
    error.causes = state.causes
    return error
