"""Rollback: the restores that undo steps (pure), and writing them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from virtfn.engine.events import EventSink, RestoredValue, ValuesRestored
from virtfn.engine.interfaces import World
from virtfn.engine.readback import Settle, say_reading, unsettled
from virtfn.errors import StillNeeded, VirtfnError
from virtfn.model.plan import Step, Target, Undoing, Value, Writing
from virtfn.model.value_format import say


class Foreign(Enum):
    """What a rollback of a committed transaction does where another program has set a field.

    REFUSE: nothing is restored, as the user decides. KEEP: that field is left alone, everything else is restored.
    """

    REFUSE = "refuse"
    KEEP = "keep"


@dataclass(frozen=True)
class Restore:
    """Write ``field`` of ``target`` back to ``value``; ``ours`` are the values it had while virtfn changed it.

    ``goal`` is the value at the end of the rollback: a field that has it already is left alone. A value that is not in
    ``ours`` was set by another program and is left alone, too, unless ``undoing`` is OVERWRITE.
    """

    target: Target
    field: str
    value: Value
    goal: Value
    ours: tuple[Value, ...]
    command: str = ""
    undoing: Undoing = Undoing.DIRECT


def revert(steps: Iterable[Step]) -> tuple[Restore, ...]:
    """The shortest rollback of steps that were begun, the last touched field first. Pure.

    A field that was changed twice is restored to its first value in one write, so undoing "PF down, PF up" is no second
    interruption; a RETRACE field goes through the same values. What the steps created goes with its creator.
    """
    begun = [step for step in steps if step.writing is not Writing.FRESH and step.undoing is not Undoing.FINAL]
    while begun and begun[-1].writing is Writing.IMPLIED:  # the step that does it was not begun
        begun.pop()
    last = {(step.target, step.field): place for place, step in enumerate(begun)}
    first: dict[tuple[Target, str], Step] = {}
    ours: dict[tuple[Target, str], tuple[Value, ...]] = {}
    for step in begun:
        key = (step.target, step.field)
        start = first.setdefault(key, step)
        ours[key] = (*ours.get(key, (start.before,)), step.after)
    restores = []
    for place, step in reversed(list(enumerate(begun))):
        key = (step.target, step.field)
        if step.undoing is Undoing.RETRACE:
            restores.append(_restore(step, first[key].before, ours[key]))
        elif last[key] == place:
            restores.append(_restore(first[key], first[key].before, ours[key]))
    return tuple(restores)


def _restore(step: Step, goal: Value, ours: tuple[Value, ...]) -> Restore:
    undoing = Undoing.OVERWRITE if step.writing is Writing.IMPLIED else step.undoing
    return Restore(step.target, step.field, step.before, goal, ours, step.undo_command, undoing)


class Restorer:
    """Writes restores to one world, in batches, and reads them back."""

    def __init__(self, world: World, sink: EventSink, settle: Settle) -> None:
        self._world = world
        self._sink = sink
        self._settle = settle

    def restore(self, number: int, restores: Sequence[Restore]) -> list[str]:
        """Write back all that can be; a sentence for each field that is not back. ``number``: the transaction's id."""
        remaining: list[str] = []
        for batch in _batches(self._still_to_do(restores)):
            remaining += self._restore(number, batch)
        return remaining

    def foreign(self, restores: Sequence[Restore]) -> list[str]:
        """A sentence for each field that another program has set since, or that cannot be read."""
        last = {(one.target, one.field): one for one in reversed(restores)}
        checked = {key: one for key, one in last.items() if one.undoing is not Undoing.OVERWRITE}
        found = self._world.read_all(list(checked))
        return [
            f"{one.target} {one.field} is {say_reading(now)}, virtfn had set {say(one.ours[-1])}"
            for one, now in zip(checked.values(), found, strict=True)
            if isinstance(now, VirtfnError) or now not in one.ours
        ]

    def _still_to_do(self, restores: Sequence[Restore]) -> tuple[Restore, ...]:
        """Without chains that were retraced before: their field, and all in between, are restored already."""
        chains: dict[tuple[Target, str], list[int]] = {}
        for place, one in enumerate(restores):
            if one.undoing is Undoing.RETRACE:
                chains.setdefault((one.target, one.field), []).append(place)
        if not chains:
            return tuple(restores)
        found = self._world.read_all([(one.target, one.field) for one in restores])
        settled = [now == one.goal for one, now in zip(restores, found, strict=True)]
        idle = {place for chain in chains.values() if all(settled[chain[0] : chain[-1] + 1]) for place in chain}
        return tuple(one for place, one in enumerate(restores) if place not in idle)

    def _restore(self, number: int, batch: Sequence[Restore]) -> list[str]:
        found = self._world.read_all([(one.target, one.field) for one in batch])
        faults, due = [], []
        for one, now in zip(batch, found, strict=True):
            if isinstance(now, VirtfnError):
                faults.append(_owed(one, now))
            elif now == one.value:
                continue
            elif one.undoing is not Undoing.OVERWRITE and now not in one.ours:
                before = f"(before: {say(one.value)})"
                faults.append(f"{one.target} {one.field} is {say(now)}, which virtfn did not write {before}")
            else:
                due.append((one, now))
        return [*faults, *self._write(number, due)]

    def _write(self, number: int, due: Sequence[tuple[Restore, Value]]) -> list[str]:
        """Write all at once, or one by one where that is refused, and read back."""
        if not due:
            return []
        try:
            self._world.write_all([(one.target, one.field, one.value) for one, _ in due])
        except VirtfnError as refusal:
            if len(due) == 1:
                return [_owed(due[0][0], refusal)]
            return [fault for single in due for fault in self._write(number, [single])]
        values = tuple(RestoredValue(one.target, one.field, now, one.value) for one, now in due)
        self._sink(ValuesRestored(number, values))
        wanted = {(one.target, one.field): one.value for one, _ in due}
        return [
            f"{target} {field} still reads {say_reading(now)}, should be {say(want)}"
            for (target, field), (want, now) in unsettled(self._world, wanted, self._settle).items()
        ]


def _batches(restores: Sequence[Restore]) -> Iterator[list[Restore]]:
    """In order, cut into what can be written at once: a RETRACE field goes alone."""
    batch: list[Restore] = []
    for one in restores:
        if one.undoing is Undoing.RETRACE:
            if batch:
                yield batch
            yield [one]
            batch = []
        else:
            batch.append(one)
    if batch:
        yield batch


def _owed(restore: Restore, why: VirtfnError) -> str:
    """What remains to be done, with the equivalent command, or with what has to be done before it."""
    owed = f"{restore.target} {restore.field} should be {say(restore.value)}: {why}"
    if isinstance(why, StillNeeded):
        return f"{owed}; {why.hint}"
    return f"{owed} (`{restore.command}`)" if restore.command else owed
