"""Single facts of VFs, PFs and netdevs: each with its form as a plain value, and how it is written.

The plain form is what plans and journals hold; a value is read in the form in which it is written.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from virtfn.errors import KernelRefused, UsageError
from virtfn.host.refusals import Attempt
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Known, Unknown, VfLinkState, VfState, Vlan, VlanProtocol
from virtfn.model.plan import Value

ReadVf: TypeAlias = Callable[[VfState], Known[Value]]
WriteVf: TypeAlias = Callable[[RouteSocket, int, int, Value, Attempt], None]
"""Socket, ifindex of the PF, VF index, value, what is attempted."""

_MOST_MBPS = 0xFFFFFFFE
_LEAST_MTU, _MOST_MTU = 68, 0x7FFFFFFF


def read_vf_field(vf: VfState, field: str) -> Known[Value]:
    """The field's plain value. Raises UsageError for a field that is none of ``VF_FIELDS``."""
    return _known_field(VF_FIELDS, "VF", field)[0](vf)


def write_vf_field(route: RouteSocket, ifindex: int, vf: int, field: str, value: Value, attempt: Attempt) -> None:
    """Write one field of one VF over its PF's netdev.

    Raises UsageError for a field that is none of ``VF_FIELDS`` or a value of the wrong form; KernelRefused,
    PermissionDenied, BackendUnreachable.
    """
    _known_field(VF_FIELDS, "VF", field)[1](route, ifindex, vf, value, attempt)


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
        route.set_mac(ifindex, _mac(value, attempt), attempt)
    elif field == "guest_mac":
        _cycle_with_mac(route, ifindex, _mac(value, attempt), attempt)
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
        raise _wrong(value, "true or false", attempt)
    return value


def number(value: Value, least: int, most: int, attempt: Attempt) -> int:
    """``value`` where it is a whole number from ``least`` to ``most``. Raises UsageError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _wrong(value, f"a whole number from {least} to {most}", attempt)
    return value


def _wrong(value: Value, wanted: str, attempt: Attempt) -> UsageError:
    return UsageError(f"{attempt.call}: {value!r} is not {wanted}", where=attempt.where)


def _known_field(table: "Mapping[str, tuple[ReadVf, WriteVf]]", what: str, field: str) -> tuple[ReadVf, WriteVf]:
    if field not in table:
        raise UsageError(f"a {what} has no field {field!r}", hint=f"there are: driver, {', '.join(table)}")
    return table[field]


def _mac(value: Value, attempt: Attempt) -> MacAddress:
    if not isinstance(value, str):
        raise _wrong(value, "a MAC address", attempt)
    return MacAddress.parse(value)


def _read_mac(vf: VfState) -> Known[Value]:
    return vf.mac if isinstance(vf.mac, Unknown) else str(vf.mac)


def _write_mac(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    route.set_vf_mac(ifindex, vf, _mac(value, attempt), attempt)


def _read_vlan(vf: VfState) -> Known[Value]:
    vlan = vf.vlan
    if isinstance(vlan, Unknown):
        return vlan
    return {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}


def _write_vlan(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    if not isinstance(value, Mapping) or "id" not in value:
        raise _wrong(value, "a VLAN with id, qos and protocol", attempt)
    protocol = value.get("protocol", VlanProtocol.C_TAG)
    if protocol not in tuple(VlanProtocol):
        raise _wrong(protocol, "802.1Q or 802.1ad", attempt)
    vlan = Vlan(
        number(value["id"], 0, 4095, attempt), number(value.get("qos", 0), 0, 7, attempt), VlanProtocol(str(protocol))
    )
    route.set_vf_vlan(ifindex, vf, vlan, attempt)


def _read_rate(vf: VfState) -> Known[Value]:
    low, high = vf.min_tx_rate_mbps, vf.max_tx_rate_mbps
    if isinstance(low, Unknown):
        return low
    if isinstance(high, Unknown):
        return high
    return {"min_tx_rate_mbps": low, "max_tx_rate_mbps": high}


def _write_rate(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    if not isinstance(value, Mapping) or set(value) != {"min_tx_rate_mbps", "max_tx_rate_mbps"}:
        raise _wrong(value, "a rate with min_tx_rate_mbps and max_tx_rate_mbps", attempt)
    low, high = (number(value[key], 0, _MOST_MBPS, attempt) for key in ("min_tx_rate_mbps", "max_tx_rate_mbps"))
    route.set_vf_rate(ifindex, vf, low, high, attempt)


def _write_link_state(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    if value not in tuple(VfLinkState):
        raise _wrong(value, "auto, enable or disable", attempt)
    route.set_vf_link_state(ifindex, vf, VfLinkState(str(value)), attempt)


def _write_spoofchk(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    route.set_vf_spoofchk(ifindex, vf, switch(value, attempt), attempt)


def _write_trust(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    route.set_vf_trust(ifindex, vf, switch(value, attempt), attempt)


def _write_rss_query(route: RouteSocket, ifindex: int, vf: int, value: Value, attempt: Attempt) -> None:
    route.set_vf_rss_query(ifindex, vf, switch(value, attempt), attempt)


VF_FIELDS: Mapping[str, tuple[ReadVf, WriteVf]] = {
    "mac": (_read_mac, _write_mac),
    "vlan": (_read_vlan, _write_vlan),
    "spoofchk": (lambda vf: vf.spoofchk, _write_spoofchk),
    "trust": (lambda vf: vf.trust, _write_trust),
    "link_state": (
        lambda vf: vf.link_state if isinstance(vf.link_state, Unknown) else str(vf.link_state),
        _write_link_state,
    ),
    "rate": (_read_rate, _write_rate),
    "rss_query": (lambda vf: vf.rss_query, _write_rss_query),
}
"""The fields of a VF that are read and written through its PF's netdev, each with its reader and its writer."""
