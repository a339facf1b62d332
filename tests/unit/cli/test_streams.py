"""A standard stream that is full or closed changes neither what is done nor how it is said to have ended."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from virtfn.errors import ExitCode

FAKE_CLOUD = """
import sys
from tests.unit.cloud.rig import FIELD_NOTE, Rig
from virtfn.app import App
from virtfn.cli.main import main
from pathlib import Path
rig = Rig()
if "poor" in sys.argv[1]:
    rig.cloud.rules.vfs.clear()
App.clouds = lambda *_, **__: rig.clouds
spec = Path(sys.argv[2])
spec.write_text(FIELD_NOTE)
code = main(["cloud", "up", "-f", str(spec), "--yes", *sys.argv[3:]])
spec.with_suffix(".made").write_text(str(len(rig.cloud.everything())))
sys.exit(code)
"""
UNPRINTED = "error: the result could not be printed ({}); the changes remain: see `virtfn journal ls`\n"


def up(folder: Path, cloud: str, redirect: str, *options: str) -> tuple[int, str, int]:
    """Exit code, what stderr said, and how many objects there are then."""
    words = [sys.executable, "-c", FAKE_CLOUD, cloud, str(folder / "c.yaml"), *options]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirect}', "bash", *words], capture_output=True, text=True, check=False, timeout=60
    )
    made = folder / "c.made"
    return done.returncode, done.stderr, int(made.read_text()) if made.exists() else -1


@pytest.mark.parametrize("options", [["-q"], ["-q", "-o", "json"], ["-q", "-o", "yaml"]])
@pytest.mark.parametrize(
    ("redirect", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_a_result_that_cannot_be_printed_does_not_undo_what_was_done(
    tmp_path: Path, redirect: str, why: str, options: list[str]
) -> None:
    assert up(tmp_path, "rich", redirect, *options) == (ExitCode.UNREACHABLE, UNPRINTED.format(why), 7)


def test_a_failure_is_said_though_its_document_cannot_be(tmp_path: Path) -> None:
    code, said, made = up(tmp_path, "poor", ">/dev/full", "-q", "-o", "json")
    assert (code, made) == (ExitCode.FAILED, 0)
    assert "error: server vm-1: No valid host was found." in said
    assert said.endswith("error: the result could not be printed (No space left on device)\n")


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", "<&- 2>&-", "2> >(true)"])
def test_a_standard_error_that_cannot_be_written_masks_nothing(tmp_path: Path, redirect: str) -> None:
    assert up(tmp_path, "rich", redirect)[::2] == (ExitCode.DONE, 7)
    assert up(tmp_path, "poor", redirect)[::2] == (ExitCode.FAILED, 0)


def test_a_stream_that_is_not_blocking_gets_all_of_it() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    words = "from virtfn.cli.main import main; import sys; main(['--help']); print('x' * 300_000); sys.stdout.flush()"
    with subprocess.Popen([sys.executable, "-c", words], stdout=writer) as running:
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            text = said.read()
    assert running.returncode == ExitCode.DONE
    assert text.endswith(b"x" * 300_000 + b"\n")


def test_a_reader_that_has_gone_is_no_fault(tmp_path: Path) -> None:
    assert up(tmp_path, "rich", "> >(true)", "-q") == (ExitCode.DONE, "", 7)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_is_said_without_any_command_fails_as_plainly(option: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m virtfn {option} >/dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.UNREACHABLE
    assert done.stderr == "error: standard output cannot be written (No space left on device)\n"
