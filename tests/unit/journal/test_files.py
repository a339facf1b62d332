"""Reading a journal folder that has a history: what is asked for is found, and only its plan is read."""

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from virtfn.errors import LockHeld, SpecError
from virtfn.journal.files import FileJournal
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.probe import Direction
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
    assert raised.value.where == f"{tmp_path}/journal/0001.jsonl:2"


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


def test_a_long_plan_is_not_read_for_a_summary(tmp_path: Path) -> None:
    """Its status is found from the end of the file, and its header at the beginning."""
    journal = FileJournal(tmp_path, "boot-1")
    long = replace(_plan("host"), steps=_plan("host").steps * 500)
    entry = journal.record_status(journal.record_done(journal.begin(long), range(500)), Status.COMMITTED)
    file = tmp_path / "journal" / "0001.jsonl"
    assert len(file.read_bytes()) > 3 * 8192
    _spoil_plan(tmp_path, entry)
    assert list(journal.summaries()) == [entry.summary]


def test_a_status_far_before_the_end_is_found(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    committed = journal.record_status(journal.begin(_plan("mirror")), Status.COMMITTED)
    entry = journal.attach(committed, {"kind": "proof", "report": "x" * 50_000})
    assert list(journal.summaries()) == [entry.summary]


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    first, second = journal.begin(_plan("host")), journal.begin(_plan("host"))
    (tmp_path / "journal" / "0001.jsonl").write_bytes(b"\xff\n")
    broken, whole = journal.summaries()
    assert (broken.id, broken.status, whole) == (first.id, Status.BROKEN, second.summary)
    assert "0001.jsonl:1" in broken.fault


@pytest.mark.parametrize(
    ("line", "change", "fault"),
    [
        (1, {"format": 1}, "format 1, this virtfn reads format 2"),
        (1, {"colour": "red"}, "unknown key 'colour'"),
        (2, {"colour": "red"}, "unknown key 'colour'"),
        (3, {"colour": "red"}, "unknown key 'colour'"),
        (3, {"event": "painted"}, "unknown event 'painted'"),
    ],
)
def test_what_another_version_wrote_is_refused_by_line_and_key(
    tmp_path: Path, line: int, change: dict[str, object], fault: str
) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    journal.record_intent(journal.begin(_plan("host")), [0])
    file = tmp_path / "journal" / "0001.jsonl"
    lines = file.read_text().splitlines()
    lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **change})
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(SpecError, match=re.escape(fault)) as raised:
        journal.load(1)
    assert raised.value.where == f"{file}:{line}"


@pytest.mark.parametrize("line", ["", "{", '{"event": "confirmed"} {"event": "confirmed"}'])
def test_a_line_that_is_not_one_json_value_is_refused(tmp_path: Path, line: str) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    journal.begin(_plan("host"))
    file = tmp_path / "journal" / "0001.jsonl"
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(SpecError, match="cannot be read") as raised:
        journal.load(1)
    assert raised.value.where == f"{file}:3"


def test_an_unknown_key_of_a_step_is_not_dropped(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, "boot-1")
    journal.begin(_plan("host"))
    file = tmp_path / "journal" / "0001.jsonl"
    file.write_text(file.read_text().replace('"reason"', '"colour": 1, "reason"'))
    with pytest.raises(SpecError, match="unknown key 'colour'"):
        journal.load(1)


def test_nobody_else_can_read_what_is_written(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "state", "boot-1", lock=tmp_path / "run" / "host.lock")
    with journal.lock():
        journal.begin(_plan("host"))
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "state": 0o700,
        "state/journal": 0o700,
        "state/journal/0001.jsonl": 0o600,
        "run": 0o700,
        "run/host.lock": 0o600,
    }


def test_modes_that_others_could_use_are_corrected_and_reported_once(tmp_path: Path) -> None:
    noticed: list[tuple[Path, ...]] = []
    journal = FileJournal(tmp_path, "boot-1", notice=noticed.append)
    journal.begin(_plan("host"))
    folder = tmp_path / "journal"
    folder.chmod(0o755)
    (folder / "0001.jsonl").chmod(0o644)
    for _ in range(2):
        with journal.lock():
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "0001.jsonl").stat().st_mode) == 0o600
    assert noticed == [(folder, folder / "0001.jsonl")]


def test_a_lock_file_that_others_could_open_is_corrected(tmp_path: Path) -> None:
    """Anybody's shared flock(2) on it would keep the watchdog from its work."""
    lock = tmp_path / "host.lock"
    lock.touch(mode=0o644)
    with FileJournal(tmp_path / "state", "boot-1", lock=lock).lock():
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_two_state_folders_share_the_lock_of_the_host(tmp_path: Path) -> None:
    lock = tmp_path / "run" / "host.lock"
    one, other = (FileJournal(tmp_path / name, "boot-1", lock=lock) for name in ("one", "other"))
    with one.lock(), pytest.raises(LockHeld), other.lock():
        pass


A_HOST = HostSubject({"0000:01:00.0": 4})
A_MIRROR = MirrorSubject(
    1,
    VfRef("0000:01:00.0", 3),
    VfRef("0000:01:00.0", 2),
    "p1/3",
    "p1/2",
    (Direction.TO_SOURCE,),
    "twin-mac",
    MacAddress.parse("fa:16:3e:aa:33:59"),
)
SUBJECTS: dict[str, Subject] = {"host": A_HOST, "mirror": A_MIRROR}


def _plan(kind: str) -> Plan:
    step = Step(Target("vf", "0000:01:00.0/0", "p1/0"), "trust", before=False, after=True, reason="it is wanted")
    return Plan(SUBJECTS[kind], f"{kind}: p1", (step,))


def _spoil_plan(state: Path, transaction: Transaction) -> None:
    """As if the disk had lost the middle of the plan."""
    file = state / "journal" / f"{transaction.id:04d}.jsonl"
    file.write_text(file.read_text().replace('"steps": [{', '"steps": [[{', 1))
