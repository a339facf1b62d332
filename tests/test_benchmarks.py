"""Every benchmark works: its quick run ends well and gives its rows. No figure is judged here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cloud.control_plane.cloud import ControlPlane
    from tests.conftest import StartLab

FOLDER = Path(__file__).parent / "bench"
BENCHMARKS = {path.stem: path.read_text() for path in FOLDER.glob("*.py") if path.stem != "report"}
IN_A_LAB = sorted(name for name, text in BENCHMARKS.items() if "with lab()" in text)
IN_A_CLOUD = sorted(name for name, text in BENCHMARKS.items() if "control_plane" in text)
COLUMNS = {"what", "value", "unit", "peer", "peer_value", "ratio", "goal", "held"}
ENDS_WITHIN_S = 300


def run(name: str, folder: Path, **environment: str) -> None:
    file = folder / "figures.json"
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--quick", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=ENDS_WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(file.read_text())["results"]
    assert rows
    assert {column for row in rows for column in row} == COLUMNS
    assert [row["what"] for row in rows if row["what"] not in done.stdout] == []


@pytest.mark.parametrize("name", sorted(BENCHMARKS.keys() - {*IN_A_LAB, *IN_A_CLOUD}))
def test_on_this_machine(tmp_path: Path, name: str) -> None:
    run(name, tmp_path)


@pytest.fixture(scope="module")
def lab_name(start_lab: "StartLab") -> Iterator[str]:
    """One lab for all benchmarks, which do not leave it as it was."""
    with start_lab() as machine:
        yield machine.folder.name


@pytest.mark.lab
@pytest.mark.parametrize("name", IN_A_LAB)
def test_in_a_lab(lab_name: str, tmp_path: Path, name: str) -> None:
    run(name, tmp_path, VIRTFN_TEST_LAB=lab_name)


@pytest.mark.cloud
@pytest.mark.parametrize("name", IN_A_CLOUD)
def test_in_a_cloud(cloud: "ControlPlane", tmp_path: Path, name: str) -> None:
    run(name, tmp_path, VIRTFN_TEST_CLOUD=str(cloud.places.root))
