"""The format as JSON Schema (2020-12), for editors that check and complete while a person types.

It says what single keys take. What spans keys (precedence, num_vfs, MACs, rates) only ``load`` checks.
"""

import json
from typing import Any

from pydantic import BaseModel

from virtfn.spec.host_format import HostEntry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema as plain values. ``docs/reference/host-spec.schema.json`` holds its text."""
    schema = schema_of(HostEntry, title="virtfn host spec, host/1")
    schema["$defs"]["MatchEntry"]["minProperties"] = 1
    return schema


def schema_of(model: type[BaseModel], *, title: str) -> dict[str, Any]:
    """The schema of a format whose top is ``model``."""
    return {
        "$schema": _DIALECT,
        "title": title,
        **_plain(model.model_json_schema(ref_template="#/$defs/{model}")),
    }


def json_schema_text() -> str:
    """The schema as a file: sorted, so that the same format is the same text."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def _plain(schema: Any) -> Any:
    """The schema in the same words whatever version of pydantic wrote it.

    Titles made from names and defaults go; a reference is not changed (2.7 wraps it in ``allOf``), and ``const`` alone
    (2.7 adds an ``enum``). None of these words is a key of the format.
    """
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if len(schema.get("allOf", ())) == 1:
        schema = {**schema, **schema["allOf"][0]}
    redundant = {"title", "default", "allOf", *(("enum",) if "const" in schema else ())}
    return {key: _plain(value) for key, value in schema.items() if key not in redundant}
