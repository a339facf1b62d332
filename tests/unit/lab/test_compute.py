"""The compute host: its machine, the packages over the lab's root, libvirt's descriptions, the answers of the VMs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from virtfn.errors import LabError
from virtfn.lab.build import compute
from virtfn.lab.build.compute import ComputeFiles
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.layer import unpack
from virtfn.lab.build.prepare import Aims, LabPreparation
from virtfn.lab.build.store import Store
from virtfn.lab.guest import vms
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.qemu import Accelerator, Board, Qemu
from virtfn.lab.machine.shape import Shape, Wire
from virtfn.model.finding import Action, UseCase

RUN = Path("/run/lab")
VM = {"name": "vm2", "pf": "0000:01:00.0", "vf": 2, "mac": "fa:16:3e:a1:43:57", "vf_pci": "0000:01:10.4"}
FakeVirsh = Callable[[str], None]


def command(shape: Shape, accelerator: Accelerator = Accelerator.TCG) -> str:
    files = (Path("/c/vmlinux"), Path("/c/initramfs"), Path("/c/root.sqfs"))
    squashed = ComputeFiles(Path("/c/layer.sqfs"), Path("/c/vms.sqfs"))
    return " ".join(Board(Qemu("qemu", (10, 0)), accelerator, *files, shape, None, squashed).command(RUN))


def test_a_compute_host_has_one_processor_an_iommu_and_two_more_images() -> None:
    line = command(Shape.compute_host())
    assert "-smp 1 -M q35 -m 2048 -device intel-iommu" in line
    assert "intel_iommu=on iommu=pt virtfn.compute" in line
    root, layer, images = (line.index(f"/c/{name}.sqfs") for name in ("root", "layer", "vms"))
    assert root < layer < images  # the guest mounts them by this order


def test_remapped_interrupts_under_kvm_need_a_split_interrupt_controller() -> None:
    assert "-M q35,kernel-irqchip=split" in command(Shape.compute_host(), Accelerator.KVM)


def test_vms_have_the_field_notes_macs_which_no_vf_has_before_libvirt_sets_it() -> None:
    plan = Shape.compute_host().guest_plan()
    assert isinstance(plan["vms"], list)
    assert [(vm["name"], vm["vf"], vm["mac"]) for vm in plan["vms"]] == [
        ("vm1", 1, "fa:16:3e:c0:d8:11"), ("vm2", 2, "fa:16:3e:a1:43:57"), ("vm3", 3, "fa:16:3e:aa:33:59"),
    ]  # fmt: skip
    assert isinstance(plan["pfs"], list)
    assert {vf["mac"] for pf in plan["pfs"] for vf in pf["vfs"]} == {"00:00:00:00:00:00"}


def test_a_compute_host_survives_its_record() -> None:
    shape = Shape.compute_host(vms=2, wire=Wire.HOST)
    assert Shape.from_dict(shape.as_dict()) == shape


@pytest.mark.parametrize("wrong", [{"vms": 4}, {"vms": 3, "vfs": 3}, {"memory_mb": 2801}])
def test_a_compute_host_is_shaped_within_what_the_emulation_has(wrong: dict[str, int]) -> None:
    with pytest.raises(LabError, match=r"VMs|MiB"):
        Shape(**wrong)  # type: ignore[arg-type]


def test_one_that_was_never_prepared_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no compute host yet") as failed:
        compute.find(Store(tmp_path), Kernel("6.12", (), Path("/nonexistent")))
    assert failed.value.actions == (Action(UseCase.LAB_PREPARE, options=(("compute", ""),)),)


def test_a_dry_run_names_the_packages_where_they_are_asked_for(tmp_path: Path) -> None:
    preparation = LabPreparation(Folders(tmp_path / "cache", tmp_path / "run"), lambda text: None)
    assert "compute" not in {line.part for line in preparation.forecast(Aims())}
    (line,) = [line for line in preparation.forecast(Aims(compute=True)) if line.part == "compute"]
    assert line.how == "would be fetched"
    assert "libvirt-daemon-driver-qemu" in line.what


def test_a_packages_link_in_sbin_does_not_replace_the_program_in_bin(tmp_path: Path) -> None:
    content = tmp_path / "content"
    for name in ("DEBIAN", "bin", "sbin", "usr/share/doc"):
        (content / name).mkdir(parents=True)
    (content / "DEBIAN/control").write_text(
        "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: a program in bin\n"
    )
    (content / "bin/tool").write_text("program")
    (content / "sbin/tool").symlink_to("/bin/tool")
    deb = tmp_path / "tool.deb"
    subprocess.run(["dpkg-deb", "--build", str(content), str(deb)], check=True, capture_output=True)
    unpack([deb], tmp_path / "stage", ["usr/lib/none*"])
    assert (tmp_path / "stage/usr/bin/tool").read_text() == "program"
    assert not (tmp_path / "stage/usr/share/doc").exists()


def test_a_vm_is_described_without_its_vf_which_is_plugged_in_by_its_pci_address() -> None:
    assert "<name>vm2</name>" in vms.domain_xml(VM)
    assert "pci=noearly" in vms.domain_xml(VM)
    assert "interface" not in vms.domain_xml(VM)
    assert "<mac address='fa:16:3e:a1:43:57'/>" in vms.interface_xml(VM)
    assert "domain='0x0000' bus='0x01' slot='0x10' function='0x4'" in vms.interface_xml(VM)


def test_probe_frames_are_what_the_filters_action_has_counted() -> None:
    counted = {"options": {"actions": [{"kind": "gact", "stats": {"bytes": 1200, "packets": 20}}]}}
    assert vms.probe_count([{"kind": "matchall", "chain": 0}, counted]) == 20


@pytest.fixture
def fake_virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVirsh:
    """A virsh that notes its command and does what the given lines of shell do."""

    def make(script: str) -> None:
        program = tmp_path / "virsh"
        program.write_text(f'#!/bin/sh\necho "$4" >> {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return make


def test_one_virsh_asks_all_agents(fake_virsh: FakeVirsh, tmp_path: Path) -> None:
    fake_virsh("""echo '{"return": 1}'; echo; echo '{"return": 2}'""")
    assert vms.ask_agents(
        vms.AgentCommand("vm1", "guest-ping"), vms.AgentCommand("vm2", "guest-exec", {"path": "/x"})
    ) == [1, 2]
    assert (tmp_path / "asked").read_text() == (
        """qemu-agent-command --timeout 10 vm1 '{"execute": "guest-ping"}'; """
        """qemu-agent-command --timeout 10 vm2 '{"execute": "guest-exec", "arguments": {"path": "/x"}}'\n"""
    )


@pytest.mark.parametrize("script", ["echo '{}'; exit 1", "echo 'error: Guest agent is not responding' >&2", ":"])
def test_an_agent_that_does_not_answer_is_a_failure_whatever_virsh_exits_with(
    fake_virsh: FakeVirsh, script: str
) -> None:
    fake_virsh(script)
    with pytest.raises(vms.VmFailure):
        vms.ask_agents(vms.AgentCommand("vm1", "guest-ping"))


def test_what_a_program_in_a_vm_printed_is_decoded(fake_virsh: FakeVirsh) -> None:
    fake_virsh("""case "$4" in *status*) echo '{"return": {"exited": true, "exitcode": 0, "out-data": "aGk="}}';;
        *) echo '{"return": {"pid": 7}}';; esac""")
    assert vms.run_in_vms(["vm1"], "/bin/echo", "hi") == ["hi"]
