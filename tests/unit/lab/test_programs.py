"""Programs that are missing are named, and a person without root is told what to run."""

from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build import programs
from virtfn.lab.build.packages import Packages
from virtfn.lab.build.programs import Missing, Program, install_missing, missing_programs
from virtfn.lab.build.sources import Distribution

ABSENT = Program("no-such-program", "no-such-package", "a test")


def packages(folder: Path, version: str) -> Packages:
    return Packages(folder, Distribution("debian", version, "x"), lambda text: None)


def test_a_program_that_is_not_there_is_missing() -> None:
    assert missing_programs((ABSENT,)) == [Missing(ABSENT, "is not installed")]


def test_nothing_missing_does_nothing(tmp_path: Path) -> None:
    assert install_missing([], packages(tmp_path, "13"), print) == []


@pytest.mark.parametrize(
    ("version", "command"),
    [("13", "sudo apt-get install --no-install-recommends no-such-package"), ("12", "lab prepare --programs")],
)
def test_without_root_the_command_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, command: str
) -> None:
    monkeypatch.setattr(programs, "root_prefix", lambda: None)
    said: list[str] = []
    with pytest.raises(LabError, match="only root can: no-such-package") as failed:
        install_missing(missing_programs((ABSENT,)), packages(tmp_path, version), said.append)
    assert command in failed.value.hint
    assert said == ["no-such-program (a test): is not installed"]
