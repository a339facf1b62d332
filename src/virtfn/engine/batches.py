"""How a plan and its way back are cut into what is read, journalled and written at once. Pure."""

from collections.abc import Iterator, Sequence

from virtfn.model.plan import Impact, Restore, Step, Target, Undoing, Writing


def insisted_on(step: Step) -> bool:
    """Whether the field must read as written in the end."""
    return step.writing is not Writing.IMPLIED and step.undoing is not Undoing.OVERWRITE


def first_touches(steps: Sequence[Step]) -> list[Step]:
    """The first step of each field that exists before the plan begins."""
    first: dict[tuple[Target, str], Step] = {}
    for step in steps:
        first.setdefault((step.target, step.field), step)
    return [step for step in first.values() if step.writing is not Writing.FRESH]


def batches(
    steps: Sequence[Step], numbers: Sequence[int], stops: frozenset[int] = frozenset(), longest: int = 1024
) -> Iterator[list[int]]:
    """These step numbers in order, cut into what is checked, journalled and written at once. Pure.

    A step that disturbs bystanders goes alone, a field is in a batch once, and a batch ends at each of ``stops``. How
    far one that was cut short came is found by reading, so its length costs no safety.
    """
    batch: list[int] = []
    fields: set[tuple[Target, str]] = set()
    for number in numbers:
        step = steps[number]
        key = (step.target, step.field)
        alone = step.impact is Impact.BYSTANDERS
        if batch and (alone or key in fields or len(batch) >= longest):
            yield batch
            batch, fields = [], set()
        batch.append(number)
        fields.add(key)
        if alone or number in stops:
            yield batch
            batch, fields = [], set()
    if batch:
        yield batch


def restore_batches(back: Sequence[Restore]) -> Iterator[list[Restore]]:
    """The way back in its order, cut into what can be written at once: a field to be retraced goes alone. Pure."""
    batch: list[Restore] = []
    for one in back:
        if one.undoing is Undoing.RETRACE:
            if batch:
                yield batch
            yield [one]
            batch = []
        else:
            batch.append(one)
    if batch:
        yield batch
