"""In which order VFs get their MACs, so that no MAC is at two VFs at any moment. Pure.

Some drivers refuse a MAC that another VF has (ice from 47ebc7b02485 until it was taken out again), and on others both
VFs would get the frames. So a VF gives its MAC up before another one takes it; where they wait for each other in a ring
(two VFs that swap), one of them is without a MAC for a moment: all zero is taken by every driver, and lifts the MAC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from virtfn.model.plan import Value

Key = TypeVar("Key")
NO_MAC = "00:00:00:00:00:00"


@dataclass(frozen=True)
class Move:
    """A VF's MAC before (None: it has none that counts) and after (None: it is not changed)."""

    before: Value
    after: Value


@dataclass(frozen=True)
class Turns(Generic[Key]):
    """The order of the VFs, and those that give up their MAC before all else."""

    order: tuple[Key, ...]
    parked: tuple[Key, ...]


def take_turns(moves: Mapping[Key, Move]) -> Turns[Key]:
    """The VFs in the order given, except where one has to wait for another to give up a MAC."""
    waiting = dict(moves)
    held = {key: move.before for key, move in moves.items() if move.after is not None and move.before != NO_MAC}
    order: list[Key] = []
    parked: list[Key] = []
    while waiting:
        ready = next((key for key in waiting if not _blocked(key, waiting[key].after, held)), None)
        if ready is None:
            in_the_way = next(key for key in held if _wanted_by_another(key, held[key], waiting))
            parked.append(in_the_way)
            del held[in_the_way]
            continue
        order.append(ready)
        held.pop(ready, None)
        del waiting[ready]
    return Turns(tuple(order), tuple(parked))


def _blocked(key: Key, wanted: Value, held: Mapping[Key, Value]) -> bool:
    return wanted is not None and any(mac == wanted for other, mac in held.items() if other != key)


def _wanted_by_another(key: Key, mac: Value, waiting: Mapping[Key, Move]) -> bool:
    return any(move.after == mac for other, move in waiting.items() if other != key)
