"""What a person at the prompt meets: results, errors, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from virtfn import __version__
from virtfn.cli.help_text import overview
from virtfn.cli.main import cli, main
from virtfn.errors import ExitCode, PermissionDenied
from virtfn.journal.files import FileJournal

FIELD_NOTE = (
    "2: p2p1: <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT group default "
    "qlen 1000 link/ether a0:36:9f:68:fc:f4 brd ff:ff:ff:ff:ff:ff "
    "vf 0 MAC 00:00:00:00:00:00, spoof checking on, link-state auto "
    "vf 1 MAC fa:16:3e:c0:d8:11, spoof checking on, link-state auto "
    "vf 2 MAC fa:16:3e:a1:43:57, spoof checking on, link-state auto "
    "vf 3 MAC fa:16:3e:aa:33:59, spoof checking on, link-state auto"
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("VIRTFN_PROBE_FROM", raising=False)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "note.txt"
    path.write_text(FIELD_NOTE)
    return str(path)


def virtfn(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own, in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "virtfn", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_field_notes_block_is_a_table(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--from", capture]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("p2p1  4 VFs  up")
    assert "fa:16:3e:aa:33:59" in out
    assert "? TRUST, DRIVER, WHERE: not in the captured text" in out


def test_json_is_one_document_with_reasons_for_what_is_unknown(
    capture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--from", capture, "-j"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["kind"]) == (1, "inventory")
    vf = document["pfs"][0]["vfs"][3]
    assert (vf["mac"], vf["spoofchk"], vf["trust"]) == ("fa:16:3e:aa:33:59", True, None)
    reasons = {entry["path"]: entry["reason"] for entry in document["unknown"]}
    assert reasons["pfs[0].vfs[3].trust"] == "not in the captured text"


def test_yaml_says_the_same_as_json(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "--from", capture, "-o", "json"])
    as_json = json.loads(capsys.readouterr().out)
    main(["show", "--from", capture, "-o", "yaml"])
    assert YAML(typ="safe").load(capsys.readouterr().out) == as_json


def test_a_capture_becomes_a_spec(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--from", capture, "-o", "spec"]) == 0
    assert "virtfn: host/1" in capsys.readouterr().out


def test_stdin_is_read_where_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "virtfn", "show", "--from", "-"],
        input=FIELD_NOTE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "fa:16:3e:c0:d8:11" in done.stdout) == (0, True)


def test_rubbish_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rubbish.txt"
    path.write_text(FIELD_NOTE.replace("fa:16:3e:c0:d8:11", "fa:16:3e:c0:d8:zz"))
    assert main(["show", "--from", str(path)]) == ExitCode.BAD_SPEC
    assert f"{path}:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["frobnicate"], ExitCode.USAGE, "No such command"),
        (["show", "--frobnicate"], ExitCode.USAGE, "No such option"),
        (["show", "-o", "xml"], ExitCode.USAGE, "xml"),
        (["show", "p9p9"], ExitCode.USAGE, "there is no SR-IOV device 'p9p9' here"),
        (["show", "--from", "/nonexistent/x"], ExitCode.BAD_SPEC, "No such file"),
        (["mirror", "add", "p9p9/1", "p9p9/2", "--yes"], ExitCode.USAGE, "no SR-IOV device"),
        (["mirror", "add", "p9p9/1", "p9p9/2", "--literal"], ExitCode.USAGE, "--strategy field-note"),
        (["mirror", "add", "a"], ExitCode.USAGE, "Missing argument"),
        (["mirror", "rm", "17"], ExitCode.USAGE, "there is no mirror 17"),
        (["mirror", "prove", "17"], ExitCode.USAGE, "this host has no mirror"),
        (["rollback", "--yes"], ExitCode.USAGE, "there is no transaction to roll back"),
        (["rollback", "99", "--yes"], ExitCode.USAGE, "there is no transaction 99"),
        (["resume", "--yes"], ExitCode.USAGE, "no transaction is unfinished"),
        (["confirm"], ExitCode.USAGE, "no transaction waits"),
        (["journal", "show", "5"], ExitCode.USAGE, "there is no transaction 5"),
        (["plan", "-f", "/nonexistent/host.yaml"], ExitCode.BAD_SPEC, "No such file"),
        (["apply", "-f", "x", "--plan", __file__], ExitCode.USAGE, "not both"),
        (["apply", "--plan", __file__, "--yes"], ExitCode.BAD_SPEC, "not a saved plan"),
        (["persist", "install"], ExitCode.UNREACHABLE, "systemd"),
    ],
)
def test_a_wrong_command_says_what_and_what_to_do(
    arguments: list[str], code: ExitCode, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] == "persist" and Path("/run/systemd/system").is_dir():
        arguments, code, words = ["persist", "install", "-f", "/nonexistent.yaml"], ExitCode.USAGE, "does not exist"
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_bad_spec_tells_all_its_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "host.yaml"
    path.write_text("virtfn: host/1\npfs:\n  - match: {name: p2p1}\n    num_vfs: -1\n    trsut: on\n    mtu: huge\n")
    assert main(["plan", "-f", str(path)]) == ExitCode.BAD_SPEC
    said = capsys.readouterr().err
    assert all(f"{path}:{line}" in said for line in (4, 5, 6))


def test_nobody_at_the_terminal_is_not_asked(capture: str) -> None:
    done = virtfn("rollback")
    assert done.returncode == ExitCode.USAGE
    assert "there is no transaction" in done.stderr


def test_a_fault_of_our_own_is_no_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("virtfn.app.App.host", lambda _self: 1 / 0)
    monkeypatch.delenv("VIRTFN_DEBUG", raising=False)
    assert main(["show"]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "fault of virtfn itself: ZeroDivisionError" in said
    assert "Traceback" not in said
    monkeypatch.setenv("VIRTFN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["show"])


def test_a_pipe_gets_no_colour_and_no_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text(FIELD_NOTE.replace("spoof checking on", "spoof checking on, trust on, query_rss off"))
    done = virtfn("show", "--from", str(path), "-o", "wide", TERM="xterm")
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout


def test_no_line_ends_in_blanks(capture: str) -> None:
    done = virtfn("show", "--from", capture)
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]


def test_version_and_module_agree() -> None:
    assert virtfn("--version").stdout == f"virtfn {__version__}\n"


def test_a_closed_pipe_is_no_error(capture: str) -> None:
    command = f"{sys.executable} -m virtfn show --from {capture} -j | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_every_command_has_help() -> None:
    assert {"show", "mirror", "plan", "apply", "verify", "rollback", "journal", "lab"} <= set(
        cli.list_commands(None)  # type: ignore[arg-type]
    )


def test_the_overview_that_needs_no_click_is_what_click_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert text == overview()
    assert all(option in text for parameter in cli.params for option in parameter.opts)


def test_as_an_ordinary_user_the_journal_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            FileJournal(folder / "state", "boot").lock().__enter__()
        except PermissionDenied as denied:
            os._exit(denied.exit_code if "run as root" in denied.hint else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.NO_PERMISSION
