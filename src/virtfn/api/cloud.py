"""One OpenStack cloud as an object of the library."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from virtfn.api.specs import Spec, text_of
from virtfn.app import PARALLEL, App, Settings
from virtfn.engine.events import EventSink, ignore
from virtfn.model.cloud import DesiredCloud
from virtfn.model.proposal import CloudProposal, CloudRequest
from virtfn.model.subject import CloudAction
from virtfn.model.transaction import Transaction
from virtfn.services.cloud_state import CloudReceipt, CloudService, CloudView


class Cloud:
    """One cloud. Every method observes it anew; what changes something holds this cloud's lock on this machine."""

    def __init__(self, app: App, name: str | None, sink: EventSink, timeout_s: float, parallel: int) -> None:
        self._app = app
        self._name = name
        self._sink = sink
        self._timeout_s = timeout_s
        self._parallel = parallel
        self._stopped = False

    @classmethod
    def connect(
        cls,
        name: str | None = None,
        *,
        state: Path | None = None,
        events: EventSink = ignore,
        timeout_s: float = 300.0,
        parallel: int = PARALLEL,
    ) -> Self:
        """The cloud of this name in clouds.yaml; None: the one that OS_CLOUD or OS_... variables mean.

        Nothing is sent yet. ``state``: where the journal is kept (default: where the command line keeps it).
        ``timeout_s``: how long servers and their ports may take to be ready. ``parallel``: how many objects of one
        kind are made, or deleted, at once. ``events`` is called with every event of the work.
        """
        settings = Settings(state) if state else None
        return cls(App(settings), name or os.environ.get("OS_CLOUD"), events, timeout_s, parallel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask a method at work in another thread to finish its step, roll back and raise Interrupted.

        It stays stopped, as after a ``with`` block: ``apply`` raises Interrupted and makes nothing.
        """
        self._stopped = True

    def plan(self, spec: Spec[DesiredCloud]) -> CloudProposal:
        """What would make the cloud as declared. Raises SpecError, ConflictError, GuardRefused, CloudError."""
        return self._clouds().propose(CloudRequest(CloudAction.UP, _desired(spec)))

    def plan_down(self, spec: Spec[DesiredCloud]) -> CloudProposal:
        """What would delete all that bears the spec's tag. Raises SpecError, CloudError."""
        return self._clouds().propose(CloudRequest(CloudAction.DOWN, _desired(spec)))

    def apply(self, proposal: CloudProposal) -> CloudReceipt:
        """Carry out what ``plan`` or ``plan_down`` proposed.

        One that makes servers waits until each port has its VF, or deletes what it has made.
        Raises CloudError (with what is known of the cause), ConflictError, VerifyFailed, LockHeld, RollbackIncomplete.
        """
        return self._clouds().carry_out(proposal)

    def show(self, spec: Spec[DesiredCloud]) -> CloudView:
        """What there is of the spec: where each VF is, what differs, what is not ready and why. Raises CloudError."""
        return self._clouds().show(_desired(spec))

    def rollback(self, number: int | None = None) -> Transaction:
        """Take back what a transaction made: this one, or the unfinished one, or the last. Raises ConflictError."""
        return self._app.cloud_records(self._name, self._sink, self._is_stopped).rollback(number)

    def transactions(self) -> tuple[Transaction, ...]:
        """This cloud's journal on this machine, oldest first."""
        return tuple(self._app.cloud_journal(self._name).all())

    def _clouds(self) -> CloudService:
        timeout_s, parallel = self._timeout_s, self._parallel
        return self._app.clouds(self._name, self._sink, self._is_stopped, timeout_s=timeout_s, parallel=parallel)

    def _is_stopped(self) -> bool:
        return self._stopped


def _desired(spec: Spec[DesiredCloud]) -> DesiredCloud:
    if isinstance(spec, DesiredCloud):
        return spec
    from virtfn.spec.cloud import load_cloud

    return load_cloud(*text_of(spec))
