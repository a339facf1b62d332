"""From what the SDK gives to the normal form; values as a real cloud gave them."""

from types import SimpleNamespace
from typing import Any

from virtfn.cloud import from_sdk as reading
from virtfn.model.cloud.fields import fields_of
from virtfn.model.cloud.observed import NicAgent
from virtfn.model.inventory import Unknown

OWN = {"n1": "flat"}
NAMES = reading.Names({"f1": "m1.tiny"}, {"s1": "apart"}, {"s1": ("vm-0", "vm-1")})
BOUND = {"pci_vendor_info": "8086:154c", "pci_slot": "0000:3b:02.3", "physical_network": "physnet1"}


def port(**changed: Any) -> Any:
    fields: dict[str, Any] = {
        "id": "p1",
        "name": "vm-0",
        "network_id": "n1",
        "status": "ACTIVE",
        "device_owner": "compute:nova",
        "device_id": "s1",
        "mac_address": "fa:16:3e:12:34:56",
        "fixed_ips": [{"subnet_id": "x", "ip_address": "192.0.2.10"}],
        "binding_vnic_type": "direct",
        "binding_vif_type": "hw_veb",
        "binding_host_id": "sriov-host1",
        "binding_profile": BOUND,
    }
    return SimpleNamespace(**{**fields, **changed})


def server(**changed: Any) -> Any:
    fields: dict[str, Any] = {
        "id": "s1",
        "name": "vm",
        "status": "ACTIVE",
        "image": SimpleNamespace(id="i1"),
        "flavor": SimpleNamespace(id=None, original_name="m1.tiny"),
        "compute_host": "sriov-host1",
        "availability_zone": "nova",
        "key_name": None,
        "fault": None,
    }
    return SimpleNamespace(**{**fields, **changed})


def test_a_bound_port_tells_its_vf() -> None:
    found = reading.port(port(), OWN)
    assert fields_of(found) == {
        "network": "flat",
        "vnic_type": "direct",
        "mac": "fa:16:3e:12:34:56",
        "fixed_ip": "192.0.2.10",
    }
    assert (found.vif_type, found.host, found.pci_slot) == ("hw_veb", "sriov-host1", "0000:3b:02.3")


def test_what_is_for_administrators_only_is_unknown_not_empty() -> None:
    hidden = port(binding_vif_type=None, binding_host_id=None, binding_profile=None)
    found = reading.port(hidden, OWN)
    assert all(isinstance(fact, Unknown) for fact in (found.vif_type, found.host, found.pci_slot))


def test_a_network_tells_a_member_neither_its_type_nor_where_it_is() -> None:
    told = {"id": "n1", "name": "flat", "mtu": 1500, "is_shared": False, "is_port_security_enabled": True}
    where = {"provider_network_type": "flat", "provider_physical_network": "physnet1", "provider_segmentation_id": None}
    rest = {"status": "ACTIVE", "subnet_ids": ["s1", "s2"]}
    admins = reading.network(SimpleNamespace(**told, **where, **rest))
    members = reading.network(SimpleNamespace(**told, **dict.fromkeys(where), **rest))
    assert (admins.type, admins.physical_network) == ("flat", "physnet1")
    assert {"type", "physical_network", "segmentation_id"}.isdisjoint(fields_of(members))
    assert (members.status, members.subnets) == ("ACTIVE", 2)


def test_a_subnet_is_in_normal_form() -> None:
    one = SimpleNamespace(
        id="x",
        name="v4",
        network_id="n1",
        cidr="192.0.2.0/24",
        gateway_ip=None,
        is_dhcp_enabled=False,
        dns_nameservers=["192.0.2.3", "192.0.2.2"],
        allocation_pools=[
            {"start": "192.0.2.100", "end": "192.0.2.120"},
            {"start": "192.0.2.9", "end": "192.0.2.20"},
        ],
    )
    assert fields_of(reading.subnet(one, OWN)) == {
        "network": "flat",
        "cidr": "192.0.2.0/24",
        "pools": [["192.0.2.9", "192.0.2.20"], ["192.0.2.100", "192.0.2.120"]],
        "gateway": None,
        "dhcp": False,
        "dns": ["192.0.2.3", "192.0.2.2"],
    }


def test_a_server_names_what_it_is_made_of() -> None:
    found = reading.server(server(), NAMES)
    assert (found.image, found.flavor) == ("i1", "m1.tiny")
    assert (found.server_group, found.ports) == ("apart", ("vm-0", "vm-1"))


def test_a_failed_server_tells_its_fault_and_no_ports() -> None:
    failed = server(status="ERROR", fault={"code": 500, "message": "No valid host was found. "}, compute_host=None)
    found = reading.server(failed, NAMES)
    assert "ports" not in fields_of(found)
    assert found.fault == "No valid host was found. "


def test_ports_of_a_server_are_in_the_order_of_their_numbers() -> None:
    ports = [SimpleNamespace(name=f"vm-{number}", device_id="s1") for number in (10, 2, 1)]
    unbound = SimpleNamespace(name="other-0", device_id="")
    assert reading.ports_by_server([*ports, unbound]) == {"s1": ("vm-1", "vm-2", "vm-10")}


def test_a_group_is_ours_by_its_name() -> None:
    assert reading.group_name("note", "virtfn:note/apart") == "apart"
    assert reading.group_name("note", "virtfn:other/apart") is None
    assert reading.group_name("note", "apart") is None


def test_an_agent_tells_its_physical_networks() -> None:
    one = SimpleNamespace(
        host="sriov-host1",
        is_alive=True,
        configuration={"device_mappings": {"physnet2": ["a"], "physnet1": ["b"]}},
        last_heartbeat_at="now",
    )
    pfs = {"physnet1": ("b",), "physnet2": ("a",)}
    assert reading.nic_agent(one) == NicAgent("sriov-host1", True, ("physnet1", "physnet2"), pfs, None, "now")
