"""What is known of a host when a mirror is decided on."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress, VfRef
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Inventory, PfState, Unknown, VfState
from virtfn.model.mirror import Mirror, MirrorRequest
from virtfn.model.physnets import PhysicalNetworks


@dataclass(frozen=True)
class MirrorContext:
    """The two VFs, their PFs, the mirrors that stand, and the MACs known to live outside (each with its origin).

    ``physnets``: the physical networks under which OpenStack's services hand out VFs here.
    """

    request: MirrorRequest
    source_pf: PfState
    source: VfState
    copy_pf: PfState
    copy: VfState
    standing: tuple[Mirror, ...]
    outside: Mapping[MacAddress, str]
    physnets: PhysicalNetworks

    @property
    def pf(self) -> PfState:
        """The source's PF; once the guards have passed, the copy's as well."""
        return self.source_pf

    @property
    def source_label(self) -> str:
        """``p2p1/3``."""
        return f"{self.source_pf.label}/{self.source.index}"

    @property
    def copy_label(self) -> str:
        """``p2p1/2``."""
        return f"{self.copy_pf.label}/{self.copy.index}"

    @property
    def mac(self) -> MacAddress | None:
        """The MAC whose frames reach the source, or None where it is not known."""
        return working_mac(self.source)


def mirror_context(
    inventory: Inventory,
    request: MirrorRequest,
    standing: tuple[Mirror, ...],
    outside: Mapping[MacAddress, str],
    physnets: PhysicalNetworks,
) -> MirrorContext:
    """The context of a request. Raises UsageError where a VF does not exist."""
    source_pf, source = _find(inventory, request.source)
    copy_pf, copy = _find(inventory, request.copy)
    return MirrorContext(request, source_pf, source, copy_pf, copy, standing, outside, physnets)


def working_mac(vf: VfState) -> MacAddress | None:
    """The MAC in the VF's filter: the admin MAC, or its netdev's own where none was ever set; None if unknown."""
    if isinstance(vf.mac, MacAddress) and not vf.mac.is_zero:
        return vf.mac
    return vf.netdev.mac if vf.netdev else None


def is_known(value: object) -> bool:
    """Whether a fact was read."""
    return not isinstance(value, Unknown)


def _find(inventory: Inventory, ref: VfRef) -> tuple[PfState, VfState]:
    pf = inventory.pf(ref.pf)
    vf = pf.vf(ref.index) if pf else None
    if pf is None or vf is None:
        raise UsageError(f"there is no VF {ref}", actions=(Action(UseCase.SHOW),))
    return pf, vf
