"""Which NIC Switch agents can bind a port, or why none can. Pure.

Neutron's ``sriovnicswitch`` wants an agent on the server's host that answers and has the physical network in its
``physical_device_mappings``, and a network that is flat or vlan (neutron, mech_sriov/mech_driver). A whole PF needs no
agent.
"""

from collections.abc import Iterable, Iterator

from virtfn.model.cloud import (
    DesiredCloud,
    DesiredPort,
    DesiredServer,
    NetworkType,
    VnicType,
)
from virtfn.model.cloud.observed import NicAgent, ObservedCloud
from virtfn.model.desired import UNSET
from virtfn.model.finding import Finding
from virtfn.planning.cloud.causes import AGENT_DEAD, NO_AGENT, TYPE_NOT_BOUND
from virtfn.planning.cloud.wanted_objects import other_network_of

LIST_AGENTS = "openstack network agent list --agent-type nic --long"


def agent_causes(
    port: DesiredPort, physical: str, agents: Iterable[NicAgent], hosts: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Why no agent binds this port; nothing where one can. ``hosts``: check only these; empty: all."""
    known = [one for one in agents if not hosts or one.host in hosts]
    serving = [one for one in known if physical in one.physical_networks]
    if port.vnic_type is VnicType.DIRECT_PHYSICAL or any(one.alive for one in serving):
        return
    if serving:
        yield _dead(physical, serving)
    else:
        yield _missing(physical, known, hosts)


def network_causes(port: DesiredPort, desired: DesiredCloud, observed: ObservedCloud) -> Iterator[Finding]:
    """A foreign network whose type (a tunnel) no agent binds; nothing where the type is not known."""
    network = other_network_of(port, desired, observed)
    kind = network.type if network else None
    if network and isinstance(kind, str) and kind not in tuple(NetworkType):
        yield TYPE_NOT_BOUND.at(
            "",
            f"network {network.label} is of type {kind}: Neutron's sriovnicswitch binds VFs on flat and vlan only",
            evidence=(f"network {network.name} ({network.id}): type {kind}",),
        )


def asked_hosts(server: DesiredServer) -> tuple[str, ...]:
    """The host in the spec, if any."""
    return () if server.host is UNSET else (server.host,)


def agent_line(agent: NicAgent) -> str:
    """An agent in one line: ``agent on compute1: does not answer (last heard of ...), physnet1 on ens1f0``."""
    heard = f" (last heard of {agent.last_seen} UTC)" if agent.last_seen and not agent.alive else ""
    mapped = (
        f"{name} on {', '.join(agent.pfs[name])}" if agent.pfs.get(name) else name for name in agent.physical_networks
    )
    serves = "; ".join(mapped) or "no physical network"
    return f"NIC Switch agent on {agent.host}: {'answers' if agent.alive else 'does not answer'}{heard}, {serves}"


def _dead(physical: str, serving: list[NicAgent]) -> Finding:
    hosts = ", ".join(one.host for one in serving)
    return AGENT_DEAD.at(
        "",
        f"the NIC Switch agent for {physical} does not answer (on {hosts}): its VFs cannot be bound",
        evidence=tuple(map(agent_line, serving)),
        fix=f"start neutron-sriov-nic-agent on {hosts}, until `{LIST_AGENTS}` shows it alive",
    )


def _missing(physical: str, known: list[NicAgent], hosts: tuple[str, ...]) -> Finding:
    where = f" on {', '.join(hosts)}" if hosts else ""
    return NO_AGENT.at(
        "",
        f"no NIC Switch agent{where} serves {physical}: its VFs cannot be bound (physical_device_mappings)",
        evidence=tuple(map(agent_line, known)) or (f"Neutron lists no NIC Switch agent{where}",),
        fix=f"map {physical} to the PF in [sriov_nic] physical_device_mappings of the agent and restart it, "
        "or name a physical network that one serves",
    )
