"""The commands on the fake cloud: exit codes, what is asked, documents."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cloud.rig import FIELD_NOTE, Rig

from virtfn.app import App
from virtfn.cli.events_view import EventsView
from virtfn.cli.main import main
from virtfn.engine.transaction import Transactions
from virtfn.errors import ExitCode
from virtfn.model.cloud import Kind
from virtfn.services.history import History
from virtfn.spec.cloud.loading import load_cloud


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig()
    monkeypatch.setattr(App, "clouds", lambda *_, **__: made.clouds)
    return made


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "cloud.yaml"
    path.write_text(FIELD_NOTE)
    return str(path)


def test_plan_shows_an_object_a_line(rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == ExitCode.DIFFERENT
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Plan: cloud fake: note"
    assert lines[1] == "  + network flat: type flat, physical_network physnet1, port_security off"
    assert lines[-1] == "7 to make."
    assert rig.cloud.everything() == ()


def test_up_show_and_down(rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cloud", "up", "-f", spec, "--yes"]) == 0
    assert "7 objects created and ready" in capsys.readouterr().out
    assert main(["cloud", "up", "-f", spec]) == 0
    assert capsys.readouterr().out == "Nothing to do: cloud fake: note.\n"
    assert main(["cloud", "show", "-f", spec, "--exit-code"]) == 0
    assert "vm-1    compute1  0000:3b:02.0  flat " in capsys.readouterr().out
    assert main(["cloud", "down", "-f", spec, "--yes", "--explain"]) == 0
    assert "$ openstack server delete --wait server-" in capsys.readouterr().err
    assert rig.cloud.everything() == ()
    assert main(["cloud", "show", "-f", spec]) == 0
    assert capsys.readouterr().out == "Nothing in cloud fake bears the tag virtfn:note.\n"


def test_a_run_that_was_cut_short_is_something_to_do(rig: Rig, spec: str) -> None:
    plan = rig.plan(load_cloud("cloud.yaml", FIELD_NOTE))
    rig.up()
    assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == 0
    rig.journal.begin(plan)
    assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == ExitCode.DIFFERENT


def test_a_saved_plan_is_carried_out_as_it_was_shown(rig: Rig, spec: str, tmp_path: Path) -> None:
    saved = str(tmp_path / "note.plan")
    assert main(["cloud", "plan", "-f", spec, "--out", saved]) == 0
    wanted = rig.plan(load_cloud(spec, FIELD_NOTE))
    assert main(["cloud", "up", "--plan", saved, "--yes", "-q"]) == 0
    assert rig.journal.load(1).plan == wanted
    assert main(["cloud", "up", "--plan", saved, "--yes", "-q"]) == ExitCode.FAILED, "it starts from nothing"


def test_a_saved_plan_for_another_cloud_is_refused(rig: Rig, spec: str, tmp_path: Path) -> None:
    saved = tmp_path / "note.plan"
    assert main(["cloud", "plan", "-f", spec, "--out", str(saved)]) == 0
    saved.write_text(saved.read_text().replace('"title": "cloud fake: note"', '"title": "cloud other: note"'))
    assert main(["cloud", "up", "--plan", str(saved), "--yes", "-q"]) == ExitCode.FAILED
    assert rig.cloud.everything() == ()


@pytest.mark.parametrize("both", [True, False])
def test_up_takes_either_a_spec_or_a_saved_plan(rig: Rig, spec: str, both: bool) -> None:
    words = ["-f", spec, "--plan", spec] if both else []
    assert main(["cloud", "up", *words, "--yes"]) == ExitCode.USAGE


def test_wide_shows_an_object_a_line(rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    rig.up()
    assert main(["cloud", "show", "-f", spec, "-o", "wide"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "STATUS", "WHERE", "WHAT"]
    assert [line.split()[0] for line in lines[1:]] == [kind for kind, _ in rig.ours()]


@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize("parallel", ["0", "33", "many"])
def test_how_many_at_once_is_between_1_and_32(rig: Rig, spec: str, command: str, parallel: str) -> None:
    assert main(["cloud", command, "-f", spec, "--yes", "--parallel", parallel]) == ExitCode.USAGE
    assert rig.cloud.everything() == ()


def test_how_many_at_once_reaches_the_cloud(
    rig: Rig, spec: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def clouds(*_: object, **more: object) -> object:
        asked.append(more["parallel"])
        return rig.clouds

    monkeypatch.setattr(App, "clouds", clouds)
    for words in (["up", "--parallel", "2"], ["down", "--parallel", "7"], ["up"]):
        assert main(["cloud", *words, "-f", spec, "--yes", "-q"]) == 0
    assert asked == [2, 7, 4]


def test_nobody_there_to_say_yes_changes_nothing(rig: Rig, spec: str) -> None:
    assert main(["cloud", "up", "-f", spec]) == ExitCode.USAGE
    assert rig.cloud.everything() == ()


def test_dry_run_changes_nothing(rig: Rig, spec: str) -> None:
    assert main(["cloud", "up", "-f", spec, "--dry-run"]) == 0
    assert rig.cloud.everything() == ()


def test_documents_name_their_kind(rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = ("plan", "cloud-plan"), ("up", "cloud-up"), ("show", "cloud"), ("down", "cloud-down")
    for command, kind in commands:
        more = ["--yes"] if command in ("up", "down") else []
        assert main(["cloud", command, "-f", spec, "-o", "json", "-q", *more]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["format"], document["kind"]) == (1, kind)


def test_a_fault_says_the_clouds_word_the_state_and_the_cause(
    rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rig.cloud.rules.vfs.clear()
    assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == ExitCode.FAILED
    said = capsys.readouterr().err
    what = "no VF of physnet1 is free on a host that it may run on"
    assert "error: server vm-1: No valid host was found. There are not enough hosts available." in said
    assert "state: All that was changed has been put back and read back." in said
    assert f"  - server vm-1, server vm-2: {what}\n      seen: by exclusion" in said
    assert "      fix: free VFs, or give nova more" in said


def test_a_network_that_others_use_is_named_and_stays(rig: Rig, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    rig.up()
    rig.cloud.add_foreign(Kind.PORT, "theirs", {"network": "flat", "vnic_type": "direct"}, device_owner="compute:nova")
    assert main(["cloud", "down", "-f", spec, "--yes", "-q"]) == 0
    assert "network flat stays" in capsys.readouterr().out
    assert main(["cloud", "down", "-f", spec, "-q"]) == 0
    assert "network flat stays" in capsys.readouterr().out


def test_a_bad_spec_says_all_that_is_wrong(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("virtfn: cloud/1\nname: x\nnetworks: [{name: a}]\nservers: [{name: b}]\n")
    assert main(["cloud", "plan", "-f", str(path)]) == ExitCode.BAD_SPEC
    assert capsys.readouterr().err.count("  - ") == 4
    assert main(["cloud", "plan", "-f", str(tmp_path / "none.yaml")]) == ExitCode.BAD_SPEC


@pytest.mark.parametrize("command", [["cloud", "plan"], ["cloud", "down"], ["plan"]])
def test_a_file_without_a_name_is_no_folder(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "-f", ""]) == ExitCode.BAD_SPEC
    assert capsys.readouterr().err.startswith("error: -f '': no file is named")


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "0"])
@pytest.mark.parametrize("command", [["cloud", "up", "--yes", "--timeout"], ["apply", "--yes", "--confirm-within"]])
def test_a_time_that_never_ends_is_none(rig: Rig, spec: str, command: list[str], seconds: str) -> None:
    assert main([*command, seconds, "-f", spec]) == ExitCode.USAGE
    assert rig.cloud.everything() == ()


@pytest.fixture
def records(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = History(rig.journal, Transactions(rig.cloud, rig.journal, sink=EventsView(rig.told.append)))
    monkeypatch.setattr(App, "cloud_records", lambda *_, **__: made)
    return rig


def test_a_rollback_says_what_goes_before_it_asks(records: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    records.up()
    assert main(["rollback", "--cloud", "--yes", "-q"]) == ExitCode.DONE
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "transaction 1 (cloud fake: note) is committed"
    assert lines[1:3] == [f"  - server vm-{number}: it stops, and its disk is lost" for number in (2, 1)]
    assert lines[-1] == "  - network flat"


def test_a_rollback_of_many_objects_is_told_in_short(records: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    vlans = "".join(
        f"  - {{name: v{number}, type: vlan, physical_network: physnet1, segmentation_id: {number}}}\n"
        for number in range(101, 121)
    )
    records.up(f"virtfn: cloud/1\nname: note\nnetworks:\n{vlans}")
    assert main(["rollback", "--cloud", "--yes"]) == ExitCode.DONE
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "  ... and 4 more"
    assert len(lines) == 1 + 16 + 1


def test_journal_show_says_what_a_rollback_would_do(records: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    records.up()
    records.down()
    assert main(["journal", "show", "1", "--cloud"]) == ExitCode.DONE
    assert "A rollback restores:\n  - server vm-2: it stops" in capsys.readouterr().out
    assert main(["journal", "show", "2", "--cloud"]) == ExitCode.DONE
    assert capsys.readouterr().out.endswith("It cannot be rolled back: deleted objects cannot be restored.\n")


def test_a_transaction_that_is_committed_has_nothing_to_resume(
    records: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    records.up()
    assert main(["resume", "1", "--cloud", "--yes"]) == ExitCode.USAGE
    assert "nothing to resume" in capsys.readouterr().err


def test_the_sdks_log_stays_off_stderr(tmp_path: Path) -> None:
    pytest.importorskip("openstack")
    path = tmp_path / "cloud.yaml"
    path.write_text(FIELD_NOTE)
    names = ("USERNAME", "PASSWORD", "PROJECT_NAME", "USER_DOMAIN_NAME", "PROJECT_DOMAIN_NAME")
    account = {f"OS_{name}": "default" for name in names}
    done = subprocess.run(
        [sys.executable, "-m", "virtfn", "cloud", "show", "-q", "-f", str(path)],
        env={**os.environ, **account, "OS_AUTH_URL": "http://127.0.0.1:9/v3", "VIRTFN_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    first, *rest = done.stderr.splitlines()
    assert (done.returncode, first.endswith("http://127.0.0.1:9/v3: connection refused")) == (
        ExitCode.UNREACHABLE,
        True,
    )
    assert [line.split(":")[0] for line in rest] == ["  - cloud"]
