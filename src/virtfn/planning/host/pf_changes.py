"""The changes of a plan to one PF, and their consequences for its VFs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from virtfn.eswitch.drivers import facts_of
from virtfn.eswitch.facts import DriverFacts, ModeChange
from virtfn.model.addresses import VfRef
from virtfn.model.inventory import EswitchMode, Inventory, PfState
from virtfn.model.plan import Value
from virtfn.planning.host.diff import Difference


@dataclass(frozen=True)
class PfChanges:
    """One PF with the differences of its own fields and of its VFs, by field and by index."""

    pf: PfState
    own: Mapping[str, Difference]
    vfs: Mapping[int, Mapping[str, Difference]]

    @cached_property
    def facts(self) -> DriverFacts | None:
        """The driver's row, or None."""
        return facts_of(self.pf.driver) if isinstance(self.pf.driver, str) else None

    @cached_property
    def count_before(self) -> int:
        """VFs that exist now."""
        return self.pf.num_vfs if isinstance(self.pf.num_vfs, int) else len(self.pf.vfs)

    @property
    def count_after(self) -> int:
        """VFs that will exist."""
        wanted = self.after("num_vfs", self.count_before)
        return wanted if isinstance(wanted, int) else self.count_before

    @property
    def mode_change(self) -> ModeChange:
        """What the driver requires of the VFs for a new eswitch mode; if not known, the strictest."""
        known = self.facts.mode_change if self.facts else ModeChange.NOT_KNOWN
        return ModeChange.NO_VFS if known in (ModeChange.NOT_KNOWN, ModeChange.UNSUPPORTED) else known

    @cached_property
    def remade(self) -> bool:
        """All VFs that exist now are destroyed."""
        if not self.count_before:
            return False
        return "num_vfs" in self.own or ("eswitch_mode" in self.own and self.mode_change is ModeChange.NO_VFS)

    @property
    def final_mode(self) -> EswitchMode | None:
        """The eswitch mode in which the VFs are set; None where it is not known."""
        mode = self.after("eswitch_mode", self.pf.eswitch_mode if isinstance(self.pf.eswitch_mode, str) else None)
        return EswitchMode(mode) if isinstance(mode, str) else None

    @property
    def final_autoprobe(self) -> Value:
        """Whether new VFs are bound to a driver automatically; None where it is not known."""
        return self.after("autoprobe", self.pf.autoprobe if isinstance(self.pf.autoprobe, bool) else None)

    def after(self, field: str, otherwise: Value) -> Value:
        """The wanted value of a field of the PF, or the current one where it does not change."""
        return self.own[field].after if field in self.own else otherwise


def changes_by_pf(differences: Iterable[Difference], inventory: Inventory) -> tuple[PfChanges, ...]:
    """The differences grouped by PF, in the inventory's order."""
    own: dict[str, dict[str, Difference]] = {}
    vfs: dict[str, dict[int, dict[str, Difference]]] = {}
    for one in differences:
        if one.target.kind == "vf":
            ref = VfRef.parse(one.target.id)
            vfs.setdefault(ref.pf, {}).setdefault(ref.index, {})[one.field] = one
        else:
            own.setdefault(one.target.id, {})[one.field] = one
    return tuple(
        PfChanges(pf, own.get(pf.device, {}), vfs.get(pf.device, {}))
        for pf in inventory.pfs
        if pf.device in own or pf.device in vfs
    )
