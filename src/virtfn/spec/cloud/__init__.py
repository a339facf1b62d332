"""The declared state of a cloud, in YAML: flat SR-IOV networks, direct ports, servers.

``load_cloud`` turns one file into a ``DesiredCloud`` or says everything that is wrong with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtfn.spec.cloud.cloud_format import FORMAT, cloud_json_schema, cloud_json_schema_text
    from virtfn.spec.cloud.loading import load_cloud

__all__ = ["FORMAT", "cloud_json_schema", "cloud_json_schema_text", "load_cloud"]

_HOMES = {
    "FORMAT": "cloud_format",
    "cloud_json_schema": "cloud_format",
    "cloud_json_schema_text": "cloud_format",
    "load_cloud": "loading",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, as pydantic takes its time."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
