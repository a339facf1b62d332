"""``virtfn cloud`` against a real OpenStack: what it says is held against what OpenStack's own SDK shows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.configs import CLOUD
from tests.cloud.control_plane.vfs import VFS_A_PF

from virtfn.api import Cloud
from virtfn.cli.main import main
from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

SPEC = """
virtfn: cloud/1
name: proof
networks:
  - name: flat
    physical_network: physnet2
    port_security: false
    subnets:
      - name: flat-v4
        cidr: 192.0.2.0/24
        pools: ["192.0.2.100-192.0.2.120", "192.0.2.10-192.0.2.20"]
        gateway: none
        dhcp: false
        dns: [192.0.2.3, 192.0.2.2]
servers:
  - name: vm-{n}
    count: 2
    image: virtfn-proof
    flavor: virtfn-proof
    user_data: |
      #!/bin/sh
      echo 'it is I'
    ports: [{network: flat, vnic_type: direct}]
"""


@pytest.fixture
def spec(
    cloud: ControlPlane, connection: "Connection", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A spec file, with the image and the flavor that it names; what a failed test leaves is deleted."""
    sdk: Any = connection
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    path = tmp_path / "cloud.yaml"
    path.write_text(SPEC)
    image = sdk.image.create_image(
        name="virtfn-proof", disk_format="raw", container_format="bare", data=b"vm\n", use_import=False
    )
    flavor = sdk.compute.create_flavor(name="virtfn-proof", ram=64, vcpus=1, disk=0)
    yield str(path)
    main(["cloud", "down", "-f", str(path), "--yes", "-q"])
    sdk.compute.delete_flavor(flavor.id)
    sdk.image.delete_image(image.id)


def left(connection: "Connection") -> dict[str, list[str]]:
    sdk: Any = connection
    return {
        "networks": [one.name for one in sdk.network.networks()],
        "ports": [one.name for one in sdk.network.ports()],
        "servers": [one.name for one in sdk.compute.servers()],
    }


def test_up_gives_each_server_its_vf_and_down_leaves_nothing(
    connection: "Connection", spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sdk: Any = connection
    before = left(connection)
    assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == 0
    capsys.readouterr()
    assert main(["cloud", "show", "-f", spec, "-o", "json", "--exit-code"]) == 0
    shown = {one["name"]: one for one in json.loads(capsys.readouterr().out)["objects"] if one["kind"] == "port"}
    ports = {one.name: one for one in sdk.network.ports(tags="virtfn:proof")}
    assert set(ports) == set(shown) == {"vm-1-0", "vm-2-0"}
    for name, port in ports.items():
        assert (port.status, port.binding_vif_type) == ("ACTIVE", "hw_veb")
        assert port.binding_profile["pci_slot"] == shown[name]["pci_slot"]
        assert port.is_port_security_enabled is False
    network = sdk.network.find_network("flat")
    assert (network.provider_network_type, network.provider_physical_network) == ("flat", "physnet2")
    (subnet,) = sdk.network.subnets(network_id=network.id)
    assert (subnet.gateway_ip, subnet.is_dhcp_enabled, subnet.dns_nameservers) == (
        None,
        False,
        ["192.0.2.3", "192.0.2.2"],
    )

    assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == 0
    assert main(["cloud", "up", "-f", spec]) == 0, "there is nothing to do, so nothing is asked"
    assert main(["cloud", "down", "-f", spec, "--yes", "-q"]) == 0
    assert left(connection) == before


def test_more_servers_than_vfs_leave_what_was_there(
    connection: "Connection", spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == 0
    before = left(connection)
    Path(spec).write_text(SPEC.replace("count: 2", f"count: {VFS_A_PF + 1}"))
    capsys.readouterr()
    assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "no VF of physnet2 " in said, "nova says one thing or another, as servers begin at once"
    assert left(connection) == before


BY_ID = """
virtfn: cloud/1
name: proof
servers:
  - name: vm
    image: {image}
    flavor: {flavor}
    ports: [{{network: {network}}}]
"""


@contextmanager
def others_things(sdk: Any, image: str) -> Iterator[tuple[Any, list[Any]]]:
    """A hidden image of this name, and two networks of one name."""
    how = {"disk_format": "raw", "container_format": "bare", "use_import": False}
    made = sdk.image.create_image(name=image, data=b"vm\n", **how)
    sdk.image.update_image(made, is_hidden=True)
    networks = [
        sdk.network.create_network(name="theirs", provider_network_type="flat", provider_physical_network=physical)
        for physical in ("physnet1", "physnet2")
    ]
    for one in networks:
        sdk.network.create_subnet(network_id=one.id, ip_version=4, cidr="198.51.100.0/24")
    try:
        yield made, networks
    finally:
        for one in networks:
            sdk.network.delete_network(one)
        sdk.image.delete_image(made)


@pytest.mark.parametrize("name", ["virtfn-proof", "virtfn-hidden"])
def test_ids_stand_for_what_has_no_name_of_its_own(
    connection: "Connection", spec: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    sdk: Any = connection
    with others_things(sdk, name) as (image, networks):
        before = left(connection)
        flavor = sdk.compute.find_flavor("virtfn-proof")
        Path(spec).write_text(BY_ID.format(image=image.id, flavor=flavor.id, network=networks[1].id))
        assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == 0
        (server,) = [one for one in sdk.compute.servers() if one.name == "vm"]
        assert server.image.id == image.id
        (port,) = sdk.network.ports(device_id=server.id)
        assert (port.network_id, port.binding_vif_type) == (networks[1].id, "hw_veb")
        assert main(["cloud", "show", "-f", spec, "--exit-code"]) == 0
        assert main(["cloud", "up", "-f", spec]) == 0, "there is nothing to do, so nothing is asked"
        Path(spec).write_text(BY_ID.format(image="virtfn-proof", flavor="virtfn-proof", network="theirs"))
        capsys.readouterr()
        assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == 0, (
            "its network has this name, and it keeps its image"
        )
        assert main(["cloud", "down", "-f", spec, "--yes", "-q"]) == 0
        assert left(connection) == before
        assert main(["cloud", "plan", "-f", spec]) == ExitCode.BAD_SPEC
        assert f"name one by its id ({', '.join(sorted(one.id for one in networks))})" in capsys.readouterr().err


def test_names_that_go_to_others_change_neither_what_is_made_nor_what_is_taken_back(
    connection: "Connection", spec: str
) -> None:
    sdk: Any = connection
    with others_things(sdk, "virtfn-old") as (_, (first, second)), Cloud.connect(CLOUD) as mine:
        sdk.network.update_network(first, name="mine")
        Path(spec).write_text(BY_ID.format(image="virtfn-proof", flavor="virtfn-proof", network="mine"))
        (image,) = sdk.image.images(name="virtfn-proof")
        plan = mine.plan(Path(spec))
        sdk.network.update_network(first, name="not-mine")
        sdk.network.update_network(second, name="mine")
        sdk.image.update_image(image, name="virtfn-before")
        other = sdk.image.create_image(
            name="virtfn-proof", disk_format="raw", container_format="bare", data=b"another\n", use_import=False
        )
        try:
            before = left(connection)
            mine.apply(plan)
            (server,) = [one for one in sdk.compute.servers() if one.name == "vm"]
            (port,) = sdk.network.ports(device_id=server.id)
            assert (server.image.id, port.network_id) == (image.id, first.id)
            mine.rollback()
            assert left(connection) == before
        finally:
            sdk.image.delete_image(other)
            sdk.image.update_image(image, name="virtfn-proof")


BARE = """
virtfn: cloud/1
name: proof
networks: [{name: bare, physical_network: physnet1, port_security: false}]
servers: [{name: vm, image: virtfn-proof, flavor: virtfn-proof, ports: [{network: bare}]}]
"""


def test_a_network_without_subnets_takes_servers_where_neutron_has_segments(
    cloud: ControlPlane, connection: "Connection", spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sdk: Any = connection
    before = left(connection)
    Path(spec).write_text(BARE)
    assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == ExitCode.BAD_SPEC
    assert "port vm-0 has no address (network bare has no subnet)" in capsys.readouterr().err
    with cloud.neutron_with(service_plugins="trunk,taas,segments"):
        assert main(["cloud", "up", "-f", spec, "--yes", "-q"]) == 0
        (port,) = sdk.network.ports(tags="virtfn:proof")
        assert (port.status, port.binding_vif_type, port.fixed_ips) == ("ACTIVE", "hw_veb", [])
        assert main(["cloud", "plan", "-f", spec, "--exit-code"]) == 0
        assert main(["cloud", "down", "-f", spec, "--yes", "-q"]) == 0
    assert left(connection) == before
