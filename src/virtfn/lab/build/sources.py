"""The machine's own package sources, read at run time: the distribution's, and its backports where they are needed.

Both forms are read, one line per source and deb822 (``man 5 sources.list``). Other parties' sources are left out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from virtfn.errors import LabError

_ONE_LINE = re.compile(r"^(deb)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$")
_FAMILIES = ("", "-updates", "-security", "/updates")
_LAST_DEBIAN_WITH_OLD_QEMU = 12


@dataclass(frozen=True)
class Distribution:
    """Which distribution this is, by ``/etc/os-release``."""

    id: str
    version: str
    codename: str

    @property
    def backports(self) -> str:
        """The suite that has a QEMU with igb where the release itself has none (Debian 12: QEMU 7.2), else ""."""
        old = self.id == "debian" and self.version.isdigit() and int(self.version) <= _LAST_DEBIAN_WITH_OLD_QEMU
        return f"{self.codename}-backports" if old else ""

    @property
    def kernel_package(self) -> str:
        """The package whose dependency is the current kernel. Raises LabError for a distribution not known here."""
        names = {"debian": "linux-image-amd64", "ubuntu": "linux-image-generic"}
        if self.id not in names:
            raise LabError(
                f"no kernel package is known for {self.id or 'this distribution'}",
                hint="the lab can be prepared on Debian 12, Debian 13 and Ubuntu 24.04",
            )
        return names[self.id]


def parse_os_release(text: str) -> Distribution:
    """Read ``/etc/os-release`` (``man 5 os-release``)."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    values = {key: value.strip().strip("\"'") for key, value in found.items()}
    return Distribution(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("VERSION_CODENAME", ""))


@dataclass(frozen=True)
class Source:
    """One source of binary packages. ``options`` are further fields under their deb822 names, such as Signed-By."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def render(self) -> str:
        """In deb822 form."""
        fields = [("Types", "deb"), ("URIs", " ".join(self.uris)), ("Suites", " ".join(self.suites))]
        if self.components:
            fields.append(("Components", " ".join(self.components)))
        return "".join(f"{name}: {value}\n" for name, value in [*fields, *self.options])


def parse_one_line(text: str) -> list[Source]:
    """Read ``sources.list``: ``deb [signed-by=...] URI SUITE COMPONENTS``."""
    sources = []
    for line in text.splitlines():
        found = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if found:
            options = tuple(_option(word) for word in (found[2] or "").split() if "=" in word)
            sources.append(Source((found[3],), (found[4],), tuple(found[5].split()), options))
    return sources


def _option(word: str) -> tuple[str, str]:
    name, value = word.split("=", 1)
    names = {"arch": "Architectures", "signed-by": "Signed-By"}
    return names.get(name, name.title()), value.replace(",", " ")


def parse_deb822(text: str) -> list[Source]:
    """Read a ``.sources`` file: paragraphs of fields, with continuation lines (an embedded key has many)."""
    sources = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = _fields(paragraph)
        if "deb" in fields.pop("types", "").split() and fields.pop("enabled", "yes").strip() != "no":
            lists = [tuple(fields.pop(name, "").split()) for name in ("uris", "suites", "components")]
            options = tuple((name.title(), value) for name, value in fields.items())
            sources.append(Source(lists[0], lists[1], lists[2], options))
    return sources


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in {" ", "\t"} and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def read_sources(etc: Path) -> list[Source]:
    """All sources below ``etc`` (``/etc/apt``)."""
    parts = etc / "sources.list.d"
    one_line = [etc / "sources.list", *sorted(parts.glob("*.list"))]
    sources = [source for path in one_line if path.is_file() for source in parse_one_line(path.read_text())]
    return sources + [source for path in sorted(parts.glob("*.sources")) for source in parse_deb822(path.read_text())]


def own_sources(sources: Iterable[Source], distribution: Distribution) -> list[Source]:
    """The distribution's own among them, and its backports where they are needed. Raises LabError where it has none."""
    wanted = {distribution.codename + family for family in _FAMILIES}
    own = [
        replace(source, suites=suites)
        for source in sources
        if (suites := tuple(suite for suite in source.suites if suite in wanted))
    ]
    base = next((source for source in own if distribution.codename in source.suites), None)
    if base is None:
        raise LabError(f"no package source for {distribution.codename} is set up", where="/etc/apt")
    if distribution.backports:
        own.append(replace(base, suites=(distribution.backports,)))
    return own


def parse_control(text: str) -> Mapping[str, str]:
    """The first paragraph of ``apt-cache show``, by lower-case field name."""
    return _fields(text.strip().split("\n\n", 1)[0])


def dependency_names(field: str) -> list[str]:
    """The packages in a Depends field, without versions and alternatives."""
    return [entry.split("|")[0].split("(")[0].split(":")[0].strip() for entry in field.split(",") if entry.strip()]
