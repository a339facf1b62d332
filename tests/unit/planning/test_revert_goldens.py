"""Every folder under tests/golden/revert: a host, a spec, how far its plan came, and the way back that is expected.

``begun.yaml`` says ``steps: N``: the first N steps were begun; without it all were.
"""

from pathlib import Path

import pytest
from tests.unit.planning.cases import cases, desired, expected, extras, observed
from tests.unit.planning.texts import restores_text

from virtfn.engine.rollback import revert
from virtfn.planning.host.diff import diff
from virtfn.planning.host.plan import plan_host


def text_of(case: Path) -> str:
    host = observed(case)
    plan = plan_host(diff(desired(case), host), host)
    begun = extras(case, "begun.yaml").get("steps", len(plan.steps))
    return restores_text(revert(plan.steps[:begun]))


@pytest.mark.parametrize("case", cases("revert"))
def test_rollback_is_as_expected(case: Path) -> None:
    assert text_of(case) == expected(case)
