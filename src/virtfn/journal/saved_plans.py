"""Proposals saved to files, to be carried out later as they were approved."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from virtfn.errors import SpecError, UsageError
from virtfn.model.proposal import CloudProposal, HostRequest, Proposal
from virtfn.model.serialization import decode, encode
from virtfn.model.subject import CloudSubject, HostSubject, Subject

FORMAT = 1
_KIND = "proposal"
P = TypeVar("P", bound=Proposal[Any])


def save(proposal: Proposal[Any], path: Path) -> None:
    """Write the proposal to a file that only its owner can read. Raises UsageError where that fails."""
    document = {"format": FORMAT, "kind": _KIND, _KIND: encode(proposal)}
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, 0o600)
            file.write(json.dumps(document, indent=1) + "\n")
    except OSError as fault:
        raise UsageError(f"the plan cannot be saved ({fault.strerror})", where=str(path)) from fault


def load_host(path: Path) -> Proposal[HostRequest]:
    """Read a proposal for this host.

    Raises SpecError where the file cannot be read, is no saved plan or one for something else, has another format, or
    keys that are not known here.
    """
    return _load(path, Proposal[HostRequest], HostSubject)


def load_cloud(path: Path) -> CloudProposal:
    """Read a proposal for a cloud. Raises what ``load_host`` raises."""
    return _load(path, CloudProposal, CloudSubject)


def _load(path: Path, of: type[P], about: type[Subject]) -> P:
    try:
        return decode(of, _proposal(json.loads(path.read_text(encoding="utf-8")), about))
    except OSError as fault:
        raise SpecError(f"cannot be read ({fault.strerror})", where=str(path)) from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise SpecError(f"not a saved plan: {_said(fault)}", where=str(path), hint="save the plan again") from fault


def _proposal(document: Any, about: type[Subject]) -> object:
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise ValueError('it has no "kind": "proposal"')
    if document.get("format") != FORMAT:
        raise ValueError(f"it has format {document.get('format')}, this version reads format {FORMAT}")
    unknown = document.keys() - {"format", "kind", _KIND}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    found = document[_KIND]["plan"]["subject"]["kind"]
    if found != about.kind:
        raise ValueError(f"it is for a {found}, not for a {about.kind}")
    return document[_KIND]


def _said(fault: Exception) -> str:
    return f"{fault} is missing" if isinstance(fault, KeyError) else str(fault)
