"""Rolling back where somebody else has set one of the fields meanwhile."""

import pytest

from virtfn.engine.events import ignore
from virtfn.engine.readback import Settle
from virtfn.engine.rollback import Foreign
from virtfn.engine.transaction import Transactions
from virtfn.errors import ConflictError, RollbackIncomplete
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status, Transaction
from virtfn.testing import FakeHost, MemoryJournal, field_note_host

FIRST, SECOND = (Target("vf", f"0000:01:00.0/{index}", f"p2p1/{index}") for index in (1, 2))


@pytest.fixture
def host() -> FakeHost:
    return field_note_host()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def engine(host: FakeHost, journal: MemoryJournal) -> Transactions:
    return Transactions(host, journal, sink=ignore, settle=Settle(0.0, 0.0))


@pytest.fixture
def contested(host: FakeHost, engine: Transactions) -> Transaction:
    """Two fields were set and committed; somebody else has set the MAC of the first VF since."""
    steps = (
        Step(FIRST, "mac", host.read(FIRST, "mac"), "fa:16:3e:00:00:77", "it is wanted"),
        Step(SECOND, "trust", host.read(SECOND, "trust"), not host.read(SECOND, "trust"), "it is wanted"),
    )
    done = engine.run(Plan(HostSubject(), "two fields", steps))
    host.write(FIRST, "mac", "fa:16:3e:00:00:99")
    return done


def test_a_requested_rollback_touches_nothing(host: FakeHost, engine: Transactions, contested: Transaction) -> None:
    with pytest.raises(ConflictError, match="virtfn had set fa:16:3e:00:00:77"):
        engine.rollback(contested)
    assert host.read(SECOND, "trust") == contested.plan.steps[1].after


def test_one_that_keeps_foreign_values_restores_the_rest_and_says_what_remains(
    host: FakeHost, engine: Transactions, journal: MemoryJournal, contested: Transaction
) -> None:
    with pytest.raises(RollbackIncomplete, match="p2p1/1 mac is fa:16:3e:00:00:99, which virtfn did not write"):
        engine.rollback(contested, foreign=Foreign.KEEP)
    assert host.read(FIRST, "mac") == "fa:16:3e:00:00:99"
    assert host.read(SECOND, "trust") == contested.plan.steps[1].before
    assert journal.load(contested.id).status is Status.INCOMPLETE
