"""Programs that outlive this process: what they are given, and what is said where they do not start."""

import json
import os
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from virtfn.errors import BackendUnreachable
from virtfn.host import process

PATIENCE_S = 30.0


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, first in PATH, on a host that systemd has booted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(process, "_SYSTEMD", tmp_path)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_under_systemd_no_secret_is_on_a_command_line(
    tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor an exported shell function, which systemd-run refuses as the name of a variable."""
    seen = tmp_path / "seen"
    program(bin_folder, "systemd-run", f"import json, sys; json.dump(sys.argv, open({str(seen)!r}, 'w'))")
    monkeypatch.setenv("OS_PASSWORD", "hunter2")
    monkeypatch.setenv("BASH_FUNC_which%%", "() { :; }")
    process.start_detached(["watch-over", "7"], name="virtfn-watch-over-7", settings={"VIRTFN_STATE_DIR": "/state"})
    argv = json.loads(seen.read_text())
    assert "hunter2" not in " ".join(argv)
    assert {one.partition("=")[2].partition("=")[0] for one in argv if one.startswith("--setenv=")} <= {
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "VIRTFN_STATE_DIR",
    }
    assert {"--working-directory=/", "--unit=virtfn-watch-over-7", "--setenv=VIRTFN_STATE_DIR=/state"} <= set(argv)


def test_a_unit_that_does_not_start_is_reported_without_its_command_line(bin_folder: Path) -> None:
    program(bin_folder, "systemd-run", "import sys; sys.exit('the bus does not answer')")
    with pytest.raises(BackendUnreachable) as raised:
        process.start_detached(["watch-over", "7"], name="virtfn-watch-over-7", settings={"VIRTFN_STATE_DIR": "/state"})
    assert str(raised.value) == "unit virtfn-watch-over-7: systemd-run failed: the bus does not answer"
    assert raised.value.__cause__ is None


def test_without_systemd_it_runs_isolated_in_the_root_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that somebody else can write to holds a module of a name that is imported; it is not the one used."""
    monkeypatch.setattr(process, "_SYSTEMD", tmp_path / "none")
    seen = tmp_path / "seen"
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    found = "[os.getcwd(), dict(os.environ), sys.flags.isolated]"
    write = f"json.dump({found}, open({str(seen)!r}, 'w')); os.rename({str(seen)!r}, {str(seen)!r} + '.done')"
    monkeypatch.setattr(process, "_MAIN", f"import json, os, sys; {write}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OS_PASSWORD", "hunter2")
    process.start_detached([], name="virtfn-watch-over-7", settings={"VIRTFN_STATE_DIR": "/state"})
    done = Path(f"{seen}.done")
    deadline = time.monotonic() + PATIENCE_S
    while not done.exists() and time.monotonic() < deadline:
        os.sched_yield()
    folder, environment, isolated = json.loads(done.read_text())
    assert (folder, isolated) == ("/", 1)
    assert environment["VIRTFN_STATE_DIR"] == "/state"
    assert "OS_PASSWORD" not in environment


def test_its_import_path_has_no_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "relative", *sys.path])
    assert not {"", str(tmp_path), "relative"} & set(process._import_path())


def test_a_report_is_one_line_of_the_system_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(log))
        process.report("transaction 7\nwas not confirmed", log=log)
        assert daemon.recv(4096).decode() == f"<27>virtfn[{os.getpid()}]: transaction 7 was not confirmed"


def test_a_host_without_a_log_daemon_is_no_error(tmp_path: Path) -> None:
    process.report("nobody reads this", log=tmp_path / "none")


def test_a_current_folder_that_is_gone_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert str(Path(process.__file__).parents[2]) in process._import_path()
