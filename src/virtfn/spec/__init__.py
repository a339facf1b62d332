"""What a person declares about a host, in YAML: read, written, and described for editors.

``load`` turns files into a ``DesiredHost`` or says everything that is wrong with them; ``dump`` goes the other way;
``render`` writes today's host as such a file. Only this room knows pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtfn.spec.constants import FORMAT
    from virtfn.spec.document import MAX_BYTES, decoded, source_of, sources_of
    from virtfn.spec.from_inventory import describe, render
    from virtfn.spec.loading import load
    from virtfn.spec.schema import json_schema, json_schema_text
    from virtfn.spec.writing import dump

__all__ = [
    "FORMAT",
    "MAX_BYTES",
    "decoded",
    "describe",
    "dump",
    "json_schema",
    "json_schema_text",
    "load",
    "render",
    "source_of",
    "sources_of",
]

_HOMES = {
    "FORMAT": "constants",
    "MAX_BYTES": "document",
    "decoded": "document",
    "describe": "from_inventory",
    "dump": "writing",
    "json_schema": "schema",
    "json_schema_text": "schema",
    "load": "loading",
    "render": "from_inventory",
    "source_of": "document",
    "sources_of": "document",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: who only writes a spec need not wait for pydantic (about 100 ms)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
