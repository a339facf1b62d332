"""Guards that refuse, as one error."""

from collections.abc import Sequence

from virtfn.errors import GuardRefused
from virtfn.model.mirror import Objection


def refuse(objections: Sequence[Objection], where: str) -> None:
    """Raise GuardRefused with every objection, each with what to do and how to override it; nothing for none."""
    if not objections:
        return
    reasons = tuple((one.guard, one.reason) for one in objections)
    ways = dict.fromkeys(way for one in objections if (way := _way_out(one)))
    message = reasons[0][1] if len(reasons) == 1 else f"{len(reasons)} guards refuse"
    raise GuardRefused(message, where=where, hint="; ".join(ways), guards=reasons)


def _way_out(objection: Objection) -> str:
    force = "" if objection.absolute else f"--force {objection.guard}"
    if objection.hint and force:
        return f"{objection.hint} (or {force})"
    return objection.hint or force
