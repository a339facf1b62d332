"""Guards that refuse, as one error."""

from collections.abc import Sequence

from virtfn.errors import GuardRefused
from virtfn.model.finding import Finding


def refuse(findings: Sequence[Finding], where: str) -> None:
    """Raise GuardRefused with every finding, each with what to do and how to override it; nothing for none."""
    if not findings:
        return
    reasons = tuple((one.id, one.what) for one in findings)
    ways = dict.fromkeys(way for one in findings if (way := _way_out(one)))
    message = reasons[0][1] if len(reasons) == 1 else f"{len(reasons)} guards refuse"
    raise GuardRefused(message, where=where, hint="; ".join(ways), guards=reasons)


def _way_out(finding: Finding) -> str:
    force = f"--force {finding.id}" if finding.overridable else ""
    if finding.fix and force:
        return f"{finding.fix} (or {force})"
    return finding.fix or force
