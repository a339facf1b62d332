"""What a compute host has beyond the lab's root: libvirt and QEMU, and tiny VMs that it can start.

Two squashfs files. The layer is made of the distribution's packages, fetched and unpacked, never installed. The VMs'
files (the host's modules for KVM and vfio, the VMs' kernel and initramfs) are made from the layer and the lab's kernel.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab import guest
from virtfn.lab.build import initramfs
from virtfn.lab.build.execution import execute
from virtfn.lab.build.image import ETC, find_programs, parse_ldd
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.layer import squash, unpack
from virtfn.lab.build.modules import Module
from virtfn.lab.build.packages import Packages, this_distribution
from virtfn.lab.build.sources import Distribution
from virtfn.lab.build.store import Store, file_identity, key_of
from virtfn.model.finding import Action, UseCase

KIND = "compute"
VMS_KIND = "vms"
PACKAGES = (
    "libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients", "qemu-system-x86", "qemu-guest-agent",
    "iproute2",
)  # fmt: skip
"""Named alike on Debian 12, Debian 13 and Ubuntu 24.04. The release's own QEMU will do: it need not emulate a NIC."""
HOST_MODULES = ("irqbypass", "kvm", "vfio", "vfio_pci", "vfio_iommu_type1")
HOST_CPU_MODULES = ("kvm_amd", "kvm_intel")
VM_MODULES = ("virtio_pci", "virtio_console", "igbvf", "sch_ingress", "cls_matchall", "act_gact")
_RECIPE = 1
"""Raise when the content changes in a way that the key would not show."""
_NEED_MB = 700
_LEAVE_OUT = (
    "usr/share/perl", "usr/lib/x86_64-linux-gnu/perl*", "usr/bin/perl*", "usr/share/xml", "usr/share/iso-codes",
    "usr/bin/qemu-system-i386", "usr/bin/qemu-system-x86_64-microvm", "usr/lib/ipxe", "usr/share/alsa",
    "usr/lib/x86_64-linux-gnu/qemu/audio-*", "usr/lib/x86_64-linux-gnu/qemu/ui-*", "usr/share/libdrm",
    "usr/lib/x86_64-linux-gnu/qemu/hw-*", "usr/lib/x86_64-linux-gnu/qemu/chardev-*", "etc/init.d", "etc/systemd",
)  # fmt: skip
_ETC = {
    "passwd": ETC["passwd"] + "libvirt-qemu:x:64055:104::/var/lib/libvirt:/bin/false\n",
    "group": ETC["group"] + "kvm:x:104:\nlibvirt:x:105:\nlibvirt-qemu:x:64055:\n",
    "machine-id": "76697274666e206c616220636f6d7075\n",
    "libvirt/qemu.conf": (
        'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\ncgroup_controllers = []\n'
        'stdio_handler = "file"\n'
    ),
    "libvirt/libvirtd.conf": (
        'auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_group = "root"\n'
        'host_uuid = "76697274-666e-4c61-b020-636f6d707574"\n'
    ),
}
"""libvirtd does not start without the user libvirt-qemu, and asks for a UUID that the emulated board does not have."""
_VM_INIT = Path(guest.__file__).parent / "vm_init.sh"
_VMS = Path(guest.__file__).parent / "vms.py"
"""Starts the VMs that a snapshot holds: another program makes other VMs."""
_VM_PROGRAMS = ("qemu-ga", "tc")
_VM_FOLDERS = ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "var", "modules", "lib", "lib64", "usr")
_POWER = b"""#!/bin/busybox sh
case "$*" in *-r*) exec /bin/busybox reboot -f;; *) exec /bin/busybox poweroff -f;; esac
"""
_LIBRARY_PATH = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class ComputeFiles:
    """The two squashfs files of a compute host: packages, and what its VMs are made of."""

    layer: Path
    vms: Path


def make_layer(store: Store, packages: Packages, say: Callable[[str], None]) -> Path:
    """The folder with the layer, made if it is not in the cache (73 MB are fetched). Raises LabError."""

    def build(work: Path) -> None:
        packages.update()
        with tempfile.TemporaryDirectory(dir=work) as room:
            stage, debs = Path(room, "stage"), packages.fetch_whole(PACKAGES, Path(room, "debs"))
            say("building the compute host's layer")
            unpack(debs, stage, _LEAVE_OUT)
            for name, text in _ETC.items():
                (stage / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
                (stage / "etc" / name).write_text(text)
            _copy_vm_programs(stage, work / "vm")
            squash(stage, work / "layer.sqfs")

    return store.make(KIND, _layer_key(packages.distribution), build, need_mb=_NEED_MB)


def find(store: Store, kernel: Kernel) -> ComputeFiles:
    """The files: the layer out of the cache, the VMs' made from it if they are not there (2 s).

    Raises LabError where the layer was never made.
    """
    layer = store.find(KIND, _layer_key(this_distribution()))
    if layer is None:
        raise LabError(
            "the lab has no compute host yet", actions=(Action(UseCase.LAB_PREPARE, options=(("compute", ""),)),)
        )
    return ComputeFiles(layer / "layer.sqfs", _make_vms(store, kernel, layer))


def present(store: Store, packages: Packages) -> bool:
    """True where the layer is in the cache."""
    return store.find(KIND, _layer_key(packages.distribution)) is not None


def _layer_key(distribution: Distribution) -> str:
    return key_of(_RECIPE, distribution, PACKAGES, _LEAVE_OUT, _ETC, _VM_PROGRAMS)


def _copy_vm_programs(stage: Path, target: Path) -> None:
    """Programs for the VMs, with the loader and the libraries that they need, as they lie in the packages."""
    loader = stage / "usr/lib64/ld-linux-x86-64.so.2"
    shutil.copytree(loader.parent, target / "lib64", ignore=lambda _, names: set(names) - {loader.name})
    (target / "bin").mkdir()
    (target / "lib").mkdir()
    for name in _VM_PROGRAMS:
        program = stage / "usr/bin" / name
        shutil.copy(program, target / "bin" / name)
        command = [str(loader), "--library-path", str(stage / _LIBRARY_PATH), "--list", str(program)]
        for library in parse_ldd(execute(command, timeout_s=60).decode()):
            if library.is_relative_to(stage / _LIBRARY_PATH):
                shutil.copy(library, target / "lib" / library.name)


def _make_vms(store: Store, kernel: Kernel, layer: Path) -> Path:
    key = key_of(
        _RECIPE, layer.name, kernel.folder.name, HOST_MODULES, HOST_CPU_MODULES, VM_MODULES, _POWER,
        _VM_INIT.read_bytes(), _VMS.read_bytes(), file_identity(find_programs()["busybox"]),
    )  # fmt: skip

    def build(work: Path) -> None:
        stage = work / "stage"
        place = stage / "lab/compute"
        (place / "modules").mkdir(parents=True)
        tree = kernel.tree()
        modules = tree.load(HOST_MODULES, HOST_CPU_MODULES)
        for module in modules:
            (place / "modules" / f"{module.name}.ko").write_bytes(module.data)
        (place / "modules/order").write_bytes(_names(modules))
        shutil.copy(kernel.image, place / "kernel")
        (place / "initramfs").write_bytes(initramfs.archive(_vm_entries(tree.load(VM_MODULES), layer / "vm")))
        squash(stage, work / "vms.sqfs")
        shutil.rmtree(stage)

    return store.make(VMS_KIND, key, build, need_mb=200) / "vms.sqfs"


def _vm_entries(modules: list[Module], programs: Path) -> list[initramfs.ArchiveEntry]:
    files = [(path.relative_to(programs), path) for path in sorted(programs.rglob("*")) if path.is_file()]
    return [
        *(initramfs.folder(path) for path in _VM_FOLDERS),
        initramfs.link("var/run", "../run"),
        initramfs.link("usr/bin", "../bin"),
        initramfs.link("usr/sbin", "../sbin"),
        initramfs.link("usr/lib", "../lib"),
        initramfs.link("lib/x86_64-linux-gnu", "."),
        initramfs.file("init", _VM_INIT.read_bytes(), executable=True),
        initramfs.file("bin/busybox", find_programs()["busybox"].read_bytes(), executable=True),
        initramfs.file("sbin/shutdown", _POWER, executable=True),
        *(initramfs.file(str(name), path.read_bytes(), executable=True) for name, path in files),
        initramfs.file("modules/order", _names(modules)),
        *(initramfs.file(f"modules/{module.name}.ko", module.data) for module in modules),
    ]


def _names(modules: list[Module]) -> bytes:
    return "".join(f"{module.name}\n" for module in modules).encode()
