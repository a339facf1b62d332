"""What `virtfn mirror` prints and how it ends, on the fake host."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.services.rig import Rig

from virtfn.app import App
from virtfn.cli.main import main
from virtfn.errors import ExitCode

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(tmp_path / "state")
    monkeypatch.setattr(App, "mirrors", lambda *_, **__: made.mirrors)
    return made


@pytest.fixture
def run(rig: Rig, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["mirror", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def document(text: str) -> Any:
    return json.loads(text)


def test_a_plan_shows_steps_strategies_and_meters(run: Run) -> None:
    code, out, _ = run("plan", "p2p1/3", "p2p1/2")
    assert code == 0
    assert "Plan: mirror p2p1/3 to p2p1/2 (twin-mac)" in out
    assert "strategy 1: twin-mac (costs: the copy VF is cut off from its own traffic)" in out
    assert "rejected field-note: it is tried only if you request it by name" in out
    assert "would be seen by captured-frames at p2p1/3, p2p1/2" in out


def test_a_plan_as_json_has_the_whole_proposal(run: Run) -> None:
    found = document(run("plan", "p2p1/3", "p2p1/2", "-o", "json")[1])
    assert found["kind"] == "mirror-plan"
    assert {"spec", "attempts", "rejections", "findings", "points"} <= found.keys()
    assert found["spec"]["directions"] == ["to source"]


def test_a_plan_that_would_be_refused_is_shown_and_ends_as_add_would(rig: Rig, run: Run) -> None:
    rig.host.vfs[3] = replace(rig.host.vfs[3], vlan=100)
    code, out, err = run("plan", "p2p1/3", "p2p1/2")
    assert code == ExitCode.FAILED
    assert "rejected twin-mac: p2p1/3 is in VLAN 100, p2p1/2 in VLAN 0" in out
    assert "--force vlan" in err
    assert code == run("add", "p2p1/3", "p2p1/2", "--yes")[0]


def test_a_direction_that_cannot_be_copied_names_the_reason(run: Run) -> None:
    code, _, err = run("add", "p2p1/3", "p2p1/2", "--yes", "--direction", "from-source")
    assert code == ExitCode.FAILED
    assert "twin-mac: it copies what is sent to p2p1/3" in err


def test_a_mirror_is_added_listed_and_removed(run: Run) -> None:
    code, out, _ = run("add", "p2p1/3", "p2p1/2", "--yes", "-q")
    assert code == 0
    assert "Mirror 1 is in place. `virtfn mirror rm 1` removes it." in out
    assert "healthy" in run("ls")[1]
    assert "REMOVED: the copy gets nothing" in run("rm", "1", "-q")[1]
    assert run("ls")[1] == "This host has no mirror.\n"


def test_a_mirror_that_a_boot_ended_is_listed_as_lost_with_what_makes_it_again(rig: Rig, run: Run) -> None:
    run("add", "p2p1/3", "p2p1/2", "--yes", "-q")
    rig.boot_id = "boot-2"
    listed = run("ls")[1]
    assert "lost" in listed
    assert "run: `virtfn mirror add p2p1/3 p2p1/2` adds a mirror" in listed
    (found,) = document(run("ls", "-o", "json")[1])["mirrors"]
    assert found["status"]["health"] == "lost"
    assert [(one["id"], one["subject"], one["what"]) for one in found["status"]["findings"]] == [
        ("mirror-lost", "p2p1/3 to p2p1/2", "the host was booted since (transaction 1)")
    ]
    code, out, _ = run("rm", "1", "-q")
    assert code == 0
    assert "NOTHING TO REMOVE" in out
    assert "note: nothing was put back: the host was booted since" in out


def test_an_interrupted_mirror_is_rolled_back_before_the_next_one_is_proposed(rig: Rig, run: Run) -> None:
    plan = rig.propose("p2p1/3", "p2p1/2").plan
    rig.journal.record_intent(rig.journal.begin(plan), [0])
    rig.host.write(plan.steps[0].target, "mac", str(plan.steps[0].after))
    code, _, err = run("plan", "p2p1/3", "p2p1/2")
    assert code == ExitCode.FAILED
    assert "`virtfn mirror rm 1`" in err
    assert run("add", "p2p1/3", "p2p1/2", "--yes", "-q")[0] == 0
    assert "healthy" in run("ls")[1]


def between_vms(rig: Rig, chatter: int) -> None:
    """VMs hold source and copy, and the source receives so many frames meanwhile."""
    for index in (2, 3):
        rig.host.vfs[index] = replace(rig.host.vfs[index], reachable=False)
    rig.host.meanwhile = lambda _: rig.host.pfs[0].count(3, chatter)


def test_a_mirror_between_vms_says_that_it_was_counted(rig: Rig, run: Run) -> None:
    between_vms(rig, 1)
    assert "would be counted by rings at p2p1/3, p2p1/2" in run("plan", "p2p1/3", "p2p1/2")[1]
    code, out, _ = run("add", "p2p1/3", "p2p1/2", "--yes", "-q")
    assert code == 0
    assert "p2p1/3 -> p2p1/2: PROVEN" in out
    assert "counted by rings at p2p1/3, p2p1/2" in out
    assert "counted without a burst, in 2 s: p2p1/3 1, p2p1/2 0" in out
    assert "not probed from p2p1/3: it has no netdev in reach" in out
    assert "proven, counted" in run("ls")[1]


def test_what_cannot_be_proven_is_made_only_where_asked_for_and_listed_as_unproven(rig: Rig, run: Run) -> None:
    between_vms(rig, 60)
    code, out, err = run("add", "p2p1/3", "p2p1/2", "--yes", "-q")
    assert code == ExitCode.NOT_PROVEN
    assert "UNPROVEN: no burst stands out from the chatter" in out
    assert "nothing was changed" in err
    code, out, _ = run("add", "p2p1/3", "p2p1/2", "--yes", "-q", "--unproven")
    assert code == 0
    assert "note: this mirror is not proven" in out
    assert "unproven" in run("ls")[1]
    (found,) = document(run("ls", "-o", "json")[1])["mirrors"]
    assert found["status"]["health"] == "unproven"
    assert found["last_proof"]["proven"] is False
    assert run("rm", "1", "-q")[0] == 0


def test_a_plan_without_a_meter_warns_where_it_may_be_unproven(rig: Rig, run: Run) -> None:
    rig.host.vfs[2] = replace(rig.host.vfs[2], driver="vfio-pci")
    assert run("plan", "p2p1/3", "p2p1/2")[0] == ExitCode.FAILED
    code, out, _ = run("plan", "p2p1/3", "p2p1/2", "--unproven")
    assert code == 0
    assert "warning: no meter at p2p1/2" in out
