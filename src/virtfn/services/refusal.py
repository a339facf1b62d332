"""Guards that refuse, as one error."""

from collections.abc import Sequence

from virtfn.errors import GuardRefused
from virtfn.model.finding import Finding


def refuse(findings: Sequence[Finding], where: str) -> None:
    """Raise GuardRefused with every finding; nothing for none."""
    if not findings:
        return
    message = findings[0].what if len(findings) == 1 else f"{len(findings)} guards refuse"
    raise GuardRefused(message, where=where, hint=findings[0].fix, findings=tuple(findings))
