"""Every folder under tests/golden/plan: a host, a spec, and the plan that is expected."""

from pathlib import Path

import pytest
from tests.unit.planning.cases import cases, desired, expected, observed
from tests.unit.planning.texts import plan_text

from virtfn.planning.host.diff import diff
from virtfn.planning.host.plan import plan_host


def text_of(case: Path) -> str:
    host = observed(case)
    return plan_text(plan_host(diff(desired(case), host), host))


@pytest.mark.parametrize("case", cases("plan"))
def test_plan_is_as_expected(case: Path) -> None:
    assert text_of(case) == expected(case)
