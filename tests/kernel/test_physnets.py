"""The guard ``two-physnets`` on the emulated 82576, with OpenStack's files. Runs inside the lab, as root."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtfn.cli.main import main
from virtfn.errors import ExitCode

pytestmark = pytest.mark.guest

AGENT, NOVA = Path("/etc/neutron/plugins/ml2/sriov_agent.ini"), Path("/etc/nova/nova.conf")
SPEC = "virtfn: host/1\npfs:\n- match: {name: p2p1}\n  vfs:\n    0: {spoofchk: false}\n"


@pytest.fixture(autouse=True)
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders for the two files, which go again, and a journal of its own."""
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    assert not AGENT.exists()
    assert not NOVA.exists()
    AGENT.parent.mkdir(parents=True)
    NOVA.parent.mkdir(parents=True)
    yield
    shutil.rmtree("/etc/neutron")
    shutil.rmtree("/etc/nova")


def device_spec(*entries: str) -> None:
    NOVA.write_text("[pci]\n" + "".join(f"device_spec = {entry}\n" for entry in entries))


def test_a_pf_of_two_physical_networks_is_shaped_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "host.yaml"
    spec.write_text(SPEC)
    AGENT.write_text("[sriov_nic]\nphysical_device_mappings = physnet1:p2p1\n")
    device_spec('{"vendor_id": "8086", "product_id": "10ca", "physical_network": "physnet2"}')
    apply = ["apply", "-f", str(spec), "--yes", "-q"]
    assert main(apply) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "physnet1 (Neutron's agent for p2p1, /etc/neutron/plugins/ml2/sriov_agent.ini:2)" in said
    assert "physnet2 (nova for p2p1/0, /etc/nova/nova.conf:2)" in said
    assert main([*apply, "--force", "two-physnets"]) == ExitCode.DONE
    assert main(["rollback", "--yes"]) == ExitCode.DONE

    device_spec('{"vendor_id": "8086", "product_id": "10ca", "physical_network": "physnet1"}')
    assert main(apply) == ExitCode.DONE
    assert main(["rollback", "--yes"]) == ExitCode.DONE


def test_vfs_of_two_physical_networks_are_no_mirror(capsys: pytest.CaptureFixture[str]) -> None:
    device_spec(
        '{"address": "0000:01:10.4", "physical_network": "physnet2"}',
        '{"devname": "p2p1", "physical_network": "physnet1"}',
    )
    assert main(["mirror", "add", "p2p1/3", "p2p1/2", "--yes", "-q"]) == ExitCode.FAILED
    assert "(nova for p2p1/2, /etc/nova/nova.conf:2)" in capsys.readouterr().err
    assert main(["mirror", "add", "p2p1/3", "p2p1/1", "--dry-run"]) == ExitCode.DONE
