from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtfn.mirroring.counting import (
    BurstSizes,
    Undecidable,
    allowance,
    believed,
    burst_sizes,
    counter_tally,
    watched,
)
from virtfn.model.addresses import MacAddress
from virtfn.model.probe import Counter, IdleControl, ProbePoint, ProbePoints, Strength


def point(label: str, ring: int = 256) -> ProbePoint:
    return ProbePoint(label, "rings", Strength.COUNTED, counter=Counter("p2p1", int(label[-1]), ring))


def points(ring: int = 256) -> ProbePoints:
    mac = MacAddress.parse("fa:16:3e:aa:33:59")
    return ProbePoints(point("p2p1/3", ring), point("p2p1/2", ring), mac, (), (), (point("p2p1/1", ring),))


def idle(**frames: int) -> IdleControl:
    return IdleControl(2.0, {f"p2p1/{label[-1]}": count for label, count in frames.items()})


@given(ring=st.sampled_from([0, 128, 256, 1024, 4096]), chatter=st.integers(0, 300), frames=st.integers(1, 10_000))
def test_a_burst_is_shorter_than_the_ring_far_above_the_chatter_and_hard_to_guess(
    ring: int, chatter: int, frames: int
) -> None:
    found = burst_sizes(points(ring), idle(vf3=chatter), frames)
    if isinstance(found, Undecidable):
        assert ring
        return
    allowed = allowance(idle(vf3=chatter), "p2p1/3")
    assert found.lowest >= 4 * (allowed + 1)
    assert found.highest - found.lowest >= 16 * (allowed + 1)
    assert not ring or found.highest + allowed < ring


def test_where_frames_are_seen_at_both_one_burst_of_the_wanted_size_is_enough() -> None:
    seen = replace(points(), source=replace(point("p2p1/3"), counter=None), copy=replace(point("p2p1/2"), counter=None))
    assert burst_sizes(seen, idle(), 20) == BurstSizes(20, 20, 1)


def test_a_counter_that_broke_without_a_burst_is_undecidable() -> None:
    broken = IdleControl(2.0, {}, {"p2p1/2": "its counter went back: the VF was reset"})
    found = burst_sizes(points(), broken, 20)
    assert found == Undecidable("p2p1/2 cannot be counted by rings: its counter went back: the VF was reset")


@pytest.mark.parametrize("control", [idle(vf1=50), IdleControl(2.0, {}, {"p2p1/1": "the VF was reset"})])
def test_a_bystander_that_cannot_be_counted_is_named_and_not_watched(control: IdleControl) -> None:
    found = watched(points(), control, BurstSizes(20, 84, 3))
    assert found.watchers == ()
    assert [one.label for one in found.unmetered] == ["p2p1/1"]


@given(count=st.integers(40, 500), frames=st.integers(0, 600), chatter=st.integers(0, 8))
def test_only_nothing_or_a_whole_burst_is_believed_beside_chatter(count: int, frames: int, chatter: int) -> None:
    allowed = allowance(idle(vf1=chatter), "p2p1/1")
    found = believed(counter_tally(count, frames), allowed)
    assert found.whole == (count <= frames <= count + allowed)
    assert (found.frames == 0) == (frames <= allowed)
    assert found.frames + found.chatter == frames


def test_without_chatter_every_frame_counts() -> None:
    assert not believed(counter_tally(20, 21), 0).whole
    assert believed(counter_tally(20, 1), 0).frames == 1
