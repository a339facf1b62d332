"""A steady stream of numbered frames through the lab's NICs, with a report of those that arrived.

``python3 -m virtfn.lab.guest.stream --from wire:w0 --to vm1:eth0 --rate 100 --seconds 10 --json``. An end is
``NETNS:NETDEV``, or ``NETDEV`` alone in the guest's own namespace. ``--to`` may be given several times: the frames
are addressed to the first, the others listen. SIGTERM, SIGINT, and with ``--stop-on-eof`` the end of standard input,
stop it early; the report is printed all the same.
"""

import argparse
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .topology import inside

ETHER_TYPE = 0x88B5
"""IEEE 802 local experimental EtherType 1."""
_HEADER = struct.Struct("!6s6sH4s8sQ")
_MAGIC = b"vfst"
_FRAME = 60
_SIOCGIFHWADDR = 0x8927
_PACKET_OUTGOING, _PACKET_OTHERHOST = 4, 3
_LONGEST_S = 3600.0
_SETTLE_S = 1.5
_BURST = 8
_TRANSIENT = {errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN, errno.ENXIO, errno.ENODEV}


@dataclass(frozen=True)
class End:
    """A netdev in a namespace ("" is the guest's own)."""

    netns: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "End":
        """Read ``NETNS:NETDEV`` or ``NETDEV``."""
        netns, _, name = text.rpartition(":")
        return cls(netns, name)

    def __str__(self) -> str:
        return f"{self.netns}:{self.name}" if self.netns else self.name

    def open(self) -> tuple[socket.socket, bytes]:
        """A packet socket on it, and its MAC. Raises OSError."""
        with inside(self.netns):
            packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE))
            packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            packets.bind((self.name, ETHER_TYPE))
            packets.setblocking(False)
            request = struct.pack("16s24x", self.name.encode())
            return packets, fcntl.ioctl(packets, _SIOCGIFHWADDR, request)[18:24]


@dataclass
class ReceiverTally:
    """What one receiver got. The longest gap is between two frames that came one after the other, or none came.

    ``first_at`` is the guest's monotonic clock at the first frame, None where none came.
    """

    end: End
    seen: set[int] = field(default_factory=set)
    duplicated: int = 0
    reordered: int = 0
    other_host: int = 0
    last: int = -1
    last_at: float = 0.0
    longest_gap_s: float = 0.0
    first_at: float | None = None

    def take(self, number: int, at: float, kind: int) -> None:
        """Count one frame."""
        self.other_host += kind == _PACKET_OTHERHOST
        if number in self.seen:
            self.duplicated += 1
            return
        self.seen.add(number)
        self.first_at = at if self.first_at is None else self.first_at
        self.reordered += number < self.last
        self.last = max(self.last, number)
        self.gap(at)

    def gap(self, at: float) -> None:
        """Note the time since the frame before; also called once at the end."""
        self.longest_gap_s = max(self.longest_gap_s, at - self.last_at)
        self.last_at = at

    def report(self, sent: int) -> dict[str, Any]:
        """In words and numbers."""
        return {
            "to": str(self.end),
            "received": len(self.seen),
            "lost": sent - len(self.seen),
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "other_host": self.other_host,
            "longest_gap_ms": round(self.longest_gap_s * 1000, 1),
            "first_at_s": self.first_at,
        }


class FrameStream:
    """One sender and its receivers, in one process and one thread."""

    def __init__(self, source: End, targets: list[End], rate: float, seconds: float) -> None:
        self.rate, self.seconds = rate, min(seconds, _LONGEST_S)
        self.sender, source_mac = source.open()
        opened = [(target, *target.open()) for target in targets]
        self.tallies = {packets: ReceiverTally(target) for target, packets, _ in opened}
        self.run = os.urandom(8)
        self.addresses = (opened[0][2], source_mac)
        self.sent = self.send_errors = 0

    def flow(self, stopped: Callable[[], bool]) -> None:
        """Send on time until the end or until ``stopped``; receive all the while and for a moment after."""
        began = time.monotonic()
        for tally in self.tallies.values():
            tally.last_at = began
        total = int(self.rate * self.seconds)
        while self.sent + self.send_errors < total and not stopped():
            due = int((time.monotonic() - began) * self.rate) + 1
            for _ in range(min(_BURST, due - self.sent - self.send_errors, total - self.sent - self.send_errors)):
                self._send()
            self._receive(began + (self.sent + self.send_errors) / self.rate)
        ended = time.monotonic()
        while time.monotonic() < ended + _SETTLE_S and any(len(one.seen) < self.sent for one in self.tallies.values()):
            self._receive(time.monotonic() + 0.05)
        for tally in self.tallies.values():
            if len(tally.seen) < self.sent:
                tally.gap(ended)

    def _send(self) -> None:
        number = self.sent + self.send_errors
        frame = _HEADER.pack(*self.addresses, ETHER_TYPE, _MAGIC, self.run, number)
        try:
            self.sender.send(frame.ljust(_FRAME, b"\0"))
            self.sent += 1
        except OSError as failed:
            if failed.errno not in _TRANSIENT:
                raise
            self.send_errors += 1

    def _receive(self, until: float) -> None:
        while True:
            ready, _, _ = select.select(list(self.tallies), [], [], max(0.0, until - time.monotonic()))
            for packets in ready:
                self._drain(packets)
            if time.monotonic() >= until:
                return

    def _drain(self, packets: socket.socket) -> None:
        while True:
            try:
                frame, address = packets.recvfrom(2048)
            except OSError as failed:
                if failed.errno not in _TRANSIENT:
                    raise
                return
            if len(frame) < _HEADER.size or address[2] == _PACKET_OUTGOING:
                continue
            _, _, _, magic, run, number = _HEADER.unpack_from(frame)
            if magic == _MAGIC and run == self.run:
                self.tallies[packets].take(number, time.monotonic(), address[2])

    def report(self) -> dict[str, Any]:
        """The first receiver's numbers, and all receivers' in a list."""
        receivers = [tally.report(self.sent) for tally in self.tallies.values()]
        return {"sent": self.sent, "send_errors": self.send_errors, **receivers[0], "receivers": receivers}


def stop_conditions(*, on_eof: bool) -> Callable[[], bool]:
    """True once a signal has come or, if asked for, standard input has ended."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: stopped.append(number))

    def ask() -> bool:
        if on_eof and select.select([0], [], [], 0)[0] and not os.read(0, 4096):
            stopped.append(0)
        return bool(stopped)

    return ask


def main(argv: list[str]) -> None:
    """Run one stream and print its report."""
    parser = argparse.ArgumentParser(prog="virtfn.lab.guest.stream")
    parser.add_argument("--from", dest="source", type=End.parse, required=True)
    parser.add_argument("--to", dest="targets", type=End.parse, action="append", required=True)
    parser.add_argument("--rate", type=float, default=100.0, help="frames a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--stop-on-eof", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    stream = FrameStream(options.source, options.targets, options.rate, options.seconds)
    stopped = stop_conditions(on_eof=options.stop_on_eof)
    print("flowing", file=sys.stderr, flush=True)  # noqa: T201
    stream.flow(stopped)
    report = stream.report()
    text = json.dumps(report) if options.json else "\n".join(f"{name}: {value}" for name, value in report.items())
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
