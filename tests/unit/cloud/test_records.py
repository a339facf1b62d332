"""The journal of a cloud: what of it can be taken back, and what carries on."""

import json
from pathlib import Path

import pytest
from tests.unit.cloud.entries import write_clouds_yaml
from tests.unit.cloud.rig import Rig, desired

from virtfn.app import App, Settings
from virtfn.cli.actions import advice
from virtfn.cli.events_view import EventsView
from virtfn.cli.main import main
from virtfn.engine.transaction import Transactions
from virtfn.errors import ConflictError, ExitCode, LockHeld, UsageError
from virtfn.model.cloud import Kind, cloud_target
from virtfn.model.place import cloud_place
from virtfn.model.plan import DEFINITION, Plan
from virtfn.model.subject import CloudAction, CloudSubject
from virtfn.model.transaction import Status
from virtfn.services.history import History

NOTE = CloudSubject(CloudAction.UP, "note")
ONE = {"transactions": 1, "unfinished": 1, "broken": 0, "fault": ""}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def records(rig: Rig) -> History:
    return History(rig.journal, Transactions(rig.cloud, rig.journal, sink=EventsView(rig.told.append)))


def test_an_up_that_stands_can_be_rolled_back_by_its_number(rig: Rig) -> None:
    before = rig.cloud.everything()
    receipt = rig.up()
    assert records(rig).rollback(receipt.id).status is Status.ROLLED_BACK
    assert rig.cloud.everything() == before


def test_what_somebody_took_away_already_is_no_obstacle_to_a_rollback(rig: Rig) -> None:
    before = rig.cloud.everything()
    rig.up()
    rig.cloud.write(cloud_target("note", Kind.SERVER, "vm-1"), DEFINITION, None)
    assert records(rig).rollback().status is Status.ROLLED_BACK
    assert rig.cloud.everything() == before


def test_a_down_does_not_come_back_and_says_so(rig: Rig) -> None:
    rig.up()
    rig.down()
    with pytest.raises(UsageError, match="deleted objects cannot be restored"):
        records(rig).rollback()


def test_an_up_that_was_cut_short_is_rolled_back_but_not_resumed(rig: Rig) -> None:
    before = rig.cloud.everything()
    plan = rig.plan(desired())
    entry = rig.journal.begin(plan)
    rig.journal.record_intent(entry, [0])
    rig.cloud.write(plan.steps[0].target, plan.steps[0].field, plan.steps[0].after)
    with pytest.raises(ConflictError, match="seen bound") as refused:
        records(rig).resume()
    assert advice(refused.value.actions) == "`virtfn cloud up -f FILE` creates what is missing"
    assert records(rig).rollback().status is Status.ROLLED_BACK
    assert rig.cloud.everything() == before


def test_a_down_that_was_cut_short_is_resumed(rig: Rig) -> None:
    rig.up()
    rig.journal.begin(rig.propose_down("note").plan)
    assert records(rig).resume().status is Status.COMMITTED
    assert rig.ours() == {}


def test_journal_ls_names_the_clouds_that_have_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    write_clouds_yaml(tmp_path, monkeypatch, {"lab/2": "nfv"})
    app = App(Settings(tmp_path))
    app.cloud_journal("lab/2").begin(Plan(NOTE, "cloud lab/2: note", ()))
    monkeypatch.setenv("OS_AUTH_URL", "http://other.invalid:5000/v3")
    monkeypatch.setenv("OS_PROJECT_NAME", "admin")
    app.cloud_journal(None).begin(Plan(NOTE, "cloud env: note", ()))
    monkeypatch.setenv("OS_CLOUD", "lab/2")
    assert main(["journal", "ls"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "The journal is empty.",
        "this cloud (admin at other.invalid:5000): 1 transaction, 1 unfinished; see `virtfn journal ls --cloud`",
        "cloud lab/2 (nfv at keystone.invalid:5000): 1 transaction, 1 unfinished; "
        "see `virtfn journal ls --os-cloud lab/2`",
    ]
    assert main(["journal", "ls", "-o", "json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["clouds"] == [
        {**ONE, "cloud": None, "project": "admin", "address": "other.invalid:5000"},
        {**ONE, "cloud": "lab/2", "project": "nfv", "address": "keystone.invalid:5000"},
    ]
    for option in (["--cloud"], ["--os-cloud", "lab/2"]):
        assert main(["journal", "ls", *option]) == ExitCode.DONE
        assert "cloud lab/2: note" in capsys.readouterr().out


def test_a_cloud_journal_that_cannot_be_read_does_not_hide_the_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path))
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "nfv"})
    App(Settings(tmp_path)).cloud_journal("lab").begin(Plan(NOTE, "cloud lab: note", ()))
    (file,) = (tmp_path / "cloud").rglob("0001.jsonl")
    file.write_bytes(b"\xff\n")
    assert main(["journal", "ls"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert said.startswith(
        "The journal is empty.\ncloud lab (nfv at keystone.invalid:5000): 1 transaction, 1 that cannot be read"
    )


def test_another_project_of_the_same_name_has_another_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(Settings(tmp_path))
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "nfv"})
    app.cloud_journal("lab").begin(Plan(NOTE, "cloud lab: note", ()))
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "admin"})
    assert list(app.cloud_journal("lab").all()) == [], "what was begun in one project is not taken back in another"
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "nfv"})
    assert len(list(app.cloud_journal("lab").unfinished())) == 1


def test_messages_of_a_cloud_do_not_speak_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clouds_yaml(tmp_path, monkeypatch, {"lab": "admin"})
    journal = App(Settings(tmp_path)).cloud_journal("lab")
    assert journal.place == cloud_place("lab")
    with journal.lock(), pytest.raises(LockHeld, match="is changing cloud lab"), journal.lock():
        pass
    with pytest.raises(UsageError) as missing:
        journal.load(9)
    assert advice(missing.value.actions) == "`virtfn journal ls --os-cloud lab` lists the transactions"
