"""Values as text for people."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from virtfn.model.fields import VF_FIELDS
from virtfn.model.plan import DEFINITION, Target, Value
from virtfn.model.secrets import SECRET_FIELDS, hidden

_COMPOSITES = {
    frozenset(row.example): row.said for row in VF_FIELDS.values() if row.said and isinstance(row.example, Mapping)
}
"""How to format fields with several parts, by the names of their parts."""


def say(value: Value, field: str = "") -> str:
    """``on``, ``100 qos 3``, ``max 1000 Mbit/s``, ``none``: the text of a field's value; of a secret its length."""
    if field in SECRET_FIELDS and value is not None:
        return str(hidden(value))
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return _say_mapping(value)
    return str(value)


def say_change(
    target: Target, field: str, before: Value, after: Value, names: Mapping[str, str] = MappingProxyType({})
) -> str:
    """``p2p1/3: vlan none -> 100``; of an object as a whole ``+ network flat: type flat`` and ``- network flat``.

    ``names``: the names that replace these ids.
    """
    before, after = by_name(before, names), by_name(after, names)
    if field == DEFINITION and before is None:
        return f"+ {target}: {say(after)}"
    if field == DEFINITION and after is None:
        return f"- {target}"
    return f"{target}: {field} {say(before, field)} -> {say(after, field)}"


def by_name(value: Value, names: Mapping[str, str]) -> Value:
    """The value, with a name in place of each of these ids."""
    if not names:
        return value
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {key: by_name(part, names) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [by_name(part, names) for part in value]
    return value


def _say_mapping(value: Mapping[str, Value]) -> str:
    said = _COMPOSITES.get(frozenset(value))
    if said:
        return said(value)
    return " ".join(f"{key} {say(item, key)}" for key, item in value.items())
