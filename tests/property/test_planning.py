"""Laws of planning: what holds for every host and every spec, on the fake host with the real engine."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from virtfn.engine.batches import batches
from virtfn.engine.events import ignore
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.errors import KernelRefused
from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import ModeChange
from virtfn.eswitch.limits import limits_on
from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.fields import PF_FIELDS, VF_FIELDS, is_individual
from virtfn.model.finding import refusals
from virtfn.model.inventory import EswitchMode, Inventory, Unknown, VfLinkState, Vlan, VlanProtocol
from virtfn.model.plan import Plan, Target, Value, Writing
from virtfn.planning.host.diff import diff
from virtfn.planning.host.guards import GUARDS, HostDependencies, guard_findings
from virtfn.planning.host.plan import plan_host
from virtfn.testing import FakeHost, FakePf, FakeVf, MemoryJournal
from virtfn.testing.fake_pf import OTHER_FIELDS

DRIVERS = ("igb", "ixgbe", "i40e", "ice", "mlx5_core", "bnxt_en", "netdevsim")
MACS = [f"02:00:00:00:00:{number:02x}" for number in range(1, 9)]
NO_MAC = "00:00:00:00:00:00"
QUIET = HostDependencies()
LAWS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def others(driver: str) -> dict[str, st.SearchStrategy[Any]]:
    """The fields on which no frame depends, of those that the driver takes."""
    rows = [VF_FIELDS[name] for name in OTHER_FIELDS]
    return {
        row.name: st.booleans() if isinstance(row.example, bool) else st.sampled_from([row.fresh, row.example])
        for row in rows
        if takes(driver, row.name, row.example)
    }


def takes(driver: str, field: str, value: Value) -> bool:
    return not any(limits_on(driver, field, value, mode=mode) for mode in EswitchMode)


LINKS = st.sampled_from(list(VfLinkState))
VLANS = st.builds(
    Vlan,
    st.sampled_from([0, 0, 100, 200]),
    st.sampled_from([0, 3]),
    st.sampled_from([VlanProtocol.C_TAG, VlanProtocol.C_TAG, VlanProtocol.S_TAG]),
)


@st.composite
def fake_vfs(draw: st.DrawFn, driver: str, mac: str, *, used: bool) -> FakeVf:
    vlan = draw(VLANS)
    if not takes(driver, "vlan", {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}) or not vlan.id:
        vlan = Vlan()
    link = draw(LINKS)
    simulated = driver == "netdevsim"
    low = draw(st.sampled_from([0, 100]))
    low = low if takes(driver, "rate", {"min_tx_rate_mbps": low, "max_tx_rate_mbps": 500}) else 0
    fast = takes(driver, "rate", {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 500})
    return FakeVf(
        mac,
        vlan=vlan.id,
        qos=vlan.qos,
        protocol=vlan.protocol,
        trust=draw(st.booleans()) if takes(driver, "trust", True) else False,
        spoofchk=draw(st.booleans()) if takes(driver, "spoofchk", True) else driver != "mlx5_core",
        link_state=link if takes(driver, "link_state", str(link)) else VfLinkState.AUTO,
        min_tx_rate_mbps=low,
        max_tx_rate_mbps=draw(st.sampled_from([0, 500])) if fast else 0,
        settings={name: draw(values) for name, values in others(driver).items()},
        driver=None if simulated else draw(st.sampled_from(["native", None, "vfio-pci"])),
        place=draw(st.sampled_from(["host", "vm"])) if used else "host",
        reachable=simulated or not used or draw(st.booleans()),
    )


@st.composite
def hosts(draw: st.DrawFn, *, used: bool = False) -> FakeHost:
    macs = draw(st.permutations(MACS))
    pfs = []
    for number in range(draw(st.integers(1, 2))):
        driver = draw(st.sampled_from(DRIVERS))
        facts = facts_of(driver)
        assert facts is not None
        mine = macs[number * 4 : number * 4 + draw(st.integers(0, 4))]
        modes = [EswitchMode.LEGACY]
        if facts.mode_change is not ModeChange.UNSUPPORTED:
            modes.append(EswitchMode.SWITCHDEV)
        pfs.append(
            FakePf(
                [draw(fake_vfs(driver, draw(st.sampled_from([mac, mac, NO_MAC])), used=used)) for mac in mine],
                driver,
                device=f"0000:0{number + 1}:00.0",
                name=f"p{number}",
                mac=f"a0:36:9f:00:00:0{number}",
                mtu=draw(st.sampled_from([1500, 9000])),
                up=draw(st.booleans()),
                autoprobe=draw(st.booleans()),
                eswitch_mode=draw(st.sampled_from(modes)),
                refuses_twins=draw(st.booleans()),
            )
        )
    return FakeHost(pfs=tuple(pfs))


def maybe(wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(UNSET), st.just(UNSET), wanted)


@st.composite
def desired_vfs(draw: st.DrawFn, driver: str, macs: list[str]) -> DesiredVf:
    vlan = draw(maybe(VLANS))
    if isinstance(vlan, Vlan) and not takes(
        driver, "vlan", {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}
    ):
        vlan = UNSET
    link = draw(maybe(LINKS))
    floor = takes(driver, "rate", {"min_tx_rate_mbps": 1, "max_tx_rate_mbps": 0})
    rates = takes(driver, "rate", {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 1})
    wanted: dict[str, Any] = {
        "mac": draw(maybe(st.sampled_from([*macs, NO_MAC]).map(MacAddress.parse))),
        "vlan": vlan,
        "spoofchk": draw(maybe(st.booleans())) if takes(driver, "spoofchk", True) else UNSET,
        "trust": draw(maybe(st.booleans())) if takes(driver, "trust", True) else UNSET,
        "link_state": link if link is UNSET or takes(driver, "link_state", str(link)) else UNSET,
        "min_tx_rate_mbps": draw(maybe(st.sampled_from([0, 50]))) if floor and rates else UNSET,
        "max_tx_rate_mbps": draw(maybe(st.sampled_from([0, 800]))) if rates else UNSET,
        **{name: draw(maybe(values)) for name, values in others(driver).items()},
        "driver": draw(maybe(st.sampled_from(["native", None, "vfio-pci"]))) if driver != "netdevsim" else UNSET,
    }
    return DesiredVf(**wanted)


@st.composite
def desired_for(draw: st.DrawFn, host: FakeHost) -> DesiredHost:
    """A spec that fits the host: VFs that will be there, no MAC twice, only what the drivers take."""
    free = list(draw(st.permutations(MACS)))
    entries = []
    for pf in host.pfs:
        facts = facts_of(pf.driver)
        switched = facts is not None and facts.mode_change is not ModeChange.UNSUPPORTED
        num_vfs = draw(maybe(st.integers(0, 4)))
        count = num_vfs if isinstance(num_vfs, int) else len(pf.vfs)
        vfs = []
        for index in draw(st.lists(st.integers(0, count - 1), unique=True) if count else st.just([])):
            wanted = draw(desired_vfs(pf.driver, free))
            if isinstance(wanted.mac, MacAddress) and str(wanted.mac) in free:
                free.remove(str(wanted.mac))
            vfs.append((index, wanted))
        modes = st.sampled_from([EswitchMode.LEGACY, EswitchMode.SWITCHDEV])
        own: dict[str, Any] = {
            "num_vfs": num_vfs,
            "mtu": draw(maybe(st.sampled_from([1500, 9000]))),
            "up": draw(maybe(st.booleans())),
            "promisc": draw(maybe(st.booleans())),
            "eswitch_mode": draw(maybe(modes)) if switched else UNSET,
            "autoprobe": draw(maybe(st.booleans())),
            "vfs": tuple(vfs),
            "each": shared_by_all(draw(desired_vfs(pf.driver, [NO_MAC]))),
        }
        entries.append(DesiredPf(PfMatch(pci=PciAddress.parse(pf.device)), **own))
    return DesiredHost(tuple(entries))


def shared_by_all(wanted: DesiredVf) -> DesiredVf:
    """Without values that are for one VF only, such as a GUID."""
    return replace(wanted, **{key: UNSET for key, value in vars(wanted).items() if is_individual(key, value)})


def planned(desired: DesiredHost, host: FakeHost) -> Plan:
    observed = host.observe()
    return plan_host(diff(desired, observed), observed)


def engine(host: FakeHost) -> Transactions:
    return Transactions(host, MemoryJournal(), sink=ignore, settle=Settle(0.0, 0.0))


def facts(inventory: Inventory) -> object:
    """All that a plan can change, without what only a netdev has."""
    return [
        (
            pf.device,
            [row.read(pf) for row in PF_FIELDS.values()],
            [[row.read(vf) for row in VF_FIELDS.values()] for vf in pf.vfs],
        )
        for pf in inventory.pfs
    ]


def reachable(plan: Plan, host: FakeHost) -> bool:
    """Whether only a person's word stands against the plan: nothing refuses it for good, no MAC is given twice."""
    return not any(
        one.id in ("mac-twice", "too-many-vfs", "unsupported-value")
        for one in guard_findings(plan, host.observe(), QUIET)
    )


@st.composite
def rings(draw: st.DrawFn) -> tuple[FakeHost, DesiredHost]:
    """VFs of one or two PFs that are to take each other's MACs; the drivers refuse a MAC that is at another VF."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
    before = draw(st.permutations([*MACS, NO_MAC, NO_MAC]))[: sum(sizes)]
    after = draw(st.permutations(before))
    pfs, entries, first = [], [], 0
    for number, size in enumerate(sizes):
        driver = draw(st.sampled_from(["ice", "igb", "i40e"]))
        device = f"0000:0{number + 1}:00.0"
        vfs = [FakeVf(mac, place="host") for mac in before[first : first + size]]
        pfs.append(FakePf(vfs, driver, device=device, name=f"p{number}", refuses_twins=True))
        wanted = tuple((index, DesiredVf(mac=MacAddress.parse(after[first + index]))) for index in range(size))
        count: Any = draw(st.sampled_from([UNSET, UNSET, size, 4]))
        entries.append(DesiredPf(PfMatch(pci=PciAddress.parse(device)), num_vfs=count, vfs=wanted))
        first += size
    return FakeHost(pfs=tuple(pfs)), DesiredHost(tuple(entries))


@st.composite
def turns(draw: st.DrawFn) -> tuple[FakeHost, DesiredHost]:
    """PFs whose eswitch mode changes, each with a driver that wants something else of the VFs."""
    host = draw(hosts())
    entries = []
    for pf in host.pfs:
        facts = facts_of(pf.driver)
        if facts is None or facts.mode_change is ModeChange.UNSUPPORTED:
            continue
        mode = next(mode for mode in (EswitchMode.SWITCHDEV, EswitchMode.LEGACY) if mode is not pf.eswitch_mode)
        num_vfs: Any = draw(maybe(st.integers(0, 4)))
        entries.append(DesiredPf(PfMatch(pci=PciAddress.parse(pf.device)), num_vfs=num_vfs, eswitch_mode=mode))
    assume(entries)
    return host, DesiredHost(tuple(entries))


def general(draw: st.DrawFn) -> tuple[FakeHost, DesiredHost]:
    host = draw(hosts())
    return host, draw(desired_for(host))


CASES = st.one_of(st.composite(general)(), rings(), turns())
"""Hosts with the specs wanted of them, and often enough those in which the order matters most."""


@LAWS
@given(CASES)
def test_after_applying_a_plan_nothing_differs(case: tuple[FakeHost, DesiredHost]) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(reachable(plan, host))
    engine(host).run(plan)
    assert diff(desired, host.observe()) == ()


@LAWS
@given(CASES)
def test_applying_twice_changes_nothing(case: tuple[FakeHost, DesiredHost]) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(reachable(plan, host))
    engine(host).run(plan)
    assert planned(desired, host).is_empty


class FailingHost(FakeHost):
    """Refuses one write; ``late``: after it was done."""

    def fail_at(self, number: int, *, late: bool) -> None:
        self.left, self.late = number, late

    def write(self, target: Target, field: str, value: Value) -> None:
        if not hasattr(self, "left") or self.left < 0:
            return super().write(target, field, value)
        self.left -= 1
        if self.left >= 0:
            return super().write(target, field, value)
        if self.late:
            super().write(target, field, value)
        raise KernelRefused("Input/output error (EIO)", errno=5)


def copied(host: FakeHost) -> FailingHost:
    return FailingHost(pfs=tuple(replace(pf, vfs=list(pf.vfs)) for pf in host.pfs))


@LAWS
@given(CASES, st.booleans())
def test_whichever_write_fails_the_host_is_as_before(case: tuple[FakeHost, DesiredHost], late: bool) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(not plan.is_empty and reachable(plan, host))
    writes = [step for step in plan.steps if step.writing is not Writing.IMPLIED]
    before = facts(host.observe())
    for number in range(len(writes)):
        trial = copied(host)
        trial.fail_at(number, late=late)
        with pytest.raises(KernelRefused):
            engine(trial).run(plan)
        assert facts(trial.observe()) == before, f"after write {number} failed: {plan.steps}"


@LAWS
@given(CASES)
def test_a_committed_plan_can_be_rolled_back(case: tuple[FakeHost, DesiredHost]) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(reachable(plan, host))
    before = facts(host.observe())
    transactions = engine(host)
    transactions.rollback(transactions.run(plan))
    assert facts(host.observe()) == before


@LAWS
@given(CASES, st.data())
def test_what_was_cut_short_anywhere_can_be_carried_on(case: tuple[FakeHost, DesiredHost], data: st.DataObject) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(not plan.is_empty and reachable(plan, host))
    cut = data.draw(st.sampled_from(list(batches(plan.steps, range(len(plan.steps))))))
    written = data.draw(st.integers(cut[0], cut[-1] + 1))
    for step in plan.steps[:written]:
        if step.writing is not Writing.IMPLIED:
            host.write(step.target, step.field, step.after)
    journal = MemoryJournal()
    begun = journal.record_intent(journal.begin(plan), range(cut[-1] + 1))
    died = journal.record_done(begun, range(cut[0]))
    Transactions(host, journal, sink=ignore, settle=Settle(0.0, 0.0)).resume(died)
    assert diff(desired, host.observe()) == ()


@LAWS
@given(st.data())
def test_no_plan_destroys_a_vf_in_use_unless_forced(data: st.DataObject) -> None:
    host = data.draw(hosts(used=True))
    desired = data.draw(desired_for(host))
    plan = planned(desired, host)
    refused = refusals(guard_findings(plan, host.observe(), QUIET), frozenset(GUARDS) - {"vf-in-use"})
    assume(not refused and reachable(plan, host))
    engine(host).run(plan)
    lost = [vf for pf in host.pfs for vf in pf.destroyed]
    assert not [vf for vf in lost if not vf.reachable or (vf.place == "vm" and vf.driver == "native")]


@LAWS
@given(st.data(), st.integers(0, 1000))
def test_the_order_of_keys_and_of_differences_does_not_matter(data: st.DataObject, seed: int) -> None:
    host = data.draw(hosts())
    desired = data.draw(desired_for(host))
    random = Random(seed)
    entries = [replace(pf, vfs=tuple(random.sample(pf.vfs, len(pf.vfs)))) for pf in desired.pfs]
    shuffled = DesiredHost(tuple(random.sample(entries, len(entries))))
    observed = host.observe()
    differences = list(diff(shuffled, observed))
    random.shuffle(differences)
    assert diff(shuffled, observed) == diff(desired, observed)
    assert plan_host(differences, observed) == planned(desired, host)


@LAWS
@given(CASES)
def test_no_mac_is_at_two_vfs_of_the_plan_at_any_moment(case: tuple[FakeHost, DesiredHost]) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(reachable(plan, host))

    def watch(action: str, target: Target, field: str, value: Value) -> None:
        if action == "write" and field == "mac" and value != NO_MAC:
            there = [vf.mac for pf in host.pfs for index, vf in enumerate(pf.vfs) if _ref(pf, index) != target.id]
            assert value not in there

    host.hook = watch
    engine(host).run(plan)


@LAWS
@given(CASES)
def test_unnamed_fields_of_surviving_vfs_stay_as_they_are(case: tuple[FakeHost, DesiredHost]) -> None:
    host, desired = case
    plan = planned(desired, host)
    assume(reachable(plan, host))
    before = host.observe()
    engine(host).run(plan)
    after = host.observe()
    for entry in desired.pfs:
        pf, left = before.pf(str(entry.match.pci)), after.pf(str(entry.match.pci))
        assert pf is not None
        assert left is not None
        for vf in pf.vfs[: len(left.vfs)]:
            now = left.vf(vf.index)
            assert now is not None
            own = dict(entry.vfs).get(vf.index, DesiredVf())
            for field in ("mac", "spoofchk", "trust", "link_state", "driver"):
                named = getattr(own, field) is not UNSET or getattr(entry.each, field) is not UNSET
                known = not isinstance(getattr(vf, field), Unknown)
                assert named or not known or getattr(vf, field) == getattr(now, field), field


def _ref(pf: FakePf, index: int) -> str:
    return str(VfRef(pf.device, index))
