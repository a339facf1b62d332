"""``lab prepare``: installs, fetches and builds what is missing. Each part is announced before and listed after."""

import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build import compute, image, kernel, netdevsim, systemd
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.packages import Package, Packages, this_distribution
from virtfn.lab.build.parts import Chosen, Parts, assemble, chosen_kernel
from virtfn.lab.build.programs import BUILD_PROGRAMS, PROGRAMS, Program, install_missing, missing_programs
from virtfn.lab.build.store import Store
from virtfn.lab.machine import startup
from virtfn.lab.machine.folders import Folders
from virtfn.lab.machine.shape import Shape
from virtfn.lab.machine.startup import StartOptions
from virtfn.model.finding import Action, UseCase

_IMAGE = re.compile(r"linux-image-(?:unsigned-)?(\d.*)")


@dataclass(frozen=True)
class Line:
    """One line of the report: a part, what it is, its size (None: not a file of ours), and where it is from."""

    part: str
    what: str
    size_mb: float | None
    how: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Aims:
    """What to prepare. ``trial`` boots the lab once, which proves the parts and leaves the snapshot."""

    netdevsim: bool = False
    systemd: bool = False
    compute: bool = False
    programs_only: bool = False
    refresh: bool = False
    trial: bool = True
    python: Path | None = None


class LabPreparation:
    """One run of ``lab prepare`` for one user."""

    def __init__(self, folders: Folders, say: Callable[[str], None]) -> None:
        self.folders, self.say = folders, say
        self.store = Store(folders.cache)
        self.packages = Packages(folders.cache / "apt", this_distribution(), say)

    def forecast(self, aims: Aims) -> list[Line]:
        """What ``run`` would do, without doing or fetching anything."""
        wanted = PROGRAMS + (BUILD_PROGRAMS if self._builds_netdevsim(aims) else ())
        lines = [
            Line("program", f"{one.program.package}: {one.program.name} {one.why}", None, "would be installed")
            for one in missing_programs(wanted)
        ]
        if aims.programs_only:
            return lines
        if aims.systemd and not systemd.present(self.store, self.packages):
            lines.append(Line("systemd", "18 MB of packages, unpacked only", None, "would be fetched"))
        if aims.compute and not compute.present(self.store, self.packages):
            what = f"{', '.join(compute.PACKAGES)} and what they need: 73 MB of packages, unpacked only"
            lines.append(Line("compute", what, None, "would be fetched"))
        found = None if aims.refresh else self._known_kernel()
        if found is None:
            origin = self.packages.distribution.backports or self.packages.distribution.codename
            what = f"{self.packages.distribution.kernel_package} from {origin}"
            return [
                *lines,
                Line("kernel", what, None, "would be fetched"),
                Line("root, boot", "", None, "would be built"),
            ]
        lines.append(Line("kernel", found.release, None, "is there"))
        if aims.netdevsim and not netdevsim.present(found):
            lines.append(Line("netdevsim", f"for {found.release}", None, "would be built"))
        return lines

    def run(self, aims: Aims) -> list[Line]:
        """Do it. Raises LabError; what was finished stays in the cache, so that the next run goes on from there."""
        lines = self._programs(PROGRAMS + (BUILD_PROGRAMS if self._builds_netdevsim(aims) else ()))
        if aims.programs_only:
            return lines
        found, line = self._timed(lambda: self._kernel(aims))
        lines.append(line)
        if aims.netdevsim:
            lines.append(self._netdevsim(found))
        if aims.systemd:
            lines.append(self._systemd())
        if aims.compute:
            lines.append(self._compute())
        began = time.monotonic()
        parts = assemble(self.folders, self.say, aims.python)
        how = "built" if time.monotonic() - began > 2.0 else "ready"
        took = time.monotonic() - began
        lines.append(Line("root", f"Python {parts.python}, {len(image.PACKAGES)} packages", _mb(parts.root), how, took))
        lines.append(Line("boot", parts.kernel.release, _mb(parts.initramfs), how))
        if aims.trial:
            lines.append(self._trial(parts, Shape(), "default lab"))
            if aims.compute:
                lines.append(self._trial(parts, Shape.compute_host(), "compute host"))
        return lines

    def _programs(self, wanted: tuple[Program, ...]) -> list[Line]:
        names = install_missing(missing_programs(wanted), self.packages, self.say)
        return [Line("program", name, None, "installed") for name in names]

    def _builds_netdevsim(self, aims: Aims) -> bool:
        return aims.netdevsim and self.packages.distribution.id == "debian"

    def _known_kernel(self) -> Kernel | None:
        try:
            return chosen_kernel(self.store)
        except LabError:
            return None

    def _timed(self, step: Callable[[], tuple[Kernel, str]]) -> tuple[Kernel, Line]:
        began = time.monotonic()
        found, how = step()
        size = sum(path.stat().st_size for path in found.folder.rglob("*") if path.is_file()) / 1e6
        return found, Line("kernel", ", ".join(found.packages), size, how, time.monotonic() - began)

    def _kernel(self, aims: Aims) -> tuple[Kernel, str]:
        known = self._known_kernel()
        if known and not aims.refresh:
            return known, "ready"
        self.packages.update()
        wanted = kernel_packages(self.packages)
        names = [(package.name, package.version) for package in wanted]
        with tempfile.TemporaryDirectory(prefix=".fetch", dir=self._room()) as folder:
            found = kernel.obtain(self.store, names, lambda: self.packages.fetch(wanted, Path(folder)))
        Chosen(found.folder, known.extra if known and known.folder == found.folder else ()).write(self.store)
        return chosen_kernel(self.store), "fetched"

    def _room(self) -> Path:
        self.store.root.mkdir(parents=True, exist_ok=True)
        return self.store.root

    def _netdevsim(self, found: Kernel) -> Line:
        if netdevsim.present(found):
            return Line("netdevsim", found.release, None, "ready")
        began = time.monotonic()
        extra = netdevsim.build(self.store, found, self.packages, self.say)
        Chosen(found.folder, extra).write(self.store)
        size = sum(path.stat().st_size for path in extra) / 1e6
        return Line("netdevsim", found.release, size, "built", time.monotonic() - began)

    def _systemd(self) -> Line:
        how = "ready" if systemd.present(self.store, self.packages) else "built"
        began = time.monotonic()
        layer = systemd.make_layer(self.store, self.packages, self.say)
        return Line("systemd", "for hosts that boot", _mb(layer), how, time.monotonic() - began)

    def _compute(self) -> Line:
        how = "ready" if compute.present(self.store, self.packages) else "built"
        began = time.monotonic()
        layer = compute.make_layer(self.store, self.packages, self.say) / "layer.sqfs"
        return Line("compute", "libvirt, QEMU and tiny VMs", _mb(layer), how, time.monotonic() - began)

    def _trial(self, parts: Parts, shape: Shape, name: str) -> Line:
        saved = self.store.find(startup.KIND, parts.snapshot_key(shape))
        if saved:
            return Line("snapshot", f"of the {name}", _mb(saved / "state"), "ready")
        began = time.monotonic()
        with startup.throw_away(parts, self.folders, StartOptions(shape=shape), self.say) as machine:
            how = "restored" if machine.record.restored else "booted"
            what = f"a {name} was up after {machine.record.ready_after_s:.1f} s ({machine.record.accelerator})"
        return Line("snapshot", what, None, how, time.monotonic() - began)


def kernel_packages(packages: Packages) -> list[Package]:
    """The packages that hold the current kernel and its modules. Raises LabError.

    Debian has all in linux-image; Ubuntu has linux-modules and linux-modules-extra beside it.
    """
    meta = packages.find(packages.distribution.kernel_package)
    name = next((name for name in meta.depends if _IMAGE.fullmatch(name)), None)
    if name is None:
        raise LabError(
            f"{meta.name} {meta.version} names no kernel",
            actions=(Action(UseCase.LAB_PREPARE, options=(("refresh", ""),)),),
        )
    found = packages.find(name)
    release = name.removeprefix("linux-image-").removeprefix("unsigned-")
    further = [f"linux-modules-{release}", f"linux-modules-extra-{release}"]
    return [found, *(packages.find(one) for one in further if packages.exists(one))]


def _mb(path: Path) -> float:
    return path.stat().st_size / 1e6
