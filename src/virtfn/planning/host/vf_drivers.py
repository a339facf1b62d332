"""Which driver a VF has by itself: what "native" means on a host. Pure."""

from virtfn.eswitch.drivers import facts_of
from virtfn.model.fields import needs_override
from virtfn.model.inventory import PfState, Unknown, VfState
from virtfn.model.plan import Value


def is_native(driver: Value) -> bool:
    """Whether this is one of the kernel's own network drivers: neither none nor one that hands the VF to userspace."""
    return isinstance(driver, str) and not needs_override(driver)


def native_driver(pf: PfState) -> str | None:
    """The kernel's driver for this PF's VFs: what a VF of it has now, else the driver table's; None: not known."""
    seen = next((vf.driver for vf in pf.vfs if isinstance(vf.driver, str) and is_native(vf.driver)), None)
    if seen:
        return seen
    facts = facts_of(pf.driver) if isinstance(pf.driver, str) else None
    return facts.vf_driver if facts else None


def default_driver(pf: PfState, autoprobe: Value) -> Value | Unknown:
    """What a VF of this PF has right after it is made, by autoprobe on or off; Unknown where that cannot be said."""
    if autoprobe is False:
        return None
    native = native_driver(pf)
    if autoprobe is not True or native is None:
        return Unknown("what the kernel binds to a new VF here is not known")
    return native


def is_held_natively(vf: VfState) -> bool:
    """Whether one of the kernel's network drivers has the VF now."""
    return isinstance(vf.driver, str) and is_native(vf.driver)
