"""The cache holds whole folders or none."""

import threading
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build.store import Store, exclusive, key_of


def write(work: Path) -> None:
    (work / "part").write_text("whole")


def test_a_part_is_built_once(tmp_path: Path) -> None:
    built = []

    def build(work: Path) -> None:
        built.append(work)
        write(work)

    store = Store(tmp_path)
    first, second = store.make("root", "k", build), store.make("root", "k", build)
    assert first == second == store.find("root", "k")
    assert len(built) == 1
    assert (first / "part").read_text() == "whole"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def build(work: Path) -> None:
        write(work)
        raise LabError("no")

    store = Store(tmp_path)
    with pytest.raises(LabError, match="no"):
        store.make("root", "k", build)
    assert store.find("root", "k") is None
    assert [path.name for path in (tmp_path / "root").iterdir()] == [".lock"]


def test_what_a_killed_build_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "root/.k.newabc").mkdir(parents=True)
    Store(tmp_path).make("root", "k", write)
    assert not (tmp_path / "root/.k.newabc").exists()


def test_too_little_disk_is_said_before_building(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"MiB of disk are needed for the root, \d+ MiB are free") as failed:
        Store(tmp_path).make("root", "k", write, need_mb=10**9)
    assert "XDG_CACHE_HOME" in failed.value.hint


def test_a_disk_that_fills_up_is_said(tmp_path: Path) -> None:
    def build(work: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(LabError, match="No space left on device") as failed:
        Store(tmp_path).make("root", "k", build)
    assert "make room" in failed.value.hint


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot write the root"):
        Store(tmp_path / "file").make("root", "k", write)


def test_two_that_ask_at_once_build_once(tmp_path: Path) -> None:
    built: list[int] = []
    gate = threading.Barrier(2)

    def build(work: Path) -> None:
        built.append(1)
        write(work)

    def ask() -> None:
        gate.wait()
        Store(tmp_path).make("root", "k", build)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [1]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in "abc":
        store.make("root", key, write)
    store.find("root", "a")
    store.prune("root", keep=2)
    assert store.find("root", "b") is None
    assert store.find("root", "a") is not None


def test_a_held_lock_is_an_error_after_the_wait(tmp_path: Path) -> None:
    with exclusive(tmp_path / "l", timeout_s=0, busy="first"), pytest.raises(LabError, match="second is busy"):  # noqa: SIM117
        with exclusive(tmp_path / "l", timeout_s=0.05, busy="second is busy"):
            pass


def test_keys_differ_with_what_they_are_made_of() -> None:
    assert key_of("a", 1) == key_of("a", 1) != key_of("a", "1")
