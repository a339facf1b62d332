"""What a person declares about a host, in YAML: read, written, and described for editors.

``load`` turns files into a ``DesiredHost`` or says everything that is wrong with them; ``dump`` goes the other way;
``render`` writes today's host as such a file. Only this room knows YAML and pydantic, so import it when it is needed.
"""

from virtfn.spec.description import describe, render
from virtfn.spec.document import MAX_BYTES, decoded
from virtfn.spec.loading import load
from virtfn.spec.schema import json_schema, json_schema_text
from virtfn.spec.words import FORMAT
from virtfn.spec.writing import dump

__all__ = ["FORMAT", "MAX_BYTES", "decoded", "describe", "dump", "json_schema", "json_schema_text", "load", "render"]
