"""The guest's root: a squashfs made of this machine's own files, without root.

It holds the Python that runs virtfn and its packages (so the guest behaves as the host does, on any
distribution), iproute2, busybox and the libraries these need. virtfn itself is not in it: the code is
sent to the running machine (code.py).
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build import survey as survey_script
from virtfn.lab.build.execution import execute
from virtfn.lab.build.layer import squash
from virtfn.lab.build.store import Store, file_identity, key_of
from virtfn.model.finding import Action, UseCase

KIND = "root"
NEEDED = ("click", "ruamel-yaml", "pydantic")
"""Packages that virtfn needs; their requirements are added. Names as PEP 503 normalises them."""
PACKAGES = (*NEEDED, "pytest", "hypothesis", "scapy")
"""What the guest's Python gets where the surveyed Python has it: the tests' tools too."""

_PROGRAMS = ("busybox", "sh", "ip", "tc", "bridge", "devlink")
"""A real shell too: busybox's own runs its own small ``ip`` instead of the program."""
_OPTIONAL_PROGRAMS = ("bash", "ethtool", "ss", "tcpdump", "strace")
_TERMINALS = ("linux", "vt100", "xterm", "xterm-256color", "screen", "screen-256color", "tmux", "tmux-256color")
_SEARCH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
_LEAVE_OUT = (
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3",
    "pydoc_data", "__pycache__", "config-*", "*.a", "_test*.so", "_ctypes_test*.so", "_tkinter*.so",
)  # fmt: skip
_NEED_MB = 700
_RECIPE = 4
"""Raise when the image's content changes in a way that its key would not show."""

ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost lab\n::1 localhost\n",
    "hostname": "lab\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nprotocols: files\n",
    "protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n",
    "os-release": 'ID=virtfn-lab\nNAME="virtfn-lab"\nPRETTY_NAME="virtfn-lab"\n',
}

_FOUND = re.compile(r"=>\s+(/\S+)\s+\(0x|^\s+(/\S+)\s+\(0x", re.MULTILINE)
_ELF = b"\x7fELF"
_PER_CALL = 64


@dataclass(frozen=True)
class GuestPython:
    """What the survey found: a Python, and packages as (name, version, files as (name in site-packages, path))."""

    version: str
    program: Path
    stdlib: Path
    platstdlib: Path
    packages: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]

    @property
    def directory(self) -> str:
        """``python3.11``: the name of its library folder."""
        return "python" + ".".join(self.version.split(".")[:2])


def survey(python: Path) -> GuestPython:
    """What a Python program (usually of a virtual environment) consists of. Raises LabError."""
    answer = execute([str(python), "-I", str(survey_script.__file__), *PACKAGES], timeout_s=60)
    try:
        found = json.loads(answer)
        packages = tuple(
            (one["name"], one["version"], tuple((name, path) for name, path in one["files"]))
            for one in found["packages"]
        )
        paths = {name: Path(found[name]) for name in ("program", "stdlib", "platstdlib")}
    except (ValueError, KeyError) as failed:
        raise LabError(f"the Python did not describe itself: {failed}", where=str(python)) from failed
    absent = set(NEEDED) - {name for name, _, _ in packages}
    if absent:
        raise LabError(f"this Python lacks {', '.join(sorted(absent))}", where=str(python), hint="pip install virtfn")
    return GuestPython(version=found["version"], packages=packages, **paths)


def root_key(python: GuestPython) -> str:
    """The image's name: it changes with Python, with any package's version and with any program put in."""
    packages = [(name, version) for name, version, _ in python.packages]
    programs = [file_identity(path) for path in [python.program, *find_programs().values()]]
    return key_of(_RECIPE, python.version, packages, programs)


def find_programs() -> dict[str, Path]:
    """The programs that go into the guest. Raises LabError where one that is needed is missing."""
    found: dict[str, Path] = {}
    for name in (*_PROGRAMS, *_OPTIONAL_PROGRAMS):
        path = next((Path(place, name) for place in _SEARCH if Path(place, name).is_file()), None)
        if path:
            found[name] = path.resolve()
        elif name not in _OPTIONAL_PROGRAMS:
            raise LabError(f"{name} is not installed", actions=(Action(UseCase.LAB_PREPARE),))
    return found


def make_root(store: Store, python: GuestPython, say: Callable[[str], None]) -> Path:
    """The image's file, built if it is not in the cache (about 20 s). Raises LabError."""

    def build(work: Path) -> None:
        say(f"building the guest's root: Python {python.version} and {len(python.packages)} packages")
        stage = work / "stage"
        _fill(stage, python)
        _compile(stage, python)
        squash(stage, work / "root.sqfs")
        shutil.rmtree(stage)

    return store.make(KIND, root_key(python), build, need_mb=_NEED_MB) / "root.sqfs"


def _fill(stage: Path, python: GuestPython) -> None:
    _skeleton(stage)
    library = stage / "usr/lib" / python.directory
    for source in dict.fromkeys((python.stdlib, python.platstdlib)):
        shutil.copytree(source, library, ignore=shutil.ignore_patterns(*_LEAVE_OUT), dirs_exist_ok=True)
    site = stage / "lab/venv/lib" / python.directory / "site-packages"
    packaged = _copy_packages(site, python)
    (site / "virtfn-code.pth").write_text("/lab/code/src\n")
    _python_programs(stage, python)
    programs = find_programs()
    for name, path in programs.items():
        shutil.copy(path, stage / "usr/bin" / name)
    for applet in execute([str(programs["busybox"]), "--list"], timeout_s=10).decode().split():
        place = stage / "usr/bin" / applet
        if not place.exists() and not place.is_symlink():
            place.symlink_to("busybox")
    _terminals(stage)
    extensions = [path for path in [*library.rglob("*.so*"), *packaged] if ".so" in path.name]
    _copy_libraries(stage, [python.program, *programs.values(), *extensions])


def _skeleton(stage: Path) -> None:
    for path in ("usr/bin", "usr/lib", "usr/lib64", "etc", "root", "var/lib", "lab/code/src", "lab/venv/bin"):
        (stage / path).mkdir(parents=True)
    for path in ("dev", "proc", "sys", "run", "tmp"):
        (stage / path).mkdir()
    for name in ("bin", "sbin", "lib", "lib64"):
        (stage / name).symlink_to(f"usr/{name}")
    (stage / "usr/sbin").symlink_to("bin")  # the kernel calls /sbin/modprobe
    (stage / "var/run").symlink_to("../run")
    (stage / "etc/mtab").symlink_to("/proc/self/mounts")
    for name, text in ETC.items():
        (stage / "etc" / name).write_text(text)


def _copy_packages(site: Path, python: GuestPython) -> list[Path]:
    sources: list[Path] = []
    for name, version, files in python.packages:
        if not files:
            raise LabError(f"{name} {version} does not list its files", hint="install it with pip into a virtualenv")
        for inside, path in files:
            target = site / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            if Path(path).is_file():
                shutil.copy(path, target)
                sources.append(Path(path))
    return sources


def _python_programs(stage: Path, python: GuestPython) -> None:
    """A virtual environment, so that the layout is the same whether the Python is a distribution's own or not."""
    shutil.copy(python.program, stage / "usr/bin" / python.directory)
    venv = stage / "lab/venv"
    (venv / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python.version}\n"
    )
    (venv / "bin/python3").symlink_to(f"/usr/bin/{python.directory}")
    (venv / "bin/python").symlink_to("python3")
    for place in ("usr/bin/python3", "usr/bin/virtfn"):
        module = " -m virtfn" if place.endswith("virtfn") else ""
        wrapper = stage / place
        wrapper.write_text(f'#!/bin/sh\nexec /lab/venv/bin/python3{module} "$@"\n')
        wrapper.chmod(0o755)


def _terminals(stage: Path) -> None:
    for name in _TERMINALS:
        inside = f"terminfo/{name[0]}/{name}"
        source = next((root / inside for root in map(Path, ("/lib", "/usr/share")) if (root / inside).is_file()), None)
        if source:
            target = stage / "usr/share" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _copy_libraries(stage: Path, files: list[Path]) -> None:
    triplet = stage / "usr/lib/x86_64-linux-gnu"
    triplet.mkdir(exist_ok=True)
    for path in sorted(libraries_of(files)):
        place = stage / "usr/lib64" if path.name.startswith("ld-linux") else triplet
        if "site-packages" not in path.parts:  # a wheel's own libraries are copied with the wheel
            shutil.copy(path, place / path.name)


def _compile(stage: Path, python: GuestPython) -> None:
    """Byte-compile everything: imports in the guest then read one file and never compare times."""
    targets = [stage / "usr/lib" / python.directory, stage / "lab/venv/lib"]
    arguments = ["-q", "-j0", "--invalidation-mode", "unchecked-hash", "-s", str(stage), "-p", "/"]
    compiled = [str(python.program), "-I", "-m", "compileall", *arguments, *map(str, targets)]
    execute(["sh", "-c", '"$@" || true', "sh", *compiled], timeout_s=600)


def is_elf(path: Path) -> bool:
    """True for a program or shared library in ELF form."""
    with path.open("rb") as file:
        return file.read(4) == _ELF


def parse_ldd(text: str) -> set[Path]:
    """The files named in ldd's output."""
    return {Path(first or second) for first, second in _FOUND.findall(text)}


def libraries_of(files: Iterable[Path]) -> set[Path]:
    """Every library that the ELF files among ``files`` need, the loader included. Raises LabError."""
    elves = [str(path) for path in files if is_elf(path)]
    found: set[Path] = set()
    for start in range(0, len(elves), _PER_CALL):
        listing = execute(
            ["sh", "-c", 'ldd "$@" 2>/dev/null || true', "sh", *elves[start : start + _PER_CALL]], timeout_s=60
        )
        found |= parse_ldd(listing.decode(errors="replace"))
    return found
