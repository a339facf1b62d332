"""Mirrors: add with proof, list, prove again, remove with proof."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from virtfn.engine.events import EventSink
from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Evidence, Hooks, Transactions
from virtfn.errors import CapabilityError, ConflictError, ProofFailed, UsageError, VirtfnError
from virtfn.mirroring import proof
from virtfn.mirroring.context import MirrorContext, mirror_context
from virtfn.mirroring.guards import objections
from virtfn.mirroring.strategies import STRATEGIES, choose
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Inventory
from virtfn.model.mirror import Choice, Mirror, MirrorReceipt, MirrorRequest, MirrorState, Proposal
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.plan import Target
from virtfn.model.probe import Leg, ProbePoints, ProofReport, Waypoint
from virtfn.model.proposal import Recovery
from virtfn.model.serialization import decode, encode
from virtfn.model.subject import MirrorSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.host.commands import with_commands
from virtfn.planning.host.lookup import find_vf
from virtfn.services.confirmation import refuse_blocked, refuse_unconfirmed
from virtfn.services.events import InterruptedFound, StrategyNotProven
from virtfn.services.interfaces import Host
from virtfn.services.probe_points import Pair, ProbeOrigins, probe_points_of
from virtfn.services.prover import Prover
from virtfn.services.refusal import refuse


class MirrorService:
    """The mirrors of one host. Every method observes the host anew."""

    def __init__(
        self,
        host: Host,
        journal: Journal,
        engine: Transactions,
        prover: Prover,
        vantage: ProbeOrigins,
        *,
        sink: EventSink,
        physnets: Callable[[], PhysicalNetworks] = PhysicalNetworks,
    ) -> None:
        self._host = host
        self._journal = journal
        self._engine = engine
        self._prover = prover
        self._vantage = vantage
        self._sink = sink
        self._physnets = physnets

    def propose(
        self, source: str, copy: str, *, strategy: str = "", literal: bool = False, forced: frozenset[str] = frozenset()
    ) -> Choice:
        """What ``add`` would do: the plans in order, and what was rejected. Changes nothing, sends nothing.

        Raises UsageError (no such VF or strategy), GuardRefused, CapabilityError (no strategy fits).
        """
        inventory, context = self._scene(source, copy, strategy, literal, forced)
        choice = _choice(context)
        self._bench(inventory, context.request.source, context.request.copy, _mac_of(context))
        return choice

    def add(
        self, source: str, copy: str, *, strategy: str = "", literal: bool = False, forced: frozenset[str] = frozenset()
    ) -> MirrorReceipt:
        """Make a mirror and prove it, or leave the host as it was.

        Raises what ``propose`` raises, and ProofFailed (with the report), LockHeld, PermissionDenied, KernelRefused.
        """
        with self._journal.lock():
            self._finish_unfinished()
            inventory, context = self._scene(source, copy, strategy, literal, forced)
            choice = _choice(context)
            points = self._bench(inventory, context.request.source, context.request.copy, _mac_of(context))
            control = self._prover.clean_control(points)
            return self._try(choice, points, control)

    def standing(self) -> tuple[Mirror, ...]:
        """The mirrors that stand, have drifted, or were never finished; oldest first."""
        live = (entry for entry in self._journal.all() if entry.status is Status.COMMITTED or entry.status.unfinished)
        return tuple(
            self._mirror(entry, entry.plan.subject) for entry in live if isinstance(entry.plan.subject, MirrorSubject)
        )

    def prove(self, name: str, copy: str | None = None) -> MirrorReceipt:
        """Prove a standing mirror again and journal the report. Raises ProofFailed; the mirror is left as it is."""
        with self._journal.lock():
            inventory = self._host.observe()
            mirror = self._find(inventory, name, copy)
            if mirror.transaction.status.unfinished:
                raise ConflictError(
                    "this mirror was never finished",
                    where=f"mirror {mirror.id}",
                    actions=(Action(UseCase.MIRROR_REMOVE, (str(mirror.id),)),),
                )
            before = mirror.last_proof.control_before if mirror.last_proof else ()
            report = self._prover.prove(
                self._bench(inventory, mirror.source, mirror.copy, mirror.mac), mirror.strategy, before
            )
            self._journal.attach(mirror.transaction, _evidence(report))
            if not report.proven:
                raise ProofFailed(
                    "the mirror does not hold: " + "; ".join((*report.faults, *mirror.drift)),
                    where=f"mirror {mirror.id}",
                    hint="remove it, then add it again",
                    actions=(Action(UseCase.MIRROR_REMOVE, (str(mirror.id),)),),
                    report=report,
                )
            return MirrorReceipt(mirror.id, "prove", mirror.transaction.plan, report, warnings=mirror.drift)

    def remove(self, name: str, copy: str | None = None) -> MirrorReceipt:
        """Put back what a mirror changed, and prove by frames that the copy gets nothing any more.

        Finishes a removal or an ``add`` that was killed. Raises RollbackIncomplete; ProofFailed where everything reads
        as before but that could not be shown by frames.
        """
        with self._journal.lock():
            mirror = self._find(self._host.observe(), name, copy)
            refuse_unconfirmed(self._journal)
            transaction = self._engine.rollback(mirror.transaction)
            inventory = self._host.observe()
            report = self._control_after(inventory, mirror)
            self._journal.attach(transaction, _evidence(report))
            if not report.proven:
                raise ProofFailed(
                    "everything reads as before, but frames say otherwise: " + "; ".join(report.faults),
                    where=f"mirror {mirror.id}",
                    hint="a filter may be left in the NIC: restart the VF driver in the copy's guest, then look again",
                    report=report,
                )
            return MirrorReceipt(mirror.id, "rm", transaction.plan, report, warnings=_leftovers(inventory, mirror))

    def _scene(
        self, source: str, copy: str, strategy: str, literal: bool, forced: frozenset[str]
    ) -> tuple[Inventory, MirrorContext]:
        if strategy and strategy not in STRATEGIES:
            raise UsageError(f"there is no strategy {strategy!r}", hint=f"there are: {', '.join(sorted(STRATEGIES))}")
        inventory = self._host.observe()
        request = MirrorRequest(find_vf(inventory, source), find_vf(inventory, copy), strategy, literal, forced)
        standing = tuple(one for one in self.standing() if not one.transaction.status.unfinished)
        context = mirror_context(inventory, request, standing, self._outside(inventory, request), self._physnets())
        pair = f"{context.source_label} to {context.copy_label}"
        refuse([one.finding(pair) for one in objections(context)], pair)
        return inventory, context

    def _outside(self, inventory: Inventory, request: MirrorRequest) -> Mapping[MacAddress, str]:
        """MACs known to live beyond the NIC: from the host's tables, and of the vantage points outside."""
        pf = inventory.pf(request.source.pf)
        known = dict(self._host.outside_macs(pf.name)) if pf and isinstance(pf.name, str) else {}
        for name in self._vantage.outside:
            mac = self._host.read(Target("netdev", name, name), "mac")
            known[MacAddress.parse(str(mac))] = name
        return known

    def _try(self, choice: Choice, points: ProbePoints, control: tuple[Leg, ...]) -> MirrorReceipt:
        """Apply the proposals in turn until one is proven; every failed one has been rolled back by then."""
        failed: list[ProofReport] = []
        for proposal in choice.proposals:
            try:
                transaction, report = self._apply(proposal, points, control)
            except ProofFailed as failure:
                if isinstance(failure.report, ProofReport):
                    failed.append(replace(failure.report, control_after=self._prover.control(points)))
                self._sink(StrategyNotProven(proposal.strategy))
                continue
            return MirrorReceipt(transaction.id, "add", proposal.plan, report, choice.rejections, tuple(failed))
        raise ProofFailed(
            "no mirror was proven; the host is as before: "
            + "; ".join(f"{report.strategy}: {report.faults[0]}" for report in failed),
            where=f"{points.source.label} to {points.copy.label}",
            report=failed[-1],
        )

    def _apply(
        self, proposal: Proposal, points: ProbePoints, control: tuple[Leg, ...]
    ) -> tuple[Transaction, ProofReport]:
        waypoints: list[Waypoint] = []

        def look(step: int) -> None:
            waypoints.append(self._prover.look(points, proposal.plan.steps[step]))

        def prove() -> Evidence:
            report = self._prover.prove(points, proposal.strategy, control, tuple(waypoints))
            if not report.proven:
                raise ProofFailed("not proven: " + "; ".join(report.faults), where=proposal.plan.title, report=report)
            return _evidence(report)

        transaction = self._engine.run(
            proposal.plan, Hooks(batch_ends=frozenset(proposal.waypoints), at_batch_end=look, prove=prove)
        )
        return transaction, _last_proof(transaction) or proof.report(points, proposal.strategy, legs=())

    def _control_after(self, inventory: Inventory, mirror: Mirror) -> ProofReport:
        """The report of a removal: the control, shot now."""
        try:
            points = self._bench(inventory, mirror.source, mirror.copy, mirror.mac)
        except VirtfnError as fault:
            raise ProofFailed(
                f"everything was put back and reads as before, but no frame could show it: {fault}",
                where=f"mirror {mirror.id}",
            ) from fault
        return proof.report(points, mirror.strategy, legs=(), control_after=self._prover.control(points))

    def _finish_unfinished(self) -> None:
        """Roll back mirrors whose process died; refuse if something else was left unfinished."""
        for entry in self._journal.unfinished():
            if not isinstance(entry.plan.subject, MirrorSubject):
                continue
            self._sink(InterruptedFound(entry.id, entry.plan.title, Recovery.ROLLBACK))
            self._engine.rollback(entry)
        refuse_blocked(self._journal)

    def _mirror(self, entry: Transaction, subject: MirrorSubject) -> Mirror:
        drift = self._engine.drift(entry) if entry.status is Status.COMMITTED else ()
        state = MirrorState.DRIFTED if drift else MirrorState.STANDING
        return Mirror(
            transaction=entry,
            source=subject.source,
            copy=subject.copy,
            source_label=subject.source_label,
            copy_label=subject.copy_label,
            strategy=subject.strategy,
            mac=subject.mac,
            state=self._unfinished_state() if entry.status.unfinished else state,
            drift=drift,
            last_proof=_last_proof(entry),
        )

    def _unfinished_state(self) -> MirrorState:
        return MirrorState.AT_WORK if self._journal.is_locked() else MirrorState.UNFINISHED

    def _find(self, inventory: Inventory, name: str, copy: str | None) -> Mirror:
        live = self.standing()
        if copy is None and name.isdigit():
            found = [mirror for mirror in live if mirror.id == int(name)]
        else:
            source, wanted = find_vf(inventory, name), find_vf(inventory, copy) if copy else None
            found = [mirror for mirror in live if mirror.source == source and wanted in (None, mirror.copy)]
        if len(found) == 1:
            return found[0]
        there = "; ".join(f"{mirror.id}: {mirror.source_label} to {mirror.copy_label}" for mirror in live)
        what = f"{name} to {copy}" if copy else name
        raise UsageError(
            f"several mirrors fit {what}" if found else f"there is no mirror {what}",
            hint=f"mirrors are: {there}" if there else "no mirror stands on this host",
        )

    def _bench(self, inventory: Inventory, source: VfRef, copy: VfRef, mac: MacAddress) -> ProbePoints:
        """Who can send and watch; other copies of the same source rightly get its frames, too."""
        copies = (one.copy_label for one in self.standing() if one.source == source and one.copy != copy)
        pair = Pair(source, copy, mac, copies=frozenset(copies))
        points = probe_points_of(self._host, inventory, pair, self._vantage)
        if isinstance(points, ProbePoints):
            return points
        raise CapabilityError(
            "no meter: no mirror could be proven: " + "; ".join(f"{one.label}: {one.reason}" for one in points),
            hint="source and copy need a netdev, up, on the host or in a network namespace",
        )


def _choice(context: MirrorContext) -> Choice:
    choice = choose(context)
    if not choice.proposals:
        raise CapabilityError(
            "no way of mirroring fits: " + "; ".join(f"{no.strategy}: {no.reason}" for no in choice.rejections),
            where=f"{context.source_label} to {context.copy_label}",
        )
    return replace(choice, proposals=tuple(replace(one, plan=with_commands(one.plan)) for one in choice.proposals))


def _mac_of(context: MirrorContext) -> MacAddress:
    if context.mac is None:
        raise UsageError("its MAC is not known", where=context.source_label)
    return context.mac


def _evidence(report: ProofReport) -> Evidence:
    return {"kind": "proof", "report": encode(report)}


def _last_proof(entry: Transaction) -> ProofReport | None:
    for document in reversed(entry.evidence):
        if document.get("kind") == "proof":
            return decode(ProofReport, document["report"])
    return None


def _leftovers(inventory: Inventory, mirror: Mirror) -> tuple[str, ...]:
    """What the copy's guest may have kept: after a reset its driver adopts the MAC it was given (measured, igb)."""
    pf = inventory.pf(mirror.copy.pf)
    vf = pf.vf(mirror.copy.index) if pf else None
    if vf is None or vf.netdev is None or vf.netdev.mac != mirror.mac:
        return ()
    return (
        f"{vf.netdev} of {mirror.copy_label} still has the source's MAC, as its driver was reset meanwhile: "
        "set it down and up once in the guest",
    )
