"""The suites that need the real drivers, each run inside a lab of its own; a failure shows pytest's own report."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from virtfn.lab.machine.shape import Shape

if TYPE_CHECKING:
    from tests.conftest import StartLab

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]

SUITES = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("contract", "kernel")
    for path in (ROOT / "tests" / room).glob("test_*.py")
    if "mark.guest" in path.read_text()
)
_SUITE_S = 900.0
SHAPES = {"tests/kernel/test_non_nic.py": Shape(nvme=True, iommu=True)}
"""Suites that need another lab than the field note's."""


@pytest.mark.parametrize("suite", SUITES)
def test_inside_the_lab(start_lab: "StartLab", suite: str) -> None:
    command = ["python3", "-m", "pytest", "-v", "--durations=5", suite]
    deadline = time.monotonic() + _SUITE_S
    with start_lab(shape=SHAPES.get(suite)) as machine, machine.start(command, cwd="/lab/code") as job:
        job.end_input()
        while job.returncode is None and time.monotonic() < deadline:
            for _, data in job.events(1.0):
                sys.stdout.write(data.decode(errors="replace"))  # as it comes: see it with pytest -s
                sys.stdout.flush()
    assert job.returncode is not None, f"{suite} did not end within {_SUITE_S:g} s"
    assert job.returncode == 0, f"{suite} failed inside the lab"
