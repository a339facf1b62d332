"""MACs that the host has seen beyond a PF: its neighbour table (ARP, NDP) and the forwarding tables of its bridges.

Sources: include/uapi/linux/neighbour.h (struct ndmsg); net/core/neighbour.c neigh_dump_info; net/core/rtnetlink.c
rtnl_fdb_dump.
"""

import socket
import struct
from collections.abc import Mapping

from virtfn.host.kernel_errors import KernelCall
from virtfn.host.netlink import NetlinkSocket, attributes
from virtfn.host.rtnetlink import RouteSocket
from virtfn.host.vfinfo import Link
from virtfn.model.addresses import MacAddress

_RTM_GETNEIGH = 30
_AF_BRIDGE = 7
_NDA_DST, _NDA_LLADDR = 1, 2
_NDMSG = struct.Struct("=BxxxiHBB")
_NUD_INCOMPLETE, _NUD_FAILED, _NUD_NOARP, _NUD_PERMANENT = 0x01, 0x20, 0x40, 0x80
_NO_NEIGHBOUR = _NUD_INCOMPLETE | _NUD_FAILED | _NUD_NOARP


def outside_macs(pf_netdev: str) -> Mapping[MacAddress, str]:
    """Unicast MACs known to live beyond ``pf_netdev``, each with its origin (``neighbour 10.0.0.1 on p2p1``).

    Looked at are the PF's netdev, the VLAN and macvlan netdevs on it, and the bridge or bond that it is a port of.
    The addresses of the host's netdevs and the PF's VFs are not among them. It is what the host happens to know: an
    absent MAC may still exist.
    Raises KernelRefused where there is no such netdev, PermissionDenied, BackendUnreachable.
    Equivalent: ``ip neigh show dev p2p1``, ``bridge fdb show dev p2p1``.
    """
    with RouteSocket() as route:
        pf = route.get_link(0, name=pf_netdev)
        links = route.links()
    own = {link.mac for link in links} | {vf.mac for vf in pf.vfs}
    with NetlinkSocket(socket.NETLINK_ROUTE) as netlink:
        names = {link.ifindex: link.name for link in above(pf.ifindex, links)}
        known = _entries(netlink, socket.AF_UNSPEC, names, "ip neigh show")
        learned = _entries(netlink, _AF_BRIDGE, {pf.ifindex: pf.name}, "bridge fdb show")
    return {mac: origin for mac, origin in (learned | known).items() if mac not in own}


def above(ifindex: int, links: tuple[Link, ...]) -> tuple[Link, ...]:
    """The link itself and all on top of it: VLANs and the like (IFLA_LINK), its bridge or bond (IFLA_MASTER)."""
    by_index = {link.ifindex: link for link in links}
    reached: set[int] = set()
    waiting = {ifindex}
    while waiting:
        now = waiting.pop()
        reached.add(now)
        on_top = {link.ifindex for link in links if link.lower == now}
        if now in by_index and by_index[now].master:
            on_top.add(by_index[now].master)
        waiting |= on_top - reached
    return tuple(link for link in links if link.ifindex in reached)


def _entries(netlink: NetlinkSocket, family: int, names: Mapping[int, str], command: str) -> dict[MacAddress, str]:
    request = _NDMSG.pack(family, 0, 0, 0, 0)
    if family == _AF_BRIDGE:  # the kernel takes a short ndmsg for an ifinfomsg here, and filters by it
        request = struct.pack("=BxHiII", family, 0, 0, 0, 0)
    attempt = KernelCall("all neighbours", "RTM_GETNEIGH (dump)", command)
    found: dict[MacAddress, str] = {}
    for message in netlink.dump(_RTM_GETNEIGH, request, attempt):
        entry = neighbour(message, names)
        if entry is not None:
            found.setdefault(*entry)
    return found


def neighbour(message: bytes, names: Mapping[int, str]) -> tuple[MacAddress, str] | None:
    """``(MAC, origin)`` of one RTM_NEWNEIGH on one of ``names``; None for another netdev, the host's own, or no MAC."""
    if len(message) < _NDMSG.size:
        return None
    family, ifindex, state, _, _ = _NDMSG.unpack_from(message)
    facts = {kind: message[start:end] for kind, start, end in attributes(message, _NDMSG.size, len(message))}
    octets = facts.get(_NDA_LLADDR, b"")
    if ifindex not in names or len(octets) != 6 or state & _NO_NEIGHBOUR:
        return None
    mac = MacAddress(octets)
    if mac.is_zero or mac.is_multicast:
        return None
    if family != _AF_BRIDGE:
        return mac, f"neighbour {_address(facts.get(_NDA_DST, b''))} on {names[ifindex]}"
    return None if state & _NUD_PERMANENT else (mac, f"bridge FDB on {names[ifindex]}")


def _address(octets: bytes) -> str:
    family = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(octets))
    return "?" if family is None else socket.inet_ntop(family, octets)
