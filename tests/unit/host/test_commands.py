"""The commands that plans show, as text that a shell runs as it stands."""

import shlex

import pytest

from virtfn.errors import UsageError
from virtfn.model.plan import Value
from virtfn.planning.host.commands import equivalent_command

NIC = "0000:01:00.0"


@pytest.mark.parametrize(
    ("kind", "label", "field", "value", "command"),
    [
        ("vf", "p2p1/2", "mac", "fa:16:3e:aa:33:59", "ip link set dev p2p1 vf 2 mac fa:16:3e:aa:33:59"),
        ("vf", "p2p1/2", "spoofchk", False, "ip link set dev p2p1 vf 2 spoofchk off"),
        ("vf", "p2p1/2", "trust", True, "ip link set dev p2p1 vf 2 trust on"),
        ("vf", "p2p1/2", "rss_query", True, "ip link set dev p2p1 vf 2 query_rss on"),
        (
            "vf",
            "ib0/2",
            "node_guid",
            "22:44:33:00:33:11:00:33",
            "ip link set dev ib0 vf 2 node_guid 22:44:33:00:33:11:00:33",
        ),
        ("vf", "p2p1/2", "link_state", "auto", "ip link set dev p2p1 vf 2 state auto"),
        (
            "vf",
            "p2p1/2",
            "vlan",
            {"id": 100, "qos": 3, "protocol": "802.1ad"},
            "ip link set dev p2p1 vf 2 vlan 100 qos 3 proto 802.1ad",
        ),
        (
            "vf",
            "p2p1/2",
            "rate",
            {"min_tx_rate_mbps": 0, "max_tx_rate_mbps": 500},
            "ip link set dev p2p1 vf 2 max_tx_rate 500 min_tx_rate 0",
        ),
        ("pf", "p2p1", "up", False, "ip link set dev p2p1 down"),
        ("pf", "p2p1", "promisc", True, "ip link set dev p2p1 promisc on"),
        ("pf", "p2p1", "mtu", 9000, "ip link set dev p2p1 mtu 9000"),
        ("pf", "p2p1", "num_vfs", 4, f"echo 4 > /sys/bus/pci/devices/{NIC}/sriov_numvfs"),
        ("pf", "p2p1", "autoprobe", False, f"echo 0 > /sys/bus/pci/devices/{NIC}/sriov_drivers_autoprobe"),
        ("pf", "p2p1", "eswitch_mode", "switchdev", f"devlink dev eswitch set pci/{NIC} mode switchdev"),
        ("netdev", "eth0", "up", True, "ip link set dev eth0 up"),
        ("netdev", "vm2:eth0", "mac", "fa:16:3e:aa:33:59", "ip -n vm2 link set dev eth0 address fa:16:3e:aa:33:59"),
        ("netdev", "pid:77:eth0", "up", False, "nsenter -t 77 -n ip link set dev eth0 down"),
        ("pf", "p2p1", "promiscuous", True, ""),
        ("vf", "p2p1/2", "holder", "nobody", ""),
    ],
)
def test_each_field_has_its_command(kind: str, label: str, field: str, value: Value, command: str) -> None:
    device = NIC if kind != "netdev" else ""
    assert equivalent_command(kind, label, field, value, device=device) == command


def test_without_the_device_address_the_name_is_enough() -> None:
    assert equivalent_command("pf", "p2p1", "num_vfs", 4) == "echo 4 > /sys/class/net/p2p1/device/sriov_numvfs"
    mode = equivalent_command("pf", "p2p1", "eswitch_mode", "legacy")
    assert mode == 'devlink dev eswitch set "pci/$(basename "$(readlink -f /sys/class/net/p2p1/device)")" mode legacy'


def test_without_the_name_the_device_address_is_enough() -> None:
    assert equivalent_command("pf", NIC, "num_vfs", 0) == f"echo 0 > /sys/bus/pci/devices/{NIC}/sriov_numvfs"
    netdev = f'"$(ls /sys/bus/pci/devices/{NIC}/net | head -n 1)"'
    assert equivalent_command("vf", f"{NIC}/3", "trust", True) == f"ip link set dev {netdev} vf 3 trust on"


def test_a_simulated_nic_is_addressed_on_its_own_bus() -> None:
    command = equivalent_command("pf", "netdevsim1", "num_vfs", 8)
    assert command == "echo 8 > /sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs"
    command = equivalent_command("pf", "eni1np1", "eswitch_mode", "switchdev", device="netdevsim1")
    assert command == "devlink dev eswitch set netdevsim/netdevsim1 mode switchdev"


def test_binding_to_vfio_unbinds_overrides_and_probes() -> None:
    folder = f"/sys/bus/pci/devices/{NIC}/virtfn2"
    pci = f'"$(basename "$(readlink -f {folder})")"'
    assert equivalent_command("vf", "p2p1/2", "driver", "vfio-pci", device=NIC) == (
        f"echo {pci} > {folder}/driver/unbind; echo vfio-pci > {folder}/driver_override; "
        f"echo {pci} > /sys/bus/pci/drivers_probe"
    )


def test_binding_to_a_native_driver_takes_the_override_away() -> None:
    assert 'echo "" > ' in equivalent_command("vf", "p2p1/2", "driver", "igbvf", device=NIC)


def test_text_from_outside_cannot_become_a_command_of_its_own() -> None:
    command = equivalent_command("netdev", "vm;reboot:eth0", "mac", "$(reboot)")
    assert shlex.split(command) == ["ip", "-n", "vm;reboot", "link", "set", "dev", "eth0", "address", "$(reboot)"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no kind of object"):
        equivalent_command("port", "x", "up", True)


def test_a_vlan_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(UsageError, match="not a mapping"):
        equivalent_command("vf", "p2p1/2", "vlan", 100)
