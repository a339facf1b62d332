"""Where servers run, and what their ports are bound to: hosts, zones, groups, whole PFs and macvtap."""

from typing import TYPE_CHECKING

import pytest
from tests.cloud.control_plane.cloud import ControlPlane
from tests.cloud.control_plane.vfs import HOST, PFS, SECOND_HOST, VFS_A_PF, WHOLE_PF, WHOLE_PF_MAC
from tests.cloud.operating import FLAVOR, IMAGE, Operator

from virtfn.errors import ExitCode

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.cloud

NETWORK = """
virtfn: cloud/1
name: placed
networks:
  - name: flat
    physical_network: physnet2
    subnets: [{name: flat-v4, cidr: 192.0.2.0/24, gateway: none, dhcp: false}]
servers:
"""


def server(more: str = "", *, vnic_type: str = "direct", name: str = "vm") -> str:
    port = f"{{network: flat, vnic_type: {vnic_type}}}"
    return f'  - {{name: "{name}", image: {IMAGE}, flavor: {FLAVOR}, ports: [{port}]{more and ", "}{more}}}\n'


def test_a_server_runs_on_the_host_and_in_the_zone_that_were_asked_for(operator: Operator) -> None:
    both = server(f"host: {HOST}", name="on-host") + server("availability_zone: nova", name="in-zone")
    assert operator.virtfn("up", "-f", operator.spec(NETWORK + both), "--yes", "-q") == 0
    servers = operator.servers()
    assert {one.compute_host for one in servers.values()} == {HOST}
    assert servers["in-zone"].availability_zone == "nova"


@pytest.mark.parametrize(("more", "said"), [("host: nowhere", "nowhere"), ("availability_zone: moon", "zone")])
def test_a_host_or_zone_that_does_not_exist_leaves_what_was_there(
    operator: Operator, more: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = operator.everything()
    code = operator.virtfn("up", "-f", operator.spec(NETWORK + server(more)), "--yes", "-q")
    assert code in (ExitCode.FAILED, ExitCode.BAD_SPEC)
    assert said in capsys.readouterr().err
    assert operator.everything() == before


def test_servers_of_a_group_run_on_different_hosts_or_not_at_all(
    cloud: ControlPlane, operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    before = operator.everything()
    apart = [server("anti_affinity: apart", name=f"vm-{n}") for n in (1, 2, 3)]
    together = [server(f"anti_affinity: apart, host: {HOST}", name=f"vm-{n}") for n in (1, 2)]
    with cloud.second_host():
        assert operator.virtfn("up", "-f", operator.spec(NETWORK + "".join(together)), "--yes", "-q") == ExitCode.FAILED
        assert "hosts available" in capsys.readouterr().err
        assert operator.everything() == before

        assert operator.virtfn("up", "-f", operator.spec(NETWORK + "".join(apart[:2])), "--yes", "-q") == 0
        assert {one.compute_host for one in operator.servers().values()} == {HOST, SECOND_HOST}
        assert {port.binding_host_id for port in operator.ports("placed").values()} == {HOST, SECOND_HOST}
        two = operator.everything()

        code = operator.virtfn("up", "-f", operator.spec(NETWORK + "".join(apart)), "--yes", "-q")
        assert code == ExitCode.BAD_SPEC
        assert "group apart has 3 servers that never share a host; the compute hosts are 2" in capsys.readouterr().err
        assert operator.everything() == two

        assert operator.virtfn("down", "-f", operator.spec(NETWORK + apart[0]), "--yes", "-q") == 0
    assert operator.everything() == before


def test_a_server_gets_a_whole_pf_with_the_pfs_own_mac(operator: Operator) -> None:
    before = operator.everything()
    spec = operator.spec(NETWORK + server(vnic_type="direct-physical"))
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0
    (port,) = operator.ports("placed").values()
    assert (port.status, port.binding_vif_type) == ("ACTIVE", "hostdev_physical")
    assert port.binding_profile["pci_slot"] == WHOLE_PF.address
    assert port.mac_address == WHOLE_PF_MAC
    assert operator.virtfn("plan", "-f", spec, "--exit-code") == 0
    assert operator.virtfn("down", "-f", spec, "--yes", "-q") == 0
    assert operator.everything() == before


def test_a_second_whole_pf_is_not_there(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    before = operator.everything()
    two = server(vnic_type="direct-physical", name="vm-1") + server(vnic_type="direct-physical", name="vm-2")
    assert operator.virtfn("up", "-f", operator.spec(NETWORK + two), "--yes", "-q") == ExitCode.FAILED
    assert "hosts available" in capsys.readouterr().err
    assert operator.everything() == before


def test_a_macvtap_port_is_bound_to_a_vf(operator: Operator) -> None:
    spec = operator.spec(NETWORK + server(vnic_type="macvtap"))
    assert operator.virtfn("up", "-f", spec, "--yes", "-q") == 0
    (port,) = operator.ports("placed").values()
    assert (port.status, port.binding_vif_type, port.binding_vnic_type) == ("ACTIVE", "hw_veb", "macvtap")
    assert port.binding_profile["pci_slot"] in {PFS[1].vf_address(index) for index in range(VFS_A_PF)}
    assert operator.virtfn("plan", "-f", spec, "--exit-code") == 0
