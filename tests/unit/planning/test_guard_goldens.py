"""Every folder under tests/golden/guards: a host, a spec, what depends on the host, and what is to be objected.

``surroundings.yaml`` has ``default_route`` and ``ssh`` (netdevs), ``mirrors`` (``DEVICE/INDEX``), ``forced`` (guards).
"""

from pathlib import Path

import pytest
from tests.unit.planning.cases import cases, desired, expected, extras, observed
from tests.unit.planning.texts import objections_text

from virtfn.model.addresses import VfRef
from virtfn.planning.diff import diff
from virtfn.planning.guards import Surroundings, objections
from virtfn.planning.host_plan import plan_host


def text_of(case: Path) -> str:
    host = observed(case)
    around = extras(case, "surroundings.yaml")
    plan = plan_host(diff(desired(case), host), host)
    surroundings = Surroundings(
        frozenset(around.get("default_route", ())),
        frozenset(around.get("ssh", ())),
        tuple(_ref(text) for text in around.get("mirrors", ())),
    )
    return objections_text(objections(plan, host, surroundings, forced=frozenset(around.get("forced", ()))))


def _ref(text: str) -> VfRef:
    device, _, index = text.rpartition("/")
    return VfRef(device, int(index))


@pytest.mark.parametrize("case", cases("guards"))
def test_objections_are_as_expected(case: Path) -> None:
    assert text_of(case) == expected(case)
