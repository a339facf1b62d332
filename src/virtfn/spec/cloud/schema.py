"""The format ``cloud/1`` as JSON Schema (2020-12). What spans keys (ranges, references) only ``load_cloud`` checks."""

import json
from typing import Any

from virtfn.spec.cloud.cloud_format import CloudEntry
from virtfn.spec.schema import schema_of


def cloud_json_schema() -> dict[str, Any]:
    """The schema as plain values."""
    return schema_of(CloudEntry, title="virtfn cloud spec, cloud/1")


def cloud_json_schema_text() -> str:
    """The schema as a file: sorted, so that the same format is the same text."""
    return json.dumps(cloud_json_schema(), indent=2, sort_keys=True) + "\n"
