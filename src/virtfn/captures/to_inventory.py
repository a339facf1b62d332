"""From captured text to an inventory: checks the facts and refuses contradictions.

Rules: a VF listed makes a PF. A fact stated twice with two values is a fault, as it is not known which one is true. The
number of VFs is known only if nothing shows that the list is cut. Faults are collected and raised together.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from virtfn.captures.attributes import NOT_ETHERNET, hardware_address, number
from virtfn.captures.json_reader import is_document, read_document
from virtfn.captures.printout import Fault, Lines, LinkEntry, Printout, VfEntry, WrittenFact
from virtfn.captures.text_reader import read_words
from virtfn.errors import SpecError, UsageError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.finding import FindingKind, Severity
from virtfn.model.inventory import NOT_CAPTURED, Inventory, Known, PfState, Unknown, VfState, Vlan

UNREADABLE = FindingKind(
    "capture-unreadable",
    Severity.FAULT,
    "A capture is not what `ip link show` prints, or it was cut or damaged.",
    "save what `ip -d link show` prints on the host in a file, and give that file",
)
NO_CARRIER_WHEN_DOWN = Unknown("the interface is down")
"""The kernel reports a carrier only of an interface that is up (net/core/dev.c, dev_get_flags)."""

T = TypeVar("T")

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colour and cursor (CSI)
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # window title (OSC)
    r"|\x1b[()][0-9A-Za-z]"  # character set
)
_QUOTE = re.compile(r"^(?:> ?)+", re.MULTILINE)
_INVISIBLE = re.compile("[\ufeff\u200b\u200c\u200d\u2060]")
_SPACE = re.compile(r"[^\S\n]")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_HINT = "save what 'ip -d link show' prints on the host in a file, and give that file"
_ETHERNET = "ether"
_QUOTED = 60  # letters of a bad value that an error repeats
_VF_INDEXES = 65535  # NumVFs of the SR-IOV capability has 16 bits
_IFINDEX = number(2**31 - 1)
_MTU = number(2**32 - 1)
_FIX = "compare the line with what 'ip link show' prints; a word may have been damaged when it was copied"


def parse(text: str, *, where: str = "capture") -> Inventory:
    """Read what ``ip link show`` printed, in whatever generation of its wording, or ``ip -j link show``.

    The form is detected. Prompts, colours, ``-o``, ``-d``, ``-s`` and joined lines are handled. An
    interface without VFs is not a PF and is left out. What the text does not say is ``NOT_CAPTURED``; what it says
    and virtfn does not understand is in ``PfState.problems``. ``PfState.device`` is the PCI address where ``-d``
    printed one (iproute2 5.13 and later), else the interface's name. ``where`` names the capture in errors and in
    ``Inventory.source``.

    Raises SpecError with every fault found (``where`` is ``file:line``), and nothing else.
    Source: iproute2 ``ip/ipaddress.c``.
    """
    clean = cleaned(text, where)
    printout = read_document(clean) if is_document(clean) else read_words(clean)
    return _judged(printout, where)


def cleaned(text: str, where: str) -> str:
    """The text without colours, odd spaces and the ``>`` of a quoted mail; its lines keep their numbers.

    Raises SpecError for an empty text and for binary data.
    """
    clean = _INVISIBLE.sub("", _ESCAPE.sub("", text))
    if not clean.strip():
        raise refusal((Fault(1, "the capture is empty", _HINT),), where)
    binary = _BINARY.search(clean)
    if binary:
        fault = Fault(Lines(clean).at(binary.start()), f"not text: it holds the byte {ord(binary[0]):#04x}", _HINT)
        raise refusal((fault,), where)
    if all(line.startswith(">") for line in clean.splitlines() if line.strip()):
        clean = _QUOTE.sub("", clean)
    return _SPACE.sub(" ", clean)


def _judged(printout: Printout, where: str) -> Inventory:
    """What is known from a printout. Raises SpecError with all faults."""
    faults = list(printout.faults)
    links = [link for link in printout.links if link.vfs or link.name in printout.truncated]
    devices = Counter(link.parent_device for link in links)
    pfs = []
    for link in links:
        reader = _PfReader(link, alone_on_device=devices[link.parent_device] == 1)
        pfs.append(reader.pf(_why_cut(link, printout)))
        faults.extend(reader.faults)
    faults.extend(_twice(links))
    if faults:
        raise refusal(faults, where)
    elsewhere = sorted(printout.truncated - {link.name for link in links})
    cut = (f"the VF list of {name} is cut, and {name} is not in the capture" for name in elsewhere)
    return Inventory(tuple(pfs), where, (*(f"ip said: {remark}" for remark in printout.remarks), *cut))


def refusal(faults: Iterable[Fault], where: str) -> SpecError:
    """One error for all faults, each at its ``file:line``."""
    return SpecError.of(
        [UNREADABLE.at(f"{where}:{one.line}", one.message, fix=one.hint) for one in sorted(set(faults))]
    )


def _why_cut(link: LinkEntry, printout: Printout) -> str:
    """The reason why the VF list is not all of it; "" where it seems complete."""
    if link.name in printout.truncated:
        return "ip said: Truncated VF list"
    if printout.deficit:  # names no interface, so it may be any of them
        return "ip said: !!!Deficit"
    indexes = {vf.index for vf in link.vfs}
    missing = next((index for index in range(max(indexes) + 1) if index not in indexes), None)
    return f"vf {missing} is not listed" if missing is not None else ""


def _twice(links: list[LinkEntry]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for link in links:
        if link.name in first:
            hint = "give each capture its own file"
            yield Fault(link.line, f"{link.name} was listed before, at line {first[link.name]}", hint)
        first.setdefault(link.name, link.line)


@dataclass
class _PfReader:
    """Reads one interface with VFs and keeps what is wrong with it."""

    link: LinkEntry
    alone_on_device: bool

    def __post_init__(self) -> None:
        self.faults: list[Fault] = []

    def pf(self, cut: str) -> PfState:
        """The PF; ``cut`` says why its VF list is incomplete, "" where it is not."""
        link, flags = self.link, self.link.flags
        vfs = self._vfs()
        problems = [f"vf {vf.index}: attribute not understood: {rest}" for vf in link.vfs for rest in vf.not_understood]
        if cut:
            problems.append(f"the VF list is not complete ({cut}); VFs read: {len(vfs)}")
        return PfState(
            device=self._device(),
            name=link.name,
            ifindex=self._number("the interface's number", link.ifindex, _IFINDEX),
            mac=self._mac(),
            permanent_mac=self._permanent_mac(),
            num_vfs=Unknown(cut) if cut else len(vfs),
            up=NOT_CAPTURED if flags is None else "UP" in flags,
            carrier=NOT_CAPTURED if flags is None else _carrier(flags),
            promiscuous=NOT_CAPTURED if flags is None else "PROMISC" in flags,
            promisc=NOT_CAPTURED if flags is None else "PROMISC" in flags,
            mtu=self._number("mtu", link.mtu, _MTU),
            vfs=vfs,
            problems=tuple(problems),
        )

    def _device(self) -> str:
        """The address on the bus; the name where none is known or where two netdevs share one (mlx4)."""
        link = self.link
        if not link.parent_device or not self.alone_on_device:
            return link.name
        if link.parent_bus != "pci":
            return link.parent_device
        try:
            return str(PciAddress.parse(link.parent_device))
        except UsageError as error:
            self.faults.append(Fault(link.line, f"parentdev: {error.message}", error.hint))
            return link.name

    def _mac(self) -> Known[MacAddress]:
        link = self.link
        if link.link_type not in ("", _ETHERNET):
            return NOT_ETHERNET
        if not link.address:
            return NOT_CAPTURED
        return self._converted(f"{link.name}: link/ether", link.address, hardware_address, link.line)

    def _permanent_mac(self) -> Known[MacAddress]:
        """What ip prints with -d where it is another than the address."""
        link = self.link
        if not link.permanent_address:
            return NOT_CAPTURED
        return self._converted(f"{link.name}: permaddr", link.permanent_address, hardware_address, link.line)

    def _number(self, words: str, text: str, convert: Callable[[str], int]) -> Known[int]:
        if not text:
            return NOT_CAPTURED
        return self._converted(f"{self.link.name}: {words}", text, convert, self.link.line)

    def _vfs(self) -> tuple[VfState, ...]:
        vfs: dict[int, VfState] = {}
        lines: dict[int, int] = {}
        for entry in self.link.vfs:
            state = self._vf(entry)
            if entry.index >= _VF_INDEXES:
                self._fault(entry.line, f"{self._subject(entry)}: a PF has at most {_VF_INDEXES} VFs")
            elif entry.index in vfs:
                hint = "give each capture its own file"
                self._fault(entry.line, f"{self._subject(entry)} was listed before, at line {lines[entry.index]}", hint)
            else:
                vfs[entry.index], lines[entry.index] = state, entry.line
        return tuple(vfs[index] for index in sorted(vfs))

    def _vf(self, entry: VfEntry) -> VfState:
        facts = self._facts(self._subject(entry), entry.facts)
        if entry.vlans is not None:
            facts["vlans"] = tuple(Vlan(**self._facts(self._subject(entry), parts)) for parts in entry.vlans)
        state: VfState = replace(VfState(entry.index), **facts)
        if (entry.link_type or self.link.link_type) not in ("", _ETHERNET):
            state = replace(state, mac=NOT_ETHERNET, broadcast=NOT_ETHERNET)
        return state

    def _subject(self, entry: VfEntry) -> str:
        return f"{self.link.name} vf {entry.index}"

    def _facts(self, subject: str, written: tuple[WrittenFact, ...]) -> dict[str, Any]:
        """Field and value of each fact. One field may be written twice, if both agree."""
        values: dict[str, Any] = {}
        first: dict[str, str] = {}
        for fact in written:
            row = fact.attribute
            value = self._converted(f"{subject}: {row.words}", fact.value, row.convert, fact.line)
            if values.setdefault(row.fact, value) != value:
                words = f"{subject}: {row.words} is said to be {first[row.fact]!r} and {fact.value[:_QUOTED]!r}"
                self._fault(fact.line, f"{words}; which one holds cannot be told")
            first.setdefault(row.fact, fact.value[:_QUOTED])
        return values

    def _converted(self, subject: str, text: str, convert: Callable[[str], T], line: int) -> Known[T]:
        try:
            return convert(text)
        except ValueError as error:
            self._fault(line, f"{subject} is {text[:_QUOTED]!r}, not {error}")
            return NOT_CAPTURED

    def _fault(self, line: int, message: str, hint: str = _FIX) -> None:
        self.faults.append(Fault(line, message, hint))


def _carrier(flags: frozenset[str]) -> Known[bool]:
    """LOWER_UP is netif_carrier_ok(); NO-CARRIER only says that the interface does not run."""
    return "LOWER_UP" in flags if "UP" in flags else NO_CARRIER_WHEN_DOWN
