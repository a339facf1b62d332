"""What can be known of a NIC driver, and how well it is known. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Rung(StrEnum):
    """How high a fact has been proven, lowest first."""

    NOT_KNOWN = "not known"
    SOURCE = "read in the driver's source"
    EMULATED = "measured on the emulated NIC"
    HARDWARE = "measured on hardware"


@dataclass(frozen=True)
class Evidence:
    """One fact, its rung and its source."""

    fact: str
    rung: Rung
    source: str


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


class ModeChange(StrEnum):
    """What a driver wants of the VFs when its eswitch mode is changed; UNSUPPORTED: it is legacy for good."""

    UNSUPPORTED = "unsupported"
    NO_VFS = "no VFs may exist"
    VFS_UNBOUND = "VFs must be unbound"
    VFS_MAY_STAY = "VFs may stay"
    NOT_KNOWN = "not known"


@dataclass(frozen=True)
class DriverFacts:
    """One row: what a driver does, backed by ``evidence``; ``max_vfs`` is per PF where the chip fixes it.

    ``vf_driver`` is the kernel's own driver for its VFs. ``mac_needs_reload``: a VF's driver takes a new admin MAC only
    when it is reset or bound again. ``spoofchk_at_first``: what a VF that was just made has. What a driver refuses is
    in ``limits``.
    """

    driver: str
    admin_mac: AdminMacEffect
    same_mac: SameMacDelivery
    rung: Rung
    trust_resets_vf: bool | None
    pf_down_cuts_vfs: bool | None
    max_vfs: int | None
    evidence: tuple[Evidence, ...]
    vf_driver: str | None = None
    mode_change: ModeChange = ModeChange.NOT_KNOWN
    mac_needs_reload: bool | None = None
    spoofchk_at_first: bool | None = None
