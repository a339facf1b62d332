"""What depends on this host's netdevs: the default route, the user's SSH connection, OpenStack."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from virtfn.errors import VirtfnError
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.netlink import NetlinkSocket, attribute
from virtfn.host.physnets import physical_networks
from virtfn.planning.host.guards import HostDependencies

_RTM_GETROUTE = 26
_RTA_DST, _RTA_OIF = 1, 4
_RTMSG = struct.Struct("=BBBBBBBBI")
_DEEPEST = 8


def host_dependencies(root: Path = Path("/")) -> HostDependencies:
    """The netdevs with a default route, the SSH connection named by SSH_CONNECTION, and physical networks.

    The ports below a bond, a bridge or a VLAN count, too. What cannot be read names no netdev: a guard that knows
    nothing keeps silent. Sources: /proc/net/route, /proc/net/ipv6_route, RTM_GETROUTE, /sys/class/net/*/lower_*.
    """
    return HostDependencies(
        default_route_netdevs=_with_lower(root, _default_route_netdevs(root)),
        ssh_netdevs=_with_lower(root, _ssh_netdevs(os.environ.get("SSH_CONNECTION", ""))),
        physnets=physical_networks(root),
    )


def _default_route_netdevs(root: Path) -> Iterator[str]:
    for line in _lines(root / "proc/net/route")[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == "00000000" and words[7] == "00000000":
            yield words[0]
    for line in _lines(root / "proc/net/ipv6_route"):
        words = line.split()
        if len(words) == 10 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
            yield words[9]


def _ssh_netdevs(connection: str) -> Iterator[str]:
    """``connection`` is "CLIENT PORT SERVER PORT" (ssh(1)); the netdev towards the client carries it."""
    client = connection.split()[:1]
    if not client:
        return
    address = client[0].partition("%")[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        octets = socket.inet_pton(family, address)
        index = _outgoing_ifindex(family, octets)
        if index:
            yield socket.if_indextoname(index)
    except (OSError, VirtfnError):
        return


def _outgoing_ifindex(family: int, octets: bytes) -> int:
    """The ifindex of the netdev on the route to an address, 0 where there is none. ``ip route get ADDRESS``."""
    request = _RTMSG.pack(family, len(octets) * 8, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, octets)
    netlink = NetlinkSocket(socket.NETLINK_ROUTE)
    try:
        answer = netlink.ask(_RTM_GETROUTE, request, KernelCall("the route to the SSH client", "RTM_GETROUTE"))
    finally:
        netlink.close()
    place = _RTMSG.size
    while place + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, place)
        if kind == _RTA_OIF and length >= 8:
            return int(struct.unpack_from("=I", answer, place + 4)[0])
        if length < 4:
            break
        place += (length + 3) & ~3
    return 0


def _with_lower(root: Path, netdevs: Iterator[str]) -> frozenset[str]:
    """These netdevs and all that they run over: a bond's ports, a VLAN's netdev."""
    found: set[str] = set()
    pending = set(netdevs)
    for _ in range(_DEEPEST):
        found |= pending
        lower = {
            entry.name.removeprefix("lower_")
            for netdev in pending
            for entry in (root / "sys/class/net" / netdev).glob("lower_*")
        }
        pending = lower - found
        if not pending:
            break
    return frozenset(found)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
