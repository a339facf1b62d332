"""What the composition root decides: one lock per host, and what is overdue is rolled back before anything is read."""

from pathlib import Path

import pytest

from virtfn.app import App, Settings
from virtfn.engine.events import Event, ignore
from virtfn.engine.transaction import Hooks, Transactions
from virtfn.errors import LockHeld
from virtfn.model.plan import Plan, Step, Target
from virtfn.model.subject import HostSubject
from virtfn.model.transaction import Status
from virtfn.services.events import ModesCorrected
from virtfn.testing import field_note_host


def test_there_is_one_lock_per_host_whatever_the_state_folder_is(tmp_path: Path) -> None:
    one, other = (App(Settings(tmp_path / name)).journal() for name in ("one", "other"))
    with one.lock(), pytest.raises(LockHeld), other.lock():
        pass


def test_no_variable_of_virtfn_moves_the_lock(tmp_path: Path) -> None:
    assert Settings.of({"VIRTFN_STATE_DIR": str(tmp_path)}).locks == Settings.of({}).locks


def test_whatever_reads_the_journal_first_rolls_back_what_is_overdue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, app = field_note_host(), App(Settings(tmp_path))
    monkeypatch.setattr(App, "host", lambda _app: host)
    before = host.observe()
    trust = Step(Target("vf", "0000:01:00.0/2", "p2p1/2"), "trust", before=False, after=True, reason="it is wanted")
    journal = app.journal()
    number = Transactions(host, journal, sink=ignore).run(
        Plan(HostSubject(), "this host", (trust,)), Hooks(confirm_within_s=0.0)
    )
    app.records(ignore)
    assert journal.load(number.id).status is Status.ROLLED_BACK
    assert host.observe() == before


def test_corrected_modes_are_reported(tmp_path: Path) -> None:
    seen: list[Event] = []
    journal = App(Settings(tmp_path)).journal(seen.append)
    (tmp_path / "journal").mkdir(mode=0o755)
    (tmp_path / "journal").chmod(0o755)
    with journal.lock():
        assert seen == [ModesCorrected((str(tmp_path / "journal"),))]
