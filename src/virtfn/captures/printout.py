"""A parsed capture, not yet checked: shared by the two readers and ``to_inventory``."""

from bisect import bisect_right
from dataclasses import dataclass

from virtfn.captures.attributes import Attribute


@dataclass(frozen=True, order=True)
class Fault:
    """One reason why a capture cannot be read: its line (from 1), what was found there, what to do."""

    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True)
class WrittenFact:
    """One attribute of a VF with its value as written."""

    attribute: Attribute
    value: str
    line: int


@dataclass(frozen=True)
class VfEntry:
    """One VF as listed. ``vlans`` has the parts of each VLAN, None where VLANs are not mentioned."""

    index: int
    line: int
    link_type: str = ""
    facts: tuple[WrittenFact, ...] = ()
    vlans: tuple[tuple[WrittenFact, ...], ...] | None = None
    not_understood: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkEntry:
    """One interface as listed; "" or None where it is not mentioned."""

    name: str
    line: int
    ifindex: str = ""
    flags: frozenset[str] | None = None
    mtu: str = ""
    link_type: str = ""
    address: str = ""
    permanent_address: str = ""
    parent_bus: str = ""
    parent_device: str = ""
    vfs: tuple[VfEntry, ...] = ()


@dataclass(frozen=True)
class Printout:
    """One capture.

    ``truncated`` names the interfaces of which ip said that their VF list is cut; ``deficit`` is set where it said so
    without a name; ``remarks`` are its other complaints.
    """

    links: tuple[LinkEntry, ...] = ()
    truncated: frozenset[str] = frozenset()
    deficit: bool = False
    remarks: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class Lines:
    """Line numbers (from 1) of offsets in a text."""

    def __init__(self, text: str) -> None:
        self._breaks = [offset for offset, letter in enumerate(text) if letter == "\n"]

    def at(self, offset: int) -> int:
        """The line in which this offset lies."""
        return bisect_right(self._breaks, offset - 1) + 1
