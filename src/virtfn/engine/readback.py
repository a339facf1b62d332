"""Reading back what was written, until it reads as wanted or a deadline is over."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from virtfn.engine.interfaces import World
from virtfn.errors import VirtfnError
from virtfn.model.plan import Step, Target, Undoing, Value, Writing
from virtfn.model.value_format import say

Key: TypeAlias = tuple[Target, str]
Mismatch: TypeAlias = tuple[Value, Value | VirtfnError]
"""The wanted value, and what was read instead (or why it could not be read)."""


@dataclass(frozen=True)
class Settle:
    """How long a value may take to read back as written; it is read at least once, whatever the deadline."""

    deadline_s: float = 2.0
    pause_s: float = 0.02


def final_values(steps: tuple[Step, ...]) -> Mapping[Key, Value]:
    """What each field must read once the steps are done, without fields that something else may change at once."""
    return {
        (step.target, step.field): step.after
        for step in steps
        if step.writing is not Writing.IMPLIED and step.undoing is not Undoing.OVERWRITE
    }


def mismatches(world: World, wanted: Mapping[Key, Value]) -> Mapping[Key, Mismatch]:
    """The fields that do not read as wanted now."""
    found = world.read_all(list(wanted))
    return {
        key: (want, now)
        for (key, want), now in zip(wanted.items(), found, strict=True)
        if isinstance(now, VirtfnError) or now != want
    }


def unsettled(world: World, wanted: Mapping[Key, Value], settle: Settle) -> Mapping[Key, Mismatch]:
    """The fields that do not read as wanted by the deadline; at least one reading."""
    deadline = time.monotonic() + settle.deadline_s
    while wanted:
        wrong = mismatches(world, wanted)
        if not wrong or time.monotonic() >= deadline:
            return wrong
        wanted = {key: wanted[key] for key in wrong}
        time.sleep(settle.pause_s)
    return {}


def say_reading(now: Value | VirtfnError) -> str:
    """What was read, or why it could not be read."""
    return f"unreadable ({now})" if isinstance(now, VirtfnError) else say(now)
