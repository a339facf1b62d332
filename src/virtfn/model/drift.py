"""Drift: a field that has not the value that the spec declares, or that virtfn had set."""

from virtfn.model.finding import Action, Finding, FindingKind, Severity

DRIFT = FindingKind(
    "drift",
    Severity.WARNING,
    "A field has not the value that the spec declares, or that virtfn had set.",
    "find out who changed it, then set it back",
)


def changed_since(
    label: str, field: str, now: str, had: str, *, effect: str = "", actions: tuple[Action, ...] = ()
) -> Finding:
    """The field has another value than virtfn had set; ``effect``: what follows from it."""
    what = f"{field} of {label} was changed since virtfn had set it" + (f": {effect}" if effect else "")
    return DRIFT.at(label, what, evidence=(f"{now} now, virtfn had set {had}",), actions=actions)


def not_declared(label: str, field: str, now: str, declared: str, *, where: str = "", action: Action) -> Finding:
    """The field has another value than the spec declares, at ``where``; ``action`` sets it."""
    seen = f"{now} now, declared {declared}" + (f" ({where})" if where else "")
    fix = "apply the spec, or declare what there is"
    return DRIFT.at(label, f"{field} of {label} is not as declared", evidence=(seen,), fix=fix, actions=(action,))
