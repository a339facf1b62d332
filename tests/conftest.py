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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``guest`` tests are taken into the lab by tests/lab/test_kernel_suites.py, so the host leaves them out."""
    elsewhere = "lab" if IN_LAB else "guest"
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(elsewhere)])
    items[:] = [item for item in items if not item.get_closest_marker(elsewhere)]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@pytest.fixture(scope="session")
def lab_parts() -> Parts:
    """What labs are made of. A machine that is not prepared fails these tests: `make setup` prepares it."""
    try:
        return assemble(Folders.of_this_user(), _say)
    except LabError as missing:
        pytest.fail(f"{missing}; {missing.hint}")


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
