"""Programs that are missing are named, and a person without root is told what to run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from virtfn.cli.actions import advice
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
    [
        ("13", "sudo apt-get install --no-install-recommends no-such-package"),
        ("12", "`virtfn lab prepare --programs` builds what the lab needs"),
    ],
)
def test_without_root_the_command_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, command: str
) -> None:
    monkeypatch.setattr(programs, "root_prefix", lambda: None)
    said: list[str] = []
    with pytest.raises(LabError, match="only root can: no-such-package") as failed:
        install_missing(missing_programs((ABSENT,)), packages(tmp_path, version), said.append)
    assert command in (failed.value.hint.removeprefix("run: "), advice(failed.value.actions))
    assert said == ["no-such-program (a test): is not installed"]


class InstallsHeader(Packages):
    """A package archive whose one package brings one file that is no program."""

    def __init__(self, header: Path) -> None:
        super().__init__(header.parent, Distribution("debian", "13", "x"), lambda text: None)
        self._header = header

    def update(self) -> None:
        """There are no lists to fetch."""

    def install(self, names: Sequence[str], as_root: Sequence[str]) -> None:
        self._header.touch(mode=0o644)


def test_a_header_is_there_once_its_package_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "root_prefix", list)
    header = Program(str(tmp_path / "Python.h"), "python3-dev", "a test")
    missing = missing_programs((header,))
    assert missing == [Missing(header, "is not installed")]
    assert install_missing(missing, InstallsHeader(tmp_path / "Python.h"), lambda text: None) == ["python3-dev"]
    assert missing_programs((header,)) == []
