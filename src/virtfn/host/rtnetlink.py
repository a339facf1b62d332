"""Links read and set over rtnetlink: one RTM_GETLINK per PF reads all its VFs, one RTM_SETLINK
writes one fact of a netdev, or several of one VF.

Written with our own socket, not with pyroute2: one code path on every pyroute2 version (0.8.1 and 0.9.7 differ in
calls, exceptions and in what ``ext_mask`` does), no 200 ms import for one ``ip link set``, the kernel's extack text.
Layouts: include/uapi/linux/if_link.h. The kernel's side: net/core/rtnetlink.c rtnl_getlink, rtnl_setlink, do_setvfinfo.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Self

from virtfn.host.kernel_errors import KernelCall
from virtfn.host.netlink import NetlinkSocket, attribute, text_attribute, u32_attribute
from virtfn.host.vfinfo import Link, LocationOf, decode_link, decode_sent_packets, decode_vf_received, no_location
from virtfn.model.addresses import MacAddress

_RTM_GETLINK, _RTM_SETLINK = 18, 19
_RTEXT_FILTER_VF, _RTEXT_FILTER_SKIP_STATS = 0x1, 0x8
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_VFINFO_LIST, _IFLA_EXT_MASK = 1, 3, 4, 22, 29
_IFLA_VF_INFO = 1


def _ifinfomsg(ifindex: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, ifindex, flags, change)


class RouteSocket:
    """Links of the network namespace in which this was made; close it, or use it in ``with``.

    Every method raises KernelRefused or PermissionDenied (what ``Attempt.refused`` says) and BackendUnreachable.
    """

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(socket.NETLINK_ROUTE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back; closing twice is allowed."""
        self._netlink.close()

    def get_link(self, ifindex: int, *, name: str = "", location_of: LocationOf = no_location) -> Link:
        """One link with its VFs, without statistics; by ``name`` where ``ifindex`` is 0. ``ip -d link show NAME``.

        ``location_of`` gives what its VFs are as devices.
        """
        shown = name or f"ifindex {ifindex}"
        attempt = KernelCall(where=shown, call="RTM_GETLINK", command=f"ip -d link show dev {name}" if name else "")
        mask = u32_attribute(_IFLA_EXT_MASK, _RTEXT_FILTER_VF | _RTEXT_FILTER_SKIP_STATS)
        wanted = b"" if ifindex else text_attribute(_IFLA_IFNAME, name)
        answer = self._netlink.ask(_RTM_GETLINK, _ifinfomsg(ifindex) + mask + wanted, attempt)
        return decode_link(answer, location_of)

    def links(self) -> tuple[Link, ...]:
        """All links of the namespace, without VFs and statistics. ``ip -d link show``."""
        attempt = KernelCall(where="all links", call="RTM_GETLINK (dump)", command="ip -d link show")
        mask = u32_attribute(_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)
        return tuple(
            decode_link(message) for message in self._netlink.dump(_RTM_GETLINK, _ifinfomsg(0) + mask, attempt)
        )

    def vf_received(self, name: str) -> Mapping[int, int]:
        """The packets that each VF of a PF has received, by its index; 0 where the driver does not tell.

        Equivalent: ``ip -s link show dev NAME``.
        """
        attempt = KernelCall(name, "RTM_GETLINK", f"ip -s link show dev {name}")
        asked = u32_attribute(_IFLA_EXT_MASK, _RTEXT_FILTER_VF) + text_attribute(_IFLA_IFNAME, name)
        return decode_vf_received(self._netlink.ask(_RTM_GETLINK, _ifinfomsg(0) + asked, attempt))

    def sent_packets(self, name: str) -> int:
        """The packets that a netdev has sent. ``ip -s link show dev NAME``."""
        attempt = KernelCall(name, "RTM_GETLINK", f"ip -s link show dev {name}")
        return decode_sent_packets(
            self._netlink.ask(_RTM_GETLINK, _ifinfomsg(0) + text_attribute(_IFLA_IFNAME, name), attempt)
        )

    def set_flag(self, ifindex: int, flag: int, on: bool, attempt: KernelCall) -> None:
        """One flag of a netdev, like IFF_UP: ``ip link set dev NAME up|down``."""
        self._netlink.tell(_RTM_SETLINK, _ifinfomsg(ifindex, flag if on else 0, flag), attempt)

    def set_mtu(self, ifindex: int, mtu: int, attempt: KernelCall) -> None:
        """``mtu`` in octets. ``ip link set dev NAME mtu N``."""
        self._netlink.tell(_RTM_SETLINK, _ifinfomsg(ifindex) + u32_attribute(_IFLA_MTU, mtu), attempt)

    def set_mac(self, ifindex: int, mac: MacAddress, attempt: KernelCall) -> None:
        """The netdev's own address (not a VF's administrative one). ``ip link set dev NAME address MAC``."""
        self._netlink.tell(_RTM_SETLINK, _ifinfomsg(ifindex) + attribute(_IFLA_ADDRESS, mac.octets), attempt)

    def set_vf(self, ifindex: int, parts: Sequence[bytes], attempt: KernelCall) -> None:
        """Fields of one VF in one message, each encoded by ``vf_fields``. ``ip link set dev PF vf N ...``.

        The kernel sets them one after the other and stops at the first that the driver refuses.
        """
        listed = attribute(_IFLA_VFINFO_LIST, attribute(_IFLA_VF_INFO, b"".join(parts)))
        self._netlink.tell(_RTM_SETLINK, _ifinfomsg(ifindex) + listed, attempt)
