"""Printing an ``Inventory`` as ``ip link show`` of some generation would, as far as the facts are known.

A fact that is ``Unknown`` is left out, and so is what that generation does not print. Source: iproute2
``ip/ipaddress.c``, ``print_linkinfo``, ``print_vfinfo``, ``print_link_flags``.
"""

import json
import re
from typing import Any

from virtfn.captures.attributes import ATTRIBUTES, BROADCAST, MAC, NOT_ETHERNET, VLAN_PARTS, Attribute, Generation
from virtfn.model.addresses import MacAddress
from virtfn.model.inventory import NO_VLAN, Inventory, PfState, Unknown, VfState, Vlan

_BUSES = (
    (re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"), "pci"),
    (re.compile(r"netdevsim[0-9]+"), "netdevsim"),
)


def render(inventory: Inventory, generation: Generation) -> str:
    """The text that ``ip link show`` (``ip -d link show`` of ``TODAY``, ``ip -j -d link show``) prints.

    ``parse`` reads it back to the same facts, where the generation prints them: in words, a VLAN or a rate of 0 goes
    without saying, and only ``TODAY`` and ``JSON`` print the PCI address. A PF without a netdev, or of which only the
    name is known, has no line. The flags are printed only if every one that virtfn knows of is known; BROADCAST and
    MULTICAST are those of any NIC.
    """
    pfs = [pf for pf in inventory.pfs if isinstance(pf.name, str)]
    if generation is Generation.JSON:
        return json.dumps([_link_object(pf) for pf in pfs], separators=(",", ":")) + "\n"
    return "".join(_link_words(pf, generation) for pf in pfs)


def _link_words(pf: PfState, generation: Generation) -> str:
    number = "" if isinstance(pf.ifindex, Unknown) else f"{pf.ifindex}: "
    header = [f"{number}{pf.name}:", *_flags_words(pf)]
    if not isinstance(pf.mtu, Unknown):
        header.append(f"mtu {pf.mtu}")
    lines = [" ".join(header)]
    address = [word for word in (_address_words(pf), *_parent_words(pf, generation)) if word]
    if address:
        lines.append("    " + " ".join(address))
    lines += [_vf_words(vf, generation) for vf in pf.vfs]
    if generation is Generation.TODAY and isinstance(pf.num_vfs, int) and pf.num_vfs != len(pf.vfs):
        lines.append(f"Truncated VF list: {pf.name}")  # on standard error, behind the rest
    return "" if lines == [f"{pf.name}:"] else "\n".join(lines) + "\n"


def _flags(pf: PfState) -> list[str] | None:
    """The flags in the kernel's order; None where one of them is not known."""
    if isinstance(pf.up, Unknown) or isinstance(pf.promisc, Unknown):
        return None
    if pf.up and isinstance(pf.carrier, Unknown):
        return None
    carrier = pf.up and pf.carrier is True
    said = (
        ("NO-CARRIER", pf.up and not carrier),
        ("BROADCAST", True),
        ("MULTICAST", True),
        ("PROMISC", pf.promisc),
        ("UP", pf.up),
        ("LOWER_UP", carrier),
    )
    return [flag for flag, is_set in said if is_set]


def _flags_words(pf: PfState) -> list[str]:
    flags = _flags(pf)
    return [] if flags is None else [f"<{','.join(flags)}>"]


def _address_words(pf: PfState) -> str:
    if pf.mac == NOT_ETHERNET:
        return "link/infiniband"
    return f"link/ether {pf.mac}" if isinstance(pf.mac, MacAddress) else ""


def _parent_words(pf: PfState, generation: Generation) -> list[str]:
    bus = _bus(pf) if generation is Generation.TODAY else ""
    return [f"parentbus {bus} parentdev {pf.device}"] if bus else []


def _bus(pf: PfState) -> str:
    return next((bus for pattern, bus in _BUSES if pattern.fullmatch(pf.device)), "")


def _vf_words(vf: VfState, generation: Generation) -> str:
    head = _head_today(vf) if generation is Generation.TODAY else _head_before(vf)
    vlans = () if isinstance(vf.vlans, Unknown) else vf.vlans
    if generation is Generation.FIELD_NOTE:
        vlans = vlans[:1]  # before IFLA_VF_VLAN_LIST
    parts = (
        _worded(row, getattr(vlan, row.fact)) for vlan in vlans for row in VLAN_PARTS if _printed_by(row, generation)
    )
    rows = (
        row for row in ATTRIBUTES if _printed_by(row, generation) and not isinstance(getattr(vf, row.fact), Unknown)
    )
    return "".join((f"    vf {vf.index} {head}", *parts, *(_worded(row, getattr(vf, row.fact)) for row in rows)))


def _head_before(vf: VfState) -> str:
    return f"MAC {vf.mac}" if isinstance(vf.mac, MacAddress) else ""


def _head_today(vf: VfState) -> str:
    if vf.mac == NOT_ETHERNET:
        return "    link/infiniband"
    said = [f"{vf.mac}"] if isinstance(vf.mac, MacAddress) else []
    said += [f"brd {vf.broadcast}"] if isinstance(vf.broadcast, MacAddress) else []
    return " ".join(("    link/ether", *said)) if said else ""


def _link_object(pf: PfState) -> dict[str, Any]:
    bus = _bus(pf)
    said: dict[str, object] = {
        "ifindex": pf.ifindex,
        "ifname": pf.name,
        "flags": _flags(pf),
        "mtu": pf.mtu,
        "link_type": _link_type(pf.mac),
        "address": pf.mac,
        "parentbus": bus or None,
        "parentdev": pf.device if bus else None,
        "vfinfo_list": [_vf_object(vf) for vf in pf.vfs],
    }
    return {key: _plain(value) for key, value in said.items() if value is not None and not isinstance(value, Unknown)}


def _link_type(mac: object) -> str | None:
    if mac == NOT_ETHERNET:
        return "infiniband"
    return "ether" if isinstance(mac, MacAddress) else None


def _vf_object(vf: VfState) -> dict[str, Any]:
    result: dict[str, Any] = {"vf": vf.index}
    _put(result, ("link_type",), _link_type(vf.mac))
    for row in (MAC, BROADCAST):
        _put(result, row.keys, getattr(vf, row.fact))
    if not isinstance(vf.vlans, Unknown):
        result["vlan_list"] = [_vlan_object(vlan) for vlan in vf.vlans or (NO_VLAN,)]
    for row in ATTRIBUTES:
        if not _goes_unsaid(row, getattr(vf, row.fact)):
            _put(result, row.keys, getattr(vf, row.fact))
    return result


def _goes_unsaid(row: Attribute, value: object) -> bool:
    """``tx_rate`` 0 is left out; ``rate`` has both of its numbers, also where they are 0."""
    return len(row.keys) == 1 and row.unsaid is not None and value == row.unsaid


def _vlan_object(vlan: Vlan) -> dict[str, Any]:
    said = ((row, getattr(vlan, row.fact)) for row in VLAN_PARTS)
    return {row.keys[0]: _plain(value) for row, value in said if value != row.unsaid}


def _put(target: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    if value is None or isinstance(value, Unknown):
        return
    for key in keys[:-1]:
        target = target.setdefault(key, {})
    target[keys[-1]] = _plain(value)


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, list)) else str(value)


def _printed_by(row: Attribute, generation: Generation) -> bool:
    ages = tuple(Generation)
    return ages.index(row.since) <= ages.index(generation)


def _worded(row: Attribute, value: object) -> str:
    """The words for a value, with the comma in front; "" for a value that iproute2 leaves unsaid."""
    if value == row.unsaid:
        return ""
    written = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    return f", {row.words} {written}{row.unit}"
