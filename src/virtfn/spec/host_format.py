"""The format ``host/1`` as pydantic models: which keys there are, what each takes, and what it means.

A key that is left out holds ``UNSET``: pydantic does not check defaults, so the annotations name what a *written* key
takes. Nothing here knows lines; what spans several keys is in ``rules``.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from virtfn.model.desired import UNSET, DesiredVf, PfMatch
from virtfn.model.inventory import NO_VLAN, Vlan, VlanProtocol
from virtfn.spec import constants as words
from virtfn.spec import values
from virtfn.spec.problems import quoted
from virtfn.spec.values import refused


def _key(description: str) -> Any:
    """A key that may be left out: then it is left alone."""
    return Field(default_factory=lambda: UNSET, description=description)


class Entry(BaseModel):
    """A mapping of known keys; nothing is converted (1 is not true, "1" is not 1)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MatchEntry(Entry):
    """Which PFs are meant: all keys that are named must fit."""

    name: values.NetdevName = _key("Name of the PF's network device, as ip link shows it. Names can change over boots.")
    pci: values.Pci = _key("PCI address of the PF, like 0000:01:00.0; the domain 0000 may be left out.")
    driver: values.PfDriver = _key("Driver of the PF, like igb. It may fit several PFs: then the entry is for each.")
    id: values.VendorDevice = _key(
        "Vendor and device id of the PF in hexadecimal, like 8086:10c9. It may fit several PFs."
    )

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise refused("it names nothing", "name the PF, like {name: p2p1}; also pci, driver, id")
        return self

    def value(self) -> PfMatch:
        """The model's value."""
        said = {key: getattr(self, key) for key in self.model_fields_set}
        return PfMatch(said.get("name"), said.get("pci"), said.get("driver"), said.get("id"))


class VlanEntry(Entry):
    """The VLAN that the PF puts on all frames of the VF, and takes off again."""

    id: values.VlanId = Field(description="VLAN id; 0: no VLAN, or with qos a priority tag only.")
    qos: values.Qos = _key("Priority (PCP) of the tag; 0 if left out.")
    protocol: values.Protocol = _key("The tag: 802.1Q (EtherType 0x8100), or 802.1ad (0x88a8). 802.1Q if left out.")

    @model_validator(mode="after")
    def _has_a_tag(self) -> Self:
        if self.value() == NO_VLAN or self.id or self.value().qos:
            return self
        raise refused("without id and qos there is no tag, so no protocol either", "write vlan: none, or give an id")

    def value(self) -> Vlan:
        """The model's value."""
        said = {key: getattr(self, key) for key in self.model_fields_set}
        return Vlan(self.id, said.get("qos", 0), said.get("protocol", VlanProtocol.C_TAG))


class _ShortForms:
    """``vlan: 100`` and ``vlan: none`` in the JSON Schema."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        number = {"type": "integer", "minimum": 0, "maximum": words.MAX_VLAN_ID}
        return {"anyOf": [number, {"const": words.NO_TAG}, handler(schema)]}


def _vlan(value: object) -> object:
    """A number or ``none`` in the long form."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"id": value}
    if value == words.NO_TAG:
        return {"id": 0}
    if isinstance(value, dict | None):
        return value
    raise refused(f"{quoted(value)} is not a VLAN", "write a number, none, or {id: 100, qos: 3, protocol: 802.1ad}")


class VfEntry(Entry):
    """What one VF, or each of several, shall be. A key that is left out is left alone."""

    mac: values.Mac = _key(
        "Administrative MAC address of the VF; not multicast, and not twice below one PF. "
        "00:00:00:00:00:00: none is set, the only one allowed for several VFs."
    )
    vlan: Annotated[VlanEntry, BeforeValidator(_vlan), _ShortForms()] = _key(
        "VLAN of the VF: its id, or id, qos and protocol; none or 0: no VLAN."
    )
    spoofchk: bool = _key("Whether the NIC drops what the VF sends from another MAC (or VLAN) than its own.")
    trust: bool = _key("Whether the VF may change its MAC, be promiscuous, and more: what exactly, its driver says.")
    link_state: values.LinkState = _key("Link as the VF sees it: that of the port (auto), always up, always down.")
    min_tx_rate_mbps: values.Rate = _key("Guaranteed rate of what the VF sends, in Mbit/s; 0: none.")
    max_tx_rate_mbps: values.Rate = _key("Limit of what the VF sends, in Mbit/s; 0: no limit.")
    rss_query: bool = _key("Whether the VF may read its receive hash key and table.")
    driver: values.VfDriver = _key("Driver of the VF, like vfio-pci; native: whichever fits; none: no driver.")

    def value(self) -> DesiredVf:
        """The model's value."""
        said = {key: getattr(self, key) for key in self.model_fields_set}
        if "vlan" in said:
            said["vlan"] = self.vlan.value()
        return DesiredVf(**said)


class PfEntry(Entry):
    """One PF, or all that ``match`` fits. A key that is left out is left alone."""

    match: MatchEntry = Field(description="Which PFs are meant: all that is named must fit.")
    num_vfs: values.NumVfs = _key("Number of VFs. To change it from N to M, all N VFs are destroyed first.")
    mtu: values.Mtu = _key("MTU of the PF's network device, in octets.")
    up: bool = _key("Whether the PF's network device is administratively up.")
    eswitch_mode: values.Mode = _key("How the NIC forwards: by MAC and VLAN (legacy), or by representors (switchdev).")
    autoprobe: bool = _key("Whether the kernel binds a driver to a VF as soon as it is created.")
    each: VfEntry = Field(
        default_factory=VfEntry, description="What every VF of the PF shall be, unless vfs says otherwise."
    )
    vfs: dict[values.SelectionText, VfEntry] = Field(
        default_factory=dict,
        description="VFs by index, from 0: 2, 0-3 or 0-3,6. One VF goes before a range, a range before each.",
        json_schema_extra=lambda schema: _by_selection(schema),
    )


def _by_selection(schema: dict[str, Any]) -> None:
    """The keys of ``vfs`` in the JSON Schema, in the same words whatever version of pydantic writes it."""
    said = schema.pop("additionalProperties", None)
    schema.pop("propertyNames", None)
    schema["patternProperties"] = schema.pop("patternProperties", None) or {words.SELECTION: said}
    schema["additionalProperties"] = False


class HostEntry(Entry):
    """What the PFs and VFs of a host shall be. What is not named is left alone."""

    virtfn: Literal["host/1"] = Field(description="The format and its version; always the same words.")
    pfs: list[PfEntry] = Field(description="The PFs; those that no entry matches are left alone.")


KEYS_OF: dict[str, tuple[str, ...]] = {
    "a host spec": tuple(HostEntry.model_fields),
    "an entry of pfs": tuple(PfEntry.model_fields),
    "match": tuple(MatchEntry.model_fields),
    "each and vfs": tuple(VfEntry.model_fields),
    "vlan": tuple(VlanEntry.model_fields),
}
"""The keys of each kind of mapping, by how a person would call it."""
