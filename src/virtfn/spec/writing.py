"""A desired state as YAML that a person would write: grouped where that makes it shorter."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.desired import UNSET, DesiredHost, DesiredPf, DesiredVf, PfMatch
from virtfn.model.fields import MATCH_KEYS, PF_FIELDS, is_individual
from virtfn.model.inventory import NO_VLAN, Vlan, VlanProtocol
from virtfn.spec.constants import FORMAT, NO_DRIVER, NO_TAG
from virtfn.spec.selection import Selection
from virtfn.spec.yaml_scalars import written

Fields: TypeAlias = tuple[tuple[str, Any], ...]
"""What an entry says, in the order of ``DesiredVf``."""

_WIDTH = 110
_LINE = 10  # what a line more costs the reader, in letters


def dump(desired: DesiredHost) -> str:
    """The text of a spec file that says just this; ``load`` reads it back to an equal value.

    That holds for every value that ``load`` can give; of another (a VLAN 4095, one MAC twice) the text is written, too,
    and ``load`` says what is wrong with it.
    """
    return document([entry_lines(pf) for pf in desired.pfs])


def document(entries: Sequence[Sequence[str]]) -> str:
    """A file with these entries, each a list of lines without their indentation."""
    listed = [f"  {line}" for entry in entries for line in entry]
    is_empty = not any(line.startswith("  - ") for line in listed)
    lines = [f"virtfn: {FORMAT}", "pfs: []" if is_empty else "pfs:", *listed]
    return "\n".join(lines) + "\n"


def entry_lines(pf: DesiredPf, *, comment: str = "") -> list[str]:
    """One entry of ``pfs``; ``comment`` is put behind its first line."""
    first = f"- match: {_match(pf.match)}"
    lines = [f"{first}  # {comment}" if comment else first]
    for key in PF_FIELDS:
        value = getattr(pf, key)
        if value is not UNSET:
            lines.append(f"  {key}: {written(value)}")
    each = _fields(pf.each)
    if each:
        lines += _mapping("  each:", each)
    if pf.vfs:
        lines.append("  vfs:")
        lines += [line for key, said in _grouped(pf.vfs) for line in _mapping(f"    {_vf_key(key)}:", said)]
    return lines


def _match(match: PfMatch) -> str:
    return _flow([(MATCH_KEYS[name].key.name, choices) for name, choices in match.named.items()])


def _fields(vf: DesiredVf) -> Fields:
    return tuple((name, value) for name, value in vars(vf).items() if value is not UNSET)


def _grouped(vfs: Sequence[tuple[int, DesiredVf]]) -> list[tuple[Selection, Fields]]:
    """Entries that say the same as ``vfs``: equal VFs as one range, then VFs that are equal but for their addresses.

    Every VF is named by one range at most and by one entry of its own at most, so nothing depends on precedence.
    """
    shared: dict[Fields, list[int]] = {}
    own: dict[int, Fields] = {}
    for index, vf in vfs:
        said = _fields(vf)
        own[index] = tuple(pair for pair in said if is_individual(*pair))
        shared.setdefault(tuple(pair for pair in said if pair not in own[index]), []).append(index)
    entries: list[tuple[Selection, Fields]] = []
    for rest, indexes in shared.items():
        entries += _shorter(_apart(rest, indexes, own), _factored(rest, indexes, own))
    return sorted(entries, key=lambda entry: (len(entry[0]) == 1, entry[0].ranges))


def _apart(rest: Fields, indexes: Sequence[int], own: Mapping[int, Fields]) -> list[tuple[Selection, Fields]]:
    """VFs without an address of their own as one range, each of the others whole."""
    alike = [index for index in indexes if not own[index]]
    entries = [(Selection.of(alike), rest)] if alike else []
    return entries + [(Selection.of([index]), (*own[index], *rest)) for index in indexes if own[index]]


def _factored(rest: Fields, indexes: Sequence[int], own: Mapping[int, Fields]) -> list[tuple[Selection, Fields]]:
    """What is shared as one range, the addresses one by one; as ``_apart`` where there is nothing to share."""
    if not rest or len(indexes) < 2:
        return _apart(rest, indexes, own)
    singles = [(Selection.of([index]), own[index]) for index in indexes if own[index]]
    return [(Selection.of(indexes), rest), *singles]


def _shorter(
    one: list[tuple[Selection, Fields]], other: list[tuple[Selection, Fields]]
) -> list[tuple[Selection, Fields]]:
    def size(entries: list[tuple[Selection, Fields]]) -> int:
        return sum(_LINE + len(f"{_vf_key(key)}: {_flow(said)}") for key, said in entries)

    return other if size(other) < size(one) else one


def _vf_key(selection: Selection) -> str:
    return str(selection) if len(selection) == 1 else f'"{selection}"'


def _mapping(head: str, pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """On one line where it fits, else a line a key."""
    line = f"{head} {_flow(pairs)}"
    if len(line) <= _WIDTH:
        return [line]
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    return [head, *(f"{indent}{key}: {_value(value)}" for key, value in pairs)]


def _flow(pairs: Sequence[tuple[str, Any]]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in pairs) + "}"


def _value(value: Any) -> str:
    if isinstance(value, MacAddress | PciAddress):
        return f'"{value}"'  # a YAML 1.1 reader would take some of them for numbers
    if isinstance(value, Vlan):
        return _vlan(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]" if len(value) > 1 else _value(value[0])
    return NO_DRIVER if value is None else written(value)


def _vlan(vlan: Vlan) -> str:
    if vlan == NO_VLAN:
        return NO_TAG
    said: list[tuple[str, Any]] = [("id", vlan.id)]
    said += [("qos", vlan.qos)] if vlan.qos else []
    said += [("protocol", str(vlan.protocol))] if vlan.protocol is not VlanProtocol.C_TAG else []
    return str(vlan.id) if len(said) == 1 else _flow(said)
