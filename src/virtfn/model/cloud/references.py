"""How an image, a flavor or a network can be named: by its id, or by a unique name.

In Neutron and Glance several objects can have one name, and a name can move to another object; names of flavors are
unique. An id comes before a name, as with the ``openstack`` command.
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
        """Not always unique; "" where it has none."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class References:
    """Names by id, of one kind. A name means an object in ``first`` before all others: the spec's own networks."""

    names: Mapping[str, str] = field(default_factory=dict)
    first: frozenset[str] = frozenset()

    @cached_property
    def _ids(self) -> Mapping[str, tuple[str, ...]]:
        """All ids by the name."""
        found: dict[str, list[str]] = {}
        for one, name in sorted(self.names.items(), key=lambda item: item[0] not in self.first):
            same = found.setdefault(name, [])
            if not same or one in self.first or same[0] not in self.first:
                same.append(one)
        return {name: tuple(sorted(ids)) for name, ids in found.items() if name}

    def with_id(self, word: str) -> str | None:
        """The id in a text, in any case of a UUID; None where it is none."""
        words = (word, word.lower()) if is_uuid(word) else (word,)
        return next((one for one in words if one in self.names), None)

    def meant(self, word: str) -> tuple[str, ...]:
        """The ids for a name or id: one, none, or several."""
        found = self.with_id(word)
        return self._ids.get(word, ()) if found is None else (found,)

    def said(self, of: str) -> str:
        """The name of the object with this id where it is unique, else the id."""
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
    """Whether a text may be an id of Neutron, Glance or nova; flavors have ids of any form."""
    try:
        return str(UUID(word)) == word.lower()
    except ValueError:
        return False
