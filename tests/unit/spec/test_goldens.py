"""Every folder under tests/golden/spec and spec_errors is one case: host.yaml (and more) and what is expected of it."""

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tests.findings import found_with_fix

from virtfn.errors import SpecError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import UNSET, DesiredHost
from virtfn.spec.loading import load
from virtfn.spec.writing import dump

GOLDEN = Path(__file__).parents[2] / "golden"
GOOD = sorted((GOLDEN / "spec").iterdir())
BAD = sorted((GOLDEN / "spec_errors").iterdir())


def sources(case: Path) -> list[tuple[str, str]]:
    return [(path.name, path.read_bytes().decode()) for path in sorted(case.glob("*.yaml"))]


def plain(value: Any) -> Any:
    """A model value as plain JSON, without what is left alone."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, MacAddress | PciAddress):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(item) for name, item in said.items() if item is not UNSET}
    return value


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_spec_is_read_as_expected(case: Path) -> None:
    desired: DesiredHost = load(sources(case))
    assert plain(desired) == json.loads((case / "expected.json").read_text())


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_what_is_dumped_reads_back(case: Path) -> None:
    desired = load(sources(case))
    assert load([("dumped.yaml", dump(desired))]) == desired


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_spec_says_everything_that_is_wrong(case: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(sources(case))
    problems = found_with_fix(caught.value)
    assert list(problems) == (case / "expected.txt").read_text().splitlines()
    assert problems[0].startswith(f"{caught.value.where}: ")
    assert problems[0].endswith(f"; {caught.value.hint}")


def test_every_case_has_specs_and_one_expectation() -> None:
    assert [case.name for case in GOOD if not (case / "expected.json").is_file() or not sources(case)] == []
    assert [case.name for case in BAD if not (case / "expected.txt").is_file() or not sources(case)] == []
