"""netdevsim, the kernel's simulated NIC with any number of VFs: in Ubuntu's kernel packages, built for Debian's.

Debian's kernel leaves it out, but its source package has it, and it builds alone against the kernel's headers.
"""

import lzma
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.execution import execute
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.packages import Package, Packages
from virtfn.lab.build.store import Store, key_of
from virtfn.model.finding import Action, UseCase

KIND = "netdevsim"
_SOURCE = "drivers/net/netdevsim"
_BUILD_S = 600
_NEED_MB = 800


def present(kernel: Kernel) -> bool:
    """True where the kernel's own modules or those built for it have netdevsim."""
    return kernel.tree().has("netdevsim")


def build(store: Store, kernel: Kernel, packages: Packages, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Build the module for exactly this kernel (about a minute, most of it fetching the source). Raises LabError."""

    def make(work: Path) -> None:
        packages.update()
        wanted = build_packages(kernel, packages)
        with tempfile.TemporaryDirectory(prefix="virtfn-netdevsim-", dir=work.parent) as scratch:
            folder = Path(scratch)
            root = folder / "root"
            for deb in packages.fetch(wanted, folder):
                execute(["dpkg-deb", "-x", str(deb), str(root)], timeout_s=_BUILD_S)
            say(f"building netdevsim for {kernel.release}")
            source = _unpack_source(root, folder)
            shutil.copy(_make(root, source, kernel.release), work / "netdevsim.ko")

    return (store.make(KIND, key_of(kernel.release, kernel.packages), make, need_mb=_NEED_MB) / "netdevsim.ko",)


def build_packages(kernel: Kernel, packages: Packages) -> list[Package]:
    """The source, the headers of this flavour and those that all flavours share, and the build's own tools."""
    headers = packages.find(f"linux-headers-{kernel.release}")
    shared = [name for name in headers.depends if re.match(r"linux-(headers|kbuild)-", name)]
    version = re.match(r"\d+\.\d+", kernel.release)
    if version is None or not shared:
        raise LabError(
            f"the headers of {kernel.release} are not in the package lists",
            actions=(Action(UseCase.LAB_PREPARE, options=(("refresh", ""),)),),
        )
    source = packages.find(f"linux-source-{version[0]}")
    if source.version != headers.version:
        raise LabError(
            f"the source is {source.version}, the kernel {headers.version}",
            actions=(Action(UseCase.LAB_PREPARE, options=(("refresh", ""),)),),
        )
    return [headers, *(packages.find(name) for name in shared), source]


def _unpack_source(root: Path, folder: Path) -> Path:
    packed = next((root / "usr/src").glob("linux-source-*.tar.xz"), None)
    if packed is None:
        raise LabError("the source package holds no source", where=str(root))
    with lzma.open(packed) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        wanted = (member for member in tar if f"/{_SOURCE}/" in f"/{member.name}/")
        tar.extractall(folder, members=wanted, filter="data")
    return next(folder.glob(f"linux-source-*/{_SOURCE}"))


def _make(root: Path, source: Path, release: str) -> Path:
    """Run the kernel's build. The headers name each other by absolute paths, which are led into ``root``."""
    headers = root / "usr/src" / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/", f"{root}/usr/"))
    kbuild = next((root / "usr/lib").glob("linux-kbuild-*"))
    for name in ("scripts", "tools"):
        link = headers / name
        if link.is_symlink() and not link.exists():
            link.unlink()
            link.symlink_to(kbuild / name)
    common = next(path for path in (root / "usr/src").glob("linux-headers-*-common*"))
    for link in (common / "scripts", common / "tools"):
        if link.is_symlink() and not link.exists():
            link.unlink()
            link.symlink_to(kbuild / link.name)
    settings = ["CONFIG_NETDEVSIM=m", "CONFIG_DEBUG_INFO_BTF_MODULES=", "CC=gcc"]  # BTF would need pahole
    execute(["make", "-C", str(headers), f"M={source}", *settings, "modules"], timeout_s=_BUILD_S)
    built = source / "netdevsim.ko"
    execute(["strip", "--strip-debug", str(built)], timeout_s=_BUILD_S)
    return built
