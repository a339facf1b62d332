"""Eight servers on two physical networks: each port on a VF of its own, and none left when they go."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.vfs import HOST, PFS
from tests.cloud.operating import FLAVOR, IMAGE, Operator

from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

pytestmark = pytest.mark.cloud

SPEC = f"""
virtfn: cloud/1
name: pair
networks:
  - name: left
    physical_network: physnet1
    port_security: false
    subnets: [{{name: left-v4, cidr: 192.0.2.0/24, pools: ["192.0.2.10-192.0.2.99"], gateway: none, dhcp: false}}]
  - name: right
    physical_network: physnet2
    subnets: [{{name: right-v6, cidr: "2001:db8::/64", gateway: none, dhcp: false}}]
servers:
  - {{name: "left-{{n}}", count: 3, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: left}}]}}
  - {{name: "right-{{n}}", count: 3, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: right}}]}}
  - {{name: "both-{{n}}", count: 2, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: left}}, {{network: right}}]}}
"""
SERVERS = sorted([f"{side}-{n}" for side in ("left", "right") for n in (1, 2, 3)] + ["both-1", "both-2"])
PF_OF = {pf.physnet: {pf.vf_address(index) for index in range(8)} for pf in PFS}


def theirs(connection: "Connection") -> None:
    """A network of somebody else, with a port that stays."""
    sdk: Any = connection
    network = sdk.network.create_network(
        name="left", provider_network_type="vlan", provider_physical_network="physnet1", provider_segmentation_id=150
    )
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="198.51.100.0/24", gateway_ip=None)
    sdk.network.create_port(network_id=network.id, name="left-1-0", binding_vnic_type="direct")


def test_each_port_gets_a_vf_of_its_own_on_the_right_pf_and_down_leaves_what_was_there(
    connection: "Connection", operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs(connection)
    before = operator.everything()
    spec = operator.spec(SPEC)
    assert operator.virtfn("plan", "-f", spec, "--exit-code") == ExitCode.DIFFERENT
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0

    ports = operator.ports("pair")
    assert sorted(ports) == sorted([f"{name}-0" for name in SERVERS] + ["both-1-1", "both-2-1"])
    slots = []
    for name, port in ports.items():
        assert (port.status, port.binding_vif_type, port.binding_host_id) == ("ACTIVE", "hw_veb", HOST), name
        physnet = "physnet2" if name.startswith("right") or name.endswith("-1") else "physnet1"
        assert port.binding_profile["physical_network"] == physnet, name
        assert port.binding_profile["pci_slot"] in PF_OF[physnet], name
        assert port.is_port_security_enabled is (physnet == "physnet2"), name
        slots.append(port.binding_profile["pci_slot"])
    assert len(set(slots)) == len(ports) == 10
    servers = operator.servers()
    assert sorted(servers) == SERVERS
    assert {one.status for one in servers.values()} == {"ACTIVE"}
    assert {ports["both-1-0"].device_id, ports["both-1-1"].device_id} == {servers["both-1"].id}

    made = operator.everything()
    capsys.readouterr()
    assert operator.virtfn("up", "-f", spec) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert operator.virtfn("plan", "-f", spec, "--exit-code") == 0
    assert operator.virtfn("show", "-f", spec, "--exit-code") == 0
    assert operator.everything() == made

    assert operator.virtfn("down", "-f", spec, "--yes", "-q") == 0
    assert operator.everything() == before
    capsys.readouterr()
    assert operator.virtfn("down", "-f", spec) == 0
    assert "Nothing to do" in capsys.readouterr().out
