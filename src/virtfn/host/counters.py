"""Reads the meters that only count: ring positions in the PF's register dump, per-VF statistics, representors.

Sources: include/uapi/linux/ethtool.h (ETHTOOL_GDRVINFO, ETHTOOL_GREGS), include/uapi/linux/if_link.h (IFLA_VF_STATS,
IFLA_STATS64), Documentation/networking/representors.rst (phys_port_name).
"""

import array
import errno as codes
import fcntl
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from virtfn.errors import VirtfnError
from virtfn.eswitch.counters import FrameCount, Reading, ring_of
from virtfn.host.kernel_errors import KernelCall
from virtfn.host.rtnetlink import RouteSocket
from virtfn.mirroring.counting import counter_tally
from virtfn.model.inventory import Known, Unknown
from virtfn.model.probe import Counter, NoMeter, ProbeBurst, ProbePoint, Tally

_SIOCETHTOOL = 0x8946
_ETHTOOL_GDRVINFO, _ETHTOOL_GREGS = 0x3, 0x4
_DRVINFO_LENGTH, _REGDUMP_LENGTH_AT = 196, 192
_REGS_HEAD = struct.Struct("=III")  # struct ethtool_regs: cmd, version, len
_NET = Path("/sys/class/net")
_VF_PORT = re.compile(r"(?:c\d+)?pf\d+vf(\d+)")

ReadCounters: TypeAlias = Callable[[Sequence[Counter]], Mapping[Counter, Known[Reading]]]
"""Reads counters of one kind. Raises PermissionDenied, KernelRefused."""


class CounterReader:
    """Reads one meter that only counts.

    It is read again and again while a burst is counted, so that a ring which goes round more than once is noticed.
    ``resolve``: finds the netdev that has the counter, where it is not the PF's.
    """

    def __init__(
        self,
        read: ReadCounters,
        resolve: Callable[[Counter], Known[Counter]] = lambda counter: counter,
        *,
        period_s: float = 0.02,
    ) -> None:
        self._read = read
        self._resolve = resolve
        self._period_s = period_s

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with its counter's ring as it is now, or why it cannot be read."""
        try:
            counter = self._resolve(point.counter) if point.counter else Unknown("it has no counter")
            if isinstance(counter, Unknown):
                return NoMeter(point.label, counter.reason)
            now = self._read((counter,))[counter]
        except VirtfnError as fault:
            return NoMeter(point.label, str(fault))
        if isinstance(now, Unknown):
            return NoMeter(point.label, now.reason)
        return replace(point, counter=replace(counter, ring=now.ring))

    @contextmanager
    def start(self, burst: ProbeBurst, points: Sequence[ProbePoint]) -> "Iterator[CountedBurst]":
        """Count at these points while the block runs. Raises PermissionDenied, KernelRefused."""
        counters = {point.label: point.counter for point in points if point.counter}
        yield CountedBurst(burst.count, counters, self._read, self._period_s)


class CountedBurst:
    """What has been counted of one burst so far."""

    def __init__(self, count: int, counters: Mapping[str, Counter], read: ReadCounters, period_s: float) -> None:
        self._count = count
        self._counters = counters
        self._read = read
        self._period_s = period_s
        self._found = {label: FrameCount(now) for label, now in self._readings().items()}
        self._next = time.monotonic() + period_s

    def collect(self, wait_s: float) -> bool:
        """Wait for the next reading, at most ``wait_s``, and take it; whether a counter has grown."""
        time.sleep(max(0.0, min(wait_s, self._next - time.monotonic())))
        return time.monotonic() >= self._next and self._take()

    def tallies(self) -> Mapping[str, Tally]:
        """What each point has counted up to now, by its label."""
        self._take()
        return {label: counter_tally(self._count, one.frames, one.broken) for label, one in self._found.items()}

    def _take(self) -> bool:
        before = {label: one.frames for label, one in self._found.items()}
        self._found = {label: self._found[label].after(now) for label, now in self._readings().items()}
        self._next = time.monotonic() + self._period_s
        return before != {label: one.frames for label, one in self._found.items()}

    def _readings(self) -> Mapping[str, Known[Reading]]:
        found = self._read(tuple(self._counters.values()))
        return {label: found[counter] for label, counter in self._counters.items()}


def read_rings(counters: Sequence[Counter]) -> Mapping[Counter, Known[Reading]]:
    """The receive rings of VFs, from one register dump per PF. ``ethtool -d PF raw on``."""
    dumps = {netdev: register_dump(netdev) for netdev in {one.netdev for one in counters}}
    return {one: ring_of(dumps[one.netdev], one.vf) for one in counters}


def read_vf_statistics(counters: Sequence[Counter]) -> Mapping[Counter, Known[Reading]]:
    """The received packets of VFs, from one link message per PF. ``ip -s link show dev PF``."""
    with RouteSocket() as route:
        found = {netdev: route.vf_received(netdev) for netdev in {one.netdev for one in counters}}
    missing = Unknown("the kernel does not report statistics of this VF")
    return {
        one: Reading(frames) if (frames := found[one.netdev].get(one.vf)) is not None else missing for one in counters
    }


def read_representors(counters: Sequence[Counter]) -> Mapping[Counter, Known[Reading]]:
    """What VFs receive: the packets that their representors have sent. ``ip -s link show dev REPRESENTOR``."""
    with RouteSocket() as route:
        return {one: Reading(route.sent_packets(one.netdev)) for one in counters}


def representor_of(counter: Counter, net: Path = _NET) -> Known[Counter]:
    """The counter at the VF's representor: the netdev of the PF's switch whose port is that VF's."""
    switch = _text(net / counter.netdev / "phys_switch_id")
    for folder in sorted(net.iterdir()) if switch else ():
        port = _VF_PORT.fullmatch(_text(folder / "phys_port_name"))
        if port and int(port[1]) == counter.vf and _text(folder / "phys_switch_id") == switch:
            return replace(counter, netdev=folder.name)
    return Unknown("the VF has no representor on this host")


def register_dump(netdev: str) -> bytes:
    """The registers that the driver dumps, as they are. ``ethtool -d NETDEV raw on``. Needs CAP_NET_ADMIN.

    Raises PermissionDenied; KernelRefused where the driver dumps none.
    """
    attempt = KernelCall(netdev, "ETHTOOL_GREGS", f"ethtool -d {netdev} raw on")
    about = array.array("B", struct.pack("=I", _ETHTOOL_GDRVINFO).ljust(_DRVINFO_LENGTH, b"\0"))
    _ethtool(netdev, about, attempt)
    length = struct.unpack_from("=I", about.tobytes(), _REGDUMP_LENGTH_AT)[0]
    if not length:
        raise attempt.refused(codes.EOPNOTSUPP)
    registers = array.array("B", _REGS_HEAD.pack(_ETHTOOL_GREGS, 0, length).ljust(_REGS_HEAD.size + length, b"\0"))
    _ethtool(netdev, registers, attempt)
    return registers.tobytes()[_REGS_HEAD.size :]


def _ethtool(netdev: str, request: "array.array[int]", attempt: KernelCall) -> None:
    ifreq = struct.pack("16sP16x", netdev.encode(errors="surrogateescape")[:15], request.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, _SIOCETHTOOL, ifreq)
        except OSError as error:
            raise attempt.refused(error.errno or codes.EIO) from error


def _text(path: Path) -> str:
    """The content of a file, "" where there is none or the driver does not tell."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
