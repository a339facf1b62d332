"""This host and a spec: propose changes, carry the proposal out, report differences."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import NO_HOOKS, Hooks, Transactions
from virtfn.errors import ConflictError, SpecError, VerifyFailed
from virtfn.model.desired import DesiredHost
from virtfn.model.finding import Action, Finding, UseCase, refusals, refuse
from virtfn.model.inventory import Inventory
from virtfn.model.plan import Plan, differing
from virtfn.model.proposal import HostRequest, Proposal, Receipt, WaitPolicy
from virtfn.planning.host.diff import Difference, diff
from virtfn.planning.host.guards import HostDependencies, guard_findings
from virtfn.planning.host.impact import remark
from virtfn.planning.host.lookup import device_of
from virtfn.planning.host.pf_match import absent
from virtfn.planning.host.plan import plan_host
from virtfn.services.confirmation import refuse_blocked
from virtfn.services.interfaces import HostWorld

StartWatchdog = Callable[[int, float], None]
"""Starts the process that rolls a transaction back unless it is confirmed within this many seconds."""

_AT_ONCE = WaitPolicy()
_NAMED = 3
"""How many fields a refusal names."""


class HostService:
    """This host and its spec. Every method observes the host again."""

    def __init__(
        self,
        host: HostWorld,
        journal: Journal,
        engine: Transactions,
        host_dependencies: Callable[[], HostDependencies],
        start_watchdog: StartWatchdog,
    ) -> None:
        self._host = host
        self._journal = journal
        self._engine = engine
        self._host_dependencies = host_dependencies
        self._start_watchdog = start_watchdog
        self._last: _Judged | None = None

    def propose(self, request: HostRequest, *, wait: WaitPolicy = _AT_ONCE) -> Proposal[HostRequest]:
        """The plan that makes this host as declared, and the guards that refuse it. Changes nothing.

        Waits for PFs that entries match and that do not exist yet, and for nothing else.
        Raises SpecError (no PF matches an entry, a VF that the PF does not have), CapabilityError (a named field cannot
        be read).
        """
        return self._propose(request, self._observe(request.desired, wait))

    def review(self, proposal: Proposal[HostRequest]) -> Proposal[HostRequest]:
        """The same proposal with the current findings. Raises ConflictError where another plan is needed now."""
        return self._review(proposal, self._host.observe())

    def carry_out(
        self,
        proposal: Proposal[HostRequest],
        *,
        forced: frozenset[str] = frozenset(),
        confirm_within_s: float | None = None,
    ) -> Receipt:
        """Run the proposed plan, read everything back and commit; roll back on failure.

        ``forced``: ids of findings that the user overrides. ``confirm_within_s``: how long
        after its end it has to be confirmed; otherwise it is rolled back, even if this process is gone.
        Raises ConflictError (the host has changed so that another plan would be proposed now, or a transaction is
        unfinished or not confirmed), GuardRefused, VerifyFailed (with what the driver is known to do), KernelRefused,
        LockHeld, RollbackIncomplete.
        """
        if proposal.is_empty:
            return Receipt(proposal.plan)
        with self._journal.lock():
            refuse_blocked(self._journal)
            inventory = self._host.observe()
            refuse(refusals(self._review(proposal, inventory).findings, forced), proposal.plan.title)
            try:
                transaction = self._engine.run(proposal.plan, self._confirmed(confirm_within_s))
            except VerifyFailed as failure:
                for remark in _remarks(failure, inventory):
                    failure.add_note(remark)
                raise
            return Receipt(proposal.plan, transaction.id)

    def differences(self, desired: DesiredHost) -> tuple[Difference, ...]:
        """How the host differs from the spec. Raises what ``propose`` raises."""
        return diff(desired, self._host.observe())

    def refuse_blocked(self) -> None:
        """Raise ConflictError where a transaction has to be finished or confirmed before anything else is changed."""
        refuse_blocked(self._journal)

    def _observe(self, desired: DesiredHost, wait: WaitPolicy) -> Inventory:
        deadline = time.monotonic() + wait.deadline_s
        inventory = self._host.observe()
        while (missing := absent(desired, inventory)) and time.monotonic() < deadline:
            there = tuple(entry for entry in desired.pfs if entry not in missing)
            diff(DesiredHost(there), inventory)  # raises at once what waiting cannot fix
            time.sleep(wait.pause_s)
            inventory = self._host.observe()
        return inventory

    def _propose(self, request: HostRequest, inventory: Inventory) -> Proposal[HostRequest]:
        plan = plan_host(diff(request.desired, inventory), inventory)
        return Proposal(request, plan, self._findings(plan, inventory))

    def _review(self, proposal: Proposal[HostRequest], inventory: Inventory) -> Proposal[HostRequest]:
        last = self._last
        if last is None or (last.plan, last.inventory) != (proposal.plan, inventory):
            self._refuse_changed(proposal, inventory)
        return replace(proposal, findings=self._findings(proposal.plan, inventory))

    def _refuse_changed(self, proposal: Proposal[HostRequest], inventory: Inventory) -> None:
        """Raise ConflictError where another plan would be proposed now."""
        gone, again = "the host has changed since the plan was made", (Action(UseCase.PLAN),)
        try:
            now = plan_host(diff(proposal.request.desired, inventory), inventory)
        except SpecError as fault:
            raise ConflictError(f"{gone}: {fault}", where=fault.where, actions=again) from fault
        fields = differing(proposal.plan.steps, now.steps)
        if fields or proposal.plan.subject != now.subject:
            self._engine.check(proposal.plan)
            more = f" and {len(fields) - _NAMED} more" if len(fields) > _NAMED else ""
            what = ", ".join(fields[:_NAMED]) + more or "the number of VFs"
            raise ConflictError(f"{gone}: {what}", where=proposal.plan.title, actions=again)

    def _confirmed(self, within_s: float | None) -> Hooks:
        """The hooks of a run that has to be confirmed: its watchdog is started before the first write."""
        if within_s is None:
            return NO_HOOKS
        return Hooks(
            confirm_within_s=within_s, at_begin=lambda transaction: self._start_watchdog(transaction.id, within_s)
        )

    def _findings(self, plan: Plan, inventory: Inventory) -> tuple[Finding, ...]:
        """What the guards find. They are pure: of what they have judged last they would find the same."""
        last, dependencies = self._last, self._host_dependencies()
        if last and (last.plan, last.inventory, last.host_dependencies) == (plan, inventory, dependencies):
            return last.findings
        self._last = _Judged(plan, inventory, dependencies, guard_findings(plan, inventory, dependencies))
        return self._last.findings


@dataclass(frozen=True)
class _Judged:
    """A plan that was made or reviewed for an inventory, and what the guards found."""

    plan: Plan
    inventory: Inventory
    host_dependencies: HostDependencies
    findings: tuple[Finding, ...]


def _remarks(failure: VerifyFailed, inventory: Inventory) -> Iterator[str]:
    """The known behaviour of the drivers for fields that did not read back as written."""
    for kind, identity, field in failure.mismatches:
        pf = inventory.pf(device_of(kind, identity))
        if pf and isinstance(pf.driver, str):
            yield f"{identity} {field}: {remark(pf.driver, field)}"
