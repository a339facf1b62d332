"""One RTM_NEWLINK message decoded: a link and, for a PF, every VF that its driver reports. Pure.

The VF list is one nested attribute whose length field has 16 bits, while its content has none: with 196 octets a VF it
wraps above 334 VFs (296 octets and 221 VFs with statistics), and a reader that believes it loses VFs or reads another
attribute as one. Here the entries are walked past the wrapped length, bounded by the message, and a list is believed
only where the walk is confirmed: by the length field modulo 2**16, or by the number of VFs in IFLA_NUM_VF.

Sources: include/uapi/linux/if_link.h (layouts); net/core/rtnetlink.c rtnl_fill_ifinfo, rtnl_fill_vf, rtnl_fill_vfinfo
(order; -1 presets for what a driver does not fill in; an entry is left out where ndo_get_vf_config fails).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from virtfn.errors import BackendUnreachable
from virtfn.host.netlink import align, attribute_head, attributes, first_of_each, text
from virtfn.host.vf_fields import Parts, decode_usual, decode_vf, vf_number
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import NOT_CAPTURED, Holder, Known, Unknown, VfState

IFF_UP = 0x1
ARPHRD_ETHER = 1

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_OPERSTATE, _IFLA_LINKINFO = 16, 18
_IFLA_NUM_VF, _IFLA_VFINFO_LIST, _IFLA_PROMISCUITY, _IFLA_CARRIER = 21, 22, 30, 33
_IFLA_PERM_ADDRESS, _IFLA_PARENT_DEV_NAME, _IFLA_PARENT_DEV_BUS_NAME = 54, 56, 57
_IFLA_INFO_KIND = 1

_IFLA_STATS64 = 23
_IFLA_VF_INFO = 1
_IFLA_VF_STATS, _VF_STATS_RX_PACKETS = 8, 0
_VF_MAC = 1

_IFINFOMSG = struct.Struct("=BxHiII")
_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")
_VF_MAC_LENGTH = 4 + 36
_VF_MAC_HEAD = struct.pack("=HH", _VF_MAC_LENGTH, _VF_MAC)

_NO_PERMANENT_MAC = Unknown("the kernel does not report a permanent address")
_NOT_ETHERNET = Unknown("not an Ethernet device")


_USUAL = struct.Struct("=I 2I6s26x I6s26x 4I 4I 3I 3I 3I 3I 3I I 4I2s2x")
"""A whole entry, as Linux since 4.14 writes it for Ethernet: each header as one number, then its content.

MAC, broadcast, VLAN, rates, single rate, spoof check, link state, RSS query, trust, VLAN list with one VLAN. A list of
such entries is unpacked at once, as that is what every look at a host reads: it takes a third of the time.
"""
_heads_of = itemgetter(0, 1, 4, 6, 10, 14, 17, 20, 23, 26, 29, 30)
_numbers_of = itemgetter(7, 11, 15, 18, 21, 24, 27, 31)
_facts_of = itemgetter(3, 5, 12, 13, 19, 22, 25, 28, 32, 33, 34)
_HEADS = (
    (_USUAL.size, 1),
    (40, 1),
    (36, 13),
    (16, 2),
    (16, 6),
    (12, 3),
    (12, 4),
    (12, 5),
    (12, 7),
    (12, 9),
    (24, 12),
    (20, 1),
)
_USUAL_HEADS = struct.unpack("=12I", b"".join(struct.pack("=HH", *head) for head in _HEADS))
_Fields: TypeAlias = tuple[Any, ...]
"""What ``_USUAL`` unpacks."""


@dataclass(frozen=True)
class Link:
    """What the kernel says of one netdev.

    ``operstate`` is RFC 2863's as a number. ``parent`` is the device under it (a PCI address) and ``bus`` its bus, ""
    where the kernel (before 5.14) does not say or there is none; ``kind`` is "" for hardware, else ``veth`` and so on.
    ``lower`` is the ifindex of the netdev below it, ``master`` of its bridge or bond, 0 for none.
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
    permanent_mac: Known[MacAddress] = _NO_PERMANENT_MAC
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
class VfLocation:
    """Where a VF is as a device. A link message says nothing of it; it comes from sysfs."""

    pci: Known[PciAddress] = NOT_CAPTURED
    driver: Known[str | None] = NOT_CAPTURED
    holder: Known[Holder] = NOT_CAPTURED


LocationOf: TypeAlias = Callable[[int], VfLocation]
"""The location of the VF with this index."""
_NOT_LOOKED_FOR = VfLocation()


def no_location(_: int) -> VfLocation:
    """For who needs what the link message says, and nothing else."""
    return _NOT_LOOKED_FOR


@dataclass(frozen=True)
class _VfList:
    """Where a VF list ends and where its entries are."""

    end: int
    entries: Sequence[tuple[int, int]]
    confirmed: bool
    usual: Sequence[_Fields] = ()


def decode_link(message: bytes, location_of: LocationOf = no_location) -> Link:
    """The link in ``message``, an RTM_NEWLINK without its nlmsghdr: struct ifinfomsg, then attributes.

    ``location_of`` gives what its VFs are as devices.
    Faults of the message are in ``problems``; raises BackendUnreachable only where there is no header.
    Equivalent: ``ip -d link show``.
    """
    if len(message) < _IFINFOMSG.size:
        raise BackendUnreachable(f"the kernel's link message has {len(message)} octets, less than its header")
    _, link_type, ifindex, flags, _ = _IFINFOMSG.unpack_from(message)
    problems: list[str] = []
    facts, vf_list = _top_level(message, problems)
    num_vfs = _number(facts.get(_IFLA_NUM_VF))
    vfs = _vf_states(message, vf_list, num_vfs, problems, link_type, location_of)
    return Link(
        name=text(facts.get(_IFLA_IFNAME, b"")),
        ifindex=ifindex,
        link_type=link_type,
        flags=flags,
        mac=_link_mac(facts.get(_IFLA_ADDRESS, b""), link_type),
        mtu=_known_number(facts.get(_IFLA_MTU), "an MTU"),
        carrier=_carrier(facts.get(_IFLA_CARRIER), flags),
        promiscuous=_promiscuous(facts.get(_IFLA_PROMISCUITY)),
        permanent_mac=_permanent_mac(facts.get(_IFLA_PERM_ADDRESS), link_type),
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


def decode_vf_received(message: bytes) -> Mapping[int, int]:
    """The packets that each VF has received, by its index, in an RTM_NEWLINK that was asked for with statistics."""
    _, vf_list = _top_level(message, [])
    found: dict[int, int] = {}
    for first, end in vf_list.entries if vf_list and vf_list.confirmed else ():
        parts = first_of_each(message, first, end)
        index, statistics = vf_number(parts), parts.get(_IFLA_VF_STATS, b"")
        packets = first_of_each(statistics, 0, len(statistics)).get(_VF_STATS_RX_PACKETS)
        if index is not None and packets is not None and len(packets) >= _U64.size:
            found[index] = _U64.unpack_from(packets)[0]
    return found


def decode_sent_packets(message: bytes) -> int:
    """The packets that a netdev has sent (struct rtnl_link_stats64). Raises BackendUnreachable for none."""
    statistics = _top_level(message, [])[0].get(_IFLA_STATS64, b"")
    if len(statistics) < 2 * _U64.size:
        raise BackendUnreachable("the kernel's link message has no statistics")
    return int(_U64.unpack_from(statistics, _U64.size)[0])


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
    usual = all(_heads_of(fields) == _USUAL_HEADS and _numbers_of(fields) == (fields[2],) * 8 for fields in found)
    return found if usual else ()


def _usual_vf(fields: _Fields, link_type: int, place: VfLocation) -> VfState:
    if link_type != ARPHRD_ETHER:
        facts = (_NOT_ETHERNET, _NOT_ETHERNET, *decode_usual(*_facts_of(fields))[2:])
    else:
        facts = decode_usual(*_facts_of(fields))
    in_order: Any = (fields[2], place.pci, *facts, place.driver, place.holder)
    return VfState(*in_order)


def _vf_states(
    message: bytes,
    vf_list: _VfList | None,
    num_vfs: int | None,
    problems: list[str],
    link_type: int,
    location_of: LocationOf,
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
    states: list[VfState | None]
    if vf_list.usual:
        states = [_usual_vf(fields, link_type, location_of(fields[2])) for fields in vf_list.usual]
    else:
        entries = (first_of_each(message, first, end) for first, end in vf_list.entries)
        states = [_vf_state(parts, link_type, location_of) for parts in entries]
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


def _vf_state(parts: Parts, link_type: int, location_of: LocationOf) -> VfState | None:
    """The VF of one entry; None where the parts of the entry do not name the same VF."""
    index = vf_number(parts)
    if index is None:
        return None
    facts = decode_vf(parts)
    if link_type != ARPHRD_ETHER:
        facts["mac"] = facts["broadcast"] = _NOT_ETHERNET
    location = location_of(index)
    return VfState(index=index, pci=location.pci, driver=location.driver, holder=location.holder, **facts)


def _link_mac(octets: bytes, link_type: int) -> Known[MacAddress]:
    if len(octets) == 6:
        return MacAddress(octets)
    return Unknown(f"its address has {len(octets)} octets (link type {link_type}), not the 6 of Ethernet")


def _permanent_mac(octets: bytes | None, link_type: int) -> Known[MacAddress]:
    """The kernel leaves it out before 5.6 and for an address that was made up (netdevsim)."""
    if octets is None:
        return _NO_PERMANENT_MAC
    return _link_mac(octets, link_type)


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
