"""From pydantic's errors in a cloud spec to what is wrong and how to fix it."""

import re
from collections.abc import Mapping
from typing import Any

from virtfn.spec.cloud.cloud_format import KEYS_OF
from virtfn.spec.problems import Path, quoted
from virtfn.spec.pydantic_errors import quoted_kind
from virtfn.spec.values import advice

_LEAVE_OUT = "leave the key out: then the cloud decides"
_LIKE = {
    "virtfn": "virtfn: cloud/1",
    "name": "name: field-note",
    "networks": "- {name: flat, physical_network: physnet1}",
    "subnets": "- {name: flat-v4, cidr: 192.0.2.0/24}",
    "servers": "- {name: vm1, image: cirros, flavor: m1.tiny, ports: [{network: flat}]}",
    "ports": "- {network: flat}",
    "physical_network": "physical_network: physnet1",
    "cidr": "cidr: 192.0.2.0/24",
    "image": "image: cirros",
    "flavor": "flavor: m1.tiny",
    "network": "network: flat",
    "pools": '- "192.0.2.10-192.0.2.99"',
    "dns": '- "192.0.2.1"',
}


def worded(error: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """What is wrong with the value at ``path``, and what to do about it."""
    kind, value, last = str(error["type"]), error["input"], str(path[-1]) if path else ""
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return f"the key {last} is missing", f"add {_LIKE.get(last, last)}"
    if value is None:
        return "it has no value", f"write {_LIKE[last]}" if last in _LIKE else _LEAVE_OUT
    if kind == "spec":
        return str(context["what"]), str(context["remedy"])
    if kind == "greater_than_equal":
        return f"{quoted(value)} is less than {context['ge']}", f"write {context['ge']} or more"
    if kind == "less_than_equal":
        return f"{quoted(value)} is more than {context['le']}", f"write {context['le']} or less"
    if kind == "too_short":
        return "the list is empty", f"write entries, like {_LIKE.get(last, '- ...')}"
    return _wrong_type(kind, value, path, str(error["msg"]))


def _wrong_type(kind: str, value: object, path: Path, message: str) -> tuple[str, str]:
    if kind == "int_type":
        bare = isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value)
        return f"{quoted(value)} is not a number", "write it without quotes" if bare else "write a whole number"
    if kind == "bool_type":
        return f"{quoted(value)} is neither true nor false", "write true or false"
    named = [part for part in path if isinstance(part, str)]
    like = _LIKE.get(named[-1] if named else "virtfn", "")
    if kind == "list_type":
        return f"{quoted_kind(value)} where a list is needed", f"write entries, like {like}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{quoted_kind(value)} where keys are needed", f"write it like {like}"
    return message, "see the examples in examples/cloud"


def _unknown_key(path: Path) -> tuple[str, str]:
    key = str(path[-1])
    named = [part for part in path[:-1] if isinstance(part, str)]
    home = f"an entry of {named[-1]}" if named else "a cloud spec"
    elsewhere = [name for name, keys in KEYS_OF.items() if key in keys]
    if elsewhere:
        return f"the key {key} does not belong here", f"it belongs to {' or '.join(elsewhere)}"
    return f"unknown key {quoted(key)}", advice(key, KEYS_OF[home]) if key else "write a word before the colon"
