"""The format ``host/1`` as pydantic models: which keys there are, what each takes, and what it means.

The keys of PFs and VFs come from the rows of ``model.fields``; there is one reader per type of value.
A key that is left out holds ``UNSET``: pydantic does not check defaults, so the annotations name what a *written* key
takes. Nothing here knows lines; what spans several keys is in ``rules``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, create_model, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from virtfn.model.desired import UNSET, DesiredVf, PfMatch
from virtfn.model.field_row import Choice, Number, ValueType
from virtfn.model.field_row import Field as Row
from virtfn.model.fields import (
    DRIVER,
    GUID,
    MAC,
    MATCH_KEYS,
    NETDEV_NAME,
    PCI_ADDRESS,
    PF_DRIVER,
    PF_FIELDS,
    SWITCH,
    VENDOR_DEVICE,
    VF_FIELDS,
    VLAN,
)
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


class MatchKeys(Entry):
    """Which PFs are meant: all keys that are named must fit."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise refused("it names nothing", "name the PF, like {name: p2p1}; also pci, driver, id")
        return self

    def value(self) -> PfMatch:
        """The model's value."""
        said = {attribute: getattr(self, row.key.name) for attribute, row in MATCH_KEYS.items()}
        return PfMatch(**{attribute: one for attribute, one in said.items() if one is not UNSET})


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


_READERS: Mapping[ValueType, Any] = {
    SWITCH: bool,
    MAC: values.Mac,
    VLAN: Annotated[VlanEntry, BeforeValidator(_vlan), _ShortForms()],
    GUID: values.Guid,
    DRIVER: values.VfDriver,
    NETDEV_NAME: values.NetdevName,
    PCI_ADDRESS: values.Pci,
    PF_DRIVER: values.PfDriver,
    VENDOR_DEVICE: values.VendorDevice,
}


def _reader(kind: ValueType) -> Any:
    """What reads a value of this type."""
    if isinstance(kind, Number):
        return Annotated[int, Field(ge=kind.least, le=kind.most)]
    if isinstance(kind, Choice):
        return Annotated[Any, *values.chosen(kind.kind, *kind.allowed)]
    return _READERS[kind]


def _keys_of(rows: Mapping[str, Row]) -> dict[str, Any]:
    """The keys of these rows, as ``create_model`` takes them."""
    return {key.name: (_reader(key.type), _key(key.doc)) for row in rows.values() for key in row.keys}


_MATCH: dict[str, Any] = {
    row.key.name: (values.one_or_more(reader) if row.several else reader, _key(row.key.doc))
    for row in MATCH_KEYS.values()
    for reader in [_reader(row.key.type)]
}
MatchEntry = create_model("MatchEntry", __base__=MatchKeys, **_MATCH)
MatchEntry.__doc__ = MatchKeys.__doc__


class VfKeys(Entry):
    """The keys of a VF, from the rows of ``VF_FIELDS``."""

    def value(self) -> DesiredVf:
        """The model's value."""
        said: dict[str, Any] = {key: getattr(self, key) for key in self.model_fields_set}
        if "vlan" in said:
            said["vlan"] = said["vlan"].value()
        return DesiredVf(**said)


VfEntry = create_model("VfEntry", __base__=VfKeys, **_keys_of(VF_FIELDS))
VfEntry.__doc__ = "What one VF, or each of several, must be. A key that is left out is left alone."


class PfKeys(Entry):
    """The keys of a PF that are no field of it; its fields are the rows of ``PF_FIELDS``."""

    match: MatchKeys
    each: VfKeys
    vfs: dict[values.SelectionText, VfKeys]

    def said(self) -> dict[str, Any]:
        """The fields of the PF that are named, with their values."""
        return {key: getattr(self, key) for key in self.model_fields_set - {"match", "each", "vfs"}}


PfEntry = create_model(
    "PfEntry",
    __base__=PfKeys,
    match=(MatchEntry, Field(description="Which PFs are meant: all that is named must fit.")),
    each=(
        VfEntry,
        Field(default_factory=VfEntry, description="What every VF of the PF must be, unless vfs says otherwise."),
    ),
    vfs=(
        dict[values.SelectionText, VfEntry],  # type: ignore[valid-type]
        Field(
            default_factory=dict,
            description="VFs by index, from 0: 2, 0-3 or 0-3,6. One VF goes before a range, a range before each.",
            json_schema_extra=lambda schema: _by_selection(schema),
        ),
    ),
    **_keys_of(PF_FIELDS),
)
PfEntry.__doc__ = "One PF, or all that ``match`` fits. A key that is left out is left alone."


def _by_selection(schema: dict[str, Any]) -> None:
    """The keys of ``vfs`` in the JSON Schema, in the same words whatever version of pydantic writes it."""
    said = schema.pop("additionalProperties", None)
    schema.pop("propertyNames", None)
    schema["patternProperties"] = schema.pop("patternProperties", None) or {words.SELECTION: said}
    schema["additionalProperties"] = False


class HostEntry(Entry):
    """What the PFs and VFs of a host must be. What is not named is left alone."""

    virtfn: Literal["host/1"] = Field(description="The format and its version; always the same words.")
    pfs: list[PfEntry] = Field(  # type: ignore[valid-type]
        description="The PFs; those that no entry matches are left alone."
    )


KEYS_OF: dict[str, tuple[str, ...]] = {
    "a host spec": tuple(HostEntry.model_fields),
    "an entry of pfs": ("match", *_keys_of(PF_FIELDS), "each", "vfs"),
    "match": tuple(MatchEntry.model_fields),
    "each and vfs": tuple(VfEntry.model_fields),
    "vlan": tuple(VlanEntry.model_fields),
}
"""The keys of each kind of mapping, by how a person would call it."""
