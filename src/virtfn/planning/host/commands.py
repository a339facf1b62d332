"""The equivalent commands that set a field, ready to run; and steps with these commands. Pure text.

Sources: ip-link(8), ip-netns(8), devlink-dev(8), Documentation/ABI/testing/sysfs-bus-pci.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from virtfn.errors import UsageError
from virtfn.model.addresses import VfRef
from virtfn.model.field_row import Field
from virtfn.model.fields import FIELDS
from virtfn.model.plan import Plan, Step, Value, Writing
from virtfn.planning.host.lookup import device_of

_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NETDEVSIM = re.compile(r"netdevsim\d+")


def equivalent_command(kind: str, label: str, field: str, value: Value, *, device: str = "") -> str:
    """The shell command that sets ``field`` of the object to ``value``.

    ``kind`` is ``pf``, ``vf`` or ``netdev``. ``label`` is its usual name: ``p2p1``, ``p2p1/2``, ``eth0``,
    ``vm2:eth0``; a device address may replace the PF's name. ``device`` is the device address of
    the PF (``0000:01:00.0``, ``netdevsim1``) where it is known; it makes commands that need it shorter.
    "" where no command sets this field. Raises UsageError for an unknown kind or a value of the wrong form.
    """
    if kind == "netdev":
        return _netdev_command(label, field, value)
    if kind not in FIELDS:
        raise UsageError(f"{kind!r} is no kind of object", hint="there are pf, vf and netdev")
    row = FIELDS[kind].get(field)
    return _filled_in(row, _shell_names(kind, label, device), value) if row else ""


def with_commands(plan: Plan) -> Plan:
    """The same plan, each step with its equivalent command and the command that undoes it."""
    return replace(plan, steps=tuple(map(_with_commands, plan.steps)))


def _with_commands(step: Step) -> Step:
    """A value lost with its VF has none; a value removed with its VF has none that undoes it.

    Nor is there one where the value is not known yet or is lost (no driver is a value, though).
    """
    target, field = step.target, step.field
    row = FIELDS[target.kind].get(field) if target.kind in FIELDS else None
    names = _shell_names(target.kind, target.label, device_of(target.kind, target.id)) if row else {}

    def command(value: Value, without: Writing) -> str:
        if step.writing is without or (value is None and field != "driver"):
            return ""
        return _filled_in(row, names, value) if row else equivalent_command(target.kind, target.label, field, value)

    return step.with_commands(command(step.after, Writing.IMPLIED), command(step.before, Writing.FRESH))


def _filled_in(row: Field, names: Mapping[str, str], value: Value) -> str:
    template = row.clear_command if value is None and row.clear_command else row.command
    return template.format_map({**names, "value": row.shell_value(value)})


@lru_cache(maxsize=64)
def _shell_names(kind: str, label: str, device: str) -> Mapping[str, str]:
    """What the names in a row's command stand for, except the value.

    Remembered because the steps on one object follow each other, with two commands each.
    """
    ref = VfRef.parse(label) if kind == "vf" else VfRef(label, 0)
    folder = _folder(ref.pf, device)
    vf_folder = f"{folder}/virtfn{ref.index}"
    return {
        "netdev": _netdev(ref.pf),
        "vf": str(ref.index),
        "folder": folder,
        "handle": _devlink_handle(ref.pf, device),
        "vf_folder": vf_folder,
        "vf_pci": f'"$(basename "$(readlink -f {vf_folder})")"',
    }


def _netdev_command(label: str, field: str, value: Value) -> str:
    netns, _, name = label.rpartition(":")
    ip = "ip"
    if netns.startswith("pid:"):
        ip = f"nsenter -t {shlex.quote(netns[4:])} -n ip"
    elif netns:
        ip = f"ip -n {shlex.quote(netns)}"
    link = f"{ip} link set dev {shlex.quote(name)}"
    word = shlex.quote(str(value))
    commands = {
        "up": f"{link} {'up' if value else 'down'}",
        "mtu": f"{link} mtu {word}",
        "mac": f"{link} address {word}",
        "guest_mac": f"{link} down; {link} address {word}; {link} up",
    }
    return commands.get(field, "")


def _folder(pf: str, device: str) -> str:
    """The device's folder in sysfs, by its address or else through its netdev."""
    address = device or pf
    if _PCI.fullmatch(address):
        return f"/sys/bus/pci/devices/{address}"
    if _NETDEVSIM.fullmatch(address):
        return f"/sys/bus/netdevsim/devices/{address}"
    return f"/sys/class/net/{shlex.quote(pf)}/device"


def _devlink_handle(pf: str, device: str) -> str:
    address = device or pf
    if _PCI.fullmatch(address):
        return f"pci/{address}"
    if _NETDEVSIM.fullmatch(address):
        return f"netdevsim/{address}"
    return f'"pci/$(basename "$(readlink -f {_folder(pf, device)})")"'


def _netdev(pf: str) -> str:
    """The PF's netdev; where only its address is known, the one that sysfs shows."""
    if _PCI.fullmatch(pf) or _NETDEVSIM.fullmatch(pf):
        return f'"$(ls {_folder(pf, "")}/net | head -n 1)"'
    return shlex.quote(pf)
