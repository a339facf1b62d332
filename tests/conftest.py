"""Where a test may run: ``guest`` tests inside the lab only, ``lab`` tests on a host that can boot it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.folders import Folders
from virtfn.lab.machine import Machine
from virtfn.lab.parts import Parts, assemble
from virtfn.lab.shape import Shape
from virtfn.lab.startup import Wishes, throw_away

ROOT = Path(__file__).parents[1]
IN_LAB = "VIRTFN_IN_LAB" in os.environ

StartLab = Callable[..., AbstractContextManager[Machine]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("guest") and not IN_LAB:
            item.add_marker(
                pytest.mark.skip(reason="runs inside the lab: tests/lab/test_kernel_suites.py takes it there")
            )
        if item.get_closest_marker("lab") and IN_LAB:
            item.add_marker(pytest.mark.skip(reason="boots the lab: runs on the host"))


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@pytest.fixture(scope="session")
def lab_parts() -> Parts:
    """What labs are made of; skips, with the reason, where this machine was not prepared."""
    try:
        return assemble(Folders.of_this_user(), _say)
    except LabError as missing:
        pytest.skip(f"{missing}; {missing.hint}")


@pytest.fixture(scope="session")
def start_lab(lab_parts: Parts) -> StartLab:
    """Starts throw-away labs: ``with start_lab(shape=Shape(vfs=7)) as machine``."""

    @contextmanager
    def start(*, shape: Shape | None = None, cold: bool = False) -> Iterator[Machine]:
        wishes = Wishes(shape=shape or Shape(), cold=cold)
        with throw_away(lab_parts, Folders.of_this_user(), wishes, _say) as machine:
            machine.push(ROOT / "tests", "tests")
            machine.push(ROOT / "pyproject.toml", "pyproject.toml")
            yield machine

    return start


@pytest.fixture(scope="session")
def lab(start_lab: StartLab) -> Iterator[Machine]:
    """One lab for the whole session, for tests that leave it as it was. ``VIRTFN_TEST_LAB`` names a running one."""
    running = os.environ.get("VIRTFN_TEST_LAB")
    if running:
        machine = Machine.attach(running)
        machine.push(ROOT / "tests", "tests")
        machine.push(ROOT / "pyproject.toml", "pyproject.toml")
        yield machine
        return
    with start_lab() as machine:
        yield machine


@pytest.fixture
def fresh_lab(start_lab: StartLab) -> Iterator[Machine]:
    """A lab for one test, which may leave it in any state."""
    with start_lab() as machine:
        yield machine
