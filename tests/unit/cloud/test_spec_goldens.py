"""A folder under tests/golden/cloud_spec or cloud_spec_errors is one case: cloud.yaml and what is expected of it."""

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tests.findings import found_with_fix

from virtfn.errors import SpecError
from virtfn.model.addresses import MacAddress
from virtfn.model.cloud import DesiredCloud
from virtfn.model.desired import UNSET
from virtfn.spec.cloud.cloud_format import cloud_json_schema, cloud_json_schema_text
from virtfn.spec.cloud.loading import load_cloud

ROOT = Path(__file__).parents[3]
GOOD = sorted((ROOT / "tests/golden/cloud_spec").iterdir())
BAD = sorted((ROOT / "tests/golden/cloud_spec_errors").iterdir())
EXAMPLES = sorted((ROOT / "examples/cloud").glob("*.yaml"))


def read(path: Path) -> DesiredCloud:
    return load_cloud(path.name, path.read_text(encoding="utf-8"))


def plain(value: Any) -> Any:
    """A model value as plain JSON, without what is left to the cloud."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, MacAddress):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(item) for name, item in said.items() if item is not UNSET}
    return value


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_spec_is_read_as_expected(case: Path) -> None:
    assert plain(read(case / "cloud.yaml")) == json.loads((case / "expected.json").read_text())


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_spec_says_everything_that_is_wrong(case: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(case / "cloud.yaml")
    assert found_with_fix(caught.value) == (case / "expected.txt").read_text().splitlines()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_right(example: Path) -> None:
    assert read(example).servers


def test_schema_has_every_key_with_its_meaning() -> None:
    schema = cloud_json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert {part["additionalProperties"] for part in parts} == {False}
    assert [key for part in parts for key, said in part["properties"].items() if "description" not in said] == []


def test_the_schema_in_the_docs_is_todays() -> None:
    assert (ROOT / "docs/reference/cloud-spec.schema.json").read_text(encoding="utf-8") == cloud_json_schema_text()
