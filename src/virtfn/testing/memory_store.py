"""Declared mirrors in memory, for tests."""

from virtfn.model.mirror import DeclaredMirror


class MemoryMirrorStore:
    """Implements the MirrorStore protocol. What is put in is kept as long as the object."""

    def __init__(self) -> None:
        self._kept: dict[int, DeclaredMirror] = {}
        self._next = 1

    def all(self) -> tuple[DeclaredMirror, ...]:
        """All declared mirrors by id."""
        return tuple(self._kept[id] for id in sorted(self._kept))

    def next_id(self) -> int:
        """The id for a new mirror."""
        return self._next

    def put(self, mirror: DeclaredMirror) -> None:
        """Add a mirror, or replace the one with its id."""
        self._kept[mirror.spec.id] = mirror
        self._next = max(self._next, mirror.spec.id + 1)

    def remove(self, mirror: int) -> None:
        """Remove the mirror with this id, if there is one."""
        self._kept.pop(mirror, None)
