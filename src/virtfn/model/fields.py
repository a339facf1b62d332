"""The registry of settable fields: one row has all facts about a field, for every room.

A field is what one write sets and one read returns. It has one key in the spec, or several where the kernel sets them
together (the rate). A key is also the attribute of ``DesiredPf`` and ``PfState``, or of ``DesiredVf`` and ``VfState``.
``host/`` has one codec for each row; spec, diff, order, plan, impact, commands, tables and reference read the rows.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress
from virtfn.model.field_row import Choice, Field, Key, MatchKey, Number, ValueType, in_order, plain
from virtfn.model.inventory import NO_VLAN, EswitchMode, VfLinkState

if TYPE_CHECKING:
    from virtfn.model.plan import Value

NATIVE = "native"
NO_MAC = "00:00:00:00:00:00"
_USERSPACE_DRIVERS = ("vfio", "uio", "pci-stub", "pciback")


def needs_override(driver: str) -> bool:
    """Whether a PCI driver needs ``driver_override``: it has no list of devices of its own."""
    return any(mark in driver for mark in _USERSPACE_DRIVERS)


def is_native(driver: object) -> bool:
    """Whether this is a kernel network driver: neither none nor one for userspace drivers such as vfio-pci."""
    return isinstance(driver, str) and not needs_override(driver)


SWITCH = ValueType("true or false")
MAC = ValueType("MAC address, not multicast")
VLAN = ValueType("see below")
GUID = ValueType("GUID of 8 octets")
DRIVER = ValueType("driver name, `native` or `none`")
NETDEV_NAME = ValueType("name of a network device, up to 15 letters")
PCI_ADDRESS = ValueType("PCI address, domain optional")
PF_DRIVER = ValueType("driver name")
VENDOR_DEVICE = ValueType("vendor and device, hexadecimal")
RATE = Number("0 to 4294967295 Mbit/s", 0, 2**32 - 1, "Mbit/s")
"""``struct ifla_vf_rate`` (include/uapi/linux/if_link.h) has 32 bits."""
_LINK_STATE = Choice("`auto`, `enable` or `disable`", VfLinkState, tuple(VfLinkState))
_ESWITCH_MODE = Choice("`legacy` or `switchdev`", EswitchMode, (EswitchMode.LEGACY, EswitchMode.SWITCHDEV))


def _text(value: Value) -> str:
    return shlex.quote(str(value))


def _on_off(value: Value) -> str:
    return "on" if value else "off"


def _up_down(value: Value) -> str:
    return "up" if value else "down"


def _one_zero(value: Value) -> str:
    return "1" if value else "0"


def _mapping(value: Value) -> Mapping[str, Value]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{value!r} is not a mapping of names to values")
    return value


def _vlan_words(value: Value) -> str:
    vlan = _mapping(value)
    return f"{_text(vlan['id'])} qos {_text(vlan.get('qos', 0))} proto {_text(vlan.get('protocol', '802.1Q'))}"


def _rate_words(value: Value) -> str:
    rate = _mapping(value)
    return f"max_tx_rate {_text(rate['max_tx_rate_mbps'])} min_tx_rate {_text(rate['min_tx_rate_mbps'])}"


def _say_vlan(vlan: Mapping[str, Value]) -> str:
    qos = f" qos {vlan['qos']}" if vlan["qos"] else ""
    protocol = f" {vlan['protocol']}" if vlan["protocol"] != "802.1Q" else ""
    return f"{vlan['id'] or 'none'}{qos}{protocol}"


def _say_rate(rate: Mapping[str, Value]) -> str:
    words = (("min", rate["min_tx_rate_mbps"]), ("max", rate["max_tx_rate_mbps"]))
    return ", ".join(f"{word} {number} Mbit/s" for word, number in words if number) or "no limit"


def _override_word(value: Value) -> str:
    return _text(value) if needs_override(str(value)) else '""'


_VF = "ip link set dev {netdev} vf {vf} "
_UNBIND = "echo {vf_pci} > {vf_folder}/driver/unbind"
_BIND = f"{_UNBIND}; echo {{value}} > {{vf_folder}}/driver_override; echo {{vf_pci}} > /sys/bus/pci/drivers_probe"
"""The unbind may fail where no driver is bound; the next commands run nevertheless."""

PF_FIELDS: Mapping[str, Field] = {
    row.name: row
    for row in (
        Field(
            name="num_vfs",
            turn=2,
            keys=(
                Key(
                    "num_vfs",
                    Number("0 to 65535", 0, 65535),  # NumVFs has 16 bits (PCI Express Base, 9.3.3.7)
                    "Number of VFs. To change it from N to M, all N VFs are destroyed first.",
                    "4",
                ),
            ),
            reason="how many VFs the PF has",
            command="echo {value} > {folder}/sriov_numvfs",
            example=4,
            shell_value=_text,
            note="The same number is not written. The kernel goes from N to another number through 0 only: the plan "
            "shows a replacement, as disruptive.",
        ),
        Field(
            name="mtu",
            turn=4,
            keys=(
                # RFC 791: every link carries 68 octets; the IPv4 total length has 16 bits.
                Key(
                    "mtu", Number("68 to 65535 octets", 68, 65535), "MTU of the PF's network device, in octets.", "9000"
                ),
            ),
            reason="the largest frame of the PF; a VF's can be no larger",
            command="ip link set dev {netdev} mtu {value}",
            example=9000,
            shell_value=_text,
            disturbs="to change its MTU the driver resets the PF, and its VFs lose frames",
            note="The driver may allow less.",
        ),
        Field(
            name="promisc",
            turn=5,
            keys=(
                Key(
                    "promisc",
                    SWITCH,
                    "Whether the PF's network device is set promiscuous, as by ip link. Others (tcpdump, a bridge) can "
                    "make it promiscuous, too; that is not counted.",
                    "false",
                ),
            ),
            reason="whether the PF's netdev gets the frames for every MAC",
            command="ip link set dev {netdev} promisc {value}",
            example=False,
            shell_value=_on_off,
            note="On some NICs this changes which VFs get a frame.",
        ),
        Field(
            name="up",
            turn=6,
            keys=(Key("up", SWITCH, "Whether the PF's network device is administratively up.", "true"),),
            reason="the PF has to be up for its VFs to get frames",
            off_reason="the PF is wanted down",
            command="ip link set dev {netdev} {value}",
            example=True,
            shell_value=_up_down,
            disturbs="every VF of this PF loses its link or its frames",
            note="On many NICs, PF down cuts off every VF.",
        ),
        Field(
            name="eswitch_mode",
            turn=3,
            keys=(
                Key(
                    "eswitch_mode",
                    _ESWITCH_MODE,
                    "How the NIC forwards: by MAC and VLAN (legacy), or by representors (switchdev).",
                    "legacy",
                ),
            ),
            reason="how the NIC's switch forwards",
            command="devlink dev eswitch set {handle} mode {value}",
            example="legacy",
            shell_value=_text,
            note="Disturbs every VF of the PF.",
        ),
        Field(
            name="autoprobe",
            turn=1,
            keys=(
                Key(
                    "autoprobe",
                    SWITCH,
                    "Whether the kernel binds a driver to a VF as soon as it is created.",
                    "false",
                ),
            ),
            reason="whether the kernel binds a driver to new VFs",
            command="echo {value} > {folder}/sriov_drivers_autoprobe",
            example=False,
            shell_value=_one_zero,
            note="Takes effect for VFs created after it.",
        ),
    )
}
"""The rows of a PF, in the order of the reference."""


def _guid_row(name: str, turn: int, doc: str) -> Field:
    example = "22:44:33:00:33:11:00:33"
    return Field(
        name=name,
        turn=turn,
        keys=(Key(name, GUID, doc, f'"{example}"'),),
        reason="by which GUID the InfiniBand fabric knows the VF",
        command=_VF + name + " {value}",
        example=example,
        shell_value=_text,
        fresh="00:00:00:00:00:00:00:00",
        individual=True,
        disturbs="gets another GUID",
        note="Not in `each` or a range. Refused where the PF is no InfiniBand device. mlx5 shows it to the VF when its "
        "driver is bound again.",
    )


VF_FIELDS: Mapping[str, Field] = {
    row.name: row
    for row in (
        Field(
            name="mac",
            turn=1,
            keys=(
                Key(
                    "mac",
                    MAC,
                    "Administrative MAC address of the VF; not multicast, and not twice below one PF. "
                    "00:00:00:00:00:00: none is set, the only one allowed for several VFs.",
                    "fa:16:3e:a1:43:57",
                ),
            ),
            reason="the NIC hands the VF the frames for this MAC",
            command=_VF + "mac {value}",
            example="fa:16:3e:a1:43:57",
            shell_value=_text,
            fresh=NO_MAC,
            individual=True,
            disturbs="no longer gets frames for the old MAC",
            note="Not in `each` or a range. Some drivers reset the VF, and some let the VF see it only when its driver "
            "is loaded again.",
        ),
        Field(
            name="vlan",
            turn=2,
            keys=(Key("vlan", VLAN, "VLAN of the VF: its id, or id, qos and protocol; none or 0: no VLAN.", "100"),),
            reason="the NIC tags and untags the VF's frames; the guest sees none of it",
            command=_VF + "vlan {value}",
            example={"id": 100, "qos": 0, "protocol": "802.1Q"},
            shell_value=_vlan_words,
            said=_say_vlan,
            fresh=plain(NO_VLAN),
            disturbs="moves to another VLAN at once",
        ),
        Field(
            name="spoofchk",
            turn=4,
            keys=(
                Key(
                    "spoofchk",
                    SWITCH,
                    "Whether the NIC drops what the VF sends from another MAC (or VLAN) than its own.",
                    "true",
                ),
            ),
            reason="whether the NIC drops frames that the VF sends with another MAC than its own",
            command=_VF + "spoofchk {value}",
            example=True,
            shell_value=_on_off,
        ),
        Field(
            name="trust",
            turn=7,
            keys=(
                Key(
                    "trust",
                    SWITCH,
                    "Whether the VF may change its MAC, be promiscuous, and more: what exactly, its driver says.",
                    "false",
                ),
            ),
            reason="whether the VF's guest may change its own filters",
            command=_VF + "trust {value}",
            example=False,
            shell_value=_on_off,
            fresh=False,
            note="Resets the VF on i40e, ice and ixgbe.",
        ),
        Field(
            name="link_state",
            turn=5,
            keys=(
                Key(
                    "link_state",
                    _LINK_STATE,
                    "Link as the VF sees it: that of the port (auto), always up, always down.",
                    "auto",
                ),
            ),
            reason="what link the VF's guest sees",
            command=_VF + "state {value}",
            example="auto",
            shell_value=_text,
            fresh="auto",
            disturbs="may see its link change",
        ),
        Field(
            name="rate",
            turn=3,
            keys=(
                Key(
                    "min_tx_rate_mbps",
                    RATE,
                    "Guaranteed rate of what the VF sends, in Mbit/s; 0: none.",
                    "100",
                ),
                Key(
                    "max_tx_rate_mbps",
                    RATE,
                    "Limit of what the VF sends, in Mbit/s; 0: no limit.",
                    "1000",
                ),
            ),
            reason="how fast the VF may send",
            command=_VF + "{value}",
            example={"min_tx_rate_mbps": 100, "max_tx_rate_mbps": 1000},
            shell_value=_rate_words,
            said=_say_rate,
            fresh={"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 0},
            note="The kernel takes both rates together; the one that is left out is written as it was. The maximum is "
            "not below the minimum, wherever either of them is given.",
        ),
        Field(
            name="rss_query",
            turn=6,
            keys=(Key("rss_query", SWITCH, "Whether the VF may read its receive hash key and table.", "false"),),
            reason="whether the VF's guest may read how its traffic is spread",
            command=_VF + "query_rss {value}",
            example=False,
            shell_value=_on_off,
            fresh=False,
        ),
        _guid_row("node_guid", 8, "Node GUID of an InfiniBand VF: the identity of its HCA."),
        _guid_row("port_guid", 9, "Port GUID of an InfiniBand VF: what its subnet's manager knows it by."),
        Field(
            name="driver",
            turn=10,
            keys=(
                Key(
                    "driver",
                    DRIVER,
                    "Driver of the VF, like vfio-pci; native: the kernel's own; none: no driver.",
                    "vfio-pci",
                ),
            ),
            reason="who uses the VF: the host's network, or a guest through vfio",
            command=_BIND,
            clear_command=_UNBIND,
            example="vfio-pci",
            shell_value=_override_word,
            disturbs="loses the VF",
            note="A named driver must be loaded. Refused while a process has the VF open through vfio.",
        ),
    )
}
"""The rows of a VF, in the order of the reference. The driver is not set through the PF's netdev."""

_VF_ORDER = tuple(row.name for row in in_order(VF_FIELDS.values()))

FIELDS: Mapping[str, Mapping[str, Field]] = {"pf": PF_FIELDS, "vf": VF_FIELDS}
"""The rows by the kind of ``Target``."""

MATCH_KEYS: Mapping[str, MatchKey] = {
    "name": MatchKey(
        Key(
            "name",
            NETDEV_NAME,
            "Name of the PF's network device, as ip link shows it, or a list of names. Names can change over boots.",
            "[p2p1, p2p2]",
        ),
        "name",
        several=True,
    ),
    "pci": MatchKey(
        Key(
            "pci",
            PCI_ADDRESS,
            "PCI address of the PF, like 0000:01:00.0, or a list; the domain 0000 may be left out. The surest way to "
            "name one PF.",
            "0000:01:00.0",
        ),
        "device",
        several=True,
    ),
    "permanent_mac": MatchKey(
        Key(
            "permanent_mac",
            MAC,
            "Permanent MAC address of the PF (ip -d link shows it as permaddr if another one is set), or a list.",
            "a0:36:9f:68:fc:f4",
        ),
        "permanent_mac",
        several=True,
    ),
    "driver": MatchKey(
        Key("driver", PF_DRIVER, "Driver of the PF. It may match several PFs: the entry is then for each.", "igb"),
        "driver",
    ),
    "vendor_device": MatchKey(
        Key(
            "id",
            VENDOR_DEVICE,
            "Vendor and device id of the PF in hexadecimal, as lspci -n shows it. It may match several PFs.",
            "8086:10c9",
        ),
        "vendor_device",
    ),
}
"""The keys of ``match`` by the attributes of ``PfMatch``."""


def is_individual(key: str, value: object) -> bool:
    """Whether this value of a VF's key is for one VF only: a MAC or a GUID that is not zero. Not of UNSET."""
    row = VF_FIELDS.get(key)
    return row is not None and row.individual and isinstance(value, MacAddress | str) and str(value) != row.fresh


def vf_write_order(values: Mapping[str, Value]) -> list[str]:
    """The fields of a VF that get these values, in the order of writes.

    Trust that is taken away goes first, so that the guest cannot override the MAC any more.
    """
    fields = [name for name in _VF_ORDER if name in values]
    return sorted(fields, key=lambda field: field != "trust" or values[field] is not False)
