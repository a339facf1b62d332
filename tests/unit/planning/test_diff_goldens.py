"""Every folder under tests/golden/diff: a host, a spec, and the differences or the faults that are expected."""

from pathlib import Path

import pytest
from tests.unit.planning.cases import cases, desired, expected, observed
from tests.unit.planning.texts import differences_text, fault_text

from virtfn.errors import CapabilityError, SpecError
from virtfn.planning.host.diff import diff


def text_of(case: Path) -> str:
    try:
        return differences_text(diff(desired(case), observed(case)))
    except (SpecError, CapabilityError) as fault:
        return fault_text(fault)


@pytest.mark.parametrize("case", cases("diff"))
def test_differences_are_as_expected(case: Path) -> None:
    assert text_of(case) == expected(case)
