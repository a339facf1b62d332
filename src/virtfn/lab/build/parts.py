"""The parts of a lab, found in the cache or built from this machine's files. Nothing is downloaded here."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build import compute, image, kernel
from virtfn.lab.build.initramfs import make_initramfs
from virtfn.lab.build.kernel import Kernel
from virtfn.lab.build.store import Store, key_of
from virtfn.lab.machine import accelerator
from virtfn.lab.machine.folders import Folders, private_folder
from virtfn.lab.machine.qemu import Accelerator, Board, HostBoot, Qemu, find_qemu
from virtfn.lab.machine.shape import Shape
from virtfn.model.finding import Action, UseCase

_CHOSEN = "chosen.json"
_KEPT = {"root": 4, "boot": 4, "snapshot": 6, "kernel": 2, "systemd": 2, "compute": 2, "vms": 2}


@dataclass(frozen=True)
class Chosen:
    """What ``lab prepare`` has chosen: the kernel's folder and the modules built for it."""

    kernel: Path
    extra: tuple[Path, ...] = ()

    def write(self, store: Store) -> None:
        """Store it for later starts."""
        new = store.root / f".{_CHOSEN}.{os.getpid()}"
        new.write_text(json.dumps({"kernel": str(self.kernel), "extra": [str(path) for path in self.extra]}))
        new.rename(store.root / _CHOSEN)

    @classmethod
    def read(cls, store: Store) -> "Chosen | None":
        """What was chosen; None where nothing was, or it is no longer in the cache."""
        try:
            found = json.loads((store.root / _CHOSEN).read_text())
            chosen = cls(Path(found["kernel"]), tuple(Path(path) for path in found["extra"]))
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return chosen if (chosen.kernel / "kernel.json").exists() else None


@dataclass(frozen=True)
class Parts:
    """Everything to start a machine from, whatever its shape."""

    store: Store
    qemu: Qemu
    accelerator: Accelerator
    kernel: Kernel
    initramfs: Path
    root: Path
    python: str

    def board(self, shape: Shape, host_boot: HostBoot | None = None) -> Board:
        """A machine of this shape. Raises LabError where it has VMs and the compute host was never prepared."""
        files = compute.find(self.store, self.kernel) if shape.vms else None
        return Board(self.qemu, self.accelerator, self.kernel.image, self.initramfs, self.root, shape, host_boot, files)

    def snapshot_key(self, shape: Shape) -> str:
        """It changes with everything that a saved machine depends on: not with what is plugged in afterwards."""
        board = self.board(replace(shape, nvme=False))
        return key_of(board, Board.command(board, Path("/run")), os.uname().machine)


def chosen_kernel(store: Store) -> Kernel:
    """The kernel that ``lab prepare`` chose. Raises LabError where it was never run."""
    chosen = Chosen.read(store)
    if chosen is None:
        raise LabError("the lab has no kernel yet", where=str(store.root), actions=(Action(UseCase.LAB_PREPARE),))
    found = kernel.read(chosen.kernel)
    extra = tuple(path for path in chosen.extra if path.exists())
    return Kernel(found.release, found.packages, found.folder, extra)


def assemble(folders: Folders, say: Callable[[str], None], python: Path | None = None) -> Parts:
    """The parts, with those made that can be made from this machine's files. Raises LabError naming what is missing.

    ``python`` is the program whose packages the guest gets; by default the one that runs this (``VIRTFN_LAB_PYTHON``).
    """
    store = Store(folders.cache)
    qemu = find_qemu()
    found = chosen_kernel(store)
    guest_python = image.survey(python or Path(os.environ.get("VIRTFN_LAB_PYTHON") or sys.executable))
    root = image.make_root(store, guest_python, say)
    initramfs = make_initramfs(store, found)
    for kind, keep in _KEPT.items():
        store.prune(kind, keep)
    trial = Board(qemu, Accelerator.KVM, found.image, initramfs, root, Shape())
    chosen = accelerator.choose(trial, os.environ, private_folder(folders.runtime))
    return Parts(store, qemu, chosen, found, initramfs, root, guest_python.version)
