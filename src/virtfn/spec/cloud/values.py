"""The kinds of value that keys of a cloud spec take, as pydantic types."""

import ipaddress
import re
from typing import Annotated, Final, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from virtfn.model.cloud import NetworkType, VnicType
from virtfn.model.cloud.references import is_uuid
from virtfn.spec.problems import quoted
from virtfn.spec.values import Mac, chosen, refused

NONE: Final = "none"
SPEC_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""Part of a tag; nova takes tags of 60 letters without comma and slash (nova/api/validation/parameter_types.py)."""
OBJECT_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
"""A host name, too, where it is that of a server; no slash, as it is part of a target."""
SERVER_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._{}-]{0,62}$"
NUMBER: Final = "{n}"
"""Stands for the number of the server in the name of several."""
MAX_COUNT: Final = 256
MAX_SEGMENT: Final = 4094
MAX_USER_DATA: Final = 49_000
"""Octets; nova takes 65535 letters of base64 (nova/api/openstack/compute/schemas/servers.py)."""


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise refused(f"{quoted(value)} is not text", 'put it in quotes, like "m1.tiny"')


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(OBJECT_NAME, text):
        raise refused(f"{quoted(text)} is not a name", "write letters, digits, dot, dash or underscore, at most 63")
    if is_uuid(text):
        raise refused(f"{quoted(text)} has the form of an id", "give it a name that cannot be taken for one")
    return text


def _zone(value: object) -> str:
    text = _text(value)
    if ":" in text:
        zone, _, host = text.partition(":")
        raise refused(f"{quoted(text)} names a host, too", f"write availability_zone: {zone} and host: {host}")
    return text


def _spec_name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(SPEC_NAME, text):
        raise refused(f"{quoted(text)} is not a name", "write letters, digits, dot, dash or underscore, at most 40")
    return text


def _server_name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(OBJECT_NAME, text.replace(NUMBER, "1", 1)):
        remedy = "write a name like vm1, or like vm{n} with count"
        raise refused(f"{quoted(text)} is not the name of a server", remedy)
    return text


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(_text(value)))
    except ValueError as error:
        raise refused(f"{quoted(value)} is not an IP address", 'write it like "192.0.2.10"') from error


def _address_or_none(value: object) -> str | None:
    return None if value == NONE else _address(value)


def _cidr(value: object) -> str:
    text = _text(value)
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        try:
            wider = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise refused(f"{quoted(text)} is not a CIDR", "write it like 192.0.2.0/24") from error
        raise refused(f"{quoted(text)} has bits set beyond its prefix", f"write {wider}") from error


def _pool(value: object) -> tuple[str, str]:
    first, dash, last = _text(value).partition("-")
    if not dash:
        raise refused(f"{quoted(value)} is not a range of addresses", 'write it like "192.0.2.10-192.0.2.99"')
    return _address(first.strip()), _address(last.strip())


def _user_data(value: object) -> str:
    if not isinstance(value, str) or not value.strip():  # it is not repeated: it may hold a password
        raise refused("user data is not text", "write it below `user_data: |`, indented")
    text = value
    if len(text.encode()) > MAX_USER_DATA:
        raise refused(f"{len(text.encode())} octets of user data", f"nova takes {MAX_USER_DATA} at most")
    return text


_TEXT = WithJsonSchema({"type": "string", "minLength": 1})

Text: TypeAlias = Annotated[str, PlainValidator(_text), _TEXT]
Zone: TypeAlias = Annotated[
    str, PlainValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1, "pattern": "^[^:]+$"})
]
SpecName: TypeAlias = Annotated[
    str, PlainValidator(_spec_name), WithJsonSchema({"type": "string", "pattern": SPEC_NAME})
]
Name: TypeAlias = Annotated[str, PlainValidator(_name), WithJsonSchema({"type": "string", "pattern": OBJECT_NAME})]
ServerName: TypeAlias = Annotated[
    str, PlainValidator(_server_name), WithJsonSchema({"type": "string", "pattern": SERVER_NAME})
]
Address: TypeAlias = Annotated[str, PlainValidator(_address), _TEXT]
AddressOrNone: TypeAlias = Annotated[str | None, PlainValidator(_address_or_none), _TEXT]
Cidr: TypeAlias = Annotated[str, PlainValidator(_cidr), _TEXT]
Pool: TypeAlias = Annotated[tuple[str, str], PlainValidator(_pool), _TEXT]
UserData: TypeAlias = Annotated[str, PlainValidator(_user_data), _TEXT]
Count: TypeAlias = Annotated[int, Field(ge=1, le=MAX_COUNT)]
SegmentationId: TypeAlias = Annotated[int, Field(ge=1, le=MAX_SEGMENT)]
MacAddressText: TypeAlias = Mac

_TYPE, _TYPE_SCHEMA = chosen(NetworkType, *NetworkType)
Type: TypeAlias = Annotated[NetworkType, _TYPE, _TYPE_SCHEMA]
_VNIC, _VNIC_SCHEMA = chosen(VnicType, *VnicType)
Vnic: TypeAlias = Annotated[VnicType, _VNIC, _VNIC_SCHEMA]
