"""Reading a journal folder that has a history: what is asked for is found, and only its plan is read."""

from pathlib import Path

import pytest

from virtfn.errors import SpecError
from virtfn.journal.files import FileJournal
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject, MirrorSubject, Subject
from virtfn.model.transaction import Status, Transaction


def test_unfinished_ones_are_found_among_closed_ones(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    for status in (Status.COMMITTED, Status.ROLLED_BACK, Status.INCOMPLETE, Status.UNDOING):
        journal.record_status(journal.begin(_plan("host")), status)
    journal.record_intent(journal.begin(_plan("mirror")), [0])
    assert [(entry.id, entry.status) for entry in journal.unfinished()] == [
        (3, Status.INCOMPLETE),
        (4, Status.UNDOING),
        (5, Status.OPEN),
    ]
    assert [entry for entry in journal.all() if entry.status.unfinished] == list(journal.unfinished())


def test_committed_ones_are_found_by_the_kind_of_their_plan(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    kinds = ("host", "mirror", "mirror", "host")
    begun = [journal.begin(_plan(kind)) for kind in kinds]
    for transaction in begun[:2] + begun[3:]:
        journal.record_status(transaction, Status.COMMITTED)
    assert [entry.id for entry in journal.committed(MirrorSubject)] == [2]
    assert [entry.id for entry in journal.committed(HostSubject)] == [4, 1]
    assert [entry.id for entry in journal.committed()] == [4, 2, 1]


def test_nothing_of_an_earlier_boot_is_unfinished_or_committed(tmp_path: Path) -> None:
    earlier = FileJournal(tmp_path, "boot-1")
    earlier.begin(_plan("mirror"))
    earlier.record_status(earlier.begin(_plan("mirror")), Status.COMMITTED)
    now = FileJournal(tmp_path, "boot-2")
    assert (list(now.unfinished()), list(now.committed(MirrorSubject))) == ([], [])


def test_an_unfinished_transaction_whose_plan_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    _spoil_plan(tmp_path, journal.begin(_plan("host")))
    with pytest.raises(SpecError, match="cannot be read") as raised:
        list(journal.unfinished())
    assert raised.value.where == f"{tmp_path}/journal/0001.jsonl:1"


def test_a_closed_transaction_whose_plan_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    closed, begun = journal.begin(_plan("host")), journal.begin(_plan("host"))
    journal.record_status(closed, Status.ROLLED_BACK)
    _spoil_plan(tmp_path, closed)
    assert [entry.id for entry in journal.unfinished()] == [begun.id]


def test_a_status_that_was_not_written_to_its_end_does_not_count(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    journal.record_status(journal.begin(_plan("host")), Status.COMMITTED)
    file = tmp_path / "journal" / "0001.jsonl"
    file.write_text(file.read_text().removesuffix("\n"))
    assert [entry.status for entry in journal.unfinished()] == [Status.OPEN]
    assert not list(journal.committed(HostSubject))


A_HOST = HostSubject({"0000:01:00.0": 4})
A_MIRROR = MirrorSubject(
    VfRef("0000:01:00.0", 3),
    VfRef("0000:01:00.0", 2),
    "p1/3",
    "p1/2",
    "twin-mac",
    MacAddress.parse("fa:16:3e:aa:33:59"),
)
SUBJECTS: dict[str, Subject] = {"host": A_HOST, "mirror": A_MIRROR}


def _plan(kind: str) -> Plan:
    step = Step(Target("vf", "0000:01:00.0/0", "p1/0"), "trust", before=False, after=True, reason="it is wanted")
    return Plan(SUBJECTS[kind], f"{kind}: p1", (step,))


def _spoil_plan(state: Path, transaction: Transaction) -> None:
    """As if the disk had lost the first line's middle."""
    file = state / "journal" / f"{transaction.id:04d}.jsonl"
    file.write_text(file.read_text().replace('"steps": [{', '"steps": [[{', 1))
