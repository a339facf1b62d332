"""A mirror: the request, the declaration in the store, the proposal, and the observed status."""

from dataclasses import dataclass
from enum import StrEnum

from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, Finding, FindingKind, Severity, UseCase
from virtfn.model.plan import Plan
from virtfn.model.probe import Direction, ProbePoints, ProofReport
from virtfn.model.proposal import Proposal

SAME_VF = FindingKind(
    "same-vf",
    Severity.REFUSAL,
    "Source and copy of a mirror are the same VF; of two ports, both name it.",
    "name two different VFs",
)
OTHER_PF = FindingKind(
    "other-pf",
    Severity.REFUSAL,
    "Source and copy are on different PFs: a NIC's switch copies only to its own VFs.",
    "choose a copy among the VFs of the source's PF",
)


@dataclass(frozen=True)
class MirrorRequest:
    """Copy to ``copy`` what reaches ``source`` (``directions``); VFs as the user writes them.

    ``strategy``: "" lets the driver table choose. ``literal`` keeps the PF down/up of the field note's recipe.
    ``forced`` names findings to override. ``unproven``: make it also where frames can neither prove nor disprove it.
    """

    source: str
    copy: str
    directions: tuple[Direction, ...] = (Direction.TO_SOURCE,)
    strategy: str = ""
    literal: bool = False
    forced: frozenset[str] = frozenset()
    unproven: bool = False


@dataclass(frozen=True)
class MirrorSpec:
    """A mirror as it is declared. ``id`` is never used again; ``strategy``: "" lets the driver table choose."""

    id: int
    source: VfRef
    copy: VfRef
    directions: tuple[Direction, ...] = (Direction.TO_SOURCE,)
    strategy: str = ""


@dataclass(frozen=True)
class DeclaredMirror:
    """A mirror in the store, with the journal's number of the transaction that made it last."""

    spec: MirrorSpec
    transaction: int


@dataclass(frozen=True)
class Attempt:
    """A strategy that works here: its plan, its cost, and the step numbers after which frames are counted."""

    strategy: str
    plan: Plan
    cost: str
    waypoints: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rejection:
    """A strategy that does not work here, and why."""

    strategy: str
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """All its findings, in one line."""
        return "; ".join(one.what for one in self.findings)

    @property
    def is_fault(self) -> bool:
        """Whether it cannot work here; False where it was only not requested."""
        return any(one.severity is not Severity.INFO for one in self.findings)


@dataclass(frozen=True, kw_only=True)
class MirrorProposal(Proposal[MirrorRequest]):
    """What adding a mirror would do: the attempts in the order in which they are tried until one is proven.

    ``plan`` is the first attempt's; empty where no strategy fits. ``rejections``: every other strategy, judged.
    ``points``: where frames will be sent and counted, by which meters; None where the mirror could not be proven.
    """

    spec: MirrorSpec
    attempts: tuple[Attempt, ...]
    rejections: tuple[Rejection, ...]
    points: ProbePoints | None


class MirrorHealth(StrEnum):
    """How a declared mirror is now.

    HEALTHY: the NIC is set as virtfn left it, and the last proof held. DEGRADED: something that it needs was changed.
    LOST: it copies nothing any more. UNPROVEN: set as virtfn left it, but the last proof failed, or nothing could be
    proven. IN_PROGRESS: another virtfn process is working on it. UNFINISHED: the process that worked on it died.
    """

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    LOST = "lost"
    UNPROVEN = "unproven"
    IN_PROGRESS = "in progress"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class MirrorStatus:
    """The observed state of a mirror, with what was found where it is not healthy."""

    health: MirrorHealth
    findings: tuple[Finding, ...] = ()

    @property
    def reason(self) -> str:
        """All that was found, in one line."""
        return "; ".join(one.what for one in self.findings)


HEALTHY = MirrorStatus(MirrorHealth.HEALTHY)
MIRROR_LOST = FindingKind(
    "mirror-lost",
    Severity.FAULT,
    "A declared mirror copies nothing any more.",
    "add it again, or remove it",
)
MIRROR_UNPROVEN = FindingKind(
    "mirror-unproven",
    Severity.WARNING,
    "A mirror is set as virtfn left it, but the last proof failed, or there is none.",
    "prove it again; if that fails, remove it",
)


def lost(id: int, source_label: str, copy_label: str, what: str) -> MirrorStatus:
    """The status of a mirror that copies nothing any more, and why."""
    actions = (Action(UseCase.MIRROR_ADD, (source_label, copy_label)), Action(UseCase.MIRROR_REMOVE, (str(id),)))
    found = MIRROR_LOST.at(f"{source_label} to {copy_label}", what, actions=actions)
    return MirrorStatus(MirrorHealth.LOST, (found,))


@dataclass(frozen=True)
class Mirror:
    """A declared mirror, or one whose creation was interrupted, with its observed status.

    ``strategy`` and ``mac`` are those of its ``transaction``, at ``since``; "" and None where the journal no longer
    has it.
    """

    spec: MirrorSpec
    source_label: str
    copy_label: str
    status: MirrorStatus
    transaction: int
    strategy: str = ""
    mac: MacAddress | None = None
    since: str = ""
    last_proof: ProofReport | None = None

    @property
    def id(self) -> int:
        """The mirror's number in the store."""
        return self.spec.id


@dataclass(frozen=True)
class MirrorReceipt:
    """The result of ``add``, ``prove`` or ``rm``: the mirror's id, the plan, the proof, and warnings.

    Where a boot had ended the mirror, nothing is restored, and ``report`` is empty and not proven.
    """

    id: int
    action: str
    plan: Plan
    report: ProofReport
    rejected: tuple[Rejection, ...] = ()
    failed: tuple[ProofReport, ...] = ()
    warnings: tuple[str, ...] = ()
