from dataclasses import replace

from virtfn.mirroring.meters import CAPTURED_FRAMES, CapturedFrames, meter_of
from virtfn.model.inventory import PfState, VfState
from virtfn.model.probe import NoMeter, ProbePoint, Strength
from virtfn.testing import field_note_host


class Counter:
    """A counter that every VF has."""

    name = "counter"
    strength = Strength.COUNTED

    def point(self, pf: PfState, vf: VfState) -> ProbePoint | NoMeter:
        return ProbePoint(f"{pf.label}/{vf.index}", self.name, self.strength)


def vf_2(*, reachable: bool = True, up: bool = True) -> tuple[PfState, VfState]:
    host = field_note_host()
    host.vfs[2] = replace(host.vfs[2], reachable=reachable, guest_up=up)
    pf = host.observe().pfs[0]
    return pf, pf.vfs[2]


def test_frames_that_are_seen_go_before_a_counter() -> None:
    assert meter_of(*vf_2(), (CAPTURED_FRAMES, Counter())).meter == CapturedFrames.name  # type: ignore[union-attr]


def test_each_vf_gets_the_strongest_meter_that_it_has() -> None:
    found = meter_of(*vf_2(reachable=False), (CAPTURED_FRAMES, Counter()))
    assert found == ProbePoint("p2p1/2", "counter", Strength.COUNTED)


def test_a_vf_without_a_meter_says_why_for_each() -> None:
    held, down = meter_of(*vf_2(reachable=False)), meter_of(*vf_2(up=False))
    assert isinstance(held, NoMeter)
    assert held.reason.startswith("captured-frames: no netdev is in reach (")
    assert isinstance(down, NoMeter)
    assert down.reason.endswith("is down")
