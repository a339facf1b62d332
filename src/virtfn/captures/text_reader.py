"""Reading the words of ``ip link show``, of any generation and however they were pasted.

Line ends mean nothing here: a mark (an interface's header, ``vf N``, a prompt, a statistics table) begins a piece and
the next mark ends it, so that a capture joined to one long line reads like the original.
Source: iproute2 ``ip/ipaddress.c``, ``print_linkinfo``, ``print_vfinfo``, ``print_link_flags``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from virtfn.captures.attributes import ATTRIBUTES, BROADCAST, MAC, VLAN_PARTS
from virtfn.captures.printout import Fault, Lines, LinkEntry, Printout, VfEntry, WrittenFact

_NAME = r"[^\s/:<>,]+"
_HEADER = rf"(?<!\S)(?:\d+\s*:\s*)?{_NAME}\s*:\s+<[\w\s,-]*>"
_UP_TO_NEWS = rf"[^\n]*?(?=\s{_HEADER}|\s+vf\s+\d+\s+(?:MAC|link/)|$)"
_BODY = r"\s+(?:mtu\s+\d|link/|parentbus\s|vf\s+\d)"  # what follows a header without flags
_PROMPT = (
    r"(?:(?<!\S)[\w.-]+@[\w.-]+[^\n#$<,]{0,80}?[#$](?=\s|$)"  # root@host:~#
    r"|\[[^\]\n]{1,80}\][#$](?=\s|$)"  # [root@host ~]#
    r"|^[ ]*[\w.:~/-]*[#$%>](?=\s|$))"  # $ or a comment's #
)
_COMMAND = r"(?<!\S)(?:sudo\s+)?ip\s+(?:-\S+\s+)*(?:l|li|lin|link|a|ad|add|addr|address)(?=\s|$)"

HEADER = re.compile(_HEADER, re.ASCII)

_MARK = re.compile(
    rf"""
    (?P<noise>      (?:{_PROMPT}|{_COMMAND}) {_UP_TO_NEWS}
                  | (?<!\S)alias\s {_UP_TO_NEWS}
                  | (?<!\S)altname\s+\S+
                  | (?<!\S)[RT]X(?:\s+errors)?:\s+ (?:(?!vf\s)[a-z_]+\s+)* (?:[\d.]+[kMGTPE]?i?(?=\s|$)\s*)* )
  | (?P<truncated>  Truncated\sVF\slist:\s*(?P<truncated_name>\S+) )
  | (?P<deficit>    !!!Deficit\s+-?\d+,\s*rta_len=\d+ )
  | (?P<remark>     (?:Message\struncated|Dump\swas\sinterrupted|Incomplete\sdata|BUG:|RTNETLINK\sanswers:
                      |Device\s"|Error:) {_UP_TO_NEWS} )
  | (?P<parent>     (?<!\S)parentbus\s+(?P<bus>\S+)\s+parentdev\s+(?P<device>\S+) )
  | (?P<header>     (?<!\S)(?:(?P<ifindex>\d+)\s*:\s*)?(?P<name>{_NAME})\s*:\s+<(?P<flags>[\w\s,-]*)> )
  | (?P<bare>       (?<!\S)(?P<bare_index>\d+):\s+(?P<bare_name>{_NAME}):(?={_BODY}|[ ]*$) )
  | (?P<unnumbered> ^(?P<unnumbered_name>{_NAME}):(?={_BODY}) )
  | (?P<vf>         (?<!\S)vf\s+(?P<index>\d+)(?=[\s,]|$) )
    """,
    re.ASCII | re.MULTILINE | re.VERBOSE,
)
_MTU = re.compile(r"(?<!\S)mtu (\S+)")
_LINK = re.compile(r"(?<!\S)link/(\S+)(?: (?!brd |peer |promiscuity )(\S+))?")
_PERMANENT = re.compile(r"(?<!\S)permaddr (\S+)")
_ADDRESS = re.compile(r"(?:MAC|link/(?P<type>\S+))(?: (?!brd |peer )(?P<address>\S+))?(?: (?:brd|peer) (?P<brd>\S+))?")
_DIGITS = 9  # of a VF's index; more are damage, and int() refuses thousands of them
_ROWS = sorted((*VLAN_PARTS, *ATTRIBUTES), key=lambda row: -len(row.words))  # "vlan protocol" before "vlan"


@dataclass(frozen=True)
class _Piece:
    """A mark and the text from its end to the next mark."""

    mark: re.Match[str]
    body: str


def read_words(text: str) -> Printout:
    """Take a capture in words apart. ``text`` is clean (``cleaned``); faults are in the result, not raised."""
    text = text.replace("\\", " ")  # ip -o
    lines = Lines(text)
    links: list[LinkEntry] = []
    orphan: int | None = None
    truncated: set[str] = set()
    remarks: list[str] = []
    deficit = False
    for piece in _pieces(text):
        mark = piece.mark
        match mark.lastgroup:
            case "header" | "bare" | "unnumbered":
                links.append(_link(piece, lines))
            case "vf" if links:
                links[-1] = replace(links[-1], vfs=(*links[-1].vfs, _vf(piece, lines)))
            case "vf":
                orphan = orphan or lines.at(mark.start())
            case "parent" if links:
                links[-1] = replace(links[-1], parent_bus=mark["bus"], parent_device=mark["device"])
            case "truncated":
                truncated.add(mark["truncated_name"])
            case "deficit":
                deficit = True
            case "remark":
                remarks.append(mark.group().strip())
    faults = () if links and orphan is None else (_no_interface(text, orphan, remarks),)
    return Printout(tuple(links), frozenset(truncated), deficit, tuple(remarks), faults)


def complaints(text: str) -> Printout:
    """Only what ip said on its standard error, for the text around a JSON document."""
    return replace(read_words(text), links=(), faults=())


def _pieces(text: str) -> Iterator[_Piece]:
    marks = list(_MARK.finditer(text))
    ends = (*(mark.start() for mark in marks[1:]), len(text))
    for mark, end in zip(marks, ends, strict=False):  # without marks there is an end all the same
        yield _Piece(mark, text[mark.end() : end])


def _no_interface(text: str, orphan: int | None, remarks: list[str]) -> Fault:
    if orphan is not None:
        hint = "begin the capture with the interface's own line, like '5: p2p1: <BROADCAST,UP> mtu 1500'"
        return Fault(orphan, "a VF is listed before any interface", hint)
    said = f"ip said: {remarks[0]}" if remarks else f"the text begins with {_mended(text)[:40]!r}"
    hint = "give the whole output of 'ip link show', 'ip -d link show' or 'ip -j -d link show'"
    return Fault(1, f"no interface found; {said}", hint)


def _link(piece: _Piece, lines: Lines) -> LinkEntry:
    mark, body = piece.mark, _mended(piece.body)
    name, flags = mark["name"] or mark["bare_name"] or mark["unnumbered_name"], mark["flags"]
    mtu, link, permanent = _MTU.search(body), _LINK.search(body), _PERMANENT.search(body)
    return LinkEntry(
        name=name.rpartition("@")[0] or name,  # eth0@if5: the part behind is what it sits on
        line=lines.at(mark.start()),
        ifindex=mark["ifindex"] or mark["bare_index"] or "",
        flags=None if flags is None else frozenset(re.sub(r"\s", "", flags).split(",")),
        mtu=mtu[1] if mtu else "",
        link_type=link[1] if link else "",
        address=(link[2] or "") if link else "",
        permanent_address=permanent[1] if permanent else "",
    )


def _vf(piece: _Piece, lines: Lines) -> VfEntry:
    """One VF from its comma-separated segments, in whatever order they come."""
    entry = VfEntry(int(piece.mark["index"][:_DIGITS]), lines.at(piece.mark.start()))
    for found in re.finditer(r"[^,]+", piece.body):
        segment = _mended(found.group())
        lead = len(found.group()) - len(found.group().lstrip())
        if segment:
            entry = _with_segment(entry, segment, lines.at(piece.mark.end() + found.start() + lead))
    return _without_vlan_if_silent(entry)


def _without_vlan_if_silent(entry: VfEntry) -> VfEntry:
    """iproute2 leaves VLAN 0 out, and prints VLANs before these two: if one of them is printed, there is no VLAN."""
    said = {fact.attribute.fact for fact in entry.facts}
    return replace(entry, vlans=()) if entry.vlans is None and said & {"spoofchk", "link_state"} else entry


def _with_segment(entry: VfEntry, segment: str, line: int) -> VfEntry:
    head = _ADDRESS.match(segment)
    if head:
        said = ((MAC, head["address"]), (BROADCAST, head["brd"]))
        facts = tuple(WrittenFact(attribute, value, line) for attribute, value in said if value)
        entry = replace(entry, link_type=head["type"] or "", facts=(*entry.facts, *facts))
        return _with_rest(entry, segment[head.end() :])
    for row in _ROWS:
        found = row.pattern.match(segment)
        if found:
            return _with_rest(_with_fact(entry, WrittenFact(row, found[1], line)), segment[found.end() :])
    return _with_rest(entry, segment)


def _with_fact(entry: VfEntry, fact: WrittenFact) -> VfEntry:
    if fact.attribute not in VLAN_PARTS:
        return replace(entry, facts=(*entry.facts, fact))
    vlans = entry.vlans or ((),)
    if any(part.attribute == fact.attribute for part in vlans[-1]):  # said again: the next VLAN of the list
        return replace(entry, vlans=(*vlans, (fact,)))
    return replace(entry, vlans=(*vlans[:-1], (*vlans[-1], fact)))


def _with_rest(entry: VfEntry, rest: str) -> VfEntry:
    rest = rest.strip()
    return replace(entry, not_understood=(*entry.not_understood, rest)) if rest else entry


def _mended(text: str) -> str:
    """One space between words, and addresses whole again that a line break had cut at a colon."""
    return re.sub(r"\s+", " ", re.sub(r"\s*:\s*", ":", text)).strip()
