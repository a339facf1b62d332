"""Between the model's values and plain JSON values, by the dataclasses' own fields.

``encode`` is used for what is printed and for what is journalled, ``decode`` for what is read back from the journal.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.inventory import Unknown
from virtfn.model.plan import Value

T = TypeVar("T")

_PLAIN_SCALARS = {bool, int, float, str, type(None)}
"""What marks the union ``Value``, which needs no decoding."""


def encode(value: object, *, unknown: dict[str, str] | None = None, path: str = "") -> Value:
    """The plain form of a value: dataclasses become mappings, addresses and enums their text.

    An ``Unknown`` becomes null; its reason is put into ``unknown`` under the value's path (``pfs[0].vfs[2].trust``).
    Raises TypeError for a value that has no plain form.
    """
    if isinstance(value, Unknown):
        if unknown is not None:
            unknown[path] = value.reason
        return None
    if isinstance(value, Enum):
        return typing.cast(Value, value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, MacAddress | PciAddress | VfRef):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            entry.name: encode(getattr(value, entry.name), unknown=unknown, path=f"{path}.{entry.name}".lstrip("."))
            for entry in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): encode(item, unknown=unknown, path=f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item, unknown=unknown, path=f"{path}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, frozenset):
        return sorted(str(item) for item in value)
    raise TypeError(f"no plain form for {type(value).__name__}")


def decode(kind: type[T], plain: object) -> T:
    """The value of type ``kind`` whose plain form is given. Raises ValueError, TypeError or KeyError if it is none."""
    return typing.cast(T, _decode(kind, plain))


def _decode(kind: Any, plain: Any) -> object:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = typing.get_args(kind)
        return plain if set(kinds) >= _PLAIN_SCALARS else _decode_union(kinds, plain)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), plain)
    if origin is not None and issubclass(origin, Mapping):
        return dict(plain)
    if kind is MacAddress:
        return MacAddress.parse(plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        known = {entry.name for entry in dataclasses.fields(kind)}
        return typing.cast(Any, kind)(
            **{name: _decode(hints[name], item) for name, item in plain.items() if name in known}
        )
    if isinstance(kind, type) and isinstance(plain, kind):
        return plain
    if kind is float and isinstance(plain, int):
        return float(plain)
    raise ValueError(f"{plain!r} is not a {kind}")


def _decode_union(kinds: tuple[Any, ...], plain: object) -> object:
    if plain is None:
        if type(None) in kinds:
            return None
        raise ValueError("null where a value is needed")
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _decode(kind, plain)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    raise ValueError(f"{plain!r} fits none of {kinds}")


def _decode_tuple(kinds: tuple[Any, ...], plain: Any) -> object:
    if not isinstance(plain, list | tuple):
        raise ValueError(f"{plain!r} is not a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], item) for item in plain)
    return tuple(_decode(kind, item) for kind, item in zip(kinds, plain, strict=True))
