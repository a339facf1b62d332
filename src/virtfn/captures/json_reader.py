"""Reading ``ip -j link show`` (and ``-d``, ``-p``, ``-s``): the same facts as in words, under JSON's keys.

Source: iproute2 ``ip/ipaddress.c``: ``print_linkinfo``, ``print_vfinfo``. 4.16 to 4.19 said ``mac`` where today says
``address``. Empty objects stand for interfaces that a filter left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from virtfn.captures.attributes import ATTRIBUTES, BROADCAST, MAC, VLAN_PARTS, Attribute
from virtfn.captures.printout import Fault, Lines, LinkEntry, Printout, VfEntry, WrittenFact
from virtfn.captures.text_reader import HEADER, complaints

_START = re.compile(r'\[\s*\{\s*["}]|\[\s*\]|\{\s*"|\{\s*\}')
_VF_LIST = re.compile(r'"vfinfo_list"\s*:\s*\[')
_MIDDLE_MAC = Attribute("mac", "MAC", ("mac",), MAC.convert)
_ROWS = (MAC, _MIDDLE_MAC, BROADCAST, *ATTRIBUTES)
_NOT_A_FACT = frozenset({"vf", "link_type", "link_pointtopoint", "stats", "vlan_list"})
_UNDERSTOOD = _NOT_A_FACT | {row.keys[0] for row in (*_ROWS, *VLAN_PARTS)}
_NAME = re.compile(r"[^\s/:<>,]+")
_NOT_IP = "give the whole output of 'ip -j link show' or 'ip -j -d link show'"

_Object = Mapping[str, object]


class _UnreadableValue(Exception):
    """A fault on its way up to the reader."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True)
class _Element:
    """A decoded value, and its place in the text."""

    value: object
    start: int
    end: int


def is_document(text: str) -> bool:
    """Whether a JSON document begins before any interface in words does."""
    start, header = _START.search(text), HEADER.search(text)
    return bool(start) and not (start and header and header.start() < start.start())


def read_document(text: str) -> Printout:
    """Take a JSON capture apart; several documents in one text are read one after the other.

    ``text`` is clean (``to_inventory.cleaned``). Faults are in the result, not raised.
    """
    lines = Lines(text)
    links: list[LinkEntry] = []
    faults: list[Fault] = []
    around: list[str] = []
    done = 0
    try:
        while start := _START.search(text, done):
            around.append(text[done : start.start()])
            for element in _elements(text, start.start(), lines):
                done = element.end
                if element.value != {}:
                    _collect(links, faults, text, element, lines)
            done = _after(text, done if done > start.start() else start.end())
    except _UnreadableValue as error:
        faults.append(error.fault)
    said = complaints("\n".join((*around, text[done:])))
    return Printout(tuple(links), said.truncated, said.deficit, said.remarks, tuple(faults))


def _collect(links: list[LinkEntry], faults: list[Fault], text: str, element: _Element, lines: Lines) -> None:
    try:
        links.append(_link(text, element, lines))
    except _UnreadableValue as error:
        faults.append(error.fault)


def _elements(text: str, start: int, lines: Lines) -> Iterator[_Element]:
    """The objects of the array (or the one object) at ``start``, each with its place in the text."""
    if text[start] == "{":
        yield _decoded(text, start, lines)
        return
    place = _after_space(text, start + 1)
    while text[place : place + 1] != "]":
        element = _decoded(text, place, lines)
        yield element
        place = _after_space(text, element.end)
        if text[place : place + 1] == ",":
            place = _after_space(text, place + 1)
        elif text[place : place + 1] != "]":
            raise _UnreadableValue(Fault(lines.at(place), "the JSON breaks off or is damaged here", _NOT_IP))


def _decoded(text: str, place: int, lines: Lines) -> _Element:
    try:
        value, end = json.JSONDecoder().raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise _UnreadableValue(Fault(lines.at(error.pos), f"not valid JSON: {error.msg}", _NOT_IP)) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise _UnreadableValue(Fault(lines.at(place), "not JSON that ip could have printed", _NOT_IP)) from error
    return _Element(value, place, end)


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _after(text: str, place: int) -> int:
    """Behind the array's closing bracket, where one follows."""
    place = _after_space(text, place)
    return place + 1 if text[place : place + 1] == "]" else place


def _link(text: str, element: _Element, lines: Lines) -> LinkEntry:
    line, value = lines.at(element.start), element.value
    name = value.get("ifname") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _UnreadableValue(Fault(line, 'not an interface as ip prints it: no name under "ifname"', _NOT_IP))
    flags = value.get("flags")
    return LinkEntry(
        name=name,
        line=line,
        ifindex=_written(value.get("ifindex", "")),
        flags=frozenset(map(str, flags)) if isinstance(flags, list) else None,
        mtu=_written(value.get("mtu", "")),
        link_type=_written(value.get("link_type", "")),
        address=_written(value.get("address", "")),
        permanent_address=_written(value.get("permaddr", "")),
        parent_bus=_written(value.get("parentbus", "")),
        parent_device=_written(value.get("parentdev", "")),
        vfs=tuple(_vf(vf, lines.at(vf.start)) for vf in _vf_elements(text, element, lines)),
    )


def _vf_elements(text: str, element: _Element, lines: Lines) -> Iterator[_Element]:
    assert isinstance(element.value, dict)
    listed = element.value.get("vfinfo_list")
    found = _VF_LIST.search(text, element.start, element.end)
    if listed and (not isinstance(listed, list) or not found):
        raise _UnreadableValue(Fault(lines.at(element.start), '"vfinfo_list" is not a list of VFs', _NOT_IP))
    if listed and found:
        yield from _elements(text, found.end() - 1, lines)


def _vf(element: _Element, line: int) -> VfEntry:
    value = element.value
    if not isinstance(value, dict) or type(value.get("vf")) is not int or value["vf"] < 0:
        raise _UnreadableValue(Fault(line, 'not a VF as ip prints it: no number under "vf"', _NOT_IP))
    said = ((row, _at(value, row.keys)) for row in _ROWS)
    return VfEntry(
        index=value["vf"],
        line=line,
        link_type=_written(value.get("link_type", "")),
        facts=tuple(WrittenFact(row, _written(found), line) for row, found in said if found is not None),
        vlans=_vlans(value, line),
        not_understood=tuple(key for key in value if key not in _UNDERSTOOD),
    )


def _vlans(vf: _Object, line: int) -> tuple[tuple[WrittenFact, ...], ...] | None:
    """``vlan_list`` (4.10 and later; an empty object where there is no VLAN), else ``vlan`` and ``qos`` themselves."""
    listed = vf.get("vlan_list")
    if listed is None:
        one = _vlan_parts(vf, line)
        return (one,) if one else None
    if not isinstance(listed, list) or not all(isinstance(vlan, dict) for vlan in listed):
        raise _UnreadableValue(Fault(line, '"vlan_list" is not a list of VLANs', _NOT_IP))
    return tuple(parts for vlan in listed if (parts := _vlan_parts(vlan, line)))


def _vlan_parts(vlan: _Object, line: int) -> tuple[WrittenFact, ...]:
    said = ((row, _at(vlan, row.keys)) for row in VLAN_PARTS)
    return tuple(WrittenFact(row, _written(found), line) for row, found in said if found is not None)


def _at(value: object, keys: tuple[str, ...]) -> object:
    """The value under a path of keys; None where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return value if value is None else [value]  # 5 where {"max_tx": 5} belongs: no converter takes a list
        value = value.get(key)
    return value


def _written(value: object) -> str:
    """A JSON scalar as the words of ip have it, for the converters that both readers share."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value)
