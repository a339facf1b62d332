"""QEMU is looked at before it is used, and its command line says what the lab is."""

from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.machine import accelerator
from virtfn.lab.machine.qemu import Accelerator, Board, Qemu, find_qemu, parse_version
from virtfn.lab.machine.shape import Shape, Wire
from virtfn.model.finding import Action, UseCase

RUN = Path("/run/lab")


def fake_qemu(folder: Path, *, version: str = "10.0.2", devices: str = 'name "igb", bus PCI') -> str:
    program = folder / "qemu"
    words = f"if [ $1 = --version ]; then echo 'QEMU emulator version {version} (Debian)'; else echo '{devices}'; fi"
    program.write_text(f"#!/bin/sh\n{words}\n")
    program.chmod(0o755)
    return str(program)


def board(shape: Shape | None = None, chosen: Accelerator = Accelerator.TCG) -> Board:
    files = (Path("/c/vmlinux"), Path("/c/initramfs"), Path("/c/a,b/root.sqfs"))
    return Board(Qemu("qemu", (10, 0)), chosen, *files, shape or Shape())


def test_a_good_qemu_is_found(tmp_path: Path) -> None:
    assert find_qemu(fake_qemu(tmp_path)).version == (10, 0)


def test_a_missing_qemu_says_what_to_run() -> None:
    with pytest.raises(LabError, match="not installed") as failed:
        find_qemu("/nonexistent/qemu")
    assert failed.value.actions == (Action(UseCase.LAB_PREPARE),)


def test_an_old_qemu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"QEMU 7\.2 is older than 8\.0") as failed:
        find_qemu(fake_qemu(tmp_path, version="7.2.17"))
    assert "backports" in failed.value.hint


def test_a_qemu_without_igb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="without the igb device"):
        find_qemu(fake_qemu(tmp_path, devices='name "e1000e", bus PCI'))


def test_a_version_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(LabError, match="does not tell its version"):
        parse_version("hello")


@pytest.mark.parametrize(("version", "files"), [((8, 0), False), ((8, 2), True), ((10, 0), True)])
def test_snapshots_go_to_a_file_from_8_2_on(version: tuple[int, int], files: bool) -> None:
    assert Qemu("q", version).migrates_to_file is files


def test_each_pf_is_alone_behind_its_port() -> None:
    command = " ".join(board(Shape(pfs=2)).command(RUN))
    assert "igb,bus=slot0,netdev=pf0,mac=a0:36:9f:68:fc:f4" in command
    assert "igb,bus=slot1,netdev=pf1,mac=a0:36:9f:68:fc:f5" in command


def test_a_comma_in_a_path_is_written_twice() -> None:
    assert "file=/c/a,,b/root.sqfs," in " ".join(board().command(RUN))


def test_the_wire_is_a_nic_or_a_socket() -> None:
    assert "e1000e" in " ".join(board().command(RUN))
    outside = " ".join(board(Shape(wire=Wire.HOST)).command(RUN))
    assert "e1000e" not in outside
    assert "local.path=/run/lab/wire-qemu,remote.type=unix,remote.path=/run/lab/wire-host" in outside


def test_the_accelerator_can_be_named(tmp_path: Path) -> None:
    assert accelerator.choose(board(), {"VIRTFN_LAB_ACCEL": "tcg"}, tmp_path) is Accelerator.TCG
    with pytest.raises(LabError, match="kvm or tcg"):
        accelerator.choose(board(), {"VIRTFN_LAB_ACCEL": "xen"}, tmp_path)


def test_a_machine_is_shaped_within_what_the_nic_has() -> None:
    with pytest.raises(LabError, match="0 to 7 VFs"):
        Shape(vfs=8)
    with pytest.raises(LabError, match="1 to 12 PFs"):
        Shape(pfs=0)


def test_the_first_pf_is_the_field_notes() -> None:
    shape = Shape()
    assert (shape.pf_name(0), str(shape.pf_mac(0)), str(shape.pf_pci(0))) == (
        "p2p1",
        "a0:36:9f:68:fc:f4",
        "0000:01:00.0",
    )
    macs = [str(shape.vf_mac(0, vf)) for vf in range(5)]
    assert macs == [
        "00:00:00:00:00:00",
        "fa:16:3e:c0:d8:11",
        "fa:16:3e:a1:43:57",
        "fa:16:3e:aa:33:59",
        "fa:16:3e:00:00:04",
    ]


def test_every_address_of_the_largest_lab_is_its_own() -> None:
    shape = Shape(pfs=12, vfs=7)
    macs = [str(shape.pf_mac(pf)) for pf in range(12)]
    macs += [str(shape.vf_mac(pf, vf)) for pf in range(12) for vf in range(7)]
    assert len(set(macs)) == len(macs)


def test_guests_are_numbered_through_over_all_pfs() -> None:
    plan = Shape(pfs=2, vfs=3).guest_plan()
    pfs = plan["pfs"]
    assert isinstance(pfs, list)
    assert [vf["netns"] for pf in pfs for vf in pf["vfs"]] == ["vm0", "vm1", "vm2", "vm3", "vm4", "vm5"]


def test_a_shape_survives_its_record() -> None:
    shape = Shape(pfs=3, vfs=7, wire=Wire.HOST, nvme=True, iommu=True)
    assert Shape.from_dict(shape.as_dict()) == shape
