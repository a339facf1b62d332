"""This host as an object of the library."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Self

from virtfn.api.session import Session, Spec, text_of
from virtfn.app import App, Settings
from virtfn.engine.events import EventSink, ignore
from virtfn.journal import saved_plans
from virtfn.model.desired import DesiredHost
from virtfn.model.inventory import Inventory
from virtfn.model.proposal import HostRequest, Proposal, Receipt, WaitPolicy
from virtfn.model.transaction import Transaction
from virtfn.planning.host.diff import Difference
from virtfn.planning.host.lookup import only
from virtfn.services.boot_unit import BootUnit
from virtfn.services.history import History
from virtfn.services.host_state import HostService


class Host(Session):
    """One host. Every method observes it again; methods that change something need root and hold the host-wide lock."""

    @classmethod
    def local(cls, *, state: Path | None = None, events: EventSink = ignore) -> Self:
        """This machine. ``state``: where the journal is kept (default: VIRTFN_STATE_DIR, else /var/lib/virtfn).

        ``events`` is called with every event of the work.
        """
        return cls(App(Settings(state) if state else None), events)

    def inventory(self, pf: str | None = None) -> Inventory:
        """Physical and Virtual Functions. ``pf``: a name or a device address. Raises UsageError.

        Equivalent: ``virtfn show``.
        """
        return only(self._app.host().observe(), pf)

    def plan(self, spec: Spec[DesiredHost], *, wait_s: float = 0.0) -> Proposal[HostRequest]:
        """The plan that makes this host as declared, and the guards that refuse it.

        ``wait_s``: how long to wait for PFs that the spec matches and that do not exist yet. Raises SpecError,
        CapabilityError. Equivalent: ``virtfn plan``.
        """
        return self._hosts().propose(HostRequest(_desired(spec)), wait=WaitPolicy(wait_s))

    def apply(
        self, proposal: Proposal[HostRequest], *, force: Iterable[str] = (), confirm_within_s: float | None = None
    ) -> Receipt:
        """Carry out what ``plan`` proposed and read everything back; roll back on failure.

        ``force``: ids of findings that you override. ``confirm_within_s``: a separate process rolls it back unless
        ``confirm`` is called in time. Raises GuardRefused, ConflictError (the host has changed since), KernelRefused,
        VerifyFailed, LockHeld, PermissionDenied, RollbackIncomplete. Equivalent: ``virtfn apply``.
        """
        return self._hosts().carry_out(proposal, forced=frozenset(force), confirm_within_s=confirm_within_s)

    def confirm(self, number: int | None = None) -> Transaction:
        """Keep the changes of ``apply`` with ``confirm_within_s``. Raises UsageError, ConflictError (late), LockHeld.

        Equivalent: ``virtfn confirm``.
        """
        confirmations = self._app.confirmations(self._sink)
        confirmations.roll_back_overdue()
        return confirmations.confirm(number)

    def verify(self, spec: Spec[DesiredHost]) -> tuple[Difference, ...]:
        """How the host differs from the spec; empty where it does not. Equivalent: ``virtfn verify``."""
        return self._hosts().differences(_desired(spec))

    def save_plan(self, proposal: Proposal[HostRequest], path: Path) -> None:
        """Write a proposal to a file that only its owner can read. Equivalent: ``virtfn plan --out FILE``."""
        saved_plans.save(proposal, path)

    def load_plan(self, path: Path) -> Proposal[HostRequest]:
        """Read a saved proposal, with the current findings. Equivalent: ``virtfn apply --plan FILE``.

        Raises SpecError (not a saved plan for a host), ConflictError (another plan is needed now).
        """
        return self._hosts().review(saved_plans.load_host(path))

    def rollback(self, number: int | None = None) -> Transaction:
        """Roll back this transaction, or the unfinished one, or the last. Raises ConflictError.

        Equivalent: ``virtfn rollback``.
        """
        return self.history().rollback(number)

    def transactions(self) -> tuple[Transaction, ...]:
        """The journal, oldest first. Equivalent: ``virtfn journal ls``."""
        return self.history().all()

    def history(self) -> History:
        """The journal: list, roll back, resume, prune. Equivalent: ``virtfn journal``, ``virtfn resume``."""
        return self._app.records(self._sink, self._is_stopped)

    def boot_unit(self, root: Path = Path("/")) -> BootUnit:
        """The boot unit that applies specs, of this host or of the image below ``root``.

        Equivalent: ``virtfn persist``.
        """
        return self._app.boot_unit(root)

    def _hosts(self) -> HostService:
        """The one service of this object, as it knows the plan that it has proposed."""
        self._app.settled_journal(self._sink)
        return self._service

    @cached_property
    def _service(self) -> HostService:
        return self._app.hosts(self._sink, self._is_stopped)


def _desired(spec: Spec[DesiredHost]) -> DesiredHost:
    if isinstance(spec, DesiredHost):
        return spec
    from virtfn.spec.loading import load

    return load([text_of(spec)])
