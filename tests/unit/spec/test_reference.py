"""The reference and the examples: every key is in it, and what is shown loads."""

import re
from pathlib import Path

import pytest

from virtfn.spec.loading import load
from virtfn.spec.schema import json_schema

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/host-spec.md").read_text()
EXAMPLES = sorted((ROOT / "examples/host").glob("*.yaml"))


def test_every_key_has_a_row() -> None:
    schema = json_schema()
    keys = {key for entry in (schema, *schema["$defs"].values()) for key in entry["properties"]}
    assert [key for key in sorted(keys) if not re.search(rf"^\| `{key}` \|", REFERENCE, re.MULTILINE)] == []


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL))
def test_what_the_reference_shows_loads(block: str) -> None:
    assert load([("host-spec.md", block)]).pfs


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(example: Path) -> None:
    assert load([(example.name, example.read_text())]).pfs


def test_the_four_examples_are_there() -> None:
    assert {path.stem for path in EXAMPLES} >= {"minimal", "field-note", "nfv-vfio", "gpu-vfs"}
