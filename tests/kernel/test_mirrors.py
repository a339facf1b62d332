"""Mirrors on the emulated 82576 with the kernel's own igb and igbvf, judged by frames. Runs inside the lab, as root."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from virtfn.cli.main import main
from virtfn.errors import ExitCode
from virtfn.journal import private

pytestmark = pytest.mark.guest

SOURCE_MAC, COPY_MAC, SIBLING_MAC = "fa:16:3e:aa:33:59", "fa:16:3e:a1:43:57", "fa:16:3e:c0:d8:11"
WIRE_MAC = "52:54:00:00:00:01"


@pytest.fixture(autouse=True)
def host_as_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A journal of its own for every test, and a host that must be as before when the test is over."""
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("VIRTFN_PROBE_FROM", "pf wire:w0 sibling")
    before = witness()
    yield
    assert witness() == before


def witness() -> object:
    """The VFs as iproute2 tells them, and the guests' own addresses."""
    vfs = json.loads(ip("-j", "-d", "link", "show", "dev", "p2p1"))[0]["vfinfo_list"]
    guests = [json.loads(ip("-n", f"vm{index}", "-j", "link", "show", "dev", "eth0"))[0] for index in (1, 2, 3)]
    return vfs, [(guest["address"], "UP" in guest["flags"]) for guest in guests]


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30).stdout


def vf(index: int, *words: str) -> None:
    ip("link", "set", "dev", "p2p1", "vf", str(index), *words)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """One virtfn command with ``-o json``: its exit code, and its document where it printed one."""
    capsys.readouterr()
    code = main([*arguments, "-o", "json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def copied(report: Any, part: str = "legs") -> dict[str, int]:
    return {leg["name"]: leg["copy"]["frames"] for leg in report[part] if leg["kind"] == "to source"}


def test_frames_from_pf_wire_and_sibling_reach_source_and_copy(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")
    assert (code, report["proven"]) == (0, True)
    legs = {leg["name"]: leg for leg in report["legs"]}
    for name in ("p2p1 -> p2p1/3", "wire:w0 -> p2p1/3", "p2p1/1 -> p2p1/3"):
        assert (legs[name]["source"]["frames"], legs[name]["copy"]["frames"]) == (20, 20)
        assert set(legs[name]["others"].values()) == {0}
    assert legs["p2p1/3 -> wire:w0"]["destination"]["frames"] == 20
    assert report["directions"] == ["to source"]
    assert set(copied(report, "control_before").values()) == {0}
    code, report = run(capsys, "mirror", "rm", "p2p1/3", "p2p1/2")
    assert (code, set(copied(report, "control_after").values())) == (0, {0})


def test_vfs_are_named_by_pci_address_too(capsys: pytest.CaptureFixture[str]) -> None:
    _, inventory = run(capsys, "show")
    pci = {one["index"]: one["pci"] for one in inventory["pfs"][0]["vfs"]}
    assert run(capsys, "mirror", "add", pci[3], pci[2], "--yes")[0] == 0
    assert run(capsys, "mirror", "prove", "1")[1]["proven"]
    assert run(capsys, "mirror", "rm", pci[3], pci[2])[0] == 0


def test_two_mirrors_of_one_source_removed_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")[0] == 0
    assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/1", "--yes")[0] == 0
    assert [one["status"]["health"] for one in run(capsys, "mirror", "ls")[1]["mirrors"]] == ["healthy", "healthy"]
    assert run(capsys, "mirror", "rm", "1")[0] == 0
    assert run(capsys, "mirror", "prove", "2")[1]["proven"]
    assert run(capsys, "mirror", "rm", "2")[0] == 0


def test_add_and_remove_twice_leaves_the_same_document(capsys: pytest.CaptureFixture[str]) -> None:
    before = run(capsys, "show")[1]
    for _ in range(2):
        assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")[0] == 0
        assert run(capsys, "mirror", "rm", "p2p1/3")[0] == 0
        assert run(capsys, "show")[1] == before


def test_trust_ends_for_the_mirror_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    vf(2, "trust", "on")
    try:
        assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")[0] == 0
        assert run(capsys, "show")[1]["pfs"][0]["vfs"][2]["trust"] is False
        assert run(capsys, "mirror", "rm", "1")[0] == 0
        assert run(capsys, "show")[1]["pfs"][0]["vfs"][2]["trust"] is True
    finally:
        vf(2, "trust", "off")


@pytest.mark.parametrize("literal", [False, True])
def test_the_field_notes_recipe_is_not_proven_and_put_back(capsys: pytest.CaptureFixture[str], literal: bool) -> None:
    options = ["--literal"] if literal else []
    code, report = run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes", "--strategy", "field-note", *options)
    assert code == ExitCode.NOT_PROVEN
    assert set(copied(report).values()) == {0}
    assert set(copied(report, "control_after").values()) == {0}
    if not literal:
        assert report["waypoints"][0]["copy"] == 20, "one step before its last the recipe is a mirror on this NIC"


GUARDS = {
    "same-vf": (["p2p1/3", "p2p1/3"], [], []),
    "vlan": (["p2p1/3", "p2p1/2"], ["vf 3 vlan 100"], ["vf 3 vlan 0"]),
    "foreign-mac": (["p2p1/3", "p2p1/2"], [f"vf 3 mac {WIRE_MAC}"], [f"vf 3 mac {SOURCE_MAC}"]),
    "source-down": (["p2p1/3", "p2p1/2"], ["-n vm3 eth0 down"], ["-n vm3 eth0 up"]),
    "copy-down": (["p2p1/3", "p2p1/2"], ["-n vm2 eth0 down"], ["-n vm2 eth0 up"]),
}


def do(command: str) -> None:
    words = command.split()
    if words[0] == "vf":
        ip("link", "set", "dev", "p2p1", *words)
    elif words[0] == "-n":
        ip("-n", words[1], "link", "set", "dev", words[2], words[3])
    else:
        ip(*words)


@pytest.mark.parametrize("guard", GUARDS)
def test_each_guard_refuses_on_the_real_driver(capsys: pytest.CaptureFixture[str], guard: str) -> None:
    arguments, prepare, restore = GUARDS[guard]
    for command in prepare:
        do(command)
    try:
        code = main(["mirror", "add", *arguments, "--yes", "-q"])
        said = capsys.readouterr().err
    finally:
        for command in restore:
            do(command)
        wait_until_quiet()
    assert code == ExitCode.FAILED
    assert "error:" in said
    assert main(["mirror", "ls"]) == 0
    assert "This host has no mirror" in capsys.readouterr().out


def wait_until_quiet() -> None:
    """Until every guest has its carrier again."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        links = [json.loads(ip("-n", f"vm{index}", "-j", "link", "show", "dev", "eth0"))[0] for index in (1, 2, 3)]
        if all("LOWER_UP" in link["flags"] for link in links):
            return
        time.sleep(0.05)
    pytest.fail("a guest has no carrier")


def test_the_recipes_last_step_is_refused_a_mac_that_a_neighbour_has(capsys: pytest.CaptureFixture[str]) -> None:
    ip("neigh", "add", "192.0.2.9", "lladdr", "fa:16:3e:aa:33:58", "dev", "p2p1")
    try:
        code = main(["mirror", "add", "p2p1/3", "p2p1/2", "--yes", "-q", "--strategy", "field-note"])
    finally:
        ip("neigh", "del", "192.0.2.9", "dev", "p2p1")
    assert code == ExitCode.FAILED
    assert "its last step would give p2p1/2 fa:16:3e:aa:33:58" in capsys.readouterr().err


def test_a_pf_that_is_down_and_a_vf_in_use_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")[0] == 0
    assert run(capsys, "mirror", "add", "p2p1/1", "p2p1/2", "--yes")[0] == ExitCode.FAILED
    assert run(capsys, "mirror", "add", "p2p1/2", "p2p1/1", "--yes")[0] == ExitCode.FAILED
    assert run(capsys, "mirror", "rm", "1")[0] == 0


def test_a_mirror_that_somebody_changed_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")[0] == 0
    vf(2, "mac", "02:00:00:00:00:07")
    try:
        assert run(capsys, "mirror", "ls")[1]["mirrors"][0]["status"]["health"] == "lost"
        assert run(capsys, "mirror", "prove", "1")[0] == ExitCode.NOT_PROVEN
        assert run(capsys, "mirror", "rm", "1")[0] == ExitCode.FAILED
    finally:
        vf(2, "mac", SOURCE_MAC)
    assert run(capsys, "mirror", "rm", "1")[0] == 0


def test_a_plan_judges_every_strategy_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, plan = run(capsys, "mirror", "plan", "p2p1/3", "p2p1/2")
    assert code == 0
    assert [one["strategy"] for one in plan["attempts"]] == ["twin-mac"]
    assert [one["strategy"] for one in plan["rejections"]] == ["field-note"]
    assert plan["points"]["copy"]["meter"] == "captured-frames"
    code, plan = run(capsys, "mirror", "plan", "p2p1/3", "p2p1/2", "--direction", "both")
    assert (code, plan["attempts"]) == (ExitCode.FAILED, [])


def test_a_report_names_the_meters(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = run(capsys, "mirror", "add", "p2p1/3", "p2p1/2", "--yes")
    assert {(one["label"], one["strength"]) for one in report["meters"][:2]} == {("p2p1/3", "seen"), ("p2p1/2", "seen")}
    assert [one["label"] for one in report["unmetered"]] == ["p2p1/0"]
    assert run(capsys, "mirror", "rm", "1")[0] == 0


def die_at(record: int, before: bool) -> None:
    """From now on, this process kills itself at its journal record number ``record``, before or after it is durable."""
    write, count = private.write_synced, 0

    def counted(*arguments: Any) -> None:
        nonlocal count
        if before and count == record:
            os.kill(os.getpid(), signal.SIGKILL)
        write(*arguments)
        if not before and count == record:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    private.write_synced = counted  # type: ignore[assignment]


def in_a_process(arguments: list[str], record: int, before: bool) -> int:
    """Fork, run one command, die at a record; the wait status' exit code (negative: signal)."""
    child = os.fork()
    if child == 0:
        die_at(record, before)
        os._exit(main(arguments))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("before", [True, False], ids=["before the record", "after the record"])
@pytest.mark.parametrize("action", ["add", "rm"])
def test_sigkill_at_every_journal_record_is_finished_by_the_next_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: str, before: bool
) -> None:
    monkeypatch.setenv("VIRTFN_PROBE_FROM", "pf")
    found = witness()
    add = ["mirror", "add", "p2p1/3", "p2p1/2", "--yes", "-q", "--frames", "3", "-o", "json"]
    points = 0
    for record in range(12):
        if action == "rm":
            assert main(add) == 0
        code = in_a_process(
            add if action == "add" else ["mirror", "rm", "p2p1/3", "-q", "--frames", "3"], record, before
        )
        if code == 0:
            break
        assert code == -signal.SIGKILL
        points += 1
        if run(capsys, "mirror", "ls")[1]["mirrors"]:
            assert run(capsys, "mirror", "rm", "p2p1/3", "--frames", "3")[0] == 0
        assert witness() == found
    if action == "add":
        assert main(["mirror", "rm", "p2p1/3", "-q", "--frames", "3"]) == 0
    assert points >= 3
    with capsys.disabled():
        print(f"\n{action}: killed at {points} points, {points} restored")
