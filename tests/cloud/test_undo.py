"""A run that fails at any object leaves the cloud as it was; what cannot be undone is named, and finished later."""

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.control_plane.places import url
from tests.cloud.operating import FLAVOR, IMAGE, Operator
from tests.cloud.proxy import Faulty, in_front_of

from virtfn.cli.events_view import EventsView
from virtfn.cloud.openstack import OpenStackCloud
from virtfn.engine.readback import Settle
from virtfn.engine.transaction import Transactions
from virtfn.errors import CloudError, ExitCode, RollbackIncomplete
from virtfn.model.cloud import DesiredCloud, meant_by
from virtfn.model.finding import UseCase
from virtfn.model.plan import DEFINITION, Target, Value
from virtfn.model.proposal import CloudRequest, WaitPolicy
from virtfn.model.subject import CloudAction
from virtfn.model.transaction import Status
from virtfn.services.cloud_state import CloudService
from virtfn.spec.cloud.loading import load_cloud

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

SPEC = f"""
virtfn: cloud/1
name: undone
networks:
  - name: flat
    physical_network: physnet2
    subnets: [{{name: flat-v4, cidr: 192.0.2.0/24, gateway: none, dhcp: false}}]
servers:
  - {{name: vm-1, image: {IMAGE}, flavor: {FLAVOR}, anti_affinity: apart, ports: [{{network: flat}}]}}
  - {{name: vm-2, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: flat}}]}}
"""
OBJECTS = ("flat", "flat-v4", "vm-1-0", "vm-2-0", "apart", "vm-1", "vm-2")
"""In the order in which they are made."""


PATHS = {"nova": "/v2.1", "neutron": "/v2.0"}


class When(Enum):
    """Whether the cloud has done what it was asked before the answer is lost."""

    BEFORE = "before"
    AFTER = "after"


class Unreliable(OpenStackCloud):
    """The real cloud, but the call that makes one object fails, and each that deletes another (``keeps``)."""

    def __init__(self, name: str, when: When, *, keeps: str = "") -> None:
        super().__init__(CLOUD)
        self.has_failed = False
        self._name, self._when, self._keeps = name, when, keeps

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """What comes before the call that fails is done, what comes after it is not."""
        ends = [(meant_by(target)[2], value is None) for target, field, value in changes if field == DEFINITION]
        name, when = (self._keeps, When.BEFORE) if (self._keeps, True) in ends else (self._name, self._when)
        if (name, name == self._keeps) not in ends:
            super().write_all(changes)
            return
        self.has_failed = True
        places = [place for place, change in enumerate(changes) if meant_by(change[0])[2] == name]
        target = changes[places[0]][0]
        done = changes[: places[0] if when is When.BEFORE else places[-1] + 1]
        if done:
            super().write_all(done)
        raise CloudError("the connection was lost", where=str(target))


def clouds(world: Unreliable, operator: Operator) -> CloudService:
    """virtfn as its own composition root makes it, on this world."""
    journal = operator.journal
    engine = Transactions(world, journal, sink=EventsView(print), settle=Settle(30.0, 0.2))
    return CloudService(world, journal, engine, sink=EventsView(print), patience=WaitPolicy(90.0, 0.2))


def up(world: Unreliable, operator: Operator, desired: DesiredCloud) -> None:
    service = clouds(world, operator)
    service.carry_out(service.propose(CloudRequest(CloudAction.UP, desired)))


@pytest.fixture
def desired() -> DesiredCloud:
    return load_cloud("cloud.yaml", SPEC)


@pytest.mark.parametrize("when", When, ids=lambda when: str(when.value))
@pytest.mark.parametrize("name", OBJECTS)
def test_a_failure_at_any_object_leaves_the_cloud_as_it_was(
    connection: "Connection", operator: Operator, desired: DesiredCloud, name: str, when: When
) -> None:
    sdk: Any = connection
    theirs = sdk.network.create_network(name="flat", provider_network_type="flat", provider_physical_network="physnet1")
    sdk.network.create_port(network_id=theirs.id, name="vm-1-0", binding_vnic_type="direct")
    before = operator.everything()
    world = Unreliable(name, when)
    with pytest.raises(CloudError, match="the connection was lost") as raised:
        up(world, operator, desired)
    assert world.has_failed
    assert raised.value.__notes__ == ["All that was changed has been put back and read back."]
    assert operator.everything() == before
    (entry,) = operator.journal.all()
    assert entry.status is Status.ROLLED_BACK
    assert not entry.remaining


@pytest.mark.parametrize(
    ("service", "kind", "name"), [("nova", "servers", "compute"), ("neutron", "networks", "network")]
)
def test_what_a_gateway_gave_up_on_is_taken_back_when_it_comes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, service: str, kind: str, name: str
) -> None:
    """The gateway says 504, and the service does what it was asked for some seconds later."""
    before = operator.everything()
    with in_front_of(url(service), Faulty("POST", f"/{kind}", 504, late_s=4.0)) as faulty:
        clouds = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())
        clouds["clouds"][CLOUD][f"{name}_endpoint_override"] = faulty.url + PATHS[service]
        mine = operator.folder / "clouds.yaml"
        mine.write_text(yaml.safe_dump(clouds))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(mine))
        code = operator.virtfn("up", "-f", operator.spec(SPEC), "--os-cloud", CLOUD, "--yes", "-q", "--parallel", "1")
        assert code == ExitCode.UNREACHABLE
        assert faulty.carried_out.wait(30)
    assert operator.everything() == before


def fail_to_undo(operator: Operator) -> RollbackIncomplete:
    """The last server cannot be made, so all is deleted again; but one deletion is refused."""
    world = Unreliable("vm-2", When.AFTER, keeps="vm-2-0")
    with pytest.raises(RollbackIncomplete) as raised:
        up(world, operator, load_cloud("cloud.yaml", SPEC))
    return raised.value


def test_what_could_not_be_undone_is_named(operator: Operator) -> None:
    failure = fail_to_undo(operator)
    assert failure.exit_code == ExitCode.ROLLBACK_INCOMPLETE
    assert "port vm-2-0" in failure.message
    assert "the connection was lost" in failure.message
    assert "network flat" in failure.message, "its port is still there"
    assert UseCase.CLOUD_DOWN in [one.use_case for one in failure.actions]
    assert [operator.names(kind) for kind in ("networks", "ports", "servers")] == [["flat"], ["vm-2-0"], []]
    (entry,) = operator.journal.all()
    assert entry.status is Status.INCOMPLETE
    assert any("vm-2-0" in line for line in entry.remaining)


def test_down_deletes_what_could_not_be_undone(operator: Operator) -> None:
    before = operator.everything()
    fail_to_undo(operator)
    assert operator.virtfn("down", "-f", operator.spec(SPEC), "--yes", "-q") == 0
    assert operator.everything() == before
    assert not any(entry.status.unfinished for entry in operator.journal.all())


def test_up_finishes_what_could_not_be_undone_and_makes_all_once(operator: Operator) -> None:
    fail_to_undo(operator)
    spec = operator.spec(SPEC)
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0
    assert [operator.names(kind) for kind in ("networks", "subnets", "ports", "server groups", "servers")] == [
        ["flat"],
        ["flat-v4"],
        ["vm-1-0", "vm-2-0"],
        ["virtfn:undone/apart"],
        ["vm-1", "vm-2"],
    ]
    assert {port.status for port in operator.ports("undone").values()} == {"ACTIVE"}
    assert not any(entry.status.unfinished for entry in operator.journal.all())
