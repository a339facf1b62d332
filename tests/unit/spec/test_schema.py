"""The JSON Schema for editors: the committed text is today's, and it accepts what ``load`` accepts."""

import re
from pathlib import Path
from typing import Any

import pytest

from virtfn.spec.document import read
from virtfn.spec.schema import json_schema, json_schema_text

ROOT = Path(__file__).parents[3]
ANNOTATIONS = {"$schema", "$defs", "title", "description"}
GOOD = [*sorted((ROOT / "examples/host").glob("*.yaml")), *sorted((ROOT / "tests/golden/spec").glob("*/*.yaml"))]
SEEN_BY_THE_SCHEMA = [
    "match_empty",
    "eswitch_mode",
    "link_state",
    "mac_bad",
    "mac_multicast",
    "old_truth_words",
    "number_as_text",
    "out_of_range",
    "unknown_keys",
    "key_in_the_wrong_place",
    "other_version",
    "no_pfs_key",
    "no_match",
    "selection_bad",
    "vlan_bad",
    "null_in_a_vf",
    "match_is_a_word",
    "mirrors_reserved",
    "vfs_is_a_list",
    "match_bad_values",
]


def misfits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """What in ``value`` does not fit: as much of JSON Schema as ours uses, and an error for any other keyword."""
    wrong = []
    for keyword, said in schema.items():
        if keyword not in ANNOTATIONS:
            wrong += [] if CHECKS[keyword](value, said, schema, root) else [f"{keyword} {said}: {value!r}"[:200]]
    return wrong


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    return not misfits(value, schema, root)


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def known_keys(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    patterns = schema.get("patternProperties", {})
    return all(key in schema.get("properties", {}) or any(re.search(p, key) for p in patterns) for key in value)


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
CHECKS: dict[str, Any] = {
    "$ref": lambda value, ref, _, root: fits(value, root["$defs"][ref.removeprefix("#/$defs/")], root),
    "type": lambda value, kind, *_: is_number(value) if kind == "integer" else isinstance(value, TYPES[kind]),
    "const": lambda value, said, *_: value == said,
    "enum": lambda value, said, *_: value in said,
    "minimum": lambda value, least, *_: not is_number(value) or value >= least,
    "maximum": lambda value, most, *_: not is_number(value) or value <= most,
    "pattern": lambda value, pattern, *_: not isinstance(value, str) or bool(re.search(pattern, value)),
    "required": lambda value, keys, *_: not isinstance(value, dict) or set(keys) <= set(value),
    "minProperties": lambda value, least, *_: not isinstance(value, dict) or len(value) >= least,
    "properties": lambda value, said, _, root: (
        not isinstance(value, dict) or all(fits(value[key], said[key], root) for key in value if key in said)
    ),
    "patternProperties": lambda value, said, _, root: (
        not isinstance(value, dict)
        or all(fits(value[key], said[p], root) for p in said for key in value if re.search(p, key))
    ),
    "additionalProperties": lambda value, said, schema, _: (
        said is False and (not isinstance(value, dict) or known_keys(value, schema))
    ),
    "items": lambda value, said, _, root: not isinstance(value, list) or all(fits(item, said, root) for item in value),
    "minItems": lambda value, said, *_: not isinstance(value, list) or len(value) >= said,
    "anyOf": lambda value, said, _, root: any(fits(value, one, root) for one in said),
}


def data_of(path: Path) -> Any:
    return read(path.read_bytes().decode(), path.name).data


def test_committed_schema_is_todays() -> None:
    committed = (ROOT / "docs/reference/host-spec.schema.json").read_text()
    assert committed == json_schema_text()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_loads_fits_the_schema(path: Path) -> None:
    schema = json_schema()
    assert misfits(data_of(path), schema, schema) == []


@pytest.mark.parametrize("case", SEEN_BY_THE_SCHEMA)
def test_faults_of_single_keys_do_not_fit_the_schema(case: str) -> None:
    schema = json_schema()
    assert misfits(data_of(ROOT / "tests/golden/spec_errors" / case / "host.yaml"), schema, schema) != []


def test_every_key_is_described() -> None:
    schema = json_schema()
    entries = {"host": schema, **schema["$defs"]}
    undescribed = [
        f"{name}.{key}"
        for name, entry in entries.items()
        for key, said in entry["properties"].items()
        if not said.get("description")
    ]
    assert undescribed == []


def test_rates_and_sizes_name_their_unit() -> None:
    defs = json_schema()["$defs"]
    assert "octets" in defs["PfEntry"]["properties"]["mtu"]["description"]
    rates = [said["description"] for key, said in defs["VfEntry"]["properties"].items() if "rate" in key]
    assert [said for said in rates if "Mbit/s" not in said] == []
