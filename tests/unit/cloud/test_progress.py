"""How far each server is, in a line."""

from tests.unit.cloud.rig import desired

from virtfn.model.cloud.observed import ObservedCloud, ObservedPort, ObservedServer
from virtfn.planning.cloud.readiness import progress

BUILT = ObservedServer("vm-1", "s1", status="ACTIVE", host="compute1")


def port(status: str = "ACTIVE", pci_slot: str = "0000:3b:02.3") -> ObservedPort:
    return ObservedPort("vm-1-0", "p1", "flat", status=status, pci_slot=pci_slot)


def told(*objects: ObservedServer | ObservedPort) -> str:
    """The line of vm-1 where nova and Neutron tell of these."""
    return progress(desired(), ObservedCloud("fake", objects, ()))["vm-1"]


def test_a_server_that_runs_is_told_with_its_host_and_its_vf() -> None:
    line = told(BUILT, port())
    assert line == "ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.3"


def test_a_vf_that_its_agent_has_not_seen_is_told_as_not_up_whatever_neutron_calls_it() -> None:
    lines = {told(BUILT, port(word)) for word in ("DOWN", "BUILD")}
    assert lines == {"ACTIVE on compute1, port vm-1-0 bound to 0000:3b:02.3, not up yet"}


def test_a_server_that_is_built_says_nothing_of_its_port() -> None:
    assert told(ObservedServer("vm-1", "s1", status="BUILD"), port("DOWN", "")) == "BUILD"


def test_who_is_no_administrator_is_told_what_is_known() -> None:
    server = ObservedServer("vm-1", "s1", status="ACTIVE")
    assert told(server, ObservedPort("vm-1-0", "p1", "flat", status="ACTIVE")) == "ACTIVE, port vm-1-0 ACTIVE"


def test_what_is_not_there_is_told() -> None:
    assert told() == "not there, port vm-1-0 not there"
