"""A plan: ordered steps, each a value that goes from ``before`` to ``after``, and back by the same door.

Steps are plain values so that a plan can be shown, saved, journalled and rolled back by an engine that knows
nothing of NICs or clouds. ``before``, ``after`` are in the normal form in which the world reads the field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"] | None
"""A JSON value; None: the thing is not there."""


@dataclass(frozen=True, order=True)
class Target:
    """One object of the world: its kind, its identity, and the name a person knows it by.

    Kinds on a host: ``pf`` (id: device address), ``vf`` (id: ``PF/INDEX``), ``netdev`` (id: ``NETNS:NAME``,
    or ``NAME`` in the host's own namespace).
    """

    kind: str
    id: str
    label: str = field(compare=False)

    def __str__(self) -> str:
        return self.label


class Impact(StrEnum):
    """Whom a step disturbs."""

    NOBODY = "nobody"
    PARTY = "party"
    BYSTANDERS = "bystanders"


@dataclass(frozen=True)
class Step:
    """Set ``field`` of ``target`` from ``before`` to ``after``.

    ``reason`` says why, ``impact_note`` who notices what; ``command`` and ``undo_command`` are what a person would
    type to do the same, runnable as they stand. ``lasting`` is False where something else, a guest's driver for one,
    may change the value again at once: verification then does not insist on it, and the way back overwrites it.
    """

    target: Target
    field: str
    before: Value
    after: Value
    reason: str
    impact: Impact = Impact.NOBODY
    impact_note: str = ""
    command: str = ""
    undo_command: str = ""
    lasting: bool = True

    @property
    def symbol(self) -> str:
        """``+`` appears, ``-`` disappears, ``~`` changes."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else "~"


@dataclass(frozen=True)
class Plan:
    """What will be done, in order. ``kind`` names the use case; ``notes`` is what to know before saying yes."""

    kind: str
    title: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    subject: Mapping[str, Value] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return not self.steps

    @property
    def disruptive(self) -> bool:
        """Some step disturbs somebody whom the request does not name."""
        return any(step.impact is Impact.BYSTANDERS for step in self.steps)


@dataclass(frozen=True)
class Restore:
    """Put ``field`` of ``target`` back to ``value``; ``ours`` are the values it had while we changed it.

    Any other value is somebody else's and is left alone, unless ``lasting`` is False.
    """

    target: Target
    field: str
    value: Value
    ours: tuple[Value, ...]
    command: str = ""
    lasting: bool = True


def way_back(steps: Iterable[Step]) -> tuple[Restore, ...]:
    """The shortest way back from steps that were begun: one write per field, the last touched first.

    A field that was changed twice goes back to its first value at once, so undoing "PF down, PF up" is no second
    interruption.
    """
    first: dict[tuple[Target, str], Step] = {}
    ours: dict[tuple[Target, str], tuple[Value, ...]] = {}
    for step in steps:
        key = (step.target, step.field)
        start = first.setdefault(key, step)
        ours[key] = (*ours.pop(key, (start.before,)), step.after)
    return tuple(
        Restore(key[0], key[1], first[key].before, values, first[key].undo_command, first[key].lasting)
        for key, values in reversed(ours.items())
    )
