"""Loads files as one desired host, or reports all their faults."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from virtfn.errors import SpecError
from virtfn.model.desired import DesiredHost, DesiredPf, PfMatch
from virtfn.spec.constants import FORMAT, RESERVED
from virtfn.spec.document import read
from virtfn.spec.host_format import KEYS_OF, HostEntry
from virtfn.spec.problems import (
    CONFLICT,
    OTHER_FORMAT,
    SYNTAX,
    Findings,
    Path,
    PlacedFinding,
    Position,
    quoted,
    refusal,
)
from virtfn.spec.pydantic_errors import FormatWords, kind_of, place_of, worded
from virtfn.spec.rules import MAX_NAMED, desired_pf, differences
from virtfn.spec.yaml_nodes import Refused

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
    "pfs": "- match: {name: p2p1}",
}
_MISSING = {
    "virtfn": "virtfn: host/1",
    "match": "match: {name: p2p1}",
    "pfs": "pfs: and the PFs below it, or pfs: []",
    "id": "id: 100",
}


def _home(path: Path) -> str:
    """The kind of mapping at ``path``, a key of ``KEYS_OF``."""
    if not path:
        return "a host spec"
    if path[-1] in ("match", "vlan"):
        return str(path[-1])
    return "an entry of pfs" if len(path) == 2 else "each and vfs"


def _like(path: Path) -> str:
    if not path:
        return "virtfn: host/1"
    return _EXAMPLES["match"] if len(path) == 2 else _EXAMPLES.get(str(path[-1]), "2: {trust: true} below vfs")


_WORDS = FormatWords(
    keys=KEYS_OF,
    home=_home,
    missing=lambda key: _MISSING.get(key, key),
    empty=lambda key: _EMPTY.get(key, _LEAVE_OUT),
    like=_like,
    page="docs/reference/host-spec.md",
    reserved={RESERVED: "leave it out; mirrors are added one by one"},
)
_ROUNDS = 12
"""Faults hide behind faults, but at most once a level of the format."""


@dataclass(frozen=True)
class _Read:
    """An entry of ``pfs`` and its place in the file."""

    pf: DesiredPf
    file: str
    line: int
    path: str


def load(sources: Sequence[tuple[str, str]]) -> DesiredHost:
    """The host that the files declare together. Each source is the name of a file, for errors, and its text.

    The entries keep their order. An entry with the ``match`` of an earlier one is left out where it says the same, and
    is a fault where it says anything else. Pure: nothing but the texts is read. Format: docs/reference/host-spec.md.

    Raises SpecError with every fault of every file (the subject of each is ``FILE:LINE``), and nothing else.
    """
    if not sources:
        raise SpecError.of([SYNTAX.at("spec", "no spec is given", fix="name a file")])
    faults: list[PlacedFinding] = []
    entries: list[_Read] = []
    for file, text in sources:
        found, its_faults = _file(file, text)
        entries += found
        faults += its_faults
    kept, clashes = _merged(entries)
    if faults or clashes:
        raise refusal([*faults, *clashes], files=[file for file, _ in sources])
    return DesiredHost(tuple(kept))


def _file(file: str, text: str) -> tuple[list[_Read], list[PlacedFinding]]:
    """The entries of one file that have a ``match``, and the faults of the file."""
    try:
        document = read(text, file)
    except Refused as refused:
        return [], [refused.fault]
    findings = document.findings
    if not _is_our_format(document.data, findings):
        return [], findings.found
    draft = _Draft(document.data, findings)
    host = draft.checked()
    if host is None:
        return [], findings.found
    budget = [MAX_NAMED]
    entries = []
    for number, entry in enumerate(host.pfs):
        path: Path = ("pfs", number)
        pf = desired_pf(entry, path, findings, budget)
        if number not in draft.without_match:
            entries.append(_Read(pf, file, findings.line(path), f"pfs[{number}]"))
    return entries, findings.found


def _is_our_format(data: Any, findings: Findings) -> bool:
    """Whether the file can be judged: that of another version is not, as its keys may be right there."""
    said = data.get("virtfn") if isinstance(data, dict) else None
    if said is None or said == FORMAT:
        return True
    findings.add(
        ("virtfn",), f"{quoted(said)} is not a format that this virtfn reads", f"write virtfn: {FORMAT}", OTHER_FORMAT
    )
    return False


class _Draft:
    """Plain values on their way to a HostEntry: what is faulty is noted and taken out until the rest is right.

    So rules for several keys can still be checked among valid values, and all faults are reported at once.
    """

    def __init__(self, data: Any, findings: Findings) -> None:
        self._data = data
        self._findings = findings
        self.without_match: set[int] = set()

    def checked(self) -> HostEntry | None:
        """The entry, or None where nothing is left to check."""
        for _ in range(_ROUNDS):
            try:
                return HostEntry.model_validate(self._data)
            except ValidationError as error:
                faults = error.errors(include_url=False)
            for fault in faults:
                path = place_of(fault)
                self._findings.add(path, *worded(fault, path, _WORDS), kind_of(fault))
            if any(place_of(fault) in ((), ("pfs",)) for fault in faults):
                return None
            for fault in faults:
                self._take_out(place_of(fault))
        return None

    def _take_out(self, path: Path) -> None:
        """Make the values right without what is at ``path``."""
        if path == ("virtfn",):
            self._data["virtfn"] = FORMAT
        elif path[0] == "pfs" and (len(path) == 2 or path[2] == "match"):
            self._stand_in(path)
        else:
            cut = path.index("vlan") + 1 if "vlan" in path else len(path)
            self._delete(path[:cut])

    def _stand_in(self, path: Path) -> None:
        """An entry without a readable match, or that is none, keeps its place: others are counted on."""
        number = int(path[1])
        self.without_match.add(number)
        pfs: list[Any] = self._data["pfs"]
        pfs[number] = {**(pfs[number] if len(path) > 2 else {}), "match": {"name": "unread"}}

    def _delete(self, path: Path) -> None:
        holder: Any = self._data
        for part in path[:-1]:
            if isinstance(holder, list):
                holder = holder[int(part)]
            else:  # what is not there is gone with a fault above it
                holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder.pop(path[-1], None)


def _merged(entries: Iterable[_Read]) -> tuple[list[DesiredPf], list[PlacedFinding]]:
    """One entry for each ``match``, and a fault for each that contradicts an earlier one."""
    first: dict[PfMatch, _Read] = {}
    clashes = []
    for entry in entries:
        earlier = first.setdefault(entry.pf.match, entry)
        keys = differences(earlier.pf, entry.pf)
        if keys:
            what = f"{entry.path}: the PF ({entry.pf.match}) has an entry at {earlier.pf.where} that differs in {keys}"
            clashes.append(PlacedFinding.of(CONFLICT, Position(entry.file, entry.line), what, CONFLICT.fix))
    return [entry.pf for entry in first.values()], clashes
