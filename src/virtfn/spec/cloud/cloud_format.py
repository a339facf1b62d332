"""The format ``cloud/1`` as pydantic models: which keys there are, what each takes, and what it means.

A key that is left out holds ``UNSET`` and is left to the cloud. What spans several keys is in ``rules``.
"""

import json
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from virtfn.model.cloud import DesiredNetwork, DesiredPort, DesiredServer, DesiredSubnet, NetworkType, VnicType
from virtfn.model.desired import UNSET
from virtfn.spec.cloud import values
from virtfn.spec.host_format import Entry
from virtfn.spec.schema import schema_of
from virtfn.spec.values import Mtu

FORMAT: Final = "cloud/1"
"""What a file says under ``virtfn:``."""


def _key(description: str) -> Any:
    """A key that may be left out: the cloud then decides."""
    return Field(default_factory=lambda: UNSET, description=description)


def _said(entry: BaseModel, *without: str) -> dict[str, Any]:
    """The keys that are written, with their values."""
    return {key: getattr(entry, key) for key in entry.model_fields_set if key not in without}


class SubnetEntry(Entry):
    """A range of IP addresses of the network."""

    name: values.Name = Field(description="Name of the subnet, once in the file.")
    cidr: values.Cidr = Field(description="The range, like 192.0.2.0/24.")
    pools: list[values.Pool] = _key("Ranges from which addresses are given out, like 192.0.2.10-192.0.2.99.")
    gateway: values.AddressOrNone = _key("Address of the gateway, or none. Left out: the first address of the range.")
    dhcp: bool = _key("Whether DHCP gives out the addresses. Left out: it does.")
    dns: list[values.Address] = _key("Name servers for the servers, in order.")

    def value(self, where: str) -> DesiredSubnet:
        """The model's value."""
        said = _said(self)
        said |= {key: tuple(said[key]) for key in ("pools", "dns") if key in said}
        return DesiredSubnet(**said, where=where)


class NetworkEntry(Entry):
    """A provider network whose ports are VFs of the NICs on one physical network."""

    name: values.Name = Field(description="Name of the network, once in the file.")
    physical_network: values.Text = Field(description="Neutron's name of the physical network, like physnet1.")
    type: values.Type = Field(
        default=NetworkType.FLAT, description="flat: frames go by MAC alone, no VLAN. vlan: with a tag."
    )
    segmentation_id: values.SegmentationId = _key("VLAN id of a vlan network. Left out: Neutron chooses one.")
    mtu: Mtu = _key("MTU of the network, in octets.")
    shared: bool = _key("Whether other projects may use the network.")
    port_security: bool = _key(
        "Whether ports get spoof checking. A mirror needs false: the SR-IOV agent sets it again at each port update."
    )
    subnets: list[SubnetEntry] = Field(default_factory=list, description="Its ranges of IP addresses.")


class PortEntry(Entry):
    """A port of the server: a VF, a macvtap on a VF, or a whole PF."""

    network: values.Text = Field(description="Name of the network: of this file, or name or id of one that is there.")
    vnic_type: values.Vnic = Field(default=VnicType.DIRECT, description="direct: a VF (left out: this).")
    fixed_ip: values.AddressOrNone = _key(
        "IP address of the port, or none. Left out: one from the pools, or none where the network has no subnet here."
    )
    mac: values.MacAddressText = _key("MAC address of the port. Left out: Neutron makes one.")

    def value(self, name: str) -> DesiredPort:
        """The model's value."""
        return DesiredPort(name=name, **_said(self))


class ServerEntry(Entry):
    """A server, or several alike."""

    name: values.ServerName = Field(description="Name of the server; with count, {n} is its number from 1.")
    count: values.Count = Field(default=1, description="Number of servers.")
    image: values.Text = Field(description="Name or id of the image.")
    flavor: values.Text = Field(description="Name or id of the flavor.")
    ports: list[PortEntry] = Field(min_length=1, description="Ports, in the order in which the server sees them.")
    host: values.Text = _key("Compute host it must run on; for administrators.")
    availability_zone: values.Zone = _key("Availability zone it must run in.")
    user_data: values.UserData = _key("What cloud-init gets. It is kept in the journal, too.")
    key_name: values.Text = _key("Name of the key pair for logging in.")
    anti_affinity: values.Name = _key("Name of a group; servers of one group never share a host.")

    def value(self, number: int, where: str) -> DesiredServer:
        """The model's value for the server with this number, from 1."""
        name = self.name.replace(values.NUMBER, str(number), 1)
        ports = tuple(port.value(f"{name}-{index}") for index, port in enumerate(self.ports))
        return DesiredServer(name=name, ports=ports, where=where, **_said(self, "name", "count", "ports"))


class CloudEntry(Entry):
    """Networks and servers that bear this file's mark; all else in the cloud is left alone."""

    virtfn: Literal["cloud/1"] = Field(description="The format and its version; always the same words.")
    name: values.SpecName = Field(description="Marks all that is made for this file: the tag virtfn:NAME.")
    networks: list[NetworkEntry] = Field(default_factory=list, description="Provider networks.")
    servers: list[ServerEntry] = Field(default_factory=list, description="Servers with their ports.")


KEYS_OF: dict[str, tuple[str, ...]] = {
    "a cloud spec": tuple(CloudEntry.model_fields),
    "an entry of networks": tuple(NetworkEntry.model_fields),
    "an entry of subnets": tuple(SubnetEntry.model_fields),
    "an entry of servers": tuple(ServerEntry.model_fields),
    "an entry of ports": tuple(PortEntry.model_fields),
}
"""The keys of each kind of mapping, by its name in messages."""


def network_value(entry: NetworkEntry, subnets: tuple[DesiredSubnet, ...], where: str) -> DesiredNetwork:
    """The model's value of a network with those of its subnets."""
    return DesiredNetwork(**_said(entry, "subnets"), subnets=subnets, where=where)


def cloud_json_schema() -> dict[str, Any]:
    """The schema as plain values."""
    return schema_of(CloudEntry, title="virtfn cloud spec, cloud/1")


def cloud_json_schema_text() -> str:
    """The schema as a file: sorted, so that the same format is the same text."""
    return json.dumps(cloud_json_schema(), indent=2, sort_keys=True) + "\n"
