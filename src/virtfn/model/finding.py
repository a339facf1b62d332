"""A problem or a possible problem: one type for guards, faults of a spec, causes of failures, drift and checks.

A finding is data. Only a face (``cli/``) renders it and knows command lines: an ``Action`` names a use
case and its arguments, never a command line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from virtfn.errors import GuardRefused
from virtfn.model.place import HOST, Place


class Severity(StrEnum):
    """How much a finding weighs.

    INFO: worth knowing. WARNING: may fail; nothing is refused. REFUSAL: blocks the change, unless the user overrides it
    and it is overridable. FAULT: something has failed, or cannot work.
    """

    INFO = "info"
    WARNING = "warning"
    REFUSAL = "refusal"
    FAULT = "fault"


class UseCase(StrEnum):
    """What virtfn can advise a user to do. Each face has its own command for it."""

    SHOW = "show"
    PLAN = "plan"
    APPLY = "apply"
    VERIFY = "verify"
    ROLLBACK = "rollback"
    RESUME = "resume"
    CONFIRM = "confirm"
    JOURNAL_LIST = "journal ls"
    JOURNAL_SHOW = "journal show"
    MIRROR_PLAN = "mirror plan"
    MIRROR_ADD = "mirror add"
    MIRROR_LIST = "mirror ls"
    MIRROR_PROVE = "mirror prove"
    MIRROR_REMOVE = "mirror rm"
    CLOUD_PLAN = "cloud plan"
    CLOUD_UP = "cloud up"
    CLOUD_SHOW = "cloud show"
    CLOUD_DOWN = "cloud down"
    PERSIST_INSTALL = "persist install"
    LAB_PREPARE = "lab prepare"
    LAB_UP = "lab up"
    LAB_STATUS = "lab status"
    LAB_DOWN = "lab down"


@dataclass(frozen=True)
class Action:
    """One use case to run next, with its arguments in order, at a place (this host, or a cloud).

    ``options``: arguments by name, each with its value, "" for one that is only named.
    """

    use_case: UseCase
    arguments: tuple[str, ...] = ()
    place: Place = HOST
    options: tuple[tuple[str, str], ...] = ()


def show(place: Place) -> Action:
    """To look at a place."""
    return Action(UseCase.CLOUD_SHOW if place.is_cloud else UseCase.SHOW, place=place)


@dataclass(frozen=True)
class Finding:
    """One problem, or one fact worth knowing.

    ``id``: stable, in kebab case, listed in docs/reference/findings.md. ``subject``: the object by its label
    (``p2p1/3``, ``server web-1``), or ``FILE:LINE``. ``what``: one sentence. ``evidence``: observations, a sentence
    each, with the source. ``fix``: what to do, in the field's terms; ``actions``: what to run for it.
    ``overridable``: the user may override it by its id.
    """

    id: str
    severity: Severity
    subject: str
    what: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    actions: tuple[Action, ...] = ()
    overridable: bool = False


@dataclass(frozen=True)
class FindingKind:
    """The facts about every finding with this id: one row of docs/reference/findings.md.

    Kept in a table, or as a constant, beside the code that finds it. ``meaning``: what it means, one sentence; ``fix``:
    what to do about it, in the field's terms. ``overridable``: the user may override it; ``at`` can forbid this.
    """

    id: str
    severity: Severity
    meaning: str
    fix: str
    overridable: bool = False

    def at(
        self,
        subject: str,
        what: str,
        *,
        evidence: tuple[str, ...] = (),
        fix: str | None = None,
        actions: tuple[Action, ...] = (),
        overridable: bool = True,
    ) -> Finding:
        """A finding of this kind; ``fix``: what to do in this case, if it differs from the row's."""
        may_insist = self.overridable and overridable
        return Finding(self.id, self.severity, subject, what, evidence, fix or self.fix, actions, may_insist)


def not_overridden(findings: Iterable[Finding], forced: frozenset[str]) -> tuple[Finding, ...]:
    """All findings except the overridable refusals whose ids are in ``forced``."""
    return tuple(
        one for one in findings if not (one.severity is Severity.REFUSAL and one.overridable and one.id in forced)
    )


def refusals(findings: Iterable[Finding], forced: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """The findings that block the change; not the overridable ones whose ids are in ``forced``."""
    return tuple(one for one in not_overridden(findings, forced) if one.severity is Severity.REFUSAL)


def refuse(findings: Sequence[Finding], where: str) -> None:
    """Raise GuardRefused with all of these refusals; nothing for none."""
    if findings:
        message = findings[0].what if len(findings) == 1 else f"{len(findings)} guards refuse"
        raise GuardRefused(message, where=where, hint=findings[0].fix, findings=tuple(findings))
