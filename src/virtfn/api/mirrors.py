"""The mirrors of this host as an object of the library."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from virtfn.api.session import Session
from virtfn.app import App, Settings
from virtfn.engine.events import EventSink, ignore
from virtfn.model.mirror import Mirror, MirrorProposal, MirrorReceipt, MirrorRequest
from virtfn.model.probe import Direction
from virtfn.services.mirrors import MirrorService


class Mirrors(Session):
    """The mirrors of one host. VFs are named ``PF/INDEX`` or by PCI address; methods that change something need root.

    Once it is stopped, ``add`` changes nothing, and ``rm`` restores but does not prove the removal.
    """

    def __init__(self, app: App, sink: EventSink, probe_from: tuple[str, ...], frames: int) -> None:
        super().__init__(app, sink)
        self._probe_from = probe_from
        self._frames = frames

    @classmethod
    def local(
        cls,
        *,
        state: Path | None = None,
        probe_from: Iterable[str] = (),
        frames: int = 20,
        events: EventSink = ignore,
    ) -> Self:
        """Those of this machine. ``state`` and ``events`` as in ``Host.local``.

        ``probe_from``: where probe frames are sent from, as ``--probe-from``; ``frames``: how many per leg.
        """
        return cls(App(Settings(state) if state else None), events, tuple(probe_from), frames)

    def plan(
        self,
        source: str,
        copy: str,
        *,
        directions: Iterable[Direction] = (Direction.TO_SOURCE,),
        strategy: str = "",
        force: Iterable[str] = (),
        unproven: bool = False,
    ) -> MirrorProposal:
        """What a mirror of ``source`` to ``copy`` requires: all strategies with their verdicts, and all findings.

        ``force``: ids of findings to override; ``unproven``: make it also where nothing can be proven. Changes nothing,
        sends nothing. Raises UsageError. Equivalent: ``virtfn mirror plan``.
        """
        request = MirrorRequest(source, copy, tuple(directions), strategy, forced=frozenset(force), unproven=unproven)
        return self._service().propose(request)

    def add(self, proposal: MirrorProposal) -> MirrorReceipt:
        """Carry out what ``plan`` proposed, prove and declare it; roll back on failure.

        Raises GuardRefused, CapabilityError (no strategy fits), ConflictError (the host has changed since), ProofFailed
        (with the report), LockHeld, PermissionDenied. Equivalent: ``virtfn mirror add``.
        """
        return self._service().carry_out(proposal)

    def ls(self) -> tuple[Mirror, ...]:
        """The declared mirrors with their observed status. Equivalent: ``virtfn mirror ls``."""
        return self._service().all()

    def prove(self, mirror: int) -> MirrorReceipt:
        """Prove the mirror with this id again. Raises ProofFailed; the mirror is not changed.

        Equivalent: ``virtfn mirror prove``.
        """
        return self._service().prove(str(mirror))

    def rm(self, mirror: int) -> MirrorReceipt:
        """Put back what a mirror changed, and prove that the copy gets nothing any more.

        Raises ProofFailed, ConflictError, RollbackIncomplete. Equivalent: ``virtfn mirror rm``.
        """
        return self._service().remove(str(mirror))

    def recover(self) -> None:
        """Roll back mirrors whose process died. Raises ConflictError where another transaction is unfinished."""
        self._service().recover()

    def _service(self) -> MirrorService:
        return self._app.mirrors(self._sink, self._is_stopped, frames=self._frames, probe_from=self._probe_from)
