"""The owners of MACs after a plan. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import Inventory, PfState, VfState
from virtfn.model.plan import Plan, Writing


@dataclass(frozen=True)
class MacOwner:
    """``label`` has ``mac``; ``written``: the plan sets it."""

    label: str
    mac: MacAddress
    written: bool


def mac_owners(plan: Plan, inventory: Inventory) -> tuple[MacOwner, ...]:
    """The MACs of all PFs and VFs after the plan, where they are known and not zero.

    A VF without an admin MAC has its netdev's, where one can be seen.
    """
    counts = {step.target.id: step.after for step in plan.steps if step.field == "num_vfs"}
    written = {
        step.target.id: (step.target.label, MacAddress.parse(str(step.after)))
        for step in plan.steps
        if step.field == "mac" and step.writing is not Writing.IMPLIED
    }
    owners = [MacOwner(label, mac, written=True) for label, mac in written.values()]
    for pf in inventory.pfs:
        owners += _standing(pf, gone=pf.device in counts, written=frozenset(written))
    return tuple(one for one in owners if not one.mac.is_zero)


def _standing(pf: PfState, *, gone: bool, written: frozenset[str]) -> Iterator[MacOwner]:
    if isinstance(pf.mac, MacAddress):
        yield MacOwner(pf.label, pf.mac, written=False)
    for vf in () if gone else pf.vfs:
        mac = _working_mac(vf)
        if mac and str(pf.ref(vf.index)) not in written:
            yield MacOwner(f"{pf.label}/{vf.index}", mac, written=False)


def _working_mac(vf: VfState) -> MacAddress | None:
    if isinstance(vf.mac, MacAddress) and not vf.mac.is_zero:
        return vf.mac
    return vf.netdev.mac if vf.netdev else None
