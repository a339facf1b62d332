"""The row type of the registry of fields: keys, types of values, order, command, impact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from virtfn.model.inventory import NO_VLAN, Known, PfState, Unknown, VfState, Vlan

if TYPE_CHECKING:
    from virtfn.model.plan import Value

_BY_DRIVER = Unknown("what a new VF has depends on its driver")


@dataclass(frozen=True, eq=False, repr=False)
class ValueType:
    """The values of a key, in words for the reference; the spec has one reader per type."""

    words: str


@dataclass(frozen=True, eq=False, repr=False)
class Number(ValueType):
    """A whole number, both limits included. ``unit`` is "" for a number of things."""

    least: int
    most: int
    unit: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Choice(ValueType):
    """One of the words of ``kind`` that are in ``allowed``."""

    kind: type[StrEnum]
    allowed: tuple[StrEnum, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Key:
    """One key of the spec. ``doc`` describes it for editors, ``example`` is a value as YAML has it."""

    name: str
    type: ValueType
    doc: str
    example: str


@dataclass(frozen=True, eq=False, repr=False)
class MatchKey:
    """One key by which a spec names PFs: the attribute ``fact`` of ``PfState`` must have the value.

    ``several``: a list is allowed, and each of its values must match a PF.
    """

    key: Key
    fact: str
    several: bool = False


def plain(value: object) -> Value:
    """The plain form of a key's value: text for addresses and words, a mapping for a VLAN, in normal form.

    VLAN 0 without a priority is no VLAN, with any protocol.
    """
    if isinstance(value, Vlan):
        vlan = value if value.id or value.qos else NO_VLAN
        return {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}
    if isinstance(value, int) or value is None:  # a switch, too
        return value
    return str(value)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Field:
    """One settable field of a PF or a VF.

    ``turn`` is its place in the order of writes; VF fields have the order in which the kernel sets the parts of one
    message (net/core/rtnetlink.c:do_setvfinfo). ``reason`` says why it is set, ``off_reason`` why it is set to false.
    ``command`` is the shell command that sets it, with ``{value}`` as ``shell_value`` writes it; ``clear_command``
    where the value is None. ``example`` is a plain value, for the reference, and ``note`` what the reference adds.
    ``individual``: a value, except the fresh one, is for one VF only, such as an address.
    ``said`` puts a value of several parts into words.
    ``fresh`` is what every driver gives a VF that was just created; Unknown: that depends on the driver.
    ``disturbs`` is what the user of the VF notices ("" for nothing); of a PF's field, what all its VFs notice.
    """

    name: str
    turn: int
    keys: tuple[Key, ...]
    reason: str
    command: str
    example: Value
    shell_value: Callable[[Value], str]
    clear_command: str = ""
    fresh: Known[Value] = _BY_DRIVER
    disturbs: str = ""
    note: str = ""
    off_reason: str = ""
    individual: bool = False
    said: Callable[[Mapping[str, Value]], str] | None = None

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        """The names of the field's keys."""
        return tuple(key.name for key in self.keys)

    def why(self, after: Value) -> str:
        """Why the field is set to this value."""
        return self.off_reason if after is False and self.off_reason else self.reason

    def read(self, state: PfState | VfState) -> Known[Value]:
        """The plain value that was observed, or why it is not known. Several keys: a mapping of them."""
        if len(self.keys) == 1:
            found = getattr(state, self.name)
            return found if isinstance(found, Unknown) else plain(found)
        return together({name: getattr(state, name) for name in self.key_names})


def together(parts: Mapping[str, Any]) -> Known[Value]:
    """The plain value of a field with several keys; Unknown where one of them is."""
    for part in parts.values():
        if isinstance(part, Unknown):
            return part
    return {name: plain(part) for name, part in parts.items()}


def in_order(rows: Iterable[Field]) -> Sequence[Field]:
    """The rows in the order in which they are written."""
    return sorted(rows, key=lambda row: row.turn)
