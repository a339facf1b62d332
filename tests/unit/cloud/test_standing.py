"""How far each server is, in a line."""

from tests.unit.cloud.rig import desired

from virtfn.model.cloud import CloudObject, Kind, ObservedCloud
from virtfn.model.plan import Value
from virtfn.planning.cloud.server_progress import standing

BOUND: dict[str, Value] = {"status": "ACTIVE", "pci_slot": "0000:3b:02.3"}


def told(server: dict[str, Value] | None, port: dict[str, Value] | None) -> str:
    """The line of vm-1 where nova and Neutron tell these facts."""
    objects = [
        *([CloudObject(Kind.SERVER, "vm-1", "s1", {}, server)] if server is not None else []),
        *([CloudObject(Kind.PORT, "vm-1-0", "p1", {}, port)] if port is not None else []),
    ]
    seen = ObservedCloud("fake", tuple(objects), ())
    return standing(desired(), seen)["vm-1"]


def test_a_server_that_runs_is_told_with_its_host_and_its_vf() -> None:
    line = told({"status": "ACTIVE", "host": "compute1"}, BOUND)
    assert line == "ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.3"


def test_a_vf_that_its_agent_has_not_seen_is_told_as_not_up_whatever_neutron_calls_it() -> None:
    lines = {told({"status": "ACTIVE", "host": "compute1"}, {**BOUND, "status": word}) for word in ("DOWN", "BUILD")}
    assert lines == {"ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.3, not up yet"}


def test_a_server_that_is_built_says_nothing_of_its_port() -> None:
    assert told({"status": "BUILD", "host": None}, {"status": "DOWN", "pci_slot": ""}) == "BUILD"


def test_who_is_no_administrator_is_told_what_is_known() -> None:
    assert told({"status": "ACTIVE"}, {"status": "ACTIVE"}) == "ACTIVE, port vm-1-0 ACTIVE"


def test_what_is_not_there_is_told() -> None:
    assert told(None, None) == "not there, port vm-1-0 not there"
