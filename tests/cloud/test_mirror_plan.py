"""``virtfn cloud mirror plan`` against a real OpenStack: what it finds is held against what the SDK shows."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.processes import wait_until
from tests.cloud.control_plane.vfs import HOST, PFS, FakeSysfs

from virtfn.cli.main import main
from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

SETTLE_S = 90


@dataclass(frozen=True)
class Stage:
    """Networks, ports and servers of the tests; all that is made goes with ``undo``, the last made first."""

    cloud: ControlPlane
    sdk: Any
    image: Any
    flavor: Any
    undo: ExitStack

    def network(self, name: str, physnet: str) -> Any:
        made = self.sdk.network.create_network(
            name=name, provider_network_type="flat", provider_physical_network=physnet, is_shared=True
        )
        self.undo.callback(self.sdk.network.delete_network, made.id)
        self.sdk.network.create_subnet(network_id=made.id, ip_version=4, cidr="192.0.2.0/24", gateway_ip=None)
        return made

    def port(self, name: str, network: Any, sdk: Any = None) -> Any:
        by = sdk or self.sdk
        made = by.network.create_port(name=name, network_id=network.id, binding_vnic_type="direct")
        self.undo.callback(by.network.delete_port, made.id)
        return made

    def server(self, name: str, *ports: Any, sdk: Any = None, zone: str = "nova") -> Any:
        """A server that begins to boot."""
        by = sdk or self.sdk
        made = by.compute.create_server(
            name=name,
            image_id=self.image.id,
            flavor_id=self.flavor.id,
            networks=[{"port": one.id} for one in ports],
            availability_zone=zone,
        )
        self.undo.callback(self._delete, by, made)
        return made

    def project(self, name: str) -> tuple[Any, dict[str, str]]:
        """A new project with one user, both of this name: a connection of that user, and what the user sets."""
        identity = self.sdk.identity
        project = identity.create_project(name=name, domain_id="default")
        self.undo.callback(identity.delete_project, project.id)
        user = identity.create_user(name=name, password="secret", default_project_id=project.id)
        self.undo.callback(identity.delete_user, user.id)
        member = next(iter(identity.roles(name="member")))
        identity.assign_project_role_to_user(project, user, member)
        environment = {
            "OS_AUTH_URL": self.sdk.config.auth["auth_url"],
            "OS_USERNAME": name,
            "OS_PASSWORD": "secret",
            "OS_PROJECT_NAME": name,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": "RegionOne",
        }
        made = self.sdk.connect_as(username=name, password="secret", project_id=project.id, user_domain_id="default")
        self.undo.callback(made.close)
        return made, environment

    def ready(self, *ports: Any) -> None:
        """Return when the agent has reported all these ports up."""
        self.wait(lambda: all(self.sdk.network.get_port(one.id).status == "ACTIVE" for one in ports))

    def port_security_off(self, port: Any) -> None:
        self.sdk.network.update_port(port.id, port_security_enabled=False, security_groups=[])
        self.undo.callback(self.sdk.network.update_port, port.id, port_security_enabled=True)

    def wait(self, reached: Callable[[], bool]) -> None:
        assert wait_until(reached, SETTLE_S)

    def _delete(self, by: Any, server: Any) -> None:
        by.compute.delete_server(server.id)
        by.compute.wait_for_delete(server, interval=0.2, wait=SETTLE_S)


@pytest.fixture(scope="module")
def module_stage(cloud: ControlPlane, connection: "Connection") -> Iterator[Stage]:
    sdk: Any = connection
    with ExitStack() as undo:
        image = sdk.image.create_image(
            name="mirror-plan",
            disk_format="raw",
            container_format="bare",
            visibility="public",
            data=b"vm\n",
            use_import=False,
        )
        undo.callback(sdk.image.delete_image, image.id)
        flavor = sdk.compute.create_flavor(name="mirror-plan", ram=64, vcpus=1, disk=1)
        undo.callback(sdk.compute.delete_flavor, flavor.id)
        yield Stage(cloud, sdk, image, flavor, undo)


@pytest.fixture(scope="module")
def pair(module_stage: Stage) -> tuple[Any, Any]:
    """Two ports on one flat network with their VFs: ``web`` of server ``vm-web``, ``probe`` of ``vm-probe``."""
    network = module_stage.network("flat1", "physnet1")
    ports = module_stage.port("web", network), module_stage.port("probe", network)
    for port in ports:
        module_stage.server(f"vm-{port.name}", port)
    module_stage.ready(*ports)
    return ports


@pytest.fixture
def stage(module_stage: Stage, pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """For what one test adds to the pair; the commands reach the same cloud."""
    for name, value in module_stage.cloud.environment().items():
        monkeypatch.setenv(name, value)
    with ExitStack() as undo:
        yield replace(module_stage, undo=undo)


def slot(stage: Stage, port: Any) -> str:
    return str(stage.sdk.network.get_port(port.id).binding_profile["pci_slot"])


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["cloud", "mirror", "plan", *words]) != ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_two_servers_are_found_with_their_vfs_and_nothing_is_changed(
    stage: Stage, pair: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    web, probe = pair
    before = [one.to_dict() for one in stage.sdk.network.ports()]
    assert main(["cloud", "mirror", "plan", "vm-web", f"vm-probe:{probe.id}", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for side, port in (("source", web), ("copy", probe)):
        shown = stage.sdk.network.get_port(port.id)
        assert found[side]["id"] == port.id
        assert found[side]["pci_slot"] == shown.binding_profile["pci_slot"]
        assert found[side]["mac"] == shown.mac_address
        assert found[side]["project"] == {"id": shown.project_id, "name": "admin"}
    assert (found["host"], found["pf"], found["physical_network"]) == (HOST, PFS[0].name, "physnet1")
    assert found["host_side"]["action"]["use_case"] == "mirror add"
    assert found["host_side"]["action"]["arguments"] == [slot(stage, web), slot(stage, probe)]
    assert [one["state"] for one in found["preparations"]] == ["to do", "or instead"]
    assert [one.to_dict() for one in stage.sdk.network.ports()] == before


def test_the_table_says_where_and_how_to_look_by_hand(
    stage: Stage, pair: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "mirror", "plan", "web", "probe", "--explain"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines()[1:10])) <= 80
    assert f"Both are VFs of {PFS[0].name}: the agent on {HOST} serves physnet1 with no other netdev." in shown
    assert f"openstack port show {pair[0].id}" in shown


def test_what_the_plan_says_of_the_agent_is_what_the_agent_does(stage: Stage, pair: tuple[Any, Any]) -> None:
    """The copy's VF with the source's MAC is the agent's no longer: its port is DOWN, its spoof check is left alone."""
    web, probe = pair
    address, vfs = slot(stage, probe), FakeSysfs(stage.cloud.places.sysfs)
    stage.wait(lambda: stage.cloud.vf_features(address)["spoofchk"] == 1)

    vfs.set_mac(address, web.mac_address)
    stage.wait(lambda: stage.sdk.network.get_port(probe.id).status == "DOWN")
    stage.port_security_off(probe)
    stage.cloud.stop_agent()
    stage.cloud.start_agent()
    stage.ready(web)
    assert stage.cloud.vf_features(address)["spoofchk"] == 1
    assert stage.sdk.network.get_port(probe.id).status == "DOWN"

    vfs.set_mac(address, probe.mac_address)
    stage.ready(probe)
    stage.wait(lambda: stage.cloud.vf_features(address)["spoofchk"] == 0)


def test_port_security_that_is_off_needs_nothing(
    stage: Stage, pair: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    stage.port_security_off(pair[1])
    assert main(["cloud", "mirror", "plan", "web", "probe"]) == 0
    assert "port security of vm-probe:probe off: already so" in capsys.readouterr().out


def test_all_that_is_wrong_with_two_ports_is_told(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    network = stage.network("flat2", "physnet2")
    far, _ = stage.port("far", network), stage.port("idle", network)
    stage.server("vm-far", far)
    stage.ready(far)
    said = refused(capsys, "vm-web", "vm-far")
    assert "other-network: vm-web:web and vm-far:far are on two networks, flat1 and flat2" in said
    assert "other-physnet: vm-web:web and vm-far:far are on two physical networks, physnet1 and physnet2" in said
    assert "not-bound: idle has no VF: its vif_type is unbound" in refused(capsys, "vm-web", "idle")


def test_names_that_mean_nothing_or_too_much_are_refused(
    stage: Stage, pair: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    network = stage.sdk.network.find_network("flat1", ignore_missing=False)
    ports = [stage.port(name, network) for name in ("vm-web", "eth1")]
    server = stage.server("vm-both", *ports)
    stage.ready(*ports)
    assert "nobody: there is no such server or port" in refused(capsys, "nobody", "web")
    assert "vm-web:nobody: there is no such server or port" in refused(capsys, "vm-web:nobody", "web")
    said = refused(capsys, "vm-web", "web")
    assert f"port {ports[0].id} (network flat1, project admin); server " in said
    said = refused(capsys, server.id, "web")
    assert "server vm-both: it has 2 direct ports" in said
    assert {"vm-both:eth1", "vm-both:vm-web"} <= set(said.replace(",", "").split())
    assert main(["cloud", "mirror", "plan", "vm-both:eth1", pair[0].id, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"]["id"] == ports[1].id


def test_another_projects_port_takes_as_admin(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, environment = stage.project("tenant")
    network = stage.sdk.network.find_network("flat1", ignore_missing=False)
    ports = [stage.port(name, network, tenant) for name in ("theirs", "mine")]
    for port in ports:
        stage.server(f"vm-{port.name}", port, sdk=tenant)
    stage.ready(*ports)
    said = refused(capsys, "vm-web", "vm-theirs")
    assert (
        "port web is of admin, server vm-web is of admin, port theirs is of tenant, server vm-theirs is of ten" in said
    )
    assert "next: add --as-admin" in said
    assert main(["cloud", "mirror", "plan", "vm-web", "vm-theirs", "--as-admin", "-o", "yaml"]) == 0
    assert "WARNING (--as-admin): all that is sent to port web of project admin" in capsys.readouterr().err
    assert main(["cloud", "mirror", "plan", "vm-mine", "vm-theirs"]) == 0, "one project owns all of it"
    assert "WARNING" not in capsys.readouterr().err

    for name in stage.cloud.environment():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert "web: there is no such server or port" in refused(capsys, "web", "vm-theirs")
    said = refused(capsys, "vm-mine", "vm-theirs")
    assert "where vm-mine:mine is bound is not known: the cloud tells it to administrators only" in said


def test_servers_on_two_hosts_are_refused(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    network = stage.sdk.network.find_network("flat1", ignore_missing=False)
    with stage.cloud.second_host() as second, ExitStack() as undo:
        elsewhere = replace(stage, undo=undo)
        port = elsewhere.port("elsewhere", network)
        elsewhere.server("vm-elsewhere", port, zone=f"nova:{second}")
        elsewhere.ready(port)
        said = refused(capsys, "vm-web", "vm-elsewhere")
    assert f"vm-web:web and vm-elsewhere:elsewhere are on {HOST} and on {second}" in said
