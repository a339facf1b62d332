"""The format as JSON Schema (2020-12), for editors that check and complete while a person types.

It says what single keys take. What spans keys (precedence, num_vfs, MACs, rates) only ``load`` checks.
"""

import json
from typing import Any

from virtfn.spec.entries import HostEntry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema as plain values. ``docs/reference/host-spec.schema.json`` holds its text."""
    schema = _without_titles(HostEntry.model_json_schema(ref_template="#/$defs/{model}"))
    schema["$defs"]["MatchEntry"]["minProperties"] = 1
    return {"$schema": _DIALECT, "title": "virtfn host spec, host/1", **schema}


def json_schema_text() -> str:
    """The schema as a file: sorted, so that the same format is the same text."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def _without_titles(schema: Any) -> Any:
    """Without the titles that pydantic makes from names; a ``title`` that is itself a key of the format stays."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and key != "default"
    }
