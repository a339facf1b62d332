"""Sends bursts of probe frames, and has each point's frames counted by the meter that was chosen for it.

Another meter (mirroring/meters) needs one more reader here; nothing above knows how a point is counted.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from virtfn.host.frames import FrameCapture, opened, send_frame
from virtfn.mirroring.meters import CAPTURED_FRAMES
from virtfn.model.probe import ProbeBurst, ProbePoint, Tally


class BurstCount(Protocol):
    """A count of one burst, while it runs."""

    def collect(self, wait_s: float) -> bool:
        """Take what has arrived, wait at most ``wait_s`` for it; whether anything of the burst was new."""

    def tallies(self) -> Mapping[str, Tally]:
        """What each point has received so far, by its label."""


class MeterReader(Protocol):
    """Reads one meter."""

    def start(self, burst: ProbeBurst, points: Sequence[ProbePoint]) -> AbstractContextManager[BurstCount]:
        """Count this burst at these points while the block runs. Raises PermissionDenied, KernelRefused."""


READERS: Mapping[str, MeterReader] = MappingProxyType({CAPTURED_FRAMES.name: FrameCapture()})
"""The reader of each meter, by the meter's name."""


@dataclass(frozen=True)
class Pace:
    """How fast frames are sent, and how long the last ones are waited for (all in seconds)."""

    gap_s: float = 0.001
    quiet_s: float = 0.2
    deadline_s: float = 5.0


class PacketProber:
    """Sends bursts with a raw socket while readers count them. Needs what the readers need."""

    def __init__(self, pace: Pace | None = None, readers: Mapping[str, MeterReader] = READERS) -> None:
        self._pace = pace or Pace()
        self._readers = readers

    def send(self, burst: ProbeBurst) -> Mapping[str, Tally]:
        """Send the burst; what each watcher received of it, by the watcher's label.

        Ends when nothing has arrived for ``quiet_s`` after the last frame was sent, at the latest after
        ``deadline_s``. Raises PermissionDenied; KernelRefused where a netdev is gone or down.
        """
        with ExitStack() as stack:
            counts = [
                stack.enter_context(self._readers[meter].start(burst, points))
                for meter, points in _by_meter(burst.watchers).items()
            ]
            sender = stack.enter_context(opened(burst.sender))
            for number in range(burst.count):
                send_frame(sender, burst, number)
                _collect(counts, self._pace.gap_s)
            self._wait_for_the_last(counts)
            return {label: tally for count in counts for label, tally in count.tallies().items()}

    def _wait_for_the_last(self, counts: Sequence[BurstCount]) -> None:
        last = start = time.monotonic()
        while (now := time.monotonic()) < min(last + self._pace.quiet_s, start + self._pace.deadline_s):
            if _collect(counts, last + self._pace.quiet_s - now):
                last = time.monotonic()


def _collect(counts: Sequence[BurstCount], wait_s: float) -> bool:
    """Let every count take what has arrived, all together within ``wait_s``; whether anything was new."""
    found = [count.collect(wait_s / len(counts)) for count in counts]
    return any(found)


def _by_meter(points: Sequence[ProbePoint]) -> Mapping[str, list[ProbePoint]]:
    found: dict[str, list[ProbePoint]] = {}
    for point in points:
        found.setdefault(point.meter, []).append(point)
    return found
