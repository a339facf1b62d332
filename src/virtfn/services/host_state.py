"""A host from a declared state: plan, apply, verify."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Hooks, Transactions
from virtfn.errors import ConflictError, VerifyFailed
from virtfn.model.desired import DesiredHost
from virtfn.model.inventory import Inventory
from virtfn.model.mirror import Objection
from virtfn.model.plan import Plan
from virtfn.model.subject import HostSubject, MirrorSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.host.diff import Difference, diff
from virtfn.planning.host.guards import HostDependencies, objections
from virtfn.planning.host.impact import remark
from virtfn.planning.host.lookup import device_of
from virtfn.planning.host.plan import plan_host
from virtfn.services.interfaces import Host
from virtfn.services.refusal import refuse


@dataclass(frozen=True)
class HostPlan:
    """What would be done, and what speaks against it."""

    plan: Plan
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True)
class HostReceipt:
    """What was done: the transaction's number (None: there was nothing to do), and the plan."""

    plan: Plan
    id: int | None = None


AtBegin = Callable[[Transaction], None]


class HostService:
    """This host, shaped from a declared state. Every method observes it anew."""

    def __init__(
        self,
        host: Host,
        journal: Journal,
        engine: Transactions,
        host_dependencies: Callable[[], HostDependencies],
    ) -> None:
        self._host = host
        self._journal = journal
        self._engine = engine
        self._surroundings = host_dependencies

    def plan(self, desired: DesiredHost, *, forced: frozenset[str] = frozenset()) -> HostPlan:
        """What ``apply`` would do, and which guards refuse it. Changes nothing.

        Raises SpecError (no PF fits an entry), CapabilityError (a named field cannot be read).
        """
        inventory = self._host.observe()
        plan = plan_host(diff(desired, inventory), inventory)
        return HostPlan(plan, self._objections(plan, inventory, forced))

    def judge(self, plan: Plan, *, forced: frozenset[str] = frozenset()) -> HostPlan:
        """A plan that was made earlier, with what speaks against it now."""
        return HostPlan(plan, self._objections(plan, self._host.observe(), forced))

    def apply(
        self, plan: Plan, *, forced: frozenset[str] = frozenset(), at_begin: AtBegin | None = None
    ) -> HostReceipt:
        """Carry a plan out, read everything back, commit; or leave the host as it was.

        Raises ConflictError (the host has changed since the plan was made, or a transaction is unfinished),
        GuardRefused, VerifyFailed (with what the driver is known to do), KernelRefused, LockHeld, RollbackIncomplete.
        """
        if plan.is_empty:
            return HostReceipt(plan)
        with self._journal.lock():
            self.refuse_unfinished()
            return self._run(plan, self._host.observe(), forced, at_begin)

    def make(
        self,
        desired: DesiredHost,
        *,
        forced: frozenset[str] = frozenset(),
        at_begin: AtBegin | None = None,
        show: Callable[[Plan], None] | None = None,
    ) -> HostReceipt:
        """``plan`` and ``apply`` in one, where nobody has to be asked in between; ``show`` is given the plan first.

        Raises what both raise.
        """
        with self._journal.lock():
            self.refuse_unfinished()
            inventory = self._host.observe()
            plan = plan_host(diff(desired, inventory), inventory)
            if plan.is_empty:
                return HostReceipt(plan)
            if show:
                show(plan)
            return self._run(plan, inventory, forced, at_begin)

    def differences(self, desired: DesiredHost) -> tuple[Difference, ...]:
        """How the host differs from the declared state now. Raises what ``plan`` raises."""
        return diff(desired, self._host.observe())

    def _run(self, plan: Plan, inventory: Inventory, forced: frozenset[str], at_begin: AtBegin | None) -> HostReceipt:
        refuse(self._objections(plan, inventory, forced), plan.title)
        try:
            transaction = self._engine.run(plan, Hooks(at_begin=at_begin))
        except VerifyFailed as failure:
            for remark in _remarks(failure, inventory):
                failure.add_note(remark)
            raise
        return HostReceipt(plan, transaction.id)

    def _objections(self, plan: Plan, inventory: Inventory, forced: frozenset[str]) -> tuple[Objection, ...]:
        return objections(plan, inventory, self._with_mirrors(self._surroundings()), forced=forced)

    def _with_mirrors(self, host_dependencies: HostDependencies) -> HostDependencies:
        """The dependencies with the VFs of mirrors that stand."""
        standing = (entry.plan.subject for entry in self._journal.committed(MirrorSubject))
        mirrors = (ref for one in standing if isinstance(one, MirrorSubject) for ref in (one.source, one.copy))
        return replace(host_dependencies, mirrors=(*host_dependencies.mirrors, *mirrors))

    def refuse_unfinished(self) -> None:
        """Raise ConflictError where a transaction has to be finished before anything else is changed."""
        entry = next(self._journal.unfinished(), None)
        if entry:
            raise ConflictError(
                f"transaction {entry.id} ({entry.plan.title}) is {entry.status.value}",
                hint=f"`virtfn rollback {entry.id}` puts back what it changed"
                + (f", `virtfn resume {entry.id}` carries on" if resumable(entry) else ""),
            )


def resumable(entry: Transaction) -> bool:
    """Whether the rest of a transaction that was cut short can be carried out: a mirror would have to be proven."""
    return entry.status is Status.OPEN and isinstance(entry.plan.subject, HostSubject)


def _remarks(failure: VerifyFailed, inventory: Inventory) -> Iterator[str]:
    """What the drivers are known to do with the fields that did not read back."""
    for kind, identity, field in failure.mismatches:
        pf = inventory.pf(device_of(kind, identity))
        if pf and isinstance(pf.driver, str):
            yield f"{identity} {field}: {remark(pf.driver, field)}"
