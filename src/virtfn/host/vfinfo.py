"""One RTM_NEWLINK message decoded: a link and, for a PF, every VF that its driver reports. Pure.

The VF list is one nested attribute whose length field has 16 bits, while its content has none: with 196 octets a VF it
wraps above 334 VFs (296 octets and 221 VFs with statistics), and a reader that believes it loses VFs or reads another
attribute as one. Here the entries are walked past the wrapped length, bounded by the message, and a list is believed
only where the walk is confirmed: by the length field modulo 2**16, or by the number of VFs in IFLA_NUM_VF.

Sources: include/uapi/linux/if_link.h (layouts); net/core/rtnetlink.c rtnl_fill_ifinfo, rtnl_fill_vf, rtnl_fill_vfinfo
(order; -1 presets for what a driver does not fill in; an entry is left out where ndo_get_vf_config fails).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from virtfn.errors import BackendUnreachable
from virtfn.host.netlink import align, attribute_head, attributes, first_of_each, text
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import NOT_CAPTURED, Holder, Known, Unknown, VfLinkState, VfState, Vlan, VlanProtocol

IFF_UP = 0x1
ARPHRD_ETHER = 1

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_OPERSTATE, _IFLA_LINKINFO = 16, 18
_IFLA_NUM_VF, _IFLA_VFINFO_LIST, _IFLA_PROMISCUITY, _IFLA_CARRIER = 21, 22, 30, 33
_IFLA_PARENT_DEV_NAME, _IFLA_PARENT_DEV_BUS_NAME = 56, 57
_IFLA_INFO_KIND = 1

_IFLA_VF_INFO = 1
_VF_MAC, _VF_VLAN, _VF_TX_RATE, _VF_SPOOFCHK, _VF_LINK_STATE, _VF_RATE, _VF_RSS_QUERY_EN = 1, 2, 3, 4, 5, 6, 7
_VF_TRUST, _VF_IB_NODE_GUID, _VF_IB_PORT_GUID, _VF_VLAN_LIST, _VF_BROADCAST = 9, 10, 11, 12, 13
_VF_VLAN_INFO = 1

_IFINFOMSG = struct.Struct("=BxHiII")
_U32 = struct.Struct("=I")
_TWO_U32 = struct.Struct("=II")
_THREE_U32 = struct.Struct("=III")
_VLAN_INFO = struct.Struct("=III2s")
_GUID = struct.Struct("@IQ")
_NOT_REPORTED = 0xFFFFFFFF
_VF_MAC_LENGTH = 4 + 36
_VF_MAC_HEAD = struct.pack("=HH", _VF_MAC_LENGTH, _VF_MAC)

_LINK_STATES = (VfLinkState.AUTO, VfLinkState.ENABLE, VfLinkState.DISABLE)
_PROTOCOLS = {b"\x81\x00": VlanProtocol.C_TAG, b"\x88\xa8": VlanProtocol.S_TAG}

_USUAL = struct.Struct("=I 2I6s26x I6s26x 4I 4I 3I 3I 3I 3I 3I I 4I2s2x")
"""A whole entry, as Linux since 4.14 writes it for Ethernet: each header as one number, then its content.

MAC, broadcast, VLAN, rates, single rate, spoof check, link state, RSS query, trust, VLAN list with one VLAN. A list of
such entries is unpacked at once because it is what every look at a host reads; others are read part by part.
"""
_heads_of = itemgetter(0, 1, 4, 6, 10, 14, 17, 20, 23, 26, 29, 30)
_owners_of = itemgetter(7, 11, 15, 18, 21, 24, 27, 31)
_facts_of = itemgetter(2, 3, 5, 12, 13, 19, 22, 25, 28, 32, 33, 34)
_USUAL_HEADS = struct.unpack(
    "=12I",
    b"".join(
        struct.pack("=HH", length, kind)
        for length, kind in (
            (_USUAL.size, _IFLA_VF_INFO), (40, _VF_MAC), (36, _VF_BROADCAST), (16, _VF_VLAN), (16, _VF_RATE),
            (12, _VF_TX_RATE), (12, _VF_SPOOFCHK), (12, _VF_LINK_STATE), (12, _VF_RSS_QUERY_EN), (12, _VF_TRUST),
            (24, _VF_VLAN_LIST), (20, _VF_VLAN_INFO),
        )
    ),
)  # fmt: skip
_Fields: TypeAlias = tuple[Any, ...]
"""What ``_USUAL`` unpacks."""
_NUMBERED = (_VF_VLAN, _VF_TX_RATE, _VF_SPOOFCHK, _VF_LINK_STATE, _VF_RATE, _VF_RSS_QUERY_EN, _VF_TRUST)
"""The parts of an entry that begin with the VF's number, as its MAC does."""


def _unreported(what: str) -> Unknown:
    return Unknown(f"the driver does not report {what}")


_NO_ADDRESS, _NO_VLANS, _NO_LINK_STATE = _unreported("an address"), _unreported("a VLAN"), _unreported("a link state")
_NO_SPOOFCHK, _NO_TRUST = _unreported("spoof checking"), _unreported("trust")
_NO_RSS_QUERY = _unreported("RSS query")
_NO_MIN_RATE, _NO_MAX_RATE = _unreported("a minimum rate"), _unreported("a maximum rate")
_NO_NODE_GUID, _NO_PORT_GUID = _unreported("a node GUID"), _unreported("a port GUID")
_NOT_ETHERNET = Unknown("not an Ethernet device")


@dataclass(frozen=True)
class Link:
    """What the kernel says of one netdev.

    ``operstate`` is RFC 2863's as a number. ``parent`` is the device under it (a PCI address) and ``bus`` its bus, ""
    where the kernel (before 5.14) does not say or there is none; ``kind`` is "" for hardware, else ``veth`` and so on.
    ``lower`` is the ifindex of the netdev that it stands on, ``master`` of its bridge or bond, 0 for none.
    ``num_vfs`` is None where the message has no VF part. ``vfs`` are in the order of their index, without PCI facts.
    """

    name: str
    ifindex: int
    link_type: int
    flags: int
    mac: Known[MacAddress]
    mtu: Known[int]
    carrier: Known[bool]
    promiscuous: Known[bool]
    operstate: int | None = None
    parent: str = ""
    bus: str = ""
    kind: str = ""
    lower: int = 0
    master: int = 0
    num_vfs: int | None = None
    vfs: tuple[VfState, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Administratively up (IFF_UP)."""
        return bool(self.flags & IFF_UP)


@dataclass(frozen=True)
class Place:
    """Where a VF is as a device. A link message says nothing of it; it comes from sysfs."""

    pci: Known[PciAddress] = NOT_CAPTURED
    driver: Known[str | None] = NOT_CAPTURED
    holder: Known[Holder] = NOT_CAPTURED


PlaceOf: TypeAlias = Callable[[int], Place]
"""The place of the VF with this index."""
_NOT_LOOKED_FOR = Place()


def nowhere(_: int) -> Place:
    """For who needs what the link message says, and nothing else."""
    return _NOT_LOOKED_FOR


_EVERYBODY = MacAddress(b"\xff" * 6)
"""The broadcast address of every VF that has one: made once."""


@dataclass(frozen=True)
class _VfList:
    """Where a VF list ends and where its entries are, or, where all have the usual form, what is in them."""

    end: int
    entries: Sequence[tuple[int, int]]
    confirmed: bool
    usual: Sequence[_Fields] = ()


def decode_link(message: bytes, place_of: PlaceOf = nowhere) -> Link:
    """The link in ``message``, an RTM_NEWLINK without its nlmsghdr: struct ifinfomsg, then attributes.

    ``place_of`` gives what its VFs are as devices.
    What is wrong with the message is told in ``problems``; raises BackendUnreachable only where there is no header.
    Equivalent: ``ip -d link show``.
    """
    if len(message) < _IFINFOMSG.size:
        raise BackendUnreachable(f"the kernel's link message has {len(message)} octets, less than its header")
    _, link_type, ifindex, flags, _ = _IFINFOMSG.unpack_from(message)
    problems: list[str] = []
    facts, vf_list = _top_level(message, problems)
    num_vfs = _number(facts.get(_IFLA_NUM_VF))
    vfs = _vf_states(message, vf_list, num_vfs, problems, _Reader(link_type, place_of))
    return Link(
        name=text(facts.get(_IFLA_IFNAME, b"")),
        ifindex=ifindex,
        link_type=link_type,
        flags=flags,
        mac=_link_mac(facts.get(_IFLA_ADDRESS, b""), link_type),
        mtu=_known_number(facts.get(_IFLA_MTU), "an MTU"),
        carrier=_carrier(facts.get(_IFLA_CARRIER), flags),
        promiscuous=_promiscuous(facts.get(_IFLA_PROMISCUITY)),
        operstate=facts[_IFLA_OPERSTATE][0] if facts.get(_IFLA_OPERSTATE) else None,
        parent=text(facts.get(_IFLA_PARENT_DEV_NAME, b"")),
        bus=text(facts.get(_IFLA_PARENT_DEV_BUS_NAME, b"")),
        kind=_link_kind(facts.get(_IFLA_LINKINFO, b"")),
        lower=_number(facts.get(_IFLA_LINK)) or 0,
        master=_number(facts.get(_IFLA_MASTER)) or 0,
        num_vfs=num_vfs,
        vfs=vfs,
        problems=tuple(problems),
    )


def _top_level(message: bytes, problems: list[str]) -> tuple[dict[int, bytes], _VfList | None]:
    facts: dict[int, bytes] = {}
    vf_list: _VfList | None = None
    offset = _IFINFOMSG.size
    while offset + 4 <= len(message):
        kind, length = attribute_head(message, offset)
        if kind == _IFLA_VFINFO_LIST and vf_list is None:
            vf_list = _walk_vf_list(message, offset, length, _number(facts.get(_IFLA_NUM_VF)))
            offset = vf_list.end
            continue
        if length < 4 or offset + length > len(message):
            problems.append(f"the kernel's link message cannot be read beyond octet {offset} of {len(message)}")
            break
        facts.setdefault(kind, message[offset + 4 : offset + length])
        offset += align(length)
    return facts, vf_list


def _walk_vf_list(message: bytes, start: int, outer_length: int, num_vfs: int | None) -> _VfList:
    """The entries that follow the list's header, to the last one or the ``num_vfs``-th.

    No attribute that the kernel puts after the list has type 1, so the first that is not a VF entry ends it.
    """
    end, entries = start + 4, list[tuple[int, int]]()
    usual = _usual_entries(message, end, num_vfs or 0)
    if usual:
        return _VfList(end + len(usual) * _USUAL.size, (), confirmed=True, usual=usual)
    while len(entries) != num_vfs and end + 8 <= len(message):
        kind, length = attribute_head(message, end)
        if kind != _IFLA_VF_INFO or length < 4 + _VF_MAC_LENGTH or end + length > len(message):
            break
        if message[end + 4 : end + 8] != _VF_MAC_HEAD:
            break
        entries.append((end + 4, end + length))
        end += align(length)
    length_fits = (end - start) & 0xFFFF == outer_length
    return _VfList(end, entries, length_fits or (bool(num_vfs) and len(entries) == num_vfs))


def _usual_entries(message: bytes, first: int, count: int) -> Sequence[_Fields]:
    """What is in the next ``count`` entries; none where not all of them have the usual form."""
    end = first + count * _USUAL.size
    if not count or end > len(message) or _heads_of(_USUAL.unpack_from(message, first)) != _USUAL_HEADS:
        return ()
    found = list(_USUAL.iter_unpack(message[first:end]))
    return found if all(_heads_of(fields) == _USUAL_HEADS for fields in found) else ()


def _vf_states(
    message: bytes, vf_list: _VfList | None, num_vfs: int | None, problems: list[str], reader: "_Reader"
) -> tuple[VfState, ...]:
    if vf_list is None:
        if num_vfs:
            problems.append(f"the driver reports none of its {num_vfs} VFs to 'ip link' (no VF list)")
        return ()
    if not vf_list.confirmed:
        told = "an unknown number of" if num_vfs is None else str(num_vfs)
        problems.append(
            f"the kernel's VF list cannot be trusted: {len(vf_list.entries)} entries for {told} VFs, and its length "
            "field does not fit them; none is shown"
        )
        return ()
    if vf_list.usual:
        states = [reader.of_usual(fields) for fields in vf_list.usual]
    else:
        states = [reader.of_parts(first_of_each(message, first, end)) for first, end in vf_list.entries]
    whole = [state for state in states if state is not None]
    if len(whole) < len(states):
        problems.append(
            f"{len(states) - len(whole)} entries of the kernel's VF list name more than one VF; they are left out"
        )
    return _numbered(whole, num_vfs, problems)


def _numbered(states: list[VfState], num_vfs: int | None, problems: list[str]) -> tuple[VfState, ...]:
    """``states`` by index, without those whose index another has too or no VF can have."""
    if num_vfs in (None, len(states)) and [state.index for state in states] == list(range(len(states))):
        return tuple(states)  # as nearly always
    count: dict[int, int] = {}
    for state in states:
        count[state.index] = count.get(state.index, 0) + 1
    limit = num_vfs if num_vfs is not None else len(states)
    wrong = sorted(index for index, times in count.items() if times > 1 or index >= limit)
    if wrong:
        problems.append(f"the driver numbers its VFs wrongly (VF {_list(wrong)}); these are left out")
    good = sorted((state for state in states if state.index not in wrong), key=lambda state: state.index)
    missing = sorted(set(range(num_vfs or 0)) - {state.index for state in good}) if (num_vfs or 0) <= 0xFFFF else []
    if missing and num_vfs:
        problems.append(f"the driver reports {len(good)} of {num_vfs} VFs to 'ip link': VF {_list(missing)} left out")
    return tuple(good)


@dataclass(frozen=True)
class _Reader:
    """Makes the entries of one PF's list into VFs; None where the parts of an entry do not name the same VF."""

    link_type: int
    place_of: PlaceOf

    def of_usual(self, fields: _Fields) -> VfState | None:
        """The VF of an entry that was unpacked whole."""
        index, mac, broadcast, low, high, spoofchk, link_state, rss_query, trust, vlan, qos, protocol = _facts_of(
            fields
        )
        if _owners_of(fields) != (index,) * 8:
            return None
        place = self.place_of(index)
        return VfState(  # in the order of its fields: names would cost a sixth of reading a PF
            index,
            place.pci,
            _vf_mac(mac, self.link_type),
            _vf_mac(broadcast, self.link_type),
            _vlans([(vlan, qos, protocol)]),
            _switch(spoofchk, _NO_SPOOFCHK),
            _switch(trust, _NO_TRUST),
            _link_state(link_state),
            _number_or(low, _NO_MIN_RATE),
            _number_or(high, _NO_MAX_RATE),
            _switch(rss_query, _NO_RSS_QUERY),
            _NO_NODE_GUID,
            _NO_PORT_GUID,
            place.driver,
            place.holder,
        )

    def of_parts(self, parts: dict[int, bytes]) -> VfState | None:
        """The VF of an entry of any form, given the first part of each type."""
        mac = parts[_VF_MAC]
        for kind in _NUMBERED:
            part = parts.get(kind)
            if part is not None and (len(part) < 8 or part[:4] != mac[:4]):
                return None
        index = _U32.unpack_from(mac)[0]
        place = self.place_of(index)
        low, high = _rates(parts)
        return VfState(
            index=index,
            pci=place.pci,
            mac=_vf_mac(mac[4:10], self.link_type),
            broadcast=_vf_mac(parts.get(_VF_BROADCAST, b"")[:6], self.link_type),
            vlans=_vlans(_vlan_list(parts)),
            spoofchk=_switch(_setting(parts, _VF_SPOOFCHK), _NO_SPOOFCHK),
            trust=_switch(_setting(parts, _VF_TRUST), _NO_TRUST),
            link_state=_link_state(_setting(parts, _VF_LINK_STATE)),
            min_tx_rate_mbps=_number_or(low, _NO_MIN_RATE),
            max_tx_rate_mbps=_number_or(high, _NO_MAX_RATE),
            rss_query=_switch(_setting(parts, _VF_RSS_QUERY_EN), _NO_RSS_QUERY),
            node_guid=_guid(parts.get(_VF_IB_NODE_GUID), _NO_NODE_GUID),
            port_guid=_guid(parts.get(_VF_IB_PORT_GUID), _NO_PORT_GUID),
            driver=place.driver,
            holder=place.holder,
        )


def _setting(parts: dict[int, bytes], kind: int) -> int:
    """The number after the VF's; what the driver does not report, and what the kernel left out, is the same."""
    part = parts.get(kind)
    number: int = _NOT_REPORTED if part is None else _TWO_U32.unpack_from(part)[1]
    return number


def _switch(setting: int, otherwise: Unknown) -> Known[bool]:
    return otherwise if setting == _NOT_REPORTED else setting != 0


def _link_state(number: int) -> Known[VfLinkState]:
    if number < len(_LINK_STATES):
        return _LINK_STATES[number]
    return _NO_LINK_STATE if number == _NOT_REPORTED else _unreported(f"a link state that is known ({number})")


def _rates(parts: dict[int, bytes]) -> tuple[int, int]:
    pair = parts.get(_VF_RATE, b"")
    if len(pair) >= _THREE_U32.size:
        _, low, high = _THREE_U32.unpack_from(pair)
        return low, high
    return _NOT_REPORTED, _setting(parts, _VF_TX_RATE)


def _number_or(number: int, otherwise: Unknown) -> Known[int]:
    return otherwise if number == _NOT_REPORTED else number


def _vlan_list(parts: dict[int, bytes]) -> list[tuple[int, int, bytes]]:
    """Id, priority and EtherType of each VLAN. The list came with Linux 4.9, before it was one."""
    listed = parts.get(_VF_VLAN_LIST, b"")
    found = [
        _VLAN_INFO.unpack_from(listed, start)[1:]
        for kind, start, end in attributes(listed, 0, len(listed))
        if kind == _VF_VLAN_INFO and end - start >= _VLAN_INFO.size
    ]
    if not found and len(parts.get(_VF_VLAN, b"")) >= _THREE_U32.size:
        return [(*_THREE_U32.unpack_from(parts[_VF_VLAN])[1:], b"\x81\x00")]
    return found


def _vlans(found: list[tuple[int, int, bytes]]) -> Known[tuple[Vlan, ...]]:
    """The PF's VLANs of a VF; VLAN 0 without priority is none."""
    if not found:
        return _NO_VLANS
    vlans = []
    for vlan_id, qos, protocol in found:
        if not vlan_id and not qos:  # netdevsim (6.12) reports protocol 0 with it
            continue
        if protocol not in _PROTOCOLS or vlan_id > 4095 or qos > 7:
            return _unreported(f"a VLAN that is known (id {vlan_id}, qos {qos}, EtherType 0x{protocol.hex()})")
        vlans.append(Vlan(vlan_id, qos, _PROTOCOLS[protocol]))
    return tuple(vlans)


def _guid(part: bytes | None, otherwise: Unknown) -> Known[str]:
    if part is None or len(part) < _GUID.size:
        return otherwise
    number: int = _GUID.unpack_from(part)[1]
    return number.to_bytes(8, "big").hex(":")


def _vf_mac(octets: bytes, link_type: int) -> Known[MacAddress]:
    if link_type != ARPHRD_ETHER:
        return _NOT_ETHERNET
    if octets == _EVERYBODY.octets:
        return _EVERYBODY
    return MacAddress(octets) if len(octets) == 6 else _NO_ADDRESS


def _link_mac(octets: bytes, link_type: int) -> Known[MacAddress]:
    if len(octets) == 6:
        return MacAddress(octets)
    return Unknown(f"its address has {len(octets)} octets (link type {link_type}), not the 6 of Ethernet")


def _link_kind(linkinfo: bytes) -> str:
    return next(
        (text(linkinfo[s:e]) for kind, s, e in attributes(linkinfo, 0, len(linkinfo)) if kind == _IFLA_INFO_KIND), ""
    )


def _carrier(part: bytes | None, flags: int) -> Known[bool]:
    """As sysfs has it: the carrier of a netdev that is down is not defined (net/core/net-sysfs.c carrier_show)."""
    if not flags & IFF_UP:
        return Unknown("the netdev is down")
    return bool(part[0]) if part else Unknown("the kernel does not report a carrier")


def _promiscuous(part: bytes | None) -> Known[bool]:
    number = _number(part)
    return Unknown("the kernel does not report it") if number is None else number > 0


def _known_number(part: bytes | None, what: str) -> Known[int]:
    number = _number(part)
    return Unknown(f"the kernel does not report {what}") if number is None else number


def _number(part: bytes | None) -> int | None:
    return _U32.unpack_from(part)[0] if part is not None and len(part) >= _U32.size else None


def _list(indices: list[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:8])
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown
