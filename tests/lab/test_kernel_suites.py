"""The suites that need the real drivers, each run inside a lab of its own; a failure shows pytest's own report."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import StartLab

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]

SUITES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/kernel").glob("test_*.py"))
_SUITE_S = 900.0


@pytest.mark.parametrize("suite", SUITES)
def test_inside_the_lab(start_lab: "StartLab", suite: str) -> None:
    with start_lab() as machine:
        done = machine.run(["python3", "-m", "pytest", "-q", suite], cwd="/lab/code", timeout_s=_SUITE_S)
    sys.stdout.write(done.text)
    sys.stderr.write(done.stderr.decode(errors="replace"))
    assert done.returncode == 0, f"{suite} failed inside the lab"
