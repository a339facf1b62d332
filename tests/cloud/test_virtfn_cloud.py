"""``virtfn cloud`` against a real OpenStack: what it says is held against what OpenStack's own SDK shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.vfs import VFS_A_PF

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
        assert port.binding_profile["pci_slot"] == shown[name]["facts"]["pci_slot"]
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
