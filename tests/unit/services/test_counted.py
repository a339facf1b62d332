"""Mirrors between VFs that VMs hold: proven by counters. Whatever else a counter counts, a proof is not fooled."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.findings import ids
from tests.unit.services.rig import Rig

from virtfn.errors import GuardRefused, ProofFailed
from virtfn.model.mirror import MirrorHealth
from virtfn.model.probe import Direction, ProbeBurst, ProofReport, Strength

SOURCE_MAC, COPY_MAC = "fa:16:3e:aa:33:59", "fa:16:3e:a1:43:57"
SIBLING, COPY, SOURCE = 1, 2, 3


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """VFs 1, 2 and 3 are held by VMs."""
    made = Rig(tmp_path / "state")
    for index in (SIBLING, COPY, SOURCE):
        made.host.vfs[index] = replace(made.host.vfs[index], reachable=False)
    return made


def mirrored(rig: Rig) -> bool:
    return rig.host.vfs[COPY].mac == SOURCE_MAC


def counting(rig: Rig, rule: Callable[[int, int], int]) -> None:
    """While the mirror is in place, let counters of VFs grow by ``rule(index, frames)`` for so many frames."""
    pf = rig.host.pfs[0]
    count = pf.count
    pf.count = lambda index, frames: count(index, rule(index, frames) if mirrored(rig) else frames)  # type: ignore[method-assign]


def meanwhile(rig: Rig, frames: dict[int, int], *, in_bursts: bool = True, idle: bool = True) -> None:
    """Let VFs receive so many frames of others, in the middle of each burst, and without a burst."""

    def receive(burst: ProbeBurst | None) -> None:
        if in_bursts if burst else idle:
            for index, number in frames.items():
                rig.host.pfs[0].count(index, number)

    rig.host.meanwhile = receive


def not_proven(rig: Rig, match: str | None = None) -> ProofReport:
    before = rig.host.observe()
    with pytest.raises(ProofFailed, match=match) as caught:
        rig.add("p2p1/3", "p2p1/2")
    assert rig.host.observe() == before
    assert not rig.store.all()
    report = caught.value.report
    assert isinstance(report, ProofReport)
    assert not report.proven
    return report


def test_a_mirror_between_two_vms_is_counted_by_their_rings(rig: Rig) -> None:
    before = rig.host.observe()
    report = rig.add("p2p1/3", "p2p1/2").report
    assert (report.proven, report.strength) == (True, Strength.COUNTED)
    assert [(one.label, one.meter) for one in report.meters[:2]] == [("p2p1/3", "rings"), ("p2p1/2", "rings")]
    assert all(leg.source.frames == leg.copy.frames == leg.sent for leg in report.legs)
    assert all(leg.source.frames == leg.sent and not leg.copy.frames for leg in report.control_before)
    assert all(leg.others["p2p1/1"] == 0 for leg in report.legs)
    assert "p2p1/3: it has no netdev in reach, so what it sends is not known" in report.not_probed
    removed = rig.mirrors.remove("1").report
    assert removed.proven
    assert all(not leg.copy.frames for leg in removed.control_after)
    assert rig.host.observe() == before


def test_bursts_that_are_counted_have_sizes_drawn_at_random(rig: Rig) -> None:
    report = rig.add("p2p1/3", "p2p1/2").report
    sizes = [leg.sent for leg in report.legs]
    assert len(sizes) == 3 * 3, "three bursts each from the PF, the wire and a sibling"
    assert len(set(sizes)) > 2
    assert all(5 <= size < 256 for size in sizes)


def test_a_vf_in_a_namespace_is_seen_beside_one_that_is_counted(rig: Rig) -> None:
    rig.host.vfs[SOURCE] = replace(rig.host.vfs[SOURCE], reachable=True)
    report = rig.add("p2p1/3", "p2p1/2").report
    assert [one.meter for one in report.meters[:2]] == ["captured-frames", "rings"]
    assert report.strength is Strength.COUNTED
    assert {leg.kind for leg in report.legs} == set(Direction)


def test_little_chatter_makes_bursts_larger_and_is_no_part_of_them(rig: Rig) -> None:
    meanwhile(rig, {SOURCE: 2, COPY: 3})
    report = rig.add("p2p1/3", "p2p1/2").report
    assert report.proven
    assert min(leg.sent for leg in report.legs) >= 4 * 5
    assert {(leg.source.chatter, leg.copy.chatter) for leg in report.legs} == {(2, 3)}
    assert report.legs[0].idle.frames == {"p2p1/3": 2, "p2p1/2": 3, "p2p1/1": 0}


def test_counters_that_lag_are_read_longer_without_a_burst(rig: Rig) -> None:
    rig.host.driver = "ixgbe"
    report = rig.add("p2p1/3", "p2p1/2").report
    assert {one.meter for one in report.meters[:2]} == {"vf-statistics"}
    assert {leg.idle.seconds for leg in report.legs} == {2.0 + 2 * 2 * 2.0}


def test_too_much_chatter_for_the_ring_is_undecided_and_nothing_is_changed(rig: Rig) -> None:
    meanwhile(rig, {SOURCE: 60})
    report = not_proven(
        rig, "p2p1/3 received 60 frames in 2 s without one, and a burst must be shorter than its ring of 256"
    )
    assert report.strength is Strength.UNPROVEN
    assert not rig.transactions()


def test_a_longer_ring_bears_more_chatter(rig: Rig) -> None:
    for index in (COPY, SOURCE):
        rig.host.vfs[index] = replace(rig.host.vfs[index], ring=4096)
    meanwhile(rig, {SOURCE: 60})
    assert rig.add("p2p1/3", "p2p1/2").report.proven


def test_chatter_of_a_bystander_does_not_hinder_a_proof(rig: Rig) -> None:
    meanwhile(rig, {SIBLING: 100})
    report = rig.add("p2p1/3", "p2p1/2").report
    assert report.proven
    assert [one.label for one in report.unmetered if "100 frames in 2 s" in one.reason] == ["p2p1/1"]


@pytest.mark.parametrize("steady", [True, False], ids=["steady", "in bursts only"])
def test_chatter_as_large_as_a_burst_at_a_copy_that_gets_nothing_is_no_proof(rig: Rig, steady: bool) -> None:
    counting(rig, lambda index, frames: 0 if index == COPY else frames)
    pf, count = rig.host.pfs[0], type(rig.host.pfs[0]).count

    def receive(burst: ProbeBurst | None) -> None:
        if mirrored(rig) and (steady or burst):
            count(pf, COPY, 40)

    rig.host.meanwhile = receive
    not_proven(rig)


@pytest.mark.parametrize("always", [True, False], ids=["always", "with the mirror only"])
def test_another_prober_at_the_same_time_is_no_proof(rig: Rig, always: bool) -> None:
    """Its frames reach the source, and with the mirror the copy, too."""

    def receive(burst: ProbeBurst | None) -> None:
        if burst and (always or mirrored(rig)):
            for index in (SOURCE, COPY) if mirrored(rig) else (SOURCE,):
                rig.host.pfs[0].count(index, 20)

    rig.host.meanwhile = receive
    assert "20 more than were sent" in not_proven(rig).reasons[0]


def test_a_copy_that_gets_half_is_no_mirror(rig: Rig) -> None:
    counting(rig, lambda index, frames: frames // 2 if index == COPY else frames)
    assert "the copy got" in not_proven(rig).faults[0]


def test_a_copy_that_loses_one_frame_of_each_burst_is_no_mirror(rig: Rig) -> None:
    counting(rig, lambda index, frames: frames - 1 if index == COPY else frames)
    not_proven(rig, "the copy got")


def test_a_counter_that_lags_is_no_proof(rig: Rig) -> None:
    waiting: list[int] = [0]

    def late(index: int, frames: int) -> int:
        if index != COPY:
            return frames
        waiting.append(frames)
        return waiting.pop(0)

    counting(rig, late)
    not_proven(rig, "the copy got")


def test_a_ring_that_goes_round_within_a_burst_is_counted_right(rig: Rig) -> None:
    rig.host.pfs[0].received = {SOURCE: 254, COPY: 250}
    report = rig.add("p2p1/3", "p2p1/2").report
    assert report.proven
    assert all(leg.sent < 256 for leg in report.legs)


def test_a_ring_that_is_shorter_than_any_burst_is_undecided(rig: Rig) -> None:
    rig.host.vfs[COPY] = replace(rig.host.vfs[COPY], ring=16)
    assert "its ring of 16" in not_proven(rig).undecided


@pytest.mark.parametrize("change", [{"ring": 512}, {"reachable": True, "guest_up": False}, {}])
def test_a_vf_that_is_reset_in_the_middle_of_a_burst_is_no_proof(rig: Rig, change: dict[str, object]) -> None:
    def reset(burst: ProbeBurst | None) -> None:
        if burst and mirrored(rig):
            rig.host.vfs[COPY] = replace(rig.host.vfs[COPY], **change)  # type: ignore[arg-type]
            rig.host.pfs[0].received[COPY] = 0

    rig.host.meanwhile = reset
    with pytest.raises(ProofFailed):
        rig.add("p2p1/3", "p2p1/2")
    assert not rig.store.all()
    assert rig.host.vfs[COPY].mac == COPY_MAC


def test_frames_that_a_vm_beside_receives_too_are_no_mirror(rig: Rig) -> None:
    def flooded(burst: ProbeBurst | None) -> None:
        if burst and mirrored(rig):
            rig.host.pfs[0].count(SIBLING, burst.count)

    rig.host.meanwhile = flooded
    assert "frames went to others: p2p1/1" in not_proven(rig).faults[0]


def test_a_copy_that_still_gets_frames_after_removal_is_not_clean(rig: Rig) -> None:
    rig.add("p2p1/3", "p2p1/2")

    def leaks(burst: ProbeBurst | None) -> None:
        if burst:
            rig.host.pfs[0].count(COPY, burst.count)

    rig.host.meanwhile = leaks
    with pytest.raises(ProofFailed, match="frames say otherwise"):
        rig.mirrors.remove("1")


def test_an_unproven_mirror_is_made_where_asked_for_and_says_so(rig: Rig) -> None:
    meanwhile(rig, {SOURCE: 60})
    receipt = rig.add("p2p1/3", "p2p1/2", unproven=True)
    assert (receipt.report.proven, receipt.report.strength) == (False, Strength.UNPROVEN)
    assert "this mirror is not proven: no burst stands out from the chatter" in receipt.warnings[0]
    assert mirrored(rig)
    (mirror,) = rig.mirrors.all()
    assert mirror.status.health is MirrorHealth.UNPROVEN
    assert "60 frames" in mirror.status.findings[0].evidence[0]
    with pytest.raises(ProofFailed, match="nothing is proven"):
        rig.mirrors.prove("1")
    removed = rig.mirrors.remove("1")
    assert "no frame could show it" in removed.warnings[0]
    assert rig.host.vfs[COPY].mac == COPY_MAC


def test_without_a_meter_a_mirror_is_refused_unless_it_may_be_unproven(rig: Rig) -> None:
    rig.host.vfs[COPY] = replace(rig.host.vfs[COPY], reachable=True, driver="vfio-pci")
    before = rig.host.observe()
    with pytest.raises(GuardRefused, match="rings: no driver has set up its receive ring") as caught:
        rig.add("p2p1/3", "p2p1/2")
    assert ids(caught.value) == ["no-meter"]
    proposal = rig.propose("p2p1/3", "p2p1/2", unproven=True)
    assert [(one.id, one.severity) for one in proposal.findings] == [("unproven", "warning")]
    receipt = rig.mirrors.carry_out(proposal)
    assert "no meter at p2p1/2" in receipt.warnings[0]
    assert rig.mirrors.remove("1").warnings
    assert rig.host.observe() == before


def test_a_mirror_that_frames_disprove_is_not_made_even_unproven(rig: Rig) -> None:
    counting(rig, lambda index, frames: frames // 2 if index == COPY else frames)
    with pytest.raises(ProofFailed, match="the copy got"):
        rig.add("p2p1/3", "p2p1/2", unproven=True)
    assert not mirrored(rig)


def test_the_same_mirror_is_proven_later_only_with_a_control(rig: Rig) -> None:
    meanwhile(rig, {SOURCE: 60})
    rig.add("p2p1/3", "p2p1/2", unproven=True)
    meanwhile(rig, {})
    with pytest.raises(ProofFailed, match="there was no control before this mirror was made"):
        rig.mirrors.prove("1")


@pytest.mark.parametrize("held", [True, False], ids=["in VMs", "in namespaces"])
def test_frames_are_sent_in_the_sources_vlan(rig: Rig, held: bool) -> None:
    for index in (SIBLING, COPY, SOURCE):
        rig.host.vfs[index] = replace(rig.host.vfs[index], vlan=10, reachable=not held)
    report = rig.add("p2p1/3", "p2p1/2").report
    assert report.proven
    assert {leg.name.split(" (")[0] for leg in report.legs} == (
        {"p2p1 -> p2p1/3", "wire:w0 -> p2p1/3"}
        if held
        else {"p2p1 -> p2p1/3", "wire:w0 -> p2p1/3", "p2p1/1 -> p2p1/3", "p2p1/3 -> wire:w0"}
    )


def test_a_sibling_of_another_vlan_does_not_send(rig: Rig) -> None:
    for index in (SIBLING, COPY, SOURCE):
        rig.host.vfs[index] = replace(rig.host.vfs[index], vlan=10 if index != SIBLING else 0, reachable=True)
    report = rig.add("p2p1/3", "p2p1/2").report
    assert report.proven
    assert "a sibling VF: none in VLAN 10 has a netdev that is up and in reach" in report.not_probed
