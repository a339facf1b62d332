"""From what pydantic found to what a person can act on: the place, what is wrong, what to do."""

import re
from collections.abc import Mapping
from typing import Any

from virtfn.model.finding import FindingKind
from virtfn.spec import constants as words
from virtfn.spec.host_format import KEYS_OF
from virtfn.spec.problems import KEY, VALUE, Path, quoted
from virtfn.spec.values import advice

_KEY_MARK = "[key]"
"""What pydantic appends to the location of a mapping's key."""
_LEAVE_OUT = "leave the key out: then it is left alone"
_EMPTY = {
    "virtfn": "write virtfn: host/1",
    "pfs": "write pfs: [] if there is no PF",
    "match": "name the PF, like {name: p2p1}",
    "driver": f"{_LEAVE_OUT}; or write none for no driver",
    "vlan": f"{_LEAVE_OUT}; or write none for no VLAN",
}
_EXAMPLES = {
    "match": "match: {name: p2p1}",
    "each": "each: {spoofchk: true}",
    "vfs": "2: {trust: true} below vfs",
    "pfs": "- match: {name: p2p1}",
}
_MISSING = {
    "virtfn": "virtfn: host/1",
    "match": "match: {name: p2p1}",
    "pfs": "pfs: and the PFs below it, or pfs: []",
    "id": "id: 100",
}
_SWITCH_WORDS = {"yes": "true", "on": "true", "y": "true", "1": "true", "enable": "true"}
_SWITCH_WORDS |= {"no": "false", "off": "false", "n": "false", "0": "false", "disable": "false"}


def place_of(error: Mapping[str, Any]) -> Path:
    """The path of the value that pydantic's error is about."""
    return tuple(part for part in error["loc"] if part != _KEY_MARK)


def kind_of(error: Mapping[str, Any]) -> FindingKind:
    """What kind of finding pydantic's error is."""
    return KEY if error["type"] in ("extra_forbidden", "missing") else VALUE


def worded(error: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    kind, path, value = str(error["type"]), place_of(error), error["input"]
    last = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return _missing(last)
    if value is None:
        return "it has no value", _EMPTY.get(last, _LEAVE_OUT)
    context = error.get("ctx", {})
    if kind == "spec":
        return str(context["what"]), str(context["remedy"])
    if kind == "greater_than_equal":
        return f"{quoted(value)} is less than {context['ge']}", f"write {context['ge']} or more"
    if kind == "less_than_equal":
        return f"{quoted(value)} is more than {context['le']}", f"write {context['le']} or less"
    return _wrong_type(kind, path, value, str(error["msg"]))


def _wrong_type(kind: str, path: Path, value: object, message: str) -> tuple[str, str]:
    if kind == "int_type":
        bare = isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value)
        return f"{quoted(value)} is not a number", "write it without quotes" if bare else "write a whole number"
    if kind == "bool_type":
        meant = _SWITCH_WORDS.get(str(value).lower())
        return f"{quoted(value)} is neither true nor false", f"write {meant}" if meant else "write true or false"
    if kind == "list_type":
        return f"{quoted_kind(value)} where a list is needed", f"write entries, like {_EXAMPLES['pfs']}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{quoted_kind(value)} where keys are needed", f"write it like {_example(path)}"
    return message, "see docs/reference/host-spec.md"


def _example(path: Path) -> str:
    if not path:
        return "virtfn: host/1"
    if len(path) == 2:
        return "match: {name: p2p1}"
    return _EXAMPLES.get(str(path[-1]), _EXAMPLES["vfs"])


def quoted_kind(value: object) -> str:
    """A value as an error names it where it is of the wrong kind altogether."""
    if isinstance(value, dict):
        return "keys"
    return "a list" if isinstance(value, list) else quoted(value)


def _missing(key: str) -> tuple[str, str]:
    return f"the key {key} is missing", f"add {_MISSING.get(key, key)}"


def _unknown_key(path: Path) -> tuple[str, str]:
    key, home = str(path[-1]), _home(path[:-1])
    if key == words.RESERVED:
        remedy = "leave it out; mirrors are added one by one"
        return f"the key {words.RESERVED} is reserved for a later version of the format", remedy
    elsewhere = [name for name, keys in KEYS_OF.items() if key in keys]
    if elsewhere:
        return f"the key {key} does not belong here", f"it belongs to {' or '.join(elsewhere)}"
    return f"unknown key {quoted(key)}", advice(key, KEYS_OF[home]) if key else "write a word before the colon"


def _home(path: Path) -> str:
    """The kind of mapping at ``path``, a key of ``KEYS_OF``."""
    if not path:
        return "a host spec"
    if path[-1] in ("match", "vlan"):
        return str(path[-1])
    return "an entry of pfs" if len(path) == 2 else "each and vfs"
