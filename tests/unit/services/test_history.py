"""Pruning: what is still needed stays, whatever is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from virtfn.engine.events import ignore
from virtfn.engine.transaction import Transactions
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.plan import Plan
from virtfn.model.probe import Direction
from virtfn.model.subject import HostSubject, MirrorSubject
from virtfn.model.transaction import Status
from virtfn.services.history import History, Retention
from virtfn.testing import FakeHost, MemoryJournal, field_note_host

HOST = Plan(HostSubject(), "this host", ())
PF, MAC = "0000:01:00.0", MacAddress.parse("fa:16:3e:aa:33:59")
MIRROR = Plan(
    MirrorSubject(
        1,
        VfRef(PF, 3),
        VfRef(PF, 2),
        "p2p1/3",
        "p2p1/2",
        (Direction.TO_SOURCE,),
        "twin-mac",
        MacAddress.parse("fa:16:3e:aa:33:59"),
    ),
    "mirror",
    (),
)


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def history(journal: MemoryJournal) -> History:
    host: FakeHost = field_note_host()
    return History(journal, Transactions(host, journal, sink=ignore))


def pruned(history: History, retention: Retention) -> list[int]:
    """What is left."""
    history.prune(history.prunable(retention))
    return [one.id for one in history.summaries()]


def test_the_newest_are_kept(journal: MemoryJournal, history: History) -> None:
    for _ in range(5):
        journal.record_status(journal.begin(HOST), Status.ROLLED_BACK)
    assert pruned(history, Retention(keep=2)) == [4, 5]


def test_what_began_lately_is_kept(journal: MemoryJournal, history: History) -> None:
    """The memory journal's transactions all begin on the first day of 2026."""
    for _ in range(3):
        journal.record_status(journal.begin(HOST), Status.ROLLED_BACK)
    age = datetime.now(UTC) - datetime(2026, 1, 1, tzinfo=UTC)
    assert pruned(history, Retention(days=(age + timedelta(days=1)) / timedelta(days=1))) == [1, 2, 3]
    assert pruned(history, Retention(days=1.0)) == [3], "the newest stays: its number is not used again"


def test_what_is_still_needed_is_kept(journal: MemoryJournal, history: History) -> None:
    journal.begin(HOST)
    journal.record_status(journal.begin(HOST), Status.INCOMPLETE)
    journal.record_status(journal.begin(MIRROR), Status.COMMITTED)
    journal.record_status(journal.begin(MIRROR), Status.ROLLED_BACK)
    journal.record_status(journal.begin(HOST, confirm_within_s=60.0), Status.COMMITTED)
    journal.record_status(journal.begin(HOST), Status.COMMITTED)
    journal.record_status(journal.begin(HOST), Status.COMMITTED)
    assert pruned(history, Retention(keep=1)) == [1, 2, 3, 5, 7]


def test_what_is_needed_by_the_time_it_is_removed_stays(journal: MemoryJournal, history: History) -> None:
    first, _ = (journal.record_status(journal.begin(HOST), Status.COMMITTED) for _ in range(2))
    chosen = history.prunable(Retention(keep=1))
    journal.record_status(first, Status.UNDOING)
    history.prune(chosen)
    assert [one.id for one in history.summaries()] == [1, 2]
