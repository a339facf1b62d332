"""Whether servers run and their ports are bound to VFs, and each server's progress. Pure. Causes: ``diagnosis``."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtfn.model.cloud import DesiredCloud, DesiredPort, DesiredServer
from virtfn.model.cloud.fields import CHOSEN_BY_THE_CLOUD
from virtfn.model.cloud.observed import ObservedCloud, ObservedServer
from virtfn.model.desired import UNSET
from virtfn.model.finding import Finding, FindingKind, Severity
from virtfn.model.inventory import Unknown
from virtfn.model.plan import Value

NOT_READY = FindingKind(
    "not-ready", Severity.WARNING, "A server does not run yet, or a port of it is not bound and up yet.", "wait for it"
)
SERVER_FAILED = FindingKind(
    "server-failed",
    Severity.FAULT,
    "A server of the spec has failed for good; the finding has the cloud's own words.",
    "delete it, then it can be created again",
)
VIF_BINDING_FAILED = "binding_failed"
"""``binding:vif_type`` of a port that Neutron could not bind."""
_ACTIVE = "ACTIVE"
_ERROR = "ERROR"
_BUILD = "BUILD"
_UNBOUND = ("unbound", "")


@dataclass(frozen=True)
class Readiness:
    """What is not ready yet, what has failed for good (in the cloud's words), and what was found about why."""

    waiting: tuple[Finding, ...] = ()
    failed: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_ready(self) -> bool:
        """All servers run, all their ports are bound and active."""
        return not self.waiting and not self.failed


def readiness(desired: DesiredCloud, observed: ObservedCloud) -> Readiness:
    """The progress of the spec's servers and their ports. Unknown values are not waited for."""
    waiting: list[Finding] = []
    failed: list[Finding] = []
    for server in desired.servers:
        states = [_server_state(server, observed), *(_port_state(port, server, observed) for port in server.ports)]
        subject = f"server {server.name}"
        waiting += [NOT_READY.at(subject, text) for text, is_final in states if text and not is_final]
        failed += [SERVER_FAILED.at(subject, text) for text, is_final in states if is_final]
    return Readiness(tuple(waiting), tuple(failed))


def placement(desired: DesiredCloud, observed: ObservedCloud) -> Mapping[str, Value]:
    """Where the servers' ports are now, as evidence for the journal."""
    ports = {
        port.name: {
            key: value
            for key in ("host", "pci_slot", "vif_type", "status")
            if not isinstance(value := getattr(found, key), Unknown)
        }
        for server in desired.servers
        for port in server.ports
        if (found := observed.port(port.name))
    }
    return {"kind": "placement", "ports": ports}


def progress(desired: DesiredCloud, observed: ObservedCloud) -> Mapping[str, str]:
    """The progress of each server, by its name: ``ACTIVE on sriov-host1, port vm-1-0 bound to 0000:3b:02.3``."""
    return {
        server.name: ", ".join(
            [
                _server_progress(observed.server(server.name)),
                *(text for port in server.ports if (text := _port_progress(port, observed))),
            ]
        )
        for server in desired.servers
    }


def _server_progress(found: ObservedServer | None) -> str:
    if found is None:
        return "not there"
    return f"{found.status} on {found.host}" if found.host else found.status


def _port_progress(port: DesiredPort, observed: ObservedCloud) -> str:
    found = observed.port(port.name)
    if found is None:
        return f"port {port.name} not there"
    waits = "" if found.status == _ACTIVE else ", not up yet"
    if found.pci_slot and not isinstance(found.pci_slot, Unknown):
        return f"port {port.name} bound to {found.pci_slot}{waits}"
    return f"port {port.name} {found.status}" if found.status == _ACTIVE else ""


def _server_state(server: DesiredServer, observed: ObservedCloud) -> tuple[str, bool]:
    """What is not ready, "" where nothing is; and whether that is final."""
    found = observed.server(server.name)
    if found is None:
        return f"server {server.name} is not there", False
    if found.status == _ERROR:
        return found.fault or "status ERROR", True
    if found.status != _ACTIVE:
        return f"server {server.name} is {found.status}", False
    misplaced = _misplaced(server, found)
    return misplaced, bool(misplaced)


def _misplaced(server: DesiredServer, found: ObservedServer) -> str:
    for field in CHOSEN_BY_THE_CLOUD:
        asked, got = getattr(server, field), getattr(found, field)
        if asked is not UNSET and got is not None and got != asked:
            return f"it runs with {field.replace('_', ' ')} {got}, asked was {asked}"
    return ""


def _port_state(port: DesiredPort, server: DesiredServer, observed: ObservedCloud) -> tuple[str, bool]:
    """The same for a port. While nova still builds the server it may try another host, and bind the port there."""
    found = observed.port(port.name)
    if found is None:
        return f"port {port.name} is not there", False
    if found.vif_type == VIF_BINDING_FAILED:
        holder = observed.server(server.name)
        is_final = holder is None or holder.status != _BUILD
        return f"port {port.name}: Neutron could not bind it (binding_failed) on host {found.host}", is_final
    if found.vif_type in _UNBOUND:
        return f"port {port.name} is not bound", False
    if found.pci_slot == "":
        return f"port {port.name} has no PCI slot", False
    if found.status != _ACTIVE:
        return f"port {port.name} is {found.status}", False
    return "", False
