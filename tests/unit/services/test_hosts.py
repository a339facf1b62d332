import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.findings import ids

from virtfn.cli.events_view import EventsView
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.errors import (
    ConflictError,
    GuardRefused,
    Interrupted,
    KernelRefused,
    PermissionDenied,
    SpecError,
    UsageError,
    VerifyFailed,
    VirtfnError,
)
from virtfn.journal.files import FileJournal
from virtfn.model.desired import DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.inventory import Inventory, Vlan
from virtfn.model.plan import Target, Value
from virtfn.model.proposal import HostRequest, Proposal, WaitPolicy
from virtfn.model.transaction import Status
from virtfn.planning.host.guards import HostDependencies
from virtfn.services.history import History
from virtfn.services.host_state import HostService, StartWatchdog
from virtfn.testing import FakeHost, FakeVf

FREE = FakeVf("fa:16:3e:00:00:01", reachable=True)


def host_of(count: int = 4) -> FakeHost:
    return FakeHost(tuple(FakeVf(f"fa:16:3e:00:00:{number:02x}") for number in range(count)))


class LatePf(FakeHost):
    """A host whose PF appears after so many looks. ``looks`` counts them."""

    def __init__(self, after: float) -> None:
        super().__init__(tuple(FakeVf(f"fa:16:3e:00:00:{number:02x}") for number in range(4)))
        self.after = after
        self.looks = 0

    def observe(self) -> Inventory:
        self.looks += 1
        found = super().observe()
        return found if self.looks > self.after else replace(found, pfs=())


def desired(num_vfs: int | None = None, **vfs: DesiredVf) -> DesiredHost:
    entries = tuple((int(name.removeprefix("vf")), one) for name, one in vfs.items())
    pf = DesiredPf(PfMatch(name="p2p1"), vfs=entries)
    return DesiredHost((pf if num_vfs is None else replace(pf, num_vfs=num_vfs),))


def _no_watchdog(_number: int, _within_s: float) -> None:
    """Starts nothing: nobody rolls back but the test."""


@dataclass
class Rig:
    state: Path
    host: FakeHost = field(default_factory=host_of)
    boot_id: str = "boot-1"
    host_dependencies: HostDependencies = field(default_factory=HostDependencies)
    cancelled: bool = False
    told: list[str] = field(default_factory=list)
    start_watchdog: StartWatchdog = _no_watchdog

    @property
    def journal(self) -> FileJournal:
        return FileJournal(self.state, self.boot_id)

    @property
    def engine(self) -> Transactions:
        return Transactions(
            self.host,
            self.journal,
            sink=EventsView(self.told.append),
            cancelled=lambda: self.cancelled,
            settle=Settle(0.0, 0.0),
        )

    @property
    def hosts(self) -> HostService:
        return HostService(self.host, self.journal, self.engine, lambda: self.host_dependencies, self.start_watchdog)

    @property
    def records(self) -> History:
        return History(self.journal, self.engine)

    def propose(self, wanted: DesiredHost) -> Proposal[HostRequest]:
        return self.hosts.propose(HostRequest(wanted))

    def apply(self, wanted: DesiredHost, *forced: str) -> int:
        guards = frozenset(forced)
        receipt = self.hosts.carry_out(self.propose(wanted), forced=guards)
        assert receipt.id is not None
        return receipt.id


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "state")


TWO_FIELDS = desired(vf1=DesiredVf(spoofchk=False, trust=True))


def test_apply_does_what_the_spec_names_and_nothing_else(rig: Rig) -> None:
    before = rig.host.observe().pfs[0].vfs
    rig.apply(TWO_FIELDS)
    after = rig.host.observe().pfs[0].vfs
    assert after[1] == replace(before[1], spoofchk=False, trust=True)
    assert [after[0], *after[2:]] == [before[0], *before[2:]]


def test_applying_twice_changes_nothing_and_begins_no_transaction(rig: Rig) -> None:
    rig.apply(TWO_FIELDS)
    again = rig.propose(TWO_FIELDS)
    assert again.is_empty
    assert rig.hosts.carry_out(again).id is None
    assert len(rig.records.all()) == 1


def test_verify_names_what_differs(rig: Rig) -> None:
    found = rig.hosts.differences(TWO_FIELDS)
    assert {one.field for one in found} == {"spoofchk", "trust"}
    assert {(one.finding.id, one.finding.what) for one in found} == {
        ("drift", f"{one.field} of {one.target} is not as declared") for one in found
    }
    rig.apply(TWO_FIELDS)
    assert rig.hosts.differences(TWO_FIELDS) == ()


def test_rollback_restores_the_last_transaction(rig: Rig) -> None:
    before = rig.host.observe()
    number = rig.apply(TWO_FIELDS)
    assert rig.records.rollback().id == number
    assert rig.host.observe() == before
    with pytest.raises(UsageError, match="nothing is left to undo"):
        rig.records.rollback(number)
    with pytest.raises(UsageError, match="no transaction to roll back"):
        rig.records.rollback()


def test_new_number_of_vfs_comes_back_with_all_their_fields(rig: Rig) -> None:
    rig.host.vfs[2] = replace(rig.host.vfs[2], vlan=100, trust=True)
    before = rig.host.observe()
    with pytest.raises(GuardRefused) as caught:
        rig.apply(desired(num_vfs=6))
    names = set(ids(caught.value))
    assert "vf-count" in names
    rig.apply(desired(num_vfs=6), "vf-count", "vf-in-use")
    assert len(rig.host.observe().pfs[0].vfs) == 6
    rig.records.rollback()
    restored = rig.host.observe().pfs[0].vfs
    wanted = before.pfs[0].vfs
    assert [(vf.mac, vf.vlan, vf.trust, vf.spoofchk) for vf in restored] == [
        (vf.mac, vf.vlan, vf.trust, vf.spoofchk) for vf in wanted
    ]


def test_a_plan_made_before_somebody_else_came_is_not_begun(rig: Rig) -> None:
    proposal = rig.propose(TWO_FIELDS)
    rig.host.vfs[1] = replace(rig.host.vfs[1], trust=True)
    with pytest.raises(ConflictError, match="was off when the plan was made"):
        rig.hosts.carry_out(proposal)
    assert rig.records.all() == ()


def test_what_was_proposed_is_what_runs(rig: Rig) -> None:
    proposal = rig.propose(TWO_FIELDS)
    receipt = rig.hosts.carry_out(proposal)
    assert receipt.plan is proposal.plan
    assert rig.records.load(1).plan == proposal.plan


def test_a_proposal_that_would_restore_a_value_of_then_is_refused(rig: Rig) -> None:
    """What recreated VFs get back is no precondition of any step: it would be lost without a word."""
    proposal = rig.propose(desired(num_vfs=6))
    rig.host.vfs[2] = replace(rig.host.vfs[2], vlan=100)
    before = rig.host.observe()
    with pytest.raises(ConflictError, match="the host has changed since the plan was made: p2p1/2 vlan"):
        rig.hosts.carry_out(proposal, forced=frozenset({"vf-count", "vf-in-use"}))
    assert (rig.host.observe(), rig.records.all()) == (before, ())


def test_a_proposal_for_a_pf_that_is_gone_is_refused(rig: Rig) -> None:
    proposal = rig.propose(TWO_FIELDS)
    rig.host = LatePf(math.inf)
    with pytest.raises(ConflictError, match="the host has changed since the plan was made: No PF"):
        rig.hosts.carry_out(proposal)
    assert rig.records.all() == ()


def test_waiting_ends_when_the_pf_is_there(rig: Rig) -> None:
    rig.host = LatePf(2)
    assert len(rig.hosts.propose(HostRequest(TWO_FIELDS), wait=WaitPolicy(60.0, 0.0)).plan.steps) == 2


def test_a_pf_that_does_not_come_is_an_error_at_the_deadline(rig: Rig) -> None:
    rig.host = LatePf(math.inf)
    with pytest.raises(SpecError, match="No PF"):
        rig.hosts.propose(HostRequest(TWO_FIELDS), wait=WaitPolicy(0.0, 0.0))


@pytest.mark.parametrize("late", [False, True], ids=["the PF is there", "another PF is not there yet"])
def test_a_fault_that_waiting_does_not_cure_is_raised_at_once(rig: Rig, late: bool) -> None:
    rig.host = host = LatePf(0)
    too_high = desired(vf9=DesiredVf(trust=True))
    absent = (DesiredPf(PfMatch(name="ens9f9"), up=True),) if late else ()
    with pytest.raises(SpecError, match="9"):
        rig.hosts.propose(HostRequest(DesiredHost((*too_high.pfs, *absent))), wait=WaitPolicy(60.0, 0.0))
    assert host.looks == 1


def test_an_unfinished_transaction_stands_in_the_way_until_resumed_or_rolled_back(rig: Rig) -> None:
    plan = rig.propose(TWO_FIELDS).plan
    entry = rig.journal.record_intent(rig.journal.begin(plan), [0])
    rig.host.write(plan.steps[0].target, plan.steps[0].field, plan.steps[0].after)
    with pytest.raises(ConflictError, match="is open"):
        rig.apply(desired(vf2=DesiredVf(trust=True)))
    assert rig.records.resume().id == entry.id
    assert rig.hosts.differences(TWO_FIELDS) == ()
    assert rig.records.load(entry.id).status is Status.COMMITTED


def test_a_value_that_somebody_set_since_is_not_rolled_back(rig: Rig) -> None:
    rig.apply(desired(vf1=DesiredVf(vlan=Vlan(100))), "vf-in-use")
    rig.host.vfs[1] = replace(rig.host.vfs[1], vlan=7)
    with pytest.raises(ConflictError, match="another program has changed this since"):
        rig.records.rollback()
    assert rig.host.vfs[1].vlan == 7
    assert rig.records.all()[0].status is Status.COMMITTED, "nothing was begun, so nothing is unfinished"


def test_a_driver_that_lies_is_found_and_everything_goes_back(rig: Rig) -> None:
    before = rig.host.observe()

    class Liar(FakeHost):
        def write(self, target: Target, field: str, value: Value) -> None:
            if field != "trust":
                super().write(target, field, value)

    rig.host = Liar(tuple(rig.host.vfs))
    with pytest.raises(VerifyFailed, match="trust reads off, written was on") as caught:
        rig.apply(TWO_FIELDS)
    assert any("igb" in note for note in caught.value.__notes__)
    assert rig.host.observe() == before


def test_ctrl_c_before_the_first_write_changes_nothing(rig: Rig) -> None:
    before, rig.cancelled = rig.host.observe(), True
    with pytest.raises(Interrupted):
        rig.apply(TWO_FIELDS)
    assert rig.host.observe() == before


@pytest.mark.parametrize("number", [16, 1, 95, 19, 90])
def test_any_kernel_error_at_any_write_restores_the_host(tmp_path: Path, number: int) -> None:
    """EBUSY, EPERM, EOPNOTSUPP, ENODEV, EMSGSIZE."""
    wanted = desired(
        num_vfs=5, vf0=DesiredVf(trust=True), vf1=DesiredVf(spoofchk=False, vlan=Vlan(5)), vf4=DesiredVf(trust=True)
    )
    tried = 0
    for at in range(100):
        rig = Rig(tmp_path / f"{at}")
        before, writes = facts(rig.host.observe()), 0

        def fail(action: str, target: Target, field: str, value: Value, at: int = at) -> None:
            nonlocal writes
            if action == "write":
                writes += 1
                if writes == at + 1:
                    raise KernelRefused("no", where=target.label, errno=number)

        rig.host.hook = fail
        try:
            rig.apply(wanted, "vf-count", "vf-in-use")
        except VirtfnError:
            tried += 1
        else:
            break
        rig.host.hook = None
        if rig.records.all()[-1].status is not Status.ROLLED_BACK:
            rig.records.rollback()
        assert facts(rig.host.observe()) == before
    assert tried >= 8


def facts(inventory: Inventory) -> list[tuple[object, ...]]:
    """What a rollback restores: netdevs of VFs that were recreated are other ones."""
    return [(vf.index, vf.mac, vf.vlan, vf.spoofchk, vf.trust, vf.driver) for vf in inventory.pfs[0].vfs]


def test_a_pf_with_the_default_route_is_guarded(rig: Rig) -> None:
    rig.host_dependencies = HostDependencies(default_route_netdevs=frozenset({"p2p1"}))
    wanted = DesiredHost((DesiredPf(PfMatch(name="p2p1"), up=False),))
    assert "default-route" in [one.id for one in rig.propose(wanted).findings]


def test_a_spec_for_another_host_says_what_there_is(rig: Rig) -> None:
    with pytest.raises(SpecError, match="ens9f9"):
        rig.propose(DesiredHost((DesiredPf(PfMatch(name="ens9f9"), where="host.yaml:3"),)))


def test_a_reboot_in_the_middle_closes_the_transaction_honestly(rig: Rig) -> None:
    """Every prefix of the journal that a power cut can leave, read after the next boot."""
    rig.apply(TWO_FIELDS)
    path = rig.state / "journal" / "0001.jsonl"
    whole = path.read_bytes()
    head = whole.index(b"\n", whole.index(b"\n") + 1) + 1  # header and plan are there whole, or the file is not
    for length in range(head, len(whole) + 1, 7):
        path.write_bytes(whole[:length])
        rig.boot_id = "boot-2"
        (entry,) = rig.records.all()
        assert entry.status is Status.ENDED
        rig.boot_id = "boot-1"
        (entry,) = rig.records.all()
        assert entry.status in (Status.OPEN, Status.COMMITTED)


def test_a_watcher_that_cannot_be_started_leaves_nothing_begun(rig: Rig) -> None:
    before = rig.host.observe()

    def fail(_number: int, _within_s: float) -> None:
        raise KernelRefused("no more processes", errno=11)

    rig.start_watchdog = fail
    with pytest.raises(KernelRefused):
        rig.hosts.carry_out(rig.propose(TWO_FIELDS), confirm_within_s=60.0)
    assert rig.host.observe() == before
    assert rig.records.all()[0].status is Status.ROLLED_BACK


def test_a_guard_that_is_not_overridden_refuses_before_anything_is_begun(rig: Rig) -> None:
    proposal = rig.propose(desired(num_vfs=6))
    with pytest.raises(GuardRefused):
        rig.hosts.carry_out(proposal, forced=frozenset({"vf-in-use"}))
    assert rig.records.all() == ()


def test_a_guard_that_finds_something_only_after_the_proposal_refuses(rig: Rig) -> None:
    hosts = rig.hosts
    proposal = hosts.propose(HostRequest(DesiredHost((DesiredPf(PfMatch(name="p2p1"), up=False),))))
    rig.host_dependencies = HostDependencies(default_route_netdevs=frozenset({"p2p1"}))
    with pytest.raises(GuardRefused, match="default route"):
        hosts.carry_out(proposal, forced=frozenset({"vf-in-use"}))
    assert rig.records.all() == ()


def test_a_user_who_cannot_read_the_journal_can_still_plan(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionDenied("the journal cannot be written or read (Permission denied)")

    monkeypatch.setattr(FileJournal, "committed", refuse)
    assert not rig.propose(TWO_FIELDS).is_empty
