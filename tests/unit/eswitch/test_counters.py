import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtfn.eswitch.counters import FrameCount, Reading, ring_of
from virtfn.model.inventory import Unknown

RDLEN, RDH = {0: 137, 3: 140, 4: 595, 6: 597}, {0: 141, 3: 144, 4: 607, 6: 609}


def dump(words: dict[int, int]) -> bytes:
    """A register dump of igb with these words, all else 0."""
    return b"".join(struct.pack("=I", words.get(number, 0)) for number in range(739))


@pytest.mark.parametrize("queue", RDH)
def test_the_ring_of_a_vf_is_that_of_its_queue(queue: int) -> None:
    assert ring_of(dump({RDLEN[queue]: 1024 * 16, RDH[queue]: 77}), queue) == Reading(77, 1024)


def test_a_vf_that_no_driver_has_set_up_is_unknown_and_not_0() -> None:
    assert ring_of(dump({}), 2) == Unknown("no driver has set up its receive ring")


def test_a_dump_that_ends_early_is_unknown() -> None:
    assert isinstance(ring_of(dump({})[: 4 * 600], 5), Unknown)


@given(start=st.integers(0, 255), steps=st.lists(st.integers(0, 255), max_size=20))
def test_a_ring_is_counted_across_its_end(start: int, steps: list[int]) -> None:
    count = FrameCount(Reading(start, 256))
    position = start
    for step in steps:
        position += step
        count = count.after(Reading(position % 256, 256))
    assert (count.frames, count.broken) == (sum(steps), "")


@pytest.mark.parametrize(
    ("readings", "why"),
    [
        ([Reading(5, 256), Reading(0, 512)], "its ring changed from 256 to 512"),
        ([Reading(5, 256), Unknown("no driver has set up its receive ring")], "no driver has set up"),
        ([Unknown("gone"), Reading(5, 256)], "gone"),
        ([Reading(50), Reading(3)], "went back"),
    ],
)
def test_a_counter_that_was_reset_is_not_believed_from_then_on(readings: list[Reading | Unknown], why: str) -> None:
    count = FrameCount(readings[0]).after(readings[1])
    assert why in count.broken
    assert count.after(Reading(60, 256)) == count
