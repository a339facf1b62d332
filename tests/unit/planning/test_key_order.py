"""The order in which a person writes the keys of a spec changes nothing, case by case of the plan goldens."""

import io
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.unit.planning.cases import cases, desired, observed

from virtfn.planning.host.diff import diff
from virtfn.planning.host.plan import plan_host
from virtfn.spec.loading import load


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in reversed(value)] if isinstance(value, list) else value


@pytest.mark.parametrize("case", cases("plan"))
def test_a_spec_written_backwards_gives_the_same_plan(case: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(reversed_keys(yaml.load((case / "desired.yaml").read_text())), text)
    host = observed(case)
    backwards = load([("backwards.yaml", text.getvalue())])
    assert plan_host(diff(backwards, host), host) == plan_host(diff(desired(case), host), host)
