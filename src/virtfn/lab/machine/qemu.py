"""QEMU: which one is here, what it can do, and the command line of the lab's machine."""

import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.compute import ComputeFiles
from virtfn.lab.build.execution import execute
from virtfn.lab.machine.devices import empty_slots
from virtfn.lab.machine.shape import WIRE_MAC, Shape, Wire
from virtfn.model.finding import Action, UseCase

PROGRAM = "qemu-system-x86_64"
OLDEST = (8, 0)
"""The first with the igb device (QEMU 8.0 release notes)."""
PORTS = 8
"""How many clients can use one lab at once."""
_PROBE_S = 15.0


class Accelerator(StrEnum):
    """How the guest's processor is run: by the host's, or emulated."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True)
class Qemu:
    """A QEMU program that can run the lab."""

    program: str
    version: tuple[int, int]

    @property
    def migrates_to_file(self) -> bool:
        """``file:`` as a place to migrate to came with 8.2; before, a program's standard input must do."""
        return self.version >= (8, 2)


def parse_version(text: str) -> tuple[int, int]:
    """``QEMU emulator version 10.0.2 (Debian ...)`` -> (10, 0). Raises LabError."""
    found = re.search(r"version (\d+)\.(\d+)", text)
    if not found:
        raise LabError("does not tell its version", where=PROGRAM, actions=(Action(UseCase.LAB_PREPARE),))
    return int(found[1]), int(found[2])


def find_qemu(program: str = PROGRAM) -> Qemu:
    """The QEMU of this machine. Raises LabError where it is missing, too old, or has no igb device."""
    path = shutil.which(program)
    if not path:
        raise LabError(f"{PROGRAM} is not installed", actions=(Action(UseCase.LAB_PREPARE),))
    version = parse_version(execute([path, "--version"], timeout_s=_PROBE_S).decode())
    if version < OLDEST:
        raise LabError(
            f"QEMU {version[0]}.{version[1]} is older than 8.0, the first with an SR-IOV NIC (igb)",
            where=path,
            hint="on Debian 12 it is in backports",
            actions=(Action(UseCase.LAB_PREPARE),),
        )
    if b'name "igb"' not in execute([path, "-device", "help"], timeout_s=_PROBE_S):
        raise LabError("this QEMU was built without the igb device", where=path, hint="use the distribution's QEMU")
    return Qemu(path, version)


@dataclass(frozen=True)
class HostBoot:
    """Boot as a compute host does: systemd out of the squashfs ``layer``, what it writes kept on ``disk`` (ext4)."""

    layer: Path
    disk: Path


@dataclass(frozen=True)
class Board:
    """The machine's parts: files, shape and accelerator. Two equal boards can exchange snapshots."""

    qemu: Qemu
    accelerator: Accelerator
    kernel: Path
    initramfs: Path
    root: Path
    shape: Shape
    host_boot: HostBoot | None = None
    compute: ComputeFiles | None = None

    def command(self, run: Path, incoming: str = "") -> list[str]:
        """The command line of a machine whose sockets and console are in the folder ``run``."""
        command = [
            *self._processor(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs), "-append", self._kernel_arguments(),
            "-serial", f"file:{_plain(run / 'console')}",
            "-qmp", f"unix:{_plain(run / 'qmp')},server=on,wait=off",
            "-drive", f"file={_plain(self.root)},format=raw,if=none,id=root,readonly=on",
            "-device", "virtio-blk-pci,drive=root,addr=0x10",
            "-device", f"virtio-serial-pci,addr=0x11,max_ports={PORTS + 1}",
        ]  # fmt: skip
        for port in range(PORTS):
            command += ["-chardev", f"socket,id=port{port},path={_plain(port_socket(run, port))},server=on,wait=off",
                        "-device", f"virtserialport,chardev=port{port},name=virtfn.{port}"]  # fmt: skip
        for pf in range(self.shape.pfs):
            command += self._pf(pf)
        command += [*self._wire(run), *empty_slots(), *self._further_drives()]
        return [*command, "-incoming", incoming] if incoming else command

    def _kernel_arguments(self) -> str:
        words = "console=ttyS0 quiet panic=-1 oops=panic net.ifnames=0 mitigations=off audit=0 random.trust_cpu=on"
        if self.accelerator is Accelerator.TCG:
            words += " no_timer_check tsc=reliable"
        if self.shape.iommu:
            words += " intel_iommu=on iommu=pt"
        if self.compute:
            words += " virtfn.compute"
        return f"{words} virtfn.systemd systemd.show_status=yes" if self.host_boot else words

    def trial_command(self, console: Path) -> list[str]:
        """The command line of a machine with this kernel and no devices, which ends once its first program ran."""
        return [
            *self._processor(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
            "-append", f"{self._kernel_arguments()} virtfn.trial", "-serial", f"file:{_plain(console)}",
        ]  # fmt: skip

    def _processor(self) -> list[str]:
        accel = "tcg,thread=multi" if self.accelerator is Accelerator.TCG else "kvm"
        cpu = "max" if self.accelerator is Accelerator.TCG else "host,migratable=on"
        memory = str(self.shape.memory_mb)
        # vfio-pci needs remapped interrupts, which KVM has with half of its interrupt controller in QEMU only
        split = self.shape.iommu and self.accelerator is Accelerator.KVM
        machine = "q35,kernel-irqchip=split" if split else "q35"
        command = [
            self.qemu.program,
            "-accel",
            accel,
            "-cpu",
            cpu,
            "-smp",
            str(self.shape.processors),
            "-M",
            machine,
            "-m",
            memory,
        ]
        return [*command, "-device", "intel-iommu"] if self.shape.iommu else command

    def _further_drives(self) -> list[str]:
        if self.compute:
            layer, vms = _plain(self.compute.layer), _plain(self.compute.vms)
            return [
                "-drive", f"file={layer},format=raw,if=none,id=layer,readonly=on",
                "-device", "virtio-blk-pci,drive=layer,addr=0x18",
                "-drive", f"file={vms},format=raw,if=none,id=vms,readonly=on",
                "-device", "virtio-blk-pci,drive=vms,addr=0x19",
            ]  # fmt: skip
        if not self.host_boot:
            return []
        layer, disk = _plain(self.host_boot.layer), _plain(self.host_boot.disk)
        return [
            "-drive", f"file={layer},format=raw,if=none,id=layer,readonly=on",
            "-device", "virtio-blk-pci,drive=layer,addr=0x18,serial=layer",
            "-drive", f"file={disk},format=raw,if=none,id=disk",
            "-device", "virtio-blk-pci,drive=disk,addr=0x19,serial=disk",
        ]  # fmt: skip

    def _pf(self, pf: int) -> list[str]:
        return [
            "-netdev", f"hubport,id=pf{pf},hubid=0",
            "-device", f"pcie-root-port,id=slot{pf},slot={pf + 1},chassis={pf + 1},addr={pf + 2:#x}",
            "-device", f"igb,bus=slot{pf},netdev=pf{pf},mac={self.shape.pf_mac(pf)}",
        ]  # fmt: skip

    def _wire(self, run: Path) -> list[str]:
        if self.shape.wire is Wire.NIC:
            return ["-netdev", "hubport,id=wire,hubid=0",
                    "-device", f"e1000e,netdev=wire,mac={WIRE_MAC},romfile=,addr=0x12"]  # fmt: skip
        ours, theirs = (_plain(path) for path in wire_sockets(run))
        sockets = f"local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}"
        return ["-netdev", "hubport,id=wire,hubid=0,netdev=cable", "-netdev", f"dgram,id=cable,{sockets}"]


def port_socket(run: Path, port: int) -> Path:
    """Where the agent's port number ``port`` is reached."""
    return run / f"port{port}"


def wire_sockets(run: Path) -> tuple[Path, Path]:
    """The wire as two unix datagram sockets: the one that we bind, and the one that QEMU binds."""
    return run / "wire-host", run / "wire-qemu"


def _plain(path: Path) -> str:
    """A path inside a QEMU option: a comma is written twice."""
    return str(path).replace(",", ",,")
