"""The desired state of a host. UNSET: do not change; only named values are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, TypeVar

from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import EswitchMode, VfLinkState, Vlan


class _Unset(Enum):
    UNSET = "unset"


UNSET: Final = _Unset.UNSET
T = TypeVar("T")
Wanted: TypeAlias = T | Literal[_Unset.UNSET]
"""``Wanted[int]`` is an int, or UNSET: do not change."""


OneOrMore: TypeAlias = T | tuple[T, ...]
"""One value, or several of which one must match."""


@dataclass(frozen=True)
class PfMatch:
    """Selects PFs: all named keys must match. ``vendor_device`` is like ``8086:10c9``.

    Several names or addresses select several PFs, and each must match one.
    """

    name: OneOrMore[str] | None = None
    pci: OneOrMore[PciAddress] | None = None
    driver: str | None = None
    vendor_device: str | None = None
    permanent_mac: OneOrMore[MacAddress] | None = None

    @property
    def named(self) -> Mapping[str, tuple[Any, ...]]:
        """The attributes that are named, each with its values."""
        values = vars(self).items()
        return {name: one if isinstance(one, tuple) else (one,) for name, one in values if one is not None}

    def singles(self) -> tuple["PfMatch", ...]:
        """This match for each single value of its lists: each of these must match a PF."""
        lists = [(name, one) for name, choices in self.named.items() if len(choices) > 1 for one in choices]
        return tuple(replace(self, **{name: one}) for name, one in lists) or (self,)

    def __str__(self) -> str:
        keys = {"vendor_device": "id"}
        return ", ".join(f"{keys.get(name, name)}={' or '.join(map(str, one))}" for name, one in self.named.items())


@dataclass(frozen=True)
class DesiredVf:
    """One VF as it must be. Rates in Mbit/s, 0: no limit. ``driver``: a name, "native", or None for no driver."""

    mac: Wanted[MacAddress] = UNSET
    vlan: Wanted[Vlan] = UNSET
    spoofchk: Wanted[bool] = UNSET
    trust: Wanted[bool] = UNSET
    link_state: Wanted[VfLinkState] = UNSET
    min_tx_rate_mbps: Wanted[int] = UNSET
    max_tx_rate_mbps: Wanted[int] = UNSET
    rss_query: Wanted[bool] = UNSET
    node_guid: Wanted[str] = UNSET
    port_guid: Wanted[str] = UNSET
    driver: Wanted[str | None] = UNSET

    def over(self, other: "DesiredVf") -> "DesiredVf":
        """This one, with the fields of ``other`` where it has UNSET."""
        return replace(other, **{name: value for name, value in vars(self).items() if value is not UNSET})


_NOTHING = DesiredVf()


@dataclass(frozen=True)
class DesiredPf:
    """One PF entry of a spec. ``vfs`` are in order of their index and override ``each``, field by field.

    ``each`` is for every VF of the PF, named in ``vfs`` or not; ``vf`` puts both together. ``where`` is FILE:LINE of
    the entry, for errors; two entries that say the same at different places are equal.
    """

    match: PfMatch
    num_vfs: Wanted[int] = UNSET
    mtu: Wanted[int] = UNSET
    promisc: Wanted[bool] = UNSET
    up: Wanted[bool] = UNSET
    eswitch_mode: Wanted[EswitchMode] = UNSET
    autoprobe: Wanted[bool] = UNSET
    vfs: tuple[tuple[int, DesiredVf], ...] = ()
    each: DesiredVf = field(default_factory=DesiredVf)
    where: str = field(default="", compare=False)

    def vf(self, index: int) -> DesiredVf:
        """The desired VF ``index``: from ``vfs``, else from ``each``."""
        named = self._named.get(index)
        if named is None or self.each == _NOTHING:
            return named or self.each
        return named.over(self.each)

    @cached_property
    def _named(self) -> Mapping[int, DesiredVf]:
        return dict(self.vfs)


@dataclass(frozen=True)
class DesiredHost:
    """All PF entries of one or several spec files, in their order."""

    pfs: tuple[DesiredPf, ...] = ()
