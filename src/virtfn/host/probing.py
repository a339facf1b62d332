"""Sends bursts of probe frames, and has each point's frames counted by the meter that was chosen for it.

Another meter (mirroring/meters) needs one more reader here; nothing above knows how a point is counted.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from virtfn.eswitch.facts import MeterName
from virtfn.host.counters import (
    CounterReader,
    read_representors,
    read_rings,
    read_vf_statistics,
    representor_of,
)
from virtfn.host.frames import FrameCapture, opened, send_frame
from virtfn.mirroring.counting import settling_s
from virtfn.mirroring.meters import CAPTURED_FRAMES
from virtfn.model.probe import NoMeter, ProbeBurst, ProbePoint, Tally


class BurstCount(Protocol):
    """A count of one burst, while it runs."""

    def collect(self, wait_s: float) -> bool:
        """Take what has arrived, wait at most ``wait_s`` for it; whether anything of the burst was new."""

    def tallies(self) -> Mapping[str, Tally]:
        """What each point has received so far, by its label."""


class MeterReader(Protocol):
    """Reads one meter."""

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with what is known of its counter now, or why it cannot be read."""

    def start(self, burst: ProbeBurst, points: Sequence[ProbePoint]) -> AbstractContextManager[BurstCount]:
        """Count this burst at these points while the block runs. Raises PermissionDenied, KernelRefused."""


READERS: Mapping[str, MeterReader] = MappingProxyType(
    {
        CAPTURED_FRAMES.name: FrameCapture(),
        MeterName.RINGS: CounterReader(read_rings),
        MeterName.VF_STATISTICS: CounterReader(read_vf_statistics),
        MeterName.REPRESENTOR: CounterReader(read_representors, representor_of),
    }
)
"""The reader of each meter, by the meter's name."""


@dataclass(frozen=True)
class Pace:
    """How fast frames are sent, and how long the last ones are waited for (all in seconds).

    Where a counter lags, ``quiet_s`` is longer by twice its lag, and the deadline, too.
    """

    gap_s: float = 0.001
    quiet_s: float = 0.2
    deadline_s: float = 5.0


class PacketProber:
    """Sends bursts with a raw socket while readers count them. Needs what the readers need."""

    def __init__(self, pace: Pace | None = None, readers: Mapping[str, MeterReader] = READERS) -> None:
        self._pace = pace or Pace()
        self._readers = readers

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with what its meter says of its counter now, or why it cannot be read. Sends nothing."""
        return self._readers[point.meter].ready(point)

    def send(self, burst: ProbeBurst) -> Mapping[str, Tally]:
        """Send the burst; what each watcher received of it, by the watcher's label.

        Ends when nothing has arrived for ``quiet_s`` after the last frame was sent, at the latest after
        ``deadline_s``. Raises PermissionDenied; KernelRefused where a netdev is gone or down.
        """

        def send_all(counts: Sequence[BurstCount]) -> None:
            with opened(burst.sender) as sender:
                for number in range(burst.count):
                    send_frame(sender, burst, number)
                    _collect(counts, self._pace.gap_s)
            self._wait_for_the_last(counts, settling_s(burst.watchers))

        return self._count(burst, send_all)

    def idle(self, burst: ProbeBurst, seconds: float) -> Mapping[str, Tally]:
        """What each watcher of the burst receives in so many seconds in which nothing of it is sent, by its label.

        Raises PermissionDenied, KernelRefused.
        """

        def wait(counts: Sequence[BurstCount]) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                _collect(counts, min(left, self._pace.quiet_s))

        return self._count(burst, wait)

    def _count(self, burst: ProbeBurst, meanwhile: Callable[[Sequence[BurstCount]], None]) -> Mapping[str, Tally]:
        with ExitStack() as stack:
            counts = [
                stack.enter_context(self._readers[meter].start(burst, points))
                for meter, points in _by_meter(burst.watchers).items()
            ]
            meanwhile(counts)
            return {label: tally for count in counts for label, tally in count.tallies().items()}

    def _wait_for_the_last(self, counts: Sequence[BurstCount], longer_s: float) -> None:
        last = start = time.monotonic()
        quiet_s, deadline_s = self._pace.quiet_s + longer_s, self._pace.deadline_s + longer_s
        while (now := time.monotonic()) < min(last + quiet_s, start + deadline_s):
            if _collect(counts, last + quiet_s - now):
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
