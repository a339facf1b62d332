"""One PF in memory with its VFs: which fields it has, and which writes its driver accepts.

The rules are the kernel's and the driver table's. VFs are created and destroyed through 0 only; a new VF has defaults.
A VF that a process has open through vfio cannot be destroyed. What a driver refuses (``eswitch.limits``) is refused, or
ignored where the driver reports success and does nothing.
"""

import errno as codes
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from virtfn.errors import CapabilityError, GuardRefused, KernelRefused, UsageError
from virtfn.eswitch.counters import Reading, ring_of, ring_words
from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import DriverFacts, MeterName, ModeChange
from virtfn.eswitch.forwarding import Frame, predict
from virtfn.eswitch.limits import limits_on
from virtfn.eswitch.nic_state import NicState, PfPort, VfPort, family_of, known_filters
from virtfn.eswitch.transitions import after_guest_write, after_pf_write, after_vf_write, takes_guest_mac, vf_bound
from virtfn.model.addresses import MacAddress
from virtfn.model.fields import NATIVE, NO_MAC, PF_FIELDS, VF_FIELDS, needs_override
from virtfn.model.inventory import EswitchMode, Known, Unknown, VfLinkState, Vlan, VlanProtocol
from virtfn.model.plan import Value

Change = Callable[[DriverFacts | None, VfPort, str, Value], VfPort]
_MODELLED = frozenset({"mac", "vlan", "spoofchk", "trust", "rate", "link_state", "driver"})
OTHER_FIELDS = tuple(name for name in VF_FIELDS if name not in _MODELLED)
"""Fields of a VF that are kept and given back, and change nothing else here."""


@dataclass(frozen=True)
class FakeVf:
    """One VF as the PF knows it, and who has it.

    ``driver``: a name, "native" for the kernel's own, None for none. ``place``: where its netdev is while it has one,
    "vm" (``eth0`` in namespace ``vmN``) or "host". ``reachable`` False: a guest has it open through vfio.
    ``settings`` holds the fields on which no frame depends (``OTHER_FIELDS``); one that is missing is not reported.
    ``ring``: the entries of the receive ring that its driver sets up.
    """

    mac: str
    vlan: int = 0
    trust: bool = False
    spoofchk: bool = True
    guest_mac: str = ""
    guest_up: bool = True
    reachable: bool = True
    qos: int = 0
    protocol: VlanProtocol = VlanProtocol.C_TAG
    link_state: VfLinkState = VfLinkState.AUTO
    min_tx_rate_mbps: int = 0
    max_tx_rate_mbps: int = 0
    driver: str | None = NATIVE
    place: str = "vm"
    mtu: int = 1500
    ring: int = 256
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass
class FakePf:
    """One PF. ``refuses_twins``: its driver refuses a MAC that another of its VFs has (ice, for some releases).

    ``unknown_as``: the driver by whose rules the NIC forwards where its own are not known. ``modules`` are the VF
    drivers that are loaded; None: all. ``received``: the frames that each VF's counter has counted, by the VF's index.
    """

    vfs: list[FakeVf]
    driver: str = "igb"
    device: str = "0000:01:00.0"
    name: str = "p2p1"
    mac: str = "a0:36:9f:68:fc:f4"
    vendor_device: str = "8086:10c9"
    total_vfs: int = 7
    mtu: int = 1500
    up: bool = True
    autoprobe: bool = True
    eswitch_mode: EswitchMode = EswitchMode.LEGACY
    refuses_twins: bool = False
    unknown_as: str = "igb"
    modules: frozenset[str] | None = None
    received: dict[int, int] = field(default_factory=dict)
    destroyed: list[FakeVf] = field(default_factory=list)
    settings: dict[str, Value] = field(default_factory=dict)

    @property
    def nic(self) -> NicState:
        """The NIC's switch, all of it known. An igb is QEMU's, without its checks."""
        return self._nic_of(self.driver)

    def receivers(self, frame: Frame) -> frozenset[str]:
        """The ports that get a frame, by the driver's family; where that is Unknown, by the one of ``unknown_as``."""
        found = predict(self.nic, frame)
        filled_in = predict(self._nic_of(self.unknown_as), frame) if found.unknown else found
        return found.receivers | (filled_in.receivers & frozenset(found.unknown))

    def reading(self, meter: str, index: int) -> Known[Reading]:
        """A VF's counter as this meter reads it; an igb's through its register dump."""
        if meter == MeterName.RINGS:
            return ring_of(self.register_dump(), index)
        return Reading(self.received.get(index, 0))

    def register_dump(self) -> bytes:
        """The registers of an igb as its driver dumps them: the rings of the VFs, all else 0."""
        dump = bytearray(4 * 740)
        for index, vf in enumerate(self.vfs):
            words, running = ring_words(index), self._port(index, vf, self._facts).up
            struct.pack_into("=I", dump, 4 * words.length, vf.ring * 16 if running else 0)
            struct.pack_into("=I", dump, 4 * words.head, self.received.get(index, 0) % vf.ring if running else 0)
        return bytes(dump)

    def count(self, index: int, frames: int) -> None:
        """Let a VF's counter grow by so many frames, whoever sent them."""
        self.received[index] = self.received.get(index, 0) + frames

    def _nic_of(self, driver: str) -> NicState:
        facts = facts_of(driver, self.vendor_device)
        pf = PfPort(self.name, MacAddress.parse(self.mac), self.up, self.settings.get("promisc") is True)
        vfs = tuple(self._port(index, vf, facts) for index, vf in enumerate(self.vfs))
        return NicState(family_of(driver, facts, self.eswitch_mode), facts, pf, vfs, driver == "igb", rules=())

    def read_guest(self, index: int, name: str) -> Value:
        """A field of a VF's netdev. Raises UsageError for one that it has not."""
        vf = self.vfs[index]
        mac = vf.guest_mac or vf.mac
        values: dict[str, Value] = {"up": vf.guest_up, "mtu": vf.mtu, "mac": mac, "guest_mac": mac}
        if name not in values:
            raise UsageError(f"a netdev has no field {name!r}")
        return values[name]

    def write_guest(self, index: int, name: str, value: Value) -> None:
        """Set a field of a VF's netdev, as its guest does. Raises UsageError for one that it has not, KernelRefused."""
        self.read_guest(index, name)
        if name == "mac" and takes_guest_mac(self._facts, self._port(index, self.vfs[index], self._facts)) is False:
            raise self._refused(index, codes.EADDRNOTAVAIL, "Cannot assign requested address")
        self._change(index, after_guest_write, name, value)
        if name == "up":
            self.vfs[index] = replace(self.vfs[index], guest_up=bool(value))
        elif name == "mtu":
            self.vfs[index] = replace(self.vfs[index], mtu=_number(value))

    def _change(self, index: int, rule: Change, name: str, value: Value) -> None:
        """Apply what the driver's row says of a write to a VF, or in its guest."""
        facts, vf = self._facts, self.vfs[index]
        self.vfs[index] = _from_port(vf, rule(facts, self._port(index, vf, facts), name, value))

    def _port(self, index: int, vf: FakeVf, facts: DriverFacts | None) -> VfPort:
        admin, guest = MacAddress.parse(vf.mac), MacAddress.parse(vf.guest_mac or vf.mac)
        filters, _ = known_filters(facts, admin, guest, trust=vf.trust)
        driver = self.driver_of(vf)
        running = not vf.reachable or (driver is not None and not needs_override(driver) and vf.guest_up)
        return VfPort(
            label=self._label(index),
            netdev=f"vm{index}:eth0",
            admin_mac=admin,
            guest_mac=guest,
            filters=filters,
            vlan=vf.vlan,
            trust=vf.trust,
            spoofchk=vf.spoofchk,
            link_state=vf.link_state,
            up=running,
        )

    @property
    def _facts(self) -> DriverFacts | None:
        return facts_of(self.driver, self.vendor_device)

    @property
    def down_cuts_vfs(self) -> bool:
        """Whether taking the PF down cuts its VFs off; True where that is not known."""
        return self._facts is None or self._facts.pf_down_cuts_vfs is not False

    @property
    def native(self) -> str:
        """The kernel's driver for these VFs."""
        facts = self._facts
        return (facts.vf_driver if facts else None) or f"{self.driver}vf"

    def driver_of(self, vf: FakeVf) -> str | None:
        """The driver that has the VF now, by its own name."""
        if not vf.reachable:
            return "vfio-pci"
        return self.native if vf.driver == NATIVE else vf.driver

    def read(self, name: str) -> Value:
        """A field of the PF. Raises UsageError for one that it has not."""
        values: dict[str, Value] = {
            "num_vfs": len(self.vfs),
            "autoprobe": self.autoprobe,
            "eswitch_mode": str(self.eswitch_mode),
            "mtu": self.mtu,
            "up": self.up,
        }
        if name not in PF_FIELDS:
            raise UsageError(f"a PF has no field {name!r}")
        return values[name] if name in values else self.settings.get(name, False)

    def write(self, name: str, value: Value) -> None:
        """Set a field of the PF. Raises UsageError, KernelRefused, GuardRefused."""
        if name == "num_vfs":
            self._set_num_vfs(_number(value))
        elif name == "eswitch_mode":
            self._set_mode(EswitchMode(str(value)))
        elif name == "mtu":
            self.mtu = _number(value)
        elif name == "autoprobe":
            self.autoprobe = bool(value)
        elif name == "up":
            nic = after_pf_write(self.nic, name, value)
            self.up = bool(value)
            self.vfs[:] = [_from_port(vf, port) for vf, port in zip(self.vfs, nic.vfs, strict=True)]
        elif name in PF_FIELDS:
            self.settings[name] = value
        else:
            raise UsageError(f"{name} of a PF cannot be written")

    def read_vf(self, index: int, name: str) -> Value:
        """A field of a VF. Raises UsageError for one it has not, CapabilityError where the driver does not tell."""
        vf = self.vfs[index]
        values: dict[str, Value] = {
            "mac": vf.mac,
            "vlan": {"id": vf.vlan, "qos": vf.qos, "protocol": str(vf.protocol)},
            "spoofchk": vf.spoofchk,
            "trust": vf.trust,
            "rate": {"min_tx_rate_mbps": vf.min_tx_rate_mbps, "max_tx_rate_mbps": vf.max_tx_rate_mbps},
            "link_state": str(vf.link_state),
            "driver": self.driver_of(vf),
            **vf.settings,
        }
        if name not in VF_FIELDS:
            raise UsageError(f"a VF has no field {name!r}")
        if name not in values:
            raise CapabilityError(f"{name} cannot be read: the driver does not report it", where=self._label(index))
        return values[name]

    def write_vf(self, index: int, name: str, value: Value) -> None:
        """Set a field of a VF by its driver's rules. Raises KernelRefused, UsageError, GuardRefused."""
        for row in limits_on(self.driver, name, value, mode=self.eswitch_mode):
            if row.silent:
                return
            raise self._refused(index, codes.EINVAL if row.absolute else codes.EOPNOTSUPP, row.evidence.fact)
        vf = self.vfs[index]
        if name == "mac":
            self._refuse_twin(index, str(value))
            self._change(index, after_vf_write, name, value)
        elif name == "trust" and isinstance(value, bool):
            self._change(index, after_vf_write, name, value)
        elif name == "driver":
            self.vfs[index] = self._bound(index, vf, value)
        else:
            self.vfs[index] = _with(vf, name, value)

    def _set_num_vfs(self, wanted: int) -> None:
        now = len(self.vfs)
        if now == wanted:
            return
        if now and wanted:
            raise UsageError(f"the number of VFs cannot go from {now} to {wanted}", where=self.name)
        if wanted > self.total_vfs:
            raise KernelRefused("Numerical result out of range (ERANGE)", where=self.name, errno=codes.ERANGE)
        for index in range(now):
            self._refuse_open(index)
        self.destroyed += self.vfs
        self.vfs[:] = [self._fresh() for _ in range(wanted)]

    def _fresh(self) -> FakeVf:
        known = self.modules is None or self.native in self.modules
        facts = self._facts
        return FakeVf(
            NO_MAC,
            spoofchk=facts is None or facts.spoofchk_at_first is not False,
            settings=self._fresh_settings(),
            driver=NATIVE if self.autoprobe and known and self.driver != "netdevsim" else None,
            place="host",
            guest_up=False,
        )

    def _fresh_settings(self) -> dict[str, Value]:
        """The other fields of a new VF; the driver reports those that it is not known to refuse."""
        fresh = ((name, VF_FIELDS[name].fresh) for name in OTHER_FIELDS)
        return {
            name: value
            for name, value in fresh
            if not isinstance(value, Unknown) and not limits_on(self.driver, name, value, mode=self.eswitch_mode)
        }

    def _set_mode(self, wanted: EswitchMode) -> None:
        if wanted is self.eswitch_mode:
            return
        facts = self._facts
        rule = facts.mode_change if facts else ModeChange.VFS_MAY_STAY
        bound = any(self.driver_of(vf) == self.native for vf in self.vfs)
        if rule is ModeChange.UNSUPPORTED or (rule is ModeChange.NO_VFS and self.vfs):
            raise KernelRefused("Operation not supported (EOPNOTSUPP)", where=self.name, errno=codes.EOPNOTSUPP)
        if rule is ModeChange.VFS_UNBOUND and bound:
            raise KernelRefused("Device or resource busy (EBUSY)", where=self.name, errno=codes.EBUSY)
        self.eswitch_mode = wanted

    def _refuse_twin(self, index: int, mac: str) -> None:
        others = {vf.mac for number, vf in enumerate(self.vfs) if number != index}
        if self.refuses_twins and mac != NO_MAC and mac in others:
            raise self._refused(index, codes.EINVAL, "the MAC already exists on this PF")

    def _bound(self, index: int, vf: FakeVf, wanted: Value) -> FakeVf:
        """As ``host.binding``: the driver that has it already is left alone; a new one finds the admin MAC."""
        if wanted == self.driver_of(vf):
            return vf
        self._refuse_open(index)
        name = self.native if wanted == NATIVE else wanted
        if name is not None and self.modules is not None and name not in self.modules:
            raise UsageError(f"the driver {name} is not loaded", where=self._label(index))
        if name is None or needs_override(str(name)):
            return replace(vf, driver=None if name is None else str(name), place="host", guest_up=False)
        bound = _from_port(vf, vf_bound(self._facts, self._port(index, vf, self._facts)))
        return replace(bound, driver=NATIVE if name == self.native else str(name), place="host", guest_up=False)

    def _refuse_open(self, index: int) -> None:
        if not self.vfs[index].reachable:
            raise GuardRefused(f"{self._label(index)} is open in qemu (pid 7)", where=self.name)

    def _refused(self, index: int, number: int, word: str) -> KernelRefused:
        return KernelRefused(f"{codes.errorcode[number]}: {word}", where=self._label(index), errno=number)

    def _label(self, index: int) -> str:
        return f"{self.name}/{index}"


def _from_port(vf: FakeVf, port: VfPort) -> FakeVf:
    """The VF with what a transition has changed; a MAC that is not known afterwards stays."""
    mac, own = port.admin_mac, port.guest_mac
    return replace(
        vf,
        mac=vf.mac if isinstance(mac, Unknown) else str(mac),
        guest_mac=vf.guest_mac if isinstance(own, Unknown) else str(own),
        trust=port.trust is True,
    )


def _with(vf: FakeVf, name: str, value: Value) -> FakeVf:
    if name == "vlan" and isinstance(value, Mapping):
        plain = Vlan(_number(value["id"]), _number(value["qos"]), VlanProtocol(str(value["protocol"])))
        return replace(vf, vlan=plain.id, qos=plain.qos, protocol=plain.protocol)
    if name == "rate" and isinstance(value, Mapping):
        low, high = _number(value["min_tx_rate_mbps"]), _number(value["max_tx_rate_mbps"])
        return replace(vf, min_tx_rate_mbps=low, max_tx_rate_mbps=high)
    if name == "link_state":
        return replace(vf, link_state=VfLinkState(str(value)))
    if name not in ("spoofchk", *OTHER_FIELDS):
        raise UsageError(f"{name} of a VF cannot be written")
    if type(value) is not type(VF_FIELDS[name].example):
        raise UsageError(f"{name}: {value!r} is not {VF_FIELDS[name].keys[0].type.words}")
    if name == "spoofchk":
        return replace(vf, spoofchk=bool(value))
    return replace(vf, settings={**vf.settings, name: value})


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise UsageError(f"{value!r} is not a whole number")
    return value
