"""The order in which VFs get their MACs, so that no two VFs ever have the same MAC. Pure.

Some drivers refuse a MAC that another VF has (ice from 47ebc7b02485 until it was taken out again), and on others both
VFs would get the frames. So a VF releases its MAC before another one gets it. In a cycle (two VFs that swap), one of
them has no MAC for a moment: every driver accepts all zero, which removes the MAC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from virtfn.model.fields import NO_MAC
from virtfn.model.plan import Value

Key = TypeVar("Key")


@dataclass(frozen=True)
class Move:
    """A VF's MAC before (None: it has none that counts) and after (None: it is not changed)."""

    before: Value
    after: Value


@dataclass(frozen=True)
class Turns(Generic[Key]):
    """The order of the VFs, and those that release their MAC first."""

    order: tuple[Key, ...]
    parked: tuple[Key, ...]


def take_turns(moves: Mapping[Key, Move]) -> Turns[Key]:
    """The VFs in the given order, except where one must wait until another releases a MAC. Visits each VF once."""
    holders: dict[Value, list[Key]] = {}
    for key, move in moves.items():
        if move.after is not None and move.before != NO_MAC:
            holders.setdefault(move.before, []).append(key)
    order: dict[Key, None] = {}
    parked: list[Key] = []
    for key in moves:
        _after_those_in_its_way(key, moves, holders, order, parked)
    return Turns(tuple(order), tuple(parked))


def _after_those_in_its_way(
    first: Key,
    moves: Mapping[Key, Move],
    holders: Mapping[Value, list[Key]],
    order: dict[Key, None],
    parked: list[Key],
) -> None:
    """Put ``first`` into the order, after those that it must wait for."""
    waiting = {first: None} if first not in order else {}
    while waiting:
        key = next(reversed(waiting))
        wanted = holders.get(moves[key].after, ())
        in_its_way = next((one for one in wanted if one != key and one not in order and one not in parked), None)
        if in_its_way is None:
            order[key] = waiting.pop(key)
        elif in_its_way in waiting:
            parked.append(in_its_way)
        else:
            waiting[in_its_way] = None
