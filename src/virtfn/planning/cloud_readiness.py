"""Whether servers run and their ports are bound to VFs, and why not. Pure.

The fault of a server never names the cause (seen live: "No valid host was found" for a missing VF as for a dead agent),
so what can be known is looked at here: the NIC Switch agents, their physical networks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from virtfn.model.cloud import CloudObject, DesiredCloud, DesiredPort, DesiredServer, Kind, ObservedCloud, VnicType
from virtfn.model.cloud_fields import CHOSEN_BY_THE_CLOUD
from virtfn.model.desired import UNSET
from virtfn.model.inventory import Unknown
from virtfn.model.plan import Value

_ACTIVE = "ACTIVE"
_ERROR = "ERROR"
_UNBOUND = ("unbound", "")
_BINDING_FAILED = "binding_failed"
_NO_CAUSE = ("No valid host", "Exhausted all hosts", _BINDING_FAILED)
"""What nova and Neutron say where they do not say why; any other fault speaks for itself."""


@dataclass(frozen=True)
class Readiness:
    """What is still waited for, what has failed for good (object, the cloud's word), and why that may be."""

    waiting: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """All servers run, all their ports are bound and active."""
        return not self.waiting and not self.failed


def readiness(desired: DesiredCloud, observed: ObservedCloud) -> Readiness:
    """How far the servers of the spec are, with their ports. A fact that the cloud does not tell is not waited for."""
    waiting: list[str] = []
    failed: list[tuple[str, str]] = []
    causes: list[str] = []
    for server in desired.servers:
        states = [_server_state(server, observed), *(_port_state(port, observed) for port in server.ports)]
        waiting += [text for text, is_final in states if text and not is_final]
        broken = [text for text, is_final in states if is_final]
        failed += [(f"server {server.name}", text) for text in broken]
        if any(mark in text for text in broken for mark in _NO_CAUSE):
            causes += _causes(server, desired, observed)
    return Readiness(tuple(waiting), tuple(failed), tuple(dict.fromkeys(causes)))


def doubts(desired: DesiredCloud, observed: ObservedCloud) -> tuple[str, ...]:
    """What will keep servers of the spec from starting, as far as it can be seen beforehand."""
    found = [cause for server in desired.servers for cause in _agent_causes(server, desired, observed)]
    return tuple(dict.fromkeys(found))


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


def _port_state(port: DesiredPort, observed: ObservedCloud) -> tuple[str, bool]:
    found = observed.find(Kind.PORT, port.name)
    if found is None:
        return f"port {port.name} is not there", False
    facts = found.facts
    if facts.get("vif_type") == _BINDING_FAILED:
        return f"port {port.name}: Neutron could not bind it (binding_failed) on host {facts.get('host')}", True
    if facts.get("vif_type", "?") in _UNBOUND:
        return f"port {port.name} is not bound", False
    if "pci_slot" in facts and not facts["pci_slot"]:
        return f"port {port.name} has no PCI slot", False
    if facts.get("status") != _ACTIVE:
        return f"port {port.name} is {facts.get('status')}", False
    return "", False


def _causes(server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud) -> Iterator[str]:
    found = list(_agent_causes(server, desired, observed))
    yield from found
    if not found:
        physical = ", ".join(dict.fromkeys(_physical(port, desired, observed) for port in server.ports))
        yield (
            f"perhaps no VF of {physical} is free (nova's device_spec must name its NICs and that physical network), "
            "or no host fits flavor, host, zone or group"
        )


def _agent_causes(server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud) -> Iterator[str]:
    """Physical networks that no live agent serves. A whole PF needs no agent."""
    agents = observed.agents
    if isinstance(agents, Unknown):
        return
    for port in server.ports:
        physical = _physical(port, desired, observed)
        serving = [one for one in agents if physical in one.physical_networks]
        if port.vnic_type is VnicType.DIRECT_PHYSICAL or any(one.alive for one in serving):
            continue
        dead = ", ".join(one.host for one in serving)
        if dead:
            yield f"the NIC Switch agent for {physical} does not answer (on {dead}): its VFs cannot be bound"
        else:
            yield f"no NIC Switch agent serves {physical}: its VFs cannot be bound (physical_device_mappings)"


def _physical(port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud) -> str:
    for network in desired.networks:
        if network.name == port.network:
            return network.physical_network
    for other in observed.foreign_networks():
        if other.name == port.network:
            return str(other.fields.get("physical_network"))
    return "its physical network"
