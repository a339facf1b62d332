"""What holds for all unit tests: they lock nothing of the machine that they run on."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _locks_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtfn.app._runtime_folder", lambda: tmp_path / "locks")
