"""What a person may call an image, a flavor or a network: its id, or a name that means it alone.

Neutron and Glance let several have one name; names of flavors are unique. An id comes before a name, as with the
``openstack`` command.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar


class Named(Protocol):
    """Something with an id and a name."""

    @property
    def id(self) -> str:
        """Unique among its kind."""

    @property
    def name(self) -> str:
        """Perhaps that of others, too."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class References:
    """Names by id, of one kind. A name means those in ``first`` before all others.

    These are our own, among networks; among images, those that the cloud lists.
    """

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
        return {name: tuple(sorted(ids)) for name, ids in found.items()}

    def meant(self, word: str) -> tuple[str, ...]:
        """The ids of all that a word means: one, none, or several of this name."""
        return (word,) if word in self.names else self._ids.get(word, ())

    def is_called(self, one: str, word: str) -> bool:
        """Whether a word is the id of this one, or its name, be that the name of others, too."""
        return word in (one, self.names.get(one))

    def word(self, of: str) -> str:
        """The normal form of an id: the name where that means it alone, else the id."""
        name = self.names.get(of, "")
        return name if name and self.meant(name) == (of,) else of

    def settled(self, word: str) -> str:
        """The normal form of a word; a word that means none or several stays as it is."""
        found = self.meant(word)
        return self.word(found[0]) if len(found) == 1 else word


def references(found: Iterable[Named], first: Iterable[str] = ()) -> References:
    """By what these are called."""
    return References({one.id: one.name for one in found}, frozenset(first))


def called(found: Iterable[N], word: str) -> tuple[N, ...]:
    """Those that a word means."""
    known = tuple(found)
    return tuple(one for one in known if one.id == word) or tuple(one for one in known if one.name == word)
