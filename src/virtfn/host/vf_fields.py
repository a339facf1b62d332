"""How the kernel reports and takes the fields of a VF: one codec per row that is set through the PF's netdev.

The plain form is what plans and journals hold; a value is read in the form in which it is written.
Layouts: include/uapi/linux/if_link.h (struct ifla_vf_mac and its neighbours). What a driver does not fill in is preset
with -1: net/core/rtnetlink.c rtnl_fill_vfinfo.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from virtfn.errors import UsageError
from virtfn.host.netlink import attribute, attributes
from virtfn.model.addresses import MacAddress
from virtfn.model.fields import VF_FIELDS
from virtfn.model.inventory import Known, Unknown, VfLinkState, VfState, Vlan, VlanProtocol

if TYPE_CHECKING:
    from virtfn.host.kernel_errors import KernelCall
    from virtfn.model.plan import Target, Value

_MAC, _VLAN, _TX_RATE, _SPOOFCHK, _LINK_STATE, _RATE, _RSS_QUERY_EN = 1, 2, 3, 4, 5, 6, 7
_TRUST, _IB_NODE_GUID, _IB_PORT_GUID, _VLAN_LIST, _BROADCAST = 9, 10, 11, 12, 13
_VLAN_INFO = 1
_NUMBERED = (_VLAN, _TX_RATE, _SPOOFCHK, _LINK_STATE, _RATE, _RSS_QUERY_EN, _TRUST)
"""The parts that begin with the VF's number, as its MAC does."""

_MAC_ATTRIBUTE = struct.Struct("=HHI32s")
_ONE_NUMBER, _TWO_NUMBERS = struct.Struct("=HHII"), struct.Struct("=HHIII")
"""Whole attributes: length, type, VF, content. None needs padding."""
_U32, _TWO_U32, _THREE_U32 = struct.Struct("=I"), struct.Struct("=II"), struct.Struct("=III")
_VLAN_CONTENT = struct.Struct("=III2s")
_GUID = struct.Struct("@IQ")
_GUID_TEXT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){7}")
_NOT_REPORTED = 0xFFFFFFFF
_LINK_STATES = (VfLinkState.AUTO, VfLinkState.ENABLE, VfLinkState.DISABLE)
_PROTOCOLS = {b"\x81\x00": VlanProtocol.C_TAG, b"\x88\xa8": VlanProtocol.S_TAG}
_ETH_P_8021AD = 0x88A8
_MOST_MBPS = 0xFFFFFFFE
_EVERYBODY = MacAddress(b"\xff" * 6)
"""The broadcast address of every VF that has one: created once."""

Parts: TypeAlias = Mapping[int, bytes]
"""The content of a VF's entry in IFLA_VFINFO_LIST: the first part of each type."""
Decode: TypeAlias = "Callable[[Parts], Known[Any]]"
Encode: TypeAlias = "Callable[[int, Value, KernelCall], bytes]"
"""VF index, value, what is attempted; raises UsageError for a value of the wrong form."""
Change: TypeAlias = "tuple[Target, str, Value]"
"""Target, field, the value it must have."""


@dataclass(frozen=True)
class VfCodec:
    """How one field is read and written: ``decode`` for each attribute of ``VfState``, ``encode`` for the whole."""

    decode: Mapping[str, Decode]
    encode: Encode


def vf_number(parts: Parts) -> int | None:
    """The VF that all parts of an entry name, or None where they do not name the same."""
    mac = parts[_MAC]
    for kind in _NUMBERED:
        part = parts.get(kind)
        if part is not None and (len(part) < 8 or part[:4] != mac[:4]):
            return None
    number: int = _U32.unpack_from(mac)[0]
    return number


def decode_vf(parts: Parts) -> dict[str, Known[Any]]:
    """All that an entry says of its VF, by the attributes of ``VfState``."""
    return {name: decode(parts) for name, decode in _DECODERS}


def not_reported(why: Unknown) -> dict[str, Known[Any]]:
    """What ``decode_vf`` gives, of a VF that the kernel does not report."""
    return dict.fromkeys((name for name, _ in _DECODERS), why)


def read_vf_field(vf: VfState, field: str) -> Known[Value]:
    """The field's plain value. Raises UsageError for a field that has no codec."""
    _codec(field)
    return VF_FIELDS[field].read(vf)


def encode_vf_field(vf: int, field: str, value: Value, attempt: KernelCall) -> bytes:
    """The attribute that sets one field of one VF, for ``RouteSocket.set_vf``.

    Raises UsageError for a field that has no codec or a value of the wrong form.
    """
    return _codec(field).encode(vf, value, attempt)


def messages(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in their order, cut into groups that fit one message each: fields of one VF in the rows' order."""
    group: list[Change] = []
    for change in changes:
        if group and not _follows(group[-1], change):
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _follows(earlier: Change, later: Change) -> bool:
    """Whether the kernel, given both in one message, sets them in this order."""
    if earlier[1] not in VF_CODECS or later[1] not in VF_CODECS or earlier[0] != later[0] or later[0].kind != "vf":
        return False
    return VF_FIELDS[earlier[1]].turn < VF_FIELDS[later[1]].turn


def _codec(field: str) -> VfCodec:
    if field not in VF_CODECS:
        raise UsageError(f"a VF has no field {field!r}", hint=f"there are: driver, {', '.join(VF_CODECS)}")
    return VF_CODECS[field]


def switch(value: Value, attempt: KernelCall) -> bool:
    """``value`` where it is true or false. Raises UsageError."""
    if not isinstance(value, bool):
        raise wrong(value, "true or false", attempt)
    return value


def number(value: Value, least: int, most: int, attempt: KernelCall) -> int:
    """``value`` where it is a whole number from ``least`` to ``most``. Raises UsageError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise wrong(value, f"a whole number from {least} to {most}", attempt)
    return value


def wrong(value: Value, wanted: str, attempt: KernelCall) -> UsageError:
    """The error for a value that is not what it should be."""
    return UsageError(f"{attempt.call}: {value!r} is not {wanted}", where=attempt.where)


def hardware_address(value: Value, attempt: KernelCall) -> MacAddress:
    """``value`` where it is a MAC address as text. Raises UsageError."""
    if not isinstance(value, str):
        raise wrong(value, "a MAC address", attempt)
    return MacAddress.parse(value)


def _unreported(what: str) -> Unknown:
    return Unknown(f"the driver does not report {what}")


def _setting(parts: Parts, kind: int) -> int:
    """The number after the VF's; what the driver does not report and what the kernel left out are the same."""
    part = parts.get(kind)
    setting: int = _NOT_REPORTED if part is None else _TWO_U32.unpack_from(part)[1]
    return setting


def _address(kind: int, start: int) -> Decode:
    unknown = _unreported("an address")

    def decode(parts: Parts) -> Known[MacAddress]:
        octets = parts.get(kind, b"")[start : start + 6]
        if octets == _EVERYBODY.octets:
            return _EVERYBODY
        return MacAddress(octets) if len(octets) == 6 else unknown

    return decode


def _encode_mac(vf: int, value: Value, attempt: KernelCall) -> bytes:
    return _MAC_ATTRIBUTE.pack(_MAC_ATTRIBUTE.size, _MAC, vf, hardware_address(value, attempt).octets)


def _vlans(parts: Parts) -> Known[tuple[Vlan, ...]]:
    """The PF's VLANs of a VF; VLAN 0 without priority is none (netdevsim of 6.12 reports protocol 0 with it)."""
    found = _vlan_list(parts)
    if not found:
        return _NO_VLANS
    vlans = []
    for vlan_id, qos, protocol in found:
        if not vlan_id and not qos:
            continue
        if protocol not in _PROTOCOLS or vlan_id > 4095 or qos > 7:
            return _unreported(f"a VLAN that is known (id {vlan_id}, qos {qos}, EtherType 0x{protocol.hex()})")
        vlans.append(Vlan(vlan_id, qos, _PROTOCOLS[protocol]))
    return tuple(vlans)


_NO_VLANS = _unreported("a VLAN")


def _vlan_list(parts: Parts) -> list[tuple[int, int, bytes]]:
    """Id, priority and EtherType of each VLAN. The list came with Linux 4.9, before it was one."""
    listed = parts.get(_VLAN_LIST, b"")
    found = [
        _VLAN_CONTENT.unpack_from(listed, start)[1:]
        for kind, start, end in attributes(listed, 0, len(listed))
        if kind == _VLAN_INFO and end - start >= _VLAN_CONTENT.size
    ]
    if not found and len(parts.get(_VLAN, b"")) >= _THREE_U32.size:
        return [(*_THREE_U32.unpack_from(parts[_VLAN])[1:], b"\x81\x00")]
    return found


def _encode_vlan(vf: int, value: Value, attempt: KernelCall) -> bytes:
    """An 802.1Q tag goes in the old IFLA_VF_VLAN, which every kernel knows; 802.1ad needs the list of Linux 4.9."""
    if not isinstance(value, Mapping) or "id" not in value:
        raise wrong(value, "a VLAN with id, qos and protocol", attempt)
    protocol = value.get("protocol", VlanProtocol.C_TAG)
    if protocol not in tuple(VlanProtocol):
        raise wrong(protocol, "802.1Q or 802.1ad", attempt)
    vlan, qos = number(value["id"], 0, 4095, attempt), number(value.get("qos", 0), 0, 7, attempt)
    if protocol == VlanProtocol.S_TAG:
        info = struct.pack("=III", vf, vlan, qos) + struct.pack("!H2x", _ETH_P_8021AD)
        return attribute(_VLAN_LIST, attribute(_VLAN_INFO, info))
    return _TWO_NUMBERS.pack(_TWO_NUMBERS.size, _VLAN, vf, vlan, qos)


def _rate_decoder(place: int, what: str) -> Decode:
    """IFLA_VF_RATE has both rates; before Linux 3.16 there was only the maximum, in IFLA_VF_TX_RATE."""
    unknown = _unreported(what)

    def decode(parts: Parts) -> Known[int]:
        pair = parts.get(_RATE, b"")
        if len(pair) >= _THREE_U32.size:
            rate: int = _THREE_U32.unpack_from(pair)[place]
        else:
            rate = _setting(parts, _TX_RATE) if place == 2 else _NOT_REPORTED
        return unknown if rate == _NOT_REPORTED else rate

    return decode


def _encode_rate(vf: int, value: Value, attempt: KernelCall) -> bytes:
    names = VF_FIELDS["rate"].key_names
    if not isinstance(value, Mapping) or value.keys() != set(names):
        raise wrong(value, f"a rate with {' and '.join(names)}", attempt)
    low, high = (number(value[name], 0, _MOST_MBPS, attempt) for name in names)
    return _TWO_NUMBERS.pack(_TWO_NUMBERS.size, _RATE, vf, low, high)


def _link_state(parts: Parts) -> Known[VfLinkState]:
    state = _setting(parts, _LINK_STATE)
    if state < len(_LINK_STATES):
        return _LINK_STATES[state]
    return _unreported("a link state" if state == _NOT_REPORTED else f"a link state that is known ({state})")


def _encode_link_state(vf: int, value: Value, attempt: KernelCall) -> bytes:
    if value not in _LINK_STATES:
        raise wrong(value, "auto, enable or disable", attempt)
    return _ONE_NUMBER.pack(_ONE_NUMBER.size, _LINK_STATE, vf, _LINK_STATES.index(VfLinkState(str(value))))


def _switch_codec(name: str, kind: int, what: str) -> VfCodec:
    unknown = _unreported(what)

    def decode(parts: Parts) -> Known[bool]:
        setting = _setting(parts, kind)
        return unknown if setting == _NOT_REPORTED else setting != 0

    def encode(vf: int, value: Value, attempt: KernelCall) -> bytes:
        return _ONE_NUMBER.pack(_ONE_NUMBER.size, kind, vf, switch(value, attempt))

    return VfCodec({name: decode}, encode)


def _guid_codec(name: str, kind: int, what: str) -> VfCodec:
    """``struct ifla_vf_guid``; of the number, the first octet of the text is the highest, as iproute2 has it."""
    unknown = _unreported(what)

    def decode(parts: Parts) -> Known[str]:
        part = parts.get(kind)
        if part is None or len(part) < _GUID.size:
            return unknown
        guid: int = _GUID.unpack_from(part)[1]
        return guid.to_bytes(8, "big").hex(":")

    def encode(vf: int, value: Value, attempt: KernelCall) -> bytes:
        if not isinstance(value, str) or not _GUID_TEXT.fullmatch(value):
            raise wrong(value, "a GUID of 8 octets", attempt)
        return attribute(kind, _GUID.pack(vf, int(value.replace(":", ""), 16)))

    return VfCodec({name: decode}, encode)


VF_CODECS: Mapping[str, VfCodec] = {
    "mac": VfCodec({"mac": _address(_MAC, 4)}, _encode_mac),
    "vlan": VfCodec({"vlans": _vlans}, _encode_vlan),
    "rate": VfCodec(
        {
            "min_tx_rate_mbps": _rate_decoder(1, "a minimum rate"),
            "max_tx_rate_mbps": _rate_decoder(2, "a maximum rate"),
        },
        _encode_rate,
    ),
    "spoofchk": _switch_codec("spoofchk", _SPOOFCHK, "spoof checking"),
    "link_state": VfCodec({"link_state": _link_state}, _encode_link_state),
    "rss_query": _switch_codec("rss_query", _RSS_QUERY_EN, "RSS query"),
    "trust": _switch_codec("trust", _TRUST, "trust"),
    "node_guid": _guid_codec("node_guid", _IB_NODE_GUID, "a node GUID"),
    "port_guid": _guid_codec("port_guid", _IB_PORT_GUID, "a port GUID"),
}
"""The fields of a VF that are read and written through its PF's netdev."""

_DECODERS: Sequence[tuple[str, Decode]] = (
    ("broadcast", _address(_BROADCAST, 0)),
    *(pair for codec in VF_CODECS.values() for pair in codec.decode.items()),
)
_MISSING = decode_vf({})


def decode_usual(
    mac: bytes,
    broadcast: bytes,
    low: int,
    high: int,
    check: int,
    state: int,
    rss: int,
    trust: int,
    vlan: int,
    qos: int,
    protocol: bytes,
) -> tuple[Known[Any], ...]:
    """What ``decode_vf`` gives of an entry that was unpacked whole, in the order of ``VfState``'s attributes."""
    tag = _PROTOCOLS.get(protocol)
    if not vlan and not qos:
        vlans: Known[tuple[Vlan, ...]] = ()
    elif tag is None or vlan > 4095 or qos > 7:
        vlans = _unreported(f"a VLAN that is known (id {vlan}, qos {qos}, EtherType 0x{protocol.hex()})")
    else:
        vlans = (Vlan(vlan, qos, tag),)
    return (
        _EVERYBODY if mac == _EVERYBODY.octets else MacAddress(mac),
        _EVERYBODY if broadcast == _EVERYBODY.octets else MacAddress(broadcast),
        vlans,
        _MISSING["spoofchk"] if check == _NOT_REPORTED else check != 0,
        _MISSING["trust"] if trust == _NOT_REPORTED else trust != 0,
        _LINK_STATES[state] if state < len(_LINK_STATES) else _link_state({_LINK_STATE: struct.pack("=II", 0, state)}),
        _MISSING["min_tx_rate_mbps"] if low == _NOT_REPORTED else low,
        _MISSING["max_tx_rate_mbps"] if high == _NOT_REPORTED else high,
        _MISSING["rss_query"] if rss == _NOT_REPORTED else rss != 0,
        _MISSING["node_guid"],
        _MISSING["port_guid"],
    )
