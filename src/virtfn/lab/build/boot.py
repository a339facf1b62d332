"""The initramfs: busybox, the modules, and the guest's first program and agent."""

from pathlib import Path

from virtfn.lab import guest
from virtfn.lab.build import initramfs
from virtfn.lab.build.image import find_programs
from virtfn.lab.build.kernel import BOOT_MODULES, DEVICE_MODULES, DISK_MODULES, FURTHER_MODULES, Kernel
from virtfn.lab.build.modules import Module, alias_file, dependency_file
from virtfn.lab.build.store import Store, file_identity, key_of

KIND = "boot"
_GUEST = Path(guest.__file__).parent
_INIT = _GUEST / "init.sh"
_AGENT = ("__init__.py", "agent.py", "jobs.py", "receive.py", "warm.py")
_FOLDERS = ("bin", "dev", "proc", "sys", "lib", "lib/modules", "lab", "lab/agent", "lab/agent/guest")
_MOUNTS = ("lower", "layer", "upper", "new")


def boot_key(kernel: Kernel) -> str:
    """It changes with the kernel, the modules built for it, and the guest's first programs."""
    sources = [(_GUEST / name).read_bytes() for name in _AGENT]
    extra = [file_identity(path) for path in kernel.extra]
    modules = (BOOT_MODULES, DEVICE_MODULES, FURTHER_MODULES)
    busybox = file_identity(find_programs()["busybox"])
    return key_of(kernel.folder.name, extra, modules, busybox, _INIT.read_bytes(), *sources)


def make_boot(store: Store, kernel: Kernel) -> Path:
    """The initramfs file, built if it is not in the cache (1 s). Raises LabError."""

    def build(work: Path) -> None:
        (work / "initramfs").write_bytes(initramfs.archive(_entries(kernel)))

    return store.make(KIND, boot_key(kernel), build, need_mb=100) / "initramfs"


def _entries(kernel: Kernel) -> list[initramfs.Entry]:
    tree = kernel.tree()
    first = tree.load(BOOT_MODULES)
    devices = [module for module in tree.load(DEVICE_MODULES) if module not in first]
    every = tree.load((*BOOT_MODULES, *DEVICE_MODULES), FURTHER_MODULES)
    return [
        *(initramfs.folder(path) for path in (*_FOLDERS, *_MOUNTS, "lib/modules/kernel")),
        initramfs.file("init", _INIT.read_bytes(), executable=True),
        initramfs.file("bin/busybox", find_programs()["busybox"].read_bytes(), executable=True),
        initramfs.file("lab/load-boot", _names(first)),
        initramfs.file("lab/load-devices", _names(devices)),
        initramfs.file("lab/load-disk", _names(tree.load((), DISK_MODULES))),
        *(initramfs.file(f"lab/agent/guest/{name}", (_GUEST / name).read_bytes()) for name in _AGENT),
        *(initramfs.file(f"lib/modules/kernel/{module.name}.ko", module.data) for module in every),
        initramfs.file("lib/modules/modules.dep", dependency_file(every).encode()),
        initramfs.file("lib/modules/modules.alias", alias_file(every).encode()),
        initramfs.file("lib/modules/modules.symbols", b""),
    ]


def _names(modules: list[Module]) -> bytes:
    return "".join(f"{module.name}\n" for module in modules).encode()
