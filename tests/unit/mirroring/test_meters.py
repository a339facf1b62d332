from dataclasses import replace

import pytest

from virtfn.eswitch.facts import MeterName
from virtfn.mirroring.meters import CAPTURED_FRAMES, CapturedFrames, DriverCounter, meter_of
from virtfn.model.inventory import EswitchMode, PfState, VfState
from virtfn.model.probe import Counter, NoMeter, ProbePoint, Strength
from virtfn.testing import FakeHost, FakeVf, field_note_host


class OneCounter:
    """A counter that every VF has."""

    name = "counter"
    strength = Strength.COUNTED

    def point(self, pf: PfState, vf: VfState) -> ProbePoint | NoMeter:
        return ProbePoint(f"{pf.label}/{vf.index}", self.name, self.strength)


def as_it_is(point: ProbePoint) -> ProbePoint:
    return point


def vf_2(*, reachable: bool = True, up: bool = True) -> tuple[PfState, VfState]:
    host = field_note_host()
    host.vfs[2] = replace(host.vfs[2], reachable=reachable, guest_up=up)
    pf = host.observe().pfs[0]
    return pf, pf.vfs[2]


def test_frames_that_are_seen_go_before_a_counter() -> None:
    assert meter_of(*vf_2(), as_it_is, (CAPTURED_FRAMES, OneCounter())).meter == CapturedFrames.name  # type: ignore[union-attr]


def test_each_vf_gets_the_strongest_meter_that_it_has() -> None:
    found = meter_of(*vf_2(reachable=False), as_it_is, (CAPTURED_FRAMES, OneCounter()))
    assert found == ProbePoint("p2p1/2", "counter", Strength.COUNTED)


def test_a_vf_without_a_meter_says_why_for_each() -> None:
    held, down = (meter_of(*found, as_it_is, (CAPTURED_FRAMES,)) for found in (vf_2(reachable=False), vf_2(up=False)))
    assert isinstance(held, NoMeter)
    assert held.reason.startswith("captured-frames: no netdev is in reach (")
    assert isinstance(down, NoMeter)
    assert down.reason.endswith("is down")


METERED = [("igb", "rings"), ("ixgbe", "vf-statistics"), ("i40e", "vf-statistics"), ("ice", "vf-statistics")]


@pytest.mark.parametrize(("driver", "meter"), METERED)
def test_a_vf_that_a_vm_holds_is_counted_where_its_driver_is_known_to(driver: str, meter: str) -> None:
    host = field_note_host()
    host.driver = driver
    host.vfs[2] = replace(host.vfs[2], reachable=False)
    pf = host.observe().pfs[0]
    found = meter_of(pf, pf.vfs[2], as_it_is)
    assert isinstance(found, ProbePoint)
    assert (found.meter, found.strength) == (meter, Strength.COUNTED)


@pytest.mark.parametrize("driver", ["bnxt_en", "netdevsim", "fancynic"])
def test_a_counter_that_a_driver_is_not_known_to_fill_is_no_meter(driver: str) -> None:
    host = field_note_host()
    host.driver = driver
    host.vfs[2] = replace(host.vfs[2], reachable=False)
    pf = host.observe().pfs[0]
    found = meter_of(pf, pf.vfs[2], as_it_is)
    assert isinstance(found, NoMeter)
    assert f"vf-statistics: the driver {driver} is not known to fill it" in found.reason


def test_an_i350_has_rings_of_its_first_four_vfs_only() -> None:
    host = FakeHost((FakeVf("fa:16:3e:00:00:01", reachable=False),) * 6)
    host.pfs[0].vendor_device = "8086:1521"
    pf = host.observe().pfs[0]
    found = [meter_of(pf, vf, as_it_is) for vf in pf.vfs]
    assert [isinstance(one, ProbePoint) for one in found] == [True] * 4 + [False] * 2


def test_a_representor_counts_in_switchdev_mode_only() -> None:
    host = FakeHost((FakeVf("fa:16:3e:00:00:01", reachable=False),), driver="mlx5_core")
    pf = host.observe().pfs[0]
    representor = DriverCounter(MeterName.REPRESENTOR)
    assert isinstance(representor.point(pf, pf.vfs[0]), NoMeter)
    found = representor.point(replace(pf, eswitch_mode=EswitchMode.SWITCHDEV), pf.vfs[0])
    assert isinstance(found, ProbePoint)
    assert found.counter == Counter("p2p1", 0, lag_s=1.0)


def test_a_meter_that_cannot_be_read_now_is_passed_over() -> None:
    pf, vf = vf_2()
    found = meter_of(pf, vf, lambda point: NoMeter(point.label, "not now"), (CAPTURED_FRAMES, OneCounter()))
    assert found == NoMeter("p2p1/2", "captured-frames: not now; counter: not now")
