"""The observed Physical and Virtual Functions of a host.

Every fact is either its value or ``Unknown(reason)``; 0, "" or a default never mean "not read".
``None`` is a value: it says that there is none (no driver bound, no NUMA node).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from virtfn.model.addresses import MacAddress, PciAddress, VfRef

if TYPE_CHECKING:
    from virtfn.model.plan import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Unknown:
    """A fact that could not be read, and why."""

    reason: str


Known: TypeAlias = T | Unknown
"""``Known[int]`` is an ``int`` that was read, or the reason why it was not."""

NOT_CAPTURED = Unknown("not in the captured text")


class VfLinkState(StrEnum):
    """IFLA_VF_LINK_STATE (include/uapi/linux/if_link.h): 0, 1, 2 in this order."""

    AUTO = "auto"
    ENABLE = "enable"
    DISABLE = "disable"


class EswitchMode(StrEnum):
    """How the NIC's switch forwards: by MAC and VLAN (legacy) or by representors (switchdev), as devlink names them."""

    LEGACY = "legacy"
    SWITCHDEV = "switchdev"
    SWITCHDEV_INACTIVE = "switchdev_inactive"


class VlanProtocol(StrEnum):
    """The tag's EtherType by its name: 0x8100 and 0x88a8."""

    C_TAG = "802.1Q"
    S_TAG = "802.1ad"


@dataclass(frozen=True, order=True)
class Vlan:
    """One VLAN that the PF sets on a VF. ``id`` 0 to 4095 (0: none), ``qos`` 0 to 7."""

    id: int = 0
    qos: int = 0
    protocol: VlanProtocol = VlanProtocol.C_TAG


NO_VLAN = Vlan()


class HolderKind(StrEnum):
    """Who holds the VF."""

    NOBODY = "unbound"
    HOST = "host"
    NETNS = "netns"
    VFIO = "vfio"
    OTHER = "other"


@dataclass(frozen=True)
class Netdev:
    """A network device in some namespace. ``netns`` is "" for the host's own, else a name or ``pid:N``."""

    name: str
    netns: str
    ifindex: int
    mac: MacAddress
    mtu: int
    up: bool
    carrier: Known[bool]

    def __str__(self) -> str:
        return f"{self.netns}:{self.name}" if self.netns else self.name


@dataclass(frozen=True)
class Holder:
    """Where a VF is: its netdev on the host or in a namespace, or the process that opened it through vfio.

    ``detail`` is for display: the domain of a vfio user, the driver, the pids.
    """

    kind: HolderKind
    netdev: Netdev | None = None
    detail: str = ""
    opened: Known[bool] = False


@dataclass(frozen=True)
class VfState:
    """One VF. Rates in Mbit/s (0: no limit). ``trust`` and ``rss_query`` are what the PF allows the VF."""

    index: int
    pci: Known[PciAddress] = NOT_CAPTURED
    mac: Known[MacAddress] = NOT_CAPTURED
    broadcast: Known[MacAddress] = NOT_CAPTURED
    vlans: Known[tuple[Vlan, ...]] = NOT_CAPTURED
    spoofchk: Known[bool] = NOT_CAPTURED
    trust: Known[bool] = NOT_CAPTURED
    link_state: Known[VfLinkState] = NOT_CAPTURED
    min_tx_rate_mbps: Known[int] = NOT_CAPTURED
    max_tx_rate_mbps: Known[int] = NOT_CAPTURED
    rss_query: Known[bool] = NOT_CAPTURED
    node_guid: Known[str] = NOT_CAPTURED
    port_guid: Known[str] = NOT_CAPTURED
    driver: Known[str | None] = NOT_CAPTURED
    holder: Known[Holder] = NOT_CAPTURED

    @property
    def vlan(self) -> Known[Vlan]:
        """The outermost VLAN; ``NO_VLAN`` where the list is empty."""
        if isinstance(self.vlans, Unknown):
            return self.vlans
        return self.vlans[0] if self.vlans else NO_VLAN

    @property
    def netdev(self) -> Netdev | None:
        """The VF's netdev where one can be reached, on the host or in a namespace."""
        return self.holder.netdev if isinstance(self.holder, Holder) else None


@dataclass(frozen=True)
class PfState:
    """One device with SR-IOV. ``device`` is its address on its bus, or its name where only text is known.

    ``promiscuous``: it gets all frames, for any reason; ``promisc``: the setting (``ip link set``).
    ``problems``: faults of the reading itself (a truncated VF list), for display and for guards.
    """

    device: str
    name: Known[str | None]
    ifindex: Known[int] = NOT_CAPTURED
    mac: Known[MacAddress] = NOT_CAPTURED
    permanent_mac: Known[MacAddress] = NOT_CAPTURED
    driver: Known[str | None] = NOT_CAPTURED
    vendor_device: Known[str] = NOT_CAPTURED
    num_vfs: Known[int] = NOT_CAPTURED
    total_vfs: Known[int] = NOT_CAPTURED
    up: Known[bool] = NOT_CAPTURED
    carrier: Known[bool] = NOT_CAPTURED
    promiscuous: Known[bool] = NOT_CAPTURED
    promisc: Known[bool] = NOT_CAPTURED
    mtu: Known[int] = NOT_CAPTURED
    numa_node: Known[int | None] = NOT_CAPTURED
    eswitch_mode: Known[EswitchMode] = NOT_CAPTURED
    autoprobe: Known[bool] = NOT_CAPTURED
    vfs: tuple[VfState, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name for display: the netdev's, else the device address."""
        return self.name if isinstance(self.name, str) else self.device

    def ref(self, index: int) -> VfRef:
        """The key of this PF's VF ``index``."""
        return VfRef(self.device, index)

    @property
    def target(self) -> Target:
        """The target of steps for this PF."""
        from virtfn.model.plan import Target  # reading a host needs no plans

        return Target("pf", self.device, self.label)

    def vf_target(self, index: int) -> Target:
        """The target of steps for VF ``index``."""
        from virtfn.model.plan import Target

        return Target("vf", str(self.ref(index)), f"{self.label}/{index}")

    def vf(self, index: int) -> VfState | None:
        """The VF with this index, or None."""
        if 0 <= index < len(self.vfs) and self.vfs[index].index == index:  # nearly always: they are in order
            return self.vfs[index]
        return next((vf for vf in self.vfs if vf.index == index), None)


@dataclass(frozen=True)
class Inventory:
    """All SR-IOV devices of a host, or of a capture; ``source`` says which."""

    pfs: tuple[PfState, ...] = ()
    source: str = "host"
    problems: tuple[str, ...] = ()

    def pf(self, device: str) -> PfState | None:
        """The PF with this device address, or None."""
        return next((pf for pf in self.pfs if pf.device == device), None)
