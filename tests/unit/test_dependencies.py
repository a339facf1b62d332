"""The lowest versions that the unit tests are run with are those that the package allows."""

import re
import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[2]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_lower_bound_is_what_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["cloud"]]
    bounds = {_normal(name): Version(bound) for name, bound in (line.split(">=") for line in declared)}
    pins = (line.partition(";")[0].split("==") for line in (ROOT / "constraints-lowest.txt").read_text().splitlines())
    tested = {_normal(name): Version(version) for name, version in pins}
    assert {name: tested.get(name) for name in bounds} == bounds
