"""A cloud and a spec: propose its creation or deletion, carry the proposal out, show the spec's objects."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from virtfn.engine.batches import ends_by_kind
from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Cancelled, Journal
from virtfn.engine.rollback import revert
from virtfn.engine.transaction import Evidence, Hooks, Transactions, never_cancelled
from virtfn.errors import CloudError, ConflictError, Interrupted, RollbackIncomplete, VerifyFailed, VirtfnError
from virtfn.model.cloud import DesiredCloud
from virtfn.model.cloud.fields import fields_of
from virtfn.model.cloud.observed import ObservedCloud, ObservedObject
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.plan import Plan, Step, Target, Value
from virtfn.model.proposal import CloudProposal, CloudRequest, InterruptedRun, Receipt, Recovery, WaitPolicy
from virtfn.model.subject import CloudAction, CloudSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.cloud.diagnosis.server_failures import diagnosis
from virtfn.planning.cloud.name_resolution import kept, meant_by_id, settled, spoken
from virtfn.planning.cloud.plan import differences, once_restored, plan_down, plan_up, steps_up
from virtfn.planning.cloud.preflight import doubts, left_alone, not_known
from virtfn.planning.cloud.readiness import Readiness, placement, progress, readiness
from virtfn.services.events import InterruptedFound, RecoveryIncomplete, ServerProgress
from virtfn.services.interfaces import CloudWorld

_CHANGED = "the cloud has changed since the plan was made"
_AGAIN = (Action(UseCase.CLOUD_PLAN),)
_LEFT = "fix the values listed above and bring the cloud up again, or delete what can be deleted: that closes it"
INTERRUPTED_RUN = FindingKind(
    "interrupted-run",
    Severity.INFO,
    "A run of this spec was interrupted: it is finished if it created everything, else rolled back "
    "before the plan runs.",
    "nothing to do: the run is recovered first",
)


@dataclass(frozen=True)
class CloudView:
    """The objects with the spec's tag, how they differ from the spec, and what is not ready.

    ``names``: names of the images and networks that objects refer to by id. ``remarks``: objects that stay
    although the spec's names mean something else now.
    """

    cloud: str
    spec: str
    objects: tuple[ObservedObject, ...]
    differences: tuple[Finding, ...]
    readiness: Readiness
    names: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class CloudReceipt(Receipt):
    """What was done. ``now``: the spec's objects after UP; None after DOWN."""

    now: CloudView | None = None


class CloudService:
    """One cloud and its declared states. Every method observes it again."""

    def __init__(
        self,
        cloud: CloudWorld,
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
        self._patience = patience or WaitPolicy(300.0, 1.0)

    def propose(self, request: CloudRequest) -> CloudProposal:
        """What the request requires: the interrupted runs to recover first, and the plan after that.

        Changes nothing. Raises SpecError, ConflictError (existing objects differ in fields that cannot be changed),
        GuardRefused (quota), CloudError.
        """
        desired = request.desired
        named, observed = self._observe(desired)
        if request.action is CloudAction.DOWN:
            plan, interrupted = plan_down(desired.name, observed), self._interrupted(desired.name)
            warnings: tuple[Finding, ...] = ()
        else:
            interrupted = self._interrupted(desired.name, may_finish=not steps_up(named, observed))
            plan, warnings = self._plan_up(desired, observed, interrupted)
        return CloudProposal(request, plan, (*map(_told, interrupted), *warnings), interrupted)

    def review(self, proposal: CloudProposal) -> CloudProposal:
        """The same proposal with the current findings. Raises ConflictError where another one would be proposed now."""
        now = self.propose(proposal.request)
        is_same = now.plan.title == proposal.plan.title and now.interrupted == proposal.interrupted
        if not is_same or _starts(now.plan.steps) != _starts(proposal.plan.steps):
            raise ConflictError(f"{_CHANGED}: other steps are needed now", where=proposal.plan.title, actions=_AGAIN)
        return replace(proposal, findings=now.findings)

    def carry_out(self, proposal: CloudProposal) -> CloudReceipt:
        """Recover the interrupted runs of the proposal, then run its plan.

        UP waits until the servers run on their VFs, also where nothing had to be created. On failure, or if not ready
        in time, all objects of this run are deleted before the error is raised. DOWN deletes only what the plan names;
        this cannot be undone.

        Raises ConflictError (the cloud has changed and needs another proposal), CloudError (the cloud's message, with
        the known causes), VerifyFailed (not ready in time), Interrupted, RollbackIncomplete,
        LockHeld.
        """
        with self._journal.lock():
            may_finish = any(run.recovery is Recovery.FINISH for run in proposal.interrupted)
            if self._interrupted(proposal.request.desired.name, may_finish=may_finish) != proposal.interrupted:
                raise ConflictError(
                    f"{_CHANGED}: other runs are interrupted", where=proposal.plan.title, actions=_AGAIN
                )
            if proposal.request.action is CloudAction.UP:
                return self._up(proposal)
            return self._down(proposal)

    def show(self, desired: DesiredCloud) -> CloudView:
        """The current objects of the spec. Raises CloudError."""
        named, observed = self._observe(desired)
        view = _view(named, observed, self._explained(named, observed))
        return replace(view, remarks=tuple(kept(desired, observed)))

    def _up(self, proposal: CloudProposal) -> CloudReceipt:
        desired, plan = proposal.request.desired, proposal.plan
        for entry, recovery in self._entries(proposal):
            if recovery is Recovery.FINISH:
                self._finish(entry, desired)
            else:
                self._roll_back(entry)
        if plan.is_empty:
            desired, seen = self._ready(desired)  # whatever this raises, nothing is undone
            return CloudReceipt(plan, now=_view(desired, seen, readiness(desired, seen)))
        if _starts(plan.steps) != _starts(steps_up(*self._observe(desired))):
            self._engine.check(plan)
            raise ConflictError(f"{_CHANGED}: other steps are needed now", where=plan.title, actions=_AGAIN)
        seen_ready: list[CloudView] = []

        def prove() -> Evidence:
            named, observed = self._ready(desired)
            seen_ready.append(_view(named, observed, readiness(named, observed)))
            return placement(named, observed)

        number = self._run(plan, prove)
        return CloudReceipt(plan, number, now=seen_ready[-1])

    def _down(self, proposal: CloudProposal) -> CloudReceipt:
        """Rollbacks delete part of what the plan names; what they could not delete is deleted now."""
        spec, plan = proposal.request.desired.name, proposal.plan
        for entry, _ in self._entries(proposal):
            try:
                self._roll_back(entry)
            except RollbackIncomplete as left:
                self._sink(RecoveryIncomplete(left))
        if proposal.interrupted:
            named = {step.target for step in plan.steps}
            now = plan_down(spec, self._cloud.observe(spec))
            plan = replace(now, steps=tuple(step for step in now.steps if step.target in named))
        number = None if plan.is_empty else self._run(plan)
        for entry in self._unfinished(spec):  # what could not go then is gone now, or stays as the plan's notes say
            self._journal.record_status(entry, Status.ROLLED_BACK, remaining=plan.notes)
        return CloudReceipt(plan, number)

    def _plan_up(
        self, desired: DesiredCloud, observed: ObservedCloud, interrupted: tuple[InterruptedRun, ...]
    ) -> tuple[Plan, tuple[Finding, ...]]:
        """The plan for the cloud after the interrupted runs are recovered, and its warnings."""
        undone = {run.id for run in interrupted if run.recovery is Recovery.ROLLBACK}
        entries = [entry for entry in self._unfinished(desired.name) if entry.id in undone]
        back = [(one.target, one.field, one.value) for entry in entries for one in revert(entry.touched)]
        after = once_restored(observed, back) if back else observed
        named = settled(desired, after)
        survey = self._cloud.survey(named, observed)
        plan = plan_up(named, after, survey, now=observed)
        warnings = left_alone(named, after)
        if not plan.is_empty:
            warnings += (*doubts(named, after, survey), *not_known(named, after, survey))
        return replace(plan, notes=(*plan.notes, *kept(desired, after))), warnings

    def _observe(self, desired: DesiredCloud) -> tuple[DesiredCloud, ObservedCloud]:
        """The observed cloud, and the spec with its names as in the cloud."""
        observed = self._cloud.observe(desired.name)
        return settled(desired, observed), observed

    def _run(self, plan: Plan, prove: Callable[[], Evidence] | None = None) -> int:
        try:
            batch_ends = ends_by_kind(plan.steps, self._cloud.parallel)
            return self._engine.run(plan, Hooks(batch_ends=batch_ends, prove=prove)).id
        except ConflictError as failure:
            failure.hint = "another program changes this cloud: check it, then run the command again"
            failure.actions = (Action(UseCase.CLOUD_SHOW),)
            raise
        except RollbackIncomplete as failure:
            failure.hint, failure.actions = _LEFT, (Action(UseCase.CLOUD_UP), Action(UseCase.CLOUD_DOWN))
            raise

    def _interrupted(self, spec: str, *, may_finish: bool = False) -> tuple[InterruptedRun, ...]:
        """The runs of this spec whose process died, or is still running. Runs of other specs are recovered with theirs.

        ``may_finish``: all objects of the spec exist. A run is then finished if everything it had to create exists. It
        need not have created all of it: its last call may have succeeded, or a run on another machine may have created
        the rest; these servers must not be deleted.
        """
        runs = []
        for entry in self._unfinished(spec):
            is_whole = may_finish and entry.status is Status.OPEN and _is_about(entry.plan, spec, CloudAction.UP)
            if is_whole and not self._engine.drift(entry):
                runs.append(InterruptedRun(entry.id, entry.plan.title, Recovery.FINISH))
            else:
                objects = dict.fromkeys(one.target for one in revert(entry.touched))
                runs.append(InterruptedRun(entry.id, entry.plan.title, Recovery.ROLLBACK, tuple(objects)))
        return tuple(runs)

    def _entries(self, proposal: CloudProposal) -> list[tuple[Transaction, Recovery]]:
        """The transactions to recover, those to finish first, as a rollback may take away what they wait for."""
        runs = sorted(proposal.interrupted, key=lambda run: run.recovery is Recovery.ROLLBACK)
        return [(self._journal.load(run.id), run.recovery) for run in runs]

    def _finish(self, entry: Transaction, desired: DesiredCloud) -> None:
        """Finish a run that created everything: wait until it is ready and commit it.

        If waiting fails, nothing is undone: the objects may be in use. The next ``up`` waits again.
        """
        self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.FINISH))
        entry = self._journal.attach(entry, placement(*self._ready(desired)))
        self._journal.record_status(entry, Status.COMMITTED)

    def _roll_back(self, entry: Transaction) -> None:
        self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.ROLLBACK))
        try:
            self._engine.rollback(entry)
        except RollbackIncomplete as failure:
            failure.hint, failure.actions = _LEFT, (Action(UseCase.CLOUD_UP), Action(UseCase.CLOUD_DOWN))
            raise

    def _unfinished(self, spec: str) -> list[Transaction]:
        return [entry for entry in self._journal.unfinished() if _is_about(entry.plan, spec)]

    def _ready(self, desired: DesiredCloud) -> tuple[DesiredCloud, ObservedCloud]:
        """Wait until all servers run on their VFs; returns the last observation. Raises CloudError, VerifyFailed."""
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
        """What is not ready, with its causes. Called before the rollback, which removes the evidence."""
        state = readiness(desired, observed)
        if state.is_ready:
            return state
        return replace(state, findings=diagnosis(desired, observed, self._cloud.survey(desired, observed)))

    def _tell_changes(self, before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
        for server, text in now.items():
            if before.get(server) != text:
                self._sink(ServerProgress(server, text))
        return now


def _starts(steps: Iterable[Step]) -> list[tuple[Target, str, Value]]:
    """The values that steps start from. If a name in the spec now means another image, the plan's image stays."""
    return [(step.target, step.field, step.before) for step in steps]


def _told(run: InterruptedRun) -> Finding:
    what, change = _RECOVERIES[run.recovery]
    return INTERRUPTED_RUN.at(
        f"transaction {run.id}",
        f"transaction {run.id} ({run.title}) was interrupted, or is still running: {what}",
        evidence=tuple(f"{target} {change}" for target in run.objects),
    )


_RECOVERIES = {
    Recovery.ROLLBACK: ("what it made is deleted first", "is deleted or restored"),
    Recovery.FINISH: ("everything was created, and is kept", ""),
}


def _is_about(plan: Plan, spec: str, *actions: CloudAction) -> bool:
    subject = plan.subject
    return isinstance(subject, CloudSubject) and subject.spec == spec and subject.action in (actions or CloudAction)


def _view(desired: DesiredCloud, observed: ObservedCloud, state: Readiness) -> CloudView:
    ours, names = observed.ours, spoken(observed, meant_by_id(map(fields_of, observed.ours)))
    return CloudView(observed.cloud, desired.name, ours, differences(desired, observed), state, names)


def _failed(state: Readiness) -> VirtfnError:
    first, *others = state.failed
    more = f" (and {len(others)} more)" if others else ""
    return CloudError(first.what + more, where=first.subject, findings=state.findings)


def _too_late(state: Readiness, waited_s: float) -> VirtfnError:
    return VerifyFailed(
        f"not ready after {waited_s:g} s: " + "; ".join(one.what for one in state.waiting),
        where="servers",
        hint="" if state.findings else "wait longer, or look at nova-compute's log on its host",
        findings=state.findings,
    )
