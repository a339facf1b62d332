"""What every journal does: the same suite on files and in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from virtfn.engine.interfaces import Journal
from virtfn.errors import LockHeld, UsageError
from virtfn.journal.files import FileJournal
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.probe import Direction
from virtfn.model.subject import CloudAction, CloudSubject, HostSubject, MirrorSubject, Subject
from virtfn.model.transaction import Status
from virtfn.testing import MemoryJournal

HOST = HostSubject({"0000:01:00.0": 4})
MIRROR = MirrorSubject(
    1,
    VfRef("0000:01:00.0", 3),
    VfRef("0000:01:00.0", 2),
    "p2p1/3",
    "p2p1/2",
    (Direction.TO_SOURCE,),
    "twin-mac",
    MacAddress.parse("fa:16:3e:00:00:01"),
)


@pytest.fixture(
    params=[lambda path: FileJournal(path, "boot-1"), lambda _path: MemoryJournal()], ids=["files", "memory"]
)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    make: Callable[[Path], Journal] = request.param
    return make(tmp_path)


def plan(subject: Subject = HOST) -> Plan:
    target = Target("vf", "0000:01:00.0/0", "p1/0")
    trust = Step(target, "trust", before=False, after=True, reason="it is wanted")
    return Plan(subject, f"{subject}: p1", (trust, replace(trust, field="spoofchk")))


def test_what_was_recorded_is_loaded(journal: Journal) -> None:
    entry = journal.begin(plan(), confirm_within_s=60.0)
    entry = journal.record_intent(entry, [0, 1])
    entry = journal.record_done(entry, [0, 1])
    entry = journal.attach(entry, {"kind": "proof", "report": [1, None, "x"]})
    entry = journal.record_failure(entry, "no reason")
    entry = journal.record_status(entry, Status.INCOMPLETE, remaining=("p1/0 trust is on",))
    entry = journal.record_confirmed(entry)
    assert journal.load(entry.id) == entry
    assert list(journal.all()) == [entry]


def test_a_summary_is_the_transaction_without_its_plan(journal: Journal) -> None:
    journal.begin(plan())
    journal.record_status(journal.record_done(journal.begin(plan(MIRROR)), [0]), Status.UNDOING)
    committed = journal.record_status(journal.begin(plan(), confirm_within_s=5.0), Status.COMMITTED)
    journal.record_confirmed(committed)
    journal.record_done(journal.begin(plan(CloudSubject(CloudAction.UP, "note"))), [0, 1])
    assert list(journal.summaries()) == [entry.summary for entry in journal.all()]


def test_unfinished_ones_are_oldest_first_and_committed_ones_newest_first(journal: Journal) -> None:
    for status in (Status.COMMITTED, Status.ROLLED_BACK, Status.INCOMPLETE, Status.COMMITTED, Status.UNDOING):
        journal.record_status(journal.begin(plan()), status)
    journal.begin(plan())
    assert [entry.id for entry in journal.unfinished()] == [3, 5, 6]
    assert [entry.id for entry in journal.committed()] == [4, 1]


def test_committed_ones_are_found_by_their_subject(journal: Journal) -> None:
    for subject in (HOST, MIRROR, MIRROR, HOST):
        journal.record_status(journal.begin(plan(subject)), Status.COMMITTED)
    assert [entry.id for entry in journal.committed(MirrorSubject)] == [3, 2]
    assert [entry.id for entry in journal.committed(HostSubject)] == [4, 1]


def test_a_status_says_when_it_was_recorded(journal: Journal) -> None:
    before = journal.now_s()
    done = journal.record_status(journal.begin(plan(), confirm_within_s=5.0), Status.COMMITTED)
    assert done.status_boot_s is not None
    assert before <= done.status_boot_s + 0.001 <= journal.now_s() + 0.002
    assert done.summary.confirm_by_boot_s == done.status_boot_s + 5.0


def test_what_was_discarded_is_gone_and_numbers_go_on(journal: Journal) -> None:
    for _ in range(3):
        journal.begin(plan())
    journal.discard([1, 2, 9])
    assert [entry.id for entry in journal.all()] == [3]
    assert journal.begin(plan()).id == 4


def test_there_is_one_lock(journal: Journal) -> None:
    assert not journal.is_locked()
    with journal.lock():
        assert journal.is_locked()
        with pytest.raises(LockHeld), journal.lock():
            pass
    assert not journal.is_locked()


def test_one_that_is_not_there_is_a_usage_error(journal: Journal) -> None:
    with pytest.raises(UsageError, match="there is no transaction 7"):
        journal.load(7)
