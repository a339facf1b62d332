"""From pydantic's errors to findings: the place, the fault, and the fix."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from virtfn.model.finding import FindingKind
from virtfn.spec.problems import KEY, VALUE, Path, quoted
from virtfn.spec.values import advice

_KEY_MARK = "[key]"
"""What pydantic appends to the location of a mapping's key."""
_SWITCH_WORDS = {"yes": "true", "on": "true", "y": "true", "1": "true", "enable": "true"}
_SWITCH_WORDS |= {"no": "false", "off": "false", "n": "false", "0": "false", "disable": "false"}


@dataclass(frozen=True)
class FormatWords:
    """What an error says of one format.

    ``keys``: those of each kind of mapping; ``home``: which kind is at a path. ``missing``, ``empty``: what to write
    for a key that is not there, or has no value. ``like``: an example of what belongs at a path. ``page``: where the
    format is described. ``reserved``: keys of a later version, with what to do instead.
    """

    keys: Mapping[str, tuple[str, ...]]
    home: Callable[[Path], str]
    missing: Callable[[str], str]
    empty: Callable[[str], str]
    like: Callable[[Path], str]
    page: str
    reserved: Mapping[str, str]


def place_of(error: Mapping[str, Any]) -> Path:
    """The path of the value that pydantic's error is about."""
    return tuple(part for part in error["loc"] if part != _KEY_MARK)


def kind_of(error: Mapping[str, Any]) -> FindingKind:
    """What kind of finding pydantic's error is."""
    return KEY if error["type"] in ("extra_forbidden", "missing") else VALUE


def worded(error: Mapping[str, Any], path: Path, words: FormatWords) -> tuple[str, str]:
    """What is wrong with the value at ``path``, and what to do about it."""
    kind, value, last = str(error["type"]), error["input"], str(path[-1]) if path else ""
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, words)
    if kind == "missing":
        return f"the key {last} is missing", f"add {words.missing(last)}"
    if value is None:
        return "it has no value", words.empty(last)
    if kind == "spec":
        return str(context["what"]), str(context["remedy"])
    if kind == "greater_than_equal":
        return f"{quoted(value)} is less than {context['ge']}", f"write {context['ge']} or more"
    if kind == "less_than_equal":
        return f"{quoted(value)} is more than {context['le']}", f"write {context['le']} or less"
    if kind == "too_short":
        return "the list is empty", f"write entries, like {words.like(path)}"
    if kind == "int_type":
        bare = isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value)
        return f"{quoted(value)} is not a number", "write it without quotes" if bare else "write a whole number"
    if kind == "bool_type":
        meant = _SWITCH_WORDS.get(str(value).lower())
        return f"{quoted(value)} is neither true nor false", f"write {meant}" if meant else "write true or false"
    if kind == "list_type":
        return f"{_quoted_kind(value)} where a list is needed", f"write entries, like {words.like(path)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{_quoted_kind(value)} where keys are needed", f"write it like {words.like(path)}"
    return str(error["msg"]), f"see {words.page}"


def _quoted_kind(value: object) -> str:
    """A value as an error names it where it is of the wrong kind altogether."""
    if isinstance(value, dict):
        return "keys"
    return "a list" if isinstance(value, list) else quoted(value)


def _unknown_key(path: Path, words: FormatWords) -> tuple[str, str]:
    key = str(path[-1])
    if key in words.reserved:
        return f"the key {key} is reserved for a later version of the format", words.reserved[key]
    elsewhere = [name for name, keys in words.keys.items() if key in keys]
    if elsewhere:
        return f"the key {key} does not belong here", f"it belongs to {' or '.join(elsewhere)}"
    here = words.keys[words.home(path[:-1])]
    return f"unknown key {quoted(key)}", advice(key, here) if key else "write a word before the colon"
