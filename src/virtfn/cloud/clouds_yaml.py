"""The entry of clouds.yaml that a person means, and what is wrong where there is none.

The SDK passes over a file that it cannot read or parse, and then says no more than that the cloud was not found.
"""

import os
from pathlib import Path
from typing import Any

from virtfn.errors import CloudUnreachable

_FILE_VARIABLE = "OS_CLIENT_CONFIG_FILE"
_NOT_A_CLOUD = (_FILE_VARIABLE, "OS_CLOUD")


def entry(cloud: str | None) -> Any:
    """The SDK's ``CloudRegion`` of this entry; None: what OS_... variables say. Nothing is sent.

    Raises CloudUnreachable, which names the file, its line, or the entries that there are; and what the SDK raises.
    """
    from openstack.config import OpenStackConfig

    if cloud is None and not any(name.startswith("OS_") and name not in _NOT_A_CLOUD for name in os.environ):
        raise CloudUnreachable(
            "no cloud is named",
            where="virtfn cloud",
            hint="--os-cloud NAME, or export OS_CLOUD=NAME (an entry of clouds.yaml)",
        )
    config = OpenStackConfig(app_name="virtfn")
    names = sorted(map(str, config.get_cloud_names()))
    if cloud is not None and cloud not in names:
        raise _no_entry(cloud, [name for name in names if name != "defaults"])
    return config.get_one(cloud=cloud)


def _no_entry(cloud: str, names: list[str]) -> CloudUnreachable:
    where = f"cloud {cloud}"
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
