"""Probe frames on AF_PACKET sockets, in the network namespace of each endpoint: sending, and the meter captured-frames.

Captured is what the NIC handed to the netdev, as a sniffer sees it; no netdev is put into promiscuous mode, as that
changes how the NIC forwards (measured: with the PF promiscuous, QEMU's igb shows frames between a VF and the outside
to all VFs). Source: packet(7), include/uapi/linux/if_packet.h.
"""

import ctypes
import errno
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from virtfn.errors import KernelRefused, PermissionDenied
from virtfn.host.netns import call_in
from virtfn.mirroring.proof import ETHERTYPE, frame, recognise, tally
from virtfn.model.probe import Caught, Endpoint, NoMeter, ProbeBurst, ProbePoint, Tally

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_PACKET_OTHERHOST = 3
_PACKET_OUTGOING = 4
_AUXDATA = struct.Struct("IIIHHHH")  # struct tpacket_auxdata
_TP_STATUS_VLAN_VALID = 1 << 4
_RECEIVE_BUFFER = 4 << 20

_FILTER = (
    # classic BPF: accept EtherType 0x88B5, bare or behind one VLAN tag; drop all else in the kernel
    (0x28, 0, 0, 12),
    (0x15, 3, 0, ETHERTYPE),
    (0x15, 0, 3, 0x8100),
    (0x28, 0, 0, 16),
    (0x15, 0, 1, ETHERTYPE),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


Watchers: TypeAlias = Mapping[socket.socket, tuple[Endpoint, list[Caught]]]
"""The open sockets, each with its endpoint and what it has caught so far."""


class FrameCapture:
    """Reads the meter ``captured-frames``: one raw socket per point. Needs CAP_NET_RAW, and CAP_SYS_ADMIN to enter
    namespaces."""

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point itself: a netdev that is up can be captured at."""
        return point

    @contextmanager
    def start(self, burst: ProbeBurst, points: Sequence[ProbePoint]) -> "Iterator[CapturedBurst]":
        """Capture the frames of this burst at these points while the block runs. Raises what ``opened`` raises."""
        with ExitStack() as stack:
            sockets = {
                stack.enter_context(opened(point.endpoint)): (point.endpoint, list[Caught]())
                for point in points
                if point.endpoint
            }
            yield CapturedBurst(burst, sockets)


class CapturedBurst:
    """What has been captured of one burst so far."""

    def __init__(self, burst: ProbeBurst, sockets: Watchers) -> None:
        self._burst = burst
        self._sockets = sockets

    def collect(self, wait_s: float) -> bool:
        """Take what has arrived; wait up to ``wait_s`` for the first. Whether one of our frames was among it."""
        ready, _, _ = select.select(list(self._sockets), [], [], wait_s)
        found = False
        for one in ready:
            endpoint, caught = self._sockets[one]
            for octets, vlan, kind in _received(one, endpoint.label):
                hit = recognise(self._burst, octets, vlan=vlan, other_host=kind == _PACKET_OTHERHOST)
                if hit and kind != _PACKET_OUTGOING:
                    caught.append(hit)
                    found = True
        return found

    def tallies(self) -> Mapping[str, Tally]:
        """What each point received, by its label."""
        return {at.label: tally(self._burst.count, caught, at.vlan.id) for at, caught in self._sockets.values()}


@contextmanager
def opened(point: Endpoint) -> Iterator[socket.socket]:
    """A raw socket at a netdev, in its namespace. Raises PermissionDenied; KernelRefused where it is gone or down."""
    where = f"{point.netns}:{point.netdev}" if point.netns else point.netdev
    try:
        handle = call_in(point.netns, lambda: _open(point.netdev))
    except PermissionError as fault:
        raise PermissionDenied(
            f"a raw socket cannot be opened ({fault.strerror})", where=where, hint="run as root: probe frames need it"
        ) from fault
    except OSError as fault:
        raise _refused(fault, where, "socket(AF_PACKET)") from fault
    with handle:
        yield handle


def _open(netdev: str) -> socket.socket:
    """A filtered raw socket. It is bound last, so that no frame passes before the filter is set."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in _FILTER))
        opened.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(program))
        )
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.bind((netdev, _ETH_P_ALL))
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def send_frame(sender: socket.socket, burst: ProbeBurst, number: int) -> None:
    """Send one frame; a full queue is waited for, up to a second."""
    octets = frame(burst, number)
    where = f"{burst.sender.label} ({burst.sender.netdev})"
    for _ in range(1000):
        try:
            sender.send(octets)
            return
        except OSError as fault:
            if fault.errno not in (errno.EAGAIN, errno.ENOBUFS):
                raise _refused(fault, where, "send") from fault
            time.sleep(0.001)
    raise KernelRefused("the transmit queue stayed full for a second", where=where, call="send", errno=errno.ENOBUFS)


def _received(one: socket.socket, label: str) -> Iterator[tuple[bytes, int | None, int]]:
    """All frames that wait: octets, the VLAN id that the kernel took off, and the packet type."""
    while True:
        try:
            octets, ancillary, _, address = one.recvmsg(2048, 256)
        except BlockingIOError:
            return
        except OSError as fault:
            raise _refused(fault, label, "recvmsg") from fault
        yield octets, _stripped_vlan(ancillary), address[2]


def _stripped_vlan(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA) and len(data) >= _AUXDATA.size:
            status, _, _, _, _, tci, _ = _AUXDATA.unpack_from(data)
            return tci & 0x0FFF if status & _TP_STATUS_VLAN_VALID else None
    return None


def _refused(fault: OSError, where: str, call: str) -> KernelRefused:
    hints = {
        errno.ENODEV: "the netdev is gone: look again which there are",
        errno.ENETDOWN: "the netdev is down: set it up",
        errno.ENXIO: "the netdev is gone: look again which there are",
    }
    code = fault.errno or 0
    return KernelRefused(
        f"{fault.strerror} ({errno.errorcode.get(code, code)})",
        where=where,
        errno=code,
        call=call,
        hint=hints.get(code, ""),
    )
