"""A PF that is no NIC, an NVMe controller, by its PCI address; sysfs as witness. Runs inside the lab, as root."""

import fcntl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtfn.cli.main import main
from virtfn.errors import ExitCode

pytestmark = pytest.mark.guest

PF = Path("/sys/bus/pci/devices/0000:02:00.0")
QUEUES, VECTORS = 0, 1
_ADMIN_COMMAND = 0xC0484E41  # NVME_IOCTL_ADMIN_CMD, include/uapi/linux/nvme_ioctl.h
_MANAGE_VFS, _OFFLINE, _GIVE, _ONLINE = 0x1C, 7, 8, 9  # NVMe 1.4, 5.22: Virtualization Management


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIRTFN_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def no_vfs_left() -> Iterator[None]:
    subprocess.run(["modprobe", "vfio-pci"], check=True, timeout=60)
    yield
    (PF / "sriov_numvfs").write_text("0")
    (PF / "sriov_drivers_autoprobe").write_text("1")


def spec(tmp_path: Path, text: str) -> str:
    path = tmp_path / "host.yaml"
    path.write_text(f"virtfn: host/1\npfs:\n  - match: {{pci: 0000:02:00.0}}\n    {text}\n")
    return str(path)


def applied(path: str) -> int:
    return main(["apply", "-f", path, "--yes", "-q"])


def vfs() -> list[str]:
    """The VFs that the kernel has, by their links; a VF of another number than sriov_numvfs says would be a fault."""
    links = sorted(link.name for link in PF.glob("virtfn*"))
    assert len(links) == int((PF / "sriov_numvfs").read_text())
    return links


def driver(vf: int) -> str | None:
    link = PF / f"virtfn{vf}" / "driver"
    return link.resolve().name if link.exists() else None


def give_queues(vf: int) -> None:
    """Two queues and one vector for a VF, and put it online, as ``nvme virt-mgmt`` does."""
    for action, resource, number in ((_OFFLINE, 0, 0), (_GIVE, VECTORS, 1), (_GIVE, QUEUES, 2), (_ONLINE, 0, 0)):
        words = [0] * 18
        words[0], words[10], words[11] = _MANAGE_VFS, action | resource << 8 | (vf + 1) << 16, number
        with Path("/dev/nvme0").open("rb") as controller:
            assert fcntl.ioctl(controller, _ADMIN_COMMAND, bytearray(struct.pack("18I", *words))) == 0


def test_vfs_of_a_pf_that_is_no_nic_are_made_and_taken_back(tmp_path: Path) -> None:
    assert (driver_of_pf(), vfs()) == ("nvme", [])
    path = spec(tmp_path, "num_vfs: 2")
    assert main(["plan", "-f", path, "--exit-code"]) == ExitCode.DIFFERENT
    assert vfs() == []
    assert applied(path) == 0
    assert vfs() == ["virtfn0", "virtfn1"]
    assert main(["verify", "-f", path, "--exit-code"]) == 0
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs() == []
    assert main(["verify", "-f", path, "--exit-code"]) == ExitCode.DIFFERENT


def driver_of_pf() -> str:
    return (PF / "driver").resolve().name


def test_it_is_shown_by_its_address_and_nothing_is_made_up_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert applied(spec(tmp_path, "num_vfs: 2")) == 0
    capsys.readouterr()
    assert main(["show", "0000:02:00.0"]) == 0
    shown = capsys.readouterr().out
    assert "0000:02:00.0  nvme  2 of 4 VFs" in shown
    assert "00:00:00:00:00:00" not in shown
    assert "it has no netdev" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("num_vfs: 2\n    vfs: {0: {mac: '02:00:00:00:00:01', vlan: 5}}", "0000:02:00.0/0 mac"),
        ("num_vfs: 2\n    each: {trust: true}", "0000:02:00.0/0 trust"),
        ("mtu: 9000", "0000:02:00.0 mtu (it has no netdev)"),
        ("up: true", "0000:02:00.0 up (it has no netdev)"),
        ("eswitch_mode: switchdev", "0000:02:00.0 eswitch_mode (not a NIC: it has no switch)"),
    ],
)
def test_what_only_a_nic_has_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    for number in ("0", "2"):  # before there are VFs, and with VFs that were never NICs
        (PF / "sriov_numvfs").write_text(number)
        before = vfs()
        assert applied(spec(tmp_path, text)) == ExitCode.FAILED
        assert said in capsys.readouterr().err
        assert vfs() == before


def test_more_vfs_than_it_can_have_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert applied(spec(tmp_path, "num_vfs: 5")) == ExitCode.FAILED
    assert "can have 4 VFs, not 5" in capsys.readouterr().err
    assert vfs() == []


def test_vfs_go_to_guests_through_vfio_and_come_back(tmp_path: Path) -> None:
    path = spec(tmp_path, 'autoprobe: false\n    num_vfs: 4\n    vfs: {"0-2": {driver: vfio-pci}, 3: {driver: none}}')
    assert applied(path) == 0
    assert [driver(vf) for vf in range(4)] == ["vfio-pci", "vfio-pci", "vfio-pci", None]
    groups = {(PF / f"virtfn{vf}" / "iommu_group").resolve().name for vf in range(4)}
    assert all((Path("/dev/vfio") / (PF / f"virtfn{vf}/iommu_group").resolve().name).exists() for vf in range(3))
    assert len(groups) == 4
    assert main(["plan", "-f", path, "--exit-code"]) == 0
    assert main(["rollback", "--yes", "-q"]) == 0
    assert vfs() == []
    assert (PF / "sriov_drivers_autoprobe").read_text() == "1\n"


def test_a_vf_moves_between_its_own_driver_vfio_and_none(tmp_path: Path) -> None:
    assert applied(spec(tmp_path, "num_vfs: 1")) == 0
    give_queues(0)
    for wanted, seen in (("native", "nvme"), ("vfio-pci", "vfio-pci"), ("none", None)):
        assert applied(spec(tmp_path, f"vfs: {{0: {{driver: {wanted}}}}}")) == 0
        assert driver(0) == seen
    assert main(["rollback", "--yes", "-q"]) == 0
    assert driver(0) == "vfio-pci"


def test_a_vf_that_its_driver_refuses_stays_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert applied(spec(tmp_path, "num_vfs: 1")) == 0
    assert applied(spec(tmp_path, "vfs: {0: {driver: vfio-pci}}")) == 0
    capsys.readouterr()
    assert applied(spec(tmp_path, "vfs: {0: {driver: native}}")) == ExitCode.NOT_PROVEN
    assert "after binding, no driver has it" in capsys.readouterr().err
    assert driver(0) == "vfio-pci"
