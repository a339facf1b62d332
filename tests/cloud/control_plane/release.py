"""Which OpenStack: a file of pins, and the virtual environment that is made from it once.

A release is one file, ``releases/NAME.txt``, with every package of the environment as ``name==version``; what only some
versions of Python need ends with a marker, such as ``; python_version >= "3.13"``. The newest file is used unless
``VIRTFN_CLOUD_RELEASE`` names another. A control plane's folder tells of which release it is.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.control_plane.faults import ControlPlaneError
from tests.cloud.control_plane.places import Places, cache_folder

from virtfn.errors import LabError
from virtfn.lab.build.execution import execute

RELEASES = Path(__file__).parents[1] / "releases"
CHOICE = "VIRTFN_CLOUD_RELEASE"
_PIN = re.compile(r"""^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+]+(; python_version [<>=]+ "3\.\d+")?$""")
_INSTALL_S = 1800


@dataclass(frozen=True)
class Release:
    """One release's pins, and a short hash of them and of the Python that they are installed for."""

    name: str
    file: Path
    digest: str

    @property
    def environment(self) -> Path:
        """The virtual environment's folder, there or not."""
        return cache_folder() / f"openstack-{self.name}-{self.digest}"

    @property
    def installed(self) -> bool:
        return (self.environment / ".complete").exists()


def every_release() -> list[Release]:
    """The chosen one first, then the others, newest first. Raises ControlPlaneError as ``chosen_release``."""
    chosen = chosen_release()
    others = (_named(name) for name in sorted(_files(), reverse=True) if name != chosen.name)
    return [chosen, *others]


def chosen_release() -> Release:
    """Raises ControlPlaneError for a release that has no file, and for a line that is not a pin."""
    return _named(os.environ.get(CHOICE) or max(_files()), CHOICE)


def record_release(places: Places, release: Release) -> None:
    """Write into its folder of which release a control plane is."""
    _record(places).write_text(release.name)


def recorded_release(places: Places) -> Release | None:
    """Of which release the control plane in this folder is; None where none was started."""
    path = _record(places)
    return _named(path.read_text(), str(path)) if path.exists() else None


def _record(places: Places) -> Path:
    return places.root / "release"


def _files() -> dict[str, Path]:
    return {path.stem: path for path in RELEASES.glob("*.txt")}


def _named(name: str, whose: str = "") -> Release:
    files = _files()
    if name not in files:
        raise ControlPlaneError(f"{whose}={name}: there is {', '.join(sorted(files))}", where=str(RELEASES))
    return read_release(files[name])


def read_release(file: Path) -> Release:
    """Raises ControlPlaneError for a line that is not ``name==version``, with or without a marker."""
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        if not _PIN.match(line):
            raise ControlPlaneError(f"is not name==version: {line}", where=str(file))
    key = "\n".join([*sorted(lines), sys.version])
    return Release(file.stem, file, hashlib.sha256(key.encode()).hexdigest()[:8])


def install(release: Release, say: Callable[[str], None]) -> None:
    """Make the virtual environment unless it is there; one that was not finished is recreated."""
    if release.installed:
        return
    folder = release.environment
    say(f"installing OpenStack {release.name} into {folder} (about 600 MB; versions: {release.file.name})")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
        # The file names everything, so nothing is resolved.
        execute([*pip, "install", "--quiet", "--no-deps", "-r", str(release.file)], timeout_s=_INSTALL_S)
    except subprocess.CalledProcessError as failed:
        raise ControlPlaneError(failed.stderr.decode(errors="replace").strip(), where="python -m venv") from failed
    except LabError as failed:
        raise ControlPlaneError(failed.message, where=failed.where, hint="is the package index reachable?") from failed
    (folder / ".complete").touch()
