"""Fields of a VF: each with its form as a plain value, and the octets that set it.

The plain form is what plans and journals hold; a value is read in the form in which it is written.
Layouts: include/uapi/linux/if_link.h (struct ifla_vf_mac and its neighbours).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from virtfn.errors import UsageError
from virtfn.host.kernel_errors import Attempt
from virtfn.host.netdev_fields import hardware_address, number, switch, wrong
from virtfn.host.netlink import attribute
from virtfn.model.inventory import Known, Unknown, VfLinkState, VfState, VlanProtocol

if TYPE_CHECKING:
    from virtfn.model.plan import Value

_IFLA_VF_MAC, _IFLA_VF_VLAN, _IFLA_VF_SPOOFCHK, _IFLA_VF_LINK_STATE, _IFLA_VF_RATE = 1, 2, 4, 5, 6
_IFLA_VF_RSS_QUERY_EN, _IFLA_VF_TRUST, _IFLA_VF_VLAN_LIST, _IFLA_VF_VLAN_INFO = 7, 9, 12, 1
_MAC = struct.Struct("=HHI32s")
_ONE_NUMBER, _TWO_NUMBERS = struct.Struct("=HHII"), struct.Struct("=HHIII")
"""Whole attributes: length, type, VF, content. None needs padding."""
_PROTOCOLS = tuple(VlanProtocol)
_RATES = {"min_tx_rate_mbps", "max_tx_rate_mbps"}
_LINK_STATES = {VfLinkState.AUTO: 0, VfLinkState.ENABLE: 1, VfLinkState.DISABLE: 2}
_ETH_P_8021AD = 0x88A8
_MOST_MBPS = 0xFFFFFFFE

Read: TypeAlias = "Callable[[VfState], Known[Value]]"
Encode: TypeAlias = "Callable[[int, Value, Attempt], bytes]"
"""VF index, value, what is attempted; raises UsageError for a value of the wrong form."""


@dataclass(frozen=True)
class VfField:
    """How a field is read and encoded. ``place`` is its turn where the kernel sets several of one message.

    Source of the turns: net/core/rtnetlink.c:do_setvfinfo.
    """

    place: int
    read: Read
    encode: Encode


def read_vf_field(vf: VfState, field: str) -> Known[Value]:
    """The field's plain value. Raises UsageError for a field that is none of ``VF_FIELDS``."""
    return vf_field(field).read(vf)


def encode_vf_field(vf: int, field: str, value: Value, attempt: Attempt) -> bytes:
    """The attribute that sets one field of one VF, for ``RouteSocket.set_vf``.

    Raises UsageError for a field that is none of ``VF_FIELDS`` or a value of the wrong form.
    """
    return vf_field(field).encode(vf, value, attempt)


def vf_field(field: str) -> VfField:
    """The row of a field. Raises UsageError that lists the fields there are."""
    if field not in VF_FIELDS:
        raise UsageError(f"a VF has no field {field!r}", hint=f"there are: driver, {', '.join(VF_FIELDS)}")
    return VF_FIELDS[field]


def _read_mac(vf: VfState) -> Known[Value]:
    return vf.mac if isinstance(vf.mac, Unknown) else str(vf.mac)


def _encode_mac(vf: int, value: Value, attempt: Attempt) -> bytes:
    return _MAC.pack(_MAC.size, _IFLA_VF_MAC, vf, hardware_address(value, attempt).octets)


def _read_vlan(vf: VfState) -> Known[Value]:
    vlan = vf.vlan
    if isinstance(vlan, Unknown):
        return vlan
    return {"id": vlan.id, "qos": vlan.qos, "protocol": str(vlan.protocol)}


def _encode_vlan(vf: int, value: Value, attempt: Attempt) -> bytes:
    """An 802.1Q tag goes in the old IFLA_VF_VLAN, which every kernel knows; 802.1ad needs the list of Linux 4.9."""
    if not isinstance(value, Mapping) or "id" not in value:
        raise wrong(value, "a VLAN with id, qos and protocol", attempt)
    protocol = value.get("protocol", VlanProtocol.C_TAG)
    if protocol not in _PROTOCOLS:
        raise wrong(protocol, "802.1Q or 802.1ad", attempt)
    vlan, qos = number(value["id"], 0, 4095, attempt), number(value.get("qos", 0), 0, 7, attempt)
    if protocol == VlanProtocol.S_TAG:
        info = struct.pack("=III", vf, vlan, qos) + struct.pack("!H2x", _ETH_P_8021AD)
        return attribute(_IFLA_VF_VLAN_LIST, attribute(_IFLA_VF_VLAN_INFO, info))
    return _TWO_NUMBERS.pack(_TWO_NUMBERS.size, _IFLA_VF_VLAN, vf, vlan, qos)


def _read_rate(vf: VfState) -> Known[Value]:
    low, high = vf.min_tx_rate_mbps, vf.max_tx_rate_mbps
    if isinstance(low, Unknown):
        return low
    if isinstance(high, Unknown):
        return high
    return {"min_tx_rate_mbps": low, "max_tx_rate_mbps": high}


def _encode_rate(vf: int, value: Value, attempt: Attempt) -> bytes:
    if not isinstance(value, Mapping) or value.keys() != _RATES:
        raise wrong(value, "a rate with min_tx_rate_mbps and max_tx_rate_mbps", attempt)
    low = number(value["min_tx_rate_mbps"], 0, _MOST_MBPS, attempt)
    high = number(value["max_tx_rate_mbps"], 0, _MOST_MBPS, attempt)
    return _TWO_NUMBERS.pack(_TWO_NUMBERS.size, _IFLA_VF_RATE, vf, low, high)


def _read_link_state(vf: VfState) -> Known[Value]:
    return vf.link_state if isinstance(vf.link_state, Unknown) else str(vf.link_state)


def _encode_link_state(vf: int, value: Value, attempt: Attempt) -> bytes:
    if value not in tuple(VfLinkState):
        raise wrong(value, "auto, enable or disable", attempt)
    return _ONE_NUMBER.pack(_ONE_NUMBER.size, _IFLA_VF_LINK_STATE, vf, _LINK_STATES[VfLinkState(str(value))])


def _switched(kind: int) -> Encode:
    def encode(vf: int, value: Value, attempt: Attempt) -> bytes:
        return _ONE_NUMBER.pack(_ONE_NUMBER.size, kind, vf, switch(value, attempt))

    return encode


VF_FIELDS: Mapping[str, VfField] = {
    "mac": VfField(1, _read_mac, _encode_mac),
    "vlan": VfField(2, _read_vlan, _encode_vlan),
    "rate": VfField(3, _read_rate, _encode_rate),
    "spoofchk": VfField(4, lambda vf: vf.spoofchk, _switched(_IFLA_VF_SPOOFCHK)),
    "link_state": VfField(5, _read_link_state, _encode_link_state),
    "rss_query": VfField(6, lambda vf: vf.rss_query, _switched(_IFLA_VF_RSS_QUERY_EN)),
    "trust": VfField(7, lambda vf: vf.trust, _switched(_IFLA_VF_TRUST)),
}
"""The fields of a VF that are read and written through its PF's netdev."""
