"""What is known of a host when a mirror is decided on, and of a mirror when its health is judged."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtfn.errors import UsageError
from virtfn.eswitch.facts import DriverFacts
from virtfn.eswitch.nic_state import row_of
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Inventory, PfState, VfState
from virtfn.model.mirror import Mirror, MirrorSpec
from virtfn.model.physnets import PhysicalNetworks
from virtfn.model.subject import MirrorSubject


@dataclass(frozen=True)
class MirrorContext:
    """The wanted mirror, its two VFs with their PFs, and what else depends on them.

    ``declared``: the other mirrors of this host. ``outside``: MACs known to live beyond the NIC, each with its origin.
    ``physnets``: the physical networks under which OpenStack's services hand out VFs here. ``literal`` and ``forced``
    as in the request.
    """

    spec: MirrorSpec
    source_pf: PfState
    source: VfState
    copy_pf: PfState
    copy: VfState
    declared: tuple[Mirror, ...]
    outside: Mapping[MacAddress, str]
    physnets: PhysicalNetworks
    literal: bool = False
    forced: frozenset[str] = frozenset()

    @property
    def pf(self) -> PfState:
        """The source's PF."""
        return self.source_pf

    @property
    def facts(self) -> DriverFacts | None:
        """The row of the PF's driver; None where there is none, or the driver is not known."""
        return row_of(self.pf)

    @property
    def source_label(self) -> str:
        """``p2p1/3``."""
        return f"{self.source_pf.label}/{self.source.index}"

    @property
    def copy_label(self) -> str:
        """``p2p1/2``."""
        return f"{self.copy_pf.label}/{self.copy.index}"

    @property
    def pair(self) -> str:
        """``p2p1/3 to p2p1/2``."""
        return f"{self.source_label} to {self.copy_label}"

    @property
    def mac(self) -> MacAddress | None:
        """The MAC whose frames reach the source, or None where it is not known."""
        return working_mac(self.source)


@dataclass(frozen=True)
class ObservedMirror:
    """A mirror as it was made, and its two VFs as they are now."""

    subject: MirrorSubject
    source: VfState
    copy: VfState


def working_mac(vf: VfState) -> MacAddress | None:
    """The MAC in the VF's filter: the admin MAC, or its netdev's own where none was ever set; None if unknown."""
    if isinstance(vf.mac, MacAddress) and not vf.mac.is_zero:
        return vf.mac
    return vf.netdev.mac if vf.netdev else None


def find(inventory: Inventory, ref: VfRef) -> tuple[PfState, VfState]:
    """A VF and its PF. Raises UsageError where it does not exist."""
    pf = inventory.pf(ref.pf)
    vf = pf.vf(ref.index) if pf else None
    if pf is None or vf is None:
        raise UsageError(f"there is no VF {ref}", actions=(Action(UseCase.SHOW),))
    return pf, vf
