"""Every folder under tests/golden/guards: a host, a spec, what depends on the host, and what is to be refused.

``surroundings.yaml`` has ``default_route`` and ``ssh`` (netdevs), ``mirrors`` (``DEVICE/INDEX``), ``forced`` (guards),
``files`` (the host's files with what is in them: OpenStack's configuration, sysfs).
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.planning.cases import cases, desired, expected, extras, observed
from tests.unit.planning.texts import refusals_text

from virtfn.host.physnets import physical_networks
from virtfn.model.addresses import VfRef
from virtfn.model.finding import refusals
from virtfn.model.physnets import PhysicalNetworks
from virtfn.planning.host.diff import diff
from virtfn.planning.host.guards import HostDependencies, guard_findings
from virtfn.planning.host.plan import plan_host


def text_of(case: Path, root: Path) -> str:
    host = observed(case)
    around = extras(case, "surroundings.yaml")
    plan = plan_host(diff(desired(case), host), host)
    host_dependencies = HostDependencies(
        frozenset(around.get("default_route", ())),
        frozenset(around.get("ssh", ())),
        tuple(VfRef.parse(text) for text in around.get("mirrors", ())),
        _physnets(root, around.get("files", {})),
    )
    found = guard_findings(plan, host, host_dependencies)
    return refusals_text(refusals(found, frozenset(around.get("forced", ()))))


def _physnets(root: Path, files: Mapping[str, str]) -> PhysicalNetworks:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return physical_networks(root)


@pytest.mark.parametrize("case", cases("guards"))
def test_refusals_are_as_expected(case: Path, tmp_path: Path) -> None:
    assert text_of(case, tmp_path) == expected(case)
