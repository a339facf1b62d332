"""What a person would type to set one field, runnable as it stands. Pure text; nothing is run.

Sources: ip-link(8), ip-netns(8), devlink-dev(8), Documentation/ABI/testing/sysfs-bus-pci.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from functools import lru_cache

from virtfn.errors import UsageError
from virtfn.model.plan import Value

_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NETDEVSIM = re.compile(r"netdevsim\d+")
_USERSPACE = ("vfio", "uio", "pci-stub", "pciback")


def equivalent_command(kind: str, label: str, field: str, value: Value, *, device: str = "") -> str:
    """The shell command that sets ``field`` of the object to ``value``.

    ``kind`` is ``pf``, ``vf`` or ``netdev``. ``label`` is what a person calls it: ``p2p1``, ``p2p1/2``, ``eth0``,
    ``vm2:eth0``; a device address in place of the PF's name is understood too. ``device`` is the device address of
    the PF (``0000:01:00.0``, ``netdevsim1``) where it is known; it makes commands that need it shorter.
    "" where no command sets this field. Raises UsageError for an unknown kind or a value of the wrong form.
    """
    if kind == "netdev":
        return _netdev_command(label, field, value)
    if kind == "pf":
        return _pf_command(label, field, value, device)
    if kind == "vf":
        pf, _, index = label.rpartition("/")
        return _vf_command(pf, index, field, value, device)
    raise UsageError(f"{kind!r} is no kind of object", hint="there are pf, vf and netdev")


def needs_override(driver: str) -> bool:
    """Whether a PCI driver takes a device only by ``driver_override``: it has no list of devices of its own."""
    return any(mark in driver for mark in _USERSPACE)


def _netdev_command(label: str, field: str, value: Value) -> str:
    netns, _, name = label.rpartition(":")
    ip = "ip"
    if netns.startswith("pid:"):
        ip = f"nsenter -t {shlex.quote(netns[4:])} -n ip"
    elif netns:
        ip = f"ip -n {shlex.quote(netns)}"
    return _link_command(ip, shlex.quote(name), field, value)


def _link_command(ip: str, name: str, field: str, value: Value) -> str:
    if field == "up":
        return f"{ip} link set dev {name} {'up' if value else 'down'}"
    if field == "mtu":
        return f"{ip} link set dev {name} mtu {_word(value)}"
    if field == "mac":
        return f"{ip} link set dev {name} address {_word(value)}"
    if field == "guest_mac":
        link = f"{ip} link set dev {name}"
        return f"{link} down; {link} address {_word(value)}; {link} up"
    return ""


def _pf_command(label: str, field: str, value: Value, device: str) -> str:
    if field == "num_vfs":
        return f"echo {_word(value)} > {_folder(label, device)}/sriov_numvfs"
    if field == "autoprobe":
        return f"echo {1 if value else 0} > {_folder(label, device)}/sriov_drivers_autoprobe"
    if field == "eswitch_mode":
        return f"devlink dev eswitch set {_devlink_handle(label, device)} mode {_word(value)}"
    return _link_command("ip", _netdev(label), field, value)


def _vf_command(pf: str, index: str, field: str, value: Value, device: str) -> str:
    if field == "driver":
        return _driver_command(f"{_folder(pf, device)}/virtfn{index}", value)
    words = _VF_WORDS.get(field)
    return f"ip link set dev {_netdev(pf)} vf {index} {words(value)}" if words else ""


def _driver_command(folder: str, driver: Value) -> str:
    """Unbind, choose, probe; the first may find nothing to unbind, which is no reason to stop."""
    pci = f'"$(basename "$(readlink -f {folder})")"'
    unbind = f"echo {pci} > {folder}/driver/unbind"
    if driver is None:
        return unbind
    chosen = shlex.quote(str(driver)) if needs_override(str(driver)) else '""'
    return f"{unbind}; echo {chosen} > {folder}/driver_override; echo {pci} > /sys/bus/pci/drivers_probe"


def _vlan_words(value: Value) -> str:
    vlan = _mapping(value)
    return f"vlan {_word(vlan['id'])} qos {_word(vlan.get('qos', 0))} proto {_word(vlan.get('protocol', '802.1Q'))}"


def _rate_words(value: Value) -> str:
    rate = _mapping(value)
    return f"max_tx_rate {_word(rate['max_tx_rate_mbps'])} min_tx_rate {_word(rate['min_tx_rate_mbps'])}"


_VF_WORDS: Mapping[str, Callable[[Value], str]] = {
    "mac": lambda value: f"mac {_word(value)}",
    "vlan": _vlan_words,
    "spoofchk": lambda value: f"spoofchk {_switch(value)}",
    "trust": lambda value: f"trust {_switch(value)}",
    "rss_query": lambda value: f"query_rss {_switch(value)}",
    "link_state": lambda value: f"state {_word(value)}",
    "rate": _rate_words,
}


def _switch(value: Value) -> str:
    return "on" if value else "off"


def _word(value: Value) -> str:
    return shlex.quote(str(value))


def _mapping(value: Value) -> Mapping[str, Value]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{value!r} is not a mapping of names to values")
    return value


def _folder(pf: str, device: str) -> str:
    """The device's folder in sysfs, by its address or else by way of its netdev."""
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


@lru_cache(maxsize=64)
def _netdev(pf: str) -> str:
    """The PF's netdev; where only its address is known, the one that sysfs shows.

    Remembered because every step on a VF asks for its PF's, twice.
    """
    if _PCI.fullmatch(pf) or _NETDEVSIM.fullmatch(pf):
        return f'"$(ls {_folder(pf, "")}/net | head -n 1)"'
    return shlex.quote(pf)
