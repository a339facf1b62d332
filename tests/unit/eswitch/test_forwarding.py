"""Who gets a frame, by family. The cases of the 82576 are what the emulated NIC was measured to do."""

from dataclasses import replace

import pytest

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import Rung, Topic
from virtfn.eswitch.forwarding import BROADCAST, FORWARDING, Frame, predict
from virtfn.eswitch.nic_state import WIRE, Family, FlowRule, NicState, PfPort, VfPort, nic_state
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import (
    EswitchMode,
    Holder,
    HolderKind,
    PfState,
    Unknown,
    VfLinkState,
    VfState,
)

PF_MAC, OUTSIDE = MacAddress.parse("02:00:00:00:00:ff"), MacAddress.parse("02:00:00:00:00:ee")
MACS = tuple(MacAddress.parse(f"02:00:00:00:00:0{index}") for index in range(4))
GROUP = MacAddress.parse("01:00:5e:00:00:09")
FAMILIES = {
    Family.IGB_82576: ("igb", "8086:10c9"),
    Family.IGB_I350: ("igb", "8086:1521"),
    Family.IXGBE: ("ixgbe", None),
    Family.I40E: ("i40e", None),
    Family.ICE: ("ice", None),
    Family.MLX5_LEGACY: ("mlx5_core", None),
    Family.SWITCHDEV: ("mlx5_core", None),
    Family.NETDEVSIM: ("netdevsim", None),
    Family.UNKNOWN: ("fancynic", None),
}


def nic(family: Family = Family.IGB_82576, *, twin: bool = False, vlans: tuple[int, ...] = (0, 0, 0, 0)) -> NicState:
    """A NIC with PF ``p`` and VFs ``p/0`` to ``p/3``; ``twin``: the filter of ``p/2`` has the MAC of ``p/3``."""
    macs = (*MACS[:2], MACS[3] if twin else MACS[2], MACS[3])
    ports = (
        VfPort(f"p/{index}", admin_mac=mac, guest_mac=mac, filters=frozenset({mac}), vlan=vlan, spoofchk=True)
        for index, (mac, vlan) in enumerate(zip(macs, vlans, strict=True))
    )
    return NicState(family, facts_of(*FAMILIES[family]), PfPort("p", PF_MAC), tuple(ports), emulated=True)


def test_every_family_has_its_function() -> None:
    assert set(FORWARDING) == set(Family)


@pytest.mark.parametrize(
    ("sender", "destination", "receivers"),
    [
        (WIRE, MACS[3], {"p/3"}),
        ("p", MACS[3], {"p/3"}),
        ("p/1", MACS[3], {"p/3"}),
        ("p/1", PF_MAC, {"p"}),
        (WIRE, PF_MAC, {"p"}),
        (WIRE, OUTSIDE, {"p"}),
        ("p/1", OUTSIDE, {WIRE}),
        ("p", OUTSIDE, {WIRE}),
        (WIRE, BROADCAST, {"p", "p/0", "p/1", "p/2", "p/3"}),
        ("p/1", BROADCAST, {"p", "p/0", "p/2", "p/3", WIRE}),
    ],
)
def test_a_frame_goes_where_its_mac_is(sender: str, destination: MacAddress, receivers: set[str]) -> None:
    found = predict(nic(), Frame(sender, destination))
    assert found.receivers == receivers
    assert not found.unknown


@pytest.mark.parametrize("sender", [WIRE, "p", "p/1"])
def test_twin_macs_both_get_the_frame_and_the_twins_own_mac_goes_elsewhere(sender: str) -> None:
    twin = nic(twin=True)
    assert predict(twin, Frame(sender, MACS[3])).receivers == {"p/2", "p/3"}
    assert predict(twin, Frame(sender, MACS[2])).receivers == ({"p"} if sender == WIRE else {WIRE})


@pytest.mark.parametrize(
    ("source_vlan", "copy_vlan", "tag", "receivers"),
    [
        (0, 0, 0, {"p/2", "p/3"}),
        (0, 0, 100, set()),
        (100, 0, 0, {"p/2"}),
        (100, 0, 100, {"p/3"}),
        (100, 100, 0, {"p"}),
        (100, 100, 100, {"p/2", "p/3"}),
        (100, 100, 200, set()),
        (100, 200, 0, {"p"}),
        (100, 200, 100, {"p/3"}),
        (100, 200, 200, {"p/2"}),
        (0, 100, 0, {"p/3"}),
        (0, 100, 100, {"p/2"}),
    ],
)
def test_vlans_cut_after_the_mac_matched(source_vlan: int, copy_vlan: int, tag: int, receivers: set[str]) -> None:
    twin = nic(twin=True, vlans=(0, 0, copy_vlan, source_vlan))
    assert predict(twin, Frame(WIRE, MACS[3], vlan=tag)).receivers == receivers


@pytest.mark.parametrize(("sender_vlan", "receivers"), [(0, set()), (100, {"p/2", "p/3"})])
def test_a_sender_inside_is_in_its_own_vlan(sender_vlan: int, receivers: set[str]) -> None:
    twin = nic(twin=True, vlans=(0, sender_vlan, 100, 100))
    assert predict(twin, Frame("p/1", MACS[3])).receivers == receivers


def test_every_decision_names_its_rule_and_evidence() -> None:
    delivery = predict(nic(twin=True), Frame(WIRE, MACS[3])).to("p/2")
    assert (delivery.receives, delivery.rule) == (True, Topic.SAME_MAC)
    assert delivery.evidence is not None
    assert delivery.evidence.rung is Rung.EMULATED
    assert "in 2 filters" in delivery.why


def test_a_vf_that_is_down_gets_nothing_and_its_twin_all() -> None:
    twin = nic(twin=True)
    down = twin.with_vf(3, replace(twin.vfs[3], up=False))
    assert predict(down, Frame(WIRE, MACS[3])).receivers == {"p/2"}


@pytest.mark.parametrize("family", [Family.IGB_82576, Family.IGB_I350, Family.IXGBE])
def test_nobody_gets_a_frame_while_the_pf_is_down(family: Family) -> None:
    down = replace(nic(family), pf=PfPort("p", PF_MAC, up=False))
    found = predict(down, Frame(WIRE, MACS[3]))
    assert (found.receivers, found.unknown) == (frozenset(), {})
    assert {one.rule for one in found.deliveries} == {Topic.PF_DOWN}


@pytest.mark.parametrize("family", [Family.I40E, Family.ICE, Family.MLX5_LEGACY])
def test_what_vfs_get_while_the_pf_is_down_is_unknown_where_nobody_measured_it(family: Family) -> None:
    down = replace(nic(family), pf=PfPort("p", PF_MAC, up=False))
    assert set(predict(down, Frame(WIRE, MACS[3])).unknown) == {"p", "p/0", "p/1", "p/2", "p/3"}


@pytest.mark.parametrize(
    ("family", "known"),
    [
        (Family.IGB_82576, True),
        (Family.ICE, True),
        (Family.MLX5_LEGACY, True),
        (Family.IGB_I350, False),
        (Family.IXGBE, False),
        (Family.I40E, False),
        (Family.UNKNOWN, False),
    ],
)
def test_twin_macs_are_predicted_only_where_the_family_is_known(family: Family, known: bool) -> None:
    found = predict(nic(family, twin=True), Frame(WIRE, MACS[3]))
    assert (found.receivers == {"p/2", "p/3"}) is known
    assert ({"p/2", "p/3"} <= set(found.unknown)) is not known


def test_the_emulated_nic_sends_spoofed_frames_and_hardware_drops_them() -> None:
    spoofed = Frame("p/1", MACS[3], source=OUTSIDE)
    assert predict(nic(), spoofed).receivers == {"p/3"}
    hardware = predict(replace(nic(), emulated=False), spoofed)
    assert (hardware.receivers, hardware.unknown) == (frozenset(), {})
    assert hardware.to("p/3").rule is Topic.SPOOF_CHECK
    assert "on hardware" in predict(replace(nic(), emulated=Unknown("not read")), spoofed).unknown["p/3"]


def test_a_spoof_check_that_is_off_lets_all_pass() -> None:
    state = nic(Family.ICE)
    off = state.with_vf(1, replace(state.vfs[1], spoofchk=False))
    assert predict(state, Frame("p/1", MACS[3], source=OUTSIDE)).receivers == frozenset()
    assert predict(off, Frame("p/1", MACS[3], source=OUTSIDE)).receivers == {"p/3"}


def test_with_a_promiscuous_pf_the_emulated_nic_floods_what_no_filter_matches() -> None:
    """QEMU's quirk, so no evidence about the chip: there it is Unknown."""
    flooded = replace(nic(twin=True), pf=PfPort("p", PF_MAC, promiscuous=True))
    found = predict(flooded, Frame("p/3", OUTSIDE))
    assert found.receivers == {WIRE, "p/0", "p/1", "p/2"}
    assert predict(flooded, Frame("p/1", MACS[3])).receivers == {"p/2", "p/3"}
    unmeasured = predict(replace(flooded, emulated=Unknown("not read")), Frame("p/3", OUTSIDE))
    assert {"p/0", "p/1", "p/2"} <= set(unmeasured.unknown)


def test_groups_that_guests_joined_are_not_known() -> None:
    assert set(predict(nic(), Frame(WIRE, GROUP)).unknown) == {"p", "p/0", "p/1", "p/2", "p/3"}


def test_a_filter_that_is_not_known_leaves_the_vf_and_who_else_would_get_it_unknown() -> None:
    state = nic()
    trusted = state.with_vf(1, replace(state.vfs[1], trust=True, unseen=Unknown("trusted")))
    found = predict(trusted, Frame(WIRE, OUTSIDE))
    assert (found.receivers, set(found.unknown)) == (frozenset(), {"p", "p/1"})
    assert found.unknown["p/1"] == "trusted"
    assert predict(trusted, Frame(WIRE, MACS[3])).receivers == {"p/3"}


@pytest.mark.parametrize(
    "change", [{"vlan": Unknown("not read")}, {"link_state": VfLinkState.DISABLE}], ids=["vlan", "link state"]
)
def test_what_may_cut_a_vf_makes_it_unknown(change: dict[str, object]) -> None:
    state = nic()
    changed = state.with_vf(3, replace(state.vfs[3], **change))  # type: ignore[arg-type]
    assert set(predict(changed, Frame(WIRE, MACS[3])).unknown) >= {"p/3"}


def test_flow_rules_decide_in_switchdev_the_first_that_matches() -> None:
    rules = (FlowRule("p/1", ("p/3", WIRE), MACS[3]), FlowRule("p/1", (WIRE,)))
    state = replace(nic(Family.SWITCHDEV), rules=rules)
    assert predict(state, Frame("p/1", MACS[3])).receivers == {"p/3", WIRE}
    assert predict(state, Frame("p/1", OUTSIDE)).receivers == {WIRE}
    missed = predict(state, Frame("p/2", OUTSIDE))
    assert (missed.receivers, missed.unknown) == (frozenset(), {})
    assert "representor" in missed.to(WIRE).why


def test_flow_rules_that_were_not_read_leave_all_unknown() -> None:
    found = predict(nic(Family.SWITCHDEV), Frame("p/1", MACS[3]))
    assert set(found.unknown) == {"p", "p/0", "p/2", "p/3", WIRE}


def test_the_simulator_forwards_nothing() -> None:
    found = predict(nic(Family.NETDEVSIM), Frame("p/1", BROADCAST))
    assert (found.receivers, found.unknown) == (frozenset(), {})


def observed(driver: str, mode: EswitchMode = EswitchMode.LEGACY, vendor_device: str = "8086:1521") -> PfState:
    return PfState(
        "0000:01:00.0", "p", driver=driver, vendor_device=vendor_device, eswitch_mode=mode, mac=PF_MAC, up=True
    )


@pytest.mark.parametrize(
    ("pf", "family"),
    [
        (observed("igb"), Family.IGB_I350),
        (observed("igb", vendor_device="8086:10c9"), Family.IGB_82576),
        (observed("ice"), Family.ICE),
        (observed("ice", EswitchMode.SWITCHDEV), Family.SWITCHDEV),
        (observed("mlx5_core"), Family.MLX5_LEGACY),
        (observed("bnxt_en"), Family.UNKNOWN),
        (observed("fancynic"), Family.UNKNOWN),
        (observed("netdevsim", EswitchMode.SWITCHDEV), Family.NETDEVSIM),
    ],
)
def test_the_family_follows_from_driver_chip_and_mode(pf: PfState, family: Family) -> None:
    assert nic_state(pf).family is family


@pytest.mark.parametrize(
    ("driver", "vf", "filters", "complete"),
    [
        ("igb", VfState(0, mac=MACS[0], trust=False), {MACS[0]}, True),
        ("igb", VfState(0, mac=MACS[0], trust=True), {MACS[0]}, False),
        ("ice", VfState(0, mac=MACS[0]), {MACS[0]}, False),
        ("igb", VfState(0, mac=MacAddress(bytes(6)), trust=False), set(), False),
        ("igb", VfState(0, mac=MACS[0], trust=True, holder=Holder(HolderKind.NOBODY)), {MACS[0]}, True),
        ("mlx5_core", VfState(0, mac=MACS[0], trust=False), set(), False),
        ("fancynic", VfState(0, mac=MACS[0], trust=False), set(), False),
    ],
)
def test_filters_are_read_as_far_as_the_pf_shows_them(
    driver: str, vf: VfState, filters: set[MacAddress], complete: bool
) -> None:
    port = nic_state(replace(observed(driver), vfs=(vf,))).vfs[0]
    assert (set(port.filters), port.unseen is None) == (filters, complete)
