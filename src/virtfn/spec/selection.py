"""Which VFs a key under ``vfs`` names: ``2``, ``0-3`` or ``0-3,6``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from virtfn.spec.constants import MAX_NUM_VFS, SELECTION

_SHAPE = re.compile(SELECTION)


@dataclass(frozen=True)
class Selection:
    """VF indexes as ranges, both ends included, ascending and apart from each other."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """Read ``2``, ``0-3`` or ``0-3,6``. Raises ValueError that says what is wrong and what to do, with "; "."""
        if not _SHAPE.fullmatch(text):
            raise ValueError("not a VF or a range of VFs; write 2, 0-3 or 0-3,6")
        ranges = tuple(sorted(_range(part.strip()) for part in text.split(",")))
        for (_, last), (first, _) in pairwise(ranges):
            if first <= last:
                raise ValueError(f"VF {first} is named twice; name each VF once")
        if ranges[-1][1] >= MAX_NUM_VFS:
            raise ValueError(f"there is no VF {ranges[-1][1]}; the last one can be {MAX_NUM_VFS - 1}")
        return cls(ranges)

    @classmethod
    def of(cls, indexes: Iterable[int]) -> "Selection":
        """The selection that names just these VFs; there must be one at least."""
        ranges: list[tuple[int, int]] = []
        for index in sorted(set(indexes)):
            if ranges and ranges[-1][1] == index - 1:
                ranges[-1] = (ranges[-1][0], index)
            else:
                ranges.append((index, index))
        return cls(tuple(ranges))

    @property
    def last(self) -> int:
        """The highest index."""
        return self.ranges[-1][1]

    @property
    def indexes(self) -> tuple[int, ...]:
        """Every index, ascending."""
        return tuple(index for first, last in self.ranges for index in range(first, last + 1))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ranges)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    found = int(first), int(last or first)
    if found[0] > found[1]:
        raise ValueError(f"the range {text} runs backwards; write {last}-{first}")
    return found
