"""Why a port that Neutron has bound stays DOWN: nothing sets up its VF. Pure.

nova-compute with libvirt waits for its ports: the server stays in BUILD while one is DOWN, and after [DEFAULT]
vif_plugging_timeout (300 s) nova gives up and unbinds them. Then only its message remains, which it also gives for
other network faults (nova, compute/manager.py).
"""

from collections.abc import Iterator, Sequence

from virtfn.model.cloud import DesiredCloud, DesiredServer, VnicType
from virtfn.model.cloud.observed import NicAgent, ObservedCloud, ObservedPort
from virtfn.model.cloud.survey import CloudSurvey
from virtfn.model.finding import Finding
from virtfn.model.inventory import Unknown
from virtfn.planning.cloud.agents import LIST_AGENTS, agent_line
from virtfn.planning.cloud.causes import AGENT_DEAD, VF_NOT_SEEN
from virtfn.planning.cloud.diagnosis.build_failed import hosts_that_tried
from virtfn.planning.cloud.wanted_objects import physical_network_of

_WORD = "Failed to allocate the network(s), not rescheduling"
_BOUND = ("hw_veb", "hostdev_physical", "macvtap")
_ITS_NETWORK = "its network"


def is_of_plugging(fault: str) -> bool:
    """Whether nova's message may mean that its wait for the ports timed out."""
    return _WORD in fault


def unplugged_causes(
    server: DesiredServer, desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey
) -> Iterator[Finding]:
    """Why the server's ports stayed DOWN until nova gave up, as far as the agents show."""
    plugged = [port for port in server.ports if port.vnic_type is not VnicType.DIRECT_PHYSICAL]
    if not plugged:  # a whole PF needs no agent
        return
    names = (physical_network_of(port, desired, observed) or _ITS_NETWORK for port in plugged)
    physical = ", ".join(dict.fromkeys(names))
    hosts = hosts_that_tried(server, survey)
    where = f" on {', '.join(hosts)}" if hosts else ""
    seen = f"nova gave up the server's network{where}, as it does when a port stays DOWN for vif_plugging_timeout"
    if isinstance(survey.agents, Unknown):
        yield VF_NOT_SEEN.at(
            "",
            f"perhaps no agent has set up the server's VFs{where} in the time that nova waits for them",
            evidence=(seen, f"NIC Switch agents: not known ({survey.agents.reason})"),
            fix=f"ask an administrator for `{LIST_AGENTS}` and for nova-compute's log{where}",
        )
        return
    agents = [one for one in survey.agents if not hosts or one.host in hosts]
    dead = [one for one in agents if one.host in hosts and not one.alive]
    if dead:
        yield _agents_dead("", physical, dead, (*map(agent_line, dead), seen))
        return
    yield VF_NOT_SEEN.at(
        "",
        f"perhaps the NIC Switch agent{where} has not seen the server's VFs in the time that nova waits for them",
        evidence=(seen, *_agent_lines(agents)),
        fix=f"{_look(', '.join(hosts) or 'its host')}; where it is so, nova-compute's log{where} says more",
    )


def silence_causes(desired: DesiredCloud, observed: ObservedCloud, survey: CloudSurvey) -> Iterator[Finding]:
    """The causes of ports that are bound and stay DOWN."""
    down: dict[tuple[str, str], list[str]] = {}
    for server in desired.servers:
        for port in server.ports:
            at = observed.port(port.name)
            if at is not None and _is_silent(at):
                physical = physical_network_of(port, desired, observed) or _ITS_NETWORK
                down.setdefault((physical, str(at.host)), []).append(port.name)
    for (physical, host), ports in down.items():
        yield _not_seen(physical, host, ports, survey)


def _is_silent(port: ObservedPort) -> bool:
    return port.vif_type in _BOUND and port.status == "DOWN"


def _not_seen(physical: str, host: str, ports: Sequence[str], survey: CloudSurvey) -> Finding:
    agents = [] if isinstance(survey.agents, Unknown) else [one for one in survey.agents if one.host == host]
    subject = f"port {', '.join(ports)}"
    bound = f"bound on {host} and DOWN: {subject}"
    dead = [one for one in agents if not one.alive]
    if dead:
        return _agents_dead(subject, physical, dead, (bound, *map(agent_line, dead)))
    return VF_NOT_SEEN.at(
        subject,
        f"the NIC Switch agent on {host} has not seen the VFs of ports that are bound there",
        evidence=(bound, *_agent_lines(agents)),
        fix=f"wait a few seconds, as the agent polls; if it stays DOWN, {_look(host)}",
    )


def _agents_dead(subject: str, physical: str, dead: Sequence[NicAgent], evidence: tuple[str, ...]) -> Finding:
    hosts = ", ".join(one.host for one in dead)
    return AGENT_DEAD.at(
        subject,
        f"the NIC Switch agent for {physical} does not answer (on {hosts}): no agent sets up the VFs there",
        evidence=evidence,
        fix=f"start neutron-sriov-nic-agent on {hosts}; bound ports then become ACTIVE automatically",
    )


def _agent_lines(agents: Sequence[NicAgent]) -> tuple[str, ...]:
    counts = (f"it sees {one.vfs_in_use} VFs in use" for one in agents if one.vfs_in_use is not None)
    return (*map(agent_line, agents), *counts)


def _look(host: str) -> str:
    return (
        f"`ip link` on {host} must show a VF with each port's MAC and no netdev of it, and exclude_devices not name it"
    )
