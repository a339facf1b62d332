"""The types that the library's methods take and give, found by their annotations."""

import dataclasses
import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any

from tests.unit.docs.generated import public_methods

import virtfn.api
from virtfn.engine.events import Event
from virtfn.errors import VirtfnError


def reachable() -> set[type]:
    """Every class of virtfn that can be met from the exported ones; errors are in ``virtfn.errors``."""
    found: set[type] = set()
    waiting = [one for name in virtfn.api.__all__ if isinstance(one := getattr(virtfn.api, name), type)]
    waiting += Event.__subclasses__()
    while waiting:
        kind = waiting.pop()
        if kind in found or not _is_ours(kind):
            continue
        found.add(kind)
        hints = [_hints(function) for _, function in public_methods(kind)]
        if dataclasses.is_dataclass(kind):
            hints.append({name: hint for name, hint in _hints(kind).items() if name[0] != "_"})
        hints.append({str(base): base for base in getattr(kind, "__orig_bases__", ())})
        waiting += [one for hint in hints for each in hint.values() for one in _classes(each)]
    return found


def _hints(one: Any) -> dict[str, Any]:
    """Its annotations; what its module imports for type checkers only is taken from the library's names."""
    return typing.get_type_hints(one, localns=vars(virtfn.api))


def _classes(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    for part in (typing.get_origin(hint), *typing.get_args(hint)):
        if isinstance(part, list):
            for each in part:
                yield from _classes(each)
        elif part not in (None, UnionType, typing.Generic):
            yield from _classes(part)


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, type) and kind.__module__.startswith("virtfn.") and not issubclass(kind, VirtfnError)
