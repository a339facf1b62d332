"""A host with one igb PF in memory: what is read, what may be written, and who gets a frame.

It keeps the rules measured on the emulated NIC: the admin MAC works at once; a guest without trust cannot change its
filter, and adopts the admin MAC when its driver is reset; with trust, a reset writes the guest's own MAC back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from virtfn.errors import KernelRefused, UsageError
from virtfn.eswitch.forwarding import PF, WIRE, Port, receivers
from virtfn.mirroring.proof import Catch, frame, recognise
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.inventory import (
    EswitchMode,
    Holder,
    HolderKind,
    Inventory,
    Netdev,
    PfState,
    VfLinkState,
    VfState,
    Vlan,
)
from virtfn.model.plan import Target, Value
from virtfn.model.probe import Caught, Volley

Hook = Callable[[str, Target, str, Value], None]


@dataclass(frozen=True)
class FakeVf:
    """One VF as the PF knows it, and the guest that has it: netdev ``eth0`` in namespace ``vmN``."""

    mac: str
    vlan: int = 0
    trust: bool = False
    spoofchk: bool = True
    guest_mac: str = ""
    guest_up: bool = True
    reachable: bool = True


class FakeHost:
    """Implements the Host and the Prober protocols. ``hook`` is called before each read and write and may raise."""

    def __init__(self, vfs: tuple[FakeVf, ...], *, driver: str = "igb", hook: Hook | None = None) -> None:
        self.vfs = list(vfs)
        self.driver = driver
        self.up = True
        self.hook = hook
        self.outside: dict[MacAddress, str] = {}
        self.bystander_losses = 0
        self._device = "0000:01:00.0"
        self._name = "p2p1"
        self._mac = MacAddress.parse("a0:36:9f:68:fc:f4")
        self._wire = MacAddress.parse("52:54:00:00:00:01")

    def observe(self) -> Inventory:
        """The one PF with its VFs."""
        pf = PfState(
            device=self._device,
            name=self._name,
            ifindex=2,
            mac=self._mac,
            driver=self.driver,
            vendor_device="8086:10c9",
            num_vfs=len(self.vfs),
            total_vfs=7,
            up=self.up,
            carrier=self.up,
            promiscuous=False,
            mtu=1500,
            numa_node=None,
            eswitch_mode=EswitchMode.LEGACY,
            autoprobe=True,
            vfs=tuple(self._vf(index) for index in range(len(self.vfs))),
        )
        return Inventory((pf,))

    def outside_macs(self, pf_netdev: str) -> Mapping[MacAddress, str]:
        """What was put into ``outside``."""
        return dict(self.outside) if pf_netdev == self._name else {}

    def read(self, target: Target, field: str) -> Value:
        """One field in normal form. Raises UsageError for what does not exist."""
        self._tell("read", target, field, None)
        if target.kind == "pf":
            return self.up
        if target.kind == "netdev" and target.id == "wire:w0":
            return str(self._wire)
        vf = self.vfs[self._index(target)]
        if target.kind == "netdev":
            return vf.guest_up if field == "up" else (vf.guest_mac or vf.mac)
        facts: dict[str, Value] = {"mac": vf.mac, "trust": vf.trust, "spoofchk": vf.spoofchk}
        return facts[field]

    def write(self, target: Target, field: str, value: Value) -> None:
        """Set one field by the kernel's rules. Raises KernelRefused, UsageError."""
        self._tell("write", target, field, value)
        if target.kind == "pf":
            self.bystander_losses += 0 if value else len(self.vfs)
            self.up = bool(value)
            return
        index = self._index(target)
        vf = self.vfs[index]
        if target.kind == "netdev":
            self.vfs[index] = self._write_guest(vf, field, value)
        elif field == "mac":
            mac = MacAddress.parse(str(value))
            if mac.is_multicast:
                raise KernelRefused("Invalid argument (EINVAL)", where=target.label, errno=22)
            self.vfs[index] = replace(vf, mac=str(mac), guest_mac=vf.guest_mac or vf.mac)
        else:
            self.vfs[index] = replace(vf, trust=bool(value)) if field == "trust" else replace(vf, spoofchk=bool(value))

    def shoot(self, volley: Volley) -> Catch:
        """Forward every frame of the volley by the switch's rules."""
        names = {f"{self._name}/{index}": index for index in range(len(self.vfs))}
        sender = volley.sender.label
        port = {"wire:w0": WIRE, self._name: PF}.get(sender, sender)
        vlan = self.vfs[names[sender]].vlan if sender in names else 0
        ports = tuple(
            Port(name, frozenset({MacAddress.parse(self.vfs[index].mac)}), self.vfs[index].vlan)
            for name, index in names.items()
        )
        arrivals = receivers(port, volley.destination, vlan, ports)
        return {watcher.label: self._caught(watcher.label, arrivals, volley) for watcher in volley.watchers}

    def _caught(self, label: str, arrivals: frozenset[str], volley: Volley) -> tuple[Caught, ...]:
        port = {"wire:w0": WIRE, self._name: PF}.get(label, label)
        if not self.up or port not in arrivals:
            return ()
        found = (recognise(volley, frame(volley, number)) for number in range(volley.count))
        return tuple(one for one in found if one)

    def _write_guest(self, vf: FakeVf, field: str, value: Value) -> FakeVf:
        if field == "guest_mac":
            return replace(vf, guest_mac=str(value), mac=str(value)) if vf.trust else replace(vf, guest_mac=vf.mac)
        if value and not vf.guest_up:
            own = vf.guest_mac or vf.mac
            return replace(vf, guest_up=True, mac=own) if vf.trust else replace(vf, guest_up=True, guest_mac=vf.mac)
        return replace(vf, guest_up=bool(value))

    def _vf(self, index: int) -> VfState:
        vf = self.vfs[index]
        mac = MacAddress.parse(vf.guest_mac or vf.mac)
        netdev = Netdev("eth0", f"vm{index}", 10 + index, mac, 1500, vf.guest_up, vf.guest_up)
        held = Holder(HolderKind.NETNS, netdev) if vf.reachable else Holder(HolderKind.VFIO, detail="qemu (pid 7)")
        return VfState(
            index=index,
            pci=PciAddress(0, 1, 0x10 + index * 2 // 8, index * 2 % 8),
            mac=MacAddress.parse(vf.mac),
            vlans=(Vlan(vf.vlan),) if vf.vlan else (),
            spoofchk=vf.spoofchk,
            trust=vf.trust,
            link_state=VfLinkState.AUTO,
            min_tx_rate_mbps=0,
            max_tx_rate_mbps=0,
            driver="igbvf" if vf.reachable else "vfio-pci",
            holder=held,
        )

    def _index(self, target: Target) -> int:
        guest = target.id.partition(":")[0].removeprefix("vm")
        number = target.id.rpartition("/")[2] if target.kind == "vf" else guest
        if not number.isdigit() or int(number) >= len(self.vfs):
            raise UsageError(f"there is no {target.kind} {target.id}")
        return int(number)

    def _tell(self, action: str, target: Target, field: str, value: Value) -> None:
        if self.hook:
            self.hook(action, target, field, value)


def field_note_host() -> FakeHost:
    """The host of the 2015 field note: PF ``p2p1`` with four VFs, three of them with MACs."""
    macs = ("00:00:00:00:00:00", "fa:16:3e:c0:d8:11", "fa:16:3e:a1:43:57", "fa:16:3e:aa:33:59")
    return FakeHost(tuple(FakeVf(mac) for mac in macs))
