"""The guest's kernel: a distribution's packages, unpacked (never installed) into the cache."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.execution import execute
from virtfn.lab.build.modules import ModuleTree
from virtfn.lab.build.store import Store, key_of
from virtfn.lab.build.vmlinuz import unpacked

KIND = "kernel"
BOOT_MODULES = ("virtio_blk", "squashfs", "overlay")
DEVICE_MODULES = ("virtio_console", "igb", "igbvf", "e1000e")
DISK_MODULES = ("crc32c_generic", "ext4")
"""For a disk that keeps what is written to it; newer kernels have the checksum built in."""
FURTHER_MODULES = (
    *DISK_MODULES,
    "veth", "dummy", "macvlan", "macvtap", "tun", "tap", "bridge", "8021q", "vfio_pci", "vfio_iommu_type1",
    "sch_ingress", "cls_flower", "cls_matchall", "cls_u32", "act_mirred", "act_gact", "act_vlan", "act_pedit",
    "act_skbedit", "sch_netem", "psample", "netdevsim", "nvme", "bonding", "vxlan", "ipv6", "af_packet",
)  # fmt: skip
"""In the guest for modprobe to find, where this kernel has them."""

_NEED_MB = 900
_UNPACK_S = 300


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel in the cache. ``image`` is what QEMU starts; ``extra`` are modules built for it."""

    release: str
    packages: tuple[str, ...]
    folder: Path
    extra: tuple[Path, ...] = ()

    @property
    def image(self) -> Path:
        """The unpacked kernel where there is one, else the bzImage."""
        plain = self.folder / "vmlinux"
        return plain if plain.exists() else self.folder / "vmlinuz"

    def tree(self) -> ModuleTree:
        """Its modules."""
        return ModuleTree(self.folder / "modules", self.extra)


def obtain(store: Store, packages: Sequence[tuple[str, str]], fetch: Callable[[], list[Path]]) -> Kernel:
    """The kernel of these packages (name, version); ``fetch`` gives their files if it is not in the cache yet.

    Raises LabError.
    """

    def build(work: Path) -> None:
        raw = work / "raw"
        for deb in fetch():
            execute(["dpkg-deb", "-x", str(deb), str(raw)], timeout_s=_UNPACK_S)
        release = _arrange(raw, work)
        names = [f"{name} {version}" for name, version in packages]
        (work / "kernel.json").write_text(json.dumps({"release": release, "packages": names}))
        shutil.rmtree(raw)

    return read(store.make(KIND, key_of(*packages), build, need_mb=_NEED_MB))


def read(folder: Path) -> Kernel:
    """A kernel that is in the cache."""
    found = json.loads((folder / "kernel.json").read_text())
    return Kernel(release=found["release"], packages=tuple(found["packages"]), folder=folder)


def _arrange(raw: Path, work: Path) -> str:
    images = sorted(raw.glob("boot/vmlinuz-*"))
    if len(images) != 1:
        raise LabError(f"the kernel packages hold {len(images)} kernels, not one", where=str(raw))
    release = images[0].name.removeprefix("vmlinuz-")
    image = images[0].read_bytes()
    (work / "vmlinuz").write_bytes(image)
    plain = unpacked(image)
    if plain:
        (work / "vmlinux").write_bytes(plain)
    modules = next((path for path in raw.glob(f"**/lib/modules/{release}") if path.is_dir()), None)
    if modules is None:
        raise LabError(f"the kernel packages hold no modules for {release}", where=str(raw))
    modules.rename(work / "modules")
    return release
