"""What writes change in a VF's filter, by the driver's row."""

from dataclasses import replace

import pytest

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.forwarding import Frame, predict
from virtfn.eswitch.nic_state import WIRE, Family, NicState, PfPort, VfPort
from virtfn.eswitch.transitions import after, after_guest_write, after_vf_write, after_write, vf_bound
from virtfn.model.addresses import MacAddress
from virtfn.model.plan import Step, Target

OWN, OTHER, GUESTS = (MacAddress.parse(f"02:00:00:00:00:0{number}") for number in (1, 2, 3))
ZERO = MacAddress(bytes(6))
PF, VF, NETDEV = (
    Target("pf", "0000:01:00.0", "p"),
    Target("vf", "0000:01:00.0/0", "p/0"),
    Target("netdev", "vm0:eth0", ""),
)


def port(mac: MacAddress = OWN, *, trust: bool = False, guest: MacAddress | None = None) -> VfPort:
    own = guest or mac
    filters = frozenset({own if mac.is_zero else mac})
    return VfPort("p/0", "vm0:eth0", admin_mac=mac, guest_mac=own, filters=filters, trust=trust)


def nic(vf: VfPort, driver: str = "igb", family: Family = Family.IGB_82576) -> NicState:
    return NicState(family, facts_of(driver), PfPort("p", ZERO), (vf,), emulated=True)


@pytest.mark.parametrize(
    ("driver", "filters", "guest_mac"),
    [
        ("igb", {OTHER}, OWN),
        ("ixgbe", {OTHER}, OWN),
        ("i40e", {OTHER}, OTHER),
        ("ice", {OTHER}, OTHER),
        ("mlx5_core", {OWN}, OWN),
        ("bnxt_en", {OWN}, OWN),
    ],
)
def test_an_admin_mac_changes_the_filter_at_once_with_a_reset_or_not(
    driver: str, filters: set[MacAddress], guest_mac: MacAddress
) -> None:
    vf = after_vf_write(facts_of(driver), port(), "mac", str(OTHER))
    assert (vf.admin_mac, set(vf.filters), vf.guest_mac) == (OTHER, filters, guest_mac)


def test_what_an_unknown_driver_does_is_unknown_afterwards() -> None:
    vf = after_vf_write(None, port(), "mac", str(OTHER))
    assert (vf.filters, vf.unseen is None) == (frozenset(), False)


def test_filters_that_a_guest_added_stay_when_the_admin_mac_changes() -> None:
    vf = replace(port(), filters=frozenset({OWN, GUESTS}))
    assert after_vf_write(facts_of("igb"), vf, "mac", str(OTHER)).filters == {OTHER, GUESTS}


@pytest.mark.parametrize(
    ("driver", "trust", "filters", "guest_mac"),
    [
        ("igb", False, {OWN}, OWN),
        ("igb", True, {GUESTS}, GUESTS),
        ("mlx5_core", False, {GUESTS}, GUESTS),
        ("ice", True, {GUESTS}, GUESTS),
    ],
)
def test_a_guest_changes_its_filter_where_the_driver_lets_it(
    driver: str, trust: bool, filters: set[MacAddress], guest_mac: MacAddress
) -> None:
    vf = after_guest_write(facts_of(driver), port(trust=trust), "guest_mac", str(GUESTS))
    assert (set(vf.filters), vf.guest_mac) == (filters, guest_mac)


def test_a_guest_without_an_admin_mac_chooses_its_filter() -> None:
    assert after_guest_write(facts_of("igb"), port(ZERO), "mac", str(GUESTS)).filters == {GUESTS}


@pytest.mark.parametrize(("trust", "mac"), [(False, OTHER), (True, OWN)])
def test_a_reset_of_an_igbvf_guest_takes_the_admin_mac_or_writes_its_own_back(trust: bool, mac: MacAddress) -> None:
    """With trust on, this is what ends a mirror when the copy's guest reboots."""
    state = after_write(nic(port(trust=trust)), VF, "mac", str(OTHER))
    for up in (False, True):
        state = after_write(state, NETDEV, "up", up)
    assert (set(state.vfs[0].filters), state.vfs[0].guest_mac, state.vfs[0].admin_mac) == ({mac}, mac, mac)


@pytest.mark.parametrize("trust", [False, True])
def test_taking_an_igb_down_and_up_resets_its_vfs(trust: bool) -> None:
    state = after_write(nic(port(trust=trust)), VF, "mac", str(OTHER))
    for up in (False, True):
        state = after_write(state, PF, "up", up)
    assert state.vfs[0].guest_mac == (OWN if trust else OTHER)


def test_taking_the_pf_down_and_up_leaves_filters_unknown_where_nobody_measured_it() -> None:
    state = nic(port(), "ice", Family.ICE)
    for up in (False, True):
        state = after_write(state, PF, "up", up)
    assert state.vfs[0].unseen is not None


@pytest.mark.parametrize(("driver", "filters"), [("igb", {OTHER}), ("ixgbe", set()), ("i40e", {OTHER})])
def test_trust_resets_the_vf_where_the_driver_does_so(driver: str, filters: set[MacAddress]) -> None:
    """What a trusted VF of an ixgbe has after its reset is not known."""
    vf = replace(port(), admin_mac=OTHER, filters=frozenset({OTHER}))
    changed = after_vf_write(facts_of(driver), vf, "trust", True)
    assert (changed.trust, set(changed.filters), changed.unseen is None) == (True, filters, False)


def test_a_driver_that_is_bound_takes_the_admin_mac() -> None:
    assert vf_bound(facts_of("igb"), port(OTHER, guest=GUESTS)).guest_mac == OTHER
    assert vf_bound(facts_of("igb"), port(ZERO, guest=GUESTS)).guest_mac == GUESTS


def test_a_plans_steps_predict_who_gets_what_when_it_is_done() -> None:
    second = replace(port(OTHER), label="p/1", netdev="vm1:eth0")
    before = replace(nic(port()), vfs=(port(), second))
    steps = (
        Step(Target("vf", "0000:01:00.0/1", "p/1"), "mac", str(OTHER), str(OWN), ""),
        Step(VF, "vlan", {"id": 0}, {"id": 100, "qos": 0, "protocol": "802.1Q"}, ""),
        Step(Target("vf", "0000:02:00.0/1", "q/1"), "mac", str(OWN), str(OTHER), ""),
    )
    assert predict(before, Frame(WIRE, OWN)).receivers == {"p/0"}
    assert predict(after(before, steps[:1]), Frame(WIRE, OWN)).receivers == {"p/0", "p/1"}
    assert predict(after(before, steps), Frame(WIRE, OWN)).receivers == {"p/1"}
