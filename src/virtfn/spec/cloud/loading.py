"""One file in, one desired cloud out; or everything that is wrong with it."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from virtfn.model.cloud import DesiredCloud
from virtfn.spec.cloud.cloud_format import FORMAT, CloudEntry, NetworkEntry, ServerEntry, network_value
from virtfn.spec.cloud.pydantic_errors import worded
from virtfn.spec.cloud.rules import check
from virtfn.spec.document import read
from virtfn.spec.problems import OTHER_FORMAT, Findings, Path, quoted, refusal
from virtfn.spec.pydantic_errors import kind_of, place_of
from virtfn.spec.yaml_nodes import Refused

E = TypeVar("E", bound=BaseModel)
_LISTS = ("networks", "servers")


@dataclass
class Drafts:
    """The entries of a file that are right by themselves, by their place; ``doubtful``: not all of them are."""

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
    """The entries under ``key`` that are right by themselves; faults of the others are noted."""
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
            findings.add(path, *worded(fault, path), kind_of(fault))
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
