"""How far each server is, in a line for the person who waits. Pure."""

from collections.abc import Mapping

from virtfn.model.cloud import CloudObject, DesiredCloud, DesiredPort, Kind, ObservedCloud


def standing(desired: DesiredCloud, observed: ObservedCloud) -> Mapping[str, str]:
    """By the server's name: ``ACTIVE on sriov-host1, port vm-1-0 bound to 0000:3b:02.3``, as far as it is known."""
    return {
        server.name: ", ".join(
            [
                _server(observed.find(Kind.SERVER, server.name)),
                *(text for port in server.ports if (text := _port(port, observed))),
            ]
        )
        for server in desired.servers
    }


def _server(found: CloudObject | None) -> str:
    if found is None:
        return "not there"
    host = found.facts.get("host")
    return f"{found.facts.get('status')}" + (f" on {host}" if host else "")


def _port(port: DesiredPort, observed: ObservedCloud) -> str:
    found = observed.find(Kind.PORT, port.name)
    if found is None:
        return f"port {port.name} not there"
    slot, status = found.facts.get("pci_slot"), found.facts.get("status")
    waits = "" if status == "ACTIVE" else ", not up yet"
    if slot:
        return f"port {port.name} bound to {slot}{waits}"
    return f"port {port.name} {status}" if status == "ACTIVE" else ""
