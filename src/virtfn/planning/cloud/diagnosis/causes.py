"""Why servers did not start, from what the cloud still shows of it. Pure.

The fault of a server never names the cause. Measured on release 2026.2: "No valid host was found" is said of a missing
VF as of a flavor that fits nowhere; "Exhausted all hosts" of a dead agent as of a VF that another server took a moment
before, and nova's log of the server's actions then has the build as a success. What they do tell apart is how far it
came: with the first no host fitted, with the second one was chosen, and the server could not be built there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from virtfn.model.cloud import DesiredCloud, DesiredPort, DesiredServer
from virtfn.model.cloud.causes import Cause, CauseKind
from virtfn.model.cloud.observed import ObservedCloud
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.inventory import Unknown
from virtfn.planning.cloud.agents import agent_causes, network_causes, said_of
from virtfn.planning.cloud.diagnosis.build_failed import is_of_a_build, not_built_causes
from virtfn.planning.cloud.diagnosis.no_valid_host import no_host_causes, not_taken_up
from virtfn.planning.cloud.diagnosis.port_down import is_of_plugging, silence_causes, unplugged_causes
from virtfn.planning.cloud.readiness import BINDING_FAILED, readiness
from virtfn.planning.cloud.wanted_objects import physical_network_of

_NO_HOST = "No valid host"
_BIND_AGAIN = "delete the server, and `virtfn cloud up` makes it anew; Neutron's log says why (`Failed to bind port`)"


def diagnosis(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> tuple[Cause, ...]:
    """The causes of what has failed, or, where nothing has, of what is not ready.

    Nothing where the cloud's own word says it all.
    """
    failed = [cause for server in desired.servers for cause in _of_a_failure(server, desired, observed, survey)]
    if failed or readiness(desired, observed).failed:
        return _merged(failed)
    return _merged(_of_waiting(desired, observed, survey))


def _of_waiting(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[Cause]:
    for server in desired.servers:
        yield from not_taken_up(server, observed, survey)
    yield from silence_causes(desired, observed, survey)


def _merged(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """What several servers have in common once, with all that was seen of it."""
    found: dict[tuple[CauseKind, str], Cause] = {}
    for one in causes:
        first = found.setdefault((one.kind, one.what), one)
        found[one.kind, one.what] = replace(first, seen=tuple(dict.fromkeys((*first.seen, *one.seen))))
    return tuple(found.values())


def _of_a_failure(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Cause]:
    found = observed.server(server.name)
    fault = found.fault if found else ""
    if is_of_a_build(fault) or BINDING_FAILED in fault:
        yield from not_built_causes(server, desired, observed, survey)
    elif is_of_plugging(fault):
        yield from unplugged_causes(server, desired, observed, survey)
    elif _NO_HOST in fault:
        yield from no_host_causes(server, desired, observed, survey)
    for port in server.ports:
        at = observed.port(port.name)
        if at is not None and at.vif_type == BINDING_FAILED:
            physical = physical_network_of(port, desired, observed)
            seen = f"port {port.name}: {BINDING_FAILED} on {at.host}, status {at.status}"
            tunnels = [replace(one, seen=(*one.seen, seen)) for one in network_causes(port, desired, observed)]
            yield from tunnels or _not_bound(port, physical, str(at.host), seen, survey)


def _not_bound(port: DesiredPort, physical: str | None, host: str, seen: str, survey: CloudSurvey) -> Iterator[Cause]:
    agents = () if isinstance(survey.agents, Unknown) else survey.agents
    causes = list(agent_causes(port, physical, agents, (host,))) if physical and agents else []
    if causes:
        yield from (Cause(one.kind, one.what, (*one.seen, seen), f"{one.do}; then {_BIND_AGAIN}") for one in causes)
        return
    of_host = tuple(said_of(one) for one in agents if one.host == host)
    yield Cause(CauseKind.BINDING_FAILED, f"Neutron could not bind a port on {host}", (seen, *of_host), _BIND_AGAIN)
