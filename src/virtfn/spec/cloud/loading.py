"""Loads one file as a desired cloud, or reports all its faults."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from virtfn.model.cloud import DesiredCloud
from virtfn.spec.cloud.cloud_format import FORMAT, KEYS_OF, CloudEntry, NetworkEntry, ServerEntry, network_value
from virtfn.spec.cloud.rules import check
from virtfn.spec.document import read
from virtfn.spec.problems import OTHER_FORMAT, Findings, Path, quoted, refusal
from virtfn.spec.pydantic_errors import FormatWords, kind_of, place_of, worded
from virtfn.spec.yaml_nodes import Refused

E = TypeVar("E", bound=BaseModel)
_LISTS = ("networks", "servers")
_LIKE = {
    "virtfn": "virtfn: cloud/1",
    "name": "name: field-note",
    "networks": "- {name: flat, physical_network: physnet1}",
    "subnets": "- {name: flat-v4, cidr: 192.0.2.0/24}",
    "servers": "- {name: vm1, image: cirros, flavor: m1.tiny, ports: [{network: flat}]}",
    "ports": "- {network: flat}",
    "physical_network": "physical_network: physnet1",
    "cidr": "cidr: 192.0.2.0/24",
    "image": "image: cirros",
    "flavor": "flavor: m1.tiny",
    "network": "network: flat",
    "pools": '- "192.0.2.10-192.0.2.99"',
    "dns": '- "192.0.2.1"',
}


def _last_name(path: Path) -> str:
    """The last key of a path that is no number; "" for none."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


_WORDS = FormatWords(
    keys=KEYS_OF,
    home=lambda path: f"an entry of {_last_name(path)}" if path else "a cloud spec",
    missing=lambda key: _LIKE.get(key, key),
    empty=lambda key: f"write {_LIKE[key]}" if key in _LIKE else "leave the key out: then the cloud decides",
    like=lambda path: _LIKE.get(_last_name(path) or "virtfn", "- ..."),
    page="the examples in examples/cloud",
    reserved={},
)


@dataclass
class Drafts:
    """The entries of a file that are valid alone, by their place; ``doubtful``: some are not."""

    networks: dict[Path, NetworkEntry] = field(default_factory=dict)
    servers: dict[Path, ServerEntry] = field(default_factory=dict)
    doubtful: bool = False


def load_cloud(file: str, text: str) -> DesiredCloud:
    """The cloud that a file declares; ``file`` is its name, for errors. Pure: nothing but the text is read.

    Raises SpecError with every fault (``findings``: each with ``FILE:LINE`` as its subject), and nothing else.
    """
    try:
        document = read(text, file, form=FORMAT)
    except Refused as refused:
        raise refusal([refused.fault]) from refused
    findings, data = document.findings, document.data
    if not _is_our_format(data, findings):
        raise refusal(findings.found)
    drafts = Drafts(
        networks=_entries(data, "networks", NetworkEntry, findings),
        servers=_entries(data, "servers", ServerEntry, findings),
    )
    top = _checked({**data, **{key: [] for key in _LISTS if isinstance(data.get(key), list)}}, CloudEntry, (), findings)
    drafts.doubtful = bool(findings.found)
    check(drafts.networks, drafts.servers, findings, doubtful=drafts.doubtful)
    if findings.found or top is None:
        raise refusal(findings.found)
    return _cloud(top.name, drafts, findings)


def _is_our_format(data: Any, findings: Findings) -> bool:
    if not isinstance(data, dict):
        findings.add((), f"{quoted(data)} where keys are needed", f"write it like virtfn: {FORMAT}")
        return False
    said = data.get("virtfn")
    if said is None or said == FORMAT:
        return True
    findings.add(
        ("virtfn",), f"{quoted(said)} is not a format that this command reads", f"write virtfn: {FORMAT}", OTHER_FORMAT
    )
    return False


def _entries(data: dict[str, Any], key: str, model: type[E], findings: Findings) -> dict[Path, E]:
    """The entries under ``key`` that are valid alone; faults of the others are noted."""
    listed = data.get(key)
    places = enumerate(listed) if isinstance(listed, list) else ()
    found = {(key, number): _checked(item, model, (key, number), findings) for number, item in places}
    return {path: entry for path, entry in found.items() if entry is not None}


def _checked(data: Any, model: type[E], above: Path, findings: Findings) -> E | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            path = (*above, *place_of(fault))
            findings.add(path, *worded(fault, path, _WORDS), kind_of(fault))
        return None


def _cloud(name: str, drafts: Drafts, findings: Findings) -> DesiredCloud:
    networks = (
        network_value(
            entry,
            tuple(
                subnet.value(findings.where((*path, "subnets", number))) for number, subnet in enumerate(entry.subnets)
            ),
            findings.where(path),
        )
        for path, entry in drafts.networks.items()
    )
    servers = (
        entry.value(number, findings.where(path))
        for path, entry in drafts.servers.items()
        for number in range(1, entry.count + 1)
    )
    return DesiredCloud(name, tuple(networks), tuple(servers))
