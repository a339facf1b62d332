"""What there is: the host as it is now, or as a capture shows it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from virtfn.model.inventory import Inventory
from virtfn.planning.host.lookup import find_pf

if TYPE_CHECKING:
    from virtfn.services.interfaces import Observer


def inventory_of(observer: "Observer", pf: str | None = None) -> Inventory:
    """Observe the host; with ``pf`` (a name or a device address), only that one. Raises UsageError if not there."""
    return only(observer.observe(), pf)


def only(inventory: Inventory, pf: str | None) -> Inventory:
    """The inventory cut down to one PF. Raises UsageError that lists the PFs there are."""
    return replace(inventory, pfs=(find_pf(inventory, pf),)) if pf else inventory
