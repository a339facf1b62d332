from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtfn.mirroring.meters import CAPTURED_FRAMES
from virtfn.mirroring.proof import (
    FRAME_LENGTH,
    burst_of,
    frame,
    judge_control,
    judge_mirror,
    leg_of,
    probe_paths,
    recognise,
    report,
    tally,
)
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Vlan, VlanProtocol
from virtfn.model.probe import Caught, Counter, Direction, Endpoint, Leg, ProbeBurst, ProbePoints, Strength, Tally

MACS = [MacAddress.parse(f"fa:16:3e:00:00:{number:02x}") for number in range(5)]
PF, WIRE, SOURCE, COPY, OTHER = (
    Endpoint(label, netns, netdev, mac)
    for (label, netns, netdev), mac in zip(
        [
            ("p2p1", "", "p2p1"),
            ("wire", "wire", "w0"),
            ("p2p1/3", "vm3", "eth0"),
            ("p2p1/2", "vm2", "eth0"),
            ("p2p1/1", "vm1", "eth0"),
        ],
        MACS,
        strict=True,
    )
)
POINTS = ProbePoints(
    CAPTURED_FRAMES.at(SOURCE),
    CAPTURED_FRAMES.at(COPY),
    SOURCE.mac,
    senders=(PF, WIRE),
    receivers=(WIRE,),
    watchers=tuple(map(CAPTURED_FRAMES.at, (PF, WIRE, OTHER))),
)
OTHER_POINT = CAPTURED_FRAMES.at(OTHER)
BURST = burst_of(POINTS, probe_paths(POINTS)[0], b"nonce-01", 6)


def all_of(burst: ProbeBurst) -> tuple[Caught, ...]:
    return tuple(Caught(number, True) for number in range(burst.count))


def test_a_frame_has_64_octets_and_is_recognised_as_sent() -> None:
    octets = frame(BURST, 4)
    assert len(octets) == FRAME_LENGTH
    assert octets[:6] == SOURCE.mac.octets
    assert octets[12:14] == b"\x88\xb5"
    assert recognise(BURST, octets) == Caught(4, True)


def test_a_vlan_tag_is_seen_in_the_frame_and_beside_it() -> None:
    octets = frame(BURST, 1)
    tagged = octets[:12] + b"\x81\x00\x20\x64" + octets[12:]
    assert recognise(BURST, tagged) == Caught(1, True, vlan=100)
    assert recognise(BURST, octets, vlan=100) == Caught(1, True, vlan=100)


def test_frames_of_another_burst_are_not_ours() -> None:
    assert recognise(replace(BURST, nonce=b"nonce-02"), frame(BURST, 1)) is None
    assert recognise(BURST, b"") is None


@given(number=st.integers(0, 5), place=st.integers(34, FRAME_LENGTH - 1), flip=st.integers(1, 255))
def test_any_altered_octet_behind_the_head_is_seen(number: int, place: int, flip: int) -> None:
    octets = bytearray(frame(BURST, number))
    octets[place] ^= flip
    found = recognise(BURST, bytes(octets))
    assert found is not None
    assert not found.intact


@given(st.binary(max_size=80))
def test_no_octets_break_the_reader(octets: bytes) -> None:
    recognise(BURST, octets)
    recognise(BURST, frame(BURST, 0)[:34] + octets)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 1, 2], Tally(frames=3)),
        ([], Tally(missing=3)),
        ([0, 2], Tally(frames=2, missing=1)),
        ([0, 1, 1, 2], Tally(frames=4, duplicates=1)),
        ([0, 2, 1], Tally(frames=3, out_of_order=1)),
    ],
)
def test_a_tally_counts_what_is_wrong(numbers: list[int], expected: Tally) -> None:
    assert tally(3, [Caught(number, True) for number in numbers]) == expected


def test_an_altered_frame_counts_as_missing_and_altered() -> None:
    assert tally(2, [Caught(0, True), Caught(1, False)]) == Tally(frames=2, missing=1, altered=1)


@given(st.lists(st.integers(0, 9), max_size=30))
def test_whole_means_exactly_once_each_in_order(numbers: list[int]) -> None:
    whole = tally(10, [Caught(number, True) for number in numbers]).whole
    assert whole == (numbers == list(range(10)))


def test_the_sender_does_not_watch_itself() -> None:
    assert "p2p1" not in [point.label for point in BURST.watchers]


def leg(caught: dict[str, tuple[Caught, ...]], path: int = 0) -> Leg:
    tallies = {point.label: tally(BURST.count, caught.get(point.label, ())) for point in BURST.watchers}
    return leg_of(POINTS, probe_paths(POINTS)[path], BURST, tallies)


def test_a_mirror_is_all_frames_at_both_and_none_elsewhere() -> None:
    good = leg({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)})
    assert judge_mirror(good).fault == ""
    assert report(POINTS, "twin-mac", legs=[judge_mirror(good)]).proven


@pytest.mark.parametrize(
    ("caught", "fault"),
    [
        ({"p2p1/3": all_of(BURST)}, "the copy got 0 of 6"),
        ({"p2p1/2": all_of(BURST)}, "the source got 0 of 6"),
        ({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)[1:]}, "the copy got 5 of 6"),
        ({"p2p1/3": all_of(BURST), "p2p1/2": (*all_of(BURST), Caught(5, True))}, "1 twice"),
        ({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)[::-1]}, "out of order"),
        (
            {"p2p1/3": all_of(BURST), "p2p1/2": tuple(replace(one, vlan=7) for one in all_of(BURST))},
            "with another VLAN tag",
        ),
        ({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST), "p2p1/1": all_of(BURST)[:1]}, "p2p1/1 got 1"),
    ],
)
def test_anything_less_is_not_proven(caught: dict[str, tuple[Caught, ...]], fault: str) -> None:
    judged = judge_mirror(leg(caught))
    assert fault in judged.fault
    assert not report(POINTS, "twin-mac", legs=[judged]).proven


def test_a_control_with_one_frame_at_the_copy_is_not_clean() -> None:
    judged = judge_control(leg({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)[:1]}))
    assert "with no mirror in place" in judged.fault


def test_frames_from_the_source_must_arrive_but_need_not_be_copied() -> None:
    sent = leg({"wire": all_of(BURST)}, path=2)
    assert sent.kind is Direction.FROM_SOURCE
    assert judge_mirror(sent).fault == ""
    assert "the addressee got 0 of 6" in judge_mirror(leg({}, path=2)).fault


def test_directions_name_only_what_the_copy_got_whole() -> None:
    both = {"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)}
    legs = [judge_mirror(leg(both)), judge_mirror(leg({"wire": all_of(BURST)}, path=2))]
    assert report(POINTS, "twin-mac", legs=legs).directions == ("to source",)


def test_no_leg_to_the_source_proves_nothing() -> None:
    found = report(POINTS, "twin-mac", legs=[judge_mirror(leg({"wire": all_of(BURST)}, path=2))])
    assert not found.proven
    assert "nothing is proven" in found.faults[0]


def test_a_mirror_of_both_directions_must_copy_what_the_source_sends() -> None:
    sent = leg({"wire": all_of(BURST)}, path=2)
    assert "the copy got 0 of 6" in judge_mirror(sent, tuple(Direction)).fault


def test_a_direction_that_was_not_probed_is_not_proven() -> None:
    both = replace(POINTS, directions=tuple(Direction))
    found = report(both, "any", legs=[judge_mirror(leg({"p2p1/3": all_of(BURST), "p2p1/2": all_of(BURST)}))])
    assert found.faults == ("no frame could be sent from source: nothing is proven",)


def test_a_source_without_a_netdev_in_reach_sends_nothing() -> None:
    held = replace(POINTS, source=replace(POINTS.source, meter="rings", strength=Strength.COUNTED, endpoint=None))
    assert {path.kind for path in probe_paths(held)} == {Direction.TO_SOURCE}


def test_a_report_names_its_meters_and_is_as_strong_as_the_weaker_of_source_and_copy() -> None:
    counted = replace(POINTS, copy=replace(POINTS.copy, meter="rings", strength=Strength.COUNTED))
    found = report(counted, "twin-mac", legs=[])
    assert found.strength is Strength.COUNTED
    assert [point.meter for point in found.meters[:3]] == ["captured-frames", "rings", "captured-frames"]
    assert report(POINTS, "twin-mac", legs=[]).strength is Strength.SEEN


def test_a_frame_carries_the_senders_tag_and_is_recognised_with_it() -> None:
    tagged = replace(BURST, sender=replace(PF, vlan=Vlan(10)))
    octets = frame(tagged, 2)
    assert octets[12:16] == b"\x81\x00\x00\x0a"
    assert recognise(tagged, octets) == Caught(2, True, vlan=10)
    assert frame(replace(BURST, sender=replace(PF, vlan=Vlan(10, 0, VlanProtocol.S_TAG))), 2)[12:14] == b"\x88\xa8"


def test_frames_must_carry_the_tag_that_they_should_have_there() -> None:
    caught = [Caught(number, True, vlan=10) for number in range(3)]
    assert tally(3, caught, 10).whole
    assert tally(3, caught).tagged == tally(3, [replace(one, vlan=None) for one in caught], 10).tagged == 3


def test_a_count_that_broke_is_a_fault_wherever_it_is() -> None:
    counted = replace(OTHER_POINT, meter="rings", strength=Strength.COUNTED, endpoint=None, counter=Counter("p2p1", 1))
    points = replace(POINTS, watchers=(counted,))
    whole = tally(BURST.count, all_of(BURST))
    tallies = {"p2p1/3": whole, "p2p1/2": whole, "p2p1/1": Tally(missing=6, broken="the VF was reset")}
    judged = judge_mirror(leg_of(points, probe_paths(points)[0], BURST, tallies))
    assert judged.fault == "p2p1/1 was not counted: the VF was reset"


def test_what_is_undecided_is_not_proven_and_no_fault() -> None:
    found = report(POINTS, "twin-mac", legs=[], undecided="too much chatter")
    assert (found.proven, found.faults, found.reasons) == (False, (), ("too much chatter",))
    assert found.strength is Strength.UNPROVEN
