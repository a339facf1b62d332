"""What can be known of a NIC driver, and how well it is known. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Rung(StrEnum):
    """How high a fact has been proven, lowest first."""

    NOT_KNOWN = "not known"
    SOURCE = "read in the driver's source"
    EMULATED = "measured on the emulated NIC"
    HARDWARE = "measured on hardware"


class Topic(StrEnum):
    """What a fact is about. Forwarding and transitions find the evidence for a decision by its topic."""

    ADMIN_MAC = "admin MAC"
    GUEST_MAC = "guest MAC"
    VF_RESET = "VF reset"
    TRUST = "trust"
    PF_DOWN = "PF down"
    PF_MTU = "PF MTU"
    VF_DOWN = "VF down"
    UNICAST = "unicast"
    SAME_MAC = "same MAC twice"
    UNMATCHED = "unmatched unicast"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    VLAN = "VLAN"
    VLAN_MISS = "no VF of the VLAN has the MAC"
    SPOOF_CHECK = "spoof check"
    PF_PROMISCUOUS = "promiscuous PF"
    VF_PROMISCUOUS = "promiscuous VF"
    FLOW_RULES = "flow rules"
    MODE = "eswitch mode"
    FRESH_VF = "fresh VF"
    METER = "meter"


@dataclass(frozen=True)
class Evidence:
    """One fact, its rung, its source, and its topic where a decision is made by it."""

    fact: str
    rung: Rung
    source: str
    topic: Topic | None = None


LINUX = "Linux 6.12 drivers/net/ethernet/"


def read_in_linux(topic: Topic, fact: str, source: str) -> Evidence:
    """Evidence read in the kernel's source; ``source``: a file below ``drivers/net/ethernet`` and its functions."""
    return Evidence(fact, Rung.SOURCE, LINUX + source, topic)


class AdminMacEffect(StrEnum):
    """What ``ip link set PF vf N mac M`` changes in the NIC at once."""

    FILTER_AT_ONCE = "filter at once"
    RESETS_VF = "resets the VF"
    ADDRESS_ONLY = "address only"
    NOT_KNOWN = "not known"


class SameMacDelivery(StrEnum):
    """Who gets a frame whose destination MAC is in the filters of two VFs."""

    BOTH = "both"
    NOT_KNOWN = "not known"


class GuestMac(StrEnum):
    """Which MACs of its own a guest may put into its VF's filter."""

    ANY = "any"
    TRUSTED = "if trusted, or no admin MAC is set"
    NOT_KNOWN = "not known"


class MeterName(StrEnum):
    """The ways to count what a VF receives without its netdev, strongest first."""

    RINGS = "rings"
    VF_STATISTICS = "vf-statistics"
    REPRESENTOR = "representor"


@dataclass(frozen=True)
class MeterFacts:
    """A counter that the PF's driver has for its VFs.

    ``vfs``: it has one for the first so many only; None: for all. ``lag_s``: how much later than the frames it grows.
    """

    name: MeterName
    vfs: int | None = None
    lag_s: float = 0.0


class ModeChange(StrEnum):
    """What a driver requires of the VFs when its eswitch mode is changed; UNSUPPORTED: legacy mode only."""

    UNSUPPORTED = "unsupported"
    NO_VFS = "no VFs may exist"
    VFS_UNBOUND = "VFs must be unbound"
    VFS_MAY_STAY = "VFs may stay"
    NOT_KNOWN = "not known"


@dataclass(frozen=True)
class DriverFacts:
    """One row: what a driver does on a family of NICs, backed by ``evidence``.

    ``driver`` is the PF's; ``chip`` and ``device_ids`` (PCI ``vendor:device``) tell rows of one driver apart.
    ``max_vfs`` is per PF where the chip limits it. ``vf_driver`` is the kernel's own driver for its VFs.
    ``mac_needs_reload``: a VF's driver takes a new admin MAC only when it is reset or bound again.
    ``spoofchk_at_first``: the spoof check of a new VF. ``mirror_strategies``: the names of those to try, best first.
    ``meters``: the counters that it is known to fill. ``limits`` has what a driver refuses. None: not known.
    """

    driver: str
    admin_mac: AdminMacEffect
    rung: Rung
    evidence: tuple[Evidence, ...]
    same_mac: SameMacDelivery = SameMacDelivery.NOT_KNOWN
    trust_resets_vf: bool | None = None
    pf_down_cuts_vfs: bool | None = None
    max_vfs: int | None = None
    vf_driver: str | None = None
    mode_change: ModeChange = ModeChange.NOT_KNOWN
    mac_needs_reload: bool | None = None
    spoofchk_at_first: bool | None = None
    guest_mac: GuestMac = GuestMac.NOT_KNOWN
    chip: str = ""
    device_ids: frozenset[str] = frozenset()
    mirror_strategies: tuple[str, ...] = ("twin-mac",)
    meters: tuple[MeterFacts, ...] = ()

    def meter(self, name: MeterName) -> MeterFacts | None:
        """What is known of this counter; None where the driver is not known to fill it."""
        return next((one for one in self.meters if one.name is name), None)

    @property
    def label(self) -> str:
        """``igb (I350)``, ``ice``."""
        return f"{self.driver} ({self.chip})" if self.chip else self.driver

    def about(self, topic: Topic, *rungs: Rung) -> Evidence | None:
        """The evidence on a topic, the best proven first; None where nothing is known. ``rungs``: only these."""
        found = [one for one in self.evidence if one.topic is topic and one.rung is not Rung.NOT_KNOWN]
        ranked = sorted(found, key=lambda one: list(Rung).index(one.rung), reverse=True)
        return next((one for one in ranked if not rungs or one.rung in rungs), None)
