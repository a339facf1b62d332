"""Why servers did not start, or are not ready, from the current state of the cloud. Pure.

The fault of a server never names the cause. Measured on release 2026.2: "No valid host was found" means a missing VF or
a flavor that fits nowhere; "Exhausted all hosts" a dead agent or a VF that another server took a moment before, and
nova's log of the server's actions then shows the build as a success. They only show the progress: with the first no
host was suitable, with the second a host was chosen and the build failed there.
"""

from collections.abc import Iterator
from dataclasses import replace

from virtfn.model.cloud import DesiredCloud, DesiredPort, DesiredServer
from virtfn.model.cloud.observed import ObservedCloud
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.finding import Action, Finding, UseCase
from virtfn.model.inventory import Unknown
from virtfn.planning.cloud.agents import agent_causes, agent_line, network_causes
from virtfn.planning.cloud.causes import BINDING_FAILED, about, merged
from virtfn.planning.cloud.diagnosis.build_failed import is_of_a_build, not_built_causes
from virtfn.planning.cloud.diagnosis.no_valid_host import no_host_causes, not_taken_up
from virtfn.planning.cloud.diagnosis.port_down import is_of_plugging, silence_causes, unplugged_causes
from virtfn.planning.cloud.readiness import VIF_BINDING_FAILED, readiness
from virtfn.planning.cloud.wanted_objects import physical_network_of

_NO_HOST = "No valid host"
_BIND_AGAIN = "delete the server and create it again; Neutron's log says why (`Failed to bind port`)"
_AGAIN = (Action(UseCase.CLOUD_UP),)


def diagnosis(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> tuple[Finding, ...]:
    """The causes of the failures, or, if there are none, of objects that are not ready.

    Nothing where the cloud's own message is the cause.
    """
    failed = [
        cause
        for server in desired.servers
        for cause in about(f"server {server.name}", _of_a_failure(server, desired, observed, survey))
    ]
    if failed or readiness(desired, observed).failed:
        return merged(failed)
    return merged(_of_waiting(desired, observed, survey))


def _of_waiting(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[Finding]:
    for server in desired.servers:
        yield from about(f"server {server.name}", not_taken_up(server, observed, survey))
    yield from silence_causes(desired, observed, survey)


def _of_a_failure(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    found = observed.server(server.name)
    fault = found.fault if found else ""
    if is_of_a_build(fault) or VIF_BINDING_FAILED in fault:
        yield from not_built_causes(server, desired, observed, survey)
    elif is_of_plugging(fault):
        yield from unplugged_causes(server, desired, observed, survey)
    elif _NO_HOST in fault:
        yield from no_host_causes(server, desired, observed, survey)
    for port in server.ports:
        at = observed.port(port.name)
        if at is not None and at.vif_type == VIF_BINDING_FAILED:
            physical = physical_network_of(port, desired, observed)
            seen = f"port {port.name}: {VIF_BINDING_FAILED} on {at.host}, status {at.status}"
            tunnels = [replace(one, evidence=(*one.evidence, seen)) for one in network_causes(port, desired, observed)]
            yield from tunnels or _not_bound(port, physical, str(at.host), seen, survey)


def _not_bound(port: DesiredPort, physical: str | None, host: str, seen: str, survey: CloudSurvey) -> Iterator[Finding]:
    agents = () if isinstance(survey.agents, Unknown) else survey.agents
    causes = list(agent_causes(port, physical, agents, (host,))) if physical and agents else []
    if causes:
        for one in causes:
            then = f"{one.fix}; then {_BIND_AGAIN}"
            yield replace(one, evidence=(*one.evidence, seen), fix=then, actions=_AGAIN)
        return
    evidence = (seen, *(agent_line(one) for one in agents if one.host == host))
    what = f"Neutron could not bind a port on {host}"
    yield BINDING_FAILED.at("", what, evidence=evidence, fix=_BIND_AGAIN, actions=_AGAIN)
