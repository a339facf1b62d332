"""apt with lists and sources of its own: the machine's apt configuration is not changed."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from virtfn.errors import LabError
from virtfn.lab.build.execution import execute
from virtfn.lab.build.sources import (
    Distribution,
    dependency_names,
    own_sources,
    parse_control,
    parse_os_release,
    read_sources,
)

_UPDATE_S = 300
_FETCH_S = 1200
_INSTALL_S = 1200
_QUERY_S = 60
_FRESH_S = 24 * 3600


@dataclass(frozen=True)
class Package:
    """A package and the version that apt would install."""

    name: str
    version: str
    size_mb: float
    depends: tuple[str, ...]


def this_distribution(etc: Path = Path("/etc")) -> Distribution:
    """The distribution that this machine runs."""
    path = etc / "os-release"
    return parse_os_release(path.read_text() if path.is_file() else "")


class Packages:
    """Ask, fetch and install, from the distribution's own sources and its backports where it needs them."""

    def __init__(self, folder: Path, distribution: Distribution, say: Callable[[str], None]) -> None:
        self.distribution = distribution
        self._folder = folder
        self._say = say

    def update(self) -> None:
        """Fetch the package lists into our own folder, unless those there are of today. Raises LabError."""
        stamp = self._folder / "updated"
        text = "\n".join(source.render() for source in own_sources(read_sources(Path("/etc/apt")), self.distribution))
        sources = self._folder / "sources/lab.sources"
        current = sources.is_file() and sources.read_text() == text
        if current and stamp.is_file() and time.time() - stamp.stat().st_mtime < _FRESH_S:
            return
        for place in ("sources", "lists/partial", "cache/archives/partial"):
            (self._folder / place).mkdir(parents=True, exist_ok=True)
        sources.write_text(text)
        self._say(f"fetching the package lists of {self.distribution.codename} (kept apart from the machine's own)")
        execute(["apt-get", "-q", *self._options(), "update"], timeout_s=_UPDATE_S, hint="is the network there?")
        stamp.touch()

    def find(self, name: str) -> Package:
        """The version apt would take, from backports where the distribution needs them. Raises LabError."""
        found = parse_control(self._show(name))
        if "version" not in found:
            raise LabError(f"the package {name} is not in {self.distribution.codename}")
        depends = dependency_names(found.get("pre-depends", "") + "," + found.get("depends", ""))
        return Package(name, found["version"], int(found.get("size", "0")) / 1e6, tuple(depends))

    def exists(self, name: str) -> bool:
        """True where there is such a package."""
        return bool(self._show(name).strip())

    def _show(self, name: str) -> str:
        query = ["apt-cache", *self._options(), "show", "--no-all-versions", name]
        return execute(["sh", "-c", '"$@" || true', "sh", *query], timeout_s=_QUERY_S).decode(errors="replace")

    def fetch(self, packages: Sequence[Package], folder: Path) -> list[Path]:
        """Download packages into ``folder`` without installing them. Raises LabError."""
        for package in packages:
            self._say(f"fetching {package.name} {package.version} ({package.size_mb:.0f} MB)")
        names = [f"{package.name}={package.version}" for package in packages]
        execute(["apt-get", "-q", *self._options(), "download", *names], timeout_s=_FETCH_S, cwd=folder)
        return sorted(folder.glob("*.deb"))

    def fetch_whole(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Download packages and everything they need, as for an empty machine, into ``folder``. Raises LabError.

        From the release itself: backports are passed over.
        """
        (folder / "partial").mkdir(parents=True, exist_ok=True)
        settings = {"Dir::State::status": "/dev/null", "Dir::Cache::archives": str(folder), "APT::Default-Release": ""}
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        self._say(f"fetching {' '.join(names)} and what they need (not installed)")
        command = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only", *self._options(), *options]
        execute([*command, "install", *names], timeout_s=_FETCH_S)
        return sorted(folder.glob("*.deb"))

    def install(self, names: Sequence[str], as_root: Sequence[str]) -> None:
        """Install packages on this machine. ``as_root`` is the prefix that gives root (() or sudo). Raises LabError."""
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "-q", "-y", *self._options(), "install", "--no-install-recommends", *names]
        self._say(f"installing on this machine: {' '.join(names)}")
        execute([*as_root, *command], timeout_s=_INSTALL_S, env=environment)

    def _options(self) -> list[str]:
        """apt uses our lists and sources, and the machine's record of installed packages."""
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": str(self._folder / "sources"),
            "Dir::State::lists": str(self._folder / "lists"),
            "Dir::Cache": str(self._folder / "cache"),
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        if self.distribution.backports:
            settings["APT::Default-Release"] = self.distribution.backports
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
