"""The control plane behaves as OpenStack with SR-IOV does, so that tests of ``virtfn cloud`` can be run against it.

Left out unless ``--cloud`` is given (``make test-cloud``).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.processes import wait_until
from tests.cloud.control_plane.vfs import VFS_A_PF

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

SETTLE_S = 90
VFS = {f"0000:3b:02.{function}" for function in range(VFS_A_PF)}


class Tenant:
    """What the tests make; everything goes again, in reverse order."""

    def __init__(self, connection: "Connection", undo: ExitStack) -> None:
        self._sdk: Any = connection
        self._undo = undo

    def network(self, name: str, physnet: str) -> Any:
        """A flat network with a subnet."""
        made = self._sdk.network.create_network(
            name=name, provider_network_type="flat", provider_physical_network=physnet
        )
        self._undo.callback(self._sdk.network.delete_network, made.id)
        self._sdk.network.create_subnet(network_id=made.id, ip_version=4, cidr="192.0.2.0/24", gateway_ip=None)
        return made

    def port(self, network_id: str) -> Any:
        made = self._sdk.network.create_port(name="virtfn", network_id=network_id, binding_vnic_type="direct")
        self._undo.callback(self._sdk.network.delete_port, made.id)
        return made

    def server(self, *ports: Any) -> Any:
        """A server with those ports, running or failed."""
        image = self._sdk.image.create_image(
            name="virtfn", disk_format="raw", container_format="bare", data=b"vm\n", use_import=False
        )
        self._undo.callback(self._sdk.image.delete_image, image.id)
        flavor = self._sdk.compute.create_flavor(name="virtfn", ram=64, vcpus=1, disk=0)
        self._undo.callback(self._sdk.compute.delete_flavor, flavor.id)
        made = self._sdk.compute.create_server(
            name="virtfn", image_id=image.id, flavor_id=flavor.id, networks=[{"port": port.id} for port in ports]
        )
        self._undo.callback(self.delete_server, made)
        self.wait(lambda: self.status(made) in {"ACTIVE", "ERROR"})
        return self._sdk.compute.get_server(made.id)

    def status(self, server: Any) -> str:
        return str(self._sdk.compute.get_server(server.id).status)

    def delete_server(self, server: Any) -> None:
        self._sdk.compute.delete_server(server.id)
        self._sdk.compute.wait_for_delete(server, interval=0.2, wait=SETTLE_S)

    def wait(self, reached: Callable[[], bool]) -> None:
        assert wait_until(reached, SETTLE_S)


@pytest.fixture
def tenant(connection: "Connection") -> Iterator[Tenant]:
    with ExitStack() as undo:
        yield Tenant(connection, undo)


def test_the_administrator_gets_a_token_and_finds_the_services(connection: "Connection") -> None:
    assert connection.authorize()
    for service in ("compute", "image", "network", "placement"):
        assert connection.session.get_endpoint(service_type=service)


def test_a_server_gets_a_vf_and_gives_it_back(connection: "Connection", tenant: Tenant) -> None:
    network = tenant.network("flat1", "physnet1")
    port = tenant.port(network.id)
    assert (port.status, port.binding_vif_type, port.binding_profile) == ("DOWN", "unbound", {})

    server = tenant.server(port)
    assert server.status == "ACTIVE"
    tenant.wait(lambda: connection.network.get_port(port.id).status == "ACTIVE")
    bound = connection.network.get_port(port.id)
    assert bound.binding_vif_type == "hw_veb"
    assert bound.binding_host_id == "sriov-host1"
    assert bound.binding_profile["physical_network"] == "physnet1"
    assert bound.binding_profile["pci_slot"] in VFS

    tenant.delete_server(server)
    tenant.wait(lambda: connection.network.get_port(port.id).binding_vif_type == "unbound")
    assert connection.network.get_port(port.id).binding_profile == {}


def test_the_agent_sets_what_the_port_says(cloud: ControlPlane, connection: "Connection", tenant: Tenant) -> None:
    port = tenant.port(tenant.network("flat1", "physnet1").id)
    tenant.server(port)
    tenant.wait(lambda: connection.network.get_port(port.id).status == "ACTIVE")
    slot = connection.network.get_port(port.id).binding_profile["pci_slot"]
    assert cloud.vf_features(slot)["spoofchk"] == 1

    connection.network.update_port(port.id, port_security_enabled=False, security_groups=[])
    tenant.wait(lambda: cloud.vf_features(slot)["spoofchk"] == 0)


def test_without_a_free_vf_no_server_boots(cloud: ControlPlane, tenant: Tenant) -> None:
    network = tenant.network("flat2", "physnet2")
    with cloud.use_up_vfs(network.id) as taken:
        assert len(taken) == VFS_A_PF
        server = tenant.server(tenant.port(network.id))
    assert server.status == "ERROR"
    assert "No valid host was found" in server.fault["message"]


def test_a_stopped_agent_is_not_alive_and_a_started_one_is(cloud: ControlPlane, connection: "Connection") -> None:
    def alive() -> list[bool]:
        return [agent.is_alive for agent in connection.network.agents(agent_type="NIC Switch agent")]

    assert alive() == [True]
    cloud.stop_agent("sriov-host1")
    try:
        assert alive() == [False]  # `openstack network agent list` shows XXX
    finally:
        cloud.start_agent()
    assert alive() == [True]


def test_a_killed_service_does_not_answer_until_it_is_started(cloud: ControlPlane, connection: "Connection") -> None:
    from keystoneauth1.exceptions import ConnectFailure

    before = [one.id for one in connection.image.images()]
    cloud.kill_service("glance")
    try:
        with pytest.raises(ConnectFailure):
            list(connection.image.images())
    finally:
        cloud.start_service("glance")
    assert [one.id for one in connection.image.images()] == before


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent's tap extension wants root for a command that it runs")
def test_tap_as_a_service_says_active_on_a_nic_that_mirrors_nothing(connection: "Connection", tenant: Tenant) -> None:
    """Its SR-IOV driver swallows the failure, so ACTIVE is no proof of a mirror."""
    network = tenant.network("flat1", "physnet1")
    source, destination = tenant.port(network.id), tenant.port(network.id)
    tenant.server(source, destination)
    tenant.wait(lambda: all(connection.network.get_port(port.id).status == "ACTIVE" for port in (source, destination)))
    sdk: Any = connection.network
    with ExitStack() as undo:
        service = sdk.create_tap_service(name="virtfn", port_id=destination.id)
        undo.callback(sdk.delete_tap_service, service.id)
        flow = sdk.create_tap_flow(name="virtfn", tap_service_id=service.id, source_port=source.id, direction="BOTH")
        undo.callback(sdk.delete_tap_flow, flow.id)
        tenant.wait(lambda: sdk.get_tap_flow(flow.id).status == "ACTIVE")
