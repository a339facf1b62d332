"""Mirrors: propose, carry out with proof, list, prove again, remove with proof."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Evidence, Hooks, Transactions
from virtfn.errors import CapabilityError, ConflictError, ProofFailed, UsageError, VirtfnError
from virtfn.mirroring import proof
from virtfn.mirroring.context import MirrorContext, find
from virtfn.mirroring.guards import NO_METER, UNFINISHED, UNPROVEN, findings_of
from virtfn.mirroring.strategies.mac_filters import plan_of
from virtfn.mirroring.strategies.registry import STRATEGIES, judge_all
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, Finding, Severity, UseCase, refusals, refuse
from virtfn.model.inventory import Inventory
from virtfn.model.mirror import (
    Attempt,
    DeclaredMirror,
    Mirror,
    MirrorHealth,
    MirrorProposal,
    MirrorReceipt,
    MirrorRequest,
    MirrorSpec,
)
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.plan import Plan, Target
from virtfn.model.probe import NoMeter, ProbePoints, ProofReport, Strength, Waypoint
from virtfn.model.proposal import Recovery
from virtfn.model.serialization import encode
from virtfn.model.subject import MirrorSubject, Subject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.host.commands import with_commands
from virtfn.planning.host.lookup import find_vf
from virtfn.services.confirmation import refuse_blocked, refuse_unconfirmed
from virtfn.services.declared_mirrors import DeclaredMirrors, last_proof, unfinished_mirrors
from virtfn.services.events import InterruptedFound, StrategyNotProven
from virtfn.services.interfaces import HostWorld, MirrorStore
from virtfn.services.probe_points import Pair, ProbeOrigins, probe_points_of
from virtfn.services.prover import Prover, Trial


class MirrorService:
    """The mirrors of one host. Every method observes the host again."""

    def __init__(
        self,
        host: HostWorld,
        journal: Journal,
        engine: Transactions,
        store: MirrorStore,
        prover: Prover,
        origins: ProbeOrigins,
        *,
        sink: EventSink,
        physnets: Callable[[], PhysicalNetworks] = PhysicalNetworks,
    ) -> None:
        self._host = host
        self._journal = journal
        self._engine = engine
        self._store = store
        self._prover = prover
        self._origins = origins
        self._sink = sink
        self._physnets = physnets
        self._declared = DeclaredMirrors(host, journal, engine, store)

    def propose(self, request: MirrorRequest) -> MirrorProposal:
        """What ``carry_out`` would do: strategies with verdicts, and all findings. Changes and sends nothing.

        Raises UsageError (no such VF or strategy), and what reading raises.
        """
        if request.strategy and request.strategy not in STRATEGIES:
            there = ", ".join(sorted(STRATEGIES))
            raise UsageError(f"there is no strategy {request.strategy!r}", hint=f"there are: {there}")
        inventory = self._host.observe()
        context = self._context(inventory, request)
        attempts, rejections = judge_all(context)
        attempts = tuple(replace(one, plan=with_commands(one.plan)) for one in attempts)
        points = self._points(inventory, context.spec, context.mac, context.declared) if context.mac else ()
        findings = [*self._unfinished(), *findings_of(context)]
        if not attempts:
            findings += [one for no in rejections for one in no.findings if one.severity is Severity.REFUSAL]
        if not isinstance(points, ProbePoints):
            kind = UNPROVEN if request.unproven else NO_METER
            findings += [kind.at(one.label, f"no meter at {one.label}: {one.reason}") for one in points]
        return MirrorProposal(
            request=request,
            plan=attempts[0].plan if attempts else plan_of(context, request.strategy, context.mac or _NO_MAC),
            findings=tuple(findings),
            spec=context.spec,
            attempts=attempts,
            rejections=rejections,
            points=points if isinstance(points, ProbePoints) else None,
        )

    def refuse(self, proposal: MirrorProposal) -> None:
        """Return where the proposal may be carried out. Raises GuardRefused; CapabilityError where no strategy fits."""
        where = _pair(proposal.plan.subject)
        refuse(refusals(proposal.findings, proposal.request.forced), where)
        if proposal.attempts:
            return
        reasons = (f"{no.strategy}: {no.reason}" for no in proposal.rejections if no.is_fault)
        raise CapabilityError("no strategy fits: " + "; ".join(reasons), where=where)

    def recover(self) -> None:
        """Roll back mirrors whose process died. Raises ConflictError where another transaction is unfinished."""
        if next(self._journal.unfinished(), None) is None:
            return
        with self._journal.lock():
            for entry, subject in list(unfinished_mirrors(self._journal)):
                self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.ROLLBACK))
                self._engine.rollback(entry)
                self._undeclare(entry.id, subject.id)
            refuse_blocked(self._journal)

    def carry_out(self, proposal: MirrorProposal) -> MirrorReceipt:
        """Make the proposed mirror, prove and declare it; roll back on failure.

        One that was asked for unproven is made also where nothing can be proven; never where the frames disprove it.
        Raises what ``refuse`` raises; ConflictError where the host has changed since the proposal; ProofFailed (with
        the report), LockHeld, PermissionDenied, KernelRefused.
        """
        with self._journal.lock():
            refuse_blocked(self._journal)
            now = self.propose(proposal.request)
            self.refuse(now)
            if now != proposal:
                raise ConflictError(
                    "the host has changed since this was proposed; nothing was changed now",
                    where=_pair(proposal.plan.subject),
                    hint="look at the new plan, then add it",
                    actions=(Action(UseCase.MIRROR_PLAN, (proposal.request.source, proposal.request.copy)),),
                )
            return self._try(proposal, self._control_before(proposal))

    def add(self, request: MirrorRequest) -> MirrorReceipt:
        """``recover``, ``propose`` and ``carry_out`` in one. Raises what they raise."""
        self.recover()
        return self.carry_out(self.propose(request))

    def all(self) -> tuple[Mirror, ...]:
        """The declared mirrors with their observed status, and those whose creation was interrupted; by id."""
        return self._declared.all()

    def prove(self, name: str, copy: str | None = None) -> MirrorReceipt:
        """Prove a mirror again and journal the report. Raises ProofFailed; the mirror is not changed.

        Raises ConflictError where it is unfinished, or was ended by a boot or a rollback.
        """
        with self._journal.lock():
            inventory = self._host.observe()
            mirror = self._declared.find(inventory, name, copy)
            entry = self._made(mirror)
            points = self._points_again(inventory, mirror)
            before = mirror.last_proof.control_before if mirror.last_proof else ()
            control = Trial(points, before, "" if before else "there was no control before this mirror was made")
            report = self._prover.prove(points, mirror.strategy, control)
            self._journal.attach(entry, _evidence(report))
            if not report.proven:
                raise ProofFailed(
                    ("the mirror does not hold: " if report.faults else "nothing is proven: ")
                    + "; ".join((*report.reasons, *_changes(mirror))),
                    where=f"mirror {mirror.id}",
                    hint="remove it, then add it again",
                    actions=(Action(UseCase.MIRROR_REMOVE, (str(mirror.id),)),),
                    report=report,
                )
            return MirrorReceipt(mirror.id, "prove", entry.plan, report, warnings=_changes(mirror))

    def remove(self, name: str, copy: str | None = None) -> MirrorReceipt:
        """Restore what a mirror changed, and prove by frames that the copy gets nothing.

        Finishes a removal or an ``add`` that was killed. After a boot there is nothing to restore. Raises
        RollbackIncomplete; ConflictError where another program changed it since; ProofFailed where everything reads as
        before but no frames could prove it.
        """
        with self._journal.lock():
            mirror = self._declared.find(self._host.observe(), name, copy)
            entry = self._entry(mirror)
            if entry is None or entry.status is Status.ENDED:
                self._store.remove(mirror.id)
                why = f"nothing was put back: {mirror.status.reason}"
                empty = ProofReport(mirror.source_label, mirror.copy_label, mirror.strategy, proven=False)
                return MirrorReceipt(mirror.id, "rm", entry.plan if entry else _no_plan(mirror), empty, warnings=(why,))
            refuse_unconfirmed(self._journal)
            if entry.status is not Status.ROLLED_BACK:
                entry = self._engine.rollback(entry)
            self._store.remove(mirror.id)
            inventory = self._host.observe()
            report = self._control_after(inventory, mirror)
            self._journal.attach(entry, _evidence(report))
            warnings = _leftovers(inventory, mirror)
            if report.undecided and not report.faults and _was_unproven(mirror):
                why = f"everything reads as before; no frame could show it: {report.undecided}"
                return MirrorReceipt(mirror.id, "rm", entry.plan, report, warnings=(why, *warnings))
            if not report.proven:
                raise ProofFailed(
                    "everything reads as before, but "
                    + ("frames say otherwise: " if report.faults else "no frame could show it: ")
                    + "; ".join(report.reasons),
                    where=f"mirror {mirror.id}",
                    hint="a filter may remain in the NIC: restart the VF driver in the copy's guest, then prove again",
                    report=report,
                )
            return MirrorReceipt(mirror.id, "rm", entry.plan, report, warnings=warnings)

    def _context(self, inventory: Inventory, request: MirrorRequest) -> MirrorContext:
        source, copy = find_vf(inventory, request.source), find_vf(inventory, request.copy)
        mirrors = self._declared.all(inventory)
        again = (one.id for one in mirrors if (one.spec.source, one.spec.copy) == (source, copy))
        id = next(again, None) or self._store.next_id()
        (source_pf, source_vf), (copy_pf, copy_vf) = find(inventory, source), find(inventory, copy)
        return MirrorContext(
            MirrorSpec(id, source, copy, request.directions, request.strategy),
            source_pf,
            source_vf,
            copy_pf,
            copy_vf,
            mirrors,
            self._outside(inventory, source),
            self._physnets(),
            request.literal,
            request.forced,
        )

    def _outside(self, inventory: Inventory, source: VfRef) -> Mapping[MacAddress, str]:
        """MACs known to be outside the NIC: from the host's tables, and of the outside netdevs that send probes."""
        pf = inventory.pf(source.pf)
        known = dict(self._host.outside_macs(pf.name)) if pf and isinstance(pf.name, str) else {}
        for name in self._origins.outside:
            mac = self._host.read(Target("netdev", name, name), "mac")
            known[MacAddress.parse(str(mac))] = name
        return known

    def _unfinished(self) -> tuple[Finding, ...]:
        """A finding for each transaction that must be finished first."""
        return tuple(
            UNFINISHED.at(
                f"transaction {entry.id}",
                f"transaction {entry.id} ({entry.plan.title}) is {entry.status.value}",
                actions=(
                    Action(UseCase.MIRROR_REMOVE, (str(entry.plan.subject.id),))
                    if isinstance(entry.plan.subject, MirrorSubject)
                    else Action(UseCase.ROLLBACK, (str(entry.id),)),
                ),
            )
            for entry in self._journal.unfinished()
        )

    def _points(
        self, inventory: Inventory, mirror: MirrorSpec, mac: MacAddress, declared: Sequence[Mirror]
    ) -> ProbePoints | tuple[NoMeter, ...]:
        """Where to send and count; other copies of the same source also receive its frames."""
        others = (one for one in declared if one.spec.source == mirror.source and one.spec.copy != mirror.copy)
        copies = frozenset(one.copy_label for one in others)
        return probe_points_of(
            self._host,
            inventory,
            Pair(mirror.source, mirror.copy, mac, mirror.directions, copies),
            self._origins,
            self._prover.ready,
        )

    def _points_again(self, inventory: Inventory, mirror: Mirror) -> ProbePoints:
        """The points of an existing mirror. Raises CapabilityError where a VF no longer has a meter."""
        declared = self._declared.all(inventory)
        points = self._points(inventory, mirror.spec, mirror.mac, declared) if mirror.mac else ()
        if isinstance(points, ProbePoints):
            return points
        raise CapabilityError(
            "no meter: " + "; ".join(f"{one.label}: {one.reason}" for one in points),
            where=f"mirror {mirror.id}",
            hint=NO_METER.fix,
        )

    def _control_before(self, proposal: MirrorProposal) -> Trial | str:
        """The control before anything is changed, or why there can be none. Raises ProofFailed unless it is clean.

        One that decides nothing is clean only for a mirror that was asked for unproven.
        """
        if proposal.points is None:
            return "; ".join(one.what for one in proposal.findings if one.id == UNPROVEN.id)
        control = self._prover.clean_control(proposal.points)
        if control.undecided and not proposal.request.unproven:
            raise ProofFailed(
                f"the mirror could not be proven; nothing was changed: {control.undecided}",
                where=_pair(proposal.plan.subject),
                hint="wait until source and copy receive less, or ask for an unproven mirror",
                report=proof.report(control.points, "", legs=(), undecided=control.undecided),
            )
        return control

    def _try(self, proposal: MirrorProposal, control: Trial | str) -> MirrorReceipt:
        """Make the attempts in turn until one is proven; each failed one is rolled back first."""
        failed: list[ProofReport] = []
        for attempt in proposal.attempts:
            try:
                transaction = self._make(proposal, attempt, control)
            except ProofFailed as failure:
                if isinstance(failure.report, ProofReport) and isinstance(control, Trial):
                    failed.append(replace(failure.report, control_after=self._prover.control(control.points).legs))
                self._sink(StrategyNotProven(attempt.strategy))
                continue
            report = last_proof(transaction) or _nothing_proven(attempt.plan, "the proof is gone from the journal")
            why = (f"this mirror is not proven: {report.undecided}",) if report.undecided else ()
            others = proposal.rejections
            return MirrorReceipt(proposal.spec.id, "add", attempt.plan, report, others, tuple(failed), why)
        raise ProofFailed(
            "no mirror was proven; the host is as before: "
            + "; ".join(f"{report.strategy}: {report.reasons[0]}" for report in failed),
            where=_pair(proposal.plan.subject),
            report=failed[-1],
        )

    def _make(self, proposal: MirrorProposal, attempt: Attempt, control: Trial | str) -> Transaction:
        """Carry out one attempt: prove, declare, commit. On failure the store is as before."""
        spec = proposal.spec
        before = next((one for one in self._store.all() if one.spec.id == spec.id), None)
        begun: list[int] = []
        waypoints: list[Waypoint] = []

        def look(step: int) -> None:
            if isinstance(control, Trial):
                waypoints.append(self._prover.look(control.points, attempt.plan.steps[step]))

        def prove() -> Evidence:
            if isinstance(control, Trial):
                report = self._prover.prove(control.points, attempt.strategy, control, tuple(waypoints))
            else:
                report = _nothing_proven(attempt.plan, control)
            if report.faults or (report.undecided and not proposal.request.unproven):
                why = "; ".join(report.reasons)
                raise ProofFailed(f"not proven: {why}", where=attempt.plan.title, report=report)
            self._store.put(DeclaredMirror(spec, begun[0]))
            return _evidence(report)

        try:
            hooks = Hooks(
                at_begin=lambda transaction: begun.append(transaction.id),
                batch_ends=frozenset(attempt.waypoints),
                at_batch_end=look,
                prove=prove,
            )
            return self._engine.run(attempt.plan, hooks)
        except BaseException:
            if before:
                self._store.put(before)
            else:
                self._store.remove(spec.id)
            raise

    def _undeclare(self, transaction: int, mirror: int) -> None:
        """Remove a mirror that this transaction has declared."""
        if any((one.spec.id, one.transaction) == (mirror, transaction) for one in self._store.all()):
            self._store.remove(mirror)

    def _entry(self, mirror: Mirror) -> Transaction | None:
        return self._journal.load(mirror.transaction) if mirror.mac else None

    def _made(self, mirror: Mirror) -> Transaction:
        """The committed transaction of a mirror. Raises ConflictError where there is none."""
        entry, where = self._entry(mirror), f"mirror {mirror.id}"
        if entry is None or not (entry.status is Status.COMMITTED or entry.status.unfinished):
            pair = (mirror.source_label, mirror.copy_label)
            raise ConflictError(
                f"this mirror is lost: {mirror.status.reason}",
                where=where,
                actions=(Action(UseCase.MIRROR_ADD, pair), Action(UseCase.MIRROR_REMOVE, (str(mirror.id),))),
            )
        if entry.status.unfinished:
            remove = Action(UseCase.MIRROR_REMOVE, (str(mirror.id),))
            raise ConflictError("this mirror was never finished", where=where, actions=(remove,))
        return entry

    def _control_after(self, inventory: Inventory, mirror: Mirror) -> ProofReport:
        """The report of a removal: the control, run again."""
        try:
            points = self._points_again(inventory, mirror)
        except VirtfnError as fault:
            return ProofReport(
                mirror.source_label, mirror.copy_label, mirror.strategy, proven=False, undecided=str(fault)
            )
        after = self._prover.control(points)
        return proof.report(after.points, mirror.strategy, legs=(), control_after=after.legs, undecided=after.undecided)


_NO_MAC = MacAddress(bytes(6))
"""Stands in a plan without steps for a MAC that is not known."""


def _pair(subject: Subject) -> str:
    return f"{subject.source_label} to {subject.copy_label}" if isinstance(subject, MirrorSubject) else ""


def _no_plan(mirror: Mirror) -> Plan:
    """A plan without steps, for a mirror whose own plan is gone."""
    spec = mirror.spec
    subject = MirrorSubject(
        spec.id, spec.source, spec.copy, mirror.source_label, mirror.copy_label, spec.directions, spec.strategy, _NO_MAC
    )
    return Plan(subject, f"mirror {mirror.source_label} to {mirror.copy_label}", ())


def _nothing_proven(plan: Plan, why: str) -> ProofReport:
    """The report of a mirror of which no frame could say anything."""
    mirror = plan.subject
    if not isinstance(mirror, MirrorSubject):
        raise ValueError("no mirror's plan")
    return ProofReport(mirror.source_label, mirror.copy_label, mirror.strategy, proven=False, undecided=why)


def _was_unproven(mirror: Mirror) -> bool:
    """Whether it was made, or last looked at, where nothing could be proven."""
    return mirror.last_proof is not None and mirror.last_proof.strength is Strength.UNPROVEN


def _evidence(report: ProofReport) -> Evidence:
    return {"kind": "proof", "report": encode(report)}


def _changes(mirror: Mirror) -> tuple[str, ...]:
    """The reasons from the current state; not those of an earlier proof."""
    if mirror.status.health is MirrorHealth.UNPROVEN:
        return ()
    return tuple(" ".join((one.what, *(f"({seen})" for seen in one.evidence))) for one in mirror.status.findings)


def _leftovers(inventory: Inventory, mirror: Mirror) -> tuple[str, ...]:
    """A warning about the copy's guest: after a reset its driver keeps the source's MAC (measured, igb)."""
    pf = inventory.pf(mirror.spec.copy.pf)
    vf = pf.vf(mirror.spec.copy.index) if pf else None
    if vf is None or vf.netdev is None or vf.netdev.mac != mirror.mac:
        return ()
    return (
        f"{vf.netdev} of {mirror.copy_label} still has the source's MAC, as its driver was reset during the mirror: "
        "set it down and up once in the guest",
    )
