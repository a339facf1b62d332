"""What a mirror is asked for, how it could be made, and one that stands."""

from dataclasses import dataclass
from enum import StrEnum

from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Finding, Severity
from virtfn.model.plan import Plan
from virtfn.model.probe import ProofReport
from virtfn.model.transaction import Transaction


@dataclass(frozen=True)
class MirrorRequest:
    """Copy to ``copy`` what reaches ``source``.

    ``strategy``: "" lets the driver table choose. ``literal`` keeps the PF down/up of the field note's recipe.
    ``forced`` names guards that may be overridden.
    """

    source: VfRef
    copy: VfRef
    strategy: str = ""
    literal: bool = False
    forced: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Objection:
    """A guard that refuses, by name, with its reason; ``absolute`` ones cannot be forced."""

    guard: str
    reason: str
    hint: str = ""
    absolute: bool = False

    def finding(self, subject: str) -> Finding:
        """The same as a finding."""
        return Finding(self.guard, Severity.REFUSAL, subject, self.reason, fix=self.hint, overridable=not self.absolute)


@dataclass(frozen=True)
class Proposal:
    """A strategy that fits this NIC: its plan, and the step numbers after which frames are looked at."""

    strategy: str
    plan: Plan
    waypoints: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rejection:
    """A strategy that does not fit, and why."""

    strategy: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """The strategies in the order in which they will be tried, and those that were rejected."""

    proposals: tuple[Proposal, ...]
    rejections: tuple[Rejection, ...]


class MirrorState(StrEnum):
    """How a mirror stands.

    STANDING: the host still is as we left it. DRIFTED: somebody changed it since. AT_WORK: another virtfn is making or
    removing it. UNFINISHED: its process died, it is to be rolled back.
    """

    STANDING = "standing"
    AT_WORK = "at work"
    DRIFTED = "drifted"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Mirror:
    """A mirror in the journal, held against the host as it is now. ``drift`` says what differs."""

    transaction: Transaction
    source: VfRef
    copy: VfRef
    source_label: str
    copy_label: str
    strategy: str
    mac: MacAddress
    state: MirrorState
    drift: tuple[str, ...] = ()
    last_proof: ProofReport | None = None

    @property
    def id(self) -> int:
        """The journal's number of the transaction that made it."""
        return self.transaction.id


@dataclass(frozen=True)
class MirrorReceipt:
    """What ``add``, ``prove`` or ``rm`` did: the mirror's number, the plan, the proof, and what to know."""

    id: int
    action: str
    plan: Plan
    report: ProofReport
    rejected: tuple[Rejection, ...] = ()
    failed: tuple[ProofReport, ...] = ()
    warnings: tuple[str, ...] = ()
