"""Every release that is pinned besides the one the other tests run on: virtfn says and does there what it does here.

Of the words of nova and Neutron only those are asked for again that name a cause: they are the services' own.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.release import chosen_release, every_release
from tests.cloud.control_plane.vfs import HOST, VFS_A_PF
from tests.cloud.operating import FLAVOR, IMAGE, Operator

from virtfn.errors import ExitCode

if TYPE_CHECKING:
    from openstack.connection import Connection

OTHERS = [release for release in every_release() if release != chosen_release()]

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.parametrize("cloud", OTHERS, ids=[release.name for release in OTHERS], indirect=True),
]

NETWORKS = """
virtfn: cloud/1
name: other
networks:
  - name: flat
    physical_network: physnet1
    port_security: false
    subnets: [{name: flat-v4, cidr: 192.0.2.0/24, pools: ["192.0.2.10-192.0.2.99"], gateway: none, dhcp: false}]
  - name: tagged
    type: vlan
    physical_network: physnet2
    segmentation_id: 120
    subnets: [{name: tagged-v6, cidr: "2001:db8::/64", gateway: none, dhcp: false}]
"""
SERVERS = f"""
servers:
  - {{name: "vm-{{n}}", count: 2, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: flat}}, {{network: tagged}}]}}
"""
ONE = f"""
servers:
  - {{name: vm, image: {IMAGE}, flavor: {FLAVOR}, ports: [{{network: theirs}}]}}
"""


def test_up_twice_shows_what_is_there_and_down_leaves_nothing(
    cloud: ControlPlane, operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cloud.release in OTHERS
    before = operator.everything()
    spec = operator.spec(NETWORKS + SERVERS)
    assert operator.virtfn("plan", "-f", spec, "--exit-code") == ExitCode.DIFFERENT
    assert operator.virtfn("up", "-f", spec, "--yes", "-q", "--parallel", "8") == 0

    ports = operator.ports("other")
    assert sorted(ports) == [f"vm-{n}-{port}" for n in (1, 2) for port in (0, 1)]
    for port in ports.values():
        assert (port.status, port.binding_vif_type, port.binding_host_id) == ("ACTIVE", "hw_veb", HOST)
    slots = {name: port.binding_profile["pci_slot"] for name, port in ports.items()}
    assert len(set(slots.values())) == len(ports)

    made = operator.everything()
    capsys.readouterr()
    assert operator.virtfn("show", "-f", spec, "--exit-code", "-o", "json") == 0
    shown = json.loads(capsys.readouterr().out)["objects"]
    assert {one["name"]: one["pci_slot"] for one in shown if one["kind"] == "port"} == slots
    assert operator.virtfn("up", "-f", spec) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert operator.everything() == made

    assert operator.virtfn("down", "-f", spec, "--yes", "-q") == 0
    assert operator.everything() == before


def test_a_server_that_finds_no_vf_is_told_why_and_taken_back(
    cloud: ControlPlane, operator: Operator, connection: "Connection", capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = _theirs(connection)
    with cloud.use_up_vfs(theirs):
        before = _ids(operator)
        (cause,) = _causes(operator, capsys, "virtfn: cloud/1\nname: other" + ONE)
        assert (cause["id"], cause["what"]) == (
            "no-free-vf",
            "no VF of physnet1 is free on a host that it may run on",
        )
        assert f"VFs of physnet1 in use: {VFS_A_PF} on {HOST}" in cause["evidence"]
        assert _ids(operator) == before


def test_neutrons_refusal_of_a_network_is_understood(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    before = operator.everything()
    (cause,) = _causes(operator, capsys, NETWORKS.replace("physnet1", "physnet9"))
    assert (cause["id"], cause["what"]) == (
        "physical-network-unknown",
        "Neutron does not allow a flat network on physnet9",
    )
    assert operator.everything() == before


def _theirs(connection: "Connection") -> str:
    """The id of a network that is not ours."""
    sdk: Any = connection
    kind = {"provider_network_type": "flat", "provider_physical_network": "physnet1"}
    made = sdk.network.create_network(name="theirs", **kind)
    sdk.network.create_subnet(network_id=made.id, cidr="198.51.100.0/24", ip_version=4)
    return str(made.id)


def _ids(operator: Operator) -> set[str]:
    """Of all that there is; what holds the VFs may still change."""
    return {number for kind in operator.everything().values() for number in kind}


def _causes(operator: Operator, capsys: pytest.CaptureFixture[str], spec: str) -> list[dict[str, Any]]:
    """What a failed ``up`` tells."""
    capsys.readouterr()
    assert operator.virtfn("up", "-f", operator.spec(spec), "--yes", "-q", "-o", "json") == ExitCode.FAILED
    return list(json.loads(capsys.readouterr().out)["findings"])
