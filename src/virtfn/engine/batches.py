"""How a plan is cut into batches: the steps that are read, journalled and written at once. Pure."""

from collections.abc import Iterator, Sequence

from virtfn.model.plan import Impact, Step, Target, Writing


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
    far an interrupted one came is found by reading, so its length costs no safety.
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


def ends_by_kind(steps: Sequence[Step], at_most: int) -> frozenset[int]:
    """The last step of each batch of up to ``at_most`` objects of one kind, as these never need each other.

    The steps of an object follow each other. What a batch needs was created by the batches before it, and what it
    deletes was needed only by what is deleted already.
    """
    ends = set()
    batch: set[str] = set()
    for number, step in enumerate(steps):
        batch.add(step.target.id)
        after = steps[number + 1].target if number + 1 < len(steps) else None
        grows = after is not None and after.kind == step.target.kind and (after.id in batch or len(batch) < at_most)
        if not grows:
            ends.add(number)
            batch = set()
    return frozenset(ends)
