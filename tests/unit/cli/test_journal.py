"""``virtfn journal``: what is listed, what to do next, and what prune removes."""

import json
from pathlib import Path

import pytest

from virtfn.app import App, Settings
from virtfn.cli.main import main
from virtfn.errors import ExitCode
from virtfn.journal.files import FileJournal
from virtfn.model.plan import Plan
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status

EMPTY = Plan(HostSubject(), "host: p2p1", ())


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileJournal:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    return App(Settings(tmp_path)).journal()


def listed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The words of each line, without the heading and the times."""
    assert main(["journal", "ls"]) == ExitCode.DONE
    return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]


def test_a_transaction_that_needs_somebody_is_listed_with_what_to_do(
    journal: FileJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.record_status(journal.begin(EMPTY), Status.ROLLED_BACK)
    journal.record_status(journal.begin(EMPTY), Status.INCOMPLETE, remaining=("p2p1/1 mac",))
    *rows, last = listed(capsys)
    assert [row[:3] for row in rows] == [["1", "rolled", "back"], ["2", "rollback", "incomplete"]]
    assert " ".join(last).startswith("next: `virtfn journal show 2`")
    assert "`virtfn rollback 2`" in " ".join(last)


def test_one_that_waits_to_be_confirmed_says_how(journal: FileJournal, capsys: pytest.CaptureFixture[str]) -> None:
    journal.record_status(journal.begin(EMPTY, confirm_within_s=3600.0), Status.COMMITTED)
    row, last = listed(capsys)
    assert row[1:5] == ["committed", "(to", "be", "confirmed)"]
    assert "`virtfn confirm 1`" in " ".join(last)


def test_a_broken_file_is_listed_beside_the_others(
    tmp_path: Path, journal: FileJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        journal.record_status(journal.begin(EMPTY), Status.ROLLED_BACK)
    (tmp_path / "journal" / "0001.jsonl").write_text("{}\n")
    broken, whole = listed(capsys)
    assert (broken[:2], whole[:3]) == (["1", "broken"], ["2", "rolled", "back"])
    assert "0001.jsonl:1:" in " ".join(broken)
    assert main(["journal", "ls", "-o", "json"]) == ExitCode.DONE
    assert [one["status"] for one in json.loads(capsys.readouterr().out)["transactions"]] == ["broken", "rolled back"]


def test_prune_removes_what_it_names(journal: FileJournal, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        journal.record_status(journal.begin(EMPTY), Status.ROLLED_BACK)
    assert main(["journal", "prune", "--keep", "1"]) == ExitCode.USAGE, "it asks, and nobody is there to answer"
    assert len(list(journal.all())) == 3
    assert main(["journal", "prune", "--keep", "1", "--yes"]) == ExitCode.DONE
    assert "2 transactions removed." in capsys.readouterr().out
    assert [entry.id for entry in journal.all()] == [3]
    assert main(["journal", "prune", "--keep", "1", "--yes"]) == ExitCode.DONE
    assert "Nothing to remove." in capsys.readouterr().out


def test_prune_must_be_told_what(journal: FileJournal) -> None:
    assert main(["journal", "prune", "--yes"]) == ExitCode.USAGE
