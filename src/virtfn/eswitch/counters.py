"""Counters of what a VF receives: where igb's register dump has them, and what one more reading says. Pure.

Source: drivers/net/ethernet/intel/igb/igb_ethtool.c igb_get_regs (the words of the register dump), Linux 6.12.
"""

import struct
from dataclasses import dataclass, replace

from virtfn.model.inventory import Known, Unknown

_DESCRIPTOR_OCTETS = 16
_FIRST_QUEUES = 4


@dataclass(frozen=True)
class RingWords:
    """Where a queue's receive ring is in igb's register dump: the numbers of its 32-bit words."""

    length: int
    head: int

    @property
    def last(self) -> int:
        """The highest of the two."""
        return max(self.length, self.head)


@dataclass(frozen=True)
class Reading:
    """A counter at one moment. ``ring``: the number at which it starts again from 0; 0: it does not."""

    position: int
    ring: int = 0


@dataclass(frozen=True)
class FrameCount:
    """The frames that a counter has counted since its first reading. ``broken``: why this cannot be believed."""

    last: Known[Reading]
    frames: int = 0
    broken: str = ""

    def after(self, now: Known[Reading]) -> "FrameCount":
        """The count with one more reading. Less than a whole ring must have been received since the last one."""
        if self.broken:
            return self
        if isinstance(self.last, Unknown) or isinstance(now, Unknown):
            reason = (
                self.last.reason if isinstance(self.last, Unknown) else now.reason if isinstance(now, Unknown) else ""
            )
            return replace(self, broken=reason)
        if now.ring != self.last.ring:
            return replace(
                self, broken=f"its ring changed from {self.last.ring} to {now.ring} entries: the VF was reset"
            )
        step = now.position - self.last.position
        if now.ring:
            step %= now.ring
        if step < 0:
            return replace(self, broken="its counter went back: the VF was reset")
        return FrameCount(now, self.frames + step)


def ring_words(queue: int) -> RingWords:
    """The words of a queue's receive ring: RDLEN and RDH. Queues from 4 on are dumped on the 82576 only."""
    if queue < _FIRST_QUEUES:
        return RingWords(137 + queue, 141 + queue)
    return RingWords(595 + queue - _FIRST_QUEUES, 607 + queue - _FIRST_QUEUES)


def ring_of(dump: bytes, queue: int) -> Known[Reading]:
    """The receive ring's position in igb's register dump (``ethtool -d PF raw on``); VF n owns queue n.

    Unknown where no driver has set the queue up: the VF is unbound, or its netdev is down.
    """
    words = ring_words(queue)
    if len(dump) < 4 * words.last + 4:
        return Unknown(f"the driver's register dump ends before queue {queue}")
    length, head = (struct.unpack_from("=I", dump, 4 * word)[0] for word in (words.length, words.head))
    ring = length // _DESCRIPTOR_OCTETS
    if not ring:
        return Unknown("no driver has set up its receive ring")
    return Reading(head % ring, ring)
