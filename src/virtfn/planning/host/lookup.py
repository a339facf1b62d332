"""From user input to the key of a PF or a VF. Pure."""

import re
from dataclasses import replace

from virtfn.errors import UsageError
from virtfn.model.addresses import PciAddress, VfRef
from virtfn.model.finding import Action, UseCase
from virtfn.model.inventory import Inventory, PfState

_SHORT_PCI = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def only(inventory: Inventory, pf: str | None) -> Inventory:
    """The inventory with only one PF, or all of it for None. Raises UsageError with a list of the PFs."""
    return replace(inventory, pfs=(find_pf(inventory, pf),)) if pf else inventory


def find_pf(inventory: Inventory, text: str) -> PfState:
    """The PF for a netdev name (``p2p1``) or a device address (``0000:01:00.0``, ``01:00.0``).

    Raises UsageError with a list of the PFs.
    """
    wanted = f"0000:{text.lower()}" if _SHORT_PCI.fullmatch(text.lower()) else text
    for pf in inventory.pfs:
        if wanted in (pf.name, pf.device) or wanted.lower() == pf.device:
            return pf
    if "/" in text:
        raise UsageError(f"{text!r} is a VF, and a PF is wanted", hint=f"name its PF: {text.partition('/')[0]}")
    there = ", ".join(f"{pf.label} ({pf.device})" for pf in inventory.pfs)
    raise UsageError(
        f"there is no SR-IOV device {text!r} here",
        hint=f"there are: {there}" if there else "this host shows no device with SR-IOV",
    )


def find_vf(inventory: Inventory, text: str) -> VfRef:
    """The VF for ``PF/INDEX`` or its own PCI address. Raises UsageError with a list of the VFs."""
    if "/" in text:
        typed = VfRef.parse(text)
        pf = find_pf(inventory, typed.pf)
        if pf.vf(typed.index) is None:
            there = f"0 to {len(pf.vfs) - 1}" if pf.vfs else "none"
            raise UsageError(f"{pf.label} has no VF {typed.index}", hint=f"its VFs now: {there}")
        return pf.ref(typed.index)
    address = PciAddress.parse(text)
    for pf in inventory.pfs:
        for vf in pf.vfs:
            if vf.pci == address:
                return pf.ref(vf.index)
    raise UsageError(f"no VF has the PCI address {address}", actions=(Action(UseCase.SHOW),))


def device_of(kind: str, identity: str) -> str:
    """The device address of the PF of a target of the kind ``pf`` or ``vf``."""
    return VfRef.parse(identity).pf if kind == "vf" else identity
