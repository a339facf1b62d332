"""One OpenStack cloud as an object of the library."""

import os
from pathlib import Path
from typing import Self

from virtfn.api.session import Session, Spec, text_of
from virtfn.app import PARALLEL, App, Settings
from virtfn.engine.events import EventSink, ignore
from virtfn.journal import saved_plans
from virtfn.model.cloud import DesiredCloud
from virtfn.model.cloud.mirror import CloudMirror
from virtfn.model.proposal import CloudProposal, CloudRequest
from virtfn.model.subject import CloudAction
from virtfn.model.transaction import Transaction
from virtfn.services.cloud_state import CloudReceipt, CloudService, CloudView
from virtfn.services.history import History


class Cloud(Session):
    """One cloud. Every method observes it again; changes hold this cloud's lock on this machine."""

    def __init__(self, app: App, sink: EventSink, name: str | None, timeout_s: float, parallel: int) -> None:
        super().__init__(app, sink)
        self._name = name
        self._timeout_s = timeout_s
        self._parallel = parallel

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
        """The cloud of this name in clouds.yaml; None: the cloud of OS_CLOUD or the OS_... variables.

        Nothing is sent yet. ``state``: where the journal is kept (default: where the command line keeps it).
        ``events`` is called with every event of the work. ``timeout_s``: how long servers and their ports may take to
        be ready. ``parallel``: how many objects of one kind are made, or deleted, at once.
        """
        app = App(Settings(state) if state else None)
        return cls(app, events, name or os.environ.get("OS_CLOUD"), timeout_s, parallel)

    def plan(self, spec: Spec[DesiredCloud]) -> CloudProposal:
        """The plan that makes the cloud as declared, and the interrupted runs to recover first.

        Raises SpecError, ConflictError, GuardRefused (quota), CloudError. Equivalent: ``virtfn cloud plan``.
        """
        return self._clouds().propose(CloudRequest(CloudAction.UP, _desired(spec)))

    def plan_down(self, spec: Spec[DesiredCloud]) -> CloudProposal:
        """The plan that deletes all objects with the spec's tag. Raises SpecError, CloudError.

        Equivalent: ``virtfn cloud down --dry-run``.
        """
        return self._clouds().propose(CloudRequest(CloudAction.DOWN, _desired(spec)))

    def apply(self, proposal: CloudProposal) -> CloudReceipt:
        """Carry out what ``plan`` or ``plan_down`` proposed.

        With servers it waits until each port has its VF; on failure it deletes what it has created.
        Raises CloudError (with the known causes), ConflictError, VerifyFailed, LockHeld, RollbackIncomplete.
        Equivalent: ``virtfn cloud up``, ``virtfn cloud down``.
        """
        return self._clouds().carry_out(proposal)

    def show(self, spec: Spec[DesiredCloud]) -> CloudView:
        """The spec's objects: where each VF is, what differs, what is not ready and why. Raises CloudError.

        Equivalent: ``virtfn cloud show``.
        """
        return self._clouds().show(_desired(spec))

    def save_plan(self, proposal: CloudProposal, path: Path) -> None:
        """Write a proposal, with its secrets, to a file that only its owner can read.

        Equivalent: ``virtfn cloud plan --out FILE``.
        """
        saved_plans.save(proposal, path)

    def load_plan(self, path: Path) -> CloudProposal:
        """Read a saved proposal, with the current findings. Equivalent: ``virtfn cloud up --plan FILE``.

        Raises SpecError (not a saved plan for a cloud), ConflictError (another plan is needed now), CloudError.
        """
        return self._clouds().review(saved_plans.load_cloud(path))

    def plan_mirror(self, source: str, copy: str, *, as_admin: bool = False) -> CloudMirror:
        """What a mirror between two ports requires, found by the names or ids of servers and ports. Changes nothing.

        ``as_admin``: the two may belong to different projects. Raises UsageError, GuardRefused, CloudError.
        Equivalent: ``virtfn cloud mirror plan``.
        """
        return self._app.cloud_mirrors(self._name).plan(source, copy, as_admin=as_admin)

    def rollback(self, number: int | None = None) -> Transaction:
        """Roll back this transaction, or the unfinished one, or the last. Raises ConflictError.

        Equivalent: ``virtfn rollback --os-cloud NAME``.
        """
        return self.history().rollback(number)

    def transactions(self) -> tuple[Transaction, ...]:
        """This cloud's journal on this machine, oldest first. Equivalent: ``virtfn journal ls --os-cloud NAME``."""
        return self.history().all()

    def history(self) -> History:
        """This cloud's journal on this machine: list, roll back, resume, prune.

        Equivalent: ``virtfn journal --os-cloud NAME``, ``virtfn resume --os-cloud NAME``.
        """
        return self._app.cloud_records(self._name, self._sink, self._is_stopped)

    def _clouds(self) -> CloudService:
        timeout_s, parallel = self._timeout_s, self._parallel
        return self._app.clouds(self._name, self._sink, self._is_stopped, timeout_s=timeout_s, parallel=parallel)


def _desired(spec: Spec[DesiredCloud]) -> DesiredCloud:
    if isinstance(spec, DesiredCloud):
        return spec
    from virtfn.spec.cloud.loading import load_cloud

    return load_cloud(*text_of(spec))
