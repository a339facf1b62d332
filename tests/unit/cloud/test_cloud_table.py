"""Where everything of a cloud is, as it is printed."""

import io
from dataclasses import replace
from typing import Any

from virtfn.cli.cloud_view import print_networks, print_servers
from virtfn.cli.console import Console
from virtfn.model.cloud.observed import (
    NOT_TOLD,
    ObservedNetwork,
    ObservedObject,
    ObservedPort,
    ObservedServer,
    ObservedSubnet,
)

LONGEST = 80


def network(name: str, **fields: Any) -> ObservedNetwork:
    flat = ObservedNetwork(name, name, type="flat", physical_network="physnet1", mtu=1500)
    return replace(flat, **fields)


def subnet(name: str, on: str) -> ObservedSubnet:
    return ObservedSubnet(name, name, on, "192.0.2.0/24")


def server(name: str, **facts: Any) -> ObservedServer:
    return replace(ObservedServer(name, f"id-{name}", status="ACTIVE", host="sriov-host1"), **facts)


def port(name: str, of: str = "", **facts: Any) -> ObservedPort:
    bound = ObservedPort(
        name,
        name,
        "flat",
        mac="fa:16:3e:12:34:56",
        ips=("192.0.2.100",),
        status="ACTIVE",
        device_id=f"id-{of}" if of else "",
        host="sriov-host1",
        pci_slot="0000:3b:02.3",
    )
    return replace(bound, **facts)


def lines(*objects: ObservedObject) -> list[str]:
    printed = io.StringIO()
    print_networks(Console(printed), objects, {})
    print_servers(Console(printed), objects, {})
    return printed.getvalue().splitlines()


def test_a_line_leads_from_the_server_to_its_vf_and_its_addresses() -> None:
    head, line = lines(server("vm-1"), port("vm-1-0", "vm-1"))
    assert head == "SERVER  HOST         PCI ADDRESS   NETWORK  MAC                IP"
    assert line == "vm-1    sriov-host1  0000:3b:02.3  flat     fa:16:3e:12:34:56  192.0.2.100"
    assert len(line) <= LONGEST


def test_a_network_is_told_with_its_physical_network_and_its_subnets() -> None:
    printed = lines(network("flat"), subnet("flat-v4", "flat"), network("tagged", type="vlan", segmentation_id=7))
    assert printed == [
        "NETWORK  TYPE    PHYSICAL  MTU   SUBNETS",
        "flat     flat    physnet1  1500  flat-v4 192.0.2.0/24",
        "tagged   vlan 7  physnet1  1500  -",
    ]


def test_a_subnet_on_a_network_of_others_is_told_with_the_networks_name_alone() -> None:
    assert lines(subnet("ours", "theirs"))[1] == "theirs   -     -         -    ours 192.0.2.0/24"


def test_servers_are_in_the_order_of_their_numbers() -> None:
    printed = lines(*(server(name) for name in ("vm-10", "vm-2", "vm-1")))
    assert [line.split()[0] for line in printed[1:]] == ["vm-1", "vm-2", "vm-10"]


def test_a_server_with_two_ports_has_two_lines() -> None:
    printed = lines(server("vm"), port("vm-1", "vm", pci_slot="0000:3b:0a.0"), port("vm-0", "vm"))
    assert [line.split()[:3] for line in printed[1:]] == [
        ["vm", "sriov-host1", "0000:3b:02.3"],
        ["vm", "sriov-host1", "0000:3b:0a.0"],
    ]


def test_the_status_is_told_only_where_something_is_not_active() -> None:
    printed = lines(
        server("vm-1"), port("vm-1-0", "vm-1", status="DOWN"), server("vm-2", status="BUILD", host=None), port("vm-2-0")
    )
    assert printed[0].endswith("STATUS")
    assert [line.split()[-1] for line in printed[1:]] == ["DOWN", "BUILD", "ACTIVE"]


def test_a_failed_server_and_the_port_that_it_lost_are_told() -> None:
    lost = port("vm-0", host="", pci_slot="", status="DOWN")
    printed = lines(server("vm", status="ERROR", host=None), lost)
    assert printed[1].split() == ["vm", "-", "-", "-", "-", "-", "ERROR"]
    assert printed[2].split()[:4] == ["(port", "vm-0)", "-", "-"]


def test_what_the_cloud_does_not_tell_is_no_blank() -> None:
    """Where a port is bound is told to administrators only."""
    seen = port("vm-0", "vm", pci_slot=NOT_TOLD, host=NOT_TOLD)
    assert lines(server("vm", host=None), seen)[1].split()[:3] == ["vm", "?", "?"]


def test_nothing_is_printed_where_there_is_nothing() -> None:
    assert lines() == []
