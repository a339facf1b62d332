"""Kernel modules of an unpacked kernel package: the file of each, and the modules that it needs.

Everything is read from the modules themselves (their ``.modinfo`` strings), so neither depmod nor root is needed.
"""

import lzma
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.execution import execute
from virtfn.model.finding import Action, UseCase

_MODINFO = re.compile(rb"(?:^|\0)(depends|alias|softdep)=([^\0]*)")
_SUFFIXES = ("", ".xz", ".zst", ".gz")


@dataclass(frozen=True)
class Module:
    """One module, decompressed. ``needs`` are loaded before it, ``prefers`` (soft dependencies) where they exist."""

    name: str
    data: bytes
    needs: tuple[str, ...]
    prefers: tuple[str, ...]
    aliases: tuple[str, ...]


def module_name(path: str) -> str:
    """``kernel/drivers/net/foo-bar.ko.xz`` -> ``foo_bar``: the name that the kernel uses."""
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def parse_module(name: str, data: bytes) -> Module:
    """Read the ``.modinfo`` of a decompressed module."""
    needs: list[str] = []
    prefers: list[str] = []
    aliases: list[str] = []
    for key, value in _MODINFO.findall(data):
        text = value.decode(errors="replace")
        if key == b"depends":
            needs += [word.replace("-", "_") for word in text.split(",") if word]
        elif key == b"alias":
            aliases.append(text)
        elif text.startswith("pre:"):
            prefers += [word.replace("-", "_") for word in text.removeprefix("pre:").split("post:")[0].split()]
    return Module(name, data, *(tuple(dict.fromkeys(words)) for words in (needs, prefers, aliases)))


def read_module(path: Path) -> bytes:
    """The module's bytes, decompressed by the file's suffix. Raises LabError for a form that is not known."""
    data = path.read_bytes()
    match path.suffix:
        case ".ko":
            return data
        case ".xz":
            return lzma.decompress(data)
        case ".gz":
            return zlib.decompress(data, wbits=31)
        case ".zst":
            return execute(["zstd", "-dc"], stdin=data, timeout_s=60)
    raise LabError(f"a module compressed as {path.suffix} is not known", where=str(path))


class ModuleTree:
    """The modules below one ``lib/modules/VERSION``, plus further ones given as files."""

    def __init__(self, root: Path, extra: tuple[Path, ...] = ()) -> None:
        self._builtin = _builtin_names(root)
        found = [path for suffix in _SUFFIXES for path in root.rglob(f"*.ko{suffix}")]
        self._paths = {module_name(path.name): path for path in [*found, *extra]}

    def has(self, name: str) -> bool:
        """True where this kernel has the module, or has it compiled in."""
        return name in self._paths or name in self._builtin

    def load(self, wanted: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[Module]:
        """The modules ``wanted`` and all they need, in an order in which they can be loaded.

        A name compiled into the kernel is skipped; so is an ``optional`` one that this kernel does not have.
        Raises LabError where a wanted one is in neither place.
        """
        done: dict[str, Module] = {}
        present = [name for name in optional if name in self._paths]
        for name in [*wanted, *present]:
            self._visit(name, done)
        return list(done.values())

    def _visit(self, name: str, done: dict[str, Module]) -> None:
        if name in done or name in self._builtin:
            return
        if name not in self._paths:
            raise LabError(
                f"the kernel package has no module {name}",
                hint="another kernel is needed",
                actions=(Action(UseCase.LAB_PREPARE),),
            )
        module = parse_module(name, read_module(self._paths[name]))
        for needed in (*module.needs, *(name for name in module.prefers if name in self._paths)):
            self._visit(needed, done)
        done[name] = module


def _builtin_names(root: Path) -> frozenset[str]:
    listing = root / "modules.builtin"
    if not listing.is_file():
        return frozenset()
    return frozenset(module_name(line) for line in listing.read_text().split())


def dependency_file(modules: list[Module], folder: str = "kernel") -> str:
    """``modules.dep`` for exactly these modules (``man 5 modules.dep``), for modprobe in the guest."""
    names = {module.name for module in modules}
    by_name = {module.name: module for module in modules}

    def chain(name: str) -> list[str]:
        needed = [need for need in (*by_name[name].needs, *by_name[name].prefers) if need in names]
        return list(dict.fromkeys([*needed, *(deep for need in needed for deep in chain(need))]))

    lines = [f"{folder}/{name}.ko:" + "".join(f" {folder}/{need}.ko" for need in chain(name)) for name in by_name]
    return "".join(line + "\n" for line in lines)


def alias_file(modules: list[Module]) -> str:
    """``modules.alias`` for exactly these modules, so that the kernel can ask for one by what it can do."""
    return "".join(f"alias {alias} {module.name}\n" for module in modules for alias in module.aliases)
