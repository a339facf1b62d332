"""Single facts of netdevs, a PF's too: each with its form as a plain value, and how it is written.

The plain form is what plans and journals hold; a value is read in the form in which it is written.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.kernel_errors import Attempt
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Known, Unknown

if TYPE_CHECKING:
    from virtfn.model.plan import Value

_LEAST_MTU, _MOST_MTU = 68, 0x7FFFFFFF


def read_link_field(link: Link, field: str) -> Known[Value]:
    """``up``, ``mtu``, ``mac``, ``promiscuous`` or ``carrier`` of a netdev. Raises UsageError for any other."""
    if field == "up":
        return link.up
    if field in ("mac", "guest_mac"):
        return link.mac if isinstance(link.mac, Unknown) else str(link.mac)
    values: dict[str, Known[Value]] = {"mtu": link.mtu, "promiscuous": link.promiscuous, "carrier": link.carrier}
    if field not in values:
        raise UsageError(f"a netdev has no field {field!r}", hint=f"there are: up, mac, {', '.join(values)}")
    return values[field]


def write_link_field(route: RouteSocket, ifindex: int, field: str, value: Value, attempt: Attempt) -> None:
    """Write ``up``, ``mtu``, ``mac`` or ``guest_mac`` of a netdev.

    ``guest_mac`` is what a guest does to change its address: down, address, up. A driver may refuse the address and
    take another at "up" (igbvf takes the admin MAC); what came of it is found by reading.
    Raises UsageError for another field or a value of the wrong form; KernelRefused (EBUSY: this driver changes the
    address only of a netdev that is down), PermissionDenied, BackendUnreachable.
    """
    if field == "up":
        route.set_up(ifindex, switch(value, attempt), attempt)
    elif field == "mtu":
        route.set_mtu(ifindex, number(value, _LEAST_MTU, _MOST_MTU, attempt), attempt)
    elif field == "mac":
        route.set_mac(ifindex, hardware_address(value, attempt), attempt)
    elif field == "guest_mac":
        _cycle_with_mac(route, ifindex, hardware_address(value, attempt), attempt)
    else:
        raise UsageError(f"{field} of a netdev cannot be written", where=attempt.where, hint="up, mtu and mac can")


def _cycle_with_mac(route: RouteSocket, ifindex: int, mac: MacAddress, attempt: Attempt) -> None:
    """Down, address, up; a refused address does not keep the netdev down."""
    route.set_up(ifindex, False, attempt)
    with suppress(KernelRefused):
        route.set_mac(ifindex, mac, attempt)
    route.set_up(ifindex, True, attempt)


def switch(value: Value, attempt: Attempt) -> bool:
    """``value`` where it is true or false. Raises UsageError."""
    if not isinstance(value, bool):
        raise wrong(value, "true or false", attempt)
    return value


def number(value: Value, least: int, most: int, attempt: Attempt) -> int:
    """``value`` where it is a whole number from ``least`` to ``most``. Raises UsageError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise wrong(value, f"a whole number from {least} to {most}", attempt)
    return value


def wrong(value: Value, wanted: str, attempt: Attempt) -> UsageError:
    """The error for a value that is not what it should be."""
    return UsageError(f"{attempt.call}: {value!r} is not {wanted}", where=attempt.where)


def hardware_address(value: Value, attempt: Attempt) -> MacAddress:
    """``value`` where it is a MAC address as text. Raises UsageError."""
    if not isinstance(value, str):
        raise wrong(value, "a MAC address", attempt)
    return MacAddress.parse(value)
