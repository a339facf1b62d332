"""This host as an object of the library."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from virtfn.api.specs import Spec, text_of
from virtfn.app import App, Settings
from virtfn.engine.events import EventSink, ignore
from virtfn.model.desired import DesiredHost
from virtfn.model.inventory import Inventory
from virtfn.model.proposal import HostRequest, Proposal, Receipt, WaitPolicy
from virtfn.model.transaction import Transaction
from virtfn.planning.host.diff import Difference
from virtfn.services.host_state import HostService
from virtfn.services.inventory import inventory_of


class Host:
    """One host. Every method observes it anew; what changes something needs root and holds the host-wide lock."""

    def __init__(self, app: App, sink: EventSink) -> None:
        self._app = app
        self._sink = sink
        self._stopped = False

    @classmethod
    def local(cls, *, state: Path | None = None, events: EventSink = ignore) -> Self:
        """This machine. ``state``: where the journal is kept (default: VIRTFN_STATE_DIR, else /var/lib/virtfn).

        ``events`` is called with every event of the work (``virtfn.engine.events``, ``virtfn.services.events``).
        """
        settings = Settings(state) if state else None
        return cls(App(settings), events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask a method at work in another thread to finish its step, roll back and raise Interrupted.

        It stays stopped, as after a ``with`` block: apply raises Interrupted and changes nothing.
        """
        self._stopped = True

    def inventory(self, pf: str | None = None) -> Inventory:
        """Physical and Virtual Functions as they are now. ``pf``: a name or a device address. Raises UsageError."""
        return inventory_of(self._app.host(), pf)

    def plan(self, spec: Spec[DesiredHost], *, wait_s: float = 0.0) -> Proposal[HostRequest]:
        """What would make this host as declared, and the guards that refuse it. Raises SpecError, CapabilityError.

        ``wait_s``: how long to wait for PFs that the spec matches and that are not there yet.
        """
        return self._hosts().propose(HostRequest(_desired(spec)), wait=WaitPolicy(wait_s))

    def apply(
        self, proposal: Proposal[HostRequest], *, force: Iterable[str] = (), confirm_within_s: float | None = None
    ) -> Receipt:
        """Carry out what ``plan`` proposed and read everything back, or leave the host as it was.

        ``force``: ids of findings that you override. ``confirm_within_s``: a process of its own rolls it back unless
        ``confirm`` is called in time. Equivalent: ``virtfn apply --confirm-within SECONDS``.
        Raises GuardRefused, ConflictError (the host has changed since), KernelRefused, VerifyFailed, LockHeld,
        PermissionDenied, RollbackIncomplete.
        """
        return self._hosts().carry_out(proposal, forced=frozenset(force), confirm_within_s=confirm_within_s)

    def confirm(self, number: int | None = None) -> Transaction:
        """Keep what ``apply`` with ``confirm_within_s`` did. Raises UsageError, ConflictError (too late), LockHeld."""
        confirmations = self._app.confirmations(self._sink)
        confirmations.roll_back_overdue()
        return confirmations.confirm(number)

    def verify(self, spec: Spec[DesiredHost]) -> tuple[Difference, ...]:
        """How the host differs from the declared state; nothing where it does not."""
        return self._hosts().differences(_desired(spec))

    def rollback(self, number: int | None = None) -> Transaction:
        """Put back what a transaction changed: this one, or the unfinished one, or the last. Raises ConflictError."""
        return self._app.records(self._sink, self._is_stopped).rollback(number)

    def transactions(self) -> tuple[Transaction, ...]:
        """The journal, oldest first."""
        return self._app.records(self._sink).all()

    def _hosts(self) -> HostService:
        return self._app.hosts(self._sink, self._is_stopped)

    def _is_stopped(self) -> bool:
        return self._stopped


def _desired(spec: Spec[DesiredHost]) -> DesiredHost:
    if isinstance(spec, DesiredHost):
        return spec
    from virtfn.spec import load

    return load([text_of(spec)])
