"""MAC and PCI addresses, and the one key of a VF."""

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

from virtfn.errors import UsageError

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_PCI = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")


@total_ordering
@dataclass(frozen=True)
class MacAddress:
    """An Ethernet address of 6 octets, written as Linux writes it (``fa:16:3e:aa:33:59``)."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            raise ValueError(f"a MAC address has 6 octets, not {len(self.octets)}")

    @classmethod
    def parse(cls, text: str) -> "MacAddress":
        """Read ``fa:16:3e:aa:33:59`` (``-`` and upper case are accepted). Raises UsageError."""
        normal = text.strip().lower().replace("-", ":")
        if not _MAC.fullmatch(normal):
            raise UsageError(f"{text!r} is not a MAC address", hint="write it like fa:16:3e:aa:33:59")
        return cls(bytes.fromhex(normal.replace(":", "")))

    @property
    def is_zero(self) -> bool:
        """All zero: for a VF, no administrative MAC was ever set."""
        return not any(self.octets)

    @property
    def is_multicast(self) -> bool:
        """Group bit set (IEEE 802.3): never the address of one VF."""
        return bool(self.octets[0] & 1)

    def neighbour(self, distance: int) -> "MacAddress":
        """The address ``distance`` away as a number, for the field note's last step."""
        number = (int.from_bytes(self.octets) + distance) % (1 << 48)
        return MacAddress(number.to_bytes(6))

    def __str__(self) -> str:
        return self.octets.hex(":")

    def __lt__(self, other: "MacAddress") -> bool:
        return self.octets < other.octets


@dataclass(frozen=True, order=True)
class PciAddress:
    """``domain:bus:slot.function``, the identity of a PCI function. Names and MACs change, this does not."""

    domain: int
    bus: int
    slot: int
    function: int

    @classmethod
    def parse(cls, text: str) -> "PciAddress":
        """Read ``0000:01:10.2`` or the short ``01:10.2`` (domain 0). Raises UsageError."""
        found = _PCI.fullmatch(text.strip().lower())
        if not found:
            raise UsageError(f"{text!r} is not a PCI address", hint="write it like 0000:01:10.2")
        domain, bus, slot, function = found.groups()
        return cls(int(domain or "0", 16), int(bus, 16), int(slot, 16), int(function, 16))

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@dataclass(frozen=True, order=True)
class VfRef:
    """The one key of a VF: its PF and its index.

    ``pf`` is the PF's device address on its bus: ``0000:01:00.0`` on PCI, ``netdevsim1`` for the kernel's simulator,
    and the PF's name where only captured text is known.
    """

    pf: str
    index: int

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, text: str) -> "VfRef":
        """Read ``PF/INDEX``, like ``0000:01:00.0/2`` or ``p2p1/3``. Raises UsageError.

        Remembered, as every step of a plan names its VF, and is looked at many times.
        """
        pf, _, index = text.rpartition("/")
        if not pf or not index.isascii() or not index.isdecimal():
            raise UsageError(f"{text!r} is not a VF", hint="write PF/INDEX, for example p2p1/3")
        return cls(pf, int(index))

    def __str__(self) -> str:
        return f"{self.pf}/{self.index}"
