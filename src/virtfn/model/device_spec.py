"""Entries of nova's ``device_spec``: which PCI functions each one matches, as in nova (nova/pci/devspec.py)."""

import re
from dataclasses import dataclass

from virtfn.model.addresses import PciAddress

_ANY = "*"
_ANY_PATTERN = ".*"
_PARTS = (("domain", 4), ("bus", 2), ("slot", 2), ("function", 1))
"""The parts of a PCI address with their number of hexadecimal digits."""


@dataclass(frozen=True)
class PciFunction:
    """A PF, or a VF with its PF as ``parent``. ``address`` None: a VF that does not exist yet.

    Netdevs are those of the host's own namespace; None: it has none there, or it is not known. ``product`` None: it is
    not known.
    """

    address: PciAddress | None
    parent: PciAddress | None = None
    vendor: str | None = None
    product: str | None = None
    netdev: str | None = None
    parent_netdev: str | None = None


@dataclass(frozen=True)
class AddressPattern:
    """Four regular expressions, for domain, bus, slot and function; each must match from the start.

    A PF's whole address also matches all VFs of that PF.
    """

    parts: tuple[str, str, str, str]

    @classmethod
    def of_glob(cls, text: str) -> "AddressPattern":
        """Read ``*:0a:00.*``; omitted parts (``:0a:00.``, ``0a:00``) match anything. Raises ValueError."""
        before, _, function = text.partition(".")
        fields = before.split(":") if before else []
        if len(fields) > 3:
            raise ValueError(f"{text!r} is no PCI address")
        given = [*[_ANY] * (3 - len(fields)), *(field.strip() or _ANY for field in fields), function.strip() or _ANY]
        domain, bus, slot, last = (_pattern(part, digits) for part, (_, digits) in zip(given, _PARTS, strict=True))
        return cls((domain, bus, slot, last))

    @classmethod
    def of_parts(cls, named: dict[str, str]) -> "AddressPattern":
        """Read ``{"bus": "02", "function": "[0-3]"}``; omitted parts match anything. Raises ValueError."""
        patterns = [named.get(name, _ANY_PATTERN) for name, _ in _PARTS]
        try:
            for pattern in patterns:
                re.compile(pattern)
        except (re.error, TypeError) as fault:
            raise ValueError(f"{named!r} has a part that is no regular expression") from fault
        domain, bus, slot, function = patterns
        return cls((domain, bus, slot, function))

    def fits(self, address: PciAddress) -> bool:
        """Whether it matches this function's own address."""
        return all(re.match(pattern, text) for pattern, text in zip(self.parts, _written(address), strict=True))

    def spells(self, address: PciAddress) -> bool:
        """Whether it is this whole address, and no pattern."""
        return self.parts == _written(address)


@dataclass(frozen=True)
class DeviceSpec:
    """One entry. None matches anything; without ``physical_network`` it serves no ports of Neutron.

    ``where`` is ``FILE:LINE``. ``vendor`` and ``product`` have four hexadecimal digits.
    """

    physical_network: str | None
    where: str
    vendor: str | None = None
    product: str | None = None
    devname: str | None = None
    address: AddressPattern | None = None

    def fits(self, function: PciFunction) -> bool | None:
        """Whether it matches this function; None where that is not known, as its product id is not."""
        if not self._fits_place(function) or self.vendor not in (None, function.vendor):
            return False
        if self.product is None:
            return True
        return None if function.product is None else self.product == function.product

    def names(self, function: PciFunction) -> bool:
        """Whether it matches this one function only, by its netdev or its whole address."""
        own = self.devname is not None and self.devname == function.netdev
        spelt = self.address is not None and function.address is not None and self.address.spells(function.address)
        return (own or spelt) and self.fits(function) is True

    def _fits_place(self, function: PciFunction) -> bool:
        if self.devname is not None:
            return self.devname in (function.netdev, function.parent_netdev)
        if self.address is None:
            return True
        if function.parent and self.address.spells(function.parent):
            return True
        return function.address is not None and self.address.fits(function.address)


def first_fit(specs: tuple[DeviceSpec, ...], function: PciFunction) -> DeviceSpec | None:
    """The entry that nova uses for this function: the first that matches. None: none does, or it is not known."""
    for spec in specs:
        fits = spec.fits(function)
        if fits is not False:
            return spec if fits else None
    return None


def _written(address: PciAddress) -> tuple[str, str, str, str]:
    return (f"{address.domain:04x}", f"{address.bus:02x}", f"{address.slot:02x}", f"{address.function:x}")


def _pattern(part: str, digits: int) -> str:
    """``a`` as ``0a``, and ``*`` as a pattern that matches anything. Raises ValueError."""
    return _ANY_PATTERN if part == _ANY else f"{int(part, 16):0{digits}x}"
