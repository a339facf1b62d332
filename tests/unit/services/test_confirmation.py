"""Changes that have to be confirmed: rolled back in time by whoever is there, and nothing else meanwhile."""

from dataclasses import dataclass, field

import pytest

from virtfn.cli.events_view import EventsView
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Hooks, Transactions
from virtfn.errors import ConflictError, RollbackIncomplete, UsageError
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.services.confirmation import Confirmations, refuse_blocked
from virtfn.services.history import History
from virtfn.testing import FakeHost, MemoryJournal, field_note_host

FIRST, SECOND = (Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}") for index in (1, 2))
WITHIN_S = 60.0


@dataclass
class Rig:
    """A transaction that has to be confirmed within a minute; the journal's clock is moved by the test."""

    host: FakeHost = field(default_factory=field_note_host)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    told: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Transactions:
        return Transactions(self.host, self.journal, sink=EventsView(self.told.append), settle=Settle(0.0, 0.0))

    @property
    def confirmations(self) -> Confirmations:
        sink = EventsView(self.told.append)
        return Confirmations(self.journal, self.engine, sink=sink, report=self.logged.append)

    @property
    def plan(self) -> Plan:
        steps = (
            Step(FIRST, "mac", self.host.read(FIRST, "mac"), "fa:16:3e:00:00:77", "it is wanted"),
            Step(SECOND, "trust", before=False, after=True, reason="it is wanted"),
        )
        return Plan(HostSubject(), "two fields", steps)

    def run(self) -> Transaction:
        return self.engine.run(self.plan, Hooks(confirm_within_s=WITHIN_S))

    def tick(self, _pause_s: float = 0.0) -> None:
        self.journal.clock_s += 25.0


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_watchdog_rolls_back_what_is_not_confirmed_in_time(rig: Rig) -> None:
    before = rig.host.observe()
    number = rig.run().id
    assert rig.confirmations.watch(number, WITHIN_S, sleep=rig.tick).status is Status.ROLLED_BACK
    assert rig.host.observe() == before
    assert rig.journal.now_s() >= WITHIN_S, "not before its time"
    assert rig.logged == [f"transaction {number} (two fields) was not confirmed in time: rolled back"]


def test_a_confirmed_transaction_is_kept(rig: Rig) -> None:
    number = rig.run().id
    assert rig.confirmations.confirm().id == number
    assert rig.confirmations.watch(number, 0.0, sleep=rig.tick).status is Status.COMMITTED
    assert rig.host.read(SECOND, "trust") is True
    with pytest.raises(UsageError, match="no transaction waits"):
        rig.confirmations.confirm()


def test_the_watchdog_finishes_for_a_process_that_died(rig: Rig) -> None:
    before = rig.host.observe()
    plan = rig.plan
    entry = rig.journal.record_intent(rig.journal.begin(plan, confirm_within_s=WITHIN_S), [0])
    rig.host.write(FIRST, "mac", "fa:16:3e:00:00:77")
    assert rig.confirmations.watch(entry.id, WITHIN_S, sleep=rig.tick).status is Status.ROLLED_BACK
    assert rig.host.observe() == before


def test_a_value_that_somebody_set_meanwhile_keeps_nothing_else_from_going_back(rig: Rig) -> None:
    number = rig.run().id
    rig.host.write(FIRST, "mac", "fa:16:3e:00:00:99")
    with pytest.raises(RollbackIncomplete):
        rig.confirmations.watch(number, WITHIN_S, sleep=rig.tick)
    assert rig.host.read(SECOND, "trust") is False
    assert rig.host.read(FIRST, "mac") == "fa:16:3e:00:00:99"
    assert rig.journal.load(number).status is Status.INCOMPLETE
    assert "its rollback is incomplete" in rig.logged[0]


def test_a_watchdog_that_was_killed_is_made_up_for_by_the_next_command(rig: Rig) -> None:
    before = rig.host.observe()
    number = rig.run().id
    rig.journal.clock_s += WITHIN_S
    rig.confirmations.roll_back_overdue()
    assert rig.journal.load(number).status is Status.ROLLED_BACK
    assert rig.host.observe() == before
    assert f"transaction {number} (two fields) was not confirmed in time: rolling it back" in rig.told


def test_before_its_time_the_next_command_leaves_it_alone(rig: Rig) -> None:
    number = rig.run().id
    rig.journal.clock_s += WITHIN_S - 1
    rig.confirmations.roll_back_overdue()
    assert rig.journal.load(number).status is Status.COMMITTED


def test_what_is_overdue_while_another_process_works_is_reported(rig: Rig) -> None:
    rig.run()
    rig.journal.clock_s += WITHIN_S
    with rig.journal.lock():
        rig.confirmations.roll_back_overdue()
    assert any("was not confirmed in time: another" in line for line in rig.told)


def test_a_late_confirmation_is_refused_with_what_happened(rig: Rig) -> None:
    rig.run()
    rig.journal.clock_s += WITHIN_S
    with pytest.raises(ConflictError, match="not confirmed within 60 s"):
        rig.confirmations.confirm()
    rig.confirmations.roll_back_overdue()
    with pytest.raises(ConflictError, match=r"too late now: transaction 1 .* is rolled back"):
        rig.confirmations.confirm()


def test_a_pending_confirmation_blocks_other_changes(rig: Rig) -> None:
    spoofing = Step(SECOND, "spoofchk", before=True, after=False, reason="it is wanted")
    earlier = rig.engine.run(Plan(HostSubject(), "earlier", (spoofing,)))
    number = rig.run().id
    with pytest.raises(ConflictError, match=rf"transaction {number} .* waits to be confirmed"):
        refuse_blocked(rig.journal)
    with pytest.raises(ConflictError, match="waits to be confirmed"):
        History(rig.journal, rig.engine).rollback(earlier.id)
    rig.confirmations.confirm()
    refuse_blocked(rig.journal)


def test_it_can_be_rolled_back_before_its_time(rig: Rig) -> None:
    number = rig.run().id
    assert History(rig.journal, rig.engine).rollback(number).status is Status.ROLLED_BACK
    refuse_blocked(rig.journal)
