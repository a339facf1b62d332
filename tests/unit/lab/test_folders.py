"""Sockets live in a short folder of this user alone."""

import os
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine.folders import Folders, private_folder


def test_the_xdg_folders_are_used(tmp_path: Path) -> None:
    short = Path("/tmp")
    found = Folders.of({"XDG_CACHE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(short), "HOME": "/h"}, 7)
    assert (found.cache, found.runtime) == (tmp_path / "virtfn", short / "virtfn-lab-7")


@pytest.mark.parametrize("runtime", ["", "/nonexistent", "/tmp/" + "x" * 60])
def test_a_runtime_folder_that_will_not_do_is_passed_over(runtime: str) -> None:
    found = Folders.of({"HOME": "/h", "XDG_RUNTIME_DIR": runtime}, 7)
    assert found.cache == Path("/h/.cache/virtfn")
    assert len(str(found.runtime / ("n" * 20) / "wire-host")) < 108


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert private_folder(tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "trap").symlink_to(tmp_path / "real")
    with pytest.raises(LabError, match="not a folder of this user"):
        private_folder(tmp_path / "trap")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder another user's")
def test_another_owner_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(LabError, match="not a folder of this user"):
        private_folder(tmp_path / "theirs")
