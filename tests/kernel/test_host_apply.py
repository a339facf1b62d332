"""A host from a declared state on the real drivers, iproute2 as witness. Runs inside the lab, as root."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtfn.cli.main import main
from virtfn.errors import ExitCode
from virtfn.host import netlink
from virtfn.journal import private
from virtfn.journal.files import FileJournal
from virtfn.model.transaction import Status

pytestmark = pytest.mark.guest

NETDEVSIM = Path("/sys/bus/netdevsim")
SIMULATED_VFS = 128


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def simulated() -> Iterator[str]:
    """The netdev of a simulated PF with 128 VFs."""
    subprocess.run(["modprobe", "netdevsim"], check=True, timeout=30)
    (NETDEVSIM / "new_device").write_text("9 1")
    device = NETDEVSIM / "devices/netdevsim9"
    Path("/sys/kernel/debug/netdevsim/netdevsim9/max_vfs").write_text(str(SIMULATED_VFS))
    (device / "sriov_numvfs").write_text(str(SIMULATED_VFS))
    yield next(path.name for path in (device / "net").iterdir())
    (NETDEVSIM / "del_device").write_text("9")


def vfs(netdev: str) -> list[dict[str, Any]]:
    """What iproute2 says of the VFs of a PF (up to 221 are in its list)."""
    command = ["ip", "-j", "-d", "link", "show", "dev", netdev]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    found: list[dict[str, Any]] = shown[0]["vfinfo_list"]
    return found


def spec(tmp_path: Path, text: str) -> str:
    path = tmp_path / "host.yaml"
    path.write_text(f"virtfn: host/1\npfs:\n{text}")
    return str(path)


EVERY_FIELD = """
  - match: {name: p2p1}
    vfs:
      1: {mac: fa:16:3e:00:00:77, vlan: {id: 100, qos: 3}, spoofchk: false, trust: true, max_tx_rate_mbps: 100}
      2: {spoofchk: false}
"""


def test_every_field_is_set_read_back_and_taken_back_on_igb(tmp_path: Path) -> None:
    before = vfs("p2p1")
    path = spec(tmp_path, EVERY_FIELD)
    assert main(["apply", "-f", path, "--yes", "-q", "--force", "vf-in-use"]) == 0
    one, two = vfs("p2p1")[1:3]
    assert (one["address"], one["spoofchk"], one["trust"]) == ("fa:16:3e:00:00:77", False, True)
    assert (one["vlan_list"][0]["vlan"], one["vlan_list"][0]["qos"], one["rate"]["max_tx"]) == (100, 3, 100)
    assert two == {**before[2], "spoofchk": False}
    assert main(["verify", "-f", path, "--exit-code"]) == 0
    assert main(["plan", "-f", path, "--exit-code"]) == 0
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs("p2p1") == before
    assert main(["verify", "-f", path, "--exit-code"]) == ExitCode.DIFFERENT


def test_todays_host_as_a_spec_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "-o", "spec"]) == 0
    path = tmp_path / "today.yaml"
    path.write_text(capsys.readouterr().out)
    assert main(["plan", "-f", str(path), "--exit-code"]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_vf_in_use_is_not_destroyed_unasked(tmp_path: Path) -> None:
    before = vfs("p2p1")
    path = spec(tmp_path, "  - match: {name: p2p1}\n    num_vfs: 6\n")
    assert main(["apply", "-f", path, "--yes", "-q"]) == ExitCode.FAILED
    assert vfs("p2p1") == before


def test_what_igb_cannot_do_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    before = vfs("p2p1")
    path = spec(tmp_path, "  - match: {name: p2p1}\n    vfs: {2: {spoofchk: false, link_state: disable}}\n")
    assert main(["apply", "-f", path, "--yes", "-q"]) == ExitCode.FAILED
    assert vfs("p2p1") == before


def test_forced_past_the_guard_the_kernels_refusal_restores_everything(tmp_path: Path) -> None:
    before = vfs("p2p1")
    path = spec(tmp_path, "  - match: {name: p2p1}\n    vfs: {2: {spoofchk: false, link_state: disable}}\n")
    code = main(["apply", "-f", path, "--yes", "-q", "--force", "unsupported-value"])
    assert code in (ExitCode.FAILED, ExitCode.NOT_PROVEN)
    assert vfs("p2p1") == before


def big_spec(tmp_path: Path, netdev: str) -> str:
    """Five fields of each of the 128 VFs, MACs all different."""
    lines = [
        f"      {index}: {{mac: '02:00:00:00:01:{index:02x}', vlan: {index + 1}, spoofchk: false, trust: true,"
        f" max_tx_rate_mbps: {index + 10}}}\n"
        for index in range(SIMULATED_VFS)
    ]
    return spec(tmp_path, f"  - match: {{name: {netdev}}}\n    vfs:\n{''.join(lines)}")


def test_640_changes_on_128_simulated_vfs_and_back(tmp_path: Path, simulated: str) -> None:
    before = vfs(simulated)
    assert main(["apply", "-f", big_spec(tmp_path, simulated), "--yes", "-q"]) == 0
    for index, seen in enumerate(vfs(simulated)):
        assert (seen["address"], seen["spoofchk"], seen["trust"]) == (f"02:00:00:00:01:{index:02x}", False, True)
        assert (seen["vlan_list"][0]["vlan"], seen["rate"]["max_tx"]) == (index + 1, index + 10)
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs(simulated) == before


def test_the_number_of_simulated_vfs_goes_through_none_and_back(tmp_path: Path, simulated: str) -> None:
    subprocess.run(["ip", "link", "set", "dev", simulated, "vf", "3", "mac", "02:00:00:00:00:03"], check=True)
    before = vfs(simulated)
    path = spec(tmp_path, f"  - match: {{name: {simulated}}}\n    num_vfs: 64\n")
    assert main(["apply", "-f", path, "--yes", "-q", "--force", "vf-count"]) == 0
    assert len(vfs(simulated)) == 64
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs(simulated) == before


def test_a_saved_plan_is_refused_once_the_host_has_changed(tmp_path: Path) -> None:
    path, saved = spec(tmp_path, EVERY_FIELD), str(tmp_path / "plan.json")
    before = vfs("p2p1")
    assert main(["plan", "-f", path, "--out", saved]) == 0
    subprocess.run(["ip", "link", "set", "dev", "p2p1", "vf", "2", "spoofchk", "off"], check=True)
    try:
        assert main(["apply", "--plan", saved, "--yes", "-q", "--force", "vf-in-use"]) == ExitCode.FAILED
        assert vfs("p2p1")[1] == before[1]
    finally:
        subprocess.run(["ip", "link", "set", "dev", "p2p1", "vf", "2", "spoofchk", "on"], check=True)


def test_the_explained_commands_run_as_they_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spec(tmp_path, EVERY_FIELD)
    capsys.readouterr()
    assert main(["plan", "-f", path, "-o", "json"]) == 0
    steps = json.loads(capsys.readouterr().out)["plan"]["steps"]
    before = vfs("p2p1")
    for step in steps:
        subprocess.run(["sh", "-c", step["command"]], check=True, timeout=30)
    assert main(["verify", "-f", path, "--exit-code"]) == 0
    for step in reversed(steps):
        subprocess.run(["sh", "-c", step["undo_command"]], check=True, timeout=30)
    assert vfs("p2p1") == before


def dying(at: int) -> None:
    """From now on, this process is killed at its ``at``-th point: before or after a record, or after a message."""
    count = 0

    def point() -> None:
        nonlocal count
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    write, tell = private.write_synced, netlink.NetlinkSocket.tell

    def recorded(*arguments: Any) -> None:
        point()
        write(*arguments)
        point()

    def told(self: netlink.NetlinkSocket, *arguments: Any) -> None:
        tell(self, *arguments)
        point()

    private.write_synced = recorded  # type: ignore[assignment]
    netlink.NetlinkSocket.tell = told  # type: ignore[method-assign,assignment]


def in_a_process(arguments: list[str], at: int) -> int:
    """Fork, run one command, die at a point; the exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        dying(at)
        os._exit(main(arguments))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


CRASH = """
  - match: {name: p2p1}
    vfs:
      1: {mac: fa:16:3e:00:00:77, vlan: 100, spoofchk: false, trust: true}
      2: {spoofchk: false, max_tx_rate_mbps: 100}
      3: {trust: true}
"""


@pytest.mark.parametrize("then", ["rollback", "resume"])
def test_sigkill_at_every_step_is_finished_either_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], then: str
) -> None:
    path, before, points = spec(tmp_path, CRASH), vfs("p2p1"), 0
    for at in range(60):
        code = in_a_process(["apply", "-f", path, "--yes", "-q", "--force", "vf-in-use"], at)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        points += 1
        capsys.readouterr()
        main(["journal", "ls", "-o", "json"])
        entries = json.loads(capsys.readouterr().out)["transactions"]
        unfinished = [entry["id"] for entry in entries if entry["status"] == "open"]
        if unfinished and then == "resume":
            assert main(["resume", "--yes", "-q"]) == 0
            assert main(["verify", "-f", path, "--exit-code"]) == 0
        if unfinished or (entries and entries[-1]["status"] == "committed"):
            assert main(["rollback", "--yes", "-q"]) == 0
        assert vfs("p2p1") == before
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs("p2p1") == before
    assert points >= 10
    with capsys.disabled():
        print(f"\napply: killed at {points} points, then {then}: {points} restored")


def test_sigkill_in_the_middle_of_a_rollback_is_finished_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, before, points = spec(tmp_path, CRASH), vfs("p2p1"), 0
    for at in range(60):
        assert main(["apply", "-f", path, "--yes", "-q", "--force", "vf-in-use"]) == 0
        code = in_a_process(["rollback", "--yes", "-q"], at)
        if code == 0:
            break
        points += 1
        capsys.readouterr()
        main(["journal", "ls", "-o", "json"])
        if json.loads(capsys.readouterr().out)["transactions"][-1]["status"] != "rolled back":
            assert main(["rollback", "--yes", "-q"]) == 0
        assert vfs("p2p1") == before
    assert vfs("p2p1") == before
    assert points >= 5
    with capsys.disabled():
        print(f"\nrollback: killed at {points} points, {points} restored")


CONFIRM = ["--yes", "-q", "--force", "vf-in-use", "--confirm-within", "3"]


def test_unless_confirmed_the_watchdog_rolls_it_back(tmp_path: Path, state: Path) -> None:
    path, before = spec(tmp_path, EVERY_FIELD), vfs("p2p1")
    assert main(["apply", "-f", path, *CONFIRM]) == 0
    assert vfs("p2p1") != before
    wait_until(lambda: status(state) is Status.ROLLED_BACK)  # no command that would do it reads the journal
    assert vfs("p2p1") == before


def test_a_foreign_value_keeps_the_watchdog_from_nothing_else(tmp_path: Path, state: Path) -> None:
    path, before = spec(tmp_path, EVERY_FIELD), vfs("p2p1")
    assert main(["apply", "-f", path, *CONFIRM]) == 0
    subprocess.run(["ip", "link", "set", "dev", "p2p1", "vf", "1", "mac", "fa:16:3e:00:00:99"], check=True)
    wait_until(lambda: status(state) is Status.INCOMPLETE)
    now = vfs("p2p1")
    assert now[1]["address"] == "fa:16:3e:00:00:99"
    assert {**now[1], "address": before[1]["address"]} == before[1]
    assert [*now[:1], *now[2:]] == [*before[:1], *before[2:]]
    subprocess.run(["ip", "link", "set", "dev", "p2p1", "vf", "1", "mac", before[1]["address"]], check=True)
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs("p2p1") == before


def test_what_a_killed_watchdog_leaves_is_rolled_back_by_the_next_command(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, before = spec(tmp_path, EVERY_FIELD), vfs("p2p1")
    assert main(["apply", "-f", path, *CONFIRM]) == 0
    os.kill(watchdog(), signal.SIGKILL)
    newest = journal(state).newest()
    assert newest is not None
    assert newest.confirm_by_boot_s is not None
    by_s = newest.confirm_by_boot_s
    wait_until(lambda: journal(state).now_s() >= by_s)
    assert main(["journal", "ls"]) == 0
    assert vfs("p2p1") == before
    capsys.readouterr()
    assert main(["confirm"]) == ExitCode.FAILED
    assert "too late now" in capsys.readouterr().err


def journal(state: Path) -> FileJournal:
    return FileJournal(state, Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def status(state: Path) -> Status:
    newest = journal(state).newest()
    assert newest is not None
    return newest.status


def watchdog() -> int:
    """The pid of the process that watches over the newest transaction."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if b"watch-over" in words:
            return int(path.parent.name)
    pytest.fail("no watchdog runs")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.2)
