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


def strides(
    steps: Sequence[Step], numbers: Sequence[int], stops: frozenset[int] = frozenset(), longest: int = 1024
) -> Iterator[list[int]]:
    """These step numbers in order, cut into what is checked, journalled and written at once. Pure.

    A step that disturbs bystanders goes alone, a field is in a stride once, and a stride ends at each of ``stops``. How
    far one that was cut short came is found by reading, so its length costs no safety.
    """
    stride: list[int] = []
    fields: set[tuple[Target, str]] = set()
    for number in numbers:
        step = steps[number]
        key = (step.target, step.field)
        alone = step.impact is Impact.BYSTANDERS
        if stride and (alone or key in fields or len(stride) >= longest):
            yield stride
            stride, fields = [], set()
        stride.append(number)
        fields.add(key)
        if alone or number in stops:
            yield stride
            stride, fields = [], set()
    if stride:
        yield stride


def restore_strides(back: Sequence[Restore]) -> Iterator[list[Restore]]:
    """The way back in its order, cut into what can be written at once: a field to be retraced goes alone. Pure."""
    stride: list[Restore] = []
    for one in back:
        if one.undoing is Undoing.RETRACE:
            if stride:
                yield stride
            yield [one]
            stride = []
        else:
            stride.append(one)
    if stride:
        yield stride
