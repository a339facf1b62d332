"""A plan: ordered steps. Each sets one field from ``before`` to ``after`` and can be undone.

Steps are plain values so that a plan can be shown, saved, journalled and rolled back by an engine that knows
nothing of NICs or clouds. ``before``, ``after`` are in the normal form in which the world reads the field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from virtfn.model.subject import CloudSubject, Subject

Value: TypeAlias = bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"] | None
"""A JSON value; None: the object does not exist."""

DEFINITION = "definition"
"""The field for an object as a whole: its definition, None where it does not exist."""


@dataclass(frozen=True, order=True)
class Target:
    """One object of the world: its kind, its identity, and its name for display.

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


class Writing(StrEnum):
    """How a step is carried out.

    CHECKED: only while the field still is ``before``. FRESH: the object is made by an earlier step of the same plan, so
    its value before is not known; it is deleted when that step is undone. IMPLIED: another step does it (attributes
    of a VF that is destroyed); nothing is written, but rollback restores it.
    """

    CHECKED = "checked"
    FRESH = "fresh"
    IMPLIED = "implied"


class Undoing(StrEnum):
    """How a field is restored.

    DIRECT: to its first value in one write, unless another program has set it. RETRACE: through the same values,
    backwards (a number of VFs goes through 0). OVERWRITE: over any value, as something else may change it at once (a
    guest's driver); such a value is not verified. FINAL: not at all, which is reported (a deleted server's disk cannot
    be restored).
    """

    DIRECT = "direct"
    RETRACE = "retrace"
    OVERWRITE = "overwrite"
    FINAL = "final"


@dataclass(frozen=True)
class Step:
    """Set ``field`` of ``target`` from ``before`` to ``after``.

    ``reason`` says why, ``impact_note`` who notices what; ``command`` and ``undo_command`` are the equivalent
    commands, ready to run.
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
    writing: Writing = Writing.CHECKED
    undoing: Undoing = Undoing.DIRECT

    def with_commands(self, command: str, undo_command: str) -> "Step":
        """The same step with these commands. Not by ``replace``, which takes twice the time for a long plan."""
        return Step(
            self.target,
            self.field,
            self.before,
            self.after,
            self.reason,
            self.impact,
            self.impact_note,
            command,
            undo_command,
            self.writing,
            self.undoing,
        )

    @property
    def symbol(self) -> str:
        """``+`` creates, ``-`` deletes, ``~`` changes."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else "~"


@dataclass(frozen=True)
class Plan:
    """What will be done to ``subject``, in order. ``notes``: what to know before approving it."""

    subject: Subject
    title: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> Mapping[str, str]:
        """The names of objects that its values give by id, by id."""
        return self.subject.names if isinstance(self.subject, CloudSubject) else {}

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return not self.steps

    @property
    def disruptive(self) -> bool:
        """A step disturbs a VF that the request does not name."""
        return any(step.impact is Impact.BYSTANDERS for step in self.steps)


def differing(one: Iterable[Step], other: Iterable[Step]) -> tuple[str, ...]:
    """The fields that two plans write differently: other values, another order, or another impact.

    Empty where both do the same; texts may differ.
    """

    def changes(steps: Iterable[Step]) -> list[tuple[str, tuple[object, ...]]]:
        return [
            (
                f"{step.target} {step.field}",
                (step.target, step.before, step.after, step.impact, step.writing, step.undoing),
            )
            for step in steps
        ]

    left, right = changes(one), changes(other)
    if left == right:
        return ()
    unlike = [step for step in left if step not in right] + [step for step in right if step not in left]
    return tuple(dict.fromkeys(name for name, _ in unlike)) or ("the order of the steps",)
