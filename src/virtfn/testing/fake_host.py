"""A host with SR-IOV PFs in memory: what is read, what may be written, and who gets a frame.

It has no rules of its own: who gets a frame is ``eswitch.forwarding``, what a write changes ``eswitch.transitions``,
what a driver refuses ``eswitch.limits``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from virtfn.errors import UsageError, VirtfnError
from virtfn.eswitch.counters import FrameCount, Reading
from virtfn.eswitch.forwarding import Frame
from virtfn.eswitch.nic_state import WIRE
from virtfn.mirroring.counting import counter_tally
from virtfn.mirroring.proof import tally
from virtfn.model.addresses import MacAddress, PciAddress, VfRef
from virtfn.model.fields import needs_override
from virtfn.model.inventory import (
    Holder,
    HolderKind,
    Inventory,
    Known,
    Netdev,
    PfState,
    Unknown,
    VfState,
    Vlan,
)
from virtfn.model.plan import Target, Value
from virtfn.model.probe import Caught, NoMeter, ProbeBurst, ProbePoint, Tally
from virtfn.testing.fake_pf import OTHER_FIELDS, FakePf, FakeVf

Hook = Callable[[str, Target, str, Value], None]
_SIMULATED = Unknown("a simulated VF has no PCI device")
_NOT_REPORTED = Unknown("the driver does not report it")


class FakeHost:
    """Implements the Host and the Prober protocols. ``hook`` is called before each read and write and may raise.

    Without ``pfs`` it has the one PF ``p2p1`` with ``vfs``; ``vfs``, ``driver`` and ``up`` are always the first PF's,
    as are the guests (``vmN:eth0``) and the frames. ``meanwhile`` is called in the middle of each burst, and once while
    counters are read without one (with None): a test lets happen there what others do.
    """

    def __init__(
        self,
        vfs: tuple[FakeVf, ...] = (),
        *,
        driver: str = "igb",
        hook: Hook | None = None,
        pfs: tuple[FakePf, ...] = (),
    ) -> None:
        self.pfs = list(pfs) or [FakePf(list(vfs), driver)]
        self.hook = hook
        self.outside: dict[MacAddress, str] = {}
        self.bystander_losses = 0
        self.meanwhile: Callable[[ProbeBurst | None], None] = lambda _: None
        self._wire = MacAddress.parse("52:54:00:00:00:01")

    @property
    def vfs(self) -> list[FakeVf]:
        """The first PF's VFs."""
        return self.pfs[0].vfs

    @vfs.setter
    def vfs(self, vfs: list[FakeVf]) -> None:
        self.pfs[0].vfs = vfs

    @property
    def driver(self) -> str:
        """The first PF's driver."""
        return self.pfs[0].driver

    @driver.setter
    def driver(self, driver: str) -> None:
        self.pfs[0].driver = driver

    @property
    def up(self) -> bool:
        """Whether the first PF is up."""
        return self.pfs[0].up

    @up.setter
    def up(self, up: bool) -> None:
        self.pfs[0].up = up

    def observe(self) -> Inventory:
        """All PFs with their VFs."""
        return Inventory(tuple(self._pf(number, pf) for number, pf in enumerate(self.pfs)))

    def outside_macs(self, pf_netdev: str) -> Mapping[MacAddress, str]:
        """What was put into ``outside``."""
        return dict(self.outside) if pf_netdev == self.pfs[0].name else {}

    def read(self, target: Target, field: str) -> Value:
        """One field in normal form. Raises UsageError for what does not exist."""
        self._tell("read", target, field, None)
        if target.kind == "pf":
            return self._named(target.id).read(field)
        if target.kind == "vf":
            pf, index = self._vf_at(target)
            return pf.read_vf(index, field)
        if target.id == "wire:w0":
            return str(self._wire)
        return self.pfs[0].read_guest(self._guest(target), field)

    def read_all(self, keys: Sequence[tuple[Target, str]]) -> list[Value | VirtfnError]:
        """Many fields, one after the other: each its value or its error."""
        return [self._read_or_error(target, field) for target, field in keys]

    def write_all(self, changes: Sequence[tuple[Target, str, Value]]) -> None:
        """Many fields, one after the other, until one is refused."""
        for target, field, value in changes:
            self.write(target, field, value)

    def write(self, target: Target, field: str, value: Value) -> None:
        """Set one field by the kernel's rules. Raises KernelRefused, UsageError."""
        self._tell("write", target, field, value)
        if target.kind == "pf":
            pf = self._named(target.id)
            cut = field == "up" and not value and pf.down_cuts_vfs
            self.bystander_losses += len(pf.vfs) if cut else 0
            pf.write(field, value)
        elif target.kind == "vf":
            pf, index = self._vf_at(target)
            pf.write_vf(index, field, value)
        else:
            self.pfs[0].write_guest(self._guest(target), field, value)

    def ready(self, point: ProbePoint) -> ProbePoint | NoMeter:
        """The point with its counter's ring, or why it has none now."""
        if point.counter is None:
            return point
        now = self._reading(point)
        if isinstance(now, Unknown):
            return NoMeter(point.label, now.reason)
        return replace(point, counter=replace(point.counter, ring=now.ring))

    def idle(self, burst: ProbeBurst, seconds: float) -> Mapping[str, Tally]:
        """What counters count while only ``meanwhile`` happens."""
        counts = self._counts(burst.watchers, {})
        self.meanwhile(None)
        return _tallies(0, self._counts(burst.watchers, counts))

    def send(self, burst: ProbeBurst) -> Mapping[str, Tally]:
        """Forward a burst as the first PF's NIC does; an endpoint that is no port of it is the wire.

        ``meanwhile`` happens after the first half of it.
        """
        counts = self._counts(burst.watchers, {})
        caught: dict[str, list[Caught]] = {one.label: [] for one in burst.watchers if not one.counter}
        middle = burst.count // 2
        for numbers in (range(middle), range(middle, burst.count)):
            self._forward(burst, numbers, caught)
            counts = self._counts(burst.watchers, counts)
            if not numbers.start:
                self.meanwhile(burst)
                counts = self._counts(burst.watchers, counts)
        seen = {
            one.label: tally(burst.count, caught[one.label], one.endpoint.vlan.id if one.endpoint else 0)
            for one in burst.watchers
            if not one.counter
        }
        return {**seen, **_tallies(burst.count, counts)}

    def _forward(self, burst: ProbeBurst, numbers: range, caught: Mapping[str, list[Caught]]) -> None:
        """Give frames to who receives them, and let counters grow.

        A capture outside VFs sees the tag of their VLAN. Frames are for another host where the netdev's MAC is another.
        """
        pf = self.pfs[0]
        vfs = {f"{pf.name}/{index}": index for index in range(len(pf.vfs))}
        sender, tag = burst.sender, burst.sender.vlan.id
        place = sender.label if sender.label in (pf.name, *vfs) else WIRE
        source = None if sender.mac.is_zero else sender.mac
        receivers = pf.receivers(Frame(place, burst.destination, source, tag))
        inside = pf.vfs[vfs[place]].vlan if place in vfs else tag
        for label, index in vfs.items():
            if label in receivers:
                pf.count(index, len(numbers))
        for point in (one for one in burst.watchers if one.label in caught):
            if (point.label if point.label in (pf.name, *vfs) else WIRE) in receivers:
                vlan = None if point.label in vfs else inside or None
                others = point.endpoint is not None and point.endpoint.mac != burst.destination
                caught[point.label].extend(
                    Caught(number, intact=True, vlan=vlan, other_host=others) for number in numbers
                )

    def _counts(self, points: Sequence[ProbePoint], before: Mapping[str, FrameCount]) -> Mapping[str, FrameCount]:
        """The counts of these points with one more reading each."""
        now = {one.label: self._reading(one) for one in points if one.counter}
        return {
            label: before[label].after(reading) if label in before else FrameCount(reading)
            for label, reading in now.items()
        }

    def _reading(self, point: ProbePoint) -> Known[Reading]:
        vf = point.counter.vf if point.counter else 0
        return self.pfs[0].reading(point.meter, vf)

    def _pf(self, number: int, pf: FakePf) -> PfState:
        return PfState(
            device=pf.device,
            name=pf.name,
            ifindex=2 + number,
            mac=MacAddress.parse(pf.mac),
            driver=pf.driver,
            vendor_device=pf.vendor_device,
            num_vfs=len(pf.vfs),
            total_vfs=pf.total_vfs,
            up=pf.up,
            carrier=pf.up,
            promiscuous=pf.read("promisc") is True,
            mtu=pf.mtu,
            numa_node=None,
            eswitch_mode=pf.eswitch_mode,
            autoprobe=pf.autoprobe,
            promisc=pf.read("promisc") is True,
            vfs=tuple(_vf(pf, number, index) for index in range(len(pf.vfs))),
        )

    def _named(self, device: str) -> FakePf:
        found = next((pf for pf in self.pfs if pf.device == device), None)
        if found is None:
            raise UsageError(f"there is no PF {device}")
        return found

    def _vf_at(self, target: Target) -> tuple[FakePf, int]:
        ref = VfRef.parse(target.id)
        pf = self._named(ref.pf)
        if ref.index >= len(pf.vfs):
            raise UsageError(f"there is no vf {target.id}")
        return pf, ref.index

    def _guest(self, target: Target) -> int:
        index = next((place for place in range(len(self.vfs)) if target.id == f"vm{place}:eth0"), None)
        if target.kind != "netdev" or index is None:
            raise UsageError(f"there is no {target.kind} {target.id}")
        return index

    def _read_or_error(self, target: Target, field: str) -> Value | VirtfnError:
        try:
            return self.read(target, field)
        except VirtfnError as error:
            return error

    def _tell(self, action: str, target: Target, field: str, value: Value) -> None:
        if self.hook:
            self.hook(action, target, field, value)


def _tallies(count: int, counts: Mapping[str, FrameCount]) -> Mapping[str, Tally]:
    return {label: counter_tally(count, one.frames, one.broken) for label, one in counts.items()}


def _vf(pf: FakePf, number: int, index: int) -> VfState:
    vf = pf.vfs[index]
    simulated = pf.driver == "netdevsim"
    others: dict[str, Any] = {name: vf.settings.get(name, _NOT_REPORTED) for name in OTHER_FIELDS}
    return VfState(
        index=index,
        pci=_SIMULATED if simulated else PciAddress(0, 1 + number, 0x10 + index * 2 // 8, index * 2 % 8),
        mac=MacAddress.parse(vf.mac),
        vlans=(Vlan(vf.vlan, vf.qos, vf.protocol),) if vf.vlan or vf.qos else (),
        spoofchk=vf.spoofchk,
        trust=vf.trust,
        link_state=vf.link_state,
        min_tx_rate_mbps=vf.min_tx_rate_mbps,
        max_tx_rate_mbps=vf.max_tx_rate_mbps,
        driver=_SIMULATED if simulated else pf.driver_of(vf),
        holder=_SIMULATED if simulated else _holder(pf, number, index),
        **others,
    )


def _holder(pf: FakePf, number: int, index: int) -> Known[Holder]:
    vf = pf.vfs[index]
    driver = pf.driver_of(vf)
    if not vf.reachable:
        return Holder(HolderKind.VFIO, detail="qemu (pid 7)", opened=True)
    if driver is None:
        return Holder(HolderKind.NOBODY)
    if needs_override(driver):
        return Holder(HolderKind.VFIO, detail="group 12")
    mac = MacAddress.parse(vf.guest_mac or vf.mac)
    inside = vf.place == "vm"
    name, netns = ("eth0", f"vm{index}") if inside else (f"{pf.name}v{index}", "")
    netdev = Netdev(name, netns, 10 + 100 * number + index, mac, vf.mtu, vf.guest_up, vf.guest_up)
    return Holder(HolderKind.NETNS if inside else HolderKind.HOST, netdev)


def field_note_host() -> FakeHost:
    """The host of the 2015 field note: PF ``p2p1`` with four VFs, three of them with MACs."""
    macs = ("00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59")
    return FakeHost(tuple(FakeVf(mac) for mac in macs))
