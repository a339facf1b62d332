"""The kinds of value that keys take, as pydantic types: each reads plain YAML into a model value and describes itself.

A refusal carries ``what`` and ``remedy`` in its context; ``wording`` puts them into a problem.
"""

import difflib
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from virtfn.errors import UsageError
from virtfn.model.addresses import MacAddress, PciAddress
from virtfn.model.fields import NATIVE
from virtfn.model.inventory import VlanProtocol
from virtfn.spec import constants as words
from virtfn.spec.problems import quoted
from virtfn.spec.selection import Selection


def refused(what: str, remedy: str) -> PydanticCustomError:
    """The error that a validator raises: what is wrong and what to do about it."""
    return PydanticCustomError("spec", "{what}; {remedy}", {"what": what, "remedy": remedy})


def _text(value: object, example: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        what = "a list" if isinstance(value, list) else "keys"
        raise refused(f"{what} where one value is needed", f"write one, like {example}")
    raise refused(f"{quoted(value)} is not text", f"put it in quotes, like {example}")


def _mac(value: object) -> MacAddress:
    try:
        mac = MacAddress.parse(_text(value, '"fa:16:3e:aa:33:59"'))
    except UsageError as error:
        raise refused(f"{quoted(value)} is not a MAC address", error.hint) from error
    if mac.is_multicast:
        remedy = "its first octet is odd: take an even one, like fa or 52"
        raise refused(f"{mac} is a multicast address, which no VF can have", remedy)
    return mac


def _guid(value: object) -> str:
    guid = _text(value, '"22:44:33:00:33:11:00:33"')
    if not re.fullmatch(words.GUID, guid):
        raise refused(f"{quoted(guid)} is not a GUID", "write 8 octets, like 22:44:33:00:33:11:00:33")
    return guid.lower().replace("-", ":")


def _pci(value: object) -> PciAddress:
    try:
        return PciAddress.parse(_text(value, '"0000:01:00.0"'))
    except UsageError as error:
        raise refused(f"{quoted(value)} is not a PCI address", error.hint) from error


def _name(value: object) -> str:
    name = _text(value, '"p2p1"')
    if name in (".", "..") or not re.fullmatch(words.NETDEV_NAME, name) or len(name.encode()) > 15:
        remedy = "write the name as ip link shows it: at most 15 letters, no space, no slash, no colon"
        raise refused(f"{quoted(name)} is not the name of a network device", remedy)
    return name


def _driver_name(value: object) -> str:
    name = _text(value, '"igb"')
    if not re.fullmatch(words.DRIVER_NAME, name):
        raise refused(f"{quoted(name)} is not the name of a driver", "write it like igb or vfio-pci")
    return name


def _pf_driver(value: object) -> str:
    name = _driver_name(value)
    if name in (NATIVE, words.NO_DRIVER):
        raise refused(f"{quoted(name)} is not the name of a PF's driver", "write it like igb or ice")
    return name


def _vf_driver(value: object) -> str | None:
    name = _driver_name(value)
    return None if name == words.NO_DRIVER else name


def _vendor_device(value: object) -> str:
    text = _text(value, '"8086:10c9"')
    if not re.fullmatch(words.VENDOR_DEVICE, text):
        raise refused(f"{quoted(text)} is not a vendor and device id", "write it as lspci -n shows it, like 8086:10c9")
    return text.lower()


def _selection(text: str) -> str:
    try:
        Selection.parse(text)
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise refused(what, remedy) from error
    return text


def _choice(*allowed: str) -> Callable[[object], str]:
    def chosen(value: object) -> str:
        if value in allowed and isinstance(value, str):
            return value
        raise refused(f"{quoted(value)} is not one of {', '.join(allowed)}", advice(str(value), allowed))

    return chosen


def one_or_more(kind: Any) -> Any:
    """The type of a key that takes one value of ``kind`` (one of the types below), or a list of them."""
    read_one, schema = kind.__metadata__[0].func, kind.__metadata__[1].json_schema

    def read(value: object) -> object:
        if not isinstance(value, list):
            return read_one(value)
        if not value:
            raise refused("the list is empty", "name one at least")
        found = tuple(dict.fromkeys(read_one(item) for item in value))
        return found if len(found) > 1 else found[0]

    several = {"type": "array", "minItems": 1, "items": schema}
    return Annotated[Any, PlainValidator(read), WithJsonSchema({"anyOf": [schema, several]})]


def advice(word: str, known: tuple[str, ...]) -> str:
    """``did you mean ...?`` where a known word is near, else all of them."""
    plain = {name.lower().replace("_", "").replace("-", ""): name for name in known}
    near = difflib.get_close_matches(word[:40].lower().replace("_", "").replace("-", ""), plain, n=1, cutoff=0.6)
    return f"did you mean {plain[near[0]]}?" if near else f"write one of {', '.join(known)}"


def chosen(kind: Callable[[str], Any], *allowed: str) -> tuple[PlainValidator, WithJsonSchema]:
    """A key that takes one of these words, as a value of ``kind``: what reads it, and its JSON Schema."""
    choose = _choice(*allowed)
    return PlainValidator(lambda value: kind(choose(value))), WithJsonSchema({"enum": list(allowed)})


def _worded(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Mac: TypeAlias = Annotated[MacAddress, PlainValidator(_mac), _worded(words.MAC_ADDRESS)]
Guid: TypeAlias = Annotated[str, PlainValidator(_guid), _worded(words.GUID)]
Pci: TypeAlias = Annotated[PciAddress, PlainValidator(_pci), _worded(words.PCI_ADDRESS)]
NetdevName: TypeAlias = Annotated[str, PlainValidator(_name), _worded(words.NETDEV_NAME)]
PfDriver: TypeAlias = Annotated[str, PlainValidator(_pf_driver), _worded(words.DRIVER_NAME)]
VfDriver: TypeAlias = Annotated[str | None, PlainValidator(_vf_driver), _worded(words.DRIVER_NAME)]
VendorDevice: TypeAlias = Annotated[str, PlainValidator(_vendor_device), _worded(words.VENDOR_DEVICE)]
SelectionText: TypeAlias = Annotated[str, AfterValidator(_selection)]

_PROTOCOL, _PROTOCOL_SCHEMA = chosen(VlanProtocol, *VlanProtocol)
Protocol: TypeAlias = Annotated[VlanProtocol, _PROTOCOL, _PROTOCOL_SCHEMA]

Mtu: TypeAlias = Annotated[int, Field(ge=68, le=65535)]
VlanId: TypeAlias = Annotated[int, Field(ge=0, le=words.MAX_VLAN_ID)]
Qos: TypeAlias = Annotated[int, Field(ge=0, le=words.MAX_QOS)]
