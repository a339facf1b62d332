"""Which writes the kernel can take in one message: several fields of one VF, in the order in which it sets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from virtfn.host.vf_fields import VF_FIELDS

if TYPE_CHECKING:
    from virtfn.model.plan import Target, Value

Change: TypeAlias = "tuple[Target, str, Value]"
"""Target, field, the value it shall have."""


def messages(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in their order, cut into groups of which each fits one message. Pure."""
    group: list[Change] = []
    for change in changes:
        if group and not _follows(group[-1], change):
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _follows(earlier: Change, later: Change) -> bool:
    """Whether the kernel, given both in one message, sets them in this order."""
    before, after = VF_FIELDS.get(earlier[1]), VF_FIELDS.get(later[1])
    if before is None or after is None or before.place >= after.place:
        return False
    return later[0].kind == "vf" and earlier[0] == later[0]
