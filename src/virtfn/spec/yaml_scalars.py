"""What an unquoted word of YAML 1.2 means, by its core schema (YAML 1.2.2, 10.3.2), and when a word needs quotes.

The YAML 1.1 reading is never used: there 52:54:00:12:34:56 is a number and 0000:01:00.0 is 60.0.
"""

import json
import re
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

_MANY_DIGITS = 30
"""Longer numbers are left as text: no key takes one, and int() of thousands of digits is slow or refused."""
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEX = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_OLD_TRUTHS = re.compile(r"(?i:y|n|yes|no|on|off)")


def resolved(word: str) -> Scalar:
    """The value of an unquoted word."""
    if word in _NULLS:
        return None
    if word in _TRUTHS:
        return _TRUTHS[word]
    if len(word) > _MANY_DIGITS:
        return word
    if _INT.fullmatch(word):
        return int(word)
    if octal := _OCTAL.fullmatch(word):
        return int(octal[1], 8)
    if hexadecimal := _HEX.fullmatch(word):
        return int(hexadecimal[1], 16)
    if _FLOAT.fullmatch(word):
        return float(word)
    if _NOT_FINITE.fullmatch(word):
        return float(word.replace(".", "").lower())
    return word


def written(value: bool | int | str) -> str:
    """The word that reads back as ``value``: quoted where it would be something else, also to a YAML 1.1 reader."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and resolved(value) == value and not _OLD_TRUTHS.fullmatch(value):
        return value
    return json.dumps(value)
