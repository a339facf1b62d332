"""How a plan for a cloud is cut into waves: objects that are made, or deleted, at once. Pure."""

from collections.abc import Sequence

from virtfn.model.plan import Step


def ends_of_waves(steps: Sequence[Step], at_most: int) -> frozenset[int]:
    """The last step of each wave: up to ``at_most`` objects of one kind, as these never need each other.

    The steps of an object follow each other. What a wave needs was made by the waves before it, and what is deleted
    was needed only by what went before.
    """
    ends = set()
    wave: set[str] = set()
    for number, step in enumerate(steps):
        wave.add(step.target.id)
        after = steps[number + 1].target if number + 1 < len(steps) else None
        grows = after is not None and after.kind == step.target.kind and (after.id in wave or len(wave) < at_most)
        if not grows:
            ends.add(number)
            wave = set()
    return frozenset(ends)
