"""Ctrl-C, SIGTERM and a lost terminal: commands that only read or ask end at once; a write is never interrupted."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLOUD_STEP = "waiting for the cloud's answer, at most for api_timeout"
_STOPPING = "stopping: finishing the current step, then rolling back"
_STILL = "still stopping: the rollback must finish, or the changes would stay incomplete"

Handler = Callable[[int, FrameType | None], object]


class Interrupts:
    """Whether the user has asked to stop: a service calls it between two steps. ``slow`` says why one takes long."""

    def __init__(self, tell: Callable[[str], None], slow: str = "") -> None:
        self._tell = tell
        self._slow = f" ({slow})" if slow else ""
        self._came = False

    def __call__(self) -> bool:
        """Whether a signal has come while it was held."""
        return self._came

    @contextmanager
    def held(self) -> Iterator[None]:
        """For code that may change something: within this context a signal ends nothing; it is reported and remembered.

        Raises KeyboardInterrupt, before anything is changed, where an earlier one was swallowed.
        """
        with _handled_by(self._remember):
            if self._came:
                raise KeyboardInterrupt
            yield

    @contextmanager
    def ending(self) -> Iterator[None]:
        """For code that only reads or asks: within this context a signal is a KeyboardInterrupt."""
        with _handled_by(self._end):
            yield

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        again, self._came = self._came, True
        self._tell(_STILL if again else _STOPPING + self._slow)


@contextmanager
def interruptible(tell: Callable[[str], None], slow: str = "") -> Iterator[Interrupts]:
    """Within this context each of these signals is a KeyboardInterrupt, except where it is ``held``."""
    stop = Interrupts(tell, slow)
    with stop.ending():
        yield stop


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
