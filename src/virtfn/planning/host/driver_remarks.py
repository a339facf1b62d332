"""What to say of a field that did not read back as written, from the driver table. Pure."""

from virtfn.eswitch.drivers import AdminMacEffect, facts_of


def remark(driver: str, field: str) -> str:
    """One sentence: what this driver is known to do with the field."""
    facts = facts_of(driver)
    if facts is None:
        return f"nothing is known about the driver {driver}"
    if field == "mac" and facts.admin_mac is AdminMacEffect.RESETS_VF:
        return f"{driver} resets the VF when its MAC is set, which takes a moment"
    if field == "mac" and facts.admin_mac is AdminMacEffect.ADDRESS_ONLY:
        return f"{driver} keeps the VF's filters; its driver takes the address when it is loaded"
    if field == "mac" and facts.mac_needs_reload:
        return f"with {driver} the VF's driver must be reloaded to take a new MAC"
    if field == "trust" and facts.trust_resets_vf:
        return f"{driver} resets the VF when trust changes, which takes a moment"
    return f"no such behaviour of {driver} is known; a guest's driver or another program may have set it"
