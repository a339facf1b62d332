"""The agent's imports never outlive the code they were made of."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtfn.lab.guest import warm
from virtfn.lab.guest.warm import Warmth


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of another name, in place of virtfn."""
    package = tmp_path / "src/warmed"
    (package / "lab").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "part.py").write_text("value = 1\n")
    (package / "broken.py").write_text("1/0\n")
    (package / "leaves.py").write_text("raise SystemExit\n")
    (package / "__main__.py").write_text("raise AssertionError\n")
    (tmp_path / ".hash").write_text("one")
    monkeypatch.setattr(warm, "_PROJECT", "warmed")
    monkeypatch.setattr(warm, "_IDLE_S", 0.0)
    monkeypatch.syspath_prepend(tmp_path / "src")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "warmed"]:
        del sys.modules[name]


def packaged(code: Path) -> Warmth:
    warmth = Warmth(code)
    warmth.packaged.set()
    return warmth


def test_code_is_imported_when_there_is_nothing_to_do(code: Path) -> None:
    warmth = packaged(code)
    assert not warmth.complete_for_now
    warmth.import_code_when_idle()
    assert warmth.complete_for_now
    assert warmth.patience() is None
    assert sys.modules["warmed.part"].value == 1


def test_code_that_was_replaced_is_forgotten(code: Path) -> None:
    warmth = packaged(code)
    warmth.import_code_when_idle()
    (code / ".hash").write_text("two")
    warmth.forget_stale_code()
    assert not [name for name in sys.modules if name.startswith("warmed")]


def test_code_that_is_the_same_stays(code: Path) -> None:
    warmth = packaged(code)
    warmth.import_code_when_idle()
    warmth.forget_stale_code()
    assert "warmed.part" in sys.modules


def test_code_that_is_being_replaced_does_not_live_on_under_the_new_hash(code: Path) -> None:
    """A transfer takes the hash away first; the agent may be idle in the middle of it."""
    warmth = packaged(code)
    warmth.import_code_when_idle()
    (code / ".hash").unlink()
    warmth.import_code_when_idle()
    assert warmth.patience() is None
    (code / "src/warmed/part.py").write_text("value = 22\n")
    (code / ".hash").write_text("two")
    warmth.forget_stale_code()
    assert "warmed.part" not in sys.modules
    warmth.import_code_when_idle()
    assert sys.modules["warmed.part"].value == 22


def test_nothing_is_imported_beside_the_packages(code: Path) -> None:
    warmth = Warmth(code)
    warmth.import_code_when_idle()
    assert "warmed" not in sys.modules
    assert warmth.patience() is None


def test_packages_that_are_not_there_are_passed_over(code: Path) -> None:
    warmth = Warmth(code)
    warmth.start(["no_such_package_at_all", "json"])
    assert warmth.packaged.wait(10)
