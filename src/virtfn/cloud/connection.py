"""A connection as clouds.yaml describes it, made when it is first needed (the SDK takes 0.4 s to import).

The SDK passes over a file that it cannot read or parse, and then reports only that the cloud was not found. Older
versions raise the parser's errors. So what is wrong with clouds.yaml is looked for here.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from virtfn.cloud.sdk_errors import refusals
from virtfn.errors import BackendUnreachable, CloudUnreachable
from virtfn.model.place import cloud_place

_FILE_VARIABLE = "OS_CLIENT_CONFIG_FILE"
_NOT_A_CLOUD = (_FILE_VARIABLE, "OS_CLOUD")
_PATIENCE_S = 120.0
"""For one answer, where clouds.yaml has no ``api_timeout``: the SDK would wait for ever."""
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


def account(cloud: str | None) -> CloudAccount:
    """Whose objects an entry of clouds.yaml means; None: what OS_... variables say. Raises what ``connect`` does."""
    _need_sdk()
    with _well_formed(cloud):
        region = _entry(cloud)
        return CloudAccount.of(cloud, region.get_region_name(), region.config.get("auth") or {})


def connect(cloud: str | None) -> Any:
    """An ``openstack.connection.Connection`` to this entry of clouds.yaml; None: what OS_... variables say.

    Nothing is sent yet. An answer is waited for as long as ``api_timeout`` says, or two minutes. Raises
    BackendUnreachable where openstacksdk is not installed, CloudUnreachable where clouds.yaml has no such entry.
    """
    _need_sdk()
    import openstack.connection

    with _well_formed(cloud):
        made = openstack.connection.Connection(config=_entry(cloud))
        made.session.timeout = made.session.timeout or _PATIENCE_S
        return made


def _need_sdk() -> None:
    if importlib.util.find_spec("openstack") is None:
        raise BackendUnreachable("openstacksdk is not installed", where="cloud", hint="pip install 'virtfn[cloud]'")


@contextmanager
def _well_formed(cloud: str | None) -> Iterator[None]:
    """Within this context whatever is wrong with clouds.yaml or the cloud leaves as an error of ours."""
    label = f"cloud {cloud}" if cloud else "cloud"
    with refusals(label):
        try:
            yield
        except (AttributeError, TypeError, ValueError, KeyError) as fault:  # the SDK takes the file's shape for granted
            raise CloudUnreachable(
                f"clouds.yaml is not as the SDK wants it ({fault})", where=label, hint="see clouds.yaml"
            ) from fault


def _entry(cloud: str | None) -> Any:
    """The SDK's ``CloudRegion`` of this entry; None: what OS_... variables say. Nothing is sent.

    Raises CloudUnreachable, which names the file, its line, or the entries that there are; and what the SDK raises.
    """
    import yaml
    from openstack.config import OpenStackConfig
    from openstack.exceptions import ConfigException

    if cloud is None and not any(name.startswith("OS_") and name not in _NOT_A_CLOUD for name in os.environ):
        raise CloudUnreachable(
            "no cloud is named",
            where="cloud",
            hint="name an entry of clouds.yaml, or export OS_CLOUD=NAME",
        )
    try:
        config = OpenStackConfig(app_name="virtfn")
    except (ConfigException, ValueError, yaml.YAMLError) as fault:  # older than openstacksdk 4.16
        raise _no_entry(cloud or "", []) from fault
    names = sorted(map(str, config.get_cloud_names()))
    if cloud is not None and cloud not in names:
        raise _no_entry(cloud, [name for name in names if name != "defaults"])
    return config.get_one(cloud=cloud)


def _no_entry(cloud: str, names: list[str]) -> CloudUnreachable:
    where = f"cloud {cloud}".strip()
    files = _files()
    if not files:
        named = os.environ.get(_FILE_VARIABLE)
        hint = (
            f"{_FILE_VARIABLE} names {named}" if named else "it is looked for in ., ~/.config/openstack, /etc/openstack"
        )
        return CloudUnreachable("there is no clouds.yaml", where=where, hint=hint)
    for path in files:
        fault = _fault_of(path)
        if fault:
            return CloudUnreachable(fault, where=where, hint="the SDK passes over such a file")
    listed = ", ".join(names) or "none"
    return CloudUnreachable(f"{files[0]} has no such entry", where=where, hint=f"there is: {listed}")


def _files() -> list[Path]:
    """Where the SDK looks, as far as there is something."""
    from openstack.config import loader

    named = os.environ.get(_FILE_VARIABLE)
    return [path for path in map(Path, [named] if named else loader.CONFIG_FILES) if os.path.lexists(path)]


def _fault_of(path: Path) -> str:
    """Why the SDK cannot use this file; "" where it can."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        return f"{path} cannot be read ({fault.strerror})"
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        return f"{path}:{line}: not YAML ({fault.problem})"
    except (ValueError, yaml.YAMLError):
        return f"{path} is not text in YAML"
    clouds = content.get("clouds") if isinstance(content, dict) else None
    return "" if isinstance(clouds, dict) else f"{path} has no clouds: with an entry each"
