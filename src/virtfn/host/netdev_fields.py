"""The fields of netdevs, a PF's too: one codec per field, with its form as a plain value and how it is written.

The plain form is what plans and journals hold; a value is read in the form in which it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.vf_fields import hardware_address, number, switch
from virtfn.host.vfinfo import IFF_UP, Link
from virtfn.model.inventory import Known, Unknown

if TYPE_CHECKING:
    from virtfn.model.plan import Value

IFF_PROMISC = 0x100
"""In a link message the flag that was set by request; IFLA_PROMISCUITY counts all reasons (net/core/dev.c)."""
_LEAST_MTU, _MOST_MTU = 68, 0x7FFFFFFF

Read: TypeAlias = "Callable[[Link], Known[Value]]"
Write: TypeAlias = "Callable[[RouteSocket, int, Value, KernelCall], None]"


@dataclass(frozen=True)
class LinkCodec:
    """How a field is read from a link, and written to the netdev with an ifindex; None: it cannot be written."""

    read: Read
    write: Write | None = None


def read_link_field(link: Link, field: str) -> Known[Value]:
    """The field's plain value. Raises UsageError for a field that is none of ``LINK_CODECS``."""
    if field not in LINK_CODECS:
        raise UsageError(f"a netdev has no field {field!r}", hint=f"there are: {', '.join(LINK_CODECS)}")
    return LINK_CODECS[field].read(link)


def write_link_field(route: RouteSocket, ifindex: int, field: str, value: Value, attempt: KernelCall) -> None:
    """Write one field of a netdev.

    Raises UsageError for a field that cannot be written or a value of the wrong form; KernelRefused (EBUSY: this driver
    changes the address only of a netdev that is down), PermissionDenied, BackendUnreachable.
    """
    codec = LINK_CODECS.get(field)
    if codec is None or codec.write is None:
        hint = f"{', '.join(name for name, one in LINK_CODECS.items() if one.write)} can"
        raise UsageError(f"{field} of a netdev cannot be written", where=attempt.where, hint=hint)
    codec.write(route, ifindex, value, attempt)


def _read_mac(link: Link) -> Known[Value]:
    return link.mac if isinstance(link.mac, Unknown) else str(link.mac)


def _write_up(route: RouteSocket, ifindex: int, value: Value, attempt: KernelCall) -> None:
    route.set_flag(ifindex, IFF_UP, switch(value, attempt), attempt)


def _write_promisc(route: RouteSocket, ifindex: int, value: Value, attempt: KernelCall) -> None:
    route.set_flag(ifindex, IFF_PROMISC, switch(value, attempt), attempt)


def _write_mtu(route: RouteSocket, ifindex: int, value: Value, attempt: KernelCall) -> None:
    route.set_mtu(ifindex, number(value, _LEAST_MTU, _MOST_MTU, attempt), attempt)


def _write_mac(route: RouteSocket, ifindex: int, value: Value, attempt: KernelCall) -> None:
    route.set_mac(ifindex, hardware_address(value, attempt), attempt)


def _write_guest_mac(route: RouteSocket, ifindex: int, value: Value, attempt: KernelCall) -> None:
    """What a guest does to change its address: down, address, up; a refused address does not keep the netdev down.

    A driver may refuse the address and take another at "up" (igbvf takes the admin MAC); only reading shows the result.
    """
    mac = hardware_address(value, attempt)
    route.set_flag(ifindex, IFF_UP, False, attempt)
    with suppress(KernelRefused):
        route.set_mac(ifindex, mac, attempt)
    route.set_flag(ifindex, IFF_UP, True, attempt)


LINK_CODECS: Mapping[str, LinkCodec] = {
    "up": LinkCodec(lambda link: link.up, _write_up),
    "mtu": LinkCodec(lambda link: link.mtu, _write_mtu),
    "mac": LinkCodec(_read_mac, _write_mac),
    "guest_mac": LinkCodec(_read_mac, _write_guest_mac),
    "promisc": LinkCodec(lambda link: bool(link.flags & IFF_PROMISC), _write_promisc),
    "promiscuous": LinkCodec(lambda link: link.promiscuous),
    "carrier": LinkCodec(lambda link: link.carrier),
}
