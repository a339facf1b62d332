"""Whether servers run and their ports are bound to VFs. Pure. Why not is told by ``diagnosis``."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtfn.model.cloud import CloudObject, DesiredCloud, DesiredPort, DesiredServer, Kind, ObservedCloud
from virtfn.model.cloud.causes import Cause
from virtfn.model.cloud.fields import CHOSEN_BY_THE_CLOUD
from virtfn.model.desired import UNSET
from virtfn.model.plan import Value

BINDING_FAILED = "binding_failed"
_ACTIVE = "ACTIVE"
_ERROR = "ERROR"
_BUILD = "BUILD"
_UNBOUND = ("unbound", "")


@dataclass(frozen=True)
class Readiness:
    """What is still waited for, what has failed for good (object, the cloud's word), and why that may be."""

    waiting: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def is_ready(self) -> bool:
        """All servers run, all their ports are bound and active."""
        return not self.waiting and not self.failed


def readiness(desired: DesiredCloud, observed: ObservedCloud) -> Readiness:
    """How far the servers of the spec are, with their ports. A fact that the cloud does not tell is not waited for."""
    waiting: list[str] = []
    failed: list[tuple[str, str]] = []
    for server in desired.servers:
        states = [_server_state(server, observed), *(_port_state(port, server, observed) for port in server.ports)]
        waiting += [text for text, is_final in states if text and not is_final]
        failed += [(f"server {server.name}", text) for text, is_final in states if is_final]
    return Readiness(tuple(waiting), tuple(failed))


def placement(desired: DesiredCloud, observed: ObservedCloud) -> Mapping[str, Value]:
    """Where the servers' ports are now: what is kept in the journal as evidence."""
    ports = {
        port.name: {key: found.facts[key] for key in ("host", "pci_slot", "vif_type", "status") if key in found.facts}
        for server in desired.servers
        for port in server.ports
        if (found := observed.find(Kind.PORT, port.name))
    }
    return {"kind": "placement", "ports": ports}


def _server_state(server: DesiredServer, observed: ObservedCloud) -> tuple[str, bool]:
    """What is not right yet, "" where it is; and whether it will stay so."""
    found = observed.find(Kind.SERVER, server.name)
    if found is None:
        return f"server {server.name} is not there", False
    status = str(found.facts.get("status"))
    if status == _ERROR:
        return str(found.facts.get("fault") or "status ERROR"), True
    if status != _ACTIVE:
        return f"server {server.name} is {status}", False
    misplaced = _misplaced(server, found)
    return misplaced, bool(misplaced)


def _misplaced(server: DesiredServer, found: CloudObject) -> str:
    for field in CHOSEN_BY_THE_CLOUD:
        asked, got = getattr(server, field), found.fields.get(field)
        if asked is not UNSET and got is not None and got != asked:
            return f"it runs with {field.replace('_', ' ')} {got}, asked was {asked}"
    return ""


def _port_state(port: DesiredPort, server: DesiredServer, observed: ObservedCloud) -> tuple[str, bool]:
    """The same of a port. While nova still builds the server it may try another host, and bind the port there."""
    found = observed.find(Kind.PORT, port.name)
    if found is None:
        return f"port {port.name} is not there", False
    facts = found.facts
    if facts.get("vif_type") == BINDING_FAILED:
        holder = observed.find(Kind.SERVER, server.name)
        is_final = holder is None or holder.facts.get("status") != _BUILD
        return f"port {port.name}: Neutron could not bind it (binding_failed) on host {facts.get('host')}", is_final
    if facts.get("vif_type", "?") in _UNBOUND:
        return f"port {port.name} is not bound", False
    if "pci_slot" in facts and not facts["pci_slot"]:
        return f"port {port.name} has no PCI slot", False
    if facts.get("status") != _ACTIVE:
        return f"port {port.name} is {facts.get('status')}", False
    return "", False
