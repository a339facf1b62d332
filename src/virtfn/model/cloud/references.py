"""How an image, a flavor or a network can be named: by its id, or by a name that means it alone.

Neutron and Glance let several have one name, and let a name go from one to another; names of flavors are unique.
An id comes before a name, as with the ``openstack`` command.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar
from uuid import UUID


class Named(Protocol):
    """Something with an id and a name."""

    @property
    def id(self) -> str:
        """Unique among its kind."""

    @property
    def name(self) -> str:
        """Perhaps that of others, too; "" where it has none."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class References:
    """Names by id, of one kind. A name means those in ``first`` before all others: our own, among networks."""

    names: Mapping[str, str] = field(default_factory=dict)
    first: frozenset[str] = frozenset()

    @cached_property
    def _ids(self) -> Mapping[str, tuple[str, ...]]:
        """By the name: all that it means."""
        found: dict[str, list[str]] = {}
        for one, name in sorted(self.names.items(), key=lambda item: item[0] not in self.first):
            same = found.setdefault(name, [])
            if not same or one in self.first or same[0] not in self.first:
                same.append(one)
        return {name: tuple(sorted(ids)) for name, ids in found.items() if name}

    def with_id(self, word: str) -> str | None:
        """The id that a word is, in whatever case a UUID is written; None where it is none."""
        words = (word, word.lower()) if is_uuid(word) else (word,)
        return next((one for one in words if one in self.names), None)

    def meant(self, word: str) -> tuple[str, ...]:
        """The ids of all that a word means: one, none, or several of this name."""
        found = self.with_id(word)
        return self._ids.get(word, ()) if found is None else (found,)

    def said(self, of: str) -> str:
        """The name of the one with this id where it means it alone, else the id."""
        name = self.names.get(of, "")
        return name if self.meant(name) == (of,) else of


def references(found: Iterable[Named], first: Iterable[str] = ()) -> References:
    """By what these are called."""
    return References({one.id: one.name or "" for one in found}, frozenset(first))


def called(found: Iterable[N], word: str) -> tuple[N, ...]:
    """Those that a word means."""
    known = tuple(found)
    return tuple(one for one in known if one.id == word) or tuple(one for one in known if one.name == word)


def is_uuid(word: str) -> bool:
    """Whether a word may be an id of Neutron, Glance or nova; flavors have ids of any form."""
    try:
        return str(UUID(word)) == word.lower()
    except ValueError:
        return False
