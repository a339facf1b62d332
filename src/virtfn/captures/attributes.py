"""What iproute2 says about a VF: one row per attribute, for the two readers and the renderer alike.

Source: iproute2 ``ip/ipaddress.c``, ``print_vfinfo``. A value has one written form (``on``, ``100``, ``auto``); JSON's
``true`` and ``100`` are brought to it first, so each row needs one converter only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Unknown, VfLinkState, VlanProtocol


class Generation(StrEnum):
    """How iproute2 words a VF.

    ``FIELD_NOTE``: 3.16 to 4.2 (2014 to 2015), ``vf 1 MAC ..``, up to the link state.
    ``MIDDLE``: 4.3 to 4.19, the same with VLAN protocol, ``trust`` and ``query_rss``.
    ``TODAY``: 4.20 and later, ``vf 1     link/ether .. brd ..``. ``JSON``: ``ip -j``, with the keys of today.
    """

    FIELD_NOTE = "2015"
    MIDDLE = "middle"
    TODAY = "today"
    JSON = "json"


NOT_ETHERNET = Unknown("not an Ethernet address")
"""An InfiniBand function has 20 octets; older iproute2 printed the first six of them as ``MAC``."""


MAC_OCTETS = 6
INFINIBAND_OCTETS = 20
_OCTETS = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_GUID_OCTETS = 8


def number(limit: int) -> Callable[[str], int]:
    """A converter for a decimal number from 0 to ``limit``; it raises ValueError with what was expected."""

    def convert(text: str) -> int:
        if not _NUMBER.fullmatch(text) or int(text) > limit:
            raise ValueError(f"a number from 0 to {limit}")
        return int(text)

    return convert


def on_or_off(text: str) -> bool:
    """``on`` or ``off``. Raises ValueError with what was expected."""
    if text not in ("on", "off"):
        raise ValueError("on or off")
    return text == "on"


def hardware_address(text: str) -> MacAddress | Unknown:
    """A MAC address; NOT_ETHERNET for InfiniBand's 20 octets. Raises ValueError with what was expected."""
    normal = text.lower()
    if _OCTETS.fullmatch(normal):
        octets = bytes.fromhex(normal.replace(":", ""))
        if len(octets) == MAC_OCTETS:
            return MacAddress(octets)
        if len(octets) == INFINIBAND_OCTETS:
            return NOT_ETHERNET
    raise ValueError("an address like fa:16:3e:aa:33:59")


def guid(text: str) -> str:
    """An InfiniBand GUID of 8 octets, in lower case. Raises ValueError with what was expected."""
    normal = text.lower()
    if not _OCTETS.fullmatch(normal) or normal.count(":") != _GUID_OCTETS - 1:
        raise ValueError("8 octets like 22:44:33:00:33:11:00:33")
    return normal


def link_state(text: str) -> VfLinkState:
    """``auto``, ``enable`` or ``disable``. Raises ValueError with what was expected."""
    if text not in tuple(VfLinkState):
        raise ValueError("auto, enable or disable")
    return VfLinkState(text)


def vlan_protocol(text: str) -> VlanProtocol:
    """``802.1Q`` or ``802.1ad``. Raises ValueError with what was expected."""
    if text not in tuple(VlanProtocol):
        raise ValueError("802.1Q or 802.1ad")
    return VlanProtocol(text)


@dataclass(frozen=True)
class Attribute:
    """One thing iproute2 says about a VF.

    ``fact`` is the name in ``VfState`` (or ``Vlan``); ``words`` and ``unit`` stand before and after the value; ``keys``
    is the path in ``ip -j``; ``unsaid`` is the value that goes without words; ``since`` is the first generation that
    prints it.
    """

    fact: str
    words: str
    keys: tuple[str, ...]
    convert: Callable[[str], object]
    unit: str = ""
    unsaid: object = None
    since: Generation = Generation.FIELD_NOTE
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unit = rf"(?: ?{re.escape(self.unit.strip())})?" if self.unit else ""
        object.__setattr__(self, "pattern", re.compile(rf"{re.escape(self.words)} (\S+?){unit}(?!\S)", re.ASCII))


_U32 = number(2**32 - 1)

MAC = Attribute("mac", "MAC", ("address",), hardware_address)
BROADCAST = Attribute("broadcast", "brd", ("broadcast",), hardware_address, since=Generation.TODAY)

VLAN_PARTS = (
    Attribute("id", "vlan", ("vlan",), number(4095), unsaid=0),
    Attribute("qos", "qos", ("qos",), number(7), unsaid=0),
    Attribute(
        "protocol", "vlan protocol", ("protocol",), vlan_protocol, unsaid=VlanProtocol.C_TAG, since=Generation.MIDDLE
    ),
)
"""The parts of one VLAN; with IFLA_VF_VLAN_LIST they repeat for every VLAN of the VF."""

ATTRIBUTES = (
    # The kernel fills IFLA_VF_TX_RATE from max_tx_rate (net/core/rtnetlink.c, rtnl_fill_vfinfo): two names, one fact.
    Attribute("max_tx_rate_mbps", "tx rate", ("tx_rate",), _U32, unit=" (Mbps)", unsaid=0),
    Attribute("max_tx_rate_mbps", "max_tx_rate", ("rate", "max_tx"), _U32, unit="Mbps", unsaid=0),
    Attribute("min_tx_rate_mbps", "min_tx_rate", ("rate", "min_tx"), _U32, unit="Mbps", unsaid=0),
    Attribute("spoofchk", "spoof checking", ("spoofchk",), on_or_off),
    Attribute("node_guid", "NODE_GUID", ("node guid",), guid, since=Generation.TODAY),
    Attribute("port_guid", "PORT_GUID", ("port guid",), guid, since=Generation.TODAY),
    Attribute("link_state", "link-state", ("link_state",), link_state),
    Attribute("trust", "trust", ("trust",), on_or_off, since=Generation.MIDDLE),
    Attribute("rss_query", "query_rss", ("query_rss_en",), on_or_off, since=Generation.MIDDLE),
)
"""In the order in which ``print_vfinfo`` prints them."""
