"""How a fake cloud is configured, and what Neutron says of it (its words measured on release 2026.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from virtfn.errors import CloudError
from virtfn.model.cloud import CloudObject, Kind, NicAgent
from virtfn.model.plan import Value

MADE_BY_NEUTRON: Mapping[Kind, Mapping[str, Value]] = {
    Kind.NETWORK: {"segmentation_id": None, "mtu": 1500, "shared": False, "port_security": True},
    Kind.SUBNET: {"pools": [["192.0.2.2", "192.0.2.254"]], "gateway": "192.0.2.1", "dhcp": True, "dns": []},
    Kind.PORT: {"mac": None, "fixed_ip": None},
}
"""What Neutron chooses where nobody says."""


@dataclass
class FakeRules:
    """What the cloud's administrators have configured. ``vfs`` are free VFs as host, physical network, PCI slot."""

    type_drivers: tuple[str, ...] = ("flat", "vlan")
    flat_networks: tuple[str, ...] = ("physnet1", "physnet2")
    vlan_networks: tuple[str, ...] = ("physnet1",)
    images: tuple[str, ...] = ("cirros",)
    flavors: tuple[str, ...] = ("m1.tiny",)
    key_names: tuple[str, ...] = ("operator",)
    agents: tuple[NicAgent, ...] = (
        NicAgent("compute1", True, ("physnet1", "physnet2")),
        NicAgent("compute2", True, ("physnet1",)),
    )
    vfs: list[tuple[str, str, str]] = field(
        default_factory=lambda: [
            (host, physical, f"0000:{bus}:02.{number}")
            for host, physical, bus in (("compute1", "physnet1", "3b"), ("compute2", "physnet1", "af"))
            for number in range(4)
        ]
    )

    def check_network(self, fields: Mapping[str, Value]) -> None:
        """Raise CloudError where ML2's type drivers refuse a network with these fields."""
        kind, physical = str(fields["type"]), str(fields["physical_network"])
        if kind not in self.type_drivers:
            raise _invalid(f"network_type value '{kind}' not supported.")
        if kind == "flat" and physical not in self.flat_networks:
            raise _invalid(f"physical_network '{physical}' unknown for flat provider network.")
        if kind == "flat" and fields.get("segmentation_id") is not None:
            raise _invalid("segmentation_id prohibited for flat provider network.")
        if kind == "vlan" and physical not in self.vlan_networks:
            raise _invalid(f"physical_network '{physical}' unknown for VLAN provider network.")


def unbound(port: CloudObject) -> dict[str, Value]:
    """The facts of a port that no server has."""
    return {
        "status": "DOWN",
        "vif_type": "unbound",
        "host": "",
        "pci_slot": "",
        "owner": "",
        "mac": port.fields.get("mac") or "fa:16:3e:00:00:01",
    }


def _invalid(what: str) -> CloudError:
    return CloudError(f"Invalid input for operation: {what}", where="network", status=400)
