import shutil
import subprocess
from pathlib import Path

import pytest

from virtfn.cli.main import main
from virtfn.errors import ExitCode
from virtfn.services.boot_unit import UNIT, unit_text

SPEC = "virtfn: host/1\npfs:\n  - match: {name: p2p1}\n    num_vfs: 4\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "host.yaml"
    path.write_text(SPEC)
    return path


def unit_below(root: Path) -> Path:
    return root / "etc/systemd/system" / UNIT


def test_install_and_remove_leave_the_specs_alone(tmp_path: Path, spec: Path) -> None:
    root = tmp_path / "image"
    root.mkdir()
    assert main(["persist", "install", "--root", str(root), "-f", str(spec)]) == 0
    assert (root / "etc/virtfn/host.d/host.yaml").read_text() == SPEC
    assert unit_below(root).exists()
    enabled = root / "etc/systemd/system/multi-user.target.wants" / UNIT
    assert str(enabled.readlink()) == f"/etc/systemd/system/{UNIT}"  # as `systemctl enable` links it
    assert main(["persist", "remove", "--root", str(root)]) == 0
    assert not unit_below(root).exists()
    assert not enabled.is_symlink()
    assert (root / "etc/virtfn/host.d/host.yaml").exists()
    assert main(["persist", "remove", "--root", str(root)]) == 0


def test_a_bad_spec_is_refused_before_anything_is_installed(tmp_path: Path, spec: Path) -> None:
    spec.write_text("virtfn: host/1\npfs:\n  - match: {name: p2p1}\n    num_vfs: many\n")
    root = tmp_path / "image"
    root.mkdir()
    assert main(["persist", "install", "--root", str(root), "-f", str(spec)]) == ExitCode.BAD_SPEC
    assert list(root.iterdir()) == []


def test_a_file_that_boot_would_pass_over_is_refused(tmp_path: Path, spec: Path) -> None:
    other = spec.rename(tmp_path / "host.yml")
    assert main(["persist", "install", "--root", str(tmp_path), "-f", str(other)]) == ExitCode.USAGE


def test_the_unit_runs_before_everything_that_hands_vfs_out() -> None:
    text = unit_text("/opt/virtfn/bin/virtfn", Path("/etc/virtfn/host.d"))
    before = " ".join(line.removeprefix("Before=") for line in text.splitlines() if line.startswith("Before="))
    assert {"neutron-sriov-nic-agent.service", "nova-compute.service", "libvirtd.service"} <= set(before.split())
    assert "After=systemd-modules-load.service systemd-udevd.service" in text
    assert "ExecStart=/opt/virtfn/bin/virtfn apply --file /etc/virtfn/host.d --yes --quiet --wait" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is the witness here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    path = tmp_path / UNIT
    path.write_text(unit_text("/bin/true", Path("/etc/virtfn/host.d")))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert UNIT not in done.stderr, done.stderr
