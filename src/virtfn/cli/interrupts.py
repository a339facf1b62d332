"""Ctrl-C, SIGTERM and a lost terminal become a flag, looked at between steps, so that no write is cut in two."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(tell: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Within this context a signal does not kill; the yielded function says whether one has come."""
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if not came:
            tell("stopping: the step at work is finished, then all is put back")
        came.append(number)

    before = {number: signal.signal(number, remember) for number in _SIGNALS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
