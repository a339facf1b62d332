"""The mirrors of a host: declared in the store, made by transactions, observed on the NIC."""

from collections.abc import Iterator

from virtfn.engine.interfaces import Journal
from virtfn.engine.transaction import Transactions
from virtfn.errors import PermissionDenied, SpecError, UsageError
from virtfn.mirroring.context import ObservedMirror, find
from virtfn.mirroring.strategies.registry import STRATEGIES
from virtfn.model.addresses import VfRef
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Inventory
from virtfn.model.mirror import (
    HEALTHY,
    MIRROR_UNPROVEN,
    DeclaredMirror,
    Mirror,
    MirrorHealth,
    MirrorSpec,
    MirrorStatus,
    lost,
)
from virtfn.model.probe import ProofReport
from virtfn.model.serialization import decode
from virtfn.model.subject import MirrorSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.planning.host.lookup import find_vf
from virtfn.services.interfaces import HostWorld, MirrorStore


def mirrored_vfs(store: MirrorStore, journal: Journal) -> tuple[VfRef, ...]:
    """Source and copy of every declared mirror that is in place; a boot or a rollback ends a mirror.

    None for a user who may not read them: only root can read them and carry out plans.
    """
    try:
        in_place = [one.spec for one in store.all() if _is_in_place(transaction_of(journal, one))]
    except PermissionDenied:
        return ()
    return tuple(vf for spec in in_place for vf in (spec.source, spec.copy))


def transaction_of(journal: Journal, mirror: DeclaredMirror) -> Transaction | None:
    """The transaction that made a declared mirror; None where the journal no longer has it, or cannot read it."""
    try:
        return journal.load(mirror.transaction)
    except (UsageError, SpecError):
        return None


def unfinished_mirrors(journal: Journal) -> Iterator[tuple[Transaction, MirrorSubject]]:
    """The transactions of mirrors whose process died, or is still running, oldest first."""
    for entry in journal.unfinished():
        if isinstance(entry.plan.subject, MirrorSubject):
            yield entry, entry.plan.subject


def last_proof(entry: Transaction) -> ProofReport | None:
    """The newest proof of a transaction."""
    for document in reversed(entry.evidence):
        if document.get("kind") == "proof":
            return decode(ProofReport, document["report"])
    return None


class DeclaredMirrors:
    """Lists the mirrors with their observed status, and finds one by id or VF names."""

    def __init__(self, host: HostWorld, journal: Journal, engine: Transactions, store: MirrorStore) -> None:
        self._host = host
        self._journal = journal
        self._engine = engine
        self._store = store

    def all(self, inventory: Inventory | None = None) -> tuple[Mirror, ...]:
        """Every declared mirror, and those whose creation was interrupted, by id.

        The host is observed only where there is a mirror, and no ``inventory`` was given.
        """
        entries = {spec.id: (spec, entry) for spec, entry in self._entries()}
        if not entries:
            return ()
        seen = inventory or self._host.observe()
        return tuple(self._mirror(*entries[id], seen) for id in sorted(entries))

    def find(self, inventory: Inventory, name: str, copy: str | None) -> Mirror:
        """The mirror with this id, or of this source (and copy). Raises UsageError for none and for several."""
        there = self.all(inventory)
        if copy is None and name.isdigit():
            found = [mirror for mirror in there if mirror.id == int(name)]
        else:
            found = [
                mirror
                for mirror in there
                if _is_called(inventory, name, mirror.spec.source, mirror.source_label)
                and (copy is None or _is_called(inventory, copy, mirror.spec.copy, mirror.copy_label))
            ]
        if len(found) == 1:
            return found[0]
        listed = "; ".join(f"{mirror.id}: {mirror.source_label} to {mirror.copy_label}" for mirror in there)
        what = f"{name} to {copy}" if copy else name
        raise UsageError(
            f"several mirrors fit {what}" if found else f"there is no mirror {what}",
            hint=f"mirrors are: {listed}" if listed else "this host has no mirror",
        )

    def _entries(self) -> Iterator[tuple[MirrorSpec, Transaction | int]]:
        """Each mirror's spec with its transaction; the number where the journal no longer has it."""
        for one in self._store.all():
            yield one.spec, transaction_of(self._journal, one) or one.transaction
        for entry, subject in unfinished_mirrors(self._journal):
            yield MirrorSpec(subject.id, subject.source, subject.copy, subject.directions, subject.strategy), entry

    def _mirror(self, spec: MirrorSpec, entry: Transaction | int, inventory: Inventory) -> Mirror:
        if isinstance(entry, int) or not isinstance(entry.plan.subject, MirrorSubject):
            number = entry if isinstance(entry, int) else entry.id
            source, copy = str(spec.source), str(spec.copy)
            why = f"the journal has no transaction {number} that made it, or cannot read it"
            return Mirror(spec, source, copy, lost(spec.id, source, copy, why), number)
        subject, proof = entry.plan.subject, last_proof(entry)
        return Mirror(
            spec=spec,
            source_label=subject.source_label,
            copy_label=subject.copy_label,
            status=self._status(entry, subject, inventory, proof),
            transaction=entry.id,
            strategy=subject.strategy,
            mac=subject.mac,
            since=entry.started,
            last_proof=proof,
        )

    def _status(
        self, entry: Transaction, subject: MirrorSubject, inventory: Inventory, proof: ProofReport | None
    ) -> MirrorStatus:
        labels = (subject.id, subject.source_label, subject.copy_label)
        if entry.status.unfinished:
            at_work = self._journal.is_locked()
            return MirrorStatus(MirrorHealth.IN_PROGRESS if at_work else MirrorHealth.UNFINISHED)
        if entry.status is not Status.COMMITTED:
            why = "the host was booted since" if entry.status is Status.ENDED else "its changes were rolled back"
            return lost(*labels, f"{why} (transaction {entry.id})")
        try:
            (_, source), (_, copy) = find(inventory, subject.source), find(inventory, subject.copy)
        except UsageError:
            return lost(*labels, "its VFs no longer both exist")
        seen = STRATEGIES[subject.strategy].health(ObservedMirror(subject, source, copy))
        if seen != HEALTHY:
            return seen
        if drift := self._engine.drift(entry):
            return MirrorStatus(MirrorHealth.DEGRADED, drift)
        if proof is None or not proof.proven:
            seen_by = proof.reasons if proof else ("it was never proven",)
            what = f"mirror {subject.id} is not proven to copy frames"
            again = (Action(UseCase.MIRROR_PROVE, (str(subject.id),)),)
            found = MIRROR_UNPROVEN.at(f"mirror {subject.id}", what, evidence=seen_by, actions=again)
            return MirrorStatus(MirrorHealth.UNPROVEN, (found,))
        return HEALTHY


def _is_in_place(entry: Transaction | None) -> bool:
    return entry is None or entry.status is Status.COMMITTED or entry.status.unfinished


def _is_called(inventory: Inventory, text: str, ref: VfRef, label: str) -> bool:
    """Whether the text names this VF; its label counts where it does not exist. Raises UsageError for no VF."""
    return text in (label, str(ref)) or find_vf(inventory, text) == ref
