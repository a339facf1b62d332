"""Where an engine and its journal work, and how their messages name it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote, urlsplit


@dataclass(frozen=True)
class Place:
    """This host, or a cloud. ``os_cloud``: its name in clouds.yaml; None for the one that OS_... variables mean."""

    name: str
    is_cloud: bool = False
    os_cloud: str | None = None


HOST = Place("this host")


def cloud_place(os_cloud: str | None) -> Place:
    """The cloud of this name in clouds.yaml; None: the one that OS_... variables mean."""
    if os_cloud is None:
        return Place("this cloud", is_cloud=True)
    return Place(f"cloud {os_cloud}", is_cloud=True, os_cloud=os_cloud)


@dataclass(frozen=True)
class CloudAccount:
    """Whose objects a journal is about: a project of a cloud, by the words of its entry in clouds.yaml.

    ``name`` None: OS_... variables. Two entries of one name that mean different clouds, regions or projects are two
    accounts: what was begun in one is never taken back in the other. ``digest`` is of all words that tell them apart.
    """

    name: str | None
    project: str
    address: str
    digest: str

    @classmethod
    def of(cls, name: str | None, region: str | None, auth: Mapping[str, object]) -> Self:
        """``auth`` as in clouds.yaml; its secrets are not regarded."""
        words = sorted((key, str(value)) for key, value in auth.items() if key in _TELLING and value)
        digest = hashlib.sha256(repr((region, words)).encode()).hexdigest()[:8]
        project = str(auth.get("project_name") or auth.get("project_id") or "no project")
        address = urlsplit(str(auth.get("auth_url") or "")).netloc.rpartition("@")[2]  # without a password
        return cls(name, project, address or "no address", digest)

    @property
    def folder(self) -> str:
        """The name of its journal's folder: ``lab,admin,127.0.0.1%3A5000,1f2e3d4c``."""
        return ",".join(quote(word, safe="") for word in (self.name or "", self.project, self.address, self.digest))

    @classmethod
    def of_folder(cls, folder: str) -> Self | None:
        """The account whose journal such a folder holds; None for another folder."""
        words = [unquote(word) for word in folder.split(",")]
        return cls(words[0] or None, *words[1:]) if len(words) == 4 else None

    def __str__(self) -> str:
        return f"{cloud_place(self.name).name} ({self.project} at {self.address})"


_TELLING = (
    "auth_url",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
)
