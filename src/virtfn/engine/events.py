"""What the engine reports while it works: typed events, given to one sink. Services add their own (services/events)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from virtfn.errors import VirtfnError
from virtfn.model.plan import Plan, Step, Target, Value


class Event:
    """Base of all events. An event is a frozen dataclass of typed values; faces turn it into text."""


EventSink: TypeAlias = Callable[[Event], None]
"""Receives every event, in order. Its result is not used; what it raises stops the work, so it must not raise."""


def ignore(_event: Event) -> None:
    """The sink for callers that need no events."""


@dataclass(frozen=True)
class TransactionStarted(Event):
    """The plan is in the journal under this id; its steps begin now, or are resumed."""

    id: int
    plan: Plan


@dataclass(frozen=True)
class StepsStarted(Event):
    """The writes of these steps begin now."""

    id: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StepsDone(Event):
    """The writes of these steps have returned without an error."""

    id: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class StepsFailed(Event):
    """The write of one of these steps was refused; those before it may be done, those after it are not."""

    id: int
    steps: tuple[Step, ...]
    failure: VirtfnError

    @property
    def errno(self) -> int:
        """The kernel's error number; 0 where the refusal has none."""
        number = getattr(self.failure, "errno", 0)
        return number if isinstance(number, int) else 0


@dataclass(frozen=True)
class RollbackStarted(Event):
    """A rollback begins. ``cause``: the failure that made it necessary, None where it was requested."""

    id: int
    plan: Plan
    cause: BaseException | None = None


@dataclass(frozen=True)
class RestoredValue:
    """A field that read ``before`` and has been written back to ``after``."""

    target: Target
    field: str
    before: Value
    after: Value


@dataclass(frozen=True)
class ValuesRestored(Event):
    """These fields were written back at once, without an error; they are read back after it."""

    id: int
    values: tuple[RestoredValue, ...]


@dataclass(frozen=True)
class JournalFailed(Event):
    """A record of a rollback could not be written; the rollback continues."""

    id: int
    failure: VirtfnError
